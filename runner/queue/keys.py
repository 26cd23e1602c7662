"""Names in Redis, and the shape of a job.

Source: rq 3.0.0, ``job.py`` (`Job.to_dict`, `Job.restore`), ``queue.py``, with `JSONSerializer`.

Drives wait in one queue, attempts in one a worker group, so that a worker whose slots are all taken
still folds. A worker moves ids from a queue into its *hand*, and they leave it when they are done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.model.wake import Wake

DRIVES = "headrace"
QUEUES = "rq:queues"
HANDS = "headrace:hands"

FUNCTIONS = {"drive": "runner.jobs.drive", "attempt": "runner.jobs.attempt"}
"""What a stock worker calls for each kind of wake-up."""

_FAILURE_TTL = 60
_STARTED_BY_STOCK = b"started"
_ENDED_BADLY = frozenset({b"failed", b"stopped", b"canceled"})


def queue_of(wake: Wake) -> str:
    """Return the RQ queue that a wake-up waits in."""
    return DRIVES if wake.kind == "drive" else attempts_queue(wake.queue)


def attempts_queue(group: str) -> str:
    """Return the RQ queue of a worker group's attempts."""
    return f"{DRIVES}-{group}"


def queue_key(name: str) -> str:
    return f"rq:queue:{name}"


def job_key(job_id: str) -> str:
    return f"rq:job:{job_id}"


def hand_key(worker_id: str, kind: str) -> str:
    return f"headrace:hand:{worker_id}:{kind}"


def hint_key(worker_id: str) -> str:
    return f"headrace:hint:{worker_id}"


@dataclass(frozen=True, slots=True)
class JobId:
    """What the id of a job says: ``drive_EXECUTION_NUMBER``, ``attempt_TASKRUN_ATTEMPT``."""

    kind: str
    subject: str
    number: int

    @classmethod
    def parse(cls, text: str) -> JobId:
        """Raises ValueError: it is none of ours."""
        kind, subject, number = text.split("_")
        if kind not in FUNCTIONS:
            raise ValueError(f"{text!r} is no job of ours")
        return cls(kind, subject, int(number))


def job_hash(wake: Wake) -> Mapping[str, str | int]:
    """Return the fields of the job's hash as RQ reads them (empty ones are left out)."""
    function = FUNCTIONS[wake.kind]
    arguments = (
        [wake.execution_id] if wake.kind == "drive" else [wake.task_run_id, wake.attempt or 0]
    )
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "created_at": now,
        "enqueued_at": now,
        "data": json.dumps([function, None, arguments, {}]),
        "origin": queue_of(wake),
        "description": f"{wake.kind} {arguments[0]}",
        "status": "queued",
        "timeout": -1,
        "result_ttl": 0,
        "failure_ttl": _FAILURE_TTL,
    }


def is_gone(status: bytes | None, heartbeat: bytes | None, *, stale_before: datetime) -> bool:
    """Say from two fields of its hash whether no worker will meet a job any more.

    Only stock RQ workers change the status: ours delete the hash when they are done.
    """
    if status is None or status in _ENDED_BADLY:
        return True
    if status != _STARTED_BY_STOCK or not heartbeat:
        return False
    return datetime.fromisoformat(heartbeat.decode()) < stale_before
