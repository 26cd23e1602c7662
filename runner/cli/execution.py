"""``headrace execution``: executions that are stored."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.inputs import input_option, read_inputs
from runner.cli.options import (
    breakpoint_option,
    config_option,
    home_option,
    json_option,
    print_json,
    reports_errors,
    stored_runtime,
    table,
)
from runner.cli.progress import Progress, log_line, state_word
from runner.clock import iso
from runner.errors import ArgumentInvalid
from runner.model.states import State

if TYPE_CHECKING:
    from runner.services.bundle import Services

_FOLLOW_SECONDS = 0.2


@click.group()
def execution() -> None:
    """List, show, follow, resume, replay and kill executions."""


@execution.command("list")
@click.option("--flow", "name", metavar="NAMESPACE/ID", help="Only of this flow.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(state) for state in State], case_sensitive=False),
    metavar="STATE",
    help="Only in this state, as FAILED; may be repeated.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=25, show_default=True)
@home_option
@config_option
@json_option
@reports_errors
def list_executions(
    name: str | None,
    states: tuple[str, ...],
    limit: int,
    home: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """List executions, newest first."""
    from runner.cli.flow import split_name
    from runner.services import shapes
    from runner.services.bundle import open_services
    from runner.store.base import ExecutionFilter

    namespace, flow_id = split_name(name) if name else (None, None)
    wanted = ExecutionFilter(
        namespaces=(namespace,) if namespace else (),
        flow_ids=(flow_id,) if flow_id else (),
        states=tuple(state.upper() for state in states),
    )
    with stored_runtime(home, config) as runtime:
        found = open_services(runtime).executions.search(wanted, limit=limit).items
        if as_json:
            now = runtime.clock.now()
            print_json([shapes.execution(each, (), now=now) for each in found])
            return
    lines = [
        (e.id, str(e.state), f"{e.namespace}/{e.flow_id}", (e.commit or "")[:7], iso(e.created_at))
        for e in found
    ]
    click.echo(table(lines, "ID", "STATE", "FLOW", "COMMIT", "CREATED"))


@execution.command()
@click.argument("execution_id")
@home_option
@config_option
@json_option
@reports_errors
def show(execution_id: str, home: Path | None, config: Path | None, as_json: bool) -> None:
    """Show one execution with its task runs."""
    from runner.services import shapes
    from runner.services.bundle import open_services

    with stored_runtime(home, config) as runtime:
        shown = open_services(runtime).executions.get(execution_id)
        if as_json:
            print_json(shapes.execution(shown.execution, shown.runs, now=runtime.clock.now()))
            return
        head = shown.execution
        click.echo(
            f"{state_word(head.state)}  {head.namespace}/{head.flow_id}  revision {head.revision}"
        )
        if head.commit:
            click.echo(f"commit    {head.commit}")
        for run in shown.runs:
            name = run.task_id if run.value is None else f"{run.task_id} [{run.value}]"
            click.echo(f"  {state_word(run.state)}  {name}")


@execution.command()
@click.argument("execution_id")
@click.option(
    "-f", "--follow", "is_followed", is_flag=True, help="Go on until the execution has ended."
)
@home_option
@config_option
@reports_errors
def logs(execution_id: str, is_followed: bool, home: Path | None, config: Path | None) -> None:
    """Print the log of an execution."""
    from runner.services.bundle import open_services

    with stored_runtime(home, config) as runtime:
        services = open_services(runtime)
        services.executions.head(execution_id)
        cursor: dict[tuple[str, int], int] = {}
        while True:
            is_over = services.executions.head(execution_id).fully_ended
            _print_new(services, execution_id, cursor)
            if is_over or not is_followed:
                return
            time.sleep(_FOLLOW_SECONDS)


def _print_new(services: Services, execution_id: str, cursor: dict[tuple[str, int], int]) -> None:
    while lines := services.runtime.store.logs.tail(execution_id, cursor, limit=1000):
        for line in lines:
            cursor[line.task_run_id or "", line.attempt] = line.number
            click.echo(log_line(line))


@execution.command()
@click.argument("execution_id")
@click.option("--task-run", help="Keep what ran before this task run: its id, see `show --json`.")
@click.option("--revision", help="A revision's number, or `latest`.")
@breakpoint_option
@home_option
@config_option
@json_option
@reports_errors
def replay(
    execution_id: str,
    task_run: str | None,
    revision: str | None,
    breakpoints: tuple[str, ...],
    home: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Run an execution again as a new one; prints its id."""
    from runner.services.bundle import open_services
    from runner.services.principal import LOCAL

    wanted = int(revision) if revision and revision.isdigit() else revision
    with stored_runtime(home, config) as runtime:
        replayed = open_services(runtime).executions.replay(
            execution_id,
            from_task_run=task_run,
            revision=wanted,
            breakpoints=breakpoints,
            by=LOCAL,
        )
    if as_json:
        print_json({"id": replayed.id, "parentId": execution_id})
    else:
        click.echo(replayed.id)


@execution.command()
@click.argument("execution_id")
@input_option
@breakpoint_option
@home_option
@config_option
@reports_errors
def resume(
    execution_id: str,
    inputs: tuple[str, ...],
    breakpoints: tuple[str, ...],
    home: Path | None,
    config: Path | None,
) -> None:
    """Let an execution go on that is paused or stands at a breakpoint.

    \b
    --input gives what the Pause asks for (onResume). --breakpoint replaces the breakpoints that
    are left of an execution that stands at one.
    """
    from runner.services.bundle import open_services
    from runner.services.principal import LOCAL

    with stored_runtime(home, config) as runtime:
        executions = open_services(runtime).executions
        if executions.head(execution_id).state is State.BREAKPOINT:
            if inputs:
                raise ArgumentInvalid("it stands at a breakpoint, where nothing is asked for")
            left = breakpoints or None
            executions.resume_from_breakpoint(execution_id, breakpoints=left, by=LOCAL)
        elif breakpoints:
            raise ArgumentInvalid("--breakpoint is for an execution that stands at one")
        else:
            executions.resume(execution_id, inputs=read_inputs(inputs), by=LOCAL)
    click.echo(f"{execution_id} goes on")


@execution.command()
@click.argument("execution_id")
@home_option
@config_option
@reports_errors
def kill(execution_id: str, home: Path | None, config: Path | None) -> None:
    """Kill an execution, and those it started."""
    from runner.services.bundle import open_services
    from runner.services.principal import LOCAL

    with stored_runtime(home, config) as runtime:
        killed = open_services(runtime).executions.kill(execution_id, by=LOCAL)
    after = (
        "what it started is stopped" if killed.state.is_terminal else "its tasks are being stopped"
    )
    click.echo(f"{execution_id} is {killed.state}: {after}")


def follow(services: Services, execution_id: str, progress: Progress) -> None:
    """Show an execution until it has fully ended."""
    while not services.executions.head(execution_id).fully_ended:
        progress.show()
        time.sleep(_FOLLOW_SECONDS)
    progress.show()
    progress.conclude(services.executions.head(execution_id))
