"""`uuid lookup | list | verify`: subvolumes by UUID, through the UUID tree."""

from typing import Any

import click

from pybtrfs.commands._image import image_options, open_image
from pybtrfs.commands._session import FSCK_LEFT, FSCK_NOT_CHECKED, FsckCommand, Session, define, escape
from pybtrfs.commands._tree import group
from pybtrfs.commands._types import UUID
from pybtrfs.errors import CorruptError, NotFoundError
from pybtrfs.fs.filesystem import Filesystem
from pybtrfs.fs.subvolume import Subvolumes
from pybtrfs.fs.uuidtree import UuidProblem, UuidTree
from pybtrfs.ondisk.uuid import uuid_text

_KINDS = {False: "own", True: "received"}
command = group("uuid")


@define(command, "lookup")
@image_options
@click.argument("uuid", type=UUID)
@click.option("--received", is_flag=True, help="Look only for a received UUID.")
@click.option("--field", type=click.Choice(["id", "path"]), help="Print this field alone.")
def lookup(session: Session, image: str, uuid: bytes, received: bool, field: str | None, **where: Any) -> None:
    """Print the subvolumes with that UUID or received UUID: id, kind and path, a line each.

    Reads one path of the UUID tree, however many subvolumes there are. Exits with 1 where there is none.
    """
    with open_image(session, image, where) as filesystem:
        tree = _uuid_tree(session, filesystem)
        found = [(number, True) for number in tree.find_received(uuid)]
        if not received:
            found[:0] = [(number, False) for number in tree.find(uuid)]
        subvolumes = Subvolumes(filesystem)
        rows = [(number, _KINDS[is_received], _path(subvolumes, number)) for number, is_received in found]
    if session.json:
        entries = [{"id": number, "kind": kind, **_path_json(path)} for number, kind, path in rows]
        session.print_json("uuid-lookup", {"uuid": uuid_text(uuid), "subvolumes": entries})
    else:
        session.print_lines(_line(row, field) for row in rows)
    if not rows:
        kind = "received UUID" if received else "UUID"
        raise NotFoundError(f"{image}: no subvolume has the {kind} {uuid_text(uuid)}")


@define(command, "list")
@image_options
def list_entries(session: Session, image: str, **where: Any) -> None:
    """Print the UUID tree: uuid, kind (own or received) and subvolume id, a line an entry."""
    with open_image(session, image, where) as filesystem:
        entries = ((uuid_text(e.uuid), _KINDS[e.received], e.id) for e in _uuid_tree(session, filesystem).entries())
        if session.json:
            rows = [{"uuid": uuid, "kind": kind, "id": number} for uuid, kind, number in entries]
            session.print_json("uuid-list", rows)
        else:
            session.print_lines(f"{uuid} {kind} {number}" for uuid, kind, number in entries)


@define(command, "verify", cls=FsckCommand)
@image_options
def verify(session: Session, image: str, **where: Any) -> None:
    """Compare the UUID tree with the subvolumes, both ways: a line for each difference.

    Exits with 0 where there is none, 4 where there are some, 8 where the image could not be checked to the end.
    """
    found: list[UuidProblem] = []
    with open_image(session, image, where) as filesystem:
        try:
            for problem in _uuid_tree(session, filesystem).verify():
                found.append(problem)
                if not session.json:
                    session.print_lines([_problem_line(problem)])
        except CorruptError as error:
            session.complainer(image)(str(error))
            session.status |= FSCK_NOT_CHECKED
    if session.json:
        complete = not session.status
        rows = [
            {"problem": p.kind, "uuid": uuid_text(p.uuid), "kind": _KINDS[p.received], "id": p.id, "text": p.text}
            for p in found
        ]
        session.print_json("uuid-verify", {"complete": complete, "problems": rows})
    if found:
        session.status |= FSCK_LEFT


def _uuid_tree(session: Session, filesystem: Filesystem) -> UuidTree:
    tree = UuidTree(filesystem)
    if not tree.current:
        sb = filesystem.superblock
        session.notice(
            f"the UUID tree may be out of date: its generation is {sb.uuid_tree_generation}, "
            f"the filesystem's {sb.generation}"
        )
    return tree


def _path(subvolumes: Subvolumes, subvolume_id: int) -> bytes | None:
    """The path, with a slash in front; None where the entry leads nowhere or the way is damaged."""
    try:
        path = subvolumes.find_path(subvolumes.get(subvolume_id))
        return None if path is None else b"/" + path
    except (NotFoundError, CorruptError):
        return None


def _path_json(path: bytes | None) -> dict[str, Any]:
    from pybtrfs.render.json_values import bytes_field  # noqa: PLC0415  start-up

    return {"path": None} if path is None else bytes_field("path", path)


def _problem_line(problem: UuidProblem) -> str:
    uuid, kind = uuid_text(problem.uuid), _KINDS[problem.received]
    return f"{problem.kind} {uuid} {kind} {problem.id or '-'}: {problem.text}"


def _line(row: tuple[int, str, bytes | None], field: str | None) -> str:
    number, kind, path = row
    shown = "-" if path is None else escape(path)
    return {"id": f"{number}", "path": shown, None: f"{number} {kind} {shown}"}[field]
