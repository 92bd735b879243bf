"""The numbers of the format: tree ids, object ids, item types, flags, and their printed names.

Item types keep the kernel's spelling (`include/uapi/linux/btrfs_tree.h`), so a grep works. A table of
flag names is in the order in which btrfs-progs print them.
"""

MAGIC = b"_BHRfS_M"
U64_MAX = 2**64 - 1  # as an id or offset printed as -1
S64_MAX = 2**63 - 1

# -- places and bounds -------------------------------------------------------------------------------

SUPER_OFFSETS = (64 * 1024, 64 * 1024**2, 256 * 1024**3)
"""Byte offsets on a device of the primary superblock and its mirrors."""
RESERVED_AT_START = 1024**2
"""Bytes at the start of a device that no chunk uses."""
STRIPE_LEN = 64 * 1024  # bytes of a chunk on one device before the next one's turn
MAX_LEVEL = 8  # levels that a tree may have: 0 to 7
MIN_BLOCK_SIZE = 4096  # of sectors and tree blocks
MAX_BLOCK_SIZE = 65536  # of sectors and tree blocks
NAME_MAX = 255  # bytes of a name

# -- object ids --------------------------------------------------------------------------------------


def _reserved(number: int) -> int:
    """A negative object id as the u64 that stands on disk."""
    return number & U64_MAX


ROOT_TREE_OBJECTID = 1  # root items of all other trees
EXTENT_TREE_OBJECTID = 2  # extents and their backrefs
CHUNK_TREE_OBJECTID = 3  # chunks and devices
DEV_TREE_OBJECTID = 4  # device extents, error counters
FS_TREE_OBJECTID = 5  # the top-level subvolume
ROOT_TREE_DIR_OBJECTID = 6  # a directory in the root tree: its entry `default` is the default subvolume
CSUM_TREE_OBJECTID = 7  # checksums of data
QUOTA_TREE_OBJECTID = 8  # qgroups
UUID_TREE_OBJECTID = 9  # subvolumes by UUID
FREE_SPACE_TREE_OBJECTID = 10  # free space by block group
BLOCK_GROUP_TREE_OBJECTID = 11  # block groups, where that feature is on
RAID_STRIPE_TREE_OBJECTID = 12  # places of extents on devices
REMAP_TREE_OBJECTID = 13  # where relocated addresses lie now

DEV_ITEMS_OBJECTID = 1  # of DEV_ITEM keys
DEV_STATS_OBJECTID = 0  # of the PERSISTENT_ITEM keys of error counters
DEV_REPLACE_DEVID = 0  # devid of a target until a replacement is done
FIRST_CHUNK_TREE_OBJECTID = 256  # of CHUNK_ITEM keys
FIRST_FREE_OBJECTID = 256  # first subvolume; root directory of a subvolume
LAST_FREE_OBJECTID = _reserved(-256)  # last subvolume or inode
EMPTY_SUBVOL_DIR_OBJECTID = 2  # inode that a snapshot shows for a subvolume inside

BALANCE_OBJECTID = _reserved(-4)  # a balance that runs
ORPHAN_OBJECTID = _reserved(-5)  # orphan items
TREE_LOG_OBJECTID = _reserved(-6)  # log trees
TREE_LOG_FIXUP_OBJECTID = _reserved(-7)  # inodes whose link count replay has to mend
TREE_RELOC_OBJECTID = _reserved(-8)  # trees through which metadata is relocated
DATA_RELOC_TREE_OBJECTID = _reserved(-9)  # subvolume through which data is relocated
EXTENT_CSUM_OBJECTID = _reserved(-10)  # checksums of data
FREE_SPACE_OBJECTID = _reserved(-11)  # v1 cache
FREE_INO_OBJECTID = _reserved(-12)  # cache of free inode numbers, gone since Linux 5.11
CSUM_CHANGE_OBJECTID = _reserved(-13)  # a change of the checksum type by btrfstune
MULTIPLE_OBJECTIDS = _reserved(-255)  # stands for several, never on disk

OBJECTID_NAMES = {
    ROOT_TREE_OBJECTID: "ROOT_TREE",
    EXTENT_TREE_OBJECTID: "EXTENT_TREE",
    CHUNK_TREE_OBJECTID: "CHUNK_TREE",
    DEV_TREE_OBJECTID: "DEV_TREE",
    FS_TREE_OBJECTID: "FS_TREE",
    ROOT_TREE_DIR_OBJECTID: "ROOT_TREE_DIR",
    CSUM_TREE_OBJECTID: "CSUM_TREE",
    QUOTA_TREE_OBJECTID: "QUOTA_TREE",
    UUID_TREE_OBJECTID: "UUID_TREE",
    FREE_SPACE_TREE_OBJECTID: "FREE_SPACE_TREE",
    BLOCK_GROUP_TREE_OBJECTID: "BLOCK_GROUP_TREE",
    RAID_STRIPE_TREE_OBJECTID: "RAID_STRIPE_TREE",
    REMAP_TREE_OBJECTID: "REMAP_TREE",
    BALANCE_OBJECTID: "BALANCE",
    ORPHAN_OBJECTID: "ORPHAN",
    TREE_LOG_OBJECTID: "TREE_LOG",
    TREE_LOG_FIXUP_OBJECTID: "LOG_FIXUP",
    TREE_RELOC_OBJECTID: "TREE_RELOC",
    DATA_RELOC_TREE_OBJECTID: "DATA_RELOC_TREE",
    EXTENT_CSUM_OBJECTID: "EXTENT_CSUM",
    FREE_SPACE_OBJECTID: "FREE_SPACE",
    FREE_INO_OBJECTID: "FREE_INO",
    CSUM_CHANGE_OBJECTID: "CSUM_CHANGE",
    MULTIPLE_OBJECTIDS: "MULTIPLE",
    U64_MAX: "-1",
}

# -- item types (the registry has their names and structures) ----------------------------------------

UNTYPED_KEY = 0
INODE_ITEM_KEY = 1
INODE_REF_KEY = 12
INODE_EXTREF_KEY = 13
XATTR_ITEM_KEY = 24
VERITY_DESC_ITEM_KEY = 36
VERITY_MERKLE_ITEM_KEY = 37
FSCRYPT_INODE_CTX_KEY = 41
FSCRYPT_CTX_KEY = 42
ORPHAN_ITEM_KEY = 48
DIR_LOG_ITEM_KEY = 60
DIR_LOG_INDEX_KEY = 72
DIR_ITEM_KEY = 84
DIR_INDEX_KEY = 96
EXTENT_DATA_KEY = 108
CSUM_ITEM_KEY = 120
EXTENT_CSUM_KEY = 128
ROOT_ITEM_KEY = 132
ROOT_BACKREF_KEY = 144
ROOT_REF_KEY = 156
EXTENT_ITEM_KEY = 168
METADATA_ITEM_KEY = 169
EXTENT_OWNER_REF_KEY = 172
TREE_BLOCK_REF_KEY = 176
EXTENT_DATA_REF_KEY = 178
EXTENT_REF_V0_KEY = 180
SHARED_BLOCK_REF_KEY = 182
SHARED_DATA_REF_KEY = 184
BLOCK_GROUP_ITEM_KEY = 192
FREE_SPACE_INFO_KEY = 198
FREE_SPACE_EXTENT_KEY = 199
FREE_SPACE_BITMAP_KEY = 200
DEV_EXTENT_KEY = 204
DEV_ITEM_KEY = 216
CHUNK_ITEM_KEY = 228
RAID_STRIPE_KEY = 230
IDENTITY_REMAP_KEY = 234
REMAP_KEY = 235
REMAP_BACKREF_KEY = 236
QGROUP_STATUS_KEY = 240
QGROUP_INFO_KEY = 242
QGROUP_LIMIT_KEY = 244
QGROUP_RELATION_KEY = 246
TEMPORARY_ITEM_KEY = 248
PERSISTENT_ITEM_KEY = 249
DEV_REPLACE_KEY = 250
UUID_KEY_SUBVOL = 251
UUID_KEY_RECEIVED_SUBVOL = 252
STRING_ITEM_KEY = 253

# -- flags -------------------------------------------------------------------------------------------

HEADER_FLAG_WRITTEN = 1 << 0  # written since it was allocated
HEADER_FLAG_RELOC = 1 << 1  # belongs to a relocation tree
BACKREF_REV_SHIFT = 56  # where the backref revision begins
MIXED_BACKREF_REV = 1  # the revision since Linux 2.6.31
HEADER_FLAG_NAMES = {HEADER_FLAG_WRITTEN: "WRITTEN", HEADER_FLAG_RELOC: "RELOC"}

SUPER_FLAG_ERROR = 1 << 2  # an error was met
SUPER_FLAG_SEEDING = 1 << 32  # a seed device, read-only
SUPER_FLAG_METADUMP = 1 << 33  # metadata alone, restored by btrfs-image -o
SUPER_FLAG_METADUMP_V2 = 1 << 34  # metadata alone, restored by btrfs-image
SUPER_FLAG_CHANGING_FSID = 1 << 35  # a change of the fsid is not finished
SUPER_FLAG_CHANGING_FSID_V2 = 1 << 36  # the same by way of metadata_uuid
SUPER_FLAG_CHANGING_BG_TREE = 1 << 38  # a conversion to or from a block group tree is not finished
SUPER_FLAG_CHANGING_DATA_CSUM = 1 << 39  # a change of the checksum type has not finished with data
SUPER_FLAG_CHANGING_META_CSUM = 1 << 40  # nor with metadata
SUPER_FLAG_NAMES = {
    HEADER_FLAG_WRITTEN: "WRITTEN",
    HEADER_FLAG_RELOC: "RELOC",
    SUPER_FLAG_CHANGING_FSID: "CHANGING_FSID",
    SUPER_FLAG_CHANGING_FSID_V2: "CHANGING_FSID_V2",
    SUPER_FLAG_SEEDING: "SEEDING",
    SUPER_FLAG_METADUMP: "METADUMP",
    SUPER_FLAG_METADUMP_V2: "METADUMP_V2",
    SUPER_FLAG_CHANGING_BG_TREE: "CHANGING_BG_TREE",
    SUPER_FLAG_CHANGING_DATA_CSUM: "CHANGING_DATA_CSUM",
    SUPER_FLAG_CHANGING_META_CSUM: "CHANGING_META_CSUM",
}

COMPAT_RO_FREE_SPACE_TREE = 1 << 0  # there is a free-space tree
COMPAT_RO_FREE_SPACE_TREE_VALID = 1 << 1  # and it is right
COMPAT_RO_VERITY = 1 << 2  # files with fs-verity
COMPAT_RO_BLOCK_GROUP_TREE = 1 << 3  # block groups have a tree of their own
COMPAT_RO_NAMES = {
    COMPAT_RO_FREE_SPACE_TREE: "FREE_SPACE_TREE",
    COMPAT_RO_FREE_SPACE_TREE_VALID: "FREE_SPACE_TREE_VALID",
    COMPAT_RO_VERITY: "VERITY",
    COMPAT_RO_BLOCK_GROUP_TREE: "BLOCK_GROUP_TREE",
}

INCOMPAT_MIXED_BACKREF = 1 << 0  # backrefs as extent items hold them; always set
INCOMPAT_DEFAULT_SUBVOL = 1 << 1  # another default subvolume than the top level has been set
INCOMPAT_MIXED_GROUPS = 1 << 2  # block groups for data and metadata alike
INCOMPAT_COMPRESS_LZO = 1 << 3  # lzo has been used
INCOMPAT_COMPRESS_ZSTD = 1 << 4  # zstd has been used
INCOMPAT_BIG_METADATA = 1 << 5  # tree blocks may be larger than a page
INCOMPAT_EXTENDED_IREF = 1 << 6  # INODE_EXTREF items
INCOMPAT_RAID56 = 1 << 7  # raid5 or raid6 has been used
INCOMPAT_SKINNY_METADATA = 1 << 8  # METADATA_ITEM items
INCOMPAT_NO_HOLES = 1 << 9  # holes may lack a file extent
INCOMPAT_METADATA_UUID = 1 << 10  # tree blocks carry metadata_uuid instead of fsid
INCOMPAT_RAID1C34 = 1 << 11  # raid1c3 or raid1c4 has been used
INCOMPAT_ZONED = 1 << 12  # for zoned devices
INCOMPAT_EXTENT_TREE_V2 = 1 << 13  # several extent trees; experimental
INCOMPAT_RAID_STRIPE_TREE = 1 << 14  # there is a raid stripe tree
INCOMPAT_SIMPLE_QUOTA = 1 << 16  # EXTENT_OWNER_REF items
INCOMPAT_REMAP_TREE = 1 << 17  # there is a remap tree; experimental
INCOMPAT_NAMES = {
    INCOMPAT_MIXED_BACKREF: "MIXED_BACKREF",
    INCOMPAT_DEFAULT_SUBVOL: "DEFAULT_SUBVOL",
    INCOMPAT_MIXED_GROUPS: "MIXED_GROUPS",
    INCOMPAT_COMPRESS_LZO: "COMPRESS_LZO",
    INCOMPAT_COMPRESS_ZSTD: "COMPRESS_ZSTD",
    INCOMPAT_BIG_METADATA: "BIG_METADATA",
    INCOMPAT_EXTENDED_IREF: "EXTENDED_IREF",
    INCOMPAT_RAID56: "RAID56",
    INCOMPAT_SKINNY_METADATA: "SKINNY_METADATA",
    INCOMPAT_NO_HOLES: "NO_HOLES",
    INCOMPAT_METADATA_UUID: "METADATA_UUID",
    INCOMPAT_RAID1C34: "RAID1C34",
    INCOMPAT_ZONED: "ZONED",
    INCOMPAT_EXTENT_TREE_V2: "EXTENT_TREE_V2",
    INCOMPAT_RAID_STRIPE_TREE: "RAID_STRIPE_TREE",
    INCOMPAT_SIMPLE_QUOTA: "SIMPLE_QUOTA",
    INCOMPAT_REMAP_TREE: "REMAP_TREE",
}

BLOCK_GROUP_DATA = 1 << 0
BLOCK_GROUP_SYSTEM = 1 << 1  # holds the chunk tree
BLOCK_GROUP_METADATA = 1 << 2  # holds the other trees
BLOCK_GROUP_RAID0 = 1 << 3
BLOCK_GROUP_RAID1 = 1 << 4  # two copies
BLOCK_GROUP_DUP = 1 << 5  # two copies on one device
BLOCK_GROUP_RAID10 = 1 << 6
BLOCK_GROUP_RAID5 = 1 << 7
BLOCK_GROUP_RAID6 = 1 << 8
BLOCK_GROUP_RAID1C3 = 1 << 9  # three copies
BLOCK_GROUP_RAID1C4 = 1 << 10  # four copies
BLOCK_GROUP_REMAPPED = 1 << 11  # its contents lie elsewhere: see the remap tree
BLOCK_GROUP_METADATA_REMAP = 1 << 12  # holds the remap tree
BLOCK_GROUP_TYPE_MASK = BLOCK_GROUP_DATA | BLOCK_GROUP_SYSTEM | BLOCK_GROUP_METADATA
BLOCK_GROUP_PROFILE_MASK = (
    BLOCK_GROUP_RAID0
    | BLOCK_GROUP_RAID1
    | BLOCK_GROUP_DUP
    | BLOCK_GROUP_RAID10
    | BLOCK_GROUP_RAID5
    | BLOCK_GROUP_RAID6
    | BLOCK_GROUP_RAID1C3
    | BLOCK_GROUP_RAID1C4
)
BLOCK_GROUP_TYPE_NAMES = {
    BLOCK_GROUP_DATA: "DATA",
    BLOCK_GROUP_METADATA: "METADATA",
    BLOCK_GROUP_SYSTEM: "SYSTEM",
    BLOCK_GROUP_METADATA_REMAP: "METADATA_REMAP",
}

EXTENT_FLAG_DATA = 1 << 0  # a data extent
EXTENT_FLAG_TREE_BLOCK = 1 << 1  # a tree block
BLOCK_FLAG_FULL_BACKREF = 1 << 8  # what it refers to has shared backrefs: by its address, not by a tree
EXTENT_FLAG_NAMES = {
    EXTENT_FLAG_DATA: "DATA",
    EXTENT_FLAG_TREE_BLOCK: "TREE_BLOCK",
    BLOCK_FLAG_FULL_BACKREF: "FULL_BACKREF",
}

INODE_NODATASUM = 1 << 0  # data without checksums
INODE_NODATACOW = 1 << 1  # data is overwritten in place
INODE_READONLY = 1 << 2  # never set
INODE_NOCOMPRESS = 1 << 3  # data is never compressed
INODE_PREALLOC = 1 << 4  # has preallocated extents
INODE_SYNC = 1 << 5  # chattr +S
INODE_IMMUTABLE = 1 << 6  # chattr +i
INODE_APPEND = 1 << 7  # chattr +a
INODE_NODUMP = 1 << 8  # chattr +d
INODE_NOATIME = 1 << 9  # chattr +A
INODE_DIRSYNC = 1 << 10  # chattr +D
INODE_COMPRESS = 1 << 11  # chattr +c
INODE_ENCRYPT = 1 << 12
INODE_ROOT_ITEM_INIT = 1 << 31  # in root items: the flags of the template are valid
INODE_FLAG_NAMES = {
    INODE_NODATASUM: "NODATASUM",
    INODE_NODATACOW: "NODATACOW",
    INODE_READONLY: "READONLY",
    INODE_NOCOMPRESS: "NOCOMPRESS",
    INODE_PREALLOC: "PREALLOC",
    INODE_SYNC: "SYNC",
    INODE_IMMUTABLE: "IMMUTABLE",
    INODE_APPEND: "APPEND",
    INODE_NODUMP: "NODUMP",
    INODE_NOATIME: "NOATIME",
    INODE_DIRSYNC: "DIRSYNC",
    INODE_COMPRESS: "COMPRESS",
    INODE_ENCRYPT: "ENCRYPT",
    INODE_ROOT_ITEM_INIT: "ROOT_ITEM_INIT",
}

ROOT_SUBVOL_RDONLY = 1 << 0  # read-only
ROOT_SUBVOL_DEAD = 1 << 48  # deleted, to be cleaned up

FILE_EXTENT_INLINE = 0  # the bytes are in the item
FILE_EXTENT_REG = 1  # a data extent, or a hole
FILE_EXTENT_PREALLOC = 2  # a data extent that reads as zeros
FILE_EXTENT_TYPE_NAMES = {
    FILE_EXTENT_INLINE: "inline",
    FILE_EXTENT_REG: "regular",
    FILE_EXTENT_PREALLOC: "prealloc",
}
COMPRESSION_NAMES = {0: "none", 1: "zlib", 2: "lzo", 3: "zstd"}

FT_UNKNOWN = 0
FT_REG_FILE = 1
FT_DIR = 2
FT_CHRDEV = 3
FT_BLKDEV = 4
FT_FIFO = 5
FT_SOCK = 6
FT_SYMLINK = 7
FT_XATTR = 8  # an attribute
FT_ENCRYPTED = 0x80  # a bit beside the type: the name is encrypted
FT_NAMES = {
    FT_REG_FILE: "FILE",
    FT_DIR: "DIR",
    FT_CHRDEV: "CHRDEV",
    FT_BLKDEV: "BLKDEV",
    FT_FIFO: "FIFO",
    FT_SOCK: "SOCK",
    FT_SYMLINK: "SYMLINK",
    FT_XATTR: "XATTR",
}

FREE_SPACE_USING_BITMAPS = 1 << 0  # the block group has bitmaps, not extents
FREE_SPACE_EXTENT = 1  # v1 cache: a free range
FREE_SPACE_BITMAP = 2  # v1 cache: a range with a bitmap

QGROUP_LEVEL_SHIFT = 48  # where the level begins in a qgroup id
QGROUP_STATUS_VERSION = 1
QGROUP_STATUS_FLAG_ON = 1 << 0  # quotas are on
QGROUP_STATUS_FLAG_RESCAN = 1 << 1  # a rescan runs
QGROUP_STATUS_FLAG_INCONSISTENT = 1 << 2  # the numbers may be wrong
QGROUP_STATUS_FLAG_SIMPLE_MODE = 1 << 3  # simple quotas: by the owner of an extent
QGROUP_STATUS_FLAG_NAMES = {
    QGROUP_STATUS_FLAG_SIMPLE_MODE: "SIMPLE_MODE",
    QGROUP_STATUS_FLAG_RESCAN: "SCANNING",
    QGROUP_STATUS_FLAG_INCONSISTENT: "INCONSISTENT",
}


def flag_names(flags: int, names: dict[int, str]) -> list[str]:
    """The names of the bits that are set, in the table's order; bits without a name are left out."""
    return [name for bit, name in names.items() if flags & bit]


def unnamed(flags: int, names: dict[int, str]) -> int:
    """The bits that are set and have no name in the table."""
    for bit in names:
        flags &= ~bit
    return flags
