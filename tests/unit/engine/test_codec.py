from dataclasses import fields
from datetime import UTC, datetime
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine.codec import event_from_json, event_to_json, from_text, to_text
from runner.engine.events import ChildEnded, Event, Kill, Started, TaskFailed
from runner.model.states import State

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


def values(hint):
    """Any value that a field's type allows."""
    if type(None) in get_args(hint):
        (core,) = (option for option in get_args(hint) if option is not type(None))
        return st.none() | values(core)
    if hint is datetime:
        return MOMENTS
    if getattr(hint, "__origin__", hint) is tuple:
        return st.lists(st.text(), max_size=3).map(tuple)
    if hint in (str, int, bool, State):
        return st.from_type(hint)
    return st.dictionaries(st.text(), PLAIN, max_size=3)


def events():
    kinds = [
        st.builds(kind, **{f.name: values(get_type_hints(kind)[f.name]) for f in fields(kind)})
        for kind in get_args(Event)
    ]
    return st.one_of(kinds)


@given(events())
def test_every_event_comes_back_equal(event):
    assert event_from_json(*event_to_json(event)) == event


@given(PLAIN)
def test_plain_data_comes_back_equal(value):
    assert from_text(to_text(value)) == value


def test_an_event_is_stored_under_its_name_without_its_defaults():
    assert event_to_json(Kill()) == ("Kill", "{}")
    assert event_to_json(Started(State.QUEUED)) == ("Started", '{"admitted":"QUEUED"}')
    moment = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    kind, data = event_to_json(TaskFailed("r", 0, ended_at=moment))
    assert (kind, data) == ("TaskFailed", '{"task_run_id":"r","attempt":0,"ended_at":1000000}')


def test_none_and_an_empty_map_are_not_mixed_up():
    failed = [TaskFailed("r", 0, outputs=None), TaskFailed("r", 0, outputs={})]
    assert [event_from_json(*event_to_json(event)) for event in failed] == failed


def test_states_come_back_as_states():
    event = event_from_json(*event_to_json(ChildEnded("r", "e", State.WARNING)))
    assert event.state is State.WARNING


def test_a_kind_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        event_from_json("Nope", "{}")
