"""What the events of documents carry: which agencies to tell, nothing of persons or reasons."""

from __future__ import annotations

import datetime as dt

import msgspec

from tsunagi_shared.contracts.audience import View


class StoredFile(msgspec.Struct, frozen=True):
    """A file in the bucket: what it weighs and its hash. The key stays inside documents."""

    format: str  # docx | pdf
    sha256: str
    bytes: int


class DocumentCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a document is stored. Tells notify which agencies to tell, and nothing of persons or reasons."""

    document_id: str
    version: int
    kind: str
    view: View
    title: str  # the kind's name; never a resident's
    case_number: str
    form: str  # `referral/<id>`
    word: StoredFile
    page: str  # address that opens the current version, after sign-in
    tell: tuple[str, ...]  # agencies
    readers: tuple[str, ...] = ()  # agencies that may open it: those told, and the origin; pages offer it to them alone
    urgency: str = "normal"
    reply_by: dt.date | None = None
    support_meeting_only: bool = False
    pdf_expected: bool = True


class FileAdded(msgspec.Struct, frozen=True, kw_only=True):
    """A further format of a stored version (the PDF) is there."""

    document_id: str
    version: int
    case_number: str
    file: StoredFile


class DocumentFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A document (or one format of it) could not be made; `code` says why. It waits for a person to ask again."""

    document_id: str
    version: int
    kind: str
    view: View
    title: str
    case_number: str
    form: str
    code: str
    format: str = "docx"


class DocumentShared(msgspec.Struct, frozen=True, kw_only=True):
    """A stored document may be read by further agencies: they are told of it. Everybody told before stays told."""

    document_id: str
    version: int
    kind: str
    view: View
    title: str
    case_number: str
    form: str
    page: str
    tell: tuple[str, ...]  # the agencies gained
    readers: tuple[str, ...] = ()  # all that may read now
    urgency: str = "normal"
    reply_by: dt.date | None = None
    support_meeting_only: bool = False


class DocumentWithdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """Agencies may no longer read a document: their reminders stop. `code` says why, in one word."""

    document_id: str
    version: int
    case_number: str
    agencies: tuple[str, ...]  # cut by this change
    readers: tuple[str, ...] = ()  # that may read still
    code: str  # audience_changed | consent_withdrawn | protection | record_withdrawn | erased | blocked
    at: dt.datetime


class DocumentSuperseded(msgspec.Struct, frozen=True, kw_only=True):
    """A newer version took this one's place; the older says 旧版."""

    document_id: str
    version: int
    by_version: int
    case_number: str
    at: dt.datetime


class DocumentOpened(msgspec.Struct, frozen=True, kw_only=True):
    """A person opened a version for the first time. Once per version and user."""

    document_id: str
    version: int
    case_number: str
    agency: str
    user: str
    user_name: str
    format: str
    opened_at: dt.datetime
