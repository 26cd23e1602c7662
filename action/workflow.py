"""What a step tells GitHub: annotations, groups, outputs, the summary.

Source: GitHub's documentation, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class Workflow:
    """Writes commands to standard output and to the files that the environment names."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._outputs = environment.get("GITHUB_OUTPUT")
        self._summary = environment.get("GITHUB_STEP_SUMMARY")

    def say(self, text: str) -> None:
        """Print a line now, not when a buffer is full."""
        print(text, flush=True)

    def error(self, message: str, **place: str | int | None) -> None:
        """Annotate with an error; *place* may have file, line, col, title."""
        self._annotate("error", message, place)

    def warning(self, message: str, **place: str | int | None) -> None:
        """Annotate with a warning."""
        self._annotate("warning", message, place)

    @contextmanager
    def foreign_lines(self, title: str) -> Iterator[None]:
        """Fold what is printed inside; nothing of it is taken for a command."""
        token = secrets.token_hex(16)
        self.say(f"::group::{_escape(title)}")
        self.say(f"::stop-commands::{token}")
        try:
            yield
        finally:
            self.say(f"::{token}::")
            self.say("::endgroup::")

    def output(self, name: str, value: str) -> None:
        """Set an output of the step; the value may have many lines."""
        delimiter = secrets.token_hex(16)
        _append(self._outputs, f"{name}<<{delimiter}\n{value}\n{delimiter}\n")

    def summary(self, markdown: str) -> None:
        """Add to the job's summary page."""
        _append(self._summary, markdown + "\n")

    def _annotate(self, kind: str, message: str, place: Mapping[str, str | int | None]) -> None:
        known = [
            f"{key}={_escape_property(str(value))}"
            for key, value in place.items()
            if value is not None
        ]
        separator = " " if known else ""
        self.say(f"::{kind}{separator}{','.join(known)}::{_escape(message)}")


def _append(path: str | None, text: str) -> None:
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
