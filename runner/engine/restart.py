"""Going on from task runs of an execution that is over or paused (execution-semantics §11.3–6).

`restart`, `replay` and `change_state` give the head, the task runs and the ids with which the
event `Restarted` goes on. Pure. The engine dispatches those of the ids that are in a created state;
of the others, which are terminal, it hears once more that they have ended: that is how lists go on
in which nothing is left to run again. Flowables that hold them are RUNNING again, with scopes
recomputed from the runs that stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runner import ids
from runner.engine.creation import with_label
from runner.engine.directories import is_inside
from runner.engine.flowables.base import numbers_its_children
from runner.engine.flowables.batches import STATES
from runner.engine.step import end_attempt
from runner.errors import ArgumentInvalid, Refused
from runner.model.evolve import replace
from runner.model.execution import Execution, Scope, TaskRun
from runner.model.flow import Flow, ListName, Place, Task, TaskKind
from runner.model.states import State

RESTARTED_LABEL = "system.restarted"
REPLAY_LABEL = "system.replay"
REPLAYED_LABEL = "system.replayed"

_TO_RESTART = (State.FAILED, State.PAUSED, State.BREAKPOINT)
_AFTER_LISTS = frozenset({"errors", "finally", "afterExecution"})
_LOOPS = ("EachSequential", "ForEach")
_DAGS = ("Dag",)
_EACH_PARALLEL = ("EachParallel",)
_PARALLEL = ("Parallel",)
_SIDE_BY_SIDE = ("Parallel", "Dag", "EachParallel")
_DIRECTORY = ("WorkingDirectory",)
_LOOP_UNTIL = ("LoopUntil",)


@dataclass(frozen=True, slots=True)
class Restart:
    """How an execution goes on.

    Its head, all runs that stay in order of creation, which of them are changed or new, the ids of
    those that go, and the ids for the event `Restarted`.
    """

    execution: Execution
    runs: tuple[TaskRun, ...]
    changed: tuple[TaskRun, ...]
    removed: tuple[str, ...]
    restarted: tuple[str, ...]


def restart(
    flow: Flow,
    execution: Execution,
    runs: Sequence[TaskRun],
    from_ids: Collection[str] | None,
    now: datetime,
) -> Restart:
    """Run again from the given runs (None: all that are FAILED or PAUSED), in place.

    Raises:
        ArgumentInvalid: there is nothing to restart from.
    """
    known = {run.id for run in runs}
    chosen = _failed_or_paused(runs) if from_ids is None else set(from_ids) & known
    if not chosen:
        raise ArgumentInvalid("No task found to restart execution from!")
    return _Restarting(flow, execution, runs, now).again(chosen)


def restart_as_new(
    flow: Flow, execution: Execution, runs: Sequence[TaskRun], *, new_id: str, now: datetime
) -> Restart:
    """Like `restart` of all that failed, as a new execution of *flow*'s revision."""
    if not _failed_or_paused(runs):
        raise ArgumentInvalid("No task found to restart execution from!")
    copy, copies, _ = _copied(flow, execution, runs, new_id, now)
    copy = replace(copy, variables=execution.variables)
    return restart(flow, copy, copies, None, now)


def replay(
    flow: Flow,
    execution: Execution,
    runs: Sequence[TaskRun],
    from_id: str,
    *,
    new_id: str,
    now: datetime,
) -> Restart:
    """Run again from one task run as a new execution of *flow*'s revision.

    What came before is kept, failures too. Runs beside it that had not ended run again as well.

    Raises:
        ArgumentInvalid: there is no such task run. Refused: its task is gone from the revision, or
        moved.
    """
    by_id = {run.id: run for run in runs}
    if from_id not in by_id:
        raise ArgumentInvalid(f"no task run {from_id} in execution {execution.id}")
    _check_place(flow, by_id[from_id], by_id)
    copy, copies, renamed = _copied(flow, execution, runs, new_id, now)
    restarting = _Restarting(flow, copy, copies, now)
    restarting.drop(restarting.after(renamed[from_id]))
    unfinished = {run.id for run in restarting.kept.values() if not run.state.is_terminal}
    again = restarting.again({renamed[from_id], *unfinished})
    head = replace(again.execution, labels=with_label(execution.labels, REPLAY_LABEL, "true"))
    return replace(again, execution=head)


def replay_whole(flow: Flow, execution: Execution, *, new_id: str, now: datetime) -> Execution:
    """Return a new execution that runs everything of *flow*'s revision again."""
    copy = _new_head(flow, execution, new_id, now)
    return replace(copy, labels=with_label(execution.labels, REPLAY_LABEL, "true"))


def change_state(
    flow: Flow,
    execution: Execution,
    runs: Sequence[TaskRun],
    task_run_id: str,
    state: State,
    now: datetime,
) -> Restart:
    """Put one task run into another terminal state and go on behind it; CANCELLED ends it all.

    Raises:
        ArgumentInvalid: there is no such task run.
    """
    run = next((run for run in runs if run.id == task_run_id), None)
    if run is None:
        raise ArgumentInvalid(f"no task run {task_run_id} in execution {execution.id}")
    if run.task_id in flow.places and is_inside(flow, run):
        raise ArgumentInvalid(
            f"task {run.task_id} is a part of what its WorkingDirectory has run: change the state"
            " of that one"
        )
    return _Restarting(flow, execution, runs, now).told(run, state)


# ── the work ─────────────────────────────────────────────────────────────────────────────────────


class _Restarting:
    """The runs of one execution while it is decided which stay and how."""

    def __init__(
        self, flow: Flow, execution: Execution, runs: Sequence[TaskRun], now: datetime
    ) -> None:
        self.flow = flow
        self.execution = execution
        self.before = {run.id: run for run in runs}
        self.kept = dict(self.before)
        self.now = now
        self._nudges: list[str] = []
        self.drop(run.id for run in runs if self._is_in_after_list(run))

    def again(self, chosen: Collection[str]) -> Restart:
        """Run the chosen runs again, and go on with all that hold them."""
        chosen = {self._whole(run_id) for run_id in chosen}
        for run_id in chosen:
            if (run := self.kept.get(run_id)) and self._begins_anew(run, chosen):
                self.drop(child.id for child in self._children(run_id))
        again = [run_id for run_id in chosen if run_id in self.kept]
        leaves = {run_id for run_id in again if not self._has_children(run_id)}
        for run_id in leaves:
            self.kept[run_id] = self._anew(self.kept[run_id])
        self._reopen({*again, *self._ancestors(again)} - leaves)
        return self._result(State.RESTARTED)

    def told(self, run: TaskRun, state: State) -> Restart:
        """Go on behind *run* as if it had ended in *state*; one that runs again has no say."""
        if run.id not in self.kept:
            self._reopen(self._around(run))
            return self._result(State.RESTARTED)
        attempts = run.attempts
        if attempts:
            last = attempts[-1]
            ended = replace(last, state=state, history=(*last.history, (state, self.now)))
            attempts = (*attempts[:-1], ended)
        self.kept[run.id] = replace(run.enter(state, self.now), attempts=attempts)
        if state is State.CANCELLED:
            return self._cancelled(run)
        self._reopen(self._ancestors([run.id]), restarted=False)
        return self._result(State.RESTARTED)

    def _cancelled(self, run: TaskRun) -> Restart:
        """End what is around the run, and the execution; ``afterExecution`` follows."""
        for run_id in self._ancestors([run.id]):
            around = self.kept[run_id].enter(State.CANCELLED, self.now)
            self.kept[run_id] = end_attempt(around, State.CANCELLED, self.now, anew=True)
        again = self._result(State.CANCELLED)
        return replace(again, restarted=())

    def after(self, run_id: str) -> set[str]:
        """Return what comes after a run in the flow: its children, later tasks, later values."""
        found = {child.id for child in self._children(run_id)}
        chain = [self.kept[run_id], *(self.kept[i] for i in self._ancestor_chain(run_id))]
        for run in chain:
            found.update(other.id for other in self._siblings(run) if self._is_later(other, run))
        return found

    def drop(self, run_ids: Iterable[str]) -> None:
        """Let runs go, with all that is below them."""
        for run_id in list(run_ids):
            below = [child.id for child in self._children(run_id)]
            self.kept.pop(run_id, None)
            self.drop(below)

    def _reopen(self, run_ids: Collection[str], *, restarted: bool = True) -> None:
        for run_id in run_ids:
            run = self.kept[run_id]
            if restarted and _is(self._task(run), _LOOP_UNTIL):
                run = run.enter(State.RESTARTED, self.now)
            self.kept[run_id] = run.enter(State.RUNNING, self.now)
        for run_id in run_ids:
            if run_id in self.kept:
                self._drop_beyond_gap(self.kept[run_id])
        for run_id in set(run_ids) & set(self.kept):
            run = self.kept[run_id]
            self.kept[run_id] = replace(run, scope=self._scope(run))

    def _result(self, state: State) -> Restart:
        scope = self._scope(None)
        head = self.execution.enter(state, self.now)
        head = replace(
            head,
            scope=scope,
            outputs=None,
            deferred=(),
            fully_ended=False,
            attempt_number=self.execution.attempt_number + 1,
            labels=with_label(head.labels, RESTARTED_LABEL, "true"),
        )
        runs = tuple(sorted(self.kept.values(), key=lambda run: run.sequence))
        changed = tuple(run for run in runs if self.before.get(run.id) != run)
        return Restart(
            execution=head,
            runs=runs,
            changed=changed,
            removed=tuple(run_id for run_id in self.before if run_id not in self.kept),
            restarted=(*(run.id for run in changed if self._starts(run)), *self._nudges),
        )

    def _anew(self, run: TaskRun) -> TaskRun:
        """The run as one that was just chosen; attempts, outputs and history stay."""
        kept = {STATES: run.evaluated[STATES]} if STATES in run.evaluated else {}
        again = State.RUNNING if self._holds_tasks(run) else State.RESTARTED
        return replace(run.enter(again, self.now), evaluated=kept, scope=None)

    def _holds_tasks(self, run: TaskRun) -> bool:
        """Say whether a run goes on as one that runs: a flowable around tasks (§3.4)."""
        task = self._task(run)
        is_around = task.kind is TaskKind.FLOWABLE and bool(task.children)
        return is_around and not _is(task, (*_DIRECTORY, *_LOOP_UNTIL, "Pause"))

    def _starts(self, run: TaskRun) -> bool:
        has_begun = run.scope is not None
        return run.state.is_created or (run.state is State.RUNNING and not has_begun)

    # ── scopes

    def _scope(self, parent: TaskRun | None) -> Scope:
        children = list(self._children(parent.id if parent else None))
        task = self._task(parent) if parent else None
        name = self._main_list(parent, children)
        tasks = task.enabled(name) if task else self.flow.enabled(name)
        known = {each.id for each in tasks}
        inside = [run for run in children if run.task_id in known]
        if task is not None and _is(task, _LOOPS):
            return self._loop_scope(tasks, inside, name)
        cursor, total = self._cursor(parent, tasks, inside)
        scope = replace(_flags(name, inside), cursor=cursor, open=_live_count(inside))
        if task is not None and _is(task, _DAGS):
            scope = _with_started(scope, inside)
        has_room = task is not None and _is(task, _SIDE_BY_SIDE) and cursor < total
        if task is not None and _is(task, _DAGS):
            has_room = len(inside) < total
        return self._nudged(scope, tasks, inside) if has_room or not scope.open else scope

    def _cursor(
        self, parent: TaskRun | None, tasks: Sequence[Task], runs: Sequence[TaskRun]
    ) -> tuple[int, int]:
        """Return the place of the next run to create, and how many there are in all."""
        if parent is None or not _is(self._task(parent), _EACH_PARALLEL):
            return _next_index(tasks, runs), len(tasks)
        indexes = {task.id: index for index, task in enumerate(tasks)}
        places = ((run.iteration or 0) * len(tasks) + indexes[run.task_id] for run in runs)
        return max(places, default=-1) + 1, len(parent.evaluated["values"]) * len(tasks)

    def _loop_scope(self, tasks: Sequence[Task], runs: list[TaskRun], name: ListName) -> Scope:
        """Count values: one is open while a run of it is live, or tasks of it are to come."""
        values: dict[int, list[TaskRun]] = {}
        for run in runs:
            values.setdefault(run.iteration or 0, []).append(run)
        open_values, ended = 0, []
        for of_value in values.values():
            if _live_count(of_value):
                open_values += 1
            elif _next_index(tasks, of_value) < len(tasks):
                open_values += 1
                self._nudges.append(_last(tasks, of_value).id)
            else:
                ended.extend(of_value)
        scope = replace(_flags(name, runs), cursor=max(values, default=-1) + 1, open=open_values)
        return self._nudged(scope, tasks, ended)

    def _nudged(self, scope: Scope, tasks: Sequence[Task], runs: Sequence[TaskRun]) -> Scope:
        """Let the engine hear again that the last of the ended runs has ended."""
        ended = [run for run in runs if run.state.is_terminal]
        if not ended:
            return scope
        self._nudges.append(_last(tasks, ended).id)
        return replace(scope, open=scope.open + 1)

    def _main_list(self, parent: TaskRun | None, children: Sequence[TaskRun]) -> ListName:
        """The list that is worked on: that of the children, since those of errors have gone."""
        for run in children:
            if place := self.flow.places.get(run.task_id):
                return place.list_name
        scope = parent.scope if parent else None
        return scope.list if scope and scope.list not in _AFTER_LISTS else "tasks"

    def _drop_beyond_gap(self, parent: TaskRun) -> None:
        """Side-by-side tasks start in order: behind one without a run (it is new) all go."""
        task = self._task(parent)
        if not _is(task, _PARALLEL):
            return
        children = {run.task_id: run for run in self._children(parent.id)}
        gap = False
        for child in task.enabled("tasks"):
            gap = gap or child.id not in children
            if gap and child.id in children:
                self.drop([children[child.id].id])

    # ── the tree

    def _children(self, parent_id: str | None) -> Iterator[TaskRun]:
        return (run for run in list(self.kept.values()) if run.parent_id == parent_id)

    def _has_children(self, run_id: str) -> bool:
        return any(self._children(run_id))

    def _siblings(self, run: TaskRun) -> Iterator[TaskRun]:
        return (other for other in self._children(run.parent_id) if other.id != run.id)

    def _ancestor_chain(self, run_id: str) -> Iterator[str]:
        parent_id = self.kept[run_id].parent_id
        while parent_id is not None and parent_id in self.kept:
            yield parent_id
            parent_id = self.kept[parent_id].parent_id

    def _around(self, run: TaskRun) -> set[str]:
        """Return the ancestors of a run that has gone, as far as they stay."""
        parent = run.parent_id
        if parent is None or parent not in self.kept:
            return set()
        return {parent, *self._ancestor_chain(parent)}

    def _ancestors(self, run_ids: Iterable[str]) -> set[str]:
        return {ancestor for run_id in run_ids for ancestor in self._ancestor_chain(run_id)}

    def _is_later(self, other: TaskRun, run: TaskRun) -> bool:
        place, other_place = self._place(run), self._place(other)
        if place.list_name != other_place.list_name:
            return False
        if place.parent is not None and _is(place.parent, _DAGS):
            return run.task_id in _waits_for(place.parent, other.task_id)
        if place.parent is not None and _is(place.parent, _SIDE_BY_SIDE):
            return False
        if numbers_its_children(place.parent) and other.iteration != run.iteration:
            return _is_one_by_one(place.parent) and (other.iteration or 0) > (run.iteration or 0)
        return other_place.index > place.index

    def _is_in_after_list(self, run: TaskRun) -> bool:
        place = self.flow.places.get(run.task_id)
        if place is None:
            return False  # made by a task that runs: it goes with that one
        if place.list_name in _AFTER_LISTS:
            return True
        return place.list_name == "onPause" or place.list_name.startswith("listeners.")

    def _whole(self, run_id: str) -> str:
        """Return the run itself, or the one of whose attempt it is a part."""
        run = self.kept.get(run_id)
        if run is not None and run.parent_id and run.task_id not in self.flow.places:
            return run.parent_id
        if run is not None and run.parent_id and is_inside(self.flow, run):
            return run.parent_id
        return run_id

    def _begins_anew(self, run: TaskRun, chosen: Collection[str]) -> bool:
        """Say whether nothing of a chosen run's inside stays: a directory, a loop's last round."""
        task = self._task(run)
        if _is(task, _LOOP_UNTIL):
            return run.id not in self._ancestors(set(chosen) & self.kept.keys())
        return _is(task, _DIRECTORY) or not task.children

    def _place(self, run: TaskRun) -> Place:
        return self.flow.places[run.task_id]

    def _task(self, run: TaskRun) -> Task:
        return self._place(run).task


# ── small answers ────────────────────────────────────────────────────────────────────────────────


def _is(task: Task, names: Sequence[str]) -> bool:
    package, _, name = task.type.rpartition(".")
    return name in names and package == "io.kestra.plugin.core.flow"


def _waits_for(dag: Task, task_id: str) -> set[str]:
    """Return the tasks that one of a Dag depends on, directly or not."""
    depends_on = {task.id: task.depends_on for task in dag.enabled("tasks")}
    found: set[str] = set()
    waiting = [task_id]
    while waiting:
        for before in depends_on.get(waiting.pop(), ()):
            if before not in found:
                found.add(before)
                waiting.append(before)
    return found


def _is_one_by_one(parent: Task | None) -> bool:
    """Whether a loop takes its values one after the other."""
    if parent is None:
        return True
    name = parent.type.rpartition(".")[2]
    return name == "EachSequential" or (
        name == "ForEach" and str(parent.properties.get("concurrencyLimit", 1)) == "1"
    )


def _failed_or_paused(runs: Iterable[TaskRun]) -> set[str]:
    return {run.id for run in runs if run.state in _TO_RESTART}


def _next_index(tasks: Sequence[Task], runs: Iterable[TaskRun]) -> int:
    indexes = {task.id: index for index, task in enumerate(tasks)}
    return max((indexes[run.task_id] for run in runs), default=-1) + 1


def _last(tasks: Sequence[Task], runs: Iterable[TaskRun]) -> TaskRun:
    indexes = {task.id: index for index, task in enumerate(tasks)}
    return max(runs, key=lambda run: (indexes[run.task_id], run.sequence))


def _live_count(runs: Iterable[TaskRun]) -> int:
    return sum(not run.state.is_terminal for run in runs)


def _flags(name: ListName, runs: Sequence[TaskRun]) -> Scope:
    return Scope(
        list=name,
        failed=any(run.state is State.FAILED for run in runs),
        warned=any(run.state is State.WARNING for run in runs),
        killed=any(run.state is State.KILLED for run in runs),
    )


def _with_started(scope: Scope, runs: Sequence[TaskRun]) -> Scope:
    return replace(
        scope,
        started=tuple(run.task_id for run in runs),
        done=tuple(run.task_id for run in runs if run.state.is_terminal),
    )


def _copied(
    flow: Flow, execution: Execution, runs: Sequence[TaskRun], new_id: str, now: datetime
) -> tuple[Execution, list[TaskRun], Mapping[str, str]]:
    """Copy what the revision still knows in the same place, with new ids, numbered from 0."""
    by_id = {run.id: run for run in runs}
    staying = [run for run in runs if _stands_where_it_stood(flow, run, by_id)]
    renamed = {run.id: str(ids.task_run_id(new_id, n)) for n, run in enumerate(staying)}
    copies = [
        replace(
            run,
            id=renamed[run.id],
            execution_id=new_id,
            sequence=number,
            parent_id=renamed[run.parent_id] if run.parent_id else None,
        )
        for number, run in enumerate(staying)
    ]
    head = _new_head(flow, execution, new_id, now)
    head = replace(
        head,
        state=execution.state,
        history=execution.history,
        sequence=len(copies),
        attempt_number=execution.attempt_number,
    )
    return head, copies, renamed


def _new_head(flow: Flow, execution: Execution, new_id: str, now: datetime) -> Execution:
    is_same_revision = flow.revision == execution.revision
    return Execution(
        id=new_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        revision=flow.revision,
        state=State.CREATED,
        history=((State.CREATED, now),),
        labels=execution.labels,
        inputs=execution.inputs,
        variables=execution.variables if is_same_revision else flow.variables,
        trigger=execution.trigger,
        parent_id=execution.id,
        original_id=execution.original_id or execution.id,
        attempt_number=execution.attempt_number + 1,
        original_created_at=execution.original_created_at or execution.created_at,
        kind=execution.kind,
        source=execution.source,
        commit=execution.commit,
    )


def _lineage(run: TaskRun, by_id: Mapping[str, TaskRun]) -> list[TaskRun]:
    """The run and its ancestors, innermost first."""
    chain = [run]
    while chain[-1].parent_id is not None:
        chain.append(by_id[chain[-1].parent_id])
    return chain


def _stands_where_it_stood(flow: Flow, run: TaskRun, by_id: Mapping[str, TaskRun]) -> bool:
    chain = _lineage(run, by_id)
    if run.task_id not in flow.places and len(chain) > 1:
        chain = chain[1:]  # made by the task around it
    places = [flow.places.get(each.task_id) for each in chain]
    if any(place is None or place.index < 0 for place in places):
        return False
    within = all(
        inner is not None and inner.parent is not None and inner.parent.id == outer.task_id
        for inner, outer in zip(places, chain[1:], strict=False)
    )
    last = places[-1]
    return within and last is not None and last.parent is None


def _check_place(flow: Flow, run: TaskRun, by_id: Mapping[str, TaskRun]) -> None:
    if not _stands_where_it_stood(flow, run, by_id):
        raise Refused(
            f"task {run.task_id} is not in revision {flow.revision} at the place where it ran"
        )
    for around in _lineage(run, by_id):
        place = flow.places.get(around.task_id)
        if place is not None and place.list_name in _AFTER_LISTS:
            raise Refused(f"an execution cannot be replayed from a task of {place.list_name}")
