"""Removing what dead workers left behind: processes and folders at the start, containers always."""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from runner.errors import HeadraceError
from runner.runtime import Runtime
from runner.store.base import AttemptRow
from runner.taskrunners import engines, process
from runner.taskrunners.base import TASK_RUN_LABEL
from runner.taskrunners.leftovers import cleanup

log = structlog.get_logger(__name__)

_FOLDER = re.compile(r"\w+-\d+-\w+")
_FOLDER_SECONDS = 300
_SEQUENCE_CHARS = 5  # a task run's id is its execution's and these


def reap_dead(runtime: Runtime) -> int:
    """End the processes of attempts whose workers on this host are dead; returns how many."""
    with runtime.store.read() as tx:
        dead = [row for row in tx.workers.dead() if row.host == socket.gethostname()]
        attempts = [attempt for row in dead for attempt in tx.attempts.of_worker(row.id)]
    return sum(_cleaned(marker) for attempt in attempts for marker in _markers(attempt))


def _markers(attempt: AttemptRow) -> set[str]:
    """Return the markers of an attempt's processes: its own, and that of a task inside it."""
    own = process.marker_of(attempt.task_run_id, attempt.attempt)
    noted = attempt.marker or ""
    return {own, noted} if noted.startswith("process:") else {own}


def reap_folders(runtime: Runtime) -> int:
    """Remove working directories whose attempts do not run any more; returns how many."""
    count = 0
    for folder in _old_folders(runtime.work_folder):
        task_run_id, attempt = folder.name.split("-")[:2]
        with runtime.store.read() as tx:
            row = tx.attempts.find(task_run_id, int(attempt))
        if row is None or row.state != "RUNNING":
            shutil.rmtree(folder, ignore_errors=True)
            count += 1
    return count


def reap_containers(runtime: Runtime) -> None:
    """Remove containers of our executions that no attempt owns any more."""
    if runtime.default_task_runner != "docker" and not engines.answers(
        runtime.settings.docker.host
    ):
        return
    try:
        api = engines.client(runtime.settings.docker.host)
        removed = engines.reap(api, lambda labels: is_owned(runtime, labels))
    except HeadraceError as exc:
        log.warning("cannot look for containers", action="reap", reason=exc.message)
        return
    if removed:
        log.info("removed containers that nobody owns", action="reap", containers=removed)


def is_owned(runtime: Runtime, labels: Mapping[str, str]) -> bool:
    """Say whether to leave a container alone: an attempt owns it, or it is none of ours."""
    task_run_id = labels.get(TASK_RUN_LABEL, "")
    execution_id = task_run_id[:-_SEQUENCE_CHARS]
    with runtime.store.read() as tx:
        if not execution_id or tx.executions.find(execution_id) is None:
            return True
        rows = tx.attempts.of_execution(execution_id)
    return any(row.task_run_id == task_run_id and row.state != "ENDED" for row in rows)


def _old_folders(parent: Path) -> list[Path]:
    """Return the working directories that are no longer being made or removed."""
    if not parent.is_dir():
        return []
    return [f for f in parent.iterdir() if _FOLDER.fullmatch(f.name) and _is_old(f)]


def _is_old(folder: Path) -> bool:
    try:
        return folder.stat().st_mtime < time.time() - _FOLDER_SECONDS
    except FileNotFoundError:
        return False  # its worker was faster


def _cleaned(marker: str) -> bool:
    try:
        return cleanup(marker)
    except HeadraceError as exc:
        log.warning("cannot remove a leftover", action="reap", marker=marker, reason=exc.message)
        return False
