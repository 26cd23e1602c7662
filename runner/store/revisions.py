"""Texts of flows. They never change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.errors import NotFound
from runner.store.base import Revision
from runner.store.sql import Connection, Shape

_REVISION = Shape(Revision, "revisions", keys=["namespace", "flow_id", "revision"])
_SELECT = f"SELECT {_REVISION.columns} FROM revisions WHERE"


class Revisions:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def add(self, revision: Revision) -> None:
        """Add a new one."""
        self._sql.execute(_REVISION.insert, _REVISION.row(revision))

    def get(self, namespace: str, flow_id: str, revision: int) -> Revision:
        """Return one. Raises NotFound."""
        if (found := self.find(namespace, flow_id, revision)) is None:
            raise NotFound(f"there is no revision {revision} of the flow {namespace}.{flow_id}")
        return found

    def find(self, namespace: str, flow_id: str, revision: int) -> Revision | None:
        """Return one, or None."""
        sql = f"{_SELECT} namespace = ? AND flow_id = ? AND revision = ?"
        return _REVISION.find(self._sql.execute(sql, (namespace, flow_id, revision)))

    def of_flow(self, namespace: str, flow_id: str) -> Sequence[Revision]:
        """Return all of a flow, the oldest first."""
        sql = f"{_SELECT} namespace = ? AND flow_id = ? ORDER BY revision"
        return _REVISION.values(self._sql.execute(sql, (namespace, flow_id)).fetchall())

    def of_commit(self, commit: str) -> Sequence[Revision]:
        """Return all that a commit brought."""
        sql = f'{_SELECT} "commit" = ? ORDER BY namespace, flow_id, revision'
        return _REVISION.values(self._sql.execute(sql, (commit,)).fetchall())

    def find_by_digest(self, namespace: str, flow_id: str, digest: str) -> Revision | None:
        """Return the newest one with that text, or None."""
        sql = (
            f"{_SELECT} namespace = ? AND flow_id = ? AND digest = ? ORDER BY revision DESC LIMIT 1"
        )
        return _REVISION.find(self._sql.execute(sql, (namespace, flow_id, digest)))

    def active_digests(self, owner: str) -> Mapping[tuple[str, str], str]:
        """Return the digest of the active text of each flow of an owner, by namespace and id."""
        sql = (
            "SELECT f.namespace, f.flow_id, r.digest FROM flows f JOIN revisions r "
            "ON r.namespace = f.namespace AND r.flow_id = f.flow_id AND r.revision = f.revision "
            "WHERE f.owner = ? AND NOT r.deleted"
        )
        rows = self._sql.execute(sql, (owner,)).fetchall()
        return {(namespace, flow_id): digest for namespace, flow_id, digest in rows}
