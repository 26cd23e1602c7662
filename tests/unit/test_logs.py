import io
import logging
import sys

import pytest
import structlog

from runner import logs


class FullDisk(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.fixture
def stream(monkeypatch):
    """Where the log goes; all as before afterwards."""
    handlers = logging.getLogger().handlers[:]

    def to(target):
        monkeypatch.setattr(sys, "stderr", target)
        logs.configure(lambda text: text.replace("hunter22", "******"))
        return target

    yield to
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


@pytest.mark.parametrize("level", ["info", "warning", "error", "exception"])
def test_a_log_that_cannot_be_written_fails_no_work(stream, level):
    stream(FullDisk())
    getattr(structlog.get_logger(), level)("told", field=1)


def test_a_closed_log_fails_no_work(stream):
    stream(io.StringIO()).close()
    structlog.get_logger().warning("told")


def test_our_lines_and_those_of_libraries_are_masked(stream):
    target = stream(io.StringIO())
    structlog.get_logger().warning("told", url="https://x:hunter22@y")
    logging.getLogger("library").warning("cannot reach %s", "https://x:hunter22@y")
    assert "hunter22" not in target.getvalue()
    assert target.getvalue().count("https://x:******@y") == 2
