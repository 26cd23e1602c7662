"""What Git prints, as values: refs, trees, differences, commits, blobs.

Source: `git help ls-tree`, `git help diff-tree` (raw output), `git help cat-file` (batch output).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, cast

from gitsync.access import GitFailed
from gitsync.tree import Entry
from runner.clock import EPOCH

_CHUNK = 1 << 16
_PERSON = re.compile(r"(.*?)\s*<([^>]*)> (\d+)")


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit says of itself."""

    sha: str
    author: str
    email: str
    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that differs; *status* is Git's letter: A, M, D or T (another type)."""

    path: str
    status: str
    old: Entry | None
    new: Entry | None


@dataclass(frozen=True, slots=True)
class Submodule:
    """A repository inside of another: at *path*, its *commit* of *url*, which may be relative."""

    name: str
    path: str
    url: str
    commit: str


@dataclass(frozen=True, slots=True)
class Blob:
    """One file's content: read *stream* before the next blob is taken."""

    id: str
    size: int
    stream: BinaryIO


def parse_submodules(links: Iterable[Entry], settings: bytes) -> list[Submodule]:
    """Join the links in a tree with ``git config -z --list`` of its ``.gitmodules``.

    Raises:
        GitFailed: a link has no URL there.
    """
    found: dict[str, dict[str, str]] = {}
    for line in settings.decode("utf-8", "replace").split("\0"):
        key, _, value = line.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "submodule" and name:
            found.setdefault(name, {})[variable] = value
    named = {values.get("path", name).strip("/"): (name, values) for name, values in found.items()}
    return [_submodule(link, *named.get(link.path, ("", {}))) for link in links]


def _submodule(link: Entry, name: str, values: Mapping[str, str]) -> Submodule:
    if not (url := values.get("url")):
        raise GitFailed(f"the submodule {link.path} has no url in .gitmodules")
    return Submodule(name, link.path, url, link.blob)


def parse_refs(listing: bytes) -> dict[str, str]:
    """Read ``ls-remote``: ref → commit; an annotated tag gives the commit it names."""
    refs: dict[str, str] = {}
    for line in listing.decode("utf-8", "surrogateescape").splitlines():
        sha, _, ref = line.partition("\t")
        if ref.isprintable() and re.fullmatch(r"[0-9a-f]{40,64}", sha):
            refs[ref.removesuffix("^{}")] = sha  # the peeled line follows the tag's own
    return refs


def parse_entries(listing: bytes) -> list[Entry]:
    """Read ``ls-tree -z``."""
    entries = []
    for record in listing.decode("utf-8", "surrogateescape").split("\0"):
        if record:
            about, _, path = record.partition("\t")
            mode, kind, blob = about.split(" ", 2)
            entries.append(Entry(path, mode, kind, blob.strip()))
    return entries


def parse_differences(listing: bytes) -> list[Difference]:
    """Read ``diff-tree -z --raw``."""
    parts = listing.decode("utf-8", "surrogateescape").split("\0")
    return [
        _difference(about, path)
        for about, path in zip(parts[::2], parts[1::2], strict=False)
        if about
    ]


def _difference(about: str, path: str) -> Difference:
    old_mode, mode, old_blob, blob, status = about.removeprefix(":").split(" ")
    return Difference(
        path,
        status,
        None if status == "A" else Entry(path, old_mode, _kind(old_mode), old_blob),
        None if status == "D" else Entry(path, mode, _kind(mode), blob),
    )


def _kind(mode: str) -> str:
    return "commit" if mode == "160000" else "blob"


def parse_commit(sha: str, content: bytes) -> Commit:
    """Read a commit object: its headers, an empty line, the message."""
    head, _, message = content.partition(b"\n\n")
    headers = dict(line.split(b" ", 1) for line in head.split(b"\n") if b" " in line)
    encoding = headers.get(b"encoding", b"utf-8").decode("ascii", "replace")
    author = _PERSON.match(_decoded(headers.get(b"author", b""), encoding))
    committer = _PERSON.match(_decoded(headers.get(b"committer", b""), encoding))
    name, email = (author[1].strip(), author[2]) if author else ("", "")
    at = datetime.fromtimestamp(int(committer[3]), UTC) if committer else EPOCH
    return Commit(sha, name, email, at, _decoded(message, encoding).strip())


def _decoded(text: bytes, encoding: str) -> str:
    try:
        return text.decode(encoding, "replace")
    except LookupError:
        return text.decode("utf-8", "replace")


def object_of(out: BinaryIO, kind: str) -> bytes:
    words = out.readline().decode("utf-8", "replace").split()
    if len(words) != 3 or words[1] != kind:
        raise GitFailed(f"the mirror lacks an object: {' '.join(words)}")
    content = out.read(int(words[2]))
    out.read(1)
    return content


def tree_id_of(out: BinaryIO) -> str | None:
    words = out.readline().decode("utf-8", "replace").split()
    return words[0] if len(words) == 3 and words[1] == "tree" else None


def blobs_of(out: BinaryIO) -> Iterator[Blob]:
    while header := out.readline():
        words = header.decode().split()
        if len(words) != 3 or words[1] != "blob":
            raise GitFailed(f"the mirror lacks an object: {header.decode().strip()}")
        blob = _Limited(out, int(words[2]))
        yield Blob(words[0], int(words[2]), cast(BinaryIO, blob))
        blob.skip()
        out.read(1)


class _Limited:
    """The next *size* bytes of a stream, as a stream."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source = source
        self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._source.read(wanted) if wanted else b""
        if len(data) < wanted:
            raise GitFailed("git ended in the middle of a file")
        self._left -= len(data)
        return data

    def skip(self) -> None:
        while self._left:
            self.read(_CHUNK)
