"""The version, said once: the package, `--version` and the distribution read it here."""

VERSION = "0.1.0"
