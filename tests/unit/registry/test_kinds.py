"""What is an error when a flow is saved, and what only a warning."""

import pytest

from runner.registry import load

REGISTRY = load()


def findings(name, **properties):
    info = REGISTRY.look_up(name)
    assert info is not None
    return [(one.severity, one.code, one.path) for one in REGISTRY.check(info, properties)]


@pytest.mark.parametrize(
    ("name", "properties", "path"),
    [
        ("core.flow.If", {"condition": ["{{ a }}"]}, ("condition",)),
        ("core.http.Request", {"uri": "x", "options": "{{ a }}"}, ("options",)),
        ("core.http.Request", {"uri": "x", "options": {"timeout": 5}}, ("options", "timeout")),
        ("core.execution.Assert", {"conditions": "{{ a }}"}, ("conditions",)),
        ("scripts.shell.Commands", {"commands": ["a"], "taskRunner": "process"}, ("taskRunner",)),
        ("core.trigger.Webhook", {"key": ["a"]}, ("key",)),
    ],
)
def test_a_fixed_kind_is_checked_when_the_flow_is_saved(name, properties, path):
    assert findings(name, **properties) == [("error", "value", path)]


@pytest.mark.parametrize(
    ("name", "properties", "path"),
    [
        ("core.kv.Set", {"key": ["a"], "value": "b"}, ("key",)),
        ("core.metric.Publish", {"metrics": [{"type": "counter"}]}, ("metrics", 0)),
        ("core.kv.Set", {"key": "a", "value": "b", "ttl": "1 day"}, ("ttl",)),
    ],
)
def test_what_is_rendered_may_still_become_right(name, properties, path):
    found = findings(name, **properties)

    assert {severity for severity, _, _ in found} == {"warning"}
    assert path in [place for _, _, place in found]


def test_what_is_missing_in_a_part_is_found_in_spite_of_expressions():
    options = {"auth": {"username": "{{ a }}"}}

    found = findings("core.http.Request", uri="x", options=options)

    assert found == [("error", "required", ("options", "auth"))]


def test_the_place_of_a_bad_duration_is_its_own():
    window = {"id": "a", "timeWindow": {"window": "1 hour"}}

    found = findings("core.trigger.Flow", preconditions=window)

    assert found == [("error", "value", ("preconditions", "timeWindow", "window"))]


@pytest.mark.parametrize(("password", "is_told"), [("hunter2", True), ("{{ secret('A') }}", False)])
def test_a_secret_in_plain_text_is_warned_of(password, is_told):
    auth = {"type": "BASIC", "username": "a", "password": password}

    found = findings("core.http.Request", uri="x", options={"auth": auth})

    assert found == [("warning", "secret", ("options", "auth", "password"))] * is_told


def test_credentials_fit_their_kind():
    auth = {"type": "BASIC", "token": "{{ secret('A') }}"}

    found = findings("core.http.Request", uri="x", options={"auth": auth})

    assert found == [("error", "property_unknown", ("options", "auth"))]


def test_a_property_that_is_missing_is_described():
    info = REGISTRY.look_up("core.trigger.Webhook")
    assert info is not None

    (finding,) = REGISTRY.check(info, {})

    assert finding.message == "'key' must not be null: last part of the address; hard to guess"
