"""Runs generated flows on two servers and compares how they end.

    python -m tests.conformance.differential --kestra http://… --ours http://… --count 500 --seed 1

Both speak Kestra's REST API. Known differences (see `differences`) are counted by row; a new one is
printed with its seed, if it is there a second time, and its flow is left in --keep.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from .differences import Run, Seen, known

NAMESPACE = "differential"
_FLOW = "io.kestra.plugin.core.flow."
_KINDS = (
    *("Sequential", "Parallel", "ForEach", "If", "Switch", "Dag", "AllowFailure"),
    *("LoopUntil", "Limited"),
)
_ENDED = {"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED"}
_SECONDS = 20.0

Json = dict[str, Any]


@dataclass
class Generator:
    """Makes one flow from a seed; the same seed makes the same flow."""

    seed: int
    count: int = 0
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def flow(self) -> Json:
        made: Json = {
            "id": f"flow-{self.seed}",
            "namespace": NAMESPACE,
            "tasks": self.some(3),
            "outputs": [{"id": "state", "type": "STRING", "value": "{{ execution.state }}"}],
        }
        for name in ("errors", "finally", "afterExecution"):
            if self.dice.random() < 0.3:
                made[name] = [self.leaf()]
        return made

    def some(self, depth: int) -> list[Json]:
        return [self.node(depth) for _ in range(self.dice.randint(1, 3))]

    def node(self, depth: int) -> Json:
        if depth == 0 or self.dice.random() < 0.5:
            return self.leaf()
        kind = self.dice.choice(_KINDS)
        made = {**self.common(), "type": _FLOW + kind, **getattr(self, f"of_{kind}")(depth - 1)}
        for name in ("errors", "finally"):
            if self.dice.random() < 0.2 and kind != "LoopUntil":
                made[name] = [self.leaf()]
        return made

    def leaf(self) -> Json:
        made = self.common()
        choice = self.dice.random()
        if choice < 0.15:
            made |= {"type": "io.kestra.plugin.core.execution.Fail"}
        elif choice < 0.2:
            made |= {"type": "io.kestra.plugin.core.execution.Exit"}
            made["state"] = self.dice.choice(["SUCCESS", "WARNING", "FAILED", "CANCELLED"])
        else:
            made |= {"type": "io.kestra.plugin.core.debug.Return"}
            made["format"] = "{{ taskrun.value ?? parent.taskrun.value ?? task.id }}"
        if self.dice.random() < 0.1:
            made["retry"] = {"type": "constant", "interval": "PT0.1S", "maxAttempts": 2}
        return made

    def common(self) -> Json:
        self.count += 1
        made: Json = {"id": f"t{self.count}"}
        if self.dice.random() < 0.1:
            made["allowFailure"] = True
        if self.dice.random() < 0.1:
            made["runIf"] = self.dice.choice(["{{ true }}", "{{ false }}"])
        return made

    def of_Sequential(self, depth: int) -> Json:
        return {"tasks": self.some(depth)}

    of_AllowFailure = of_Sequential

    def of_Parallel(self, depth: int) -> Json:
        return {"tasks": self.calm(depth), "concurrent": self.dice.randint(0, 2)}

    def of_ForEach(self, depth: int) -> Json:
        return {"tasks": self.some(depth), "values": ["a", "b"][: self.dice.randint(1, 2)]}

    def of_Limited(self, depth: int) -> Json:
        """Return a ForEach whose values may run side by side."""
        made = {"values": ["a", "b", "c"], "concurrencyLimit": self.dice.choice([0, 2])}
        return {"type": _FLOW + "ForEach", "tasks": self.calm(depth), **made}

    def of_LoopUntil(self, depth: int) -> Json:
        """Return a loop that Kestra can bring to its end: flat, and no task in it fails."""
        made: Json = {
            "tasks": self.calm(0),
            "condition": self.dice.choice(["{{ true }}", "{{ false }}", True, False]),
            "checkFrequency": {"interval": "PT0.1S", "maxIterations": self.dice.randint(1, 2)},
            "failOnMaxReached": self.dice.random() < 0.3,
        }
        return {**made, "allowFailure": False} if made["failOnMaxReached"] else made

    def of_If(self, depth: int) -> Json:
        condition = self.dice.choice(["{{ true }}", "{{ false }}", True, False])
        return {"condition": condition, "then": self.some(depth), "else": self.some(depth)}

    def of_Switch(self, depth: int) -> Json:
        cases = {"a": self.some(depth), "b": self.some(depth)}
        return {"value": self.dice.choice("abc"), "cases": cases, "defaults": self.some(depth)}

    def of_Dag(self, depth: int) -> Json:
        tasks = self.calm(depth)
        return {
            "tasks": [
                {"task": task, "dependsOn": [tasks[at - 1]["id"]]} if at else {"task": task}
                for at, task in enumerate(tasks)
            ]
        }

    def calm(self, depth: int) -> list[Json]:
        """Tasks that may run side by side: none fails, so that the order tells nothing."""
        tasks = self.some(depth)
        for each in _all_of(tasks):
            if each.get("type", "").endswith((".Fail", ".Exit")):
                each.pop("state", None)
                each |= {"type": "io.kestra.plugin.core.debug.Return", "format": "calm"}
            if "failOnMaxReached" in each:
                each["failOnMaxReached"] = False
        return tasks


def _all_of(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _all_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from _all_of(item)


class Server:
    """One of the two."""

    def __init__(self, url: str) -> None:
        self._base = f"{url}/api/v1/main"

    def run(self, flow: Mapping[str, Any]) -> Seen:
        """Run a flow to its end and return what can be compared."""
        text = yaml.safe_dump(dict(flow), sort_keys=False)
        headers = {"Content-Type": "application/x-yaml"}
        path = f"/flows/{flow['namespace']}/{flow['id']}"
        answer = self._call("PUT", path, data=text.encode(), headers=headers)
        if answer.status_code == 404:
            answer = self._call("POST", "/flows", data=text.encode(), headers=headers)
        if answer.status_code >= 400:
            return Seen("", refused=f"{answer.status_code} {answer.text[:300]}")
        started = self._call("POST", f"/executions/{flow['namespace']}/{flow['id']}").json()
        return self._seen(started["id"], "afterExecution" in flow)

    def _call(self, method: str, path: str, **given: Any) -> requests.Response:
        return requests.request(method, self._base + path, timeout=60, **given)

    def _seen(self, execution_id: str, waits: bool) -> Seen:
        give_up = time.monotonic() + _SECONDS
        while True:
            execution = self._call("GET", f"/executions/{execution_id}").json()
            is_over = execution["state"]["current"] in _ENDED and not _is_open(execution)
            if is_over or time.monotonic() > give_up:
                break
            time.sleep(0.1)
        if waits:
            time.sleep(0.5)
            execution = self._call("GET", f"/executions/{execution_id}").json()
        return _comparable(execution)


def _is_open(execution: Json) -> bool:
    open_states = {"CREATED", "SUBMITTED", "RUNNING", "RETRYING", "PAUSED"}
    runs = execution.get("taskRunList") or []
    return any(run["state"]["current"] in open_states for run in runs)


def _comparable(execution: Json) -> Seen:
    runs = (_run(run) for run in execution.get("taskRunList") or [])
    outputs = execution.get("outputs") or {}
    return Seen(execution["state"]["current"], outputs, tuple(sorted(runs)))


def _run(run: Json) -> Run:
    value, output = run.get("value"), (run.get("outputs") or {}).get("value")
    state, attempts = run["state"]["current"], len(run.get("attempts") or [])
    return Run(run["taskId"], str(value or ""), state, str(output or ""), attempts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; 0 when nothing new differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.differential")
    parser.add_argument("--kestra", required=True)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args(arguments)
    kestra, ours = Server(given.kestra), Server(given.ours)

    def compared(seed: int) -> tuple[int, Json, Seen, Seen]:
        flow = Generator(seed).flow()
        theirs, own = kestra.run(flow), ours.run(flow)
        if theirs != own and not known(flow, theirs, own):  # a matter of time, perhaps
            theirs, own = kestra.run(flow), ours.run(flow)
        return seed, flow, theirs, own

    told = Told(given.keep)
    with ThreadPoolExecutor(given.jobs) as pool:
        for seed, flow, theirs, own in pool.map(
            compared, range(given.seed, given.seed + given.count)
        ):
            if theirs != own:
                told.difference(seed, flow, theirs, own)
    print(f"differential: {given.count} flows, {told.sum()}")
    return 1 if told.new else 0


@dataclass
class Told:
    """What was found: the known differences by row, the new ones with their flow."""

    keep: Path | None
    known: Counter[str] = field(default_factory=Counter)
    differing: int = 0
    new: int = 0

    def difference(self, seed: int, flow: Json, theirs: Seen, ours: Seen) -> None:
        """Count it; say how it differs if no row explains it."""
        self.differing += 1
        rows = known(flow, theirs, ours)
        self.known.update(rows)
        if rows:
            print(f"{seed}: known ({'; '.join(rows)})", flush=True)
            return
        self.new += 1
        _tell(seed, theirs, ours)
        if self.keep:
            self.keep.mkdir(parents=True, exist_ok=True)
            text = yaml.safe_dump(flow, sort_keys=False)
            (self.keep / f"{seed}.yaml").write_text(text, "utf-8")

    def sum(self) -> str:
        """Return the sum in words, the rows with how often each explained something."""
        for row, count in self.known.most_common():
            print(f"{count:5}  {row}")
        rest = f"{self.new} of them new" if self.new else "all known"
        return f"{self.differing} differ, {rest}" if self.differing else "none differs"


def _tell(seed: int, theirs: Seen, ours: Seen) -> None:
    print(f"{seed}: NEW", flush=True)
    for name in ("refused", "state", "outputs"):
        if getattr(theirs, name) != getattr(ours, name):
            print(f"  {name}: kestra {getattr(theirs, name)}, ours {getattr(ours, name)}")
    for server, one, other in (("kestra", theirs, ours), ("ours", ours, theirs)):
        for run in sorted((Counter(one.runs) - Counter(other.runs)).elements()):
            print(f"  only {server}: {run}")


if __name__ == "__main__":
    sys.exit(main())
