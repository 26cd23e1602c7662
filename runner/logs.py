"""Our own log: constant sentences with fields; coloured on a terminal, JSON lines elsewhere.

Nothing secret passes: each text goes through the mask that is handed in. A task's log is another
stream (`runner.model.logs`).
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

Masking = Callable[[str], str]


def configure(mask: Masking = str, *, level: str = "INFO") -> None:
    """Set logging up for this process; may be called again, with a mask that knows more."""
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    is_terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=True)
        if is_terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _masked(mask),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: _PatientPrinter(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_MaskedFormatter(mask))
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[handler], force=True)


class _PatientPrinter(structlog.PrintLogger):
    """Prints what it can: a full disk or a closed pipe must not fail the work that is told of."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


class _MaskedFormatter(logging.Formatter):
    """Lines of libraries, masked like ours."""

    def __init__(self, mask: Masking) -> None:
        super().__init__("%(levelname)s %(name)s %(message)s")
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))


def _masked(
    mask: Masking,
) -> Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    def processor(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in event.items():
            if isinstance(value, str):
                event[name] = mask(value)
        return event

    return processor
