"""Git in: pushes, ticks, calls and ends of runs start flows; what is wrong holds up nothing."""

import time
from contextlib import contextmanager

import pytest

from tests.services.git import GitServer
from tests.services.headrace import Headrace, states_of

LOG = "io.kestra.plugin.core.log.Log"
NAMESPACE = "company.team"


def flow(flow_id: str, message: str = "hello", more: str = "", namespace: str = NAMESPACE) -> str:
    return (
        f"id: {flow_id}\nnamespace: {namespace}\n{more}"
        f"tasks:\n  - id: say\n    type: {LOG}\n    message: {message!r}\n"
    )


COMMIT = "triggers:\n  - id: pushed\n    type: io.headrace.trigger.Commit\n    branches: [main]\n"


@contextmanager
def synced(repository, **more):
    """Headrace with one source that is polled often."""
    credentials = {"username": repository.credentials.username, "password": "${GIT_PASSWORD}"}
    source = {"name": "team", "url": repository.url, "namespace": NAMESPACE, "poll": "300ms"}
    source["credentials"] = credentials
    environment = {"GIT_PASSWORD": repository.credentials.password}
    with Headrace({"sources": [{**source, **more}]}, environment=environment) as headrace:
        yield headrace


def wait_until(claim, seconds: float = 15):
    """Wait until the claim gives something true, and return it."""
    end = time.monotonic() + seconds
    while not (found := claim()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
    return found


def revision_of(headrace: Headrace, flow_id: str) -> int | None:
    if headrace.status(f"/api/v1/main/flows/{NAMESPACE}/{flow_id}") != 200:
        return None
    return headrace.call("GET", f"flows/{NAMESPACE}/{flow_id}")["revision"]


def test_a_push_starts_its_flow_at_exactly_that_commit(git_http: GitServer):
    repository = git_http.create("push", files={"_flows/a.yaml": flow("a")})
    with synced(repository) as headrace:
        sha = repository.push({"_flows/b.yaml": flow("b", more=COMMIT)}, "Bring b")
        pushed_at = time.monotonic()
        (execution,) = headrace.wait_for_one(flowId="b")

        assert time.monotonic() - pushed_at < 3
        assert states_of(execution) == {"say": "SUCCESS"}
        assert execution["trigger"]["variables"]["sha"] == sha
        assert headrace.search(flowId="a") == []  # the baseline fires nothing


def test_a_cron_flow_fires_on_time(git_http: GitServer):
    each_second = (
        "triggers:\n  - id: tick\n    type: io.kestra.plugin.core.trigger.Schedule\n"
        "    withSeconds: true\n    cron: '* * * * * *'\n"
    )
    repository = git_http.create("cron", files={"_flows/tick.yaml": flow("tick", more=each_second)})
    with synced(repository) as headrace:
        found = wait_until(lambda: (f := headrace.search(flowId="tick")) and len(f) >= 3 and f)
        dates = sorted({execution["trigger"]["variables"]["date"] for execution in found})

        assert len(dates) == len(found)  # one execution a date


def test_a_webhook_starts_its_flow(git_http: GitServer):
    hook = (
        "triggers:\n  - id: hook\n    type: io.kestra.plugin.core.trigger.Webhook\n"
        "    key: abcdef\n"
    )
    repository = git_http.create(
        "hook", files={"_flows/h.yaml": flow("h", "{{ trigger.body.x }}", hook)}
    )
    with synced(repository) as headrace:
        answer = headrace.call(
            "POST", f"executions/webhook/{NAMESPACE}/h/abcdef", b'{"x": "from outside"}'
        )
        execution = headrace.wait_for(answer["id"])

        assert execution["state"]["current"] == "SUCCESS"
        assert "from outside" in headrace.lines(answer["id"])
        assert headrace.status(f"/api/v1/main/executions/webhook/{NAMESPACE}/h/wrong") == 404


def test_the_end_of_one_flow_starts_another(git_http: GitServer):
    after = (
        "triggers:\n  - id: after\n    type: io.kestra.plugin.core.trigger.Flow\n    conditions:\n"
        "      - type: io.kestra.plugin.core.condition.ExecutionFlow\n"
        f"        namespace: {NAMESPACE}\n        flowId: first\n"
    )
    files = {"_flows/first.yaml": flow("first"), "_flows/second.yaml": flow("second", more=after)}
    repository = git_http.create("after", files=files)
    with synced(repository) as headrace:
        first = headrace.run(NAMESPACE, "first")
        (second,) = headrace.wait_for_one(flowId="second")

        assert second["trigger"]["variables"]["executionId"] == first["id"]


def test_a_broken_flow_shows_its_line_and_leaves_the_others_live(git_http: GitServer):
    repository = git_http.create(
        "broken", files={"_flows/good.yaml": flow("good"), "_flows/bad.yaml": flow("bad")}
    )
    with synced(repository) as headrace:
        assert revision_of(headrace, "bad") == 1
        broken = flow("bad").replace("message:", "mesage:")
        repository.push(
            {"_flows/good.yaml": flow("good", "new"), "_flows/bad.yaml": broken}, "Break one"
        )
        wait_until(lambda: revision_of(headrace, "good") == 2)

        assert revision_of(headrace, "bad") == 1  # the last good one stays
        assert headrace.run(NAMESPACE, "bad")["state"]["current"] == "SUCCESS"
        page = headrace.page("/sources/team")
        assert "_flows/bad.yaml:6:5" in page
        assert "mesage" in page


def test_a_force_push_loses_no_history(git_http: GitServer):
    repository = git_http.create("force", files={"_flows/a.yaml": flow("a")})
    with synced(repository) as headrace:
        old = repository.push({"_flows/a.yaml": flow("a", "old", COMMIT)}, "Old")
        (first,) = headrace.wait_for_one(flowId="a")
        repository.git("reset", "--hard", "HEAD~1")
        new = repository.push({"_flows/a.yaml": flow("a", "new", COMMIT)}, "New", force=True)
        found = headrace.wait_for_one(2, flowId="a")

        assert {execution["trigger"]["variables"]["sha"] for execution in found} == {old, new}
        assert headrace.execution(first["id"])["state"]["current"] == "SUCCESS"
        replayed = headrace.call("POST", f"executions/{first['id']}/replay")
        headrace.wait_for(replayed["id"])
        assert "old" in headrace.lines(replayed["id"])  # its revision, its commit


def test_a_commit_of_files_alone_is_what_the_next_run_sees(git_http: GitServer):
    script = (
        f"id: reads\nnamespace: {NAMESPACE}\ntasks:\n  - id: cat\n"
        "    type: io.kestra.plugin.scripts.shell.Commands\n"
        "    taskRunner: {type: io.kestra.plugin.core.runner.Process}\n"
        "    namespaceFiles: {enabled: true}\n    commands: [cat data.txt]\n"
    )
    files = {"_flows/reads.yaml": script, "_files/data.txt": "one\n"}
    repository = git_http.create("files", files=files)
    with synced(repository) as headrace:
        first = headrace.run(NAMESPACE, "reads")
        assert "one" in headrace.lines(first["id"])
        sha = repository.push({"_files/data.txt": "two\n"}, "Only data")
        wait_until(lambda: headrace.source("team")["head"] == sha)
        second = headrace.run(NAMESPACE, "reads")

        assert "two" in headrace.lines(second["id"])
        assert revision_of(headrace, "reads") == 1
        again = headrace.call("POST", f"executions/{first['id']}/replay")
        headrace.wait_for(again["id"])
        assert "one" in headrace.lines(again["id"])  # pinned to its commit


def test_a_file_that_git_has_no_more_is_gone_and_history_still_has_it(git_http: GitServer):
    lists = (
        f"id: use\nnamespace: {NAMESPACE}\ntasks:\n  - id: ls\n"
        "    type: io.kestra.plugin.scripts.shell.Commands\n"
        "    taskRunner: {type: io.kestra.plugin.core.runner.Process}\n"
        "    namespaceFiles: {enabled: true}\n    commands: ['ls lib']\n"
    )
    files = {"_flows/use.yaml": lists, "_files/lib/a.py": "1\n", "_files/lib/b.py": "2\n"}
    repository = git_http.create("gone", files=files)
    with synced(repository) as headrace:

        def seen(execution):
            names = [line for line in headrace.lines(execution["id"]) if line.endswith(".py")]
            return sorted("\n".join(names).split())

        def listed():
            path = f"namespaces/{NAMESPACE}/files/directory?path=/lib"
            return sorted(each["fileName"] for each in headrace.call("GET", path))

        def run_at(sha):
            wait_until(lambda: headrace.source("team")["head"] == sha)
            execution = headrace.run(NAMESPACE, "use")
            return execution, (seen(execution), listed())

        first, both = run_at(repository.git("rev-parse", "HEAD"))
        _, one = run_at(repository.push({"_files/lib/b.py": None}, "Drop b"))
        _, other = run_at(
            repository.push({"_files/lib/a.py": None, "_files/lib/A.py": "1\n"}, "Shout")
        )
        again = headrace.call("POST", f"executions/{first['id']}/replay")
        headrace.wait_for(again["id"])

        assert both == (["a.py", "b.py"], ["a.py", "b.py"])
        assert one == (["a.py"], ["a.py"])
        assert other == (["A.py"], ["A.py"])
        assert seen(again) == ["a.py", "b.py"]


PIN = (
    f"id: pin\nnamespace: {NAMESPACE}\ntasks:\n"
    "  - {id: a, type: io.kestra.plugin.core.flow.Pause}\n"
    "  - {id: b, type: io.kestra.plugin.core.debug.Return, format: \"old {{ read('v.txt') }}\"}\n"
)


def paused_run(headrace: Headrace, flow_id: str):
    return headrace.wait_for(headrace.start_flow(NAMESPACE, flow_id)["id"], 30, ("PAUSED",))


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_a_run_keeps_the_commit_that_it_began_with(git_http: GitServer, change):
    new = PIN.replace("old", "new") + f"  - {{id: c, type: {LOG}, message: c}}\n"
    repository = git_http.create(
        f"pin-{change}", files={"_flows/pin.yaml": PIN, "_files/v.txt": "1"}
    )
    with synced(repository) as headrace:
        began_at = repository.git("rev-parse", "HEAD")
        started = paused_run(headrace, "pin")
        text = new if change == "edit" else None
        sha = repository.push({"_flows/pin.yaml": text, "_files/v.txt": "2"}, "Go on")
        wait_until(lambda: headrace.source("team")["head"] == sha)
        headrace.call("POST", f"executions/{started['id']}/actions/resume")
        first = headrace.wait_for(started["id"])

        assert states_of(first) == {"a": "SUCCESS", "b": "SUCCESS"}
        assert first["taskRunList"][1]["outputs"] == {"value": "old 1"}
        assert first["headrace"]["commit"] == began_at
        assert began_at[:7] in headrace.page(f"/executions/{started['id']}")
        if change == "edit":
            again = paused_run(headrace, "pin")
            headrace.call("POST", f"executions/{again['id']}/actions/resume")
            second = headrace.wait_for(again["id"])
            assert second["taskRunList"][1]["outputs"] == {"value": "new 2"}
            assert states_of(second)["c"] == "SUCCESS"


@pytest.mark.parametrize("trouble", ["unreachable", "empty", "slow"])
def test_a_troubled_repository_delays_no_other(git_http: GitServer, trouble):
    good = git_http.create(f"good-{trouble}", files={"_flows/a.yaml": flow("a")})
    other = git_http.create(
        f"bad-{trouble}", files=None if trouble == "empty" else {"_flows/z.yaml": flow("z")}
    )
    credentials = {"username": good.credentials.username, "password": "${GIT_PASSWORD}"}
    url = "http://127.0.0.1:9/nothing.git" if trouble == "unreachable" else other.url
    if trouble == "slow":
        other.delay_seconds = 30
    sources = [
        {
            "name": "bad",
            "url": url,
            "namespace": "bad",
            "poll": "300ms",
            "credentials": credentials,
            "timeout": "5s",
        },
        {
            "name": "team",
            "url": good.url,
            "namespace": NAMESPACE,
            "poll": "300ms",
            "credentials": credentials,
        },
    ]
    environment = {"GIT_PASSWORD": good.credentials.password}
    with Headrace({"sources": sources}, environment=environment) as headrace:
        good.push({"_flows/a.yaml": flow("a", "pushed", COMMIT)}, "Go")
        started = time.monotonic()
        headrace.wait_for_one(flowId="a")

        assert time.monotonic() - started < 4
        other.delay_seconds = 0
