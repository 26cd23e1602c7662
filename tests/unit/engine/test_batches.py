"""A ForEachItem starts a subflow for each batch and counts what becomes of them (§7.8)."""

import pytest

from runner.engine.events import ChildEnded, ChildRefused, Kill, Recovered
from runner.model.states import State
from tests.unit.engine.simulator import Simulation, flowable, play

FAILED, SUCCESS = State.FAILED, State.SUCCESS


def batches(count: int, **properties) -> Simulation:
    part = flowable("x_items", "ForEachItem$ForEachItemExecutable", properties)
    return play(part, values={"x_items": {"count": count, "splits": "kestra:///s"}})


def end(simulation: Simulation, number: int, state: State) -> Simulation:
    run = simulation.of("x_items")[0]
    return simulation.feed(ChildEnded(run.id, f"child-{number}", state, iteration=number))


def test_it_ends_when_all_batches_have_ended():
    running = batches(3)
    assert running.of("x_items")[0].outputs == {
        "numberOfBatches": 3,
        "iterations": {"CREATED": 0, "RUNNING": 3},
    }

    for number in (2, 0, 1):
        end(running, number, SUCCESS)

    assert running.state == "SUCCESS"
    assert running.of("x_items")[0].outputs["iterations"] == {
        "CREATED": 0,
        "RUNNING": 0,
        "SUCCESS": 3,
    }


@pytest.mark.parametrize(
    ("ends", "state"),
    [([FAILED, SUCCESS], "FAILED"), ([State.WARNING, SUCCESS], "WARNING"),
     ([State.KILLED, State.WARNING], "KILLED"), ([State.CANCELLED, SUCCESS], "SUCCESS")],
)  # fmt: skip
def test_it_ends_as_the_worst_of_them(ends, state):
    running = batches(2)
    for number, each in enumerate(ends):
        end(running, number, each)

    assert running.state == state


def test_what_need_not_be_transmitted_is_a_success():
    assert end(batches(1, transmitFailed=False), 0, FAILED).state == "SUCCESS"


def test_an_end_that_is_told_twice_counts_once():
    running = end(end(batches(2), 0, SUCCESS), 0, FAILED)

    assert running.state == "RUNNING"
    assert end(running, 1, SUCCESS).state == "SUCCESS"


def test_no_batches_at_all_is_a_success():
    assert batches(0).state == "SUCCESS"


def test_batches_that_need_not_be_waited_for_end_it_at_once():
    assert batches(250, wait=False).state == "SUCCESS"


def test_a_refused_subflow_is_a_failed_batch():
    running = batches(1)
    running.feed(ChildRefused(running.of("x_items")[0].id, "no such flow", 0))

    assert running.state == "RUNNING"  # it had started already: what comes late changes nothing


def test_the_number_of_steps_grows_with_the_batches_and_no_faster():
    few, many = batches(100), batches(1000)

    assert many.changes < 11 * few.changes


def test_a_kill_kills_what_it_has_started():
    killed = batches(2).feed(Kill())

    assert killed.state == "KILLED"
    assert killed.killed_children == [None]


def test_a_cut_fold_asks_again_for_what_has_not_started():
    assert end(end(batches(2).feed(Recovered()), 0, SUCCESS), 1, SUCCESS).state == "SUCCESS"
