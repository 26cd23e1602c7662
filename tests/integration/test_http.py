"""HTTP tasks against a real server on loopback."""

import socket
import threading
import time
from contextlib import closing

import pytest
from werkzeug import Response

from runner.plugin import TaskError, TaskStopped
from runner.plugins.http import Request
from runner.testing import FakeRunContext


@pytest.fixture
def ctx(tmp_path):
    return FakeRunContext(tmp_path, files={"kestra:///a/data.csv": b"1,2"})


@pytest.fixture
def ask(httpserver, ctx):
    def ask(path="/", **properties):
        return Request.model_validate({"uri": httpserver.url_for(path), **properties}).run(ctx)

    return ask


def test_the_answer_is_text_with_code_and_headers(httpserver, ask):
    httpserver.expect_request("/x", query_string={"a": "1"}).respond_with_data(
        '{"ok": true}', headers={"X-Two": "2"}
    )
    answer = ask("/x", params={"a": "1"})
    assert (answer.code, answer.body) == (200, '{"ok": true}')
    assert answer.headers["X-Two"] == answer.headers["x-two"] == ["2"]
    assert answer.uri.endswith("/x?a=1")


def test_a_list_repeats_its_parameter_beside_those_of_the_uri(httpserver, ask):
    httpserver.expect_request("/x", query_string="z=9&a=1&a=2").respond_with_data("yes")
    assert ask("/x?z=9", params={"a": ["1", "2"]}).body == "yes"


def test_a_number_is_no_parameter(httpserver, ask):
    with pytest.raises(TaskError, match="Unsupported param type"):
        ask("/x", params={"a": 1})


def test_a_body_is_sent_as_json_by_default(httpserver, ask):
    httpserver.expect_request(
        "/",
        method="POST",
        data='{"é": 1}',
        headers={"Content-Type": "application/json; charset=UTF-8"},
    ).respond_with_data("got")
    assert ask(method="POST", body='{"é": 1}').body == "got"


def test_a_form_is_url_encoded(httpserver, ask):
    httpserver.expect_request(
        "/",
        method="POST",
        data="a=1&b=x+y",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ).respond_with_data("got")
    assert ask(method="POST", formData={"a": 1, "b": "x y"}).body == "got"


def test_a_multipart_form_sends_files(httpserver, ask):
    def handle(request):
        files = {name: (file.filename, file.read()) for name, file in request.files.items()}
        assert request.form["note"] == "hi"
        assert files == {"a": ("data.csv", b"1,2"), "b": ("other.csv", b"1,2")}
        return Response("got")

    httpserver.expect_request("/", method="POST").respond_with_handler(handle)
    form = {
        "note": "hi",
        "a": "kestra:///a/data.csv",
        "b": {"name": "other.csv", "content": "kestra:///a/data.csv"},
    }
    answer = ask(method="POST", formData=form, contentType="multipart/form-data")
    httpserver.check_assertions()
    assert answer.body == "got"


def test_a_bad_status_is_a_failure_with_its_body(httpserver, ask):
    httpserver.expect_request("/").respond_with_data("nothing here", status=404)
    with pytest.raises(TaskError, match=r"(?s)response code '404' and body:\nnothing here"):
        ask()


def test_a_bad_status_may_be_allowed(httpserver, ask):
    httpserver.expect_request("/").respond_with_data("no", status=404)
    assert ask(options={"allowFailed": True}).code == 404
    assert ask(options={"allowedResponseCodes": [404]}).code == 404
    with pytest.raises(TaskError):
        ask(options={"allowedResponseCodes": [200], "allowFailed": True})


def test_redirects_are_followed_unless_told_otherwise(httpserver, ask):
    httpserver.expect_request("/a").respond_with_data("", 302, headers={"Location": "/b"})
    httpserver.expect_request("/b").respond_with_data("there")
    assert ask("/a").body == "there"
    assert ask("/a", options={"followRedirects": False}).code == 302


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"type": "BASIC", "username": "u", "password": "p"}, "Basic dTpw"),
        ({"type": "BEARER", "token": "t0ken"}, "Bearer t0ken"),
    ],
)
def test_credentials_are_sent(httpserver, ask, auth, expected):
    httpserver.expect_request("/", headers={"Authorization": expected}).respond_with_data("in")
    assert ask(options={"auth": auth}).body == "in"


def test_digest_needs_both_names(httpserver, ask):
    with pytest.raises(TaskError, match="requires both"):
        ask(options={"auth": {"type": "DIGEST", "username": "u"}})


def test_bytes_that_are_no_text_are_refused(httpserver, ask):
    httpserver.expect_request("/").respond_with_data(
        "\U000e0fff".encode(), content_type="text/plain"
    )
    with pytest.raises(TaskError, match="Download"):
        ask()


def test_a_server_that_is_not_there_is_a_failure(tmp_path):
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(TaskError, match="GET http"):
            Request.model_validate({"uri": uri}).run(FakeRunContext(tmp_path))


def test_a_kill_ends_the_wait_for_an_answer(ctx):
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        threading.Timer(0.3, ctx.stop).start()
        started = time.monotonic()
        with pytest.raises(TaskStopped):
            Request.model_validate({"uri": uri}).run(ctx)
        assert time.monotonic() - started < 3


def test_blanks_in_queries_become_percent_twenty(httpserver, ask):
    httpserver.expect_request("/x").respond_with_data("yes")

    assert ask("/x?z=a b", params={"q": "c d", "e": "é&"}).uri.endswith(
        "/x?z=a%20b&q=c%20d&e=%C3%A9%26"
    )


def test_a_text_is_sent_with_its_charset(httpserver, ask):
    httpserver.expect_request("/").respond_with_handler(
        lambda request: Response(request.headers["Content-Type"])
    )

    assert (
        ask(method="POST", body="é", contentType="text/plain").body == "text/plain; charset=UTF-8"
    )
    written = "text/plain; charset=ISO-8859-1"
    assert ask(method="POST", body="e", contentType=written).body == written
    assert ask().body == "application/json"
    assert ask(headers={"content-type": "text/xml"}).body == "text/xml"


def test_the_url_is_the_one_that_was_asked(httpserver, ask):
    away = Response(status=302, headers={"Location": "/there"})
    httpserver.expect_request("/here").respond_with_response(away)
    httpserver.expect_request("/there").respond_with_data("yes")

    assert ask("/here").uri.endswith("/here")
