"""Files by URI: internal storage, and namespace files at a commit; writing those of the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO

from runner.errors import Forbidden, NotFound
from runner.runtime.runs import Reader
from runner.storage.base import SCHEME, blob_path, file_version_path, namespace_file_path
from runner.store.base import FileVersionRow, NamespaceFileRow, Tx

if TYPE_CHECKING:
    from runner.runtime import Runtime

NAMESPACE_SCHEME = "nsfile://"
_OURS = "/_headrace/"


def open_uri(
    runtime: Runtime,
    uri: str,
    namespace: str,
    source: str | None = None,
    commit: str | None = None,
    *,
    reader: Reader | None = None,
) -> BinaryIO:
    """Open ``kestra:///PATH``, ``nsfile:///PATH`` or ``nsfile://NAMESPACE/PATH``; the caller closes
    it.

    Raises:
        NotFound: no such file. Forbidden: not a URI that a flow may read.
    """
    if uri.startswith(NAMESPACE_SCHEME):
        other, _, path = uri.removeprefix(NAMESPACE_SCHEME).partition("/")
        return open_namespace_file(runtime, other or namespace, path, source, commit, reader=reader)
    path = uri.removeprefix(SCHEME)
    if not uri.startswith(SCHEME) or not path.startswith("/") or path.startswith(_OURS):
        raise Forbidden(f"'{uri}' is not a URI of a file that a flow may read")
    return runtime.storage.open(path)


def open_namespace_file(
    runtime: Runtime,
    namespace: str,
    path: str,
    source: str | None,
    commit: str | None,
    *,
    reader: Reader | None = None,
) -> BinaryIO:
    """Open a namespace file as an execution pinned to *commit* of *source* sees it."""
    with (reader or runtime.store.read)() as tx:
        where = _stored_at(tx, namespace, path, source, commit)
    if where is None:
        raise NotFound(f"there is no file '{path}' in the namespace '{namespace}'")
    return runtime.storage.open(where)


def open_version(runtime: Runtime, namespace: str, path: str, version: int) -> BinaryIO:
    """Open a namespace file of the API as it was. Raises NotFound."""
    with runtime.store.read() as tx:
        own = tx.namespace_files.find(namespace, path)
        known = {row.version: row.uri for row in tx.namespace_files.versions(namespace, path)}
    if own is not None:
        known[own.version] = own.uri
    if uri := known.get(version):
        return runtime.storage.open(uri.removeprefix(SCHEME))
    raise NotFound(f"there is no version {version} of the file '{path}' in '{namespace}'")


def write_namespace_file(
    runtime: Runtime,
    namespace: str,
    path: str,
    content: BinaryIO,
    note: Callable[[Tx], None] = lambda tx: None,
) -> None:
    """Create or replace a file of the API; what it was before is kept. *note* is told within the
    transaction.
    """
    with runtime.store.read() as tx:
        before = tx.namespace_files.find(namespace, path)
    kept = _kept(runtime, before) if before else None
    stored = runtime.storage.put(namespace_file_path(namespace, path), content)
    now = runtime.clock.now()
    with runtime.store.begin() as tx:
        if kept is not None:
            tx.namespace_files.keep(kept)
        uri = SCHEME + stored.path
        tx.namespace_files.save(NamespaceFileRow(namespace, path, uri, stored.size, now, now))
        note(tx)


def _kept(runtime: Runtime, row: NamespaceFileRow) -> FileVersionRow | None:
    """Copy a file's content aside; None: there is none."""
    place = file_version_path(row.namespace, row.path, row.version)
    try:
        with runtime.storage.open(row.uri.removeprefix(SCHEME)) as content:
            stored = runtime.storage.put(place, content)
    except NotFound:
        return None
    uri = SCHEME + stored.path
    return FileVersionRow(row.namespace, row.path, row.version, uri, stored.size, row.updated_at)


def remove_namespace_file(runtime: Runtime, tx: Tx, namespace: str, path: str) -> Sequence[str]:
    """Remove a file of the API with all that it was; returns the paths of the contents, to be
    deleted after the commit.
    """
    row = tx.namespace_files.find(namespace, path)
    if row is None:
        return ()
    uris = [row.uri, *(each.uri for each in tx.namespace_files.versions(namespace, path))]
    tx.namespace_files.remove(namespace, path)
    return [uri.removeprefix(SCHEME) for uri in uris]


def _stored_at(
    tx: Tx, namespace: str, path: str, source: str | None, commit: str | None
) -> str | None:
    if source and commit and (tree := tx.trees.of_commit(source, commit)):
        found = tx.trees.find(tree, namespace, path)
        if found is not None:
            return blob_path(found.blob)
    for row in tx.sources.list():
        if row.name != source and row.tree and (found := tx.trees.find(row.tree, namespace, path)):
            return blob_path(found.blob)
    own = tx.namespace_files.find(namespace, path)
    return own.uri.removeprefix(SCHEME) if own else None
