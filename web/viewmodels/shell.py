"""What stands on every page: sections, the state of the sources, who looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.model.states import State
from runner.store.base import SourceRow
from web.viewmodels import words
from web.viewmodels.sources import BROKEN
from web.viewmodels.words import Shown


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the top bar."""

    key: str
    name: str
    icon: str
    href: str


SECTIONS = (
    Section("executions", "Executions", "runs", "/executions"),
    Section("flows", "Flows", "flow", "/flows"),
    Section("sources", "Sources", "repo", "/sources"),
)


@dataclass(frozen=True, slots=True)
class Head:
    """The state of the sources in the top bar."""

    state: Shown
    branch: str
    short: str
    note: str
    title: str


def head(sources: Sequence[tuple[SourceRow, int]]) -> Head:
    """Return the chip of all sources: the first one's branch and commit, and what is wrong."""
    if not sources:
        return Head(words.shown(State.CREATED), "No source yet", "", "", "No source is configured")
    broken = [row.name for row, _ in sources if row.state in BROKEN]
    problems = sum(count for _, count in sources)
    first = _first(sources)
    state = State.SUCCESS
    if broken:
        state = State.FAILED
    elif problems:
        state = State.WARNING
    elif first.state in ("NEW", "SYNCING", "EMPTY"):
        state = State.CREATED
    return Head(
        state=words.shown(state),
        branch=first.branch,
        short=words.short(first.head) if first.head else "",
        note=_note(broken, problems),
        title=_title(sources, broken, problems),
    )


def _first(sources: Sequence[tuple[SourceRow, int]]) -> SourceRow:
    """The source that stands for all: the first one that has a commit."""
    rows = [row for row, _ in sources]
    return next((row for row in rows if row.head), rows[0])


def _note(broken: Sequence[str], problems: int) -> str:
    if broken:
        return (
            f"{broken[0]} cannot be read" if len(broken) == 1 else f"{len(broken)} cannot be read"
        )
    return words.many(problems, "problem") if problems else ""


def _title(sources: Sequence[tuple[SourceRow, int]], broken: Sequence[str], problems: int) -> str:
    first = _first(sources)
    said = [f"Source {first.name}, branch {first.branch}, {first.state.lower()}"]
    if len(sources) > 1:
        said.append(f"{len(sources)} sources")
    if broken:
        said.append(f"cannot be read: {', '.join(broken)}")
    said.append(f"{words.many(problems, 'problem')} in all sources" if problems else "no problems")
    return "; ".join(said)
