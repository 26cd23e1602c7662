"""HTTP answers as files and as streams of events."""

import pytest

from runner.plugin import TaskError
from runner.plugins.http import Download, Request, SseRequest, events_of
from tests.unit.plugins.rendering import a_context

STREAM = (
    ": hello\n\n"
    'id: 1\nevent: word\ndata: {"delta": "He"}\n\n'
    'data: {"delta": "llo"}\n\n'
    "data: two\ndata: lines\n\n"
)


@pytest.fixture
def ctx(tmp_path):
    return a_context(tmp_path)


def download(httpserver, ctx, path="/orders.csv", **fields):
    return Download.model_validate({"uri": httpserver.url_for(path), **fields}).run(ctx)


def test_an_answer_becomes_a_file_of_the_urls_kind(httpserver, ctx):
    httpserver.expect_request("/orders.csv").respond_with_data(b"\x00\x01", headers={"X-Y": "z"})

    outputs = download(httpserver, ctx)

    assert ctx.files.stored[outputs.uri] == b"\x00\x01"
    assert outputs.uri.endswith("download.csv")
    assert (outputs.code, outputs.length, outputs.headers["x-y"]) == (200, 2, ["z"])
    assert [(m.name, m.value) for m in ctx.metrics] == [("response.length", 2)]


@pytest.mark.parametrize(
    ("fields", "name"), [({}, "r é.pdf"), ({"saveAs": "../mine.pdf"}, "mine.pdf")]
)
def test_a_file_is_named_by_the_server_or_the_flow(fields, name, httpserver, ctx):
    httpserver.expect_request("/x").respond_with_data(
        "x", headers={"Content-Disposition": "attachment; filename*=UTF-8''..%2Fr%20%C3%A9.pdf"}
    )

    assert download(httpserver, ctx, "/x", **fields).uri.endswith(f"-{name}")


def test_an_empty_answer_fails_unless_it_may_be_empty(httpserver, ctx):
    httpserver.expect_request("/x").respond_with_data("")

    with pytest.raises(TaskError, match="No response from server"):
        download(httpserver, ctx, "/x")
    assert download(httpserver, ctx, "/x", failOnEmptyResponse=False).length == 0


def stream(httpserver, ctx, **fields):
    httpserver.expect_request("/s").respond_with_data(STREAM, content_type="text/event-stream")
    return SseRequest.model_validate({"uri": httpserver.url_for("/s"), **fields}).run(ctx)


def test_events_are_kept_with_their_data_read(httpserver, ctx):
    outputs = stream(httpserver, ctx)

    assert outputs.uri == httpserver.url_for("/s")
    assert outputs.events == list(events_of(STREAM.splitlines()))
    assert outputs.events == [
        {"id": "1", "name": "word", "data": {"delta": "He"}},
        {"data": {"delta": "llo"}},
        {"data": "two\nlines"},
    ]


def test_texts_of_events_are_joined(httpserver, ctx):
    outputs = stream(
        httpserver, ctx, concatJqExpression=".data.delta? // empty", failedOnMissingJq=False
    )

    assert (outputs.result, outputs.events) == ("Hello", None)


def test_an_event_without_the_text_is_a_failure(httpserver, ctx):
    with pytest.raises(TaskError, match="gives nothing"):
        stream(httpserver, ctx, concatJqExpression=".data.delta? // empty")


def test_an_answer_may_be_kept_encrypted(httpserver, ctx):
    httpserver.expect_request("/s").respond_with_data("secret")

    task = Request.model_validate({"uri": httpserver.url_for("/s"), "encryptBody": True})
    outputs = task.run(ctx)

    assert outputs.body is None
    assert outputs.encrypted_body["type"] == "io.kestra.datatype:aes_encrypted"
