"""Each folder here is a flow and what must have become of it: a new case is data.

``flow.yaml`` holds the flow (further documents are flows that it starts), ``expect.yaml``:
``inputs``, ``breakpoints``; ``steps`` (``resume``, ``kill``, ``replay: TASK`` …), each done when
nothing is left to do; and what is looked at in the end: ``state``, ``task_runs`` (``id`` or
``id/value`` to state, or to the states of several; exactly these), ``outputs``, ``labels``,
``variables``, ``logs`` (lines that are there), ``log_counts``, ``log_patterns`` (of ``LEVEL
message``), ``history``, ``run_outputs``, ``iterations``, ``log_files`` (lines of each attempt),
``attempts`` and ``histories`` of task runs, ``attempt_number``, ``children`` (their states).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.model.execution import TaskRun
from runner.model.states import State
from runner.services.principal import LOCAL
from tests.scenarios.player import Played, Player

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/flow.yaml"))


def test_there_are_scenarios():
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_flow_ends_as_expected(folder: Path, tmp_path: Path) -> None:
    expected = yaml.safe_load((folder / "expect.yaml").read_text("utf-8"))
    player = Player(tmp_path / "home")
    sources = (folder / "flow.yaml").read_text("utf-8").split("\n---\n")
    breakpoints = expected.pop("breakpoints", ())
    execution_id = player.start(player.load(*sources), expected.pop("inputs", {}), breakpoints)
    player.work()
    for step in expected.pop("steps", ()):
        execution_id = _do(player, execution_id, step)
        player.work()

    played = player.seen(execution_id)

    assert {name: _seen(played, name, value) for name, value in expected.items()} == expected


def _do(player: Player, execution_id: str, step: Any) -> str:
    action, argument = next(iter(step.items())) if isinstance(step, dict) else (step, None)
    executions = player.executions
    match action:
        case "resume":
            executions.resume(execution_id, by=LOCAL, inputs=argument or {})
        case "go on":
            executions.resume_from_breakpoint(execution_id, breakpoints=argument, by=LOCAL)
        case "kill":
            executions.kill(execution_id, by=LOCAL)
        case "pause":
            executions.pause(execution_id, by=LOCAL)
        case "restart":
            executions.restart(execution_id, by=LOCAL)
        case "state":
            run = _run_of(player, execution_id, argument["task"])
            state = State(argument["to"])
            executions.change_task_run_state(execution_id, run, state, by=LOCAL)
        case "replay":
            run = _run_of(player, execution_id, argument) if argument else None
            return executions.replay(execution_id, from_task_run=run, by=LOCAL).id
        case _:
            raise AssertionError(f"{action} is no step")
    return execution_id


def _run_of(player: Player, execution_id: str, task_id: str) -> str:
    return next(
        run.id for run in player.executions.get(execution_id).runs if run.task_id == task_id
    )


def _seen(played: Played, name: str, expected: Any) -> Any:
    match name:
        case "state":
            return str(played.execution.state)
        case "task_runs":
            return _states(played)
        case "outputs":
            return dict(played.execution.outputs or {})
        case "variables":
            return dict(played.execution.variables)
        case "labels":
            own = dict(played.execution.labels)
            return {key: own.get(key) for key in expected}
        case "logs":
            return [line for line in expected if line in played.lines]
        case "log_counts":
            return {line: played.lines.count(line) for line in expected}
        case "history":
            return [str(state) for state, _ in played.execution.history]
        case "attempts":
            tried = {run.task_id: [str(one.state) for one in run.attempts] for run in played.runs}
            return {task: tried.get(task) for task in expected}
        case "run_outputs":
            found = {run.task_id: dict(run.outputs or {}) for run in played.runs}
            return {task: _picked(found.get(task), value) for task, value in expected.items()}
        case "log_patterns":
            return [one for one in expected if any(re.fullmatch(one, line) for line in played.told)]
        case "log_files":
            return {task: _picked_lines(played, task, lines) for task, lines in expected.items()}
        case "iterations":
            return {run.task_id: run.iteration for run in played.runs}
        case "histories":
            seen = {_name(run): [str(state) for state, _ in run.history] for run in played.runs}
            return {name: seen.get(name) for name in expected}
        case "attempt_number":
            return played.execution.attempt_number
        case "children":
            return sorted(str(child.execution.state) for child in played.children)
    raise AssertionError(f"{name} is nothing that can be expected")


def _picked_lines(played: Played, task_id: str, expected: list[list[str]]) -> list[list[str]]:
    """Return those of the expected lines that are in the log files of a task's attempts."""
    texts = [text for run, texts in played.log_files.items() if run == task_id for text in texts]
    return [
        [line for line in lines if f" {line}\n" in text]
        for lines, text in zip(expected, texts, strict=True)
    ]


def _states(played: Played) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for run in played.runs:
        found.setdefault(_name(run), []).append(str(run.state))
    return {name: states[0] if len(states) == 1 else states for name, states in found.items()}


def _name(run: TaskRun) -> str:
    return run.task_id if run.value is None else f"{run.task_id}/{run.value}"


def _picked(found: Any, expected: Any) -> Any:
    if isinstance(found, dict) and isinstance(expected, dict):
        return {key: _picked(found.get(key), value) for key, value in expected.items()}
    return found
