"""Namespace files (rest-api §16.2): those of Git are read here, the API's own also written."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from runner.clock import EPOCH
from runner.errors import ArgumentInvalid, NotFound, Refused
from runner.model.names import NAMESPACE
from runner.runtime import Runtime
from runner.runtime.files import remove_namespace_file, write_namespace_file
from runner.services.archives import unzipped
from runner.services.audit import record
from runner.services.principal import Principal
from runner.storage.base import SCHEME, blob_path
from runner.store.base import FileVersionRow, NamespaceFileRow, Tx

_LONGEST_NAME = 255
_LONGEST_PATH = 2048
_RESERVED = "_flows"


@dataclass(frozen=True, slots=True)
class NamespaceFile:
    """A file: path without leading slash; *source* is the Git source that owns it, or None."""

    namespace: str
    path: str
    size: int
    modified_at: datetime
    created_at: datetime
    stored_at: str
    version: int = 1
    source: str | None = None


class Files:
    """The use cases around namespace files."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def list(self, namespace: str) -> Sequence[NamespaceFile]:
        """Return all files of exactly this namespace, by path."""
        check_namespace(namespace)
        with self._runtime.store.read() as tx:
            return sorted(_files(tx, namespace).values(), key=lambda each: each.path)

    def get(self, namespace: str, path: str, version: int | None = None) -> NamespaceFile:
        """Return one file, or what one of the API was. Raises NotFound."""
        wanted = checked_path(path)
        for each in self.list(namespace):
            if each.path == wanted:
                return each if version in (None, each.version) else self._was(each, version)
        raise NotFound(f"there is no file '{wanted}' in the namespace '{namespace}'")

    def _was(self, file: NamespaceFile, version: int | None) -> NamespaceFile:
        for row in self._before(file):
            if row.version == version:
                stored_at = row.uri.removeprefix(SCHEME)
                return replace(
                    file,
                    size=row.size,
                    modified_at=row.updated_at,
                    stored_at=stored_at,
                    version=row.version,
                )
        raise NotFound(f"there is no version {version} of the file '{file.path}'")

    def _before(self, file: NamespaceFile) -> Sequence[FileVersionRow]:
        if file.source is not None:
            return ()
        with self._runtime.store.read() as tx:
            return tx.namespace_files.versions(file.namespace, file.path)

    def open(self, namespace: str, path: str, version: int | None = None) -> BinaryIO:
        """Open a file, or one of the API as it was; the caller closes it. Raises NotFound."""
        return self._runtime.storage.open(self.get(namespace, path, version).stored_at)

    def versions(self, namespace: str, path: str) -> Sequence[int]:
        """Return the numbers of a file's versions, the present one last. Raises NotFound."""
        file = self.get(namespace, path)
        return [*(row.version for row in self._before(file)), file.version]

    def write(self, namespace: str, path: str, content: BinaryIO, *, by: Principal) -> None:
        """Create or replace a file. Raises Refused: Git owns it."""
        wanted = checked_path(path)
        if not wanted:
            raise ArgumentInvalid("a path is needed")
        self._check_place(namespace, wanted)

        def note(tx: Tx) -> None:
            record(self._runtime, tx, by, "file.write", f"{namespace}/{wanted}")

        write_namespace_file(self._runtime, namespace, wanted, content, note)

    def write_archive(self, namespace: str, path: str, archive: BinaryIO, *, by: Principal) -> None:
        """Unpack a zip below *path*. Raises ArgumentInvalid, TooLarge."""
        folder = checked_path(path)
        for name, content in unzipped(archive, self._runtime.settings.web.max_upload_bytes):
            whole = posixpath.join(folder, checked_path(name))
            self.write(namespace, whole, io.BytesIO(content), by=by)

    def move(self, namespace: str, old: str, new: str, *, by: Principal) -> None:
        """Rename a file, or a directory with all in it.

        Raises:
            NotFound. Refused: Git owns it. ArgumentInvalid: something is there already.
        """
        source, target = checked_path(old), checked_path(new)
        moved = self._below(namespace, source)
        if not moved:
            raise NotFound(f"there is no file or directory '{source}'")
        if self._below(namespace, target):
            raise ArgumentInvalid(f"'{target}' exists already")
        for each in moved:
            self._move_one(namespace, each, target + each.path[len(source) :], by)

    def delete(self, namespace: str, path: str, *, by: Principal) -> None:
        """Remove a file, or a directory with all in it. Raises NotFound, Refused."""
        wanted = checked_path(path)
        gone = self._below(namespace, wanted)
        if not gone:
            raise NotFound(f"there is no file or directory '{wanted}'")
        for each in gone:
            _check_is_ours(each)
        contents: list[str] = []
        with self._runtime.store.begin() as tx:
            for each in gone:
                contents += remove_namespace_file(self._runtime, tx, namespace, each.path)
            record(self._runtime, tx, by, "file.delete", f"{namespace}/{wanted}")
        for stored_at in contents:
            self._runtime.storage.delete(stored_at)

    def _below(self, namespace: str, path: str) -> Sequence[NamespaceFile]:
        folder = f"{path}/" if path else ""
        return [
            each
            for each in self.list(namespace)
            if each.path == path or each.path.startswith(folder)
        ]

    def _move_one(self, namespace: str, each: NamespaceFile, target: str, by: Principal) -> None:
        _check_is_ours(each)
        with self._runtime.storage.open(each.stored_at) as content:
            self.write(namespace, target, content, by=by)
        with self._runtime.store.begin() as tx:
            contents = remove_namespace_file(self._runtime, tx, namespace, each.path)
        for stored_at in contents:
            self._runtime.storage.delete(stored_at)

    def _check_place(self, namespace: str, path: str) -> None:
        """A file must not stand where a folder is, nor over one of Git's."""
        for each in self.list(namespace):
            if each.path == path:
                _check_is_ours(each)
            if each.path.startswith(f"{path}/") or path.startswith(f"{each.path}/"):
                raise ArgumentInvalid(f"'{each.path}' stands in the way of '{path}'")


def check_namespace(namespace: str) -> None:
    """Raise ArgumentInvalid unless it may be a namespace."""
    if fault := NAMESPACE.fault(namespace):
        raise ArgumentInvalid(f"the namespace '{namespace}' is not valid: {fault}")


def checked_path(path: str) -> str:
    """Return a path from outside without slashes around it.

    Raises:
        ArgumentInvalid: it leaves its folder, is reserved, too long, or has odd characters.
    """
    parts = [part for part in path.strip("/").split("/") if part != "."] if path.strip("/") else []
    odd = any(ord(c) < 32 or c in "\\\x7f" for c in path)
    if odd or any(part in ("", "..") or len(part.encode()) > _LONGEST_NAME for part in parts):
        raise ArgumentInvalid(f"the path {path!r} is not valid")
    if len(path) > _LONGEST_PATH:
        raise ArgumentInvalid(f"a path may have {_LONGEST_PATH} characters at most")
    if parts and parts[0] == _RESERVED:
        raise ArgumentInvalid(f"Forbidden path: {path}")
    return "/".join(parts)


def _files(tx: Tx, namespace: str) -> dict[str, NamespaceFile]:
    """The API's own files, and those of each source's head over them."""
    found = {row.path: _own(row) for row in tx.namespace_files.list(namespace)}
    for source in tx.sources.list():
        if source.tree is None:
            continue
        at = source.synced_at or EPOCH
        for file in tx.trees.files(source.tree, namespace):
            found[file.path] = NamespaceFile(
                namespace, file.path, file.size, at, at, blob_path(file.blob), source=source.name
            )
    return found


def _own(row: NamespaceFileRow) -> NamespaceFile:
    stored_at = row.uri.removeprefix(SCHEME)
    return NamespaceFile(
        row.namespace,
        row.path,
        row.size,
        row.updated_at,
        row.created_at,
        stored_at,
        version=row.version,
    )


def _check_is_ours(each: NamespaceFile) -> None:
    if each.source is not None:
        raise Refused(
            f"the file '{each.path}' belongs to the Git source '{each.source}': change it there"
        )
