"""What the sheets drawn from a plan show: プラン（案、決定）of the three kinds, and 支援依頼書 to one agency of its 役割分担."""

from __future__ import annotations

import datetime as dt

from tsunagi_documents.engine import Context
from tsunagi_documents.sheets_heading import allocation_rows, heading, keep_official, subject_name, take_out
from tsunagi_documents.sheets_withholding import ADDRESS, Cut
from tsunagi_documents.sheets_wording import WITHHELD, choices, day, flag, found_choices, local_rows, names_of
from tsunagi_shared.contracts.events import PlanDecided, PlanProposed, PlanRecorded
from tsunagi_shared.forms.plan import ContactState, OutreachMethod, PlanKind

TITLES = {
    PlanKind.MULTI_AGENCY: "多機関協働プラン（兼利用申込書）",
    PlanKind.PARTICIPATION: "参加支援プラン（兼利用申込書）",
    PlanKind.OUTREACH: "アウトリーチ等プラン",
}
UNTIL_THE_END = "プランの終わりまで"
PROVISIONAL = (
    "本人の同意を得る前のアウトリーチのプランです。支援会議の確認により行い、同意の後、重層的支援会議に諮ります。"
)
PROPOSED = "会議に諮る案です。決定までは、内容が変わることがあります。"
# Where somebody is found on which days: as telling as an address
_TELLS_WHERE = ("resource", "resource_contact", "visits", "accompanied_by")


def plan_context(event: PlanRecorded, cut: Cut, support_meeting_only: bool) -> Context:
    """プラン of one kind: 案 out of `PlanProposed`, 決定 out of `PlanDecided`."""
    form = event.form
    allocations = allocation_rows(form.allocations, event.agency_names)
    context: Context = {
        **heading(event, support_meeting_only),
        **_numbers(event),
        "sheet_title": TITLES[form.kind] + ("（案）" if isinstance(event, PlanProposed) else ""),
        "subtitle": _subtitle(event),
        "person_name": subject_name(event, cut),
        "made_on": day(form.made_on),
        "replan": event.round > 1 or bool(form.previous),
        "change": form.change,
        "review": form.review,
        "changes_made": form.changes_made,
        "issues": form.issues,
        "goal_long": form.goal_long,
        "goal": form.goal,
        "policy": form.policy,
        **_participation(event),
        **_outreach(event),
        "allocations": allocations,
        "lead_agency": event.agency_names.get(form.lead_agency, form.lead_agency),
        "participation_choices": flag(form.uses_participation, "有", "無"),
        "outreach_choices": flag(form.uses_outreach, "有", "無"),
        "period": _period(event),
        "monitoring_on": day(form.monitoring_on),
        **_decision(event),
        "local": local_rows(form.local, event.local_labels),
    }
    if cut.withholds(ADDRESS, event.persons, event.persons):
        context.update(dict.fromkeys(_TELLS_WHERE, WITHHELD))
    before = [dict(row) for row in allocations]
    take_out(context, event, cut)
    keep_official(context["allocations"], before, "agency", "in_charge", "until")
    return context


def support_request_context(event: PlanRecorded, cut: Cut, support_meeting_only: bool) -> Context:
    """支援依頼書 to `cut.recipient`: its own rows of 役割分担, the days of the plan and who leads; nothing else of the plan."""
    form = event.form
    rows = allocation_rows(
        [row for row in form.allocations if row.agency == cut.recipient], {cut.recipient: cut.recipient}
    )
    for row in rows:
        row["until"] = row["until"] or day(form.until) or UNTIL_THE_END
    context: Context = {
        **heading(event, support_meeting_only),
        **_numbers(event),
        "recipient_name": event.agency_names.get(cut.recipient, cut.recipient),
        "person_name": subject_name(event, cut),
        "plan_kind": form.kind.label,
        "period": _period(event),
        "monitoring_on": day(form.monitoring_on),
        "lead_agency": event.agency_names.get(form.lead_agency, form.lead_agency),
        "allocations": rows,
        **_decision(event),
    }
    before = [dict(row) for row in rows]
    take_out(context, event, cut)
    keep_official(context["allocations"], before, "in_charge", "until")
    return context


def _numbers(event: PlanRecorded) -> Context:
    first = event.round <= 1
    again = "☐ 再プラン" if first else f"☑ 再プラン（第{event.round - 1}回）"
    return {
        "plan_number": event.plan_number,
        "previous_number": event.previous_number or event.form.previous,
        "round_choices": f"{'☑' if first else '☐'} 初回\u3000{again}",
        "state_name": event.state_name,
    }


def _subtitle(event: PlanRecorded) -> str:
    if event.provisional:
        return PROVISIONAL
    return PROPOSED if isinstance(event, PlanProposed) else "重層的支援体制整備事業"


def _period(event: PlanRecorded) -> str:
    return f"{day(event.form.starts)}　から　{day(event.form.until) or '終わりの日は定めない'}" + (
        "　まで" if event.form.until else ""
    )


def _from(first: dt.date | None, said: str) -> str:
    """What is said of follow-ups, after the day of the first."""
    return "\n".join(filter(None, (f"はじめの日：{day(first)}" if first else "", said)))


def _participation(event: PlanRecorded) -> Context:
    form = event.form
    return {
        "needs": form.needs,
        "wished_form": form.wished_form,
        "resource": form.resource,
        "resource_contact": form.resource_contact,
        "trial_on": day(form.trial_on),
        "begins_on": day(form.begins_on),
        "person_follow_up": _from(form.person_follow_up_on, form.person_follow_up),
        "host_follow_up": _from(form.host_follow_up_on, form.host_follow_up),
        "settled_check_on": day(form.settled_check_on),
    }


def _outreach(event: PlanRecorded) -> Context:
    form = event.form
    return {
        "found_choices": found_choices(form.found_by, event.local_labels),
        "contact_choices": choices(ContactState, form.contact_state),
        "method_choices": choices(OutreachMethod, form.methods),
        "visits": form.visits,
        "accompanied_by": form.accompanied_by,
        "hand_over_to": names_of(form.hand_over_to, event.agency_names),
        "end_condition": form.end_condition,
        "provisional_choices": flag(event.provisional, "同意の前", "同意の後"),
    }


def _decision(event: PlanRecorded) -> Context:
    """The three dates as far as they are on record. `signed`: the person is to sign (not before there is consent)."""
    decided, form = event.decided, event.form
    body = decided.body_name
    if decided.legal_role_name and decided.legal_role_name != body:
        body = f"{body}（{decided.legal_role_name}）"
    return {
        "is_decided": isinstance(event, PlanDecided),
        "meeting_name": body,
        "meeting_on": day(decided.meeting_on),
        "agreed_on": day(decided.agreed_on or form.agreed_on),
        "municipal_on": day(decided.municipal_on),
        "signed": not event.provisional,
        "decided_by": "　".join(filter(None, (body, day(decided.meeting_on), _municipal(event)))),
    }


def _municipal(event: PlanRecorded) -> str:
    on = event.decided.municipal_on
    return f"支援決定　{day(on)}" if on else ""
