"""Which refs moved, and what each push changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitsync.access import GitFailed
from gitsync.repo import Mirror
from gitsync.triggers import Commit, Push, commit_trigger, watches
from runner.model.flow import Flow
from runner.settings import SourceSettings


@dataclass(frozen=True)
class Moves:
    """The refs of a source at the last poll and now; *tracked* is the one that it follows."""

    mirror: Mirror
    source: SourceSettings
    tracked: str
    before: Mapping[str, str]
    after: Mapping[str, str]

    def watched_by(self, flows: Sequence[Flow]) -> tuple[Push, ...]:
        """Return the pushes that a Commit trigger of *flows* watches; their commits are fetched."""
        triggers = [trigger for flow in flows for trigger in commit_triggers(flow)]
        moved = [ref for ref, sha in self.after.items() if self.before.get(ref) != sha]
        wanted = [ref for ref in moved if any(watches(t, ref, self.tracked) for t in triggers)]
        return tuple(self._push(ref) for ref in sorted(wanted))

    def _push(self, ref: str) -> Push:
        after, before = self.after[ref], self.before.get(ref)
        self.mirror.fetch([after], timeout=self.source.timeout)
        base, forced = self._base(before, after)
        return Push(
            source=self.source.name,
            url=self.source.url,
            ref=ref,
            after=after,
            commit=self.mirror.commit(after),
            before=before,
            forced=forced,
            changed=self.mirror.changed(base, after) if base else self.mirror.paths(after),
        )

    def _base(self, before: str | None, after: str) -> tuple[str | None, bool]:
        """Return the commit to compare with, and whether the push was forced."""
        head = self.after[self.tracked]
        if before is None:
            return self.mirror.merge_base(head, after), False
        if not self._is_here(before):
            return self.mirror.merge_base(head, after), True
        base = self.mirror.merge_base(before, after)
        return base, base != before

    def _is_here(self, sha: str) -> bool:
        """Say whether a commit is in the mirror; what nobody watched may have to be fetched."""
        if self.mirror.has(sha):
            return True
        try:
            self.mirror.fetch([sha], timeout=self.source.timeout)
        except GitFailed:
            return False  # gone from the server after a force-push
        return True


def commit_triggers(flow: Flow) -> list[Commit]:
    """Return the usable Commit triggers of a flow."""
    found = (commit_trigger(trigger) for trigger in flow.triggers)
    return [trigger for trigger in found if trigger is not None]
