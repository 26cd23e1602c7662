"""Several machines: each process has a home of its own and shares only Redis and PostgreSQL."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from tests.services.headrace import PROGRAM, Headrace, clean_environment, states_of
from tests.services.ports import free_port

FLOW = """
id: two-machines
namespace: company.team
tasks:
  - id: make
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    workerGroup: {key: first}
    outputFiles: [out.txt]
    commands: ["hostname > /dev/null; pwd > out.txt; echo made >> out.txt"]
  - id: use
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    workerGroup: {key: second}
    inputFiles:
      in.txt: "{{ outputs.make.outputFiles['out.txt'] }}"
    commands: ["cat in.txt; pwd"]
"""


class Machine:
    """One process in a home that nobody else has."""

    def __init__(self, *command: str, environment: dict[str, str]) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="headrace-machine-"))
        with (self.home / "log").open("w") as log:
            self.process = subprocess.Popen(
                [PROGRAM, *command, "--home", self.home],
                env=clean_environment(environment),
                cwd=self.home,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        finally:
            self.process.kill()
            shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture
def shared(postgres_database: str, redis_url: str) -> dict[str, str]:
    """What all machines are told."""
    environment = {"HEADRACE_DATABASE_URL": postgres_database, "REDIS_URL": redis_url}
    subprocess.run([PROGRAM, "db", "upgrade"], env=clean_environment(environment), check=True)
    return environment


@pytest.fixture
def machines(shared: dict[str, str]):
    port = free_port()
    started = [
        Machine("web", "--port", str(port), environment=shared),
        Machine("sync", environment=shared),
        Machine("worker", "--queue", "default", "--queue", "first", environment=shared),
        Machine("worker", "--queue", "second", environment=shared),
    ]
    try:
        yield Remote(port), started
    finally:
        for machine in started:
            print((machine.home / "log").read_text()[-2000:])
            machine.stop()


class Remote(Headrace):
    """The same questions, to a server that runs already."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.home = Path(os.devnull)
        end = time.monotonic() + 30
        while self.status("/health") != 200:
            assert time.monotonic() < end, "the web server is not ready"
            time.sleep(0.05)


def test_workers_that_share_no_folder_pass_files_on(machines):
    server, started = machines
    server.add_flow(FLOW)
    execution = server.run("company.team", "two-machines")
    lines = server.lines(execution["id"])

    assert states_of(execution) == {"make": "SUCCESS", "use": "SUCCESS"}
    assert "made" in lines
    homes = {str(machine.home) for machine in started[2:]}
    seen = {line.split("/work/")[0] for line in lines if line.startswith("/")}
    assert seen == homes


def test_a_machine_that_dies_hands_its_task_to_another(machines, shared):
    server, started = machines
    server.add_flow(
        FLOW.replace("two-machines", "dies")
        .replace("{key: first}", "{key: default}")
        .replace("pwd > out.txt", "sleep 4; pwd > out.txt")
    )
    execution_id = server.start_flow("company.team", "dies")["id"]
    end = time.monotonic() + 20
    while "RUNNING" not in states_of(server.execution(execution_id)).values():
        assert time.monotonic() < end
        time.sleep(0.05)
    other = Machine("worker", "--queue", "default", environment=shared)
    try:
        started[2].process.kill()
        execution = server.wait_for(execution_id, 40)
    finally:
        other.stop()

    assert states_of(execution) == {"make": "SUCCESS", "use": "SUCCESS"}
    (make,) = [run for run in execution["taskRunList"] if run["taskId"] == "make"]
    attempts = [attempt["state"]["current"] for attempt in make["attempts"]]
    assert attempts == ["RESUBMITTED", "SUCCESS"]


def test_postgresql_with_a_folder_of_one_machine_is_refused(shared):
    environment = clean_environment({**shared, "HEADRACE_STORAGE": "/tmp/storage"})
    refused = subprocess.run([PROGRAM, "worker"], env=environment, capture_output=True, text=True)

    assert refused.returncode == 1
    assert "workers on other machines" in refused.stderr


def test_health_names_what_does_not_answer(machines):
    server, _ = machines
    with urllib.request.urlopen(f"{server.url}/health") as answer:
        details = json.loads(answer.read())["details"]

    assert {name: each["status"] for name, each in details.items()}["database"] == "UP"
