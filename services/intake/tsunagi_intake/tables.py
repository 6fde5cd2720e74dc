"""The tables of intake. Times are UTC microseconds, dates ISO text, flags 0 or 1. Residents' data: docs/personal-data.md."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()


def _retention() -> tuple[sa.Column[object], ...]:
    """How long a row is kept; on every record from the first migration on."""
    return (
        sa.Column("retention_class", sa.Text, nullable=False),
        sa.Column("completed_on", sa.Text),
        sa.Column("legal_hold", sa.Integer, nullable=False),
    )


numbers = sa.Table(
    "numbers",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),  # referral | case
    sa.Column("fiscal_year", sa.Integer, primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
)

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("fiscal_year", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("opened_at", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),  # of what people do to the case itself
    sa.Column("lead", sa.Text, nullable=False, server_default=sa.text("''")),  # 主担当: an agency
    sa.Column("joined_into", sa.Integer),  # the case that this one was joined to
    sa.Column("previous", sa.Integer),  # the ended case whose person came again
    sa.Column("ended_code", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("ended_at", sa.BigInteger),
    *_retention(),
    sa.Column("origin", sa.Text, nullable=False, server_default=sa.text("''")),  # who wrote its first referral
    # JSON list of the retention classes of its forms and of those of the cases joined to it, sorted; while it has ended
    sa.Column("kept_by", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Index("cases_kept", "kept_by", "completed_on", "seq", sqlite_where=sa.text("completed_on IS NOT NULL")),
    sa.Index("cases_year", "fiscal_year", "seq"),
    sa.Index("cases_joined", "joined_into", sqlite_where=sa.text("joined_into IS NOT NULL")),
    sqlite_autoincrement=True,
)

referrals = sa.Table(
    "referrals",
    metadata,
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
    sa.Column("persons", sa.Text, nullable=False),  # JSON list of ids
    sa.Column("withheld", sa.Text, nullable=False),  # JSON: who gets nothing, by which rule
    sa.Column("form", sa.LargeBinary, nullable=False),  # JSON
    # submitted | accepted | returned | withdrawn | misdirected
    sa.Column("state", sa.Text, nullable=False, server_default="submitted"),
    *_retention(),
    sqlite_autoincrement=True,
)

# Every other form: reply, consent, assessment, contact, evaluation, pledge. What was typed is in `form` alone.
records = sa.Table(
    "records",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False),  # 文書番号
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq")),  # a pledge belongs to no case
    sa.Column("about", sa.Text, nullable=False),  # what it is about: referral/<id>, a person's id, a body's id
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("submitted_at", sa.BigInteger, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("audience_revision", sa.Integer, nullable=False),
    sa.Column("support_meeting_only", sa.Integer, nullable=False),
    sa.Column("persons", sa.Text, nullable=False),  # JSON list of ids
    sa.Column("state", sa.Text, nullable=False),  # live | withdrawn | misdirected
    sa.Column("form", sa.LargeBinary, nullable=False),  # JSON
    *_retention(),
    sa.Index("records_case", "case", "kind", "seq"),
    sqlite_autoincrement=True,
)

# What a correction replaced.
revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("form", sa.Text, primary_key=True),  # referral/<id>, assessment/<id> …
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("submitted_at", sa.BigInteger, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),  # JSON of the form as it was
    sqlite_with_rowid=False,
)

# One row a consent, taken from the referral or given on a form of its own: what the rules read.
consents = sa.Table(
    "consents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # of a referral's own consent: the referral's id
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
    sa.Column("person", sa.Text, nullable=False),  # <referral id>.<position>
    sa.Column("status", sa.Text, nullable=False),  # ConsentStatus
    sa.Column("given_on", sa.Text),
    sa.Column("until", sa.Text),
    sa.Column("agencies", sa.Text, nullable=False),  # JSON list: named and copied from lists, without the excluded ones
    sa.Column("excluded", sa.Text, nullable=False),  # JSON list: agencies the person excluded
    sa.Column("covers_successor", sa.Integer, nullable=False),
    sa.Column("withdrawn_on", sa.Text),  # as a whole
    sa.Column("withdrawn_agencies", sa.Text, nullable=False),  # JSON list: withdrawn in part
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("closed", sa.Integer, nullable=False),  # 1: its end (withdrawal, expiry) has been published
    sa.Column("recorded_on", sa.Text),  # the Japanese date on which it was put on record as it stands
    sa.Index("consents_until", "closed", "until"),
    sqlite_with_rowid=False,
)

# Agencies that a case was given to, and what for; the plan's own rows come with the plans.
allocations = sa.Table(
    "allocations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("part", sa.Text, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("until", sa.Text),
    sa.Column("ended_at", sa.BigInteger),
    sqlite_with_rowid=False,
)

protections = sa.Table(
    "protections",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("fields", sa.Text, nullable=False),  # JSON list of ProtectionField
    sa.Column("cleared", sa.Text, nullable=False),  # JSON list of agencies
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("until", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),  # as typed
    sa.Column("set_at", sa.BigInteger, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("lifted_at", sa.BigInteger),
    sqlite_with_rowid=False,
)

# Bases other than consent that somebody put on record: 通告等 and 緊急.
grounds = sa.Table(
    "grounds",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # legal_duty | emergency
    sa.Column("law", sa.Text, nullable=False),  # a legal_basis of the profile
    sa.Column("reason", sa.Text, nullable=False),  # as typed
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("set_at", sa.BigInteger, nullable=False),
    sa.Column("until", sa.Text),
    sa.Column("ended_at", sa.BigInteger),
    sa.Column("reviewed_at", sa.BigInteger),
    sa.Column("reviewed_by", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# What happened to a case, for its time line: codes, numbers and staff, nothing that a form says.
timeline = sa.Table(
    "timeline",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # cases.TIMELINE
    sa.Column("ref", sa.Text, nullable=False),  # referral/<id>, consent/<id> …
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # of the case afterwards
    sa.Index("timeline_case", "case", "seq"),
    sqlite_autoincrement=True,
)

# The list of each agency, kept with the audience: a row for each case it has an entry on.
case_lists = sa.Table(
    "case_lists",
    metadata,
    sa.Column("agency", sa.Text, primary_key=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("fiscal_year", sa.Integer, nullable=False),
    sa.Column("origin", sa.Text, nullable=False, server_default=sa.text("''")),  # who wrote the case's first referral
    sa.Index("case_lists_case", "case"),
    sa.Index("case_lists_state", "agency", "state", "case", "fiscal_year"),
    sa.Index("case_lists_origin", "agency", "origin", "state", "case", "fiscal_year"),
    sqlite_with_rowid=False,
)

# By which kana an agency finds a case: one row a person shown to it.
case_keys = sa.Table(
    "case_keys",
    metadata,
    sa.Column("agency", sa.Text, primary_key=True),
    sa.Column("search_key", sa.Text, primary_key=True),  # kana folded for search; never shown
    sa.Column("case", sa.Integer, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Index("case_keys_case", "case", "agency"),
    sqlite_with_rowid=False,
)

# What somebody typed and did not hand in yet: theirs alone, 30 days.
drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),  # case or referral number, or empty
    sa.Column("content", sa.LargeBinary, nullable=False),  # as posted
    sa.Column("saved_at", sa.BigInteger, nullable=False, index=True),
    sa.Index("drafts_user", "user", "agency", "saved_at"),
    sqlite_with_rowid=False,
)

# 廃棄簿: what is due, who proposed and who approved, and what became of it. `name`s are of staff.
disposals = sa.Table(
    "disposals",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("made_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_by_name", sa.Text, nullable=False),
    sa.Column("approved_at", sa.BigInteger),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("approved_by_name", sa.Text, nullable=False),
    sa.Column("refused_at", sa.BigInteger),
    sa.Column("refused_by_name", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),  # why it was refused, as typed
)
disposal_items = sa.Table(
    "disposal_items",
    metadata,
    sa.Column("disposal", sa.Text, sa.ForeignKey("disposals.id"), primary_key=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), primary_key=True),
    sa.Column("completed_on", sa.Text, nullable=False),
    sa.Column("retention_class", sa.Text, nullable=False),  # the longest of the case's forms
    sa.Column("kept_until", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # proposed | refused | erased | skipped
    sa.Column("code", sa.Text, nullable=False),  # why it was skipped
    sa.Index("disposal_items_case", "case", "state"),
    sqlite_with_rowid=False,
)
tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("form", sa.Text, primary_key=True),
    sa.Column("case_number", sa.Text, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("erased_at", sa.BigInteger, nullable=False),
    sa.Column("erased_by", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# Where an event that carries a form lies on the stream, so that erasure can reach it there; kept as long as the stream.
publications = sa.Table(
    "publications",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),  # of the stream INTAKE
    sa.Column("form", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
)

# Small facts that must outlive a restart, by name (changes.py).
facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# One row an agency and form: who may see it, on what basis, in which view, until when.
audience = sa.Table(
    "audience",
    metadata,
    sa.Column("agency", sa.Text, primary_key=True),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), primary_key=True),
    sa.Column("form", sa.Text, primary_key=True),  # referral/<id>
    sa.Column("basis_kind", sa.Text, nullable=False),
    sa.Column("basis_ref", sa.Text, nullable=False),
    sa.Column("law", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("view", sa.Text, nullable=False),
    sa.Column("members", sa.Text, nullable=False),  # JSON list; empty: all staff
    sa.Column("until", sa.Text),
    sa.Column("hidden", sa.Text, nullable=False, server_default="[]"),  # JSON list of persons
    sa.Column("withheld", sa.Text, nullable=False, server_default="[]"),  # JSON list of <person>:<field>
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Index("audience_form", "form"),
    sqlite_with_rowid=False,
)

# Everybody a referral shows: the person (position 0) and the household. By kana and birth date a person is found again.
persons = sa.Table(
    "persons",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # <referral id>.<position>
    sa.Column("referral", sa.Text, nullable=False),
    sa.Column("case", sa.Integer, sa.ForeignKey("cases.seq"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("search_key", sa.Text, nullable=False),  # kana folded for search, "" where none was given; never shown
    sa.Column("birth_date", sa.Text),
    sa.Column("phone_key", sa.Text, nullable=False),  # digits of a telephone, for likely matches
    sa.Column("same_as", sa.Text, nullable=False),  # the first row of the same person in the case, or its own id
    sa.Column("taken_off", sa.Integer, nullable=False, server_default="0"),  # 1: off the form; they stay known
    sa.Index("persons_match", "search_key", "birth_date", sqlite_where=sa.text("birth_date IS NOT NULL")),
    sa.Index("persons_phone", "phone_key"),
    sqlite_with_rowid=False,
)

# Projections of other services' events: what became of each document, who was told, who has it.
documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("case_number", sa.Text, nullable=False, index=True),
    sa.Column("form", sa.Text, index=True),
    sa.Column("kind", sa.Text),
    sa.Column("view", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("page", sa.Text),
    sa.Column("readers", sa.Text),  # JSON list of agencies
    sa.Column("readers_revision", sa.Integer, nullable=False, server_default="0"),  # of the event they were taken from
    sa.Column("superseded", sa.Integer, nullable=False, server_default="0"),
    sa.Column("word_state", sa.Text, nullable=False),  # unknown | stored | failed
    sa.Column("word_code", sa.Text, nullable=False),
    sa.Column("word_revision", sa.Integer, nullable=False),  # the event that the state was taken from
    sa.Column("pdf_state", sa.Text, nullable=False),  # unknown | expected | stored | off | failed
    sa.Column("pdf_code", sa.Text, nullable=False),
    sa.Column("pdf_revision", sa.Integer, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("document", sa.Text, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("case_number", sa.Text, nullable=False, index=True),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # sent | failed
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
)

# What an agency did with a version: opened by whom first, received, or not theirs.
receipts = sa.Table(
    "receipts",
    metadata,
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

from tsunagi_intake import meeting_tables, plan_tables, resource_tables  # noqa: E402, F401 - on the same metadata
