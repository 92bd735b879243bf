"""Items a second in a walk of a million-item tree: in columns, as objects, as objects with their values parsed."""

import time
from collections.abc import Callable

from benchmarks.images import image
from pybtrfs.btree.scan import scan
from pybtrfs.btree.search import Tree
from pybtrfs.fs.filesystem import open_filesystem


def report() -> str:
    lines = ["### A walk of all items of a million-item tree, in process", "", "| form | items/s |", "|---|---|"]
    for name, count in FORMS.items():
        rates = sorted(_rate(count) for _ in range(5))
        lines.append(f"| {name} | {rates[2]:,.0f} |")
    return "\n".join(lines) + "\n"


def _rate(count: Callable[[Tree], int]) -> float:
    with open_filesystem(str(image("million-items"))) as filesystem:
        tree = filesystem.tree(5)
        start = time.process_time()
        items = count(tree)
        return items / (time.process_time() - start)


FORMS: dict[str, Callable[[Tree], int]] = {
    "columns": lambda tree: sum(len(batch.key) for batch in scan(tree)),
    "objects": lambda tree: sum(1 for _ in tree.items()),
    "objects, values parsed": lambda tree: sum(item.parse() is not None for item in tree.items()),
}
