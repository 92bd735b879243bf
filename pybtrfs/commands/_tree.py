"""Which commands there are: tables of name, module and a line of help. The group loads a module when asked."""

from importlib import import_module
from typing import Any

import click

from pybtrfs._version import VERSION
from pybtrfs.commands._session import SESSION_OPTIONS, Session

COMMANDS = {
    "mkfs": ("pybtrfs.commands.mkfs", "Make a filesystem in an image file or block device."),
    "du": ("pybtrfs.commands.du", "Print the space that files take, or what deleting them would free."),
    "check": ("pybtrfs.commands.check", "Verify all structures and explain what is wrong."),
    "filesystem": ("pybtrfs.commands.filesystem", "Show label, devices and the use of space."),
    "device": ("pybtrfs.commands.device", "Show the devices' error counters and what block groups take of them."),
    "inspect": ("pybtrfs.commands.inspect", "Show structures as they stand: superblock and trees."),
    "subvolume": ("pybtrfs.commands.subvolume", "List subvolumes and show one."),
    "uuid": ("pybtrfs.commands.uuid", "Look subvolumes up by UUID through the UUID tree."),
    "log": ("pybtrfs.commands.log", "Show what the tree log holds."),
    "cp": ("pybtrfs.commands.cp", "Copy files out of an image."),
    "restore": ("pybtrfs.commands.restore", "Restore files into a directory."),
    "export-tar": ("pybtrfs.commands.export_tar", "Export files as a tar archive."),
    "ls": ("pybtrfs.commands.ls", "List directories and files."),
    "cat": ("pybtrfs.commands.cat", "Print what is in files, verified."),
    "stat": ("pybtrfs.commands.stat", "Show all that is known of a file."),
    "find": ("pybtrfs.commands.find", "Find files by name, type, size, time and more."),
    "tree": ("pybtrfs.commands.tree", "Draw directories as a tree."),
    "completion": ("pybtrfs.commands.completion", "Print the shell's completion script."),
}
ALIASES = {"inspect-internal": "inspect", "fsck": "check"}


class Group(click.Group):
    """A group whose commands may be abbreviated to an unambiguous prefix, as in btrfs-progs."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self._complete(ctx, cmd_name)
        return None if name is None else self.load(name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        _, command, rest = super().resolve_command(ctx, args)
        return (command.name if command else None), command, rest

    def load(self, name: str) -> click.Command | None:
        return self.commands.get(name)

    def _complete(self, ctx: click.Context, typed: str) -> str | None:
        names = self.list_commands(ctx)
        if typed in names or typed in ALIASES:
            return ALIASES.get(typed, typed)
        found = [name for name in names if name.startswith(typed)]
        if len(found) > 1:
            raise click.UsageError(f"ambiguous command '{typed}': {', '.join(sorted(found))}", ctx)
        return found[0] if found else None


def group(name: str) -> Group:
    """A command that has subcommands; it takes the shared options, too."""

    @click.pass_context
    def enter(ctx: click.Context, /, **options: Any) -> None:
        (ctx.find_object(Session) or Session()).adopt(options)

    context = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    return Group(name, callback=enter, params=[*SESSION_OPTIONS], help=COMMANDS[name][1], context_settings=context)


class LazyGroup(Group):
    """The top group: `--help` reads the table, a command's module is imported when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def load(self, name: str) -> click.Command | None:
        module, _ = COMMANDS[name]
        command: click.Command = import_module(module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.pass_context
def _enter(ctx: click.Context, /, **options: Any) -> None:
    """btrfs without mounting: make, read and inspect btrfs filesystems in image files and block devices.

    No kernel driver and no root are needed. IMAGE is a regular file or a block device.
    """
    ctx.obj = Session().adopt(options)


pybtrfs = LazyGroup(
    "pybtrfs",
    callback=_enter,
    help=_enter.__doc__,
    params=[*SESSION_OPTIONS],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(VERSION, "--version", prog_name="pybtrfs", message="%(prog)s %(version)s")(pybtrfs)
