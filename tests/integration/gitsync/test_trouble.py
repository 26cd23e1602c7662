"""Servers that are away, slow, or want a password: nobody else waits for them, nothing leaks."""

import socket
import threading
import time
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest

from gitsync.sync import SyncDuty
from runner.settings import SourceCredentials
from tests.integration.gitsync.conftest import a_flow
from tests.services.ports import free_port

HELLO = "_flows/hello.yaml"


@pytest.fixture
def silent_server():
    """The URL of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/repo.git"


def wait_until(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


class Running:
    """A duty in a thread."""

    def __init__(self, bench, holder=None, world=None):
        self.duty = SyncDuty(world or bench.world, lambda: list(bench.sources), holder=holder)
        self._thread = threading.Thread(target=self.duty.run)

    def __enter__(self):
        self._thread.start()
        return self.duty

    def __exit__(self, *_):
        self.duty.stop()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()


def test_a_server_that_is_away_is_said_in_gits_words_and_tried_less_and_less_often(bench):
    bench.add("team", f"http://127.0.0.1:{free_port()}/a.git")

    first, second = bench.one(), bench.one()

    assert (first.state, second.state) == ("UNREACHABLE", "UNREACHABLE")
    assert "Failed to connect" in first.error
    assert "Try: " in first.error
    row = bench.row()
    assert row.failures == 2
    assert row.next_poll_at - row.polled_at == timedelta(seconds=0.3) * 4


def test_a_server_that_comes_back_is_synced(bench):
    repo = bench.repository(files={HELLO: a_flow("hello")})
    repo.status = HTTPStatus.SERVICE_UNAVAILABLE
    assert bench.one().state == "UNREACHABLE"

    repo.status = None

    assert bench.one().state == "SYNCED"
    assert (bench.row().failures, bench.row().error) == (0, None)


def test_flows_of_a_source_that_is_away_stay_active(bench):
    repo = bench.repository(files={HELLO: a_flow("hello")})
    bench.one()

    repo.status = HTTPStatus.NOT_FOUND
    bench.one()

    assert bench.flows()["hello"].is_active


def test_a_wrong_password_is_told_from_a_server_that_is_away(bench, monkeypatch):
    bench.repository(files={HELLO: a_flow("hello")})
    monkeypatch.setenv("GIT_PASSWORD", "wrong-one")

    error = bench.one().error

    assert "Authentication failed" in error
    assert "credentials" in error
    assert "wrong-one" not in error


def test_a_missing_password_asks_nobody(bench):
    bench.repository(files={HELLO: a_flow("hello")}, credentials=None)

    assert "give `credentials`" in bench.one().error


def test_a_reference_that_is_not_set_is_the_sources_fault_alone(bench):
    bench.repository(
        "first",
        files={HELLO: a_flow("hello")},
        credentials=SourceCredentials(password="${NOT_SET_ANYWHERE}"),
    )
    bench.repository("second", files={"_flows/other.yaml": a_flow("other")})

    outcomes = bench.sync()

    assert "NOT_SET_ANYWHERE" in outcomes["first"].error
    assert outcomes["second"].state == "SYNCED"


def test_a_path_of_this_machine_needs_to_be_allowed(bench):
    repo = bench.git.create("local-only", files={HELLO: a_flow("hello")})
    bench.add("team", str(repo.path))
    assert "allow_local" in bench.one().error

    bench.with_sources(allow_local=True)

    assert bench.one().state == "SYNCED"


def test_the_password_is_in_no_argument_and_no_file(bench, tmp_path, git_http):
    repo = bench.repository(files={HELLO: a_flow("hello")})
    repo.delay_seconds = 0.3
    seen = []
    syncing = threading.Thread(target=bench.one)
    syncing.start()
    while syncing.is_alive():
        seen += command_lines()
        time.sleep(0.02)
    syncing.join()

    secret = git_http.credentials.password
    assert any("ls-remote" in line for line in seen)
    assert not [line for line in seen if secret in line]
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [path for path in files if secret.encode() in path.read_bytes()]


def command_lines():
    """Return the command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return found


def test_git_inherits_no_secret_of_ours(bench, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "c2VjcmV0")
    monkeypatch.setenv("REDIS_URL", "redis://nowhere")
    repo = bench.repository(files={HELLO: a_flow("hello")})
    repo.delay_seconds = 0.3
    environments = []
    syncing = threading.Thread(target=bench.one)
    syncing.start()
    while syncing.is_alive():
        environments += environments_of_git(repo.url)
        time.sleep(0.02)

    assert environments
    assert not [e for e in environments if b"SECRET_TOKEN" in e or b"REDIS_URL" in e]


def environments_of_git(url):
    """Return the environments of the Git processes that talk to a server."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
            if url.encode() in line and not line.startswith(b"env"):
                found.append(path.with_name("environ").read_bytes())
        except OSError:
            continue
    return found


def test_a_server_that_never_answers_ends_at_the_time_limit_and_leaves_no_process(
    bench, silent_server
):
    bench.add("team", silent_server, timeout="1s")
    begun = time.monotonic()

    outcome = bench.one()

    assert outcome.state == "UNREACHABLE"
    assert "did not end within 1 s" in outcome.error
    assert time.monotonic() - begun < 10
    wait_until(lambda: not [line for line in command_lines() if silent_server in line])


def test_slow_empty_and_dead_repositories_delay_no_other_one(bench, silent_server):
    for number in range(12):
        bench.add(f"silent{number}", silent_server, timeout="30s")
        bench.add(f"dead{number}", f"http://127.0.0.1:{free_port()}/a.git")
    bench.repository("empty")
    repo = bench.repository("team", files={HELLO: a_flow("hello")})

    with Running(bench):
        wait_until(lambda: (row := bench.row()) and row.state == "SYNCED", 10)
        wait_until(lambda: (row := bench.row("empty")) and row.state == "EMPTY", 10)
        begun = time.monotonic()
        repo.push({HELLO: a_flow("hello", "description: new\n")})
        wait_until(lambda: bench.flows()["hello"].revision == 2, 10)
        took = time.monotonic() - begun

    assert took < 5
