"""Ask Kestra and us the same templates and list where the answers differ. Run by hand.

    python -m tests.unit.expressions.ask_kestra --url http://127.0.0.1:8765 --count 20000
    python -m tests.unit.expressions.ask_kestra --url … --count 3000 --record FILE

The server answers POST /render `{template, variables, typed}` with `{value}` or `{error}`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from runner.expressions import ExpressionError
from runner.testing import render_vector

from .deviations import Answer, why
from .grammar import VARIABLES, Grammar

TYPED_SHARE = 0.15


def main() -> int:
    """Ask, compare, print; the exit status says whether every difference has a reason."""
    given = _parser().parse_args()
    chance = random.Random(given.seed)
    grammar = Grammar(chance.choice)
    counts: Counter[str] = Counter()
    recorded: list[str] = []
    for _ in range(given.count):
        template, typed = grammar.template(), chance.random() < TYPED_SHARE
        kestra, ours = ask(given.url, template, typed), answer(template, typed)
        verdict = judge(template, kestra, ours)
        counts[verdict] += 1
        if verdict == "DIFFERENT":
            print(json.dumps([template, typed, kestra.__dict__, ours.__dict__], ensure_ascii=False))
        elif verdict in ("same", "both fail") and given.record:
            recorded.append(record(template, typed, kestra))
    if given.record:
        given.record.write_text("".join(recorded))
    for verdict, count in counts.most_common():
        print(f"{count:7} {verdict}", file=sys.stderr)
    return 1 if counts["DIFFERENT"] else 0


def judge(template: str, kestra: Answer, ours: Answer) -> str:
    """`same`, `both fail`, the reason of a deviation, or `DIFFERENT`."""
    if kestra.error is not None and ours.error is not None:
        return "both fail"
    if (kestra.error is None) == (ours.error is None) and _key(kestra.value) == _key(ours.value):
        return "same"
    return why(template, kestra, ours) or "DIFFERENT"


def answer(template: str, typed: bool) -> Answer:
    """What we make of it. Any exception but an expression error passes through."""
    try:
        return Answer(render_vector(template, VARIABLES, typed=typed))
    except ExpressionError as error:
        return Answer(error=str(error))


def ask(url: str, template: str, typed: bool) -> Answer:
    """What Kestra makes of it."""
    question = {"template": template, "variables": VARIABLES, "typed": typed}
    request = urllib.request.Request(
        f"{url}/render",
        json.dumps(question).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        said = json.load(reply)
    return Answer(error=said["error"]) if "error" in said else Answer(said["value"])


def record(template: str, typed: bool, kestra: Answer) -> str:
    """One line of the file of recorded answers; of an error only that it was one."""
    line: dict[str, Any] = {"template": template}
    if typed:
        line["typed"] = True
    if kestra.error is None:
        line["value"] = kestra.value
    else:
        line["error"] = True
    return json.dumps(line, ensure_ascii=False) + "\n"


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
