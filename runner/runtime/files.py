"""Opening files by URI: internal storage, and namespace files at a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from runner.errors import Forbidden, NotFound
from runner.runtime.runs import Reader
from runner.storage.base import SCHEME, blob_path
from runner.store.base import Tx

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
