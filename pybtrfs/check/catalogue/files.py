"""Files: inodes, names, attributes, file extents, checksums and data, and the log of what fsync saved."""

from pybtrfs.check.catalogue.entry import COPY_OUT, HARMLESS, NOTHING_TO_DO, Family, Row

_AGAIN = "Copy the file out, delete it and write it again; btrfs check --repair mends this, too: try it on a copy."
_DIRECTORY = "Copy the directory out, delete it and make it again; btrfs check --repair may mend it: try it on a copy."
_UNCHECKED = "Look at the data with pybtrfs cat --no-verify, compare it with a backup, and write the file again."
_DROP_LOG = (
    "Mount with -o ro,rescue=nologreplay, or drop the log with btrfs rescue zero-log: "
    "what was fsynced in the last seconds before the crash is lost then; pybtrfs log show lists it."
)

FAMILIES = (
    Family(
        "INO",
        "The file concerned may show a wrong size or count; deleting it or writing to it may fail.",
        _AGAIN,
        (
            Row(
                "001",
                "Items without an inode",
                "There are names, attributes or extents of an inode that has no inode item.",
                "The file cannot be opened, and what its extents take is not freed.",
                "Its bytes may be in a backup only; btrfs check --repair makes an inode for them: try it on a copy.",
            ),
            Row(
                "002",
                "A wrong link count",
                "An inode's nlink is not the number of its names.",
                "Where it is too small, deleting one name frees the file under the others.",
            ),
            Row(
                "003",
                "A wrong directory size",
                "A directory's size is not twice the length of its names.",
                "The directory may not be removable once it is empty.",
                _DIRECTORY,
            ),
            Row(
                "004",
                "Wrong allocated bytes",
                "An inode's nbytes is not the sum of its extents.",
                "stat and du show a wrong number of blocks; the contents are not concerned.",
            ),
            Row(
                "005",
                "An inode of no known type",
                "The type in its mode is none that exists.",
                "The kernel refuses the inode; its contents are there, but nobody can open it.",
            ),
            Row(
                "006",
                "An inode from the future",
                "Its generation or transid is beyond the filesystem's.",
                "The kernel refuses the leaf that the inode is in, and all that is in it.",
                COPY_OUT,
            ),
            Row(
                "007",
                "Unknown inode flags",
                "Bits are set that no version has defined.",
                "The kernel refuses the leaf that the inode is in, and all that is in it.",
                COPY_OUT,
            ),
            Row(
                "008",
                "A directory with several links",
                "Directories have one name.",
                "The kernel refuses the leaf that the inode is in; a walk may come to the directory twice.",
                _DIRECTORY,
            ),
            Row("009", "Odd flags on a symbolic link", "Links can be neither immutable nor append-only."),
            Row(
                "010",
                "Impossible nanoseconds",
                "A time has a billion nanoseconds or more.",
                "Programs show a wrong time or none.",
                "Set the times again with touch.",
            ),
            Row(
                "011",
                "A device number on no device",
                "rdev is set on an inode that is no device node.",
                "None is known; nobody reads it.",
                NOTHING_TO_DO,
            ),
            Row(
                "012",
                "A nameless inode",
                "It has no name and no orphan item, which would have the next mount remove it.",
                "Its space is never freed.",
                "btrfs check --repair gives it a name in lost+found: try it on a copy.",
            ),
        ),
    ),
    Family(
        "NAM",
        "The file may be unreachable under its name, or not be deletable.",
        _DIRECTORY,
        (
            Row(
                "001",
                "Name and entry by index differ",
                "Each name stands at the inode and, by index, in the directory; here only one of both is there.",
                "The file may not be listed, or a name in the list lead to nothing; deleting either may fail.",
            ),
            Row(
                "002",
                "An entry by index and the entry by hash differ",
                "Each entry stands by index, for lists, and by hash, for look-ups; here only one of both is there.",
                "A name is listed that cannot be opened, or can be opened and is not listed.",
            ),
            Row(
                "003",
                "An entry says another type",
                "The type in the directory is not that of the inode's mode, or an inode has entries beyond its links.",
                "Programs that trust the type in lists, such as find, go astray.",
            ),
            Row("004", "An entry stands under a wrong hash", "Looking the name up does not find it."),
            Row("005", "A name of an inode stands under a wrong hash", "Deleting that name does not find it."),
            Row("006", "An entry without a name, or with data", "Entries have a name of 1 to 255 bytes and no data."),
            Row(
                "007",
                "An entry leads nowhere",
                "It leads neither to an inode nor to a subvolume.",
                "The kernel refuses the leaf that the entry is in, and all that is in it.",
                COPY_OUT,
            ),
            Row("008", "An impossible index", "The indexes of entries begin at 2."),
            Row(
                "009",
                "An entry of unknown type",
                "The type is none that exists.",
                "The kernel refuses the leaf that the entry is in, and all that is in it.",
                COPY_OUT,
            ),
            Row(
                "010",
                "An impossible name",
                "It holds a slash or a zero byte, or is `.` or `..`.",
                "No program can open the file; careless ones write outside of the directory that they copy to.",
                "Copy the directory out with pybtrfs restore, which leaves such names out and says so.",
            ),
            Row(
                "011",
                "An entry from the future",
                "The transaction that made it has not been yet.",
                "None is known by itself; a bit has flipped, in memory or on its way to the disk.",
                "Test the machine's memory; rename the file and back, and the entry is made anew.",
            ),
            Row(
                "012",
                "A top directory with a wrong name",
                "It names itself, as `..` and with index 0.",
                "None is known; btrfs check complains.",
                "Copy the files to a new subvolume (cp -a --reflink), and delete the old one.",
            ),
        ),
    ),
    Family(
        "XAT",
        "The attribute, such as an access list or a capability, may not be found or not be changed.",
        "Note the attribute's value (getfattr), remove it and set it again; or copy the file and delete the old one.",
        (
            Row("001", "An attribute stands under a wrong hash", "Looking it up by name does not find it."),
            Row("002", "An attribute of a wrong form", "Its type or location is not that of an attribute."),
        ),
    ),
    Family(
        "FIL",
        "Reading the file gives wrong bytes or an error.",
        "Compare the file with a backup; copy it out (pybtrfs restore), delete it and write it again.",
        (
            Row("001", "A file extent of unknown form", "Type, compression or encoding is none that exists."),
            Row(
                "002",
                "A file extent from the future",
                "Its generation is beyond the filesystem's.",
                "The kernel refuses the leaf that the extent is in, and all that is in it.",
                COPY_OUT,
            ),
            Row("003", "A file extent that is not aligned", "Its numbers are no multiples of the sector size."),
            Row("004", "A file extent beyond its extent", "It uses bytes that the extent does not have."),
            Row("005", "An impossible compressed extent", "Compressed extents hold 128 KiB at most."),
            Row(
                "006",
                "A hole with contents",
                "A hole names a length on disk or a compression.",
                "It reads as zeros; data may have been there.",
            ),
            Row("007", "An inline extent in the middle", "Inline bytes can only be a file's first."),
            Row("008", "An inline extent of a wrong length", "It says another length than it has."),
            Row(
                "009",
                "An odd ram_bytes",
                "Of an extent that is not compressed, ram_bytes should be the length on disk.",
                "The kernel reads it well, and mentions it; kernels before 6.11 wrote such extents.",
                "Nothing needs to be done; writing the file again sets it right.",
            ),
            Row(
                "010",
                "File extents overlap",
                "Two extents claim the same bytes of the file.",
                "One of both versions of these bytes is shown, and which, is chance.",
            ),
            Row(
                "011",
                "Data in what is no file",
                "A directory or device has a file extent.",
                "The space is in use until the inode is deleted, and nothing shows it.",
            ),
            Row(
                "012",
                "A file without extents for all of its bytes",
                "This filesystem writes holes down (no NO_HOLES), and the extents do not reach to the file's size.",
                "It reads as zeros; data may have been there.",
                "Compare the file with a backup; or set the feature with btrfstune -n, to which gaps are holes.",
            ),
        ),
    ),
    Family(
        "CSM",
        "Data cannot be verified, or good data is refused.",
        _UNCHECKED,
        (
            Row(
                "001",
                "Checksums are missing",
                "A file that wants checksums has data without.",
                "Reading that data fails, though it may be good.",
            ),
            Row(
                "002",
                "Checksums where there should be none",
                "Data without checksums (nodatasum), or space that is only preallocated, has some.",
                "Once such data is written again in place, it no longer fits them, and a scrub counts errors.",
                "Copy the file, delete the old one and rename the copy.",
            ),
            Row(
                "003",
                "Checksums of free space",
                "They belong to no data extent.",
                "Data that is written there later may be compared with them, and be refused.",
                "btrfs check --repair --init-csum-tree computes all checksums anew: it takes damaged data as good.",
            ),
            Row(
                "004",
                "A checksum item of a wrong length",
                "It does not hold whole checksums of whole sectors.",
                "The kernel refuses the leaf that it is in; the data of that leaf cannot be read.",
            ),
            Row(
                "005",
                "Checksum items overlap",
                "Two items have checksums of the same sector.",
                "Which of both is believed, is chance.",
            ),
        ),
    ),
    Family(
        "DAT",
        "What the files concerned hold is not what was written.",
        "Look at the device's health (pybtrfs device stats, smartctl); a scrub once it is mounted sets it right.",
        (
            Row(
                "001",
                "Data does not fit its checksums",
                "No copy has the right checksum, nor can parity make one up.",
                "Those bytes of the files are lost, and reading them fails.",
                "Take the files from a backup, or what can be had of them with pybtrfs cat --no-verify.",
            ),
            Row(
                "002",
                "A copy of data is damaged",
                "One copy does not fit the checksum, and another, or parity, does.",
                "Nothing, as long as the good one holds.",
            ),
            Row(
                "003",
                "A parity does not fit its data",
                "What stands on the disk is not what the data of its row make.",
                "Should a device of that row fail, its data would be made up wrongly.",
            ),
        ),
    ),
    Family(
        "LOG",
        "The next mount replays the log, fails at it, and the filesystem is not mounted, or is stopped.",
        _DROP_LOG,
        (
            Row(
                "001",
                "A tree log waits to be replayed",
                "The filesystem was not unmounted; what fsync saved since the last commit is in the log.",
                "Nothing; a mount replays it. Until then files show the state of the last commit.",
                "Mount the filesystem for writing; pybtrfs log show tells what will change.",
            ),
            Row("002", "An impossible root of a log tree", "The tree of logs names a tree that cannot be."),
            Row("003", "A log from the future", "Its generation is more than one beyond the superblock's."),
            Row(
                "004",
                "A log of no subvolume",
                "The subvolume whose files it has does not exist.",
                "The kernel leaves such a log out.",
                NOTHING_TO_DO,
            ),
            Row("005", "A log in space that is taken", "A block of the log lies where an extent is."),
            Row("006", "A logged extent that cannot be", "It overlaps another one, or lies where data cannot be."),
            Row(
                "007",
                "Checksums of logged data are missing",
                "The log brings data of a file that wants checksums, and not those.",
                "Once the log is replayed, reading that data fails.",
                "Mount, then copy the file's data with pybtrfs cat --no-verify, and write it again.",
            ),
        ),
    ),
    Family(
        "QUO",
        "Limits are applied too early or too late, and btrfs qgroup show is wrong; files are not concerned.",
        "On the mounted filesystem: btrfs quota rescan -w; or btrfs quota disable, then enable.",
        (
            Row("001", "An impossible state of quotas", "The quota tree has no status item, or one of unknown form."),
            Row(
                "002",
                "Quotas from the future",
                "A status or an account is of a generation beyond the filesystem's.",
                "The kernel takes the quotas for inconsistent and counts them again.",
            ),
            Row("003", "A qgroup with half of its items", "Each qgroup has an account and an item of limits."),
            Row("004", "A one-sided relation", "A relation between qgroups stands under both of them."),
            Row("005", "An impossible relation", "It names a qgroup that does not exist, or two of one level."),
            Row(
                "006",
                "An account that contradicts itself",
                "What a qgroup has alone is more than what it has, or the second numbers are not the first.",
            ),
            Row(
                "007",
                "A qgroup of no subvolume",
                "The subvolume that it counts has been deleted.",
                HARMLESS,
                "btrfs qgroup clear-stale removes such groups from the mounted filesystem.",
            ),
            Row(
                "008",
                "A qgroup counts wrongly",
                "Its account is not what its subvolumes hold.",
            ),
            Row(
                "009",
                "Quotas were not counted",
                "They are being counted anew, are marked as inconsistent, or cannot be counted here.",
                "Nothing that is not known.",
                "Check again once the rescan or the deletion is done.",
            ),
        ),
    ),
)
