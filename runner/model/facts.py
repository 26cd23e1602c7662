"""What conditions of triggers judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runner.model.states import State


def _as_written(text: str) -> str:
    return text


@dataclass(frozen=True)
class Facts:
    """What conditions are about: the upstream or called execution, if there is one.

    *state* is None where there is no execution. *retried* are the states of attempts of task runs
    that had more than one. *render* is for texts that are looked at only if it comes to that.
    """

    date: datetime | None = None
    namespace: str | None = None
    flow_id: str | None = None
    state: State | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Any] | None = None
    retried: tuple[State, ...] = ()
    listener_namespace: str | None = None
    listener_flow_id: str | None = None
    render: Callable[[str], str] = _as_written
