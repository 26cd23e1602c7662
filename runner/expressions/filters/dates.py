"""Filters of dates."""

from __future__ import annotations

from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.frame import Frame
from runner.expressions.javatime import moments
from runner.expressions.javatime.formatting import format_moment
from runner.expressions.javatime.moments import NANOS, Moment, moment_of
from runner.expressions.javatime.reading import read_moment
from runner.expressions.javatime.zones import Zone, zone_of
from runner.expressions.registry import FILTERS
from runner.expressions.values import Long, describe, is_number

filter_ = FILTERS.register
_DATE = "2024-03-15T13:45:30.123456Z"
_NANOS = {
    "NANOS": 1,
    "MICROS": 1_000,
    "MILLIS": 1_000_000,
    "SECONDS": NANOS,
    "MINUTES": 60 * NANOS,
    "HOURS": 3_600 * NANOS,
    "HALF_DAYS": 43_200 * NANOS,
}
_DAYS = {"DAYS": 1, "WEEKS": 7}
_MONTHS = {"MONTHS": 1, "YEARS": 12, "DECADES": 120, "CENTURIES": 1_200, "MILLENNIA": 12_000}
_LARGEST = 10**15


@filter_(
    "date(format='iso', timeZone, existingFormat, locale)",
    (f"{{{{ '{_DATE}' | date('dd.MM.yyyy HH:mm', 'Europe/Paris') }}}}", "15.03.2024 14:45"),
    ("{{ '15/03/2024' | date('iso_local_date', existingFormat='dd/MM/yyyy') }}", "2024-03-15"),
)
def date(
    frame: Frame, value: Any, format: Any, timezone: Any, existing_format: Any, locale: Any
) -> str:
    """A date as text, by a pattern of `java.time` or a named format, in the given time zone."""
    zone = zone_for(frame, timezone)
    moment = read(frame, value, zone, existing_format)
    return written(frame, moment.within(zone), format, locale)


@filter_(
    "dateAdd(amount*, unit*, format='iso', timeZone, existingFormat, locale)",
    ("{{ '2024-01-31' | dateAdd(1, 'MONTHS', 'yyyy-MM-dd') }}", "2024-02-29"),
)
def date_add(
    frame: Frame,
    value: Any,
    amount: Any,
    unit: Any,
    format: Any,
    timezone: Any,
    existing_format: Any,
    locale: Any,
) -> str:
    """A date some time later, or earlier with a negative amount, as `date` writes it.

    Units: `NANOS` to `HOURS` and `HALF_DAYS` are exact; `DAYS`, `WEEKS`, `MONTHS`, `YEARS`,
    `DECADES`, `CENTURIES` and `MILLENNIA` keep the wall-clock time.
    """
    zone = zone_for(frame, timezone)
    moment = read(frame, value, zone, existing_format)
    shifted = _shift(moment, _amount(amount), unit)
    return written(frame, shifted.within(zone), format, locale)


@filter_("timestamp(timeZone, existingFormat)", (f"{{{{ '{_DATE}' | timestamp }}}}", "1710510330"))
def timestamp(frame: Frame, value: Any, timezone: Any, existing_format: Any) -> int:
    """Seconds since 1970."""
    return Long(read(frame, value, zone_for(frame, timezone), existing_format).second)


@filter_(
    "timestampMilli(timeZone, existingFormat)",
    (f"{{{{ '{_DATE}' | timestampMilli }}}}", "1710510330123"),
)
def timestamp_milli(frame: Frame, value: Any, timezone: Any, existing_format: Any) -> int:
    """Milliseconds since 1970."""
    moment = read(frame, value, zone_for(frame, timezone), existing_format)
    return Long(moment.second * 1000 + moment.nano // 1_000_000)


@filter_(
    "timestampMicro(timeZone, existingFormat)",
    (f"{{{{ '{_DATE}' | timestampMicro }}}}", "1710510330123456"),
)
def timestamp_micro(frame: Frame, value: Any, timezone: Any, existing_format: Any) -> str:
    """Microseconds since 1970, as text."""
    moment = read(frame, value, zone_for(frame, timezone), existing_format)
    return str(moment.second * 1_000_000 + moment.nano // 1000)


@filter_(
    "timestampNano(timeZone, existingFormat)",
    (f"{{{{ '{_DATE}' | timestampNano }}}}", "1710510330123456000"),
)
def timestamp_nano(frame: Frame, value: Any, timezone: Any, existing_format: Any) -> str:
    """Nanoseconds since 1970, as text."""
    moment = read(frame, value, zone_for(frame, timezone), existing_format)
    return str(moment.second * NANOS + moment.nano)


def zone_for(frame: Frame, name: Any) -> Zone:
    """The zone of that name, or the server's."""
    if name is None:
        return zone_of(frame.settings.timezone)
    if isinstance(name, str):
        return zone_of(name)
    raise ExpressionError(f"a time zone is a string, not {describe(name)}")


def read(frame: Frame, value: Any, zone: Zone, existing_format: Any) -> Moment:
    """The moment that a value means.

    Raises:
        ExpressionError: it means none.
    """
    moment = moment_of(value, zone)
    if moment is not None:
        return moment
    if existing_format is not None and not isinstance(existing_format, str):
        raise ExpressionError(f"existingFormat is a string, not {describe(existing_format)}")
    return read_moment(value, zone, existing_format, frame.settings.locale)


def written(frame: Frame, moment: Moment, format: Any, locale: Any) -> str:
    """The moment as text."""
    if not isinstance(format, str):
        raise ExpressionError(f"the format of a date is a string, not {describe(format)}")
    if locale is not None and not isinstance(locale, str):
        raise ExpressionError(f"a locale is a string, not {describe(locale)}")
    return format_moment(moment, format, locale or frame.settings.locale)


def _amount(amount: Any) -> int:
    if isinstance(amount, str):
        try:
            number = int(amount)
        except ValueError as error:
            raise ExpressionError(f"dateAdd: {amount!r} is no number") from error
    elif is_number(amount):
        number = int(amount)
    else:
        raise ExpressionError(f"dateAdd needs a number, not {describe(amount)}")
    if abs(number) > _LARGEST:
        raise ExpressionError("dateAdd: the amount is too large")
    return number


def _shift(moment: Moment, amount: int, unit: Any) -> Moment:
    if unit in _NANOS:
        shifted = moments.plus_nanos(moment, amount * _NANOS[unit])
    elif unit in _DAYS:
        shifted = moments.plus_days(moment, amount * _DAYS[unit])
    elif unit in _MONTHS:
        shifted = moments.plus_months(moment, amount * _MONTHS[unit])
    else:
        known = ", ".join([*_NANOS, *_DAYS, *_MONTHS])
        raise ExpressionError(f"dateAdd knows the units {known}, not {unit!r}")
    if abs(shifted.second) > 31_556_889_864_403_199:
        raise ExpressionError("dateAdd: the date is out of range")
    return shifted
