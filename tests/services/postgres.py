"""A PostgreSQL server of the tests' own."""

import itertools
import os
import shutil
import signal
from pathlib import Path

import psycopg
from psycopg import sql

from tests.services.ports import LOOPBACK, free_port, wait_for_port
from tests.services.processes import Server, folder_for

_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgresServer:
    """Started when made. `url` is its first database, `new_database` makes more."""

    def __init__(self, *, durable: bool = False) -> None:
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = folder_for("postgres", self._user)
        self._durable = durable
        self._numbers = itertools.count(1)
        self.port = free_port()
        self._initialise()
        self.start()
        self.url = self.new_database()

    def start(self) -> None:
        """Start it, on the same port as before."""
        settings = [f"port={self.port}", f"listen_addresses={LOOPBACK}", "max_connections=200"]
        settings += [f"unix_socket_directories={self._folder}", *(() if self._durable else _FAST)]
        options = [word for setting in settings for word in ("-c", setting)]
        argv = [str(_programs() / "postgres"), "-D", str(self._folder / "data"), *options]
        self.server = Server(argv, folder=self._folder, user=self._user)
        wait_for_port(self.port, self.server.is_alive)
        self._wait_until_it_answers()

    def new_database(self) -> str:
        """Return the URL of a new empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self._url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url_of(name)

    def stop(self) -> None:
        """End it and remove its data."""
        self.server.stop(signal.SIGINT)  # "fast": does not wait for clients
        shutil.rmtree(self._folder)

    def _initialise(self) -> None:
        argv = [str(_programs() / "initdb"), "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        argv += ["--no-sync", "--locale=C.UTF-8", "-D", str(self._folder / "data")]
        made = Server(argv, folder=self._folder, user=self._user)
        if made.process.wait() != 0:
            raise RuntimeError(f"initdb failed: {made.tail()}")

    def _wait_until_it_answers(self) -> None:
        while True:
            try:
                psycopg.connect(self._url_of("postgres")).close()
                return
            except psycopg.OperationalError as exc:
                if "starting up" not in str(exc):
                    raise

    def _url_of(self, database: str) -> str:
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/{database}"


def _programs() -> Path:
    """Return the folder of the newest installed server's programs."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: float(p.parts[4])
    )
    found = str(folders[-1]) if folders else shutil.which("postgres")
    if found is None:
        raise RuntimeError("no PostgreSQL server is installed: run tests/services/setup.sh")
    return Path(found).parent
