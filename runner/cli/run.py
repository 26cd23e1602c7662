"""``headrace run FLOW.yaml``: one flow on this machine, without server, Redis or Docker."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.inputs import input_option, read_inputs, warn_of_unknown
from runner.cli.options import (
    config_option,
    json_option,
    print_json,
    reports_errors,
    settings_of,
)
from runner.cli.progress import Progress
from runner.errors import ArgumentInvalid
from runner.model.flow import Flow
from runner.model.parser import parse_flow
from runner.model.problems import FlowInvalid
from runner.model.states import State
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.runtime import Runtime

_GOOD = (State.SUCCESS, State.WARNING)


@click.command()
@click.argument("flow", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@input_option
@click.option(
    "--namespace", default="local", help="Namespace, if the flow names none.", show_default=True
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to keep the state in  [default: a temporary one]",
)
@config_option
@json_option
@reports_errors
def run(
    flow: Path,
    inputs: tuple[str, ...],
    namespace: str,
    home: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Run one flow here, without a server.

    Nothing is kept unless --home names a folder. Ends with 0 for SUCCESS or WARNING, else 1.

    \b
    Examples:
      headrace run hello.yaml --input name=Ada
      headrace run import.yaml --input data=@rows.csv --json
    """
    with _home(home) as folder:
        settings = settings_of(folder, config)
        state = _run(settings, flow, namespace, read_inputs(inputs), as_json)
    if state not in _GOOD:
        raise SystemExit(1)


def _flow(runtime: Runtime, path: Path, namespace: str) -> Flow:
    """Return the flow of a file. Raises FlowInvalid with all problems, each with file, line and
    column.
    """
    parsed = parse_flow(_text(path), runtime.registry, default_namespace=namespace)
    if parsed.flow is None:
        wrong = [problem for problem in parsed.problems if problem.severity == "error"]
        raise FlowInvalid(replace(p, path=f"{path}:{p.line}:{p.column}: {p.path}") for p in wrong)
    return parsed.flow


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ArgumentInvalid(f"{path} cannot be read as a text: {exc}") from exc


@contextmanager
def _home(home: Path | None) -> Iterator[Path]:
    if home is not None:
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        yield Path(folder)


def _run(
    settings: Settings, path: Path, namespace: str, inputs: Mapping[str, Any], as_json: bool
) -> State:
    from runner import logs, wiring
    from runner.cli.local import LocalLoop, LocalQueue
    from runner.services import shapes
    from runner.services.bundle import open_services
    from runner.services.executions import Order
    from runner.services.principal import LOCAL

    waiting = LocalQueue()
    with wiring.open_runtime(settings, queue=waiting, migrated=True) as runtime:
        logs.configure(runtime.mask.apply, level="ERROR")
        services = open_services(runtime)
        parsed = _flow(runtime, path, namespace)
        warn_of_unknown(inputs, parsed)
        stored = services.flows.save(parsed, by=LOCAL)
        order = Order(stored.row.namespace, stored.row.flow_id, inputs, origin="cli")
        created = services.executions.create(order, by=LOCAL).execution
        progress = Progress(runtime.store, created.id, quiet=as_json)
        LocalLoop(runtime, waiting).run(created.id, progress.show)
        shown = services.executions.get(created.id)
        if as_json:
            print_json(shapes.execution(shown.execution, shown.runs, now=runtime.clock.now()))
        else:
            progress.conclude(shown.execution)
        sys.stdout.flush()
        return shown.execution.state
