"""The RAID profiles: a row for each, as the kernel's `btrfs_raid_array` has them.

`copies` is how many times a byte stands somewhere; `parity` how many stripes of a row hold parity;
`devices_min` the fewest devices; `sub_stripes` copies inside a striped profile. What it means for a byte's place is
said in `striping`.
"""

from typing import NamedTuple

from pybtrfs.ondisk import constants as c


class Profile(NamedTuple):
    """One RAID profile."""

    name: str  # as it is printed; options take it in small letters
    flag: int  # of BLOCK_GROUP_PROFILE_MASK; 0 for single
    devices_min: int
    copies: int
    parity: int
    sub_stripes: int
    tolerated: int  # devices that may be missing
    whole: bool  # each stripe holds the whole chunk


SINGLE = Profile("single", 0, 1, 1, 0, 1, 0, True)
PROFILES = (
    SINGLE,
    Profile("DUP", c.BLOCK_GROUP_DUP, 1, 2, 0, 1, 0, True),
    Profile("RAID0", c.BLOCK_GROUP_RAID0, 1, 1, 0, 1, 0, False),
    Profile("RAID1", c.BLOCK_GROUP_RAID1, 2, 2, 0, 1, 1, True),
    Profile("RAID1C3", c.BLOCK_GROUP_RAID1C3, 3, 3, 0, 1, 2, True),
    Profile("RAID1C4", c.BLOCK_GROUP_RAID1C4, 4, 4, 0, 1, 3, True),
    Profile("RAID10", c.BLOCK_GROUP_RAID10, 2, 2, 0, 2, 1, False),
    Profile("RAID5", c.BLOCK_GROUP_RAID5, 2, 1, 1, 1, 1, False),
    Profile("RAID6", c.BLOCK_GROUP_RAID6, 3, 1, 2, 1, 2, False),
)
BY_FLAG = {profile.flag: profile for profile in PROFILES}
BY_NAME = {profile.name.lower(): profile for profile in PROFILES}


def find_profile(flags: int) -> Profile | None:
    """The profile in a block group's or chunk's flags; None where several profile bits are set."""
    return BY_FLAG.get(flags & c.BLOCK_GROUP_PROFILE_MASK)
