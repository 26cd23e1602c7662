"""Reading one value as the type of an input or output (flow-language §7.2).

Results are plain data as it is stored and shown to expressions: dates, times and durations are
texts in the form that Java gives them. Every reader raises ValueError with Kestra's words.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import regex

from runner import durations
from runner.javapattern import translate
from runner.model.scalars import text_of
from runner.model.yaml import MalformedYaml, read

Settings = Mapping[str, Any]
"""The own properties of an input's type, as written."""

_INT_TEXT = regex.compile(r"[+-]?[0-9]+")
_INT_LEAST, _INT_MOST = -(2**31), 2**31 - 1
_FLOAT_TEXT = regex.compile(
    r"\s*[+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?\s*"
)
_INSTANT = regex.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
)
_DATE = regex.compile(r"\d{4}-\d\d-\d\d")
_TIME = regex.compile(r"\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?")
_EMAIL = regex.compile(r"[a-zA-Z0-9_!#$%&’*+/=?`{|}~^.-]+@[a-zA-Z0-9.-]+")
_SCHEME = regex.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NO_ESCAPE = regex.compile(r"%(?![0-9A-Fa-f]{2})")
_NO_URI_CHARACTER = regex.compile(r"[\s\"<>\\^`{|}]")
_FILE_SCHEMES = ("kestra://", "nsfile://", "file://")
_PATTERN_SECONDS = 1.0


def read_value(kind: str, value: Any, settings: Settings, *, lenient: bool = False) -> Any:
    """Return *value* as plain data of a type; defaults (*lenient*) are taken as they are typed."""
    reader = _DEFAULTS.get(kind) if lenient else None
    return (reader or _READERS[kind])(value, settings)


def violations(kind: str, value: Any, settings: Settings, *, required: bool = True) -> list[str]:
    """Return what the validators of a type say against a value that could be read."""
    match kind:
        case "STRING" | "SECRET":
            return _against_pattern(value, settings.get("validator"))
        case "INT" | "FLOAT":
            return _outside(value, settings, float, "it must be")
        case "DURATION":
            return _outside(durations.parse(value), settings, durations.parse, "It must be")
        case "DATE":
            return _beyond(value, settings, _date, date.fromisoformat)
        case "TIME":
            return _beyond(value, settings, _time, time.fromisoformat)
        case "DATETIME":
            return _beyond(value, settings, _datetime, _instant)
        case "SELECT" | "ENUM":
            return _not_offered(value, settings) if required else []
        case "MULTISELECT":
            return [fault for item in value for fault in _item_not_offered(item, settings)]
        case _:
            return []


def options_of(settings: Settings) -> list[str]:
    """Return the values that a SELECT, ENUM or MULTISELECT offers."""
    offered = settings.get("values") or settings.get("options") or []
    return [text_of(item) for item in offered]


def _text(value: Any, _: Settings) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text_of(value)


def _int(value: Any, _: Settings) -> int:
    text = text_of(value)
    if not _INT_TEXT.fullmatch(text) or len(text) > 12 or not _INT_LEAST <= int(text) <= _INT_MOST:
        raise ValueError(f'For input string: "{text}"')
    return int(text)


def _float(value: Any, _: Settings) -> float:
    text = text_of(value)
    if not _FLOAT_TEXT.fullmatch(text):
        raise ValueError(f'For input string: "{text}"')
    return _narrow(float(text.strip().rstrip("fFdD")))


def _narrow(value: float) -> float:
    """Return the shortest number that means the same in 32 bits, as Java's floats are written."""
    try:
        packed = struct.pack("f", value)
    except OverflowError:
        return math.copysign(math.inf, value)
    (narrow,) = struct.unpack("f", packed)
    short = (float(f"{narrow:.{digits}g}") for digits in range(1, 10))
    return next((one for one in short if struct.pack("f", one) == packed), narrow)


def _bool(value: Any, _: Settings) -> bool:
    return value if isinstance(value, bool) else text_of(value).lower() == "true"


def _datetime(value: Any, _: Settings) -> str:
    moment = _instant(text_of(value)).astimezone(UTC).replace(tzinfo=None)
    return f"{moment.isoformat(timespec=_precision(moment))}Z"


def _precision(moment: datetime) -> str:
    if moment.microsecond == 0:
        return "seconds"
    return "microseconds" if moment.microsecond % 1000 else "milliseconds"


def _instant(text: str) -> datetime:
    if not _INSTANT.fullmatch(text):
        raise ValueError(f"Text '{text}' could not be parsed: write it like 2019-10-06T18:27:49Z")
    day, clock = text[:10], text[11:].upper()
    if clock.startswith("24:00:00"):
        return datetime.fromisoformat(f"{day}T00{clock[2:]}") + timedelta(days=1)
    return datetime.fromisoformat(f"{day}T{clock}")


def _date(value: Any, _: Settings) -> str:
    text = text_of(value)
    if not _DATE.fullmatch(text):
        raise ValueError(f"Text '{text}' could not be parsed: write it like 2019-10-06")
    return date.fromisoformat(text).isoformat()


def _time(value: Any, _: Settings) -> str:
    text = text_of(value)
    if not _TIME.fullmatch(text):
        raise ValueError(f"Text '{text}' could not be parsed: write it like 18:27:49")
    parsed = time.fromisoformat(text).isoformat()
    return parsed.rstrip("0") if "." in parsed else parsed


def _duration(value: Any, _: Settings) -> str:
    return durations.format(durations.parse(value))


def _given_duration(value: Any, settings: Settings) -> str:
    """A number is seconds only where it is a default."""
    if not _is_text_duration(value):
        raise ValueError(f"Text cannot be parsed to a Duration: {text_of(value)}")
    return _duration(value, settings)


def _is_text_duration(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lstrip("+-")[:1].upper() == "P"


def _json(value: Any, _: Settings) -> Any:
    if isinstance(value, list | dict):
        return value
    try:
        return json.loads(text_of(value), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"it is no JSON: {exc}") from exc


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _yaml(value: Any, _: Settings) -> Any:
    if isinstance(value, list | dict):
        return value
    try:
        return read(text_of(value)).value
    except MalformedYaml as exc:
        raise ValueError(f"it is no YAML: {exc.message}") from exc


def _uri(value: Any, _: Settings) -> str:
    text = text_of(value)
    wrong = _NO_URI_CHARACTER.search(text)
    if wrong:
        start = text.find("//") + 2
        in_authority = start > 1 and "/" not in text[start : wrong.start()]
        part = "authority" if in_authority else "path"
        raise ValueError(f"Illegal character in {part} at index {wrong.start()}: {text}")
    scheme = _SCHEME.match(text)
    if not scheme:
        raise ValueError("Invalid URI format.")
    if fault := _uri_fault(text, scheme.end()):
        raise ValueError(f"{fault}: {text}")
    return text


def _uri_fault(text: str, start: int) -> str | None:
    """Say what Java finds wrong behind a scheme that ends at *start*."""
    rest = text[start:]
    if not rest:
        return f"Expected scheme-specific part at index {start}"
    if rest == "//":
        return f"Expected authority at index {start + 2}"
    if escape := _NO_ESCAPE.search(text):
        return f"Malformed escape pair at index {escape.start()}"
    if (second := text.find("#", text.find("#") + 1 or len(text))) > 0:
        return f"Illegal character in fragment at index {second}"
    is_open = rest.startswith("//[") and "]" not in rest
    return f"Expected closing bracket for IPv6 address at index {len(text)}" if is_open else None


def _email(value: Any, _: Settings) -> str:
    text = text_of(value)
    if text and not _EMAIL.fullmatch(text):
        raise ValueError("The input must be a valid email")
    return text


def _file(value: Any, settings: Settings) -> str:
    text = text_of(value)
    if not text.startswith(_FILE_SCHEMES):
        raise ValueError(f"'{text}' is no file: upload it, or give a kestra:// or nsfile:// URI")
    allowed = [text_of(item).lower() for item in settings.get("allowedFileExtensions") or ()]
    if allowed and not text.lower().endswith(tuple(allowed)):
        raise ValueError(f"File type not allowed. Accepted extensions: {', '.join(allowed)}")
    return text


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        value = _json(value, {})
    if not isinstance(value, list):
        raise ValueError(f"it must be a list, or the text of a JSON list, but is {text_of(value)}")
    return value


def _multiselect(value: Any, settings: Settings) -> list[Any]:
    if settings.get("values") and settings.get("options"):
        raise ValueError("you can't define both `values` and `options`")
    return _items(_list(value), str(settings.get("itemType") or "STRING"))


def _array(value: Any, settings: Settings) -> list[Any]:
    return _items(_list(value), str(settings.get("itemType") or "STRING"))


def _items(items: list[Any], kind: str) -> list[Any]:
    found = []
    for item in items:
        try:
            if item is None:
                raise ValueError("null is no value")
            found.append(_text(item, {}) if kind == "EMAIL" else _READERS[kind](item, {}))
        except ValueError as exc:
            text = "null" if item is None else text_of(item)
            raise ValueError(f"Unable to parse array element as `{kind}` on `{text}`") from exc
    return found


def _default_int(value: Any, settings: Settings) -> int:
    return _int(int(value) if isinstance(value, float) else value, settings)


def _default_bool(value: Any, _: Settings) -> bool:
    if isinstance(value, int):
        return bool(value)
    if text_of(value).lower() not in ("true", "false"):
        raise ValueError(f"'{text_of(value)}' is neither true nor false")
    return text_of(value).lower() == "true"


_DEFAULTS: Mapping[str, Callable[[Any, Settings], Any]] = {
    "INT": _default_int,
    "BOOL": _default_bool,
    "BOOLEAN": _default_bool,
    "DURATION": _duration,
}
"""How defaults are read where that is otherwise than for values from outside."""

_READERS: Mapping[str, Callable[[Any, Settings], Any]] = {
    "STRING": _text,
    "INT": _int,
    "FLOAT": _float,
    "BOOL": _bool,
    "BOOLEAN": _bool,
    "DATETIME": _datetime,
    "DATE": _date,
    "TIME": _time,
    "DURATION": _given_duration,
    "FILE": _file,
    "JSON": _json,
    "YAML": _yaml,
    "URI": _uri,
    "EMAIL": _email,
    "SECRET": _text,
    "SELECT": _text,
    "ENUM": _text,
    "MULTISELECT": _multiselect,
    "ARRAY": _array,
}


@lru_cache(maxsize=256)
def compiled(pattern: str) -> regex.Pattern[str]:
    """Return a validator by Java's rules. Raises InvalidPattern, regex.error, OverflowError."""
    return regex.compile(translate(pattern), regex.VERSION1)


def _against_pattern(value: str, pattern: Any) -> list[str]:
    if pattern is None:
        return []
    try:
        fits = compiled(text_of(pattern)).fullmatch(value, timeout=_PATTERN_SECONDS)
    except TimeoutError:
        return [f"the pattern `{pattern}` takes too long on this value"]
    return [] if fits else [f"it must match the pattern `{pattern}`"]


def _outside(
    value: Any, settings: Settings, measure: Callable[[Any], Any], start: str
) -> list[str]:
    found = []
    least, most = settings.get("min"), settings.get("max")
    if least is not None and value < measure(least):
        found.append(f"{start} more than `{_bound(least, measure)}`, or equal")
    if most is not None and not value <= measure(most):
        found.append(f"{start} less than `{_bound(most, measure)}`, or equal")
    return found


def _bound(value: Any, measure: Callable[[Any], Any]) -> str:
    measured = measure(value)
    return durations.format(measured) if isinstance(measured, timedelta) else text_of(value)


def _beyond(
    value: str,
    settings: Settings,
    read_bound: Callable[[Any, Settings], str],
    measure: Callable[[str], Any],
) -> list[str]:
    found = []
    for key in ("after", "before"):
        if settings.get(key) is None:
            continue
        bound = read_bound(settings[key], settings)
        here, there = measure(value), measure(bound)
        if here < there if key == "after" else here > there:
            found.append(f"it must be {key} `{bound}`, or at it")
    return found


def _not_offered(value: str, settings: Settings) -> list[str]:
    offered = options_of(settings)
    if settings.get("allowCustomValue") in (True, "true") or value in offered:
        return []
    return [f"it must match the values `[{', '.join(offered)}]`"]


def _item_not_offered(item: Any, settings: Settings) -> list[str]:
    offered = options_of(settings)
    if settings.get("allowCustomValue") in (True, "true") or item in offered:
        return []
    return [f"value `{text_of(item)}` doesn't match the values `[{', '.join(offered)}]`"]
