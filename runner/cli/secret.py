"""``headrace secret``: secrets that are kept encrypted in the home."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.options import config_option, home_option, reports_errors, settings_of

if TYPE_CHECKING:
    from runner.secret_store import SecretFile


@click.group()
def secret() -> None:
    """Keep secrets encrypted; flows read them by secret('NAME')."""


@secret.command("set")
@click.argument("name")
@home_option
@config_option
@reports_errors
def set_secret(name: str, home: Path | None, config: Path | None) -> None:
    """Keep a value, asked for or read from standard input; a running server sees it at once."""
    is_asked = sys.stdin.isatty()
    value = click.prompt(name, hide_input=True) if is_asked else sys.stdin.read().rstrip("\n")
    _file(home, config).set(name, value)
    click.echo(f"kept {name.upper()}")


@secret.command("list")
@home_option
@config_option
@reports_errors
def list_secrets(home: Path | None, config: Path | None) -> None:
    """Show the names, never the values."""
    for name in _file(home, config).names():
        click.echo(name)


@secret.command()
@click.argument("name")
@home_option
@config_option
@reports_errors
def remove(name: str, home: Path | None, config: Path | None) -> None:
    """Forget a value."""
    _file(home, config).remove(name)
    click.echo(f"removed {name.upper()}")


def _file(home: Path | None, config: Path | None) -> SecretFile:
    from runner.wiring import secret_file

    return secret_file(settings_of(home, config))
