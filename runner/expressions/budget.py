"""Counts what one rendering costs, so that no template can take a worker down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .context import Limits
from .errors import LimitExceeded

_STRIDE = 2_000
_COPIED_CHARS, _COPIED_ELEMENTS = 500, 50  # to copy them takes as long as one step
_KEPT_CHARS, _KEPT_ELEMENTS = 25, 6  # to keep them costs memory as well


class Budget:
    """What is left for one rendering and everything it renders inside."""

    __slots__ = ("_deadline", "_look", "_monotonic", "_steps", "depth", "limits")

    def __init__(self, limits: Limits, monotonic: Callable[[], float]) -> None:
        self.limits = limits
        self.depth = 0
        self._monotonic = monotonic
        self._steps = limits.steps
        self._look = limits.steps - _STRIDE
        self._deadline: float | None = None

    def spend(self, steps: int = 1) -> None:
        """Pay for so many rounds, calls or visited values.

        Raises:
            LimitExceeded: there are no steps, or no time, left.
        """
        self._steps -= steps
        if self._steps < self._look:
            self._check()

    def fits(self, characters: int) -> None:
        """Refuse a text that is too long."""
        if characters > self.limits.output_chars:
            raise LimitExceeded(f"a text is longer than {self.limits.output_chars} characters")

    def allow_text(self, characters: int) -> None:
        """Pay for a text before it is made; refuse one that would be too long."""
        self.fits(characters)
        if characters > _COPIED_CHARS:
            self.spend(characters // _COPIED_CHARS)

    def allow_elements(self, elements: int) -> None:
        """Pay for a list before it is made; refuse one that would be too long."""
        self.fits_elements(elements)
        if elements > _COPIED_ELEMENTS:
            self.spend(elements // _COPIED_ELEMENTS)

    def fits_elements(self, elements: int) -> None:
        """Refuse a list that is too long."""
        if elements > self.limits.elements:
            raise LimitExceeded(f"a list has more than {self.limits.elements} elements")

    def keep(self, value: Any) -> None:
        """Pay for a value that stays in memory: in a variable, a list, a map."""
        if isinstance(value, str):
            if len(value) > _KEPT_CHARS:
                self.spend(len(value) // _KEPT_CHARS)
        elif isinstance(value, list) and len(value) > _KEPT_ELEMENTS:
            self.spend(len(value) // _KEPT_ELEMENTS)

    def enter(self) -> None:
        """Go into a macro, a block or another template; `leave` ends it."""
        self.depth += 1
        if self.depth > self.limits.macro_depth:
            raise LimitExceeded(
                f"macros, blocks or render() nested more than {self.limits.macro_depth} deep"
            )
        self.spend()

    def leave(self) -> None:
        """The end of what `enter` began."""
        self.depth -= 1

    def _check(self) -> None:
        if self._steps < 0:
            raise LimitExceeded(f"the expression takes more than {self.limits.steps} steps")
        self._look = self._steps - _STRIDE
        now = self._monotonic()
        if self._deadline is None:
            self._deadline = now + self.limits.time.total_seconds()
        elif now > self._deadline:
            seconds = self.limits.time.total_seconds()
            raise LimitExceeded(f"the expression takes longer than {seconds:g} s")
