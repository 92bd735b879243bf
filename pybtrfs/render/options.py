"""What a dump shows beyond the structures themselves, and the facts of the filesystem that it needs."""

from typing import NamedTuple


class Options(NamedTuple):
    """Options of a dump; all but the first three come from the superblock."""

    hide_names: bool = False
    csum_items: bool = False  # every checksum of EXTENT_CSUM items
    csum_headers: bool = False  # the checksum in the header of each block
    csum_size: int = 4
    sectorsize: int = 4096
    simple_quota: bool = False  # the incompat feature
