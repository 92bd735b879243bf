"""A filesystem: its trees by name, subvolumes, the UUID tree, the tree log."""
