"""What a task on a worker may do with files, keys, logs and triggers of its server."""

import io
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from runner.attempt.files import NamespaceFiles, TaskFiles
from runner.attempt.kv import stored
from runner.attempt.server import TaskServer
from runner.errors import ArgumentInvalid, Forbidden, NotFound
from runner.expressions import ExpressionError
from runner.model.logs import Level, LogLine
from runner.runtime.world import FlowWorld
from runner.store.base import TriggerRow
from tests.unit.runtimes import a_runtime

NS = "company.team"


@pytest.fixture
def runtime(tmp_path):
    runtime = a_runtime(tmp_path / "home")
    yield runtime
    runtime.store.close()


@pytest.fixture
def subject():
    return SimpleNamespace(
        execution=SimpleNamespace(namespace=NS, flow_id="f", id="e1", source=None, commit=None),
        task=SimpleNamespace(id="t"),
        run=SimpleNamespace(id="r1"),
    )


@pytest.mark.parametrize(
    "name", ["my file (1).csv", "a b/ü#%.txt", "line\nbreak", "back\\slash", "🎈" * 60 + ".csv"]
)
def test_a_stored_name_is_one_that_a_uri_holds(runtime, subject, name):
    files = TaskFiles(runtime, subject)

    uri = files.put(b"x", name)

    assert files.is_uri(uri)
    assert re.fullmatch(r"kestra:///[-\w.~+=/]+", uri)
    assert uri.rpartition(".")[2] == name.rpartition(".")[2] or "." not in name
    with files.open(uri) as file:
        assert file.read() == b"x"


def test_a_task_measures_lists_and_removes_files_of_its_execution(runtime, subject):
    files = TaskFiles(runtime, subject)
    uri = files.put(b"four", "x.txt")

    assert files.size(uri) == 4
    assert list(files.own()) == [uri]
    assert files.delete(uri)
    assert not files.delete(uri)


@pytest.mark.parametrize("uri", ["kestra:///other/x.txt", "kestra:///_headrace/blobs/a", "x"])
def test_a_task_removes_no_files_of_others(uri, runtime, subject):
    with pytest.raises(Forbidden):
        TaskFiles(runtime, subject).delete(uri)


def test_namespace_files_are_written_read_and_removed(runtime, subject):
    files = NamespaceFiles(runtime, subject)
    files.put(NS, "a/x.txt", io.BytesIO(b"hi"))

    assert [(file.path, file.size) for file in files.list(NS)] == [("a/x.txt", 2)]
    with files.open(NS, "a/x.txt") as file:
        assert file.read() == b"hi"
    assert files.delete(NS, "a/x.txt")
    assert not files.delete(NS, "a/x.txt")


def test_what_a_namespace_file_was_is_kept_until_it_is_purged_or_the_file_goes(runtime, subject):
    files = NamespaceFiles(runtime, subject)
    for content in (b"one", b"two", b"three"):
        files.put(NS, "x.txt", io.BytesIO(content))
    world = FlowWorld(runtime, NS)

    assert files.namespaces() == [NS]
    assert [(each.path, each.version) for each in files.versions(NS)] == [
        ("x.txt", 1),
        ("x.txt", 2),
    ]
    assert [world.read(f"nsfile://{NS}/x.txt", n) for n in (1, 2, 3)] == ["one", "two", "three"]
    with pytest.raises(ExpressionError, match="no version 4"):
        world.read(f"nsfile://{NS}/x.txt", 4)
    first = files.versions(NS)[0]
    assert [files.forget(NS, first) for _ in range(2)] == [True, False]
    files.put(NS, "x.txt", io.BytesIO(b"four"))
    assert files.delete(NS, "x.txt")
    assert list(runtime.storage.list(f"/{NS.replace('.', '/')}/")) == []


@pytest.mark.parametrize("path", ["a", "a/x.txt/y", "../x", ""])
def test_a_namespace_file_needs_a_place_of_its_own(path, runtime, subject):
    files = NamespaceFiles(runtime, subject)
    files.put(NS, "a/x.txt", io.BytesIO(b"hi"))

    with pytest.raises(ArgumentInvalid):
        files.put(NS, path, io.BytesIO(b"hi"))


def test_keys_are_listed_by_whether_they_live(runtime):
    kv = stored(runtime.store, NS, runtime.clock)
    kv.set(NS, "lives", 1)
    kv.set(NS, "dies", 1, ttl=timedelta(minutes=1))
    runtime.clock.move(minutes=2)

    assert kv.keys(NS) == ["lives"]
    assert kv.keys(NS, expired=True) == ["dies"]
    assert kv.namespaces() == [NS]


def test_a_replaced_value_keeps_its_description_and_life(runtime):
    kv = stored(runtime.store, NS, runtime.clock)
    kv.set(NS, "k", 1, description="what", ttl=timedelta(hours=1))
    kv.replace(NS, "k", {"a": 1})

    with runtime.store.read() as tx:
        row = tx.kv.find(NS, "k")
    assert (row.value, row.kind, row.description) == ({"a": 1}, "JSON", "what")
    assert row.expires_at == runtime.clock.now() + timedelta(hours=1)
    with pytest.raises(NotFound):
        kv.replace(NS, "other", 1)


def test_lines_are_read_and_purged_by_time_and_level(runtime):
    now = runtime.clock.now()
    lines = [
        LogLine(NS, "f", now, level, str(level), number, "e1")
        for number, level in enumerate((Level.DEBUG, Level.INFO))
    ]
    runtime.store.logs.write(lines)
    server = TaskServer(runtime)

    assert [line.message for line in server.logs("e1", min_level=Level.INFO)] == ["INFO"]
    later = now + timedelta(seconds=1)
    assert server.purge_logs(since=None, until=now) == 0
    assert server.purge_logs(since=None, until=later, levels=[Level.DEBUG]) == 1
    assert server.purge_logs(since=now, until=later, namespace=NS) == 1


def test_a_trigger_is_switched_off_and_on(runtime):
    now = runtime.clock.now()
    row = TriggerRow(NS, "f", "t", "io.kestra.plugin.core.trigger.Schedule", "d", now, now, now)
    with runtime.store.begin() as tx:
        tx.triggers.save(row)
    server = TaskServer(runtime)

    server.toggle_trigger(NS, "f", "t", enabled=False)
    with runtime.store.read() as tx:
        off = tx.triggers.find(NS, "f", "t")
    server.toggle_trigger(NS, "f", "t", enabled=True)
    with runtime.store.read() as tx:
        on = tx.triggers.find(NS, "f", "t")

    assert (off.disabled, off.next_at) == (True, None)
    assert (on.disabled, on.next_at) == (False, now)
    with pytest.raises(NotFound):
        server.toggle_trigger(NS, "f", "other", enabled=True)


def test_files_of_executions_are_purged_by_their_last_one(runtime, subject):
    files = TaskFiles(runtime, subject)
    files.put(b"1", "x.txt")
    files.put(b"2", "y.txt")
    NamespaceFiles(runtime, subject).put(NS, "stays.txt", io.BytesIO(b"hi"))
    server = TaskServer(runtime)
    later = datetime.now(UTC) + timedelta(hours=1)
    earlier = later - timedelta(hours=2)

    assert server.purge_storage(since=None, until=earlier) == (1, 0, 0)
    assert server.purge_storage(since=None, until=later, namespace="other") == (0, 0, 0)
    assert server.purge_storage(since=earlier, until=later, dry_run=True) == (1, 1, 0)
    assert len(files.own()) == 2
    found = server.purge_storage(since=None, until=later, namespace=NS, flow_id="f")
    assert found == (1, 1, 2)
    assert list(files.own()) == []
    assert [file.path for file in NamespaceFiles(runtime, subject).list(NS)] == ["stays.txt"]
