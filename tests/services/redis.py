"""A Redis server of the tests' own."""

import shutil

from tests.services.ports import LOOPBACK, free_port, wait_for_port
from tests.services.processes import Server, folder_for


class RedisServer:
    """Started when made; keeps nothing on disk. `kill` and `start` play a crash."""

    def __init__(self) -> None:
        self._folder = folder_for("redis")
        self.port = free_port()
        self.url = f"redis://{LOOPBACK}:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it, empty, on the same port as before."""
        argv = [_program(), "--port", str(self.port), "--bind", LOOPBACK, "--save", ""]
        self.server = Server([*argv, "--appendonly", "no"], folder=self._folder)
        wait_for_port(self.port, self.server.is_alive)

    def kill(self) -> None:
        """End it with all that it held."""
        self.server.kill()

    def stop(self) -> None:
        self.server.stop()
        shutil.rmtree(self._folder)


def _program() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise RuntimeError("no Redis server is installed: run tests/services/setup.sh")
    return found
