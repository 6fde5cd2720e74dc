"""What documents remembers: forms, documents, who may read them, versions, files, and who opened what.

Times are UTC microseconds, dates ISO text, flags 0 or 1. What a form says is in none of these tables: it is in the event, in
the render job until that is done, and in the files of the bucket.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

PENDING, STORED, FAILED = "pending", "stored", "failed"
LIVE = "live"
UNKNOWN_AGENCY = "unknown-agency"
ALL_STAFF = ""  # an access row without a member

# The highest revisions seen of each form: content and audience each keep their newest, in whatever order they come.
forms = sa.Table(
    "forms",
    METADATA,
    sa.Column("form", sa.Text, primary_key=True),  # referral/<id>
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("audience_revision", sa.Integer, nullable=False),
    sa.Column("audience_form_revision", sa.Integer, nullable=False),  # the revision that the audience came with
    sqlite_with_rowid=False,
)

documents = sa.Table(
    "documents",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("form", sa.Text, nullable=False),
    sa.Column("form_revision", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("view", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False),  # 文書番号: the number of the form
    sa.Column("case_number", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("hidden", sa.Text, nullable=False),  # JSON list of persons
    sa.Column("withheld", sa.Text, nullable=False),  # JSON list of fields
    sa.Column("persons", sa.Text, nullable=False),  # JSON list of ids
    sa.Column("planned", sa.Integer, nullable=False),  # 1: the newest audience lets somebody read it
    sa.Column("state", sa.Text, nullable=False),  # pending | stored | failed
    sa.Column("code", sa.Text, nullable=False),  # why it failed
    sa.Column("version", sa.Integer, nullable=False),  # of the newest form revision; not there before `stored`
    sa.Column("support_meeting_only", sa.Integer, nullable=False),
    sa.Column("urgency", sa.Text, nullable=False),
    sa.Column("reply_by", sa.Text),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("retention_class", sa.Text, nullable=False),
    sa.Column("completed_on", sa.Text),
    sa.Column("legal_hold", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # of the events about this document
    sa.Column(
        "chain_key", sa.LargeBinary
    ),  # random, deleted with the document; what is left then proves and leaks nothing
    sa.Index("documents_form", "form"),
    sa.Index("documents_case", "case_number", "received_at", "id"),
)

# One row per agency, member and basis. A read is allowed by any row that is live on its day.
access = sa.Table(
    "access",
    METADATA,
    sa.Column("document_id", sa.Text, sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("agency", sa.Text, primary_key=True),
    sa.Column("member", sa.Text, primary_key=True),  # "": all staff of the agency
    sa.Column("basis_kind", sa.Text, primary_key=True),
    sa.Column("basis_ref", sa.Text, primary_key=True),
    sa.Column("view", sa.Text, nullable=False),
    sa.Column("until", sa.Text),  # a Japanese date, inclusive
    sa.Column("revision", sa.Integer, nullable=False),  # of the audience
    sa.Column("state", sa.Text, nullable=False),  # live | failed
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),  # of the document: the order of an agency's list
    sa.Index("access_agency", "agency", "received_at", "document_id"),
    sqlite_with_rowid=False,
)

versions = sa.Table(
    "versions",
    METADATA,
    sa.Column("document_id", sa.Text, sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("form_revision", sa.Integer, nullable=False),
    sa.Column("template_sha256", sa.Text, nullable=False),
    sa.Column("data_sha256", sa.Text, nullable=False),
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("previous", sa.LargeBinary, nullable=False),  # the chain value of the version before; empty for the first
    sa.Column("chain", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

files = sa.Table(
    "files",
    METADATA,
    sa.Column("document_id", sa.Text, sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("format", sa.Text, primary_key=True),  # docx | pdf
    sa.Column("state", sa.Text, nullable=False),  # pending | stored | failed
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # "" until stored
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("made_at", sa.BigInteger),
    sqlite_with_rowid=False,
)

# The first opening of each version by each person, per agency they acted for.
openings = sa.Table(
    "openings",
    METADATA,
    sa.Column("document_id", sa.Text, sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("agency", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("opened_at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
