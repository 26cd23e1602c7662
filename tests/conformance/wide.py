"""Flows for the differential run that use what the plain ones leave out, each with what is done to
it.

What runs side by side never fails and waits for nothing, so that the order tells nothing. What
Kestra is known to do otherwise is left out too, so that what differs is new: see `_without_known`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]

NAMESPACE = "differential.wide"
_CORE = "io.kestra.plugin.core."
_FLOW = _CORE + "flow."
_INPUTS: list[Json] = [
    {"id": "text", "type": "STRING", "defaults": "b"},
    {"id": "number", "type": "INT", "defaults": 5},
    {"id": "data", "type": "JSON", "defaults": '{"list": ["x", "y"], "deep": {"n": 1}}'},
    {"id": "none", "type": "STRING", "required": False},
]
_VARIABLES: Json = {"deep": {"v": 3}, "list": [1, "two"], "rendered": "{{ inputs.text }}!"}
_ANYWHERE = (
    "{{ task.id }}",
    "{{ taskrun.value ?? parent.taskrun.value ?? 'none' }}",
    "{% for p in parents ?? [] %}{{ p.taskrun.value ?? '-' }};{% endfor %}",
    "{{ inputs.text }}-{{ inputs.number + 1 }}",
    "{{ inputs.data.list[0] }}{{ inputs.data.deep }}",
    "{{ inputs.none ?? 'nothing' }}",
    "{{ vars.deep.v }}{{ vars.list }}",
    "{{ vars.rendered }}|{{ render(vars.rendered) }}",
    "{{ labels.team }}",
    "{{ execution.state }}",
    "{{ taskrun.attemptsCount }}",
    "{{ taskrun.iteration ?? 'none' }}",
    "{{ flow.id }} {{ flow.namespace }}",
    "{{ trigger.flowId ?? 'no trigger' }}",
    "",
)
_FAULTY = ("{{ missing }}", "{{ outputs.nowhere.value }}", "{{ inputs.text | nofilter }}", "{{ 1 +")
_GOOD_VALUES: tuple[Any, ...] = (
    ["a", "b"],
    ["a", "b", "a"],
    [1, 2],
    [{"k": 1, "l": "x"}, {"k": 2}],
    '["x", "y"]',
    "[1, 2.5, true]",
    '[{"k": {"deep": [1]}}]',
    "{{ inputs.data.list }}",
    "{{ ['p', 'q'] }}",
    ["{{ inputs.text }}", "z"],
    [{"k": "{{ inputs.number }}"}],
    [],
    "[]",
)
_BAD_VALUES: tuple[Any, ...] = (
    ["a", None],
    "[null]",
    [True],
    [1.5],
    [["a"]],
    "no list",
    '{"a": 1}',
    "{{ missing }}",
)
_GOOD_CONDITIONS: tuple[Any, ...] = (
    "{{ true }}",
    "{{ false }}",
    True,
    False,
    "{{ inputs.number > 3 }}",
    "{{ inputs.text == 'a' }}",
    "{{ inputs.none }}",
    "{{ (taskrun.value ?? 'a') == 'a' }}",
    "0",
    "-0",
    "0.0",
    "no",
    "False",
    "null",
    "{{ inputs.data.list }}",
    " false ",
    "{{ null }}",
)
_STATES = ("SUCCESS", "WARNING", "FAILED", "CANCELLED")


@dataclass(frozen=True)
class Place:
    """Where a task is written, and so what it may do and name."""

    depth: int
    calm: bool = False  # it runs beside others
    loops: int = 0
    direct: bool = False  # the loop is right around it
    handler: bool = False  # in errors, finally or afterExecution
    before: tuple[str, ...] = ()  # in the same list
    outer: tuple[str, ...] = ()  # before, outside of any loop

    def within(self, **changed: Any) -> Place:
        return replace(self, depth=self.depth - 1, before=(), direct=False, **changed)


@dataclass(frozen=True)
class Case:
    """A flow, those that it starts, and what is done to its execution; *more* start beside it."""

    flow: Json
    children: tuple[Json, ...] = ()
    steps: tuple[Json, ...] = ()
    more: int = 0


@dataclass
class Wide:
    """Makes one case from a seed; the same seed makes the same case."""

    seed: int
    count: int = 0
    children: list[Json] = field(default_factory=list)
    hangs: bool = False
    pauses: bool = False
    cancels: bool = False
    retries: bool = False  # for tasks inside of what is tried again
    steps: list[Json] = field(default_factory=list)
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(f"wide {self.seed}")

    # ── the whole

    def case(self) -> Case:
        if self.seed % 20 == 0:
            return self.crowd()
        self.steps = self.dice.choices(_STEPS, _STEP_WEIGHTS)[0]
        flow = self.flow(f"wide-{self.seed}", Place(depth=3 if self.seed % 3 == 0 else 2))
        steps = [{"do": "kill"}] if self.hangs else [] if self.pauses else self.steps
        return Case(flow, tuple(self.children), tuple(steps))

    def crowd(self) -> Case:
        """Return executions that are too many for the limit of their flow."""
        behavior = self.any_of(["QUEUE", "QUEUE", "CANCEL", "FAIL"])
        wait = {"id": "wait", "type": _FLOW + "Sleep", "duration": "PT3S"}
        flow = {
            "id": f"wide-{self.seed}",
            "namespace": NAMESPACE,
            "concurrency": {"limit": self.dice.randint(1, 2), "behavior": behavior},
            "inputs": _INPUTS,
            "variables": _VARIABLES,
            "tasks": [wait, *self.some(Place(0, calm=True), 2)],
        }
        for name in ("finally", *(["afterExecution"] if behavior == "QUEUE" else [])):
            if self.often(0.5):
                flow[name] = [self.plain(Place(0))]
        return Case(flow, more=2)

    def flow(self, flow_id: str, place: Place) -> Json:
        made: Json = {
            "id": flow_id,
            "namespace": NAMESPACE,
            "inputs": _INPUTS,
            "variables": _VARIABLES,
            "labels": {"team": "t", "own": flow_id},
            "tasks": self.some(place),
        }
        made["tasks"][0].pop("disabled", None)
        for name in self.lists_of_a_flow():
            if self.often(0.25):
                is_flat = name == "afterExecution" or self.steps
                made[name] = self.some(Place(0 if is_flat else 1, handler=True), 2)
        for name, chance in _OPTIONS.items():
            if self.often(chance) and self.may_have(name, made):
                made |= getattr(self, f"with_{name}")(made)
        return made

    def lists_of_a_flow(self) -> list[str]:
        """Return those that Kestra works off: not all after a retry or a cancelled pause."""
        if self.retries:
            return []
        return ["errors", "finally", *([] if self.cancels else ["afterExecution"])]

    def may_have(self, name: str, made: Json) -> bool:
        written = json.dumps(made)
        if name == "retry":
            return not any(f'"{each}": [' in written for each in ("errors", "finally"))
        return name != "listeners" or not ('"retry"' in written or self.cancels)

    def often(self, chance: float) -> bool:
        return self.dice.random() < chance

    def any_of(self, things: Sequence[Any]) -> Any:
        return self.dice.choice(things)

    # ── what a flow may have

    def with_outputs(self, made: Json) -> Json:
        leaves = [task["id"] for task in made["tasks"] if task["type"].endswith(".Return")]
        good: list[Any] = ["{{ execution.state }}", "{{ inputs.number }}", "{{ vars.deep.v }}"]
        good += [f"{{{{ outputs.{leaf}.value }}}}" for leaf in leaves]
        found = [
            {"id": "one", "type": "STRING", "value": self.any_of(good)},
            {"id": "two", "type": "STRING", "value": self.any_of([*good, *_FAULTY])},
            {"id": "n", "type": "INT", "value": self.any_of(["{{ inputs.number }}", "7", "x"])},
            {"id": "j", "type": "JSON", "value": self.any_of(['{"a": [1]}', "{{ inputs.data }}"])},
            {"id": "f", "type": "FLOAT", "value": "{{ inputs.number / 2 }}"},
            {"id": "b", "type": "BOOL", "value": "{{ inputs.number > 3 }}"},
        ]
        chosen = self.dice.sample(found, self.dice.randint(1, 3))
        for each in chosen:
            if self.often(0.4):
                each["required"] = False
        return {"outputs": chosen}

    def with_defaults(self, made: Json) -> Json:
        chosen = [
            {"type": _CORE + "debug.Return", "values": {"format": "by default"}},
            {"type": _CORE + "debug.Return", "forced": True, "values": {"format": "forced"}},
            {"type": _CORE + "debug", "values": {"description": "of a prefix"}},
            {"type": _CORE + "log.Log", "values": {"level": "WARN"}},
            {"type": _CORE + "execution.Fail", "values": {"allowFailure": True}},
            {"type": _FLOW + "ForEach", "values": {"concurrencyLimit": 1}},
        ]
        name = self.any_of(["pluginDefaults", "pluginDefaults", "taskDefaults"])
        return {name: self.dice.sample(chosen, self.dice.randint(1, 2))}

    def with_retry(self, made: Json) -> Json:
        return {"retry": self.retry()}

    def with_sla(self, made: Json) -> Json:
        asserted = self.any_of(["{{ true }}", "{{ labels.team == 't' }}", "{{ missing }}"])
        common = {"id": "s", "labels": {"sla": "missed"}}
        kinds = [
            {"type": "EXECUTION_ASSERTION", "behavior": "FAIL", "assert": asserted},
            {"type": "EXECUTION_ASSERTION", "behavior": "NONE", "assert": "{{ false }}"},
            {"type": "MAX_DURATION", "behavior": "FAIL", "duration": "PT1H"},
        ]
        return {"sla": [common | self.any_of(kinds)]}

    def with_listeners(self, made: Json) -> Json:
        condition = {"type": _CORE + "condition.ExecutionStatus", "in": [self.any_of(_STATES)]}
        one: Json = {"tasks": [self.plain(Place(0, handler=True))]}
        return {"listeners": [one | ({"conditions": [condition]} if self.often(0.7) else {})]}

    # ── tasks

    def some(self, place: Place, most: int = 3) -> list[Json]:
        made: list[Json] = []
        for _ in range(self.dice.randint(1, most)):
            task = self.node(place)
            made.append(task)
            if task["type"].endswith((".Return", ".OutputValues")) and not task.get("disabled"):
                outer = place.outer if place.loops else (*place.outer, task["id"])
                place = replace(place, before=(*place.before, task["id"]), outer=outer)
        return made

    def node(self, place: Place) -> Json:
        if place.depth <= 0 or self.often(0.5):
            return self.leaf(place)
        made = self.common(place)
        kind = self.any_of(_AROUND)
        made |= {"type": _FLOW + kind, **getattr(self, f"of_{kind}")(place)}
        for name in ("errors", "finally"):
            if self.often(0.15) and kind not in ("LoopUntil", "WaitFor", "WorkingDirectory"):
                made[name] = self.some(Place(0 if self.steps else 1, place.calm, handler=True), 2)
        if self.often(0.08) and not place.handler and '"errors"' not in json.dumps(made):
            made["retry"] = self.retry()
            self.retries = True
        return _without_known(kind, made)

    def common(self, place: Place) -> Json:
        self.count += 1
        made: Json = {"id": f"t{self.count}"}
        chances: dict[str, tuple[float, Callable[[], Any]]] = {
            "allowFailure": (0.1, lambda: True),
            "allowWarning": (0.06, lambda: True),
            "disabled": (0.04, lambda: True),
            "description": (0.05, lambda: "{{ not rendered }}"),
            "logLevel": (0.03, lambda: "WARN"),
            "runIf": (0.12, lambda: self.condition(place)),
        }
        return made | {
            name: make() for name, (chance, make) in chances.items() if self.often(chance)
        }

    def condition(self, place: Place) -> Any:
        if not place.calm and self.often(0.1):
            return self.any_of(_FAULTY)
        found = self.any_of(_GOOD_CONDITIONS)
        return "{{ true }}" if found is True else "{{ false }}" if found is False else found

    def leaf(self, place: Place) -> Json:
        kinds = _CALM_LEAVES if place.calm else _LEAVES
        kind = self.dice.choices(list(kinds), list(kinds.values()))[0]
        made = {**self.common(place), **getattr(self, f"leaf_{kind}")(place)}
        if made["type"].endswith((".Fail", ".Return")) and self.often(0.15):
            made.setdefault("retry", self.retry())
        if place.handler:
            made.pop("retry", None)
        if made["type"].endswith((".Labels", "Variables")):
            made.pop("allowFailure", None)
        if place.calm and made["type"].endswith(".Fail"):
            made["allowFailure"] = True
        return made

    def plain(self, place: Place) -> Json:
        return {**self.common(place), **self.leaf_return(place)}

    def text(self, place: Place) -> str:
        found = [self.any_of(_ANYWHERE)]
        if place.before:
            last = self.any_of(place.before)
            found += [f"{{{{ outputs.{last} }}}}", f"{{{{ tasks.{last}.state ?? 'none' }}}}"]
            if place.direct:
                found += [
                    f"{{{{ outputs.{last}[taskrun.value].value ?? 'other' }}}}",
                    f"{{{{ currentEachOutput(outputs.{last}).value ?? 'other' }}}}",
                ]
            elif place.loops:
                found.append(f"{{{{ outputs.{last}[parent.taskrun.value].value ?? 'other' }}}}")
        if place.outer:
            found.append(f"{{{{ outputs.{self.any_of(place.outer)}.value ?? 'no value' }}}}")
        return str(self.any_of(found))

    def leaf_return(self, place: Place) -> Json:
        return {"type": _CORE + "debug.Return", "format": self.text(place)}

    def leaf_values(self, place: Place) -> Json:
        values = {
            "s": self.text(place),
            "n": 1,
            "f": 2.5,
            "b": True,
            "m": {"deep": [1, "{{ inputs.text }}", {"x": None}]},
            "{{ inputs.text }}{{ 1 }}": "key",
        }
        names = self.dice.sample(list(values), 3)
        return {
            "type": _CORE + "output.OutputValues",
            "values": {name: values[name] for name in names},
        }

    def leaf_log(self, place: Place) -> Json:
        message = self.any_of([self.text(place), [self.text(place), "line"]])
        return {"type": _CORE + "log.Log", "message": message or "empty"}

    def leaf_fail(self, place: Place) -> Json:
        return {"type": _CORE + "execution.Fail"}

    def leaf_maybe(self, place: Place) -> Json:
        condition = self.any_of([*_GOOD_CONDITIONS[4:], *_FAULTY[:1]])
        return {"type": _CORE + "execution.Fail", "condition": condition}

    def leaf_flaky(self, place: Place) -> Json:
        """Return a task that fails until its second attempt."""
        condition = "{{ taskrun.attemptsCount < 1 }}"
        more = {"condition": condition, "retry": self.retry(attempts=3)}
        return {"type": _CORE + "execution.Fail", **more}

    def leaf_assert(self, place: Place) -> Json:
        conditions = [self.any_of(["{{ inputs.number > 3 }}", "{{ inputs.number > 9 }}", "0"])]
        return {"type": _CORE + "execution.Assert", "conditions": conditions}

    def leaf_faulty(self, place: Place) -> Json:
        return {"type": _CORE + "debug.Return", "format": self.any_of(_FAULTY)}

    def leaf_exit(self, place: Place) -> Json:
        return {"type": _CORE + "execution.Exit", "state": self.any_of(_STATES)}

    def leaf_labels(self, place: Place) -> Json:
        labels: Any = self.any_of(
            [{"team": "{{ inputs.text }}"}, [{"key": "new", "value": "v"}], '{"json": "{{ 1 }}"}']
        )
        return {"type": _CORE + "execution.Labels", "labels": labels}

    def leaf_variables(self, place: Place) -> Json:
        variables: Any = self.any_of(
            [{"deep": {"w": "{{ inputs.text }}"}}, {"list": [3]}, {"new": 1}, {"deep": {"v": 4}}]
        )
        return {"type": _CORE + "execution.SetVariables", "variables": variables}

    def leaf_unset(self, place: Place) -> Json:
        names = [self.any_of(["deep", "deep.v", "list"])]
        more = {"variables": names, "ignoreMissing": True}
        return {"type": _CORE + "execution.UnsetVariables", **more}

    def leaf_late(self, place: Place) -> Json:
        return {"type": _FLOW + "Sleep", "duration": "PT5S", "timeout": "PT0.3S"}

    def leaf_sleep(self, place: Place) -> Json:
        return {"type": _FLOW + "Sleep", "duration": "PT0.2S"}

    def leaf_hang(self, place: Place) -> Json:
        if self.hangs or self.pauses or place.handler:
            return self.leaf_return(place)
        self.hangs = True
        return {"type": _FLOW + "Sleep", "duration": "PT1M"}

    def leaf_pause(self, place: Place) -> Json:
        if self.hangs or place.handler:
            return self.leaf_return(place)
        made: Json = {"type": _FLOW + "Pause"}
        kind = self.dice.randrange(4)
        if kind == 0:
            self.pauses = True
            made["onResume"] = [{"id": "note", "type": "STRING", "defaults": "none"}]
        elif kind == 1:
            made |= {"timeout": "PT0.4S"}
        else:
            made[self.any_of(["pauseDuration", "pauseDuration", "delay"])] = "PT0.4S"
            made["behavior"] = self.any_of(["RESUME", "WARN", "CANCEL", "FAIL"])
        if self.steps and (kind == 1 or made.get("behavior") == "FAIL"):
            return self.leaf_return(place)
        if made.get("behavior") == "CANCEL":
            self.cancels = True
            return made
        if self.often(0.25):
            made["tasks"] = [self.plain(Place(0))]
        if self.often(0.15):
            made["errors"] = [self.plain(Place(0, handler=True))]
        if self.often(0.3) and not made.keys() & {"tasks", "errors"}:
            made["onPause"] = {**self.leaf_log(Place(0)), "id": f"t{self.count}p"}
        return made

    def leaf_subflow(self, place: Place) -> Json:
        if len(self.children) >= 2 or place.depth < 0 or self.hangs:
            return self.leaf_return(place)
        child_id = f"wide-{self.seed}-child-{len(self.children) + 1}"
        child: Json = {"id": child_id}
        self.children.append(child)
        before = (self.hangs, self.pauses)
        self.hangs = self.pauses = True
        child |= self.flow(child_id, Place(1, calm=place.calm))
        child.pop("concurrency", None)
        self.hangs, self.pauses = before
        made: Json = {"type": _FLOW + "Subflow", "namespace": NAMESPACE, "flowId": child_id}
        made["wait"] = not self.often(0.1)
        made["transmitFailed"] = not place.calm and self.often(0.7)
        if self.often(0.5):
            made["inputs"] = {"text": self.any_of(["{{ taskrun.value ?? 'given' }}", "given"])}
        if self.often(0.3):
            made["labels"] = {"from-parent": "{{ flow.id }}"}
        if self.often(0.3):
            made["inheritLabels"] = True
        return made

    def retry(self, attempts: int | None = None) -> Json:
        interval = "PT0.1S"
        made: Json = self.any_of(
            [
                {"type": "constant", "interval": interval},
                {"type": "exponential", "interval": interval, "maxInterval": "PT0.4S"},
                {"type": "random", "minInterval": interval, "maxInterval": "PT0.2S"},
            ]
        )
        made["maxAttempts"] = attempts or self.dice.randint(1, 3)
        if self.often(0.2):
            made["warningOnRetry"] = True
        if self.often(0.1):
            made["maxDuration"] = "PT1M"
        return made

    # ── around tasks

    def of_Sequential(self, place: Place) -> Json:
        return {"tasks": self.some(place.within())}

    of_AllowFailure = of_Sequential

    def of_Parallel(self, place: Place) -> Json:
        limit = self.any_of([0, 1, 2, "{{ 2 }}"])
        return {"tasks": self.beside(place), "concurrent": limit}

    def beside(self, place: Place, **changed: Any) -> list[Json]:
        """Return tasks that run side by side, and so do not see each other."""
        inside = place.within(calm=True, **changed)
        return [self.node(inside) for _ in range(self.dice.randint(1, 3))]

    def of_Dag(self, place: Place) -> Json:
        tasks = self.beside(place)
        made = []
        for at, task in enumerate(tasks):
            task.pop("disabled", None)
            before = [tasks[n]["id"] for n in range(at) if self.often(0.5)]
            made.append({"task": task, "dependsOn": before} if before else {"task": task})
        return {"tasks": made}

    def of_If(self, place: Place) -> Json:
        bad = not place.calm and self.often(0.08)
        condition = self.any_of(_FAULTY) if bad else self.any_of(_GOOD_CONDITIONS)
        made = {"condition": condition, "then": self.some(self.kept(place), 2)}
        return made | ({"else": self.some(self.kept(place), 2)} if self.often(0.7) else {})

    def of_Switch(self, place: Place) -> Json:
        made: Json = {
            "value": self.any_of(["{{ inputs.text }}", "{{ taskrun.value ?? 'a' }}", "c", 1, True]),
            "cases": {
                key: self.some(self.kept(place), 2)
                for key in self.any_of([("a", "b"), ("1", "true"), ("b",)])
            },
        }
        if place.calm or self.often(0.7):
            made["defaults"] = self.some(self.kept(place), 2)
        return made

    def kept(self, place: Place) -> Place:
        """Return a place inside that is not in another loop."""
        return place.within()

    def values(self, place: Place) -> Any:
        return self.any_of(_GOOD_VALUES if place.calm or self.often(0.85) else _BAD_VALUES)

    def looped(self, place: Place, *, calm: bool) -> list[Json]:
        inside = replace(place.within(), loops=place.loops + 1, calm=calm, direct=True)
        tasks = self.some(inside)
        if calm:
            for task in tasks:
                task.pop("disabled", None)
        return tasks

    def of_ForEach(self, place: Place) -> Json:
        limit = self.any_of([1, 1, 1, 0, 2])
        tasks = self.looped(place, calm=place.calm or limit != 1)
        return {"values": self.values(place), "concurrencyLimit": limit, "tasks": tasks}

    def of_EachSequential(self, place: Place) -> Json:
        return {"value": self.values(place), "tasks": self.looped(place, calm=place.calm)}

    def of_EachParallel(self, place: Place) -> Json:
        inside = replace(place.within(), loops=place.loops + 1, calm=True, direct=True)
        tasks = [self.node(inside) for _ in range(self.dice.randint(1, 2))]
        return {"value": self.values(place), "concurrent": self.any_of([0, 2]), "tasks": tasks}

    def of_LoopUntil(self, place: Place) -> Json:
        """Return a loop that Kestra can bring to its end: alone, and no task in it fails."""
        own = self.count
        most = self.dice.randint(1, 3)
        done = f"{{{{ outputs.t{own}.iterationCount >= {most} }}}}"
        inside = replace(place.within(), depth=0, calm=True)
        tasks = [self.plain(inside) for _ in range(self.dice.randint(1, 2))]
        for task in tasks:
            task.pop("disabled", None)
        return {
            "tasks": tasks,
            "condition": self.any_of([done if not place.loops else "{{ true }}", "{{ true }}"]),
            "checkFrequency": {"interval": "PT0.1S", "maxIterations": 3},
        }

    of_WaitFor = of_LoopUntil

    def of_Items(self, place: Place) -> Json:
        """Return a file and a subflow for each batch of its lines."""
        if place.loops:  # its address hangs on the values around it
            return {"type": _FLOW + "Sequential", "tasks": [self.plain(place.within())]}
        number = len(self.children) + 1
        child_id = f"wide-{self.seed}-child-{number}"
        tasks = [self.plain(Place(0)), self.any_of([self.plain, self.leaf])(Place(0, calm=True))]
        child = {"id": child_id, "namespace": NAMESPACE, "inputs": _INPUTS, "tasks": tasks}
        if self.often(0.6):
            child["outputs"] = [{"id": "o", "type": "STRING", "value": "{{ inputs.text }}"}]
        if self.often(0.3) and not place.calm:
            fail = {"type": _CORE + "execution.Fail", "condition": "{{ inputs.number == 1 }}"}
            tasks.append({**self.common(Place(0, calm=True)), **fail})
        self.children.append({**child, "labels": {"team": "t"}, "variables": _VARIABLES})
        write = {"type": _CORE + "storage.Write", "content": self.any_of(["a\nb\nc\n", "a\n"])}
        at = f"t{self.count}w"
        each: Json = {
            "id": f"t{self.count}each",
            "type": _FLOW + "ForEachItem",
            "items": f"{{{{ outputs.{at}.uri }}}}",
            "batch": self.any_of([{"rows": 1}, {"rows": 2}, {"partitions": 2}]),
            "namespace": NAMESPACE,
            "flowId": child_id,
            "inputs": {"number": "{{ taskrun.iteration }}", "text": "{{ read(taskrun.items) }}"},
            "transmitFailed": not place.calm and self.often(0.6),
            "wait": not self.often(0.1),
        }
        return {"type": _FLOW + "Sequential", "tasks": [{"id": at, **write}, each]}

    def of_WorkingDirectory(self, place: Place) -> Json:
        inside = replace(place.within(), depth=0)
        kinds = ("return", "log", "values") if place.calm else ("return", "log", "values", "fail")
        tasks = []
        for _ in range(self.dice.randint(1, 3)):
            make = getattr(self, f"leaf_{self.any_of(kinds)}")
            made = {**self.common(inside), **make(inside)}
            tasks.append(made | ({"allowFailure": True} if "Fail" in made["type"] else {}))
        return {"tasks": tasks}


def _without_known(kind: str, made: Json) -> Json:
    """Leave out what Kestra does otherwise, by the rows of docs/explanation/compatibility.md."""
    values = made.get("values", made.get("value"))
    if values in ([], "[]") or (kind == "If" and "else" not in made):
        made.pop("finally", None)
    if values in _BAD_VALUES or made.get("condition") in _FAULTY:
        made.pop("allowFailure", None)
    if kind == "WorkingDirectory":
        made.pop("retry", None)
    return made


_AROUND = (
    *("Sequential", "Parallel", "ForEach", "ForEach", "If", "If", "Switch", "Dag"),
    *("AllowFailure", "EachSequential", "EachParallel", "LoopUntil", "WaitFor", "WorkingDirectory"),
    "Items",
)
_LEAVES = {
    "return": 30, "log": 6, "values": 8, "fail": 6, "maybe": 4, "flaky": 4, "assert": 2,
    "faulty": 2, "exit": 2, "labels": 3, "variables": 3, "unset": 1, "late": 1, "sleep": 2,
    "hang": 1, "pause": 4, "subflow": 5,
}  # fmt: skip
_CALM_LEAVES = {"return": 30, "log": 6, "values": 8, "sleep": 3, "fail": 2, "flaky": 2}
_OPTIONS = {
    "outputs": 0.5,
    "defaults": 0.15,
    "retry": 0.08,
    "sla": 0.1,
    "listeners": 0.1,
}
_STEPS: tuple[list[Json], ...] = (
    [],
    [{"do": "restart"}],
    [{"do": "replay"}],
    [{"do": "replay", "from": 0.5}],
    [{"do": "state", "from": 0.5, "to": "SUCCESS"}],
    [{"do": "state", "from": 0.3, "to": "FAILED"}],
    [{"do": "restart"}, {"do": "restart"}],
)
_STEP_WEIGHTS = (10, 3, 1, 3, 1, 1, 1)
