"""What may be handed to Git: URLs, ref names and commit ids, each checked before use.

Source: `git help check-ref-format`, `git help fetch` (URLs).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from runner.errors import HeadraceError

PROTOCOLS = ("http", "https", "ssh", "git")
ZERO = "0" * 40

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCP = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//|:)[^\s-].*")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@%+-]*")
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)")


class AddressInvalid(HeadraceError):
    """This is not an address that may be handed to Git."""

    code = "address_invalid"


def checked_url(url: str, *, allow_local: bool = False) -> str:
    """Return *url* if Git may open it.

    Raises:
        AddressInvalid: another protocol, a password inside, an odd host, or a local path that is
        not allowed.
    """
    if not url or not url.isprintable():
        raise AddressInvalid("a repository's URL must be one line of printable text")
    if is_local(url):
        return _checked_path(url, allow_local)
    if "://" not in url:
        return _checked_scp(url)
    return _checked_parts(url)


def is_local(url: str) -> bool:
    """Say whether *url* is a path on this machine."""
    return url.startswith(("/", "./", "../", "file://")) or url in (".", "..")


def checked_ref(ref: str) -> str:
    """Return a full ref name (``refs/heads/main``). Raises AddressInvalid."""
    if not ref.startswith("refs/") or _BAD_IN_REF.search(ref) or ref.endswith(("/", ".")):
        raise AddressInvalid(f"{ref!r} is not a valid name of a branch or tag")
    return ref


def branch_ref(branch: str) -> str:
    """Return the full ref of a branch. Raises AddressInvalid."""
    if branch.startswith("-"):
        raise AddressInvalid(f"{branch!r} is not a valid name of a branch")
    return checked_ref(f"refs/heads/{branch}")


def tag_ref(tag: str) -> str:
    """Return the full ref of a tag. Raises AddressInvalid."""
    if tag.startswith("-"):
        raise AddressInvalid(f"{tag!r} is not a valid name of a tag")
    return checked_ref(f"refs/tags/{tag}")


def is_usual(ref: str) -> bool:
    """Say whether Git itself would give a branch or tag this name; a server may send others."""
    try:
        return not ref.split("/", 2)[-1].startswith("-") and bool(checked_ref(ref))
    except AddressInvalid:
        return False


def checked_sha(sha: str) -> str:
    """Return a full commit or blob id. Raises AddressInvalid."""
    if not _SHA.fullmatch(sha):
        raise AddressInvalid(f"{sha!r} is not a full commit id")
    return sha


def same_repository(one: str, other: str) -> bool:
    """Say whether two URLs name one repository, as far as their text tells."""
    return _plain(one) == _plain(other)


def server_of(url: str) -> str:
    """Return what names the server in a URL: protocol, host and port; empty for a local path."""
    if is_local(url):
        return ""
    if "://" not in url:
        return f"ssh://{url.partition(':')[0].rpartition('@')[2].lower()}"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


def resolved(url: str, parent: str) -> str:
    """Return a submodule's URL, which may be relative to that of its repository (``../lib.git``).

    Raises:
        AddressInvalid: it leads out of the server.
    """
    if not url.startswith(("./", "../")):
        return url
    base = parent.rstrip("/")
    while url.startswith(("./", "../")):
        step, _, url = url.partition("/")
        if step == "..":
            base = _without_last(base)
    separator = "" if base.endswith(":") else "/"
    return f"{base}{separator}{url}"


def _without_last(url: str) -> str:
    head, separator, last = url.rpartition("/")
    if separator and last and not head.endswith("/"):
        return head
    if not separator and ":" in url[:-1]:  # user@host:path
        return url.rpartition(":")[0] + ":"
    raise AddressInvalid(f"the URL of a submodule leads out of {url}")


def _plain(url: str) -> str:
    return url.rstrip("/").removesuffix(".git")


def _checked_path(url: str, allow_local: bool) -> str:
    if not allow_local:
        raise AddressInvalid(
            f"{url} is a path on this machine; say `allow_local: true` to allow it"
        )
    return url


def _checked_scp(url: str) -> str:
    if not _SCP.fullmatch(url):
        raise AddressInvalid(
            f"{url!r} is no repository URL; use https://…, ssh://…, git://… or user@host:path"
        )
    return url


def _checked_parts(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        _ = parts.port
    except ValueError as exc:
        raise AddressInvalid(f"{url!r} is no URL: {exc}") from exc
    if parts.scheme not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise AddressInvalid(f"the protocol {parts.scheme!r} is not allowed; use one of {known}")
    if parts.password is not None:
        raise AddressInvalid(
            "a URL must not hold a password; put it into `credentials`, as a reference"
        )
    if not _HOST.fullmatch(re.sub(r":\d*$", "", host)):
        raise AddressInvalid(f"{host!r} is not a host name")
    if parts.username is not None and not _USER.fullmatch(parts.username):
        raise AddressInvalid("the user name in the URL has characters that are not allowed")
    return url
