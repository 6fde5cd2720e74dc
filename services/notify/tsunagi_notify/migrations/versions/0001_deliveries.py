"""Deliveries and receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("settled", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("view", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("case_number", sa.Text, nullable=False),
        sa.Column("page", sa.Text, nullable=False),
        sa.Column("urgency", sa.Text, nullable=False),
        sa.Column("reply_by", sa.Text, nullable=False),
        sa.Column("support_meeting_only", sa.Integer, nullable=False),
        sa.Column("announced_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("document_revision", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("document_id", "version", "agency", "channel", name="deliveries_once"),
    )
    op.create_index("deliveries_inbox", "deliveries", ["agency", "channel", "state", "announced_at", "id"])
    op.create_index("deliveries_open", "deliveries", ["agency", "channel", "state", "settled", "announced_at", "id"])
    op.create_index("deliveries_state", "deliveries", ["state", "announced_at", "id"])
    op.create_index("deliveries_announced", "deliveries", ["announced_at", "id"])
    op.create_table(
        "receipts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=True),
        sa.Column("opened_name", sa.Text, nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger, nullable=True),
        sa.Column("acknowledged_user", sa.Text, nullable=False),
        sa.Column("acknowledged_name", sa.Text, nullable=False),
        sa.Column("misdelivered_at", sa.BigInteger, nullable=True),
        sa.Column("misdelivered_user", sa.Text, nullable=False),
        sa.Column("misdelivered_name", sa.Text, nullable=False),
        sa.Column("misdelivered_code", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("document_id", "version", "agency", name="receipts_once"),
    )
