"""The API as gunicorn serves it, with a worker behind it."""

import http.client
import json
import time
import urllib.request
from contextlib import ExitStack, closing

import pytest


def connect(headrace):
    return closing(http.client.HTTPConnection("127.0.0.1", headrace.port, timeout=30))


def ask(headrace, method, path, body=None, headers=None):
    with connect(headrace) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())


def follow(headrace, execution_id):
    url = f"{headrace.url}/api/v1/main/executions/{execution_id}/follow"
    return urllib.request.urlopen(url, timeout=30)


def frames(stream):
    for line in stream:
        text = line.decode().rstrip()
        if text.startswith("id: "):
            name = text.removeprefix("id: ")
        elif text.startswith("data: "):
            yield name, json.loads(text.removeprefix("data: "))


def test_a_creation_that_waits_answers_with_the_end(headrace):
    execution = headrace.start_flow("company.team", "hello", {"who": "ann"}, "?wait=true")

    assert execution["state"]["current"] == "SUCCESS"
    assert execution["outputs"] == {"greeting": "ann"}
    assert execution["url"].startswith(headrace.url)


def test_a_webhook_that_waits_gives_back_the_outputs(headrace):
    path = "/api/v1/executions/webhook/company.team/hooked/patient"

    status, body, _ = ask(headrace, "POST", path, b"hello")

    assert (status, json.loads(body)) == (200, {"said": "hello"})


def test_an_execution_is_followed_until_it_is_killed(headrace):
    started = headrace.start_flow("company.team", "slow")
    with follow(headrace, started["id"]) as stream:
        seen = frames(stream)
        name, first = next(seen)
        assert (name, first["id"]) == ("start", started["id"])
        headrace.wait_for(started["id"], states=("RUNNING",))
        headrace.call("DELETE", f"executions/{started['id']}/kill")
        *_, (name, last) = seen

    assert (name, last["state"]["current"]) == ("end", "KILLED")


def test_a_log_is_followed_while_it_grows(headrace):
    started = headrace.start_flow("company.team", "slow")
    url = f"{headrace.url}/api/v1/main/logs/{started['id']}/follow"
    with urllib.request.urlopen(url, timeout=30) as stream:
        seen = frames(stream)
        assert next(seen) == ("start", {})
        assert next(seen)[1]["message"] == "begun"
        headrace.call("DELETE", f"executions/{started['id']}/kill")
        assert list(seen)[-1] == ("end", {})


def test_too_many_streams_are_refused_and_pages_go_on(headrace):
    started = headrace.start_flow("company.team", "slow")
    with ExitStack() as opened:
        for _ in range(4):
            stream = opened.enter_context(follow(headrace, started["id"]))
            next(frames(stream))
        path = f"/api/v1/main/executions/{started['id']}"
        status, _, headers = ask(headrace, "GET", f"{path}/follow")
        assert status == 503
        assert "Retry-After" in headers
        assert ask(headrace, "GET", path)[0] == 200
    headrace.call("DELETE", f"executions/{started['id']}/kill")
    deadline = time.monotonic() + 20
    while ask(headrace, "GET", f"{path}/follow")[0] != 200:
        assert time.monotonic() < deadline, "closed streams did not give their place back"
        time.sleep(0.2)


def test_a_body_over_the_limit_is_refused(headrace):
    headers = {"Content-Length": str(10**10), "Content-Type": "application/x-yaml"}

    status, body, _ = ask(headrace, "POST", "/api/v1/main/flows", b"", headers)

    assert status == 413
    assert json.loads(body)["message"].startswith("Request Entity Too Large")


@pytest.mark.parametrize("path", ["/ping", "/api/v1/configs", "/health"])
def test_head_is_answered(headrace, path):
    assert ask(headrace, "HEAD", path)[0] == 200


def test_the_idempotency_key_holds_over_connections(headrace):
    ids = set()
    for _ in range(3):
        headers = {"Idempotency-Key": "one-only"}
        status, body, _ = ask(
            headrace, "POST", "/api/v1/executions/company.team/hello", None, headers
        )
        assert status == 200
        ids.add(json.loads(body)["id"])

    assert len(ids) == 1


def test_a_waiting_client_that_hangs_up_gives_its_place_back(headrace):
    connections = [http.client.HTTPConnection("127.0.0.1", headrace.port) for _ in range(4)]
    for connection in connections:
        connection.request("POST", "/api/v1/executions/company.team/slow?wait=true")
    deadline = time.monotonic() + 20
    while len(headrace.search(flowId="slow", state="RUNNING")) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for connection in connections:
        connection.close()

    done = headrace.start_flow("company.team", "hello")
    while ask(headrace, "GET", f"/api/v1/executions/{done['id']}/follow")[0] != 200:
        assert time.monotonic() < deadline, "who hung up still has a place"
        time.sleep(0.2)
    headrace.call("DELETE", "executions/kill/by-query?flowId=slow")
