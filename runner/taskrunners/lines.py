"""Output streams as lines of bounded length."""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE_BYTES = 2 * 1024 * 1024
"""Longer lines are cut: more than the largest outputs a line of the output protocol may carry."""


class LineSplitter:
    """Cuts a byte stream into lines; holds back at most one line.

    Undecodable bytes and NUL, which databases refuse in texts, become U+FFFD.
    """

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the lines that *chunk* completes."""
        *whole, last = chunk.split(b"\n")
        for piece in whole:
            yield from self._cut()
            yield _text(bytes(self._rest + piece))
            self._rest.clear()
        self._rest += last
        yield from self._cut()

    def end(self) -> Iterator[str]:
        """Yield what came after the last line end, if anything did."""
        if self._rest:
            yield _text(bytes(self._rest))
            self._rest.clear()

    def _cut(self) -> Iterator[str]:
        while len(self._rest) >= self._max_bytes:
            yield _text(bytes(self._rest[: self._max_bytes]))
            del self._rest[: self._max_bytes]


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace").replace("\0", "\ufffd")
