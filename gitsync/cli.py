"""``headrace sync`` and ``headrace source``."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gitsync.demo import sources_of
from gitsync.sync import SyncDuty, sync_once
from gitsync.world import Outcome, World
from runner import logs
from runner.cli.options import config_option, home_option, json_option, table
from runner.clock import iso
from runner.errors import HeadraceError
from runner.runtime import Runtime
from runner.settings import Settings, SourceSettings, load
from runner.store.base import CommitRow, ProblemRow, SourceRow, SyncRun

_HOME, _CONFIG, _JSON = home_option, config_option, json_option


def register(group: click.Group) -> None:
    """Add the commands of this package."""
    group.add_command(sync)
    group.add_command(source)


@click.command()
@click.option("--once", is_flag=True, help="Poll every source once, then end.")
@click.option("--dry-run", is_flag=True, help="Print what would change; write nothing.")
@_HOME
@_CONFIG
@_JSON
def sync(once: bool, dry_run: bool, home: Path | None, config: Path | None, as_json: bool) -> None:
    """Read the Git sources; fire dates and timers.

    SIGHUP reads the settings again. With --once: ends with 1 if a source cannot be synced.
    """
    with _told(), _world(home, config) as (runtime, world):
        if not (once or dry_run):
            _serve(runtime, world, config)
            return
        outcomes = _once(world, sources_of(runtime.settings), None, dry_run)
    click.echo(_json_of(outcomes) if as_json else _text_of(outcomes))
    if not all(outcome.is_well for outcome in outcomes):
        raise SystemExit(1)


@click.group()
def source() -> None:
    """Look at the Git sources."""


@source.command("list")
@_HOME
@_CONFIG
@_JSON
def list_sources(home: Path | None, config: Path | None, as_json: bool) -> None:
    """List the sources with their state."""
    with _told(), _world(home, config) as (runtime, _):
        with runtime.store.read() as tx:
            rows = {row.name: row for row in tx.sources.list()}
            counts = tx.source_problems.counts()
        shown = [
            _source_json(each, rows.get(each.name), counts.get(each.name, 0))
            for each in sources_of(runtime.settings)
        ]
    click.echo(_dumped(shown) if as_json else _source_table(shown) or _NONE)


@source.command("show")
@click.argument("name")
@_HOME
@_CONFIG
@_JSON
def show_source(name: str, home: Path | None, config: Path | None, as_json: bool) -> None:
    """Show one source: state, problems, last commits, last syncs."""
    with _told(), _world(home, config) as (runtime, _):
        configured = _configured(runtime.settings, name)
        with runtime.store.read() as tx:
            row = tx.sources.find(name)
            problems = tx.source_problems.of_source(name)
            commits = tx.commits.of_source(name, limit=10)
            runs = tx.sync_runs.of_source(name, limit=10).items
    shown = _source_json(configured, row, len(problems)) | {
        "problemList": [_problem_json(problem) for problem in problems],
        "commits": [_commit_json(commit) for commit in commits],
        "syncs": [_run_json(run) for run in runs],
    }
    click.echo(_dumped(shown) if as_json else "\n".join(_source_lines(shown)))


@source.command("sync")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Print what would change; write nothing.")
@_HOME
@_CONFIG
@_JSON
def sync_source(
    name: str, dry_run: bool, home: Path | None, config: Path | None, as_json: bool
) -> None:
    """Poll one source now and apply what is new."""
    with _told(), _world(home, config) as (runtime, world):
        _configured(runtime.settings, name)
        outcomes = _once(world, sources_of(runtime.settings), name, dry_run)
    click.echo(_json_of(outcomes) if as_json else _text_of(outcomes))
    if not all(outcome.is_well for outcome in outcomes):
        raise SystemExit(1)


_NONE = "No sources are configured: list them under `sources` in headrace.yaml."


@contextmanager
def _told() -> Iterator[None]:
    """Turn errors of ours into a line and exit code 1."""
    try:
        yield
    except HeadraceError as exc:
        raise click.ClickException(exc.message) from exc


@contextmanager
def _world(home: Path | None, config: Path | None) -> Iterator[tuple[Runtime, World]]:
    from gitsync.wiring import world_of
    from runner.wiring import database_url, open_runtime

    settings = load(config, home=home)
    is_new = settings.is_sqlite and not _file_of(database_url(settings)).exists()
    with open_runtime(settings, migrated=is_new) as runtime:
        logs.configure(runtime.mask.apply, level="ERROR")  # the output says the rest
        world = world_of(runtime)
        try:
            yield runtime, world
        finally:
            world.runner.close()


def _file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _once(
    world: World, sources: Sequence[SourceSettings], only: str | None, dry_run: bool
) -> list[Outcome]:
    if not sources:
        click.echo(_NONE, err=True)
    count = 1 if only else len(sources)
    status = threading.Timer(
        1.0,
        click.echo,
        (f"Polling {'1 source' if count == 1 else f'{count} sources'} …", None, True, True),
    )
    status.daemon = True
    status.start()
    try:
        return sync_once(world, sources, only=only, dry_run=dry_run)
    finally:
        status.cancel()


def _serve(runtime: Runtime, world: World, config: Path | None) -> None:
    logs.configure(runtime.mask.apply)
    serve(runtime, SyncDuty(world, sources_loader(runtime.settings, config)))


def sources_loader(
    settings: Settings, config: Path | None
) -> Callable[[], Sequence[SourceSettings]]:
    """Return the function that gives the sources: those at hand first, then read anew each time."""
    first = [sources_of(settings)]

    def read() -> Sequence[SourceSettings]:
        return first.pop() if first else sources_of(load(config, home=settings.home))

    return read


def serve(runtime: Runtime, duty: SyncDuty) -> None:
    """Run Git sync, and the scheduler beside it, until SIGTERM or SIGINT; SIGHUP reads settings."""
    from runner.scheduler import Scheduler

    scheduler = Scheduler(runtime)
    polling = threading.Thread(target=duty.run, name="git", daemon=True)
    polling.start()
    scheduler.start()
    try:
        _wait_for_the_end(duty)
    finally:
        duty.stop()
        scheduler.stop()
        polling.join(timeout=5)


def _wait_for_the_end(duty: SyncDuty) -> None:
    """Look at signals here: a handler that took a lock could wait for its own thread."""
    came: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: came.append(number))
    while True:
        time.sleep(0.1)
        if signal.SIGHUP in came:
            came.remove(signal.SIGHUP)
            duty.reload()
        if came:
            return


def _configured(settings: Settings, name: str) -> SourceSettings:
    for each in sources_of(settings):
        if each.name == name:
            return each
    known = ", ".join(each.name for each in sources_of(settings)) or "none"
    raise click.ClickException(f"there is no source '{name}' in the settings; there is: {known}")


# ── what is printed ──────────────────────────────────────────────────────────────────────────────


def _dumped(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _json_of(outcomes: Sequence[Outcome]) -> str:
    return _dumped([_outcome_json(outcome) for outcome in outcomes])


def _outcome_json(outcome: Outcome) -> Mapping[str, Any]:
    return {
        "source": outcome.source,
        "state": outcome.state,
        "error": outcome.error,
        "changed": outcome.wrote,
        "started": outcome.started,
        "plan": outcome.plan.as_json() if outcome.plan else None,
    }


def _text_of(outcomes: Sequence[Outcome]) -> str:
    return "\n".join(_outcome_text(outcome) for outcome in outcomes)


def _outcome_text(outcome: Outcome) -> str:
    if outcome.error:
        indented = outcome.error.replace("\n", "\n  ")
        return f"{outcome.source}: {outcome.state}\n  {indented}"
    if outcome.plan is None:
        word = "empty" if outcome.state == "EMPTY" else "unchanged"
        return f"{outcome.source}: {word}"
    started = f"\n  {outcome.started} executions started" if outcome.started else ""
    return f"{outcome.plan}{started}"


def _source_json(
    configured: SourceSettings, row: SourceRow | None, problems: int
) -> dict[str, Any]:
    return {
        "name": configured.name,
        "url": configured.url,
        "branch": configured.branch,
        "namespace": configured.namespace,
        "state": row.state if row else "NEW",
        "error": row.error if row else None,
        "head": row.head if row else None,
        "polledAt": iso(row.polled_at) if row and row.polled_at else None,
        "syncedAt": iso(row.synced_at) if row and row.synced_at else None,
        "problems": problems,
    }


def _source_table(sources: Sequence[Mapping[str, Any]]) -> str:
    if not sources:
        return ""
    rows = [
        (each["name"], each["state"], (each["head"] or "")[:7], each["url"], _trouble(each))
        for each in sources
    ]
    return table(rows, "SOURCE", "STATE", "COMMIT", "REPOSITORY", "")


def _trouble(shown: Mapping[str, Any]) -> str:
    if shown["error"]:
        return str(shown["error"]).partition("\n")[0]
    if not shown["problems"]:
        return ""
    count = "1 problem" if shown["problems"] == 1 else f"{shown['problems']} problems"
    return f"{count}: headrace source show {shown['name']}"


def _source_line(shown: Mapping[str, Any]) -> str:
    head = (shown["head"] or "")[:10]
    problems = f"  {shown['problems']} problems" if shown["problems"] else ""
    return f"{shown['name']:<20} {shown['state']:<12} {head:<11} {shown['url']}{problems}"


def _source_lines(shown: Mapping[str, Any]) -> Iterator[str]:
    yield _source_line(shown)
    if shown["error"]:
        yield "  " + shown["error"].replace("\n", "\n  ")
    for problem in shown["problemList"]:
        place = f":{problem['line']}" if problem["line"] else ""
        yield f"  {problem['path']}{place} {problem['message']}"
        if problem["frame"]:
            yield "      " + problem["frame"].replace("\n", "\n      ")
    for commit in shown["commits"]:
        subject = commit["message"].partition("\n")[0]
        yield f"  {commit['sha'][:10]} {commit['at']} {commit['author']}: {subject}"


def _problem_json(row: ProblemRow) -> dict[str, Any]:
    return {
        "path": row.path,
        "line": row.line,
        "column": row.column,
        "code": row.code,
        "message": row.message,
        "frame": row.frame,
        "flow": f"{row.namespace}.{row.flow_id}" if row.namespace and row.flow_id else None,
        "since": row.commit,
    }


def _commit_json(row: CommitRow) -> dict[str, Any]:
    return {
        "sha": row.sha,
        "author": row.author,
        "email": row.email,
        "message": row.message,
        "at": iso(row.at),
    }


def _run_json(run: SyncRun) -> dict[str, Any]:
    return {
        "from": run.from_commit,
        "to": run.to_commit,
        "at": iso(run.at),
        "tookMs": run.took_ms,
        **run.summary,
    }
