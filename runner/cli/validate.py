"""``headrace validate``: what is wrong with flows, before they are pushed; no server needed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from runner.model.expressions_in import expression_problems
from runner.model.parser import parse_flow
from runner.model.problems import Problem
from runner.model.yaml import MAX_CHARACTERS

_SUFFIXES = (".yaml", ".yml")
_STRICT = ("value", "expression")
"""Codes that count as wrong here, though a server saves such flows as Kestra does."""
_COLOURS = {"error": "red", "warning": "yellow", "info": "blue", "deprecation": "blue"}


@dataclass(frozen=True)
class Checked:
    """One file and what there is to say about it."""

    file: str
    problems: tuple[Problem, ...]
    lines: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        return not any(problem.severity == "error" for problem in self.problems)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@click.option("--namespace", help="Namespace of flows that name none.")
def validate(paths: tuple[Path, ...], as_json: bool, namespace: str | None) -> None:
    """Check flows, without a server.

    PATHS are files, or folders: all .yaml and .yml files below them are checked, but those in
    hidden folders, namespace files (_files) and headrace.yaml. Ends with 1 if anything is wrong.
    """
    checked = check_files(files_of(paths), namespace)
    click.echo(as_array(checked) if as_json else as_text(checked))
    if not all(one.valid for one in checked):
        raise SystemExit(1)


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files as they are, and folders' YAML files in order, but what holds no flows."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name != "_files" and name[0] != ".")
            yield from (Path(folder, name) for name in sorted(names) if _may_be_flow(name))


def _may_be_flow(name: str) -> bool:
    return name.endswith(_SUFFIXES) and name != "headrace.yaml"


def check_files(files: Iterable[Path], namespace: str | None = None) -> list[Checked]:
    """Check each file against all installed types."""
    from runner.expressions import check
    from runner.registry import load

    registry = load()

    def checked(path: Path) -> Checked:
        try:
            source = _read(path)
        except _Unreadable as exc:
            return Checked(str(path), (Problem(str(exc), "file", line=1, column=1),))
        parsed = parse_flow(source, registry, default_namespace=namespace)
        problems = (*parsed.problems, *expression_problems(source, registry, check))
        ordered = sorted(map(_strict, problems), key=lambda one: (one.line or 0, one.column or 0))
        return Checked(str(path), tuple(ordered), tuple(source.splitlines()))

    return [checked(path) for path in files]


def as_array(checked: Iterable[Checked]) -> str:
    """Return the findings for programs."""
    return json.dumps([_object(one) for one in checked], indent=2, ensure_ascii=False)


def as_text(checked: list[Checked]) -> str:
    """Return the findings for people, each with its line of the file, and a summary."""
    blocks = [_block(one, problem) for one in checked for problem in one.problems]
    wrong = sum(not one.valid for one in checked)
    count = len(checked)
    if not count:
        return click.style("no .yaml or .yml file is there to check", fg="yellow", bold=True)
    files = "1 file" if count == 1 else f"{count} files"
    summary = f"{files} checked, {wrong} wrong" if wrong else f"{files} checked, all valid"
    return "\n\n".join([*blocks, click.style(summary, fg="red" if wrong else "green", bold=True)])


class _Unreadable(Exception):
    """The file cannot be read as text."""


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(4 * MAX_CHARACTERS + 1)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _Unreadable(f"this is no text in UTF-8: byte {exc.start}") from exc
    except OSError as exc:
        raise _Unreadable(exc.strerror or str(exc)) from exc


def _strict(problem: Problem) -> Problem:
    is_strict = problem.severity == "warning" and problem.code in _STRICT
    return replace(problem, severity="error") if is_strict else problem


def _object(one: Checked) -> dict[str, Any]:
    problems = [asdict(problem) for problem in one.problems]
    return {"file": one.file, "valid": one.valid, "problems": problems}


def _block(one: Checked, problem: Problem) -> str:
    place = f"{one.file}:{problem.line or 1}:{problem.column or 1}"
    word = click.style(problem.severity, fg=_COLOURS[problem.severity], bold=True)
    head = f"{place}: {word}: {problem.message} [{problem.code}]"
    return "\n".join([head, *_frame(one.lines, problem)])


def _frame(lines: tuple[str, ...], problem: Problem) -> Iterator[str]:
    """Yield the line of a problem with the one before it, and a mark below its column."""
    if problem.line is None or not 0 < problem.line <= len(lines):
        return
    width = len(str(problem.line))
    for number in range(max(1, problem.line - 1), problem.line + 1):
        yield click.style(f"  {number:>{width}} | ", dim=True) + lines[number - 1][:160]
    column = problem.column or 1
    if column <= 160:
        yield click.style(f"  {'':>{width}} | ", dim=True) + " " * (column - 1) + "^"
