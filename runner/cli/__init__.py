"""The command ``headrace``: a group whose subcommands come from entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

import click

GROUP = "headrace.commands"

Register = Callable[[click.Group], None]
"""An entry point of ``headrace.commands``: adds commands to the group."""


class Commands(click.Group):
    """Asks the entry points for their commands when the first one is looked for.

    `validate` is always there, also where a package cannot be loaded.
    """

    _is_filled = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._fill()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "validate":
            return _validate()
        self._fill()
        return super().get_command(ctx, cmd_name)

    def _fill(self) -> None:
        if self._is_filled:
            return
        self._is_filled = True
        self.add_command(_validate())
        for point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
            try:
                register: Register = point.load()
                register(self)
            except ModuleNotFoundError as exc:
                click.echo(f"headrace: the commands of {point.name} are missing: {exc}", err=True)


def _validate() -> click.Command:
    from runner.cli.validate import validate

    return validate


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headrace", prog_name="headrace")
def main() -> None:
    """A Git-native workflow runner: a commit becomes a run."""
