"""Holds a fresh server against Kestra's cases: ``python -m tests.conformance [options of run.py]``.

Three runs: all cases on a server that has an encryption key and the test-only task types; the cases
that want no key on a second one; schedule and condition cases in this process. Options are handed
through to the harness; ``--fixtures no`` leaves the test-only types out, ``--encryption-key no``
does the second run alone. The last line is the sum.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.conformance.server import Wanted, running
from tests.conformance.shared import SHARED

HARNESS = SHARED / "conformance"
ADAPTER = "tests.conformance.adapters:adapter"
_STATUSES = ("passed", "failed", "skipped")
Outcome = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 when nothing failed."""
    given, rest = _parser().parse_known_args(arguments)
    if not HARNESS.exists():
        print(f"{HARNESS} is absent: nothing was checked against it")
        return 2
    sys.path.insert(0, str(HARNESS))
    with tempfile.TemporaryDirectory(prefix="headrace-conformance-") as folder:
        outcomes = _Session(given, rest, Path(folder)).run()
        if given.report:
            given.report.write_text(json.dumps({"cases": outcomes}, indent=1), "utf-8")
    print("", *scores(outcomes), sep="\n")
    is_good = outcomes and all(outcome["status"] != "failed" for outcome in outcomes)
    return 0 if is_good else 1


class _Session:
    """The runs of one call."""

    def __init__(self, given: argparse.Namespace, rest: Sequence[str], folder: Path) -> None:
        self._given, self._rest, self._folder = given, list(rest), folder
        self._files = given.cases or sorted(HARNESS.glob("*cases.yaml"))
        cases = importlib.import_module("harness.cases")
        self._cases = cases.load_cases(self._files)
        self._by_adapter = cases.DRIVEN_BY_ADAPTER

    def run(self) -> list[Outcome]:
        """Return an outcome for each case: of the run in which it was not skipped, if any."""
        wanted = re.compile(self._given.only or "")
        keyless = {
            case.id
            for case in self._cases
            if case.setup.get("encryption_key") is False and wanted.search(case.id)
        }
        found: dict[str, Outcome] = {}
        if self._given.encryption_key == "yes":
            self._add(found, self._on_server(key=True))
            self._add(found, self._in_process())
        if keyless:
            self._add(found, self._on_server(key=False, only=keyless))
        return list(found.values())

    def _add(self, found: dict[str, Outcome], outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            key = f"{outcome['kind']} {outcome['id']}"
            if key not in found or found[key]["status"] == "skipped":
                found[key] = outcome

    def _on_server(self, *, key: bool, only: Iterable[str] = ()) -> list[Outcome]:
        config = importlib.import_module("harness.server_config").gather(self._cases)
        fixtures = self._given.fixtures == "yes"
        wanted = Wanted(
            secrets=config.secrets,
            variables=_variables(config),
            globals=config.globals,
            encryption_key=config.encryption_key if key else None,
            fixtures=fixtures,
        )
        home = (self._given.home or self._folder) / ("with-key" if key else "without-key")
        options = ["--fixtures", self._given.fixtures, "--encryption-key", "yes" if key else "no"]
        if only:
            options += ["--only", f"^({'|'.join(sorted(only))})$"]
        with running(wanted, home) as url:
            print(f"a server with{'' if key else 'out'} an encryption key at {url}", flush=True)
            outcomes = self._harness(["--url", url, *options], "server")
        return [outcome for outcome in outcomes if outcome["kind"] not in self._by_adapter]

    def _in_process(self) -> list[Outcome]:
        driven = {case.kind for case in self._cases} & set(self._by_adapter)
        if not driven:
            return []
        files = [path for path in self._files if path.name.startswith(("schedule", "condition"))]
        outcomes = self._harness(["--adapter", ADAPTER], "adapter", files or self._files)
        return [outcome for outcome in outcomes if outcome["kind"] in self._by_adapter]

    def _harness(
        self, options: Sequence[str], name: str, files: Sequence[Path] | None = None
    ) -> list[Outcome]:
        report = self._folder / f"{name}.json"
        report.unlink(missing_ok=True)
        command = [sys.executable, str(HARNESS / "run.py"), "--report", str(report), *options]
        if self._given.only and "--only" not in options:
            command += ["--only", self._given.only]
        command += [*self._rest, "--cases", *map(str, files or self._files)]
        root = str(Path(__file__).parents[2])
        subprocess.run(command, check=False, cwd=root, env={**os.environ, "PYTHONPATH": root})
        if not report.exists():
            raise SystemExit(2)
        found: list[Outcome] = json.loads(report.read_text("utf-8"))["cases"]
        return found


def _variables(config: Any) -> dict[str, str]:
    lines = importlib.import_module("harness.server_config")
    secrets = {
        f"SECRET_{name.upper()}": lines._base64(text) for name, text in config.secrets.items()
    }
    return secrets | {f"ENV_{name.upper()}": str(text) for name, text in config.envs.items()}


def scores(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a table of the areas, and the sum as its last line."""
    areas = sorted({outcome["area"] for outcome in outcomes})
    width = max((len(area) for area in areas), default=4)
    lines = [f"{'area':<{width}}  " + "  ".join(_STATUSES)]
    for area in areas:
        counts = Counter(o["status"] for o in outcomes if o["area"] == area)
        lines.append(f"{area:<{width}}  " + "  ".join(f"{counts[s]:>{len(s)}}" for s in _STATUSES))
    total = Counter(outcome["status"] for outcome in outcomes)
    lines.append("conformance: " + ", ".join(f"{total[status]} {status}" for status in _STATUSES))
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--fixtures", choices=("yes", "no"), default="yes")
    parser.add_argument("--encryption-key", choices=("yes", "no"), default="yes")
    parser.add_argument("--cases", nargs="+", type=Path)
    parser.add_argument("--only", help="a regular expression on ids")
    parser.add_argument("--report", type=Path)
    parser.add_argument(
        "--home", type=Path, help="where servers leave their logs; default: nowhere"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
