"""What is known of the Git sources; `gitsync` does the work on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.errors import NotFound
from runner.runtime import Runtime
from runner.services.audit import record
from runner.services.principal import Principal
from runner.store.base import CommitRow, Page, ProblemRow, SourceRow


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source with what people want to see of it."""

    row: SourceRow
    problems: Sequence[ProblemRow]
    commits: Sequence[CommitRow]


class Sources:
    """The use cases around sources."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def list(self) -> Sequence[SourceRow]:
        """Return all sources that were seen so far."""
        with self._runtime.store.read() as tx:
            return tx.sources.list()

    def problem_counts(self) -> Mapping[str, int]:
        """Return the number of problems by source."""
        with self._runtime.store.read() as tx:
            return tx.source_problems.counts()

    def get(self, name: str) -> SourceView:
        """Return one source. Raises NotFound."""
        with self._runtime.store.read() as tx:
            row = tx.sources.find(name)
            if row is None:
                raise NotFound(f"there is no source '{name}'")
            return SourceView(row, tx.source_problems.of_source(name), tx.commits.of_source(name))

    def runs(self, name: str, *, limit: int = 20, cursor: str | None = None) -> Page:
        """Return the commits that were applied, newest first."""
        with self._runtime.store.read() as tx:
            return tx.sync_runs.of_source(name, limit=limit, cursor=cursor)

    def commit(self, source: str, sha: str) -> CommitRow | None:
        """Return what people see of a commit."""
        with self._runtime.store.read() as tx:
            return tx.commits.find(source, sha)

    def hurry(self, name: str, *, by: Principal) -> bool:
        """Ask for a poll now."""
        with self._runtime.store.begin() as tx:
            hurried = tx.sources.hurry(name, self._runtime.clock.now())
            record(self._runtime, tx, by, "source.hurry", name)
        return hurried

    def failing(self) -> Mapping[str, SourceRow]:
        """Return the sources whose last poll failed, by name."""
        return {row.name: row for row in self.list() if row.error is not None}

    def were_polled(self, names: Sequence[str]) -> bool:
        """Whether each of the sources was polled (or failed) at least once."""
        with self._runtime.store.read() as tx:
            polled = {row.name for row in tx.sources.list() if row.polled_at is not None}
        return set(names) <= polled
