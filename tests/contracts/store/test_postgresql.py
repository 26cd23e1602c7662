"""What only PostgreSQL can do to us."""

import signal

import pytest

from runner.errors import Conflict, HeadraceError
from runner.store import migrate, open_store
from tests.contracts.store.builders import a_flow, add, an_execution
from tests.services.postgres import PostgresServer


@pytest.fixture
def server():
    own = PostgresServer()
    yield own
    own.stop()


def test_a_restarted_server_is_found_again(server):
    migrate(server.url)
    store = open_store(server.url)
    add(store, execution := an_execution())
    server.server.stop(signal.SIGINT)
    server.start()
    with store.read() as tx:
        assert tx.executions.get(execution.id) == execution
    add(store, an_execution())
    store.close()


def test_a_server_that_goes_away_in_the_middle_is_unavailable(server):
    migrate(server.url)
    store = open_store(server.url)
    with pytest.raises(HeadraceError, match="does not answer"), store.begin() as tx:
        _outlive(server, tx)
    server.start()
    with store.read() as tx:
        assert tx.flows.find("company.team", "hello") is None
    store.close()


def _outlive(server, tx):
    tx.flows.save(a_flow())
    server.server.stop(signal.SIGINT)
    tx.flows.save(a_flow())


def test_the_victim_of_a_deadlock_gets_a_conflict(migrated_postgres):
    from threading import Barrier, Thread

    store = open_store(migrated_postgres)
    one, two = an_execution(), an_execution()
    add(store, one, two)
    barrier, conflicts = Barrier(2), []

    def lock(first, second):
        try:
            with store.begin() as tx:
                tx.executions.lock(first.id)
                barrier.wait(10)
                tx.executions.lock(second.id)
        except Conflict as exc:
            conflicts.append(exc)

    threads = [Thread(target=lock, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(conflicts) == 1
    store.close()
