"""The end of an attempt, stored and folded in one transaction."""

import pytest

from runner.attempt import AttemptControl, finish, run_attempt
from runner.engine.events import Kill, TaskFailed
from runner.executor import WorkerIdentity, drive, go_on
from runner.services.bundle import open_services
from runner.services.executions import Order
from runner.services.principal import LOCAL
from tests.unit.runtimes import a_runtime

STORAGE = "io.kestra.plugin.core.storage"
CHAIN = f"""\
id: chain
namespace: company.team
tasks:
  - {{id: one, type: {STORAGE}.Write, content: "12345"}}
  - {{id: two, type: {STORAGE}.Size, uri: "{{{{ outputs.one.uri }}}}"}}
  - {{id: three, type: {STORAGE}.Size, uri: "kestra:///company/team/none"}}
"""
BOTH = f"""\
id: both
namespace: company.team
tasks:
  - id: parallel
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {{id: one, type: {STORAGE}.Write, content: one}}
      - {{id: two, type: {STORAGE}.Write, content: two}}
"""
HERE = WorkerIdentity("w")


@pytest.fixture
def runtime(tmp_path):
    runtime = a_runtime(tmp_path / "home")
    yield runtime
    runtime.store.close()


def begun(runtime, text):
    """A new execution whose first attempt is claimed here."""
    services = open_services(runtime)
    row = services.flows.create(text, by=LOCAL).row
    made = services.executions.create(Order(row.namespace, row.flow_id, {}), by=LOCAL)
    return drive(runtime, made.execution.id, HERE)


def ended(runtime, driven):
    return run_attempt(runtime, driven.run_here, AttemptControl(), driven.known)


def rows(runtime, execution_id):
    with runtime.store.read() as tx:
        events = [numbered.event for numbered in tx.events.after(execution_id, 0)]
        return events, tx.attempts.of_execution(execution_id), tx.wakes.of_execution(execution_id)


def test_an_end_is_stored_and_folded_and_the_next_attempt_claimed_at_once(runtime):
    first = begun(runtime, CHAIN)
    end = ended(runtime, first)

    second = go_on(runtime, first.run_here, end, HERE, first.left)

    events, attempts, wakes = rows(runtime, first.execution_id)
    assert events == [end.event]
    assert attempts == [second.run_here]
    assert second.run_here.task_run_id != first.run_here.task_run_id
    assert wakes == []


def test_a_chain_runs_to_its_end_and_sees_outputs_of_before(runtime):
    driven = begun(runtime, CHAIN)
    steps = 0
    while driven.run_here is not None:
        assert driven.left is not None
        driven = go_on(runtime, driven.run_here, ended(runtime, driven), HERE, driven.left)
        steps += 1

    shown = open_services(runtime).executions.get(driven.execution_id)
    assert steps == 3
    assert [str(run.state) for run in shown.runs] == ["SUCCESS", "SUCCESS", "FAILED"]
    assert [len(run.attempts) for run in shown.runs] == [1, 1, 1]
    assert str(shown.execution.state) == "FAILED"
    assert shown.runs[1].outputs == {"size": 5}


def test_without_what_the_fold_left_it_is_loaded(runtime):
    first = begun(runtime, CHAIN)

    second = go_on(runtime, first.run_here, ended(runtime, first), HERE)

    assert second.run_here is not None
    assert second.left is not None


@pytest.mark.parametrize("keeps", [True, False])
def test_what_happened_meanwhile_comes_first(runtime, keeps):
    first = begun(runtime, CHAIN)
    end = ended(runtime, first)
    with runtime.store.begin() as tx:
        tx.events.add(first.execution_id, Kill(by="test"))
    before = rows(runtime, first.execution_id)

    assert go_on(runtime, first.run_here, end, HERE, first.left if keeps else None) is None
    assert rows(runtime, first.execution_id) == before
    assert finish(runtime, first.run_here, end) is not None
    drive(runtime, first.execution_id, HERE)
    assert str(open_services(runtime).executions.head(first.execution_id).state) == "KILLED"


@pytest.mark.parametrize("keeps", [True, False])
def test_the_end_of_an_attempt_that_was_lost_changes_nothing(runtime, keeps):
    first = begun(runtime, CHAIN)
    end = ended(runtime, first)
    row = first.run_here
    with runtime.store.begin() as tx:
        tx.attempts.end(row.task_run_id, row.attempt, row.fence)
        tx.events.add(first.execution_id, TaskFailed(row.task_run_id, row.attempt, lost=True))
    drive(runtime, first.execution_id)
    before = rows(runtime, first.execution_id)

    assert go_on(runtime, row, end, HERE, first.left if keeps else None) is None
    assert rows(runtime, first.execution_id) == before


def test_an_old_fence_changes_nothing(runtime):
    first = begun(runtime, CHAIN)
    end = ended(runtime, first)
    row = first.run_here
    with runtime.store.begin() as tx:
        tx.attempts.resubmit(row.task_run_id, row.attempt, row.fence)

    assert go_on(runtime, row, end, HERE, first.left) is None
    assert rows(runtime, first.execution_id)[0] == []


def test_nothing_is_kept_while_others_run_attempts_of_the_execution(runtime):
    first = begun(runtime, BOTH)
    assert first.left is None
    (other,) = [row for row in rows(runtime, first.execution_id)[1] if row != first.run_here]

    second = go_on(runtime, first.run_here, ended(runtime, first), HERE)

    with runtime.store.begin() as tx:
        claimed = tx.attempts.claim(other.task_run_id, other.attempt, "elsewhere")
    assert (second.run_here, second.left) == (None, None)
    last = go_on(runtime, claimed, run_attempt(runtime, claimed, AttemptControl()))
    assert last.run_here is None
    state = open_services(runtime).executions.head(first.execution_id).state
    assert str(state) == "SUCCESS"
