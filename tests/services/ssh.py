"""An SSH server for one user, this one, with keys of its own (`man sshd_config`)."""

import getpass
import os
import shutil
import subprocess
from pathlib import Path

from tests.services.ports import LOOPBACK, free_port, wait_for_port
from tests.services.processes import Server, folder_for


class SshServer:
    """Lets `key` in, and `locked_key`, which `passphrase` opens."""

    passphrase = "open sesame, p4ss"

    def __init__(self) -> None:
        self._folder = folder_for("ssh")
        self._host_key = _new_key(self._folder / "host")
        self.key = _new_key(self._folder / "user")
        self.locked_key = _new_key(self._folder / "locked", self.passphrase)
        self.other_key = _new_key(self._folder / "other")
        self.port = free_port()
        allowed = (self.key, self.locked_key)
        (self._folder / "authorized").write_text("".join(map(_public, allowed)))
        self._server = self._start()

    @property
    def known_hosts(self) -> str:
        """The line of known_hosts for this server."""
        return self.host_line(self._host_key)

    def host_line(self, key: Path) -> str:
        return f"[{LOOPBACK}]:{self.port} {_public(key)}"

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@{LOOPBACK}:{self.port}{path}"

    def stop(self) -> None:
        self._server.stop()
        shutil.rmtree(self._folder)

    def _start(self) -> Server:
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if program is None:
            raise RuntimeError("sshd is not installed, run tests/services/setup.sh")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself in
        settings = self._folder / "sshd_config"
        settings.write_text(
            f"ListenAddress {LOOPBACK}:{self.port}\n"
            f"HostKey {self._host_key}\n"
            f"AuthorizedKeysFile {self._folder / 'authorized'}\n"
            "AuthenticationMethods publickey\nPermitRootLogin yes\nStrictModes no\nUsePAM no\n"
            "PidFile none\nAcceptEnv GIT_PROTOCOL\nMaxStartups 100\n"
        )
        server = Server([program, "-D", "-e", "-f", str(settings)], folder=self._folder)
        wait_for_port(self.port, server.is_alive)
        return server


def _new_key(path: Path, passphrase: str = "") -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def _public(key: Path) -> str:
    return key.with_name(f"{key.name}.pub").read_text()
