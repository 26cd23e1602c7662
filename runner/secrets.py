"""Secrets, and the mask that keeps them out of logs.

Sources: variables ``SECRET_NAME`` (base64, as Kestra has them) and a secrets file (YAML map name
→ text). The mask is one choke point: whoever resolves a secret adds it, whoever writes a line
asks it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import yaml

from runner.errors import NotFound, SettingsInvalid

PREFIX = "SECRET_"
MIN_LENGTH = 4
MASKED = "******"
_LONG = 8
_FILE = "kestra://"
_TELLING = re.compile(r"\w{4}")
_WORD = re.compile(r"[\w+/.~-]{8,}")


class Secrets(Protocol):
    """Looks secrets up. Raises NotFound with the name, never with a value."""

    def get(self, namespace: str, name: str) -> str: ...
    def names(self) -> list[str]: ...


class ConfiguredSecrets:
    """Secrets of the environment and of a secrets file; names are matched in upper case."""

    def __init__(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            if len(value) < MIN_LENGTH:
                raise SettingsInvalid(
                    f"the secret {name} has fewer than {MIN_LENGTH} characters "
                    "and could not be masked in logs"
                )
        self._values = {name.upper(): value for name, value in values.items()}

    def get(self, namespace: str, name: str) -> str:
        try:
            return self._values[name.upper()]
        except KeyError:
            raise NotFound(f"Cannot find secret for key '{name}'.") from None

    def names(self) -> list[str]:
        return sorted(self._values)


def from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that ``SECRET_…`` variables hold, decoded. Raises SettingsInvalid."""
    return {
        name.removeprefix(PREFIX): _decode(name, value)
        for name, value in environment.items()
        if name.startswith(PREFIX) and len(name) > len(PREFIX)
    }


def from_file(path: Path) -> dict[str, str]:
    """Return the secrets of a YAML file. Raises SettingsInvalid."""
    try:
        content = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise SettingsInvalid(f"the secrets file {path} cannot be read: {reason}") from None
    except yaml.YAMLError as exc:  # its text quotes the file
        mark = getattr(exc, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise SettingsInvalid(f"the secrets file {path} is no YAML{where}") from None
    if not isinstance(content, dict):
        raise SettingsInvalid(f"the secrets file {path} must be a map of names to texts")
    return {str(name): str(value) for name, value in content.items()}


def _decode(name: str, value: str) -> str:
    try:
        one_line = "".join(value.split())  # `base64` breaks long lines
        return base64.b64decode(one_line, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise SettingsInvalid(f"{name} is not base64 of a UTF-8 text") from exc


def fragments_of(secret: str) -> Iterator[str]:
    """Yield the parts of a secret that tell something by themselves: they may be printed alone.

    Lines, the texts in JSON, and words with a digit; never what is trivial, such as a brace, whose
    masking would shred every log.
    """
    lines = [line.strip() for line in secret.splitlines()]
    yield from (line for line in lines if len(line) >= MIN_LENGTH and _TELLING.search(line))
    try:
        texts = list(_texts_in(json.loads(secret)))
    except (ValueError, RecursionError):
        words = _WORD.findall(secret) if len(lines) > 1 else []
        yield from (word for word in words if _has_digit(word))
        return
    for text in texts:
        if len(text) >= _LONG or (len(text) >= MIN_LENGTH and _has_digit(text)):
            yield text
            yield from (line for line in text.splitlines() if len(line) >= _LONG)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(item)


def _has_digit(text: str) -> bool:
    return any(char.isdigit() for char in text)


class Mask:
    """Replaces known secrets, in usual spellings, by ``******``. Cheap while it knows none."""

    def __init__(self) -> None:
        self._longest_first: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """Learn a secret; not one of fewer than 4 characters: masking it would eat the log."""
        if len(secret) < MIN_LENGTH or secret in self._longest_first:
            return
        values = {*self._longest_first, *_spellings(secret), *fragments_of(secret)}
        self._longest_first = tuple(sorted(values, key=len, reverse=True))

    def apply(self, text: str) -> str:
        """Return the text without any known secret."""
        for value in self._longest_first:
            if value in text:
                text = text.replace(value, MASKED)
        return text

    def hide(self, value: Any) -> Any:
        """Return plain data in whose texts no known secret is; addresses of files stay whole."""
        if not self._longest_first:
            return value
        if isinstance(value, str):
            return value if value.startswith(_FILE) else self.apply(value)
        if isinstance(value, Mapping):
            return {self.apply(str(name)): self.hide(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide(item) for item in value]
        return value

    def including(self, secrets: Iterable[str]) -> Mask:
        """Return a mask that knows these as well; this one does not learn them."""
        more = Mask()
        more._longest_first = self._longest_first
        for secret in secrets:
            more.add(secret)
        return more


def _spellings(secret: str) -> set[str]:
    """The ways in which a whole secret is often printed."""
    encoded = base64.b64encode(secret.encode()).decode()
    return {secret, encoded, json.dumps(secret)[1:-1], quote(secret, safe="")}
