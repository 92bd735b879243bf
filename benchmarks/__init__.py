"""Timings side by side with the C tools, as ratios. `make bench` runs all; a test never asserts a time."""
