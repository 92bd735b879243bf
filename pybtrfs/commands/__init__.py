"""The command line: a click command a module, loaded when it is called for.

`main` is the one place where an error becomes a line on standard error and an exit status. The groups know
their commands from the tables in `_tree`, so that `--help` imports none of them.
"""

import os
import sys
from io import TextIOWrapper
from typing import NoReturn

import click

from pybtrfs.commands._session import escape
from pybtrfs.commands._tree import pybtrfs
from pybtrfs.errors import PybtrfsError

_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2


def main() -> NoReturn:
    """Run the command line and end the process with its exit status."""
    _open_standard_streams()
    try:
        status = pybtrfs.main(prog_name="pybtrfs", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        status = done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        _tell(error.format_message())
        status = error.exit_code
    except click.UsageError as error:
        _say_usage(error)
        status = error.exit_code
    except click.ClickException as error:
        _say(error.format_message())
        status = error.exit_code
    except PybtrfsError as error:
        _say(str(error))
        status = error.exit_status
    except BrokenPipeError:
        _drop(_STANDARD_OUTPUT)
        status = 1
    except OSError as error:
        _say(f"{error.filename or 'standard output'}: {error.strerror}")
        _drop(_STANDARD_OUTPUT)
        status = 1
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        status = 130
    sys.exit(status if isinstance(status, int) else 0)


def _open_standard_streams() -> None:
    """Give closed streams /dev/null, lest an image take their number; what cannot be encoded is escaped."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        if descriptor == _STANDARD_OUTPUT:
            sys.stdout = open(descriptor, "w", closefd=False)  # noqa: SIM115
        if descriptor == _STANDARD_ERROR:
            sys.stderr = open(descriptor, "w", closefd=False)  # noqa: SIM115
    os.close(descriptor)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _say(message: str) -> None:
    _tell(f"pybtrfs: {escape(message)}")


def _tell(text: str) -> None:
    try:
        click.echo(text, err=True)
        sys.stderr.flush()
    except OSError:  # nobody can be told that nobody can be told
        _drop(_STANDARD_ERROR)


def _say_usage(error: click.UsageError) -> None:
    where = error.ctx.command_path if error.ctx else "pybtrfs"
    _say(f"{' '.join(error.format_message().split())} (see '{where} --help')")


def _drop(descriptor: int) -> None:
    """Whoever read our output has gone: keep the interpreter from complaining when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
