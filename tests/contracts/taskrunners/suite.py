"""What every task runner does; each implementation and the fake inherit it."""

import shlex
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from runner.taskrunners.base import CannotRun, Command


@dataclass(frozen=True)
class Program:
    """What the command does, for the implementation to put into its own words."""

    lines: tuple = ()  # (text, is stderr)
    files: dict = field(default_factory=dict)
    exit_code: int = 0
    until_stopped: bool = False

    @property
    def script(self):
        steps = [
            f"mkdir -p $(dirname {name}); printf %s {shlex.quote(content.decode())} > {name}"
            for name, content in self.files.items()
        ]
        steps += [f"echo {shlex.quote(text)}{' >&2' * err}" for text, err in self.lines]
        steps += ["exec sleep 600"] if self.until_stopped else [f"exit {self.exit_code}"]
        return "; ".join(steps)


class TaskRunnerContract:
    image = None

    def make(self, program):
        """Return a runner for the program."""
        raise NotImplementedError

    @pytest.fixture
    def play(self, tmp_path):
        return Play(self, tmp_path)

    def test_lines_of_both_streams_come_whole_apart_and_in_order(self, play):
        lines = [(f"out {n}", False) for n in range(50)] + [(f"err {n}", True) for n in range(50)]

        play.run(Program(lines=tuple(lines)))

        assert [line for line, err in play.lines if not err] == [f"out {n}" for n in range(50)]
        assert [line for line, err in play.lines if err] == [f"err {n}" for n in range(50)]

    def test_no_line_of_a_command_that_ends_at_once_is_lost(self, play):
        for _ in range(3):
            play.run(Program(lines=(("only", False),)))

        assert play.lines == [("only", False)] * 3

    def test_the_exit_code_comes_back(self, play):
        ended = play.run(Program(exit_code=3))

        assert ended.exit_code == 3
        assert not ended.stopped

    def test_files_are_there_afterwards_also_of_a_failure(self, play):
        play.run(Program(files={"a.txt": b"one", "sub/b.txt": b"two"}, exit_code=1))

        assert (play.folder / "a.txt").read_bytes() == b"one"
        assert (play.folder / "sub/b.txt").read_bytes() == b"two"

    def test_stopped_before_the_run_nothing_is_started(self, play):
        runner = self.make(Program(lines=(("no", False),)))
        runner.stop()

        ended = play.with_runner(runner, Program(lines=(("no", False),)))

        assert ended.stopped
        assert play.lines == []

    def test_stop_from_another_thread_ends_it(self, play):
        program = Program(lines=(("up", False),), until_stopped=True)
        runner = self.make(program)
        began = time.monotonic()

        ended = play.with_runner(runner, program, stop_after="up")

        assert ended.stopped
        assert ended.exit_code is None
        assert time.monotonic() - began < 10

    def test_stop_may_be_called_often_and_late(self, play):
        program = Program()
        runner = self.make(program)
        play.with_runner(runner, program)

        runner.stop()
        runner.stop()

    def test_a_stop_right_at_the_start_is_not_lost(self, play):
        program = Program(until_stopped=True)
        runner = self.make(program)
        threading.Timer(0.01, runner.stop).start()

        assert play.with_runner(runner, program).stopped

    def test_its_timeout_ends_it(self, play):
        ended = play.run(Program(until_stopped=True), timeout=timedelta(seconds=0.5))

        assert ended.stopped

    def test_the_marker_comes_before_the_first_line(self, play):
        play.run(Program(lines=(("a", False),)))

        assert play.order[0] == "marker"
        assert ":" in play.markers[0]


class RealTaskRunnerContract(TaskRunnerContract):
    """What holds where the command is a real program."""

    def test_what_is_too_long_for_the_environment_says_where_to_put_it(self, play):
        with pytest.raises(CannotRun, match=r"variable BIG is longer.*`inputFiles`"):
            play.script("true", env={"BIG": "x" * 200_000})

    def test_nul_is_refused(self, play):
        with pytest.raises(CannotRun, match="NUL"):
            play.script("echo a\0b")
        with pytest.raises(CannotRun, match="NUL"):
            play.script("true", env={"A": "\0"})

    def test_a_program_that_is_missing_is_named_with_advice(self, play):
        command = Command(["/no/such-shell", "-c", "true"], play.folder, image=self.image)

        with pytest.raises(CannotRun, match=r"/no/such-shell(.|\n)*`interpreter`"):
            self.make(None).run(command, print, lambda marker: None)


class Play:
    """Runs programs and keeps what comes of it."""

    def __init__(self, suite, folder):
        self.suite = suite
        self.folder = folder
        self.lines = []
        self.markers = []
        self.order = []

    def run(self, program, **command):
        return self.with_runner(self.suite.make(program), program, **command)

    def with_runner(self, runner, program, stop_after=None, **command):
        def on_line(line, is_error):
            self.order.append("line")
            self.lines.append((line, is_error))
            if line == stop_after:
                threading.Thread(target=runner.stop).start()

        def marker(text):
            self.order.append("marker")
            self.markers.append(text)

        argv = ["/bin/sh", "-c", program.script]
        made = Command(argv, self.folder, image=self.suite.image, **command)
        return runner.run(made, on_line, marker)

    def script(self, script, runner=None, **command):
        """Run a shell script, for the suites of implementations."""
        runner = runner or self.suite.make(None)
        made = Command(["/bin/sh", "-c", script], self.folder, image=self.suite.image, **command)
        return runner.run(
            made, lambda line, err: self.lines.append((line, err)), self.markers.append
        )


__all__ = ["CannotRun", "Play", "Program", "RealTaskRunnerContract", "TaskRunnerContract"]
