"""Which documents a form draws, in which projection, and who may read them. One table; rows are added, code is not."""

from __future__ import annotations

import uuid

import msgspec

from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind, View
from tsunagi_shared.contracts.events import (
    ASSESSMENT_SUBMITTED,
    CONSENT_GIVEN,
    EVALUATION_SUBMITTED,
    PLEDGE_GIVEN,
    REFERRAL_ANSWERED,
    REFERRAL_SUBMITTED,
)

REFERRAL_SHEET = "referral_sheet"
REFERRAL_REPLY = "referral_reply"
ASSESSMENT_SHEET = "assessment_sheet"
EVALUATION_SHEET = "evaluation_sheet"
CONSENT_FORM = "consent_form"
CONSENT_EVIDENCE = "consent_evidence"
PLEDGE = "pledge"
ASSESSMENT_DRAFT = "assessment_draft"  # a template: the assessment sheet as it is prefilled from a referral

# Fixed for good: with another namespace a redelivered event would draw second copies of every document there is.
DOCUMENT_NAMESPACE = uuid.UUID("5d0c3f0e-6f0b-5c0a-9f53-8b6d7a0e21c4")

# The first part of a form's name (`referral/<id>`), by the event that brings its content.
FORM_KINDS: dict[str, str] = {
    REFERRAL_SUBMITTED: "referral",
    REFERRAL_ANSWERED: "reply",
    CONSENT_GIVEN: "consent",
    ASSESSMENT_SUBMITTED: "assessment",
    EVALUATION_SUBMITTED: "evaluation",
    PLEDGE_GIVEN: "pledge",
}

FULL_BASES = (
    BasisKind.ORIGIN,
    BasisKind.PROVIDER,
    BasisKind.RESPONSIBLE_SECTION,
    BasisKind.SITTING,
    BasisKind.LEGAL_DUTY,
    BasisKind.EMERGENCY,
)
SUMMARY_BASES = (BasisKind.CONSENT,)


class DocumentKind(msgspec.Struct, frozen=True, kw_only=True):
    """One row: this form draws this document in this view, for entries of that view on one of these bases.

    `attached`: not drawn but handed in (a scan). It shows all there is, so that only entries read it from which nothing is
    kept back.
    """

    kind: str
    title: str  # never a resident's name
    event_type: str
    view: View = View.FULL
    bases: tuple[BasisKind, ...] = FULL_BASES
    provider_only: bool = False  # the multi-agency provider, on whatever basis it reads (it may have written the form)
    template: str = ""  # empty: named as the kind
    attached: bool = False

    @property
    def template_name(self) -> str:
        """The file in `word/` that draws it."""
        return self.template or self.kind


KINDS: tuple[DocumentKind, ...] = (
    DocumentKind(kind=REFERRAL_SHEET, title="共通様式（つなぎシート）", event_type=REFERRAL_SUBMITTED),
    DocumentKind(
        kind=REFERRAL_SHEET,
        title="共通様式（つなぎシート）概要版",
        event_type=REFERRAL_SUBMITTED,
        view=View.SUMMARY,
        bases=SUMMARY_BASES,
    ),
    DocumentKind(
        kind=ASSESSMENT_SHEET,
        title="アセスメントシート（下書き）",
        event_type=REFERRAL_SUBMITTED,
        provider_only=True,
        template=ASSESSMENT_DRAFT,
    ),
    DocumentKind(kind=REFERRAL_REPLY, title="つなぎ回答", event_type=REFERRAL_ANSWERED),
    DocumentKind(kind=CONSENT_FORM, title="個人情報共有同意書", event_type=CONSENT_GIVEN),
    DocumentKind(
        kind=CONSENT_EVIDENCE, title="個人情報共有同意書（原本の写し）", event_type=CONSENT_GIVEN, attached=True
    ),
    DocumentKind(kind=PLEDGE, title="守秘義務誓約書", event_type=PLEDGE_GIVEN),
    DocumentKind(kind=ASSESSMENT_SHEET, title="インテーク・アセスメントシート", event_type=ASSESSMENT_SUBMITTED),
    DocumentKind(
        kind=ASSESSMENT_SHEET,
        title="インテーク・アセスメントシート概要版",
        event_type=ASSESSMENT_SUBMITTED,
        view=View.SUMMARY,
        bases=SUMMARY_BASES,
    ),
    DocumentKind(kind=EVALUATION_SHEET, title="評価シート", event_type=EVALUATION_SUBMITTED),
)
_ROWS: dict[str, tuple[DocumentKind, ...]] = {
    form_kind: tuple(row for row in KINDS if row.event_type == event_type)
    for event_type, form_kind in FORM_KINDS.items()
}
ATTACHED = frozenset(row.kind for row in KINDS if row.attached)


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Who may get what comes of a form, with what decides which documents there are.

    `summaries`: whether the municipality wants a summary drawn for destinations.
    """

    entries: tuple[AudienceEntry, ...]
    support_meeting_only: bool = False
    provider: str = ""
    summaries: bool = True


class Planned(msgspec.Struct, frozen=True):
    """A document of a form: its projection, and the audience entries that may read it."""

    id: str
    row: DocumentKind
    entries: tuple[AudienceEntry, ...]
    hidden: tuple[str, ...] = ()  # persons not shown
    withheld: tuple[str, ...] = ()  # <person>:<field> not shown
    support_meeting_only: bool = False
    recipient: str = ""  # the agency of an own_* view


def documents_for(form: str, audience: Audience) -> tuple[Planned, ...]:
    """The documents of a form (`referral/<id>`), in the order of the table, one a projection. One that nobody may read is not
    made; a kind of form without a row draws nothing.

    A 支援会議限り form has no summary: it leaves the circle bound by the statutory duty in no shape.
    """
    planned = []
    for row in _ROWS.get(form.partition("/")[0], ()):
        if row.view is View.SUMMARY and (audience.support_meeting_only or not audience.summaries):
            continue
        found: dict[tuple[tuple[str, ...], tuple[str, ...]], list[AudienceEntry]] = {}
        for entry in audience.entries:
            if _reads(row, entry, audience.provider):
                projection = (tuple(sorted(entry.hidden)), tuple(sorted(entry.withheld)))
                found.setdefault(projection, []).append(entry)
        planned += [
            _planned(form, row, tuple(entries), hidden, withheld, audience.support_meeting_only)
            for (hidden, withheld), entries in found.items()
        ]
    return tuple(planned)


def _planned(
    form: str,
    row: DocumentKind,
    entries: tuple[AudienceEntry, ...],
    hidden: tuple[str, ...],
    withheld: tuple[str, ...],
    support_meeting_only: bool,
) -> Planned:
    only = support_meeting_only and not row.attached  # a scan is the same paper for everybody
    identity = document_id(form, row.kind, row.view, "", hidden, withheld, support_meeting_only=only)
    return Planned(identity, row, entries, hidden, withheld, only)


def _reads(row: DocumentKind, entry: AudienceEntry, provider: str) -> bool:
    if entry.view != row.view or entry.basis.kind not in row.bases:
        return False
    if row.attached and (entry.hidden or entry.withheld):
        return False
    if row.provider_only:
        return entry.basis.kind is BasisKind.PROVIDER or (bool(provider) and entry.agency == provider)
    return True


def row_of(event_type: str, kind: str, view: View) -> DocumentKind:
    """The row by which an event draws a kind in a view. LookupError when there is none."""
    for row in KINDS:
        if (row.event_type, row.kind, row.view) == (event_type, kind, view):
            return row
    raise LookupError(f"{event_type} draws no {kind} in the view {view}")


def document_id(
    form: str,
    kind: str,
    view: View,
    recipient: str = "",
    hidden: tuple[str, ...] = (),
    withheld: tuple[str, ...] = (),
    *,
    support_meeting_only: bool = False,
) -> str:
    """The id of the document of a form (`referral/<id>`), a kind and a projection.

    UUIDv5, so a redelivery gives the same. The order of `hidden` and `withheld` does not matter. A 支援会議限り paper is
    another one than the same without the mark.
    """
    parts: list[object] = [form, kind, view.value, recipient, sorted(hidden), sorted(withheld)]
    if support_meeting_only:
        parts.append("support_meeting_only")
    return str(uuid.uuid5(DOCUMENT_NAMESPACE, msgspec.json.encode(parts).decode()))
