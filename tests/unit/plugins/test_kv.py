from datetime import timedelta

import pytest

from runner.plugin import TaskError
from runner.plugins import kv
from tests.unit.plugins.rendering import a_context

NS = "company.team"


@pytest.fixture
def ctx(tmp_path):
    return a_context(tmp_path)


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        (
            {"a": {"x": 1}, "l": [1]},
            {"a": {"y": 2}, "l": [2]},
            {"a": {"x": 1, "y": 2}, "l": [1, 2]},
        ),
        ({"a": {"x": 1}}, [{"key": "a.y", "value": 2}], {"a": {"x": 1, "y": 2}}),
        ({"a": 1}, [{"value": "all new"}], "all new"),
        ({"a": 1}, 5, 5),
        ("text", {"a": 1}, {"a": 1}),
    ],
)
def test_a_put_merges(before, value, after, ctx):
    ctx.kv.set(NS, "k", before)

    kv.Put(key="k", value=value).run(ctx)

    assert ctx.kv.get(NS, "k") == after


def test_a_put_without_a_key_creates_or_fails(ctx):
    kv.Put(key="k", value={"a": 1}).run(ctx)

    assert ctx.kv.get(NS, "k") == {"a": 1}
    with pytest.raises(TaskError, match="No value found for key 'other'"):
        kv.Put(key="other", value=1, error_on_missing=True).run(ctx)


def test_a_key_is_deleted_once(ctx):
    kv.Set(key="k", value=1, ttl=timedelta(days=1)).run(ctx)

    assert kv.Delete(key="k").run(ctx).deleted
    assert not kv.Delete(key="k").run(ctx).deleted
    with pytest.raises(TaskError, match="No value found"):
        kv.Delete(key="k", error_on_missing=True).run(ctx)


def test_keys_are_listed_by_prefix(ctx):
    for key in ("a1", "a2", "b1"):
        ctx.kv.set(NS, key, 1)

    assert kv.GetKeys(prefix="a").run(ctx).keys == ["a1", "a2"]
    assert kv.Get(key="a1").run(ctx).value == 1


def test_a_purge_removes_keys_by_namespace_and_pattern(ctx):
    for namespace in ("a", "a.b", "ab"):
        for key in ("tmp_1", "kept"):
            ctx.kv.set(namespace, key, 1)
    behavior = kv.PurgeBehavior(expired_only=False)

    outputs = kv.PurgeKV(namespaces=["a"], key_pattern="tmp_*", behavior=behavior).run(ctx)

    assert outputs.size == 2
    assert list(ctx.kv.keys("ab")) == ["kept", "tmp_1"]


def test_a_purge_takes_what_has_expired_alone_by_itself(ctx):
    ctx.kv.set("a", "k", 1)

    assert kv.PurgeKV().run(ctx).size == 0


def test_a_purge_takes_namespaces_or_a_pattern(ctx):
    with pytest.raises(TaskError, match="not both"):
        kv.PurgeKV(namespaces=["a"], namespace_pattern="a*").run(ctx)
