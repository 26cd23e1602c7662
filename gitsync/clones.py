"""The repositories that a worker keeps for `git.Clone`: never more bytes than are allowed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from gitsync.access import Access
from gitsync.repo import held, lock_of

_UNUSED = timedelta(days=30)


class Busy(Exception):
    """Somebody uses this repository."""


class CloneCache:
    """A folder of mirrors; those that were not used for long go first when there are too many."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def place(self, access: Access, depth: int | None, key: str = "") -> Path:
        """Return where a repository is kept; shallow and whole ones lie apart.

        Who opens it is part of the name, with the private *key*: what one may read, another flow's
        user may not.
        """
        said = "\0".join([access.url, access.username, access.password, key])
        name = hashlib.sha256(said.encode()).hexdigest()[:32]
        return self._folder / f"{name}-{depth or 'all'}.git"

    def trim(self, now: float) -> list[Path]:
        """Remove what was not used for a month, and the longest unused beyond the limit.

        One that is in use stays. *now* is the time in seconds since 1970.
        """
        removed = []
        left = self._max_bytes
        for mirror, used_at in self._newest_first():
            left -= _bytes_of(mirror)
            is_old = now - used_at > _UNUSED.total_seconds()
            if (is_old or left < 0) and _remove(mirror):
                removed.append(mirror)
        return removed

    def _newest_first(self) -> list[tuple[Path, float]]:
        return sorted(self._mirrors(), key=lambda found: found[1], reverse=True)

    def _mirrors(self) -> Iterator[tuple[Path, float]]:
        for lock in self._folder.glob("*.git.lock"):
            try:
                yield lock.with_name(lock.name.removesuffix(".lock")), lock.stat().st_mtime
            except FileNotFoundError:
                continue  # another worker removed it


def _remove(mirror: Path) -> bool:
    lock = lock_of(mirror)
    try:
        with held(lock, _give_up):
            shutil.rmtree(mirror, ignore_errors=True)
            lock.unlink(missing_ok=True)
    except Busy:
        return False
    return True


def _give_up() -> None:
    raise Busy


def _bytes_of(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                continue  # Git packs meanwhile
    return total
