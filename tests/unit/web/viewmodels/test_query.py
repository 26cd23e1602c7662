from datetime import timedelta

import pytest

from tests.unit.web.viewmodels.builders import NOW
from web.viewmodels.query import parse, toggled, with_term


def test_every_term_narrows_the_search():
    text = "state:failed,killed flow:orders_* ns:brindle commit:9C41F7E label:team=orders"
    text += " since:24h daily"

    query = parse(text, NOW)

    assert query.problems == ()
    assert query.filter.states == ("FAILED", "KILLED")
    assert query.filter.flow_ids == ("orders_*",)
    assert query.filter.namespaces == ("brindle",)
    assert query.filter.commit == "9c41f7e"
    assert query.filter.labels == (("team", "orders"),)
    assert query.filter.since == NOW - timedelta(hours=24)
    assert query.filter.text == "daily"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stat:failed", "‘stat’ is not a filter. Did you mean ‘state’?"),
        ("state:faild", "‘faild’ is not a state. Did you mean ‘failed’?"),
        ("commit:xyz", "‘xyz’ is not a commit: four or more of its hexadecimal digits."),
        ("label:team", "A label is label:key=value, not ‘team’."),
        ("since:soon", "‘soon’ is no time: since:24h, since:7d or since:2026-11-25."),
        ("one two", "One word is searched at a time, not 'one two'."),
    ],
)
def test_what_cannot_be_read_is_told(text, said):
    assert parse(text, NOW).problems == (said,)


def test_a_kind_of_trigger_or_the_name_of_one():
    assert parse("trigger:cron", NOW).filter.trigger_types == (
        "io.kestra.plugin.core.trigger.Schedule",
    )
    assert parse("trigger:nightly", NOW).filter.trigger_id == "nightly"


def test_an_open_quotation_mark_breaks_nothing():
    assert parse('label:"team=orders', NOW).filter.labels == (('"team', "orders"),)


def test_menus_write_into_the_text():
    assert toggled("flow:a state:failed", "state", "killed") == "flow:a state:failed,killed"
    assert toggled("flow:a state:failed", "state", "failed") == "flow:a"
    assert (
        with_term('label:"k=two words" since:24h', "since", "7d") == 'label:"k=two words" since:7d'
    )
