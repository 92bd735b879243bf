"""What each code of a finding means, what is at risk, and what to do next: the texts of `check --explain`.

Codes are stable: scripts and people know them. A family shares its risk and its next step; where a code has its
own, they stand beside it.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """The texts of one code; whole sentences, for people."""

    title: str
    meaning: str
    risk: str
    next: str


class _Row(NamedTuple):
    number: str
    title: str
    meaning: str
    risk: str | None = None  # where it is not the family's
    next: str | None = None


class _Family(NamedTuple):
    prefix: str
    risk: str
    next: str
    rows: tuple[_Row, ...]


_COPY_OUT = "Copy what matters out first (pybtrfs restore), then repair or make the filesystem anew."
_DEVICE = "Look at the device's health; a scrub of the mounted filesystem writes the good copy over the bad one."

_FAMILIES = (
    _Family(
        "BLK",
        "What the block and those below it hold: files, or parts of them, cannot be reached.",
        _COPY_OUT,
        (
            _Row(
                "001",
                "A tree block cannot be read",
                "No copy of the block has the right checksum and form, nor can parity make one up.",
            ),
            _Row(
                "002",
                "A copy of a tree block is damaged",
                "One copy differs from the one that is good, or cannot be read.",
                "Nothing, as long as the good copy holds.",
                _DEVICE,
            ),
            _Row(
                "003",
                "A tree block is of another generation than expected",
                "Whoever refers to it names another transaction: a write was lost, or the block was written again.",
            ),
            _Row("004", "A node names another first key", "The key in the node is not the first key of its child."),
            _Row("005", "A node refers to an empty block", "Only the root of an empty tree may hold nothing."),
            _Row("006", "A tree block belongs to another tree", "Its owner is not the tree in which it hangs."),
            _Row("007", "Keys do not rise from leaf to leaf", "A search in this tree goes astray."),
        ),
    ),
    _Family(
        "INO",
        "The file concerned may show a wrong size or count; deleting or writing to it may fail.",
        "Copy the file out and make it anew; where many are concerned, repair.",
        (
            _Row("001", "Items without an inode", "Names, attributes or extents of an inode that has no inode item."),
            _Row("002", "A wrong link count", "An inode's nlink is not the number of its names."),
            _Row("003", "A wrong directory size", "A directory's size is not twice the length of its names."),
            _Row("004", "Wrong allocated bytes", "An inode's nbytes is not the sum of its extents."),
            _Row("005", "An inode of no known type", "The type in its mode is none that exists."),
            _Row("006", "An inode from the future", "Its generation or transid is beyond the filesystem's."),
            _Row("007", "Unknown inode flags", "Bits are set that no version has defined."),
            _Row("008", "A directory with several links", "Directories have one name."),
            _Row("009", "Odd flags on a symbolic link", "Links can be neither immutable nor append-only."),
            _Row("010", "Impossible nanoseconds", "A time has a billion nanoseconds or more."),
            _Row("011", "A device number on no device", "rdev is set on an inode that is no device node."),
            _Row("012", "A nameless inode", "It has no name and no orphan item: its space is never freed."),
        ),
    ),
    _Family(
        "NAM",
        "The file may be unreachable under its name, or not be deleted.",
        "Copy the directory's files out and make it anew, or repair.",
        (
            _Row("001", "Name and entry by index differ", "Each name stands at the inode and in the directory."),
            _Row("002", "An entry by index and the entry by hash differ", "Each name stands in both, or in neither."),
            _Row("003", "An entry says another type", "The entry's type is not the one of the inode's mode."),
            _Row("004", "An entry stands under a wrong hash", "Looking the name up does not find it."),
            _Row("005", "A name of an inode stands under a wrong hash", "Deleting the name does not find it."),
            _Row("006", "An entry without a name, or with data", "Entries have a name of 1 to 255 bytes and no data."),
            _Row("007", "An entry leads nowhere", "It leads neither to an inode nor to a subvolume."),
            _Row("008", "An impossible index", "Indexes of entries begin at 2."),
            _Row("009", "An entry of unknown type", "The type is none that exists."),
            _Row("010", "An impossible name", "It holds a slash or a zero byte, or is `.` or `..`."),
            _Row("011", "An entry from the future", "The transaction that made it has not been yet."),
        ),
    ),
    _Family(
        "XAT",
        "The attribute, such as an access list, may not be found or not be changed.",
        "Note the attribute's value, remove it and set it again.",
        (
            _Row("001", "An attribute stands under a wrong hash", "Looking it up by name does not find it."),
            _Row("002", "An attribute of a wrong form", "Its type or location is not that of an attribute."),
        ),
    ),
    _Family(
        "FIL",
        "Reading the file gives wrong bytes or an error.",
        "Compare the file with a backup; copy it out and make it anew.",
        (
            _Row("001", "A file extent of unknown form", "Type, compression or encoding is none that exists."),
            _Row("002", "A file extent from the future", "Its generation is beyond the filesystem's."),
            _Row("003", "A file extent that is not aligned", "Its numbers are no multiples of the sector size."),
            _Row("004", "A file extent beyond its extent", "It uses bytes that the extent does not have."),
            _Row("005", "An impossible compressed extent", "Compressed extents hold 128 KiB at most."),
            _Row("006", "A hole with contents", "A hole names a length on disk or a compression."),
            _Row("007", "An inline extent in the middle", "Inline bytes can only be a file's first."),
            _Row("008", "An inline extent of a wrong length", "It says another length than it has."),
            _Row("009", "An odd ram_bytes", "Of an extent that is not compressed, it should be the length on disk."),
            _Row("010", "File extents overlap", "Two extents claim the same bytes of the file."),
            _Row("011", "Data in what is no file", "A directory or device has a file extent."),
            _Row("012", "A gap between file extents", "This filesystem writes holes down (no NO_HOLES)."),
        ),
    ),
    _Family(
        "EXT",
        "Space that is in use may be given away, or never be freed: the next writes can destroy data.",
        "Do not write to the filesystem. Copy what matters out, then repair.",
        (
            _Row("001", "References and backrefs differ", "What trees refer to is not what the extent tree has noted."),
            _Row("002", "A wrong reference count", "An extent's count is not the sum of its backrefs."),
            _Row("003", "Lengths of an extent differ", "Whoever refers to it says another length than its item."),
            _Row("005", "Extents overlap", "Two extents claim the same space."),
            _Row("006", "An extent that is not aligned", "Its address or length is no multiple of the sector size."),
            _Row("007", "An extent of no kind", "It is neither data nor a tree block, or both."),
            _Row("008", "An extent from the future", "Its generation is beyond the filesystem's."),
            _Row("009", "A tree block of a wrong length", "Tree blocks have the node size."),
            _Row("010", "A tree block across stripes", "Only very old tools wrote that; it reads well."),
        ),
    ),
    _Family(
        "CSM",
        "Data cannot be verified, or good data is refused.",
        "Read the file with --no-verify and compare it with a backup; then write it anew.",
        (
            _Row("001", "Checksums are missing", "A file with checksums has data without."),
            _Row("002", "Checksums where there should be none", "Data without checksums, or preallocated, has some."),
            _Row("003", "Checksums of free space", "They belong to no data extent."),
            _Row("004", "A checksum item of a wrong length", "It does not hold whole checksums of whole sectors."),
            _Row("005", "Checksum items overlap", "Two items have checksums of the same sector."),
        ),
    ),
    _Family(
        "SPC",
        "The allocator may give space away twice, or run out of space that is there.",
        "Mounting with clear_cache rebuilds the free-space tree; for anything else, repair.",
        (
            _Row("001", "Chunk and block group do not pair", "Each chunk has one block group, and the reverse."),
            _Row("002", "Chunk and block group differ", "They state another length or type."),
            _Row("003", "A block group names another chunk tree", "chunk_objectid is always 256."),
            _Row("004", "A block group that is more than full", "It states more used bytes than it has."),
            _Row("005", "A wrong sum of used bytes", "A block group's used is not the sum of its extents."),
            _Row("006", "A wrong total of used bytes", "The superblock's is not the sum of the block groups."),
            _Row("007", "An extent outside of block groups", "Its space is not accounted for."),
            _Row("008", "An extent in a block group of another kind", "Data and tree blocks lie apart."),
            _Row(
                "010",
                "Free-space tree and block groups do not pair",
                "Each block group has one entry, and the reverse.",
            ),
            _Row("011", "Free ranges overlap", "The free-space tree lists some space twice."),
            _Row("012", "Free and used space do not add up", "Together they are not the block group."),
            _Row("013", "Used space that is listed as free", "The next write would destroy an extent."),
            _Row("014", "Free ranges that touch", "They should be one; the kernel merges them."),
            _Row("015", "A wrong count of free ranges", "The free-space tree's own count is off."),
            _Row("016", "Free space in the wrong form", "A block group uses extents or bitmaps, not both."),
        ),
    ),
    _Family(
        "DEV",
        "Addresses may lead to the wrong place of a device.",
        "Do not write to the filesystem. Copy what matters out.",
        (
            _Row("001", "A device extent without a stripe", "No chunk has the stripe that it stands for."),
            _Row("002", "A stripe without a device extent", "The allocator may use its space again."),
            _Row("003", "A device extent of another chunk tree", "It names numbers that are always the same."),
            _Row("004", "Device extents overlap", "Two chunks claim the same space."),
            _Row("005", "A wrong sum of a device's bytes", "bytes_used is not the sum of its device extents."),
            _Row("006", "A device extent beyond the device", "It ends after the size that the device states."),
            _Row("007", "A device that is too small", "The file or device is smaller than the filesystem says."),
            _Row("008", "Device extents of an unknown device", "The filesystem does not have that devid."),
        ),
    ),
    _Family(
        "SUP",
        "Mounting may fail, or a wrong state be mounted.",
        "pybtrfs rescue super-recover, or btrfs rescue, writes good copies over bad ones.",
        (
            _Row("004", "A wrong total size", "The superblock's total_bytes is not the sum of the devices."),
            _Row("005", "A wrong number of devices", "The chunk tree has another number of them."),
        ),
    ),
)

CATALOGUE: dict[str, Entry] = {
    f"{family.prefix}-{row.number}": Entry(row.title, row.meaning, row.risk or family.risk, row.next or family.next)
    for family in _FAMILIES
    for row in family.rows
}
"""The entry of each code."""
