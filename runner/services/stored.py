"""Files of executions in internal storage, as people may see them (rest-api §11.2)."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from runner.errors import ArgumentInvalid, NotFound
from runner.runtime import Runtime
from runner.services.files import checked_path
from runner.storage.base import SCHEME, Stored, execution_path

_FOLDER = "executions"
_MOST_ROWS = 5_000
_MOST_BYTES = 1024 * 1024
_IMAGES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "bmp"})


class Elsewhere(NotFound):
    """The file belongs to another execution."""

    code = "elsewhere"

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"the file belongs to execution {execution_id}")
        self.execution_id = execution_id


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a file: rows, text, or base64 of it."""

    extension: str
    type: str  # LIST | TEXT | MARKDOWN | IMAGE | PDF
    content: Any
    max_line: int
    truncated: bool


class StoredFiles:
    """The use cases around files of executions."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def stat(self, execution_id: str, uri: str) -> Stored:
        """Return size and date of a file.

        Raises:
            NotFound: no such execution or file. Elsewhere: it belongs to another execution.
            ArgumentInvalid: not a URI of an execution's file.
        """
        return self._runtime.storage.stat(self._path(execution_id, uri))

    def open(self, execution_id: str, uri: str) -> BinaryIO:
        """Open a file; the caller closes it. Raises like `stat`."""
        return self._runtime.storage.open(self._path(execution_id, uri))

    def preview(
        self, execution_id: str, uri: str, *, max_rows: int = 100, encoding: str = "utf-8"
    ) -> Preview:
        """Return the beginning of a file. Raises like `stat`; ArgumentInvalid: no such encoding."""
        rows = max(1, min(max_rows, _MOST_ROWS))
        try:
            "".encode(encoding)
        except LookupError as exc:
            raise ArgumentInvalid(f"unable to preview using encoding '{encoding}'") from exc
        with self.open(execution_id, uri) as stream:
            content = stream.read(_MOST_BYTES + 1)
        return _preview(uri, content, rows, encoding)

    def _path(self, execution_id: str, uri: str) -> str:
        path = uri.removeprefix(SCHEME)
        if not uri.startswith(f"{SCHEME}/"):
            raise ArgumentInvalid(f"invalid path, only {SCHEME}/ URIs can be read: '{uri}'")
        path = "/" + checked_path(path)
        with self._runtime.store.read() as tx:
            execution = tx.executions.find(execution_id)
        if execution is None:
            raise NotFound("Execution not found")
        own = execution_path(execution.namespace, execution.flow_id, execution_id)
        if path.startswith(own):
            return path
        owner = _owner(path)
        if owner is None:
            raise ArgumentInvalid(f"the file '{uri}' does not belong to an execution")
        raise Elsewhere(owner)


def _owner(path: str) -> str | None:
    """The execution that a path of internal storage belongs to."""
    parts = path.split("/")
    if _FOLDER not in parts[:-2]:
        return None
    return parts[parts.index(_FOLDER) + 1]


def _preview(uri: str, content: bytes, rows: int, encoding: str) -> Preview:
    extension = uri.rpartition("/")[2].rpartition(".")[2].lower()
    if extension in _IMAGES or extension == "pdf":
        kind = "PDF" if extension == "pdf" else "IMAGE"
        is_cut = len(content) > _MOST_BYTES
        text = "" if is_cut else base64.b64encode(content).decode()
        return Preview(extension, kind, text, rows, is_cut)
    text = content[:_MOST_BYTES].decode(encoding, "replace")
    if extension in ("csv", "ion", "jsonl", "ndjson", "json"):
        found = _rows(text, extension, rows + 1)
        if found is not None:
            return Preview(extension, "LIST", found[:rows], rows, len(found) > rows)
    lines = text.splitlines(keepends=True)
    kind = "MARKDOWN" if extension == "md" else "TEXT"
    is_cut = len(lines) > rows or len(content) > _MOST_BYTES
    return Preview(extension, kind, "".join(lines[:rows]), rows, is_cut)


def _rows(text: str, extension: str, count: int) -> Sequence[Any] | None:
    """The rows of a table; None if it is none that can be read."""
    try:
        if extension == "csv":
            return list(islice(csv.DictReader(io.StringIO(text)), count))
        if extension == "json":
            value = json.loads(text)
            return value[:count] if isinstance(value, list) else None
        lines = (line for line in text.splitlines() if line.strip())
        return [json.loads(line) for line in islice(lines, count)]
    except (ValueError, csv.Error):
        return None
