"""The product itself as a neighbour: `headrace up` in a home of its own, asked over HTTP.

with Headrace(sources=[…]) as headrace:
    execution = headrace.run("company.team", "hello", inputs={"who": "Ada"})
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.services.ports import LOOPBACK, free_port

PROGRAM = Path(sys.executable).parent / "headrace"
TERMINAL = ("SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED", "SKIPPED")
_LEFT_OUT = ("SECRET_", "HEADRACE_", "REDIS_URL", "ENV_")


class Headrace:
    """Started when made; `stop` ends it gently and removes its home.

    *settings* is the content of its settings file; *environment* comes on top of ours.
    """

    def __init__(
        self,
        settings: dict[str, Any] | None = None,
        *,
        environment: dict[str, str] | None = None,
        options: tuple[str, ...] = ("--no-demo",),
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="headrace-test-"))
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.config = self.home / "settings.yaml"
        self.config.write_text(yaml.safe_dump(settings or {}))
        self._options = options
        self._environment = environment or {}
        self.start()

    # ── life

    def start(self) -> None:
        """Start it in its home and wait until it is ready."""
        self.process = subprocess.Popen(
            [*self._program(), "--port", str(self.port), *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environment(self._environment),
            text=True,
        )
        self._await_ready()

    def _program(self, *command: str) -> list[str]:
        places = ["--home", str(self.home), "--config", str(self.config)]
        return [str(PROGRAM), *(command or ("up",)), *places]

    def _await_ready(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            if self.status("/health") == 200:
                return
            time.sleep(0.05)
        self.process.kill()
        raise RuntimeError(f"headrace up is not ready: {self.process.communicate()[0]}\n{self.log}")

    def stop(self) -> str:
        """End it with SIGTERM and remove its home; returns what it printed."""
        output = self.terminate()
        shutil.rmtree(self.home, ignore_errors=True)
        return output

    def terminate(self, seconds: float = 15) -> str:
        """End it with SIGTERM; its home stays."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.communicate(timeout=seconds)[0] or ""
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def __enter__(self) -> "Headrace":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """The last lines of its log."""
        path = self.home / "headrace.log"
        return "\n".join(path.read_text().splitlines()[-40:]) if path.exists() else ""

    def children(self) -> list[psutil.Process]:
        """Its child processes, Redis among them."""
        return psutil.Process(self.process.pid).children()

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    # ── asking

    def status(self, path: str) -> int | None:
        """The status of a GET; None: no answer."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except (urllib.error.URLError, OSError):
            return None

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "application/json",
        timeout: float = 60,
    ) -> Any:
        """Call the API below ``/api/v1/main/``; returns what it answers, as data."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/main/{path}", body, {"Content-Type": kind}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(
                f"{method} {path}: {error.code} {error.read().decode()}"
            ) from error
        return json.loads(content) if content else None

    def add_flow(self, text: str) -> dict[str, Any]:
        """Store a flow."""
        return self.call("POST", "flows", text.encode(), "application/x-yaml")

    def start_flow(
        self, namespace: str, flow_id: str, inputs: dict[str, Any] | None = None, query: str = ""
    ) -> dict[str, Any]:
        """Start a flow; returns the new execution."""
        body, kind = _multipart(inputs or {})
        return self.call("POST", f"executions/{namespace}/{flow_id}{query}", body, kind)

    def run(
        self,
        namespace: str,
        flow_id: str,
        inputs: dict[str, Any] | None = None,
        timeout: float = 60,
    ) -> dict[str, Any]:
        """Start a flow and wait for its end."""
        return self.wait_for(self.start_flow(namespace, flow_id, inputs)["id"], timeout)

    def execution(self, execution_id: str) -> dict[str, Any]:
        return self.call("GET", f"executions/{execution_id}")

    def wait_for(
        self, execution_id: str, timeout: float = 60, states: tuple[str, ...] = TERMINAL
    ) -> dict[str, Any]:
        """Wait until an execution is in one of the states."""
        end = time.monotonic() + timeout
        while True:
            execution = self.execution(execution_id)
            if execution["state"]["current"] in states:
                return execution
            if time.monotonic() > end:
                current = execution["state"]["current"]
                raise AssertionError(f"{execution_id} is {current} after {timeout} s\n{self.log}")
            time.sleep(0.05)

    def search(self, **filters: str) -> list[dict[str, Any]]:
        """Executions, newest first."""
        query = urllib.parse.urlencode({"size": "100", "sort": "state.startDate:desc", **filters})
        return self.call("GET", f"executions/search?{query}")["results"]

    def wait_for_one(
        self, count: int = 1, timeout: float = 30, **filters: str
    ) -> list[dict[str, Any]]:
        """Wait until a search finds *count* executions that have ended."""
        end = time.monotonic() + timeout
        while True:
            found = self.search(**filters)
            if len(found) >= count and all(e["state"]["current"] in TERMINAL for e in found):
                return found
            if time.monotonic() > end:
                states = [e["state"]["current"] for e in found]
                raise AssertionError(f"found {states} for {filters} after {timeout} s\n{self.log}")
            time.sleep(0.05)

    def page(self, path: str) -> str:
        """The HTML of a page."""
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return answer.read().decode()

    def source(self, name: str) -> dict[str, Any]:
        """What `headrace source show` says of a source."""
        done = self.command("source", "show", name, "--json")
        return json.loads(done.stdout)

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of ours in the same home."""
        return subprocess.run(
            self._program(*arguments),
            env=clean_environment(self._environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
        )

    def lines(self, execution_id: str) -> list[str]:
        """The messages of an execution's log."""
        return [line["message"] for line in self.call("GET", f"logs/{execution_id}")]


def clean_environment(more: dict[str, str]) -> dict[str, str]:
    """Our environment without what would reach the product by accident."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    return {**kept, **more}


def states_of(execution: dict[str, Any]) -> dict[str, str]:
    """State by task (``task/value`` inside loops)."""
    runs = execution.get("taskRunList") or []
    return {
        run["taskId"] if run.get("value") is None else f"{run['taskId']}/{run['value']}": run[
            "state"
        ]["current"]
        for run in runs
    }


def _multipart(fields: dict[str, Any]) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return (
        "".join(parts) + f"--{boundary}--\r\n"
    ).encode(), f"multipart/form-data; boundary={boundary}"
