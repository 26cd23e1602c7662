"""What the machine can do without us: bare RQ, plain subprocess and Docker loops."""

import multiprocessing
import subprocess
import time
import uuid

from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer


def nothing() -> None:
    """The job of the bare queue."""


def rq_jobs_per_minute(redis_url: str, count: int = 1500, workers: int = 2) -> float:
    """Jobs that do nothing, through stock SimpleWorkers, from first enqueue to last end."""
    queue = _queue(redis_url)
    started = time.perf_counter()
    for _ in range(count):
        queue.enqueue(nothing, result_ttl=0)
    processes = [
        multiprocessing.get_context("spawn").Process(target=_work, args=(redis_url, queue.name))
        for _ in range(workers)
    ]
    enqueued = time.perf_counter() - started
    for process in processes:
        process.start()
    _wait_for_start(queue, count)
    working, left = time.perf_counter(), queue.count
    for process in processes:
        process.join()
    per_job = (time.perf_counter() - working) / max(1, left) + enqueued / count
    return 60 / per_job


def _wait_for_start(queue: Queue, count: int) -> None:
    while queue.count > count - 50:
        time.sleep(0.001)


def rq_round_trip(redis_url: str, count: int = 200) -> float:
    """Seconds from enqueueing one job that does nothing to its end; a worker waits for it."""
    queue = _queue(redis_url)
    worker = SimpleWorker([queue], connection=queue.connection, serializer=JSONSerializer)
    started = time.perf_counter()
    for _ in range(count):
        queue.enqueue(nothing, result_ttl=0)
        worker.work(burst=True, logging_level="ERROR", max_jobs=1)
    return (time.perf_counter() - started) / count


def subprocess_loop(argv: list[str], count: int) -> float:
    """Seconds for a plain loop of processes."""
    started = time.perf_counter()
    for _ in range(count):
        subprocess.run(argv, check=True, capture_output=True)
    return time.perf_counter() - started


def docker_loop(client, image: str, argv: list[str], count: int) -> float:
    """Seconds for a plain loop of containers through the SDK."""
    started = time.perf_counter()
    for _ in range(count):
        client.containers.run(image, argv, network_mode="none", remove=True)
    return time.perf_counter() - started


def _queue(redis_url: str) -> Queue:
    connection = Redis.from_url(redis_url)
    return Queue(f"floor-{uuid.uuid4().hex[:8]}", connection=connection, serializer=JSONSerializer)


def _work(redis_url: str, name: str) -> None:
    connection = Redis.from_url(redis_url)
    SimpleWorker([name], connection=connection, serializer=JSONSerializer).work(
        burst=True, logging_level="ERROR"
    )
