"""Folds that are cut, processes that die between them, and slots of a flow."""

from datetime import timedelta

import pytest

from runner.executor.drive import Driven, _load, _round, drive_many
from runner.services.bundle import open_services
from runner.services.executions import Order
from runner.services.principal import LOCAL
from tests.unit.runtimes import a_runtime, drive_all

MANY = """\
id: many
namespace: company.team
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ range(1, 600) }}"
    concurrencyLimit: 0
    tasks:
      - {id: each, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
"""


@pytest.fixture
def runtime(tmp_path):
    runtime = a_runtime(tmp_path / "home")
    yield runtime
    runtime.store.close()


def test_what_a_process_left_undone_when_it_died_is_done_by_the_next(runtime):
    services = open_services(runtime)
    services.flows.create(MANY, by=LOCAL)
    order = Order("company.team", "many", inputs={})
    made = services.executions.create(order, by=LOCAL).execution
    folding = _load(runtime, made.id, None)
    _round(runtime, [folding], {made.id: Driven(made.id)})
    assert folding.is_cut
    assert services.executions.head(made.id).unfinished
    del folding  # with its process, and what it had in memory alone

    drive_all(runtime, made.id)

    shown = services.executions.get(made.id)
    assert str(shown.execution.state) == "SUCCESS"
    assert len(shown.runs) == 601


# ── slots of a flow ──────────────────────────────────────────────────────────────────────────────

TWO = """\
id: two
namespace: company.team
concurrency: {limit: 2, behavior: BEHAVIOR}
tasks:
  - {id: wait, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}
"""


def started(runtime, behavior, count):
    services = open_services(runtime)
    services.flows.create(TWO.replace("BEHAVIOR", behavior), by=LOCAL)
    order = Order("company.team", "two", inputs={})
    ids = []
    for _ in range(count):
        ids.append(services.executions.create(order, by=LOCAL).execution.id)
        runtime.clock.move(milliseconds=1)
    return ids


def states(runtime, ids):
    return [str(open_services(runtime).executions.head(each).state) for each in ids]


def slots(runtime):
    with runtime.store.read() as tx:
        return tx.flows.get("company.team", "two").running


def test_a_fold_that_another_was_faster_than_takes_no_slot(runtime):
    (one,) = started(runtime, "QUEUE", 1)
    both = [_load(runtime, one, None), _load(runtime, one, None)]

    lost = [_round(runtime, [each], {one: Driven(one)})[0] for each in both]

    assert lost == [[], [one]]
    assert slots(runtime) == 1


@pytest.mark.parametrize(("behavior", "refused"), [("FAIL", "FAILED"), ("CANCEL", "CANCELLED")])
@pytest.mark.parametrize("order", [[3, 2, 1, 0], [2, 0, 3, 1], [0, 1, 2, 3]])
@pytest.mark.parametrize("together", [True, False])
def test_younger_executions_do_not_overtake_where_the_others_would_be_refused(
    runtime, behavior, refused, order, together
):
    ids = started(runtime, behavior, 4)
    in_order = [ids[index] for index in order]

    for each in [in_order] if together else [[one] for one in in_order]:
        drive_many(runtime, each)

    assert states(runtime, ids) == ["RUNNING", "RUNNING", refused, refused]
    assert slots(runtime) == 2


def test_who_is_to_begin_later_keeps_nobody_waiting(runtime):
    services = open_services(runtime)
    services.flows.create(TWO.replace("BEHAVIOR", "FAIL"), by=LOCAL)
    later = runtime.clock.now() + timedelta(hours=1)
    for moment in (later, later, None):
        order = Order("company.team", "two", inputs={}, schedule_at=moment)
        made = services.executions.create(order, by=LOCAL).execution
        drive_many(runtime, [made.id])
        runtime.clock.move(milliseconds=1)

    assert states(runtime, [made.id]) == ["RUNNING"]
