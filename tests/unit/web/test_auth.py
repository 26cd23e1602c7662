import base64

import pytest

from runner.settings import PERMISSIONS
from web import auth
from web.auth import OPEN, PERMISSION, Tries
from web.refusals import TooManyTries

USER = ("dev@headrace.local", "Headrace1")
SEARCH = "/api/v1/executions/search"


@pytest.fixture
def client(protected, monkeypatch):
    monkeypatch.setattr(auth, "TRIES", Tries())
    return protected.test_client()


def test_every_route_declares_what_it_needs(whole_app):
    undeclared = [
        rule.rule
        for rule in whole_app.url_map.iter_rules()
        if not getattr(whole_app.view_functions[rule.endpoint], PERMISSION, None)
    ]

    assert undeclared == []


def test_tokens_can_be_given_what_routes_ask_for_and_nothing_else(whole_app):
    views = whole_app.view_functions.values()
    asked = {getattr(view, PERMISSION, None) for view in views} - {None, OPEN}

    assert asked == PERMISSIONS


def test_only_these_routes_are_open(app):
    opened = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], PERMISSION, None) == OPEN
        and (rule.rule.startswith(("/api/", "/hooks")))
    }

    assert opened == {
        "/api/v1/basicAuthValidationErrors",
        "/api/v1/configs",
        "/api/v1/executions/webhook/<namespace>/<flow_id>/<key>",
        "/api/v1/executions/webhook/<namespace>/<flow_id>/<key>/<path:rest>",
        "/api/v1/sources/<name>/push",
        "/hooks/git/<name>",
    }


def test_a_route_that_declares_nothing_is_closed(protected, client):
    @protected.get("/forgotten")
    def forgotten():
        return "secret"

    headers = {"Authorization": "Bearer hr_read_token"}
    assert client.get("/forgotten", headers=headers).status_code == 403
    assert client.get("/forgotten").status_code == 401


def test_the_user_and_the_tokens_get_in(client):
    encoded = base64.b64encode(b":".join(part.encode() for part in USER)).decode()

    assert client.get(SEARCH, auth=USER).status_code == 200
    for given in ("Bearer hr_test_token", "bearer hr_test_token", "hr_test_token"):
        assert client.get(SEARCH, headers={"Authorization": given}).status_code == 200
    client.set_cookie("BASIC_AUTH", encoded)
    assert client.get(SEARCH).status_code == 200


@pytest.mark.parametrize(
    "given", [None, "Bearer nope", "Basic !!!", "Basic bm9wZTpub3Bl", "nope", "Bearer "]
)
def test_everybody_else_does_not(client, given):
    headers = {"Authorization": given} if given else {}

    response = client.get(SEARCH, headers=headers)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic")
    assert response.json["message"].startswith("Unauthorized")


def test_the_login_page_makes_no_browser_ask(client):
    response = client.get(SEARCH, headers={"Referer": "http://localhost/ui/login"})

    assert "WWW-Authenticate" not in response.headers


def test_a_token_may_only_what_it_is_given(client):
    reader = {"Authorization": "Bearer hr_read_token"}

    assert client.get(SEARCH, headers=reader).status_code == 200
    refused = client.post("/api/v1/executions/a.b/c", headers=reader)
    assert refused.status_code == 403
    assert "executions:create" in refused.json["message"]


def test_without_credentials_configured_those_that_come_are_ignored(app):
    headers = {"Authorization": "Bearer whatever"}

    assert app.test_client().get(SEARCH, headers=headers).status_code == 200


def test_open_paths_need_nothing(client):
    for path in ("/ping", "/health", "/api/v1/configs", "/api/v1/main/configs"):
        assert client.get(path).status_code in (200, 503), path


def test_a_cookie_alone_changes_nothing(client):
    encoded = base64.b64encode(b":".join(part.encode() for part in USER)).decode()
    client.set_cookie("BASIC_AUTH", encoded)

    assert client.post("/api/v1/executions/a.b/c").status_code == 403
    own = {"Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/v1/executions/a.b/c", headers=own).status_code == 404


def test_guessing_passwords_is_stopped(client):
    for _ in range(10):
        assert client.get(SEARCH, auth=("dev@headrace.local", "x")).status_code == 401

    response = client.get(SEARCH, auth=USER)

    assert response.status_code == 429
    assert "Retry-After" in response.headers


def test_old_tries_are_forgotten():
    tries = Tries(most=1, seconds=0.0)
    tries.note("a")
    tries.check("a")

    strict = Tries(most=1)
    strict.note("a")
    with pytest.raises(TooManyTries):
        strict.check("a")
    strict.check("b")


def test_a_session_begins_with_the_password_and_ends_with_log_out(protected, client):
    @protected.post("/log-me-in")
    def log_me_in():
        from flask import request

        auth.log_in(request.form["username"], request.form["password"])
        return auth.csrf_token()

    protected.view_functions["log_me_in"].__permission__ = OPEN

    wrong = client.post("/log-me-in", data={"username": USER[0], "password": "x"})
    assert wrong.status_code == 401
    token = client.post("/log-me-in", data={"username": USER[0], "password": USER[1]}).text
    assert client.get(SEARCH).status_code == 200
    create = "/api/v1/executions/a.b/c"
    assert client.post(create).status_code == 403
    assert client.post(create, headers={"X-CSRF-Token": token}).status_code == 404
    assert client.post(create, headers={"X-CSRF-Token": "guess"}).status_code == 403
