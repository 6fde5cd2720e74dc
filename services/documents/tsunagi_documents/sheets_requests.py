"""What 情報提供依頼書 and an issued 支援経過記録 show."""

from __future__ import annotations

from typing import Any

from tsunagi_documents.engine import Context
from tsunagi_documents.sheets_heading import heading, keep_official, subject_name, take_out
from tsunagi_documents.sheets_withholding import Cut
from tsunagi_documents.sheets_wording import WITHHELD, choices, local_rows, moment, weekday
from tsunagi_documents.sheets_wording import day as written_day
from tsunagi_shared.contracts.events import ContactLogIssued, InformationRequested, LoggedContact
from tsunagi_shared.forms.contact import Contact, ContactMethod, OutreachAction

ON_CONSENT = "本人の同意（個人情報共有同意書）"


def information_request_context(event: InformationRequested, cut: Cut, support_meeting_only: bool) -> Context:
    """情報提供依頼書 (協力要請) to one agency. `law_text`: the article it rests on; without one it rests on consent."""
    form = event.form
    context: Context = {
        **heading(event, support_meeting_only),
        "recipient_name": event.agency_names.get(form.agency, form.agency),
        "person_name": subject_name(event, cut),
        "wanted": form.wanted,
        "purpose": form.purpose,
        "law_text": event.law_text or ON_CONSENT,
        "by_law": bool(event.law_text),
        "due_on": written_day(form.due_on),
        "meeting_on": weekday(event.meeting_on) if event.meeting_on else "",
        "note": form.note,
    }
    take_out(context, event, cut)
    return context


def contact_log_context(event: ContactLogIssued, cut: Cut, support_meeting_only: bool) -> Context:
    """支援経過記録 of a period: every contact, in the order of its day."""
    form = event.form
    entries = [_entry(position, entry, event, cut) for position, entry in enumerate(event.entries, start=1)]
    context: Context = {
        **heading(event, support_meeting_only),
        "person_name": subject_name(event, cut),
        "since": written_day(form.since),
        "until": written_day(form.until),
        "note": form.note,
        "count": len(event.entries),
        "entries": entries,
    }
    before = [dict(row) for row in entries]
    take_out(context, event, cut)
    keep_official(context["entries"], before, "at", "recorder", "recorded_at", "agency")
    return context


def _outreach(form: Contact) -> str:
    """What was done in outreach, and, where it is said, who came along and how far it has come."""
    companions = "、".join(companion.label for companion in form.companions)
    said = (
        choices(OutreachAction, form.outreach_actions),
        f"同行した人：{companions}" if companions else "",
        f"接触状況：{form.contact_state.label}" if form.contact_state else "",
    )
    return "\n".join(filter(None, said))


def _entry(position: int, entry: LoggedContact, event: ContactLogIssued, cut: Cut) -> dict[str, Any]:
    form = entry.form
    return {
        "position": position,
        "at": f"{weekday(form.at)}\n{form.time}".rstrip(),
        "method_choices": choices(ContactMethod, form.method),
        # It may be the hidden person who was met
        "counterpart": WITHHELD if cut.hidden else form.counterpart,
        "content": form.content,
        "action_choices": _outreach(form),
        "is_outreach": bool(form.outreach_actions or form.companions or form.contact_state),
        "judgement": form.judgement,
        "next_action": form.next_action,
        "recorder": form.recorder,
        "agency": entry.by.agency_name,
        "recorded_at": moment(entry.at),
        "local": local_rows(form.local, event.local_labels),
    }
