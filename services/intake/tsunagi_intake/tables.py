"""The tables of intake. Times are UTC microseconds, dates ISO text, flags 0 or 1.

`persons`, `referrals.form` and the rows of `idempotency` aside, nothing here says anything about a resident
(docs/personal-data.md).
"""

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
    *_retention(),
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
    *_retention(),
    sqlite_autoincrement=True,
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
    sa.Column("view", sa.Text, nullable=False),
    sa.Column("members", sa.Text, nullable=False),  # JSON list; empty: all staff
    sa.Column("until", sa.Text),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Index("audience_form", "form"),
    sqlite_with_rowid=False,
)

# By what the person of a form is found again. Household members have ids, and rows once they have consents of their own.
persons = sa.Table(
    "persons",
    metadata,
    sa.Column("referral", sa.Text, primary_key=True),
    sa.Column("search_key", sa.Text, nullable=False, index=True),  # kana folded for search; never shown
    sa.Column("birth_date", sa.Text),
    sqlite_with_rowid=False,
)

# Projections of other services' events: what became of each document, who was told, who has it.
documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("case_number", sa.Text, nullable=False, index=True),
    sa.Column("form", sa.Text),
    sa.Column("kind", sa.Text),
    sa.Column("view", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("page", sa.Text),
    sa.Column("readers", sa.Text),  # JSON list of agencies
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
    sa.Column("document", sa.Text, nullable=False),
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
