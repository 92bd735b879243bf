"""Tables on a terminal: what comes from an image is text there, and nothing else."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

from pybtrfs.render.tables import write_table


def test_cells_are_never_parsed_as_markup_and_long_ones_are_folded_not_cut() -> None:
    stream = io.StringIO()
    write_table(["id", "path"], [["256", "[/bold]:smile:"], ["257", "x" * 300]], stream)
    assert "[/bold]:smile:" in stream.getvalue()
    assert stream.getvalue().count("x") == 300


def test_a_terminal_gets_a_table_and_a_pipe_plain_lines(tmp_path: Path) -> None:
    import lzma

    image = tmp_path / "image"
    golden = Path(__file__).parent.parent / "golden" / "kernel.img.xz"
    image.write_bytes(lzma.decompress(golden.read_bytes()))
    command = [sys.executable, "-m", "pybtrfs", "subvolume", "list", str(image)]
    ours, theirs = pty.openpty()
    subprocess.run(command, stdout=theirs, check=True, env=os.environ | {"NO_COLOR": "1", "TERM": "xterm"})
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "top level" in shown.splitlines()[1]
    assert "backup/home-1" in shown
    piped = subprocess.check_output(command, text=True)
    assert piped.splitlines()[0] == "ID 256 gen 10 top level 5 path home"
