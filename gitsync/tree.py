"""What a commit's tree holds for Headrace: flows below ``_flows/``, files below ``_files/``. Pure.

With a source's *namespace*, ``_flows/a/b.yaml`` has the default namespace ``NAMESPACE.a`` and
``_files/x`` is the file ``x`` of the namespace itself. Without one the folders give the namespace:
``_flows/company/team/b.yaml`` or ``_flows/company.team/b.yaml``, and ``_files/company.team/x``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from runner.model.problems import Problem

FLOWS = "_flows"
FILES = "_files"
LFS_SIGN = b"version https://git-lfs.github.com/spec/"

_YAML = (".yaml", ".yml")
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SYMLINK = "120000"
_SUBMODULE = "commit"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of ``git ls-tree``: *kind* is ``blob`` or ``commit`` (a submodule)."""

    path: str
    mode: str
    kind: str
    blob: str


@dataclass(frozen=True, slots=True)
class FlowFile:
    """A file that should hold a flow. *namespace*: what its folder says, None if nothing."""

    path: str
    blob: str
    namespace: str | None


@dataclass(frozen=True, slots=True)
class NamespaceFile:
    """A namespace file: *path* inside of *namespace*, *origin* in the repository."""

    namespace: str
    path: str
    blob: str
    origin: str


@dataclass(frozen=True)
class Tree:
    """A commit's flows and files by path in the repository, and what of it was refused."""

    flows: Mapping[str, FlowFile]
    files: Mapping[str, NamespaceFile]
    problems: Mapping[str, Problem]

    @cached_property
    def blobs(self) -> frozenset[str]:
        """Every blob that the namespace files have."""
        return frozenset(file.blob for file in self.files.values())


EMPTY = Tree({}, {}, {})


@dataclass(frozen=True)
class Comparison:
    """Two commits' trees. *is_whole*: all of both is here; else only the paths that differ, or that
    are looked at again, and every other path is as it was."""

    old: Tree
    new: Tree
    is_whole: bool = True

    @cached_property
    def touched(self) -> frozenset[str]:
        """Every path that is spoken of."""
        trees = (self.old, self.new)
        return frozenset().union(*(part for t in trees for part in (t.flows, t.files, t.problems)))

    def __bool__(self) -> bool:
        return self.is_whole or bool(self.touched)


def folders(path: str) -> tuple[str, str]:
    """Return the folders of flows and of files of a source whose ``path`` is this."""
    prefix = "" if path.strip("/") in ("", ".") else path.strip("/").removeprefix("./") + "/"
    return f"{prefix}{FLOWS}", f"{prefix}{FILES}"


def read(entries: Iterable[Entry], path: str = ".", namespace: str | None = None) -> Tree:
    """Sort a listing into flows, files and problems. The order of *entries* does not matter."""
    flow_folder, file_folder = folders(path)
    flows: dict[str, FlowFile] = {}
    files: dict[str, NamespaceFile] = {}
    problems: dict[str, Problem] = {}
    seen: dict[str, str] = {}
    for entry in sorted(entries, key=lambda entry: entry.path):
        if not _is_ours(entry, flow_folder, file_folder):
            continue
        if problem := _refusal(entry, seen):
            problems[entry.path] = problem
            continue
        if entry.path in (flow_folder, file_folder):
            problems[entry.path] = Problem("this must be a folder", "structure")
            continue
        if entry.path.startswith(flow_folder + "/"):
            inside = entry.path.removeprefix(flow_folder + "/")
            flows[entry.path] = FlowFile(
                entry.path, entry.blob, _folder_namespace(inside, namespace)
            )
        elif (file := _file(entry, file_folder, namespace)) is not None:
            files[entry.path] = file
        else:
            problems[entry.path] = Problem(
                f"a file below {FILES}/ needs the folder of a namespace: {FILES}/NAMESPACE/…",
                "namespace",
            )
    return Tree(flows, files, problems)


def differing(old: Tree, new: Tree) -> frozenset[str]:
    """Return the paths of flows that must be read: new ones, and those with other content."""
    return frozenset(path for path, file in new.flows.items() if old.flows.get(path) != file)


def is_lfs_pointer(content: bytes) -> bool:
    """Say whether a file's first bytes are those of a Git LFS pointer."""
    return content.startswith(LFS_SIGN)


def lfs_problem(path: str) -> Problem:
    """Return the refusal of a file that lives in Git LFS."""
    return Problem(
        f"{path} is a Git LFS pointer; LFS is not supported, commit the file itself", "lfs"
    )


def _is_ours(entry: Entry, flow_folder: str, file_folder: str) -> bool:
    if entry.path in (flow_folder, file_folder):
        return True  # the folder itself is a link, a submodule or a file
    if entry.path.startswith(file_folder + "/"):
        return True
    if not entry.path.startswith(flow_folder + "/"):
        return False
    return entry.path.lower().endswith(_YAML) or entry.kind == _SUBMODULE


def _refusal(entry: Entry, seen: dict[str, str]) -> Problem | None:
    if entry.kind == _SUBMODULE:
        return Problem("a submodule: not supported, commit the files themselves", "submodule")
    if entry.mode == _SYMLINK:
        return Problem("a symbolic link: not supported, commit the file itself", "symlink")
    if reason := _odd(entry.path):
        return Problem(f"the path {printable(entry.path)!r} {reason}", "path")
    twin = seen.setdefault(entry.path.casefold(), entry.path)
    if twin != entry.path:
        return Problem(
            f"differs from {twin} only in case: on some machines both are one file; rename one",
            "case",
        )
    return None


def _odd(path: str) -> str | None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "is not UTF-8"
    if not path.isprintable():
        return "has control characters"
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/")):
        return "has a part that no file may have"
    return None


def printable(path: str) -> str:
    """Return the path as it can be stored and shown, with undecodable bytes as ``\\xNN``."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _folder_namespace(inside: str, namespace: str | None) -> str | None:
    parts = [part for part in (namespace, *inside.split("/")[:-1]) if part]
    joined = ".".join(parts)
    return joined if _NAMESPACE.fullmatch(joined) else None


def _file(entry: Entry, folder: str, namespace: str | None) -> NamespaceFile | None:
    inside = entry.path.removeprefix(folder + "/")
    if namespace is not None:
        return NamespaceFile(namespace, inside, entry.blob, entry.path)
    owner, _, rest = inside.partition("/")
    if not rest or not _NAMESPACE.fullmatch(owner):
        return None
    return NamespaceFile(owner, rest, entry.blob, entry.path)
