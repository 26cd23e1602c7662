"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, _TEXT, **options)


def _id(name: str) -> sa.Column[int]:
    return sa.Column(name, _ID, autoincrement=True, nullable=False)


def upgrade() -> None:
    """Make all tables; with SQLite those of logs in the attached file."""
    _definitions()
    _executions()
    _processes()
    _git()
    _storage()
    _logs("logs" if op.get_bind().dialect.name == "sqlite" else None)


def _definitions() -> None:
    op.create_table(
        "flows",
        _text("namespace", nullable=False),
        _text("flow_id", nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("last_revision", sa.Integer(), nullable=False),
        sa.Column("absent", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("deleted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("blocked", sa.Boolean(), nullable=False, server_default=sa.false()),
        _text("owner", nullable=False),
        _text("path"),
        _text("commit"),
        _text("labels", nullable=False, server_default="[]"),
        _text("description"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("namespace", "flow_id"),
    )
    op.create_index("flows_by_owner", "flows", ["owner", "path"])
    op.create_table(
        "revisions",
        _text("namespace", nullable=False),
        _text("flow_id", nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        _text("source", nullable=False),
        _text("digest", nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False, server_default=sa.false()),
        _text("source_name"),
        _text("ref"),
        _text("commit"),
        _text("path"),
        _text("created_by", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "flow_id", "revision"),
    )
    op.create_index("revisions_by_commit", "revisions", ["commit"])
    op.create_table(
        "triggers",
        _text("namespace", nullable=False),
        _text("flow_id", nullable=False),
        _text("trigger_id", nullable=False),
        _text("type", nullable=False),
        _text("digest", nullable=False),
        sa.Column("next_at", sa.BigInteger()),
        sa.Column("last_at", sa.BigInteger()),
        sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()),
        _text("execution_id"),
        _text("backfill"),
        _text("memory"),
        _text("key"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "flow_id", "trigger_id"),
    )
    op.create_index(
        "triggers_by_execution",
        "triggers",
        ["execution_id"],
        sqlite_where=sa.text('"execution_id" IS NOT NULL'),
        postgresql_where=sa.text('"execution_id" IS NOT NULL'),
    )
    op.create_index("triggers_by_type", "triggers", ["type"])
    op.create_index(
        "triggers_due",
        "triggers",
        ["next_at"],
        sqlite_where=sa.text('"next_at" IS NOT NULL'),
        postgresql_where=sa.text('"next_at" IS NOT NULL'),
    )
    op.create_table(
        "firings",
        _text("key", nullable=False),
        _text("execution_id"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_index("firings_by_age", "firings", ["created_at"])
    op.create_table(
        "kv",
        _text("namespace", nullable=False),
        _text("key", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("kind", nullable=False),
        _text("value", nullable=False),
        _text("description"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("namespace", "key"),
        sqlite_with_rowid=False,
    )


def _executions() -> None:
    op.create_table(
        "executions",
        _text("id", nullable=False),
        _text("namespace", nullable=False),
        _text("flow_id", nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        _text("state", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("folded", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_event", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("next_wake", sa.Integer(), nullable=False, server_default="1"),
        _text("history", nullable=False),
        _text("labels", nullable=False, server_default="[]"),
        _text("inputs", nullable=False, server_default="{}"),
        _text("variables", nullable=False, server_default="{}"),
        _text("outputs"),
        _text("trigger"),
        _text("trigger_id"),
        _text("trigger_type"),
        _text("upstream_id"),
        _text("upstream_task_run_id"),
        _text("parent_id"),
        _text("original_id"),
        sa.Column("attempt_number", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("original_created_at", sa.BigInteger()),
        sa.Column("schedule_at", sa.BigInteger()),
        _text("kind", nullable=False, server_default="NORMAL"),
        _text("source_name"),
        _text("commit"),
        _text("scope", nullable=False, server_default="{}"),
        _text("deferred", nullable=False, server_default="[]"),
        sa.Column("fully_ended", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("unfinished", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("holds_slot", sa.Boolean(), nullable=False, server_default=sa.false()),
        _text("created_by", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("queued_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "executions_by_commit",
        "executions",
        ["commit", "created_at"],
        sqlite_where=sa.text('"commit" IS NOT NULL'),
        postgresql_where=sa.text('"commit" IS NOT NULL'),
    )
    op.create_index(
        "executions_by_flow", "executions", ["namespace", "flow_id", "created_at", "state"]
    )
    op.create_index(
        "executions_by_original",
        "executions",
        ["original_id"],
        sqlite_where=sa.text('"original_id" IS NOT NULL'),
        postgresql_where=sa.text('"original_id" IS NOT NULL'),
    )
    op.create_index("executions_by_state", "executions", ["state", "created_at"])
    op.create_index("executions_by_time", "executions", ["created_at", "id"])
    op.create_index(
        "executions_by_upstream",
        "executions",
        ["upstream_id"],
        sqlite_where=sa.text('"upstream_id" IS NOT NULL'),
        postgresql_where=sa.text('"upstream_id" IS NOT NULL'),
    )
    op.create_index(
        "executions_queued",
        "executions",
        ["namespace", "flow_id", "queued_at"],
        sqlite_where=sa.text("state = 'QUEUED'"),
        postgresql_where=sa.text("state = 'QUEUED'"),
    )
    op.create_index(
        "executions_unfinished",
        "executions",
        ["created_at"],
        sqlite_where=sa.text("NOT fully_ended"),
        postgresql_where=sa.text("NOT fully_ended"),
    )
    op.create_table(
        "execution_labels",
        _text("execution_id", nullable=False),
        _text("key", nullable=False),
        _text("value", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "execution_labels_by_value",
        "execution_labels",
        ["key", "value", "created_at", "execution_id"],
    )
    op.create_table(
        "task_runs",
        _text("id", nullable=False),
        _text("execution_id", nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        _text("task_id", nullable=False),
        _text("parent_id"),
        _text("value"),
        sa.Column("iteration", sa.Integer()),
        _text("state", nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        _text("history", nullable=False),
        _text("attempts", nullable=False, server_default="[]"),
        _text("outputs"),
        _text("evaluated"),
        _text("scope"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("task_runs_by_task", "task_runs", ["execution_id", "task_id", "sequence"])
    op.create_index(
        "task_runs_live",
        "task_runs",
        ["execution_id", "parent_id"],
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.create_table(
        "attempts",
        _text("task_run_id", nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        _text("execution_id", nullable=False),
        _text("queue", nullable=False),
        _text("state", nullable=False),
        _text("worker_id"),
        sa.Column("fence", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("losses", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("stopping", sa.Boolean(), nullable=False, server_default=sa.false()),
        _text("marker"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("task_run_id", "attempt"),
        sqlite_with_rowid=False,
    )
    op.create_index("attempts_by_execution", "attempts", ["execution_id"])
    op.create_index("attempts_by_worker", "attempts", ["worker_id"])
    op.create_table(
        "events",
        _text("execution_id", nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("kind", nullable=False),
        _text("data", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "wakes",
        _text("id", nullable=False),
        _text("kind", nullable=False),
        _text("execution_id", nullable=False),
        _text("task_run_id"),
        sa.Column("attempt", sa.Integer()),
        _text("queue", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("wakes_by_execution", "wakes", ["execution_id"])
    op.create_table(
        "timers",
        _text("execution_id", nullable=False),
        _text("key", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("timers_due", "timers", ["at"])
    op.create_table(
        "announcements",
        _id("id"),
        _text("execution_id", nullable=False),
        _text("state", nullable=False),
        sa.Column("fully", sa.Boolean(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "metrics",
        _text("execution_id", nullable=False),
        _text("task_run_id", nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("task_id", nullable=False),
        _text("name", nullable=False),
        _text("kind", nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        _text("tags", nullable=False, server_default="{}"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "task_run_id", "attempt", "number"),
        sqlite_with_rowid=False,
    )


def _processes() -> None:
    op.create_table(
        "workers",
        _text("id", nullable=False),
        _text("host", nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        _text("queues", nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("draining", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "duties",
        _text("name", nullable=False),
        _text("holder", nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantine",
        _text("subject", nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        _text("traceback", nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_table(
        "audit",
        _id("id"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _text("principal", nullable=False),
        _text("action", nullable=False),
        _text("subject", nullable=False),
        _text("details", nullable=False, server_default="{}"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_by_subject", "audit", ["subject", "id"])


def _git() -> None:
    op.create_table(
        "sources",
        _text("name", nullable=False),
        _text("url", nullable=False),
        _text("branch", nullable=False),
        _text("head"),
        _text("remote_head"),
        _text("tree"),
        _text("refs", nullable=False, server_default="{}"),
        _text("fingerprint"),
        _text("state", nullable=False),
        _text("error"),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("polled_at", sa.BigInteger()),
        sa.Column("next_poll_at", sa.BigInteger()),
        sa.Column("synced_at", sa.BigInteger()),
        sa.Column("hurried_at", sa.BigInteger()),
        sa.Column("version", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "sync_runs",
        _id("id"),
        _text("source", nullable=False),
        _text("from_commit"),
        _text("to_commit", nullable=False),
        _text("summary", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sync_runs_by_source", "sync_runs", ["source", "id"])
    op.create_table(
        "commits",
        _text("source", nullable=False),
        _text("sha", nullable=False),
        _text("author", nullable=False),
        _text("email", nullable=False),
        _text("message", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "sha"),
        sqlite_with_rowid=False,
    )
    op.create_index("commits_by_sha", "commits", ["sha"])
    op.create_index("commits_by_time", "commits", ["source", "at"])
    op.create_table(
        "source_problems",
        _text("source", nullable=False),
        _text("path", nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer()),
        sa.Column("column", sa.Integer()),
        _text("code", nullable=False),
        _text("message", nullable=False),
        _text("frame"),
        _text("namespace"),
        _text("flow_id"),
        _text("commit", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "path", "number"),
    )
    op.create_index("source_problems_by_flow", "source_problems", ["namespace", "flow_id"])
    op.create_table(
        "file_trees",
        _text("tree", nullable=False),
        _text("namespace", nullable=False),
        _text("path", nullable=False),
        _text("blob", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tree", "namespace", "path"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "commit_trees",
        _text("source", nullable=False),
        _text("sha", nullable=False),
        _text("tree", nullable=False),
        sa.PrimaryKeyConstraint("source", "sha"),
        sqlite_with_rowid=False,
    )


def _storage() -> None:
    op.create_table(
        "namespace_files",
        _text("namespace", nullable=False),
        _text("path", nullable=False),
        _text("uri", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "path"),
    )
    op.create_table(
        "stored_files",
        _text("path", nullable=False),
        _text("content", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    op.create_index("stored_files_by_content", "stored_files", ["content"])
    op.create_table(
        "stored_chunks",
        _text("content", nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("content", "number"),
    )


def _logs(schema: str | None) -> None:
    op.create_table(
        "log_lines",
        _id("id"),
        _text("execution_id"),
        _text("task_run_id", nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        _text("namespace", nullable=False),
        _text("flow_id", nullable=False),
        _text("task_id"),
        _text("trigger_id"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _text("message", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema=schema,
    )
    op.create_index(
        "log_lines_by_attempt",
        "log_lines",
        ["execution_id", "task_run_id", "attempt", "number"],
        unique=True,
        schema=schema,
    )
    op.create_index(
        "log_lines_by_execution_time", "log_lines", ["execution_id", "at", "id"], schema=schema
    )
    op.create_index("log_lines_by_flow", "log_lines", ["namespace", "flow_id", "at"], schema=schema)
    op.create_index("log_lines_by_time", "log_lines", ["at", "id"], schema=schema)
