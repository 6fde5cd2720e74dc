"""The tables of notify. No column holds anything a resident's form says: numbers, kinds, agencies, staff, moments.

Times are UTC microseconds, dates ISO text, flags 0 or 1.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

deliveries = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),  # UUIDv5 of document, version, agency and channel
    sa.Column("document_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),  # inbox | email
    sa.Column("state", sa.Text, nullable=False),  # waiting | sent | failed | withdrawn
    sa.Column("code", sa.Text, nullable=False),  # why it failed, or what to know about a sent one
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column(
        "settled", sa.Integer, nullable=False
    ),  # inbox: nothing is awaited (acknowledged, misdelivered, superseded)
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("view", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("case_number", sa.Text, nullable=False),
    sa.Column("page", sa.Text, nullable=False),  # address that opens the document
    sa.Column("urgency", sa.Text, nullable=False),
    sa.Column("reply_by", sa.Text, nullable=False),  # ISO date or empty
    sa.Column("support_meeting_only", sa.Integer, nullable=False),
    sa.Column("announced_at", sa.BigInteger, nullable=False),  # when documents published it
    sa.Column("ended_at", sa.BigInteger, nullable=True),  # when it was sent or given up
    sa.Column("document_revision", sa.Integer, nullable=False),  # of the event the row was last written from
    sa.Column("revision", sa.Integer, nullable=False),  # of the last event about this delivery
    sa.Column("withdrawn_at", sa.BigInteger, nullable=True),  # when the agency lost access; it has it again: empty
    sa.Column("superseded", sa.Integer, nullable=False, server_default="0"),  # there is a newer version
    sa.UniqueConstraint("document_id", "version", "agency", "channel", name="deliveries_once"),
    sa.Index("deliveries_inbox", "agency", "channel", "announced_at", "id"),
    sa.Index("deliveries_ended", "agency", "channel", "withdrawn_at"),
    sa.Index("deliveries_open", "agency", "channel", "state", "settled", "announced_at", "id"),
    sa.Index("deliveries_state", "state", "announced_at", "id"),
    sa.Index("deliveries_announced", "announced_at", "id"),
)

receipts = sa.Table(
    "receipts",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),  # UUIDv5 of document, version and agency: all channels share it
    sa.Column("document_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("opened_at", sa.BigInteger, nullable=True),  # the first opening, told by documents
    sa.Column("opened_name", sa.Text, nullable=False),
    sa.Column("acknowledged_at", sa.BigInteger, nullable=True),
    sa.Column("acknowledged_user", sa.Text, nullable=False),
    sa.Column("acknowledged_name", sa.Text, nullable=False),
    sa.Column("misdelivered_at", sa.BigInteger, nullable=True),
    sa.Column("misdelivered_user", sa.Text, nullable=False),
    sa.Column("misdelivered_name", sa.Text, nullable=False),
    sa.Column("misdelivered_code", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # of the last event about this receipt
    sa.UniqueConstraint("document_id", "version", "agency", name="receipts_once"),
)

# The last event that took a document from an agency; kept also of documents that nobody was told of yet.
cuts = sa.Table(
    "cuts",
    METADATA,
    sa.Column("document_id", sa.Text, primary_key=True),
    sa.Column("agency", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),  # of the document's events
    sa.Column("at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The newest version that is known to have replaced others.
newest_versions = sa.Table(
    "newest_versions",
    METADATA,
    sa.Column("document_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
