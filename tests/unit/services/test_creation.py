from concurrent.futures import ThreadPoolExecutor

import pytest

from runner.errors import Refused
from runner.services.bundle import open_services
from runner.services.creation import GroupCreator
from runner.services.executions import Order
from runner.services.firing import Creation
from runner.services.principal import LOCAL
from tests.unit.runtimes import HELLO, drive_all


@pytest.fixture
def creator(runtime):
    creator = GroupCreator(runtime)
    yield creator
    creator.close()


def test_creations_at_once_all_come_to_be(runtime, creator):
    services = open_services(runtime, creator)
    services.flows.create(HELLO, by=LOCAL)
    order = Order("company.team", "hello", inputs={})

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: services.executions.create(order, by=LOCAL), range(100)))

    assert len({creation.execution.id for creation in made}) == 100
    assert len(runtime.queue.sent) == 100
    drive_all(runtime, made[0].execution.id)
    assert services.executions.head(made[0].execution.id).outputs == {"greeting": "bob"}


def test_one_that_is_refused_spoils_no_other(runtime, creator):
    services = open_services(runtime, creator)
    services.flows.create(HELLO, by=LOCAL)

    def refuse(tx) -> Creation:
        raise Refused("no")

    with ThreadPoolExecutor(8) as pool:
        order = Order("company.team", "hello", inputs={})
        refused = [pool.submit(creator.run, refuse) for _ in range(5)]
        made = [pool.submit(services.executions.create, order, by=LOCAL) for _ in range(5)]

    assert all(isinstance(future.exception(), Refused) for future in refused)
    assert all(future.result().is_new for future in made)


def test_one_that_breaks_is_told_and_the_others_are_tried_alone(runtime, creator):
    services = open_services(runtime, creator)
    services.flows.create(HELLO, by=LOCAL)

    def broken(tx) -> Creation:
        raise ZeroDivisionError

    with ThreadPoolExecutor(8) as pool:
        order = Order("company.team", "hello", inputs={})
        breaking = [pool.submit(creator.run, broken) for _ in range(3)]
        made = [pool.submit(services.executions.create, order, by=LOCAL) for _ in range(5)]

    assert all(isinstance(future.exception(), ZeroDivisionError) for future in breaking)
    assert all(future.result().is_new for future in made)
