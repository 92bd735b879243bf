"""What all commands share: the output form, and how much is said.

`--format`, `-q` and `-v` may stand before or after the subcommand. Names and messages that come from an image
are escaped before they reach a terminal: control bytes never do.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pybtrfs.errors import PybtrfsError, UsageError

if TYPE_CHECKING:
    from pybtrfs.render.progress import Progress

F = TypeVar("F", bound=Callable[..., Any])

SESSION_OPTIONS: tuple[click.Option, ...] = (
    click.Option(
        ["--format"], type=click.Choice(["text", "json"]), help="Form of the output (text).", expose_value=True
    ),
    click.Option(["-q", "--quiet"], is_flag=True, help="Say nothing but errors."),
    click.Option(["-v", "--verbose"], is_flag=True, help="Say more."),
)


class Session:
    """The options of one run that every command knows."""

    def __init__(self) -> None:
        self.format = "text"
        self.quiet = self.verbose = self.failed = False
        self.status = 0  # for the few commands that end with more than done and failed

    @property
    def json(self) -> bool:
        return self.format == "json"

    def adopt(self, options: dict[str, Any]) -> "Session":
        """Take the shared options out of a command's; those that were given win."""
        self.format = options.pop("format", None) or self.format
        self.quiet = options.pop("quiet", False) or self.quiet
        self.verbose = options.pop("verbose", False) or self.verbose
        return self

    def notice(self, text: str) -> None:
        """A line that a user should see, on standard error."""
        if not self.quiet:
            click.echo(f"pybtrfs: {escape(text)}", err=True)

    def complainer(self, image: str) -> Callable[[str], None]:
        """What takes lines about damage in `image`: they are printed, and the exit status will be 1."""

        def complain(text: str) -> None:
            self.failed = True
            sys.stdout.flush()
            said = text if text.startswith((f"{image}: ", f"{image} at ")) else f"{image}: {text}"
            click.echo(f"pybtrfs: {escape(said)}", err=True)

        return complain

    @contextmanager
    def progress(self, what: str) -> "Iterator[Progress | None]":
        """Progress on standard error while the block runs; None where it is no terminal, or nobody wants it."""
        if self.quiet or self.verbose or not sys.stderr.isatty():
            yield None
            return
        import os  # noqa: PLC0415  start-up
        import time  # noqa: PLC0415

        from pybtrfs.render.progress import Progress  # noqa: PLC0415

        with Progress(what, sys.stderr, time.monotonic, plain="NO_COLOR" in os.environ) as progress:
            yield progress

    def print_json(self, name: str, value: Any) -> None:
        """One document: a header as btrfs-progs have it, and `value` under `name`."""
        import json  # noqa: PLC0415  start-up

        document = {"__header": {"version": "1"}, name: value}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=True) + "\n")

    def print_json_rows(self, name: str, rows: Iterable[Any]) -> None:
        """The same with a list under `name`, written a row at a time, so that it may be long."""
        import json  # noqa: PLC0415  start-up

        sys.stdout.write(f'{{"__header": {{"version": "1"}}, {json.dumps(name)}: [')
        for number, row in enumerate(rows):
            sys.stdout.write((",\n" if number else "\n") + json.dumps(row))
        sys.stdout.write("\n]}\n")

    def print_lines(self, lines: Iterable[str]) -> None:
        sys.stdout.writelines(f"{line}\n" for line in lines)


class FsckCommand(click.Command):
    """A command whose exit status is one of fsck(8): 8 where it could not check, 16 where it cannot be meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            vars(error)["exit_code"] = FSCK_USAGE  # click has it on the class
            raise

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PybtrfsError as error:
            error.exit_status = FSCK_USAGE if isinstance(error, UsageError) else FSCK_NOT_CHECKED
            raise


FSCK_LEFT, FSCK_NOT_CHECKED, FSCK_USAGE = 4, 8, 16


def define(
    group: click.Group | None = None, name: str | None = None, cls: type[click.Command] = click.Command, **settings: Any
) -> Callable[[F], click.Command]:
    """Make a click command of a function `(session, …options)`, with the shared options added."""

    def make(function: F) -> click.Command:
        @click.pass_context
        def run(ctx: click.Context, /, **options: Any) -> None:
            session = (ctx.find_object(Session) or Session()).adopt(options)
            try:
                function(session, **options)
            except KeyboardInterrupt:
                raise click.Abort from None  # click itself would print an empty line first
            ctx.exit(session.status or (1 if session.failed else 0))

        run.__doc__ = function.__doc__
        own = getattr(function, "__click_params__", [])[::-1]
        params = [*own, *(_without(option, own) for option in SESSION_OPTIONS)]
        settings.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        summary = (function.__doc__ or "").partition("\n")[0]
        made = cls(
            name or function.__name__,
            callback=run,
            params=params,
            help=function.__doc__,
            short_help=summary,
            **settings,
        )
        if group is not None:
            group.add_command(made)
        return made

    return make


def _without(option: click.Option, others: list[click.Parameter]) -> click.Option:
    """A shared option without the spellings that the command needs for others, as `subvolume list` does -q."""
    taken = {spelling for other in others for spelling in other.opts}
    if not taken.intersection(option.opts):
        return option
    spellings = [spelling for spelling in option.opts if spelling not in taken]
    return click.Option(spellings, is_flag=option.is_flag, type=option.type, help=option.help)


@contextmanager
def naming(image: str) -> Iterator[None]:
    """Put the image's name in front of an error that does not begin with it."""
    try:
        yield
    except PybtrfsError as error:
        if str(error).startswith(image):
            raise
        raise type(error)(f"{image}: {error}") from None


def write_text(file: str, text: str) -> None:
    """Write a whole file in UTF-8, or standard output for `-`."""
    if file == "-":
        sys.stdout.write(text)
        return
    with open(file, "w", encoding="utf-8") as stream:  # noqa: PTH123  names may be any bytes
        stream.write(text)


def escape(text: str | bytes) -> str:
    r"""Text that is safe on a terminal: control characters and bytes that are not UTF-8 as \xNN."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as surrogateescape keeps it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
