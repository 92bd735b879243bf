"""`python -m pybtrfs` is the command `pybtrfs`."""

from pybtrfs.commands import main

main()
