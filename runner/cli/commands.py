"""The commands of this package; one module each."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = ("up", "worker", "run", "flow", "execution", "fmt", "secret", "doctor", "db")


def register(group: click.Group) -> None:
    """Add this package's commands; their heavy imports wait until they run."""
    for name in _COMMANDS:
        group.add_command(getattr(import_module(f"runner.cli.{name}"), name))
