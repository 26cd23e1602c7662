"""Bringing a database to the version of `runner/store/migrations`, one process at a time.

SQLAlchemy and Alembic are imported here and nowhere else at run time.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.pool import NullPool

from runner.errors import Unavailable
from runner.store.opening import is_sqlite, log_path, postgresql_url
from runner.store.schema import LOGS
from runner.store.sqlite import path_of

_LOCK = 0x68656164  # "head": the key of the advisory lock


def upgrade(url: str, log_url: str | None = None) -> None:
    """Bring the tables to the newest version. Raises Unavailable."""
    with connected(url, log_url) as connection:
        command.upgrade(_config(connection), "head")
        if connection.dialect.name == "sqlite":  # the file of logs may have been removed
            LOGS.create_all(connection.execution_options(schema_translate_map={None: "logs"}))
            connection.commit()


@contextmanager
def connected(url: str, log_url: str | None = None) -> Iterator[Connection]:
    """Yield a connection with the lock of migrations; SQLite's has the logs attached as `logs`."""
    block = _sqlite(url, log_url) if is_sqlite(url) else _postgresql(url)
    with block as connection:
        yield connection


@contextmanager
def _sqlite(url: str, log_url: str | None) -> Iterator[Connection]:
    path = path_of(url)
    logs = log_path(path, log_url)
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    event.listen(engine, "connect", _prepare)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with engine.connect() as connection:
            connection.exec_driver_sql("ATTACH DATABASE ? AS logs", (str(logs),))
            connection.exec_driver_sql("PRAGMA logs.journal_mode = WAL")
            connection.commit()
            yield connection


def _prepare(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _postgresql(url: str) -> Iterator[Connection]:
    from sqlalchemy.exc import OperationalError

    engine = create_engine(
        "postgresql+psycopg:" + postgresql_url(url).split(":", 1)[1], poolclass=NullPool
    )
    try:
        connection = engine.connect()
    except OperationalError as exc:
        raise Unavailable(f"PostgreSQL does not answer: {exc.orig}") from exc
    with connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        yield connection


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
