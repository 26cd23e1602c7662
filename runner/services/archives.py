"""Reading zip archives that come from outside."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from runner.errors import ArgumentInvalid, TooLarge

_MOST_FILES = 10_000
_UNREADABLE = (  # RuntimeError: it is encrypted; NotImplementedError: packed in another way
    *(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError),
)


def unzipped(archive: BinaryIO, most_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of an archive's files.

    Raises:
        ArgumentInvalid: it cannot be read. TooLarge: it holds too much.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            if len(entries) > _MOST_FILES or sum(e.file_size for e in entries) > most_bytes:
                raise TooLarge(f"an archive may hold {_MOST_FILES} files and {most_bytes} bytes")
            for entry in entries:
                yield entry.filename, _content(opened, entry)
    except _UNREADABLE as exc:
        raise ArgumentInvalid(f"the archive cannot be read: {exc}") from exc


def _content(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with opened.open(entry) as stream:
        content = stream.read(entry.file_size + 1)
    if len(content) > entry.file_size:
        raise ArgumentInvalid("the archive says less than it holds")
    return content
