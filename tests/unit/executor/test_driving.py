"""Folds that are cut, and processes that die between them."""

import pytest

from runner.executor.drive import Driven, _load, _round
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
