"""A flow or an execution as Kestra's graph of nodes, edges and clusters (rest-api §9.12). Pure.

A *uid* is the dotted path of ids from ``root``. A flowable task is a cluster: a start, its own
node, the children and an end; edges go to the start and leave from the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runner.model.execution import Execution, TaskRun
from runner.model.flow import Flow, Task, TaskKind, Trigger
from runner.services import shapes

Json = dict[str, Any]

_MODELS = "io.kestra.core.models.hierarchies."
_SUBFLOW = "io.kestra.plugin.core.flow.Subflow"
_CHOICES = ("If", "Switch")
_LOOPS = ("ForEach", "EachSequential", "EachParallel")
_RELATIONS = {
    "Parallel": "PARALLEL",
    "Dag": "DYNAMIC",
    "If": "CHOICE",
    "Switch": "CHOICE",
    **dict.fromkeys(_LOOPS, "DYNAMIC"),
}
_TAIL = ("errors", "finally", "afterExecution")


def of_flow(flow: Flow) -> Json:
    """Return the graph of a flow, its triggers included."""
    builder = _Builder({}, None)
    builder.add_flow(flow)
    builder.add_triggers(flow)
    return builder.shape()


def of_execution(flow: Flow, execution: Execution, runs: Sequence[TaskRun], now: datetime) -> Json:
    """Return the graph of an execution: nodes carry their task runs, loops have their values."""
    by_task: dict[str, list[TaskRun]] = {}
    for run in runs:
        by_task.setdefault(run.task_id, []).append(run)
    builder = _Builder(by_task, lambda run: shapes.task_run(run, execution, now=now))
    builder.add_flow(flow)
    return builder.shape()


@dataclass
class _Cluster:
    """Where nodes are being added: its path, its ends, and its uid (None: the flow itself)."""

    path: str
    start: str
    end: str
    uid: str | None = None
    parents: tuple[str, ...] = ()
    nodes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Link:
    """A node that a following one hangs on, and the relation of that edge."""

    source: str
    relation: str | None = None
    value: str | None = None


class _Builder:
    """Collects the parts. Local to one call."""

    def __init__(self, runs: Mapping[str, Sequence[TaskRun]], show_run: Any) -> None:
        self._runs = runs
        self._show_run = show_run
        self._nodes: list[Json] = []
        self._edges: list[Json] = []
        self._clusters: list[Json] = []
        self._flowables: list[str] = []
        self._marks = 0

    def shape(self) -> Json:
        """Return the graph."""
        return {
            "nodes": self._nodes,
            "edges": self._edges,
            "clusters": self._clusters,
            "flowables": self._flowables,
        }

    def add_flow(self, flow: Flow) -> None:
        """Add the flow's tasks and its other lists."""
        root = self._open("root")
        self._root = root
        sink, closing = self._tail(root, flow.lists, None)
        last = self._sequence(root, flow.enabled("tasks"), [_Link(root.start)], None, None)
        self._lead(last, sink)
        self._errors(root, flow.enabled("errors"), sink, None)
        closing()

    def add_triggers(self, flow: Flow) -> None:
        """Add a cluster with the triggers, leading to the flow's start."""
        if not flow.triggers:
            return
        cluster = self._open("root.Triggers", uid="cluster_root.Triggers")
        for trigger in flow.triggers:
            uid = f"root.Triggers.{trigger.id}"
            self._node(cluster, uid, "GraphTrigger", triggerDeclaration=_declared(trigger))
            self._edge(_Link(cluster.start), uid)
            self._edge(_Link(uid), cluster.end)
        self._edge(_Link(cluster.end), self._root.start)
        self._close(cluster, None, None)

    # ── lists

    def _sequence(
        self,
        cluster: _Cluster,
        tasks: Iterable[Task],
        links: list[_Link],
        parent: TaskRun | None,
        value: str | None,
        branch: str | None = None,
    ) -> list[_Link]:
        """Add tasks one after another; return what the next one hangs on."""
        relation = branch or "SEQUENTIAL"
        for task in tasks:
            entry, leave = self._task(cluster, task, links[0].relation, parent, value, branch)
            self._lead(links, entry)
            links = [_Link(leave, relation)]
        return [_Link(link.source) for link in links] if links else links

    def _task(
        self,
        cluster: _Cluster,
        task: Task,
        relation: str | None,
        parent: TaskRun | None,
        value: str | None,
        branch: str | None,
    ) -> tuple[str, str]:
        """Add a task; return where edges enter and leave it."""
        uid = f"{cluster.path}.{task.id}" + (f"_{value}" if value is not None else "")
        run = self._run(task, parent, value)
        more = _without_none(
            {
                "task": {"id": task.id, "type": task.type},
                "relationType": relation,
                "taskRun": self._show_run(run) if run else None,
                "values": [value] if value is not None else None,
                "branchType": branch,
                "error": True if branch == "ERROR" else None,
            }
        )
        if task.kind is TaskKind.FLOWABLE and task.children:
            return self._flowable(cluster, task, uid, run, more)
        kind = "SubflowGraphTask" if task.type == _SUBFLOW else "GraphTask"
        self._node(cluster, uid, kind, **more)
        return uid, uid

    def _flowable(
        self, around: _Cluster, task: Task, uid: str, run: TaskRun | None, more: Json
    ) -> tuple[str, str]:
        parents = (*around.parents, *((around.uid,) if around.uid else ()))
        self._flowables.append(uid)
        name = task.type.rpartition(".")[2]
        relation = _RELATIONS.get(name, "SEQUENTIAL")
        cluster = self._open(uid, uid=f"cluster_{uid}", parents=parents)
        own = self._node(cluster, uid, "GraphTask", **more)
        self._edge(_Link(cluster.start), uid)
        sink, closing = self._tail(cluster, task.children, run)
        for links, tasks, value in self._branches(task, name, uid, relation, run):
            last = self._sequence(cluster, tasks, links, run, value)
            self._lead(last, sink)
        self._errors(cluster, task.enabled("errors"), sink, run)
        closing()
        self._close(cluster, relation, own)
        return cluster.start, cluster.end

    def _branches(
        self, task: Task, name: str, uid: str, relation: str, run: TaskRun | None
    ) -> Iterable[tuple[list[_Link], Sequence[Task], str | None]]:
        """The lists that hang on a flowable's own node: cases, tasks side by side, values."""
        if name in _CHOICES:
            for list_name in task.children:
                if list_name not in _TAIL:
                    case = list_name.removeprefix("cases.")
                    yield [_Link(uid, relation, case)], task.enabled(list_name), None
        elif name in ("Parallel", "Dag"):
            for child in task.enabled("tasks"):
                yield [_Link(uid, relation)], (child,), None
        else:
            for value in self._values(task, name, run):
                yield [_Link(uid, relation)], task.enabled("tasks"), value

    def _tail(
        self, cluster: _Cluster, lists: Mapping[str, Sequence[Task]], run: TaskRun | None
    ) -> tuple[str, Any]:
        """Where the main list leads to: ``finally``, ``afterExecution`` or the end.

        The second value adds those lists, when all before them is there.
        """
        chain: list[tuple[str, Sequence[Task], str]] = []
        for name, kind, relation in (
            ("finally", "Finally", "FINALLY"),
            ("afterExecution", "AfterExecution", "AFTER_EXECUTION"),
        ):
            tasks = [task for task in lists.get(name, ()) if not task.disabled]
            if tasks:
                chain.append((self._mark(cluster, kind), tasks, relation))
        sinks = [mark for mark, _, _ in chain] + [cluster.end]

        def closing() -> None:
            for (mark, tasks, relation), following in zip(chain, sinks[1:], strict=True):
                links = [_Link(mark, relation)]
                last = self._sequence(cluster, tasks, links, run, None, relation)
                self._lead(last, following)

        return sinks[0], closing

    def _errors(
        self, cluster: _Cluster, tasks: Sequence[Task], sink: str, run: TaskRun | None
    ) -> None:
        if tasks:
            links = [_Link(cluster.start, "ERROR")]
            self._lead(self._sequence(cluster, tasks, links, run, None, "ERROR"), sink)

    # ── parts

    def _run(self, task: Task, parent: TaskRun | None, value: str | None) -> TaskRun | None:
        for run in self._runs.get(task.id, ()):
            fits_parent = parent is None or run.parent_id == parent.id
            if fits_parent and (value is None or run.value == value):
                return run
        return None

    def _values(self, task: Task, name: str, run: TaskRun | None) -> Sequence[str | None]:
        """The values that a loop has runs for; one nameless otherwise."""
        if name not in _LOOPS or run is None:
            return [None]
        found: dict[str, None] = {}
        for child in task.enabled("tasks"):
            for each in self._runs.get(child.id, ()):
                if each.parent_id == run.id and each.value is not None:
                    found[each.value] = None
        return list(found) or [None]

    def _open(self, path: str, uid: str | None = None, parents: tuple[str, ...] = ()) -> _Cluster:
        self._marks += 1
        start, end = f"{path}.root-{self._marks}", f"{path}.end-{self._marks}"
        cluster = _Cluster(path, start, end, uid, parents)
        self._node(cluster, start, "GraphClusterRoot")
        self._node(cluster, end, "GraphClusterEnd")
        return cluster

    def _close(self, cluster: _Cluster, relation: str | None, own: Json | None) -> None:
        named = _without_none(
            {
                "uid": cluster.uid,
                "type": f"{_MODELS}GraphCluster",
                "relationType": relation,
                "taskNode": {"uid": own["uid"], "type": own["type"]} if own else None,
            }
        )
        self._clusters.append(
            {
                "cluster": named,
                "nodes": cluster.nodes,
                "parents": list(cluster.parents),
                "start": cluster.start,
                "end": cluster.end,
            }
        )

    def _mark(self, cluster: _Cluster, kind: str) -> str:
        self._marks += 1
        uid = f"{cluster.path}.{kind[0].lower()}{kind[1:]}-{self._marks}"
        self._node(cluster, uid, f"GraphCluster{kind}")
        return uid

    def _node(self, cluster: _Cluster, uid: str, kind: str, **more: Any) -> Json:
        node = {"uid": uid, "type": _MODELS + kind, **more}
        self._nodes.append(node)
        cluster.nodes.append(uid)
        return node

    def _lead(self, links: Iterable[_Link], target: str) -> None:
        for link in links:
            self._edge(link, target)

    def _edge(self, link: _Link, target: str) -> None:
        relation = _without_none({"relationType": link.relation, "value": link.value})
        self._edges.append({"source": link.source, "target": target, "relation": relation})


def _declared(trigger: Trigger) -> Json:
    return {"id": trigger.id, "type": trigger.type, "disabled": trigger.disabled}


def _without_none(shape: Json) -> Json:
    return {key: value for key, value in shape.items() if value is not None}
