"""The catalogue of faults: what is changed in which image, and the codes with which the check must find it.

Rows stand in check/test_faults_*.py, a module a subject; each image of the catalogue is the healthy neighbour of all
its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import zoo
from damage import applied
from planted import Planted, findings

from pybtrfs.check.findings import Finding, Severity


class Fault(NamedTuple):
    """One row of the catalogue."""

    name: str
    image: str  # of the zoo
    codes: str  # that must be among those found
    plant: Callable[[Planted], object]
    data: bool = False  # whether data is verified, too


def rows(faults: Sequence[Fault]) -> pytest.MarkDecorator:
    """One test for each row."""
    assert len({fault.name for fault in faults}) == len(faults), "names differ"
    return pytest.mark.parametrize("fault", faults, ids=[fault.name.replace(" ", "-") for fault in faults])


class Sick:
    """Writable copies of the zoo's images, made when first asked for; a fault stands in one only while it is judged."""

    def __init__(self, image: Callable[[str], Path], folder: Path) -> None:
        self._image, self._folder = image, folder
        self._copies: dict[str, Path] = {}

    def copy(self, name: str) -> Path:
        if name not in self._copies:
            self._copies[name] = zoo.copy(self._image(name), self._folder / f"{name}.img")
        return self._copies[name]

    def found(self, fault: Fault) -> list[Finding]:
        """What the check finds with the fault in place."""
        image = self.copy(fault.image)
        with Planted(image) as planted:
            fault.plant(planted)
            patch = planted.patch()
        with applied(image, patch):
            return findings(image, data_csums=fault.data)

    def judge(self, fault: Fault) -> None:
        """The codes that are expected are found, and each finding says where."""
        found = self.found(fault)
        told = "\n".join(f"{finding.code} {finding.message}" for finding in found)
        missing = set(fault.codes.split()) - {finding.code for finding in found}
        assert not missing, f"{fault.name}: {missing} not found, but\n{told}"


def unsound(found: list[Finding]) -> list[Finding]:
    """The findings that are more than notes."""
    return [finding for finding in found if finding.severity > Severity.NOTE]
