"""What stands around the routes: proxies, the public address, limits, the server's options."""

import io

import pytest

from runner.errors import SettingsInvalid
from runner.services.principal import LOCAL
from tests.unit.runtimes import HELLO, a_runtime
from web.app import create_app
from web.context import KEY
from web.server import Server, serve

CREATE = "/api/v1/executions/company.team/hello"


@pytest.fixture
def made(tmp_path):
    """Make a client of an application with the given settings."""
    opened = []

    def make(**web):
        runtime = a_runtime(tmp_path / f"home{len(opened)}", web=web)
        opened.append(runtime)
        app = create_app(runtime, pages=False)
        app.extensions[KEY].services.flows.create(HELLO, by=LOCAL)
        return app.test_client()

    yield make
    for runtime in opened:
        runtime.store.close()


def test_links_go_where_the_request_went(made):
    answer = made().post(CREATE, headers={"Host": "127.0.0.1:8123"})

    assert answer.json["url"].startswith("http://127.0.0.1:8123/ui/")


def test_links_go_to_the_public_address(made):
    answer = made(public_url="https://flows.example.org/").post(CREATE)

    assert answer.json["url"].startswith("https://flows.example.org/ui/")


def test_pages_of_the_public_address_are_our_own(made):
    client = made(public_url="https://flows.example.org")

    assert client.post(CREATE, headers={"Origin": "https://flows.example.org"}).status_code == 200


def test_what_a_proxy_says_counts_only_if_it_is_trusted(made):
    said = {"X-Forwarded-Host": "localhost:9999", "X-Forwarded-Proto": "https"}

    assert made().post(CREATE, headers=said).json["url"].startswith("http://localhost/")
    trusting = made(trusted_proxies=1)
    assert trusting.post(CREATE, headers=said).json["url"].startswith("https://localhost:9999/")


def test_a_proxy_does_not_make_a_foreign_host_loopback(made):
    client = made(trusted_proxies=1)

    assert client.get("/ping", headers={"X-Forwarded-Host": "evil.example"}).status_code == 403


def test_uploads_have_a_limit_of_their_own(made):
    client = made(max_body_bytes=50, max_upload_bytes=100)

    fits = client.post(CREATE, data={"doc": (io.BytesIO(b"x" * 90), "a")})
    larger = client.post(CREATE, data={"doc": (io.BytesIO(b"x" * 150), "a")})

    assert fits.status_code == 200
    assert larger.status_code == 413


def test_the_server_refuses_a_socket_beyond_loopback_without_credentials(tmp_path):
    runtime = a_runtime(tmp_path / "home")

    class Listener:
        def getsockname(self):
            return "0.0.0.0", 80

    with pytest.raises(SettingsInvalid):
        serve(runtime, listener=Listener())
    runtime.store.close()


def test_gunicorn_is_told_what_we_want(tmp_path):
    runtime = a_runtime(tmp_path / "home", web={"threads": 17, "port": 8099})

    server = Server(create_app(runtime, pages=False), runtime.settings.web)

    assert server.cfg.worker_class_str == "gthread"
    assert server.cfg.threads == 17
    assert server.cfg.address == [("127.0.0.1", 8099)]
    assert server.cfg.forwarded_allow_ips == []
    runtime.store.close()
