"""What a sheet's template may see: plain text, lists and flags, cut to the projection before any template runs."""

from __future__ import annotations

from collections.abc import Collection

from tsunagi_documents.engine import Context
from tsunagi_documents.sheets_records import (
    assessment_context,
    consent_context,
    evaluation_context,
    pledge_context,
    reply_context,
)
from tsunagi_documents.sheets_referral import referral_context
from tsunagi_documents.sheets_withholding import Cut
from tsunagi_documents.sheets_wording import HANDLE_WITH_CARE, SUPPORT_MEETING_ONLY
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import (
    AssessmentSubmitted,
    ConsentGiven,
    EvaluationSubmitted,
    PledgeGiven,
    ReferralAnswered,
    ReferralSubmitted,
)

SheetData = (
    ReferralSubmitted | ReferralAnswered | ConsentGiven | PledgeGiven | AssessmentSubmitted | EvaluationSubmitted
)


def sheet_marks(support_meeting_only: bool) -> tuple[str, ...]:
    """The marks the engine puts on every page."""
    return (HANDLE_WITH_CARE, SUPPORT_MEETING_ONLY) if support_meeting_only else (HANDLE_WITH_CARE,)


def sheet_context(
    data: SheetData,
    kind: str,
    view: View,
    hidden: Collection[str],
    withheld: Collection[str],
    support_meeting_only: bool,
) -> Context:
    """The values of one sheet in one projection.

    `hidden`: ids of persons; `withheld`: `<person>:<field>`; both in the ids that `data.persons` uses. What a projection leaves
    out is replaced by 「（非開示）」 here, and taken out of the other texts where it stands there word for word. LookupError
    for a view that has no sheet.
    """
    full_only = not isinstance(data, ReferralSubmitted | AssessmentSubmitted)
    if view is not View.FULL and (full_only or view is not View.SUMMARY):
        raise LookupError(f"{kind} has no view {view.value}")
    cut = Cut(view, frozenset(hidden), frozenset(withheld))
    match data:
        case ReferralSubmitted():
            return referral_context(data, kind, cut, support_meeting_only)
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
