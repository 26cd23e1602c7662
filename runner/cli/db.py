"""``headrace db``: the database's tables."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import config_option, home_option, reports_errors, settings_of


@click.group()
def db() -> None:
    """Create or upgrade the database."""


@db.command()
@home_option
@config_option
@reports_errors
def upgrade(home: Path | None, config: Path | None) -> None:
    """Bring the database to this version; safe to repeat."""
    from runner import wiring
    from runner.store import migrate

    settings = settings_of(home, config)
    if settings.is_sqlite:
        settings.home.mkdir(parents=True, exist_ok=True)
    migrate(wiring.database_url(settings))
    click.echo("the database is up to date")


@db.command()
@home_option
@config_option
@reports_errors
def check(home: Path | None, config: Path | None) -> None:
    """Say whether the database is of this version."""
    from runner import wiring
    from runner.store import check_version

    check_version(wiring.database_url(settings_of(home, config)))
    click.echo("the database is up to date")
