"""``headrace flow``: flows that are stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.inputs import input_option, read_inputs, warn_of_unknown
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
from runner.cli.progress import Progress
from runner.errors import ArgumentInvalid, NotFound
from runner.model.states import State

if TYPE_CHECKING:
    from runner.services.bundle import Services
    from runner.services.flows import StoredFlow


def split_name(name: str) -> tuple[str, str]:
    """Return namespace and id of ``NAMESPACE/ID`` or ``NAMESPACE.ID``. Raises ArgumentInvalid."""
    namespace, separator, flow_id = name.rpartition("/" if "/" in name else ".")
    if not separator or not namespace or not flow_id:
        raise ArgumentInvalid(f"'{name}' is not NAMESPACE/ID")
    return namespace, flow_id


def _stored(services: Services, name: str, revision: int | None = None) -> StoredFlow:
    namespace, flow_id = split_name(name)
    try:
        return services.flows.get(namespace, flow_id, revision=revision)
    except NotFound as exc:
        what = f"flow {namespace}/{flow_id}" if revision is None else f"revision {revision} of it"
        raise NotFound(f"there is no {what}; `headrace flow list` shows what there is") from exc


@click.group()
def flow() -> None:
    """List, show and run flows."""


@flow.command("list")
@click.option("--namespace", help="Only this namespace and those below it.")
@home_option
@config_option
@json_option
@reports_errors
def list_flows(
    namespace: str | None, home: Path | None, config: Path | None, as_json: bool
) -> None:
    """List the flows that are stored."""
    from runner.services.bundle import open_services

    with stored_runtime(home, config) as runtime:
        rows = list(open_services(runtime).flows.every(namespace))
    if as_json:
        print_json(
            [
                {
                    "namespace": row.namespace,
                    "id": row.flow_id,
                    "revision": row.revision,
                    "owner": row.owner,
                    "commit": row.commit,
                    "active": row.is_active,
                }
                for row in rows
            ]
        )
        return
    lines = [
        (
            f"{row.namespace}/{row.flow_id}",
            str(row.revision),
            row.owner,
            (row.commit or "")[:7],
            "" if row.is_active else "not active",
        )
        for row in rows
    ]
    click.echo(table(lines, "FLOW", "REVISION", "OWNER", "COMMIT", ""))


@flow.command()
@click.argument("name", metavar="NAMESPACE/ID")
@click.option("--revision", type=int, help="A revision's number  [default: the latest]")
@home_option
@config_option
@json_option
@reports_errors
def show(
    name: str, revision: int | None, home: Path | None, config: Path | None, as_json: bool
) -> None:
    """Show a flow's source."""
    from runner.services import shapes
    from runner.services.bundle import open_services

    with stored_runtime(home, config) as runtime:
        stored = _stored(open_services(runtime), name, revision)
        if as_json:
            print_json(shapes.flow(stored.row, stored.revision, stored.parsed, with_source=True))
        else:
            click.echo(stored.revision.source, nl=False)


@flow.command()
@click.argument("name", metavar="NAMESPACE/ID")
@input_option
@breakpoint_option
@click.option("--wait", is_flag=True, help="Follow it to its end; exit code 1 if it fails.")
@home_option
@config_option
@json_option
@reports_errors
def run(
    name: str,
    inputs: tuple[str, ...],
    breakpoints: tuple[str, ...],
    wait: bool,
    home: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Start a stored flow; a worker must be running.

    \b
    Example:
      headrace flow run company.team/import --input day=2026-01-31 --wait
    """
    from runner.cli.execution import follow
    from runner.services import shapes
    from runner.services.bundle import open_services
    from runner.services.executions import Order
    from runner.services.principal import LOCAL

    with stored_runtime(home, config) as runtime:
        services = open_services(runtime)
        stored, given = _stored(services, name), read_inputs(inputs)
        warn_of_unknown(given, stored.parsed)
        order = Order(
            stored.row.namespace,
            stored.row.flow_id,
            given,
            breakpoints=breakpoints,
            origin="cli",
        )
        created = services.executions.create(order, by=LOCAL).execution
        if wait:
            progress = Progress(runtime.store, created.id, quiet=as_json)
            follow(services, created.id, progress)
        shown = services.executions.get(created.id)
        if as_json:
            print_json(shapes.execution(shown.execution, shown.runs, now=runtime.clock.now()))
        elif not wait:
            click.echo(created.id)
    if wait and shown.execution.state not in (State.SUCCESS, State.WARNING):
        raise SystemExit(1)
