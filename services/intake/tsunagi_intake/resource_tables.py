"""The tables of 社会資源・参加先, of what plans matched with them, of follow-ups, and of what was done in outreach.

They stand on the metadata of `tables`. A resource names whom staff ask at the place itself and no resident; the other tables hold
numbers, codes and days.
"""

from __future__ import annotations

import sqlalchemy as sa

from tsunagi_intake.tables import metadata

# 社会資源・参加先 that staff added; with the id of one of the profile: what they know of it besides its kind and name.
resources = sa.Table(
    "resources",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),  # ResourceKind
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),  # who looks after it
    sa.Column("capacity", sa.Integer),
    sa.Column("contact", sa.Text, nullable=False),  # 受入担当: somebody of the place
    sa.Column("conditions", sa.Text, nullable=False),
    sa.Column("follow_up_days", sa.Integer),  # from one follow-up to the next
    sa.Column("since", sa.Text, nullable=False),  # the day it was put on record
    sa.Column("closed_on", sa.Text),  # from that day on nobody is matched with it
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# What a participation plan names as the place; it counts while the plan does.
matches = sa.Table(
    "matches",
    metadata,
    sa.Column("plan", sa.Text, primary_key=True),  # id of its record
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
    sa.Column("resource", sa.Text, nullable=False, index=True),  # empty: a place that is named in words alone
    sa.Column("kind", sa.Text, nullable=False),  # ResourceKind, or empty
    sqlite_with_rowid=False,
)

# フォローアップ of an adopted participation plan, with the person or with the receiving side.
follow_ups = sa.Table(
    "follow_ups",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("plan", sa.Text, nullable=False, index=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
    sa.Column("side", sa.Text, nullable=False),  # FollowUpSide
    sa.Column("due_on", sa.Text, nullable=False, index=True),
    sa.Column("done_on", sa.Text),
    sa.Column("result", sa.Text, nullable=False),  # FollowUpResult, or empty
    sa.Column("done_by", sa.Text, nullable=False),  # staff
    sa.Column("agency", sa.Text, nullable=False),  # theirs
    sa.Index("follow_ups_done", "done_on", "due_on", "id"),  # what is to be done (NULL) by day
    sqlite_with_rowid=False,
)

# アウトリーチ in codes: what a contact or an outreach plan says was done, with whom, how far it came, how the person was found.
outreach_facts = sa.Table(
    "outreach_facts",
    metadata,
    sa.Column("form", sa.Text, primary_key=True),  # contact/<id> or plan/<id>
    sa.Column("what", sa.Text, primary_key=True),  # action | visit | companion | state | channel
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
    sa.Column("day", sa.Text, nullable=False),
    sa.Index("outreach_facts_day", "what", "day", "code", "case"),
    sqlite_with_rowid=False,
)
