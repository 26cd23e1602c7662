"""Git tasks."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from gitsync.access import Access, GitFailed
from gitsync.addresses import (
    AddressInvalid,
    branch_ref,
    checked_url,
    is_local,
    is_usual,
    same_repository,
    tag_ref,
)
from gitsync.clones import CloneCache
from gitsync.cloning import LONGEST, Cloning, inside
from gitsync.repo import GitRunner, Mirror, Wanted
from gitsync.triggers import family
from runner.model.logs import Level
from runner.plugin import RunContext, Task, TaskError
from runner.settings import SourceSettings

_SHA = re.compile(r"[0-9a-f]{4,64}")
_FULL = (40, 64)
_CONFIG_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(?:\.[^\n\0]+)?\.[A-Za-z][A-Za-z0-9-]*")
_ASKPASS = "#!/bin/sh\nprintf '%s\\n' \"$HEADRACE_GIT_PASSPHRASE\""


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
        default=True,
        description="true, when it is said, brings the heads of the other branches too; "
        "false needs `branch`",
    )
    no_tags: bool = Field(default=False, description="leave tags out; not together with `tag`")
    clone_submodules: bool = Field(default=False, description="bring submodules, and theirs, too")
    git_config: dict[str, str | int | bool] = Field(
        default={}, description="settings of the clone, such as core.fileMode: false"
    )
    username: str | None = Field(default=None, description="user name for http(s)")
    password: SecretStr | None = Field(default=None, description="password or token for http(s)")
    private_key: SecretStr | None = Field(default=None, description="private key (PEM) for ssh")
    passphrase: SecretStr | None = Field(default=None, description="what opens the private key")
    known_hosts: str | None = Field(
        default=None,
        description="lines of known_hosts for ssh; default: those of the worker's user",
    )
    check_host_key: bool = Field(
        default=True, description="false trusts any ssh host: an attacker in between is not noticed"
    )
    trusted_ca_pem_path: str | None = Field(
        default=None,
        description="file with the certificate authority of the server; below the working "
        "directory, or a whole path on the worker",
    )
    no_proxy: bool = Field(default=False, description="connect without the worker's proxy")
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
        if wrong := next((key for key in self.git_config if not _CONFIG_KEY.fullmatch(key)), None):
            raise ValueError(f"{wrong!r} is no name of a Git setting: write section.name")
        if self.tag and self.no_tags:
            raise ValueError(
                "Invalid clone configuration: `tag` cannot be used with `noTags: true`."
            )
        return self

    def run(self, ctx: RunContext) -> Outputs:
        folder = inside(ctx.working_dir, self.directory)
        runner = GitRunner()
        cache = CloneCache(ctx.setting("home") / "clones", ctx.setting("limits.clones_bytes"))
        try:
            with ctx.on_stop(runner.close), self._access(ctx) as access:
                cloning = Cloning(ctx, runner, cache, self._key_text())
                commit = cloning.clone(access, folder, self._depth, self._wanted(ctx))
                if self.clone_submodules:
                    cloning.add_submodules(access, folder, commit, self._depth)
        except (GitFailed, AddressInvalid) as exc:
            raise TaskError(exc.message) from exc
        finally:
            cache.trim(time.time())
        if _has_large_files(folder):
            ctx.log.write(
                Level.WARN, "Files of Git LFS are only pointers: LFS is not available yet"
            )
        ctx.log.info("repository cloned", url=access.url, commit=commit)
        return self.Outputs(directory=str(folder), commit=commit)

    @property
    def _depth(self) -> int | None:
        return None if self.commit or self.depth == 0 else self.depth

    def _key_text(self) -> str:
        return self.private_key.get_secret_value() if self.private_key else ""

    def _wanted(self, ctx: RunContext) -> Callable[[Mirror], Wanted]:
        """Return what finds out what is wanted, of a mirror that is held."""

        def find(mirror: Mirror) -> Wanted:
            found = self._find(ctx, mirror)
            wanted = Wanted(
                found.commit,
                depth=self._depth,
                branch=found.branch,
                tags={} if self.no_tags else _named(found.refs, "refs/tags/"),
                config={key: _config_text(value) for key, value in self.git_config.items()},
            )
            if "clone_all_branches" in self.model_fields_set and self.clone_all_branches:
                refs = found.refs or mirror.refs()
                wanted = replace(wanted, branches=_named(refs, "refs/heads/"))
            return wanted

        return find

    def _find(self, ctx: RunContext, mirror: Mirror) -> _Found:
        """Return the commit that is wanted. Commit goes before tag, tag before branch."""
        if (pinned := self._pinned(ctx)) is not None:
            return _Found(pinned)
        if self.commit:
            return _Found(_whole(mirror, self.commit))
        refs = mirror.refs()
        if self.tag:
            return _Found(_existing(refs, tag_ref(self.tag), f"the tag {self.tag}"), None, refs)
        if self.branch and (commit := refs.get(branch_ref(self.branch))):
            return _Found(commit, self.branch, refs)
        default = mirror.default_branch()
        commit = _existing(refs, branch_ref(default), f"the branch {default}")
        if self.branch:
            ctx.log.write(Level.INFO, f"Branch {self.branch} does not exist, creating it")
        return _Found(commit, self.branch or default, refs)

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
        with self._with_files(self._given(ctx, url)) as access:
            yield access

    def _given(self, ctx: RunContext, url: str) -> Access:
        ca = self.trusted_ca_pem_path
        return Access(
            url=url,
            username=self.username or "",
            password=self.password.get_secret_value() if self.password else "",
            ca=ctx.working_dir / ca if ca else None,
            timeout=timedelta(milliseconds=self.read_timeout),
            connect_timeout=timedelta(milliseconds=self.connect_timeout),
            check_host_key=self.check_host_key,
            passphrase=self.passphrase.get_secret_value() if self.passphrase else "",
            no_proxy=self.no_proxy,
            is_of_task=True,
        )

    @contextlib.contextmanager
    def _with_files(self, access: Access) -> Iterator[Access]:
        """Give the access with the key, the known hosts and what tells the passphrase as files."""
        with tempfile.TemporaryDirectory(prefix="headrace-git-") as folder:
            place = Path(folder)
            if self.private_key:
                access = replace(access, ssh_key=_private(place / "key", self._key_text()))
            if self.known_hosts:
                hosts = _private(place / "known_hosts", self.known_hosts)
                access = replace(access, known_hosts=hosts)
            if self.passphrase:
                access = replace(access, askpass=_private(place / "askpass", _ASKPASS, 0o700))
            yield access


@dataclass(frozen=True, slots=True)
class _Found:
    commit: str
    branch: str | None = None
    refs: Mapping[str, str] = field(default_factory=dict)  # of the remote, where it was asked


def _has_large_files(folder: Path) -> bool:
    attributes = folder / ".gitattributes"
    return attributes.is_file() and b"filter=lfs" in attributes.read_bytes()


def _named(refs: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the refs below *prefix* by their names in it, but for odd ones."""
    return {
        ref.removeprefix(prefix): commit
        for ref, commit in refs.items()
        if ref.startswith(prefix) and is_usual(ref)
    }


def _config_text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole(mirror: Mirror, commit: str) -> str:
    """Return the full id of a commit, fetching every branch if it is abbreviated."""
    wanted = commit.lower()
    if not _SHA.fullmatch(wanted):
        raise TaskError(f"{commit!r} is not a commit id")
    if len(wanted) in _FULL:
        return wanted
    mirror.fetch(set(mirror.refs().values()), timeout=LONGEST)
    found = mirror.find(wanted)
    if found is None:
        raise TaskError(f"no commit of {mirror.access.url} begins with {commit}")
    return found


def _existing(refs: dict[str, str], ref: str, what: str) -> str:
    try:
        return refs[ref]
    except KeyError:
        raise TaskError(f"{what} does not exist" if refs else "the repository is empty") from None


def _private(path: Path, content: str, mode: int = 0o600) -> Path:
    path.touch(mode)
    path.write_text(content.rstrip() + "\n", "utf-8")
    return path
