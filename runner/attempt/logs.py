"""The log of one attempt: lines are masked, split, numbered, and stored in batches."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO, cast

from runner.clock import Clock, iso
from runner.errors import HeadraceError
from runner.model.logs import Level, LogLine
from runner.secrets import Mask

MAX_MESSAGE_CHARS = 15 * 1024
BATCH_LINES = 500
FLUSH_SECONDS = 0.1
_CLOSE_SECONDS = 10.0
_RETRY_SECONDS = 0.5
_SPOOL_BYTES = 2**20

_logger = logging.getLogger(__name__)
_RANKS = {level: level.rank for level in Level}

Write = Callable[[Sequence[LogLine]], None]


class LineLog:
    """Makes numbered lines of messages and keeps them in `lines`; does nothing until the first one.

    *template* says whose lines they are; its message and number are not used.
    """

    __slots__ = ("_bytes_left", "_clock", "_lowest", "_mask", "_template", "lines", "number")

    def __init__(
        self, template: LogLine, mask: Mask, clock: Clock, lowest: str, max_bytes: int
    ) -> None:
        self._template = template
        self._mask = mask
        self._clock = clock
        self._lowest = _RANKS.get(Level(lowest), 0)
        self._bytes_left = max_bytes
        self.lines: list[LogLine] = []
        self.number = template.number

    def write(self, level: Level, message: str, at: datetime | None = None) -> None:
        """Add a message; one below the task's log level, or past the limit, is dropped."""
        if _RANKS[level] < self._lowest or self._bytes_left <= 0:
            return
        at = at or self._clock.now()
        for part in _parts(self._mask.apply(message)):
            self._add(level, part, at)

    def _add(self, level: Level, message: str, at: datetime) -> None:
        if self._bytes_left <= 0:
            return
        self._bytes_left -= len(message.encode("utf-8", "replace")) + 1
        self._append(level, message, at)
        if self._bytes_left <= 0:
            self._append(
                Level.WARN, "The limit of this attempt's log is reached: the rest is dropped.", at
            )

    def _append(self, level: Level, message: str, at: datetime) -> None:
        template = self._template
        self.lines.append(
            LogLine(
                template.namespace,
                template.flow_id,
                at,
                level,
                message,
                self.number,
                template.execution_id,
                template.task_id,
                template.task_run_id,
                template.attempt,
            )
        )
        self.number += 1

    def trace(self, message: str, /, **fields: Any) -> None:
        self.write(Level.TRACE, _told(message, fields))

    def debug(self, message: str, /, **fields: Any) -> None:
        self.write(Level.DEBUG, _told(message, fields))

    def info(self, message: str, /, **fields: Any) -> None:
        self.write(Level.INFO, _told(message, fields))

    def warn(self, message: str, /, **fields: Any) -> None:
        self.write(Level.WARN, _told(message, fields))

    def error(self, message: str, /, **fields: Any) -> None:
        self.write(Level.ERROR, _told(message, fields))

    def flush(self) -> None:
        """Lines of a task inside a fold are stored by the fold."""


class FileLog(LineLog):
    """A log that becomes a file: its lines are kept in a local one until it is put away.

    Any thread may write.
    """

    __slots__ = ("_file", "_lock")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lock = threading.Lock()
        self._file = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - see close

    def write(self, level: Level, message: str, at: datetime | None = None) -> None:
        with self._lock:
            super().write(level, message, at)
            self._file.write(file_text(self.lines))
            self.lines.clear()

    def put_away(self, put: Callable[[BinaryIO], str]) -> str:
        """Hand the file to *put*; returns its URI."""
        with self._lock:
            self._file.seek(0)
            return put(cast(BinaryIO, self._file))

    def close(self) -> None:
        """Remove the local file."""
        self._file.close()


def file_text(lines: Sequence[LogLine]) -> bytes:
    """Return lines as they stand in a file: moment, level, message."""
    told = (f"{iso(line.at)} {line.level:<5} {line.message}\n" for line in lines)
    return "".join(told).encode("utf-8", "replace")


class StoredLog(LineLog):
    """A log that stores its lines: full batches at once, others within a tenth of a second.

    Any thread may write. Where the store does not answer, lines are kept and tried again; a writer
    that is far ahead waits.
    """

    __slots__ = ("_changed", "_is_closed", "_lock", "_storing", "_thread", "_write")

    def __init__(self, write: Write, *args: Any) -> None:
        super().__init__(*args)
        self._write = write
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def write(self, level: Level, message: str, at: datetime | None = None) -> None:
        with self._lock:
            super().write(level, message, at)
            waiting = len(self.lines)
            if self._thread is None and waiting:
                self._thread = threading.Thread(target=self._flush_often, name="log", daemon=True)
                self._thread.start()
        if waiting >= BATCH_LINES:
            self.flush()

    def flush(self) -> None:
        """Make all lines so far visible to readers; what cannot be stored now stays for later."""
        with self._storing:
            while batch := self._oldest():
                try:
                    self._write(batch)
                except HeadraceError as exc:
                    _logger.warning("log lines cannot be stored, trying again: %s", exc.message)
                    time.sleep(_RETRY_SECONDS if len(self.lines) > BATCH_LINES else 0)
                    return
                with self._lock:
                    del self.lines[: len(batch)]

    def close(self) -> None:
        """Store what is left, for some seconds if need be."""
        self._is_closed = True
        self._changed.set()
        end = time.monotonic() + _CLOSE_SECONDS
        self.flush()
        while self.lines and time.monotonic() < end:
            time.sleep(_RETRY_SECONDS)
            self.flush()
        if self.lines:
            _logger.error("lost %d log lines: the store did not take them", len(self.lines))

    def _oldest(self) -> list[LogLine]:
        with self._lock:
            return self.lines[:BATCH_LINES]

    def _flush_often(self) -> None:
        while not self._is_closed:
            self._changed.wait(FLUSH_SECONDS)
            if not self._is_closed:
                self.flush()


def error_lines(log: LineLog, message: str, trace: str | None = None) -> None:
    """Write why an attempt failed: the message as ERROR, a stack trace as TRACE."""
    log.write(Level.ERROR, message)
    if trace:
        log.write(Level.TRACE, trace)


def late_line(template: LogLine, at: datetime, message: str) -> LogLine:
    """Return one line outside an attempt's own numbers: counted down from -1."""
    return replace(template, at=at, level=Level.WARN, message=message, number=-1)


def _parts(message: str) -> Iterator[str]:
    if len(message) <= MAX_MESSAGE_CHARS:
        yield message
        return
    for start in range(0, len(message), MAX_MESSAGE_CHARS):
        yield message[start : start + MAX_MESSAGE_CHARS]


def _told(message: str, fields: dict[str, Any]) -> str:
    if not fields:
        return message
    return " ".join([message, *(f"{name}={value}" for name, value in fields.items())])
