import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from runner.taskrunners.base import CannotRun, Command
from runner.taskrunners.leftovers import cleanup
from runner.taskrunners.lines import MAX_LINE_BYTES
from runner.taskrunners.process import MARK, ProcessRunner, supervisor
from tests.contracts.taskrunners.suite import RealTaskRunnerContract

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def processes_with(text):
    """Return the command lines of this machine's processes that hold a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def wait_until_gone(text, seconds=5):
    until = time.monotonic() + seconds
    while (found := processes_with(text)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


class TestProcessRunner(RealTaskRunnerContract):
    def make(self, program):
        return ProcessRunner(ENVIRONMENT, grace=timedelta(seconds=1))

    @pytest.fixture
    def seconds(self):
        """A length of sleep that no other test uses, to find the process by."""
        return f"600.{uuid.uuid4().int % 10**9:09}"

    @pytest.mark.parametrize(
        ("argv", "env", "told"),
        [
            (["echo", "a\0b"], {}, "the command holds the character NUL"),
            (["echo"], {"A": "a\0b"}, "an environment variable holds the character NUL"),
            (["echo"], {"A=B": "x"}, "'A=B' is no name of an environment variable"),
        ],
    )
    def test_what_no_process_can_be_given_is_told(self, tmp_path, argv, env, told):
        runner = ProcessRunner(ENVIRONMENT)
        command = Command(argv, tmp_path, env=env)
        with pytest.raises(CannotRun, match=told):
            runner.run(command, lambda *_: None, lambda _: None)

    def test_stop_ends_what_left_the_group(self, play, seconds):
        script = f"setsid sleep {seconds} & (setsid sh -c 'sleep {seconds} &' &) ; echo up; wait"

        play.script(script, timeout=timedelta(seconds=0.5))

        assert processes_with(f"sleep {seconds}") == []

    def test_what_does_not_hear_sigterm_is_killed_after_the_grace(self, play, seconds):
        script = f"trap '' TERM; sleep {seconds} & while :; do sleep 0.1; done"

        ended = play.script(script, timeout=timedelta(seconds=0.3))

        assert ended.stopped
        assert processes_with(f"sleep {seconds}") == []

    def test_a_child_that_keeps_the_pipe_open_holds_nothing_up(self, play, seconds):
        began = time.monotonic()

        ended = play.script(f"sleep {seconds} & echo done")

        assert ended.exit_code == 0
        assert time.monotonic() - began < 5
        assert play.lines == [("done", False)]
        assert processes_with(f"sleep {seconds}") == []

    def test_a_child_that_writes_shortly_after_the_end_is_heard(self, play):
        play.script("(sleep 0.2; echo late) & echo done")

        assert play.lines == [("done", False), ("late", False)]

    def test_the_environment_is_what_is_allowed_and_what_is_given(self, play, monkeypatch):
        for name in ("SECRET_X", "HEADRACE_HOME", "REDIS_URL"):
            monkeypatch.setenv(name, "leak")

        play.script("env", env={"GREETING": "hi"})

        names = {line.split("=")[0] for line, _ in play.lines} - {"PWD", "SHLVL", "_", "OLDPWD"}
        assert names == {"PATH", "GREETING", MARK}

    def test_a_signal_is_told_as_a_shell_tells_it(self, play):
        assert play.script("kill -9 $$").exit_code == 137

    def test_a_program_that_is_missing_is_named(self, play):
        runner = self.make(None)

        with pytest.raises(CannotRun, match="no-such-program"):
            runner.run(Command(["no-such-program"], play.folder), print, print)

    def test_an_error_of_the_reader_ends_the_command(self, play, seconds):
        def fail(line, is_error):
            raise RuntimeError(line)

        command = Command(["sh", "-c", f"echo up; sleep {seconds}"], play.folder)
        with pytest.raises(RuntimeError, match="up"):
            self.make(None).run(command, fail, lambda marker: None)

        assert processes_with(f"sleep {seconds}") == []

    def test_big_output_passes_in_bounded_memory(self, play):
        total = 0

        def count(line, is_error):
            nonlocal total
            total += len(line)

        command = Command(["sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' x"], play.folder)
        before = _peak_kilobytes()
        self.make(None).run(command, count, lambda marker: None)

        assert total == 100_000_000
        assert _peak_kilobytes() - before < 50_000

    def test_a_long_line_comes_in_pieces(self, play):
        play.script(f"head -c {MAX_LINE_BYTES + 10} /dev/zero | tr '\\0' x")

        assert [len(line) for line, _ in play.lines] == [MAX_LINE_BYTES, 10]

    def test_bytes_that_are_no_text_are_replaced(self, play):
        play.script(r"printf 'a\000b\377c\r\nd'")

        assert play.lines == [("a\ufffdb\ufffdc", False), ("d", False)]

    def test_many_at_once_do_not_mix(self, tmp_path):
        def run(number):
            lines = []
            command = Command(["sh", "-c", f"echo {number}; exit {number}"], tmp_path)
            ended = self.make(None).run(
                command, lambda line, err: lines.append(line), lambda marker: None
            )
            return ended.exit_code, lines

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(run, range(40)))

        assert results == [(number, [str(number)]) for number in range(40)]

    def test_no_descriptor_is_left_open(self, play):
        play.script("true")
        before = len(os.listdir("/proc/self/fd"))

        for _ in range(5):
            play.script("echo x")

        assert len(os.listdir("/proc/self/fd")) == before

    def test_a_killed_worker_leaves_nothing(self, tmp_path, seconds):
        worker = _worker(f"setsid sleep {seconds} & sleep {seconds}", tmp_path)
        assert worker.stdout.readline() == b"up\n"

        worker.kill()
        worker.wait()
        worker.stdout.close()

        assert wait_until_gone(f"sleep {seconds}") == []
        assert wait_until_gone(f"parent={worker.pid}") == []

    def test_when_the_supervisor_dies_too_the_marker_finds_what_is_left(self, tmp_path, seconds):
        worker = _worker(f"setsid sleep {seconds} & sleep {seconds}", tmp_path)
        assert worker.stdout.readline() == b"up\n"
        shim = int((tmp_path / "supervisor").read_text())
        os.kill(worker.pid, signal.SIGSTOP)
        os.kill(shim, signal.SIGKILL)
        worker.kill()
        worker.wait()
        worker.stdout.close()
        assert processes_with(f"sleep {seconds}")

        assert cleanup((tmp_path / "marker").read_text())

        assert wait_until_gone(f"sleep {seconds}") == []

    def test_a_killed_supervisor_is_an_error_and_the_next_command_has_a_new_one(
        self, play, seconds
    ):
        play.script("true")
        pid = supervisor()._process.pid

        with pytest.raises(CannotRun, match="supervisor"):
            play.script(f"kill -9 {pid}; sleep {seconds}")

        assert processes_with(f"sleep {seconds}") == []
        assert play.script("exit 4").exit_code == 4

    def test_a_marker_of_another_host_is_left_alone(self):
        assert not cleanup("process:0123@elsewhere")
        assert cleanup(f"process:0123@{socket.gethostname()}")


def _worker(script, folder):
    """Start a program that runs a script as a worker would."""
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from runner.taskrunners.base import Command
        from runner.taskrunners.process import ProcessRunner, supervisor
        folder = Path({str(folder)!r})
        (folder / "supervisor").write_text(str(supervisor()._process.pid))
        ProcessRunner({ENVIRONMENT!r}).run(
            Command(["sh", "-c", {"echo up; " + script!r}], folder),
            lambda line, err: print(line, flush=True),
            lambda marker: (folder / "marker").write_text(marker),
        )
        """
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)


def _peak_kilobytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
