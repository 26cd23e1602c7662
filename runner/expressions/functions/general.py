"""Functions of numbers, time, ids and the context."""

from __future__ import annotations

from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.filters.dates import written, zone_for
from runner.expressions.frame import Frame
from runner.expressions.javatime import moments
from runner.expressions.operators import steps
from runner.expressions.registry import FUNCTIONS
from runner.expressions.values import Long, describe, is_integer, is_number

function = FUNCTIONS.register
_NANO_ID = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KSUID_EPOCH = 1_400_000_000
_MAX_NANO_ID = 1000


@function("max(numbers…)", ("{{ max(3, 9, 2) }}", "9"))
def max_(*numbers: Any) -> Any:
    """The greatest of the numbers; null without any."""
    return _extreme("max", numbers, 1)


@function("min(numbers…)", ("{{ min(3, 9, 2) }}", "2"))
def min_(*numbers: Any) -> Any:
    """The least of the numbers; null without any."""
    return _extreme("min", numbers, -1)


def _extreme(name: str, numbers: tuple[Any, ...], sign: int) -> Any:
    best: Any = None
    for number in numbers:
        if number is None:
            continue
        if not is_number(number):
            raise ExpressionError(f"{name} needs numbers, not {describe(number)}")
        if best is None or (number > best if sign > 0 else number < best):
            best = number
    return best


@function(
    "range(start*, end*, increment=1)",
    ("{{ range(1, 3) }} {{ range(5, 1, -2) }}", "[1,2,3] [5,3,1]"),
)
def range_(frame: Frame, start: Any, end: Any, increment: Any) -> Any:
    """The numbers from start to end, both included."""
    return steps(start, end, increment, frame.budget)


@function(
    "now(format='iso', timeZone, existingFormat, locale)",
    ("{{ now('yyyy-MM-dd') }}", "2024-03-15"),
)
def now(frame: Frame, format: Any, timezone: Any, existing_format: Any, locale: Any) -> str:
    """The present moment as text, as the filter `date` writes it."""
    zone = zone_for(frame, timezone)
    moment = moments.moment_of(frame.world.now(), zone)
    assert moment is not None
    return written(frame, moment.within(zone), format, locale)


@function("uuid", ("{{ uuid() | length }}", "36"))
def uuid(frame: Frame) -> str:
    """A UUID of version 7: later ones sort after earlier ones."""
    milliseconds = int(frame.world.now().timestamp() * 1000)
    random = int.from_bytes(frame.world.random_bytes(10))
    number = (milliseconds & (2**48 - 1)) << 80 | random
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


@function("id", ("{{ id() }}", "5mLpYc3kqDpxW7AQbVhT2z"))
def id_(frame: Frame) -> str:
    """A random id of letters and digits, as executions have."""
    return frame.world.new_id()


@function("nanoId(length=21, alphabet)", ("{{ nanoId(8) | length }}", "8"), since="1.0")
def nano_id(frame: Frame, length: Any, alphabet: Any) -> str:
    """Random text of that length from the characters of the alphabet."""
    count = int(length) if is_integer(length) else 21
    if not 0 <= count <= _MAX_NANO_ID:
        raise ExpressionError(f"nanoId: the length is 0 to {_MAX_NANO_ID}, not {count}")
    letters = _NANO_ID if alphabet is None else alphabet
    if not isinstance(letters, str) or not 0 < len(letters) <= 256:
        raise ExpressionError("nanoId: the alphabet is a string of 1 to 256 characters")
    return "".join(letters[random_below(frame, len(letters))] for _ in range(count))


@function("ksuid", ("{{ ksuid() | length }}", "27"), since="1.0")
def ksuid(frame: Frame) -> str:
    """A KSUID: 27 letters and digits that sort by time."""
    seconds = int(frame.world.now().timestamp()) - _KSUID_EPOCH
    number = (seconds & 0xFFFFFFFF) << 128 | int.from_bytes(frame.world.random_bytes(16))
    digits = []
    for _ in range(27):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


@function("randomInt(lower*, upper*)", ("{{ randomInt(3, 3) }}", "3"))
def random_int(frame: Frame, lower: Any, upper: Any) -> int:
    """A random integer, the lower bound included, the upper one not."""
    for bound in (lower, upper):
        if not is_integer(bound):
            raise ExpressionError(f"randomInt needs integers, not {describe(bound)}")
    if upper < lower:
        raise ExpressionError("randomInt: the upper bound is below the lower one")
    return Long(lower if upper == lower else lower + random_below(frame, upper - lower))


@function("randomPort", ("{{ randomPort() }}", "49152"), since="1.0")
def random_port(frame: Frame) -> int:
    """A TCP port that is free on the machine that renders."""
    return frame.world.free_port()


@function("printContext", ("{{ printContext() }}", '{"a":1}', {"a": 1}))
def print_context(frame: Frame) -> Any:
    """All variables as a map."""
    return dict(frame.variables())


@function("fetchContext", ("{{ fetchContext().a }}", "1", {"a": 1}))
def fetch_context(frame: Frame) -> Any:
    """All variables as a map."""
    return dict(frame.variables())


@function("env(name*, default)", ("{{ env('REGION', 'none') }}", "none"), since="2.0")
def env(frame: Frame, name: Any, default: Any) -> Any:
    """An environment variable of the server, else the default."""
    if not isinstance(name, str):
        raise ExpressionError(f"env needs a name, not {describe(name)}")
    value = frame.world.environment(name)
    return default if value is None else value


def random_below(frame: Frame, limit: int) -> int:
    """A uniform random integer from 0 up to the limit."""
    size = (limit.bit_length() + 7) // 8
    bound = 256**size // limit * limit
    while True:
        number = int.from_bytes(frame.world.random_bytes(size))
        if number < bound:
            return number % limit
