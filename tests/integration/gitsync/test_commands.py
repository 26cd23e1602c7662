"""``headrace sync`` and ``headrace source`` as people and programs call them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import structlog
from click.testing import CliRunner

from gitsync.demo import demo_source
from gitsync.sync import sync_once
from runner.cli import main
from tests.integration.gitsync.conftest import a_flow
from tests.integration.gitsync.test_trouble import wait_until

HELLO = "_flows/hello.yaml"


@pytest.fixture
def repo(git_http, git_password, request):
    name = f"commands-{abs(hash(request.node.nodeid))}"
    return git_http.create(name, files={HELLO: a_flow("hello"), "_flows/bad.yaml": "id: ["})


@pytest.fixture
def headrace(tmp_path, repo, git_http):
    """Run a command over a fresh home; returns exit code and output."""
    config = tmp_path / "headrace.yaml"
    source = {
        "name": "team",
        "url": repo.url,
        "namespace": "company.team",
        "poll": "0.3s",
        "credentials": {
            "username": git_http.credentials.username,
            "password": "${GIT_PASSWORD}",
        },
    }
    config.write_text(json.dumps({"sources": [source]}))

    def run(*arguments):
        where = ["--home", str(tmp_path / "home"), "--config", str(config)]
        result = CliRunner().invoke(main, [*arguments, *where], catch_exceptions=False)
        return result.exit_code, result.stdout

    run.home, run.config = tmp_path / "home", config
    yield run
    structlog.reset_defaults()  # a command sets logging up for its process


def test_a_dry_run_in_a_fresh_home_prints_the_plan(headrace):
    code, out = headrace("sync", "--once", "--dry-run")

    assert code == 0
    assert "added     company.team/hello revision 1" in out
    assert "refused   _flows/bad.yaml" in out
    code, out = headrace("source", "list")
    assert "NEW" in out


def test_one_sync_and_what_the_sources_then_show(headrace, repo):
    code, out = headrace("sync", "--once", "--json")
    [outcome] = json.loads(out)
    assert code == 0
    assert outcome["plan"]["summary"] == {"added": 1, "refused": 1, "unchanged": 0}

    assert headrace("sync", "--once") == (0, "team: unchanged\n")
    shown = json.loads(headrace("source", "show", "team", "--json")[1])
    assert (shown["state"], shown["problems"]) == ("SYNCED", 1)
    assert shown["problemList"][0]["path"] == "_flows/bad.yaml"
    assert shown["commits"][0]["sha"] == repo.git("rev-parse", "HEAD")
    text = headrace("source", "show", "team")[1]
    assert "_flows/bad.yaml:" in text


def test_one_source_may_be_synced_by_name(headrace, repo):
    headrace("sync", "--once")
    repo.push({HELLO: a_flow("hello", "description: new\n")})

    code, out = headrace("source", "sync", "team")

    assert code == 0
    assert "changed   company.team/hello revision 2" in out
    assert headrace("source", "sync", "none")[0] == 1


def test_a_source_that_cannot_be_synced_is_exit_code_one(headrace, monkeypatch):
    monkeypatch.setenv("GIT_PASSWORD", "wrong")

    code, out = headrace("sync", "--once")

    assert code == 1
    assert "Authentication failed" in out


def test_the_process_polls_reads_settings_again_and_ends_when_told(headrace, repo):
    headrace("sync", "--once")
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1"}
    command = [sys.executable, "-c", "from runner.cli import main; main()", "sync"]
    process = subprocess.Popen(
        [*command, "--home", str(headrace.home), "--config", str(headrace.config)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        repo.push({HELLO: a_flow("hello", "description: new\n")})
        wait_until(lambda: _is_up(process) and _revision(headrace) == 2, 30)
        settings = json.loads(headrace.config.read_text())
        settings["sources"][0]["name"] = "renamed"
        headrace.config.write_text(json.dumps(settings))
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "SYNCED" in headrace("source", "list")[1], 10)
        begun = time.monotonic()
        process.terminate()
        assert process.wait(timeout=10) == 0, process.stderr.read().decode()
        assert time.monotonic() - begun < 8
    finally:
        process.kill()
        process.communicate()


def _is_up(process):
    assert process.poll() is None, process.stderr.read().decode()
    return True


def _revision(headrace):
    from runner.store import open_store

    store = open_store(f"sqlite:///{headrace.home}/headrace.db")
    try:
        with store.read() as tx:
            return tx.flows.get("company.team", "hello").revision
    finally:
        store.close()


def test_a_home_with_a_demo_and_no_sources_is_about_the_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    demo_source(tmp_path / "home")

    result = CliRunner().invoke(main, ["sync", "--once", "--home", "home"])
    structlog.reset_defaults()

    assert result.exit_code == 0
    assert "added     demo/hello revision 1" in result.stdout


def test_the_demo_is_an_ordinary_repository_whose_flows_are_valid(bench, tmp_path):
    source = demo_source(tmp_path)
    assert demo_source(tmp_path) == source

    [outcome] = sync_once(bench.world, [source])

    assert outcome.state == "SYNCED"
    assert [str(refusal) for refusal in outcome.plan.refused] == []
    flows = bench.flows("git:demo")
    assert {"hello", "pipeline", "script", "fails", "every_minute", "on_push"} == set(flows)
    assert all(row.is_active for row in flows.values())
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", source.url, clone], check=True)
    assert (clone / "_files" / "data" / "cities.txt").exists()
