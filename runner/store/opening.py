"""Opening a store by its URL, and keeping its tables at this version."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from runner.errors import SettingsInvalid
from runner.store.base import Store
from runner.store.sql import Database, DatabaseVersionWrong
from runner.store.transaction import SqlStore

VERSION = "0003"
"""The revision of the tables that this code works with: the head of `runner/store/migrations`."""

Synchronous = Literal["NORMAL", "FULL"]


def open_store(
    url: str, *, synchronous: Synchronous = "NORMAL", log_url: str | None = None
) -> Store:
    """Return the store of ``sqlite:///PATH`` or ``postgresql://…``; it connects when first used.

    With SQLite, logs are in `logs.db` beside it, or behind *log_url*; *synchronous* FULL survives
    power loss. Raises SettingsInvalid for another URL.
    """
    if is_sqlite(url):
        from runner.store.sqlite import SqliteDatabase, path_of

        path = path_of(url)
        logs = SqliteDatabase(log_path(path, log_url), "NORMAL")
        return SqlStore("sqlite", SqliteDatabase(path, synchronous), logs)
    from runner.store.postgresql import PostgresqlDatabase

    database: Database = PostgresqlDatabase(postgresql_url(url))
    return SqlStore("postgresql", database, database)


def is_sqlite(url: str) -> bool:
    """Say whether the URL is one of SQLite. Raises SettingsInvalid for one of neither database."""
    if url.startswith("sqlite:///"):
        return True
    if url.startswith(("postgresql:", "postgresql+psycopg:", "postgres:")):
        return False
    scheme = url.split(":", 1)[0]
    raise SettingsInvalid(
        f"the database URL must begin with sqlite:/// or postgresql://, not with {scheme}:"
    )


def postgresql_url(url: str) -> str:
    """Return the URL as libpq takes it."""
    return "postgresql:" + url.split(":", 1)[1]


def log_path(path: Path, log_url: str | None) -> Path:
    """Return the file of logs that belongs to a SQLite file."""
    return Path(log_url.removeprefix("sqlite:///")) if log_url else path.with_name("logs.db")


def migrate(url: str, *, log_url: str | None = None) -> None:
    """Make the tables, or bring them to this version; several processes may call it at once."""
    if is_current(url, log_url=log_url):
        return  # without the memory and time of importing SQLAlchemy and Alembic
    from runner.store.migrating import upgrade

    upgrade(url, log_url)


def is_current(url: str, *, log_url: str | None = None) -> bool:
    """Say whether `migrate` has nothing to do."""
    return _stored_version(url) == VERSION and _has_logs(url, log_url)


def _has_logs(url: str, log_url: str | None) -> bool:
    if not is_sqlite(url):
        return True
    from runner.store.sqlite import path_of

    return log_path(path_of(url), log_url).exists()


def check_version(url: str) -> None:
    """Raise DatabaseVersionWrong, naming `headrace db upgrade`, if the tables are not ours."""
    found = _stored_version(url)
    if found is None:
        raise DatabaseVersionWrong("the database has no tables yet")
    if found != VERSION:
        raise DatabaseVersionWrong(f"the database is of version {found}, this program of {VERSION}")


def _stored_version(url: str) -> str | None:
    if is_sqlite(url):
        from runner.store.sqlite import path_of, stored_version

        return stored_version(path_of(url))
    from runner.store import postgresql

    return postgresql.stored_version(postgresql_url(url))
