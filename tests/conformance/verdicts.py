"""Flows of our own, right, wrong and borderline, and what Kestra says of each.

    python -m tests.conformance.verdicts --kestra http://…            # compare what was recorded
    python -m tests.conformance.verdicts --kestra http://… --record   # and write the answers down

The folder `verdicts` has the flows by name (or a list of flows that are their own names), one file
for each area; `answers.json` what Kestra answered. A flow says only what matters: what is missing
of `id`, `namespace` and `tasks` is added; `@log.Log` stands for that type of Kestra's core, and
`@a` for a Log task with the id `a`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from runner.expressions import check
from runner.model.expressions_in import expression_problems
from runner.model.parser import parse_flow
from runner.registry import Registry, load

FOLDER = Path(__file__).parent / "verdicts"
ANSWERS = FOLDER / "answers.json"
_TYPE = re.compile(r"(?<![\w\"'])@([a-z]+\.[A-Za-z]+)")
_TASK = re.compile(r"(?<![\w\"'])@([a-z])\b")
_NEEDED = {
    "id": "id: case",
    "namespace": "namespace: verdicts",
    "tasks": "tasks: [@t]",
}


@dataclass(frozen=True)
class Answer:
    """What is said of a flow, as far as two servers can be compared."""

    accepts: bool
    deprecated: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    says: str = ""  # for people


@dataclass(frozen=True)
class Case:
    """One flow."""

    area: str
    name: str
    text: str

    @property
    def key(self) -> str:
        return f"{self.area}: {self.name}"


def cases() -> Iterator[Case]:
    """Yield all flows."""
    for path in sorted(FOLDER.glob("*.yaml")):
        written = yaml.safe_load(path.read_text("utf-8"))
        named = written if isinstance(written, dict) else {text: text for text in written}
        for name, text in named.items():
            yield Case(path.stem, str(name), whole(str(text)))


def whole(text: str) -> str:
    """Return a flow's text with all that every flow needs."""
    if text.startswith("{"):
        text = _opened(text)
    missing = [line for key, line in _NEEDED.items() if not re.search(rf"^{key}:", text, re.M)]
    text = "\n".join([*missing, text]) if missing and "---" not in text else text
    text = _TYPE.sub(r"io.kestra.plugin.core.\1", text)
    return _TASK.sub(r"{id: \1, type: io.kestra.plugin.core.log.Log, message: \1}", text)


def _opened(text: str) -> str:
    """Return the properties of a flow that is written as one map in braces, each on its line."""
    inner, depth, start, parts = text.strip()[1:-1], 0, 0, []
    for at, letter in enumerate(inner):
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append(inner[start:at].strip())
            start = at + 1
    return "\n".join([*parts, inner[start:].strip()])


def own_answer(registry: Registry, text: str) -> Answer:
    """Return what a server of ours says."""
    problems = (
        *parse_flow(text, registry).problems,
        *expression_problems(text, registry, check, severity="warning"),
    )

    def of(severity: str) -> list[Any]:
        return [each for each in problems if each.severity == severity]

    return Answer(
        accepts=not of("error"),
        deprecated=tuple(each.path for each in of("deprecation")),
        warnings=tuple(each.message for each in of("warning")),
        infos=tuple(each.message for each in of("info")),
        says=" | ".join(f"{each.line} {each.code} {each.text}" for each in of("error")),
    )


def ask(kestra: str, text: str) -> Answer:
    """Return what Kestra says: a flow is accepted if it is found valid and can be saved."""
    answer = _post(kestra, "/validate", text)
    answer.raise_for_status()
    first = answer.json()[0]
    return Answer(
        accepts=not first.get("constraints") and _can_save(kestra, text),
        deprecated=tuple(first.get("deprecationPaths", ())),
        warnings=tuple(first.get("warnings", ())),
        infos=tuple(first.get("infos", ())),
        says=str(first.get("constraints") or "")[:300],
    )


def _can_save(kestra: str, text: str) -> bool:
    answer = _post(kestra, "", text)
    if not answer.ok:
        return False
    flow = answer.json()
    path = f"{kestra}/api/v1/main/flows/{flow['namespace']}/{flow['id']}"
    requests.delete(path, timeout=60)
    return True


def _post(kestra: str, path: str, text: str) -> requests.Response:
    headers = {"Content-Type": "application/x-yaml"}
    url = f"{kestra}/api/v1/main/flows{path}"
    return requests.post(url, data=text.encode(), headers=headers, timeout=60)


def recorded() -> dict[str, Answer]:
    """Return the answers that were written down."""
    written = json.loads(ANSWERS.read_text("utf-8"))
    return {
        key: Answer(**{name: tuple(v) if isinstance(v, list) else v for name, v in one.items()})
        for key, one in written.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; 0 when nothing differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.verdicts")
    parser.add_argument("--kestra", help="its address; without it: the recorded answers")
    parser.add_argument("--record", action="store_true", help="write its answers down")
    parser.add_argument("--only", default="", help="a regular expression on names")
    given = parser.parse_args(arguments)
    known = recorded() if ANSWERS.exists() else {}
    registry, differ = load(), 0
    for case in cases():
        if not re.search(given.only, case.key):
            continue
        theirs = ask(given.kestra, case.text) if given.kestra else known[case.key]
        known[case.key] = theirs
        ours = own_answer(registry, case.text)
        differ += _tell(case, theirs, ours)
    if given.record:
        keys = {case.key for case in cases()}
        shown = {key: asdict(one) for key, one in sorted(known.items()) if key in keys}
        ANSWERS.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{differ} differ")
    return 1 if differ else 0


def differences(theirs: Answer, ours: Answer) -> list[str]:
    """Return what differs. We may say more; hints of a flow that is refused do not matter.

    Kestra leaves out the beginning of paths inside triggers and the like.
    """
    found = ["accepts"] if theirs.accepts != ours.accepts else []
    if not theirs.accepts:
        return found
    if not all(any(own.endswith(path) for own in ours.deprecated) for path in theirs.deprecated):
        found.append("deprecated")
    texts = [text for text in theirs.warnings if not text.startswith("The subflow")]
    if not set(texts) <= set(ours.warnings):
        found.append("warnings")
    return found if set(theirs.infos) <= set(ours.infos) else [*found, "infos"]


def _tell(case: Case, theirs: Answer, ours: Answer) -> bool:
    differing = differences(theirs, ours)
    if not differing:
        return False
    print(f"\n{case.key}")
    for name in differing:
        print(f"  {name}: kestra {getattr(theirs, name)}, ours {getattr(ours, name)}")
    if "accepts" in differing:
        print(f"  kestra says: {theirs.says.strip()!r}\n  we say: {ours.says}")
    return True


if __name__ == "__main__":
    sys.exit(main())
