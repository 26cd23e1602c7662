from dataclasses import replace

import pytest

from runner.errors import NotFound
from runner.store.base import AuditRow, QuarantineRow
from tests.contracts.store.builders import NOW, a_flow, a_pair, a_revision, a_trigger, a_worker, at


def test_a_flow_comes_out_equal_and_is_overwritten(tx):
    flow = a_flow(
        path="_flows/a.yaml", commit="c", labels=(("a", "b"),), description="d", absent=True
    )
    tx.flows.save(flow)
    assert tx.flows.get("company.team", "hello") == tx.flows.lock("company.team", "hello") == flow
    tx.flows.save(changed := replace(flow, revision=2, absent=False, labels=()))
    assert tx.flows.find("company.team", "hello") == changed
    for call in (tx.flows.get, tx.flows.lock):
        with pytest.raises(NotFound, match=r"company\.team\.nope"):
            call("company.team", "nope")


def test_slots_are_counted_up_to_the_limit_and_outlive_a_save(tx):
    tx.flows.save(a_flow())
    assert [tx.flows.take_slot("company.team", "hello", 2) for _ in range(3)] == [True, True, False]
    tx.flows.save(a_flow(revision=2))
    assert tx.flows.get("company.team", "hello").running == 2
    for _ in range(3):
        tx.flows.give_slot("company.team", "hello")
    assert tx.flows.get("company.team", "hello").running == 0


def test_flows_are_searched_by_name_text_owner_and_label(tx):
    one = a_flow("one", namespace="a.b", labels=(("k", 'v"%'),))
    two = a_flow("two", namespace="a.b.c", owner="git:team", description="Loads 100% of it")
    three = a_flow("three", namespace="a.bc", deleted=True)
    for flow in (three, two, one):
        tx.flows.save(flow)
    assert tx.flows.search().items == [one, two]
    assert tx.flows.search(with_deleted=True).items == [one, two, three]
    assert tx.flows.search(namespace="a.b").items == [one, two]
    assert tx.flows.search(text="0% OF").items == [two]
    assert tx.flows.search(labels=[("k", 'v"%')]).items == [one]
    assert tx.flows.search(labels=[("k", "v")]).items == []
    assert tx.flows.search(owner="git:team").items == tx.flows.of_owner("git:team") == [two]
    assert tx.flows.namespaces() == ["a.b", "a.b.c"]
    page = tx.flows.search(limit=1)
    assert tx.flows.search(limit=1, cursor=page.cursor).items == [two]
    assert tx.flows.search(limit=1, cursor=page.cursor).cursor is None


def test_revisions_are_found_by_number_flow_commit_and_text(tx):
    first, second = (
        a_revision(1, commit="c", source_name="team", ref="main"),
        a_revision(2, commit="c"),
    )
    other = a_revision(1, flow_id="other")
    for revision in (second, first, other):
        tx.revisions.add(revision)
    assert tx.revisions.get("company.team", "hello", 2) == second
    assert tx.revisions.find("company.team", "hello", 3) is None
    assert tx.revisions.of_flow("company.team", "hello") == [first, second]
    assert tx.revisions.of_commit("c") == [first, second]
    assert tx.revisions.find_by_digest("company.team", "hello", "d2") == second
    with pytest.raises(NotFound, match="revision 3"):
        tx.revisions.get("company.team", "hello", 3)


TYPES = ("io.kestra.plugin.core.trigger.Schedule", "x.Webhook")


def test_triggers_are_due_by_their_next_date(tx):
    soon = a_trigger("soon", next_at=at(1), backfill={"start": "2026"}, key="k")
    late, never = (
        a_trigger("late", next_at=at(2)),
        a_trigger("never", type="x.Webhook", disabled=True),
    )
    assert tx.triggers.next_at(TYPES) is None
    for trigger in (never, late, soon):
        tx.triggers.save(trigger)
    assert tx.triggers.due(at(0), TYPES, limit=9) == []
    assert tx.triggers.due(at(2), TYPES, limit=9) == [soon, late]
    assert tx.triggers.due(at(2), TYPES, limit=1) == [soon]
    assert tx.triggers.next_at(TYPES) == at(1)
    waiting, off = replace(soon, execution_id="e"), replace(soon, disabled=True)
    for asleep in (off, waiting):
        tx.triggers.save(asleep)
        assert tx.triggers.due(at(2), TYPES, limit=9) == [late]
        assert tx.triggers.next_at(TYPES) == at(2)
    assert tx.triggers.locked_by("e") == waiting
    tx.triggers.save(soon)
    assert tx.triggers.locked_by("x") is None
    assert tx.triggers.of_flow("company.team", "hello") == [late, never, soon]
    assert tx.triggers.of_type("x.Webhook") == [never]
    assert tx.triggers.find("company.team", "hello", "late") == late
    assert tx.triggers.lock("company.team", "hello", "nope") is None
    tx.triggers.delete("company.team", "hello", "late")
    assert tx.triggers.search(namespace="company", text="OON").items == [soon]
    assert tx.triggers.search(flow_id="hello", limit=1).items == [never]
    assert tx.triggers.search(limit=1, cursor=tx.triggers.search(limit=1).cursor).items == [soon]


def test_a_firing_is_claimed_once(tx):
    assert tx.firings.claim("cron:a", "e1") is None
    assert tx.firings.claim("cron:a", "e2") == "e1"
    assert tx.firings.claim("cron:b", "e2", "d") is None
    assert [tx.firings.digest(key) for key in ("cron:a", "cron:b", "cron:c")] == [None, "d", None]


def test_old_firings_are_forgotten(store):
    with store.begin() as tx:
        tx.firings.claim("cron:a", "e1")
    with store.begin() as tx:
        assert tx.firings.purge(at(-(10**8))) == 0
        assert tx.firings.purge(at(10**9)) == 1
        assert tx.firings.claim("cron:a", "e2") is None


@pytest.mark.parametrize("value", [None, "text", 1.5, True, [1, {"a": None}], 2**70, "NUL \0"])
def test_any_plain_value_is_kept_under_a_key(tx, value):
    tx.kv.set(row := a_pair(value=value, expires_at=at(1), description="d"))
    assert tx.kv.find("company.team", "answer") == row


def test_an_overwritten_key_keeps_its_creation_and_counts_versions(tx):
    tx.kv.set(a_pair(value=1))
    tx.kv.set(a_pair(value=2, created_at=at(5), updated_at=at(5)))
    assert tx.kv.find("company.team", "answer") == a_pair(value=2, version=2, updated_at=at(5))
    assert [tx.kv.delete("company.team", "answer") for _ in range(2)] == [True, False]


def test_keys_are_listed_by_prefix_and_page(tx):
    for key in ("a", "a%", "ab", "b", "a\U0001f600"):
        tx.kv.set(a_pair(key))
    assert [row.key for row in tx.kv.list("company.team", prefix="a").items] == [
        "a",
        "a%",
        "ab",
        "a\U0001f600",
    ]
    page = tx.kv.list("company.team", limit=4)
    assert [row.key for row in tx.kv.list("company.team", cursor=page.cursor).items] == ["b"]
    assert tx.kv.list("other").items == []


def test_a_worker_lives_as_long_as_its_lease_by_the_databases_clock(store):
    with store.begin() as tx:
        tx.workers.register(a_worker("alive"), lease_seconds=60)
        tx.workers.register(a_worker("dead"), lease_seconds=-1)
        assert [w.id for w in tx.workers.all()] == ["alive", "dead"]
        assert tx.workers.get("alive").queues == ("default", "gpu")
        assert (tx.workers.is_alive("alive"), tx.workers.is_alive("dead")) == (True, False)
        assert not tx.workers.is_alive("unknown")
        assert [w.id for w in tx.workers.dead()] == ["dead"]
        assert tx.workers.renew("dead", lease_seconds=60)
        assert not tx.workers.renew("unknown", lease_seconds=60)
        tx.workers.set_draining("dead")
        assert tx.workers.find("dead").draining
        tx.workers.remove("dead")
        assert tx.workers.find("dead") is None
        with pytest.raises(NotFound):
            tx.workers.get("dead")


def test_a_duty_has_one_holder_until_its_lease_ends_by_the_databases_clock(store):
    def take(holder, seconds):
        with store.begin() as tx:
            return tx.duties.take("sweep", holder, seconds=seconds)

    assert take("a", 60)
    assert not take("b", 60)
    assert take("a", -1)
    assert take("b", 60)
    assert not take("a", 60)
    with store.begin() as tx:
        tx.duties.release("sweep", "a")
        assert tx.duties.holder("sweep") == "b"
        tx.duties.release("sweep", "b")
        assert tx.duties.holder("sweep") is None
        assert tx.duties.take("sweep", "a", seconds=1)


def test_audit_pages_newest_first(tx):
    for number in range(5):
        tx.audit.add(
            AuditRow(at(number), "ada", "flow.update", f"flow:{number % 2}", {"n": number})
        )
    page = tx.audit.list(limit=3)
    assert [row.details["n"] for row in page.items] == [4, 3, 2]
    assert [row.details["n"] for row in tx.audit.list(cursor=page.cursor).items] == [1, 0]
    assert [row.details["n"] for row in tx.audit.list(subject="flow:1").items] == [3, 1]


def test_quarantine_counts_tries(tx):
    row = QuarantineRow("execution:e", 1, "Traceback …", NOW, at(5))
    tx.quarantine.save(row)
    tx.quarantine.save(again := replace(row, tries=2, until=None))
    assert tx.quarantine.find("execution:e") == again
    assert tx.quarantine.list() == [again]
    assert [tx.quarantine.remove("execution:e") for _ in range(2)] == [True, False]
