"""How Git reaches a remote: its environment, where a secret goes, and its failures in words."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from gitsync.addresses import PROTOCOLS, checked_url, is_local
from runner.errors import Unavailable
from runner.secrets import Mask
from runner.settings import SourceSettings, resolve

# Git asks this for a user name and password; `credential.URL.helper` ties it to one host.
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$HEADRACE_GIT_USERNAME" "$HEADRACE_GIT_PASSWORD"; }; f'
)
_ASKS_FOR_THE_KEY_ALONE = (
    "BatchMode=no",
    "PasswordAuthentication=no",
    "KbdInteractiveAuthentication=no",
    "NumberOfPasswordPrompts=1",
)
_TELLING = re.compile(
    r"(?:fatal|error|remote|ssh): ?|Load key|Host key|.*: Permission denied \(|.*IDENTIFICATION HAS"
)
_HINTS = (
    ("terminal prompts disabled", "the repository wants a password: give `credentials`"),
    ("Authentication failed", "check the user name and password in `credentials`"),
    ("returned error: 403", "the credentials may not read this repository"),
    (
        "IDENTIFICATION HAS CHANGED",
        "another server may be answering; if it has a new key, put that into "
        "`credentials.known_hosts`",
    ),
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
_PROPERTIES = {
    "`credentials.known_hosts`": "`knownHosts`",
    "`credentials.ssh_key`": "`privateKey`, and `passphrase` if the key has one",
    "`credentials.ca`": "`trustedCaPemPath`",
    "`credentials`": "`username` and `password`",
}


class GitFailed(Unavailable):
    """Git could not do it."""

    code = "git_failed"


class GitTimeout(GitFailed):
    """Git took too long."""

    code = "git_timeout"


@dataclass(frozen=True, slots=True)
class Access:
    """How a remote repository is opened. *password* is the secret itself: never shown.

    *passphrase* opens the key; *askpass* is a program that prints the variable
    ``HEADRACE_GIT_PASSPHRASE``, for ssh to ask.
    """

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
    passphrase: str = field(default="", repr=False)
    askpass: Path | None = None
    no_proxy: bool = False
    is_of_task: bool = False  # given by a task's properties, not by a source's settings

    @classmethod
    def of(cls, source: SourceSettings) -> Access:
        """Return the access that a source's settings describe.

        Raises:
            AddressInvalid: the URL may not be used. SettingsInvalid: a secret is not set.
        """
        credentials = source.credentials
        url = _absolute(checked_url(source.url, allow_local=source.allow_local))
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
        if self.passphrase:
            variables["HEADRACE_GIT_PASSPHRASE"] = self.passphrase
            variables |= {"SSH_ASKPASS": str(self.askpass), "SSH_ASKPASS_REQUIRE": "force"}
        if self.no_proxy:
            variables |= {"no_proxy": "*", "NO_PROXY": "*"}
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
        options = ["ssh", "-o", f"ConnectTimeout={seconds}"]
        for option in _ASKS_FOR_THE_KEY_ALONE if self.passphrase else ("BatchMode=yes",):
            options += ["-o", option]
        options += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"]
        options += ["-o", f"StrictHostKeyChecking={'yes' if self.check_host_key else 'no'}"]
        if self.known_hosts:
            options += ["-o", f"UserKnownHostsFile={self.known_hosts.absolute()}"]
        elif not self.check_host_key:
            options += ["-o", f"UserKnownHostsFile={os.devnull}"]
        if self.ssh_key:
            options += ["-o", "IdentitiesOnly=yes", "-i", str(self.ssh_key.absolute())]
        return options


def _absolute(url: str) -> str:
    """Return a relative path as seen from where we were started, not from Git's own folder."""
    return os.path.abspath(url) if url.startswith(".") else url


def base_environment() -> dict[str, str]:
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


def masked(words: str, secret: str) -> str:
    """Return the words without the secret; one of under 4 characters would shred them instead."""
    mask = Mask()
    mask.add(secret)
    return mask.apply(words)


def explained(stderr: str, access: Access | None = None) -> str:
    """Return Git's own words, without any secret, and one line of what to try."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", stderr) if line.strip()]
    telling = [line for line in lines if _TELLING.match(line)]
    words = "\n".join((telling or lines)[:6]) or "git failed without a word"
    for secret in (access.password, access.passphrase) if access else ():
        words = masked(words, secret)
    for sign, advice in _HINTS:
        if sign.lower() in stderr.lower():
            return f"{words}\nTry: {_as_said(advice, access)}"
    where = access.url if access else "the repository"
    return f"{words}\nTry: git ls-remote {where}, by hand on this machine"


def _as_said(advice: str, access: Access | None) -> str:
    if access and access.is_of_task:
        for setting, name in _PROPERTIES.items():
            advice = advice.replace(setting, name)
    return advice
