"""fsspec's own tests of `get` on an image that the kernel filled: what they put there is made beforehand."""

import posixpath
from collections.abc import Callable, Iterator
from pathlib import Path

import judge
import pytest
import zoo
from fsspec.implementations.local import LocalFileSystem
from fsspec.tests.abstract import AbstractFixtures, AbstractGetTests

from pybtrfs.api.fsspec import BtrfsFileSystem

pytestmark = pytest.mark.kernel
SCENES = {
    "bulk": AbstractFixtures._bulk_operations_scenario_0,
    "glob": AbstractFixtures._glob_edge_cases_files,
    "prefix": AbstractFixtures._dir_and_file_with_same_name_prefix,
    "hashed": AbstractFixtures._10_files_with_hashed_names,
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenes") / "image"
    judge.mkfs(path, 128 * zoo.MiB)
    with judge.mounted(path) as top:
        for name, make in SCENES.items():
            make(None, LocalFileSystem(auto_mkdir=True), posixpath.join, str(top / name))
    return path


class TestGet(AbstractFixtures, AbstractGetTests):
    """Each of fsspec's tests, whole directories, globs and lists, but one that writes on its own."""

    test_get_directory_recursive = None

    @pytest.fixture
    def fs(self, image: Path) -> Iterator[BtrfsFileSystem]:
        fs = BtrfsFileSystem(str(image))
        yield fs
        fs.close()

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return posixpath.join

    @pytest.fixture
    def fs_bulk_operations_scenario_0(self) -> str:
        return "bulk/source"

    @pytest.fixture
    def fs_glob_edge_cases_files(self) -> str:
        return "glob/source"

    @pytest.fixture
    def fs_dir_and_file_with_same_name_prefix(self) -> str:
        return "prefix/source"

    @pytest.fixture
    def fs_10_files_with_hashed_names(self) -> str:
        return "hashed/source"
