"""Rendering: one text, whole structures, typed values; parsed templates are kept by their text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .budget import Budget
from .compiler import compile_template
from .context import Context
from .errors import ExpressionError, LimitExceeded, UnknownAttribute
from .frame import Frame
from .jsontext import InvalidJson, read_first
from .parser import parse
from .printing import MAX_DEPTH, float32_text, scalar_text, text_form
from .program import MacroText, Program, Text, join
from .tokens import Source
from .values import Entry, Float32, is_list, is_map, is_number

if TYPE_CHECKING:
    from pydantic import JsonValue

KEPT_TEMPLATES = 1000
_RAW = re.compile(r"\{%-*\s*raw\s*-*%\}(.*?)\{%-*\s*endraw\s*-*%\}")
_MARKER = "\ufdd0%034d\ufdd1"
_MARKED = re.compile("\ufdd0([0-9]{34})\ufdd1")
_UNCHECKED = 10_000


def is_template(text: str) -> bool:
    """Whether there is anything to render in the text."""
    return "{{" in text or "{%" in text or "{#" in text


def is_truthy(rendered: str) -> bool:
    """Whether a rendered condition holds: all but empty, `false`, `0` and `-0` do."""
    return rendered.strip() not in ("", "false", "0", "-0")


def render(template: str, context: Context, *, typed: bool = False) -> Any:
    """What the template gives: text, or with `typed` the value of a lone expression.

    Raises:
        ExpressionError: it cannot be parsed or rendered; the error says where and why.
    """
    if "{" not in template or not is_template(template):
        return template
    return _Rendering(context).text(template, recursive=context.settings.recursive, typed=typed)


def render_value(value: JsonValue, context: Context, *, typed: bool = False) -> JsonValue:
    """The structure with every text in it rendered, keys too.

    A text inside a list or map becomes a text, or null if it writes nothing; `typed` is for a text
    that is the whole value.

    Raises:
        ExpressionError: one of the texts cannot be rendered.
    """
    if isinstance(value, str):
        return _plain_json(render(value, context, typed=typed))
    root = _Rendering(context)
    return _plain_json(root.structure(value, recursive=context.settings.recursive))


def render_nested(value: Any, frame: Frame, *, recursive: bool) -> Any:
    """Render a value with the variables in sight, at the cost of the rendering around it."""
    variables = frame.variables() if frame.sees_context else frame.context.variables
    budget = frame.budget
    budget.enter()
    inner = _Rendering(replace(frame.context, variables=variables), budget)
    try:
        if isinstance(value, str):
            return inner.text(value, recursive=recursive)
        return inner.structure(value, recursive=recursive)
    except UnknownAttribute as error:  # which `??` around render() does not catch
        raise error.final() from error
    finally:
        budget.leave()


class _Rendering:
    """Texts and structures rendered with one context and one budget."""

    def __init__(self, context: Context, budget: Budget | None = None) -> None:
        self.context = context
        self._budget = budget

    def once(self, template: str, *, typed: bool = False) -> Any:
        if self._budget is not None:
            self._budget.spend(1 + 2 * len(template))  # it may have to be parsed
        program, raws = _program(template)
        frame = Frame(self.context, program, budget=self._budget)
        if typed:
            result = typed_value(_guarded(program.run, frame), frame)
        elif program.lone is not None:
            value = _guarded(program.lone, frame)
            result = join((value,), frame) if type(value) is not str else value
            if len(result) > _UNCHECKED:
                frame.budget.fits(len(result))
        else:
            result = join(_guarded(program.run, frame), frame)
        if raws:
            result = _put_back(result, raws)
        return result

    def text(self, template: str, *, recursive: bool, typed: bool = False) -> Any:
        """One text, or with `recursive` again and again until nothing changes."""
        result = self._pass(template, typed=typed)
        if recursive:
            result = self._until_stable(template, result, typed=typed)
        return _strip_raw(result) if isinstance(result, str) else result

    def _until_stable(self, template: str, result: Any, *, typed: bool) -> Any:
        passes = 1
        while isinstance(result, str) and result != template:
            if passes >= self.context.settings.limits.passes:
                raise LimitExceeded(f"the text still changes after {passes} renderings")
            template = result
            result = self._pass(template, typed=typed)
            passes += 1
        return result

    def _pass(self, template: str, *, typed: bool) -> Any:
        return self.once(template, typed=typed) if is_template(template) else template

    def structure(self, value: Any, *, recursive: bool, depth: int = 0) -> Any:
        """Lists and maps element by element; a text that writes nothing becomes null."""
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, str):
            return self._inner_text(value, recursive=recursive)
        if is_list(value):
            return [self.structure(item, recursive=recursive, depth=depth + 1) for item in value]
        if is_map(value):
            return self._map(value, recursive, depth)
        return value

    def _map(self, value: Mapping[Any, Any], recursive: bool, depth: int) -> dict[Any, Any]:
        rendered: dict[Any, Any] = {}
        keys_recursive = self.context.settings.recursive
        for key, item in value.items():
            name = self.text(key, recursive=keys_recursive) if isinstance(key, str) else key
            if name not in rendered:
                rendered[name] = self.structure(item, recursive=recursive, depth=depth + 1)
        return rendered

    def _inner_text(self, text: str, *, recursive: bool) -> str | None:
        if not is_template(text):
            return text
        program, _ = _program(text)
        rendered: str = self.text(text, recursive=recursive)
        if rendered or program.has_text:
            return rendered
        frame = Frame(self.context, program, budget=self._budget)
        wrote = any(item is not None for item in _guarded(program.run, frame))
        return rendered if wrote else None


def _guarded(run: Any, frame: Frame) -> Any:
    """Run, so that whatever exceeds Python's own limits is an expression error too."""
    try:
        return run(frame)
    except RecursionError as error:
        raise ExpressionError("nested too deeply").within(frame.program.source, 0) from error
    except MemoryError as error:
        raise LimitExceeded("not enough memory").within(frame.program.source, 0) from error


@lru_cache(maxsize=KEPT_TEMPLATES)
def _program(template: str) -> tuple[Program, tuple[str, ...]]:
    text, raws = cut_raw(template)
    try:
        return compile_template(parse(text)), raws
    except RecursionError as error:
        raise ExpressionError("nested too deeply").within(Source(text), 0) from error


def cut_raw(template: str) -> tuple[str, tuple[str, ...]]:
    """The template with a marker for each raw block, and the blocks."""
    raws: list[str] = []

    def keep(match: re.Match[str]) -> str:
        raws.append(match.group())
        return _MARKER % (len(raws) - 1)

    text = _RAW.sub(keep, template) if "raw" in template else template
    return text, tuple(raws)


def _put_back(value: Any, raws: tuple[str, ...]) -> Any:
    if not isinstance(value, str):
        return value
    return _MARKED.sub(lambda match: raws[int(match.group(1))], value)


def _strip_raw(text: str) -> str:
    return _RAW.sub(lambda match: match.group(1), text) if "{%" in text else text


# ---- typed values


def typed_value(out: list[Any], frame: Frame) -> Any:
    """The value of what was written: that of a lone expression, else text or what JSON it is."""
    written = [item for item in out if item is not None]
    if not written:
        return None
    if len(written) == 1 and not isinstance(written[0], Text):
        return plain(written[0], frame.budget)
    text = join(written, frame)
    if all(_is_scalar(item) for item in written):
        return text
    try:
        return read_first(text)
    except InvalidJson:
        return text


def _is_scalar(value: Any) -> bool:
    if type(value) is MacroText:
        return False
    return isinstance(value, str | bool) or is_number(value)


def plain(value: Any, budget: Budget, depth: int = 0) -> Any:
    """The value as plain data: Python's own types, dates as text."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is Entry:
        return text_form(value, budget)
    if is_map(value):
        _descend(budget, depth)
        budget.spend(4 * len(value))
        return {_plain_key(key): plain(item, budget, depth + 1) for key, item in value.items()}
    if is_list(value):
        _descend(budget, depth)
        budget.spend(4 * len(value))
        return [plain(item, budget, depth + 1) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Float32):
        return float(float32_text(value))
    if isinstance(value, float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if isinstance(value, str) else scalar_text(value, null="")


def _plain_key(key: Any) -> str:
    return key if type(key) is str else scalar_text(key, null="null")


def _descend(budget: Budget, depth: int) -> None:
    budget.spend()
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")


def _plain_json(value: Any) -> JsonValue:
    result: JsonValue = value
    return result


def forget_templates() -> None:
    """Parse every template anew from now on."""
    _program.cache_clear()
