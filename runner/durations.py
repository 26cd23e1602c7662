"""Durations as Kestra's users write them: ISO-8601 by Java's rules, or a plain number of seconds.

Source: the documentation of `java.time.Duration.parse` and `Duration.toString`.
"""

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation

_ISO = re.compile(
    r"([-+]?)P(?:([-+]?\d+)D)?"
    r"(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?)(\d+)(?:[.,](\d{0,9}))?S)?)?",
    re.IGNORECASE | re.ASCII,
)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_WORDS = re.compile(
    r"(\d+)\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)", re.IGNORECASE | re.ASCII
)
_MICROSECOND = Decimal("0.000001")


class InvalidDuration(ValueError):
    """This is no duration: write ISO-8601 such as PT30S or P1DT2H, or a number of seconds."""


def parse(value: str | int | float | timedelta) -> timedelta:
    """The duration that a text such as `PT1M30S` or `90`, or a number of seconds, stands for.

    Raises:
        InvalidDuration: it is neither, or too long to count with.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool):
        raise _invalid(value)
    text = str(value).strip()
    try:
        if _NUMBER.fullmatch(text) or not isinstance(value, str):
            return _seconds(Decimal(text))
        return _parse_iso(text)
    except InvalidDuration:
        raise
    except (OverflowError, ValueError, InvalidOperation) as error:
        raise _invalid(value) from error


def format(duration: timedelta) -> str:
    """Java's text of a duration: hours, minutes and seconds, as `PT49H`, `PT1M30S`, `PT-0.5S`."""
    microseconds = duration // timedelta(microseconds=1)
    if not microseconds:
        return "PT0S"
    sign = "-" if microseconds < 0 else ""
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    text = "PT"
    if hours:
        text += f"{sign}{hours}H"
    if minutes:
        text += f"{sign}{minutes}M"
    if seconds or fraction:
        decimals = f".{fraction:06}".rstrip("0") if fraction else ""
        text += f"{sign}{seconds}{decimals}S"
    return text


def _parse_iso(text: str) -> timedelta:
    match = _ISO.fullmatch(text)
    if match is None or text[-1] in "PpTt":
        raise _invalid(text)
    sign, days, _, hours, minutes, seconds_sign, seconds, fraction = match.groups()
    total = Decimal(days or 0) * 86_400 + Decimal(hours or 0) * 3600 + Decimal(minutes or 0) * 60
    whole = Decimal(f"{seconds or 0}.{fraction or 0}")
    total += -whole if seconds_sign == "-" else whole
    return _seconds(-total if sign == "-" else total)


def _seconds(seconds: Decimal) -> timedelta:
    return timedelta(microseconds=int(seconds / _MICROSECOND))


def _invalid(value: object) -> InvalidDuration:
    meant = _meant(str(value))
    hint = meant or "ISO-8601 such as PT30S or P1DT2H, or a number of seconds"
    return InvalidDuration(f"{value!r} is no duration: write {hint}")


def _meant(text: str) -> str | None:
    """Return what ``5 min``, ``1h`` or ``2 days`` is in ISO-8601."""
    match = _WORDS.fullmatch(text.strip())
    if match is None:
        return None
    number, unit = match.groups()
    letter = unit[0].upper()
    return f"P{number}D" if letter == "D" else f"PT{number}{letter}"


def clock_text(duration: timedelta) -> str:
    """Return ``00:00:05.000``."""
    seconds, millis = divmod(duration // timedelta(milliseconds=1), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{millis:03}"
