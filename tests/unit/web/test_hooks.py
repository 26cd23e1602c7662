import hashlib
import hmac
from dataclasses import replace

import pytest

from runner.settings import Settings
from runner.store.base import SourceRow
from tests.unit.runtimes import a_runtime
from web.app import create_app

SECRET = "hook-secret"
PUSH = b'{"ref": "refs/heads/main"}'


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    sources = Settings.model_validate(
        {
            "sources": [
                {
                    "name": "team",
                    "url": "https://git.example.org/a.git",
                    "webhook_secret": "${HOOK_SECRET}",
                },
                {"name": "quiet", "url": "https://git.example.org/b.git"},
            ]
        }
    ).sources
    runtime = a_runtime(tmp_path / "home", sources=sources)
    with runtime.store.begin() as tx:
        tx.sources.save(SourceRow("team", "https://git.example.org/a.git", "main", "NEW"))
    yield runtime
    runtime.store.close()


@pytest.fixture
def client(runtime):
    return create_app(runtime, pages=False).test_client()


def signed(body=PUSH, secret=SECRET, event="push"):
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Event": event}


def hurried(runtime):
    with runtime.store.read() as tx:
        return tx.sources.get("team").hurried_at is not None


@pytest.mark.parametrize(
    "path", ["/api/v1/sources/team/push", "/api/v1/main/sources/team/push", "/hooks/git/team"]
)
def test_a_signed_push_hastens_the_poll(client, runtime, path):
    answer = client.post(path, data=PUSH, headers=signed())

    assert (answer.status_code, answer.json) == (202, {"accepted": True})
    assert hurried(runtime)


@pytest.mark.parametrize("headers", [{}, signed(secret="other"), signed(body=b"{}")])
def test_a_push_without_its_proof_does_nothing(client, runtime, headers):
    assert client.post("/hooks/git/team", data=PUSH, headers=headers).status_code == 401
    assert not hurried(runtime)


def test_a_source_without_a_secret_takes_no_pushes(client):
    assert client.post("/hooks/git/quiet", data=PUSH, headers=signed()).status_code == 401


def test_an_unknown_source_is_not_found(client):
    assert client.post("/hooks/git/nope", data=PUSH, headers=signed()).status_code == 404


def test_a_ping_is_accepted_in_silence(client, runtime):
    assert (
        client.post("/hooks/git/team", data=PUSH, headers=signed(event="ping")).status_code == 204
    )
    assert not hurried(runtime)


def test_health_waits_for_the_first_look_at_each_source(client, runtime):
    assert client.get("/health").status_code == 503

    with runtime.store.begin() as tx:
        tx.sources.save(SourceRow("quiet", "https://git.example.org/b.git", "main", "NEW"))
        for row in tx.sources.list():
            tx.sources.save(replace(row, polled_at=runtime.clock.now()))

    assert client.get("/health").status_code == 200


def test_health_tells_of_a_source_that_fails_and_stays_up(client, runtime):
    with runtime.store.begin() as tx:
        row = SourceRow("quiet", "https://git.example.org/b.git", "main", "NEW")
        tx.sources.save(replace(row, state="UNREACHABLE", error="no such host"))
        for row in tx.sources.list():
            tx.sources.save(replace(row, polled_at=runtime.clock.now()))

    answer = client.get("/health")

    assert (answer.status_code, answer.json["status"]) == (200, "UP")
    assert answer.json["details"]["sources"] == {
        "status": "DEGRADED",
        "details": {"quiet": {"status": "UNREACHABLE"}},
    }
    assert b"no such host" not in answer.data
