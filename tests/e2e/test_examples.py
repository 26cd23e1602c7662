"""Every flow of examples/ comes from Git as its settings file says, runs, and ends as it should."""

import json
import os
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.e2e.test_git import wait_until
from tests.services.git import GitServer
from tests.services.headrace import PROGRAM, Headrace, states_of
from tests.services.ports import LOOPBACK

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SETTINGS = yaml.safe_load((EXAMPLES / "headrace.yaml").read_text())
GREETING = "examples/ci-python/project/greeting.py"
KEY = "example-key"


@pytest.fixture(scope="module")
def repository(git_http: GitServer):
    """A repository with what is tracked below examples/."""
    names = ["git", "ls-files", "--", "examples"]
    listed = subprocess.run(names, cwd=ROOT, check=True, capture_output=True, text=True)
    files = {name: (ROOT / name).read_bytes() for name in listed.stdout.split()}
    return git_http.create("examples", files=files)


@pytest.fixture(scope="module")
def headrace(repository):
    """Headrace with the sources of examples/headrace.yaml, read from that repository."""
    credentials = {"username": repository.credentials.username, "password": "${GIT_PASSWORD}"}
    more = {"url": repository.url, "poll": "300ms", "credentials": credentials}
    sources = [{**source, **more, "allow_local": False} for source in SETTINGS["sources"]]
    environment = {"GIT_PASSWORD": repository.credentials.password}
    with Headrace({"sources": sources}, environment=environment) as headrace:
        yield headrace


def outputs_of(execution):
    return execution.get("outputs") or {}


def test_every_example_is_valid_and_has_a_source():
    done = subprocess.run(
        [PROGRAM, "validate", "examples"], cwd=ROOT, capture_output=True, text=True
    )
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}

    assert "all valid" in done.stdout, done.stdout
    assert {source["name"] for source in SETTINGS["sources"]} == folders
    assert {path.parent.name for path in EXAMPLES.glob("*/README.md")} == folders


def test_etl_loads_a_days_orders_and_skips_an_empty_day(headrace):
    full = headrace.run("company.sales", "daily_sales")
    empty = headrace.run("company.sales", "daily_sales", {"day": "2026-04-01"})

    assert full["state"]["current"] == "SUCCESS"
    assert outputs_of(full) == {"orders": 4, "revenue": 220.0}
    assert "2026-03-02 PT 3950" in headrace.lines(full["id"])
    assert states_of(empty)["load"] == "SKIPPED"
    assert outputs_of(empty) == {"orders": 0, "revenue": 0.0}


def test_fan_out_counts_each_file_and_adds_up(headrace):
    execution = headrace.run("company.letters", "count_words")

    assert outputs_of(execution) == {"letters": 3, "words": 33}
    assert states_of(execution)["count/letters/ada.txt"] == "SUCCESS"


@pytest.mark.parametrize(("approved", "decision"), [("true", "publish"), ("false", "withdraw")])
def test_approval_waits_for_a_person(headrace, approved, decision):
    execution = headrace.start_flow("company.releases", "release")
    headrace.wait_for(execution["id"], states=("PAUSED",))
    body = f'--b\r\nContent-Disposition: form-data; name="approved"\r\n\r\n{approved}\r\n--b--\r\n'
    headrace.call(
        "POST",
        f"executions/{execution['id']}/resume",
        body.encode(),
        "multipart/form-data; boundary=b",
    )
    execution = headrace.wait_for(execution["id"])

    assert execution["state"]["current"] == "SUCCESS"
    assert states_of(execution)[decision] == "SUCCESS"
    assert outputs_of(execution) == {"published": approved == "true"}


class Flaky(ThreadingHTTPServer):
    """A service that is broken for its first *failures* calls."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0
        super().__init__((LOOPBACK, 0), _Answers)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return super().__enter__()

    def __exit__(self, *problem) -> None:
        self.shutdown()
        super().__exit__(*problem)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/rates"


class _Answers(BaseHTTPRequestHandler):
    server: Flaky

    def do_GET(self) -> None:
        self.server.calls += 1
        self.send_response(503 if self.server.calls <= self.server.failures else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _alerted(headrace, service):
    hook = f"{headrace.url}/api/v1/main/executions/webhook/company.rates/alert/{KEY}"
    return {"url": service.url, "alert_url": hook}


def test_retries_bear_a_service_that_fails_for_a_while(headrace):
    with Flaky(failures=2) as service:
        inputs = _alerted(headrace, service)
        execution = headrace.run("company.rates", "fetch_rates", inputs)

    assert execution["state"]["current"] == "SUCCESS"
    assert service.calls == 3


def test_a_service_that_stays_broken_alerts_somebody(headrace):
    with Flaky(failures=99) as service:
        inputs = _alerted(headrace, service)
        execution = headrace.run("company.rates", "fetch_rates", inputs)
    (alert,) = headrace.wait_for_one(flowId="alert")

    assert execution["state"]["current"] == "FAILED"
    assert service.calls == 4
    assert states_of(execution) == {"fetch": "FAILED", "notify": "SUCCESS"}
    assert headrace.lines(alert["id"]) == [
        f"company.rates.fetch_rates is broken at fetch: see execution {execution['id']}"
    ]


def test_a_flow_calls_a_library_of_flows(headrace):
    execution = headrace.run("company.library.reports", "publish")
    children = [e["flowId"] for e in headrace.search(namespace="company.library")]

    assert execution["state"]["current"] == "SUCCESS"
    assert len(outputs_of(execution)["sha256"]) == 64
    assert {"compress", "checksum"} <= set(children)


def test_a_backfill_writes_the_reports_of_past_days(headrace):
    backfill = {
        "start": "2026-03-02T00:00:00Z",
        "end": "2026-03-04T12:00:00Z",
        "labels": [{"key": "made", "value": "up"}],
    }
    trigger = {"namespace": "company.reports", "flowId": "daily_report"}
    body = {**trigger, "triggerId": "every_morning", "backfill": backfill}
    headrace.call("PUT", "triggers", json.dumps(body).encode())
    reports = headrace.wait_for_one(3, flowId="daily_report", labels="made:up")
    visits = {outputs_of(r)["day"]: outputs_of(r)["visits"] for r in reports}

    assert visits == {"2026-03-01": 430, "2026-03-02": 445, "2026-03-03": 301}
    assert headrace.call("GET", "namespaces/company.reports/kv/report-2026-03-02")["value"] == 445


def test_a_report_by_hand_is_of_the_day_before(headrace):
    execution = headrace.run("company.reports", "daily_report")
    started = datetime.fromisoformat(execution["state"]["startDate"]).astimezone(UTC)

    day = (started - timedelta(days=1)).date().isoformat()
    assert outputs_of(execution) == {"day": day, "visits": 0}


def test_a_webhook_is_answered_with_what_its_flow_gave(headrace):
    def call(event, **order):
        body = json.dumps({"event": event, "order": order}).encode()
        return headrace.call("POST", f"executions/webhook/company.shop/router/{KEY}", body)

    created = call("order.created", id=7, lines=[{"price": 2.5, "count": 4}])
    cancelled = call("order.cancelled", id=7)
    unknown = call("order.eaten")

    assert created == {"event": "order.created", "total": 10.0}
    assert cancelled == {"event": "order.cancelled", "total": 0.0}
    assert unknown == {"event": "order.eaten", "total": 0.0}


def test_a_push_is_checked_and_one_that_breaks_it_is_blamed(headrace, repository):
    wait_until(lambda: headrace.source("ci-python")["head"])
    working = (ROOT / GREETING).read_text()
    good_sha = repository.push({GREETING: working + "\n# pushed\n"}, "Touch the project")
    (good,) = headrace.wait_for_one(flowId="ci", timeout=60)
    bad_sha = repository.push({GREETING: working.replace("Hello", "Bye")}, "Break the project")
    bad, _ = headrace.wait_for_one(2, flowId="ci", timeout=60)

    assert good["state"]["current"] == "SUCCESS"
    assert outputs_of(good)["commit"] == good_sha
    assert "Hello, world!" in headrace.lines(good["id"])
    assert bad["state"]["current"] == "FAILED"
    assert states_of(bad)["test"] == "FAILED"
    assert any(line.endswith(f"with {bad_sha}") for line in headrace.lines(bad["id"]))


def test_the_gate_lets_good_data_through_and_keeps_bad_data_out(headrace):
    good = headrace.run("company.quality", "gate")
    bad = headrace.run("company.quality", "gate", {"batch": "bad"})
    tolerated = headrace.run("company.quality", "gate", {"batch": "bad", "tolerated": 3})

    assert good["state"]["current"] == "SUCCESS"
    assert outputs_of(good) == {"published": 2}
    assert bad["state"]["current"] == "FAILED"
    assert states_of(bad) == {"check": "SUCCESS", "gate": "FAILED", "quarantine": "SUCCESS"}
    assert "row 3: id is there twice" in headrace.lines(bad["id"])
    assert tolerated["state"]["current"] == "SUCCESS"


def test_the_cleanup_removes_only_what_is_old(headrace, tmp_path):
    old, new = tmp_path / "old file.txt", tmp_path / "new.txt"
    for path in (old, new):
        path.write_text("x")
    month = time.time() - 40 * 86400
    os.utime(old, (month, month))

    dry = headrace.run("company.housekeeping", "cleanup", {"folder": tmp_path, "dry_run": "true"})
    assert states_of(dry)["remove"] == "SKIPPED"
    assert old.exists()

    execution = headrace.run("company.housekeeping", "cleanup", {"folder": tmp_path})
    assert outputs_of(execution) == {"old": 1}
    assert states_of(execution)["left"] == "SUCCESS"
    assert [path.name for path in tmp_path.iterdir()] == ["new.txt"]
