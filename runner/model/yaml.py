"""YAML as Kestra reads it: Jackson's reader over SnakeYAML, a subset of YAML 1.1.

Scalars, sequences and mappings with text keys; no dates, no base 60, no merge. Anchors, aliases and
merge keys are refused instead of being read as their own names. Positions are kept, so that
whatever is said about a value can point at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from runner.model.problems import Problem

Path = tuple[str | int, ...]
"""The way to a value from the document's root: keys and indexes."""

MAX_CHARACTERS = 3 * 1024 * 1024
MAX_DEPTH = 100
_MAX_DIGITS = 4_000  # Python refuses longer integers by default

_BOOLEANS = {
    spelling: value
    for word, value in (
        ("yes", True),
        ("on", True),
        ("true", True),
        ("no", False),
        ("off", False),
        ("false", False),
    )
    for spelling in (word, word.capitalize(), word.upper())
}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(
    r"[-+]?(?:0b_*[01][01_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]+|0|[1-9][0-9_]*)", re.ASCII
)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?",
    re.ASCII,
)
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMBER_STARTS = frozenset("+-.0123456789")
_STANDARD = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text; both count from 1."""

    line: int
    column: int


class MalformedYaml(Exception):
    """The text is not the YAML that flows are written in."""

    def __init__(self, message: str, at: Position | None = None, path: Path = ()) -> None:
        super().__init__(message)
        self.message, self.at, self.path = message, at, path


@dataclass(frozen=True)
class Document:
    """Plain data read from a text, with the places where its keys and values begin."""

    value: Any
    # id of a container → key or index → (key mark, value mark)
    marks: Mapping[int, Any] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()  # the value is usable in spite of them
    start: Position = Position(1, 1)

    def position(self, path: Path, *, of_key: bool = False) -> Position:
        """Return where a value (or its key) begins; of what is missing, its nearest parent."""
        value, found = self.value, self.start
        for depth, step in enumerate(path):
            marks = self.marks.get(id(value))
            if marks is None or step not in marks:
                break
            key, own = marks[step]
            last = depth == len(path) - 1
            found = _position(key if last and of_key else own)
            value = value[step]
        return found


def show(path: Iterable[str | int]) -> str:
    """Write a path for people: ``tasks[0].commands[1]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read(source: str) -> Document:
    """Read the first document of *source*.

    Raises:
        MalformedYaml: the text is no YAML, is empty, or is too large or too deep.
    """
    if len(source) > MAX_CHARACTERS:
        raise MalformedYaml(f"larger than {MAX_CHARACTERS} characters")
    try:
        return _Reader(source).read()
    except yaml.MarkedYAMLError as exc:
        raise _malformed(exc, source) from exc
    except yaml.reader.ReaderError as exc:
        raise MalformedYaml(*_unreadable(exc, source)) from exc
    except UnicodeEncodeError as exc:
        raise MalformedYaml(
            "half of a surrogate pair is no character", _at(source, exc.start)
        ) from exc


_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)


class _Reader:
    """Builds plain data from parser events; without recursion, so that depth costs no stack.

    *here* is the container being filled, *marks* its places, *path* the way to it; *stack* holds
    those around it.
    """

    def __init__(self, source: str) -> None:
        self._next: Callable[[], Any] = yaml.CSafeLoader(source.removeprefix("\ufeff")).get_event
        self._marks: dict[int, Any] = {}
        self._problems: list[Problem] = []
        self._here: Any = None
        self._here_marks: dict[Any, Any] = {}
        self._path: list[str | int] = []
        self._stack: list[tuple[Any, dict[Any, Any]]] = []

    def read(self) -> Document:
        self._next()
        if not isinstance(self._next(), yaml.DocumentStartEvent):
            raise MalformedYaml("the file is empty", Position(1, 1))
        event = self._next()
        value = self._root(event)
        return Document(value, self._marks, tuple(self._problems), _position(event.start_mark))

    def _root(self, event: Any) -> Any:
        root = self._value(event, ())
        if type(event) in _STARTS:
            self._here, self._here_marks = root, self._marks[id(root)]
            while self._step():
                pass
        return root

    def _step(self) -> bool:
        """Take in one item of the container at hand, or leave it; false: the root is complete."""
        event = self._next()
        if type(event) in _ENDS:
            return self._leave()
        step: str | int
        if type(self._here) is dict:
            step, key_mark, event = self._key(event)
            value = self._value(event, step)
            is_new = step not in self._here
            self._here[step] = value
        else:
            step, key_mark, is_new = len(self._here), event.start_mark, True
            value = self._value(event, step)
            self._here.append(value)
        if is_new:
            self._here_marks[step] = (key_mark, event.start_mark)
        if type(event) in _STARTS:
            self._enter(step, value, event)
        return True

    def _enter(self, step: str | int, value: Any, event: Any) -> None:
        self._stack.append((self._here, self._here_marks))
        self._path.append(step)
        self._here, self._here_marks = value, self._marks[id(value)]
        if len(self._stack) >= MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise MalformedYaml(message, _position(event.start_mark))

    def _leave(self) -> bool:
        if not self._stack:
            return False
        self._here, self._here_marks = self._stack.pop()
        self._path.pop()
        return True

    def _value(self, event: Any, step: str | int | tuple[()]) -> Any:
        """Return the scalar that *event* is, or the empty container that it begins."""
        if event.anchor is not None:
            raise _anchored(event, self._path_to(step))
        if type(event) is yaml.ScalarEvent:
            return scalar(event)
        value: Any = {} if type(event) is yaml.MappingStartEvent else []
        self._marks[id(value)] = {}
        return value

    def _key(self, event: Any) -> tuple[str, Any, Any]:
        """Return the key that *event* is, its mark, and the first event of its value."""
        if type(event) is not yaml.ScalarEvent:
            raise _no_key(event, tuple(self._path))
        key: str = event.value
        mark = event.start_mark
        if key == "<<" and not event.style:
            raise MalformedYaml(
                "merge keys (<<) are not supported", _position(mark), self._path_to(key)
            )
        if event.anchor is not None:
            raise _anchored(event, self._path_to(key))
        if key in self._here:
            self._duplicate(key, mark)
        return key, mark, self._next()

    def _duplicate(self, key: str, mark: Any) -> None:
        at = _position(mark)
        message = f"Duplicate field '{key}' (at line {at.line})"
        where = show(self._path_to(key))
        self._problems.append(Problem(message, "duplicate", where, at.line, at.column))

    def _path_to(self, step: str | int | tuple[()]) -> Path:
        return tuple(self._path) if isinstance(step, tuple) else (*self._path, step)


def scalar(event: Any) -> Any:
    """Return what one scalar event stands for."""
    text: str = event.value
    if event.tag is not None:
        return _tagged(event, text)
    if event.style:
        return text
    return plain(text, event.start_mark)


def plain(text: str, mark: Any = None) -> Any:
    """Return what an unquoted scalar stands for.

    Raises:
        MalformedYaml: infinity, or not a number.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text, mark)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if _NO_NUMBER.fullmatch(text):
        raise MalformedYaml(f"{text} is no number that a flow can hold", _position(mark))
    return text


def _integer(text: str, mark: Any) -> int:
    digits = text.replace("_", "")
    if len(digits) > _MAX_DIGITS:
        raise MalformedYaml("a number of more than 4000 digits", _position(mark))
    sign = -1 if digits[0] == "-" else 1
    digits = digits.lstrip("+-")
    if digits.startswith("0b"):
        return sign * int(digits[2:], 2)
    if digits.startswith("0x"):
        return sign * int(digits[2:], 16)
    return sign * int(digits, 8 if digits[0] == "0" else 10)


def _tagged(event: Any, text: str) -> Any:
    """A standard tag decides the type where it can; others say nothing."""
    name = event.tag.removeprefix(_STANDARD)
    if name == "str" or (event.style and name == event.tag):
        return text
    value = (
        plain(text, event.start_mark)
        if name in ("int", "float", "bool", "null") or name == event.tag
        else text
    )
    return float(value) if name == "float" and isinstance(value, int) else value


def _position(mark: Any) -> Position:
    return Position(1, 1) if mark is None else Position(mark.line + 1, mark.column + 1)


def _at(source: str, index: int) -> Position:
    line = source.count("\n", 0, index)
    return Position(line + 1, index - (source.rfind("\n", 0, index) + 1) + 1)


def _anchored(event: Any, path: Path) -> MalformedYaml:
    at = _position(event.start_mark)
    if type(event) is yaml.AliasEvent:
        text = (
            f"aliases (*{event.anchor}) are not supported: write the value out, or quote the text"
        )
    else:
        text = f"anchors (&{event.anchor}) are not supported: write the value out"
    return MalformedYaml(text, at, path)


def _no_key(event: Any, path: Path) -> MalformedYaml:
    at = _position(event.start_mark)
    if type(event) is yaml.AliasEvent:
        return _anchored(event, path)
    if type(event) is yaml.MappingStartEvent and event.flow_style:
        at = Position(at.line, max(1, at.column - 1))
        return MalformedYaml('a value that begins with {{ needs quotes: "{{ … }}"', at, path)
    return MalformedYaml("a key must be text", at, path)


def _malformed(error: yaml.MarkedYAMLError, source: str) -> MalformedYaml:
    mark = error.problem_mark or error.context_mark
    text = error.problem or "cannot be read"
    at = _position(mark) if mark is not None else None
    if at is not None:
        text = _advice(text, at, source)
    context = f" ({error.context})" if error.context else ""
    return MalformedYaml(text + context, at)


def _advice(text: str, at: Position, source: str) -> str:
    """Put the most frequent mistakes into words that mend them."""
    lines = source.splitlines()
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    here = line[at.column - 1 : at.column]
    if "cannot start any token" in text and here == "\t":
        return "a tab: indent with blanks"
    if "cannot start any token" in text and here:
        return f"a value that begins with {here} needs quotes"
    if "mapping values are not allowed" in text:
        return "a second ': ' in this line: quote the value, or check the indentation"
    return text


def _unreadable(error: yaml.reader.ReaderError, source: str) -> tuple[str, Position | None]:
    character = error.character
    code = character if isinstance(character, int) else ord(character[:1] or "\0")
    index = source.find(chr(code)) if code < 0x110000 else -1
    return f"the character U+{code:04X} is not allowed", _at(source, index) if index >= 0 else None
