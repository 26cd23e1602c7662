"""All tables. Moments are microseconds since 1970 (BIGINT); structures are JSON texts (orjson).

Logs have metadata of their own (`LOGS`), since SQLite keeps them in another file (`logs.db`).
Every query that a page or the engine makes has an index here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    text,
)

STATE = MetaData()
LOGS = MetaData()


# Byte order everywhere: pages and prefix ranges mean the same in Python and in both databases.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, _TEXT, **options)


def _moment(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, **options)


def _index_present(name: str, column: Column[Any], *others: Column[Any]) -> None:
    """Index the rows that have a value in the first column: most have none, and cost nothing."""
    where = text(f'"{column.name}" IS NOT NULL')
    Index(name, column, *others, sqlite_where=where, postgresql_where=where)


# Rows in the order of their key, without a second tree for it (SQLite): where keys are the way in.
_BY_KEY: dict[str, Any] = {"sqlite_with_rowid": False}


# ── definitions ──────────────────────────────────────────────────────────────────────────────────

flows = Table(
    "flows",
    STATE,
    _text("namespace", nullable=False),
    _text("flow_id", nullable=False),
    Column("revision", Integer, nullable=False),  # the active one
    Column("last_revision", Integer, nullable=False),  # highest number ever given
    Column(
        "absent", Boolean, nullable=False, server_default=false()
    ),  # vanished from Git: shown, triggers off
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("disabled", Boolean, nullable=False, server_default=false()),  # as the source says
    Column(
        "blocked", Boolean, nullable=False, server_default=false()
    ),  # has not_available_yet problems: not activated
    _text("owner", nullable=False),  # "api" or "git:SOURCE"
    _text("path"),  # in the repository
    _text("commit"),  # that last changed its text
    _text("labels", nullable=False, server_default="[]"),
    _text("description"),
    _moment("updated_at", nullable=False),
    Column("running", Integer, nullable=False, server_default="0"),  # concurrency slots taken
    PrimaryKeyConstraint("namespace", "flow_id"),
)
Index("flows_by_owner", flows.c.owner, flows.c.path)

revisions = Table(
    "revisions",
    STATE,
    _text("namespace", nullable=False),
    _text("flow_id", nullable=False),
    Column("revision", Integer, nullable=False),
    _text("source", nullable=False),  # the YAML, byte for byte
    _text("digest", nullable=False),  # sha256 of it
    Column("deleted", Boolean, nullable=False, server_default=false()),
    _text("source_name"),  # Git source
    _text("ref"),
    _text("commit"),
    _text("path"),
    _text("created_by", nullable=False),
    _moment("created_at", nullable=False),
    PrimaryKeyConstraint("namespace", "flow_id", "revision"),
)
Index("revisions_by_commit", revisions.c.commit)

triggers = Table(
    "triggers",
    STATE,
    _text("namespace", nullable=False),
    _text("flow_id", nullable=False),
    _text("trigger_id", nullable=False),
    _text("type", nullable=False),
    _text("digest", nullable=False),  # of its definition: a change recomputes the next date
    _moment("next_at"),  # null: nothing to evaluate
    _moment("last_at"),  # last evaluated date
    Column("disabled", Boolean, nullable=False, server_default=false()),  # switched off at run time
    _text("execution_id"),  # lock: the execution it started
    _text("backfill"),  # JSON
    _text("memory"),  # JSON
    _text("key"),  # webhook: not the secret itself but sha256 of the rendered key, if static
    _moment("created_at", nullable=False),
    _moment("updated_at", nullable=False),
    PrimaryKeyConstraint("namespace", "flow_id", "trigger_id"),
)
_index_present("triggers_due", triggers.c.next_at)
_index_present("triggers_by_execution", triggers.c.execution_id)
Index("triggers_by_type", triggers.c.type)

# One row for everything that may start at most one execution: cron:NS/FLOW/TRIGGER/DATE,
# flow:NS/FLOW/TRIGGER/EXECUTION/STATE-ENTRY, commit:SOURCE/REF/NS/FLOW/TRIGGER/SHA,
# backfill:…, request:PRINCIPAL/KEY
firings = Table(
    "firings",
    STATE,
    _text("key", nullable=False, primary_key=True),
    _text("execution_id"),
    _text("digest"),  # of what was asked for with the key, if a caller gave it
    _moment("created_at", nullable=False),
    **_BY_KEY,
)
Index("firings_by_age", firings.c.created_at)

kv = Table(
    "kv",
    STATE,
    _text("namespace", nullable=False),
    _text("key", nullable=False),
    Column("version", Integer, nullable=False),
    _text("kind", nullable=False),
    _text("value", nullable=False),  # JSON
    _text("description"),
    _moment("created_at", nullable=False),
    _moment("updated_at", nullable=False),
    _moment("expires_at"),
    PrimaryKeyConstraint("namespace", "key"),
    **_BY_KEY,
)

# ── executions ───────────────────────────────────────────────────────────────────────────────────

executions = Table(
    "executions",
    STATE,
    _text("id", nullable=False, primary_key=True),
    _text("namespace", nullable=False),
    _text("flow_id", nullable=False),
    Column("revision", Integer, nullable=False),
    _text("state", nullable=False),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("folded", Integer, nullable=False, server_default="0"),
    Column("sequence", Integer, nullable=False, server_default="0"),
    Column("next_event", Integer, nullable=False, server_default="1"),  # number of the next event
    Column("next_wake", Integer, nullable=False, server_default="1"),
    _text("history", nullable=False),  # [[state, micros], …]
    _text("labels", nullable=False, server_default="[]"),
    _text("inputs", nullable=False, server_default="{}"),
    _text("variables", nullable=False, server_default="{}"),
    _text("outputs"),
    _text("trigger"),  # JSON [id, type, variables]
    _text("trigger_id"),
    _text("trigger_type"),
    _text(
        "upstream_id"
    ),  # trigger.variables.executionId: parent of a Subflow, upstream of a Flow trigger
    _text("upstream_task_run_id"),  # waiting Subflow
    _text("parent_id"),
    _text("original_id"),
    Column("attempt_number", Integer, nullable=False, server_default="1"),
    _moment("original_created_at"),
    _moment("schedule_at"),
    _text("kind", nullable=False, server_default="NORMAL"),
    _text("source_name"),
    _text("commit"),
    _text("scope", nullable=False, server_default="{}"),
    _text("deferred", nullable=False, server_default="[]"),
    Column("fully_ended", Boolean, nullable=False, server_default=false()),
    Column("unfinished", Boolean, nullable=False, server_default=false()),  # the last fold was cut
    Column("holds_slot", Boolean, nullable=False, server_default=false()),
    _text("breakpoints", nullable=False, server_default="[]"),  # JSON ["task", "task.value", …]
    _text("created_by", nullable=False),
    _moment("created_at", nullable=False),
    _moment("started_at"),
    _moment("ended_at"),
    _moment("queued_at"),
)
Index("executions_by_time", executions.c.created_at, executions.c.id)
Index(
    "executions_by_flow",
    executions.c.namespace,
    executions.c.flow_id,
    executions.c.created_at,
    executions.c.state,
)
Index("executions_by_state", executions.c.state, executions.c.created_at)
_index_present("executions_by_upstream", executions.c.upstream_id)
_index_present("executions_by_commit", executions.c.commit, executions.c.created_at)
_index_present("executions_by_original", executions.c.original_id)
Index(
    "executions_unfinished",
    executions.c.created_at,
    sqlite_where=text("NOT fully_ended"),
    postgresql_where=text("NOT fully_ended"),
)
Index(
    "executions_queued",
    executions.c.namespace,
    executions.c.flow_id,
    executions.c.queued_at,
    sqlite_where=text("state = 'QUEUED'"),
    postgresql_where=text("state = 'QUEUED'"),
)

# labels for search; system.correlationId only where it differs from the execution's own id
execution_labels = Table(
    "execution_labels",
    STATE,
    _text("execution_id", nullable=False),
    _text("key", nullable=False),
    _text("value", nullable=False),
    _moment("created_at", nullable=False),  # of the execution
    PrimaryKeyConstraint("execution_id", "key"),
    **_BY_KEY,
)
Index(
    "execution_labels_by_value",
    execution_labels.c.key,
    execution_labels.c.value,
    execution_labels.c.created_at,
    execution_labels.c.execution_id,
)

task_runs = Table(
    "task_runs",
    STATE,
    _text("id", nullable=False, primary_key=True),
    _text("execution_id", nullable=False),
    Column("sequence", Integer, nullable=False),
    _text("task_id", nullable=False),
    _text("parent_id"),
    _text("value"),
    Column("iteration", Integer),
    _text("state", nullable=False),
    Column("live", Boolean, nullable=False),  # not terminal
    _text("history", nullable=False),
    _text("attempts", nullable=False, server_default="[]"),
    _text("outputs"),
    _text("evaluated"),
    _text("scope"),
    **_BY_KEY,
)
Index("task_runs_by_task", task_runs.c.execution_id, task_runs.c.task_id, task_runs.c.sequence)
Index(
    "task_runs_live",
    task_runs.c.execution_id,
    task_runs.c.parent_id,
    sqlite_where=text("live"),
    postgresql_where=text("live"),
)

# Live attempts of worker tasks; a row goes when its end is folded.
attempts = Table(
    "attempts",
    STATE,
    _text("task_run_id", nullable=False),
    Column("attempt", Integer, nullable=False),
    _text("execution_id", nullable=False),
    _text("queue", nullable=False),
    _text("state", nullable=False),  # SUBMITTED | RUNNING | ENDED (its event is posted)
    _text("worker_id"),
    Column("fence", Integer, nullable=False, server_default="0"),  # grows with each claim
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("stopping", Boolean, nullable=False, server_default=false()),
    _text("marker"),  # container:NAME, pgid:N@HOST
    _moment("created_at", nullable=False),
    _moment("started_at"),
    PrimaryKeyConstraint("task_run_id", "attempt"),
    **_BY_KEY,
)
Index("attempts_by_worker", attempts.c.worker_id)
Index("attempts_by_execution", attempts.c.execution_id)

events = Table(
    "events",
    STATE,
    _text("execution_id", nullable=False),
    Column("number", Integer, nullable=False),
    _text("kind", nullable=False),
    _text("data", nullable=False),
    _moment("created_at", nullable=False),
    PrimaryKeyConstraint("execution_id", "number"),
    **_BY_KEY,
)

# The outbox: lives until the fold that leaves nothing to do here.
wakes = Table(
    "wakes",
    STATE,
    _text("id", nullable=False, primary_key=True),  # drive_EXECUTION_N, attempt_TASKRUN_N
    _text("kind", nullable=False),  # drive | attempt
    _text("execution_id", nullable=False),
    _text("task_run_id"),
    Column("attempt", Integer),
    _text("queue", nullable=False),
    _moment("created_at", nullable=False),
    **_BY_KEY,
)
Index("wakes_by_execution", wakes.c.execution_id)

timers = Table(
    "timers",
    STATE,
    _text("execution_id", nullable=False),
    _text("key", nullable=False),
    _moment("at", nullable=False),
    PrimaryKeyConstraint("execution_id", "key"),
    **_BY_KEY,
)
Index("timers_due", timers.c.at)

# What a change of state still has to cause: flow triggers, parent, slot, trigger locks.
announcements = Table(
    "announcements",
    STATE,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    _text("execution_id", nullable=False),
    _text("state", nullable=False),
    Column("fully", Boolean, nullable=False),
    Column("entry", Integer, nullable=False),  # index of the state in the history
    _moment("created_at", nullable=False),
)

metrics = Table(
    "metrics",
    STATE,
    _text("execution_id", nullable=False),
    _text("task_run_id", nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    _text("task_id", nullable=False),
    _text("name", nullable=False),
    _text("kind", nullable=False),
    Column("value", Float, nullable=False),
    _text("tags", nullable=False, server_default="{}"),
    _moment("at", nullable=False),
    PrimaryKeyConstraint("execution_id", "task_run_id", "attempt", "number"),
    **_BY_KEY,
)

# ── processes ────────────────────────────────────────────────────────────────────────────────────

workers = Table(
    "workers",
    STATE,
    _text("id", nullable=False, primary_key=True),
    _text("host", nullable=False),
    Column("pid", Integer, nullable=False),
    _text("queues", nullable=False),
    Column("slots", Integer, nullable=False),
    _moment("started_at", nullable=False),
    _moment("lease_until", nullable=False),  # the database's clock
    Column("draining", Boolean, nullable=False, server_default=false()),
)

duties = Table(
    "duties",
    STATE,
    _text("name", nullable=False, primary_key=True),
    _text("holder", nullable=False),
    _moment("until", nullable=False),
    **_BY_KEY,
)

quarantine = Table(
    "quarantine",
    STATE,
    _text(
        "subject", nullable=False, primary_key=True
    ),  # execution:ID, trigger:NS/FLOW/ID, source:NAME …
    Column("tries", Integer, nullable=False),
    _text("traceback", nullable=False),
    _moment("last_at", nullable=False),
    _moment("until"),  # not before; null with tries ≥ N: never again by itself
)

audit = Table(
    "audit",
    STATE,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    _moment("at", nullable=False),
    _text("principal", nullable=False),
    _text("action", nullable=False),
    _text("subject", nullable=False),
    _text("details", nullable=False, server_default="{}"),
)
Index("audit_by_subject", audit.c.subject, audit.c.id)

# ── Git ──────────────────────────────────────────────────────────────────────────────────────────

sources = Table(
    "sources",
    STATE,
    _text("name", nullable=False, primary_key=True),
    _text("url", nullable=False),  # without credentials
    _text("branch", nullable=False),
    _text("head"),  # commit applied last
    _text("remote_head"),  # as seen by the last poll
    _text("tree"),  # id of the files tree of head
    _text(
        "refs", nullable=False, server_default="{}"
    ),  # ref → commit seen last, for commit triggers
    _text("fingerprint"),  # of what decides how head was read: settings, version
    _text("state", nullable=False),  # NEW | SYNCED | SYNCING | UNREACHABLE | EMPTY | FAILED
    _text("error"),
    Column("failures", Integer, nullable=False, server_default="0"),
    _moment("polled_at"),
    _moment("next_poll_at"),
    _moment("synced_at"),
    _moment("hurried_at"),  # a push event asks for a poll now
    Column("version", Integer, nullable=False, server_default="0"),
)

sync_runs = Table(
    "sync_runs",
    STATE,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    _text("source", nullable=False),
    _text("from_commit"),
    _text("to_commit", nullable=False),
    _text("summary", nullable=False),  # JSON: added, changed, removed, refused …
    _moment("at", nullable=False),
    Column("took_ms", Integer, nullable=False),
)
Index("sync_runs_by_source", sync_runs.c.source, sync_runs.c.id)

commits = Table(
    "commits",
    STATE,
    _text("source", nullable=False),
    _text("sha", nullable=False),
    _text("author", nullable=False),
    _text("email", nullable=False),
    _text("message", nullable=False),
    _moment("at", nullable=False),
    PrimaryKeyConstraint("source", "sha"),
    **_BY_KEY,
)
Index("commits_by_time", commits.c.source, commits.c.at)
Index("commits_by_sha", commits.c.sha)

source_problems = Table(
    "source_problems",
    STATE,
    _text("source", nullable=False),
    _text("path", nullable=False),
    Column("number", Integer, nullable=False),
    Column("line", Integer),
    Column("column", Integer),
    _text("code", nullable=False),
    _text("message", nullable=False),
    _text("frame"),  # the line and one around it
    _text("namespace"),
    _text("flow_id"),
    _text("commit", nullable=False),  # since
    _moment("at", nullable=False),
    PrimaryKeyConstraint("source", "path", "number"),
)
Index("source_problems_by_flow", source_problems.c.namespace, source_problems.c.flow_id)

# A tree of namespace files, shared by all commits that have it: id = digest of its entries.
file_trees = Table(
    "file_trees",
    STATE,
    _text("tree", nullable=False),
    _text("namespace", nullable=False),
    _text("path", nullable=False),
    _text("blob", nullable=False),
    Column("size", BigInteger, nullable=False),
    PrimaryKeyConstraint("tree", "namespace", "path"),
    **_BY_KEY,
)

commit_trees = Table(
    "commit_trees",
    STATE,
    _text("source", nullable=False),
    _text("sha", nullable=False),
    _text("tree", nullable=False),
    PrimaryKeyConstraint("source", "sha"),
    **_BY_KEY,
)

# Namespace files that the API owns.
namespace_files = Table(
    "namespace_files",
    STATE,
    _text("namespace", nullable=False),
    _text("path", nullable=False),
    _text("uri", nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    _moment("created_at", nullable=False),
    _moment("updated_at", nullable=False),
    PrimaryKeyConstraint("namespace", "path"),
)

# What such files were before they were written again.
namespace_file_versions = Table(
    "namespace_file_versions",
    STATE,
    _text("namespace", nullable=False),
    _text("path", nullable=False),
    Column("version", Integer, nullable=False),
    _text("uri", nullable=False),
    Column("size", BigInteger, nullable=False),
    _moment("updated_at", nullable=False),
    PrimaryKeyConstraint("namespace", "path", "version"),
    **_BY_KEY,
)

# Internal storage in the database (storage: database).
stored_files = Table(
    "stored_files",
    STATE,
    _text("path", nullable=False, primary_key=True),
    _text("content", nullable=False),  # id of its chunks
    Column("size", BigInteger, nullable=False),
    _moment("modified_at", nullable=False),
)
Index("stored_files_by_content", stored_files.c.content)

stored_chunks = Table(
    "stored_chunks",
    STATE,
    _text("content", nullable=False),
    Column("number", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("content", "number"),
)

# ── logs (SQLite: logs.db) ───────────────────────────────────────────────────────────────────────

log_lines = Table(
    "log_lines",
    LOGS,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    _text("execution_id"),  # null: lines of a trigger
    _text("task_run_id", nullable=False),  # '': lines of the execution itself
    Column("attempt", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("level", Integer, nullable=False),  # rank
    _text("namespace", nullable=False),
    _text("flow_id", nullable=False),
    _text("task_id"),
    _text("trigger_id"),
    _moment("at", nullable=False),
    _text("message", nullable=False),
)
Index(
    "log_lines_by_attempt",
    log_lines.c.execution_id,
    log_lines.c.task_run_id,
    log_lines.c.attempt,
    log_lines.c.number,
    unique=True,
)
Index("log_lines_by_time", log_lines.c.at, log_lines.c.id)
Index("log_lines_by_execution_time", log_lines.c.execution_id, log_lines.c.at, log_lines.c.id)
Index("log_lines_by_flow", log_lines.c.namespace, log_lines.c.flow_id, log_lines.c.at)

__all__ = ["LOGS", "STATE"]
