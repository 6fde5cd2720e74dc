"""Plans, meetings and minutes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _plans()
    _sittings()
    _members()
    _minutes()
    _calendar()


def _plans() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("provisional", sa.Integer, nullable=False),
        sa.Column("confirmed_on", sa.Text),
        sa.Column("proposed_at", sa.BigInteger),
        sa.Column("decided", sa.Text, nullable=False),
        sa.Column("meeting_on", sa.Text),
        sa.Column("meeting_item", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("heard_under", sa.Text, nullable=False),
        sa.Column("agreed_on", sa.Text),
        sa.Column("municipal_on", sa.Text),
        sa.Column("effective_on", sa.Text),
        sa.Column("suspended_on", sa.Text),
        sa.Column("ended_on", sa.Text),
        sa.Column("end_code", sa.Text, nullable=False),
        sa.Column("amended_on", sa.Text),
        sa.Column("content", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("plans_effective", "plans", ["effective_on"], sqlite_where=sa.text("effective_on IS NOT NULL"))


def _sittings() -> None:
    op.create_table(
        "meetings",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("number", sa.Text, nullable=False, unique=True),
        sa.Column("bodies", sa.Text, nullable=False),
        sa.Column("held_on", sa.Text, nullable=False, index=True),
        sa.Column("starts_at", sa.Text, nullable=False),
        sa.Column("ends_at", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("convened_at", sa.BigInteger),
        sa.Column("reply_by", sa.Text),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("closed_by", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "agenda_items",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("meeting", sa.Text, sa.ForeignKey("meetings.id"), nullable=False, index=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), index=True),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("plan_number", sa.Text, nullable=False),
        sa.Column("plan_seen", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("legal_role", sa.Text, nullable=False),
        sa.Column("occasion", sa.Text, nullable=False),
        sa.Column("minimal_reason", sa.Text, nullable=False),
        sa.Column("papers", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("minutes", sa.Text, nullable=False, index=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )


def _members() -> None:
    op.create_table(
        "meeting_members",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("meeting", sa.Text, sa.ForeignKey("meetings.id"), nullable=False, index=True),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("contractor", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("chosen", sa.Integer, nullable=False),
        sa.Column("told_on", sa.Text),
        sa.Column("attends", sa.Integer, nullable=False),
        sa.Column("removed", sa.Integer, nullable=False),
        sa.Column("notified_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("meeting_members_agency", "meeting_members", ["agency", "meeting"])
    op.create_table(
        "item_members",
        sa.Column("item", sa.Text, sa.ForeignKey("agenda_items.id"), primary_key=True),
        sa.Column("member", sa.Text, sa.ForeignKey("meeting_members.id"), primary_key=True),
        sa.Column("chosen", sa.Integer),
        sa.Column("leaves", sa.Integer, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sqlite_with_rowid=False,
    )


def _minutes() -> None:
    op.create_table(
        "minutes_drafts",
        sa.Column("item", sa.Text, sa.ForeignKey("agenda_items.id"), primary_key=True),
        sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), index=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("saved_at", sa.BigInteger, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "community_issues",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("number", sa.Text, nullable=False, unique=True),
        sa.Column("from_body", sa.Text, nullable=False),
        sa.Column("to_body", sa.Text, nullable=False, index=True),
        sa.Column("item", sa.Text, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("answered_by", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _calendar() -> None:
    op.create_table(
        "calendar_tokens",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("contractor", sa.Text, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("calendar_tokens_user", "calendar_tokens", ["user", "agency"])
