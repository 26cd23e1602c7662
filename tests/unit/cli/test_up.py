import os
import signal

import pytest

from runner.cli import up
from runner.settings import Settings


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


def test_why_a_process_ended_before_we_were_ready_is_told(supervisor, capsys):
    supervisor._log.write_text("headrace web: the environment variable PW is not set\n")
    supervisor._died(up.Child("web", lambda: None), 1, 0.0)
    assert "(exit code 1): headrace web: the environment variable PW is not set" in (
        capsys.readouterr().err
    )
