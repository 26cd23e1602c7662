"""What the dashboard is given about one execution."""

import base64

import pytest

from runner.services.bundle import open_services
from runner.services.dashboard import Dashboard
from runner.services.executions import Order
from runner.services.principal import LOCAL
from tests.unit.runtimes import a_runtime, drive_all

LOGIN = """\
id: login
namespace: company.team
inputs:
  - {id: token, type: SECRET}
tasks:
  - id: give
    type: io.kestra.plugin.core.debug.Return
    format: "{{ secret('API_KEY') }} {{ inputs.token }} and more"
"""
KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def runtime(tmp_path):
    environment = {
        "SECRET_API_KEY": base64.b64encode(b"key-1234").decode(),
        "ENCRYPTION_KEY": KEY,
    }
    runtime = a_runtime(
        tmp_path / "home", environment=environment, encryption_key="${ENCRYPTION_KEY}"
    )
    yield runtime
    runtime.store.close()


def test_secrets_are_hidden_in_what_people_see_and_stay_for_programs(runtime):
    services = open_services(runtime)
    services.flows.create(LOGIN, by=LOCAL)
    order = Order("company.team", "login", inputs={"token": "tok-5678"})
    execution = services.executions.create(order, by=LOCAL).execution
    drive_all(runtime, execution.id)

    detail = Dashboard(runtime).execution(execution.id)

    [run] = services.executions.get(execution.id).runs
    assert run.outputs == {"value": "key-1234 tok-5678 and more"}
    assert detail.hide(run.outputs) == {"value": "****** ****** and more"}


def test_what_one_executions_input_hides_another_shows(runtime):
    services = open_services(runtime)
    services.flows.create(LOGIN, by=LOCAL)

    def detail(token):
        order = Order("company.team", "login", inputs={"token": token})
        return Dashboard(runtime).execution(
            services.executions.create(order, by=LOCAL).execution.id
        )

    assert detail("tok-5678").hide("tok-5678") == "******"
    assert detail("tok-9999").hide("tok-5678") == "tok-5678"
