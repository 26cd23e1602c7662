"""Every page over a fresh database: whole HTML, forms without script, rules of the policy."""

import io
import re
from datetime import timedelta

import pytest

from runner.services.executions import Order
from runner.services.principal import LOCAL
from runner.store.base import CommitRow, ProblemRow, SourceRow, SyncRun
from tests.unit.runtimes import HELLO, drive_all
from web.context import KEY

FAILS = """\
id: fails
namespace: company.team
tasks:
  - {id: begin, type: io.kestra.plugin.core.log.Log, message: "fine <b>so far</b>"}
  - {id: risky, type: io.kestra.plugin.core.execution.Fail, errorMessage: it broke}
"""
PAUSES = """\
id: pauses
namespace: company.team
tasks:
  - id: approval
    type: io.kestra.plugin.core.flow.Pause
    onResume: [{id: reason, type: STRING}]
  - id: after
    type: io.kestra.plugin.core.log.Log
    message: "{{ outputs.approval.onResume.reason }}"
"""
GATES = """\
id: gates
namespace: company.team
tasks:
  - {id: first, type: io.kestra.plugin.core.flow.Pause}
  - {id: second, type: io.kestra.plugin.core.flow.Pause}
"""
CLOUDS = """\
id: clouds
namespace: company.team
inputs:
  - {id: cloud, type: SELECT, values: [aws, gcp], defaults: aws}
  - id: region
    type: SELECT
    expression: "{{ inputs.cloud == 'aws' ? ['us-east-1'] : ['europe-west1'] }}"
    dependsOn: {inputs: [cloud]}
  - id: bucket
    type: STRING
    dependsOn: {inputs: [cloud], condition: "{{ inputs.cloud == 'gcp' }}"}
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hi}
"""
MONTHLY = """\
id: monthly
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hi}
triggers:
  - id: first_monday
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 9 * * *"
    conditions:
      - type: io.kestra.plugin.core.condition.DayWeekInMonth
        dayOfWeek: MONDAY
        dayInMonth: FIRST
"""
SHA = "9c41f7e0a1b2c3d4e5f60718293a4b5c6d7e8f90"
POLICY_BREAKS = re.compile(
    r"<[^>]+\s(style|on\w+)=|<script(?![^>]*\ssrc=)|<style|javascript:", re.I
)


@pytest.fixture
def site(whole_app):
    return whole_app.test_client()


@pytest.fixture
def services(whole_app):
    return whole_app.extensions[KEY].services


@pytest.fixture
def run(services, runtime):
    """Store a flow if it is new, start it, drive it; returns the execution's id."""

    def start(source, flow_id, **inputs):
        if not any(row.flow_id == flow_id for row in services.flows.every()):
            services.flows.create(source, by=LOCAL)
        runtime.clock.move(seconds=1)
        order = Order("company.team", flow_id, inputs)
        execution_id = services.executions.create(order, by=LOCAL).execution.id
        drive_all(runtime, execution_id)
        return execution_id

    return start


@pytest.fixture
def source(runtime):
    """A Git source with a commit and a problem."""
    now = runtime.clock.now()
    with runtime.store.begin() as tx:
        tx.sources.save(
            SourceRow("team", "https://git.example.org/flows.git", "main", "SYNCED", head=SHA,
                      polled_at=now, synced_at=now)
        )  # fmt: skip
        tx.commits.add([CommitRow("team", SHA, "Mira", "mira@example.org", "Split refunds", now)])
        tx.sync_runs.add(SyncRun("team", None, SHA, {"added": 2, "refused": 1}, now, 41))
        problem = ProblemRow("team", "_flows/x.yaml", 0, "rule", "no <tasks>", SHA, now, line=3,
                             column=1, frame="  2 | a: 1\n> 3 | tasks:")  # fmt: skip
        tx.source_problems.replace("team", [problem])


def page_of(site, path, status=200):
    answer = site.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status, answer.text
    assert answer.content_type.startswith("text/html")
    assert answer.text.count("<h1") == 1
    assert not POLICY_BREAKS.search(answer.text), POLICY_BREAKS.search(answer.text)
    assert len(answer.data) <= 60_000
    return answer.text


def test_an_empty_server_shows_the_first_steps(site):
    assert "Push a flow, watch it run" in page_of(site, "/")
    assert "There is no flow yet" in page_of(site, "/flows")
    assert "No source is named yet" in page_of(site, "/sources")


def test_the_first_steps_say_that_a_source_cannot_be_read(site, runtime):
    with runtime.store.begin() as tx:
        tx.sources.save(SourceRow("team", "/srv/f.git", "main", "FAILED", error="no such path"))
    shown = page_of(site, "/")
    assert "<b>team</b> cannot be read" in shown
    assert "It reads from Git" not in shown


def test_the_history_shows_runs_and_filters_them(site, run):
    failed, good = run(FAILS, "fails"), run(HELLO, "hello")

    everything = page_of(site, "/executions")
    only = page_of(site, "/executions?q=state:failed")

    assert f"/executions/{failed}" in everything
    assert f"/executions/{good}" in everything
    assert f"/executions/{good}" not in only


def test_a_query_that_cannot_be_read_says_so(site, run):
    run(HELLO, "hello")

    assert "Did you mean ‘state’?" in page_of(site, "/executions?q=stat:failed")


def test_the_history_pages_by_keyset(site, run, monkeypatch):
    monkeypatch.setattr("web.pages.executions.ROWS", 2)
    ids = [run(HELLO, "hello") for _ in range(3)]

    first = page_of(site, "/executions")
    older = re.search(r'href="(/executions\?after=[^"]+)"', first)[1]

    assert ids[0] not in first
    assert ids[0] in page_of(site, older)


def test_a_failed_run_opens_with_what_broke(site, run):
    failed = run(FAILS, "fails")

    html = page_of(site, f"/executions/{failed}")

    assert "risky failed" in html
    assert "it broke" in html
    assert "Replay from here" in html


def test_every_tab_of_a_run_is_a_page(site, run):
    good = run(HELLO, "hello")

    for tab in ("", "/gantt", "/logs", "/outputs", "/replay"):
        page_of(site, f"/executions/{good}{tab}")
    assert "greeting" in page_of(site, f"/executions/{good}/outputs")
    assert "hi bob" in site.get(f"/executions/{good}/log.txt").text


def test_text_of_tasks_is_never_markup(site, run):
    failed = run(FAILS, "fails")

    html = page_of(site, f"/executions/{failed}/logs?q=far")

    assert "fine &lt;b&gt;so <mark>far</mark>&lt;/b&gt;" in html


def test_a_replay_keeps_what_came_before(site, run, services, runtime):
    failed = run(FAILS, "fails")
    form = {
        name: re.search(rf'name="{name}" value="([^"]*)"', page_of(site, f"/executions/{failed}"))[
            1
        ]
        for name in ("from", "revision")
    }

    answer = site.post(f"/executions/{failed}/replay", data=form)

    assert answer.status_code == 303
    replayed = answer.location.rpartition("/")[2]
    drive_all(runtime, replayed)
    runs = services.executions.get(replayed).runs
    assert [each.task_id for each in runs] == ["begin", "risky"]
    assert "Replay started" in page_of(site, answer.location)
    assert "Replay started" not in page_of(site, answer.location)


def test_a_pause_is_resumed_by_its_form(site, run, services, runtime):
    paused = run(PAUSES, "pauses")
    assert "Why" not in page_of(site, f"/executions/{paused}")
    assert 'name="in.reason"' in page_of(site, f"/executions/{paused}/resume")

    refused = site.post(f"/executions/{paused}/resume", data={"in.reason": ""})
    answer = site.post(f"/executions/{paused}/resume", data={"in.reason": "fine"})
    drive_all(runtime, paused)

    assert refused.status_code == 422
    assert "It needs a value." in refused.text
    assert answer.status_code == 303
    assert services.executions.head(paused).state == "SUCCESS"


def test_inputs_that_depend_on_others_follow_what_is_entered(site, services):
    services.flows.create(CLOUDS, by=LOCAL)
    address = "/flows/company.team/clouds/run"
    before = page_of(site, address)
    assert f'data-refresh="{address}/fields"' in before
    assert ("us-east-1" in before, "in.bucket" in before) == (True, False)

    changed = site.post(f"{address}/fields", data={"in.cloud": "gcp", "in.region": "us-east-1"})

    assert changed.status_code == 200
    assert "<option>europe-west1</option>" in changed.text
    assert "us-east-1" not in changed.text
    assert "in.bucket" in changed.text
    assert 'class="wrong"' not in changed.text


def test_a_form_that_was_opened_for_one_pause_passes_no_other(site, run, services, runtime):
    paused = run(GATES, "gates")
    form = page_of(site, f"/executions/{paused}/resume")
    action = re.search(rf'action="(/executions/{paused}/resume[^"]*)"', form)[1]

    first = site.post(action)
    drive_all(runtime, paused)
    second = site.post(action)
    drive_all(runtime, paused)

    assert (first.status_code, second.status_code) == (303, 422)
    assert "answered already" in second.text
    assert "gates at second" in second.text
    states = {each.task_id: each.state for each in services.executions.get(paused).runs}
    assert states == {"first": "SUCCESS", "second": "PAUSED"}


def test_killing_asks_first(site, run, services, runtime):
    paused = run(PAUSES, "pauses")

    assert "Kill pauses" in page_of(site, f"/executions/{paused}/kill")
    assert site.post(f"/executions/{paused}/kill").status_code == 303
    drive_all(runtime, paused)

    assert services.executions.head(paused).state == "KILLED"


def test_the_run_form_starts_a_flow_or_says_what_is_wrong(site, run, services):
    run(HELLO, "hello")
    path = "/flows/company.team/hello/run"
    assert 'name="in.who"' in page_of(site, path)

    refused = site.post(path, data={"in.n": "many", "in.who": "Ada"})
    file = (io.BytesIO(b"a,b"), "table.csv")
    started = site.post(path, data={"in.who": "Ada", "in.doc": file})

    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text
    assert 'value="Ada"' in refused.text
    inputs = services.executions.head(started.location.rpartition("/")[2]).inputs
    assert inputs["who"] == "Ada"
    assert inputs["doc"].endswith("/table.csv")


def test_htmx_is_told_where_to_go(site, run):
    run(HELLO, "hello")

    answer = site.post("/flows/company.team/hello/run", headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"].startswith("/executions/")


def test_every_page_of_a_flow(site, run, services):
    run(HELLO, "hello")
    changed = HELLO.replace("hi {{", "hello {{")
    services.flows.update("company.team", "hello", changed, by=LOCAL)

    for tab in ("", "/executions", "/revisions", "/triggers", "/run"):
        page_of(site, f"/flows/company.team/hello{tab}")
    assert "+1 −1" in page_of(site, "/flows/company.team/hello/revisions")
    assert "company.team" in page_of(site, "/flows?q=ello")


def test_the_dates_of_a_flow_are_those_of_the_api(site, services):
    services.flows.create(MONTHLY, by=LOCAL)
    place = ("company.team", "monthly", "first_monday")

    def dates():
        html = page_of(site, "/flows/company.team/monthly/triggers")
        return html, re.findall(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[^<]*?\d\d:\d\d", html)

    _, shown = dates()
    assert len(shown) == 3
    assert all(each.startswith("Mon") for each in shown)

    services.triggers.set_disabled(*place, True, by=LOCAL)
    html, shown = dates()
    assert (">Off<" in html, shown) == (True, [])


def test_a_backfill_is_a_state_of_its_trigger(site, services, runtime):
    services.flows.create(MONTHLY, by=LOCAL)
    place = ("company.team", "monthly", "first_monday")
    begin = runtime.clock.now() - timedelta(days=90)
    services.backfills.create(place, start=begin, end=None, inputs={}, labels=(), by=LOCAL)
    assert ">Backfill<" in page_of(site, "/flows/company.team/monthly/triggers")
    services.backfills.pause(place, by=LOCAL)
    assert ">Backfill paused<" in page_of(site, "/flows/company.team/monthly/triggers")


def test_a_source_shows_its_problems_with_their_frame(site, source):
    for path in ("/sources", "/sources/team"):
        html = page_of(site, path)
        assert "_flows/x.yaml:3:1" in html
        assert "no &lt;tasks&gt;" in html
        assert "1 refused" in html


def test_sync_now_asks_for_a_poll(site, source, services):
    answer = site.post("/sources/team/sync")

    assert answer.status_code == 303
    assert services.sources.get("team").row.hurried_at is not None


def test_what_is_not_there_is_a_page_with_the_nearest(site, run):
    good = run(HELLO, "hello")

    html = page_of(site, f"/executions/{good[:6]}", 404)

    assert "404" in html
    assert f"/executions/{good}" in html
    page_of(site, "/nowhere", 404)
    page_of(site, "/flows/company.team/helo", 404)


def test_a_page_that_breaks_needs_no_database_to_say_so(site, monkeypatch):
    def broken(*_):
        raise RuntimeError("the database is gone")

    monkeypatch.setattr("web.pages.rendering.Dashboard", broken)

    html = page_of(site, "/executions", 500)

    assert "This page broke, your runs did not" in html
    assert "the database is gone" not in html


def test_files_with_a_stamp_are_kept(site):
    address = re.search(r'href="(/static/[^"]*style[^"]*)"', page_of(site, "/"))[1]

    with site.get(address) as stamped, site.get("/static/icons.svg") as plain:
        assert "immutable" in stamped.headers["Cache-Control"]
        assert "immutable" not in plain.headers["Cache-Control"]


def test_programs_get_no_pages(site):
    assert site.get("/api/v1/main/nowhere").is_json
    assert site.get("/api/v1/executions/nope", headers={"Accept": "text/html"}).is_json


def test_search_opens_what_is_named_exactly(site, run):
    good = run(HELLO, "hello")

    assert site.get(f"/search?q={good}").location == f"/executions/{good}"
    assert "hello" in page_of(site, "/search?q=ello")
    assert "/executions?q=state" in site.get("/search?q=state:failed").location


def test_the_theme_comes_from_a_cookie(site):
    assert 'data-theme="dark"' not in page_of(site, "/")
    site.post("/theme", data={"theme": "dark", "next": "//evil.example"})

    assert '<html lang="en" data-theme="dark">' in page_of(site, "/")


def test_the_next_page_of_a_form_is_one_of_ours(site):
    answer = site.post("/theme", data={"theme": "dark", "next": "//evil.example/x"})

    assert answer.location == "/"


def test_times_stand_in_the_viewers_zone(site, run):
    good = run(HELLO, "hello")
    site.set_cookie("tz", "Asia%2FTokyo")

    assert "19:00:01 JST" in page_of(site, f"/executions/{good}")


def test_signing_in_opens_the_pages(protected_site):
    refused = protected_site.get("/executions?q=a", headers={"Accept": "text/html"})
    assert refused.status_code == 303
    assert refused.location == "/login?next=/executions%3Fq%3Da"

    wrong = protected_site.post("/login", data={"username": "dev@headrace.local", "password": "x"})
    right = protected_site.post(
        "/login",
        data={"username": "dev@headrace.local", "password": "Headrace1", "next": "/flows"},
    )

    assert wrong.status_code == 401
    assert "do not match" in wrong.text
    assert 'value="dev@headrace.local"' in wrong.text
    assert right.location == "/flows"
    assert "There is no flow yet" in page_of(protected_site, "/flows")
    assert 'name="_csrf" value=""' not in page_of(protected_site, "/flows")


def test_a_missing_right_is_named(protected_site):
    answer = protected_site.get(
        "/flows", headers={"Accept": "text/html", "Authorization": "Bearer hr_read_token"}
    )

    assert answer.status_code == 403
    assert "flows:read" in answer.text


def test_the_stream_says_what_changed(whole_app, run, services, runtime):
    from web.pages.following import topics_of

    paused = run(PAUSES, "pauses")
    with whole_app.test_request_context("/events"):
        head, history, one, log = topics_of(
            f"head\nexecutions:{paused}:\nexecution:{paused}:0:overview:\nlog:{paused}:*\nnonsense"
        )
        assert 'id="head"' in said_by(head)
        assert f'id="ex-{paused}"' in said_by(history)
        assert said_by(log) == ""

        services.executions.resume(paused, by=LOCAL, inputs={"reason": "a <reason>"})
        drive_all(runtime, paused)
        one._looked_at = 0.0  # as if a moment had passed
        changed, lines = said_by(one), said_by(log)

    assert 'id="road"' in changed
    assert "Success" in changed
    assert changed.endswith("pauses success")
    assert lines.count("a &lt;reason&gt;") == 1


def test_newer_runs_are_offered_not_pushed_in(whole_app, run):
    from web.pages.following import topics_of

    first = run(HELLO, "hello")
    run(HELLO, "hello")
    with whole_app.test_request_context("/events"):
        (topic,) = topics_of(f"executions:{first}:flow:hello")
        said = said_by(topic)

    assert "Show 1 newer run<" in said
    assert "<tr" not in said


def said_by(topic):
    return "\n".join(data for _, data in topic.look())


@pytest.fixture
def protected_site(protected):
    from web.app import _add_pages

    _add_pages(protected)
    return protected.test_client()
