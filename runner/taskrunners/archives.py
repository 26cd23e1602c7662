"""Folders as tar archives, into and out of containers."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

_IN_MEMORY_BYTES = 8 * 1024 * 1024


def open_up(folder: Path) -> None:
    """Let any user of a container work in a folder; its parents keep others of this machine out."""
    for path, folders, _ in os.walk(folder):
        os.chmod(path, 0o777)  # noqa: S103
        folders[:] = [name for name in folders if not os.path.islink(os.path.join(path, name))]


def pack(folder: Path) -> IO[bytes]:
    """Return an archive of a folder, to unpack in its parent: any user may work with it there."""
    target = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115
    with tarfile.open(fileobj=target, mode="w|") as tar:
        tar.add(folder, arcname=folder.name, filter=_for_anyone)
    target.seek(0)
    return target


def empty_folder(path: str) -> IO[bytes]:
    """Return an archive of one folder that any user may write into, to unpack in the root."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w|") as tar:
        folder = tarfile.TarInfo(path.strip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
    target.seek(0)
    return target


def unpack(chunks: Iterable[bytes], into: Path) -> None:
    """Make a folder like the one in the archive: new files, changed ones, and no others.

    Only plain files and folders come out, and links that stay inside.
    """
    seen: set[Path] = set()
    source = _Reader(iter(chunks))
    with tarfile.open(fileobj=source, mode="r|") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            inside = path.parts[1:]  # the first part is the folder itself
            if ".." in inside or not inside:
                continue
            target = into.joinpath(*inside)
            if _is_inside(target.parent, into):
                _extract(tar, member, target, into)
                seen.add(target)
    source.drain()
    _remove_others(into, seen)


def _for_anyone(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode |= 0o777 if member.isdir() else 0o666
    return member


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, root: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        if target.is_symlink() or target.is_file():
            target.unlink()
        target.mkdir(exist_ok=True)
    elif member.isfile() and (source := tar.extractfile(member)) is not None:
        _clear(target)
        with target.open("xb") as file:
            shutil.copyfileobj(source, file, 1024 * 1024)
        target.chmod((member.mode | 0o600) & 0o777)
    elif member.issym() and _is_inside(target.parent / member.linkname, root):
        _clear(target)
        target.symlink_to(member.linkname)


def _clear(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)


def _is_inside(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


def _remove_others(root: Path, seen: set[Path]) -> None:
    for path, _, files in os.walk(root):
        for name in files:
            if (file := Path(path, name)) not in seen:
                file.unlink()


class _Reader(io.RawIOBase):
    """An iterator of chunks as a file for reading."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = chunk
        data, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return data

    def drain(self) -> None:
        """Read to the end, so that the connection can be used again."""
        while self.read():
            pass
