"""What `mkfs` says about the filesystem that it made: the lines of mkfs.btrfs(8), or the same as JSON."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pybtrfs.mkfs.plan import Plan
from pybtrfs.ondisk import constants as c
from pybtrfs.ondisk.uuid import uuid_text
from pybtrfs.render.sizes import size_text

_KINDS = {  # in the order in which they are listed
    c.BLOCK_GROUP_DATA: "Data",
    c.BLOCK_GROUP_METADATA: "Metadata",
    c.BLOCK_GROUP_METADATA | c.BLOCK_GROUP_DATA: "Data+Metadata",
    c.BLOCK_GROUP_SYSTEM: "System",
}


def summary_lines(plan: Plan, paths: Sequence[bytes], escape: Callable[[str | bytes], str]) -> Iterator[str]:
    """The summary for people, as mkfs.btrfs prints it."""
    options, size = plan.spec.options, size_text(plan.spec.size)
    yield f"Label:              {escape(options.label)}".rstrip()
    yield f"UUID:               {uuid_text(plan.spec.fsid)}"
    if len(plan.spec.members) == 1:
        yield f"Device UUID:        {uuid_text(plan.spec.members[0].uuid)}"
    yield f"Node size:          {options.nodesize}"
    yield f"Sector size:        {options.sectorsize}"
    yield f"Filesystem size:    {size}"
    yield "Block group profiles:"
    for kind, profile, length in _block_groups(plan):
        yield f"  {kind + ':':<18}{profile:<8} {size_text(length):>16}"
    yield f"Features:           {', '.join(options.features.names)}"
    yield f"Checksum:           {options.csum_type.name}"
    yield f"Number of devices:  {len(plan.spec.members)}"
    yield "Devices:"
    yield "   ID        SIZE  PATH"
    for member, path in zip(plan.spec.members, paths, strict=True):
        yield f"{member.devid:>5}  {size_text(member.size):>10}  {escape(path)}"


def summary_json(plan: Plan, paths: Sequence[bytes]) -> dict[str, Any]:
    """The summary as values; sizes in bytes."""
    from pybtrfs.render.json_values import bytes_field  # noqa: PLC0415  start-up

    options = plan.spec.options
    devices = [
        {"devid": member.devid, "uuid": uuid_text(member.uuid), "size": member.size, **bytes_field("path", path)}
        for member, path in zip(plan.spec.members, paths, strict=True)
    ]
    return {
        **bytes_field("label", options.label),
        "uuid": uuid_text(plan.spec.fsid),
        "nodesize": options.nodesize,
        "sectorsize": options.sectorsize,
        "size": plan.spec.size,
        "block_groups": [
            {"type": kind, "profile": profile, "size": length} for kind, profile, length in _block_groups(plan)
        ],
        "features": options.features.names,
        "checksum": options.csum_type.name,
        "devices": devices,
    }


def _block_groups(plan: Plan) -> Iterator[tuple[str, str, int]]:
    """Kind, profile and bytes of what is allocated."""
    for kind, name in _KINDS.items():
        groups = [group for group in plan.spec.groups if group.kind == kind]
        if groups:
            profile = groups[0].profile
            yield name, profile.name, sum(group.length for group in groups)
