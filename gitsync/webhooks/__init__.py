"""Push events of Git hosts. They only hasten a poll: what to fetch is never taken from them.

`receive` is a pure decision over a request; the web layer calls it and sends the reply.

Source: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_BYTES = 25 * 1024 * 1024
_WANTED = frozenset({"push", "create", "delete"})


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
        return _refusal(401, "the signature X-Hub-Signature-256 is missing or wrong")
    if headers.get("x-github-event", "push").lower() not in _WANTED:
        return Reply(204)
    if not hurry():
        return _refusal(404, "there is no such source yet")
    return Reply(202, {"accepted": True})


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Say whether the raw bytes of *body* carry GitHub's HMAC-SHA256 proof, in constant time."""
    given = headers.get("x-hub-signature-256") or headers.get("x-hub-signature") or ""
    kind, _, digest = given.partition("=")
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    is_same = hmac.compare_digest(digest.strip().lower().encode(), expected.encode())
    return kind == "sha256" and is_same


def _refusal(status: int, message: str) -> Reply:
    return Reply(status, {"message": message})
