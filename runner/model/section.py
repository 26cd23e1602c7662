"""Reading the mappings of a flow: each accessor gives a typed value, or notes a problem."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from runner import durations
from runner.model.advice import about_property
from runner.model.names import NameRule, label_key_fault, nearest
from runner.model.problems import Problem, Severity
from runner.model.scalars import has_expression, text_of
from runner.model.yaml import Document, Path, show

_INTEGERS = 2**31
Labels = tuple[tuple[str, str], ...]
_Value = TypeVar("_Value")


class Report:
    """Collects the problems of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = list(document.problems)

    def add(
        self,
        path: Path,
        message: str,
        code: str = "value",
        *,
        severity: Severity = "error",
        of_key: bool = False,
    ) -> None:
        """Note a problem of the value (or key) at *path*."""
        at = self._document.position(path, of_key=of_key)
        self.problems.append(
            Problem(message, code, show(path), at.line, at.column, severity, self._subject(path))
        )

    def _subject(self, path: Path) -> str | None:
        """Return the id of the innermost object on the way that has one."""
        value, found = self._document.value, None
        for step in path:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[int(step)]
            else:
                break
            if isinstance(value, dict) and isinstance(value.get("id"), str):
                found = value["id"]
        return found

    def is_written(self, path: Path) -> bool:
        """Say whether the value stands in the text itself, not in plugin defaults."""
        value = self._document.value
        for step in path:
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[int(step)]
            else:
                return False
        return True

    def line(self, path: Path) -> int:
        """Return the line where a value begins."""
        return self._document.position(path).line


class Section:
    """One mapping with known properties. An explicit null is the same as a missing property."""

    def __init__(self, report: Report, raw: dict[str, Any], path: Path) -> None:
        self.report, self.raw, self.path = report, raw, path

    def add(self, key: str | None, message: str, code: str = "value", **options: Any) -> None:
        """Note a problem of one property, or of the whole."""
        self.report.add(self.path if key is None else (*self.path, key), message, code, **options)

    def has(self, key: str) -> bool:
        return self.raw.get(key) is not None

    def require(self, *keys: str) -> None:
        """Note each of the properties that is missing."""
        for key in keys:
            if not self.has(key):
                self.add(key, f"'{key}' must not be null", "required")

    def require_filled(self, *keys: str) -> None:
        """Note each of the texts that is there and empty."""
        for key in keys:
            if self.raw.get(key) == "":
                self.add(key, f"'{key}' must not be empty", "required")

    def refuse_unknown(self, known: Collection[str], what: str) -> None:
        """Note every property that is not known, with the nearest name that is."""
        for key in self.raw:
            if key in known:
                continue
            hint = about_property(key, known)
            self.add(
                key, f'Unrecognized field "{key}" of {what}{hint}', "property_unknown", of_key=True
            )

    def text(self, key: str) -> str | None:
        """Return a text; numbers and booleans become texts."""
        value = self.raw.get(key)
        if isinstance(value, list | dict):
            self.add(key, f"'{key}' must be a text")
            return None
        return None if value is None else text_of(value)

    def name(self, key: str, rule: NameRule) -> str | None:
        """Return a required name; a problem if it is missing or does not fit the rule."""
        if not self.has(key):
            self.add(key, f"'{key}' must not be null", "required")
            return None
        value = self.text(key)
        fault = rule.fault(value) if value is not None else None
        if fault:
            self.add(key, f"{key} '{_short(value or '')}' {fault}")
        return value

    def boolean(self, key: str, *, default: bool = False) -> bool:
        value = self.raw.get(key)
        if value is None or value == "":
            return default
        if isinstance(value, int):
            return bool(value)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        hint = ": expressions are not evaluated here" if has_expression(value) else ""
        if hint and key == "disabled":
            hint += ", write runIf"
        self.add(key, f"'{key}' must be true or false{hint}")
        return default

    def integer(self, key: str, *, least: int | None = None) -> int | None:
        value = self.raw.get(key)
        if value is None:
            return None
        number = _integer(value)
        if number is None:
            hint = ": expressions are not evaluated here" if has_expression(value) else ""
            self.add(key, f"'{key}' must be a whole number{hint}")
        elif not -_INTEGERS <= number < _INTEGERS:
            self.add(key, f"'{key}' must lie between -2147483648 and 2147483647")
        elif least is not None and number < least:
            self.add(key, f"'{key}' must be greater than or equal to {least}")
        return number

    def number(self, key: str) -> float | None:
        value = self.raw.get(key)
        try:
            return None if value is None else float("no" if isinstance(value, bool) else value)
        except (TypeError, ValueError, OverflowError):
            self.add(key, f"'{key}' must be a number")
            return None

    def duration(self, key: str) -> timedelta | None:
        value = self.raw.get(key)
        if value is None:
            return None
        try:
            return durations.parse(value)
        except ValueError as exc:
            self.add(key, str(exc))
            return None

    def choice(self, key: str, options: Collection[str]) -> str | None:
        """Return one of the words of *options*."""
        value = self.text(key)
        if value is None or value in options:
            return value
        near = nearest(value, options)
        hint = f", did you mean {near}?" if near else ""
        self.add(
            key, f"'{key}' is '{_short(value)}', but must be one of {', '.join(options)}{hint}"
        )
        return None

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.raw.get(key)
        if value is None or isinstance(value, dict):
            return value or {}
        hint = ", without dashes: write 'name: value' lines" if isinstance(value, list) else ""
        self.add(key, f"'{key}' must be a mapping{hint}", "structure")
        return {}

    def items(self, key: str) -> list[Any]:
        value = self.raw.get(key)
        if value is None or isinstance(value, list):
            return value or []
        self.add(key, f"'{key}' must be a list", "structure")
        return []

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; nulls are left out."""
        found = []
        for index, value in enumerate(self.items(key)):
            if value is None:
                continue
            if isinstance(value, list | dict):
                self.report.add(
                    (*self.path, key, index), f"'{key}' holds something that is no text"
                )
            else:
                found.append(text_of(value))
        return tuple(found)

    def sections(self, key: str, what: str) -> Iterator[Section]:
        """Yield the mappings of a list; other items are problems."""
        for index, value in enumerate(self.items(key)):
            path = (*self.path, key, index)
            if isinstance(value, dict):
                yield Section(self.report, value, path)
            else:
                self.report.add(path, f"{what} must be a mapping", "structure")

    def section(self, key: str) -> Section | None:
        """Return a nested mapping."""
        if not self.has(key):
            return None
        value = self.raw[key]
        if isinstance(value, dict):
            return Section(self.report, value, (*self.path, key))
        self.add(key, f"'{key}' must be a mapping", "structure")
        return None

    def labels(self, key: str, *, checked: bool = True) -> Labels:
        """Return labels, written as a map or a list of ``{key, value}``; the last of a key wins.

        Keys and values that are not *checked* may be anything; empty ones are left out.
        """
        found: dict[str, str] = {}
        for label, value, path in self._label_pairs(key):
            if value is None and not checked:
                continue
            if isinstance(value, list | dict) or value is None:
                self.report.add(path, f"Unsupported type for key: {label}")
                continue
            if checked:
                self._check_label(label, text_of(value), path)
            if checked or (label and value != ""):
                found[label] = text_of(value)
        return tuple(found.items())

    def _label_pairs(self, key: str) -> Iterator[tuple[str, Any, Path]]:
        value, path = self.raw.get(key), (*self.path, key)
        if isinstance(value, dict):
            for label, item in value.items():
                yield label, item, (*path, label)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, dict) and item.get("key") is not None:
                    yield text_of(item["key"]), item.get("value"), (*path, index, "value")
                else:
                    self.report.add((*path, index), "a label is {key: …, value: …}", "structure")
        elif value is not None:
            self.add(key, f"'{key}' must be a map, or a list of {{key, value}}", "structure")

    def _check_label(self, key: str, value: str, path: Path) -> None:
        fault = label_key_fault(key)
        if fault:
            self.report.add(path, f"'{_short(key)}': {fault}", of_key=True)
        if not value:
            self.report.add(path, f"label '{_short(key)}' must not be empty")


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value)  # also of 1.5, as Kestra does
    if isinstance(value, str):
        text = value.strip()
        digits = text[1:] if text[:1] in ("+", "-") else text
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    return None


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
