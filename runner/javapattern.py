"""The syntax of Java's regular expressions, rewritten for the `regex` package.

Source: the documentation of `java.util.regex.Pattern`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

PLAIN = re.compile(r"[^\\.\[\]{}()*+?^$|#&~\s-]+")
_INLINE_FLAGS = re.compile(r"\?([a-zA-Z]*)(-[a-zA-Z]+)?([:)])")
_STEP = re.compile(r"\\.|\{(\d+)(?:,\d*)?\}|.", re.DOTALL)
_COUNT = re.compile(r"\{(\d+)")
_IGNORES_SPACE = re.compile(r"\(\?[a-zA-Z]*x")
_MOST_STEPS = 20_000
_MOST_DIGITS = 6
_QUANTIFIER = re.compile(r"\{\d+(?:,\d*)?\}")
_WORD = "[a-zA-Z0-9_]"
_BOUNDARY = f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))"
_LINE_END = r"[\n\r\x85\u2028\u2029]"
_POSIX = {
    "Lower": "[a-z]",
    "Upper": "[A-Z]",
    "ASCII": r"[\x00-\x7F]",
    "Alpha": "[a-zA-Z]",
    "Digit": "[0-9]",
    "Alnum": "[a-zA-Z0-9]",
    "Punct": r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]""",
    "Graph": r"[!-~]",
    "Print": r"[ -~]",
    "Blank": r"[ \t]",
    "Cntrl": r"[\x00-\x1F\x7F]",
    "XDigit": "[0-9a-fA-F]",
    "Space": r"[ \t\n\x0B\f\r]",
}
_CLASSES = {
    "d": "0-9",
    "w": "a-zA-Z_0-9",
    "s": r" \t\n\x0B\f\r",
}
_NEGATED = {"D": "d", "W": "w", "S": "s"}
_INNER = {
    "h": r" \t\xA0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000",
    "v": r"\n\x0B\f\r\x85\u2028\u2029",
}


class InvalidPattern(ValueError):
    """Java would not take this regular expression."""


def translate(pattern: str) -> str:
    """The pattern as `regex` writes it.

    Raises:
        InvalidPattern: Java would not take it, or it repeats too much.
    """
    if PLAIN.fullmatch(pattern):
        return pattern
    translated = "".join(_Translator(pattern).pieces())
    check_size(translated)
    return translated


def check_size(pattern: str, *, nested: bool = True) -> None:
    """See that a pattern is safe to compile: `regex` writes out what is repeated at least so many
    times, and ``((a{1000}){1000}){1000}`` would take all memory.

    *nested*: a class may hold classes, as in Java and `regex.VERSION1`.

    Raises:
        InvalidPattern: it repeats too much.
    """
    if "{" not in pattern:
        return
    is_free = _IGNORES_SPACE.search(pattern)  # a comment may hold brackets, so count the worst
    if (_worst(pattern) if is_free else _steps(pattern, nested)) > _MOST_STEPS:
        raise InvalidPattern(f"it repeats more than {_MOST_STEPS} things")


def _worst(pattern: str) -> int:
    return len(pattern) * math.prod(max(_counted(digits), 1) for digits in _COUNT.findall(pattern))


def _steps(pattern: str, nested: bool) -> int:
    """Return how long the pattern is with its repetitions written out."""
    groups = [[0, 0]]  # of each open group: how long it is, and its last part
    depth = 0
    for step in _STEP.finditer(pattern):
        text = step.group()
        if depth:
            depth += (text == "[" and nested) - (text == "]")
        elif text == "(":
            groups.append([0, 0])
        elif text == ")" and len(groups) > 1:
            length = groups.pop()[0] + 1
            groups[-1] = [groups[-1][0] + length, length]
        elif step[1] is not None:
            times, (length, last) = max(_counted(step[1]), 1), groups[-1]
            groups[-1] = [length + last * (times - 1), last * times]
        else:
            depth = int(text == "[")
            groups[-1] = [groups[-1][0] + 1, 1]
    return sum(length for length, _ in groups)


def _counted(digits: str) -> int:
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


class _Translator:
    """Rewrites what Java writes in another way than `regex`."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.index = 0
        self.depth = 0
        self.flags: set[str] = set()
        self.groups = len(re.findall(r"(?<!\\)\((?!\?)|\(\?<(?![=!])", pattern))

    def pieces(self) -> Iterator[str]:
        while self.index < len(self.pattern):
            character = self.pattern[self.index]
            self.index += 1
            if character == "\\":
                yield self.escape()
            elif character == "[":
                self.depth += 1
                yield self.opening()
            elif character == "]" and self.depth:
                self.depth -= 1
                yield "]"
            elif character == "&" and self.depth and self.pattern[self.index - 1 :][:2] == "&&":
                self.index += 1
                yield "&&"
            elif self.depth and character in "|~-&" and self.pattern[self.index :][:1] == character:
                yield "\\" + character
            else:
                yield self.inside(character) if self.depth else self.outside(character)

    def inside(self, character: str) -> str:
        """One character of a class; Java knows no `[:alpha:]`."""
        return "\\:" if character == ":" else character

    def outside(self, character: str) -> str:
        """What one character outside of brackets becomes."""
        match character:
            case "$" if "m" in self.flags:
                return rf"(?=\r\n|{_LINE_END}|\Z)"
            case "$":
                return rf"(?=(?:\r\n|{_LINE_END})?\Z)"
            case "." if "s" not in self.flags:
                return f"[^{_LINE_END[1:]}"
            case "(":
                return self.group()
            case "{":
                return self.quantifier()
            case "]" | "}":
                return f"\\{character}"
            case _:
                return character

    def group(self) -> str:
        """An opening parenthesis with the flags behind it, as far as both know them."""
        if self.pattern[self.index :][:3] == "?P<" or self.pattern[self.index :][:2] == "?#":
            raise InvalidPattern("(?P and (?# mean nothing in a Java regular expression")
        match = _INLINE_FLAGS.match(self.pattern, self.index)
        if match is None or not (match.group(1) or match.group(2)):
            return "("
        self.index = match.end()
        added, removed, end = match.groups()
        self.flags |= set(added)
        self.flags -= set(removed or "")
        kept = "".join(letter for letter in added if letter not in "duU")
        if not (kept or removed):
            return "(?:" if end == ":" else ""
        return f"(?{kept}{removed or ''}{end}"

    def quantifier(self) -> str:
        match = _QUANTIFIER.match(self.pattern, self.index - 1)
        if match is None:
            raise InvalidPattern("an opening brace begins no repetition")
        self.index = match.end()
        return match.group()

    def opening(self) -> str:
        text = "["
        if self.pattern[self.index :][:1] == "^":
            self.index += 1
            text += "^"
        if self.pattern[self.index :][:1] == "]":
            self.index += 1
            text += "\\]"
        return text

    def escape(self) -> str:
        if self.index == len(self.pattern):
            raise InvalidPattern("the regular expression ends with a backslash")
        character = self.pattern[self.index]
        self.index += 1
        if character == "Q":
            return self.quoted()
        if "U" in self.flags and character in "dwsDWSbB":
            return "\\" + character
        if character in _CLASSES:
            return _CLASSES[character] if self.depth else f"[{_CLASSES[character]}]"
        if character in _NEGATED:
            return f"[^{_CLASSES[_NEGATED[character]]}]"
        if character in _INNER:
            return _INNER[character] if self.depth else f"[{_INNER[character]}]"
        if character in "pP":
            return self.property(character)
        if character in "bB" and not self.depth:
            return _BOUNDARY if character == "b" else f"(?!{_BOUNDARY})"
        if character in "123456789" and int(character) > self.groups:
            return "(?!)"  # a group that does not exist never matches
        if character == "c":
            self.index += 1
            return re.escape(chr(ord(self.pattern[self.index - 1 : self.index] or "@") ^ 64))
        if character == "Z":
            return r"(?=\n?\Z)"
        if character == "z":
            return r"\Z"
        if character == "R" and not self.depth:
            return r"(?:\r\n|[\n\x0B\f\r\x85\u2028\u2029])"
        if character == "e":
            return r"\x1B"
        if character == "x" and self.pattern[self.index :][:1] == "{":
            return self.braced_code()
        if character == "k":
            return "\\g" + self.named()
        if character.isalpha() and character not in "tnrfaubBAGXx":
            raise InvalidPattern(f"\\{character} means nothing in a regular expression")
        return "\\" + character

    def named(self) -> str:
        end = self.pattern.find(">", self.index)
        name = self.pattern[self.index : end + 1]
        self.index = end + 1
        return name

    def braced_code(self) -> str:
        end = self.pattern.find("}", self.index)
        code = self.pattern[self.index + 1 : end]
        self.index = end + 1
        return re.escape(chr(int(code, 16)))

    def quoted(self) -> str:
        end = self.pattern.find("\\E", self.index)
        text = self.pattern[self.index : end if end >= 0 else None]
        self.index = end + 2 if end >= 0 else len(self.pattern)
        return re.escape(text)

    def property(self, sign: str) -> str:
        braced = re.compile(r"\{\^?(\w+)(=\w+)?\}").match(self.pattern, self.index)
        if braced is None:
            letter = self.pattern[self.index : self.index + 1]
            self.index += 1
            return f"\\{sign}{{{letter}}}"
        self.index = braced.end()
        name = braced.group(1)
        if name in _POSIX and not braced.group(2):
            inside = _POSIX[name]
            return inside if sign == "p" else f"[^{inside[1:]}"
        if name.startswith("java"):
            name = name[4:].replace("Case", "")
        name = name[2:] if name.startswith(("Is", "In")) else name
        return f"\\{sign}{{{name}{braced.group(2) or ''}}}"
