"""Clones in working folders, from mirrors in the worker's cache; submodules by the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath

from gitsync.access import Access, GitFailed
from gitsync.addresses import checked_url, resolved, server_of
from gitsync.clones import CloneCache
from gitsync.repo import Checkout, GitRunner, Mirror, Wanted
from runner.plugin import RunContext, TaskError

LONGEST = timedelta(hours=1)
"""Git ends by itself without progress; the task's own timeout is kept by whoever runs it."""

_MOST_SUBMODULES, _DEEPEST_SUBMODULE = 200, 8


class Cloning:
    """One task's way of cloning: its cache, its key, and how it is stopped."""

    def __init__(self, ctx: RunContext, runner: GitRunner, cache: CloneCache, key: str) -> None:
        self._ctx = ctx
        self._runner = runner
        self._cache = cache
        self._key = key
        self._left = _MOST_SUBMODULES

    def clone(
        self, access: Access, folder: Path, depth: int | None, find: Callable[[Mirror], Wanted]
    ) -> str:
        """Make *folder* a clone of what *find* wants; return its commit."""
        mirror = self._mirror(access, depth)
        with mirror.locked(lambda: self._ctx.sleep(timedelta(milliseconds=100))):
            wanted = find(mirror)
            mirror.fetch([wanted.commit, *wanted.branches.values()], depth=depth, timeout=LONGEST)
            Checkout(mirror, self._runner).write(folder, wanted)
        return wanted.commit

    def add_submodules(
        self, access: Access, folder: Path, commit: str, depth: int | None, nesting: int = 0
    ) -> None:
        """Clone the submodules of a commit into its folder, and theirs.

        Raises:
            GitFailed: there are too many, or one cannot be had.
        """
        mirror = self._mirror(access, depth)
        with mirror.locked(lambda: self._ctx.sleep(timedelta(milliseconds=100))):
            found = mirror.submodules(commit)
        self._left -= len(found)
        if self._left < 0 or (found and nesting >= _DEEPEST_SUBMODULE):
            raise GitFailed(
                f"more than {_MOST_SUBMODULES} submodules, or more than {_DEEPEST_SUBMODULE} deep"
            )
        for each in found:
            inner = access_of(each.url, access)
            place = inside(folder, each.path)
            self.clone(inner, place, depth, partial(_just, Wanted(each.commit, depth)))
            self.add_submodules(inner, place, each.commit, depth, nesting + 1)

    def _mirror(self, access: Access, depth: int | None) -> Mirror:
        key = (self._key or str(access.ssh_key)) if access.ssh_key else ""
        return Mirror(self._cache.place(access, depth, key), access, self._runner)


def _just(wanted: Wanted, mirror: Mirror) -> Wanted:
    return wanted


def access_of(url: str, parent: Access) -> Access:
    """Return how a submodule is opened: as its repository where it lies on the same server.

    Raises:
        AddressInvalid: the URL may not be used.
    """
    whole = resolved(url, parent.url)
    is_beside = whole != url
    checked_url(whole, allow_local=parent.allow_local and is_beside)
    if server_of(whole) == server_of(parent.url):
        return replace(parent, url=whole)
    return replace(
        parent, url=whole, username="", password="", passphrase="", ssh_key=None, allow_local=False
    )


def inside(working_dir: Path, directory: str | None) -> Path:
    """Return a folder below the working directory. Raises TaskError for one outside."""
    if not directory:
        return working_dir
    path = PurePosixPath(directory)
    if path.is_absolute() and Path(directory).is_relative_to(working_dir):
        path = PurePosixPath(Path(directory).relative_to(working_dir).as_posix())
    folder = (working_dir / path).resolve()
    if path.is_absolute() or not folder.is_relative_to(working_dir.resolve()):
        raise TaskError(f"`directory` must be below the working directory, not {directory}")
    return folder
