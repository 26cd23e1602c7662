"""Files of items: one JSON or Ion value in each line."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from runner.plugin import RunContext, TaskError, TaskStopped

_SPOOL_BYTES = 8 * 2**20
_STOP_LINES = 1000


def lines(ctx: RunContext, uri: str) -> Iterator[bytes]:
    """Yield the lines of a stored file with their ends; an attempt that is to end stops between."""
    with ctx.files.open(uri) as file:
        for number, line in enumerate(file):
            if number % _STOP_LINES == 0 and ctx.stopping:
                raise TaskStopped
            yield line


def items(ctx: RunContext, uri: str) -> Iterator[tuple[bytes, Any]]:
    """Yield each line that is not blank, and the value in it. Raises TaskError: it holds none."""
    for line in lines(ctx, uri):
        if text := line.strip():
            yield line, value_of(ctx, text.decode())


def value_of(ctx: RunContext, text: str) -> Any:
    """Return the value of a line of JSON or Ion."""
    try:
        return json.loads(text)
    except ValueError:
        return ctx.render("{{ fromIon(line) }}", typed=True, extra={"line": text})


def variables_of(value: Any) -> dict[str, Any]:
    """Return what an expression about an item sees. Raises TaskError: it is no map."""
    if not isinstance(value, dict):
        raise TaskError(f"an item must be a map, not {str(value)[:100]!r}")
    return value


@contextmanager
def spool() -> Iterator[BinaryIO]:
    """Give a file to write to and read again, in memory while it is small."""
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as file:
        yield file  # type: ignore[misc]


def stored(ctx: RunContext, file: BinaryIO, name: str) -> str:
    """Store what was written to a spool; returns its URI."""
    file.seek(0)
    return ctx.files.put(file, name)


def with_line_end(line: bytes) -> bytes:
    """Return a line that ends, also if it was the file's last."""
    return line if line.endswith(b"\n") else line + b"\n"
