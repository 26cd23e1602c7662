"""What can be wrong with an expression, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from runner.errors import HeadraceError

if TYPE_CHECKING:
    from .tokens import Source

_EXCERPT = 120
_CANDIDATES = 500


class ExpressionError(HeadraceError):
    """An expression cannot be parsed or rendered.

    The place is filled in on the way out: `line` and `column` count from 1 in `template`.
    """

    code: ClassVar[str] = "expression"

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self._place: tuple[Source, int] | None = None

    @property
    def reason(self) -> str:
        """What is wrong, without the place."""
        return str(self.args[0])

    @property
    def template(self) -> str | None:
        """The text that was rendered, where known."""
        return self._place[0].text if self._place else None

    @property
    def line(self) -> int | None:
        """The line in the template, where known."""
        return self._place[0].position(self._place[1])[0] if self._place else None

    @property
    def column(self) -> int | None:
        """The column in that line, where known."""
        return self._place[0].position(self._place[1])[1] if self._place else None

    @property
    def message(self) -> str:
        """What is wrong, where, and in which expression."""
        if self._place is None:
            return self.reason
        where = f"line {self.line}, column {self.column}"
        return f"{self.reason} ({where} of `{excerpt(self.template, self.line)}`)"

    def __str__(self) -> str:
        return self.message

    def within(self, source: Source, offset: int) -> ExpressionError:
        """The same error, with its place if it had none."""
        if self._place is None:
            self._place = (source, offset)
        return self


class UnknownAttribute(ExpressionError):
    """A variable, key or index that is not there. `??`, `default` and `defined` catch it."""

    def __init__(self, name: object, known: Iterable[object] = (), owner: str = "") -> None:
        super().__init__(name if isinstance(name, str) else repr(name))
        self.name = name
        self._known = known
        self._owner = owner

    def final(self) -> ExpressionError:
        """The same as an error that nothing catches."""
        error = ExpressionError(self.reason)
        error._place = self._place
        return error

    @property
    def reason(self) -> str:
        what = (
            f"{self._owner} has no {self.name!r}" if self._owner else f"no variable {self.name!r}"
        )
        return what + did_you_mean(self.name, self._known)


class LimitExceeded(ExpressionError):
    """The expression costs more than one rendering may."""


@dataclass(frozen=True)
class ExpressionProblem:
    """One thing that is wrong with a template before it is rendered."""

    message: str
    line: int
    column: int
    code: str = "expression"
    suggestion: str | None = None


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """`; did you mean 'x'?`, or nothing when no known name is near."""
    nearest = nearest_name(name, known)
    return f"; did you mean {nearest!r}?" if nearest else ""


def nearest_name(name: object, known: Iterable[object]) -> str | None:
    """The known name that looks most like this one, if any does."""
    from difflib import get_close_matches

    if not isinstance(name, str):
        return None
    names = {item.lower(): item for item in islice(known, _CANDIDATES) if isinstance(item, str)}
    found = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def excerpt(template: str | None, line: int | None) -> str:
    """The line of the template that is meant, shortened."""
    lines = (template or "").splitlines() or [""]
    text = lines[min(line or 1, len(lines)) - 1].strip()
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 1] + "…"
