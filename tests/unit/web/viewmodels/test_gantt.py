from runner.model.states import State
from tests.unit.web.viewmodels.builders import NOW, a_group, a_run, ago, an_attempt
from web.viewmodels.gantt import gantt


def rows_of(runs, start=80):
    return gantt(runs, None, start=ago(start), end=ago(20), now=NOW, address="/executions/x").rows


def test_children_stand_below_their_parent():
    runs = (
        a_group("extract", 0),
        a_run("orders", 1, parent_id="run-extract-0"),
        a_run("after", 2),
        a_run("refunds", 3, parent_id="run-extract-0"),
    )

    assert [(row.name, row.depth) for row in rows_of(runs)] == [
        ("extract", ""), ("orders", "d1"), ("refunds", "d1"), ("after", ""),
    ]  # fmt: skip


def test_attempts_share_one_row_with_the_wait_between():
    attempts = (
        an_attempt(State.FAILED, began=79, ended=60),
        an_attempt(State.SUCCESS, began=50, ended=20),
    )

    (row,) = rows_of((a_run("prices", attempts=attempts),))

    assert [bar.kind for bar in row.bars] == ["q", "r", "w", "r", "t"]
    assert [bar.family for bar in row.bars if bar.kind == "r"] == ["bad", "good"]
    assert row.said == (
        "queued 1.0\u202fs, ran 19.0\u202fs, failed, waited 10.0\u202fs, ran 30.0\u202fs, success"
    )


def test_a_large_loop_is_folded_to_what_tells_something():
    loop = a_group("each", 0, state=State.RUNNING)
    runs = [loop] + [a_run("v", n, parent_id=loop.id, value=str(n)) for n in range(1, 1001)]
    runs[500] = a_run("v", 500, State.FAILED, parent_id=loop.id, value="500")

    rows = rows_of(runs)

    assert len(rows) < 20
    assert rows[-1].name == "989 more"
    assert any(row.state.family == "bad" and row.value == "500" for row in rows)


def test_the_axis_has_four_even_steps():
    drawn = gantt((), None, start=ago(72), end=NOW, now=NOW, address="")

    assert drawn.ticks == ("0 s", "20 s", "40 s", "1:00")


def test_a_reused_run_says_so():
    (row,) = rows_of((a_run("a", ended=40),), start=30)

    assert row.took.text == "reused"
    assert row.bars == ()


def test_what_a_replay_repeats_starts_anew():
    attempts = (
        an_attempt(State.FAILED, began=79, ended=60),
        an_attempt(State.SUCCESS, began=28, ended=20),
    )

    (row,) = rows_of((a_run("build", attempts=attempts),), start=30)

    assert [(bar.kind, bar.family) for bar in row.bars] == [("q", "idle"), ("r", "good")]
