"""Files of an attempt: internal storage, and namespace files at the execution's commit."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO

from runner import ids
from runner.attempt.subject import Subject
from runner.errors import ArgumentInvalid, Forbidden, Refused
from runner.model.names import NAMESPACE
from runner.plugin import FileVersion, NamespaceFile
from runner.runtime import Runtime
from runner.runtime.files import (
    NAMESPACE_SCHEME,
    open_namespace_file,
    open_uri,
    remove_namespace_file,
    write_namespace_file,
)
from runner.storage.base import SCHEME, execution_path, task_path
from runner.store.base import Tx

_URI = re.compile(r"(kestra:///|nsfile://|file:///)\S+")
_NO_URI_CHARACTER = re.compile(r"[^-\w.~+=]")
_PREFIX_CHARS = 10
_NAME_CHARS = 60  # of four bytes each and with the prefix they stay below 255


class TaskFiles:
    """Reads what the flow may read, and writes below the task run's own folder.

    A stored name gets a prefix of its own, so that no attempt touches the files of another.
    """

    def __init__(self, runtime: Runtime, subject: Subject) -> None:
        self._runtime = runtime
        self._execution = subject.execution
        self._folder = task_path(
            subject.execution.namespace,
            subject.execution.flow_id,
            subject.execution.id,
            subject.task.id,
            subject.run.id,
        )

    def open(self, uri: str) -> BinaryIO:
        """Open a file for reading. Raises NotFound, Forbidden."""
        execution = self._execution
        return open_uri(self._runtime, uri, execution.namespace, execution.source, execution.commit)

    def put(self, source: Path | bytes | BinaryIO, name: str) -> str:
        """Store a file and return its URI. Raises ArgumentInvalid: the name leads elsewhere."""
        *folders, last = map(_of_uri, _within(name))
        unique = f"{ids.new()[:_PREFIX_CHARS]}-{last}"
        path = self._folder + "/".join([*folders, unique])
        with _stream(source) as stream:
            self._runtime.storage.put(path, stream)
        return f"{SCHEME}{path}"

    def fetch(self, uri: str, into: Path) -> None:
        """Copy a file to a local path; parents are made."""
        into.parent.mkdir(parents=True, exist_ok=True)
        with self.open(uri) as source, into.open("wb") as target:
            shutil.copyfileobj(source, target, 1024 * 1024)

    def is_uri(self, text: str) -> bool:
        """Say whether *text* as a whole is a URI of a file."""
        return _URI.fullmatch(text) is not None

    def size(self, uri: str) -> int:
        """Return the bytes of a file. Raises NotFound, Forbidden."""
        if uri.startswith(SCHEME):
            with self.open(uri):
                return self._runtime.storage.stat(uri.removeprefix(SCHEME)).size
        with self.open(uri) as file:
            return file.seek(0, SEEK_END)

    def delete(self, uri: str) -> bool:
        """Remove a file of the flow's namespace. Raises Forbidden."""
        path = uri.removeprefix(SCHEME)
        folder = f"/{self._execution.namespace.replace('.', '/')}/"
        if not uri.startswith(SCHEME) or not path.startswith(folder):
            raise Forbidden(f"'{uri}' is not a URI of a stored file of this namespace")
        return self._runtime.storage.delete(path)

    def own(self) -> Sequence[str]:
        """Return the URIs of all files of this execution."""
        execution = self._execution
        folder = execution_path(execution.namespace, execution.flow_id, execution.id)
        return [SCHEME + stored.path for stored in self._runtime.storage.list(folder)]


class NamespaceFiles:
    """Namespace files of the pinned commit; those of other sources at their head; the API's own."""

    def __init__(self, runtime: Runtime, subject: Subject) -> None:
        self._runtime = runtime
        self._execution = subject.execution

    def list(self, namespace: str) -> Sequence[NamespaceFile]:
        """Return the files of a namespace by path."""
        with self._runtime.store.read() as tx:
            found = self._found(tx, namespace)
        return [NamespaceFile(path, found[path]) for path in sorted(found)]

    def open(self, namespace: str, path: str) -> BinaryIO:
        """Open one. Raises NotFound."""
        execution = self._execution
        return open_namespace_file(
            self._runtime, namespace, path, execution.source, execution.commit
        )

    def put(self, namespace: str, path: str, source: BinaryIO) -> None:
        """Create or replace a file. Raises Refused, ArgumentInvalid."""
        path = "/".join(_checked(path.strip("/")))
        if fault := NAMESPACE.fault(namespace):
            raise ArgumentInvalid(f"the namespace '{namespace}' is not valid: {fault}")
        self._check_place(namespace, path)
        write_namespace_file(self._runtime, namespace, path, source)

    def delete(self, namespace: str, path: str) -> bool:
        """Remove a file; False: there was none. Raises Refused."""
        with self._runtime.store.begin() as tx:
            if path in self._of_git(tx, namespace):
                raise Refused(f"the file '{path}' belongs to a Git source: change it there")
            contents = remove_namespace_file(self._runtime, tx, namespace, path)
        for content in contents:
            self._runtime.storage.delete(content)
        return bool(contents)

    def namespaces(self) -> Sequence[str]:
        """Return the namespaces that have files of the API."""
        with self._runtime.store.read() as tx:
            return tx.namespace_files.namespaces()

    def versions(self, namespace: str) -> Sequence[FileVersion]:
        """Return what the files of the API were before, by path and version."""
        with self._runtime.store.read() as tx:
            rows = tx.namespace_files.versions(namespace)
        return [FileVersion(row.path, row.version, row.updated_at) for row in rows]

    def forget(self, namespace: str, version: FileVersion) -> bool:
        """Remove what a file was before; False: it is not there."""
        with self._runtime.store.begin() as tx:
            rows = tx.namespace_files.versions(namespace, version.path)
            row = next((each for each in rows if each.version == version.version), None)
            if row is None:
                return False
            tx.namespace_files.forget(row)
        self._runtime.storage.delete(row.uri.removeprefix(SCHEME))
        return True

    def _check_place(self, namespace: str, path: str) -> None:
        with self._runtime.store.read() as tx:
            known = self._found(tx, namespace)
            is_of_git = path in self._of_git(tx, namespace)
        if is_of_git:
            raise Refused(f"the file '{path}' belongs to a Git source: change it there")
        for each in known:
            if each.startswith(f"{path}/") or path.startswith(f"{each}/"):
                raise ArgumentInvalid(f"'{each}' stands in the way of '{path}'")

    def _of_git(self, tx: Tx, namespace: str) -> set[str]:
        trees = self._trees(tx)
        return {file.path for tree in trees for file in tx.trees.files(tree, namespace)}

    def _found(self, tx: Tx, namespace: str) -> dict[str, int]:
        """Return path to size, in the order of `open`: the last to write a path wins."""
        sizes = {row.path: row.size for row in tx.namespace_files.list(namespace)}
        for tree in self._trees(tx):
            sizes.update({file.path: file.size for file in tx.trees.files(tree, namespace)})
        return sizes

    def _trees(self, tx: Tx) -> Iterator[str]:
        source, commit = self._execution.source, self._execution.commit
        for row in tx.sources.list():
            if row.name != source and row.tree:
                yield row.tree
        if source and commit and (pinned := tx.trees.of_commit(source, commit)):
            yield pinned


@contextmanager
def _stream(source: Path | bytes | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield BytesIO(source)
    elif isinstance(source, Path):
        with source.open("rb") as opened:
            yield opened
    else:
        yield source


def _within(name: str) -> list[str]:
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ArgumentInvalid(f"{name!r} is no name of a file: use names and folders, without '..'")
    return parts


def _checked(name: str) -> list[str]:
    if not name.isprintable() or "\\" in name:
        raise ArgumentInvalid(f"{name!r} is no name of a file: use names and folders, without '..'")
    return _within(name)


def _of_uri(part: str) -> str:
    """Return a name that a URI can hold as it is, with its end kept and not too long to store."""
    return _NO_URI_CHARACTER.sub("_", part)[-_NAME_CHARS:]


__all__ = ["NAMESPACE_SCHEME", "NamespaceFiles", "TaskFiles"]
