"""A page of another origin in the same browser can neither read nor change anything."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.services.browser import launch

ATTACK = """
<!doctype html><title>elsewhere</title>
<form id="form" method="post" enctype="text/plain" target="frame"></form>
<iframe name="frame" id="frame"></iframe>
<script>
async function attempt(act) {
  try { return await act(); } catch (error) { return "refused: " + error.name; }
}
async function readings(server) {
  const paths = ["/api/v1/main/executions/search", "/api/v1/main/flows/search", "/health",
                 "/api/v1/configs", "/"];
  return Promise.all(paths.map(path => attempt(async () => {
    const answer = await fetch(server + path);
    return "read: " + (await answer.text()).slice(0, 80);
  })));
}
async function changes(server) {
  const start = server + "/api/v1/main/executions/company.team/hello";
  const hook = server + "/api/v1/main/executions/webhook/company.team/hooked/s3cret";
  await attempt(() => fetch(start, {method: "POST", mode: "no-cors"}));
  await attempt(() => fetch(start, {method: "POST", mode: "cors"}));
  await attempt(() => fetch(hook, {mode: "no-cors"}));
  await attempt(() => fetch(hook, {method: "POST", mode: "no-cors", body: "x"}));
  await attempt(() => fetch(server + "/api/v1/main/flows/company.team/hello",
                            {method: "DELETE"}));
  await attempt(() => navigator.sendBeacon(start, "x"));
  for (const address of [hook, hook + "?img"]) {
    await new Promise(done => {
      const image = new Image();
      image.onload = image.onerror = done;
      image.src = address;
    });
  }
  await new Promise(done => {
    const script = document.createElement("script");
    script.onload = script.onerror = done;
    script.src = hook + "?script";
    document.head.append(script);
  });
  await new Promise(done => {
    const stream = new EventSource(server + "/api/v1/main/executions/x/follow");
    stream.onerror = () => { stream.close(); done(); };
  });
  const form = document.getElementById("form");
  for (const action of [start, hook]) {
    form.action = action;
    const loaded = new Promise(done => {
      document.getElementById("frame").onload = done;
      setTimeout(done, 2000);
    });
    form.submit();
    await loaded;
  }
  return "done";
}
</script>
"""


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(ATTACK.encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere():
    """A web server of somebody else; returns its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def tab(playwright):
    """A tab of a browser that resolves every name to this machine, as an attacker can make it."""
    browser = launch(playwright, "--host-resolver-rules=MAP * 127.0.0.1")
    yield browser.new_page()
    browser.close()


@pytest.mark.parametrize("origin", ["http://localhost", "http://127.0.0.1", "http://evil.example"])
def test_another_origin_reads_nothing(headrace, elsewhere, tab, origin):
    tab.goto(f"{origin}:{elsewhere}/")

    for server in (headrace.url, f"http://localhost:{headrace.port}"):
        found = tab.evaluate("server => readings(server)", server)
        assert [each for each in found if not each.startswith("refused")] == []


@pytest.mark.parametrize("origin", ["http://localhost", "http://127.0.0.1", "http://evil.example"])
def test_another_origin_changes_nothing(headrace, elsewhere, tab, origin):
    before = len(headrace.search())
    tab.goto(f"{origin}:{elsewhere}/")

    for server in (headrace.url, f"http://localhost:{headrace.port}"):
        assert tab.evaluate("server => changes(server)", server) == "done"

    assert len(headrace.search()) == before
    assert headrace.call("GET", "flows/company.team/hello")["id"] == "hello"


def test_a_link_to_a_webhook_starts_nothing(headrace, elsewhere, tab):
    before = len(headrace.search())
    tab.goto(f"http://evil.example:{elsewhere}/")
    hook = f"{headrace.url}/api/v1/main/executions/webhook/company.team/hooked/s3cret"

    with tab.expect_navigation():
        tab.evaluate("address => { location.href = address }", hook)

    assert "refused" in tab.content()
    assert len(headrace.search()) == before


def test_a_foreign_name_that_leads_here_is_refused(headrace, tab):
    answer = tab.goto(f"http://evil.example:{headrace.port}/api/v1/main/flows/search")

    assert answer.status == 403
    assert "company.team" not in tab.content()


def test_our_own_pages_may(headrace, tab):
    tab.goto(f"{headrace.url}/ping")

    started = tab.evaluate(
        "() => fetch('/api/v1/main/executions/company.team/hello', {method: 'POST'})"
        ".then(answer => answer.status)"
    )

    assert started == 200
