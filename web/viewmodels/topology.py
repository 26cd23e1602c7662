"""The tasks of a flow as a graph: what follows what, and how far a run has come. Pure.

The page has it as a nested list, which reads without script; an island draws it from there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from runner.model.execution import TaskRun
from runner.model.flow import Flow, Task
from runner.model.states import State
from web.viewmodels import parts, words

_Place = Callable[[str, TaskRun | None], str]
_Named = Callable[[str], Sequence[Task]]

_MOST_TASKS = 120
"""With more, groups are shown as one box each."""

_ID = re.compile(r"""\bid:\s*["']?([\w.-]+)""")
_WORST = (State.FAILED, State.KILLED, State.RUNNING, State.PAUSED, State.RETRYING, State.WARNING)
_SIDE_BY_SIDE = ("Parallel", "Dag")
_CHOICES = ("If", "Switch")
_KINDS = {"ForEach": "for each", "EachSequential": "for each", "EachParallel": "for each"}
_TAIL = ("errors", "finally", "afterExecution")
_MARKS = {"errors": "on error", "finally": "finally", "afterExecution": "after all"}


@dataclass(frozen=True, slots=True)
class Node:
    """One task."""

    key: str
    name: str
    sub: str
    href: str
    shown: words.Shown | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A task with tasks inside. *label*: its id and what it does with them."""

    key: str
    label: str
    items: tuple[Node | Group, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """What follows what; *off*: the run has not gone there."""

    source: str
    target: str
    label: str = ""
    off: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """The whole graph. *joints* are points where many edges meet."""

    items: tuple[Node | Group, ...]
    edges: tuple[Edge, ...]
    joints: tuple[str, ...]
    said: str

    @property
    def data(self) -> str:
        """The edges and joints for the island, as JSON: lists of source, target, label, off."""
        edges = [[each.source, each.target, each.label, each.off] for each in self.edges]
        return json.dumps({"edges": edges, "joints": self.joints}, separators=(",", ":"))


def of_flow(flow: Flow, source: str, href: str) -> Topology:
    """Return the tasks of a flow; each leads to its line in the *source* that *href* shows."""
    lines = {match[1]: number for number, match in _named_lines(source)}

    def place(task_id: str, _: TaskRun | None) -> str:
        return f"{href}#l{lines[task_id]}" if task_id in lines else href

    return _Builder(flow, {}, None, place).build()


def _named_lines(source: str) -> Iterable[tuple[int, re.Match[str]]]:
    for number, line in enumerate(source.splitlines(), 1):
        for match in _ID.finditer(line):
            yield number, match


def of_execution(flow: Flow, runs: Sequence[TaskRun], now: datetime, href: str) -> Topology:
    """Return the tasks with what became of them; each leads to its run on the page *href*."""
    by_task: dict[str, list[TaskRun]] = {}
    for run in runs:
        by_task.setdefault(run.task_id, []).append(run)

    def place(_: str, run: TaskRun | None) -> str:
        return f"{href}?task={run.id}" if run else href

    return _Builder(flow, by_task, now, place).build()


@dataclass
class _Ends:
    """Where edges enter and leave a part of the graph."""

    entries: list[str] = field(default_factory=list)
    exits: list[str] = field(default_factory=list)


class _Builder:
    """Collects the parts. Local to one call; *now* is None for a flow without a run."""

    def __init__(
        self,
        flow: Flow,
        runs: Mapping[str, Sequence[TaskRun]],
        now: datetime | None,
        place: _Place,
    ) -> None:
        self._flow, self._runs, self._now, self._place = flow, runs, now, place
        self._edges: list[Edge] = []
        self._joints: list[str] = []
        self._nodes: dict[str, Node] = {}
        tasks = [each for some in flow.lists.values() for task in some for each in task.walk()]
        count = sum(not task.disabled for task in tasks)
        self._folds = count > _MOST_TASKS
        self._said = words.many(count, "task")

    def build(self) -> Topology:
        items, _ = self._lists(self._flow.enabled, self._flow.enabled("tasks"))
        edges = tuple(
            Edge(each.source, each.target, each.label, self._is_off(each)) for each in self._edges
        )
        return Topology(tuple(items), edges, tuple(self._joints), self._said)

    def _is_off(self, edge: Edge) -> bool:
        node = self._nodes.get(edge.target)
        return self._now is not None and node is not None and node.state is None

    # ── lists

    def _lists(self, named: _Named, tasks: Sequence[Task]) -> tuple[list[Node | Group], _Ends]:
        """Return a main list and those that come after it."""
        return self._with_tail(named, *self._sequence(tasks))

    def _with_tail(
        self, named: _Named, items: list[Node | Group], ends: _Ends
    ) -> tuple[list[Node | Group], _Ends]:
        for name in _TAIL:
            more = named(name)
            if not more:
                continue
            after, its = self._sequence(more)
            before = self._failed(items) if name == "errors" else []
            self._lead(before or ends.exits, its.entries, _MARKS[name])
            items = [*items, *after]
            if name == "errors":
                ends = _Ends(ends.entries, [*([] if before else ends.exits), *its.exits])
            else:
                ends = _Ends(ends.entries, its.exits)
        return items, ends

    def _failed(self, items: Iterable[Node | Group]) -> list[str]:
        """The tasks of a list that failed, where its ``errors`` came from."""
        found: list[str] = []
        for item in items:
            if isinstance(item, Group):
                found += self._failed(item.items)
            elif item.state is State.FAILED:
                found.append(item.key)
        return found

    def _sequence(self, tasks: Sequence[Task]) -> tuple[list[Node | Group], _Ends]:
        items: list[Node | Group] = []
        ends = _Ends()
        for task in tasks:
            item, its = self._task(task)
            items.append(item)
            if ends.exits:
                self._lead(ends.exits, its.entries)
            else:
                ends.entries = its.entries
            ends.exits = its.exits
        return items, ends

    def _task(self, task: Task) -> tuple[Node | Group, _Ends]:
        has_tasks = any(task.enabled(name) for name in task.children)
        if self._folds or not has_tasks:
            self._nodes[task.id] = node = self._node(task, has_tasks)
            return node, _Ends([task.id], [task.id])
        name = task.type.rpartition(".")[2]
        items, ends = self._inside(task, name)
        kind = _KINDS.get(name, _spaced(name))
        return Group(task.id, f"{task.id}, {kind}{self._told(task)}", tuple(items)), ends

    def _inside(self, task: Task, name: str) -> tuple[list[Node | Group], _Ends]:
        if name in _CHOICES:
            return self._cases(task)
        if name in _SIDE_BY_SIDE:
            return self._side_by_side(task)
        return self._lists(task.enabled, task.enabled("tasks"))

    def _cases(self, task: Task) -> tuple[list[Node | Group], _Ends]:
        """The lists of a choice: all begin at one point, each with its name."""
        items: list[Node | Group] = []
        start = f"{task.id}:"
        ends = _Ends([start])
        self._joints.append(start)
        for name in task.children:
            tasks = task.enabled(name)
            if name in _TAIL or not tasks:
                continue
            some, its = self._sequence(tasks)
            self._lead([start], its.entries, name.removeprefix("cases."))
            items += some
            ends.exits += its.exits
        if task.type.endswith(".If") and not task.enabled("else"):
            ends.exits.append(start)
        return self._with_tail(task.enabled, items, ends)

    def _side_by_side(self, task: Task) -> tuple[list[Node | Group], _Ends]:
        children = task.enabled("tasks")
        made = {child.id: self._task(child) for child in children}
        ends = _Ends()
        waited_for = {name for child in children for name in child.depends_on}
        for child in children:
            before = [name for name in child.depends_on if name in made]
            for name in before:
                self._lead(made[name][1].exits, made[child.id][1].entries)
            if not before:
                ends.entries += made[child.id][1].entries
            if child.id not in waited_for:
                ends.exits += made[child.id][1].exits
        return self._with_tail(task.enabled, [item for item, _ in made.values()], ends)

    def _lead(self, sources: Sequence[str], targets: Sequence[str], label: str = "") -> None:
        """Join all of them; many with many through one point."""
        if len(sources) > 2 and len(targets) > 2:
            joint = f"joint:{len(self._joints)}"
            self._joints.append(joint)
            self._lead(sources, [joint], label)
            self._lead([joint], targets)
            return
        self._edges += [Edge(source, target, label) for source in sources for target in targets]

    # ── one task

    def _node(self, task: Task, has_tasks: bool) -> Node:
        runs = self._runs.get(task.id, ())
        state = _state(runs)
        kind = ".".join(task.type.split(".")[-2:])
        shown = words.shown(state or State.CREATED) if self._now is not None else None
        sub = kind
        if has_tasks:
            sub = f"{kind}, {words.many(len(list(task.walk())) - 1, 'task')}"
        if self._now is not None:
            sub = f"{sub}, {self._became(runs)}" if runs else "not reached"
        href = self._place(task.id, runs[-1] if runs else None)
        return Node(task.id, task.id, sub, href, shown, state)

    def _became(self, runs: Sequence[TaskRun]) -> str:
        if len(runs) > 1:
            ended = sum(run.state.is_terminal for run in runs)
            return f"{words.number(ended)} of {words.number(len(runs))}"
        (run,) = runs
        if len(run.attempts) > 1:
            return words.many(len(run.attempts), "try", "tries")
        assert self._now is not None
        return words.clock((parts.ended_at(run) or self._now) - run.history[0][1])

    def _told(self, task: Task) -> str:
        state = _state(self._runs.get(task.id, ()))
        if state is None or state is State.SUCCESS:
            return ""
        return f", {words.shown(state).word.lower()}"


def _state(runs: Sequence[TaskRun]) -> State | None:
    """The state that matters most among the runs of one task."""
    states = {run.state for run in runs}
    for state in _WORST:
        if state in states:
            return state
    return runs[-1].state if runs else None


def _spaced(name: str) -> str:
    """Return a type's name in small words: ``WorkingDirectory`` as ``working directory``."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
