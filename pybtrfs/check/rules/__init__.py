"""The rules, a module a subject. Each rule is a function with its code, severity and message; see `rule`."""
