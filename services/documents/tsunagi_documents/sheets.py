"""What a sheet's template may see: plain text, lists and flags, cut to the projection before any template runs."""

from __future__ import annotations

from collections.abc import Collection

from tsunagi_documents.engine import Context
from tsunagi_documents.kinds import (
    MINUTES_LAYERED,
    MINUTES_SUPPORT,
    PLAN_TEMPLATES,
    SUPPORT_REQUEST,
    DocumentKind,
)
from tsunagi_documents.sheets_meetings import minutes_context, notice_context
from tsunagi_documents.sheets_plans import plan_context, support_request_context
from tsunagi_documents.sheets_records import (
    assessment_context,
    consent_context,
    evaluation_context,
    pledge_context,
    reply_context,
)
from tsunagi_documents.sheets_referral import referral_context
from tsunagi_documents.sheets_report import annual_report_context
from tsunagi_documents.sheets_requests import contact_log_context, information_request_context
from tsunagi_documents.sheets_withholding import Cut
from tsunagi_documents.sheets_wording import HANDLE_WITH_CARE, SUPPORT_MEETING_ONLY
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import (
    AssessmentSubmitted,
    ConsentGiven,
    ContactLogIssued,
    EvaluationSubmitted,
    FormRecorded,
    InformationRequested,
    MeetingConvened,
    MeetingRecorded,
    PlanRecorded,
    PledgeGiven,
    ReferralAnswered,
    ReferralSubmitted,
    ReportIssued,
)
from tsunagi_shared.contracts.profile_codes import LegalRole

SheetData = ReferralSubmitted | FormRecorded


def sheet_marks(support_meeting_only: bool) -> tuple[str, ...]:
    """The marks the engine puts on every page."""
    return (HANDLE_WITH_CARE, SUPPORT_MEETING_ONLY) if support_meeting_only else (HANDLE_WITH_CARE,)


def template_name(row: DocumentKind, data: SheetData) -> str:
    """The template of `row.template_names` that draws what was written: a plan's by its kind, minutes by the item's role."""
    name = row.template_names[0]
    if isinstance(data, PlanRecorded) and row.kind != SUPPORT_REQUEST:
        name = PLAN_TEMPLATES[data.form.kind]
    elif isinstance(data, MeetingRecorded):
        name = MINUTES_SUPPORT if data.legal_role is LegalRole.SUPPORT_MEETING else MINUTES_LAYERED
    return name


def sheet_context(
    data: SheetData,
    kind: str,
    view: View,
    hidden: Collection[str],
    withheld: Collection[str],
    support_meeting_only: bool,
    recipient: str = "",
) -> Context:
    """The values of one sheet in one projection.

    `hidden`: ids of persons; `withheld`: `<person>:<field>`; both in the ids that `data.persons` uses. `recipient`: the agency
    of an own_* view. What a projection leaves out is replaced by 「（非開示）」 here, and taken out of the other texts where it
    stands there word for word. LookupError for a view that has no sheet.
    """
    if view not in _views(data, kind):
        raise LookupError(f"{kind} has no view {view.value}")
    cut = Cut(view, frozenset(hidden), frozenset(withheld), recipient)
    if isinstance(data, ReferralSubmitted):
        return referral_context(data, kind, cut, support_meeting_only)
    return _recorded_context(data, kind, cut, support_meeting_only)


def _views(data: SheetData, kind: str) -> tuple[View, ...]:
    match data:
        case ReferralSubmitted() | AssessmentSubmitted():
            return (View.FULL, View.SUMMARY)
        case PlanRecorded():
            return (View.OWN_ALLOCATION,) if kind == SUPPORT_REQUEST else (View.FULL,)
        case MeetingConvened() | MeetingRecorded():
            return (View.FULL, View.OWN_ITEM)
        case _:
            return (View.FULL,)


def _recorded_context(data: FormRecorded, kind: str, cut: Cut, support_meeting_only: bool) -> Context:
    match data:
        case AssessmentSubmitted():
            return assessment_context(data, cut, support_meeting_only)
        case ReferralAnswered():
            return reply_context(data, cut, support_meeting_only)
        case ConsentGiven():
            return consent_context(data, cut, support_meeting_only)
        case EvaluationSubmitted():
            return evaluation_context(data, cut, support_meeting_only)
        case PledgeGiven():
            return pledge_context(data, cut, support_meeting_only)
        case PlanRecorded():
            draw = support_request_context if kind == SUPPORT_REQUEST else plan_context
            return draw(data, cut, support_meeting_only)
        case MeetingConvened():
            return notice_context(data, cut, support_meeting_only)
        case MeetingRecorded():
            return minutes_context(data, cut, support_meeting_only)
        case InformationRequested():
            return information_request_context(data, cut, support_meeting_only)
        case ContactLogIssued():
            return contact_log_context(data, cut, support_meeting_only)
        case ReportIssued():
            return annual_report_context(data, cut, support_meeting_only)
    raise LookupError(f"{type(data).__name__} has no sheet")
