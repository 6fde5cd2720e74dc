"""Which documents a form draws, in which projection, and who may read them. One table; rows are added, code is not."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import msgspec

from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind, View
from tsunagi_shared.contracts.events import (
    ASSESSMENT_SUBMITTED,
    CONSENT_GIVEN,
    CONTACT_LOG_ISSUED,
    EVALUATION_SUBMITTED,
    INFORMATION_REQUESTED,
    MEETING_CONVENED,
    MEETING_RECORDED,
    PLAN_DECIDED,
    PLAN_PROPOSED,
    PLEDGE_GIVEN,
    REFERRAL_ANSWERED,
    REFERRAL_SUBMITTED,
    REPORT_ISSUED,
)
from tsunagi_shared.forms.plan import PlanKind

REFERRAL_SHEET = "referral_sheet"
REFERRAL_REPLY = "referral_reply"
ASSESSMENT_SHEET = "assessment_sheet"
EVALUATION_SHEET = "evaluation_sheet"
CONSENT_FORM = "consent_form"
CONSENT_EVIDENCE = "consent_evidence"
PLEDGE = "pledge"
PLAN = "plan"
SUPPORT_REQUEST = "support_request"
MEETING_NOTICE = "meeting_notice"
MINUTES = "minutes"
INFORMATION_REQUEST = "information_request"
CONTACT_LOG = "contact_log"
ANNUAL_REPORT = "annual_report"
ASSESSMENT_DRAFT = "assessment_draft"  # a template: the assessment sheet as it is prefilled from a referral
PLAN_TEMPLATES = {
    PlanKind.MULTI_AGENCY: "plan_multi_agency",
    PlanKind.PARTICIPATION: "plan_participation",
    PlanKind.OUTREACH: "plan_outreach",
}
MINUTES_LAYERED, MINUTES_SUPPORT = "minutes_layered", "minutes_support"

# Fixed for good: with another namespace a redelivered event would draw second copies of every document there is.
DOCUMENT_NAMESPACE = uuid.UUID("5d0c3f0e-6f0b-5c0a-9f53-8b6d7a0e21c4")

# The first part of a form's name (`referral/<id>`), by the event that brings its content. Both events of a plan bring the
# same form: 案 and 決定 are versions of one document.
FORM_KINDS: dict[str, str] = {
    REFERRAL_SUBMITTED: "referral",
    REFERRAL_ANSWERED: "reply",
    CONSENT_GIVEN: "consent",
    ASSESSMENT_SUBMITTED: "assessment",
    EVALUATION_SUBMITTED: "evaluation",
    PLEDGE_GIVEN: "pledge",
    PLAN_PROPOSED: "plan",
    PLAN_DECIDED: "plan",
    MEETING_CONVENED: "meeting",
    MEETING_RECORDED: "minutes",
    INFORMATION_REQUESTED: "information_request",
    CONTACT_LOG_ISSUED: "contact_log",
    REPORT_ISSUED: "report",
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
ALL_BASES = tuple(BasisKind)
OWN_VIEWS = (View.OWN_ALLOCATION, View.OWN_ITEM)  # one document for each agency


class DocumentKind(msgspec.Struct, frozen=True, kw_only=True):
    """One row: this form draws this document in this view, for entries of that view on one of these bases.

    `attached`: not drawn but handed in (a scan). It shows all there is, so that only entries read it from which nothing is
    kept back. `templates`: where what was written decides between several. `asks`: it asks its readers for an answer by the
    day that the form names.
    """

    kind: str
    title: str  # never a resident's name
    event_type: str
    view: View = View.FULL
    bases: tuple[BasisKind, ...] = FULL_BASES
    provider_only: bool = False  # the multi-agency provider, on whatever basis it reads (it may have written the form)
    templates: tuple[str, ...] = ()  # files in `word/`; none: one that is named as the kind
    attached: bool = False
    asks: bool = True

    @property
    def template_names(self) -> tuple[str, ...]:
        """The files in `word/` that may draw it."""
        return self.templates or (self.kind,)


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
        templates=(ASSESSMENT_DRAFT,),
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
    DocumentKind(kind=PLAN, title="プラン（案）", event_type=PLAN_PROPOSED, templates=tuple(PLAN_TEMPLATES.values())),
    DocumentKind(kind=PLAN, title="プラン", event_type=PLAN_DECIDED, templates=tuple(PLAN_TEMPLATES.values())),
    DocumentKind(
        kind=SUPPORT_REQUEST,
        title="支援依頼書",
        event_type=PLAN_DECIDED,
        view=View.OWN_ALLOCATION,
        bases=ALL_BASES,
    ),
    DocumentKind(
        kind=MEETING_NOTICE, title="招集通知", event_type=MEETING_CONVENED, view=View.OWN_ITEM, bases=ALL_BASES
    ),
    DocumentKind(
        kind=MEETING_NOTICE, title="招集通知（控え）", event_type=MEETING_CONVENED, bases=ALL_BASES, asks=False
    ),
    DocumentKind(
        kind=MINUTES, title="会議録", event_type=MEETING_RECORDED, templates=(MINUTES_LAYERED, MINUTES_SUPPORT)
    ),
    DocumentKind(
        kind=MINUTES,
        title="会議録（自機関の議題）",
        event_type=MEETING_RECORDED,
        view=View.OWN_ITEM,
        bases=ALL_BASES,
        templates=(MINUTES_LAYERED, MINUTES_SUPPORT),
    ),
    DocumentKind(kind=INFORMATION_REQUEST, title="情報提供依頼書", event_type=INFORMATION_REQUESTED, bases=ALL_BASES),
    DocumentKind(kind=CONTACT_LOG, title="支援経過記録", event_type=CONTACT_LOG_ISSUED),
    DocumentKind(kind=ANNUAL_REPORT, title="実績報告書", event_type=REPORT_ISSUED),
)


def _rows_of(form_kind: str) -> tuple[DocumentKind, ...]:
    """One row for each kind and view, whichever event of the form draws it."""
    rows: dict[tuple[str, View], DocumentKind] = {}
    for row in KINDS:
        if FORM_KINDS[row.event_type] == form_kind:
            rows.setdefault((row.kind, row.view), row)
    return tuple(rows.values())


_ROWS = {form_kind: _rows_of(form_kind) for form_kind in dict.fromkeys(FORM_KINDS.values())}
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
        found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[AudienceEntry]] = {}
        for entry in audience.entries:
            if _reads(row, entry, audience.provider):
                recipient = entry.agency if row.view in OWN_VIEWS else ""
                projection = (recipient, tuple(sorted(entry.hidden)), tuple(sorted(entry.withheld)))
                found.setdefault(projection, []).append(entry)
        planned += [
            _planned(form, row, tuple(entries), projection, audience.support_meeting_only)
            for projection, entries in found.items()
        ]
    return tuple(planned)


def drawn_by(event_type: str, plans: Iterable[Planned]) -> tuple[Planned, ...]:
    """Those of a form's documents that this event draws, each with its row: not what is handed in, nor what another event
    of the form draws."""
    found = {(row.kind, row.view): row for row in KINDS if row.event_type == event_type and not row.attached}
    return tuple(
        msgspec.structs.replace(plan, row=found[plan.row.kind, plan.row.view])
        for plan in plans
        if (plan.row.kind, plan.row.view) in found
    )


def _planned(
    form: str,
    row: DocumentKind,
    entries: tuple[AudienceEntry, ...],
    projection: tuple[str, tuple[str, ...], tuple[str, ...]],
    support_meeting_only: bool,
) -> Planned:
    recipient, hidden, withheld = projection
    only = support_meeting_only and not row.attached  # a scan is the same paper for everybody
    identity = document_id(form, row.kind, row.view, recipient, hidden, withheld, support_meeting_only=only)
    return Planned(identity, row, entries, hidden, withheld, only, recipient)


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
