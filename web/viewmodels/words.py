"""Times, durations, sizes and states in words (the dashboard's parts "Duration" and "Time")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from runner.model.states import State

_DAY = timedelta(days=1)
_FAR = timedelta(days=14)
_THIN = "\u202f"

_FAMILIES = {
    State.CREATED: "idle",
    State.SUBMITTED: "run",
    State.QUEUED: "idle",
    State.RUNNING: "run",
    State.PAUSED: "hold",
    State.BREAKPOINT: "hold",
    State.RESTARTED: "run",
    State.RETRYING: "warn",
    State.KILLING: "stop",
    State.SUCCESS: "good",
    State.WARNING: "warn",
    State.FAILED: "bad",
    State.KILLED: "stop",
    State.CANCELLED: "idle",
    State.RETRIED: "warn",
    State.SKIPPED: "idle",
    State.RESUBMITTED: "warn",
}
_SHAPES = {
    State.SUBMITTED: "running",
    State.RETRIED: "retrying",
    State.RESUBMITTED: "retrying",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A state as it is shown: its word, the colour family, the symbol."""

    word: str
    family: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: a short text, the whole of it, and the machine's form."""

    text: str
    title: str
    iso: str
    suffix: str = ""  # what follows a time that is past


@dataclass(frozen=True, slots=True)
class Took:
    """A duration; *since* is set while it goes on, so that it can tick."""

    text: str
    since: str | None = None


def shown(state: State | str) -> Shown:
    """Return how a state is shown."""
    known = State(state)
    symbol = _SHAPES.get(known, known.value.lower())
    return Shown(known.value.capitalize(), _FAMILIES[known], f"s-{symbol}")


def family(state: State | str) -> str:
    """Return the colour family of a state."""
    return _FAMILIES[State(state)]


def clock(value: timedelta) -> str:
    """Return a duration for columns: ``41 ms``, ``0:08``, ``1:12``, ``2:04:31``."""
    seconds = max(value.total_seconds(), 0.0)
    if seconds < 1:
        return f"{int(seconds * 1000)}{_THIN}ms"
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def seconds(value: timedelta) -> str:
    """Return a duration for sentences: ``41 ms``, ``31.7 s``, ``1:12``."""
    total = max(value.total_seconds(), 0.0)
    if 1 <= total < 60:
        return f"{total:.1f}{_THIN}s"
    return clock(value)


def took(start: datetime, end: datetime | None, now: datetime) -> Took:
    """Return how long something took, or takes so far."""
    if end is not None:
        return Took(clock(end - start))
    return Took(clock(now - start), iso(start))


def moment(at: datetime, now: datetime, zone: tzinfo = UTC, *, suffix: bool = False) -> Moment:
    """Return a time relative to *now*; beyond two weeks as a date."""
    text = _relative(at, now, zone, suffix)
    return Moment(text, absolute(at, zone), iso(at), " ago" if suffix else "")


def time_of_day(at: datetime, zone: tzinfo = UTC) -> str:
    """Return the clock time of a moment."""
    return f"{at.astimezone(zone):%H:%M:%S}"


def absolute(at: datetime, zone: tzinfo = UTC) -> str:
    """Return date and time with the zone's name."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"


def day_and_time(at: datetime, zone: tzinfo = UTC) -> str:
    """Return a date to come: ``Thu 26 Nov, 02:00``."""
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b, %H:%M}"


def iso(at: datetime) -> str:
    """Return the machine's form of a moment, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def size(count: int) -> str:
    """Return a number of bytes: ``48 kB``, ``14.1 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return (
                f"{value:.0f}{_THIN}{unit}" if value >= 100 or unit == "B" else _near(value, unit)
            )
        value /= 1000
    return _near(value, "TB")


def number(value: int) -> str:
    """Return a number with commas."""
    return f"{value:,}"


def many(count: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun: ``1 flow``, ``3 flows``."""
    return f"{number(count)} {noun if count == 1 else plural or noun + 's'}"


def initials(name: str) -> str:
    """Return up to two letters for a name."""
    parts = [part for part in name.replace("@", " ").replace(".", " ").split() if part]
    return "".join(part[0] for part in parts[:2]).upper() or "?"


def first_line(text: str) -> str:
    """Return the first line of a message."""
    return text.strip().partition("\n")[0].strip()


def short(sha: str) -> str:
    """Return seven digits of a commit id."""
    return sha[:7]


def _relative(at: datetime, now: datetime, zone: tzinfo, suffix: bool) -> str:
    distance = now - at
    if abs(distance) > _FAR:
        local = at.astimezone(zone)
        pattern = "%b %H:%M" if local.year == now.year else "%b %Y"
        return f"{local.day} {local.strftime(pattern)}"
    text = _span(abs(distance))
    if text == "now":
        return text
    if distance < timedelta(0):
        return f"in {text}"
    return f"{text} ago" if suffix else text


def _span(distance: timedelta) -> str:
    total = int(distance.total_seconds())
    if total < 5:
        return "now"
    for limit, divisor, unit in (
        (90, 1, "s"),
        (90 * 60, 60, "min"),
        (36 * 3600, 3600, "h"),
    ):
        if total < limit:
            return f"{max(total // divisor, 1)}{_THIN}{unit}"
    return f"{round(total / 86400)}{_THIN}d"


def _near(value: float, unit: str) -> str:
    return f"{value:.1f}".removesuffix(".0") + f"{_THIN}{unit}"
