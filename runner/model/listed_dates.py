"""Dates that are written out, with the questions that `runner.model.cron` answers. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo


class ListedDates:
    """Some dates, in any order, as moments with a zone's offset."""

    def __init__(self, dates: Iterable[datetime], zone: tzinfo = UTC) -> None:
        self._dates = sorted({each.astimezone(UTC) for each in dates})
        self._zone = zone

    def is_date(self, moment: datetime) -> bool:
        """Say whether *moment* is one of them."""
        return moment in self._dates

    def after(self, moment: datetime) -> datetime | None:
        """Return the first date behind *moment*; None: there is none."""
        index = bisect_right(self._dates, moment)
        return self.shown(self._dates[index]) if index < len(self._dates) else None

    def before(self, moment: datetime) -> datetime | None:
        """Return the last date before *moment*; None: there is none."""
        index = bisect_left(self._dates, moment)
        return self.shown(self._dates[index - 1]) if index else None

    def shown(self, moment: datetime) -> datetime:
        """Return a moment with the zone's offset."""
        return moment.astimezone(self._zone)
