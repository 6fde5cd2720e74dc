"""Forms, documents, access, versions, files and openings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _document_id() -> sa.Column:
    return sa.Column("document_id", sa.Text, sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "forms",
        sa.Column("form", sa.Text, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("audience_revision", sa.Integer, nullable=False),
        sa.Column("audience_form_revision", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("form_revision", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("view", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("case_number", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("hidden", sa.Text, nullable=False),
        sa.Column("withheld", sa.Text, nullable=False),
        sa.Column("persons", sa.Text, nullable=False),
        sa.Column("planned", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("support_meeting_only", sa.Integer, nullable=False),
        sa.Column("urgency", sa.Text, nullable=False),
        sa.Column("reply_by", sa.Text),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("retention_class", sa.Text, nullable=False),
        sa.Column("completed_on", sa.Text),
        sa.Column("legal_hold", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("chain_key", sa.LargeBinary),
    )
    op.create_index("documents_form", "documents", ["form"])
    op.create_index("documents_case", "documents", ["case_number", "received_at", "id"])
    op.create_table(
        "access",
        _document_id(),
        sa.Column("agency", sa.Text, primary_key=True),
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("basis_kind", sa.Text, primary_key=True),
        sa.Column("basis_ref", sa.Text, primary_key=True),
        sa.Column("view", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("access_agency", "access", ["agency", "received_at", "document_id"])
    op.create_table(
        "versions",
        _document_id(),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("form_revision", sa.Integer, nullable=False),
        sa.Column("template_sha256", sa.Text, nullable=False),
        sa.Column("data_sha256", sa.Text, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("chain", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "files",
        _document_id(),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("format", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("made_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "openings",
        _document_id(),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("agency", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
