"""Storage in a local folder."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from runner import ids
from runner.errors import InputInvalid, NotFound, Refused, Unavailable
from runner.storage.base import Stored, checked_path, checked_prefix

_PARTS = ".parts"  # files being written: renamed into their place when complete
_TRIES = 5


class FolderStorage:
    """Files below a folder. A link inside it that leads out of it is not followed."""

    is_shared = False

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))

    def put(self, path: str, source: BinaryIO) -> Stored:
        """Write beside, then rename: nobody sees half a file."""
        target = self._place(path)
        part = self._root / _PARTS / ids.new()
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                shutil.copyfileobj(source, file, 1024 * 1024)
            _move(part, target)
        except OSError as exc:
            raise Unavailable(f"cannot store {path}: {exc.strerror}") from exc
        finally:
            part.unlink(missing_ok=True)
        return self.stat(path)

    def open(self, path: str) -> BinaryIO:
        """Open for reading. Raises NotFound."""
        try:
            descriptor = os.open(self._place(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as exc:
            raise NotFound(f"there is no file {path}") from exc
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotFound(f"there is no file {path}")
        return os.fdopen(descriptor, "rb")

    def stat(self, path: str) -> Stored:
        """Return size and time. Raises NotFound."""
        try:
            found = os.lstat(self._place(path))
        except OSError as exc:
            raise NotFound(f"there is no file {path}") from exc
        if not stat.S_ISREG(found.st_mode):
            raise NotFound(f"there is no file {path}")
        return _stored(path, found)

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield the files below a folder, by path."""
        folder = self._place(checked_prefix(prefix), is_folder=True)
        for path in sorted(_files(folder)):
            name = f"/{path.relative_to(self._root).as_posix()}"
            if not name.startswith(f"/{_PARTS}/"):
                try:
                    yield _stored(name, path.lstat())
                except FileNotFoundError:  # removed meanwhile
                    continue

    def delete(self, path: str) -> bool:
        """Remove a file, and folders that are empty then."""
        target = self._place(path)
        try:
            target.unlink()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False
        self._prune(target.parent)
        return True

    def delete_all(self, prefix: str) -> int:
        """Remove the files below a folder, and the folders."""
        folder = self._place(checked_prefix(prefix), is_folder=True)
        count = 0
        for parent, folders, files in os.walk(folder, topdown=False):
            for name in files:
                (Path(parent) / name).unlink(missing_ok=True)
                count += 1
            for name in folders:
                _remove_empty(Path(parent) / name)
        self._prune(folder)
        return count

    def _place(self, path: str, *, is_folder: bool = False) -> Path:
        """Return where a path lies. Raises InputInvalid if a link leads it out of the folder."""
        place = self._root / (path if is_folder else checked_path(path)).strip("/")
        if path.startswith(f"/{_PARTS}/"):
            raise InputInvalid(f"the path {path!r} is not for files")
        parent = Path(os.path.realpath(place.parent if place != self._root else place))
        if parent != self._root and self._root not in parent.parents:
            raise InputInvalid(f"the path {path!r} leads out of the storage")
        return place

    def _prune(self, folder: Path) -> None:
        while folder != self._root and _remove_empty(folder):
            folder = folder.parent


def _move(part: Path, target: Path) -> None:
    """Rename into place; its folder may be pruned as empty in the same moment."""
    for left in reversed(range(_TRIES)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
            return
        except FileNotFoundError:
            if not left:
                raise
        except (NotADirectoryError, FileExistsError, IsADirectoryError) as exc:
            raise Refused(f"a file and a folder cannot both be {target.name}") from exc


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, files in os.walk(folder):
        for name in files:
            path = Path(parent) / name
            if not path.is_symlink():
                yield path


def _remove_empty(folder: Path) -> bool:
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            folder.rmdir()
    except OSError:
        return False
    return True


def _stored(path: str, found: os.stat_result) -> Stored:
    return Stored(path, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
