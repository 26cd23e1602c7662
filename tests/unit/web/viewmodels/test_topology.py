import json
from dataclasses import replace
from datetime import timedelta

import pytest

from runner.model.states import State
from tests.unit.engine.simulator import a_flow, flowable, task
from tests.unit.web.viewmodels.builders import NOW, a_group, a_run, an_attempt
from web.viewmodels import topology
from web.viewmodels.topology import Group, Node

A, B, C, D = (task(name) for name in "abcd")


def edges(found):
    return {(each.source, each.target, each.label) for each in found.edges}


def of_flow(*tasks, **more):
    return topology.of_flow(a_flow(*tasks, **more), "", "/flows/x/y")


def test_tasks_follow_one_another():
    assert edges(of_flow(A, B, C)) == {("a", "b", ""), ("b", "c", "")}


def test_what_is_side_by_side_is_entered_and_left_together():
    found = of_flow(A, flowable("p", "Parallel", tasks=(B, C)), D)

    assert edges(found) == {("a", "b", ""), ("a", "c", ""), ("b", "d", ""), ("c", "d", "")}
    assert found.items[1].label == "p, parallel"


def test_a_dag_has_the_edges_of_its_dependencies():
    needs = (A, replace(B, depends_on=("a",)), replace(C, depends_on=("a", "b")))

    assert edges(of_flow(flowable("g", "Dag", tasks=needs), D)) == {
        ("a", "b", ""), ("a", "c", ""), ("b", "c", ""), ("c", "d", ""),
    }  # fmt: skip


def test_a_choice_branches_from_one_point_and_an_if_without_else_can_be_passed():
    choice = flowable("if", "If", then=(A,))

    assert edges(of_flow(choice, B)) == {("if:", "a", "then"), ("a", "b", ""), ("if:", "b", "")}
    assert of_flow(choice, B).joints == ("if:",)


def test_many_meet_many_in_one_point():
    left = flowable("l", "Parallel", tasks=tuple(task(f"l{n}") for n in range(9)))
    right = flowable("r", "Parallel", tasks=tuple(task(f"r{n}") for n in range(9)))

    assert len(of_flow(left, right).edges) == 18


def test_what_comes_after_says_so():
    found = edges(of_flow(A, errors=(B,), finally_=(C,)))

    assert {("a", "b", "on error"), ("a", "c", "finally"), ("b", "c", "finally")} == found


def test_a_run_says_what_was_reached_and_which_way_was_not_taken():
    failed = a_run("a", 0, State.FAILED, began=90, ended=58)
    found = topology.of_execution(a_flow(A, B, errors=(C,)), [failed], NOW, "/executions/1")

    reached, missed, _ = found.items
    assert reached == Node(
        "a", "a", "log.Log, 0:32", "/executions/1?task=run-a-0", reached.shown, State.FAILED
    )
    assert (missed.sub, missed.state) == ("not reached", None)
    assert {(each.target, each.off) for each in found.edges} == {("b", True), ("c", True)}
    assert ("a", "c", "on error") in edges(found)


def test_values_of_a_loop_are_one_box():
    loop = flowable("each", "ForEach", tasks=(A,))
    runs = [
        a_group("each", 0, state=State.RUNNING),
        a_run("a", 1, value="x"),
        a_run("a", 2, State.RUNNING, value="y"),
    ]
    (group,) = topology.of_execution(a_flow(loop), runs, NOW, "/e").items

    assert (group.label, group.items[0].sub) == ("each, for each, running", "log.Log, 1 of 2")


def test_tries_are_counted():
    run = a_run("a", attempts=(an_attempt(State.FAILED), an_attempt()))
    (node,) = topology.of_execution(a_flow(A), [run], NOW + timedelta(1), "/e").items

    assert node.sub == "log.Log, 2 tries"


def test_a_large_flow_shows_its_groups_as_one_box_each():
    group = flowable("p", "Parallel", tasks=tuple(task(f"t{n}") for n in range(200)))
    found = of_flow(A, group)

    assert [type(item) for item in found.items] == [Node, Node]
    assert found.items[1].sub == "flow.Parallel, 200 tasks"


@pytest.mark.parametrize("written", ["  - id: a", "  - {id: 'a', type: x}", '  id: "a"'])
def test_a_task_of_a_flow_leads_to_its_line(written):
    found = topology.of_flow(a_flow(A), f"id: f\ntasks:\n{written}\n", "/flows/x/y")

    assert found.items[0].href == "/flows/x/y#l3"


def test_the_island_gets_its_edges_as_data():
    assert json.loads(of_flow(A, B).data) == {"edges": [["a", "b", "", False]], "joints": []}


def test_a_disabled_task_is_not_there():
    found = of_flow(A, replace(B, disabled=True), C)

    assert edges(found) == {("a", "c", "")}
    assert not any(isinstance(item, Group) for item in found.items)
