"""Things die; everything ends in the right state within 30 s.

Nothing happens twice beyond the attempts recorded: what a task did is told by lines that it appends
to a file, so that work done twice is seen. Each test names what dies.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
import redis

from tests.services.headrace import Headrace, states_of

PROCESS = "{type: io.kestra.plugin.core.runner.Process}"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
RECOVERY_SECONDS = 30


def script_task(task_id: str, command: str, indent: str = "  ") -> str:
    return (
        f"{indent}- id: {task_id}\n{indent}  type: {SHELL}\n{indent}  taskRunner: {PROCESS}\n"
        f"{indent}  commands: [{command!r}]\n"
    )


@pytest.fixture(scope="module")
def headrace():
    with Headrace(environment={"HEADRACE_TASK_RUNNER__DEFAULT": "process"}) as running:
        yield running


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """The file into which tasks write what they did."""
    return tmp_path / "done"


def add_slow_flow(headrace: Headrace, flow_id: str, done: Path, seconds: float = 4) -> None:
    """A task that says when it begins and ends, and one after it."""
    command = f"echo begin >> {done}; sleep {seconds}; echo end >> {done}"
    text = f"id: {flow_id}\nnamespace: chaos\ntasks:\n"
    headrace.add_flow(
        text + script_task("slow", command) + script_task("after", f"echo after >> {done}")
    )


def wait_for_line(path: Path, line: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not path.exists() or line not in path.read_text().split():
        assert time.monotonic() < end, f"no line {line!r} in {path}"
        time.sleep(0.02)


def workers(headrace: Headrace) -> list[psutil.Process]:
    """The forked worker processes: those that hold slots."""
    names = [row["pid"] for row in _worker_rows(headrace)]
    return [psutil.Process(pid) for pid in names if psutil.pid_exists(pid)]


def _worker_rows(headrace: Headrace) -> list[dict]:
    import sqlite3

    with contextlib.closing(sqlite3.connect(headrace.home / "headrace.db")) as connection:
        rows = connection.execute("SELECT id, pid FROM workers").fetchall()
    return [{"id": name, "pid": pid} for name, pid in rows]


def holder(headrace: Headrace, execution_id: str) -> psutil.Process:
    """The worker that runs the execution's attempt."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(headrace.home / "headrace.db")) as connection:
        (pid,) = connection.execute(
            "SELECT workers.pid FROM attempts JOIN workers ON workers.id = attempts.worker_id "
            "WHERE attempts.execution_id = ?",
            (execution_id,),
        ).fetchone()
    return psutil.Process(pid)


def attempts_of(execution: dict, task_id: str) -> list[str]:
    (run,) = [run for run in execution["taskRunList"] if run["taskId"] == task_id]
    return [attempt["state"]["current"] for attempt in run["attempts"]]


def leftovers(marker: str) -> list[str]:
    """Processes that still do a test's work."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if marker in command and process.pid != os.getpid() and "pytest" not in command:
            found.append(command)
    return found


def test_a_worker_killed_in_mid_task_loses_its_attempt_only(headrace, done):
    add_slow_flow(headrace, "killed-worker", done)
    execution_id = headrace.start_flow("chaos", "killed-worker")["id"]
    wait_for_line(done, "begin")
    holder(headrace, execution_id).kill()
    execution = headrace.wait_for(execution_id, RECOVERY_SECONDS)

    assert execution["state"]["current"] == "SUCCESS"
    assert attempts_of(execution, "slow") == ["RESUBMITTED", "SUCCESS"]
    assert done.read_text().split() == ["begin", "begin", "end", "after"]
    assert leftovers(str(done)) == []


def test_a_stopped_worker_that_comes_back_changes_nothing(headrace, done):
    add_slow_flow(headrace, "stopped-worker", done, seconds=3)
    execution_id = headrace.start_flow("chaos", "stopped-worker")["id"]
    wait_for_line(done, "begin")
    stopped = holder(headrace, execution_id)
    stopped.suspend()
    try:
        execution = headrace.wait_for(execution_id, RECOVERY_SECONDS)
    finally:
        stopped.resume()
    time.sleep(2)
    again = headrace.execution(execution_id)

    assert execution["state"]["current"] == "SUCCESS"
    assert attempts_of(again, "slow") == ["RESUBMITTED", "SUCCESS"]
    assert done.read_text().split().count("after") == 1


def test_all_of_redis_lost_loses_nothing(headrace, done):
    add_slow_flow(headrace, "flushed", done, seconds=1)
    client = redis.Redis.from_url(redis_url(headrace))
    ids = []
    for _ in range(20):
        ids.append(headrace.start_flow("chaos", "flushed")["id"])
        client.flushall()
    ended = [headrace.wait_for(execution_id, RECOVERY_SECONDS) for execution_id in ids]

    assert {execution["state"]["current"] for execution in ended} == {"SUCCESS"}
    assert {tuple(attempts_of(execution, "slow")) for execution in ended} == {("SUCCESS",)}
    assert done.read_text().split().count("after") == 20


def redis_url(headrace: Headrace) -> str:
    from runner.queue.server import url_of

    return url_of(headrace.home)


@pytest.mark.parametrize("victim", ["redis", "sync", "web"])
def test_the_death_of_a_neighbour_is_survived(headrace, done, victim):
    add_slow_flow(headrace, f"without-{victim}", done, seconds=1)
    ids = [headrace.start_flow("chaos", f"without-{victim}")["id"] for _ in range(5)]
    process_named(headrace, victim).kill()
    end = time.monotonic() + RECOVERY_SECONDS
    while headrace.status("/health") != 200:
        assert time.monotonic() < end, headrace.log
        time.sleep(0.1)
    ids += [headrace.start_flow("chaos", f"without-{victim}")["id"] for _ in range(5)]
    ended = [headrace.wait_for(execution_id, RECOVERY_SECONDS) for execution_id in ids]

    assert {execution["state"]["current"] for execution in ended} == {"SUCCESS"}
    assert done.read_text().split().count("after") == 10


def process_named(headrace: Headrace, name: str) -> psutil.Process:
    """A child of the supervisor by what it does: started in the order sync, web, workers."""
    children = sorted(headrace.children(), key=lambda process: process.create_time())
    servers = [p for p in children if p.name().startswith(("valkey", "redis"))]
    if name == "redis":
        return servers[0]
    listening = [p for p in children if p.pid != servers[0].pid and _listens(p, headrace.port)]
    if name == "web":
        return next(p for p in listening if p.children())  # gunicorn has a child of its own
    worker_pids = {row["pid"] for row in _worker_rows(headrace)}
    others = [p for p in children if p.pid != servers[0].pid and p.pid not in worker_pids]
    return next(p for p in others if not any(_is_web(child) for child in p.children()))


def _listens(process: psutil.Process, port: int) -> bool:
    return any(
        c.status == "LISTEN" and c.laddr.port == port for c in process.net_connections("tcp")
    )


def _is_web(process: psutil.Process) -> bool:
    return "up" in process.cmdline()


def test_one_long_branch_does_not_hold_up_the_other(headrace, done):
    chain = "".join(
        script_task(f"step{n}", f"sleep 1; echo step >> {done}", "          ") for n in range(5)
    )
    headrace.add_flow(
        "id: branches\nnamespace: chaos\ntasks:\n  - id: both\n"
        "    type: io.kestra.plugin.core.flow.Parallel\n"
        "    tasks:\n"
        + script_task("long", f"sleep 60; echo {done}", "      ")
        + "      - id: chain\n        type: io.kestra.plugin.core.flow.Sequential\n        tasks:\n"
        + chain
    )
    execution_id = headrace.start_flow("chaos", "branches")["id"]
    started = time.monotonic()
    while not done.exists() or len(done.read_text().split()) < 5:
        assert time.monotonic() - started < 10, states_of(headrace.execution(execution_id))
        time.sleep(0.05)
    headrace.call("DELETE", f"executions/{execution_id}/kill")
    killed_at = time.monotonic()
    execution = headrace.wait_for(execution_id, 10)

    assert time.monotonic() - killed_at < 5
    assert execution["state"]["current"] == "KILLED"
    assert states_of(execution)["long"] == "KILLED"
    assert leftovers(str(done)) == []


def test_up_ends_within_ten_seconds_and_starts_again_what_it_stopped(done):
    headrace = Headrace(environment={"HEADRACE_TASK_RUNNER__DEFAULT": "process"})
    try:
        add_slow_flow(headrace, "interrupted", done, seconds=5)
        execution_id = headrace.start_flow("chaos", "interrupted")["id"]
        wait_for_line(done, "begin")
        family = headrace.descendants()
        started = time.monotonic()
        headrace.terminate()
        took = time.monotonic() - started
        alive = [
            process for process in family if process.is_running() and process.status() != "zombie"
        ]
        headrace.start()
        execution = headrace.wait_for(execution_id, RECOVERY_SECONDS)
    finally:
        headrace.stop()

    assert took < 10
    assert alive == []
    assert execution["state"]["current"] == "SUCCESS"
    assert attempts_of(execution, "slow") == ["RESUBMITTED", "SUCCESS"]


def test_a_killed_supervisor_leaves_nothing_behind(done):
    headrace = Headrace(environment={"HEADRACE_TASK_RUNNER__DEFAULT": "process"})
    try:
        add_slow_flow(headrace, "orphans", done, seconds=30)
        headrace.start_flow("chaos", "orphans")
        wait_for_line(done, "begin")
        family = headrace.descendants()
        headrace.process.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=15)
        assert [process.cmdline() for process in alive] == []
        assert leftovers(str(done)) == []
    finally:
        headrace.stop()


def test_a_container_outlives_its_worker_and_is_taken_over(headrace, docker_client, busybox_image):
    headrace.add_flow(
        f"id: container\nnamespace: chaos\ntasks:\n  - id: slow\n    type: {SHELL}\n"
        f"    containerImage: {busybox_image}\n    taskRunner:\n"
        "      type: io.kestra.plugin.scripts.runner.docker.Docker\n"
        "      pullPolicy: NEVER\n      networkMode: none\n"
        "    commands: ['for n in 1 2 3 4 5 6 7 8 9 10; do echo line $n; sleep 2; done']\n"
    )
    execution_id = headrace.start_flow("chaos", "container")["id"]
    end = time.monotonic() + 20
    while "line 2" not in headrace.lines(execution_id):
        assert time.monotonic() < end, headrace.log
        time.sleep(0.1)
    holder(headrace, execution_id).kill()
    execution = headrace.wait_for(execution_id, 60)
    lines = [line for line in headrace.lines(execution_id) if line.startswith("line")]

    assert execution["state"]["current"] == "SUCCESS"
    assert attempts_of(execution, "slow") == ["RESUBMITTED", "SUCCESS"]
    assert lines[-10:] == [
        f"line {n}" for n in range(1, 11)
    ]  # the log is read again from its start
    assert lines.count("line 9") == 1  # it went on; it did not start again
    label = f"kestra.io/execution-id={execution_id}"
    assert (
        docker_client.containers.list(all=True, ignore_removed=True, filters={"label": label}) == []
    )


def test_a_killed_execution_leaves_no_container(headrace, docker_client, busybox_image):
    headrace.add_flow(
        f"id: endless\nnamespace: chaos\ntasks:\n  - id: slow\n    type: {SHELL}\n"
        f"    containerImage: {busybox_image}\n    taskRunner:\n"
        "      type: io.kestra.plugin.scripts.runner.docker.Docker\n"
        "      pullPolicy: NEVER\n      networkMode: none\n"
        "    commands: ['echo begun; sleep 600']\n"
    )
    execution_id = headrace.start_flow("chaos", "endless")["id"]
    end = time.monotonic() + 20
    while "begun" not in headrace.lines(execution_id):
        assert time.monotonic() < end, headrace.log
        time.sleep(0.1)
    headrace.call("DELETE", f"executions/{execution_id}/kill")
    killed_at = time.monotonic()
    execution = headrace.wait_for(execution_id, 20)

    assert execution["state"]["current"] == "KILLED"
    assert time.monotonic() - killed_at < 5
    label = f"kestra.io/execution-id={execution_id}"
    assert (
        docker_client.containers.list(all=True, ignore_removed=True, filters={"label": label}) == []
    )
