"""Cutting a file of lines into parts (core-plugins §8, Split)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, BinaryIO

from runner.javapattern import translate
from runner.plugin import TaskError

_SIZE = re.compile(r"\s*(\d+)\s*([KMGT]?B?)\s*", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MAX_OPEN = 500
_PATTERN_SECONDS = 1.0  # a line


@dataclass(frozen=True, slots=True)
class Cut:
    """Where to cut; the first that is given in this order counts. *separator* ends each line."""

    regex_pattern: str | None = None
    size: str | None = None
    partitions: int | None = None
    rows: int | None = None
    separator: str = "\n"


def split(source: BinaryIO, cut: Cut, folder: Path) -> list[Path]:
    """Write the parts into *folder*, in order; none of them is empty.

    Raises:
        TaskError: nothing says where to cut, or it is no pattern or size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (
        TextIOWrapper(source, "utf-8", newline="\n") as text,
        _Parts(folder, cut.separator) as parts,
    ):
        lines = (line.rstrip("\r\n") for line in text)
        for number, line in _routed(lines, cut, parts):
            parts.write(number, line)
    return parts.paths


def byte_count(text: str) -> int:
    """Return the number of bytes of ``10KB``, ``1MB`` … Raises TaskError."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise TaskError(f"{text!r} is no size: write a number of bytes, or 10KB, 1MB, 2GB")
    return int(match[1]) * _UNITS[match[2].upper().removesuffix("B")]


class _Parts:
    """Files by number, opened when first written to; few are kept open."""

    def __init__(self, folder: Path, separator: str) -> None:
        self._folder, self._separator = folder, separator
        self._open: dict[int, IO[str]] = {}
        self.sizes: dict[int, int] = {}

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_all()

    @property
    def paths(self) -> list[Path]:
        return [self._path(number) for number in sorted(self.sizes)]

    def write(self, number: int, line: str) -> None:
        text = line + self._separator
        file = self._open.get(number) or self._opened(number)
        file.write(text)
        self.sizes[number] = self.sizes.get(number, 0) + len(text.encode())

    def _opened(self, number: int) -> IO[str]:
        if len(self._open) >= _MAX_OPEN:
            self._close_all()
        file = self._path(number).open("a", encoding="utf-8", newline="")
        self._open[number] = file
        return file

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number}.txt"

    def _close_all(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()


def _routed(lines: Iterator[str], cut: Cut, parts: _Parts) -> Iterator[tuple[int, str]]:
    if cut.regex_pattern is not None:
        return _by_pattern(lines, cut.regex_pattern)
    if cut.size is not None:
        return _by_size(lines, byte_count(cut.size), parts)
    if cut.partitions is not None:
        wanted = cut.partitions
        return ((index % wanted, line) for index, line in enumerate(lines))
    if cut.rows is not None:
        rows = cut.rows
        return ((index // rows, line) for index, line in enumerate(lines))
    raise TaskError("one of regexPattern, bytes, partitions and rows must be given")


def _by_size(lines: Iterator[str], most: int, parts: _Parts) -> Iterator[tuple[int, str]]:
    number = 0
    for line in lines:
        yield number, line
        if parts.sizes.get(number, 0) >= most:
            number += 1


def _by_pattern(lines: Iterator[str], pattern: str) -> Iterator[tuple[int, str]]:
    import regex

    try:
        compiled = regex.compile(translate(pattern), regex.VERSION1)
    except (regex.error, ValueError, OverflowError, RecursionError) as exc:
        raise TaskError(f"{pattern!r} is no regular expression: {exc}") from exc
    if compiled.groups < 1:
        raise TaskError(f"{pattern!r} must have a group in brackets")
    numbers: dict[str, int] = {}
    try:
        for line in lines:
            if match := compiled.search(line, timeout=_PATTERN_SECONDS):
                yield numbers.setdefault(match[1], len(numbers)), line
    except TimeoutError as exc:
        raise TaskError(f"the pattern {pattern!r} takes too long on a line") from exc
