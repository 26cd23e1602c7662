"""Git sources: state, problems, last commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from urllib.parse import urlsplit

from runner.store.base import CommitRow, FlowRow, ProblemRow, SourceRow, SyncRun
from web.viewmodels import parts, words
from web.viewmodels.flows import ProblemShown, Tag, problem
from web.viewmodels.parts import Chip
from web.viewmodels.words import Moment, Shown

_STATES = {
    "NEW": Tag("Not polled yet", "idle", "s-created"),
    "SYNCED": Tag("Synced", "good", "s-success"),
    "SYNCING": Tag("Syncing", "run", "s-running"),
    "UNREACHABLE": Tag("Unreachable", "bad", "s-failed"),
    "EMPTY": Tag("Empty repository", "idle", "s-created"),
    "FAILED": Tag("Failed", "bad", "s-failed"),
}
BROKEN = frozenset({"UNREACHABLE", "FAILED"})


@dataclass(frozen=True, slots=True)
class CommitLine:
    """One commit that was synced: what it did and what ran."""

    chip: Chip | None
    message: str
    author: str
    did: tuple[Tag, ...]
    ran: tuple[tuple[Shown, str], ...]
    at: Moment


@dataclass(frozen=True, slots=True)
class SourceShown:
    """One source."""

    name: str
    href: str
    tags: tuple[Tag, ...]
    when: Moment | None
    took: str
    repository: str
    branch: str
    chip: Chip | None
    polled: str
    owns: str
    error: str
    hint: str
    problems: tuple[ProblemShown, ...]
    more_problems: int
    commits: tuple[CommitLine, ...]
    is_broken: bool
    sync_word: str


@dataclass(frozen=True, slots=True)
class SourcesPage:
    """All sources, or one."""

    sources: tuple[SourceShown, ...]
    alerts: tuple[SourceShown, ...]
    one: bool


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is known of one source, as the services give it."""

    row: SourceRow
    problems: Sequence[ProblemRow]
    commits: Sequence[CommitRow]
    runs: Sequence[SyncRun]
    flows: Mapping[tuple[str, str], FlowRow]
    ran: Mapping[str, Mapping[str, int]]
    owned: tuple[int, int]
    poll: str
    border: str


def sources_page(
    facts: Sequence[SourceFacts], now: datetime, zone: tzinfo, *, one: bool = False
) -> SourcesPage:
    """Return the page of some sources."""
    shown = tuple(source(each, now, zone, most=1000 if one else 10) for each in facts)
    return SourcesPage(shown, tuple(each for each in shown if each.is_broken), one)


def source(facts: SourceFacts, now: datetime, zone: tzinfo, *, most: int = 10) -> SourceShown:
    """Return one source."""
    row = facts.row
    commits = {each.sha: each for each in facts.commits}
    flows, files = facts.owned
    border = f" in {facts.border}" if facts.border else ""
    return SourceShown(
        name=row.name,
        href=f"/sources/{row.name}",
        tags=_tags(facts),
        when=words.moment(row.polled_at, now, zone, suffix=True) if row.polled_at else None,
        took=_took(facts),
        repository=row.url,
        branch=row.branch,
        chip=parts.chip(row.head, commits.get(row.head or "")),
        polled=_polled(facts, now, zone),
        owns=f"{words.many(flows, 'flow')} and {words.many(files, 'file')}{border}",
        error=row.error or "",
        hint=_hint(row),
        problems=tuple(
            problem(each, facts.flows.get((each.namespace or "", each.flow_id or "")))
            for each in facts.problems[:most]
        ),
        more_problems=max(len(facts.problems) - most, 0),
        commits=tuple(_commit(run, commits, facts, now, zone) for run in facts.runs),
        is_broken=row.state in BROKEN,
        sync_word="Try now" if row.state in BROKEN else "Sync now",
    )


def _tags(facts: SourceFacts) -> tuple[Tag, ...]:
    state = _STATES.get(facts.row.state, Tag(facts.row.state.capitalize(), "idle", "s-created"))
    hurried = facts.row.hurried_at
    if hurried and (facts.row.polled_at is None or hurried > facts.row.polled_at):
        state = _STATES["SYNCING"]
    if not facts.problems:
        return (state,)
    count = words.many(len(facts.problems), "problem")
    return (state, Tag(count, "bad", "s-failed"))


def _took(facts: SourceFacts) -> str:
    return f"{facts.runs[0].took_ms} ms for the last commit" if facts.runs else ""


def _polled(facts: SourceFacts, now: datetime, zone: tzinfo) -> str:
    row = facts.row
    said = []
    if row.state in BROKEN and row.next_poll_at:
        at = words.moment(row.next_poll_at, now, zone).text
        said.append(f"next try {at}, after {words.many(row.failures, 'failure')}")
    elif facts.poll:
        said.append(f"polled every {facts.poll}")
    if row.state in BROKEN and row.synced_at:
        at = words.moment(row.synced_at, now, zone, suffix=True).text
        said.append(f"last good sync {at}")
    return ", ".join(said)


def _hint(row: SourceRow) -> str:
    if row.state not in BROKEN:
        return ""
    if "allow_local" in (row.error or ""):
        return "Mend headrace.yaml, then send SIGHUP to Headrace or start it again. It tells more:"
    host = urlsplit(row.url).hostname
    if host is None:
        return "Check that the path exists and that this machine may read it:"
    return f"Check that this machine reaches {host} and may read the repository:"


def _commit(
    run: SyncRun,
    commits: Mapping[str, CommitRow],
    facts: SourceFacts,
    now: datetime,
    zone: tzinfo,
) -> CommitLine:
    commit = commits.get(run.to_commit)
    ran = facts.ran.get(run.to_commit, {})
    return CommitLine(
        chip=parts.chip(run.to_commit, commit),
        message=words.first_line(commit.message) if commit else "",
        author=commit.author if commit else "",
        did=_did(run.summary),
        ran=tuple((words.shown(state), words.number(count)) for state, count in ran.items()),
        at=words.moment(run.at, now, zone),
    )


def _did(summary: Mapping[str, object]) -> tuple[Tag, ...]:
    found = []
    for name, count in summary.items():
        if not count:
            continue
        text = f"{count} {_did_word(name, count)}"
        found.append(Tag(text, "bad" if name == "refused" else ""))
    return tuple(found)


def _did_word(name: str, count: object) -> str:
    if name == "files":
        return "file" if count == 1 else "files"
    return name
