"""Source code as lines: highlighted YAML, problems at their lines, differences of revisions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from runner.model.problems import Problem

_TOKEN = re.compile(
    r"(?P<c>(?:^|(?<=\s))\#.*$)|(?P<e>\{\{.*?\}\})|(?P<k>^\s*(?:- )?[\w.]+(?=:(?:\s|$)))"
    r"|(?P<s>\"[^\"]*\"|'[^']*')|(?P<n>(?<=: )(?:\d+|true|false|PT\w+)$)"
)
_EXPRESSION = re.compile(r"(\{\{.*?\}\})")
_CONTEXT = 3
_SEVERITIES = {"error": "bad", "warning": "warn", "deprecation": "warn", "info": "warn"}


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch of source with one look."""

    text: str
    css: str = ""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line; *css* ``bad``, ``warn`` or ``good`` marks it, *notes* stand below it."""

    number: str
    tokens: tuple[Token, ...]
    css: str = ""
    anchor: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a difference."""

    old: str
    new: str
    sign: str
    css: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """A difference of two texts: parts of it with a few lines round each change."""

    hunks: tuple[tuple[DiffLine, ...], ...]
    added: int
    removed: int

    @property
    def counted(self) -> str:
        """Both counts, as in ``+2 −1``."""
        return f"+{self.added} −{self.removed}"


def tokens(text: str) -> tuple[Token, ...]:
    """Return a line of YAML with the kinds of its parts."""
    found: list[Token] = []
    at = 0
    for match in _TOKEN.finditer(text):
        if match.start() > at:
            found.append(Token(text[at : match.start()]))
        found.extend(_inner(match[0], match.lastgroup or ""))
        at = match.end()
    if at < len(text):
        found.append(Token(text[at:]))
    return tuple(found)


def lines(text: str, problems: Iterable[Problem] = ()) -> tuple[SourceLine, ...]:
    """Return a whole text with anchors, and problems at their lines."""
    by_line: dict[int, list[Problem]] = {}
    for problem in problems:
        by_line.setdefault(problem.line or 1, []).append(problem)
    return tuple(
        _line(number, line, by_line.get(number, ()))
        for number, line in enumerate(text.splitlines(), 1)
    )


def frame(text: str | None) -> tuple[SourceLine, ...]:
    """Return a stored code frame as lines: ``> 12 | text`` marks the bad one."""
    found = []
    for line in (text or "").splitlines():
        head, bar, rest = line.partition("|")
        if not bar:
            continue
        css = "bad" if head.strip().startswith(">") else ""
        number = head.replace(">", "").strip()
        found.append(SourceLine(number, tokens(rest[1:]), css))
    return tuple(found)


def diff(old: str, new: str) -> Diff:
    """Return what changed between two texts."""
    before, after = old.splitlines(), new.splitlines()
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    hunks = [tuple(_hunk(group, before, after)) for group in matcher.get_grouped_opcodes(_CONTEXT)]
    flat = [line for hunk in hunks for line in hunk]
    return Diff(
        tuple(hunks),
        added=sum(1 for line in flat if line.sign == "+"),
        removed=sum(1 for line in flat if line.sign == "−"),
    )


def _line(number: int, text: str, problems: Sequence[Problem]) -> SourceLine:
    families = {_SEVERITIES[problem.severity] for problem in problems}
    css = "bad" if "bad" in families else "warn" if families else ""
    notes = tuple(problem.message for problem in problems)
    return SourceLine(str(number), tokens(text), css, f"l{number}", notes)


def _hunk(
    group: Sequence[tuple[str, int, int, int, int]], before: list[str], after: list[str]
) -> Iterable[DiffLine]:
    for tag, a, b, c, d in group:
        if tag == "equal":
            for old, new in zip(range(a, b), range(c, d), strict=True):
                yield DiffLine(str(old + 1), str(new + 1), "", "", tokens(before[old]))
            continue
        for old in range(a, b):
            yield DiffLine(str(old + 1), "", "−", "bad", tokens(before[old]))
        for new in range(c, d):
            yield DiffLine("", str(new + 1), "+", "good", tokens(after[new]))


def _inner(text: str, css: str) -> list[Token]:
    if css != "s":
        return [Token(text, css)]
    return [
        Token(part, "e" if part.startswith("{{") else "s")
        for part in _EXPRESSION.split(text)
        if part
    ]
