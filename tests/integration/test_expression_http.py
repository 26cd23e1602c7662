"""`http()` in expressions against a real server on loopback."""

import contextlib
import socket
import threading
import time

import pytest
from werkzeug import Response

from runner.expressions import Context, ExpressionError, render
from runner.runtime import fetching
from runner.runtime.world import FlowWorld
from tests.unit.runtimes import a_runtime

LOOPBACK = ["127.0.0.1", "localhost"]


@pytest.fixture
def ask(tmp_path, httpserver):
    opened = []

    def ask(template, hosts=LOOPBACK):
        runtime = a_runtime(tmp_path / "home", expressions={"http_hosts": hosts})
        opened.append(runtime)
        variables = {"url": httpserver.url_for("/")}
        return render(template, Context(variables, FlowWorld(runtime, "company.team")))

    yield ask
    for runtime in opened:
        runtime.store.close()


def test_it_is_off_until_the_operator_names_hosts(ask):
    with pytest.raises(ExpressionError, match=r"expressions\.http_hosts"):
        ask("{{ http(url) }}", hosts=[])


def test_it_asks_the_hosts_that_are_named_and_no_others(ask, httpserver):
    httpserver.expect_request("/").respond_with_json({"state": "up"})

    assert ask("{{ http(url).state }}") == "up"
    assert ask("{{ http(url).state }}", hosts=["*"]) == "up"
    with pytest.raises(ExpressionError, match="may not ask"):
        ask("{{ http(url).state }}", hosts=["example.org"])


def test_a_redirect_is_judged_like_a_request(ask, httpserver):
    elsewhere = f"http://169.254.169.254:{httpserver.port}/secret"
    httpserver.expect_request("/").respond_with_response(
        Response(status=302, headers={"Location": elsewhere})
    )

    with pytest.raises(ExpressionError, match=r"may not ask 169\.254\.169\.254"):
        ask("{{ http(url) }}")


def test_redirects_are_followed_but_not_for_ever(ask, httpserver):
    away = Response(status=302, headers={"Location": "/there"})
    httpserver.expect_request("/").respond_with_response(away)
    httpserver.expect_oneshot_request("/there").respond_with_json([1])
    assert ask("{{ http(url) }}") == "[1]"

    httpserver.expect_request("/there").respond_with_response(away)
    with pytest.raises(ExpressionError, match="from place to place"):
        ask("{{ http(url) }}")


def test_query_headers_body_and_credentials_are_sent(ask, httpserver):
    httpserver.expect_request(
        "/",
        method="POST",
        query_string="q=x",
        json={"a": 1},
        headers={"X-One": "v", "Authorization": "Basic dTpw"},
    ).respond_with_json({"ok": True})

    asked = (
        "{{ http(uri=url, method='post', query={'q': 'x'}, body={'a': 1}, headers={'X-One': 'v'},"
        " options={'auth': {'type': 'BASIC', 'username': 'u', 'password': 'p'}}).ok }}"
    )
    assert ask(asked) == "true"


def test_a_status_of_an_error_is_one_unless_it_is_allowed(ask, httpserver):
    httpserver.expect_request("/").respond_with_data('"gone"', status=404)

    with pytest.raises(ExpressionError, match="the status 404"):
        ask("{{ http(url) ?? 'not caught' }}")
    assert ask("{{ http(url, options={'allowFailed': true}) }}") == "gone"


@pytest.mark.parametrize(
    ("options", "message"),
    [("{'proxy': 'x'}", "no option 'proxy'"), ("{'auth': {'type': 'DIGEST'}}", "BASIC or BEARER")],
)
def test_options_that_it_does_not_have_are_named(options, message, ask):
    with pytest.raises(ExpressionError, match=message):
        ask("{{ http(url, options=" + options + ") }}")


def test_an_answer_has_a_size(ask, httpserver):
    httpserver.expect_request("/").respond_with_data(b" " * (4 * 2**20 + 1))

    with pytest.raises(ExpressionError, match="more than 4194304 bytes"):
        ask("{{ http(url) }}")


@pytest.mark.parametrize("encoding", ["foo", "hex", "idna", "punycode", "undefined"])
def test_an_answer_in_no_encoding_of_texts_is_read_as_utf_8(ask, httpserver, encoding):
    answer = Response('"ü"'.encode(), content_type=f"text/plain; charset={encoding}")
    httpserver.expect_request("/").respond_with_response(answer)

    assert ask("{{ http(url) }}") == "ü"


@pytest.mark.parametrize(
    "arguments", ["headers={'x': 'é'}", "headers={'x': ['a']}", "method='é'", "options={1: 2}"]
)
def test_what_no_request_can_hold_is_an_error_of_the_expression(ask, arguments):
    with pytest.raises(ExpressionError):
        ask(f"{{{{ http(url, {arguments}) }}}}")


def test_headers_that_come_byte_by_byte_end_in_time(ask, monkeypatch):
    monkeypatch.setattr(fetching, "_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_drip, args=(server,), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        begun = time.monotonic()

        with pytest.raises(ExpressionError, match="does not answer"):
            ask(f"{{{{ http('{url}') }}}}")

    assert time.monotonic() - begun < 4


def _drip(server):
    client, _ = server.accept()
    with client, contextlib.suppress(OSError):
        client.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
        for _ in range(40):
            client.sendall(b"a")
            time.sleep(0.2)


def test_requests_that_never_end_are_no_more_than_some(ask, monkeypatch):
    monkeypatch.setattr(fetching, "_SECONDS", 1)
    monkeypatch.setattr(fetching, "_ROOM", threading.BoundedSemaphore(1))
    with fetching._ROOM, pytest.raises(ExpressionError, match="too many"):
        ask("{{ http(url) }}")
