"""What ended: access that was cut, versions that newer ones replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("withdrawn_at", sa.BigInteger, nullable=True))
    op.add_column("deliveries", sa.Column("superseded", sa.Integer, nullable=False, server_default="0"))
    op.drop_index("deliveries_inbox", "deliveries")
    op.create_index("deliveries_inbox", "deliveries", ["agency", "channel", "announced_at", "id"])
    op.create_index("deliveries_ended", "deliveries", ["agency", "channel", "withdrawn_at"])
    op.create_table(
        "cuts",
        sa.Column("document_id", sa.Text, primary_key=True),
        sa.Column("agency", sa.Text, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "newest_versions",
        sa.Column("document_id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
