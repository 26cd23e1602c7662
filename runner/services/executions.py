"""What people and programs do with executions (execution-semantics §11).

Each change is one transaction: rows, event, wake-up and audit; the wake-up is sent after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from runner import ids
from runner.engine import restart as restarting
from runner.engine.breakpoints import chosen as chosen_breakpoints
from runner.engine.creation import (
    FROM,
    GIVEN_SYSTEM_LABELS,
    SYSTEM_PREFIX,
    Beginning,
    merge_labels,
    with_label,
)
from runner.engine.events import (
    Kill,
    Pause,
    Restarted,
    Resume,
    ResumeFromBreakpoint,
    Started,
)
from runner.engine.restart import Restart
from runner.errors import ArgumentInvalid, Conflict, HeadraceError, NotFound, Refused
from runner.model.execution import Execution, Labels, TaskRun
from runner.model.flow import Flow
from runner.model.inputs import Examined
from runner.model.names import label_key_fault
from runner.model.states import State
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.runtime.pinning import head_of, source_of
from runner.services import firing, requests
from runner.services.audit import record
from runner.services.checks import failed_checks, refuse_blocked, strictest
from runner.services.creation import Creator, DirectCreator
from runner.services.firing import Creation, send_wakes
from runner.services.inputs import Given, Inputs, Upload, resume_inputs
from runner.services.principal import Principal
from runner.services.requests import Key
from runner.storage.base import execution_path
from runner.store.base import ExecutionFilter, Fold, Page, Tx

LATEST = "latest"
_NO_LIMIT = 1_000_000_000
_TRIES = 5


class StillRunning(Refused):
    """The execution has not ended."""

    code = "still_running"


@dataclass(frozen=True, slots=True)
class Shown:
    """An execution with its task runs."""

    execution: Execution
    runs: Sequence[TaskRun] = ()

    @property
    def id(self) -> str:
        """The execution's id."""
        return self.execution.id


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller asks for when he starts a flow.

    *key*: the same key starts at most one. *breakpoints*: ``task`` or ``task.value``.
    """

    namespace: str
    flow_id: str
    inputs: Mapping[str, Given]
    labels: Labels = ()
    revision: int | None = None
    schedule_at: datetime | None = None
    kind: str = "NORMAL"
    breakpoints: Sequence[str] = ()
    key: str | None = None
    origin: str = "api"


class Executions:
    """The use cases around executions."""

    def __init__(self, runtime: Runtime, inputs: Inputs, creator: Creator | None = None) -> None:
        self._runtime = runtime
        self._inputs = inputs
        self._creator = creator or DirectCreator(runtime)

    # ── start

    def create(self, order: Order, *, by: Principal) -> Creation:
        """Start a flow.

        Raises:
            NotFound: no such flow or revision. Refused: it may not run. InputInvalid: bad inputs.
            ArgumentInvalid: a system label, or no place for a breakpoint. FlowInvalid: the
            revision's text is not valid. KeyReused: its key was used for something else.
        """
        check_labels(order.labels)
        key = _key_of(order)
        for _ in range(_TRIES):
            try:
                return self._create(order, key, by)
            except Conflict:
                if any(isinstance(value, Upload) for value in order.inputs.values()):
                    raise  # what was uploaded has been read
        raise Conflict("the flow changes all the time; try again")

    def _create(self, order: Order, key: Key | None, by: Principal) -> Creation:
        execution_id = ids.new()
        flow = self._flow_to_run(order)
        stops = chosen_breakpoints(flow, order.breakpoints)
        resolved = self._inputs.resolve(flow, order.inputs, execution_id=execution_id)
        failed = failed_checks(self._runtime, flow, resolved)
        try:
            refuse_blocked(failed)
        except HeadraceError:
            self._inputs.forget(flow, execution_id)
            raise
        make = firing.create_failed if strictest(failed) == "FAIL_EXECUTION" else firing.create
        beginning = Beginning(
            inputs=resolved,
            labels=order.labels,
            origin=order.origin,
            schedule_at=order.schedule_at,
            kind=order.kind,
            breakpoints=stops,
            execution_id=execution_id,
        )

        def write(tx: Tx) -> Creation:
            row = tx.flows.get(flow.namespace, flow.id)
            if order.revision is None and row.revision != flow.revision:
                raise Conflict("the flow has just changed; try again")
            return make(self._runtime, tx, flow, row, beginning, by=by, key=key)

        creation = self._creator.run(write)
        if not creation.is_new:
            self._inputs.forget(flow, execution_id)
        elif lines := firing.undeclared_lines(flow, creation.execution, order.inputs):
            self._runtime.store.logs.write(lines)
        return creation

    def _flow_to_run(self, order: Order) -> Flow:
        with self._runtime.store.read() as tx:
            row = tx.flows.find(order.namespace, order.flow_id)
            if row is None:
                raise NotFound("Flow not found")
            firing.check_may_run(row)
            return firing.active_flow(self._runtime, tx, row, order.revision)

    # ── look

    def get(self, execution_id: str) -> Shown:
        """Return an execution with its task runs. Raises NotFound."""
        with self._runtime.store.read() as tx:
            return Shown(_get(tx, execution_id), tx.task_runs.of_execution(execution_id))

    def head(self, execution_id: str) -> Execution:
        """Return an execution without its task runs. Raises NotFound."""
        with self._runtime.store.read() as tx:
            return _get(tx, execution_id)

    def search(
        self,
        filter: ExecutionFilter,
        *,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> Page:
        """Return heads, newest first."""
        with self._runtime.store.read() as tx:
            return tx.executions.search(filter, limit=limit, cursor=cursor, ascending=ascending)

    def count(self, filter: ExecutionFilter, *, at_most: int = 10_000) -> int:
        """Return how many match, counted up to a bound."""
        with self._runtime.store.read() as tx:
            return tx.executions.count(filter, at_most=at_most)

    def runs_of(self, execution_ids: Sequence[str]) -> Mapping[str, Sequence[TaskRun]]:
        """Return the task runs of several executions."""
        with self._runtime.store.read() as tx:
            return tx.task_runs.of_executions(execution_ids)

    def children(self, execution_id: str) -> Sequence[Execution]:
        """Return the executions that this one started."""
        with self._runtime.store.read() as tx:
            return tx.executions.children(execution_id)

    def flow_of(self, execution: Execution) -> Flow:
        """Return the flow of an execution's revision. Raises NotFound, FlowInvalid."""
        with self._runtime.store.read() as tx:
            return self._runtime.flows.get(
                tx, execution.namespace, execution.flow_id, execution.revision
            )

    # ── kill, pause, resume

    def kill(self, execution_id: str, *, by: Principal, cascade: bool = True) -> Execution:
        """Ask for the end of an execution, with *cascade* also of those that it started."""
        with self._runtime.store.begin() as tx:
            execution = _get(tx, execution_id)
            if execution.state.is_terminal and not cascade:
                raise Refused("execution is already finished")
            targets = [execution, *(_descendants(tx, execution_id) if cascade else ())]
            wakes = [
                tx.events.add(target.id, Kill(by=by.name))
                for target in targets
                if not target.state.is_terminal and target.state is not State.KILLING
            ]
            record(self._runtime, tx, by, "execution.kill", execution_id, cascade=cascade)
        send_wakes(self._runtime, wakes)
        return execution if execution.state.is_terminal else self._told(execution, State.KILLING)

    def pause(self, execution_id: str, *, by: Principal) -> Execution:
        """Let nothing new of a running execution start.

        Raises:
            ArgumentInvalid: it is not running.
        """
        with self._runtime.store.begin() as tx:
            execution = _get(tx, execution_id)
            if execution.state is not State.RUNNING:
                raise ArgumentInvalid(f"Execution '{execution_id}' is not running, can't pause it")
            wake = tx.events.add(execution_id, Pause(by=by.name))
            record(self._runtime, tx, by, "execution.pause", execution_id)
        send_wakes(self._runtime, [wake])
        return self._told(execution, State.PAUSED)

    def resume(
        self, execution_id: str, *, by: Principal, inputs: Mapping[str, Given] | None = None
    ) -> Execution:
        """Let a paused execution go on, with the inputs that its Pause asks for.

        Raises:
            Refused: it is not paused. InputInvalid: the inputs do not fit.
        """
        waiting, resolved = self._resume_inputs(execution_id, inputs or {})
        event = Resume(resolved, by=by.name, at=self._runtime.clock.now(), waiting=waiting)
        return self._resume(execution_id, event, by, "execution.resume")

    def _resume(self, execution_id: str, event: Resume, by: Principal, action: str) -> Execution:
        with self._runtime.store.begin() as tx:
            execution = _paused(tx, execution_id)
            wake = tx.events.add(execution_id, event)
            record(self._runtime, tx, by, action, execution_id)
        send_wakes(self._runtime, [wake])
        return self._told(execution, State.RESTARTED)

    def resume_from_breakpoint(
        self, execution_id: str, *, by: Principal, breakpoints: Sequence[str] | None = None
    ) -> Execution:
        """Let an execution go on that stands at a breakpoint; *breakpoints* replace the others.

        Raises:
            Refused: it does not stand at one. ArgumentInvalid: no place for a breakpoint.
        """
        with self._runtime.store.begin() as tx:
            execution = _get(tx, execution_id)
            if execution.state is not State.BREAKPOINT:
                raise Refused("Execution is not suspended")
            flow = self._runtime.flows.get(
                tx, execution.namespace, execution.flow_id, execution.revision
            )
            stopped = _at_rest(tx.task_runs.live(execution_id), State.BREAKPOINT)
            event = ResumeFromBreakpoint(_left(flow, breakpoints), by=by.name, waiting=stopped)
            wake = tx.events.add(execution_id, event)
            record(self._runtime, tx, by, "execution.resume-from-breakpoint", execution_id)
        send_wakes(self._runtime, [wake])
        return self._told(execution, State.RUNNING)

    def examine_resume(
        self, execution_id: str, given: Mapping[str, Given]
    ) -> tuple[Flow, Sequence[Examined]]:
        """Return what would become of each input of the Pause that is waited for."""
        with self._runtime.store.read() as tx:
            execution = _paused(tx, execution_id)
            runs = tx.task_runs.live(execution_id)
        flow = self.flow_of(execution)
        paused = next((run for run in runs if run.state is State.PAUSED), None)
        asked = resume_inputs(flow, paused.task_id) if paused else ()
        return flow, self._inputs.examine(replace(flow, inputs=asked), given)

    def _resume_inputs(
        self, execution_id: str, given: Mapping[str, Given]
    ) -> tuple[tuple[str, ...], Mapping[str, Any] | None]:
        """Return which runs wait, and the inputs for the first."""
        with self._runtime.store.read() as tx:
            execution = _paused(tx, execution_id)
            runs = tx.task_runs.live(execution_id)
        paused = next((run for run in runs if run.state is State.PAUSED), None)
        if paused is None:
            return (), None
        resolved = self._inputs.resolve_resume(self.flow_of(execution), paused, execution, given)
        return _at_rest(runs, State.PAUSED), resolved

    def unqueue(
        self, execution_id: str, *, by: Principal, state: State = State.RUNNING
    ) -> Execution:
        """Let a queued execution run in spite of its flow's limit, or end it CANCELLED or FAILED.

        Raises:
            ArgumentInvalid: it is not queued.
        """
        if state not in (State.RUNNING, State.CANCELLED, State.FAILED):
            raise ArgumentInvalid(f"a queued execution cannot be put into state {state}")
        with self._runtime.store.begin() as tx:
            execution = _lock(tx, execution_id)
            if execution.state is not State.QUEUED:
                raise ArgumentInvalid(f"Execution '{execution_id}' is not queued, can't unqueue it")
            wake = self._admitted(tx, execution, state)
            record(self._runtime, tx, by, "execution.unqueue", execution_id, state=str(state))
        send_wakes(self._runtime, [wake])
        return self._told(execution, state)

    def force_run(self, execution_id: str, *, by: Principal) -> Execution:
        """Let an execution run that waits: for its date, for a slot, or paused (what its Pause asks
        for stays open).

        Raises:
            ArgumentInvalid: it has ended.
        """
        execution = self.head(execution_id)
        if execution.state.is_terminal:
            raise ArgumentInvalid(
                f"Only non-terminated executions can be forced to run, state is {execution.state}"
            )
        if execution.state is State.PAUSED:
            now = self._runtime.clock.now()
            return self._resume(execution_id, Resume(by=by.name, at=now), by, "execution.force-run")
        if execution.state is State.BREAKPOINT:
            return self.resume_from_breakpoint(execution_id, by=by)
        with self._runtime.store.begin() as tx:
            execution = _lock(tx, execution_id)
            wake = None
            if execution.state in (State.CREATED, State.QUEUED):
                wake = self._admitted(tx, execution, State.RUNNING)
            record(self._runtime, tx, by, "execution.force-run", execution_id)
        send_wakes(self._runtime, [wake])
        return execution if wake is None else self._told(execution, State.RUNNING)

    def _told(self, execution: Execution, state: State) -> Execution:
        """Return an execution as it will be when a worker has heard what it was told."""
        return execution.enter(state, self._runtime.clock.now())

    def _admitted(self, tx: Tx, execution: Execution, state: State) -> Wake | None:
        flow = self._runtime.flows.get(
            tx, execution.namespace, execution.flow_id, execution.revision
        )
        wants_slot = flow.concurrency is not None and state is State.RUNNING
        if wants_slot and tx.executions.take_slot(execution.id):
            tx.flows.take_slot(execution.namespace, execution.flow_id, _NO_LIMIT)
        return tx.events.add(execution.id, Started(state))

    # ── again

    def restart(self, execution_id: str, *, by: Principal, revision: int | None = None) -> Shown:
        """Run again what failed, in place; with *revision* as a new execution of that one.

        Raises:
            Refused: it is running or was killed. ArgumentInvalid: there is nothing to restart.
        """
        if revision is not None:
            return self._restart_as_new(execution_id, revision, by)

        def decide(tx: Tx, execution: Execution) -> Restart:
            _check_restartable(execution)
            flow = self._runtime.flows.get(
                tx, execution.namespace, execution.flow_id, execution.revision
            )
            runs = tx.task_runs.of_execution(execution_id)
            return restarting.restart(flow, execution, runs, None, self._runtime.clock.now())

        return self._in_place(execution_id, by, "execution.restart", decide)

    def _restart_as_new(self, execution_id: str, revision: int, by: Principal) -> Shown:
        with self._runtime.store.begin() as tx:
            old = _get(tx, execution_id)
            _check_restartable(old)
            flow = self._revision(tx, old, revision)
            new = restarting.restart_as_new(
                flow,
                old,
                tx.task_runs.of_execution(execution_id),
                new_id=ids.new(),
                now=self._runtime.clock.now(),
            )
            wake = self._add_copy(tx, old, new, by)
            record(self._runtime, tx, by, "execution.restart", execution_id, new=new.execution.id)
        send_wakes(self._runtime, [wake])
        return Shown(new.execution, new.runs)

    def replay(
        self,
        execution_id: str,
        *,
        by: Principal,
        from_task_run: str | None = None,
        revision: int | str | None = None,
        inputs: Mapping[str, Given] | None = None,
        breakpoints: Sequence[str] = (),
        key: str | None = None,
    ) -> Shown:
        """Start a new execution from an old one; from a task run on, what came before is kept.

        *revision* is a number or ``latest``; absent: the one it ran with. *inputs* start it anew
        from the beginning with other inputs.

        Raises:
            NotFound: no such execution, revision or task run. Refused: the task is not there (any
            more). InputInvalid. ArgumentInvalid: no place for a breakpoint. KeyReused.
        """
        asked = ("replay", execution_id, from_task_run, revision, list(breakpoints))
        claim = requests.key(key, *asked, inputs=inputs)
        new_id = ids.new()
        resolved = self._replay_inputs(execution_id, revision, inputs, new_id)
        now = self._runtime.clock.now()
        with self._runtime.store.begin() as tx:
            old = _get(tx, execution_id)
            if claim and (taken := claim.claim(tx, new_id, by=by)):
                return Shown(_get(tx, taken), tx.task_runs.of_execution(taken))
            flow = self._revision(tx, old, revision)
            if from_task_run is None or inputs is not None:
                head = restarting.replay_whole(flow, old, new_id=new_id, now=now)
                head = head if resolved is None else replace(head, inputs=resolved)
                again = Restart(head, (), (), (), ())
            else:
                runs = tx.task_runs.of_execution(execution_id)
                again = restarting.replay(flow, old, runs, from_task_run, new_id=new_id, now=now)
            stops = chosen_breakpoints(flow, breakpoints)
            again = replace(again, execution=replace(again.execution, breakpoints=stops))
            wake = self._add_copy(tx, old, again, by, at_head=revision == LATEST)
            labels = with_label(old.labels, restarting.REPLAYED_LABEL, "true")
            if labels != old.labels:
                tx.executions.set_labels(execution_id, labels)
            record(self._runtime, tx, by, "execution.replay", execution_id, new=new_id)
        send_wakes(self._runtime, [wake])
        return Shown(again.execution, again.runs)

    def _replay_inputs(
        self,
        execution_id: str,
        revision: int | str | None,
        inputs: Mapping[str, Given] | None,
        new_id: str,
    ) -> Mapping[str, Any] | None:
        if inputs is None:
            return None
        with self._runtime.store.read() as tx:
            flow = self._revision(tx, _get(tx, execution_id), revision)
        return self._inputs.resolve(flow, inputs, execution_id=new_id)

    def change_task_run_state(
        self, execution_id: str, task_run_id: str, state: State, *, by: Principal
    ) -> Shown:
        """Put one task run into another terminal state, and go on behind it (§11.4).

        Raises:
            ArgumentInvalid: the execution has not ended, or was killed; the state is not terminal.
        """
        if not state.is_terminal:
            raise ArgumentInvalid(f"a task run cannot be put into state {state}")

        def decide(tx: Tx, execution: Execution) -> Restart:
            if not execution.state.is_terminal or execution.state is State.KILLED:
                raise ArgumentInvalid(
                    "You can only change the state of a task run for a terminated non killed"
                    " execution."
                )
            flow = self._runtime.flows.get(
                tx, execution.namespace, execution.flow_id, execution.revision
            )
            runs = tx.task_runs.of_execution(execution_id)
            now = self._runtime.clock.now()
            return restarting.change_state(flow, execution, runs, task_run_id, state, now)

        return self._in_place(execution_id, by, "execution.state", decide)

    def change_status(self, execution_id: str, state: State, *, by: Principal) -> Execution:
        """Put an ended execution into another terminal state; nothing runs (§11.5).

        Raises:
            ArgumentInvalid: it has not ended, was killed, or *state* is not terminal.
        """
        if not state.is_terminal:
            raise ArgumentInvalid(f"{state} is not a terminal state")
        with self._runtime.store.begin() as tx:
            execution = _lock(tx, execution_id)
            if not execution.state.is_terminal or execution.state is State.KILLED:
                raise ArgumentInvalid(
                    f"the state of an execution that is {execution.state} cannot be changed"
                )
            changed = execution.enter(state, self._runtime.clock.now())
            if not tx.executions.save(Fold(changed)):
                raise Conflict
            record(self._runtime, tx, by, "execution.status", execution_id, state=str(state))
        return changed

    # ── labels, delete

    def set_labels(self, execution_id: str, labels: Labels, *, by: Principal) -> Execution:
        """Replace the labels of an ended execution that are not the system's.

        Raises:
            StillRunning: it has not ended. ArgumentInvalid: a system label.
        """
        labels = tuple(label for label in labels if label != ("", ""))
        check_labels(labels, given_system=frozenset())
        with self._runtime.store.begin() as tx:
            execution = _get(tx, execution_id)
            if not execution.state.is_terminal:
                raise StillRunning("labels can only be set on an execution that has ended")
            _check_new(label for label in labels if label not in execution.labels)
            system = (label for label in execution.labels if label[0].startswith(SYSTEM_PREFIX))
            merged = merge_labels(labels, system)
            tx.executions.set_labels(execution_id, merged)
            record(self._runtime, tx, by, "execution.labels", execution_id)
        return replace(execution, labels=merged)

    def delete(
        self,
        execution_id: str,
        *,
        by: Principal,
        logs: bool = True,
        storage: bool = True,
    ) -> None:
        """Remove an ended execution, with its log and files.

        Raises:
            StillRunning: it has not ended: kill it first.
        """
        with self._runtime.store.begin() as tx:
            execution = _get(tx, execution_id)
            if not execution.state.is_terminal:
                raise StillRunning(
                    "an execution that has not ended cannot be deleted: kill it first"
                )
            tx.executions.delete(execution_id)
            record(self._runtime, tx, by, "execution.delete", execution_id)
        if logs:
            self._runtime.store.logs.delete(execution_id)
        if storage:
            self._runtime.storage.delete_all(
                execution_path(execution.namespace, execution.flow_id, execution_id)
            )

    # ── parts

    def _revision(self, tx: Tx, old: Execution, revision: int | str | None) -> Flow:
        number = old.revision if revision is None else revision
        if number == LATEST:
            number = tx.flows.get(old.namespace, old.flow_id).revision
        return self._runtime.flows.get(tx, old.namespace, old.flow_id, int(number))

    def _add_copy(
        self, tx: Tx, old: Execution, new: Restart, by: Principal, *, at_head: bool = False
    ) -> Any:
        """Write a new execution made from an old one.

        Another revision has today's commit, and so has the latest one (*at_head*), also when it is
        the same: its files may have changed.
        """
        head = new.execution
        if at_head or head.revision != old.revision:
            row = tx.flows.find(old.namespace, old.flow_id)
            if row is not None:
                head = replace(
                    head,
                    source=source_of(row),
                    commit=head_of(tx, row) or head.commit,
                )
        tx.executions.add(head, by=by.name)
        if not new.restarted:
            return tx.wakes.new_drive(head.id)
        tx.task_runs.save(new.runs)
        return tx.events.add(head.id, Restarted(new.restarted))

    def _in_place(
        self,
        execution_id: str,
        by: Principal,
        action: str,
        decide: Callable[[Tx, Execution], Restart],
    ) -> Shown:
        for _ in range(_TRIES):
            with self._runtime.store.begin() as tx:
                execution = _lock(tx, execution_id)
                again = decide(tx, execution)
                if not tx.executions.save(Fold(again.execution, changes=again.changed)):
                    continue
                tx.task_runs.delete(again.removed)
                wake = tx.events.add(execution_id, Restarted(again.restarted))
                record(self._runtime, tx, by, action, execution_id)
            send_wakes(self._runtime, [wake])
            return Shown(again.execution, again.runs)
        raise Conflict(f"execution {execution_id} changes all the time; try again")


def _left(flow: Flow, breakpoints: Sequence[str] | None) -> tuple[str, ...] | None:
    if breakpoints is None:
        return None
    return tuple(map(str, chosen_breakpoints(flow, breakpoints)))


def _key_of(order: Order) -> Key | None:
    """The order's key, for everything that it asks for."""
    asked = (
        "create",
        order.namespace,
        order.flow_id,
        order.labels,
        order.revision,
        order.schedule_at,
        order.kind,
        list(order.breakpoints),
    )
    return requests.key(order.key, *asked, inputs=order.inputs)


def check_labels(labels: Labels, *, given_system: frozenset[str] = GIVEN_SYSTEM_LABELS) -> None:
    """Raise ArgumentInvalid for a label that a caller may not give."""
    for key, value in labels:
        if key.startswith(SYSTEM_PREFIX) and key not in given_system:
            raise ArgumentInvalid(
                f"System labels can only be set by Kestra itself, offending label: {key}={value}"
            )


def _check_new(labels: Iterable[tuple[str, str]]) -> None:
    for key, value in labels:
        if not value:
            raise ArgumentInvalid(f"the label '{key}' has no value")
        if fault := label_key_fault(key):
            raise ArgumentInvalid(f"{key}: {fault}")


def without_origin(labels: Labels) -> Labels:
    """Return labels without that of where an execution came from."""
    return tuple(label for label in labels if label[0] != FROM)


def _get(tx: Tx, execution_id: str) -> Execution:
    execution = tx.executions.find(execution_id)
    if execution is None:
        raise NotFound("Execution not found")
    return execution


def _lock(tx: Tx, execution_id: str) -> Execution:
    _get(tx, execution_id)
    return tx.executions.lock(execution_id)


def _paused(tx: Tx, execution_id: str) -> Execution:
    execution = _get(tx, execution_id)
    if execution.state is not State.PAUSED:
        raise Refused(f"Execution '{execution_id}' is not paused, can't resume it")
    return execution


def _at_rest(runs: Iterable[TaskRun], state: State) -> tuple[str, ...]:
    return tuple(run.id for run in runs if run.state is state)


def _check_restartable(execution: Execution) -> None:
    state = execution.state
    if state is State.KILLED or not (state.is_terminal or state is State.PAUSED):
        raise Refused(
            "Execution must be terminated or paused and not killed to be restarted,"
            f" current state is '{state}' !"
        )


def _descendants(tx: Tx, execution_id: str) -> list[Execution]:
    """Everything that an execution caused, directly or not."""
    found: dict[str, Execution] = {}
    waiting = [execution_id]
    while waiting:
        for child in tx.executions.children(waiting.pop()):
            if child.id not in found and child.id != execution_id:
                found[child.id] = child
                waiting.append(child.id)
    return list(found.values())
