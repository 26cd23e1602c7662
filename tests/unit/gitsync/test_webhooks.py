import hashlib
import hmac
import json

import pytest

from gitsync.webhooks import MAX_BYTES, receive

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
# From GitHub's own documentation of the signature.
BARE = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
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


COMMIT = {"ref": "refs/heads/main", "head_commit": {"message": "fix 🚀 é"}}
RAW = json.dumps(COMMIT, ensure_ascii=False).replace("s/h", "s\\/h").encode()
ESCAPED = json.dumps(COMMIT).replace("s/h", "s\\/h").encode()


@pytest.mark.parametrize("body", [RAW, ESCAPED])
def test_the_bytes_are_signed_as_they_were_sent(body):
    key = "grün"
    bare = signed(body, key).removeprefix("sha256=")
    taken = [{"x-hub-signature-256": f"sha256={bare}"}, {"x-gitea-signature": bare}]
    refused = [
        {"x-hub-signature-256": signed(body[:-1] + b" ", key)},
        {"x-gitea-signature": ""},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256=grün"},
        {"x-hub-signature-256": "sha256=🚀"},
        {},
    ]

    assert [ask(headers, body, key) for headers in taken] == [(202, True)] * 2
    assert [ask(headers or {"x": "y"}, body, key) for headers in refused] == [(401, False)] * 6


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-forgejo-signature": BARE, "x-forgejo-event": "push", "x-github-event": "push"}, 202),
        ({"x-gogs-signature": BARE, "x-gogs-event": "create"}, 202),
        ({"x-hub-signature": f"sha256={BARE}", "x-event-key": "repo:push"}, 202),
        ({"x-hub-signature": f"sha256={BARE}", "x-event-key": "diagnostics:ping"}, 204),
        ({"x-gitlab-token": SECRET, "x-gitlab-event": "Tag Push Hook"}, 202),
        ({"x-gitlab-token": SECRET, "x-gitlab-event": "Merge Request Hook"}, 204),
        ({"x-gitlab-token": SECRET + " ", "x-gitlab-event": "Push Hook"}, 401),
        ({"x-gitea-signature": f"sha256={BARE}"}, 401),
        ({"x-hub-signature-256": BARE}, 401),
    ],
)
def test_each_host_has_its_proof_and_its_names_of_events(headers, expected):
    assert ask(headers) == (expected, expected == 202)


def test_a_gitlab_token_may_be_beyond_ascii():
    token = "grün".encode().decode("latin-1")  # as a server reads the header
    assert ask({"x-gitlab-token": token}, secret="grün") == (202, True)


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
