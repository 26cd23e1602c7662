"""Which differences between Kestra and this project are known: rows of docs/explanation/
compatibility.md.

Each row undoes what Kestra does otherwise, as narrowly as it can be told. A difference is known
if nothing is left of it after that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_LISTS = (
    *("onPause", "tasks", "then", "cases", "else", "defaults", "errors", "finally"),
    *("listeners", "afterExecution"),
)
_ENDS_OF_EXIT = {"SUCCESS", "WARNING", "FAILED", "CANCELLED"}

Json = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Run:
    """A task run, as far as two servers can be compared.

    *output* is JSON of all outputs without what is random, *parent* a task, *tries* are the states
    of the attempts.
    """

    task: str
    value: str
    state: str
    output: str
    attempts: int
    parent: str = ""
    iteration: str = ""
    tries: tuple[str, ...] = ()
    history: tuple[str, ...] = ()

    def __str__(self) -> str:
        tried = ", ".join(self.tries)
        way = " → ".join(self.history)
        where = f"{self.parent}>{self.task}/{self.value}#{self.iteration}"
        return f"{where} {self.state} {self.output} [{tried}] {way}"

    @property
    def place(self) -> tuple[str, str]:
        return self.task, self.value


@dataclass(frozen=True)
class Seen:
    """How an execution ended; *refused* if it never started.

    *logs* are the lines of Log tasks, *family* the executions that it started.
    """

    state: str
    outputs: Json = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    refused: str = ""
    history: tuple[str, ...] = ()
    labels: Json = field(default_factory=dict)
    variables: Json = field(default_factory=dict)
    logs: tuple[str, ...] = ()
    family: tuple[str, ...] = ()


@dataclass(frozen=True)
class Situation:
    """One flow with what became of it here."""

    tasks: Mapping[str, Json]  # in the order in which they are written
    after: frozenset[str]  # those of afterExecution
    inner: frozenset[str]  # those of errors and finally of flowables
    ours: Seen

    def has_type(self, run: Run, name: str) -> bool:
        return str(self.tasks[run.task]["type"]).endswith(f".{name}")


def known(flow: Json, theirs: Seen, ours: Seen) -> tuple[str, ...]:
    """Return the rows that explain the whole difference; none if something is left."""
    tasks = {task["id"]: task for name in _LISTS for task in _tasks(flow.get(name))}
    for run in (*theirs.runs, *ours.runs):  # those that a task has made by itself
        tasks.setdefault(run.task, {"id": run.task, "type": ""})
    after = frozenset(task["id"] for task in _tasks(flow.get("afterExecution")))
    inner = frozenset(task["id"] for owner in tasks.values() for task in _handlers(owner))
    situation, rows = Situation(tasks, after, inner, ours), []
    for name, undo in ROWS.items():
        undone = undo(situation, theirs)
        if undone != theirs:
            rows.append(name)
        theirs = undone
    return tuple(rows) if theirs == ours else ()


def _tasks(value: Any) -> Iterator[Json]:
    """Tasks in the order in which they are written, whatever holds them."""
    if isinstance(value, list):
        for item in value:
            yield from _tasks(item)
    elif isinstance(value, Mapping) and "type" in value and "id" in value:
        yield value
        for name in _LISTS:
            yield from _tasks(value.get(name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tasks(item)


def _handlers(owner: Json) -> Iterator[Json]:
    for name in ("errors", "finally"):
        yield from _tasks(owner.get(name))


def _skipped_with_outputs(situation: Situation, theirs: Seen) -> Seen:
    """A Switch, If or LoopUntil that was skipped has outputs."""

    def undone(run: Run) -> Run:
        is_it = run.state == "SKIPPED" and any(
            situation.has_type(run, name) for name in ("Switch", "If", "LoopUntil", "WaitFor")
        )
        return replace(run, output="") if is_it else run

    return _each_run(theirs, undone)


def _rounds_in_a_loop(situation: Situation, theirs: Seen) -> Seen:
    """A LoopUntil inside a ForEach counts its rounds from the index of a value, and may have no
    count; then it is no `parent` of its tasks either.
    """
    rounds, inside = _loops_in_loops(situation)
    left = Counter(run for run in situation.ours.runs if run.task in rounds | inside)

    uncounting = {run.task for run in theirs.runs if run.task in rounds and not run.output}

    def uncounted(run: Run) -> Run:
        is_free = run.task in rounds or run.parent in uncounting
        return replace(run, iteration="", output="" if is_free else run.output)

    def undone(run: Run) -> Run:
        if run.task not in rounds | inside:
            return run
        for own in sorted(left.elements()):
            if uncounted(own) == uncounted(run):
                left[own] -= 1
                return own
        return run

    return _each_run(theirs, undone)


def _loops_in_loops(situation: Situation) -> tuple[set[str], set[str]]:
    """Return each LoopUntil that is inside of a ForEach, and the tasks right inside of these."""
    kinds = ("ForEach", "EachSequential", "EachParallel")
    each = [task for task in situation.tasks.values() if task["type"].endswith(kinds)]
    found = [task for owner in each for task in _tasks(owner.get("tasks"))]
    loops = [task for task in found if task["type"].endswith(("LoopUntil", "WaitFor"))]
    return {task["id"] for task in loops}, {one["id"] for task in loops for one in task["tasks"]}


def _exit_after_the_end(situation: Situation, theirs: Seen) -> Seen:
    """`Exit` in afterExecution gives the execution, and itself, its state."""
    found = [
        run
        for run in theirs.runs
        if run.task in situation.after
        and situation.has_type(run, "Exit")
        and run.state == situation.tasks[run.task]["state"]
    ]
    if not found:
        return theirs
    state = situation.ours.state if theirs.state == found[-1].state else theirs.state
    ours = {run.place: run for run in situation.ours.runs if run.state == "SUCCESS"}
    undone = _each_run(theirs, lambda run: ours.get(run.place, run) if run in found else run)
    history = theirs.history if state == theirs.state else situation.ours.history
    return replace(undone, state=state, history=history)


def _retry_after_the_end(situation: Situation, theirs: Seen) -> Seen:
    """A `retry` in afterExecution is ignored."""
    ours = {run.place: run for run in situation.ours.runs}

    def undone(run: Run) -> Run:
        retry = situation.tasks[run.task].get("retry")
        own = ours.get(run.place)
        if run.task not in situation.after or not retry or not own or run.state != own.state:
            return run
        is_it = run.attempts == 1 and own.attempts == retry["maxAttempts"]
        tried = replace(run, attempts=own.attempts, tries=own.tries, history=own.history)
        return tried if is_it else run

    return _each_run(theirs, undone)


def _retry_of_a_handler(situation: Situation, theirs: Seen) -> Seen:
    """A `retry` in errors or finally of a flowable leaves the execution RETRYING without end."""
    known_there = {run.place for run in theirs.runs}
    tried = [
        run
        for run in situation.ours.runs
        if run.task in situation.inner
        and "retry" in situation.tasks[run.task]
        and run.attempts == 2
        and run.place not in known_there
    ]
    return situation.ours if theirs.state == "RETRYING" and tried else theirs


def _on_after_exit(situation: Situation, theirs: Seen) -> Seen:
    """After `Exit` in a flow with afterExecution, tasks that come later may still start, and those
    of afterExecution may be lost.
    """
    order = list(situation.tasks)
    exits = [order.index(run.task) for run in situation.ours.runs if _has_exited(situation, run)]
    if not situation.after or not exits:
        return theirs
    own = {run.place for run in situation.ours.runs}
    extra = {
        run
        for run in theirs.runs
        if run.place not in own
        and run.task not in situation.after
        and order.index(run.task) > min(exits)
    }
    there = {run.place for run in theirs.runs}
    lost = (own for own in situation.ours.runs if own.task in situation.after)
    rest = [run for run in theirs.runs if run not in extra]
    rest += [own for own in lost if own.place not in there]
    undone = _each_run(replace(theirs, runs=tuple(rest)), lambda run: _heard(situation, run))
    if any(_has_exited(situation, run) and run.state == theirs.state for run in extra):
        return replace(undone, state=situation.ours.state, history=situation.ours.history)
    return undone


def _outputs_before_a_retry(situation: Situation, theirs: Seen) -> Seen:
    """Outputs are rendered when a task has failed that is tried again, and are kept at `Exit`."""
    ours = situation.ours
    was_tried = any(
        "retry" in situation.tasks[run.task]
        and run.attempts > 1
        and run.task not in situation.after
        for run in ours.runs
    )
    is_it = was_tried and not ours.outputs and any(_has_exited(situation, run) for run in ours.runs)
    return replace(theirs, outputs={}) if is_it else theirs


def _heard(situation: Situation, run: Run) -> Run:
    """Return our run for one of afterExecution that Kestra has sent off and lost."""
    is_lost = run.state in ("CREATED", "SUBMITTED") and run.attempts == 0
    if run.task not in situation.after or not is_lost:
        return run
    return next((own for own in situation.ours.runs if own.place == run.place), run)


def _has_exited(situation: Situation, run: Run) -> bool:
    is_exit = situation.has_type(run, "Exit") and run.task not in situation.after
    return is_exit and run.state in _ENDS_OF_EXIT


def _each_run(seen: Seen, undone: Callable[[Run], Run]) -> Seen:
    return replace(seen, runs=tuple(sorted(undone(run) for run in seen.runs)))


ROWS: Mapping[str, Callable[[Situation, Seen], Seen]] = {
    "a skipped flowable has outputs": _skipped_with_outputs,
    "rounds inside a ForEach count from the index": _rounds_in_a_loop,
    "Exit in afterExecution changes the state": _exit_after_the_end,
    "retry in afterExecution is ignored": _retry_after_the_end,
    "retry in errors or finally of a flowable never ends": _retry_of_a_handler,
    "outputs from before a retry stay after Exit": _outputs_before_a_retry,
    "tasks start after Exit": _on_after_exit,
}
