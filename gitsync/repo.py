"""Git repositories, through the ``git`` program. The only module that imports GitPython.

GitPython is used as a runner of argument lists that are built here: never its keyword options, its
configuration writer or its object model. Every value from outside is checked (`gitsync.addresses`),
stands after ``--end-of-options``, and secrets travel in the environment of the one process that
needs them: they are in no argument, no file and no configuration.

A `Mirror` is a bare repository. Each commit that Headrace has seen is held by a ref of its own,
``refs/headrace/commits/SHA``, so that a force-push takes nothing away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from gitsync.access import Access, GitFailed, GitTimeout, base_environment, explained
from gitsync.addresses import checked_sha, tag_ref
from gitsync.objects import (
    Blob,
    Commit,
    Difference,
    Submodule,
    blobs_of,
    object_of,
    parse_commit,
    parse_differences,
    parse_entries,
    parse_refs,
    parse_submodules,
    tree_id_of,
)
from gitsync.tree import Entry

LOCAL_TIMEOUT = timedelta(minutes=2)
_PINS = "refs/headrace/commits/"
_LOOSE_PINS = 200  # more than this: pack refs and loose objects
_KEPT = frozenset({"PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "TZ", "SSH_AUTH_SOCK"}) | {
    *("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
}


class GitRunner:
    """Runs ``git``: checked arguments, a clean environment, a time limit. For many threads."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._lock = threading.Lock()
        self._closed = False

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        timeout: timedelta = LOCAL_TIMEOUT,
        access: Access | None = None,
        ok: frozenset[int] = frozenset({0}),
    ) -> tuple[int, bytes]:
        """Run ``git ARGUMENTS`` in *cwd* and return its exit code and output.

        Raises:
            GitFailed: with Git's own words and one line of what to try. GitTimeout.
        """
        with self._started(arguments, cwd, access, None) as process:
            try:
                out, err = process.communicate(timeout=timeout.total_seconds())
            except subprocess.TimeoutExpired:
                _kill_group(process.pid)
                process.communicate()
                raise GitTimeout(_took_too_long(arguments, timeout, access)) from None
        if self._closed:
            raise GitFailed("Git was stopped")
        if process.returncode not in ok:
            raise GitFailed(explained(err.decode("utf-8", "replace"), access))
        return process.returncode, out

    @contextlib.contextmanager
    def stream(
        self, arguments: Sequence[str], *, cwd: Path, stdin: IO[bytes], timeout: timedelta
    ) -> Iterator[BinaryIO]:
        """Run ``git ARGUMENTS`` and give its output as a stream; leaving the block ends it."""
        with self._started(arguments, cwd, None, stdin) as process:
            watchdog = threading.Timer(timeout.total_seconds(), _kill_group, (process.pid,))
            watchdog.daemon = True
            watchdog.start()
            try:
                yield cast(BinaryIO, process.stdout)
            finally:
                watchdog.cancel()

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """End every running Git process, with its children; nothing can be started afterwards."""
        with self._lock:
            self._closed = True
            groups = tuple(self._groups)
        for group in groups:
            _kill_group(group)

    @contextlib.contextmanager
    def _started(
        self, arguments: Sequence[str], cwd: Path, access: Access | None, stdin: IO[bytes] | None
    ) -> Iterator[subprocess.Popen[bytes]]:
        process = self._start(arguments, cwd, access, stdin)
        try:
            yield process
        finally:
            if process.poll() is None:
                _kill_group(process.pid)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
            process.wait()
            with self._lock:
                self._groups.discard(process.pid)

    def _start(
        self, arguments: Sequence[str], cwd: Path, access: Access | None, stdin: IO[bytes] | None
    ) -> subprocess.Popen[bytes]:
        ours = base_environment() | (access.environment() if access else {})
        with self._lock:
            if self._closed:
                raise GitFailed("Git was stopped")
            process = _spawn(cwd, [*_unset(ours), "git", *arguments], stdin, ours)
            self._groups.add(process.pid)
        return process


def _spawn(
    cwd: Path, command: list[str], stdin: IO[bytes] | None, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    try:
        from git.cmd import Git
    except ImportError as exc:  # it looks for the program when imported
        raise GitFailed("git is not installed; install it with your system's packages") from exc
    started: Any = Git(str(cwd)).execute(
        command,
        istream=cast(BinaryIO, stdin),
        as_process=True,
        env=environment,
        start_new_session=True,
    )
    process: subprocess.Popen[bytes] = started.proc
    started.proc = None  # the process is ours to end
    return process


def _unset(ours: Mapping[str, str]) -> list[str]:
    """Return the command that hides this process's own variables (secrets, GIT_…) from Git."""
    names = sorted(name for name in os.environ if name not in _KEPT and name not in ours)
    return ["env", *(part for name in names for part in ("-u", name))]


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _took_too_long(arguments: Sequence[str], timeout: timedelta, access: Access | None) -> str:
    where = f" {access.url}" if access else ""
    return (
        f"git {arguments[0]}{where} did not end within {timeout.total_seconds():g} s\n"
        "Try: check that the server answers, or raise the source's `timeout`"
    )


class Mirror:
    """A bare repository below the home folder. One process uses it at a time (see `locked`)."""

    def __init__(self, path: Path, access: Access, runner: GitRunner) -> None:
        self.path = path
        self.access = access
        self._runner = runner

    @contextlib.contextmanager
    def locked(self, pause: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the mirror alone, among threads and processes of this machine.

        While another has it, *pause* is called again and again; it may raise to give up.
        """
        with held(lock_of(self.path), pause):
            self._prepare()
            yield

    def refs(self) -> dict[str, str]:
        """Return the remote's branches and tags with their commits (tags are peeled)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        arguments = ["ls-remote", "--quiet", "--heads", "--tags", "--end-of-options"]
        _, out = self._runner.run(
            [*arguments, self.access.url],
            cwd=self.path.parent,
            timeout=min(self.access.timeout, timedelta(seconds=30)),
            access=self.access,
        )
        return parse_refs(out)

    def default_branch(self) -> str:
        """Return the branch that the remote's HEAD names.

        Raises:
            GitFailed: it names none, as in an empty repository.
        """
        _, out = self._runner.run(
            ["ls-remote", "--symref", "--end-of-options", self.access.url, "HEAD"],
            cwd=self.path.parent,
            timeout=min(self.access.timeout, timedelta(seconds=30)),
            access=self.access,
        )
        found = re.search(rb"^ref: refs/heads/(\S+)\tHEAD$", out, re.MULTILINE)
        if found is None:
            raise GitFailed("the repository has no default branch: it is empty")
        return found[1].decode("utf-8", "replace")

    def find(self, prefix: str) -> str | None:
        """Return the full id of the commit that begins with *prefix*, if exactly one here does."""
        if not re.fullmatch(r"[0-9a-f]{4,64}", prefix):
            return None
        arguments = ["rev-parse", "--quiet", "--verify", "--end-of-options", f"{prefix}^{{commit}}"]
        code, out = self._runner.run(arguments, cwd=self.path, ok=frozenset({0, 1, 128}))
        return out.decode().split()[-1] if code == 0 else None

    def fetch(
        self,
        commits: Iterable[str],
        *,
        timeout: timedelta | None = None,
        depth: int | None = None,
    ) -> None:
        """Bring commits here by their full ids and pin each; those that are here cost nothing."""
        missing = [sha for sha in map(checked_sha, commits) if not self._is_pinned(sha)]
        if not missing:
            return
        options = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"]
        options += [f"--depth={depth:d}"] if depth else []
        specs = [f"+{sha}:{_PINS}{sha}" for sha in missing]
        self._runner.run(
            [*options, "--end-of-options", self.access.url, *specs],
            cwd=self.path,
            timeout=timeout or self.access.timeout,
            access=self.access,
        )
        self._tidy()

    def entries(self, sha: str, folders: Sequence[str]) -> list[Entry]:
        """Return everything below *folders* at a commit, as one listing; without any, all of it."""
        arguments = ["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", checked_sha(sha)]
        return parse_entries(self._local([*arguments, *folders]))

    def difference(self, before: str, after: str, folders: Sequence[str]) -> list[Difference]:
        """Return what differs below *folders* between two commits; a renamed file is two."""
        arguments = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames"]
        out = self._local(
            [
                *arguments,
                "--end-of-options",
                checked_sha(before),
                checked_sha(after),
                "--",
                *folders,
            ]
        )
        return parse_differences(out)

    def commit_and_folder(self, sha: str, folder: str) -> tuple[Commit, str | None]:
        """Return a commit, and Git's id of a folder's whole content at it, if there is one."""
        wanted = (checked_sha(sha), f"{sha}:{folder}")
        with self._objects(wanted) as out:
            content = object_of(out, "commit")
            return parse_commit(sha, content), tree_id_of(out)

    def blobs(self, ids: Iterable[str]) -> Iterator[Blob]:
        """Yield the content of each blob, in order, from one process."""
        with self._objects(map(checked_sha, ids)) as out:
            yield from blobs_of(out)

    @contextlib.contextmanager
    def _objects(self, names: Iterable[str]) -> Iterator[BinaryIO]:
        with tempfile.TemporaryFile() as wanted:
            wanted.writelines(f"{name}\n".encode() for name in names)
            wanted.seek(0)
            with self._runner.stream(
                ["cat-file", "--batch", "--buffer"],
                cwd=self.path,
                stdin=wanted,
                timeout=LOCAL_TIMEOUT * 5,
            ) as out:
                yield out

    def commit(self, sha: str) -> Commit:
        """Return who made a commit, when, and what it says."""
        with self._objects([checked_sha(sha)]) as out:
            return parse_commit(sha, object_of(out, "commit"))

    def changed(self, before: str, after: str) -> tuple[str, ...]:
        """Return the paths that differ between two commits; of a renamed file both."""
        arguments = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--end-of-options"]
        out = self._local([*arguments, checked_sha(before), checked_sha(after), "--"])
        return tuple(part.decode("utf-8", "replace") for part in out.split(b"\0") if part)

    def paths(self, sha: str) -> tuple[str, ...]:
        """Return every path of a commit."""
        out = self._local(
            [
                "ls-tree",
                "-r",
                "-z",
                "--name-only",
                "--full-tree",
                "--end-of-options",
                checked_sha(sha),
            ]
        )
        return tuple(part.decode("utf-8", "replace") for part in out.split(b"\0") if part)

    def submodules(self, sha: str) -> list[Submodule]:
        """Return the submodules of a commit.

        Raises:
            GitFailed: one has no URL in ``.gitmodules``.
        """
        links = [entry for entry in self.entries(sha, ()) if entry.kind == "commit"]
        if not links:
            return []
        listed = ["config", "-z", f"--blob={checked_sha(sha)}:.gitmodules", "--list"]
        code, out = self._runner.run(listed, cwd=self.path, ok=frozenset({0, 1, 128}))
        return parse_submodules(links, out if code == 0 else b"")

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor of two commits, or None where there is none."""
        arguments = ["merge-base", "--end-of-options", checked_sha(one), checked_sha(other)]
        code, out = self._runner.run(arguments, cwd=self.path, ok=frozenset({0, 1}))
        return out.decode().strip() if code == 0 else None

    def has(self, sha: str) -> bool:
        """Say whether a commit is here."""
        return self._is_pinned(checked_sha(sha))

    def _is_pinned(self, sha: str) -> bool:
        if (self.path / _PINS / sha).exists():
            return True
        packed = self.path / "packed-refs"
        return packed.exists() and f"{_PINS}{sha}\n".encode() in packed.read_bytes()

    def _local(self, arguments: Sequence[str]) -> bytes:
        return self._runner.run(arguments, cwd=self.path)[1]

    def _prepare(self) -> None:
        if (self.path / "HEAD").exists() and (self.path / "objects").is_dir():
            self._unlock()
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._local(["init", "--quiet", "--bare", "--template=", "--end-of-options", "."])

    def _unlock(self) -> None:
        """Remove locks that a killed process left; the caller holds the mirror alone."""
        for name in ("packed-refs.lock", "config.lock", "shallow.lock", "HEAD.lock"):
            (self.path / name).unlink(missing_ok=True)
        for lock in (self.path / "refs").rglob("*.lock"):
            lock.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Pack what many fetches leave as single files; nothing is ever thrown away."""
        loose = sum(1 for _ in (self.path / _PINS).glob("*"))
        if loose > _LOOSE_PINS:
            self._local(["pack-refs", "--all"])
            self._local(["repack", "-d", "--quiet"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a work tree is to hold. *depth* None: all history. *tags* and *branches*: name → commit,
    of those that the mirror has.
    """

    commit: str
    depth: int | None = None
    branch: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    branches: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def specs(self) -> list[str]:
        heads = {**self.branches, self.branch or "headrace": self.commit}
        return [
            f"+{_PINS}{checked_sha(sha)}:refs/remotes/origin/{name}" for name, sha in heads.items()
        ]


class Checkout:
    """A work tree made from a mirror: what `git.Clone` puts into a working folder."""

    def __init__(self, mirror: Mirror, runner: GitRunner) -> None:
        self._mirror = mirror
        self._runner = runner

    def write(self, folder: Path, wanted: Wanted) -> None:
        """Make *folder* a repository with the commit checked out; its ``origin`` has no secret.

        A repository that is there makes way: its settings must not choose what Git does here.
        """
        folder.mkdir(parents=True, exist_ok=True)
        _remove(folder / ".git")
        inner = Access(str(self._mirror.path.absolute()), allow_local=True)
        head = ["--initial-branch", wanted.branch or "main"]
        self._run(folder, ["init", "--quiet", "--template=", *head])
        options = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]
        options += [f"--depth={wanted.depth}"] if wanted.depth else []
        self._run(folder, [*options, "--end-of-options", inner.url, *wanted.specs], inner)
        self._add_tags(folder, wanted.tags)
        self._run(folder, ["config", "remote.origin.url", self._mirror.access.url])
        place = ["-B", wanted.branch] if wanted.branch else ["--detach"]
        self._run(folder, ["checkout", "--quiet", "--force", *place, wanted.commit])
        for key, value in wanted.config.items():
            self._run(folder, ["config", "--local", "--end-of-options", key, value])

    def _add_tags(self, folder: Path, tags: Mapping[str, str]) -> None:
        for name, sha in tags.items():
            is_here = ["cat-file", "-e", f"{checked_sha(sha)}^{{commit}}"]
            code, _ = self._runner.run(is_here, cwd=folder, ok=frozenset({0, 1, 128}))
            if code == 0:
                self._run(folder, ["update-ref", "--end-of-options", tag_ref(name), sha])

    def _run(self, folder: Path, arguments: Sequence[str], access: Access | None = None) -> None:
        self._runner.run(arguments, cwd=folder, access=access, timeout=LOCAL_TIMEOUT * 5)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def lock_of(mirror: Path) -> Path:
    """Return the file whose lock holds a mirror; its time is when the mirror was last used."""
    return mirror.with_name(mirror.name + ".lock")


@contextlib.contextmanager
def held(lock: Path, pause: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock file that others may remove while they hold it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with lock.open("w") as handle:
            _lock(handle, pause)
            if _is_at(handle, lock):
                os.utime(lock)
                yield
                return


def _is_at(handle: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(handle: IO[str], pause: Callable[[], None] | None) -> None:
    while pause is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause()
        else:
            return
    fcntl.flock(handle, fcntl.LOCK_EX)
