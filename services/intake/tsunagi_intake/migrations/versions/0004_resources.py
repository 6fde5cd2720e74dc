"""Resources, what plans matched with them, follow-ups, outreach in codes; what becomes of community issues."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _resources()
    _outreach()
    _issues()
    for statement in SAID_BEFORE:
        op.execute(statement)


# What plans and contacts that are there say already: without it the figures of the year would be too low. Forms that were
# erased hold nothing. Follow-ups of plans adopted before need their forms: the clockwork puts them down (matches.begin_earlier).
SAID_BEFORE = (
    "INSERT INTO matches (plan, \"case\", resource, kind) SELECT p.id, p.\"case\", '', '' FROM plans p"
    " JOIN records r ON r.id = p.id WHERE p.kind = 'participation' AND length(r.form) > 0"
    " AND coalesce(json_extract(CAST(r.form AS TEXT), '$.resource'), '') <> ''",
    *(
        'INSERT INTO outreach_facts (form, what, code, "case", day)'  # noqa: S608 - two fixed words
        f" SELECT 'plan/' || p.id, '{what}', json_extract(CAST(r.form AS TEXT), '$.{field}'), p.\"case\","
        " json_extract(CAST(r.form AS TEXT), '$.made_on') FROM plans p JOIN records r ON r.id = p.id"
        " WHERE p.kind = 'outreach' AND length(r.form) > 0"
        f" AND json_extract(CAST(r.form AS TEXT), '$.{field}') IS NOT NULL"
        for what, field in (("channel", "found_by"), ("state", "contact_state"))
    ),
    'INSERT OR IGNORE INTO outreach_facts (form, what, code, "case", day)'
    " SELECT 'contact/' || r.id, 'action', a.value, r.\"case\", json_extract(CAST(r.form AS TEXT), '$.at')"
    " FROM records r, json_each(CAST(r.form AS TEXT), '$.outreach_actions') a"
    " WHERE r.kind = 'contact' AND r.state = 'live' AND length(r.form) > 0",
    'INSERT INTO outreach_facts (form, what, code, "case", day)'
    " SELECT 'contact/' || r.id, 'visit', 'visit', r.\"case\", json_extract(CAST(r.form AS TEXT), '$.at')"
    " FROM records r WHERE r.kind = 'contact' AND r.state = 'live' AND length(r.form) > 0"
    " AND json_array_length(CAST(r.form AS TEXT), '$.outreach_actions') > 0"
    " AND json_extract(CAST(r.form AS TEXT), '$.method') = 'visit'",
)


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
