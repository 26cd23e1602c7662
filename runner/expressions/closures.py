"""The closures that stand for parts of an expression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.expressions.errors import ExpressionError, UnknownAttribute
from runner.expressions.frame import Evaluate, Frame
from runner.expressions.printing import text_form
from runner.expressions.registry import Extension
from runner.expressions.values import Entry, describe, is_list, is_map, is_number

from .program import Step, Text

_UNCHECKED_CHARS = 10_000


def text_step(text: Text) -> Step:
    """Text of the template."""
    return lambda frame, out: out.append(text)


def print_step(evaluate: Evaluate) -> Step:
    """`{{ … }}`; what is written is held until the end, so it must not be too much."""

    def step(frame: Frame, out: list[Any]) -> None:
        value = evaluate(frame)
        out.append(value)
        if isinstance(value, str | list):
            frame.held_chars += len(value)
            if frame.held_chars > _UNCHECKED_CHARS:
                frame.budget.fits(frame.held_chars)

    return step


def block_step(name: str) -> Step:
    """The block in its place; of several with one name the last counts everywhere."""

    def step(frame: Frame, out: list[Any]) -> None:
        for inner in frame.program.blocks[name]:
            inner(frame, out)

    return step


def items_of(evaluate: Evaluate) -> Evaluate:
    """What `for` goes over: a list, the entries of a map, or null."""

    def iterated(frame: Frame) -> Any:
        items = evaluate(frame)
        if items is None or is_list(items):
            return items
        if is_map(items):
            return [Entry(key, value) for key, value in items.items()]
        raise ExpressionError(f"for needs a list or a map, not {describe(items)}")

    return iterated


def constantly(value: Any) -> Evaluate:
    """The same value whenever asked."""
    return lambda frame: value


def list_of(items: tuple[Evaluate, ...]) -> Evaluate:
    """A list literal."""

    def literal(frame: Frame) -> list[Any]:
        made = []
        for item in items:
            value = item(frame)
            if isinstance(value, str | list):
                frame.budget.keep(value)
            made.append(value)
        return made

    return literal


def key_of(value: Any, frame: Frame) -> Any:
    """The value as a key of a map literal: lists and maps by their text."""
    if value is None or isinstance(value, str | bool) or is_number(value):
        return value
    return text_form(value, frame.budget)


def or_null(evaluate: Evaluate) -> Evaluate:
    """The value, null where it is unknown."""

    def known(frame: Frame) -> Any:
        try:
            return evaluate(frame)
        except UnknownAttribute:
            return None

    return known


def whether_defined(evaluate: Evaluate) -> Evaluate:
    """Whether the value is known and not null."""

    def defined(frame: Frame) -> bool:
        try:
            return evaluate(frame) is not None
        except UnknownAttribute:
            return False

    return defined


def calling(code: Callable[[Any], Any], left: Evaluate) -> Evaluate:
    """A filter or test without arguments."""

    def simple(frame: Frame) -> Any:
        value = left(frame)
        return None if value is None else code(value)

    return simple


def with_arguments(
    extension: Extension, left: Evaluate, arguments: tuple[Evaluate, ...]
) -> Evaluate:
    """A filter or test with arguments."""
    code, takes_null = extension.code, extension.takes_null

    def call(frame: Frame) -> Any:
        value = left(frame)
        if value is None and not takes_null:
            return None
        return code(value, *[argument(frame) for argument in arguments])

    return call


def with_frame(extension: Extension, left: Evaluate, arguments: tuple[Evaluate, ...]) -> Evaluate:
    """A filter or test that needs the frame."""
    code, takes_null = extension.code, extension.takes_null

    def call(frame: Frame) -> Any:
        value = left(frame)
        if value is None and not takes_null:
            return None
        return code(frame, value, *[argument(frame) for argument in arguments])

    return call


def opaque(evaluate: Evaluate) -> Evaluate:
    """What is unknown inside arithmetic and comparisons, `??` around them does not catch."""

    def opaque(frame: Frame) -> Any:
        try:
            return evaluate(frame)
        except UnknownAttribute as error:
            raise error.final() from error

    return opaque


def not_null(evaluate: Evaluate, extension: Extension, index: int) -> Evaluate:
    """An argument that must not be null."""
    parameter = extension.parameters[index]

    def required(frame: Frame) -> Any:
        value = evaluate(frame)
        if value is None:
            raise extension.missing(parameter)
        return value

    return required


def python_reason(error: Exception) -> str:
    """What a Python error inside a function says."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error) or type(error).__name__
