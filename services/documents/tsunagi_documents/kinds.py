"""Which documents an event draws, in which view, and who may read them. One table; rows are added, code is not."""

from __future__ import annotations

import uuid

import msgspec

from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind, View
from tsunagi_shared.contracts.events import REFERRAL_SUBMITTED, ReferralSubmitted

REFERRAL_SHEET = "referral_sheet"
ASSESSMENT_SHEET = "assessment_sheet"

# Fixed for good: with another namespace a redelivered event would draw second copies of every document there is.
DOCUMENT_NAMESPACE = uuid.UUID("5d0c3f0e-6f0b-5c0a-9f53-8b6d7a0e21c4")


class DocumentKind(msgspec.Struct, frozen=True):
    """One row: this event draws this document in this view, for entries of that view on one of these bases."""

    kind: str
    title: str  # never a resident's name
    event_type: str
    view: View
    bases: tuple[BasisKind, ...]
    provider_only: bool = False  # the multi-agency provider, on whatever basis it reads (it may have written the form)


KINDS: tuple[DocumentKind, ...] = (
    DocumentKind(
        REFERRAL_SHEET,
        "共通様式（つなぎシート）",
        REFERRAL_SUBMITTED,
        View.FULL,
        (
            BasisKind.ORIGIN,
            BasisKind.PROVIDER,
            BasisKind.RESPONSIBLE_SECTION,
            BasisKind.SITTING,
            BasisKind.LEGAL_DUTY,
            BasisKind.EMERGENCY,
        ),
    ),
    DocumentKind(
        REFERRAL_SHEET, "共通様式（つなぎシート）概要版", REFERRAL_SUBMITTED, View.SUMMARY, (BasisKind.CONSENT,)
    ),
    DocumentKind(
        ASSESSMENT_SHEET,
        "アセスメントシート（下書き）",
        REFERRAL_SUBMITTED,
        View.FULL,
        (BasisKind.ORIGIN, BasisKind.PROVIDER, BasisKind.RESPONSIBLE_SECTION, BasisKind.SITTING),
        provider_only=True,
    ),
)


class Planned(msgspec.Struct, frozen=True):
    """A document to be made: its projection, and the audience entries that may read it."""

    kind: str
    view: View
    title: str
    entries: tuple[AudienceEntry, ...]
    hidden: tuple[str, ...] = ()  # persons not shown
    withheld: tuple[str, ...] = ()  # fields not shown
    recipient: str = ""  # the agency of an own_* view


def documents_for(event: ReferralSubmitted) -> tuple[Planned, ...]:
    """The documents the event draws, in the order of the table. One that nobody may read is not made.

    A 支援会議限り form has no summary: it leaves the circle bound by the statutory duty in no shape.
    """
    planned = []
    for row in KINDS:
        if row.event_type != REFERRAL_SUBMITTED or not _drawn(row, event):
            continue
        entries = tuple(entry for entry in event.audience if _reads(row, entry, event))
        if entries:
            planned.append(Planned(kind=row.kind, view=row.view, title=row.title, entries=entries))
    return tuple(planned)


def _drawn(row: DocumentKind, event: ReferralSubmitted) -> bool:
    if row.view is View.SUMMARY:
        return event.summary_to_destinations and not event.support_meeting_only
    return True


def _reads(row: DocumentKind, entry: AudienceEntry, event: ReferralSubmitted) -> bool:
    if entry.view != row.view or entry.basis.kind not in row.bases:
        return False
    if row.provider_only:
        return entry.basis.kind is BasisKind.PROVIDER or (bool(event.provider) and entry.agency == event.provider)
    return True


def document_id(
    form: str,
    kind: str,
    view: View,
    recipient: str = "",
    hidden: tuple[str, ...] = (),
    withheld: tuple[str, ...] = (),
) -> str:
    """The id of the document of a form (`referral/<id>`), a kind and a projection.

    UUIDv5, so a redelivery gives the same. The order of `hidden` and `withheld` does not matter.
    """
    name = msgspec.json.encode([form, kind, view.value, recipient, sorted(hidden), sorted(withheld)])
    return str(uuid.uuid5(DOCUMENT_NAMESPACE, name.decode()))
