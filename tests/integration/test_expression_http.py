"""`http()` in expressions against a real server on loopback."""

import pytest
from werkzeug import Response

from runner.expressions import Context, ExpressionError, render
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
