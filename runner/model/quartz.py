"""Cron expressions of Quartz as the five fields that are understood here.

Source: Quartz Scheduler, `CronExpression`: seconds first, ``?`` for "no matter", Sunday is 1, an
optional year last.
"""

from __future__ import annotations

import re

_ODD = re.compile(r"[LW#]", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]{3}", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![/\d])\d+")


def unix_of(cron: str) -> str | None:
    """Return the same dates as five fields; None: that cannot be said, or it is no Quartz."""
    fields = cron.split()
    if len(fields) == 7 and fields[6] == "*":
        fields = fields[:6]
    if len(fields) != 6 or fields[0] not in ("0", "00"):
        return None
    _, minute, hour, day, month, weekday = fields
    if _ODD.search(_WORD.sub("", f"{day} {weekday}")):
        return None
    return " ".join([minute, hour, _plain(day), month, _weekday(_plain(weekday))])


def _plain(field: str) -> str:
    return "*" if field == "?" else field


def _weekday(field: str) -> str:
    return _NUMBER.sub(lambda match: str((int(match[0]) - 1) % 7), field)
