"""What a task asks of its own execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.model.execution import Labels
from runner.model.states import State


@dataclass(frozen=True, slots=True)
class Directives:
    """Applied when the task ends, in the same step.

    *labels* are set over those that the execution has. *variables* are all of its variables from
    now on (None: as they were). *exit* ends the execution in that state: nothing but
    ``afterExecution`` starts any more.
    """

    labels: Labels = ()
    variables: Mapping[str, Any] | None = None
    exit: State | None = None
