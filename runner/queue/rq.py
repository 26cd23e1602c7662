"""The queue in Redis, in RQ's own format: ``rq info`` lists it and a stock worker runs its jobs.

Our workers take and finish jobs by `Hand`: one command each, where RQ's own way takes twenty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from runner.errors import Unavailable
from runner.model.wake import Wake
from runner.queue import keys

KINDS = ("drive", "attempt")
_STOCK_SILENCE = timedelta(minutes=2)
_HINT_SECONDS = 60
_BATCH = 200

# Makes jobs. ARGV holds, for each: its id, its queue, how many arguments follow, the hash's fields.
_SEND = """
local at = 1
while ARGV[at] do
  local id, queue, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
  redis.call('HSET', 'rq:job:' .. id, unpack(ARGV, at + 3, at + 2 + count))
  redis.call('RPUSH', 'rq:queue:' .. queue, id)
  at = at + 3 + count
end
"""

# Forgets jobs: ARGV holds their ids, KEYS[1] is the hand.
_DONE = """
for _, id in ipairs(ARGV) do
  redis.call('DEL', 'rq:job:' .. id)
  redis.call('LREM', KEYS[1], 1, id)
end
"""

# Moves up to ARGV[1] ids from a queue into a hand, oldest first.
_TAKE = """
local taken = {}
for i = 1, tonumber(ARGV[1]) do
  local id = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not id then break end
  taken[i] = id
end
return taken
"""

# Moves all ids of a hand back to the front of the queues that their hashes name. An id without a
# hash is dropped: the sweep finds its row.
_GIVE_BACK = """
local count = 0
while true do
  local id = redis.call('RPOP', KEYS[1])
  if not id then return count end
  local origin = redis.call('HGET', 'rq:job:' .. id, 'origin')
  if origin then
    redis.call('LPUSH', 'rq:queue:' .. origin, id)
    count = count + 1
  end
end
"""

# Moves one id from a hand back to the front of its queue.
_PUT_BACK = """
local origin = redis.call('HGET', 'rq:job:' .. ARGV[1], 'origin')
if redis.call('LREM', KEYS[1], 1, ARGV[1]) > 0 and origin then
  redis.call('LPUSH', 'rq:queue:' .. origin, ARGV[1])
end
"""


def connect(url: str) -> redis.Redis:
    """Return a client of *url*; it connects when it is used."""
    client: redis.Redis = redis.Redis.from_url(
        url, socket_timeout=10, socket_connect_timeout=3, health_check_interval=30
    )
    return client


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as exc:
        raise Unavailable(f"Redis does not answer: {exc}") from exc


class RqQueue:
    """Wakes workers through RQ queues. Safe for many threads, and after a fork."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._send: Any = client.register_script(_SEND)
        self._give_back: Any = client.register_script(_GIVE_BACK)

    @classmethod
    def from_url(cls, url: str) -> RqQueue:
        """Return the queue in the Redis of *url*."""
        return cls(connect(url))

    def send(self, wakes: Sequence[Wake]) -> None:
        """Make an RQ job of each; a job is there as a whole or not at all."""
        if not wakes:
            return
        with _available():
            for start in range(0, len(wakes), _BATCH):
                chunk = wakes[start : start + _BATCH]
                self._send([], [part for wake in chunk for part in _job(wake)])

    def missing(self, wakes: Sequence[Wake]) -> Sequence[Wake]:
        """Return those without a job hash, or whose stock worker failed or fell silent."""
        stale_before = datetime.now(UTC) - _STOCK_SILENCE
        with _available(), self._redis.pipeline(transaction=False) as pipeline:
            for wake in wakes:
                pipeline.hmget(keys.job_key(wake.id), ["status", "last_heartbeat"])
            found = pipeline.execute()
        return [
            wake
            for wake, fields in zip(wakes, found, strict=True)
            if keys.is_gone(*fields, stale_before=stale_before)
        ]

    def hint_stop(self, worker_id: str) -> None:
        with _available(), self._redis.pipeline(transaction=False) as pipeline:
            key = keys.hint_key(worker_id)
            pipeline.lpush(key, "stop")
            pipeline.ltrim(key, 0, 0)
            pipeline.expire(key, _HINT_SECONDS)
            pipeline.execute()

    def hands(self) -> Sequence[str]:
        with _available():
            members: Any = self._redis.smembers(keys.HANDS)
            return sorted(member.decode() for member in members)

    def give_back(self, worker_id: str) -> int:
        with _available():
            moved = [self._give_back([keys.hand_key(worker_id, kind)]) for kind in KINDS]
            self._redis.srem(keys.HANDS, worker_id)
            return sum(moved)


def _job(wake: Wake) -> list[str | int]:
    fields = [part for pair in keys.job_hash(wake).items() for part in pair]
    return [wake.id, keys.queue_of(wake), len(fields), *fields]


class Hand:
    """Takes ids of one kind of job for one worker, and lets go of them. For one thread."""

    def __init__(
        self, client: redis.Redis, worker_id: str, kind: str, queues: Sequence[str]
    ) -> None:
        self._redis = client
        self._worker_id = worker_id
        self._key = keys.hand_key(worker_id, kind)
        self._queues = [keys.queue_key(name) for name in queues]
        self._command: Any = client.execute_command
        self._take: Any = client.register_script(_TAKE)
        self._done: Any = client.register_script(_DONE)
        self._put_back: Any = client.register_script(_PUT_BACK)

    def open(self) -> None:
        """Let the sweep know of this hand (again, after Redis has lost everything)."""
        self._redis.sadd(keys.HANDS, self._worker_id)

    def take(self, at_most: int) -> list[str]:
        """Return the ids that wait, oldest first; none is fine."""
        taken: list[str] = []
        for queue in self._queues:
            if at_most > len(taken):
                found = self._take([queue, self._key], [at_most - len(taken)])
                taken += [job_id.decode() for job_id in found]
        return taken

    def wait(self, seconds: float) -> list[str]:
        """Wait for one id; an empty list: none came. Several queues share the time."""
        for queue in self._queues:
            job_id = self._command(
                "BLMOVE", queue, self._key, "LEFT", "RIGHT", seconds / len(self._queues)
            )
            if job_id is not None:
                return [job_id.decode()]
        return []

    def held(self) -> list[str]:
        """Return what is in hand: after a broken connection, more than we know of."""
        found: Any = self._redis.lrange(self._key, 0, -1)
        return [job_id.decode() for job_id in found]

    def done(self, job_ids: Sequence[str]) -> None:
        """Forget jobs: their hashes and their place in the hand."""
        self._done([self._key], job_ids)

    def put_back(self, job_id: str) -> None:
        """Leave a job to somebody else: it is the next one of its queue again."""
        self._put_back([self._key], [job_id])
