"""What conditions of triggers judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runner.model.states import State


@dataclass(frozen=True)
class Facts:
    """What conditions are about: the upstream or called execution, if there is one.

    *retried* are the states of attempts of task runs that had more than one.
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
