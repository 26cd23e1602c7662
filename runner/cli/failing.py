"""Telling of Git sources that fail where `headrace up` runs: what stands in a log is not seen."""

from __future__ import annotations

import time

import click

from runner.errors import HeadraceError
from runner.store import open_store

_SECONDS = 5.0


class Failing:
    """Says once that a source fails, and why, and once that it is well again."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._told: dict[str, str] = {}
        self._looked_at = 0.0

    def look_at_times(self) -> None:
        """Look if it is time to."""
        if time.monotonic() - self._looked_at > _SECONDS:
            self.look()

    def look(self) -> None:
        """Tell what has changed since the last look."""
        self._looked_at = time.monotonic()
        try:
            found = _failing(self._url)
        except HeadraceError:
            return  # the database is away: the processes that need it say so
        for name, error in found.items():
            if self._told.get(name) != error:
                click.secho(f"source {name} fails: {error}", fg="yellow", err=True)
        for name in self._told.keys() - found.keys():
            click.echo(f"source {name} is well again", err=True)
        self._told = found


def _failing(url: str) -> dict[str, str]:
    """Return the error of each source whose last poll failed. Raises HeadraceError."""
    store = open_store(url)
    try:
        with store.read() as tx:
            return {row.name: row.error for row in tx.sources.list() if row.error is not None}
    finally:
        store.close()
