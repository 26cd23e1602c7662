"""Lets a Python script talk to the engine: outputs, metrics and logs as lines of its output.

It is copied beside scripts as the module `kestra`, and gives way to an installed one of that name.
"""

import importlib.machinery
import importlib.util
import json
import logging
import os
import sys
import time
from typing import Any


class Kestra:
    """Gives outputs, metrics and logs of the task."""

    @staticmethod
    def outputs(values: Any) -> None:
        """Give outputs: `{{ outputs.TASK.vars.NAME }}`."""
        _send({"outputs": values})

    @staticmethod
    def counter(name: str, value: Any, tags: Any = None) -> None:
        """Count something."""
        _metric(name, "counter", value, tags)

    @staticmethod
    def gauge(name: str, value: Any, tags: Any = None) -> None:
        """Tell how much there is of something."""
        _metric(name, "gauge", value, tags)

    @staticmethod
    def timer(name: str, duration: Any, tags: Any = None) -> None:
        """Tell how long something took, in seconds; or call it and see."""
        if callable(duration):
            began = time.time()
            duration()
            duration = time.time() - began
        _metric(name, "timer", duration, tags)

    @staticmethod
    def logger() -> logging.Logger:
        """Return a logger whose lines keep their level."""
        logger = logging.getLogger("Kestra")
        if not logger.handlers:
            logger.addHandler(_Handler())
            logger.setLevel(logging.DEBUG)
            logger.propagate = False
        return logger


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _send({"logs": [{"level": record.levelname, "message": self.format(record)}]})


def _metric(name: str, kind: str, value: Any, tags: Any) -> None:
    _send({"metrics": [{"name": name, "type": kind, "value": value, "tags": tags or {}}]})


def _send(message: Any) -> None:
    print("::" + json.dumps(message) + "::", flush=True)  # noqa: T201 - it is the protocol


def _installed() -> Any:
    here = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if os.path.abspath(path or ".") != here]
    return importlib.machinery.PathFinder.find_spec("kestra", others)


def _give_way(spec: Any) -> None:
    module = importlib.util.module_from_spec(spec)
    sys.modules["kestra"] = module
    spec.loader.exec_module(module)


if __name__ == "kestra":
    _spec = _installed()
    if _spec is not None and _spec.loader is not None:
        _give_way(_spec)
