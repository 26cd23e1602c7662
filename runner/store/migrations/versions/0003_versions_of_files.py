"""What namespace files were before they were written again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "namespace_file_versions",
        sa.Column("namespace", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("uri", _TEXT, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("namespace", "path", "version"),
        sqlite_with_rowid=False,
    )
