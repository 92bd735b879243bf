"""`completion SHELL`: the script that makes a shell complete our commands and options."""

import click
from click.shell_completion import get_completion_class

from pybtrfs.commands._session import Session, define
from pybtrfs.commands._tree import pybtrfs


@define(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(session: Session, shell: str) -> None:
    """Print the completion script for SHELL; source it from the shell's start-up file."""
    maker = get_completion_class(shell)
    assert maker is not None, "click completes in these three shells"
    click.echo(maker(pybtrfs, {}, "pybtrfs", "_PYBTRFS_COMPLETE").source())
