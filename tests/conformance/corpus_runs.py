"""Runs the corpus of real flows to their ends.

    python -m tests.conformance.corpus_runs 299 342              # files by their numbers
    python -m tests.conformance.corpus_runs --make-images        # once, as root on Debian
    python -m tests.conformance.corpus_runs                      # what needs nothing from outside
    python -m tests.conformance.corpus_runs --all --kestra http://127.0.0.1:8091

Each file is sorted: broken, of foreign plugins, or of core and script types; of the last kind, what
it needs from outside is found in its text (HTTP, packages, images, files of its namespace, flows
that are not in the corpus). What needs nothing is run; `--all` runs the others as well, to see that
nothing but the missing outside stops them. Inputs, secrets, keys, variables and the bodies of
webhooks are made up by type; a flow that reads `trigger.date` is started by a backfill; a paused
execution is resumed.

Nothing reaches a network: the server runs in a network namespace with a loopback alone, scripts in
local images (`corpus_images`) of an engine whose containers get no network, and flows whose scripts
run as processes on a second server inside such a container. In a flow that has both kinds, its
processes become containers. `--kestra URL` runs those of core types there too and compares states,
task runs and outputs.

`corpus_outcomes.yaml` names the outcomes other than SUCCESS, with the reason of each. The list has
a line for each file; the exit code is 1 when an outcome is another than that.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runner.model.parser import parse_flow
from runner.model.problems import Problem
from runner.registry import load
from tests.conformance import corpus_images
from tests.conformance.corpus_flows import PROCESSES, WORD, CorpusFlow, read_corpus
from tests.conformance.shared import SHARED

ROOT = Path(__file__).parents[2]
FLOWS = SHARED / "corpus" / "flows"
EXPECTED = Path(__file__).parent / "corpus_outcomes.yaml"
_TOLD = "headrace-corpus-outcomes.json"

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What to run: all files if *numbers* names none, in these images, *everything* or what can."""

    numbers: Sequence[str] = ()
    images: set[str] = field(default_factory=set)
    everything: bool = False
    kestra: str = ""
    seconds: int = 90


@dataclass(frozen=True)
class Row:
    """A line of the list."""

    number: str
    outcome: str
    reason: str
    is_expected: bool = True

    def __str__(self) -> str:
        mark = "" if self.is_expected else "NEW "
        return f"{self.number}  {mark}{self.outcome:<9}  {self.reason}".rstrip()


class Sorted:
    """The corpus by what can be done with each file."""

    def __init__(self, flows: Sequence[CorpusFlow], images: set[str]) -> None:
        self.flows = flows
        self.by_key: dict[tuple[str, str], CorpusFlow] = {}
        for flow in flows:
            if flow.flow is not None:
                self.by_key.setdefault(flow.key, flow)
        self._images = images
        self._registry = load()

    def problems(self, flow: CorpusFlow) -> list[Problem]:
        """Return what is wrong with a flow."""
        parsed = parse_flow(flow.text, self._registry, default_namespace=WORD)
        return [problem for problem in parsed.problems if problem.severity == "error"]

    def needs(self, flow: CorpusFlow, seen: frozenset[str] = frozenset()) -> list[str]:
        """Say what a flow and those that it calls need from outside."""
        found = flow.needs(self._images)
        for called in self._called(flow):
            if isinstance(called, str):
                found.append(called)
            elif called.foreign:
                found.append(f"flow {called.number}, of {_short(called.foreign[0])}")
            elif self.problems(called):
                found.append(f"flow {called.number}, which is refused")
            elif called.number not in seen:
                inner = self.needs(called, seen | {flow.number})
                found += [f"{need} (flow {called.number})" for need in inner]
        return list(dict.fromkeys(found))

    def with_called(self, flow: CorpusFlow) -> list[CorpusFlow]:
        """Return a flow after the flows of the corpus that it calls."""
        found: dict[str, CorpusFlow] = {}
        for called in self._called(flow):
            if isinstance(called, CorpusFlow) and called.number != flow.number:
                found |= {each.number: each for each in self.with_called(called)}
        return [*found.values(), flow]

    def _called(self, flow: CorpusFlow) -> list[CorpusFlow | str]:
        return [
            self.by_key.get(key) or f"flow {'.'.join(key)}, not in the corpus"
            for key in flow.subflows
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 when every outcome is the expected one."""
    given = _parser().parse_args(arguments)
    if given.make_images or given.remove_images:
        (corpus_images.make if given.make_images else corpus_images.remove)()
        return 0
    if not FLOWS.exists():
        print(f"{FLOWS} is absent: nothing was run")
        return 2
    asked = Asked(given.numbers, corpus_images.present(), given.all, given.kestra, given.seconds)
    rows = run(asked)
    for row in rows:
        print(row)
    groups = defaultdict(list)
    for row in rows:
        groups[row.outcome].append(row.number)
    print("corpus: " + ", ".join(f"{len(rows)} {name}" for name, rows in sorted(groups.items())))
    return 0 if all(row.is_expected for row in rows) else 1


def run(asked: Asked) -> list[Row]:
    """Sort the files, run what can run, and return a row for each."""
    corpus = Sorted(read_corpus(FLOWS), asked.images)
    chosen = [flow for flow in corpus.flows if not asked.numbers or flow.number in asked.numbers]
    rows = {flow.number: _still(flow, corpus) for flow in chosen}
    runnable = [flow for flow in chosen if _may(rows[flow.number], asked.everything)]
    outcomes = _run_apart(corpus, runnable, asked.seconds)
    theirs = _kestra(corpus, runnable, asked) if asked.kestra else {}
    expected = yaml.safe_load(EXPECTED.read_text("utf-8"))
    for number, outcome in outcomes.items():
        rows[number] = _judged(number, outcome, theirs.get(number), rows[number], expected)
    return [row for row in rows.values() if row is not None]


def _still(flow: CorpusFlow, corpus: Sorted) -> Row | None:
    """Return the row of a file that is not to be run, None for one that is."""
    if flow.flow is None:
        return Row(flow.number, "broken", "no flow can be read")
    if flow.foreign:
        return Row(flow.number, "foreign", ", ".join(map(_short, flow.foreign)))
    if problems := corpus.problems(flow):
        return Row(flow.number, "refused", _shortened(problems))
    needs = corpus.needs(flow)
    return Row(flow.number, "outside", "; ".join(needs)) if needs else None


def _may(row: Row | None, everything: bool) -> bool:
    """Whether a file is run; never one that would make the engine itself go outside."""
    if row is None:
        return True
    reaches = "a Docker network" in row.reason or "image " in row.reason
    return everything and row.outcome == "outside" and not reaches


def _short(name: str) -> str:
    return name.removeprefix("io.kestra.plugin.").removeprefix("io.kestra.")


def _shortened(problems: Sequence[Problem]) -> str:
    """Say each kind of problem once."""
    told = {
        re.sub(r" \(class [^)]*\), not marked as ignorable", "", p.message): p for p in problems
    }
    return " / ".join(f"line {problem.line}: {message}" for message, problem in told.items())


def _judged(
    number: str, outcome: Json, theirs: Json | None, row: Row | None, expected: Mapping[int, Json]
) -> Row:
    """Hold an outcome against the expected one and Kestra's."""
    state = str(outcome["state"])
    if row is not None:  # it needs the outside, and was run all the same
        reason = f"needs {row.reason}; ended {state}: {outcome['reason']}"
        return Row(number, "outside", reason)
    wanted = expected.get(int(number), {"state": "SUCCESS", "reason": ""})
    if (differs := _difference(theirs, outcome)) and not wanted.get("differs"):
        return Row(number, state, f"Kestra: {differs}", is_expected=False)
    is_expected = state == wanted["state"]
    return Row(number, state, str((wanted if is_expected else outcome)["reason"]), is_expected)


def _difference(theirs: Json | None, ours: Json) -> str:
    if theirs is None or theirs["state"] == "not started":
        return ""
    names = ("state", "runs", "outputs")
    return "; ".join(
        f"{name} {theirs[name]} here {ours[name]}" for name in names if theirs[name] != ours[name]
    )


# --- where they run ------------------------------------------------------------------------------


def _run_apart(corpus: Sorted, flows: Sequence[CorpusFlow], seconds: int) -> dict[str, Json]:
    """Run flows where no network is; return an outcome for each number."""
    processes = [flow for flow in flows if _kinds(corpus, flow) == {"process"}]
    others = [flow for flow in flows if flow not in processes]
    found: dict[str, Json] = {}
    for chosen, command in ((others, _without_network), (processes, _in_container)):
        if not chosen:
            continue
        with tempfile.TemporaryDirectory(prefix="headrace-corpus-") as folder:
            orders = [_order(corpus, flow, chosen is others) for flow in chosen]
            (Path(folder) / "orders.json").write_text(json.dumps(orders), "utf-8")
            subprocess.run(command(Path(folder), seconds), check=True, cwd=ROOT)
            found |= json.loads((Path(folder) / "outcomes.json").read_text("utf-8"))
    return found


def _kinds(corpus: Sorted, flow: CorpusFlow) -> set[str]:
    return {kind for each in corpus.with_called(flow) for kind in each.runners()}


def _order(corpus: Sorted, flow: CorpusFlow, in_containers: bool) -> Json:
    """Return what the other side has to know: the texts, the last one is to be run."""
    texts = [each.text for each in corpus.with_called(flow)]
    if in_containers:
        texts = [_contained(text) for text in texts]
    return {"number": flow.number, "path": str(flow.path), "texts": texts}


def _contained(text: str) -> str:
    """Make containers of the processes of a text."""
    text = re.sub(r"^(\s*(?:- )?runner:\s*)PROCESS\b", r"\1DOCKER", text, flags=re.MULTILINE)
    docker = "io.kestra.plugin.scripts.runner.docker.Docker"
    return re.sub(
        r"\bio\.kestra\.[\w.]*\b(ProcessTaskRunner|core\.runner\.Process)\b", docker, text
    )


def _without_network(folder: Path, seconds: int) -> list[str]:
    return ["unshare", "--net", "--", *_inside(folder, seconds, "docker")]


def _in_container(folder: Path, seconds: int) -> list[str]:
    places = {str(folder): "rw", str(ROOT): "ro", sys.prefix: "ro", sys.base_prefix: "ro"}
    mounts = [f"--volume={place}:{place}:{mode}" for place, mode in places.items()]
    limits = ["--network=none", "--init", "--rm", f"--label={corpus_images.LABEL}=yes"]
    where = [f"--workdir={ROOT}", "--env=PYTHONDONTWRITEBYTECODE=1"]
    inside = _inside(folder, seconds, "process")
    return ["docker", "run", *limits, *where, *mounts, PROCESSES, *inside]


def _inside(folder: Path, seconds: int, runner: str) -> list[str]:
    options = ["--folder", str(folder), "--seconds", str(seconds), "--runner", runner]
    return [sys.executable, "-m", "tests.conformance.corpus_inside", *options]


def _kestra(corpus: Sorted, flows: Iterable[CorpusFlow], asked: Asked) -> Mapping[str, Json]:
    """Run those of core types on a Kestra that is there."""
    from tests.conformance.corpus_inside import Server

    server = Server(asked.kestra, asked.seconds, prefix="corpus.")
    return {
        flow.number: server.outcome(_order(corpus, flow, False))
        for flow in flows
        if not flow.scripts and not corpus.needs(flow)
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.corpus_runs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("numbers", nargs="*", help="three digits each; default: all files")
    parser.add_argument("--all", action="store_true", help="run also what needs the outside")
    parser.add_argument("--kestra", default="", help="address of a Kestra to compare with")
    parser.add_argument("--seconds", type=int, default=90, help="time limit of one flow")
    parser.add_argument("--make-images", action="store_true", help="make the local images, no more")
    parser.add_argument("--remove-images", action="store_true", help="remove them, no more")
    return parser


if __name__ == "__main__":
    sys.exit(main())
