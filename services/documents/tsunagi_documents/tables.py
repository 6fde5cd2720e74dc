"""What documents remembers: forms, documents, who may read them, versions, files, and who opened what.

Times are UTC microseconds, dates ISO text, flags 0 or 1. What a form says is in none of these tables: it is in the event, in
the render job until that is done, and in the files of the bucket.
"""

from __future__ import annotations

from typing import NamedTuple

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
    sa.Column("audience_at", sa.BigInteger, nullable=False, server_default="0"),  # when intake last said so
    sa.Column("content_at", sa.BigInteger, nullable=False, server_default="0"),  # when intake last sent the content
    sa.Column("case_number", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column(
        "persons", sa.Text, nullable=False, server_default="[]"
    ),  # JSON list of ids in the order of the form, the subject first
    sa.Column("support_meeting_only", sa.Integer, nullable=False, server_default="0"),
    sa.Column("provider", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column(
        "summaries", sa.Integer, nullable=False, server_default="1"
    ),  # 1: a summary is drawn for those who have one in the audience
    sa.Index("forms_case", "case_number"),
    sqlite_with_rowid=False,
)

# The newest audience of each form as intake published it. `access` is derived from it (closing.py).
audience = sa.Table(
    "audience",
    METADATA,
    sa.Column("form", sa.Text, primary_key=True),
    sa.Column("agency", sa.Text, primary_key=True),
    sa.Column("basis_kind", sa.Text, primary_key=True),
    sa.Column("basis_ref", sa.Text, primary_key=True),
    sa.Column("view", sa.Text, primary_key=True),
    sa.Column("law", sa.Text, nullable=False),
    sa.Column("members", sa.Text, nullable=False),  # JSON list; empty: all staff
    sa.Column("until", sa.Text),
    sa.Column("hidden", sa.Text, nullable=False),  # JSON list of persons
    sa.Column("withheld", sa.Text, nullable=False),  # JSON list of <person>:<field>
    sa.Index("audience_basis", "basis_ref"),
    sqlite_with_rowid=False,
)

# What closes documents by itself, whatever an older audience says. Each is kept for good, so that what comes late stays closed.
ended = sa.Table(
    "ended",
    METADATA,
    sa.Column("basis_ref", sa.Text, primary_key=True),  # consent/<id>
    sa.Column("agency", sa.Text, primary_key=True),  # "": for every agency
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("case_number", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),  # a later audience that names this basis was given anew
    sa.Index("ended_case", "case_number"),
    sa.Index("ended_at", "at"),
    sqlite_with_rowid=False,
)
protections = sa.Table(
    "protections",
    METADATA,
    sa.Column("case_number", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("withheld", sa.Text, nullable=False),  # JSON list of <person>:<field>
    sa.Column("cleared", sa.Text, nullable=False),  # JSON: <person>:<field> → agencies
    sqlite_with_rowid=False,
)
withdrawn = sa.Table(
    "withdrawn",
    METADATA,
    sa.Column("form", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, nullable=False),  # withdrawn | misdirected
    sa.Column("keep", sa.Text, nullable=False),  # JSON list of agencies that may read still
    sa.Column("at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
erased = sa.Table(
    "erased",
    METADATA,
    sa.Column("form", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What is left of an erased document: that it was there. `chain`: of its last version; its key is gone.
tombstones = sa.Table(
    "tombstones",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("versions", sa.Integer, nullable=False),
    sa.Column("chain", sa.LargeBinary),
    sa.Column("erased_at", sa.BigInteger, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# Access cut by hand (`tsunagi-documents block`), looked at on every read.
blocks = sa.Table(
    "blocks",
    METADATA,
    sa.Column("scope", sa.Text, primary_key=True),  # case | person | document
    sa.Column("ref", sa.Text, primary_key=True),  # a case number, a person's or a document's id
    sa.Column("at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Two ids of one person, as intake said at some time, each way round and kept for good: whoever is cut by hand stays cut,
# by whatever id the papers name them now.
aliases = sa.Table(
    "aliases",
    METADATA,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("other", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)

# Small facts that must outlive a restart. `watermark`: consents are known up to then (UTC microseconds).
facts = sa.Table(
    "facts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
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
    sa.Column("persons", sa.Text, nullable=False),  # JSON list of ids, as the form's
    sa.Column(
        "planned", sa.Integer, nullable=False
    ),  # 1: the newest audience has somebody for it, and it is of the newest form
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

# One row per agency, member and basis, derived from the audience, from what closes, and from the documents there are. A read
# is allowed by any row that is live on its day.
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


class FormRow(NamedTuple):
    """A row of `forms`."""

    form: str
    revision: int
    audience_revision: int
    audience_form_revision: int
    audience_at: int
    content_at: int
    case_number: str
    persons: str
    support_meeting_only: int
    provider: str
    summaries: int


class DocumentRow(NamedTuple):
    """A row of `documents`."""

    id: str
    form: str
    form_revision: int
    kind: str
    view: str
    title: str
    number: str
    case_number: str
    recipient: str
    hidden: str
    withheld: str
    persons: str
    planned: int
    state: str
    code: str
    version: int
    support_meeting_only: int
    urgency: str
    reply_by: str | None
    received_at: int
    retention_class: str
    completed_on: str | None
    legal_hold: int
    revision: int
    chain_key: bytes | None


class AccessRow(NamedTuple):
    """A row of `access`. The first five are its key, so that rows sort without comparing the others."""

    document_id: str
    agency: str
    member: str
    basis_kind: str
    basis_ref: str
    view: str
    until: str | None
    revision: int
    state: str
    code: str
    received_at: int


for _row, _table in ((FormRow, forms), (DocumentRow, documents), (AccessRow, access)):
    assert _row._fields == tuple(_table.columns.keys()), _table.name
