from datetime import UTC

from runner.model.states import State
from tests.unit.web.viewmodels.builders import NOW, SHA, a_commit, a_run, ago, an_execution
from web.viewmodels import history, parts
from web.viewmodels.query import parse


def page_of(executions, text="", **more):
    found = history.Slice(
        executions, {}, {SHA: a_commit()}, more.pop("cursor", None), len(executions)
    )
    day = history.day([{}] * history.BARS, NOW, 0, UTC)
    return history.history(parse(text, NOW), found, day, {"live": 2}, NOW, UTC, **more)


def test_a_row_shows_commit_author_and_what_started_it():
    page = page_of([an_execution(commit=SHA)])

    (row,) = page.groups[0].rows
    assert (row.chip.short, row.chip.message, row.chip.author) == (
        "9c41f7e", "Split refunds", "Mira Okafor",
    )  # fmt: skip
    assert row.trigger.text == "by hand"
    assert row.took.text == "1:20"


def test_days_are_told_apart():
    old = an_execution(id="old", began=2 * 86400, ended=2 * 86400 - 5)

    page = page_of([an_execution(), old])

    assert [group.name for group in page.groups] == ["", "Monday 23 November 2026"]


def test_older_and_newer_keep_the_query():
    page = page_of([an_execution()], "state:failed", cursor="c1", after="c0")

    assert page.older == "/executions?q=state%3Afailed&after=c1"
    assert page.newer == "/executions?q=state%3Afailed"


def test_an_empty_result_says_what_was_looked_for():
    page = page_of([], "state:failed flow:orders_daily since:24h")

    assert page.nothing == "No failed run of orders_daily since 24h matches."
    assert page.wider is not None


def test_failures_stand_on_top_of_the_bars():
    day = history.day([{}] * 47 + [{"FAILED": 1, "SUCCESS": 3}], NOW, 1, UTC)

    assert (day.runs, day.failed, day.live) == ("4", "1", "1")
    assert [rect.family for rect in day.chart.rects] == ["good", "bad"]


def test_a_strip_is_as_wide_as_the_tasks_took():
    chart = parts.strip(
        an_execution(),
        (a_run("short", 0, ended=78), a_run("long", 1, State.FAILED, ended=10)),
        NOW,
    )

    short, long = chart.rects
    assert float(long.width) > 4 * float(short.width)
    assert chart.label == "Tasks: 1 success, 1 failed"


def test_a_replay_began_when_it_was_replayed():
    first = an_execution(began=9000, ended=8000)
    again = ((State.RESTARTED, ago(30)), (State.RUNNING, ago(29)), (State.SUCCESS, ago(20)))
    replay = an_execution(State.SUCCESS, history=first.history + again)

    ((row,),) = [group.rows for group in page_of([replay]).groups]

    assert (row.started.text, row.took.text) == ("30\u202fs", "0:10")


def test_a_resumed_run_began_before_its_pause():
    first = an_execution(State.PAUSED, began=90, ended=60)
    more = ((State.RESTARTED, ago(30)), (State.RUNNING, ago(29)), (State.SUCCESS, ago(20)))

    assert parts.began(an_execution(State.SUCCESS, history=first.history + more)) == ago(90)
