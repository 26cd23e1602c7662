"""A question before something is done."""

from __future__ import annotations

from dataclasses import dataclass

from web.viewmodels.fields import Field


@dataclass(frozen=True, slots=True)
class Confirm:
    """What is asked, what follows, and the way back."""

    section: str
    question: str
    points: tuple[str, ...]
    action: str
    back: str
    verb: str
    keep: str
    danger: bool = False
    fields: tuple[Field, ...] = ()
    problem: str = ""
