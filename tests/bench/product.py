"""The product under measurement: `headrace up` in a home of its own, asked over HTTP."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.services.ports import free_port

NAMESPACE = "bench"
_LEFT_OUT = ("SECRET_", "HEADRACE_", "REDIS_URL")


class Product:
    """Started when made; `stop` ends it and removes its home."""

    def __init__(
        self, *, database_url: str | None = None, more: dict[str, str] | None = None
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="headrace-bench-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(_LEFT_OUT)}
        environment["HEADRACE_TASK_RUNNER__DEFAULT"] = "process"
        if database_url:
            environment["HEADRACE_DATABASE_URL"] = database_url
        environment.update(more or {})
        command = [str(Path(sys.executable).parent / "headrace"), "up", "--no-demo"]
        self._process = subprocess.Popen(
            [*command, "--home", str(self.home), "--port", str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        self._await_ready()

    def _await_ready(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        self._process.kill()
        words = self._process.communicate()[0].decode()
        raise RuntimeError(f"headrace up is not ready: {words}\n{self.log()}")

    def log(self) -> str:
        """The last lines of its log."""
        path = self.home / "headrace.log"
        return "\n".join(path.read_text().splitlines()[-30:]) if path.exists() else ""

    def call(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ):
        """Call the API; returns what it answers, as data."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/main/{path}", body, {"Content-Type": kind}, method=method
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"null")

    def add_flow(self, text: str) -> None:
        """Store a flow."""
        self.call("POST", "flows", text.encode(), "application/x-yaml")

    def run_and_wait(self, flow_id: str) -> tuple[dict, float]:
        """Run a flow to its end; returns the execution and the seconds from call to answer."""
        boundary = "x"
        started = time.perf_counter()
        execution = self.call(
            "POST",
            f"executions/{NAMESPACE}/{flow_id}?wait=true",
            f"--{boundary}--\r\n".encode(),
            f"multipart/form-data; boundary={boundary}",
        )
        return execution, time.perf_counter() - started

    def stop(self) -> None:
        """End it and remove its home."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> "Product":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
