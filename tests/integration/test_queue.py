"""The queue in a real Redis, told from outside by RQ itself."""

from datetime import UTC, datetime

import pytest
from rq import Queue as StockQueue
from rq.job import Job
from rq.serializers import JSONSerializer

from runner.errors import Unavailable
from runner.model.wake import Wake
from runner.queue.keys import DRIVES
from runner.queue.rq import Hand, RqQueue, connect
from runner.queue.server import OwnRedis, answers, socket_of

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def a_drive(number=1):
    return Wake(f"drive_EXEC{number}_1", "drive", f"EXEC{number}", "default", NOW)


@pytest.fixture
def client(redis_url):
    client = connect(redis_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def queue(client):
    return RqQueue(client)


@pytest.fixture
def hand(client):
    hand = Hand(client, "worker", "drive", [DRIVES])
    hand.open()
    return hand


def test_rq_reads_our_jobs(client, queue):
    queue.send([a_drive(), Wake("attempt_RUN_2", "attempt", "EXEC", "gpu", NOW, "RUN", 2)])
    names = {queue.name for queue in StockQueue.all(client)}
    assert names == {"headrace", "headrace-gpu"}
    job = Job.fetch("attempt_RUN_2", client, serializer=JSONSerializer)
    assert (job.func_name, job.args, job.kwargs) == ("runner.jobs.attempt", ["RUN", 2], {})
    assert (job.origin, job.timeout, job.result_ttl, job.is_queued) == ("headrace-gpu", -1, 0, True)


def test_our_hash_has_what_rq_writes(client, queue):
    """RQ is pinned: this fails when a new version writes something else."""
    queue.send([a_drive()])
    ours = set(client.hgetall("rq:job:drive_EXEC1_1"))
    stock = StockQueue(DRIVES, client, serializer=JSONSerializer)
    job = stock.enqueue("runner.jobs.drive", "EXEC1", job_timeout=-1, result_ttl=0, failure_ttl=60)
    theirs = {name for name, value in client.hgetall(job.key).items() if value != b""}
    assert ours == theirs


def test_jobs_are_taken_oldest_first_and_forgotten_when_done(client, queue, hand):
    queue.send([a_drive(number) for number in range(20)])
    taken = hand.take(16)
    assert taken == [f"drive_EXEC{number}_1" for number in range(16)]
    assert hand.held() == taken
    hand.done(taken)
    assert hand.held() == []
    assert queue.missing([a_drive(3), a_drive(18)]) == [a_drive(3)]


def test_waiting_ends_with_a_job_or_the_time(queue, hand):
    assert hand.wait(0.05) == []
    queue.send([a_drive()])
    assert hand.wait(5) == ["drive_EXEC1_1"]


def test_what_a_dead_worker_had_in_hand_is_the_next_again(queue, hand):
    queue.send([a_drive(1), a_drive(2), a_drive(3)])
    hand.take(2)
    assert queue.hands() == ["worker"]
    assert queue.give_back("worker") == 2
    assert queue.hands() == []
    assert hand.take(9) == ["drive_EXEC1_1", "drive_EXEC2_1", "drive_EXEC3_1"]


def test_a_job_that_is_put_back_is_the_next_again(queue, hand):
    queue.send([a_drive(1), a_drive(2)])
    hand.put_back(hand.take(1)[0])
    assert hand.held() == []
    assert hand.take(1) == ["drive_EXEC1_1"]


def test_everything_lost_is_seen_as_missing(client, queue):
    wakes = [a_drive(1), a_drive(2)]
    queue.send(wakes)
    assert queue.missing(wakes) == []
    client.flushall()
    assert queue.missing(wakes) == wakes


def test_scripts_are_loaded_again_after_redis_forgot_them(client, queue, hand):
    queue.send([a_drive()])
    client.script_flush()
    assert hand.take(1) == ["drive_EXEC1_1"]


def test_the_own_redis_is_ours_alone_and_ends_with_us(tmp_path):
    own = OwnRedis(tmp_path)
    own.start()
    assert answers(own.url)
    assert socket_of(tmp_path).stat().st_mode & 0o777 == 0o700
    queue = RqQueue.from_url(own.url)
    queue.send([a_drive()])
    own.stop()
    assert not own.is_alive()
    with pytest.raises(Unavailable):
        queue.send([a_drive()])


def test_a_home_with_a_long_path_has_its_socket_elsewhere(tmp_path):
    own = OwnRedis(tmp_path / ("long" * 40))
    own.start()
    assert answers(own.url)
    own.stop()
