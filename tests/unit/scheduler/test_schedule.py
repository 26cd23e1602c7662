from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.model.facts import Facts
from runner.model.flow import Flow, Trigger
from runner.registry import load
from runner.scheduler.schedule import look, recovery
from runner.services.dates import Dates, next_dates

SCHEDULE = "io.kestra.plugin.core.trigger.Schedule"
CONDITION = "io.kestra.plugin.core.condition."
REGISTRY = load()


def at(text):
    return datetime.fromisoformat(text)


@pytest.fixture
def dates(runtime):
    def dates(cron, *, conditions=(), **properties):
        trigger = Trigger("t", SCHEDULE, {"cron": cron, **properties}, conditions=conditions)
        return Dates(runtime, Flow("hello", "company.team", ()), trigger)

    return dates


def looked(dates, next_at, now, recover="ALL", was_held_up=False):
    due = look(dates, at(next_at), at(now), recover=recover, was_held_up=was_held_up)
    return tuple(moment and moment.isoformat()[11:16] for moment in (due.date, due.next_at))


def test_a_date_on_time_starts_and_the_next_is_known(dates):
    hourly = dates("0 * * * *")
    for recover in ("ALL", "LAST", "NONE"):
        found = looked(hourly, "2024-03-15T10:00:00Z", "2024-03-15T10:00:01Z", recover)
        assert found == ("10:00", "11:00")


def test_a_new_trigger_starts_nothing_before_its_first_date(dates):
    assert looked(dates("0 * * * *"), "2024-03-15T10:20:00Z", "2024-03-15T10:20:00Z") == (
        None,
        "11:00",
    )


@pytest.mark.parametrize(
    ("recover", "expected"),
    [("ALL", ("08:00", "09:00")), ("LAST", ("10:00", "11:00")), ("NONE", (None, "11:00"))],
)
def test_missed_dates_are_made_up_for_as_asked(dates, recover, expected):
    found = looked(dates("0 * * * *"), "2024-03-15T07:20:00Z", "2024-03-15T10:20:00Z", recover)
    assert found == expected


def test_a_date_that_came_while_the_trigger_was_locked_is_a_missed_one(dates):
    now = "2024-03-15T10:00:10Z"
    minutely = dates("* * * * *")
    assert looked(minutely, "2024-03-15T10:00:00Z", now, "NONE", True) == (None, "10:01")
    assert looked(minutely, "2024-03-15T10:00:00Z", now, "LAST", True) == ("10:00", "10:01")


def test_dates_later_than_the_maximum_delay_are_left_out(dates):
    found = looked(
        dates("* * * * *", lateMaximumDelay="PT5M"), "2024-03-15T09:45:00Z", "2024-03-15T10:00:30Z"
    )
    assert found == ("09:56", "09:57")


def test_conditions_shape_the_dates(dates):
    first_mondays = dates(
        "0 12 * * 1",
        timezone="Europe/Paris",
        conditions=[
            {
                "type": CONDITION + "DayWeekInMonth",
                "dayOfWeek": "MONDAY",
                "dayInMonth": "FIRST",
                "date": "{{ trigger.date }}",
            }
        ],
    )
    assert first_mondays.variables(at("2021-08-02T12:00:00+02:00")) == {
        "date": "2021-08-02T12:00:00+02:00",
        "next": "2021-09-06T12:00:00+02:00",
        "previous": "2021-07-05T12:00:00+02:00",
    }


def test_a_date_without_a_next_has_none(dates):
    ended = dates(
        "0 12 * * 1",
        conditions=[{"type": CONDITION + "DateTimeBetween", "before": "2021-08-03T12:00:00Z"}],
    )
    assert set(ended.variables(at("2021-08-02T12:00:00Z"))) == {"date", "previous"}


def test_utc_is_written_with_z(dates):
    assert (
        dates("0 * * * *").variables(at("2024-03-15T10:00:00Z"))["date"] == "2024-03-15T10:00:00Z"
    )


def test_flows_from_git_make_up_for_the_last_date_alone(dates):
    plain, told = dates("0 * * * *"), dates("0 * * * *", recoverMissedSchedules="NONE")
    assert [recovery(plain.schedule, is_from_git=git) for git in (False, True)] == ["ALL", "LAST"]
    assert recovery(told.schedule, is_from_git=True) == "NONE"


def test_the_next_few_dates(dates):
    found = next_dates(dates("0 * * * *"), at("2024-03-15T10:20:00Z"), 2)
    assert found[1] - found[0] == timedelta(hours=1)


def test_a_time_in_the_gap_runs_once_directly_behind_it(dates):
    nightly = dates("30 2 * * *", timezone="Europe/Paris")

    found = next_dates(nightly, at("2027-03-27T12:00:00Z"), 2)

    assert [moment.astimezone(UTC) for moment in found] == [
        at("2027-03-28T01:00:00Z"),
        at("2027-03-29T00:30:00Z"),
    ]
    assert at(nightly.variables(found[0])["next"]) == found[1]


def test_a_time_that_comes_twice_runs_at_the_first(dates):
    nightly = dates("30 2 * * *", timezone="Europe/Paris")

    found = next_dates(nightly, at("2027-10-30T12:00:00Z"), 2)

    assert [moment.astimezone(UTC) for moment in found] == [
        at("2027-10-31T00:30:00Z"),
        at("2027-11-01T01:30:00Z"),
    ]


def test_dates_keep_their_time_on_the_wall_behind_a_change(dates):
    nightly = dates("10 0 * * *", timezone="America/Toronto")

    found = next_dates(nightly, at("2027-03-14T05:30:00Z"), 4)

    assert [moment.astimezone(UTC).isoformat()[5:16] for moment in found] == [
        "03-15T04:10",
        "03-16T04:10",
        "03-17T04:10",
        "03-18T04:10",
    ]


@pytest.mark.parametrize(
    "condition", [{"type": "Weekend"}, {"type": "DayWeek", "dayOfWeek": "SATURDAY"}]
)
def test_a_weekend_with_its_date_written_out_shapes_no_previous_date(dates, condition):
    condition = {**condition, "type": CONDITION + condition["type"]}
    bare = dates("0 9 * * *", conditions=[condition])
    written = dates("0 9 * * *", conditions=[{**condition, "date": "{{trigger.date}}"}])
    saturday = at("2024-03-16T09:00:00+00:00")

    assert bare.variables(saturday)["previous"][:10] < "2024-03-15"
    assert written.variables(saturday)["previous"][:10] == "2024-03-15"
    assert written.before(saturday) == bare.before(saturday)


def conditions_of(*given):
    return tuple({**one, "type": CONDITION + one["type"]} for one in given)


def test_a_date_far_away_is_found_among_many_that_do_not_suit(dates):
    """The first Monday of a month, of schedules that come each minute and each second."""
    first_monday = conditions_of(
        {"type": "DayWeekInMonth", "dayOfWeek": "MONDAY", "dayInMonth": "FIRST"}
    )
    for cron, properties in (("* * * * *", {}), ("* * * * * *", {"withSeconds": True})):
        monthly = dates(cron, conditions=first_monday, timezone="Europe/Paris", **properties)
        found = monthly.after(at("2024-03-04T23:59:59+01:00"))
        assert found.isoformat() == "2024-04-01T00:00:00+02:00"
        before = monthly.before(at("2024-04-01T00:00:00+02:00"))
        assert before.isoformat()[:16] == "2024-03-04T23:59"


def test_the_last_date_is_known_to_be_the_last(dates):
    over = conditions_of({"type": "DateTimeBetween", "before": "2024-03-15T10:00:00Z"})
    minutely = dates("* * * * *", conditions=over)
    assert minutely.after(at("2024-03-15T09:59:00Z")) is None
    assert "next" not in minutely.variables(at("2024-03-15T09:59:00Z"))


DAYS = ("MONDAY", "WEDNESDAY", "SUNDAY")
SINGLE = st.one_of(
    st.builds(lambda day: {"type": "DayWeek", "dayOfWeek": day}, st.sampled_from(DAYS)),
    st.builds(
        lambda day, place: {"type": "DayWeekInMonth", "dayOfWeek": day, "dayInMonth": place},
        st.sampled_from(DAYS),
        st.sampled_from(("FIRST", "LAST")),
    ),
    st.just({"type": "Weekend"}),
    st.just({"type": "PublicHoliday", "country": "FR"}),
    st.builds(
        lambda after, before: {
            "type": "TimeBetween",
            "after": f"{after:02}:30:00+02:00",
            "before": f"{before:02}:00:00Z",
        },
        st.integers(0, 23),
        st.integers(0, 23),
    ),
    st.builds(
        lambda after, days: {
            "type": "DateTimeBetween",
            "after": (at("2024-03-25T00:00:00Z") + timedelta(days=after)).isoformat(),
            "before": (at("2024-03-25T00:00:00Z") + timedelta(days=after + days)).isoformat(),
        },
        st.integers(0, 10),
        st.integers(1, 10),
    ),
)
NESTED = st.recursive(
    SINGLE.map(lambda one: conditions_of(one)[0]),
    lambda inner: st.builds(
        lambda kind, some: {"type": CONDITION + kind, "conditions": some},
        st.sampled_from(("Not", "Or")),
        st.lists(inner, min_size=1, max_size=2),
    ),
    max_leaves=3,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(NESTED, min_size=1, max_size=2), st.integers(0, 14 * 24 * 60))
def test_dates_are_those_that_asking_about_each_one_would_find(dates, conditions, minutes):
    """Over a change of the clock: 2024-03-31 in Paris."""
    start = at("2024-03-24T00:00:00+01:00") + timedelta(minutes=minutes)
    sieved = dates("*/20 * * * *", conditions=tuple(conditions), timezone="Europe/Paris")
    plain = dates("*/20 * * * *", timezone="Europe/Paris")
    for step, ask in ((plain.after, sieved.after), (plain.before, sieved.before)):
        expected, count = step(start), 0
        while not suits(conditions, expected) and count < 1_000:
            expected, count = step(expected), count + 1
        if count < 1_000:
            assert ask(start) == expected


def suits(conditions, date):
    facts = Facts(date=date)
    return all(
        REGISTRY.build_plugin(raw, lambda value, typed: value).holds(facts) for raw in conditions
    )
