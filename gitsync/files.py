"""Reading what changed out of a mirror: flows are parsed, blobs of namespace files stored."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import BinaryIO, cast

import structlog

from gitsync.objects import Blob
from gitsync.reading import Parse, ReadFlow, Reading, read_flow
from gitsync.repo import Mirror
from gitsync.tree import LFS_SIGN, FlowFile, NamespaceFile, is_lfs_pointer
from runner.errors import NotFound
from runner.model.problems import Problem
from runner.storage.base import Storage, blob_path

log = structlog.get_logger(__name__)


def read_changed(
    mirror: Mirror,
    flows: Iterable[FlowFile],
    files: Iterable[NamespaceFile],
    *,
    parse: Parse,
    limit: int,
    storage: Storage | None,
) -> Reading:
    """Read and parse flows, and put the content of files into *storage* (None: only look)."""
    read = _read_flows(mirror, sorted(flows, key=lambda file: file.path), parse, limit)
    sizes, lfs = _store(mirror, files, storage)
    return Reading(tuple(read), sizes, lfs)


def _read_flows(
    mirror: Mirror, flows: list[FlowFile], parse: Parse, limit: int
) -> Iterable[ReadFlow]:
    if not flows:
        return
    for file, blob in zip(flows, mirror.blobs(file.blob for file in flows), strict=True):
        content = blob.stream.read() if blob.size <= limit else b""
        yield _read_one(file, content, blob.size, parse, limit)


def _read_one(file: FlowFile, content: bytes, size: int, parse: Parse, limit: int) -> ReadFlow:
    """Read one flow; a fault of the parser is that flow's problem and no other's."""
    try:
        return read_flow(file, content, size, parse=parse, limit=limit)
    except Exception as exc:
        log.exception("a flow could not be read", action="flow_unreadable", path=file.path)
        problem = Problem(f"Headrace failed to read it: {exc!r}; please report this", "internal")
        return ReadFlow(file.path, content.decode("utf-8", "replace"), "", problems=(problem,))


def _store(
    mirror: Mirror, files: Iterable[NamespaceFile], storage: Storage | None
) -> tuple[dict[str, int], frozenset[str]]:
    wanted = sorted({file.blob for file in files})
    sizes: dict[str, int] = {}
    lfs: set[str] = set()
    for blob in mirror.blobs(wanted) if wanted else ():
        sizes[blob.id] = blob.size
        first = blob.stream.read(len(LFS_SIGN))
        if is_lfs_pointer(first):
            lfs.add(blob.id)
        elif storage is not None and not _is_stored(storage, blob):
            storage.put(blob_path(blob.id), cast(BinaryIO, _Whole(first, blob.stream)))
    return sizes, frozenset(lfs)


def _is_stored(storage: Storage, blob: Blob) -> bool:
    try:
        return storage.stat(blob_path(blob.id)).size == blob.size
    except NotFound:
        return False


class _Whole:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = io.BytesIO(first)
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return self._first.read() + self._rest.read()
        return self._first.read(size) or self._rest.read(size)
