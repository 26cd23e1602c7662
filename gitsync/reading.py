"""What was read from a commit: texts, parsed flows, sizes. Pure: a parser is handed in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gitsync.tree import FlowFile, is_lfs_pointer, lfs_problem
from runner.model.flow import Flow
from runner.model.problems import Problem

NOT_YET = "not_available_yet"
_KEY = r"^[\"']?{key}[\"']?\s*:\s*[\"']?([A-Za-z0-9][A-Za-z0-9._-]*)[\"']?\s*(?:#.*)?$"
_ID = re.compile(_KEY.format(key="id"), re.MULTILINE)
_NAMESPACE = re.compile(_KEY.format(key="namespace"), re.MULTILINE)


class Parsed(Protocol):
    """What parsing gives: the flow (None when it is wrong) and everything that was found."""

    @property
    def flow(self) -> Flow | None: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def flow_id(self) -> str | None: ...


Parse = Callable[[str, str | None], Parsed]
"""(text, default namespace) → what it says."""


@dataclass(frozen=True)
class ReadFlow:
    """One flow file. *namespace* and *flow_id* are known even where the flow is wrong, if they can
    be told; *flow* is None then."""

    path: str
    text: str
    digest: str
    flow: Flow | None = None
    problems: tuple[Problem, ...] = ()
    namespace: str | None = None
    flow_id: str | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What makes it unusable."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def is_valid(self) -> bool:
        return self.flow is not None and not self.errors

    @property
    def is_blocked(self) -> bool:
        """Nothing is wrong with it but what Headrace does not have yet."""
        errors = self.errors
        named = self.namespace is not None and self.flow_id is not None
        return bool(errors) and named and all(problem.code == NOT_YET for problem in errors)


@dataclass(frozen=True)
class Reading:
    """All that was read: flows in order of path; namespace files by blob."""

    flows: tuple[ReadFlow, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    lfs: frozenset[str] = frozenset()


def read_flow(file: FlowFile, content: bytes, size: int, *, parse: Parse, limit: int) -> ReadFlow:
    """Parse one flow file; whatever is wrong with it becomes its problems."""
    digest = hashlib.sha256(content).hexdigest()
    if size > limit:
        problem = Problem(f"the flow has {size:,} bytes, {limit:,} are allowed", "too_large")
        return ReadFlow(file.path, "", digest, problems=(problem,))
    if is_lfs_pointer(content):
        return ReadFlow(file.path, "", digest, problems=(lfs_problem(file.path),))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = content[: exc.start].count(b"\n") + 1
        problem = Problem(f"not UTF-8: byte {exc.start} cannot be decoded", "encoding", line=line)
        return ReadFlow(file.path, content.decode("utf-8", "replace"), digest, problems=(problem,))
    return _parsed(file, text, digest, parse)


def _parsed(file: FlowFile, text: str, digest: str, parse: Parse) -> ReadFlow:
    parsed = parse(text, file.namespace)
    return ReadFlow(
        path=file.path,
        text=text,
        digest=digest,
        flow=parsed.flow,
        problems=tuple(parsed.problems),
        namespace=parsed.namespace or _first(_NAMESPACE, text) or file.namespace,
        flow_id=parsed.flow_id or _first(_ID, text),
    )


def line_of(text: str, key: str) -> int | None:
    """Return the line of a top-level key of the YAML, counted from 1."""
    match = re.search(rf"^[\"']?{re.escape(key)}[\"']?\s*:", text, re.MULTILINE)
    return text.count("\n", 0, match.start()) + 1 if match else None


def frame(text: str, line: int | None) -> str | None:
    """Return a line of the text and one around it, numbered, the line itself marked."""
    lines = text.splitlines()
    if line is None or not 1 <= line <= len(lines) + 1 or not lines:
        return None
    line = min(line, len(lines))  # YAML notices some faults behind the last line
    numbers = range(max(1, line - 1), min(len(lines), line + 1) + 1)
    width = len(str(numbers[-1]))
    return "\n".join(
        f"{'>' if number == line else ' '} {number:>{width}} | {lines[number - 1][:200]}"
        for number in numbers
    )


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None
