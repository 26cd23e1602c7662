"""A template that can be run, and what happens at run time: loops, macros, blocks, joining."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.frame import Evaluate, Frame
from runner.expressions.printing import printed, text_form
from runner.expressions.tokens import Source

Step = Callable[[Frame, list[Any]], None]


Printer = Callable[[Any, Any], str]


class MacroText(str):
    """What a macro wrote; beside other output, typed rendering reads it as JSON."""

    __slots__ = ()


class Text(str):
    """Text of the template itself, told apart from texts that expressions give."""

    __slots__ = ()


@dataclass
class Program:
    """A template that can be run."""

    source: Source
    steps: tuple[Step, ...] = ()
    lone: Evaluate | None = None
    has_text: bool = False
    macros: dict[str, Macro] = field(default_factory=dict)
    blocks: dict[str, tuple[Step, ...]] = field(default_factory=dict)

    def run(self, frame: Frame) -> list[Any]:
        """What the template writes: `Text` of its own and values of its expressions."""
        out: list[Any] = []
        for step in self.steps:
            step(frame, out)
        return out


@dataclass(frozen=True)
class Macro:
    """A macro's parameters with their defaults, and its body."""

    name: str
    parameters: tuple[str, ...]
    defaults: tuple[Evaluate, ...]
    steps: tuple[Step, ...]


def join(out: Iterable[Any], frame: Frame, printer: Printer = printed) -> str:
    """The text of what was written.

    Raises:
        LimitExceeded: it is too long.
    """
    budget = frame.budget
    pieces: list[str] = []
    length = 0
    for value in out:
        piece = value if isinstance(value, str) else printer(value, budget)
        length += len(piece)
        if length > 10_000:
            budget.fits(length)
        pieces.append(piece)
    return "".join(pieces)


def java_text(value: Any, budget: Any) -> str:
    """How macros, `block()` and the filter tag print: not as JSON."""
    return text_form(value, budget, null="")


def run_loop(
    frame: Frame, out: list[Any], items: Any, name: str, body: tuple[Step, ...], cost: int
) -> None:
    budget = frame.budget
    scope: dict[str, Any] = {}
    frame.scopes.append(scope)
    last = len(items) - 1
    try:
        for index, item in enumerate(items):
            budget.spend(cost)
            scope["loop"] = {
                "index": index,
                "revindex": last - index,
                "first": index == 0,
                "last": index == last,
                "length": last + 1,
            }
            scope[name] = item
            for step in body:
                step(frame, out)
    finally:
        frame.scopes.pop()


def run_macro(macro: Macro, given: dict[str, Any], frame: Frame) -> str:
    """The text of a macro's body with these arguments.

    Raises:
        ExpressionError: it has no such argument, or its body fails.
    """
    for name in given:
        if name not in macro.parameters:
            raise ExpressionError(f"macro {macro.name!r} has no argument {name!r}")
    scope: dict[str, Any] = {}
    inside = frame.inner(frame.program, scopes=[scope], sees_context=False)
    nowhere = frame.inner(frame.program, scopes=[{}], sees_context=False)
    for name, default in zip(macro.parameters, macro.defaults, strict=True):
        scope[name] = given[name] if name in given else default(nowhere)
    return MacroText(_text_of(macro.steps, inside))


def run_block(name: str, frame: Frame) -> str:
    """The text of a block, empty if there is none of that name."""
    return _text_of(frame.program.blocks.get(name, ()), frame)


def _text_of(steps: Iterable[Step], frame: Frame) -> str:
    budget = frame.budget
    budget.enter()
    try:
        out: list[Any] = []
        for step in steps:
            step(frame, out)
        return join(out, frame, java_text)
    finally:
        budget.leave()
