import hashlib
import hmac

import pytest

from gitsync.webhooks import MAX_BYTES, receive

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
# From GitHub's own documentation of the signature.
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def ask(headers=None, body=BODY, secret=SECRET, known=True):
    asked = []

    def hurry():
        asked.append(True)
        return known

    reply = receive(headers or {"x-hub-signature-256": SIGNATURE}, body, secret=secret, hurry=hurry)
    return reply.status, bool(asked)


def signed(body, key=SECRET):
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def test_a_signed_push_asks_for_a_poll():
    assert ask() == (202, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-other": "1"},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256=" + "0" * 64},
        {"x-hub-signature-256": SIGNATURE.replace("sha256", "sha1")},
        {"x-hub-signature-256": "ü"},
        {"x-hub-signature": "sha1=" + "0" * 40},
    ],
)
def test_a_missing_or_wrong_signature_is_refused(headers):
    assert ask(headers) == (401, False)


def test_another_body_has_another_signature():
    assert ask(body=b"Hello, World?") == (401, False)


def test_without_a_secret_nothing_is_accepted():
    assert ask(secret=None) == (401, False)


@pytest.mark.parametrize(
    ("event", "expected"), [("push", 202), ("create", 202), ("ping", 204), ("issues", 204)]
)
def test_only_pushes_are_wanted(event, expected):
    status, _ = ask({"x-hub-signature-256": signed(BODY), "x-github-event": event})

    assert status == expected


def test_an_unknown_source_is_said_to_be_so():
    assert ask(known=False)[0] == 404


def test_a_body_that_is_too_large_is_refused_before_it_is_looked_at():
    assert ask(body=b"x" * (MAX_BYTES + 1)) == (413, False)
