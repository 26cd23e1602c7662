"""Cuts a template into tokens by Pebble's rules, which differ from Jinja's in most details."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .errors import ExpressionError

TEXT = "text"
PRINT_BEGIN, PRINT_END = "{{", "}}"
TAG_BEGIN, TAG_END = "{%", "%}"
OPERATOR = "operator"
NAME = "name"
INTEGER = "integer"
DECIMAL = "decimal"
PUNCTUATION = "punctuation"
STRING = "string"
INTERPOLATION_BEGIN, INTERPOLATION_END = 'begin of "', 'end of "'
INNER_BEGIN, INNER_END = "#{", "} of #{"
END = "end of the template"

_WHITESPACE = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
_OPENING = re.compile(r"\{[{%#]")
_LEADING_TRIM = re.compile(r"-(?=\s)")
_COMMENT_END = re.compile(r"(\s-)?#\}")
_VERBATIM = re.compile(r"\s*verbatim\s*-?%\}")
_VERBATIM_END = re.compile(r"\{%(-)?\s*endverbatim\s*(-)?%\}")
_CLOSING = {"{{": re.compile(r"\s*(-)?\}\}"), "{%": re.compile(r"\s*(-)?%\}")}
_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(
    r"""
    (?P<operator>
        is[ ]not(?!\w) | (?:contains|equals|isIn|and|or|not|is)(?!\w)
        | \?\?\? | \?\? | \.\. | == | != | <= | >= | [<>+\-*/%|~]
    )
    | (?P<name>[^\W\d]\w*)
    | (?P<integer>[0-9]+L)
    | (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<punctuation>[()\[\]{}?:.,=])
    | (?P<single>'(?:[^'\\]|\\.)*')
    | (?P<double>"(?:[^"\\\#]|\\.|\#(?!\{))*")
    | (?P<interpolated>")
    """,
    re.VERBOSE | re.DOTALL,
)
_INTERPOLATED_TEXT = re.compile(r'(?:[^"\\#]|\\.|#(?!\{))*', re.DOTALL)
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_MAX_INTEGER = 2**63 - 1
_MAX_DIGITS = 4000


class Token(NamedTuple):
    """A piece of the template; `offset` is where it begins."""

    kind: str
    value: str
    offset: int


class Source:
    """A template's text and the way from offsets to lines and columns."""

    def __init__(self, text: str) -> None:
        self.text = text

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        line_begin = self.text.rfind("\n", 0, offset) + 1
        return self.text.count("\n", 0, offset) + 1, offset - line_begin + 1

    def error(self, reason: str, offset: int) -> ExpressionError:
        """An error at that place."""
        return ExpressionError(reason).within(self, offset)


def tokenize(source: Source) -> Iterator[Token]:
    """The tokens of the template, the last one being `END`.

    Raises:
        ExpressionError: something is not closed, or no token begins there.
    """
    return _Tokenizer(source).tokens()


def _unquoted(text: str) -> str:
    quote = text[0]
    if quote == '"' and "#" in text:
        return text[1:-1]  # Pebble reads it piece by piece, as if it had interpolation
    return text[1:-1].replace("\\" + quote, quote)


class _Tokenizer:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.position = 0
        self.trims_next = False

    def tokens(self) -> Iterator[Token]:
        while opening := _OPENING.search(self.text, self.position):
            start = opening.start()
            delimiter = opening.group()
            text = self.text[self.position : start]
            offset = self.position
            self.position = opening.end()
            if trim := _LEADING_TRIM.match(self.text, self.position):
                text = text.rstrip(_WHITESPACE)
                self.position = trim.end()
            yield from self._text(text, offset)
            yield from self._inside(delimiter, start)
        yield from self._text(self.text[self.position :], self.position)
        yield Token(END, "", len(self.text))

    def _text(self, text: str, offset: int) -> Iterator[Token]:
        if self.trims_next:
            text = text.lstrip(_WHITESPACE)
            self.trims_next = False
        if text:
            yield Token(TEXT, text, offset)

    def _inside(self, delimiter: str, start: int) -> Iterator[Token]:
        if delimiter == "{#":
            self._skip_comment(start)
        elif delimiter == "{%" and (opening := _VERBATIM.match(self.text, self.position)):
            yield from self._verbatim(opening.end(), start)
        else:
            yield Token(delimiter, delimiter, start)
            yield from self._expression(delimiter, start)

    def _skip_comment(self, start: int) -> None:
        end = _COMMENT_END.search(self.text, self.position)
        if end is None and self.position == len(self.text):
            return  # as Pebble has it: a comment that ends with the text, before it began
        if end is None:
            raise self.source.error("the comment is not closed by #}", start)
        self.position = end.end()
        self.trims_next = end.group(1) is not None

    def _verbatim(self, begin: int, start: int) -> Iterator[Token]:
        end = _VERBATIM_END.search(self.text, begin)
        if end is None:
            raise self.source.error("{% verbatim %} is not closed by {% endverbatim %}", start)
        text = self.text[begin : end.start()].lstrip(_WHITESPACE)
        if text:
            yield Token(TEXT, text.rstrip(_WHITESPACE) if end.group(1) else text, begin)
        self.position = end.end()
        self.trims_next = end.group(2) is not None

    def _expression(self, delimiter: str, start: int) -> Iterator[Token]:
        closing = _CLOSING[delimiter]
        brackets: list[tuple[str, int]] = []
        while True:
            if not brackets and (end := closing.match(self.text, self.position)):
                yield Token("}}" if delimiter == "{{" else "%}", "", self.position)
                self.position = end.end()
                self.trims_next = end.group(1) is not None
                return
            yield from self._token(delimiter, start, brackets)

    def _token(
        self, delimiter: str, start: int, brackets: list[tuple[str, int]]
    ) -> Iterator[Token]:
        self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
        offset = self.position
        match = _TOKEN.match(self.text, offset)
        if match is None:
            raise self._nothing_fits(delimiter, start, brackets)
        self.position = match.end()
        text = match.group()
        match match.lastgroup:
            case "operator" | "name" as kind:
                yield Token(kind, text, offset)
            case "integer" | "number":
                yield self._number(text, offset)
            case "punctuation":
                yield from self._punctuation(text, offset, brackets)
            case "interpolated":
                yield Token(INTERPOLATION_BEGIN, "", offset)
                yield from self._interpolated(offset, brackets)
            case _:
                yield Token(STRING, _unquoted(text), offset)

    def _number(self, text: str, offset: int) -> Token:
        if "." in text:
            return Token(DECIMAL, text, offset)
        digits = text.rstrip("L").lstrip("0") or "0"
        if len(digits) > _MAX_DIGITS or int(digits) > _MAX_INTEGER:
            raise self.source.error(f"the number {text[:40]} does not fit 64 bits", offset)
        return Token(INTEGER, digits, offset)

    def _punctuation(
        self, text: str, offset: int, brackets: list[tuple[str, int]]
    ) -> Iterator[Token]:
        if text in _BRACKETS:
            brackets.append((_BRACKETS[text], offset))
        elif text in ")]}":
            if brackets and brackets[-1][0] == "#" and text == "}":
                brackets.pop()
                yield Token(INNER_END, text, offset)
                yield from self._interpolated(offset, brackets)
                return
            if not brackets or brackets.pop()[0] != text:
                raise self.source.error(f"this {text!r} closes nothing", offset)
        yield Token(PUNCTUATION, text, offset)

    def _interpolated(self, offset: int, brackets: list[tuple[str, int]]) -> Iterator[Token]:
        piece = _INTERPOLATED_TEXT.match(self.text, self.position)
        if piece is not None and piece.group():
            yield Token(STRING, piece.group(), self.position)
            self.position = piece.end()
        if self.text.startswith('"', self.position):
            yield Token(INTERPOLATION_END, '"', self.position)
            self.position += 1
        elif self.text.startswith("#{", self.position):
            yield Token(INNER_BEGIN, "#{", self.position)
            brackets.append(("#", self.position))
            self.position += 2
        else:
            raise self.source.error("the string is not closed", offset)

    def _nothing_fits(
        self, delimiter: str, start: int, brackets: list[tuple[str, int]]
    ) -> ExpressionError:
        if self.position < len(self.text):
            character = self.text[self.position]
            if character in "'\"":
                return self.source.error("the string is not closed", self.position)
            return self.source.error(f"unexpected {character!r}", self.position)
        if brackets:
            return self.source.error("the bracket is not closed", brackets[-1][1])
        closing = "}}" if delimiter == "{{" else "%}"
        return self.source.error(f"{delimiter} is not closed by {closing}", start)
