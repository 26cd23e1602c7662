"""Showing an execution as it runs: log lines as they come, task runs as they end."""

from __future__ import annotations

import sys
from datetime import timedelta

import click

from runner.clock import iso
from runner.model.execution import Execution
from runner.model.logs import Level, LogLine
from runner.model.states import State
from runner.store.base import Store

COLOURS = {
    State.SUCCESS: "green",
    State.WARNING: "yellow",
    State.FAILED: "red",
    State.KILLED: "magenta",
    State.RUNNING: "blue",
}
_LEVELS = {Level.ERROR: "red", Level.WARN: "yellow"}


class Progress:
    """Prints what is new each time `show` is called; nothing when *quiet*."""

    def __init__(self, store: Store, execution_id: str, *, quiet: bool = False) -> None:
        self._store = store
        self._execution_id = execution_id
        self._quiet = quiet
        self._cursor: dict[tuple[str, int], int] = {}
        self._seen: dict[str, State] = {}

    def show(self) -> None:
        """Print new log lines and changes of task runs."""
        if self._quiet:
            return
        for line in self._store.logs.tail(self._execution_id, self._cursor, limit=1000):
            self._cursor[line.task_run_id or "", line.attempt] = line.number
            click.echo(log_line(line))
        with self._store.read() as tx:
            runs = tx.task_runs.of_execution(self._execution_id)
        for run in runs:
            if self._seen.get(run.id) is not run.state and (
                run.state.is_terminal or run.state.stands_still
            ):
                self._seen[run.id] = run.state
                name = run.task_id if run.value is None else f"{run.task_id} [{run.value}]"
                click.echo(f"{state_word(run.state)}  {name}", err=True)

    def conclude(self, execution: Execution) -> None:
        """Print how it ended."""
        took = duration(execution.history[-1][1] - execution.created_at)
        flow = f"{execution.namespace}.{execution.flow_id}"
        click.echo(f"{state_word(execution.state)}  {flow} {execution.id} in {took}", err=True)
        for name, value in (execution.outputs or {}).items():
            click.echo(f"  {name}: {value}", err=True)
        sys.stderr.flush()


def duration(value: timedelta) -> str:
    """Return how long something took, for people: 45 ms, 2.0 s, 3 min 20 s, 2 h 5 min."""
    seconds = max(value.total_seconds(), 0.0)
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def state_word(state: State) -> str:
    """Return a state, padded, coloured on a terminal."""
    return click.style(f"{state:<8}", fg=COLOURS.get(state), bold=state is State.FAILED)


def log_line(line: LogLine) -> str:
    """Return a log line for people."""
    about = f"[{line.task_id}] " if line.task_id else ""
    level = click.style(f"{line.level:<5}", fg=_LEVELS.get(line.level))
    return f"{iso(line.at)} {level} {about}{line.message}"
