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
    ``border`` (namespace outside its source), ``owner`` … *subject* is the id of the nearest task,
    input … around the place.
    """

    message: str
    code: str
    path: str = ""
    line: int | None = None
    column: int | None = None
    severity: Severity = "error"
    subject: str | None = None

    @property
    def text(self) -> str:
        """The finding on one line, with its place."""
        if not self.path:
            return self.message
        place = f"{self.path} ({self.subject})" if self.subject else self.path
        return f"{place}: {self.message}"


class FlowInvalid(HeadraceError):
    """The flow is wrong."""

    code = "flow_invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text for problem in self.problems) or None)
