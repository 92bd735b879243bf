"""One tree: blocks read through checksum and judge, searched, walked, scanned in columns, built in bulk."""
