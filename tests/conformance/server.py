"""A fresh server of our own for the harness, with the settings that its cases want."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

KEY_VARIABLE = "CONFORMANCE_ENCRYPTION_KEY"
FIXTURES = "tests.conformance.fixtures"
_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Wanted:
    """What the server is started with."""

    secrets: Mapping[str, str]
    variables: Mapping[str, str]
    globals: Mapping[str, Any]
    encryption_key: str | None
    fixtures: bool


@contextlib.contextmanager
def running(wanted: Wanted, home: Path) -> Iterator[str]:
    """Start a server below *home* and yield its address; it is stopped at the end.

    Raises:
        RuntimeError: it was not ready in time, with its last words.
    """
    home.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(home / "data", ignore_errors=True)
    port = _free_port()
    command = [
        *(sys.executable, "-c", "from runner.cli import main; main()", "up", "--no-demo"),
        *("--home", str(home / "data"), "--port", str(port)),
        *("--config", str(_settings(wanted, home))),
    ]
    with (home / "up.log").open("wb") as output:
        process = subprocess.Popen(
            command, env=_environment(wanted, home), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield _ready(process, port, home)
        finally:
            _stop(process)


def _settings(wanted: Wanted, home: Path) -> Path:
    settings: dict[str, Any] = {
        "globals": dict(wanted.globals),
        "task_runner": {"default": "process"},
    }
    if wanted.encryption_key:
        settings["encryption_key"] = f"${{{KEY_VARIABLE}}}"
    path = home / "headrace.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    return path


def _environment(wanted: Wanted, home: Path) -> dict[str, str]:
    ours = ("SECRET_", "ENV_", "HEADRACE_", "REDIS_URL")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    environment |= wanted.variables
    if wanted.encryption_key:
        environment[KEY_VARIABLE] = wanted.encryption_key
    paths = [str(Path(__file__).parents[2])]
    if wanted.fixtures:
        paths.append(str(_installed_plugin(home)))
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def _installed_plugin(home: Path) -> Path:
    """Install the test-only types as any distribution does: through an entry point."""
    folder = home / "plugins"
    metadata = folder / "conformance_fixtures-1.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: conformance-fixtures\nVersion: 1\n", "utf-8"
    )
    (metadata / "entry_points.txt").write_text(
        f"[headrace.plugins]\nconformance = {FIXTURES}\n", "utf-8"
    )
    return folder


def _ready(process: subprocess.Popen[bytes], port: int, home: Path) -> str:
    url = f"http://127.0.0.1:{port}"
    give_up = time.monotonic() + _READY_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{url}/health", timeout=2) as answer,
        ):
            if answer.status == 200:
                return url
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{(home / 'up.log').read_text('utf-8')[-4000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
