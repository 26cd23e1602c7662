from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from runner.attempt.kv import KvBuffer, buffered, kind_of
from runner.errors import ArgumentInvalid, Expired, NotFound, Refused
from runner.store.base import KvRow
from tests.unit.runtimes import MovableClock


class Rows(dict):
    def find(self, namespace, key):
        return self.get((namespace, key))


def a_kv(own="company.team", stored=None):
    clock = MovableClock()
    buffer = KvBuffer(stored if stored is not None else Rows())
    return buffered(buffer, own, clock), buffer, clock


def a_row(namespace, key, value):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return KvRow(namespace, key, 4, "STRING", value, now, now)


def test_a_value_is_read_back_before_it_is_stored():
    kv, buffer, _ = a_kv()
    kv.set("company.team", "k", {"a": [1, 2]})
    assert kv.get("company.team", "k") == {"a": [1, 2]}
    assert [(row.kind, row.version) for row in buffer.writes] == [("JSON", 1)]


def test_a_new_version_follows_the_stored_one():
    kv, buffer, _ = a_kv(stored=Rows({("company.team", "k"): a_row("company.team", "k", "old")}))
    kv.set("company.team", "k", "new")
    assert buffer.writes[0].version == 5


def test_parents_are_searched_from_the_own_namespace_only():
    stored = Rows({("company", "k"): a_row("company", "k", "parent's")})
    kv, *_ = a_kv(stored=stored)
    assert kv.get("company.team", "k") == "parent's"
    with pytest.raises(NotFound):
        kv.get("company.other", "k")


def test_a_value_past_its_time_is_expired_and_free_to_be_set():
    kv, _, clock = a_kv()
    kv.set("company.team", "k", 1, ttl=timedelta(minutes=1))
    clock.move(minutes=1)
    with pytest.raises(Expired):
        kv.get("company.team", "k")
    kv.set("company.team", "k", 2, overwrite=False)
    assert kv.get("company.team", "k") == 2


def test_without_overwrite_an_existing_key_is_refused():
    kv, *_ = a_kv()
    kv.set("company.team", "k", 1)
    with pytest.raises(Refused):
        kv.set("company.team", "k", 2, overwrite=False)


def test_a_deleted_key_is_gone_in_the_same_fold():
    kv, buffer, _ = a_kv()
    kv.set("company.team", "k", 1)
    assert kv.delete("company.team", "k")
    assert not kv.delete("company.team", "k")
    with pytest.raises(NotFound):
        kv.get("company.team", "k")
    assert buffer.writes[1] == ("company.team", "k")


@pytest.mark.parametrize("key", ["", "-a", "a b", "a/b", "é"])
def test_an_odd_key_is_refused(key):
    kv, *_ = a_kv()
    with pytest.raises(ArgumentInvalid, match="alphanumeric"):
        kv.set("company.team", key, 1)


@pytest.mark.parametrize(
    ("value", "kind", "plain"),
    [
        ("5", "STRING", "5"),
        (True, "BOOLEAN", True),
        (5, "NUMBER", 5),
        (Decimal("1.5"), "NUMBER", 1.5),
        (datetime(2026, 1, 5, tzinfo=UTC), "DATETIME", "2026-01-05T00:00:00.000Z"),
        (date(2026, 1, 5), "DATE", "2026-01-05"),
        (timedelta(minutes=90), "DURATION", "PT1H30M"),
        ([1, {"a": Decimal(2)}], "JSON", [1, {"a": 2.0}]),
        (None, "JSON", None),
    ],
)
def test_the_kind_follows_from_the_value(value, kind, plain):
    assert kind_of(value) == (kind, plain)
