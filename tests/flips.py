"""Single bits flipped in tree blocks, checksums mended: what bad memory does to a filesystem before it is written.

    flips = Flips(image, seed)          # a writable copy of an image of one device
    for patch in flips.patches(200):
        with applied(image, patch): ...

The C program is the yardstick: what it finds, by exit status or by a line that a sound filesystem does not produce, our
check must find, too. It need not say the same.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import judge
from damage import Blocks, Patch, applied
from planted import findings

from pybtrfs.check.findings import Finding, Severity
from pybtrfs.checksum import CSUM_SIZE
from pybtrfs.errors import PybtrfsError
from pybtrfs.ondisk.header import HEADER, ITEM, KEY_PTR


class Flips:
    """Random flips in the tree blocks of an image, in bytes that mean something; most of them in items."""

    def __init__(self, image: Path, seed: int) -> None:
        self._blocks, self._rng = Blocks(image), random.Random(f"{seed} {image.name}")

    def patches(self, count: int) -> Iterator[Patch]:
        for _ in range(count):
            yield self._patch()

    def _patch(self) -> Patch:
        bytenr = self._rng.choice(list(self._blocks.places))
        block = bytearray(self._blocks.data[bytenr])
        at, bit = self._byte(block), self._rng.randrange(8)
        block[at] ^= 1 << bit
        return self._blocks.patch(bytenr, block, f"byte {at} bit {bit}", mend=True)

    def _byte(self, block: bytearray) -> int:
        """One of the header, of an item header or key pointer, or of what an item holds."""
        header, where = HEADER.unpack_from(block), self._rng.random()
        if where < 0.1 or not header.nritems:
            return self._rng.randrange(CSUM_SIZE, HEADER.size)
        if header.level:
            return HEADER.size + self._rng.randrange(header.nritems * KEY_PTR.size)
        slot = self._rng.randrange(header.nritems)
        at = HEADER.size + slot * ITEM.size
        item = ITEM.unpack_from(block, at)
        if where < 0.3 or not item.size:
            return at + self._rng.randrange(ITEM.size)
        return HEADER.size + item.offset + self._rng.randrange(min(item.size, 500))  # long ones are mostly contents


class Verdict(NamedTuple):
    """What both say of a damaged image: the codes that ours found, and what the C program wrote."""

    ours: frozenset[str]
    theirs: str | None  # None where it found nothing, or was not asked

    @property
    def missed(self) -> bool:
        """Whether the C program has found something that we have not."""
        return bool(self.theirs) and not self.ours


def verdict(image: Path, patch: Patch, *, always: bool = False) -> Verdict:
    """Both judges' words on the image with the patch; the C program is asked where we find nothing, or `always`."""
    with applied(image, patch):
        ours = codes(image)
        return Verdict(ours, theirs(image) if always or not ours else None)


def codes(image: Path) -> frozenset[str]:
    """The codes of our findings above notes; the error's name where the image could not be checked."""
    found: list[Finding] = []
    try:
        found = findings(image)
    except PybtrfsError as error:
        return frozenset({type(error).__name__})
    return frozenset(finding.code for finding in found if finding.severity > Severity.NOTE)


def theirs(image: Path) -> str | None:
    """What `btrfs check` has to say, None where that is nothing."""
    try:
        judge.btrfs_check(image, data=False)
    except AssertionError as error:
        return str(error)
    except subprocess.TimeoutExpired:
        return "it did not end"
    return None
