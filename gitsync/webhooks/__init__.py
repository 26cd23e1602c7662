"""Push events of Git hosts. They only hasten a poll: what to fetch is never taken from them.

`receive` is a pure decision over a request; the web layer calls it and sends the reply.

Sources: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries (Bitbucket
signs alike), https://docs.gitea.com/usage/webhooks (Forgejo and Gogs alike),
https://docs.gitlab.com/user/project/integrations/webhooks
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_BYTES = 25 * 1024 * 1024
_WANTED = frozenset(
    {
        *("push", "create", "delete"),
        *("push hook", "tag push hook"),
        *("repo:push", "repo:refs_changed"),
    }
)
_EVENTS = (
    "x-forgejo-event",
    "x-gitea-event",
    "x-gogs-event",
    "x-gitlab-event",
    "x-event-key",
    "x-github-event",  # the first three send it too
)
_BARE = ("x-forgejo-signature", "x-gitea-signature", "x-gogs-signature")


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer: an HTTP status and a JSON body, if there is one."""

    status: int
    body: Mapping[str, object] | None = None


def receive(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secret: str | None,
    hurry: Callable[[], bool],
) -> Reply:
    """Check a push event of one source and ask for a poll.

    *headers* have names in lower case. *secret* is the source's; without one nothing is accepted.
    *hurry* notes the wish and says whether the source is known. An event that comes twice asks
    twice, which is harmless.
    """
    if len(body) > MAX_BYTES:
        return _refusal(413, f"a push event may have {MAX_BYTES} bytes at most")
    if secret is None:
        return _refusal(401, "this source has no `webhook_secret`, so no push event is accepted")
    if not is_signed(headers, body, secret):
        return _refusal(401, "the signature of the event is missing or wrong")
    if _event(headers) not in _WANTED:
        return Reply(204)
    if not hurry():
        return _refusal(404, "there is no such source yet")
    return Reply(202, {"accepted": True})


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Say whether a host's proof fits the raw bytes of *body*, in constant time: an HMAC-SHA256 of
    them, or GitLab's token as it is.
    """
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if token := headers.get("x-gitlab-token"):
        return _is_same(token, secret)
    return any(_is_same(given.strip().lower(), expected) for given in _digests(headers))


def _digests(headers: Mapping[str, str]) -> list[str]:
    """Return the digests that the headers of the hosts give."""
    prefixed = headers.get("x-hub-signature-256") or headers.get("x-hub-signature") or ""
    kind, _, digest = prefixed.partition("=")
    bare = [headers[name] for name in _BARE if name in headers]
    return [*bare, *([digest] if kind == "sha256" else [])]


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(_bytes(given), expected.encode())


def _bytes(header: str) -> bytes:
    """Return a header as its sender wrote it: servers read its bytes as Latin-1."""
    try:
        return header.encode("latin-1")
    except UnicodeEncodeError:
        return header.encode()


def _event(headers: Mapping[str, str]) -> str:
    return next((headers[name].lower() for name in _EVENTS if name in headers), "push")


def _refusal(status: int, message: str) -> Reply:
    return Reply(status, {"message": message})
