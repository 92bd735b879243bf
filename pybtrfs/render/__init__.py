"""Superblocks, tree blocks and items as text and as JSON: what people and scripts see of the structures."""
