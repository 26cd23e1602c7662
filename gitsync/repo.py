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
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from urllib.parse import urlsplit

from gitsync.addresses import (
    PROTOCOLS,
    checked_sha,
    checked_url,
    is_local,
)
from gitsync.tree import Entry
from runner.clock import EPOCH
from runner.errors import Unavailable
from runner.settings import SourceSettings, resolve

LOCAL_TIMEOUT = timedelta(minutes=2)
_PINS = "refs/headrace/commits/"
_LOOSE_PINS = 200  # more than this: pack refs and loose objects
_CHUNK = 1 << 16
_PERSON = re.compile(r"(.*?)\s*<([^>]*)> (\d+)")
_KEPT = frozenset({"PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "TZ", "SSH_AUTH_SOCK"}) | {
    *("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
}
# Git asks this for a user name and password; `credential.URL.helper` ties it to one host.
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$HEADRACE_GIT_USERNAME" "$HEADRACE_GIT_PASSWORD"; }; f'
)
_HINTS = (
    ("terminal prompts disabled", "the repository wants a password: give `credentials`"),
    ("Authentication failed", "check the user name and password in `credentials`"),
    ("returned error: 403", "the credentials may not read this repository"),
    ("Host key verification failed", "add the host's key to `credentials.known_hosts`"),
    ("Permission denied (publickey", "check `credentials.ssh_key`"),
    ("certificate", "give the certificate authority's file as `credentials.ca`"),
    ("Could not resolve host", "check the host name in the URL"),
    ("Connection refused", "check that the Git server runs and the port is right"),
    ("Failed to connect", "check the host, the port and the proxy"),
    ("dubious ownership", "the folder belongs to another user: change its owner"),
    ("transport 'file' not allowed", "say `allow_local: true` to read a path on this machine"),
    ("not found", "check the URL, and that the credentials may see the repository"),
    ("does not appear to be a git repository", "check the URL or path"),
    ("not our ref", "the commit is gone from the server: the branch was moved meanwhile"),
    ("No space left", "free disk space below the home folder"),
)


class GitFailed(Unavailable):
    """Git could not do it."""

    code = "git_failed"


class GitTimeout(GitFailed):
    """Git took too long."""

    code = "git_timeout"


@dataclass(frozen=True, slots=True)
class Access:
    """How a remote repository is opened. *password* is the secret itself: never shown."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    ca: Path | None = None
    allow_local: bool = False
    timeout: timedelta = timedelta(seconds=60)
    connect_timeout: timedelta = timedelta(seconds=15)
    check_host_key: bool = True

    @classmethod
    def of(cls, source: SourceSettings) -> Access:
        """Return the access that a source's settings describe.

        Raises:
            AddressInvalid: the URL may not be used. SettingsInvalid: a secret is not set.
        """
        credentials = source.credentials
        url = checked_url(source.url, allow_local=source.allow_local)
        if credentials is None:
            return cls(url, allow_local=source.allow_local, timeout=source.timeout)
        password = resolve(credentials.password) if credentials.password else ""
        return cls(
            url=url,
            username=credentials.username,
            password=password,
            ssh_key=credentials.ssh_key,
            known_hosts=credentials.known_hosts,
            ca=credentials.ca,
            allow_local=source.allow_local,
            timeout=source.timeout,
        )

    def environment(self) -> dict[str, str]:
        """Return the variables of a Git process that talks to this remote."""
        local = self.allow_local and is_local(self.url)
        variables = {"GIT_ALLOW_PROTOCOL": "file" if local else ":".join(PROTOCOLS)}
        variables |= _configuration(self._configuration())
        if self.password:
            variables["HEADRACE_GIT_USERNAME"] = self.username or "git"
            variables["HEADRACE_GIT_PASSWORD"] = self.password
        variables["GIT_SSH_COMMAND"] = shlex.join(self._ssh())
        return variables

    def _configuration(self) -> dict[str, str]:
        seconds = max(1, int(self.timeout.total_seconds()))
        values = {"http.lowSpeedLimit": "1", "http.lowSpeedTime": str(seconds)}
        if self.ca:
            values["http.sslCAInfo"] = str(self.ca.absolute())
        if self.password and self.url.startswith(("http://", "https://")):
            parts = urlsplit(self.url)
            host = parts.netloc.rpartition("@")[2]
            values[f"credential.{parts.scheme}://{host}.helper"] = _HELPER
        return values

    def _ssh(self) -> list[str]:
        seconds = max(1, int(self.connect_timeout.total_seconds()))
        options = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={seconds}"]
        options += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"]
        options += ["-o", f"StrictHostKeyChecking={'yes' if self.check_host_key else 'no'}"]
        if self.known_hosts:
            options += ["-o", f"UserKnownHostsFile={self.known_hosts.absolute()}"]
        elif not self.check_host_key:
            options += ["-o", f"UserKnownHostsFile={os.devnull}"]
        if self.ssh_key:
            options += ["-o", "IdentitiesOnly=yes", "-i", str(self.ssh_key.absolute())]
        return options


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
class Blob:
    """One file's content: read *stream* before the next blob is taken."""

    id: str
    size: int
    stream: BinaryIO


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
        ours = _base_environment() | (access.environment() if access else {})
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


def _base_environment() -> dict[str, str]:
    return {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C.UTF-8",
        **_configuration({}),
    }


def _configuration(more: Mapping[str, str]) -> dict[str, str]:
    values = {
        "core.hooksPath": os.devnull,
        "core.fsmonitor": "false",
        "core.attributesFile": os.devnull,
        "gc.auto": "0",
        "maintenance.auto": "false",
        "credential.helper": "",
        "advice.detachedHead": "false",
        "http.followRedirects": "initial",
        "submodule.recurse": "false",
        "fetch.writeCommitGraph": "false",
        "fetch.recurseSubmodules": "false",
        **more,
    }
    variables = {"GIT_CONFIG_COUNT": str(len(values))}
    for number, (key, value) in enumerate(values.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _took_too_long(arguments: Sequence[str], timeout: timedelta, access: Access | None) -> str:
    where = f" {access.url}" if access else ""
    return (
        f"git {arguments[0]}{where} did not end within {timeout.total_seconds():g} s\n"
        "Try: check that the server answers, or raise the source's `timeout`"
    )


def explained(stderr: str, access: Access | None = None) -> str:
    """Return Git's own words, without any secret, and one line of what to try."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", stderr) if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ssh:"))]
    words = "\n".join((telling or lines)[:6]) or "git failed without a word"
    if access and access.password:
        words = words.replace(access.password, "******")
    for sign, advice in _HINTS:
        if sign.lower() in stderr.lower():
            return f"{words}\nTry: {advice}"
    where = access.url if access else "the repository"
    return f"{words}\nTry: git ls-remote {where}, by hand on this machine"


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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(self.path.name + ".lock").open("w") as handle:
            _lock(handle, pause)
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
        """Return everything below *folders* at a commit, as one listing."""
        arguments = ["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", checked_sha(sha)]
        return parse_entries(self._local([*arguments, "--", *folders]))

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
            content = _object(out, "commit")
            return parse_commit(sha, content), _tree_id(out)

    def blobs(self, ids: Iterable[str]) -> Iterator[Blob]:
        """Yield the content of each blob, in order, from one process."""
        with self._objects(map(checked_sha, ids)) as out:
            yield from _batch(out)

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
            return parse_commit(sha, _object(out, "commit"))

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


class Checkout:
    """A work tree made from a mirror: what `git.Clone` puts into a working folder."""

    def __init__(self, mirror: Mirror, runner: GitRunner) -> None:
        self._mirror = mirror
        self._runner = runner

    def write(self, folder: Path, sha: str, *, depth: int | None, branch: str | None) -> None:
        """Make *folder* a repository with *sha* checked out; its ``origin`` has no secret."""
        folder.mkdir(parents=True, exist_ok=True)
        inner = Access(str(self._mirror.path.absolute()), allow_local=True)
        head = ["--initial-branch", branch or "main"]
        self._run(folder, ["init", "--quiet", "--template=", *head])
        options = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]
        options += [f"--depth={depth}"] if depth else []
        target = f"+{_PINS}{checked_sha(sha)}:refs/remotes/origin/{branch or 'headrace'}"
        self._run(folder, [*options, "--end-of-options", inner.url, target], inner)
        self._run(folder, ["config", "remote.origin.url", self._mirror.access.url])
        place = ["-B", branch] if branch else ["--detach"]
        self._run(folder, ["checkout", "--quiet", "--force", *place, sha])

    def _run(self, folder: Path, arguments: Sequence[str], access: Access | None = None) -> None:
        self._runner.run(arguments, cwd=folder, access=access, timeout=LOCAL_TIMEOUT * 5)


def _lock(handle: IO[str], pause: Callable[[], None] | None) -> None:
    while pause is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause()
        else:
            return
    fcntl.flock(handle, fcntl.LOCK_EX)


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


def _object(out: BinaryIO, kind: str) -> bytes:
    words = out.readline().decode("utf-8", "replace").split()
    if len(words) != 3 or words[1] != kind:
        raise GitFailed(f"the mirror lacks an object: {' '.join(words)}")
    content = out.read(int(words[2]))
    out.read(1)
    return content


def _tree_id(out: BinaryIO) -> str | None:
    words = out.readline().decode("utf-8", "replace").split()
    return words[0] if len(words) == 3 and words[1] == "tree" else None


def _batch(out: BinaryIO) -> Iterator[Blob]:
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
