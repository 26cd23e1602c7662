import pytest

from runner.errors import ArgumentInvalid, Expired, NotFound
from runner.services.kv import typed
from runner.services.principal import LOCAL


@pytest.mark.parametrize(
    ("body", "value", "kind"),
    [
        ('"v"', "v", "STRING"),
        ("42", 42, "NUMBER"),
        ("4.5", 4.5, "NUMBER"),
        ("true", True, "BOOLEAN"),
        ('{"a": 1}', {"a": 1}, "JSON"),
        ("[1]", [1], "JSON"),
        ("2026-01-05", "2026-01-05", "DATE"),
        ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z", "DATETIME"),
        ("PT5M", "PT5M", "DURATION"),
        ('"2026-01-05"', "2026-01-05", "STRING"),
        ("2026-99-05", "2026-99-05", "STRING"),
        ("some text", "some text", "STRING"),
        ("P", "P", "STRING"),
    ],
)
def test_the_body_says_the_type(body, value, kind):
    assert typed(body) == (value, kind)


def test_a_key_is_gone_after_its_time(services, runtime):
    from datetime import timedelta

    services.kv.set("a.b", "k", 1, "NUMBER", by=LOCAL, ttl=timedelta(seconds=5))
    assert services.kv.get("a.b", "k").value == 1

    runtime.clock.move(seconds=5)

    with pytest.raises(Expired):
        services.kv.get("a.b", "k")
    assert services.kv.list("a.b") == []


def test_setting_again_counts_versions(services):
    services.kv.set("a.b", "k", 1, "NUMBER", by=LOCAL)
    services.kv.set("a.b", "k", 2, "NUMBER", by=LOCAL)

    row = services.kv.get("a.b", "k")
    assert (row.value, row.version) == (2, 2)


def test_odd_keys_are_refused(services):
    with pytest.raises(ArgumentInvalid):
        services.kv.set("a.b", "../k", 1, "NUMBER", by=LOCAL)


def test_an_unknown_key_is_named(services):
    with pytest.raises(NotFound, match=r"'k' in namespace 'a\.b'"):
        services.kv.get("a.b", "k")
