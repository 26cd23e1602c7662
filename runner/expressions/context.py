"""What an expression can see: plain data, and a world of functions that are handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from .errors import ExpressionError


@dataclass(frozen=True)
class HttpRequest:
    """What `http()` asks the world to fetch."""

    uri: str
    method: str
    headers: Mapping[str, str]
    body: bytes | None
    options: Mapping[str, Any]


class World(Protocol):
    """Everything impure that a function may reach.

    Each method may raise `ExpressionError` when it cannot or may not do what it is asked. URIs are
    canonical: `kestra:///…` of the internal storage, or `nsfile://NAMESPACE/PATH`, without `..`;
    whether the execution may read them is the world's to decide. Secrets that `secret` gives away
    are the world's to mask in logs.
    """

    def now(self) -> datetime:
        """The present moment, aware."""

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back, which the deadline of a rendering is held to.

        Best the CPU time of the thread, so that waiting for a processor fails no expression.
        """

    def random_bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""

    def new_id(self) -> str:
        """A fresh id as executions have them."""

    def secret(self, key: str, namespace: str | None, subkey: str | None) -> str:
        """The secret's text, or one entry of it; without namespace that of the flow."""

    def kv(self, key: str, namespace: str | None, error_on_missing: bool) -> Any:
        """The value of the key, or None if it is missing and that is no error."""

    def read(self, uri: str, version: int | None = None) -> str:
        """The content of a file as text."""

    def file_size(self, uri: str) -> int:
        """The size of a file in bytes."""

    def file_exists(self, uri: str) -> bool:
        """Whether there is such a file."""

    def error_logs(self) -> list[Mapping[str, Any]]:
        """The ERROR entries of the execution's log."""

    def environment(self, name: str) -> str | None:
        """A variable of the server's environment that expressions may see."""

    def free_port(self) -> int:
        """A TCP port that nobody listens on."""

    def http(self, request: HttpRequest) -> str:
        """The body of the answer, redirects followed; an error status is an error."""


class EmptyWorld:
    """A world with nothing in it: every function that needs one says so.

    Subclass it to offer a part.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now

    def now(self) -> datetime:
        """The fixed moment that was given."""
        if self._now is None:
            raise _absent("now()")
        return self._now

    def monotonic(self) -> float:
        """Time stands still here, so no deadline passes; the other limits hold."""
        return 0.0

    def random_bytes(self, count: int) -> bytes:
        raise _absent("random values")

    def new_id(self) -> str:
        raise _absent("id()")

    def secret(self, key: str, namespace: str | None, subkey: str | None) -> str:
        raise _absent("secret()")

    def kv(self, key: str, namespace: str | None, error_on_missing: bool) -> Any:
        raise _absent("kv()")

    def read(self, uri: str, version: int | None = None) -> str:
        raise _absent("read()")

    def file_size(self, uri: str) -> int:
        raise _absent("fileSize()")

    def file_exists(self, uri: str) -> bool:
        raise _absent("fileExists()")

    def error_logs(self) -> list[Mapping[str, Any]]:
        raise _absent("errorLogs()")

    def environment(self, name: str) -> str | None:
        raise _absent("env()")

    def free_port(self) -> int:
        raise _absent("randomPort()")

    def http(self, request: HttpRequest) -> str:
        raise _absent("http()")


@dataclass(frozen=True)
class Limits:
    """What one rendering may cost at most."""

    output_chars: int = 4 * 1024 * 1024
    """Characters of the output, and of any text on the way."""
    elements: int = 1_000_000
    """Elements of a list made by `range`, `..` or by joining lists."""
    steps: int = 1_000_000
    """Rounds of loops, calls, values visited: about half a microsecond each."""
    macro_depth: int = 50
    """Macros, blocks and `render` inside one another."""
    passes: int = 100
    """Renderings of one text by `render` or recursive rendering."""
    pattern_time: timedelta = timedelta(milliseconds=500)
    """Time for one use of a regular expression."""
    time: timedelta = timedelta(seconds=5)
    """Time for one rendering, by the world's clock."""


@dataclass(frozen=True)
class Settings:
    """How the server renders: its zone, its language, and the limits."""

    timezone: str = "UTC"
    locale: str = "en_US"
    recursive: bool = False
    limits: Limits = field(default_factory=Limits)


DEFAULT_SETTINGS = Settings()


@dataclass(frozen=True)
class Context:
    """What one rendering sees.

    `variables` is plain data (mappings, sequences, texts, numbers, dates); mappings may be lazy.
    """

    variables: Mapping[str, Any] = field(default_factory=dict)
    world: World = field(default_factory=EmptyWorld)
    settings: Settings = DEFAULT_SETTINGS


def secret_entry(text: str, subkey: str) -> str:
    """The entry of a secret that is a JSON object, for `World.secret`.

    Raises:
        ExpressionError: it is no JSON object, or has no such entry.
    """
    import json

    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ExpressionError("the secret is no JSON object, so it has no subkeys") from error
    if not isinstance(entries, dict) or subkey not in entries:
        raise ExpressionError(f"the secret has no subkey {subkey!r}")
    value = entries[subkey]
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _absent(what: str) -> ExpressionError:
    return ExpressionError(f"{what} is not available here")
