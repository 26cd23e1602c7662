"""Storage over any file system of fsspec."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import fsspec

from runner.errors import NotFound, SettingsInvalid
from runner.storage.base import Stored, checked_path, checked_prefix

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")


def filesystem(scheme: str, url: str) -> Any:
    """Return fsspec's file system. Raises SettingsInvalid, naming what to install."""
    try:
        return fsspec.core.url_to_fs(url)[0]
    except ValueError as exc:
        raise SettingsInvalid(f"the storage {scheme}://… is not known: {exc}") from exc
    except ImportError as exc:
        raise SettingsInvalid(f"the storage {scheme}://… lacks a library: {exc}") from exc


class FsspecStorage:
    """Files below a prefix. The file system must replace a file at once, as object stores do."""

    is_shared = True

    def __init__(self, filesystem: Any, prefix: str) -> None:
        self._files = filesystem
        self._prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""

    def put(self, path: str, source: BinaryIO) -> Stored:
        """Send the file once it is complete here."""
        place = self._place(checked_path(path))
        with tempfile.NamedTemporaryFile() as file:
            shutil.copyfileobj(source, file, 1024 * 1024)
            file.flush()
            self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
            self._files.put_file(file.name, place)
        return self.stat(path)

    def open(self, path: str) -> BinaryIO:
        """Open for reading. Raises NotFound."""
        place = self._place(checked_path(path))
        try:
            if not self._files.isfile(place):
                raise FileNotFoundError(place)
            return cast(BinaryIO, self._files.open(place, "rb"))
        except FileNotFoundError as exc:
            raise NotFound(f"there is no file {path}") from exc

    def stat(self, path: str) -> Stored:
        """Return size and time. Raises NotFound."""
        place = self._place(checked_path(path))
        try:
            info = self._files.info(place)
        except FileNotFoundError as exc:
            raise NotFound(f"there is no file {path}") from exc
        if info["type"] != "file":
            raise NotFound(f"there is no file {path}")
        return Stored(path, info["size"], _time(info))

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield the files below a folder, by path."""
        found = self._files.find(self._place(checked_prefix(prefix)), detail=True)
        for name, info in sorted(found.items()):
            path = "/" + name.strip("/")
            yield Stored(path.removeprefix(self._prefix), info["size"], _time(info))

    def delete(self, path: str) -> bool:
        """Remove a file; True if there was one."""
        place = self._place(checked_path(path))
        if not self._files.isfile(place):
            return False
        self._files.rm_file(place)
        return True

    def delete_all(self, prefix: str) -> int:
        """Remove the files below a folder."""
        places = self._files.find(self._place(checked_prefix(prefix)))
        for place in places:
            self._files.rm_file(place)
        return len(places)

    def _place(self, path: str) -> str:
        return self._prefix + path


def _time(info: Mapping[str, Any]) -> datetime:
    found = next((info[name] for name in _TIMES if info.get(name) is not None), None)
    if isinstance(found, datetime):
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    if isinstance(found, int | float):
        return datetime.fromtimestamp(found, UTC)
    return datetime.fromtimestamp(0, UTC)
