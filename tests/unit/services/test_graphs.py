from runner.model.states import State
from runner.services import graphs
from tests.unit.engine.simulator import FLOW, a_flow, flowable, play, task


def edges(graph):
    return [
        (edge["source"], edge["target"], edge["relation"].get("relationType"))
        for edge in graph["edges"]
    ]


def sizes(graph):
    return len(graph["nodes"]), len(graph["edges"]), len(graph["clusters"])


def test_one_task_is_three_nodes():
    assert sizes(graphs.of_flow(a_flow(task("a")))) == (3, 2, 0)


def test_a_parallel_of_six_and_one_task():
    six = tuple(task(f"t{number}") for number in range(6))

    graph = graphs.of_flow(a_flow(flowable("par", "Parallel", tasks=six), task("last")))

    assert sizes(graph) == (12, 16, 1)


def test_a_cluster_has_its_ends_and_its_own_node():
    graph = graphs.of_flow(a_flow(flowable("par", "Parallel", tasks=(task("a"),))))

    assert [node["uid"] for node in graph["nodes"]] == [
        "root.root-1",
        "root.end-1",
        "root.par.root-2",
        "root.par.end-2",
        "root.par",
        "root.par.a",
    ]
    assert set(edges(graph)) == {
        ("root.root-1", "root.par.root-2", None),
        ("root.par.root-2", "root.par", None),
        ("root.par", "root.par.a", "PARALLEL"),
        ("root.par.a", "root.par.end-2", None),
        ("root.par.end-2", "root.end-1", None),
    }
    (cluster,) = graph["clusters"]
    assert cluster["cluster"]["uid"] == "cluster_root.par"
    assert cluster["cluster"]["taskNode"]["uid"] == "root.par"
    assert graph["flowables"] == ["root.par"]


def test_a_sequence_goes_from_start_to_end():
    graph = graphs.of_flow(a_flow(task("a"), task("b")))

    assert edges(graph) == [
        ("root.root-1", "root.a", None),
        ("root.a", "root.b", "SEQUENTIAL"),
        ("root.b", "root.end-1", None),
    ]


def test_choices_are_named():
    choice = flowable("if", "If", then=(task("yes"),), else_=(task("no"),))

    graph = graphs.of_flow(a_flow(choice))

    relations = [edge["relation"] for edge in graph["edges"] if edge["source"] == "root.if"]
    assert relations == [
        {"relationType": "CHOICE", "value": "then"},
        {"relationType": "CHOICE", "value": "else"},
    ]


def test_errors_and_finally_have_their_ways():
    graph = graphs.of_flow(
        a_flow(task("a"), errors=(task("e"),), finally_=(task("f"),), after_execution=(task("x"),))
    )

    found = edges(graph)
    assert ("root.root-1", "root.e", "ERROR") in found
    assert ("root.a", "root.finally-2", None) in found
    assert ("root.e", "root.finally-2", None) in found
    assert ("root.finally-2", "root.f", "FINALLY") in found
    assert ("root.f", "root.afterExecution-3", None) in found
    assert ("root.x", "root.end-1", None) in found
    error = next(node for node in graph["nodes"] if node["uid"] == "root.e")
    assert (error["branchType"], error["error"]) == ("ERROR", True)


def test_an_execution_shows_runs_and_the_values_of_loops():
    loop = flowable("loop", "ForEach", {"values": ["a", "b"]}, tasks=(task("x"), task("y")))
    played = play(loop, task("z"), values={"loop": {"values": ["a", "b"]}})

    graph = graphs.of_execution(
        played.flow, played.execution, list(played.runs.by_id.values()), played.now
    )

    by_uid = {node["uid"]: node for node in graph["nodes"]}
    assert {"root.loop.x_a", "root.loop.y_a", "root.loop.x_b", "root.loop.y_b"} <= set(by_uid)
    assert by_uid["root.loop.x_b"]["taskRun"]["value"] == "b"
    assert by_uid["root.z"]["taskRun"]["state"]["current"] == str(State.SUCCESS)


def test_a_subflow_is_marked():
    child = flowable("sub", "Subflow")

    graph = graphs.of_flow(a_flow(child))

    node = next(node for node in graph["nodes"] if node["uid"] == "root.sub")
    assert node["type"].endswith("SubflowGraphTask")
    assert node["task"]["type"] == f"{FLOW}Subflow"
