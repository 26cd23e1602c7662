"""The duty of Git sync: every source is polled, none delays another.

One process of many has the duty, by a lease row. It polls sources side by side; only polls that
began a moment ago count against the bound, so that slow and dead servers keep nobody waiting.
A push event sets `hurried_at`; the loop sees it within a fraction of a second.
"""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from gitsync.source import Poll, backoff
from gitsync.world import FAILED, NEW, Outcome, World
from runner import ids
from runner.errors import Conflict, HeadraceError, SettingsInvalid
from runner.settings import SourceSettings
from runner.store.base import QuarantineRow, SourceRow, Tx

log = structlog.get_logger(__name__)

DUTY = "git"
_LEASE_SECONDS = 15.0
_RENEW_SECONDS = 5.0
_TICK_SECONDS = 0.2
_RETRY_SECONDS = 1.0
_FRESH = 8  # polls that began less than _FRESH_SECONDS ago
_FRESH_SECONDS = 2.0
_AT_ONCE = 64
_TRIES = 3  # where another process was faster

Load = Callable[[], Sequence[SourceSettings]]


@dataclass
class _State:
    """What the loop remembers of one source."""

    source: SourceSettings
    due: float = 0.0
    began: float = 0.0
    was_polled: bool = False
    hurried: datetime | None = None
    running: Future[Outcome] | None = None

    def is_due(self, now: float) -> bool:
        return self.running is None and self.due <= now


class SyncDuty:
    """Polls all sources until it is stopped."""

    def __init__(self, world: World, load: Load, *, holder: str | None = None) -> None:
        self._world = world
        self._load = load
        self._holder = holder or ids.new()
        self._states: dict[str, _State] = {}
        self._reload = threading.Event()
        self._stop = threading.Event()
        self._renewed = 0.0
        self._has_duty = False

    def reload(self) -> None:
        """Read the settings again soon (SIGHUP)."""
        self._reload.set()

    def stop(self) -> None:
        """Let `run` come to its end; running Git processes are ended."""
        self._stop.set()
        self._world.runner.close()

    def run(self) -> None:
        """Do the duty, or wait for it, until `stop`."""
        self._read_settings()
        pool = ThreadPoolExecutor(_AT_ONCE, "git")
        try:
            while not self._stop.wait(self._guarded(pool)):
                pass
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self._release()

    def _guarded(self, pool: ThreadPoolExecutor) -> float:
        """One turn; what goes wrong in it (the database is away …) is told, and tried again."""
        try:
            return self._turn(pool)
        except Exception:
            log.exception("Git sync stumbled", action="git_sync_failed")
            return _RETRY_SECONDS

    def _turn(self, pool: ThreadPoolExecutor) -> float:
        """Start what is due; returns after how many seconds to look again."""
        if self._reload.is_set():
            self._reload.clear()
            self._read_settings()
        if not self._on_duty():
            return _RETRY_SECONDS
        self._see_hurries()
        for state in self._states.values():
            self._collect(state)
        waiting = [state for state in self._states.values() if state.is_due(time.monotonic())]
        for state in sorted(waiting, key=lambda state: state.due):
            if not self._has_room():
                return _TICK_SECONDS / 10
            self._start(state, pool)
        return _TICK_SECONDS

    def _has_room(self) -> bool:
        """Say whether another poll may begin; those that take long do not count."""
        now = time.monotonic()
        running = [state.began for state in self._states.values() if state.running is not None]
        fresh = [began for began in running if now - began < _FRESH_SECONDS]
        return len(fresh) < _FRESH and len(running) < _AT_ONCE

    # ── the lease ────────────────────────────────────────────────────────────────────────────────

    def _on_duty(self) -> bool:
        now = time.monotonic()
        if self._has_duty and now - self._renewed < _RENEW_SECONDS:
            return True
        with self._world.store.begin() as tx:
            taken = tx.duties.take(DUTY, self._holder, seconds=_LEASE_SECONDS)
        if taken and not self._has_duty:
            log.info("Git sync is ours", action="duty_taken", duty=DUTY)
            retire(self._world, self._sources)
        self._has_duty, self._renewed = taken, now
        return taken

    def _release(self) -> None:
        if self._has_duty:
            with self._world.store.begin() as tx:
                tx.duties.release(DUTY, self._holder)

    # ── settings and push events ─────────────────────────────────────────────────────────────────

    @property
    def _sources(self) -> list[SourceSettings]:
        return [state.source for state in self._states.values()]

    def _read_settings(self) -> None:
        try:
            sources = self._load()
        except SettingsInvalid as exc:
            log.error(
                "the settings are wrong, the old ones stay",
                action="settings_invalid",
                error=exc.message,
            )
            return
        old = self._states
        self._states = {source.name: _kept(old.get(source.name), source) for source in sources}
        if self._has_duty:
            retire(self._world, sources)
        log.info("sources were read", action="sources_read", count=len(sources))

    def _see_hurries(self) -> None:
        with self._world.store.read() as tx:
            hurried = tx.sources.hurried()
        for name, moment in hurried.items():
            state = self._states.get(name)
            if state is not None and state.hurried != moment:
                is_news = state.was_polled
                state.hurried = moment
                state.due = 0.0 if is_news else state.due

    # ── polls ────────────────────────────────────────────────────────────────────────────────────

    def _start(self, state: _State, pool: ThreadPoolExecutor) -> None:
        state.began = time.monotonic()
        state.due = state.began + jittered(state.source.poll.total_seconds())
        owners = frozenset(f"git:{name}" for name in self._states)
        poll = Poll(state.source, self._world, owners, recheck=not state.was_polled)
        state.running = pool.submit(poll_safely, poll)

    def _collect(self, state: _State) -> None:
        if state.running is None or not state.running.done():
            return
        future, state.running = state.running, None
        outcome = future.result()
        state.was_polled = True
        was_hurried = state.due == 0.0
        wait = (
            backoff(state.source.poll, outcome.failures) if outcome.failures else state.source.poll
        )
        if not was_hurried:
            state.due = time.monotonic() + jittered(wait.total_seconds())


def _kept(state: _State | None, source: SourceSettings) -> _State:
    if state is None or state.source != source:
        return _State(source, running=state.running if state else None)
    return state


def jittered(seconds: float) -> float:
    """Return up to a tenth less, so that many sources do not stay in step."""
    return seconds * (1 - random.random() / 10)  # noqa: S311 - no secret


def poll_safely(poll: Poll) -> Outcome:
    """Poll; a fault of ours becomes the source's state, with its traceback in quarantine."""
    try:
        return _polled(poll)
    except Exception as exc:
        log.exception(
            "a source made Git sync fail", action="source_quarantined", source=poll.source.name
        )
        return _quarantined(poll, exc)


def _polled(poll: Poll) -> Outcome:
    reason = ""
    for _ in range(_TRIES):
        try:
            return poll.run()
        except Conflict as exc:
            reason = exc.message
    log.info("others sync this source", action="poll_conflict", reason=reason)
    with poll.world.store.read() as tx:
        row = tx.sources.find(poll.source.name)
    return Outcome(poll.source.name, row.state if row else NEW)


def _quarantined(poll: Poll, exc: Exception) -> Outcome:
    name, now = poll.source.name, poll.world.clock.now()
    said = exc.message if isinstance(exc, HeadraceError) else repr(exc)
    error = f"Headrace failed to sync it: {said}"
    with poll.world.store.begin() as tx:
        row = tx.sources.find(name) or SourceRow(name, poll.source.url, poll.source.branch, NEW)
        failures = row.failures + 1
        tx.sources.save(replace(row, state=FAILED, error=error, failures=failures, polled_at=now))
        tx.quarantine.save(
            QuarantineRow(
                subject=f"source:{name}",
                tries=failures,
                traceback="".join(traceback.format_exception(exc))[-20_000:],
                last_at=now,
                until=now + backoff(poll.source.poll, failures),
            )
        )
    return Outcome(name, FAILED, error, failures=failures, wrote=True)


def retire(world: World, sources: Sequence[SourceSettings]) -> None:
    """Let go of sources that are not configured any more: their flows become absent."""
    names = {source.name for source in sources}
    with world.store.read() as tx:
        gone = [row.name for row in tx.sources.list() if row.name not in names]
    for name in gone:
        with world.store.begin() as tx:
            count = _let_go(tx, name, world.clock.now())
        log.info("a source was let go", action="source_retired", source=name, flows=count)


def _let_go(tx: Tx, name: str, now: datetime) -> int:
    rows = [row for row in tx.flows.of_owner(f"git:{name}") if not (row.absent or row.deleted)]
    for row in rows:
        tx.flows.save(replace(row, absent=True, updated_at=now))
        for trigger in tx.triggers.of_flow(row.namespace, row.flow_id):
            tx.triggers.save(replace(trigger, next_at=None, key=None, digest="", updated_at=now))
    tx.sources.remove(name)
    return len(rows)


def sync_once(
    world: World,
    sources: Sequence[SourceSettings],
    *,
    only: str | None = None,
    dry_run: bool = False,
) -> list[Outcome]:
    """Poll every source (or *only* one) side by side; return what each came to, in order.

    It needs no duty: a poll that meets another process's starts again from what that one wrote.
    """
    if not dry_run:
        retire(world, sources)
    owners = frozenset(f"git:{source.name}" for source in sources)
    wanted = [source for source in sources if only in (None, source.name)]
    polls = [Poll(source, world, owners, dry_run=dry_run) for source in wanted]
    if not polls:
        return []
    with ThreadPoolExecutor(min(len(polls), _AT_ONCE), "git-once") as pool:
        return list(pool.map(poll_safely, polls))
