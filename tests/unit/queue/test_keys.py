from datetime import UTC, datetime, timedelta

import pytest

from runner.model.wake import Wake
from runner.queue.keys import JobId, is_gone, job_hash, queue_of

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
DRIVE = Wake("drive_EXEC_3", "drive", "EXEC", "gpu", NOW)
ATTEMPT = Wake("attempt_RUN_1", "attempt", "EXEC", "gpu", NOW, "RUN", 1)


def test_drives_share_one_queue_and_attempts_have_one_a_group():
    assert queue_of(DRIVE) == "headrace"
    assert queue_of(ATTEMPT) == "headrace-gpu"


def test_a_job_carries_ids_alone():
    assert job_hash(DRIVE)["data"] == '["runner.jobs.drive", null, ["EXEC"], {}]'
    assert job_hash(ATTEMPT)["data"] == '["runner.jobs.attempt", null, ["RUN", 1], {}]'


def test_the_id_says_all():
    assert JobId.parse(DRIVE.id) == JobId("drive", "EXEC", 3)
    assert JobId.parse(ATTEMPT.id) == JobId("attempt", "RUN", 1)


@pytest.mark.parametrize("text", ["other_EXEC_1", "drive_EXEC", "drive_EXEC_x", "a1b2"])
def test_a_job_that_is_not_ours_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        JobId.parse(text)


@pytest.mark.parametrize(
    ("status", "silent_for", "gone"),
    [
        (None, None, True),
        (b"queued", None, False),
        (b"failed", None, True),
        (b"started", 1, False),
        (b"started", 300, True),
    ],
)
def test_a_job_is_gone_without_hash_or_with_a_silent_stock_worker(status, silent_for, gone):
    beat = None
    if silent_for is not None:
        beat = f"{NOW - timedelta(seconds=silent_for):%Y-%m-%dT%H:%M:%S.%fZ}".encode()
    assert is_gone(status, beat, stale_before=NOW - timedelta(minutes=2)) is gone
