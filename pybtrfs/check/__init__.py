"""The check of a whole filesystem: double-entry bookkeeping over columns; see `engine`."""
