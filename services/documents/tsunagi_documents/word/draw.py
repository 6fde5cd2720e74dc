"""Draws the packaged sheets: `python -m tsunagi_documents.word.draw` writes the .docx files beside this script.

A test compares the stored files with what this script draws. The tags name what `tsunagi_documents.sheets` provides.
"""

from __future__ import annotations

from pathlib import Path

from tsunagi_documents.word.draw_agreements import consent_form, pledge, referral_reply
from tsunagi_documents.word.draw_assessment import assessment_sheet, evaluation_sheet
from tsunagi_documents.word.draw_draft import assessment_draft
from tsunagi_documents.word.draw_meetings import meeting_notice, minutes_layered, minutes_support
from tsunagi_documents.word.draw_plans import plan_multi_agency, plan_outreach, plan_participation, support_request
from tsunagi_documents.word.draw_referral import referral_sheet
from tsunagi_documents.word.draw_report import annual_report
from tsunagi_documents.word.draw_requests import contact_log, information_request

FOLDER = Path(__file__).parent
SHEETS = {
    "referral_sheet.docx": referral_sheet,
    "assessment_draft.docx": assessment_draft,
    "referral_reply.docx": referral_reply,
    "consent_form.docx": consent_form,
    "pledge.docx": pledge,
    "assessment_sheet.docx": assessment_sheet,
    "evaluation_sheet.docx": evaluation_sheet,
    "plan_multi_agency.docx": plan_multi_agency,
    "plan_participation.docx": plan_participation,
    "plan_outreach.docx": plan_outreach,
    "support_request.docx": support_request,
    "meeting_notice.docx": meeting_notice,
    "minutes_layered.docx": minutes_layered,
    "minutes_support.docx": minutes_support,
    "information_request.docx": information_request,
    "contact_log.docx": contact_log,
    "annual_report.docx": annual_report,
}


def main() -> None:
    """Write every sheet beside this script."""
    for name, draw in SHEETS.items():
        (FOLDER / name).write_bytes(draw())


if __name__ == "__main__":
    main()
