"""The tables of meetings: sittings, agenda items, members, minutes as they are typed, community issues, calendar tokens.

They stand on the metadata of `tables`. No person is named in them but staff; only `minutes_drafts` holds what is said of
residents, until its sitting is closed.
"""

from __future__ import annotations

import sqlalchemy as sa

from tsunagi_intake.tables import metadata

# 開催回. What was typed is in the record of the same id; bodies and times stand here for lists and the calendar.
meetings = sa.Table(
    "meetings",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # of its record
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("bodies", sa.Text, nullable=False),  # JSON list of ids
    sa.Column("held_on", sa.Text, nullable=False, index=True),
    sa.Column("starts_at", sa.Text, nullable=False),  # HH:MM, Japanese time
    sa.Column("ends_at", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # planned | convened | closed | cancelled
    sa.Column("revision", sa.Integer, nullable=False),  # of the sitting with its items and members
    sa.Column("convened_at", sa.BigInteger),
    sa.Column("reply_by", sa.Text),
    sa.Column("closed_at", sa.BigInteger),
    sa.Column("closed_by", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# 議題: at most one case, under one legal role. Case and plan stay as numbers after an erasure, the note goes.
agenda_items = sa.Table(
    "agenda_items",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("meeting", sa.Text, sa.ForeignKey("meetings.id"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),  # from 1, in the order they are heard
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), index=True),  # none: 社会資源 and the like
    sa.Column("plan", sa.Text, nullable=False),  # id of its record, or empty
    sa.Column("plan_number", sa.Text, nullable=False),
    sa.Column("plan_seen", sa.Text, nullable=False),  # what of the plan was convened with: <revision>/<state>
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("legal_role", sa.Text, nullable=False),
    sa.Column("occasion", sa.Text, nullable=False),
    sa.Column("minimal_reason", sa.Text, nullable=False),  # empty: an ordinary item
    sa.Column("papers", sa.Text, nullable=False),  # JSON list of <kind>/<id>; empty until convened: what is usual
    sa.Column("note", sa.Text, nullable=False),  # as typed, without names
    sa.Column("minutes", sa.Text, nullable=False, index=True),  # id of the record, once closed
    sa.Column("state", sa.Text, nullable=False),  # open | recorded | withdrawn
    sa.Column("revision", sa.Integer, nullable=False),  # of the minutes as they are typed
    sqlite_with_rowid=False,
)

# 構成員 called to a sitting: staff. `user`: their account here, where they have one.
meeting_members = sa.Table(
    "meeting_members",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("meeting", sa.Text, sa.ForeignKey("meetings.id"), nullable=False, index=True),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("contractor", sa.Text, nullable=False),  # who ran the agency when they were called
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("chosen", sa.Integer, nullable=False),  # for the items heard as 支援会議, unless said otherwise for one
    sa.Column("told_on", sa.Text),  # 告知
    sa.Column("attends", sa.Integer, nullable=False),
    sa.Column("removed", sa.Integer, nullable=False),
    sa.Column("notified_at", sa.BigInteger),
    sa.Index("meeting_members_agency", "agency", "meeting"),
    sqlite_with_rowid=False,
)

# Who is chosen for one item, and who leaves for it and why (code of the rule), as it was convened.
item_members = sa.Table(
    "item_members",
    metadata,
    sa.Column("item", sa.Text, sa.ForeignKey("agenda_items.id"), primary_key=True),
    sa.Column("member", sa.Text, sa.ForeignKey("meeting_members.id"), primary_key=True),
    sa.Column("chosen", sa.Integer),  # none: as the member is for the sitting
    sa.Column("leaves", sa.Integer, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("until", sa.Text),  # last day on which they may read the item's papers; none: they may not
    sqlite_with_rowid=False,
)

# Minutes as they are typed, until the sitting is closed.
minutes_drafts = sa.Table(
    "minutes_drafts",
    metadata,
    sa.Column("item", sa.Text, sa.ForeignKey("agenda_items.id"), primary_key=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), index=True),
    sa.Column("content", sa.LargeBinary, nullable=False),  # as posted, unchecked
    sa.Column("saved_at", sa.BigInteger, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# 地域課題 and 不足する社会資源 handed on to a body; nothing in them leads back to a case but item, form and case.
community_issues = sa.Table(
    "community_issues",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("from_body", sa.Text, nullable=False),
    sa.Column("to_body", sa.Text, nullable=False, index=True),
    sa.Column("item", sa.Text, nullable=False, index=True),  # empty once its case was erased
    sa.Column("kind", sa.Text, nullable=False),  # issue | resource
    sa.Column("text", sa.Text, nullable=False),  # as typed, without names
    sa.Column("state", sa.Text, nullable=False),  # handed | received | answered | proposed | project
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("answer", sa.Text, nullable=False),  # or what is proposed
    sa.Column("answered_at", sa.BigInteger),
    sa.Column("answered_by", sa.Text, nullable=False),
    sa.Column("case", sa.Integer, index=True),  # where it does not come from an item; none for what was handed directly
    sa.Column(
        "form", sa.Text, nullable=False, server_default=sa.text("''"), index=True
    ),  # of a screening: assessment/<id>
    sa.Column(
        "previous", sa.Text, nullable=False, server_default=sa.text("''"), index=True
    ),  # the one that was handed further
    sa.Column("project", sa.Text, nullable=False, server_default=sa.text("''")),  # its name, without names of people
    sa.Column("lead", sa.Text, nullable=False, server_default=sa.text("''")),  # an agency
    sa.Column("starts", sa.Text),
    sa.Column("until", sa.Text),
    sa.Column("project_state", sa.Text, nullable=False, server_default=sa.text("''")),  # ProjectState
    sqlite_with_rowid=False,
)

# By which somebody's calendar program asks for their sittings; the token itself is kept nowhere.
calendar_tokens = sa.Table(
    "calendar_tokens",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("contractor", sa.Text, nullable=False),
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", sa.BigInteger),
    sa.Index("calendar_tokens_user", "user", "agency"),
    sqlite_with_rowid=False,
)
