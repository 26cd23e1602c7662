"""What holds for every flow, whatever happens to it in whatever order."""

import random
from datetime import timedelta
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.engine.advance import advance
from runner.engine.events import (
    ChildStarted,
    Evaluated,
    Kill,
    Pause,
    Recovered,
    Restarted,
    Resume,
    ResumeFromBreakpoint,
    Started,
    TaskFailed,
    TaskSucceeded,
)
from runner.engine.restart import restart
from runner.model.execution import Breakpoint
from runner.model.flow import Retry, TaskKind
from runner.model.states import State
from tests.unit.engine.simulator import START, Runs, Simulation, a_flow, flowable, replace, task

MANY = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SECOND = timedelta(seconds=1)
RETRY = Retry("constant", interval=SECOND, max_attempts=2)
RETRIES = [
    RETRY,
    replace(RETRY, warning_on_retry=True),
    Retry("exponential", interval=SECOND, max_interval=SECOND * 4, max_attempts=3),
    Retry("random", min_interval=SECOND, max_interval=SECOND * 2, max_attempts=2),
]
OUTCOMES = [State.SUCCESS, State.SUCCESS, State.SUCCESS, State.WARNING, State.FAILED]

AROUND = [
    "Sequential", "Parallel", "ForEach", "EachParallel", "EachSequential", "If", "Switch", "Dag",
    "AllowFailure", "LoopUntil",
]  # fmt: skip
WAITING = ["Pause", "Sleep", "Subflow"]

EXECUTION = {
    "CREATED": {"RUNNING", "QUEUED", "KILLING", "FAILED", "CANCELLED"},
    "QUEUED": {"RUNNING", "KILLING", "FAILED", "CANCELLED"},
    "RUNNING": {
        "PAUSED", "RETRYING", "RETRIED", "SUCCESS", "WARNING", "FAILED", "CANCELLED", "KILLED",
        "KILLING", "BREAKPOINT",
    },
    "BREAKPOINT": {"RUNNING", "PAUSED", "KILLING"},
    "PAUSED": {"RESTARTED", "RUNNING", "CANCELLED", "KILLING", "BREAKPOINT"},  # started before it
    "RESTARTED": {"RUNNING", "QUEUED", "KILLING"},
    "RETRYING": {"RUNNING", "KILLING", "FAILED", "BREAKPOINT"},
    "KILLING": {"KILLED"},
}  # fmt: skip
TASK_RUN = {
    "CREATED": {
        "SUBMITTED",
        "RUNNING",
        "SKIPPED",
        "FAILED",
        "KILLED",
        "SUCCESS",
        "WARNING",
        "BREAKPOINT",
    },
    "BREAKPOINT": {"CREATED", "FAILED", "WARNING", "SUCCESS", "KILLED"},
    "RESTARTED": {"SUBMITTED", "RUNNING", "SKIPPED", "FAILED", "KILLED"},
    "SUBMITTED": {"RUNNING", "KILLED", "FAILED", "SUCCESS", "WARNING"},
    "RUNNING": {"SUCCESS", "WARNING", "FAILED", "KILLED", "PAUSED", "SUBMITTED", "CREATED"},
    "PAUSED": {"RUNNING", "CREATED", "SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED"},
    "FAILED": {"RETRYING", "SUCCESS", "WARNING"},  # the last two: a late result of a closed run
    "RETRYING": {"CREATED", "KILLED", "FAILED", "WARNING"},
    "SUCCESS": {"FAILED", "WARNING", "KILLED"},
    "WARNING": {"FAILED", "SUCCESS", "KILLED"},
    "KILLED": {"FAILED", "SUCCESS", "WARNING"},
}
"""What may follow what; by the tables of execution-semantics §3, and §2 for late results."""


class _Names:
    def __init__(self):
        self.count = 0

    def next(self):
        self.count += 1
        return f"t{self.count}"


@st.composite
def flows(draw):
    """Draw a flow of up to three levels, with the outcome of each of its tasks."""
    names, outcomes, values = _Names(), {}, {}

    def leaf():
        made = task(
            names.next(),
            draw(st.sampled_from([TaskKind.INLINE, TaskKind.WORKER])),
            allow_failure=draw(st.booleans()) and draw(st.booleans()),
            allow_warning=draw(st.integers(0, 5)) == 0,
            disabled=draw(st.integers(0, 9)) == 0,
            run_if=draw(st.sampled_from([None, None, None, "true", "false"])),
            retry=draw(st.sampled_from([None, None, None, None, *RETRIES])),
        )
        outcomes[made.id] = [draw(st.sampled_from(OUTCOMES)) for _ in range(2)]
        return made

    def waiting():
        kind = draw(st.sampled_from(WAITING))
        asked = {"duration": "PT1S"}
        made = flowable(names.next(), kind, asked, retry=draw(st.sampled_from([None, None, RETRY])))
        values[made.id] = {"duration": "PT1S", "behavior": "RESUME"}
        if kind == "Subflow":
            values[made.id] = {"namespace": "n", "flowId": "child"}
            outcomes[made.id] = [draw(st.sampled_from(OUTCOMES)) for _ in range(2)]
            return replace(made, properties={"transmitFailed": draw(st.booleans())})
        if kind == "Pause" and draw(st.booleans()):
            return replace(made, children={"tasks": (leaf(),)})
        return made

    def some(depth, least=1):
        return tuple(node(depth) for _ in range(draw(st.integers(least, 3))))

    def node(depth):
        kinds = ["leaf", "leaf", "leaf"]
        if depth:
            kinds += AROUND
        kind = draw(st.sampled_from(kinds))
        if kind == "leaf":
            return leaf() if draw(st.integers(0, 6)) else waiting()
        return around(kind, names.next(), depth - 1)

    def around(kind, name, depth):
        lists = {"tasks": some(depth)}
        if kind == "If":
            lists = {"then": some(depth), "else_": some(depth)}
        if kind == "Switch":
            lists = {"cases.a": some(depth), "defaults": some(depth)}
        if kind == "Dag":
            lists = {"tasks": dag(depth)}
        if draw(st.integers(0, 3)) == 0:
            lists["errors"] = (leaf(),)
        if draw(st.integers(0, 3)) == 0:
            lists["finally_"] = (leaf(),)
        properties = {}
        limit = draw(st.integers(0, 2))
        if kind in ("Parallel", "Dag"):
            properties = {"concurrent": limit}
        if kind == "ForEach":
            properties = {"concurrencyLimit": limit}
        if kind in ("ForEach", "EachParallel", "EachSequential"):
            values[name] = {"values": [str(n) for n in range(draw(st.integers(0, 3)))]}
        if kind == "If":
            values[name] = {"condition": draw(st.sampled_from(["true", "false"]))}
        if kind == "Switch":
            values[name] = {"value": draw(st.sampled_from(["a", "b"]))}
        if kind == "LoopUntil":
            properties = {"checkFrequency": {"maxIterations": draw(st.integers(1, 2))}}
            values[name] = {"condition": "false", **properties["checkFrequency"]}
        made = flowable(name, kind, properties, **lists)
        return replace(
            made,
            allow_failure=draw(st.integers(0, 5)) == 0,
            retry=draw(st.sampled_from([None] * 9 + RETRIES)),
        )

    def dag(depth):
        found = []
        for child in some(depth):
            before = [other.id for other in found if draw(st.booleans())]
            found.append(replace(child, depends_on=tuple(before)))
        return tuple(found)

    flow = a_flow(
        *some(2),
        errors=(leaf(),) if draw(st.booleans()) else (),
        finally_=(leaf(),) if draw(st.booleans()) else (),
        after_execution=(leaf(),) if draw(st.booleans()) else (),
        retry=draw(st.sampled_from([None] * 9 + [RETRY])),
    )
    return flow, outcomes, values


def simulate(drawn, **more):
    flow, outcomes, values = drawn

    def answer(task_id):
        return lambda run, attempt: outcomes[task_id][min(attempt, 1)]

    simulation = Simulation(flow, {name: answer(name) for name in outcomes}, dict(values), **more)
    return finish(simulation.start())


def finish(simulation):
    for _ in range(200):
        if not simulation.timers:
            return simulation
        simulation.fire_timers()
    raise AssertionError("it does not come to an end")


def rows(simulation):
    """Return what is left: the state, and each run's without its times."""
    runs = sorted(
        (run.task_id, run.value or "", str(run.state), len(run.attempts))
        for run in simulation.runs.by_id.values()
    )
    return simulation.state, runs


def seen_of(simulation, drawn):
    """Return what does not hang on the order: a failure may hit its siblings sooner or later."""
    _, outcomes, _ = drawn
    fails = any(State.FAILED in each for each in outcomes.values())
    return simulation.state if fails else rows(simulation)


def check_history(history, allowed):
    states = [str(state) for state, _ in history]
    assert states[0] == "CREATED"
    for before, after in pairwise(states):
        assert after in allowed[before], states


@MANY
@given(flows())
def test_every_execution_ends_and_leaves_nothing_open(drawn):
    done = simulate(drawn)

    assert done.execution.state.is_terminal
    assert done.execution.fully_ended
    assert not list(done.runs.live())
    assert not done.timers


@MANY
@given(flows())
def test_no_transition_is_illegal(drawn):
    done = simulate(drawn)

    check_history(done.execution.history, EXECUTION)
    for run in done.runs.by_id.values():
        check_history(run.history, TASK_RUN)


@MANY
@given(flows(), st.integers())
def test_commands_in_any_order_end_in_the_same_state(drawn, seed):
    dice = random.Random(seed)

    shuffled = simulate(drawn, pick=dice.randrange)

    assert shuffled.state == simulate(drawn).state
    assert shuffled.execution.fully_ended


@MANY
@given(flows(), st.integers())
def test_events_that_come_again_change_nothing(drawn, seed):
    dice = random.Random(seed)
    seen = []

    def again(event):
        seen.append(event)
        old = [] if isinstance(event, Started) else dice.sample(seen, min(2, len(seen)))
        stored = (each for each in old if not isinstance(each, Evaluated | ChildStarted))
        return (event, event, *stored)

    assert rows(simulate(drawn, again=again)) == rows(simulate(drawn))


@MANY
@given(flows(), st.integers())
def test_an_attempt_that_is_lost_once_is_made_again(drawn, seed):
    dice = random.Random(seed)
    flow, _, _ = drawn
    lost = set()

    def again(event):
        is_end = isinstance(event, TaskSucceeded | TaskFailed)
        run = simulation.runs.get(event.task_run_id) if is_end else None
        if run is None or flow.task(run.task_id).kind is not TaskKind.WORKER or run.id in lost:
            return (event,)
        if dice.random() < 0.5:
            return (event,)
        lost.add(run.id)
        return (TaskFailed(run.id, event.attempt, lost=True),)

    flow, outcomes, values = drawn

    def answer(task_id):
        def of(run, attempt):
            real = sum(one.state is not State.RESUBMITTED for one in run.attempts[:attempt])
            return outcomes[task_id][min(real, 1)]

        return of

    simulation = Simulation(
        flow, {name: answer(name) for name in outcomes}, dict(values), again=again
    )
    finish(simulation.start())

    assert simulation.state == simulate(drawn).state


@MANY
@given(flows(), st.integers())
def test_a_fold_that_was_cut_anywhere_goes_on(drawn, seed):
    dice = random.Random(seed)

    flow, outcomes, values = drawn

    def again(event):
        yield event
        if dice.random() < 0.2:
            simulation.forget_unfolded()
            yield Recovered()

    script = {name: lambda run, n: outcomes[run.task_id][min(n, 1)] for name in outcomes}
    simulation = Simulation(flow, script, dict(values), again=again)

    assert seen_of(finish(simulation.start()), drawn) == seen_of(simulate(drawn), drawn)


@MANY
@given(flows())
def test_the_same_events_give_the_same_rows(drawn):
    first = simulate(drawn)
    flow, _, _ = drawn

    runs, execution, now = Runs(), Simulation(flow).execution, START
    for event, at in zip(first.events, first.times, strict=True):
        now = at
        decision = advance(flow, execution, runs, event, now)
        execution = decision.execution
        for run_id in decision.removed:
            del runs.by_id[run_id]
        runs.by_id.update({run.id: run for run in decision.changes})

    assert execution == first.execution
    assert runs.by_id == first.runs.by_id


def at(moment, *events):
    """Return what lets *events* arrive behind the one of that number."""
    count = 0

    def again(event):
        nonlocal count
        count += 1
        yield event
        if count == moment:
            yield from events

    return again


@MANY
@given(flows(), st.integers(1, 40))
def test_a_kill_at_any_moment_leaves_nothing_open(drawn, moment):
    killed = simulate(drawn, again=at(moment, Kill()))

    assert killed.execution.fully_ended
    assert not list(killed.runs.live())
    assert not killed.timers
    check_history(killed.execution.history, EXECUTION)


@MANY
@given(flows(), st.integers(1, 40))
def test_a_pause_at_any_moment_loses_nothing(drawn, moment):
    flow, outcomes, values = drawn
    script = {name: lambda run, n: outcomes[run.task_id][min(n, 1)] for name in outcomes}
    paused = Simulation(flow, script, dict(values), again=at(moment, Pause())).start()
    for _ in range(100):
        if paused.execution.fully_ended:
            break
        paused.fire_timers()
        if paused.execution.state is State.PAUSED:
            paused.feed(Resume())

    assert seen_of(paused, drawn) == seen_of(simulate(drawn), drawn)


@MANY
@given(flows(), st.integers())
def test_breakpoints_anywhere_lose_nothing(drawn, seed):
    flow, outcomes, values = drawn
    dice = random.Random(seed)
    script = {name: lambda run, n: outcomes[run.task_id][min(n, 1)] for name in outcomes}
    stopped = Simulation(flow, script, dict(values))
    stops = tuple(Breakpoint(name) for name in flow.places if dice.random() < 0.3)
    stopped.execution = replace(stopped.execution, breakpoints=stops)
    stopped.start()
    for _ in range(300):
        if stopped.execution.fully_ended:
            break
        stopped.fire_timers()
        if stopped.execution.state is State.BREAKPOINT:
            stopped.feed(ResumeFromBreakpoint())
        elif stopped.execution.state is State.PAUSED:
            stopped.feed(Resume())

    assert seen_of(stopped, drawn) == seen_of(simulate(drawn), drawn)
    check_history(stopped.execution.history, EXECUTION)
    for run in stopped.runs.by_id.values():
        check_history(run.history, TASK_RUN)


@MANY
@given(flows())
def test_a_restart_of_a_failed_execution_comes_to_an_end(drawn):
    flow, outcomes, _ = drawn
    failed = simulate(drawn)
    if failed.execution.state is not State.FAILED:
        return
    runs = sorted(failed.runs.by_id.values(), key=lambda run: run.sequence)
    again = restart(flow, failed.execution, runs, None, failed.now)

    failed.execution = again.execution
    failed.runs.by_id = {run.id: run for run in again.runs}
    failed.script = dict.fromkeys(outcomes, State.SUCCESS)
    finish(failed.feed(Restarted(again.restarted)))

    assert failed.execution.fully_ended
    assert not list(failed.runs.live())
    assert failed.state in ("SUCCESS", "WARNING")
