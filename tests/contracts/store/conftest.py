"""One suite, two databases: `store` is made of each in turn, empty."""

import shutil

import pytest

from runner.store import migrate, open_store
from runner.store.schema import LOGS, STATE

TABLES = [*STATE.tables, *LOGS.tables]


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("migrated")
    migrate(f"sqlite:///{folder}/headrace.db")
    return folder


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url):
    migrate(postgres_url)
    return postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path):
    """The URL of an empty database with all tables."""
    if request.param == "sqlite":
        folder = tmp_path / "home"
        shutil.copytree(request.getfixturevalue("migrated_folder"), folder)
        return f"sqlite:///{folder}/headrace.db"
    url = request.getfixturevalue("migrated_postgres")
    _empty(url)
    return url


@pytest.fixture
def store(store_url):
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def tx(store):
    """A write transaction for tests that need one only."""
    with store.begin() as opened:
        yield opened


def _empty(url):
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")
