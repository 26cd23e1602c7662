"""The output protocol of scripts: lines ``::{…}::`` with outputs, metrics and logs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner import durations
from runner.model.logs import Level
from runner.plugin import RunContext
from runner.taskrunners.lines import MAX_LINE_BYTES

_METRIC_TYPES = ("counter", "timer", "gauge")
_LEVELS = {"WARNING": Level.WARN, "CRITICAL": Level.ERROR, "FATAL": Level.ERROR}
_MAX_LOG_CHARS = 64 * 1024


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
            message = json.loads(text[2:-2], parse_constant=_refuse)
        except (ValueError, RecursionError):
            self._ctx.log.write(Level.WARN, f"Invalid outputs '{text[:_MAX_LOG_CHARS]}'")
            return
        self.vars.update(_map(message.get("outputs")))
        for metric in _list(message.get("metrics")):
            self._record(metric)
        for line in _list(message.get("logs")):
            self._log(_level(line.get("level")), str(line.get("message") or ""))

    def _record(self, metric: Mapping[str, Any]) -> None:
        kind, value = str(metric.get("type")).lower(), metric.get("value")
        try:
            if kind not in _METRIC_TYPES:
                raise ValueError(kind)
            number = _number(kind, value)
            tags = {str(key): str(item) for key, item in _map(metric.get("tags")).items()}
            self._ctx.metric(str(metric["name"]), kind, number, tags)
        except (KeyError, ValueError):
            self._ctx.log.write(
                Level.WARN, f"Invalid metric '{json.dumps(metric)[:_MAX_LOG_CHARS]}'"
            )

    def _log(self, level: Level, message: str) -> None:
        for start in range(0, len(message) or 1, _MAX_LOG_CHARS):
            self._ctx.log.write(level, message[start : start + _MAX_LOG_CHARS])


def _number(kind: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)
    if kind == "timer" and isinstance(value, str):
        return durations.parse(value).total_seconds()
    return float(value)


def _level(name: Any) -> Level:
    word = str(name or "INFO").upper()
    return _LEVELS.get(word) or (Level(word) if word in Level.__members__ else Level.INFO)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _refuse(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON
