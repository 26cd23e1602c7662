"""The output protocol of scripts: lines ``::{…}::`` with outputs, metrics and logs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from runner import durations
from runner.model.logs import Level
from runner.plugin import RunContext
from runner.taskrunners.lines import MAX_LINE_BYTES

_METRIC_TYPES = ("counter", "timer", "gauge")
_LEVELS = {"WARNING": Level.WARN, "CRITICAL": Level.ERROR, "FATAL": Level.ERROR}
_MAX_LOG_CHARS = 64 * 1024
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class ScriptOutput:
    """Takes the lines of a command: keeps what the protocol says, logs the rest."""

    def __init__(self, ctx: RunContext) -> None:
        self.vars: dict[str, Any] = {}
        self.counts = {False: 0, True: 0}
        self.fault: str | None = None  # what was said and could not be understood whole
        self._ctx = ctx

    def __call__(self, line: str, is_error: bool) -> None:
        self.counts[is_error] += 1
        text = line.strip()
        if text.startswith("::{") and text.endswith("}::"):
            self._obey(text)
        elif text.startswith("::{") and len(line.encode()) >= MAX_LINE_BYTES:
            self.fault = (
                f"a line of outputs has more than {MAX_LINE_BYTES} bytes: "
                "write large results to a file and name it in outputFiles"
            )
        else:
            self._log(Level.ERROR if is_error else Level.INFO, line)

    def _obey(self, text: str) -> None:
        try:
            message = _parsed(text[2:-2])
        except (ValueError, RecursionError):
            self._ctx.log.write(Level.WARN, f"Invalid outputs '{text[:_MAX_LOG_CHARS]}'")
            return
        self.vars.update(message["outputs"])
        for metric in message["metrics"]:
            self._record(metric)
        for line in message["logs"]:
            self._log(_level(line.get("level")), str(line.get("message") or ""))

    def _record(self, metric: Mapping[str, Any]) -> None:
        kind, value = str(metric.get("type")).lower(), metric.get("value")
        try:
            if kind not in _METRIC_TYPES:
                raise ValueError(kind)
            number = _finite(_number(kind, value))
            tags = {str(key): str(item) for key, item in _map(metric.get("tags")).items()}
            self._ctx.metric(str(metric["name"]), kind, number, tags)
        except (KeyError, ValueError, OverflowError):
            self._ctx.log.write(
                Level.WARN, f"Invalid metric '{json.dumps(metric)[:_MAX_LOG_CHARS]}'"
            )

    def _log(self, level: Level, message: str) -> None:
        for start in range(0, len(message) or 1, _MAX_LOG_CHARS):
            self._ctx.log.write(level, message[start : start + _MAX_LOG_CHARS])


def _parsed(text: str) -> dict[str, Any]:
    """Return a message with all of its parts. Raises ValueError: one is not what it should be."""
    message = _storable(json.loads(text, parse_constant=_refuse, parse_float=_float))
    parts = {
        "outputs": message.get("outputs") or {},
        "metrics": message.get("metrics") or [],
        "logs": message.get("logs") or [],
    }
    items = [*_checked(parts["metrics"], list), *_checked(parts["logs"], list)]
    for each in (parts["outputs"], *items):
        _checked(each, dict)
    return parts


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(value)
    return value


def _storable(value: Any) -> Any:
    """Return the value without what no database keeps: NUL and half characters become U+FFFD, and
    a whole number of more than 64 bits its digits as text.
    """
    match value:
        case str():
            return _UNSTORABLE.sub("\ufffd", value)
        case bool():
            return value
        case int() if not -(2**63) <= value < 2**64:
            return str(value)
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {_storable(name): _storable(item) for name, item in value.items()}
    return value


def _number(kind: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)
    if kind == "timer" and isinstance(value, str):
        return durations.parse(value).total_seconds()
    return float(value)


def _float(text: str) -> float:
    return _finite(float(text))


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _level(name: Any) -> Level:
    word = str(name or "INFO").upper()
    return _LEVELS.get(word) or (Level(word) if word in Level.__members__ else Level.INFO)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _refuse(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON
