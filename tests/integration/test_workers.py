"""Workers as processes, with a real Redis: what dies, stops, or is lost."""

import contextlib
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
import redis
from rq import Worker as StockWorker

from tests.services.fleet import Fleet, shell

RECOVERY_SECONDS = 30


@pytest.fixture
def fleet(tmp_path, redis_url):
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    fleet = Fleet(tmp_path / "home", redis_url)
    yield fleet
    fleet.close()
    client.close()


@pytest.fixture
def done(tmp_path) -> Path:
    return tmp_path / "done"


def a_slow_flow(fleet, done, seconds=2.0):
    body = "tasks:\n" + shell("slow", f"echo begin >> {done}; sleep {seconds}; echo end >> {done}")
    fleet.add_flow("slow", body + shell("after", f"echo after >> {done}"))
    execution_id = fleet.start("slow")
    fleet.until(lambda: done.exists())
    return execution_id


def still_working(marker) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(marker) in command and "pytest" not in command:
            found.append(command)
    return found


def test_a_chain_runs_in_one_worker_and_is_listed_by_rq(fleet, done):
    fleet.start_worker()
    body = "tasks:\n" + "".join(shell(f"t{n}", f"echo {n} >> {done}") for n in range(5))
    fleet.add_flow("chain", body)
    execution = fleet.ended(fleet.start("chain"))
    assert str(execution.state) == "SUCCESS"
    assert done.read_text().split() == ["0", "1", "2", "3", "4"]
    client = redis.Redis.from_url(fleet.redis_url)
    with contextlib.closing(client):
        fleet.until(lambda: StockWorker.all(client))
        (listed,) = StockWorker.all(client)
        assert sorted(listed.queue_names()) == ["headrace", "headrace-default"]


def test_a_worker_killed_in_mid_task_loses_its_attempt_only(fleet, done):
    victim = fleet.start_worker()
    execution_id = a_slow_flow(fleet, done)
    fleet.start_worker()
    victim.kill()
    execution = fleet.ended(execution_id, RECOVERY_SECONDS)
    assert str(execution.state) == "SUCCESS"
    assert fleet.attempts(execution_id, "slow") == ["RESUBMITTED", "SUCCESS"]
    assert done.read_text().split() == ["begin", "begin", "end", "after"]


def test_a_worker_stopped_beyond_its_lease_changes_nothing_when_it_comes_back(fleet, done):
    stopped = fleet.start_worker()
    execution_id = a_slow_flow(fleet, done)
    stopped.send_signal(signal.SIGSTOP)
    fleet.start_worker()
    execution = fleet.ended(execution_id, RECOVERY_SECONDS)
    stopped.send_signal(signal.SIGCONT)
    time.sleep(1.5)
    assert str(execution.state) == "SUCCESS"
    assert fleet.attempts(execution_id, "slow") == ["RESUBMITTED", "SUCCESS"]
    assert done.read_text().split().count("after") == 1
    assert len(fleet.until(lambda: len(fleet.rows()) == 2 and fleet.rows())) == 2


def test_all_of_redis_lost_again_and_again_loses_nothing(fleet, done):
    fleet.start_worker()
    fleet.add_flow("quick", "tasks:\n" + shell("only", f"echo x >> {done}"))
    client = redis.Redis.from_url(fleet.redis_url)
    ids = []
    with contextlib.closing(client):
        for _ in range(20):
            ids.append(fleet.start("quick"))
            client.flushall()
    assert {str(fleet.ended(each).state) for each in ids} == {"SUCCESS"}
    assert done.read_text().split() == ["x"] * 20


def test_a_kill_ends_the_process_within_seconds(fleet, done):
    fleet.start_worker()
    execution_id = a_slow_flow(fleet, done, seconds=60)
    started = time.monotonic()
    fleet.kill(execution_id)
    execution = fleet.ended(execution_id)
    assert time.monotonic() - started < 5
    assert str(execution.state) == "KILLED"
    assert still_working(done) == []


def test_a_worker_that_drains_lets_its_attempt_end(fleet, done):
    worker = fleet.start_worker()
    execution_id = a_slow_flow(fleet, done)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=20) == 0
    assert fleet.attempts(execution_id, "slow") == ["SUCCESS"]
    assert fleet.rows() == []
    fleet.start_worker()
    assert str(fleet.ended(execution_id).state) == "SUCCESS"


def test_a_worker_told_twice_sends_its_attempt_again(fleet, done):
    worker = fleet.start_worker()
    execution_id = a_slow_flow(fleet, done)
    worker.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0
    assert still_working(done) == []
    fleet.start_worker()
    assert str(fleet.ended(execution_id).state) == "SUCCESS"
    assert fleet.attempts(execution_id, "slow") == ["RESUBMITTED", "SUCCESS"]


def test_an_attempt_goes_to_the_workers_of_its_group(fleet, done):
    fleet.start_worker()
    fleet.start_worker(queues=("gpu",))
    body = "tasks:\n" + shell("here", f"echo here >> {done}")
    fleet.add_flow(
        "groups", body + shell("there", f"echo there >> {done}", workerGroup="{key: gpu}")
    )
    execution_id = fleet.start("groups")
    assert str(fleet.ended(execution_id).state) == "SUCCESS"
    with fleet.runtime.store.read() as tx:
        runs = tx.task_runs.of_execution(execution_id)
        queues = {worker.id: worker.queues for worker in tx.workers.all()}
    assert [queues[run.attempts[0].worker_id] for run in runs] == [("default",), ("gpu",)]


def test_full_slots_do_not_hold_up_light_flows(fleet, done):
    fleet.start_worker(slots=1)
    long_id = a_slow_flow(fleet, done, seconds=5)
    fleet.add_flow("light", "tasks: [{id: l, type: core.debug.Return, format: x}]")
    started = time.monotonic()
    assert str(fleet.ended(fleet.start("light")).state) == "SUCCESS"
    assert time.monotonic() - started < 2
    fleet.kill(long_id)
    fleet.ended(long_id)


def test_a_busy_interpreter_keeps_its_lease(tmp_path, redis_url):
    """Ten seconds in which one thread does not let go of the interpreter lose nothing."""
    fleet = Fleet(tmp_path / "home", redis_url, lease=15)
    try:
        script = (
            "import threading, re, sys\n"
            "from runner.cli import main\n"
            "def hog():\n"
            "    import time; time.sleep(4); begin = time.monotonic()\n"
            "    re.match('(a|a)*b', 'a' * 27)\n"
            "    print('hog', time.monotonic() - begin, flush=True)\n"
            "threading.Thread(target=hog, daemon=True).start()\n"
            f"sys.argv = ['headrace', 'worker', '--home', {str(fleet.home)!r}]\n"
            "main()\n"
        )
        fleet.launch([sys.executable, "-c", script])
        fleet.until(lambda: fleet.rows())
        fleet.add_flow("long", "tasks:\n" + shell("sleeper", "sleep 25"))
        execution_id = fleet.start("long")
        assert str(fleet.ended(execution_id, 60).state) == "SUCCESS"
        assert fleet.attempts(execution_id, "sleeper") == ["SUCCESS"]
        assert "hog" in fleet.logs()
    finally:
        fleet.close()


def test_a_stock_rq_worker_runs_our_jobs(fleet, done):
    body = "tasks:\n" + shell("a", f"echo a >> {done}") + shell("b", f"echo b >> {done}")
    fleet.add_flow("stock", body)
    execution_id = fleet.start("stock")
    argv = [sys.executable, "-m", "rq.cli", "worker", "--serializer", "json", "--url"]
    fleet.launch([*argv, fleet.redis_url, "headrace", "headrace-default"])
    assert str(fleet.ended(execution_id).state) == "SUCCESS"
    assert done.read_text().split() == ["a", "b"]
    assert fleet.attempts(execution_id, "a") == ["SUCCESS"]
