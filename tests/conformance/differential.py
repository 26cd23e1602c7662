"""Runs generated flows on two servers and compares how they end.

    python -m tests.conformance.differential --kestra http://… --ours http://… --count 500 --seed 1

With --wide they are those of `wide`: more constructs, and something is done to each. Both speak
Kestra's REST API. Known differences (see `differences`) are counted by row; a new one is printed
with its seed, if it is there a second time, and its flow is left in --keep.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .differences import Seen, known
from .observed import Server, as_yaml
from .wide import Case, Wide

NAMESPACE = "differential"
_FLOW = "io.kestra.plugin.core.flow."
_KINDS = (
    *("Sequential", "Parallel", "ForEach", "If", "Switch", "Dag", "AllowFailure"),
    *("LoopUntil", "Limited"),
)
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; 0 when nothing new differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.differential")
    parser.add_argument("--kestra", required=True)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="*", help="these seeds alone")
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0, help="without change are no end")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args(arguments)
    servers = [Server(url, given.seconds) for url in (given.kestra, given.ours)]
    seeds = given.only or range(given.seed, given.seed + given.count)

    def compared(seed: int) -> tuple[int, Case, Seen, Seen]:
        case = Wide(seed).case() if given.wide else Case(Generator(seed).flow())
        theirs, own = (server.run(case) for server in servers)
        if theirs != own and not known(case.flow, theirs, own):  # a matter of time, perhaps
            theirs, own = (server.run(case) for server in servers)
        return seed, case, theirs, own

    told = Told(given.keep)
    with ThreadPoolExecutor(given.jobs) as pool:
        for done in as_completed([pool.submit(compared, seed) for seed in seeds]):
            seed, case, theirs, own = done.result()
            if theirs != own:
                told.difference(seed, case, theirs, own)
    print(f"differential: {len(seeds)} flows, {told.sum()}")
    return 1 if told.new else 0


@dataclass
class Told:
    """What was found: the known differences by row, the new ones with their flow."""

    keep: Path | None
    known: Counter[str] = field(default_factory=Counter)
    differing: int = 0
    new: int = 0

    def difference(self, seed: int, case: Case, theirs: Seen, ours: Seen) -> None:
        """Count it; say how it differs if no row explains it."""
        self.differing += 1
        rows = known(case.flow, theirs, ours)
        self.known.update(rows)
        if rows:
            print(f"{seed}: known ({'; '.join(rows)})", flush=True)
            return
        self.new += 1
        print(f"{seed}: NEW{''.join(f' then {step}' for step in case.steps)}", flush=True)
        _tell(theirs, ours)
        if self.keep:
            self.keep.mkdir(parents=True, exist_ok=True)
            text = "---\n".join(map(as_yaml, (case.flow, *case.children)))
            (self.keep / f"{seed}.yaml").write_text(text, "utf-8")

    def sum(self) -> str:
        """Return the sum in words, the rows with how often each explained something."""
        for row, count in self.known.most_common():
            print(f"{count:5}  {row}")
        rest = f"{self.new} of them new" if self.new else "all known"
        return f"{self.differing} differ, {rest}" if self.differing else "none differs"


def _tell(theirs: Seen, ours: Seen) -> None:
    for name in ("refused", "state", "history", "outputs", "labels", "variables"):
        if getattr(theirs, name) != getattr(ours, name):
            print(f"  {name}: kestra {getattr(theirs, name)}, ours {getattr(ours, name)}")
    for name in ("runs", "logs", "family"):
        kestras, own = Counter(getattr(theirs, name)), Counter(getattr(ours, name))
        for server, only in (("kestra", kestras - own), ("ours", own - kestras)):
            for each in sorted(only.elements()):
                print(f"  only {server}: {each}")


if __name__ == "__main__":
    sys.exit(main())
