"""Images to plant faults in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Sick


@pytest.fixture(scope="module")
def sick(kernel_image: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Sick:
    return Sick(kernel_image, tmp_path_factory.mktemp("sick"))
