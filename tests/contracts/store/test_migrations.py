import sqlite3
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, inspect

from runner.errors import HeadraceError, Unavailable
from runner.store import check_version, migrate, open_store, opening
from runner.store.base import LogQuery
from runner.store.migrating import connected
from runner.store.schema import LOGS, STATE
from tests.contracts.store.builders import a_line, add, an_execution


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request, tmp_path):
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/home/headrace.db"
    return request.getfixturevalue("postgres_database")


def test_the_migrated_tables_are_those_of_the_metadata(new_url):
    migrate(new_url)
    with connected(new_url) as connection:
        everything = MetaData()
        for metadata in [STATE] if connection.dialect.name == "sqlite" else [STATE, LOGS]:
            for table in metadata.tables.values():
                table.to_metadata(everything)
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, everything) == []
        assert _partial_indexes(connection) == {
            "executions_by_commit",
            "executions_by_original",
            "executions_by_upstream",
            "executions_queued",
            "executions_unfinished",
            "task_runs_live",
            "triggers_by_execution",
            "triggers_due",
        }


def _partial_indexes(connection):
    inspector = inspect(connection)
    return {
        index["name"]
        for table in STATE.tables
        for index in inspector.get_indexes(table)
        if any(option.endswith("_where") for option in index.get("dialect_options", {}))
    }


def test_the_logs_of_sqlite_have_a_file_of_their_own(tmp_path):
    migrate(f"sqlite:///{tmp_path}/headrace.db")
    with sqlite3.connect(tmp_path / "logs.db") as logs:
        names = [name for (name,) in logs.execute("SELECT name FROM sqlite_master ORDER BY name")]
    logs.close()
    tables = LOGS.tables["log_lines"]
    assert {"log_lines", *(index.name for index in tables.indexes)} <= set(names)


def test_a_removed_file_of_logs_is_made_again(tmp_path):
    url = f"sqlite:///{tmp_path}/headrace.db"
    migrate(url)
    (tmp_path / "logs.db").unlink()
    migrate(url)
    store = open_store(url)
    store.logs.write([a_line()])
    assert store.logs.search(LogQuery(), limit=1).items == [a_line()]
    store.close()


def test_migrating_again_changes_nothing_and_keeps_rows(new_url):
    migrate(new_url)
    store = open_store(new_url)
    add(store, execution := an_execution())
    migrate(new_url)
    check_version(new_url)
    with store.read() as tx:
        assert tx.executions.get(execution.id) == execution
    store.close()


def test_several_may_migrate_at_once(new_url):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [new_url] * 4))
    check_version(new_url)


def test_a_database_without_tables_is_refused_with_the_way_out(new_url):
    with pytest.raises(HeadraceError, match="headrace db upgrade"):
        check_version(new_url)
    store = open_store(new_url)
    with pytest.raises(HeadraceError, match="headrace db upgrade"), store.read() as tx:
        tx.executions.find("e")
    store.close()


def test_a_database_of_another_version_is_refused_with_the_way_out(new_url, monkeypatch):
    migrate(new_url)
    monkeypatch.setattr(opening, "VERSION", "9999")
    with pytest.raises(HeadraceError, match=r"0003.*9999.*headrace db upgrade"):
        check_version(new_url)


def test_the_version_is_the_head_of_the_revisions():
    folder = Path(str(resources.files("runner.store") / "migrations"))
    assert ScriptDirectory(str(folder)).get_current_head() == opening.VERSION
    assert (folder / "script.py.mako").exists()


def test_a_server_that_does_not_answer_is_unavailable(unused_port):
    url = f"postgresql://postgres@127.0.0.1:{unused_port}/x"
    for call in (migrate, check_version):
        with pytest.raises(Unavailable):
            call(url)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "headrace.db").write_bytes(b"x" * 5000)
    for call in (migrate, check_version):
        with pytest.raises(Unavailable, match=r"headrace\.db"):
            call(f"sqlite:///{tmp_path}/headrace.db")


@pytest.fixture
def unused_port():
    from tests.services.ports import free_port

    return free_port()
