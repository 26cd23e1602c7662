from dataclasses import replace
from datetime import UTC, timedelta

from runner.model.logs import Level
from runner.model.states import State
from runner.secrets import Mask
from runner.services.glances import as_it_is
from runner.store.base import AttemptRow, Revision, Timer
from tests.unit.web.viewmodels.builders import (
    NOW,
    SHA,
    a_commit,
    a_detail,
    a_group,
    a_line,
    a_run,
    ago,
    an_attempt,
    an_execution,
)  # fmt: skip
from web.viewmodels import execution, log, pages


def test_the_fault_names_the_task_its_exit_code_and_the_way_out():
    runs = (
        a_run("checkout", 0),
        a_run("build_mart", 1, State.FAILED, outputs={"exitCode": 2}, attempts=(an_attempt(),)),
    )
    live = Revision("n", "f", 14, "id: f", "d", NOW, "git", commit=SHA)

    fault = execution.fault(
        a_detail(runs=runs, live=live), [a_line("broken", level=Level.ERROR)], NOW, UTC
    )

    assert fault.title == "build_mart failed with exit code 2"
    assert "1 task run before it succeeded" in fault.text
    assert fault.excerpt == (("broken", True),)
    assert (fault.replay_from, fault.replay_revision) == ("run-build_mart-1", "latest")
    assert fault.replay_label == "Replay from here with revision 14"


def test_a_failed_leaf_is_named_rather_than_the_group_round_it():
    runs = (a_group("extract", 0, state=State.FAILED), a_run("orders", 1, State.FAILED))

    assert execution.failed_run(runs).task_id == "orders"


def test_a_run_that_still_works_when_its_parent_has_failed_is_not_what_went_wrong():
    working = a_run("left", 0, State.FAILED, attempts=(an_attempt(State.RUNNING),))
    broken = a_run("right", 1, State.FAILED, attempts=(an_attempt(State.FAILED),))

    assert execution.failed_run((working, broken)).task_id == "right"
    assert execution.failed_run((working,)).task_id == "left"


def test_what_ended_well_has_no_fault():
    assert execution.fault(a_detail(an_execution(State.SUCCESS)), (), NOW, UTC) is None


def test_the_excerpt_stands_round_the_first_error():
    lines = [a_line(f"line {n}", n) for n in range(20)]
    lines[9] = a_line("first", 9, Level.ERROR)

    texts = [text for text, _ in log.excerpt(lines)]

    assert len(texts) == 8
    assert texts[2] == "first"


def test_the_road_goes_from_push_to_end():
    it = an_execution(commit=SHA, source="team")

    steps = execution.road(a_detail(it, commit=a_commit()), NOW, UTC)

    assert [step.name for step in steps] == ["Pushed", "Started", "Queued", "Ran", "Failed"]
    assert steps[-1].end
    assert steps[-1].family == "bad"


def test_what_is_queued_says_who_holds_the_slots():
    ahead = an_execution(State.RUNNING, id="ahead123")
    it = an_execution(State.QUEUED)

    why = execution.why(a_detail(it, ahead=(ahead,)), NOW, UTC)

    assert "limit of 1" in why.text
    assert why.links == (("ahead123", "/executions/ahead123"),)


def test_a_retry_says_when_it_starts():
    run = a_run("prices", 0, State.RETRYING, attempts=(an_attempt(State.FAILED),))
    timer = Timer("x", "retry", NOW + timedelta(seconds=30))

    why = execution.why(a_detail(an_execution(State.RUNNING), (run,), timers=(timer,)), NOW, UTC)

    assert why.head == "prices waits for a retry:"
    assert "in 30" in why.text


def test_a_pause_says_where_it_stands_and_until_when():
    run = a_run("approve", 0, State.PAUSED)
    timer = Timer("x", "pause", NOW + timedelta(hours=1))

    why = execution.why(a_detail(an_execution(State.PAUSED), (run,), timers=(timer,)), NOW, UTC)

    assert why.head == "Paused at approve:"
    assert why.text.startswith("until someone resumes it, at the latest in 60")


def test_a_task_without_log_does_not_say_that_the_run_has_none():
    pane = pages.log_pane(an_execution(State.SUCCESS), a_run("sum"), (), False, UTC)

    assert pane.nothing == "This task wrote no log."


def test_without_a_worker_the_page_says_so():
    attempt = AttemptRow("r", 0, "x", "default", "SUBMITTED", 0, 0, False, ago(20))
    it = an_execution(State.RUNNING)

    why = execution.why(a_detail(it, attempts=(attempt,), workers=0), NOW, UTC)

    assert why.head == "No worker is running:"


def test_acts_follow_the_state():
    def acts(state):
        top = execution.header(a_detail(an_execution(state)), "overview", {}, NOW, UTC)
        return [act.key for act in top.acts]

    assert acts(State.RUNNING) == ["pause", "kill"]
    assert acts(State.PAUSED) == ["resume", "kill"]
    assert acts(State.KILLING) == []
    assert acts(State.SUCCESS) == ["replay"]


def test_secret_inputs_and_files_are_not_shown_as_values():
    uri = "kestra:///n/f/executions/x/inputs/doc/a.csv"
    facts = execution.input_facts(a_detail(an_execution(inputs={"doc": uri, "none": None})))

    assert [(fact.name, fact.value) for fact in facts] == [("doc", "a.csv")]
    assert facts[0].href.endswith(f"/file?path={uri}")


def test_outputs_are_values_and_files():
    uri = "kestra:///n/f/executions/x/tasks/t/r/abc-orders.csv"
    run = a_run("orders", outputs={"vars": {"rows": 3}, "outputFiles": {"orders.csv": uri}})

    found = execution.outputs(an_execution(), (run,), as_it_is)

    assert [(fact.name, fact.value) for fact in found.values] == [("orders.vars.rows", "3")]
    assert [(each.name, each.uri) for each in found.files] == [("orders.csv", uri)]


def test_secrets_in_outputs_are_masked_and_files_stay():
    mask = Mask()
    mask.add("tok-1234")
    uri = "kestra:///n/f/tok-1234.csv"
    run = a_run("login", outputs={"vars": {"list": ["tok-1234"]}, "outputFiles": {"a": uri}})

    found = execution.outputs(an_execution(), (run,), mask.hide)

    assert [fact.value for fact in found.values] == ['["******"]']
    assert [each.uri for each in found.files] == [uri]


def test_the_log_shows_the_failed_the_running_or_the_last_task():
    failed = a_run("b", 1, State.FAILED)
    detail = a_detail(runs=(a_run("a", 0), failed, a_run("c", 2)))
    assert pages.picked_run(detail, None) is failed

    running = a_run("b", 1, State.RUNNING)
    detail = a_detail(an_execution(State.RUNNING), (a_run("a", 0), running))
    assert pages.picked_run(detail, None) is running
    assert pages.picked_run(detail, "run-a-0").task_id == "a"


def test_the_log_leads_to_the_files_that_logs_went_to():
    uri = "kestra:///n/f/executions/x/tasks/big/r/abc-attempt-0.log"
    run = a_run("big", attempts=(replace(an_attempt(), log_file=uri),))
    detail = a_detail(runs=(run,))
    header = execution.header(detail, "logs", {}, NOW, UTC)

    page = pages.log_page(detail, header, (), log.GroupQuery(), UTC, is_cut=False)

    assert [(file.name, file.href) for file in page.files] == [
        ("big", f"/executions/{run.execution_id}/file?path={uri}")
    ]
