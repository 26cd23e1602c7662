"""Compares what Kestra says of flows that people really wrote with what `headrace validate` says.

    python -m tests.conformance.corpus --kestra http://…

The flows are read where they lie. Those of Kestra's core types alone must get the same verdict.
Those with scripts too are listed with the reason why they are refused, since a Kestra without the
script plugins cannot be asked. The catalogue key ``extend:``, which is no part of the language, is
left out before. A table of files by number, then the sums; 0 when no verdict differs.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import requests

from runner.expressions import check
from runner.model.expressions_in import expression_problems
from runner.model.parser import parse_flow
from runner.model.problems import Problem
from runner.model.yaml import MalformedYaml, read
from runner.registry import Registry, load

from .shared import SHARED

FLOWS = SHARED / "corpus" / "flows"
_EXTEND = re.compile(r"^extend:.*\n(?:(?:[ \t].*)?\n)*", re.MULTILINE)
_SCRIPTS = re.compile(r"io\.kestra\.(?:plugin|core\.tasks)\.scripts\.")
_CORE = re.compile(r"io\.kestra\.(?:plugin\.core|core)\.(?!tasks\.scripts\.)")


class Kind(StrEnum):
    """Which types a flow is made of."""

    CORE = "core"
    SCRIPTS = "scripts"  # and core
    OTHER = "other"
    NONE = "no YAML"


@dataclass(frozen=True)
class Verdict:
    """What is said about a flow: errors if it is refused."""

    errors: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        return "refused" if self.errors else "accepted"


@dataclass(frozen=True)
class Judged:
    """One file of the corpus."""

    number: str
    kind: Kind
    ours: Verdict
    kestra: Verdict | None = None

    @property
    def differs(self) -> bool:
        return self.kestra is not None and self.kestra.word != self.ours.word


def without_extend(text: str) -> str:
    """Return the text without its top-level key ``extend``."""
    return _EXTEND.sub("", text + "\n", count=1)


def kind_of(text: str) -> Kind:
    """Say which types a flow is made of."""
    try:
        document = read(text)
    except MalformedYaml:
        return Kind.NONE
    names = set(_types(document.value))
    if all(_CORE.match(name) for name in names):
        return Kind.CORE
    known = all(_CORE.match(name) or _SCRIPTS.match(name) for name in names)
    return Kind.SCRIPTS if known else Kind.OTHER


def _types(value: Any) -> Iterator[str]:
    """Yield the names of types below *value*: dotted, or of what has an id but no dot."""
    if isinstance(value, dict):
        kind = value.get("type")
        if isinstance(kind, str) and "." in kind:
            yield kind
        for item in value.values():
            yield from _types(item)
    elif isinstance(value, list):
        for item in value:
            yield from _types(item)


def judge(registry: Registry, path: Path, kestra: str | None) -> Judged:
    """Ask both about one file."""
    text = without_extend(path.read_text(encoding="utf-8-sig"))
    kind = kind_of(text)
    asked = ask(kestra, text) if kestra and kind in (Kind.CORE, Kind.NONE) else None
    return Judged(path.name[:3], kind, own_verdict(registry, text), asked)


def own_verdict(registry: Registry, text: str) -> Verdict:
    """Return what a server says of a flow's text."""
    problems = (
        *parse_flow(text, registry).problems,
        *expression_problems(text, registry, check, severity="warning"),
    )
    wrong = [each for each in problems if each.severity == "error"]
    rest = [each for each in problems if each.severity != "error"]
    return Verdict(tuple(map(_line, wrong)), tuple(map(_line, rest)))


def ask(kestra: str, text: str) -> Verdict:
    """Return what Kestra says of a flow's text."""
    answer = requests.post(
        f"{kestra}/api/v1/main/flows/validate",
        data=text.encode(),
        headers={"Content-Type": "application/x-yaml"},
        timeout=60,
    )
    answer.raise_for_status()
    found = answer.json()
    first = found[0] if found else {"constraints": "nothing was found"}
    errors = (str(first["constraints"]),) if first.get("constraints") else ()
    hints = [
        *first.get("deprecationPaths", ()),
        *first.get("warnings", ()),
        *first.get("infos", ()),
    ]
    return Verdict(errors, tuple(hints))


def _line(problem: Problem) -> str:
    return f"{problem.line}:{problem.column} {problem.code}: {problem.text}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; 0 when no verdict differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.corpus")
    parser.add_argument("--kestra", help="its address; without it only our own verdicts are shown")
    parser.add_argument("--hints", action="store_true", help="show hints of both too")
    parser.add_argument("--only", help="a regular expression on file names")
    given = parser.parse_args(arguments)
    if not FLOWS.exists():
        print(f"{FLOWS} is absent: nothing was checked against it")
        return 2
    registry, wanted = load(), re.compile(given.only or "")
    paths = [path for path in sorted(FLOWS.glob("*.yaml")) if wanted.search(path.name)]
    judged = [judge(registry, path, given.kestra) for path in paths]
    for one in judged:
        _show(one, given.hints)
    _show_sums(judged)
    return 1 if any(one.differs for one in judged) else 0


def _show(one: Judged, with_hints: bool) -> None:
    theirs = one.kestra.word if one.kestra else "-"
    is_told = one.differs or (one.kind is not Kind.OTHER and one.ours.errors) or with_hints
    if not is_told:
        return
    mark = "DIFFERS" if one.differs else ""
    print(f"{one.number}  {one.kind:<8} kestra {theirs:<9} ours {one.ours.word:<9} {mark}")
    for name, verdict in (("kestra", one.kestra), ("ours", one.ours)):
        if verdict is None:
            continue
        for text in verdict.errors:
            print(f"       {name}: " + text.replace("\n", "\n         "))
        for text in verdict.hints if with_hints else ():
            print(f"       {name} hints: {text}")


def _show_sums(judged: Sequence[Judged]) -> None:
    print(f"\n{'kind':<9} {'files':>5} {'ours accepts':>13} {'kestra accepts':>15} {'differ':>7}")
    for kind in Kind:
        of_kind = [one for one in judged if one.kind is kind]
        ours = sum(not one.ours.errors for one in of_kind)
        asked = [one.kestra for one in of_kind if one.kestra]
        theirs = sum(not verdict.errors for verdict in asked) if asked else "-"
        differ = sum(one.differs for one in of_kind)
        print(f"{kind:<9} {len(of_kind):>5} {ours:>13} {theirs:>15} {differ:>7}")


if __name__ == "__main__":
    sys.exit(main())
