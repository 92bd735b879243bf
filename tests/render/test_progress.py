"""Progress: nothing for two seconds, then a line that is gone at the end; the clock is ours."""

import io

from pybtrfs.render.progress import Progress, progress_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_shown_before_two_seconds_and_then_bytes_items_rate_and_time_left() -> None:
    now, terminal = [0.0], Terminal()
    with Progress("restore", terminal, lambda: now[0], plain=True) as progress:
        for now[0] in (0.5, 1.0, 1.9):
            progress.update(1 << 20, 10, lambda: 0.1)
        assert terminal.getvalue() == ""
        now[0] = 4.0
        progress.update(8 << 20, 30, lambda: 0.25)
        assert "8.00MiB, 30 items, 2.00MiB/s, 0:00:12 left" in " ".join(terminal.getvalue().split())
        size = len(terminal.getvalue())
        progress.update(9 << 20, 31, lambda: 0.26)  # too soon
        assert len(terminal.getvalue()) == size


def test_what_is_not_known_is_not_said() -> None:
    assert progress_text(0, 0, None, 3.0) == "0/s"
    assert progress_text(0, 1200, None, 3.0) == "1,200 items, 400/s"
    assert progress_text(1 << 30, 0, 1.0, 2.0) == "1.00GiB, 512.00MiB/s, 0:00:00 left"
    assert progress_text(1, 1, 0.5, 7322.0).endswith("2:02:02 left")


def test_an_unknown_part_of_the_whole_is_shown_as_under_way() -> None:
    terminal = Terminal()
    now = [0.0]
    with Progress("export", terminal, lambda: now[0], plain=True) as progress:
        now[0] = 3.0
        progress.update(1 << 20, 1, lambda: None)
    assert "export" in terminal.getvalue()
    assert "left" not in terminal.getvalue()
