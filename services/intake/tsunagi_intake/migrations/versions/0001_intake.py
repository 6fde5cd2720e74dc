"""Forms, cases, who may see them, and what became of their documents."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _retention() -> list[sa.Column]:
    return [
        sa.Column("retention_class", sa.Text, nullable=False),
        sa.Column("completed_on", sa.Text),
        sa.Column("legal_hold", sa.Integer, nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "numbers",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("fiscal_year", sa.Integer, primary_key=True),
        sa.Column("last", sa.Integer, nullable=False),
    )
    op.create_table(
        "cases",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("number", sa.Text, nullable=False, unique=True),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        *_retention(),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "referrals",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("number", sa.Text, nullable=False, unique=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("fiscal_year", sa.Integer, nullable=False),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("submitted_at", sa.BigInteger, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("urgency", sa.Text, nullable=False),
        sa.Column("consent_status", sa.Text, nullable=False),
        sa.Column("support_meeting_only", sa.Integer, nullable=False),
        sa.Column("audience_revision", sa.Integer, nullable=False),
        sa.Column("persons", sa.Text, nullable=False),
        sa.Column("withheld", sa.Text, nullable=False),
        sa.Column("form", sa.LargeBinary, nullable=False),
        *_retention(),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audience",
        sa.Column("agency", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), primary_key=True),
        sa.Column("form", sa.Text, primary_key=True),
        sa.Column("basis_kind", sa.Text, nullable=False),
        sa.Column("basis_ref", sa.Text, nullable=False),
        sa.Column("view", sa.Text, nullable=False),
        sa.Column("members", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("audience_form", "audience", ["form"])
    op.create_table(
        "persons",
        sa.Column("referral", sa.Text, primary_key=True),
        sa.Column("search_key", sa.Text, nullable=False, index=True),
        sa.Column("birth_date", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("case_number", sa.Text, nullable=False, index=True),
        sa.Column("form", sa.Text),
        sa.Column("kind", sa.Text),
        sa.Column("view", sa.Text),
        sa.Column("title", sa.Text),
        sa.Column("page", sa.Text),
        sa.Column("readers", sa.Text),
        sa.Column("word_state", sa.Text, nullable=False),
        sa.Column("word_code", sa.Text, nullable=False),
        sa.Column("word_revision", sa.Integer, nullable=False),
        sa.Column("pdf_state", sa.Text, nullable=False),
        sa.Column("pdf_code", sa.Text, nullable=False),
        sa.Column("pdf_revision", sa.Integer, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("case_number", sa.Text, nullable=False, index=True),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_table(
        "receipts",
        sa.Column("document", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("agency", sa.Text, primary_key=True),
        sa.Column("case_number", sa.Text, nullable=False, index=True),
        sa.Column("opened_at", sa.BigInteger),
        sa.Column("opened_by", sa.Text),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("misdelivered_at", sa.BigInteger),
        sa.Column("misdelivered_by", sa.Text),
        sa.Column("misdelivered_code", sa.Text),
    )
