"""Git tasks."""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from gitsync.access import Access, GitFailed
from gitsync.addresses import (
    AddressInvalid,
    branch_ref,
    checked_url,
    is_local,
    same_repository,
    tag_ref,
)
from gitsync.repo import Checkout, GitRunner, Mirror
from gitsync.triggers import family
from runner.model.logs import Level
from runner.plugin import RunContext, Task, TaskError
from runner.settings import SourceSettings

_SHA = re.compile(r"[0-9a-f]{4,64}")
_FULL = (40, 64)
_LONGEST = timedelta(hours=1)
"""Git ends by itself without progress; the task's own timeout is kept by whoever runs it."""


class Clone(Task):
    """Put a repository's files into the working directory.

    Without `url`, or with that of the execution's own source and no `branch`, `tag` or `commit`, it
    is exactly the commit that the execution is pinned to. Repositories are kept in a cache of the
    worker, so that the next clone fetches only what is new.

    Example:
        - id: clone
          type: io.kestra.plugin.git.Clone
          url: https://github.com/octocat/Hello-World.git
          branch: master
    """

    family: ClassVar = family
    later: ClassVar[frozenset[str]] = frozenset(
        {"cloneSubmodules", "gitConfig", "noProxy", "passphrase"}
    )

    type: Literal["io.kestra.plugin.git.Clone"] = "io.kestra.plugin.git.Clone"
    url: str | None = Field(
        default=None, description="https://…, ssh://… or user@host:path; default: the own source"
    )
    directory: str | None = Field(
        default=None, description="folder below the working directory; default: that itself"
    )
    branch: str | None = Field(
        default=None, description="branch; one that does not exist is begun at the default branch"
    )
    tag: str | None = Field(default=None, description="tag, which goes before the branch")
    commit: str | None = Field(
        default=None,
        description="commit id, whole or abbreviated, which goes before tag and branch",
    )
    depth: int = Field(default=1, ge=0, description="how many commits of history; 0 for all")
    clone_all_branches: bool = Field(
        default=True, description="false needs `branch`; other branches are never checked out"
    )
    no_tags: bool = Field(default=False, description="leave tags out; not together with `tag`")
    username: str | None = Field(default=None, description="user name for http(s)")
    password: SecretStr | None = Field(default=None, description="password or token for http(s)")
    private_key: SecretStr | None = Field(default=None, description="private key (PEM) for ssh")
    known_hosts: str | None = Field(
        default=None,
        description="lines of known_hosts for ssh; default: those of the worker's user",
    )
    check_host_key: bool = Field(
        default=True, description="false trusts any ssh host: an attacker in between is not noticed"
    )
    trusted_ca_pem_path: str | None = Field(
        default=None, description="file with the certificate authority of the server"
    )
    connect_timeout: int = Field(default=10_000, ge=1, description="milliseconds, for ssh")
    read_timeout: int = Field(
        default=60_000, ge=1, description="milliseconds without any progress before it fails"
    )

    class Outputs(Task.Outputs):
        directory: str = Field(description="where the files are")
        commit: str = Field(description="full id of the commit that was checked out")

    @model_validator(mode="after")
    def _fits_together(self) -> Clone:
        if not self.clone_all_branches and not self.branch:
            raise ValueError(
                "Invalid clone configuration: when `cloneAllBranches` is false, "
                "`branch` must be set."
            )
        if self.tag and self.no_tags:
            raise ValueError(
                "Invalid clone configuration: `tag` cannot be used with `noTags: true`."
            )
        return self

    def run(self, ctx: RunContext) -> Outputs:
        folder = _inside(ctx.working_dir, self.directory)
        runner = GitRunner()
        try:
            with ctx.on_stop(runner.close), self._access(ctx) as access:
                commit = self._clone(ctx, access, runner, folder)
        except (GitFailed, AddressInvalid) as exc:
            raise TaskError(exc.message) from exc
        ctx.log.info("repository cloned", url=access.url, commit=commit)
        return self.Outputs(directory=str(folder), commit=commit)

    def _clone(self, ctx: RunContext, access: Access, runner: GitRunner, folder: Path) -> str:
        depth = None if self.commit or self.depth == 0 else self.depth
        mirror = Mirror(_cache(ctx, access, depth), access, runner)
        with mirror.locked(lambda: ctx.sleep(timedelta(milliseconds=100))):
            found = self._find(ctx, mirror)
            if not mirror.has(found.commit):
                mirror.fetch([found.commit], depth=depth, timeout=_LONGEST)
            Checkout(mirror, runner).write(folder, found.commit, depth=depth, branch=found.branch)
        return found.commit

    def _find(self, ctx: RunContext, mirror: Mirror) -> _Found:
        """Return the commit that is wanted. Commit goes before tag, tag before branch."""
        if (pinned := self._pinned(ctx)) is not None:
            return _Found(pinned)
        if self.commit:
            return _Found(_whole(mirror, self.commit))
        refs = mirror.refs()
        if self.tag:
            return _Found(_existing(refs, tag_ref(self.tag), f"the tag {self.tag}"))
        if self.branch and (commit := refs.get(branch_ref(self.branch))):
            return _Found(commit, self.branch)
        default = mirror.default_branch()
        commit = _existing(refs, branch_ref(default), f"the branch {default}")
        if self.branch:
            ctx.log.write(Level.INFO, f"Branch {self.branch} does not exist, creating it")
        return _Found(commit, self.branch or default)

    def _pinned(self, ctx: RunContext) -> str | None:
        """Return the execution's own commit, if that is what is wanted."""
        if self.branch or self.tag or self.commit or self._own_source(ctx) is None:
            return None
        return ctx.identity.commit

    def _own_source(self, ctx: RunContext) -> SourceSettings | None:
        source: SourceSettings | None = ctx.setting("git.source")
        if source is None or self.url is None or same_repository(self.url, source.url):
            return source
        return None

    @contextlib.contextmanager
    def _access(self, ctx: RunContext) -> Iterator[Access]:
        own = self._own_source(ctx)
        if self.url is None and own is None:
            raise TaskError("`url` is missing: this execution comes from no Git source")
        if own is not None and not (self.username or self.password or self.private_key):
            yield Access.of(own)
            return
        url = checked_url(self.url or (own.url if own else ""))
        if is_local(url):
            raise TaskError(f"{url} is a path on the worker: only a source may be one")
        with self._key_files() as (key, hosts):
            yield replace(self._given(url), ssh_key=key, known_hosts=hosts)

    def _given(self, url: str) -> Access:
        return Access(
            url=url,
            username=self.username or "",
            password=self.password.get_secret_value() if self.password else "",
            ca=Path(self.trusted_ca_pem_path) if self.trusted_ca_pem_path else None,
            timeout=timedelta(milliseconds=self.read_timeout),
            connect_timeout=timedelta(milliseconds=self.connect_timeout),
            check_host_key=self.check_host_key,
        )

    @contextlib.contextmanager
    def _key_files(self) -> Iterator[tuple[Path | None, Path | None]]:
        """Give the key and the known hosts as files that nobody else can read."""
        with tempfile.TemporaryDirectory(prefix="headrace-git-") as folder:
            key = hosts = None
            if self.private_key:
                key = _private(Path(folder) / "key", self.private_key.get_secret_value())
            if self.known_hosts:
                hosts = _private(Path(folder) / "known_hosts", self.known_hosts)
            yield key, hosts


@dataclass(frozen=True, slots=True)
class _Found:
    commit: str
    branch: str | None = None


def _inside(working_dir: Path, directory: str | None) -> Path:
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


def _cache(ctx: RunContext, access: Access, depth: int | None) -> Path:
    """Return where the worker keeps a repository; shallow and whole ones lie apart.

    The user is part of the key: what one may read, another flow's user may not.
    """
    said = "\0".join([access.url, access.username, access.password, str(access.ssh_key or "")])
    name = hashlib.sha256(said.encode()).hexdigest()[:32]
    home: Path = ctx.setting("home")
    return home / "clones" / f"{name}-{depth or 'all'}.git"


def _whole(mirror: Mirror, commit: str) -> str:
    """Return the full id of a commit, fetching every branch if it is abbreviated."""
    wanted = commit.lower()
    if not _SHA.fullmatch(wanted):
        raise TaskError(f"{commit!r} is not a commit id")
    if len(wanted) in _FULL:
        return wanted
    mirror.fetch(set(mirror.refs().values()), timeout=_LONGEST)
    found = mirror.find(wanted)
    if found is None:
        raise TaskError(f"no commit of {mirror.access.url} begins with {commit}")
    return found


def _existing(refs: dict[str, str], ref: str, what: str) -> str:
    try:
        return refs[ref]
    except KeyError:
        raise TaskError(f"{what} does not exist" if refs else "the repository is empty") from None


def _private(path: Path, content: str) -> Path:
    path.touch(0o600)
    path.write_text(content.rstrip() + "\n", "utf-8")
    return path
