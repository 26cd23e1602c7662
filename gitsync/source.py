"""One poll of one source: look, fetch, plan, apply.

`Poll.run` never raises for what a repository or its server does: that becomes the source's state,
which people see. It is safe to repeat, and to die in: the next poll goes on from what is written.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.metadata import version

import structlog

from gitsync.access import Access, GitFailed
from gitsync.addresses import AddressInvalid, branch_ref
from gitsync.apply import Change, Snapshot, apply, problems_differ
from gitsync.changes import Known, Plan, Target
from gitsync.files import read_changed
from gitsync.firing import Start, Started
from gitsync.known import file_claims, is_freed, named_flows, own_flows
from gitsync.objects import Commit as CommitInfo
from gitsync.objects import Difference
from gitsync.plan import files_of, plan, to_read
from gitsync.pushes import Moves, commit_triggers
from gitsync.reading import Reading
from gitsync.repo import Mirror
from gitsync.tree import EMPTY, Comparison, Entry, NamespaceFile, Tree, folders, read
from gitsync.triggers import Push
from gitsync.world import EMPTY_STATE, FAILED, NEW, SYNCED, SYNCING, UNREACHABLE, Outcome, World
from runner.errors import SettingsInvalid
from runner.model.flow import Flow
from runner.settings import SourceSettings
from runner.store.base import ProblemRow, SourceRow

log = structlog.get_logger(__name__)

SHOWN_EVERY = timedelta(minutes=1)
"""How often a poll that found nothing is written down."""
_FIRST_FETCH = 10  # times the source's time limit
_MAX_BACKOFF = timedelta(minutes=5)
_FEW = 500  # paths that may stand in one command line


@dataclass(frozen=True)
class _Found:
    """What the remote has, and what is known of it."""

    row: SourceRow
    refs: Mapping[str, str]
    head: str
    is_baseline: bool
    problems: Sequence[ProblemRow] = ()
    again: bool = False  # read again what had problems

    @property
    def troubled(self) -> frozenset[str]:
        return frozenset(problem.path for problem in self.problems)


@dataclass
class Poll:
    """One source's poll. *recheck*: also try again what had problems (a process's first poll)."""

    source: SourceSettings
    world: World
    owners: frozenset[str] = frozenset()
    recheck: bool = False
    dry_run: bool = False
    _began: float = field(default_factory=time.monotonic)

    def run(self) -> Outcome:
        """Poll once.

        Raises:
            Conflict: another process synced the source meanwhile; poll again.
        """
        row = self._row()
        try:
            mirror = self._mirror()
            refs = mirror.refs()
        except (GitFailed, AddressInvalid, SettingsInvalid) as exc:
            state = UNREACHABLE if isinstance(exc, GitFailed) else FAILED
            return self._failed(row, state, exc.message)
        try:
            return self._follow(mirror, row, refs)
        except GitFailed as exc:
            return self._failed(self._row(), FAILED, exc.message)

    @property
    def ref(self) -> str:
        """The ref that the source follows."""
        return branch_ref(self.source.branch)

    @property
    def fingerprint(self) -> str:
        """What decides, beside the commit, how a tree is read."""
        source = self.source
        parts = [
            version("headrace"),
            source.url,
            source.branch,
            source.path,
            source.namespace or "",
        ]
        return hashlib.sha256("\0".join([*parts, source.missing]).encode()).hexdigest()[:16]

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    def _row(self) -> SourceRow:
        with self.world.store.read() as tx:
            row = tx.sources.find(self.source.name)
        return row or SourceRow(self.source.name, self.source.url, self.source.branch, NEW)

    def _mirror(self) -> Mirror:
        folder = self.world.home / "mirrors" / f"{self.source.name}.git"
        return Mirror(folder, Access.of(self.source), self.world.runner)

    def _follow(self, mirror: Mirror, row: SourceRow, refs: Mapping[str, str]) -> Outcome:
        is_baseline = row.synced_at is None or row.url != self.source.url
        head = refs.get(self.ref)
        if head is None:
            return self._without_branch(row, refs)
        with self.world.store.read() as tx:
            problems = tx.source_problems.of_source(self.source.name)
            again = bool(problems) and (self.recheck or is_freed(tx, problems, self.source.name))
        found = _Found(row, refs, head, is_baseline, problems, again)
        if self._is_unchanged(found):
            return self._seen(row)
        return self._sync(mirror, found)

    def _is_unchanged(self, found: _Found) -> bool:
        row = found.row
        return (
            row.state == SYNCED
            and row.head == found.head
            and row.fingerprint == self.fingerprint
            and dict(row.refs) == dict(found.refs)
            and not found.again
            and not found.is_baseline
        )

    # ── writing states ───────────────────────────────────────────────────────────────────────────

    def _seen(self, row: SourceRow) -> Outcome:
        """Note a poll that found nothing new: seldom, so that it costs nothing."""
        now = self.world.clock.now()
        is_stale = row.polled_at is None or now - row.polled_at >= SHOWN_EVERY
        if (is_stale or self.recheck) and not self.dry_run:
            self._save(replace(row, polled_at=now))
        return Outcome(self.source.name, row.state)

    def _without_branch(self, row: SourceRow, refs: Mapping[str, str]) -> Outcome:
        """An empty repository is a baseline; a missing branch is somebody's mistake."""
        now = self.world.clock.now()
        state = FAILED if refs else EMPTY_STATE
        error = _no_branch(self.source.branch, refs) if refs else None
        new = replace(
            row,
            url=self.source.url,
            branch=self.source.branch,
            state=state,
            error=error,
            refs=dict(refs),
            synced_at=row.synced_at or now,
            failures=0,
        )
        if replace(new, polled_at=row.polled_at) == row:
            return self._seen(row)
        if not self.dry_run:
            self._save(replace(new, polled_at=now))
        return Outcome(self.source.name, state, error, wrote=True)

    def _failed(self, row: SourceRow, state: str, error: str) -> Outcome:
        if self.world.runner.is_closed:
            return Outcome(row.name, row.state)  # we are stopping: that is nobody's failure
        now = self.world.clock.now()
        failures = row.failures + 1
        new = replace(
            row,
            url=row.url if row.synced_at else self.source.url,
            state=state,
            error=error,
            failures=failures,
            polled_at=now,
            next_poll_at=now + backoff(self.source.poll, failures),
        )
        if not self.dry_run:
            self._save(new)
        if failures == 1 or row.error != error:
            log.warning(
                "a source cannot be synced",
                action="source_failed",
                source=row.name,
                state=state,
                error=error,
            )
        return Outcome(self.source.name, state, error, failures=failures, wrote=True)

    def _save(self, row: SourceRow) -> None:
        with self.world.store.begin() as tx:
            tx.sources.save(row)  # if another process was faster, its word stands

    # ── syncing ──────────────────────────────────────────────────────────────────────────────────

    def _sync(self, mirror: Mirror, found: _Found) -> Outcome:
        if found.row.head is None and not self.dry_run:
            self._save(replace(found.row, state=SYNCING))
            found = replace(found, row=self._row())
        with mirror.locked():
            self._fetch(mirror, found, [found.head])
            planned, snapshot = self._plan(mirror, found)
            if self.dry_run:
                return Outcome(self.source.name, SYNCED, plan=planned)
            flows = self._watching(planned) if not found.is_baseline else ()
            moves = Moves(mirror, self.source, self.ref, found.row.refs, found.refs)
            pushes = moves.watched_by(flows)
            extra = [
                self._snapshot(mirror, push, found, planned)
                for push in pushes
                if push.after != found.head
            ]
        starts = self.world.firing.prepare(pushes, flows, self.ref)
        return self._apply(found, planned, (snapshot, *extra), starts)

    def _fetch(self, mirror: Mirror, found: _Found, commits: Iterable[str]) -> None:
        factor = _FIRST_FETCH if found.row.head is None else 1
        mirror.fetch(commits, timeout=self.source.timeout * factor)

    def _plan(self, mirror: Mirror, found: _Found) -> tuple[Plan, Snapshot]:
        trees = self._compare(mirror, found)
        target, commit = self._target(mirror, found.head, found.row.head)
        with self.world.store.read() as tx:
            own = own_flows(tx, target.owner, trees)
            present = tx.flows.count_present(target.owner)
        reading = self._read(mirror, trees, own.values(), found.troubled)
        with self.world.store.read() as tx:
            known = {**own, **dict(named_flows(tx, reading.flows, own))}
            claims = file_claims(tx, self.source.name, trees, found.troubled)
        planned = plan(
            target,
            trees,
            reading,
            known,
            claims=claims,
            troubled=found.troubled,
            present=present,
        )
        base = found.row.tree if trees.old is not EMPTY else None
        return planned, Snapshot(commit, planned.files, base)

    def _compare(self, mirror: Mirror, found: _Found) -> Comparison:
        """Return the trees of the commit that was applied last and of the new one.

        Where files only changed or went, those suffice; new ones need all, to find doubles.
        """
        head = found.row.head
        if head is None or found.row.fingerprint != self.fingerprint or not mirror.has(head):
            return Comparison(EMPTY, self._tree(mirror, found.head))
        differences = mirror.difference(head, found.head, self._folders)
        if not _is_small(differences, found.problems):
            return Comparison(self._tree(mirror, head), self._tree(mirror, found.head))
        again = found.troubled - {difference.path for difference in differences}
        same = mirror.entries(head, sorted(again)) if again else []
        olds = [d.old for d in differences if d.old is not None]
        news = [d.new for d in differences if d.new is not None]
        return Comparison(self._sorted([*olds, *same]), self._sorted([*news, *same]), False)

    @property
    def _folders(self) -> tuple[str, str]:
        return folders(self.source.path)

    def _tree(self, mirror: Mirror, sha: str) -> Tree:
        return self._sorted(mirror.entries(sha, self._folders))

    def _sorted(self, entries: Iterable[Entry]) -> Tree:
        return read(entries, self.source.path, self.source.namespace)

    def _target(self, mirror: Mirror, after: str, before: str | None) -> tuple[Target, CommitInfo]:
        commit, files_id = mirror.commit_and_folder(after, self._folders[1])
        target = Target(
            source=self.source.name,
            after=after,
            before=before,
            namespace=self.source.namespace,
            missing=self.source.missing,
            ref=self.ref,
            owners=self.owners,
            files_id=files_id or "",
        )
        return target, commit

    def _read(
        self,
        mirror: Mirror,
        trees: Comparison,
        own: Iterable[Known],
        troubled: frozenset[str],
    ) -> Reading:
        new = trees.new
        return read_changed(
            mirror,
            [new.flows[path] for path in to_read(trees, own, troubled)],
            _files_to_read(trees, troubled),
            parse=self.world.parse,
            limit=self.world.flow_bytes,
            storage=None if self.dry_run else self.world.storage,
        )

    def _apply(
        self,
        found: _Found,
        planned: Plan,
        snapshots: tuple[Snapshot, ...],
        starts: Sequence[Start],
    ) -> Outcome:
        now = self.world.clock.now()
        is_news = (
            found.row.head != found.head
            or not planned.changes_nothing
            or problems_differ(planned, found.problems)
        )
        change = Change(
            row=self._synced(found, planned, now),
            plan=planned if is_news else None,
            snapshots=snapshots,
            starts=starts,
            took_ms=int((time.monotonic() - self._began) * 1000),
        )
        with self.world.store.begin() as tx:
            started = apply(tx, change, arm=self.world.arm, firing=self.world.firing, now=now)
        self.world.firing.send(started)
        self._log(planned, started, is_news)
        return Outcome(self.source.name, SYNCED, None, planned, len(started), wrote=True)

    def _synced(self, found: _Found, planned: Plan, now: datetime) -> SourceRow:
        return replace(
            found.row,
            url=self.source.url,
            branch=self.source.branch,
            state=SYNCED,
            head=found.head,
            remote_head=found.head,
            tree=planned.files.tree or None,
            refs=dict(found.refs),
            error=None,
            failures=0,
            polled_at=now,
            next_poll_at=None,
            synced_at=now,
            fingerprint=self.fingerprint,
        )

    def _log(self, planned: Plan, started: Sequence[Started], is_news: bool) -> None:
        if is_news or started:
            log.info(
                "a commit was applied",
                action="source_synced",
                source=self.source.name,
                commit=planned.target.after,
                started=len(started),
                **planned.summary(),
            )

    # ── pushes ───────────────────────────────────────────────────────────────────────────────────

    def _watching(self, planned: Plan) -> tuple[Flow, ...]:
        """Return the source's flows with Commit triggers, as they will be after the plan."""
        with self.world.store.read() as tx:
            standing = [
                flow
                for flow in self.world.firing.active_flows(tx, planned.target.owner)
                if (flow.namespace, flow.id) not in planned.by_key
            ]
        coming = [
            replace(change.flow, revision=change.revision)
            for change in planned.flows
            if change.flow is not None and not change.flow.disabled
        ]
        return tuple(flow for flow in (*standing, *coming) if commit_triggers(flow))

    def _snapshot(self, mirror: Mirror, push: Push, found: _Found, head: Plan) -> Snapshot:
        """Return the manifest of another ref's commit, as a difference from the head's."""
        refused = frozenset(refusal.path for refusal in head.refused)
        trees = Comparison(self._tree(mirror, found.head), self._tree(mirror, push.after))
        reading = read_changed(
            mirror,
            (),
            _files_to_read(trees, refused),
            parse=self.world.parse,
            limit=self.world.flow_bytes,
            storage=self.world.storage,
        )
        target, _ = self._target(mirror, push.after, None)
        with self.world.store.read() as tx:
            claims = file_claims(tx, self.source.name, trees, refused)
        files, _ = files_of(target, trees, reading, claims, refused)
        return Snapshot(push.commit, files, head.files.tree or None)


def backoff(poll: timedelta, failures: int) -> timedelta:
    """Return how long to wait after a number of failures in a row: doubled each time, bounded."""
    doubled: timedelta = poll * (1 << min(failures, 10))
    return min(doubled, max(_MAX_BACKOFF, poll))


def _no_branch(branch: str, refs: Mapping[str, str]) -> str:
    names = sorted(ref.removeprefix("refs/heads/") for ref in refs if ref.startswith("refs/heads/"))
    shown = ", ".join(names[:10]) or "none"
    return f"the repository has no branch {branch}; it has: {shown}\nTry: set the source's `branch`"


def _is_small(differences: Sequence[Difference], problems: Sequence[ProblemRow]) -> bool:
    """Say whether the differing paths alone tell what follows."""
    few = len(differences) + len(problems) <= _FEW
    return (
        few
        and all(difference.status in "MD" for difference in differences)
        and all(problem.code != "case" for problem in problems)
        and all("\\" not in problem.path for problem in problems)  # shown, not as it is
    )


def _files_to_read(trees: Comparison, again: frozenset[str]) -> list[NamespaceFile]:
    return [
        file
        for path, file in trees.new.files.items()
        if trees.old.files.get(path) != file or path in again
    ]
