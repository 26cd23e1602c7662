import os
import signal
from dataclasses import replace

import pytest

from runner.cli import up
from runner.cli.failing import Failing
from runner.errors import Conflict, SettingsInvalid, Unavailable
from runner.settings import Settings
from runner.store import migrate, open_store
from runner.store.base import SourceRow


@pytest.fixture
def supervisor(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    made = up.Supervisor(Settings(home=tmp_path), None, demo=False, verbose=True)
    signal.signal(signal.SIGTERM, made._stop)
    yield made
    signal.signal(signal.SIGTERM, before)


def test_a_child_told_to_end_while_it_begins_ends(supervisor, monkeypatch):
    monkeypatch.setattr(up, "_die_with", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    child = up.Child("worker-1", lambda: None)
    supervisor._fork(child)
    assert up._ended(child.pid, wait=True) == -signal.SIGTERM
    assert not supervisor._stopping


def test_we_hear_signals_again_after_a_fork(supervisor):
    child = up.Child("worker-1", lambda: None)
    supervisor._fork(child)
    assert up._ended(child.pid, wait=True) == 0
    os.kill(os.getpid(), signal.SIGTERM)
    assert supervisor._stopping


def test_why_a_process_ended_is_told(supervisor, capsys):
    supervisor._log.write_text('{"event": "worker started"}\nheadrace web: the port is taken\n')
    supervisor._died(up.Child("web", lambda: None), 1, 0.0)
    assert "web ended (exit code 1: the port is taken); it is started" in capsys.readouterr().err


def test_what_another_process_logged_is_no_reason(supervisor, capsys):
    supervisor._log.write_text('{"event": "worker started"}\n')
    supervisor._died(up.Child("web", lambda: None), 1, 0.0)
    assert "web ended (exit code 1); it is started" in capsys.readouterr().err


def test_a_source_that_fails_is_told_once_and_so_is_its_recovery(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/headrace.db"
    migrate(url)
    failing, store = Failing(url), open_store(url)
    row = SourceRow("team", "https://x/flows.git", "main", "UNREACHABLE", error="no such host")
    told = []
    for error in (None, "no such host", "no such host", "refused", None):
        with store.begin() as tx:
            version = (tx.sources.find("team") or row).version
            tx.sources.save(replace(row, error=error, version=version))
        failing.look()
        told.append(capsys.readouterr().err)
    store.close()

    assert told == [
        "",
        "source team fails: no such host\n",
        "",
        "source team fails: refused\n",
        "source team is well again\n",
    ]


def test_a_password_whose_variable_is_not_set_is_told_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    web = {"username": "ada", "password": "${NOT_SET}"}
    settings = Settings.model_validate({"home": tmp_path, "web": web})
    made = up.Supervisor(settings, None, demo=False, verbose=True)
    with pytest.raises(SettingsInvalid, match="NOT_SET"):
        made._check_exposure()


def test_what_is_done_apart_leaves_nothing_here(tmp_path):
    up._apart(lambda: (tmp_path / "done").write_text(str(os.getpid())))
    assert (tmp_path / "done").read_text() != str(os.getpid())


def test_what_fails_apart_is_told_here():
    def fail():
        raise Conflict("the tables are locked")

    with pytest.raises(Unavailable, match="the tables are locked"):
        up._apart(fail)
    with pytest.raises(Unavailable, match="ZeroDivisionError"):
        up._apart(lambda: 1 / 0)
    with pytest.raises(Unavailable, match="was killed"):
        up._apart(lambda: os.kill(os.getpid(), signal.SIGKILL))
