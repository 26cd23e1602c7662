"""The pattern letters of `java.time.format.DateTimeFormatter`, cut into elements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from runner.expressions.errors import ExpressionError

OPTIONAL_BEGIN, OPTIONAL_END = "[", "]"
_LIMITS = {
    **dict.fromkeys("dHhKkmsWFec", 2),
    **dict.fromkeys("MLEQqGaXxZ", 5),
    **dict.fromkeys("yuYnNA", 19),
    "D": 3,
    "w": 2,
    "S": 9,
    "z": 4,
    "v": 4,
    "V": 2,
    "O": 4,
    "p": 19,
    "g": 19,
}
_LIMITS |= {"e": 5, "c": 5, "a": 1, "W": 1, "F": 1}
_MAX_LENGTH = 500


@dataclass(frozen=True)
class Element:
    """A letter with its count, or literal text (letter `'`), or a bracket; `pad` is its width."""

    letter: str
    count: int = 1
    text: str = ""
    pad: int = 0


@lru_cache(maxsize=256)
def elements(pattern: str) -> tuple[Element, ...]:
    """The elements of a pattern.

    Raises:
        ExpressionError: it has letters that mean nothing, or is not closed.
    """
    if len(pattern) > _MAX_LENGTH:
        raise ExpressionError(f"a date pattern is longer than {_MAX_LENGTH} characters")
    return tuple(_Reader(pattern).elements())


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.index = 0
        self.open = 0

    def elements(self) -> list[Element]:
        found: list[Element] = []
        while self.index < len(self.pattern):
            character = self.pattern[self.index]
            if character.isascii() and character.isalpha():
                found.append(self.letters(character))
            elif character == "'":
                found.append(Element("'", text=self.quoted()))
            elif character in "[]":
                self.bracket(character)
                found.append(Element(character))
                self.index += 1
            elif character in "{}#":
                raise self.wrong(f"{character!r} is reserved")
            else:
                found.append(Element("'", text=character))
                self.index += 1
        return found

    def letters(self, letter: str) -> Element:
        begin = self.index
        while self.pattern[self.index : self.index + 1] == letter:
            self.index += 1
        count = self.index - begin
        if letter == "p":
            return self.padded(count)
        if letter not in _LIMITS:
            raise self.wrong(f"the letter {letter!r} means nothing")
        if count > _LIMITS[letter] or self.is_odd(letter, count):
            raise self.wrong(f"{letter * count!r} has too many letters, or too few")
        return Element(letter, count)

    def is_odd(self, letter: str, count: int) -> bool:
        if letter == "V":
            return count != 2
        if letter == "O":
            return count not in (1, 4)
        if letter == "v":
            return count not in (1, 4)
        if letter == "c":
            return count == 2
        return False

    def padded(self, width: int) -> Element:
        following = self.pattern[self.index : self.index + 1]
        if not (following.isascii() and following.isalpha()) or following == "p":
            raise self.wrong("a pad must be followed by a letter")
        element = self.letters(following)
        return Element(element.letter, element.count, pad=width)

    def quoted(self) -> str:
        self.index += 1
        text = ""
        while True:
            end = self.pattern.find("'", self.index)
            if end < 0:
                raise self.wrong("a quote is not closed")
            text += self.pattern[self.index : end]
            self.index = end + 1
            if self.pattern[self.index : self.index + 1] != "'" or end + 1 == len(self.pattern):
                return text or ("'" if self.pattern[end - 1 : end + 1] == "''" else "")
            text += "'"
            self.index += 1

    def bracket(self, character: str) -> None:
        self.open += 1 if character == "[" else -1
        if self.open < 0:
            raise self.wrong("']' closes nothing")

    def wrong(self, reason: str) -> ExpressionError:
        return ExpressionError(f"date pattern {self.pattern!r}: {reason}")
