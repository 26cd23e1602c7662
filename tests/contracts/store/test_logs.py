import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from runner.model.logs import Level
from runner.store.base import LogQuery
from tests.contracts.store.builders import a_line, at


def test_lines_come_out_equal(store):
    lines = [
        a_line(0),
        a_line(1, task_id="t", task_run_id="r", attempt=2, level=Level.ERROR, message="ünï\n😀"),
    ]
    store.logs.write(lines)
    assert store.logs.search(LogQuery(execution_id="e1"), limit=9).items == lines


def test_a_line_under_a_known_number_overwrites(store):
    store.logs.write([a_line(0), a_line(0, message="again"), a_line(0, attempt=1, message="other")])
    store.logs.write([a_line(0, message="last")])
    lines = store.logs.search(LogQuery(execution_id="e1"), limit=9).items
    assert [line.message for line in lines] == ["last", "other"]


def test_lines_of_triggers_never_overwrite_each_other(store):
    line = a_line(0, execution_id=None, trigger_id="tick")
    store.logs.write([line])
    store.logs.write([replace(line, message="again"), replace(line, trigger_id="tock")])
    found = store.logs.search(LogQuery(trigger_id="tick", flow_id="hello"), limit=9).items
    assert [line.message for line in found] == ["line 0", "again"]


def test_what_databases_refuse_is_replaced(store):
    store.logs.write([a_line(0, message="a\0b"), a_line(1, message="a\ud800b")])
    found = store.logs.search(LogQuery(execution_id="e1"), limit=9).items
    assert [line.message for line in found] == ["a\N{SYMBOL FOR NULL}b", "a?b"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (LogQuery(), [0, 1, 2, 3, 4, 5]),
        (LogQuery(min_level=Level.WARN), [3, 4]),
        (LogQuery(task_id="t1"), [1, 3, 5]),
        (LogQuery(task_run_id="r0", attempt=0), [0, 2, 4]),
        (LogQuery(since=at(2), until=at(4)), [2, 3]),
        (LogQuery(text="LINE 5"), [5]),
        (LogQuery(text="line_"), []),
        (LogQuery(namespace="company.team", flow_id="hello"), [0, 1, 2, 3, 4, 5]),
        (LogQuery(namespace="company"), []),
    ],
)
def test_a_query_narrows(store, query, numbers):
    levels = [*list(Level)[:3], Level.WARN, Level.ERROR, Level.TRACE]
    store.logs.write(
        [a_line(n, level=levels[n], task_id=f"t{n % 2}", task_run_id=f"r{n % 2}") for n in range(6)]
    )
    assert [line.number for line in store.logs.search(query, limit=9).items] == numbers
    paged, cursor = [], None
    while True:
        page = store.logs.search(query, limit=2, cursor=cursor, ascending=False)
        paged += [line.number for line in page.items]
        if (cursor := page.cursor) is None:
            break
    assert paged == numbers[::-1]


def follow(store, limit):
    """All lines of e1 as a follower sees them, tail after tail."""
    seen, after = [], {}
    while lines := store.logs.tail("e1", after, limit=limit):
        assert len(lines) <= limit
        for line in lines:
            key = (line.task_run_id or "", line.attempt)
            assert line.number > after.get(key, -1)
            after[key] = line.number
        seen += lines
    return seen


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_follower_sees_each_line_once_even_if_its_times_are_out_of_order(store, limit):
    times = list(range(12))
    random.Random(7).shuffle(times)
    lines = [
        a_line(n, task_run_id=run, attempt=attempt, at=at(times[n]))
        for run in (None, "r1", "r2")
        for attempt in (0, 1)
        for n in range(12)
    ]
    store.logs.write([*lines, a_line(0, execution_id="e2")])
    seen = follow(store, limit)
    assert len(seen) == len(lines)
    assert set(seen) == set(lines)


def test_a_tail_goes_on_behind_its_cursor_and_meets_new_attempts(store):
    store.logs.write([a_line(n, task_run_id="r1") for n in range(3)])
    after = {("r1", 0): 2}
    assert store.logs.tail("e1", after, limit=9) == []
    store.logs.write([a_line(3, task_run_id="r1"), a_line(0, task_run_id="r1", attempt=1)])
    assert {(line.attempt, line.number) for line in store.logs.tail("e1", after, limit=9)} == {
        (0, 3),
        (1, 0),
    }
    assert store.logs.tail("unknown", {}, limit=9) == []


def test_deleting_counts_the_lines(store):
    store.logs.write([a_line(n) for n in range(1200)])
    assert store.logs.delete("e1") == 1200
    assert store.logs.delete("e1") == 0


def test_many_writers_at_once_lose_nothing(store):
    def write(run):
        for start in range(0, 100, 10):
            store.logs.write([a_line(n, task_run_id=f"r{run}") for n in range(start, start + 10)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(store.logs.search(LogQuery(execution_id="e1"), limit=999).items) == 400


def test_a_purge_removes_lines_of_some_levels(store):
    store.logs.write([a_line(0), a_line(1, level=Level.ERROR), a_line(2, execution_id="e2")])

    assert store.logs.purge(LogQuery(execution_id="e1"), [Level.ERROR]) == 1
    assert store.logs.purge(LogQuery(execution_id="e1")) == 1
    assert store.logs.search(LogQuery(), limit=9).items == [a_line(2, execution_id="e2")]
