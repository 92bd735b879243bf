"""Space: extents and backrefs, block groups, free space and its caches, chunks and devices."""

from pybtrfs.check.catalogue.entry import COPY_OUT, HARMLESS, NOTHING_TO_DO, Family, Row

_STOP = "Do not write to the filesystem. Copy what matters out (pybtrfs restore), then make it anew or try a repair."
_REFUSED = "The kernel refuses the block that it is in: extents there can neither be freed nor be shared."
_TREE = "btrfs rescue clear-space-cache v2 removes the free-space tree; the next mount makes it anew."
_CACHE = "btrfs rescue clear-space-cache v1, or a mount with -o clear_cache: the cache is made anew."
_GIVEN_TWICE = "Free space may be given out that is in use: the next writes can destroy data."
_LOST = "Free space is not used; nothing is destroyed."
_DEVICE_SIZE = "btrfs rescue fix-device-size sets sizes right."

FAMILIES = (
    Family(
        "EXT",
        "Space that is in use may be given away, or never be freed: the next writes can destroy data.",
        _STOP,
        (
            Row(
                "001",
                "References and backrefs differ",
                "What trees refer to is not what the extent tree has noted: a backref is missing, left over or "
                "counted wrongly.",
            ),
            Row(
                "002",
                "A wrong reference count",
                "An extent's count is not the sum of its backrefs.",
            ),
            Row("003", "Lengths of an extent differ", "Whoever refers to it says another length than its item."),
            Row("005", "Extents overlap", "Two extents claim the same space."),
            Row("006", "An extent that is not aligned", "Its address or length is no multiple of the sector size."),
            Row("007", "An extent of no kind", "It is neither data nor a tree block, or both."),
            Row("008", "An extent from the future", "Its generation is beyond the filesystem's.", _REFUSED),
            Row("009", "A tree block of a wrong length", "Tree blocks have the node size."),
            Row(
                "010",
                "A tree block across stripes",
                "Only very old tools wrote that.",
                "It reads well; a scrub of kernels before 4.6 passes over it.",
                "A balance of the metadata (btrfs balance start -m) writes it elsewhere.",
            ),
            Row("011", "A tree block of another level", "The extent tree gives the block another level than it has."),
            Row(
                "012",
                "A tree block of another generation",
                "The extent tree gives the block another generation than it has.",
                "A scrub takes the block for damaged.",
                "A balance of the metadata (btrfs balance start -m) writes both anew. Test the machine's memory.",
            ),
        ),
    ),
    Family(
        "EXI",
        _REFUSED,
        _STOP,
        (
            Row("001", "Inline backrefs that do not fill their item", "One is of unknown type, or they end elsewhere."),
            Row("002", "Inline backrefs out of order", "The kernel, which searches them, may not find one."),
            Row("003", "A backref of another kind", "Tree blocks have backrefs of tree blocks, data those of data."),
            Row(
                "004",
                "An impossible backref",
                "It names a tree, inode, offset or block that cannot be, or counts none.",
            ),
            Row("005", "A backref stands under a wrong hash", "Dropping the reference does not find it."),
            Row(
                "006",
                "An impossible extent item",
                "It has no references, a level that no tree has, or a form that its kind does not have.",
            ),
        ),
    ),
    Family(
        "SPC",
        _GIVEN_TWICE,
        _TREE,
        (
            Row(
                "001",
                "Chunk and block group do not pair",
                "Each chunk has one block group, and the reverse.",
                None,
                _STOP,
            ),
            Row("002", "Chunk and block group differ", "They state another length or type.", None, _STOP),
            Row(
                "003",
                "A block group names another chunk tree",
                "chunk_objectid is always 256.",
                "The kernel refuses the block that it is in, and does not mount.",
                _STOP,
            ),
            Row(
                "004",
                "A block group that is more than full",
                "It states more used bytes than it has.",
                "The kernel refuses the block that it is in, and does not mount.",
                _STOP,
            ),
            Row(
                "005",
                "A wrong sum of used bytes",
                "A block group's used is not the sum of its extents.",
                "A block group may be removed that is not empty, or be taken for full.",
                "btrfs check --repair computes the sums anew: try it on a copy.",
            ),
            Row(
                "006",
                "A wrong total of used bytes",
                "The superblock's bytes_used is not the sum of the block groups.",
                "df shows a wrong number.",
                "btrfs check --repair computes the sum anew: try it on a copy.",
            ),
            Row("007", "An extent outside of block groups", "Its space is accounted for nowhere.", None, _STOP),
            Row(
                "008",
                "An extent in a block group of another kind",
                "Data and tree blocks lie apart.",
                "The kernel stops when it frees the extent.",
                _STOP,
            ),
            Row(
                "010",
                "Free-space tree and block groups do not pair",
                "Each block group has one entry in the free-space tree, and the reverse.",
                "The kernel does not find the free space of the block group, and stops.",
            ),
            Row("011", "Free ranges overlap", "The free-space tree lists some space twice."),
            Row("012", "Free and used space do not add up", "Together they are not the block group."),
            Row("013", "Used space that is listed as free", "An extent lies where the free-space tree has free space."),
            Row("014", "Free ranges that touch", "They should be one; the kernel would have merged them.", _LOST),
            Row(
                "015",
                "A wrong count of free ranges",
                "The free-space tree's own count is off.",
                "Loading the block group fails, or its form is chosen badly.",
            ),
            Row(
                "016",
                "Free space in the wrong form",
                "A block group's free space is written as extents or as bitmaps, not both.",
                "The kernel does not find that free space, or stops when it changes it.",
            ),
            Row(
                "017",
                "Free space behind its block group",
                "A free range of the free-space tree ends after its block group.",
                "Addresses that do not exist may be given out.",
            ),
        ),
    ),
    Family(
        "CAC",
        _LOST,
        _CACHE,
        (
            Row(
                "001",
                "A space cache of no block group",
                "The block group has been removed, and its cache (v1) has stayed.",
                HARMLESS,
                _CACHE,
            ),
            Row(
                "002",
                "A space cache that is not used",
                "It is empty, or older than the last changes; the kernel passes over it.",
                HARMLESS,
                NOTHING_TO_DO,
            ),
            Row(
                "003",
                "A damaged space cache",
                "Its pages do not fit their checksums, or hold what cannot be.",
                "The kernel throws it away, and looks for free space in the extent tree, which takes longer.",
            ),
            Row(
                "004",
                "A space cache calls used space free",
                "An extent lies where the cache (v1) has free space.",
                _GIVEN_TWICE,
                "Do not mount it without -o clear_cache; or btrfs rescue clear-space-cache v1.",
            ),
            Row(
                "005",
                "A space cache has free space twice",
                "Two of its entries overlap.",
                _GIVEN_TWICE,
                "Do not mount it without -o clear_cache; or btrfs rescue clear-space-cache v1.",
            ),
            Row(
                "006",
                "A wrong sum of a space cache",
                "Its free bytes are not what the extents leave of the block group.",
                "The kernel throws it away, and looks for free space in the extent tree, which takes longer.",
            ),
        ),
    ),
    Family(
        "CHK",
        "Addresses may lead to the wrong place of a device, or to none: what lies there cannot be read.",
        _STOP,
        (
            Row("001", "A chunk item that cannot be read", "It is too short for its stripes, or has none."),
            Row("002", "An impossible chunk", "Its key, length, type or number of stripes is none that exists."),
            Row(
                "003",
                "A chunk of another owner",
                "The owner of chunks is always the extent tree, 2.",
                "None is known; the kernel does not read it.",
                NOTHING_TO_DO,
            ),
            Row(
                "004",
                "A chunk with odd alignment",
                "io_align and io_width are 64 KiB, or the sector size.",
                "None is known; the kernel does not read them.",
                NOTHING_TO_DO,
            ),
            Row("005", "A stripe on an unknown device", "The filesystem has no device of that devid."),
            Row("006", "A stripe names another device", "Its UUID is not that of the devid beside it."),
            Row("007", "Chunks overlap", "Two chunks claim the same addresses."),
            Row("008", "Two stripes in one place", "The copies of a chunk, or its parts, lie over each other."),
            Row("009", "A device item under a wrong key", "Its devid is not the one of its key.", None, COPY_OUT),
            Row(
                "010",
                "A device that is more than full",
                "It states more used bytes than it has.",
                "The kernel refuses the block that it is in, and does not mount.",
                COPY_OUT,
            ),
            Row(
                "011",
                "A device of another filesystem",
                "Its item names an fsid that is neither the filesystem's nor that of a seed.",
                "The kernel looks for a seed that does not exist, and does not mount.",
                COPY_OUT,
            ),
            Row(
                "012",
                "A device with odd alignment",
                "io_align, io_width and sector_size are the sector size.",
                "None is known; the kernel does not read them.",
                NOTHING_TO_DO,
            ),
            Row(
                "013",
                "A device size that is not aligned",
                "It is no multiple of the sector size.",
                "Newer kernels warn about it at each mount.",
                _DEVICE_SIZE,
            ),
        ),
    ),
    Family(
        "DEV",
        "Space of a device may be given out twice.",
        _STOP,
        (
            Row(
                "001",
                "A device extent without a stripe",
                "No chunk has the stripe that it stands for.",
                "The kernel does not mount; without it, the space would never be used again.",
            ),
            Row("002", "A stripe without a device extent", "The allocator may use its space for another chunk."),
            Row(
                "003",
                "A device extent of another chunk tree",
                "It names numbers that are always the same, 3 and 256.",
                "None is known; the kernel does not read them.",
                NOTHING_TO_DO,
            ),
            Row("004", "Device extents overlap", "Two chunks claim the same space of a device."),
            Row(
                "005",
                "A wrong sum of a device's bytes",
                "bytes_used is not the sum of its device extents.",
                "The kernel believes to have more or less space for new chunks than there is.",
                "btrfs check --repair computes the sum anew: try it on a copy.",
            ),
            Row(
                "006",
                "A device extent beyond the device",
                "It ends after the size that the device states.",
                "What lies behind the end cannot be read; the kernel does not mount.",
                _DEVICE_SIZE,
            ),
            Row(
                "007",
                "A device that is too small",
                "The file or device is smaller than the filesystem says: an image was cut, or a partition shrunk.",
                "The kernel does not mount; what lies behind the end is lost.",
                "Make it as large again: truncate -s SIZE for a file. Where bytes were cut off, copy the image again.",
            ),
            Row("008", "Device extents of an unknown device", "The filesystem does not have that devid."),
            Row(
                "009",
                "A device is missing",
                "The filesystem has a device that was not given, or not found.",
                "What stood on it alone cannot be read; of the rest, one copy less is left.",
                "Give it with --device FILE. Where it is lost: mount with -o degraded, then btrfs replace.",
            ),
        ),
    ),
)
