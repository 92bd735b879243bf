"""What each code of a finding means, what is at risk, and what to do next: the texts of `check --explain`.

Codes are stable: scripts and people know them. A family shares its risk and its next step; where a code has its
own, they stand beside it. A module a subject; tests/check/test_catalogue.py holds rules and entries in step.
"""

from pybtrfs.check.catalogue import files, space, trees
from pybtrfs.check.catalogue.entry import Entry as Entry
from pybtrfs.check.catalogue.entry import entries

CATALOGUE: dict[str, Entry] = entries((*trees.FAMILIES, *files.FAMILIES, *space.FAMILIES))
"""The entry of each code."""
