import threading
from datetime import UTC, datetime

from runner.attempt.logs import MAX_MESSAGE_CHARS, LineLog, StoredLog
from runner.errors import Unavailable
from runner.model.logs import Level, LogLine
from runner.secrets import Mask
from tests.unit.runtimes import MovableClock

TEMPLATE = LogLine(
    "company.team",
    "hello",
    datetime(2026, 1, 5, tzinfo=UTC),
    Level.INFO,
    "",
    0,
    "EXEC",
    "task",
    "RUN",
    2,
)


def a_log(*, lowest="TRACE", max_bytes=1_000_000, mask=None):
    return LineLog(TEMPLATE, mask or Mask(), MovableClock(), lowest, max_bytes)


def a_stored_log(write, **options):
    log = a_log(**options)
    return StoredLog(write, TEMPLATE, log._mask, log._clock, "TRACE", 1_000_000)


def test_lines_are_numbered_and_say_whose_they_are():
    log = a_log()
    log.info("first")
    log.error("second", code=3)
    assert [(line.number, line.level, line.message) for line in log.lines] == [
        (0, Level.INFO, "first"),
        (1, Level.ERROR, "second code=3"),
    ]
    assert (log.lines[0].execution_id, log.lines[0].task_run_id, log.lines[0].attempt) == (
        "EXEC",
        "RUN",
        2,
    )


def test_secrets_and_their_base64_are_masked():
    mask = Mask()
    mask.add("hunter22")
    log = a_log(mask=mask)
    log.info("it is hunter22, or aHVudGVyMjI=")
    assert log.lines[0].message == "it is ******, or ******"


def test_lines_below_the_level_of_the_task_are_dropped():
    log = a_log(lowest="WARN")
    log.info("quiet")
    log.write(Level.WARN, "loud")
    assert [line.message for line in log.lines] == ["loud"]


def test_a_long_message_is_split():
    log = a_log()
    log.info("x" * (MAX_MESSAGE_CHARS + 1))
    assert [len(line.message) for line in log.lines] == [MAX_MESSAGE_CHARS, 1]


def test_past_the_limit_one_line_says_so_and_the_rest_is_dropped():
    log = a_log(max_bytes=10)
    for _ in range(5):
        log.info("12345")
    assert [line.message for line in log.lines][:2] == ["12345", "12345"]
    assert "limit" in log.lines[2].message
    assert len(log.lines) == 3


def test_a_stored_log_stores_everything_in_order():
    stored = []
    log = a_stored_log(stored.extend)
    threads = [
        threading.Thread(target=lambda: [log.info("x") for _ in range(700)]) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert [line.number for line in stored] == list(range(1400))


def test_batches_have_at_most_500_lines():
    sizes = []
    log = a_stored_log(lambda lines: sizes.append(len(lines)))
    for _ in range(1200):
        log.info("x")
    log.close()
    assert sum(sizes) == 1200
    assert max(sizes) <= 500


def test_what_the_store_does_not_take_is_stored_later():
    stored = []
    refusals = [Unavailable(), Unavailable()]

    def write(lines):
        if refusals:
            raise refusals.pop()
        stored.extend(lines)

    log = a_stored_log(write)
    log.info("kept")
    log.close()
    assert [line.message for line in stored] == ["kept"]
