"""Resources, what plans matched with them, follow-ups, outreach in codes; what becomes of community issues."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _resources()
    _outreach()
    _issues()


def _resources() -> None:
    op.create_table(
        "resources",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("capacity", sa.Integer),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("conditions", sa.Text, nullable=False),
        sa.Column("follow_up_days", sa.Integer),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("closed_on", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "matches",
        sa.Column("plan", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("resource", sa.Text, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "follow_ups",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("plan", sa.Text, nullable=False, index=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("due_on", sa.Text, nullable=False, index=True),
        sa.Column("done_on", sa.Text, index=True),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("done_by", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _outreach() -> None:
    op.create_table(
        "outreach_facts",
        sa.Column("form", sa.Text, primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("day", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("outreach_facts_day", "outreach_facts", ["what", "day", "code", "case"])


def _issues() -> None:
    for column in (
        sa.Column("case", sa.Integer),
        *(
            sa.Column(name, sa.Text, nullable=False, server_default="")
            for name in ("form", "previous", "project", "lead", "project_state")
        ),
        sa.Column("starts", sa.Text),
        sa.Column("until", sa.Text),
    ):
        op.add_column("community_issues", column)
    for name in ("at", "case", "form", "previous"):
        op.create_index(f"ix_community_issues_{name}", "community_issues", [name])
