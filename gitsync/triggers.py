"""The trigger type ``io.headrace.trigger.Commit``, and when it fires."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError

from gitsync.addresses import ZERO
from gitsync.globs import any_matches, matches
from gitsync.objects import Commit as CommitInfo
from runner.clock import iso
from runner.model.flow import Trigger
from runner.plugin import Family, Read, TriggerType

TYPE = "io.headrace.trigger.Commit"
MAX_CHANGED_FILES = 3_000

family = Family(name="git", title="Git")

_SKIP = re.compile(r"\[(?:skip ci|ci skip|no ci|skip headrace|headrace skip)\]", re.IGNORECASE)
_HEADS = "refs/heads/"
_TAGS = "refs/tags/"


def _as_list(value: Any) -> Any:
    """Take a single pattern for a list of one, and a number (a tag ``1.0``) for its text."""
    if isinstance(value, list | tuple):
        return [str(item) if isinstance(item, int | float) else item for item in value]
    return [str(value)] if isinstance(value, str | int | float) else value


Patterns = Annotated[list[str], BeforeValidator(_as_list), Read.STATIC]


class Commit(TriggerType):
    """Start the flow for each push to its Git source.

    Without `branches` and `tags` it watches the branch that the source follows. The head of a push
    starts one execution, pinned to that commit; a message with ``[skip ci]`` starts none. Changed
    files are those between the old and the new head; after a force-push those since both parted.
    Path filters do not speak of tags.

    Example:
        - id: pushed
          type: io.headrace.trigger.Commit
          branches: [main, "release/*"]
          paths: ["src/**", "!src/docs/**"]
    """

    evaluated_by: ClassVar[str] = "commit"
    aliases: ClassVar[tuple[str, ...]] = ("headrace.trigger.Commit",)
    family: ClassVar[Family | None] = family

    type: Literal["io.headrace.trigger.Commit"] = "io.headrace.trigger.Commit"
    branches: Patterns = Field(default=[], description="branches by name or pattern")
    tags: Patterns = Field(default=[], description="tags by name or pattern")
    paths: Patterns = Field(
        default=[],
        description="patterns of paths in the repository, one of which must have changed",
    )
    paths_ignore: Patterns = Field(
        default=[], description="patterns of paths; changes to nothing but these start nothing"
    )


@dataclass(frozen=True)
class Push:
    """A ref that moved. *before* is None for a new one; *changed* are paths of the repository."""

    source: str
    url: str
    ref: str
    after: str
    commit: CommitInfo
    before: str | None = None
    forced: bool = False
    changed: tuple[str, ...] = ()

    @property
    def skips(self) -> bool:
        """Say whether the message asks for nothing to start."""
        return bool(_SKIP.search(self.commit.message))

    def key(self, namespace: str, flow_id: str, trigger_id: str) -> str:
        """Return the key under which this push may start one execution of a trigger."""
        return f"commit:{self.source}/{self.ref}/{namespace}/{flow_id}/{trigger_id}/{self.after}"


def commit_trigger(trigger: Trigger) -> Commit | None:
    """Return a flow's trigger as a Commit trigger, if it is a usable one."""
    if trigger.type != TYPE or trigger.disabled:
        return None
    try:
        return Commit.model_validate({"type": TYPE, **trigger.properties})
    except ValidationError:
        return None  # the flow's problems say so


def watches(trigger: Commit, ref: str, tracked: str) -> bool:
    """Say whether pushes to *ref* concern the trigger; the source follows *tracked*."""
    if not trigger.branches and not trigger.tags:
        return ref == tracked
    if ref.startswith(_HEADS):
        return matches(trigger.branches, ref.removeprefix(_HEADS))
    return ref.startswith(_TAGS) and matches(trigger.tags, ref.removeprefix(_TAGS))


def fires(trigger: Commit, push: Push, tracked: str) -> bool:
    """Say whether a push starts an execution."""
    if push.skips or not watches(trigger, push.ref, tracked):
        return False
    if push.ref.startswith(_TAGS):
        return True
    if trigger.paths and not any_matches(trigger.paths, push.changed):
        return False
    ignored = trigger.paths_ignore
    return not (ignored and push.changed and all(matches(ignored, path) for path in push.changed))


def variables(push: Push) -> Mapping[str, Any]:
    """Return what ``trigger`` is in expressions (rest-api §24, and short names)."""
    commit = push.commit
    changed = list(push.changed[:MAX_CHANGED_FILES])
    return {
        "provider": "git",
        "event": "push",
        "delivery": None,
        "source": push.source,
        "repository": _repository(push.url),
        "ref": push.ref,
        **_name(push.ref),
        "before": push.before or ZERO,
        "after": push.after,
        "created": push.before is None,
        "deleted": False,
        "forced": push.forced,
        "commit": {
            "id": commit.sha,
            "message": commit.message,
            "timestamp": iso(commit.at),
            "author": {"name": commit.author, "email": commit.email},
        },
        "sender": commit.author,
        "url": _page(push.url, commit.sha),
        "changedFiles": changed,
        "sha": commit.sha,
        "author": commit.author,
        "message": commit.message,
        "changed_files": changed,
    }


def _name(ref: str) -> dict[str, str]:
    if ref.startswith(_TAGS):
        return {"tag": ref.removeprefix(_TAGS)}
    return {"branch": ref.removeprefix(_HEADS)}


def _repository(url: str) -> str:
    path = urlsplit(url).path if "://" in url else url.rpartition(":")[2]
    return path.strip("/").removesuffix(".git")


def _page(url: str, sha: str) -> str | None:
    """Return the commit's page where the host is one whose addresses are known."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https"):
        return None
    kinds = {"github": "commit", "gitlab": "-/commit", "codeberg": "commit", "bitbucket": "commits"}
    kind = next((page for name, page in kinds.items() if name in host), None)
    return f"https://{host}/{_repository(url)}/{kind}/{sha}" if kind else None
