"""Windows of time in which several things have to happen (execution-semantics §12.7). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal

WindowType = Literal[
    "DURATION_WINDOW", "SLIDING_WINDOW", "DAILY_TIME_WINDOW", "DAILY_TIME_DEADLINE"
]
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_LAST = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From *start* to *end*, both outside of it; a sliding one begins with what opens it."""

    start: datetime
    end: datetime

    def holds(self, now: datetime) -> bool:
        """Say whether *now* is inside."""
        return self.start < now < self.end


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Says which window belongs to a moment, in the moment's own zone."""

    type: WindowType = "DURATION_WINDOW"
    window: timedelta | None = None
    advance: timedelta | None = None
    start_time: time | None = None
    end_time: time | None = None
    deadline: time | None = None

    def at(self, now: datetime) -> Window:
        """Return the window of a moment; the moment need not be inside."""
        length = self.window or _DAY
        match self.type:
            case "DURATION_WINDOW":
                start = _rounded(now, length) + (self.advance or timedelta())
                return Window(start, start + length - _LAST)
            case "SLIDING_WINDOW":
                return Window(now - timedelta(microseconds=1), now + length - _LAST)
            case "DAILY_TIME_WINDOW":
                return Window(_on(now, self.start_time), _on(now, self.end_time))
            case "DAILY_TIME_DEADLINE":
                return Window(_on(now, time()), _on(now, self.deadline))


def _rounded(now: datetime, length: timedelta) -> datetime:
    if length >= _DAY:
        return now.replace(hour=0, minute=0, second=0, microsecond=0)
    hour = now.replace(minute=0, second=0, microsecond=0)
    return hour if length >= _HOUR else hour + (now - hour) // length * length


def _on(day: datetime, at: time | None) -> datetime:
    return datetime.combine(day.date(), at or time(), day.tzinfo)
