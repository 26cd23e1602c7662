"""PostgreSQL through psycopg: a pool, prepared statements, READ COMMITTED for writing.

Connections are in autocommit mode and transactions begun by statement, so that the modes are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from threading import Lock
from types import TracebackType
from typing import Any

from runner.errors import Conflict, HeadraceError, Unavailable
from runner.store.sql import DatabaseVersionWrong, whole

try:
    import psycopg
    from psycopg.abc import Buffer
    from psycopg.adapt import AdaptersMap
    from psycopg.types.numeric import Int8BinaryDumper
    from psycopg.types.string import StrDumperUnknown
    from psycopg_pool import ConnectionPool, PoolTimeout
except ImportError as exc:
    raise HeadraceError(
        "PostgreSQL needs psycopg, which is not installed: pip install 'headrace[postgres]'"
    ) from exc

_WAIT_SECONDS = 10.0
_CONNECTIONS = 12
_PREPARE_AFTER = 3
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_NUL_SHOWN = "\u2400".encode()
_OVER = (psycopg.pq.TransactionStatus.IDLE, psycopg.pq.TransactionStatus.UNKNOWN)
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@lru_cache(maxsize=2_000)
def numbered(sql: str) -> str:
    """Return a statement with ``?`` as PostgreSQL wants it: ``$1``, ``$2`` …"""
    first, *rest = sql.replace("now_micros()", _NOW).split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


class _Cursor(psycopg.RawCursor[Any]):
    """A cursor whose statement may still be on its way: asking for its rows, or how many, waits."""

    @property
    def rowcount(self) -> int:
        """Return how many rows it touched."""
        if self.pgresult is None:
            self._fetch_pipeline()
        return super().rowcount


class PostgresqlConnection:
    """A connection of ours; outside of a transaction it refuses to work.

    While it writes, statements are sent without waiting (pipeline mode) until a result is wanted;
    an error of one comes with the next result, or when the transaction ends.
    """

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw
        self.is_open = False
        self.for_update = self.skip_locked = ""
        self.transaction: Any = None
        self._pipeline: Any = None

    def begun(self, *, writes: bool) -> None:
        """Work from now on; a view cannot lock rows and need not."""
        self.is_open = True
        self.for_update = " FOR UPDATE" if writes else ""
        if writes:
            self._pipeline = self.raw.pipeline()
            self._pipeline.__enter__()
        self.skip_locked = " FOR UPDATE SKIP LOCKED" if writes else ""

    def end(self, *, commits: bool) -> None:
        """Refuse to work from now on, and end the transaction. Raises the first error of it."""
        self.is_open = False
        acts = (self._commit, self._leave_pipeline) if commits else (self._leave_pipeline,)
        failures = [failure for act in acts if (failure := _failure(act))]
        if self.raw.info.transaction_status not in _OVER:
            self.raw.execute("ROLLBACK")
        if failures and commits:
            raise failures[0]

    def _commit(self) -> None:
        self.raw.execute("COMMIT")

    def _leave_pipeline(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.__exit__(None, None, None)

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> psycopg.Cursor[Any]:
        """Run one statement."""
        return self._cursor().execute(numbered(sql), values)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Run one statement for each row, all sent at once."""
        rows = list(rows)
        if len(rows) == 1:
            self._cursor().execute(numbered(sql), rows[0])
        else:
            self._cursor().executemany(numbered(sql), rows)

    def _cursor(self) -> psycopg.Cursor[Any]:
        if not self.is_open:
            raise RuntimeError("the transaction is over: its tx cannot be used any more")
        return self.raw.cursor()


def _failure(act: Callable[[], None]) -> psycopg.Error | None:
    try:
        act()
    except psycopg.Error as exc:
        return exc
    return None


class PostgresqlDatabase:
    """A pool of connections, opened when first needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._forgotten: list[Any] = []
        self._reset()

    def _reset(self) -> None:
        self._pool: ConnectionPool[psycopg.Connection[Any]] | None = None
        self._opening = Lock()
        self._ours: dict[int, PostgresqlConnection] = {}

    def writing(self) -> _Block:
        """Return the block of one write transaction."""
        return _Block(self, "BEGIN")

    def reading(self) -> _Block:
        """Return the block of one read-only view."""
        return _Block(self, _READ)

    def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            self._pool.close()
        self._reset()

    def forget(self) -> None:
        """Drop all connections without closing them: they belong to the parent process."""
        self._forgotten += [self._pool, self._ours]
        self._reset()

    def take(self) -> PostgresqlConnection:
        """Return a connection. Raises Unavailable."""
        try:
            raw = (self._pool or self._open()).getconn()
        except (PoolTimeout, psycopg.OperationalError) as exc:
            raise Unavailable(f"PostgreSQL does not answer: {exc}") from exc
        ours = self._ours.get(id(raw))
        if ours is None or ours.raw is not raw:
            ours = self._ours[id(raw)] = PostgresqlConnection(raw)
        return ours

    def give(self, connection: PostgresqlConnection) -> None:
        """Take a connection back."""
        if connection.raw.closed:
            self._ours.pop(id(connection.raw), None)
        if self._pool is not None:
            self._pool.putconn(connection.raw)

    def _open(self) -> ConnectionPool[psycopg.Connection[Any]]:
        with self._opening:
            if self._pool is None:
                self._pool = ConnectionPool(
                    self._url,
                    min_size=1,
                    max_size=_CONNECTIONS,
                    timeout=_WAIT_SECONDS,
                    kwargs={"autocommit": True, "prepare_threshold": _PREPARE_AFTER},
                    configure=_configure,
                    open=True,
                )
            return self._pool


def _configure(connection: psycopg.Connection[Any]) -> None:
    """Make all integers eight bytes: one prepared statement for all values."""
    connection.cursor_factory = _Cursor
    adapters: AdaptersMap = connection.adapters
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(str, _TextDumper)


class _TextDumper(StrDumperUnknown):
    """Texts as PostgreSQL can hold them: U+2400 for NUL, U+FFFD for halves of characters."""

    def dump(self, obj: str) -> Buffer | None:
        try:
            encoded = obj.encode()
        except UnicodeEncodeError:
            encoded = whole(obj).encode()
        return encoded.replace(b"\0", _NUL_SHOWN) if b"\0" in encoded else encoded


class _Block:
    def __init__(self, database: PostgresqlDatabase, statement: str) -> None:
        self._database = database
        self._statement = statement

    def __enter__(self) -> PostgresqlConnection:
        for left in reversed(range(_CONNECTIONS + 1)):
            self._connection = connection = self._database.take()
            try:
                connection.raw.execute(self._statement)
            except psycopg.Error as exc:
                self._database.give(connection)
                if connection.raw.closed and left:  # the server was restarted: try the next
                    continue
                raise translated(exc) from exc
            break
        connection.begun(writes=self._statement != _READ)
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection = self._connection
        try:
            connection.end(commits=exc is None)
        except psycopg.Error as failure:
            raise translated(exc or failure) from failure
        finally:
            self._database.give(connection)
        if isinstance(exc, psycopg.Error):
            raise translated(exc) from exc


def translated(exc: BaseException) -> BaseException:
    """Return our error for one of PostgreSQL's, or the same where it tells of a mistake of ours."""
    if isinstance(exc, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure):
        return Conflict(f"another transaction was faster: {exc}")
    if isinstance(exc, psycopg.errors.ReadOnlySqlTransaction):
        return RuntimeError("a view cannot write")
    if isinstance(exc, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return DatabaseVersionWrong(f"the database is not of this version: {exc}")
    if isinstance(exc, psycopg.OperationalError):
        return Unavailable(f"PostgreSQL does not answer: {exc}")
    return exc


def stored_version(url: str) -> str | None:
    """Return the revision of the tables, or None where there are none. Raises Unavailable."""
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.OperationalError as failure:
        raise Unavailable(f"PostgreSQL does not answer: {failure}") from failure
    return None if row is None else str(row[0])
