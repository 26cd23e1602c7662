"""Faults that users of such runners met, as small cases of our own: each is asked of the product.

Those about clock changes are in tests/unit/scheduler, those about Git in tests/e2e/test_git.py, the
one about signatures in tests/unit/gitsync/test_webhooks.py.
"""

import base64
import json
import time
import urllib.request
from datetime import datetime
from itertools import pairwise

import psutil
import pytest
from click.testing import CliRunner

from runner.cli import main
from tests.services.headrace import Headrace, states_of

SECRET = '{\n  "k": [\n    "tok-93f2a7"\n  ]\n}'
SLEEP = "io.kestra.plugin.core.flow.Sleep"
PROCESS = "{type: io.kestra.plugin.core.runner.Process}"


@pytest.fixture(scope="module")
def headrace():
    secret = base64.b64encode(SECRET.encode()).decode()
    environment = {"HEADRACE_TASK_RUNNER__DEFAULT": "process", "SECRET_CONF": secret}
    with Headrace(environment=environment) as started:
        yield started


def wait(headrace, execution, *states):
    return headrace.wait_for(execution["id"], 30, states)


def wait_end(headrace, execution):
    return headrace.wait_for(execution["id"], 30)


def state(headrace, execution):
    return headrace.execution(execution["id"])["state"]["current"]


def moments(execution, task_id):
    """Return when a task began and ended."""
    (run,) = [run for run in execution["taskRunList"] if run["taskId"] == task_id]
    dates = [run["state"]["startDate"], run["state"]["endDate"]]
    return [datetime.fromisoformat(date) for date in dates]


# ── kill, concurrency ────────────────────────────────────────────────────────────────────────────


def test_a_queued_execution_that_is_killed_stays_killed(headrace):
    headrace.add_flow(
        "id: slow\nnamespace: field.kill\nconcurrency: {limit: 1}\n"
        "retry: {type: constant, interval: PT1S, maxAttempts: 3, "
        "behavior: CREATE_NEW_EXECUTION}\n"
        f"tasks: [{{id: wait, type: {SLEEP}, duration: PT5S}}]\n"
    )
    first, second, third = (headrace.start_flow("field.kill", "slow") for _ in range(3))
    wait(headrace, third, "QUEUED")

    headrace.call("DELETE", f"executions/{second['id']}/kill")
    killed = wait(headrace, second, "KILLED")
    time.sleep(2)

    assert not killed.get("taskRunList")
    assert [state(headrace, each) for each in (first, second, third)] == [
        "RUNNING",
        "KILLED",
        "QUEUED",
    ]
    assert wait_end(headrace, first)["state"]["current"] == "SUCCESS"
    third = wait_end(headrace, third)
    assert third["state"]["current"] == "SUCCESS"
    assert len(headrace.search(namespace="field.kill")) == 3
    assert moments(headrace.execution(first["id"]), "wait")[1] <= moments(third, "wait")[0]


@pytest.mark.parametrize(("behavior", "refused"), [("FAIL", "FAILED"), ("CANCEL", "CANCELLED")])
def test_refused_executions_hold_no_slot(behavior, refused, headrace):
    flow_id = f"two-{behavior.lower()}"
    headrace.add_flow(
        f"id: {flow_id}\nnamespace: field.conc\n"
        f"concurrency: {{limit: 2, behavior: {behavior}}}\n"
        f"tasks: [{{id: wait, type: {SLEEP}, duration: PT2S}}]\n"
    )
    started = [headrace.start_flow("field.conc", flow_id) for _ in range(5)]

    ended = [wait_end(headrace, each) for each in started]

    assert [each["state"]["current"] for each in ended] == ["SUCCESS"] * 2 + [refused] * 3
    assert [states_of(each) for each in ended[2:]] == [{}, {}, {}]


def test_a_slot_is_given_back_once_after_the_last_task(headrace):
    headrace.add_flow(
        "id: one\nnamespace: field.conc\nconcurrency: {limit: 1, behavior: QUEUE}\n"
        f"tasks: [{{id: work, type: {SLEEP}, duration: PT0.3S}}]\n"
        f"afterExecution: [{{id: last, type: {SLEEP}, duration: PT0.5S}}]\n"
    )
    started = [headrace.start_flow("field.conc", "one") for _ in range(3)]
    for each in started:
        assert wait_end(headrace, each)["state"]["current"] == "SUCCESS"
    until = time.monotonic() + 10
    while any("last" not in states_of(headrace.execution(e["id"])) for e in started):
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(1)

    ended = [headrace.execution(each["id"]) for each in started]
    ordered = sorted(ended, key=lambda each: moments(each, "work")[0])
    for before, after in pairwise(ordered):
        assert moments(before, "last")[1] <= moments(after, "work")[0]
    assert wait_end(headrace, headrace.start_flow("field.conc", "one"))


# ── inputs, parser ───────────────────────────────────────────────────────────────────────────────


def test_an_optional_input_with_a_validator_may_be_absent(headrace):
    headrace.add_flow(
        "id: since\nnamespace: field.inputs\n"
        "inputs: [{id: start_date, type: STRING, required: false, "
        "validator: '^\\d{4}-\\d{2}-\\d{2}$'}]\n"
        "tasks: [{id: t, type: io.kestra.plugin.core.debug.Return, "
        "format: \"{{ inputs.start_date ?? 'all' }}\"}]\n"
    )

    def value(inputs):
        ended = headrace.run("field.inputs", "since", inputs)
        return ended["taskRunList"][0]["outputs"]["value"]

    assert value({}) == "all"
    assert value({"start_date": "2026-01-02"}) == "2026-01-02"
    with pytest.raises(AssertionError, match=r"422.*start_date.*\\\\d\{4\}"):
        headrace.start_flow("field.inputs", "since", {"start_date": "yesterday"})


def test_the_same_file_twice_in_a_mapping_is_refused(tmp_path):
    flow = tmp_path / "dup.yaml"
    flow.write_text(
        "id: dup\nnamespace: field.parser\ntasks:\n  - id: ls\n"
        "    type: io.kestra.plugin.scripts.shell.Commands\n"
        "    inputFiles:\n      a.txt: one\n      a.txt: two\n    commands: [cat a.txt]\n"
    )

    done = CliRunner().invoke(main, ["validate", str(flow), "--json"])

    (problem,) = json.loads(done.output)[0]["problems"]
    assert done.exit_code == 1
    assert "Duplicate field 'a.txt'" in problem["message"]
    assert problem["line"] == 8


# ── scripts ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", ["timeout", "kill"])
def test_the_whole_process_tree_ends(end, headrace, tmp_path):
    child = tmp_path / "child"
    timeout = "    timeout: PT1S\n" if end == "timeout" else ""
    headrace.add_flow(
        f"id: tree-{end}\nnamespace: field.runner\ntasks:\n  - id: run\n"
        f"    type: io.kestra.plugin.scripts.shell.Commands\n    taskRunner: {PROCESS}\n{timeout}"
        f"    commands: [\"sh -c 'sleep 300 & echo $! > {child}; sleep 300'\"]\n"
    )
    execution = headrace.start_flow("field.runner", f"tree-{end}")
    until = time.monotonic() + 10
    while not (child.exists() and child.read_text().strip()):
        assert time.monotonic() < until
        time.sleep(0.02)
    if end == "kill":
        headrace.call("DELETE", f"executions/{execution['id']}/kill")

    ended = wait_end(headrace, execution)

    assert ended["state"]["current"] == {"timeout": "FAILED", "kill": "KILLED"}[end]
    assert not psutil.pid_exists(int(child.read_text()))
    if end == "timeout":
        assert any("Timeout" in line for line in headrace.lines(execution["id"]))


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────


def test_masking_hides_a_secret_and_does_not_shred_the_log(headrace):
    headrace.add_flow(
        "id: masked\nnamespace: field.logs\ntasks:\n  - id: run\n"
        "    type: io.kestra.plugin.scripts.shell.Commands\n"
        f"    taskRunner: {PROCESS}\n"
        "    env: {CONF: \"{{ secret('CONF') }}\"}\n"
        "    commands:\n"
        "      - 'echo \"{vsn,1},[x]\"'\n"
        "      - 'echo \"$CONF\"'\n"
        '      - \'echo "$CONF" | tr -d "\\n "\'\n'
        "      - 'echo'\n"
        "      - 'echo tok-93f2a7'\n"
    )

    ended = headrace.run("field.logs", "masked")
    lines = headrace.lines(ended["id"])

    assert ended["state"]["current"] == "SUCCESS"
    assert "{vsn,1},[x]" in lines
    assert "tok-93f2a7" not in json.dumps([lines, ended])
    shown = headrace.page(f"/executions/{ended['id']}") + download(headrace, ended["id"])
    assert "tok-93f2a7" not in shown


def download(headrace, execution_id):
    url = f"{headrace.url}/api/v1/main/logs/{execution_id}/download"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()
