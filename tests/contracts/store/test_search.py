import pytest

from runner.errors import InputInvalid
from runner.model.execution import StartedBy
from runner.model.states import State
from runner.store import search
from runner.store.base import ExecutionFilter
from tests.contracts.store.builders import add, an_execution, at


def found(store, *, limit=50, **wishes):
    """The ids that a search finds, page after page, which must be what count says."""
    filter = ExecutionFilter(**wishes)
    with store.read() as tx:
        ids, cursor = [], None
        while True:
            page = tx.executions.search(filter, limit=limit, cursor=cursor)
            ids += [execution.id for execution in page.items]
            if (cursor := page.cursor) is None:
                break
        assert tx.executions.count(filter, at_most=1000) == len(ids)
        assert sum(tx.executions.counts_by_state(filter, at_most=1000).values()) == len(ids)
        return ids


def test_without_wishes_all_come_newest_first(store):
    executions = [an_execution(created=at(n // 3)) for n in range(10)]
    add(store, *executions)
    newest_first = sorted(executions, key=lambda e: (e.created_at, e.id), reverse=True)
    assert (
        found(store)
        == found(store, limit=1)
        == found(store, limit=3)
        == [e.id for e in newest_first]
    )


def test_ascending_is_the_reverse(store):
    executions = [an_execution(created=at(n // 3)) for n in range(10)]
    add(store, *executions)
    oldest_first = sorted(executions, key=lambda e: (e.created_at, e.id))
    with store.read() as tx:
        first = tx.executions.search(ExecutionFilter(), limit=6, ascending=True)
        rest = tx.executions.search(ExecutionFilter(), limit=6, cursor=first.cursor, ascending=True)
    assert [*first.items, *rest.items] == oldest_first
    assert rest.cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "WzFd", "WzEsMl0", "bnVsbA", "💥"])
def test_a_cursor_of_somebody_else_is_refused(store, cursor):
    with store.read() as tx, pytest.raises(InputInvalid, match="cursor"):
        tx.executions.search(ExecutionFilter(), limit=1, cursor=cursor)


def test_a_namespace_has_its_children_and_no_namesakes(store):
    names = ["a.b", "a.b.c", "a.b.c.d", "a.bc", "a.b-c", "a", "A.b", "a.b_"]
    executions = {name: an_execution(namespace=name, created=at(n)) for n, name in enumerate(names)}
    add(store, *executions.values())
    assert found(store, namespaces=("a.b",)) == [
        executions[n].id for n in ("a.b.c.d", "a.b.c", "a.b")
    ]
    assert found(store, namespaces=("a.b.c", "A.b")) == [
        executions[n].id for n in ("A.b", "a.b.c.d", "a.b.c")
    ]
    assert found(store, namespaces=("zzz",)) == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("load", ["load"]),
        ("load*", ["load_2", "load", "load-x", "load%1"]),
        ("*2", ["load_2", "2"]),
        ("l*d*", ["load_2", "load", "load-x", "load%1"]),
        ("load_*", ["load_2"]),
        ("load%*", ["load%1"]),
        ("LOAD*", []),
        ("*", ["load_2", "load", "load-x", "load%1", "2"]),
        ("lo[a]d", []),
        ("load?2", []),
        ("~*", []),
    ],
)
def test_only_a_star_is_special_in_a_flow_pattern(store, pattern, expected):
    names = ["2", "load%1", "load-x", "load", "load_2"]
    executions = {name: an_execution(flow_id=name, created=at(n)) for n, name in enumerate(names)}
    add(store, *executions.values())
    assert found(store, flow_ids=(pattern,)) == [executions[name].id for name in expected]


def test_states_merge(store):
    states = [State.RUNNING, State.FAILED, State.SUCCESS, State.FAILED, State.RUNNING]
    executions = [an_execution(state=state, created=at(n)) for n, state in enumerate(states)]
    add(store, *executions)
    wanted = [executions[n].id for n in (4, 3, 1, 0)]
    assert found(store, states=("FAILED", "RUNNING")) == found(
        store, states=("FAILED", "RUNNING", "FAILED"), limit=1
    )
    assert found(store, states=("FAILED", "RUNNING")) == wanted
    assert found(store, states=("KILLED",)) == []
    with store.read() as tx:
        counts = tx.executions.counts_by_state(ExecutionFilter(), at_most=4)
    assert counts == {"FAILED": 2, "SUCCESS": 1, "RUNNING": 1}


def test_executions_are_counted_by_flow(store):
    names = ["a", "b", "a"]
    add(store, *(an_execution(flow_id=name, created=at(n)) for n, name in enumerate(names)))
    with store.read() as tx:
        counts = tx.executions.counts_by_flow(ExecutionFilter(), at_most=9)
    assert counts == {"a": 2, "b": 1}


def test_labels_must_all_be_there(store):
    one = an_execution(labels=(("env", "prod"), ("team", "a")), created=at(1))
    two = an_execution(labels=(("env", "prod"), ("team", "b")), created=at(2))
    three = an_execution(labels=(("env", "pro%"), ("env2", "prod")), created=at(3))
    add(store, one, two, three)
    assert found(store, labels=(("env", "prod"),)) == [two.id, one.id]
    assert found(store, labels=(("env", "prod"),), limit=1) == [two.id, one.id]
    assert found(store, labels=(("env", "prod"), ("team", "a"))) == [one.id]
    assert found(store, labels=(("env", "pro%"),)) == [three.id]
    assert found(store, labels=(("env", "prod"),), states=("FAILED",)) == []
    assert found(store, labels=(("env", "prod"),), until=at(2)) == [one.id]


def test_a_correlation_label_is_kept_for_search_where_it_says_something(store):
    first = an_execution(created=at(1))
    first = an_execution(id=first.id, labels=(("system.correlationId", first.id),))
    second = an_execution(labels=(("system.correlationId", first.id),), created=at(2))
    add(store, first, second)
    assert found(store, labels=(("system.correlationId", first.id),)) == [second.id]


def test_a_commit_is_found_by_its_beginning(store):
    one = an_execution(commit="abc" + "0" * 37, created=at(1))
    two = an_execution(commit="abd" + "0" * 37, created=at(2))
    add(store, one, two, an_execution())
    assert found(store, commit="ab") == [two.id, one.id]
    assert found(store, commit="ABC") == [one.id]
    assert found(store, commit="abc" + "0" * 37) == [one.id]
    assert found(store, commit="a%") == []


def test_trigger_upstream_original_kind_and_time_narrow(store):
    hook = StartedBy("hook", "core.trigger.Webhook")
    one = an_execution(trigger=hook, original_id="o", created=at(1))
    two = an_execution(
        trigger=StartedBy("tick", "core.trigger.Schedule"), kind="TEST", created=at(2)
    )
    three = an_execution(created=at(3))
    add(store, one, two)
    with store.begin() as tx:
        tx.executions.add(three, by="flow", upstream_id=one.id)
    assert found(store, trigger_id="hook") == [one.id]
    assert found(store, trigger_types=("core.trigger.Schedule", "x")) == [two.id]
    assert found(store, upstream_id=one.id) == [three.id]
    assert found(store, original_id="o") == [one.id]
    assert found(store, kinds=("TEST", "PLAYGROUND")) == [two.id]
    assert found(store, since=at(2)) == [three.id, two.id]
    assert found(store, since=at(1), until=at(3)) == [two.id, one.id]


def test_text_is_part_of_flow_or_namespace_or_begins_the_id(store):
    flow = an_execution(id="x1", flow_id="Nightly_load", created=at(1))
    space = an_execution(id="x2", namespace="acme.nightly", created=at(2))
    by_id = an_execution(id="nIGHTly9", created=at(3))
    both = an_execution(id="nightly0", flow_id="nightly", created=at(4))
    add(store, flow, space, by_id, both)
    assert found(store, text="nightly") == ["nightly0", "x2", "x1"]
    assert found(store, text="nIGHT") == ["nightly0", "nIGHTly9", "x2", "x1"]
    assert found(store, text="nightly", limit=1) == ["nightly0", "x2", "x1"]
    assert found(store, text="y_l") == ["x1"]
    assert found(store, text="%") == []
    assert found(store, text="nightly", namespaces=("company",)) == ["nightly0", "x1"]


@pytest.mark.parametrize(("branches", "rare"), [(1, 0), (1, 1000), (32, 0), (32, 1000)])
def test_every_way_to_search_finds_the_same(store, monkeypatch, branches, rare):
    monkeypatch.setattr(search, "_BRANCHES", branches)
    monkeypatch.setattr(search, "_RARE", rare)
    states = [State.RUNNING, State.FAILED, State.SUCCESS]
    executions = [
        an_execution(
            flow_id=f"flow-{n % 4}",
            namespace=f"space-{n % 3}",
            state=states[n % 3],
            created=at(n // 2),
            labels=(("n", str(n % 2)),),
        )
        for n in range(40)
    ]
    add(store, *executions)

    def expected(matches):
        ordered = sorted(executions, key=lambda e: (e.created_at, e.id), reverse=True)
        return [e.id for e in ordered if matches(e)]

    assert found(store, states=("FAILED", "RUNNING"), limit=7) == expected(
        lambda e: e.state in ("FAILED", "RUNNING")
    )
    assert found(store, states=("FAILED",), flow_ids=("flow-1", "*2"), limit=7) == expected(
        lambda e: e.state == "FAILED" and e.flow_id in ("flow-1", "flow-2")
    )
    assert found(store, namespaces=("space-0", "space-1"), text="w-3", limit=7) == expected(
        lambda e: e.namespace in ("space-0", "space-1") and e.flow_id == "flow-3"
    )
    assert found(
        store, labels=(("n", "1"),), states=("SUCCESS",), text="flow", limit=7
    ) == expected(lambda e: e.labels == (("n", "1"),) and e.state == "SUCCESS")
