import pytest

from runner.errors import SettingsInvalid
from runner.services.principal import LOCAL
from runner.settings import WebSettings
from tests.unit.runtimes import HELLO, HOOKED
from web.security import check_may_listen, is_loopback

CREATE = "/api/v1/executions/company.team/hello"
HOOK = "/api/v1/executions/webhook/company.team/hooked/s3cret"


@pytest.fixture
def stocked(client, services):
    services.flows.create(HELLO, by=LOCAL)
    services.flows.create(HOOKED, by=LOCAL)
    return client


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.8.9.1", "[::1]:80", "a.localhost"],
)
def test_loopback_hosts_are_served(stocked, host):
    assert stocked.get("/api/v1/executions/search", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "0.0.0.0"],
)
@pytest.mark.parametrize("path", ["/api/v1/executions/search", "/health", HOOK])
def test_a_foreign_host_is_refused_without_credentials(stocked, host, path):
    assert stocked.get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/api/v1/executions/search", HOOK, "/health", "/api/v1/configs"])
def test_what_a_browser_says_comes_from_elsewhere_is_refused(stocked, site, path):
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}

    assert stocked.get(path, headers=headers).status_code == 403


def test_a_webhook_cannot_be_called_by_a_link_of_another_page(stocked, services):
    headers = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }

    assert stocked.get(HOOK, headers=headers).status_code == 403
    assert stocked.get("/ui/main/flows", headers=headers).status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_unsafe_requests_of_other_origins_change_nothing(stocked, headers):
    assert stocked.post(CREATE, headers=headers).status_code == 403
    found = stocked.get("/api/v1/executions/search").json
    assert found["total"] == 0


def test_a_webhook_called_from_another_page_of_an_old_browser_is_refused(stocked):
    assert stocked.get(HOOK, headers={"Referer": "http://evil.example/x"}).status_code == 403


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}]
)
def test_our_own_pages_and_programs_may(stocked, headers):
    assert stocked.post(CREATE, headers=headers).status_code == 200


def test_a_git_host_may_call_a_webhook(stocked):
    assert stocked.post(HOOK, data=b"{}").status_code == 200


def test_with_credentials_any_host_is_served_but_strangers_change_nothing(protected):
    client = protected.test_client()
    auth = ("dev@headrace.local", "Headrace1")
    host = {"Host": "headrace.example"}

    assert client.get("/api/v1/executions/search", headers=host, auth=auth).status_code == 200
    foreign = {**host, "Origin": "http://evil.example"}
    assert client.post(CREATE, headers=foreign, auth=auth).status_code == 403


def test_a_token_is_no_browsers_doing_so_its_origin_does_not_matter(protected):
    headers = {"Origin": "http://app.example", "Authorization": "Bearer hr_test_token"}

    assert protected.test_client().post(CREATE, headers=headers).status_code == 404


def test_every_answer_has_its_headers(client):
    response = client.get("/api/v1/configs")

    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in response.headers


def test_pages_have_a_policy_with_a_nonce(app):
    @app.get("/a-page")
    def page():
        return "<p>"

    app.view_functions["page"].__permission__ = "open"
    policies = {
        app.test_client().get("/a-page").headers["Content-Security-Policy"] for _ in range(2)
    }

    assert len(policies) == 2
    assert all("frame-ancestors 'none'" in policy for policy in policies)
    assert all("unsafe" not in policy for policy in policies)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "headrace.example"])
def test_no_server_beyond_loopback_without_credentials(host):
    with pytest.raises(SettingsInvalid):
        check_may_listen(WebSettings(host=host))

    check_may_listen(WebSettings(host=host, username="a", password="${P}"))


def test_what_is_loopback():
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("127.evil.example")
    assert not is_loopback("")
