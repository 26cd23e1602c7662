"""Storage in the database, in chunks: many machines need nothing but the database they share."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Protocol, cast

from runner import ids
from runner.clock import to_micros
from runner.errors import NotFound
from runner.model.files import StoredFile
from runner.storage.base import Stored, checked_path, checked_prefix

CHUNK_BYTES = 256 * 1024
_PAGE = 1000


class Files(Protocol):
    """The tables as storage uses them (`tx.stored_files` of the store)."""

    def find(self, path: str) -> StoredFile | None: ...
    def list(self, prefix: str, *, limit: int = ..., after: str = ...) -> Sequence[StoredFile]: ...
    def save(self, row: StoredFile) -> None: ...
    def remove(self, path: str) -> bool: ...
    def remove_below(self, prefix: str) -> int: ...
    def add_chunk(self, content: str, number: int, data: bytes) -> None: ...
    def chunk(self, content: str, number: int) -> bytes | None: ...
    def drop_chunks(self, content: str) -> None: ...


class FilesTx(Protocol):
    """A transaction that has the tables."""

    @property
    def stored_files(self) -> Files: ...
    def now(self) -> datetime: ...


class Tables(Protocol):
    """The database that has the tables: the store."""

    def begin(self) -> AbstractContextManager[FilesTx]: ...
    def read(self) -> AbstractContextManager[FilesTx]: ...


class DatabaseStorage:
    """Chunks are written first, each in a short transaction; the file appears with the last."""

    is_shared = True

    def __init__(self, store: Tables) -> None:
        self._store = store

    def put(self, path: str, source: BinaryIO) -> Stored:
        """Store it, and remove what it replaces."""
        checked_path(path)
        content = self._new_content()
        try:
            return self._put(path, content, source)
        except BaseException:
            with self._store.begin() as tx:
                tx.stored_files.drop_chunks(content)
            raise

    def _put(self, path: str, content: str, source: BinaryIO) -> Stored:
        size, number, chunk = 0, 0, _read(source)
        while len(chunk) == CHUNK_BYTES:
            with self._store.begin() as tx:
                tx.stored_files.add_chunk(content, number, chunk)
            size, number, chunk = size + len(chunk), number + 1, _read(source)
        with self._store.begin() as tx:
            if chunk:
                tx.stored_files.add_chunk(content, number, chunk)
            row = StoredFile(path, content, size + len(chunk), tx.now())
            tx.stored_files.save(row)
        return _stored(row)

    def _new_content(self) -> str:
        """Return a name of content that begins with the time, so that leftovers show their age."""
        with self._store.read() as tx:
            return f"{to_micros(tx.now()):016d}{ids.new()}"

    def open(self, path: str) -> BinaryIO:
        """Open for reading. Raises NotFound."""
        return cast(
            BinaryIO, io.BufferedReader(_Chunks(self._store, self._find(path)), CHUNK_BYTES)
        )

    def stat(self, path: str) -> Stored:
        """Return size and time. Raises NotFound."""
        return _stored(self._find(path))

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield the files below a folder, by path."""
        checked_prefix(prefix)
        after = ""
        while True:
            with self._store.read() as tx:
                rows = tx.stored_files.list(prefix, limit=_PAGE, after=after)
            yield from map(_stored, rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1].path

    def delete(self, path: str) -> bool:
        """Remove a file; True if there was one."""
        with self._store.begin() as tx:
            return tx.stored_files.remove(checked_path(path))

    def delete_all(self, prefix: str) -> int:
        """Remove the files below a folder."""
        with self._store.begin() as tx:
            return tx.stored_files.remove_below(checked_prefix(prefix))

    def _find(self, path: str) -> StoredFile:
        with self._store.read() as tx:
            row = tx.stored_files.find(checked_path(path))
        if row is None:
            raise NotFound(f"there is no file {path}")
        return row


class _Chunks(io.RawIOBase):
    """Reads a content chunk by chunk, each in a short view."""

    def __init__(self, store: Tables, row: StoredFile) -> None:
        super().__init__()
        self._store = store
        self._row = row
        self._position = 0
        self._number = -1
        self._chunk = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._row.size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the start of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._position >= self._row.size:
            return 0
        number, start = divmod(self._position, CHUNK_BYTES)
        if number != self._number:
            self._number, self._chunk = number, self._load(number)
        part = self._chunk[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _load(self, number: int) -> bytes:
        with self._store.read() as tx:
            chunk = tx.stored_files.chunk(self._row.content, number)
        if chunk is None:
            raise NotFound(f"the file {self._row.path} was replaced or removed while it was read")
        return chunk


def _read(source: BinaryIO) -> bytes:
    """Return one chunk, shorter only at the end."""
    chunk = source.read(CHUNK_BYTES)
    while chunk and len(chunk) < CHUNK_BYTES and (more := source.read(CHUNK_BYTES - len(chunk))):
        chunk += more
    return chunk


def _stored(row: StoredFile) -> Stored:
    return Stored(row.path, row.size, row.modified_at)
