import os

import pytest

from runner.engine.events import Kill
from runner.errors import SettingsInvalid
from runner.store import open_store
from tests.contracts.store.builders import NOW, a_pair, a_revision, add, an_execution


def test_an_exception_undoes_everything(store):
    execution = an_execution()
    with pytest.raises(KeyError), store.begin() as tx:
        _add_and_fail(tx, execution)
    with store.read() as tx:
        assert tx.executions.find(execution.id) is None


def _add_and_fail(tx, execution):
    tx.executions.add(execution, by="ada")
    raise KeyError


def test_after_a_failed_statement_the_store_works_on(store):
    execution = an_execution()
    add(store, execution)
    with pytest.raises(Exception, match=r"(?i)unique"), store.begin() as tx:
        tx.executions.add(execution, by="ada")
    add(store, an_execution())


def test_a_view_does_not_see_what_is_committed_after_it_began(store):
    execution = an_execution()
    with store.read() as view:
        assert view.executions.find(execution.id) is None
        add_in_thread(store, execution)
        assert view.executions.find(execution.id) is None
    with store.read() as view:
        assert view.executions.find(execution.id) == execution


def add_in_thread(store, execution):
    from threading import Thread

    thread = Thread(target=add, args=(store, execution))
    thread.start()
    thread.join()


def test_writing_in_a_view_raises(store):
    with pytest.raises(RuntimeError, match="cannot write"), store.read() as tx:
        tx.revisions.add(a_revision())


def test_a_block_inside_a_writing_one_is_an_error(store):
    with store.begin():
        with pytest.raises(RuntimeError, match="open in this thread"), store.begin():
            pass
        with pytest.raises(RuntimeError, match="open in this thread"), store.read():
            pass
    with store.read(), store.read():
        pass


def test_an_accessor_refuses_to_work_after_its_block(store):
    with store.begin() as tx:
        pass
    with pytest.raises(RuntimeError, match="over"):
        tx.kv.set(a_pair())


def test_the_databases_clock_is_about_now(store):
    from runner.clock import SystemClock

    with store.read() as tx:
        assert abs((tx.now() - SystemClock().now()).total_seconds()) < 5


def test_a_forked_child_opens_its_own_connections(store):
    execution = an_execution()
    add(store, execution)
    child = os.fork()
    if child == 0:
        try:
            with store.begin() as tx:
                tx.events.add(execution.id, Kill(by="child"))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    with store.begin() as tx:
        tx.events.add(execution.id, Kill(by="parent"))
        assert [e.event.by for e in tx.events.after(execution.id, 0)] == ["child", "parent"]


def test_a_url_of_another_database_is_refused():
    with pytest.raises(SettingsInvalid, match="mysql"):
        open_store("mysql://host/db")


def test_moments_keep_their_microseconds(store):
    add(store, execution := an_execution(created=NOW))
    with store.read() as tx:
        assert tx.executions.get(execution.id).created_at == NOW
