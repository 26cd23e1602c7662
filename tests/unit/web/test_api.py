import io
import json
import zipfile

import pytest

from runner.services.principal import LOCAL
from tests.unit.runtimes import BROKEN, HELLO, HOOKED, PAUSING, drive_all

YAML = "application/x-yaml"
FLOWS = "/api/v1/main/flows"
EXECUTIONS = "/api/v1/main/executions"


@pytest.fixture
def stocked(client, services):
    for source in (HELLO, BROKEN, PAUSING, HOOKED):
        services.flows.create(source, by=LOCAL)
    return client


def run(client, runtime, flow_id="hello", **request):
    made = client.post(f"{EXECUTIONS}/company.team/{flow_id}", **request)
    assert made.status_code == 200, made.text
    drive_all(runtime, made.json["id"])
    return made.json["id"]


# ── flows ────────────────────────────────────────────────────────────────────────────────────────


def test_the_life_of_a_flow(client):
    made = client.post(FLOWS, data=HELLO, content_type=YAML)
    assert (made.status_code, made.json["revision"], made.json["source"]) == (200, 1, HELLO)
    again = client.post(FLOWS, data=HELLO, content_type=YAML)
    assert again.status_code == 422
    assert "already exists" in again.json["message"]

    path = f"{FLOWS}/company.team/hello"
    assert "source" not in client.get(path).json
    assert client.get(f"{path}?source=true").json["source"] == HELLO
    put = client.put(path, data=HELLO + "description: two\n", content_type=YAML)
    assert put.json["revision"] == 2
    assert [each["revision"] for each in client.get(f"{path}/revisions").json] == [1, 2]

    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get(f"{path}?allowDeleted=true").json["deleted"] is True


def test_a_body_without_type_and_json_are_flows_too(client):
    assert client.post(FLOWS, data=HELLO).status_code == 200
    as_json = json.dumps(
        {
            "id": "obj",
            "namespace": "company.team",
            "tasks": [
                {"id": "r", "type": "io.kestra.plugin.core.debug.Return", "format": "{{ flow.id }}"}
            ],
        }
    )
    made = client.post(FLOWS, data=as_json, content_type="application/json")
    assert made.json["source"] == as_json


def test_a_bad_flow_tells_all_with_path_and_line(client):
    bad = client.post(FLOWS, data="id: x\nnamespace: a.b\ntasks: []\n", content_type=YAML)

    assert bad.status_code == 422
    assert bad.json["message"].startswith("Invalid entity: ")
    assert bad.json["_embedded"]["errors"][0]["path"]
    assert bad.json["problems"][0]["line"] >= 1


def test_validation_speaks_of_each_document(client):
    found = client.post(
        f"{FLOWS}/validate", data=f"{HELLO}\n---\nid: bad\n", content_type=YAML
    ).json

    assert "constraints" not in found[0]
    assert found[1]["index"] == 1
    assert "constraints" in found[1]


def test_hints_of_validation_are_in_the_words_that_clients_look_for(client):
    old = "io.kestra.core.tasks.flows.Sequential"
    flow = (
        "id: a\nnamespace: b\nrevision: 3\ntasks:\n"
        f"  - {{id: s, type: {old}, timeout: PT1S, tasks: [{{id: e, type: core.debug.Echo}}]}}\n"
    )

    (found,) = client.post(f"{FLOWS}/validate", data=flow, content_type=YAML).json

    assert found["infos"] == [f"{old} is replaced by io.kestra.plugin.core.flow.Sequential"]
    assert found["deprecationPaths"] == ["tasks[0].tasks[0]"]
    assert found["outdated"] is True
    assert found["warnings"] == [
        "The task 's' cannot use the 'timeout' property as it's only relevant for runnable tasks."
    ]


def test_flows_are_searched_without_their_text(stocked):
    page = stocked.get(f"{FLOWS}/search?size=2&sort=id:desc").json

    assert page["total"] == 4
    assert [each["id"] for each in page["results"]] == ["pausing", "hooked"]
    assert all("source" not in each for each in page["results"])
    labelled = stocked.get(f"{FLOWS}/search?filters[labels][EQUALS][team]=data").json
    assert [each["id"] for each in labelled["results"]] == ["hello"]


def test_many_flows_of_a_namespace_at_once(client):
    both = f"{HELLO}\n---\n{BROKEN}"

    stored = client.post("/api/v1/flows/company.team?delete=false", data=both, content_type=YAML)
    assert sorted(each["id"] for each in stored.json) == ["broken", "hello"]
    less = client.post("/api/v1/flows/company.team", data=HELLO, content_type=YAML)
    assert [(each["id"], each["deleted"]) for each in less.json] == [
        ("broken", True),
        ("hello", False),
    ]
    foreign = client.post("/api/v1/flows/other", data=HELLO, content_type=YAML)
    assert foreign.status_code == 422
    assert "namespace" in foreign.json["message"]


def test_export_and_import_bring_flows_back(stocked):
    archive = stocked.post(
        f"{FLOWS}/export/by-ids", json=[{"id": "hello", "namespace": "company.team"}]
    )
    assert archive.data[:2] == b"PK"
    stocked.delete(f"{FLOWS}/company.team/hello")

    failed = stocked.post(
        f"{FLOWS}/import", data={"fileUpload": (io.BytesIO(archive.data), "flows.yml")}
    )

    assert failed.json == []
    assert stocked.get(f"{FLOWS}/company.team/hello?source=true").json["source"] == HELLO


# ── executions ───────────────────────────────────────────────────────────────────────────────────


def test_an_execution_needs_no_body(stocked, runtime):
    execution_id = run(stocked, runtime)

    shown = stocked.get(f"{EXECUTIONS}/{execution_id}").json
    assert shown["state"]["current"] == "SUCCESS"
    assert shown["outputs"] == {"greeting": "bob"}
    assert [each["taskId"] for each in shown["taskRunList"]] == ["say", "ret"]
    assert "url" not in shown


def test_inputs_come_as_form_parts_and_files(stocked, runtime):
    form = {"who": "ann", "n": "3", "doc": (io.BytesIO(b"x,y\n1,2\n"), "a.csv", "text/csv")}
    execution_id = run(stocked, runtime, data=form)

    shown = stocked.get(f"{EXECUTIONS}/{execution_id}").json
    assert shown["inputs"]["n"] == 3
    uri = shown["inputs"]["doc"]
    content = stocked.get(f"{EXECUTIONS}/{execution_id}/file?path={uri}")
    assert content.data == b"x,y\n1,2\n"
    assert "attachment" in content.headers["Content-Disposition"]
    metas = stocked.get(f"{EXECUTIONS}/{execution_id}/file/metas?path={uri}")
    assert metas.json == {"size": 8}
    preview = stocked.get(f"{EXECUTIONS}/{execution_id}/file/preview?path={uri}").json
    assert preview["content"] == [{"x": "1", "y": "2"}]


def test_the_old_form_of_files_works(stocked, runtime):
    execution_id = run(stocked, runtime, data={"files": (io.BytesIO(b"x"), "doc")})

    assert stocked.get(f"{EXECUTIONS}/{execution_id}").json["inputs"]["doc"].endswith("/doc")


def test_an_empty_file_field_is_no_input(stocked, runtime):
    execution_id = run(stocked, runtime, data={"doc": (io.BytesIO(b""), "")})

    assert stocked.get(f"{EXECUTIONS}/{execution_id}").json["inputs"]["doc"] is None


def test_creation_answers_what_clients_look_for(stocked):
    made = stocked.post(f"{EXECUTIONS}/company.team/hello?labels=env:dev:eu").json

    assert made["state"]["current"] == "CREATED"
    assert made["url"].endswith(f"/ui/main/executions/company.team/hello/{made['id']}")
    assert {"key": "env", "value": "dev:eu"} in made["labels"]
    for query, text in (
        ("labels=nocolon", "key:value"),
        ("labels=system.x:1", "System labels can only be set by"),
        ("kind=ODD", "ODD"),
        ("scheduleDate=soon", "soon"),
    ):
        refused = stocked.post(f"{EXECUTIONS}/company.team/hello?{query}")
        assert refused.status_code in (400, 422)
        assert text in refused.json["message"]


def test_wrong_inputs_are_named(stocked):
    wrong = stocked.post(f"{EXECUTIONS}/company.team/hello", data={"n": "many"})
    missing = stocked.get(f"{EXECUTIONS}/nope")

    assert wrong.status_code == 422
    assert wrong.json["message"].startswith("Invalid entity: ")
    assert "n" in wrong.json["message"]
    assert missing.status_code == 404


def test_the_old_path_and_the_one_without_tenant_start_too(stocked):
    for path in (
        f"{EXECUTIONS}/trigger/company.team/hello",
        "/api/v1/executions/company.team/hello",
        "/api/v1/executions/company.team/hello/",
    ):
        assert stocked.post(path).status_code == 200


def test_an_idempotency_key_starts_one(stocked):
    headers = {"Idempotency-Key": "k1"}

    ids = {
        stocked.post(f"{EXECUTIONS}/company.team/hello", headers=headers).json["id"]
        for _ in range(3)
    }

    assert len(ids) == 1
    assert stocked.get(f"{EXECUTIONS}/search").json["total"] == 1


def test_an_idempotency_key_of_another_request_is_refused(stocked, runtime):
    def start(key="k1", path="company.team/hello", **data):
        headers = {"Idempotency-Key": key}
        return stocked.post(f"{EXECUTIONS}/{path}", headers=headers, data=data)

    def a_file(content):
        return {"doc": (io.BytesIO(content), "a.csv"), "who": "ada"}

    first = start(**a_file(b"x")).json["id"]

    assert start(**a_file(b"x")).json["id"] == first
    others = [
        start(**a_file(b"y")),
        start(who="bob"),
        start(path="company.team/hello?labels=env:dev", **a_file(b"x")),
        start(path="company.team/broken"),
        start(path=f"{first}/replay"),
    ]
    assert [other.status_code for other in others] == [422] * 5
    assert all(first in other.json["message"] for other in others)
    assert {other.json["code"] for other in others} == {"key_reused"}
    assert stocked.get(f"{EXECUTIONS}/search").json["total"] == 1

    drive_all(runtime, first)
    replayed = start("k2", f"{first}/replay").json["id"]
    assert start("k2", f"{first}/replay").json["id"] == replayed
    assert start("k2", f"{first}/replay?revision=1").status_code == 422


def test_breakpoints_stop_and_let_go_on(stocked, runtime):
    made = run(stocked, runtime, "hello?breakpoints=say,ret")
    path = f"{EXECUTIONS}/{made}"

    stopped = stocked.get(path).json
    assert stopped["state"]["current"] == "BREAKPOINT"
    assert stopped["breakpoints"] == [{"id": "say"}, {"id": "ret"}]
    assert stocked.post(f"{path}/resume").status_code == 409
    assert stocked.post(f"{path}/resume-from-breakpoint?breakpoints=x").status_code == 422
    assert stocked.post(f"{path}/resume-from-breakpoint").status_code == 204
    drive_all(runtime, made)
    assert stocked.get(path).json["state"]["current"] == "BREAKPOINT"
    answer = stocked.post(f"{path}/actions/resume-from-breakpoint?breakpoints=")
    assert (answer.status_code, answer.json["id"]) == (200, made)
    drive_all(runtime, made)
    done = stocked.get(path).json
    assert done["state"]["current"] == "SUCCESS"
    assert "breakpoints" not in done

    again = stocked.post(f"{path}/resume-from-breakpoint")
    assert again.status_code == 409
    assert again.json["message"] == "Illegal state: Execution is not suspended"
    refused = stocked.post(f"{EXECUTIONS}/company.team/hello?breakpoints=nope.x")
    assert refused.status_code == 422
    assert "nope" in refused.json["message"]

    last = done["taskRunList"][-1]["id"]
    replay = stocked.post(f"{path}/replay?taskRunId={last}&breakpoints=ret").json
    drive_all(runtime, replay["id"])
    assert stocked.get(f"{EXECUTIONS}/{replay['id']}").json["state"]["current"] == "BREAKPOINT"


def test_search_pages_and_filters(stocked, runtime):
    first = run(stocked, runtime)
    runtime.clock.move(seconds=1)
    second = run(stocked, runtime, "broken")

    page = stocked.get(f"{EXECUTIONS}/search?size=1").json
    assert (page["total"], page["results"][0]["id"]) == (2, second)
    page = stocked.get(f"{EXECUTIONS}/search?size=1&page=2").json
    assert page["results"][0]["id"] == first
    page = stocked.get(f"{EXECUTIONS}/search?page=9").json
    assert (page["results"], page["total"]) == ([], 2)
    failed = stocked.get(f"{EXECUTIONS}/search?filters[state][IN]=FAILED").json
    assert [each["id"] for each in failed["results"]] == [second]
    by_flow = stocked.get(f"{EXECUTIONS}/search?sort=flowId:desc").json
    assert [each["flowId"] for each in by_flow["results"]] == ["hello", "broken"]
    assert stocked.get(f"{EXECUTIONS}/search?size=0").status_code == 422
    assert stocked.get(f"{EXECUTIONS}/search?sort=nope").status_code == 422
    assert stocked.get(f"{EXECUTIONS}/search?filters[nope][EQUALS]=1").status_code == 400
    assert stocked.get(EXECUTIONS).status_code == 400


def test_actions_answer_by_the_generation_of_their_path(stocked, runtime):
    old = run(stocked, runtime, "pausing")
    assert stocked.post(f"{EXECUTIONS}/{old}/resume", data={"reason": "go"}).status_code == 204
    new = run(stocked, runtime, "pausing")
    answer = stocked.post(f"{EXECUTIONS}/{new}/actions/resume", data={"reason": "go"})
    assert (answer.status_code, answer.json["id"]) == (200, new)

    drive_all(runtime, old)
    again = stocked.post(f"{EXECUTIONS}/{old}/resume", data={"reason": "go"})
    assert again.status_code == 409
    assert "is not paused" in again.json["message"]


def test_kill_is_accepted(stocked):
    made = stocked.post(f"{EXECUTIONS}/company.team/hello").json

    killed = stocked.delete(f"{EXECUTIONS}/{made['id']}/kill", headers={"Accept": "text/json"})

    assert killed.status_code == 202


def test_replay_and_restart_over_the_api(stocked, runtime):
    failed = run(stocked, runtime, "broken")
    runs = stocked.get(f"{EXECUTIONS}/{failed}").json["taskRunList"]

    replayed = stocked.post(f"{EXECUTIONS}/{failed}/replay?taskRunId={runs[1]['id']}").json
    assert replayed["parentId"] == failed
    assert replayed["state"]["current"] == "RESTARTED"
    restarted = stocked.post(f"{EXECUTIONS}/{failed}/restart").json
    assert restarted["id"] == failed
    nothing = run(stocked, runtime)
    assert stocked.post(f"{EXECUTIONS}/{nothing}/restart").status_code == 422


def test_a_status_can_be_changed_by_hand(stocked, runtime):
    failed = run(stocked, runtime, "broken")

    changed = stocked.post(f"{EXECUTIONS}/{failed}/change-status?status=SUCCESS")

    assert changed.json["state"]["current"] == "SUCCESS"
    assert stocked.post(f"{EXECUTIONS}/{failed}/change-status?status=RUNNING").status_code == 422


def test_expressions_can_be_tried(stocked, runtime):
    execution_id = run(stocked, runtime)
    path = f"{EXECUTIONS}/{execution_id}/eval"

    assert stocked.post(path, data="{{ outputs.ret.value }}").json == {"result": "bob"}
    assert "error" in stocked.post(path, data="{{ nope }}").json


def test_bulk_by_ids_is_all_or_nothing(stocked, runtime):
    done = run(stocked, runtime)

    refused = stocked.delete(f"{EXECUTIONS}/by-ids", json=[done, "nope"])
    assert refused.status_code == 400
    assert refused.json["message"] == "invalid bulk delete"
    assert refused.json["invalids"][0]["invalidValue"] == "nope"
    assert stocked.delete(f"{EXECUTIONS}/by-ids", json=[done]).json["count"] == 1
    assert stocked.get(f"{EXECUTIONS}/{done}").status_code == 404


def test_bulk_by_query_takes_what_fits(stocked, runtime):
    run(stocked, runtime, "broken")
    run(stocked, runtime)

    answer = stocked.post(f"{EXECUTIONS}/restart/by-query?filters[flowId][EQUALS]=broken").json

    assert answer["count"] == answer["totalItems"] == 1


def test_what_is_not_built_says_so(stocked, runtime):
    execution_id = run(stocked, runtime)

    for method, path in (
        ("GET", f"{EXECUTIONS}/{execution_id}/follow-dependencies"),
        ("GET", "/api/v1/main/dashboards"),
    ):
        response = stocked.open(path, method=method)
        assert response.status_code == 501, path
        assert "not available yet" in response.json["message"]


# ── following, logs ──────────────────────────────────────────────────────────────────────────────


def frames(response):
    return [
        dict(line.split(": ", 1) for line in block.splitlines())
        for block in response.text.split("\n\n")
        if block and not block.startswith(":")
    ]


def test_following_a_finished_execution_gives_start_and_end(stocked, runtime):
    execution_id = run(stocked, runtime)

    response = stocked.get(f"{EXECUTIONS}/{execution_id}/follow")

    found = frames(response)
    assert [frame["id"] for frame in found] == ["start", "end"]
    assert json.loads(found[0]["data"])["id"] == execution_id
    assert "event:" not in response.text
    assert response.headers["Cache-Control"] == "no-cache"
    assert stocked.get(f"{EXECUTIONS}/nope/follow").status_code == 404


def test_a_log_is_listed_downloaded_searched_and_followed(stocked, runtime):
    execution_id = run(stocked, runtime)

    listed = stocked.get(f"/api/v1/main/logs/{execution_id}?minLevel=INFO").json
    assert [line["message"] for line in listed] == ["hi bob"]
    assert "INFO hi bob" in stocked.get(f"/api/v1/logs/{execution_id}/download").text
    found = stocked.get("/api/v1/main/logs/search?size=5&minLevel=INFO").json
    assert (found["total"], found["type"]) == (1, "OFFSET")
    followed = frames(stocked.get(f"/api/v1/main/logs/{execution_id}/follow?minLevel=INFO"))
    assert [frame["id"] for frame in followed] == ["start", "progress", "end"]
    assert stocked.get("/api/v1/logs/nope/download").status_code == 404
    assert stocked.get(f"/api/v1/logs/{execution_id}?minLevel=LOUD").status_code == 400


def test_outputs_are_a_resource_of_their_own(stocked, runtime):
    execution_id = run(stocked, runtime)

    (info,) = [
        each
        for each in stocked.get(f"/api/v1/main/outputs/tasks/{execution_id}").json
        if each["taskId"] == "ret"
    ]
    path = f"/api/v1/main/outputs/tasks/{execution_id}/{info['taskRunId']}"
    assert stocked.get(path).json == {"value": "bob"}
    whole = stocked.get(f"/api/v1/main/outputs/executions/{execution_id}").json
    assert whole == {"greeting": "bob"}
    metrics = stocked.get(f"/api/v1/main/metrics/{execution_id}?sort=name").json
    assert metrics["total"] == len(metrics["results"]) == 2
    assert {each["taskId"] for each in metrics["results"]} == {"ret"}
    assert all(isinstance(each["value"], float) for each in metrics["results"])


# ── webhooks, triggers ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_webhook_answers_with_the_execution(stocked, method):
    answer = stocked.open(
        "/api/v1/executions/webhook/company.team/hooked/s3cret?x=1",
        method=method,
        data=b'{"ref": "main"}',
        content_type="application/json",
    )

    assert answer.status_code == 200
    variables = answer.json["trigger"]["variables"]
    assert variables["body"] == {"ref": "main"}
    assert variables["parameters"] == {"x": ["1"]}
    assert variables["headers"]["content-type"] == ["application/json"]
    assert answer.json["url"]


@pytest.mark.parametrize("tail", ["nope", "s3cret/", "s3cret/more"])
def test_a_webhook_with_another_path_is_not_found(stocked, tail):
    path = f"/api/v1/executions/webhook/company.team/hooked/{tail}"

    assert stocked.post(path).status_code == 404


def test_triggers_are_listed_for_both_generations_and_switched(stocked):
    (row,) = stocked.get("/api/v1/main/triggers/search").json["results"]
    assert row["triggerContext"] == row["state"]
    assert row["abstractTrigger"]["id"] == row["trigger"]["id"] == "hook"
    assert row["state"]["date"]

    off = stocked.put(
        "/api/v1/main/triggers/set-disabled",
        json={
            "namespace": "company.team",
            "flowId": "hooked",
            "triggerId": "hook",
            "disabled": True,
        },
    )
    assert off.json["disabled"] is True
    unlock = stocked.post("/api/v1/main/triggers/company.team/hooked/hook/unlock")
    assert unlock.status_code == 409


def test_triggers_are_restarted_unlocked_and_forgotten(client, services):
    services.flows.create(TIMED, by=LOCAL)
    triggers = "/api/v1/main/triggers"

    restarted = client.post(f"{triggers}/company.team/timed/cron/restart")
    assert restarted.json["triggerId"] == "cron"
    assert client.post(f"{triggers}/unlock/by-triggers", json=[CRON]).json["count"] == 0
    assert client.post(f"{triggers}/unlock/by-query").json["count"] == 0
    assert client.delete(f"{triggers}/company.team/timed/cron").status_code == 204
    assert client.delete(f"{triggers}/company.team/timed/cron").status_code == 404
    assert client.delete(f"{triggers}/delete/by-triggers", json=[CRON]).status_code == 404
    assert client.delete(f"{triggers}/delete/by-query").json["count"] == 0


TIMED = """\
id: timed
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hi}
triggers:
  - {id: cron, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 * * * *"}
"""
CRON = {"namespace": "company.team", "flowId": "timed", "triggerId": "cron"}
BACKFILLS = "/api/v1/main/triggers/backfill"


def test_a_backfill_is_made_paused_continued_and_ended(client, services):
    services.flows.create(TIMED, by=LOCAL)
    order = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T03:00:00Z", "inputs": {"a": 1}}

    made = client.put(f"{BACKFILLS}/create", json={**CRON, "backfill": order})
    paused = client.put(f"{BACKFILLS}/pause", json=CRON)
    going_on = client.put(f"{BACKFILLS}/unpause", json=made.json)
    ended = client.post(f"{BACKFILLS}/delete", json=CRON)

    assert made.json["backfill"]["end"] == "2026-01-01T03:00:00.000Z"
    assert made.json["backfill"]["inputs"] == {"a": 1}
    assert [each.json["backfill"]["paused"] for each in (paused, going_on)] == [True, False]
    assert "backfill" not in ended.json
    assert client.put(f"{BACKFILLS}/pause", json=CRON).status_code == 409


@pytest.mark.parametrize("order", [{}, {"start": "soon"}, {"start": "2099-01-01T00:00:00Z"}])
def test_a_backfill_needs_a_start_in_the_past(order, client, services):
    services.flows.create(TIMED, by=LOCAL)

    assert client.put(f"{BACKFILLS}/create", json={**CRON, "backfill": order}).status_code == 422


def test_backfills_are_stepped_in_bulk(client, services):
    services.flows.create(TIMED, by=LOCAL)
    start = {"start": "2026-01-01T00:00:00Z"}
    client.put("/api/v1/main/triggers", json={**CRON, "backfill": start})

    assert client.post(f"{BACKFILLS}/pause/by-triggers", json=[CRON]).json["count"] == 1
    assert client.post(f"{BACKFILLS}/delete/by-query").json["count"] == 1
    assert client.post(f"{BACKFILLS}/delete/by-query").json["count"] == 0


# ── namespaces ───────────────────────────────────────────────────────────────────────────────────


def test_keys_over_the_api(client):
    base = "/api/v1/main/namespaces/company.team/kv"

    assert client.put(f"{base}/region", data='"eu"').status_code == 200
    assert client.put(f"{base}/count", data="42", content_type="").status_code == 200
    assert client.get(f"{base}/region").json["value"] == "eu"
    assert client.get(f"{base}/count").json["type"] == "NUMBER"
    assert [each["key"] for each in client.get("/api/v1/main/kv").json["results"]] == [
        "count",
        "region",
    ]
    assert client.delete(f"{base}/region").json is True
    assert client.delete(f"{base}/region").json is False
    assert client.get(f"{base}/region").status_code == 404


def test_an_expired_key_is_gone(client, runtime):
    path = "/api/v1/namespaces/company.team/kv/brief"
    client.put(path, data='"soon gone"', headers={"ttl": "PT1S"})
    runtime.clock.move(seconds=2)

    assert client.get(path).status_code == 410


def test_namespace_files_over_the_api(client):
    base = "/api/v1/main/namespaces/company.team/files"
    part = {"fileContent": (io.BytesIO(b"print(1)\n"), "main.py")}

    assert client.get(f"{base}/directory").json == []
    assert client.post(f"{base}/directory?path=/scripts").status_code == 200
    assert client.post(f"{base}?path=/scripts/main.py", data=part).status_code == 200
    assert client.get(f"{base}?path=/scripts/main.py").data == b"print(1)\n"
    listed = client.get(f"{base}/directory?path=/scripts").json
    assert [each["fileName"] for each in listed] == ["main.py"]
    assert client.get(f"{base}/stats?path=/scripts").json["type"] == "Directory"
    assert client.get(f"{base}/search?q=main").json == ["/scripts/main.py"]
    again = {"fileContent": (io.BytesIO(b"print(2)\n"), "main.py")}
    assert client.post(f"{base}?path=/scripts/main.py", data=again).status_code == 200
    versions = client.get(f"{base}/revisions?path=/scripts/main.py").json
    assert versions == [{"revision": 1}, {"revision": 2}]
    assert client.get(f"{base}?path=/scripts/main.py&revision=1").data == b"print(1)\n"
    assert client.get(f"{base}?path=/scripts/main.py").data == b"print(2)\n"
    assert client.get(f"{base}?path=/scripts/main.py&revision=3").status_code == 404
    assert client.put(f"{base}?from=/scripts/main.py&to=/app.py").status_code == 200
    assert client.get(f"{base}/directory?path=/scripts").status_code == 404
    assert client.delete(f"{base}?path=/app.py").status_code == 200
    assert client.get(f"{base}/stats?path=/app.py").status_code == 404


@pytest.mark.parametrize("path", ["/../x", "..%2fx", "/a/%00", "/_flows/x.yml"])
def test_paths_do_not_leave_their_namespace(client, path):
    base = "/api/v1/main/namespaces/company.team/files"

    assert client.get(f"{base}?path={path}").status_code == 422


def test_a_flow_can_be_uploaded_as_a_file(client):
    part = {"fileContent": (io.BytesIO(HELLO.replace("company.team", "x").encode()), "hello.yml")}

    path = "/api/v1/main/namespaces/company.team/files?path=/_flows/hello.yml"
    assert client.post(path, data=part).status_code == 200
    assert client.get(f"{FLOWS}/company.team/hello").status_code == 200


def test_namespaces_have_their_parents_and_are_always_there(stocked):
    found = stocked.get("/api/v1/main/namespaces/search?size=50").json
    assert [each["id"] for each in found["results"]] == ["company", "company.team", "system"]
    assert stocked.get("/api/v1/main/namespaces/any.name").json == {
        "id": "any.name",
        "deleted": False,
        "disabled": False,
    }


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "kestra:///../../etc/passwd",
        "kestra:///company/team/_files/secret.txt",
        "kestra:///_headrace/blobs/ab/abcd",
        "/etc/passwd",
    ],
)
def test_only_files_of_executions_are_given_away(stocked, runtime, uri):
    execution_id = run(stocked, runtime)

    assert stocked.get(f"{EXECUTIONS}/{execution_id}/file?path={uri}").status_code == 422


def test_a_file_of_another_execution_leads_there(stocked, runtime):
    one = run(stocked, runtime, data={"doc": (io.BytesIO(b"x"), "a.txt")})
    other = run(stocked, runtime)
    uri = stocked.get(f"{EXECUTIONS}/{one}").json["inputs"]["doc"]

    response = stocked.get(f"{EXECUTIONS}/{other}/file?path={uri}")

    assert response.status_code == 302
    assert stocked.get(response.headers["Location"]).data == b"x"


# ── platform ─────────────────────────────────────────────────────────────────────────────────────


def test_the_tenant_is_main(client):
    refused = client.get("/api/v1/other/flows/search")

    assert refused.status_code == 400
    assert "Tenant must be 'main'" in refused.json["message"]


def test_health_says_what_does_not_answer(runtime):
    from web.app import create_app

    app = create_app(runtime, pages=False, ready=lambda: {"database": True, "redis": False})

    response = app.test_client().get("/health")

    assert response.status_code == 503
    assert response.json["details"]["redis"]["status"] == "DOWN"


def test_clients_are_told_a_version_below_two(client):
    assert client.get("/api/v1/configs").json["version"].startswith("1.")


def test_old_links_lead_to_our_pages(client):
    for path, target in (
        ("/ui/main/executions/company.team/hello/abc", "/executions/abc"),
        ("/ui/executions/company.team/hello/abc/logs", "/executions/abc"),
        ("/ui/main/flows/edit/company.team/hello", "/flows/company.team/hello"),
        ("/ui", "/"),
    ):
        assert client.get(path).headers["Location"] == target


def test_errors_have_kestras_shape(client):
    response = client.get("/api/v1/main/flows/company.team/nope")

    assert response.status_code == 404
    assert response.json["message"] == "Not Found: Flow not found"
    assert response.json["_links"]["self"]["href"] == "/api/v1/main/flows/company.team/nope"
    assert (response.json["title"], response.json["detail"]) == ("Not Found", "Flow not found")
    assert client.patch("/api/v1/main/flows").status_code == 405
    assert client.get("/api/v1/flows/search/nope/nope/nope").status_code == 404


def test_bodies_have_limits(runtime):
    from web.app import create_app

    small = runtime.settings.web.model_copy(update={"max_body_bytes": 10})
    settings = runtime.settings.model_copy(update={"web": small})
    object.__setattr__(runtime, "settings", settings)

    response = (
        create_app(runtime, pages=False).test_client().post(FLOWS, data=HELLO, content_type=YAML)
    )

    assert response.status_code == 413


def test_unreadable_bodies_are_named(client):
    wrong = client.put("/api/v1/main/triggers", data="{", content_type="application/json")

    assert wrong.status_code == 422
    assert wrong.json["message"].startswith("Invalid json")


def test_the_api_describes_itself(client):
    found = client.get("/api/v1/openapi.json").json

    assert found["openapi"] == "3.1.0"
    assert "post" in found["paths"]["/api/v1/flows"]
    ids = [op["operationId"] for path in found["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids))


def test_inputs_can_be_tried_without_starting(stocked, runtime):
    path = f"{EXECUTIONS}/company.team/hello/validate"

    tried = stocked.post(path, data={"n": "many", "doc": (io.BytesIO(b"x"), "a.csv")}).json

    by_id = {each["input"]["id"]: each for each in tried["inputs"]}
    assert by_id["who"] == {
        "input": {"id": "who", "type": "STRING", "required": True, "defaults": "bob"},
        "value": "bob",
        "enabled": True,
        "isDefault": True,
    }
    assert by_id["n"]["errors"]
    assert stocked.get(f"{EXECUTIONS}/search").json["total"] == 0
    paused = run(stocked, runtime, "pausing")
    resume = stocked.post(f"{EXECUTIONS}/{paused}/resume/validate").json
    assert resume["inputs"][0]["errors"][0]["message"] == "Missing required input:reason"


def test_graphs_of_flows_and_executions(stocked, runtime):
    execution_id = run(stocked, runtime)

    assert len(stocked.get(f"{FLOWS}/company.team/hello/graph").json["nodes"]) == 4
    shown = stocked.get(f"{EXECUTIONS}/{execution_id}/graph").json
    assert {"say", "ret"} <= {
        node["taskRun"]["taskId"] for node in shown["nodes"] if "taskRun" in node
    }


def test_functions_and_filters_of_expressions_are_listed(client):
    assert "kv" in client.get("/api/v1/pebble/functions").json
    assert "upper" in client.get("/api/v1/main/pebble/filters").json


def test_types_are_described_for_editors_and_people(client):
    schema = client.get("/api/v1/plugins/schemas/flow").json
    assert schema["$ref"] in {f"#/definitions/{name}" for name in schema["definitions"]}
    log = schema["definitions"]["io.kestra.plugin.core.log.Log"]
    assert {"id", "type", "message"} <= set(log["required"])

    page = client.get("/api/v1/main/plugins/io.kestra.plugin.core.log.Log").json
    assert page["markdown"].startswith("# Log")
    assert page["schema"]["properties"]["properties"]["message"]

    groups = client.get("/api/v1/plugins").json
    listed = {task["cls"] for group in groups for task in group["tasks"]}
    assert "io.kestra.plugin.core.log.Log" in listed
    assert client.get("/api/v1/plugins/io.kestra.plugin.core.Nope").status_code == 404
    assert client.get("/api/v1/plugins/schemas/nope").status_code == 422


def test_the_catalogue_is_sent_once(client):
    first = client.get("/api/v1/plugins")

    again = client.get("/api/v1/plugins", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")


def test_a_scheduled_execution_can_be_forced_to_run(stocked, runtime):
    made = stocked.post(f"{EXECUTIONS}/company.team/hello?scheduleDate=2030-01-01T00:00:00Z").json
    drive_all(runtime, made["id"])
    assert stocked.get(f"{EXECUTIONS}/{made['id']}").json["state"]["current"] == "CREATED"

    assert stocked.post(f"{EXECUTIONS}/{made['id']}/force-run").status_code == 200
    drive_all(runtime, made["id"])

    assert stocked.get(f"{EXECUTIONS}/{made['id']}").json["state"]["current"] == "SUCCESS"
    assert stocked.post(f"{EXECUTIONS}/{made['id']}/force-run").status_code == 422
    assert stocked.post(f"{EXECUTIONS}/{made['id']}/unqueue").status_code == 422


# ── odd data ─────────────────────────────────────────────────────────────────────────────────────

TAKES_JSON = """\
id: takes
namespace: company.team
inputs:
  - {id: data, type: JSON}
tasks:
  - {id: ret, type: io.kestra.plugin.core.debug.Return, format: ok}
"""


@pytest.mark.parametrize("text", ['["a\\ud800b"]', "[99999999999999999999999999, 0.5]"])
def test_odd_inputs_are_shown_and_hide_no_other_run(client, runtime, services, text):
    services.flows.create(TAKES_JSON, by=LOCAL)
    execution_id = run(client, runtime, "takes", json={"data": text})
    assert client.get(f"{EXECUTIONS}/{execution_id}").status_code == 200
    assert client.get(f"{EXECUTIONS}/search").json["total"] == 1


@pytest.mark.parametrize("levels", [150, 900, 5_000])
def test_inputs_nested_too_deep_are_refused(client, services, levels):
    services.flows.create(TAKES_JSON, by=LOCAL)
    text = "[" * levels + "]" * levels
    made = client.post(f"{EXECUTIONS}/company.team/takes", json={"data": text})
    assert made.status_code == 422
    assert "`data`" in made.json["message"]


def test_a_webhook_body_nested_too_deep_is_text(stocked):
    text = '{"a":' * 600 + "1" + "}" * 600
    made = stocked.post(f"{EXECUTIONS}/webhook/company.team/hooked/s3cret", data=text)
    assert made.status_code == 200
    assert made.json["trigger"]["variables"]["body"] == text


def test_the_name_of_an_uploaded_file_may_be_of_any_script(stocked):
    form = {"doc": (io.BytesIO(b"x"), "漢" * 200 + ".txt")}
    made = stocked.post(f"{EXECUTIONS}/company.team/hello", data=form)
    assert made.status_code == 200, made.text


@pytest.mark.parametrize("body", ["1", "true", '"x"'])
def test_labels_of_another_shape_are_refused(stocked, body):
    query = "by-query?filters[flowId][EQUALS]=hello"
    refused = stocked.post(f"{EXECUTIONS}/labels/{query}", data=body)
    assert refused.status_code == 422, refused.text


def test_the_metrics_of_a_flow_are_named_and_summed_by_day(client, runtime, services):
    source = """
id: measured
namespace: company.team
tasks:
  - id: load
    type: io.kestra.plugin.core.metric.Publish
    metrics:
      - {name: rows, type: counter, value: 3}
      - {name: took, type: timer, value: PT2S}
"""
    services.flows.create(source, by=LOCAL)
    for _ in range(2):
        run(client, runtime, "measured")
    runtime.clock.move(days=1)
    run(client, runtime, "measured")
    path = "/api/v1/main/metrics"
    flow = "company.team/measured"

    assert client.get(f"{path}/names/{flow}").json == ["rows", "took"]
    assert client.get(f"{path}/names/{flow}/other").json == []
    assert client.get(f"{path}/tasks/{flow}").json == ["load"]
    rows = client.get(f"{path}/aggregates/{flow}/rows").json
    assert rows == {
        "groupBy": "day",
        "aggregations": [
            {"name": "rows", "value": 6.0, "date": "2026-01-05T00:00:00.000Z"},
            {"name": "rows", "value": 3.0, "date": "2026-01-06T00:00:00.000Z"},
        ],
    }
    took = client.get(f"{path}/aggregates/{flow}/load/took?aggregation=avg").json["aggregations"]
    assert [each["value"] for each in took] == [2000.0, 2000.0]
    late = "?startDate=2026-01-06T00:00:00Z"
    assert len(client.get(f"{path}/aggregates/{flow}/rows{late}").json["aggregations"]) == 1
    assert client.get(f"{path}/aggregates/{flow}/rows?aggregation=x").status_code == 422


def test_the_files_of_a_namespace_are_exported_with_its_flows(stocked):
    path = "/api/v1/main/namespaces/company.team/files"
    for name, content in (("/lib/a.py", b"print(1)"), ("/ä b.txt", b"x")):
        stocked.post(f"{path}?path={name}", data={"fileContent": (io.BytesIO(content), "f")})

    answer = stocked.get(f"{path}/export")

    assert answer.headers["Content-Disposition"].endswith("company.team_files.zip")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.read("lib/a.py") == b"print(1)"
        assert archive.read("ä b.txt") == b"x"
        assert archive.read("_flows/hello.yml").decode() == HELLO
    nothing = stocked.get("/api/v1/main/namespaces/company.none/files/export")
    with zipfile.ZipFile(io.BytesIO(nothing.data)) as archive:
        assert archive.namelist() == []


def test_dependencies_are_what_flows_say_about_each_other(client, services):
    def flow(flow_id, more, namespace="company.team"):
        services.flows.create(f"id: {flow_id}\nnamespace: {namespace}\n{more}", by=LOCAL)

    def subflow(target):
        return (
            "tasks:\n  - id: p\n    type: io.kestra.plugin.core.flow.Parallel\n    tasks:\n"
            "      - {id: s, type: io.kestra.plugin.core.flow.Subflow,"
            f" namespace: company.team, flowId: '{target}'}}\n"
        )

    leaf = "tasks: [{id: t, type: io.kestra.plugin.core.debug.Return, format: x}]\n"
    flow("child", leaf)
    flow("parent", subflow("child"))
    flow("grand", subflow("parent"), namespace="company")
    flow("vague", subflow("{{ vars.x }}"))
    flow("gone", subflow("nowhere"))
    flow(
        "after",
        leaf + "triggers:\n  - id: then\n    type: io.kestra.plugin.core.trigger.Flow\n"
        "    preconditions:\n      id: p\n"
        "      flows: [{namespace: company.team, flowId: child}]\n",
    )

    def seen(path):
        found = client.get(f"/api/v1/main/{path}").json
        edges = {
            (e["source"].split("_")[-1], e["target"].split("_")[-1], e["relation"])
            for e in found["edges"]
        }
        return sorted(node["id"] for node in found["nodes"]), edges

    down = ("parent", "child", "FLOW_TASK")
    up = ("grand", "parent", "FLOW_TASK")
    then = ("child", "after", "FLOW_TRIGGER")
    path = "flows/company.team/parent/dependencies"
    assert seen(path) == (["child", "grand", "parent"], {down, up})
    assert seen(f"{path}?destinationOnly=true") == (["child", "parent"], {down})
    assert seen(f"{path}?expandAll=true") == (
        ["after", "child", "grand", "parent"],
        {down, up, then},
    )
    nodes, edges = seen("namespaces/company.team/dependencies")
    assert nodes == ["after", "child", "gone", "grand", "parent", "vague"]
    assert edges == {down, up, then}
    node = client.get(f"/api/v1/main/{path}").json["nodes"][0]
    assert node == {"uid": "main_company.team_parent", "namespace": "company.team", "id": "parent"}
    assert client.get("/api/v1/main/flows/company.team/nope/dependencies").status_code == 404


# ── what no client should send ───────────────────────────────────────────────────────────────────

_NO_TEXT = b"\xff\xfe"


def _zip_of(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.yml"), content)
    return packed.getvalue()


def _encrypted(archive):
    """Set the flag of encryption in both headers of the one file."""
    central = archive.index(b"PK\x01\x02")
    return b"".join(
        (archive[:6], b"\x01", archive[7 : central + 8], b"\x01", archive[central + 9 :])
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.yml", _NO_TEXT),
        ("a.zip", _zip_of(_NO_TEXT)),
        ("a.zip", _encrypted(_zip_of(b"id: a"))),
        ("a.zip", b"PK\x03\x04junk"),
    ],
)
def test_odd_files_are_refused_aloud(client, name, content):
    flows = client.post(f"{FLOWS}/import", data={"fileUpload": (io.BytesIO(content), name)})
    assert flows.status_code == 422

    to = "_flows/a.yml" if name == "a.yml" else "a"
    files = client.post(
        f"/api/v1/main/namespaces/company.team/files?path={to}",
        data={"fileContent": (io.BytesIO(content), name)},
    )
    assert files.status_code == (200 if content == _zip_of(_NO_TEXT) else 422)


def test_flows_of_a_bulk_that_are_no_text_are_refused(client):
    parts = {"flows": (io.BytesIO(_NO_TEXT), "a.yml")}

    assert client.post(f"{FLOWS}/bulk", data=parts).status_code == 422


@pytest.mark.parametrize("revision", ["²", "9" * 30, "9" * 5000, "x", "-9999999999"])
def test_odd_numbers_are_refused(stocked, revision):
    data = {"fileContent": (io.BytesIO(b"1"), "a.txt")}
    stocked.post("/api/v1/main/namespaces/company.team/files?path=a.txt", data=data)

    for path in ("namespaces/company.team/files?path=a.txt&", "flows/company.team/hello?"):
        answer = stocked.get(f"/api/v1/main/{path}revision={revision}")
        assert answer.status_code == 422, path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("executions/labels/by-ids", "executionsId"),
        ("executions/labels/by-ids", "executionLabels"),
        ("triggers/set-disabled/by-triggers", "triggers"),
    ],
)
def test_lists_of_a_body_must_be_lists(client, path, name):
    answer = client.post(f"/api/v1/main/{path}", json={name: 1})

    assert answer.status_code == 422
    assert name in answer.json["message"]


def test_a_pattern_that_would_take_all_memory_is_refused(client):
    answer = client.get(f"{EXECUTIONS}/search?filters[namespace][REGEX]=a{{99999999}}")

    assert answer.status_code == 400
    assert "repeats" in answer.json["message"]
