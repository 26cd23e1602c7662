"""Where executions stop, and what was asked for with a key."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a column to the executions and one to the firings."""
    op.add_column(
        "executions", sa.Column("breakpoints", _TEXT, nullable=False, server_default="[]")
    )
    op.add_column("firings", sa.Column("digest", _TEXT))
