"""The contract of internal storage (spec: execution-semantics §14 for paths).

A *path* here is what follows ``kestra://``: absolute, ``/``-separated, validated (no ``..``, no
empty part, no control character). Writing is atomic: a reader sees the old file, none, or the
new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from runner.errors import InputInvalid
from runner.ids import slug

SCHEME = "kestra://"


@dataclass(frozen=True, slots=True)
class Stored:
    """One file: path, size in bytes, time of its last change."""

    path: str
    size: int
    modified_at: datetime


class Storage(Protocol):
    """Keeps files by path. Safe to call from many threads and processes.

    Every call raises InputInvalid for a path that is not valid. `open` gives a seekable file.
    """

    is_shared: bool  # whether workers on other machines see the same files

    def put(self, path: str, source: BinaryIO) -> Stored:
        """Store what *source* gives until its end; an existing file is replaced."""

    def open(self, path: str) -> BinaryIO:
        """Open for reading; the caller closes it. Raises NotFound."""

    def stat(self, path: str) -> Stored:
        """Raises NotFound."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield the files whose path starts with *prefix* (a folder, ending in ``/``)."""

    def delete(self, path: str) -> bool:
        """Remove a file; True if there was one."""

    def delete_all(self, prefix: str) -> int:
        """Remove the files below a folder; returns how many."""


def execution_path(namespace: str, flow_id: str, execution_id: str) -> str:
    """Folder of an execution's files, ending in ``/``."""
    return f"/{namespace.replace('.', '/')}/{slug(flow_id)}/executions/{execution_id}/"


def task_path(
    namespace: str, flow_id: str, execution_id: str, task_id: str, task_run_id: str
) -> str:
    """Folder of a task run's files, ending in ``/``."""
    return f"{execution_path(namespace, flow_id, execution_id)}tasks/{slug(task_id)}/{task_run_id}/"


def namespace_file_path(namespace: str, path: str) -> str:
    """Path of a namespace file that the API owns."""
    return f"/{namespace.replace('.', '/')}/_files/{path}"


def file_version_path(namespace: str, path: str, version: int) -> str:
    """Path of what such a file was before it was written again."""
    return f"/{namespace.replace('.', '/')}/_file_versions/{path}/{version}"


def blob_path(blob_id: str) -> str:
    """Path of a Git blob's content (namespace files of sources), addressed by its id."""
    return f"/_headrace/blobs/{blob_id[:2]}/{blob_id}"


_LONGEST_PART = 255
_LONGEST = 4_000


def checked_path(path: str) -> str:
    """Return a file's path as it is. Raises InputInvalid if it is not absolute and plain."""
    return _checked(path, path[1:].split("/"))


def checked_prefix(prefix: str) -> str:
    """Return a folder's path, ending in ``/``, as it is. Raises InputInvalid."""
    if prefix == "/":
        return prefix
    if not prefix.endswith("/"):
        raise InputInvalid(f"the folder {prefix!r} does not end in /")
    return _checked(prefix, prefix[1:-1].split("/"))


def _checked(path: str, parts: list[str]) -> str:
    if not path.startswith("/"):
        raise InputInvalid(f"the path {path!r} is not absolute")
    if any(part in ("", ".", "..") for part in parts):
        raise InputInvalid(f"the path {path!r} has an empty part, . or ..")
    if not path.isprintable():
        raise InputInvalid(f"the path {path!r} has a character that cannot be shown")
    if len(path.encode()) > _LONGEST or any(len(p.encode()) > _LONGEST_PART for p in parts):
        raise InputInvalid(f"the path {path[:80]!r}… is too long")
    return path
