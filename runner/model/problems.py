"""What is wrong with a flow, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runner.errors import HeadraceError

Severity = Literal["error", "warning", "info", "deprecation"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. *line* and *column* count from 1; *path* is like ``tasks[0].type``.

    *code* is a stable word: ``yaml``, ``structure``, ``type_unknown``, ``property_unknown``,
    ``value``, ``required``, ``duplicate``, ``not_available_yet``, ``expression``, ``rule``,
    ``border`` (namespace outside its source), ``owner`` …
    """

    message: str
    code: str
    path: str = ""
    line: int | None = None
    column: int | None = None
    severity: Severity = "error"


class FlowInvalid(HeadraceError):
    """The flow is wrong."""

    code = "flow_invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = (f"{p.path}: {p.message}" if p.path else p.message for p in self.problems)
        super().__init__("\n".join(lines) or None)
