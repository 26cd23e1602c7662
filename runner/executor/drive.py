"""Driving executions: load, fold, save, and say what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from runner.attempt import AttemptEnd, Known
from runner.errors import HeadraceError, NotFound
from runner.executor.folding import Folding, Saved, Together, WorkerIdentity
from runner.model.evolve import replace
from runner.model.execution import Execution
from runner.model.logs import Level, LogLine
from runner.model.problems import FlowInvalid
from runner.model.states import State
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.store.base import AttemptRow, Fold, Tx

log = structlog.get_logger(__name__)

_MAX_CONFLICTS = 20


@dataclass(slots=True)
class Driven:
    """What came of driving an execution.

    *run_here*: an attempt that is claimed for this worker; it must run it and post its end. *left*:
    what is in memory for going on behind it. *wakes* are to be sent now. *announced*:
    `runner.services.announcements.settle` has work. *stopped*: workers should look for attempts
    that are to stop.
    """

    execution_id: str
    run_here: AttemptRow | None = None
    left: Folding | None = None
    wakes: tuple[Wake, ...] = ()
    announced: bool = False
    stopped: bool = False

    def add(self, folding: Folding, saved: Saved) -> None:
        self.run_here = folding.run_here
        self.left = folding if folding.can_go_on else None
        self.wakes += saved.wakes
        self.announced = self.announced or saved.announced
        self.stopped = self.stopped or saved.stopped

    @property
    def known(self) -> Known | None:
        """What the attempt that runs here need not load."""
        return None if self.left is None else self.left.known()


def drive(runtime: Runtime, execution_id: str, worker: WorkerIdentity | None = None) -> Driven:
    """Fold everything that waits for one execution. A double is harmless: it does nothing.

    Raises:
        HeadraceError: the fold itself failed; the caller counts and quarantines.
    """
    return drive_many(runtime, [execution_id], worker)[0]


def drive_many(
    runtime: Runtime,
    execution_ids: Sequence[str],
    worker: WorkerIdentity | None = None,
    *,
    own: int = 1_000,
) -> list[Driven]:
    """Fold several executions and save them in one transaction.

    At most *own* attempts are claimed for this worker. What conflicts is loaded again.
    """
    driven = {execution_id: Driven(execution_id) for execution_id in execution_ids}
    _drive_on(runtime, _loaded(runtime, list(driven), worker, own), driven, worker, own)
    return list(driven.values())


def go_on(
    runtime: Runtime,
    claimed: AttemptRow,
    ended: AttemptEnd,
    worker: WorkerIdentity | None = None,
    left: Folding | None = None,
) -> Driven | None:
    """Store how an attempt ended and fold it, in one transaction; *left* is of the fold before.

    None: something else has happened to the execution, and nothing was written. Then, and when this
    raises, the end is to be posted (`runner.attempt.finish`) and folded like any event.
    """
    if left is not None and _has_moved(runtime, left):
        return None  # working on it would write log lines of runs that are never to be
    folding = left or _load(runtime, claimed.execution_id, worker)
    if folding is None or not folding.post(claimed, ended):
        return None
    folding.worker = worker
    driven = {claimed.execution_id: Driven(claimed.execution_id)}
    conflicted, going_on = _round(runtime, [folding], driven)
    if conflicted:
        return None
    _drive_on(runtime, going_on, driven, worker)
    return driven[claimed.execution_id]


def _has_moved(runtime: Runtime, left: Folding) -> bool:
    """Say whether something has happened to an execution since a fold of it."""
    head = left.head
    with runtime.store.read() as tx:
        now = tx.executions.find(head.id)
        return (
            now is None
            or now.version != head.version
            or bool(tx.events.after(head.id, head.folded))
        )


def _drive_on(
    runtime: Runtime,
    foldings: Sequence[Folding],
    driven: dict[str, Driven],
    worker: WorkerIdentity | None,
    own: int = 1,
) -> None:
    """Fold until nothing is left to do here."""
    conflicts = 0
    while foldings:
        conflicted, going_on = _round(runtime, foldings, driven)
        conflicts += len(conflicted)
        if conflicts > _MAX_CONFLICTS * len(driven):
            raise HeadraceError(f"too many folds at once of {', '.join(conflicted)}")
        foldings = [*going_on, *_loaded(runtime, conflicted, worker, own)]


def _loaded(
    runtime: Runtime, execution_ids: Sequence[str], worker: WorkerIdentity | None, own: int
) -> list[Folding]:
    found = []
    for number, execution_id in enumerate(execution_ids):
        folding = _load(runtime, execution_id, worker if number < own else None)
        if folding is not None:
            found.append(folding)
    return found


def _load(runtime: Runtime, execution_id: str, worker: WorkerIdentity | None) -> Folding | None:
    with runtime.store.read() as tx:
        execution = tx.executions.find(execution_id)
        wakes = [wake for wake in tx.wakes.of_execution(execution_id) if wake.kind == "drive"]
        flow = None
        if execution is not None:
            events = tx.events.after(execution_id, execution.folded)
            live = tx.attempts.count_live(execution_id, at_most=2) if execution.sequence else 0
            try:
                flow = runtime.flows.get(
                    tx, execution.namespace, execution.flow_id, execution.revision
                )
            except (NotFound, FlowInvalid) as exc:
                problem = exc
    if execution is None:
        _forget(runtime, wakes)
        return None
    if flow is None:
        _fail(runtime, execution, wakes, problem)
        return None
    return Folding(runtime, flow, execution, events, wakes, worker=worker, live_attempts=live)


def _round(
    runtime: Runtime, foldings: Sequence[Folding], driven: dict[str, Driven]
) -> tuple[list[str], list[Folding]]:
    """Work on each, write the log lines, save all in one transaction."""
    for folding in foldings:
        folding.work()
    _write_lines(runtime, foldings)
    with runtime.store.begin() as tx:
        results = _saved(tx, foldings)
    _write_lines(runtime, foldings)
    conflicted, going_on = [], []
    for folding, saved in zip(foldings, results, strict=True):
        if saved is None:
            conflicted.append(folding.head.id)
            continue
        folding.saved()
        driven[folding.head.id].add(folding, saved)
        if folding.is_cut:
            going_on.append(folding)
    return conflicted, going_on


def _saved(tx: Tx, foldings: Sequence[Folding]) -> list[Saved | None]:
    """Write all folds together; None for one that another fold was faster than."""
    together = Together(tx)
    folds = [folding.fold(tx, together) for folding in foldings]
    written = iter(tx.executions.save_all([fold for fold in folds if fold is not None]))
    return [
        Saved() if fold is None else _followed(tx, folding, is_written=next(written))
        for folding, fold in zip(foldings, folds, strict=True)
    ]


def _followed(tx: Tx, folding: Folding, *, is_written: bool) -> Saved | None:
    if is_written:
        return folding.follow(tx)
    folding.lost(tx)
    return None


def _write_lines(runtime: Runtime, foldings: Sequence[Folding]) -> None:
    """Write the log lines so far; writing one again overwrites it."""
    lines = [line for folding in foldings for line in folding.taken_lines()]
    for start in range(0, len(lines), 500):
        runtime.store.logs.write(lines[start : start + 500])


def _forget(runtime: Runtime, wakes: Sequence[Wake]) -> None:
    with runtime.store.begin() as tx:
        tx.wakes.remove([wake.id for wake in wakes])


def _fail(
    runtime: Runtime, execution: Execution, wakes: Sequence[Wake], problem: HeadraceError
) -> None:
    """End an execution whose flow is gone or cannot be read any more."""
    if execution.fully_ended:
        _forget(runtime, wakes)
        return
    now = runtime.clock.now()
    line = LogLine(
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        at=now,
        level=Level.ERROR,
        message=f"The flow of this execution cannot be read: {problem.message}",
        number=0,
        execution_id=execution.id,
    )
    runtime.store.logs.write([line])
    failed = replace(execution.enter(State.FAILED, now), fully_ended=True)
    with runtime.store.begin() as tx:
        tx.executions.save(
            Fold(execution=failed, before=execution, remove_wakes=tuple(wake.id for wake in wakes))
        )


__all__ = ["Driven", "WorkerIdentity", "drive", "drive_many", "go_on"]
