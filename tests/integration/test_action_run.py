"""The GitHub Action runs a flow on a server, here a stand-in that speaks the API."""

import base64
import json
import re
import socket
from pathlib import Path

import pytest
from werkzeug import Response

from tests.services.github import Runner

ROOT = Path(__file__).parents[2]
ID = "4mTqYw8ZrLs0bNcVxKjHgf"
URL = f"http://headrace.example.org/ui/main/executions/company.team/hello/{ID}"
START = "/api/v1/main/executions/company.team/hello"


@pytest.fixture
def github(tmp_path):
    for name in ("work", "temp"):
        (tmp_path / name).mkdir()
    return Runner(ROOT, tmp_path / "work", tmp_path / "temp")


@pytest.fixture
def kestra(httpserver):
    """A server on which the flow company.team.hello ends as told."""
    return StandIn(httpserver)


class StandIn:
    def __init__(self, httpserver):
        self.http = httpserver
        self.address = httpserver.url_for("").rstrip("/")

    def answers(self, state="SUCCESS", messages=("hi bob",), stream=True, **more):
        """Start CREATED, be RUNNING once, then end in *state* with *messages* in the log."""
        self.http.expect_request(START, method="POST").respond_with_json(
            execution("CREATED") | {"url": URL}
        )
        path = f"/api/v1/main/executions/{ID}"
        self.http.expect_oneshot_request(path).respond_with_json(execution("RUNNING"))
        self.http.expect_request(path).respond_with_json(execution(state) | more)
        entries = [entry(number, message) for number, message in enumerate(messages)]
        self.http.expect_request(f"/api/v1/main/logs/{ID}").respond_with_json(entries)
        frames = [f"id: progress\ndata: {json.dumps(e)}\n\n" for e in entries if stream]
        body = "id: start\ndata: {}\n\n: ping\n\n" + "".join(frames) + "id: end\ndata: {}\n\n"
        self.http.expect_request(f"/api/v1/main/logs/{ID}/follow").respond_with_response(
            Response(body, content_type="text/event-stream")
        )

    @property
    def start(self):
        """The request that started the flow."""
        return next(r for r, _ in self.http.log if r.method == "POST")


def execution(state):
    return {
        "id": ID,
        "namespace": "company.team",
        "flowId": "hello",
        "flowRevision": 3,
        "state": {"current": state, "histories": [], "duration": "PT1.25S"},
        "labels": [],
        "deleted": False,
        "originalId": ID,
        "metadata": {"attemptNumber": 1},
    }


def entry(number, message):
    return {
        "namespace": "company.team",
        "flowId": "hello",
        "taskId": "say",
        "taskRunId": "7Bq3vK1nXzW0aYcD2eFgHi",
        "attemptNumber": 0,
        "timestamp": f"2026-01-05T10:00:00.{number:03}Z",
        "level": "INFO",
        "message": message,
    }


def run(github, kestra, **inputs):
    return github.run(server=kestra.address, flow="company.team.hello", **inputs)


def test_a_run_that_succeeds_shows_its_log_and_gives_its_outputs(github, kestra):
    kestra.answers(outputs={"greeting": "hi bob"})

    outcome = run(github, kestra)

    assert outcome.succeeded
    assert "10:00:00.000Z INFO  say: hi bob" in outcome.log
    assert outcome.outputs["execution-id"] == ID
    assert outcome.outputs["execution-state"] == "SUCCESS"
    assert outcome.outputs["execution-url"] == URL
    assert json.loads(outcome.outputs["outputs"]) == {"greeting": "hi bob"}
    assert f"[{ID}]({URL})" in outcome.summary


def test_a_run_that_fails_fails_the_step_and_says_where_to_look(github, kestra):
    kestra.answers("FAILED", outputs={"partial": 1})

    outcome = run(github, kestra)

    assert not outcome.succeeded
    assert outcome.outputs["execution-state"] == "FAILED"
    assert json.loads(outcome.outputs["outputs"]) == {"partial": 1}
    [annotation] = outcome.annotations
    assert annotation["kind"] == "error"
    assert URL in annotation["message"]


@pytest.mark.parametrize("state", ["KILLED", "CANCELLED"])
def test_a_run_that_was_ended_by_someone_fails_the_step(github, kestra, state):
    kestra.answers(state)

    assert not run(github, kestra).succeeded


def test_a_run_with_a_warning_passes_and_warns(github, kestra):
    kestra.answers("WARNING")

    outcome = run(github, kestra)

    assert outcome.succeeded
    assert [a["kind"] for a in outcome.annotations] == ["warning"]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "stream gives nothing"])
def test_each_line_is_shown_once(github, kestra, stream):
    kestra.answers(messages=["one", "two", "two"], stream=stream)

    outcome = run(github, kestra)

    assert re.findall(r"say: (\w+)", outcome.log) == ["one", "two", "two"]


def test_a_stream_that_breaks_is_taken_up_again(github, kestra):
    first = f"id: progress\ndata: {json.dumps(entry(0, 'one'))}\n\nid: prog"
    kestra.http.expect_oneshot_request(f"/api/v1/main/logs/{ID}/follow").respond_with_data(first)
    kestra.http.expect_oneshot_request(f"/api/v1/main/executions/{ID}").respond_with_data(
        "bad gateway", status=502
    )
    kestra.answers(messages=["one", "two"])

    outcome = run(github, kestra)

    assert outcome.succeeded
    assert re.findall(r"say: (\w+)", outcome.log) == ["one", "two"]


def test_a_line_of_the_log_cannot_give_commands_to_github(github, kestra):
    kestra.answers(messages=["first\n::error::gotcha", "::set-env name=PATH::/evil"])

    outcome = run(github, kestra)

    assert outcome.annotations == []
    assert "gotcha" in outcome.log


def test_inputs_may_be_lines_with_files(github, kestra):
    kestra.answers()
    (github.workspace / "data.csv").write_bytes(b"a;b\r\n\xff")

    run(github, kestra, inputs="who=Ann = Bo\nn = 3\ndoc=@data.csv")

    assert kestra.start.form.to_dict() == {"who": "Ann = Bo", "n": "3"}
    upload = kestra.start.files["doc"]
    assert (upload.filename, upload.read()) == ("data.csv", b"a;b\r\n\xff")
    upload.close()


def test_inputs_may_be_a_json_object(github, kestra):
    kestra.answers()

    run(github, kestra, inputs='{"who": "@ann", "n": 3, "on": true, "list": [1], "none": null}')

    form = kestra.start.form.to_dict()
    assert form == {"who": "@ann", "n": "3", "on": "true", "list": "[1]"}


def test_labels_and_revision_go_along(github, kestra):
    kestra.answers()

    run(github, kestra, labels="env:dev\nurl: http://a=b", revision="2")

    assert kestra.start.args.getlist("labels") == ["env:dev", "url:http://a=b"]
    assert kestra.start.args["revision"] == "2"


def test_without_wait_the_step_ends_at_once(github, kestra):
    kestra.answers("FAILED")

    outcome = run(github, kestra, wait="false")

    assert outcome.succeeded
    assert outcome.outputs["execution-state"] == "CREATED"
    assert len(kestra.http.log) == 1


def test_a_token_wins_over_user_and_password(github, kestra):
    kestra.answers()

    run(github, kestra, apiToken="hr_test_token", user="dev", password="secret")

    assert kestra.start.headers["Authorization"] == "Bearer hr_test_token"


def test_user_and_password_are_sent_as_basic(github, kestra):
    kestra.answers()

    run(github, kestra, user="dev", password="pä:ss")

    scheme, _, pair = kestra.start.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(pair).decode()) == ("Basic", "dev:pä:ss")


def test_what_the_server_refuses_is_said_with_its_findings(github, kestra):
    kestra.http.expect_request(START).respond_with_json(
        {
            "message": "Invalid entity: Missing required input:who",
            "_embedded": {"errors": [{"message": "must not be null", "path": "who"}]},
        },
        status=422,
    )

    outcome = run(github, kestra)

    assert not outcome.succeeded
    [annotation] = outcome.annotations
    assert "Missing required input:who; must not be null" in annotation["message"]


def test_a_busy_server_is_asked_again_with_the_same_key(github, kestra):
    kestra.http.expect_oneshot_request(START).respond_with_data("busy", status=503)
    kestra.answers()

    outcome = run(github, kestra)

    assert outcome.succeeded
    keys = [r.headers["Idempotency-Key"] for r, _ in kestra.http.log if r.method == "POST"]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_credentials_do_not_follow_a_redirect(github, kestra):
    kestra.http.expect_request(START).respond_with_data(
        "", status=302, headers={"Location": "http://elsewhere.example.org/"}
    )

    outcome = run(github, kestra, apiToken="hr_test_token")

    assert not outcome.succeeded
    assert "has moved to http://elsewhere.example.org/" in outcome.annotations[0]["message"]


@pytest.mark.timeout(60)
def test_a_server_that_does_not_answer_is_named(github):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        outcome = github.run(server=address, flow="company.team.hello")

    assert not outcome.succeeded
    assert f"{address} does not answer" in outcome.annotations[0]["message"]


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"flow": "hello"}, "flow: hello is no namespace.id"),
        ({"inputs": "nonsense"}, "inputs: 'nonsense' is no key=value"),
        ({"inputs": "{nonsense"}, "inputs: this is no JSON object"),
        ({"inputs": "doc=@nowhere.csv"}, "inputs: there is no file nowhere.csv"),
        ({"wait": "maybe"}, "wait: maybe is neither true nor false"),
        ({"server": "headrace"}, "server: headrace is no address"),
        ({"server": ""}, "the input `flow` needs the input `server`"),
        ({"delete": "true"}, "deploying (delete) is not available yet"),
        ({"resource": "template"}, "resource: template is not available yet"),
    ],
)
def test_a_wrong_input_is_named(github, kestra, inputs, sentence):
    outcome = github.run(
        **({"server": kestra.address, "flow": "company.team.hello", "inputs": ""} | inputs)
    )

    assert not outcome.succeeded
    assert sentence in outcome.annotations[0]["message"]
