"""Every event of the suite: its type, its data, who publishes it and who reads it.

Fields are only ever added, with defaults; a changed meaning is a new version (`.v2`). Consumers ignore unknown fields.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from tsunagi_shared.contracts.audience import AudienceEntry, View
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.forms.referral import Referral


class Retention(msgspec.Struct, frozen=True):
    """How long the record is kept: its class (profile), when the case was completed, and whether a hold stops disposal."""

    retention_class: str
    completed_on: dt.date | None = None
    legal_hold: bool = False


class Staff(msgspec.Struct, frozen=True):
    """A member of staff as the papers name them: user id, name, and the agency they acted for (id and name)."""

    user: str
    name: str
    agency: str
    agency_name: str


class ReferralSubmitted(msgspec.Struct, frozen=True, kw_only=True):
    """A shared referral form was accepted. Carries everything its documents print (one event draws its documents)."""

    referral_id: str
    revision: int
    referral_number: str
    case_number: str
    received_at: dt.datetime
    submitted_by: Staff
    form: Referral
    destination_names: tuple[str, ...]
    audience: tuple[AudienceEntry, ...]
    audience_revision: int = 1
    persons: tuple[str, ...] = ()  # ids of the persons the form shows; names are in the form only
    support_meeting_only: bool = False  # 支援会議限り: no consent, so only members bound by the statutory duty
    summary_to_destinations: bool = True
    provider: str = ""
    provider_name: str = ""
    municipality_name: str = ""
    consent_agency_names: tuple[str, ...] = ()  # of form.consent.agencies, in their order
    local_labels: dict[str, str] = {}  # what the profile calls the fields of form.local
    retention: Retention


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


class DeliverySent(msgspec.Struct, frozen=True, kw_only=True):
    """A notice left on a channel (inbox: it is there to be read; email: the mail server took it)."""

    delivery_id: str
    document_id: str
    version: int
    case_number: str
    agency: str
    channel: str
    attempt: int
    at: dt.datetime


class DeliveryFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A notice will not be tried again on this channel; `code` says why."""

    delivery_id: str
    document_id: str
    version: int
    case_number: str
    agency: str
    channel: str
    attempt: int
    code: str
    at: dt.datetime


class DocumentAcknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """A named person of the agency said: received."""

    delivery_id: str
    document_id: str
    version: int
    case_number: str
    agency: str
    user: str
    user_name: str
    at: dt.datetime


class DocumentMisdelivered(msgspec.Struct, frozen=True, kw_only=True):
    """A named person of the agency said: this should not have come to us. `code`, never free text."""

    delivery_id: str
    document_id: str
    version: int
    case_number: str
    agency: str
    user: str
    user_name: str
    code: str  # not_ours | no_longer_in_charge | contract_ended
    at: dt.datetime


DataType = type[msgspec.Struct]


class EventType(msgspec.Struct, frozen=True):
    """One row of the table of events."""

    type: str
    data: DataType
    readers: tuple[str, ...]

    @property
    def publisher(self) -> str:
        return self.type.split(".", 1)[0]

    @property
    def stream(self) -> str:
        return stream_of(self.type).name


REFERRAL_SUBMITTED = "intake.referral.submitted.v1"
DOCUMENT_CREATED = "documents.document.created.v1"
FILE_ADDED = "documents.file.added.v1"
DOCUMENT_FAILED = "documents.document.failed.v1"
DOCUMENT_OPENED = "documents.document.opened.v1"
DELIVERY_SENT = "notify.delivery.sent.v1"
DELIVERY_FAILED = "notify.delivery.failed.v1"
DOCUMENT_ACKNOWLEDGED = "notify.document.acknowledged.v1"
DOCUMENT_MISDELIVERED = "notify.document.misdelivered.v1"

EVENTS: dict[str, EventType] = {
    row.type: row
    for row in (
        EventType(REFERRAL_SUBMITTED, ReferralSubmitted, ("documents",)),
        EventType(DOCUMENT_CREATED, DocumentCreated, ("intake", "notify")),
        EventType(FILE_ADDED, FileAdded, ("intake",)),
        EventType(DOCUMENT_FAILED, DocumentFailed, ("intake",)),
        EventType(DOCUMENT_OPENED, DocumentOpened, ("intake", "notify")),
        EventType(DELIVERY_SENT, DeliverySent, ("intake",)),
        EventType(DELIVERY_FAILED, DeliveryFailed, ("intake",)),
        EventType(DOCUMENT_ACKNOWLEDGED, DocumentAcknowledged, ("intake",)),
        EventType(DOCUMENT_MISDELIVERED, DocumentMisdelivered, ("intake",)),
    )
}
