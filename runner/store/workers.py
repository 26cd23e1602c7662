"""Worker processes and their leases, by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import NotFound
from runner.store.base import WorkerRow
from runner.store.sql import Connection, Shape

_WORKER = Shape(WorkerRow, "workers", keys=["id"])
_SELECT = f"SELECT {_WORKER.columns} FROM workers"
_RENEW = "UPDATE workers SET lease_until = now_micros() + ? WHERE id = ?"


class Workers:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def register(self, worker: WorkerRow, *, lease_seconds: float) -> None:
        """Add or overwrite it, with a lease from now; its *lease_until* does not count."""
        self._sql.execute(_WORKER.upsert, _WORKER.row(worker))
        self.renew(worker.id, lease_seconds=lease_seconds)

    def renew(self, worker_id: str, *, lease_seconds: float) -> bool:
        """Lengthen the lease; False: the row is gone, register again."""
        return self._sql.execute(_RENEW, (_micros(lease_seconds), worker_id)).rowcount == 1

    def set_draining(self, worker_id: str, draining: bool = True) -> None:
        """Note that it takes nothing new."""
        self._sql.execute("UPDATE workers SET draining = ? WHERE id = ?", (draining, worker_id))

    def all(self) -> Sequence[WorkerRow]:
        """Return all, dead ones too, by id."""
        return _WORKER.values(self._sql.execute(f"{_SELECT} ORDER BY id").fetchall())

    def get(self, worker_id: str) -> WorkerRow:
        """Return one. Raises NotFound."""
        if (worker := self.find(worker_id)) is None:
            raise NotFound(f"there is no worker {worker_id}")
        return worker

    def find(self, worker_id: str) -> WorkerRow | None:
        """Return one, or None."""
        return _WORKER.find(self._sql.execute(f"{_SELECT} WHERE id = ?", (worker_id,)))

    def is_alive(self, worker_id: str) -> bool:
        """Say whether its lease holds."""
        sql = "SELECT 1 FROM workers WHERE id = ? AND lease_until > now_micros()"
        return self._sql.execute(sql, (worker_id,)).fetchone() is not None

    def remove(self, worker_id: str) -> None:
        """Remove it; an unknown one is fine."""
        self._sql.execute("DELETE FROM workers WHERE id = ?", (worker_id,))

    def dead(self) -> Sequence[WorkerRow]:
        """Return those whose lease is over."""
        sql = f"{_SELECT} WHERE lease_until <= now_micros() ORDER BY id"
        return _WORKER.values(self._sql.execute(sql).fetchall())


def _micros(seconds: float) -> int:
    return int(seconds * 1_000_000)
