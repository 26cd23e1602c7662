"""Many threads, and many processes, at one database."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from threading import Barrier

import pytest

from runner.engine.events import Kill
from runner.model.states import State
from runner.store import open_store
from runner.store.base import Fold
from tests.contracts.store.builders import (
    a_flow,
    a_pair,
    a_task_run,
    add,
    an_attempt,
    an_execution,
    at,
)

TOGETHER = 6


def in_threads(store, act):
    """What *act(store, number)* returns in each of several threads that start at once."""
    barrier = Barrier(TOGETHER)

    def run(number):
        barrier.wait(10)
        return act(store, number)

    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(run, range(TOGETHER)))


def in_processes(url, act, *values):
    """What *act(store, number, …)* returns in each of several processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        jobs = [pool.submit(_in_process, url, act, number, values) for number in range(3)]
        return [job.result(60) for job in jobs]


def _in_process(url, act, number, values):
    store = open_store(url)
    try:
        return act(store, number, *values)
    finally:
        store.close()


def test_of_two_folds_of_one_version_one_wins(store):
    execution = an_execution()
    add(store, execution)

    def save(store, number):
        with store.begin() as tx:
            run = a_task_run(execution, number)
            return tx.executions.save(Fold(execution.enter(State.RUNNING, at(1)), changes=[run]))

    results = in_threads(store, save)
    assert sorted(results) == [False] * (TOGETHER - 1) + [True]
    with store.read() as tx:
        (run,) = tx.task_runs.of_execution(execution.id)
        assert tx.executions.get(execution.id).version == 1
    assert run.sequence == results.index(True)


def test_an_attempt_is_claimed_by_one_worker(store):
    execution = an_execution(state=State.RUNNING)
    run = a_task_run(execution)
    add(store, execution, runs=[run])
    with store.begin() as tx:
        tx.attempts.add([an_attempt(run)])

    def claim(store, number):
        with store.begin() as tx:
            return tx.attempts.claim(run.id, 0, f"w{number}")

    (winner,) = [row for row in in_threads(store, claim) if row]
    with store.read() as tx:
        assert tx.attempts.find(run.id, 0) == winner
        assert tx.task_runs.get(run.id).attempts[0].worker_id == winner.worker_id


def test_the_last_slots_are_taken_once(store):
    with store.begin() as tx:
        tx.flows.save(a_flow())

    def take(store, number):
        with store.begin() as tx:
            return tx.flows.take_slot("company.team", "hello", 2)

    assert sorted(in_threads(store, take)) == [False] * (TOGETHER - 2) + [True, True]


def test_a_firing_is_claimed_by_one_execution(store):
    def claim(store, number):
        with store.begin() as tx:
            return tx.firings.claim("cron:x", f"e{number}")

    results = in_threads(store, claim)
    (winner,) = [number for number, other in enumerate(results) if other is None]
    assert set(results) == {None, f"e{winner}"}


def test_a_duty_is_taken_by_one_holder(store):
    def take(store, number):
        with store.begin() as tx:
            return tx.duties.take("sweep", f"p{number}", seconds=60)

    assert sorted(in_threads(store, take)) == [False] * (TOGETHER - 1) + [True]


def test_a_key_counts_each_write(store):
    def write(store, number):
        with store.begin() as tx:
            tx.kv.set(a_pair(value=number))

    in_threads(store, write)
    with store.read() as tx:
        assert tx.kv.find("company.team", "answer").version == TOGETHER


def _add_events(store, number, execution_id):
    for _ in range(20):
        with store.begin() as tx:
            tx.events.add(execution_id, Kill(by=str(number)))
    return number


def _drain(store, number, execution_id):
    """Fold until all events are applied, as a driver does; returns how many this one applied."""
    applied = 0
    while True:
        with store.read() as tx:
            head = tx.executions.get(execution_id)
            events = tx.events.after(execution_id, head.folded)
        if not events:
            return applied
        from dataclasses import replace

        after = replace(head, folded=events[0].number)
        with store.begin() as tx:
            applied += tx.executions.save(Fold(after, before=head))


@pytest.mark.timeout(120)
def test_events_of_many_processes_get_each_number_once_and_are_folded_once(store, store_url):
    execution = an_execution()
    add(store, execution)
    in_processes(store_url, _add_events, execution.id)
    with store.read() as tx:
        events = tx.events.after(execution.id, 0)
        assert [event.number for event in events] == list(range(1, 61))
        assert len(tx.wakes.of_execution(execution.id)) == 60
    assert sum(in_processes(store_url, _drain, execution.id)) == 60


def test_readers_go_on_while_a_writer_is_busy(store):
    add(store, execution := an_execution())
    with store.begin() as tx, ThreadPoolExecutor(1) as pool:
        tx.events.add(execution.id, Kill())

        def look():
            with store.read() as view:
                return view.executions.get(execution.id)

        assert pool.submit(look).result(10) == execution


def test_two_takers_of_announcements_get_different_ones_or_wait(store):
    with store.begin() as tx:
        tx.announcements.add("e", [("RUNNING", False, n) for n in range(20)])

    def take(store, number):
        with store.begin() as tx:
            taken = tx.announcements.take(4)
            tx.announcements.remove([a.id for a in taken])
            return [a.entry for a in taken]

    entries = [entry for part in in_threads(store, take) for entry in part]
    assert sorted(entries) == sorted(set(entries))
