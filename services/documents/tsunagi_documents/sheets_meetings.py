"""What the sheets of meetings show: 招集通知 (numbers only), 会議録 and 支援会議 会議録 of one agenda item."""

from __future__ import annotations

from typing import Any

from tsunagi_documents.engine import Context
from tsunagi_documents.sheets_heading import allocation_rows, heading, keep_official, subject_name, take_out
from tsunagi_documents.sheets_withholding import Cut
from tsunagi_documents.sheets_wording import (
    WITHHELD,
    choices,
    fiscal_year,
    flag,
    local_rows,
    moment,
    names_of,
    time_of_day,
    weekday,
)
from tsunagi_documents.sheets_wording import day as written_day
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import ConvenedItem, ConvenedMember, MeetingConvened, MeetingRecorded
from tsunagi_shared.contracts.profile_codes import LegalRole
from tsunagi_shared.forms.consent import ConsentScope
from tsunagi_shared.forms.meeting import Meeting, MeetingMethod, MinimalReason, Occasion
from tsunagi_shared.forms.minutes import Decision, Minutes, Presence, PresenceState

NOTHING = "－"
_PRESENCES = {PresenceState.PRESENT: "出席", PresenceState.ABSENT: "欠席", PresenceState.LEFT: "退席"}
LEAVES = "退席してください"
# What only those hear who are in the room
_HEARD = (
    "no_consent_reason",
    "information_sources",
    "discussion",
    "watch",
    "support_policy",
    "emergency",
    "consent_outlook",
)
# Of no person, but spoken of there as well
_ALSO_HEARD = ("community_issue", "missing_resource", "hands_over_to", "papers_returned")
_NOT_IN_MINIMAL = (
    "decision_note",
    "follow_up_method",
    "consent_checked_on",
    "scope_choices",
    "person_choices",
)


def notice_context(event: MeetingConvened, cut: Cut, support_meeting_only: bool) -> Context:
    """招集通知 to `cut.recipient` (`own_item`): the items it hears, by number, and the places in the order of those for which
    somebody of it leaves; or the whole of it, to be filed. Nobody's data is in it but that of the staff called."""
    own = cut.view is View.OWN_ITEM
    members = [member for member in event.members if not own or member.agency == cut.recipient]
    names = event.agency_names | {member.agency: member.agency_name for member in event.members}
    form = event.form
    heard = [item for item in event.items if not own or cut.recipient in item.attends]
    items = [_item(item, members, names, own=own) for item in heard]
    items += [_left(item) for item in event.items if own and item not in heard]
    return {
        **heading(event, support_meeting_only),
        **_sitting(form),
        "is_own": own,
        "recipient_name": names.get(cut.recipient, cut.recipient) if own else "",
        "meeting_name": "・".join(event.bodies) or names_of(form.bodies, {}),
        "joint": flag(len(form.bodies) > 1, "合同で開催", "単独で開催"),
        "convener_name": event.convener_name or event.provider_name,
        "organizer_name": event.organizer_name or event.provider_name,
        "leaves": any(item["part"] == LEAVES for item in items),
        "items": sorted(items, key=lambda item: int(item["position"])),
        "members": [_member(member) for member in members],
        "law_texts": list(dict.fromkeys(item.law_text for item in heard if item.law_text)),
        "note": form.note,
        "reply_by": written_day(event.reply_by),
    }


def _sitting(form: Meeting) -> Context:
    ends = f"から{time_of_day(form.ends_at)}まで" if form.ends_at else "から"
    return {
        "held_at": f"{weekday(form.held_on)}　{time_of_day(form.starts_at)}{ends}",
        "extra_choices": flag(form.extra, "臨時", "定例"),
        "method_choices": choices(MeetingMethod, form.method),
        "place": form.place,
        "chair": form.chair,
        "note_taker": form.note_taker,
    }


def _item(item: ConvenedItem, members: list[ConvenedMember], names: dict[str, str], *, own: bool) -> dict[str, Any]:
    body = item.body_name
    return {
        "position": item.position,
        "case_number": item.case_number or NOTHING,
        "plan_number": item.plan_number or NOTHING,
        "body": body if item.legal_role_name in ("", body) else f"{body}\n（{item.legal_role_name}）",
        "occasion": item.occasion.label + ("\n（番号と理由のみ）" if item.minimal else ""),
        "part": _who(item, members, names, own=own),
    }


def _who(item: ConvenedItem, members: list[ConvenedMember], names: dict[str, str], *, own: bool) -> str:
    """Who hears it and who leaves: of one agency, or of all, in whichever way is shorter."""
    called = dict.fromkeys(member.agency for member in members)
    leaving = [agency for agency in called if agency not in item.attends]
    people = [member.name for member in members if item.position in member.leaves_for and member.agency in item.attends]
    part, gone = "全員", [*(names.get(agency, agency) for agency in leaving), *people]
    if own:
        part, gone = "出席", people
    elif len(leaving) >= len(item.attends):
        part, gone = names_of(item.attends, names), people
    return f"{part}\n（退席：{'、'.join(gone)}）" if gone else part


def _left(item: ConvenedItem) -> dict[str, Any]:
    """An item that the recipient does not hear: its place in the order alone."""
    hidden = dict.fromkeys(("case_number", "plan_number", "body", "occasion"), WITHHELD)
    return {"position": item.position, **hidden, "part": LEAVES}


def _member(member: ConvenedMember) -> dict[str, Any]:
    leaves = "、".join(str(position) for position in member.leaves_for)
    return {
        "agency": member.agency_name,
        "title": member.title,
        "name": member.name,
        "leaves": f"議題{leaves}" if leaves else "なし",
    }


def minutes_context(event: MeetingRecorded, cut: Cut, support_meeting_only: bool) -> Context:
    """会議録 of one item. `own_item`: an agency that was not there for it sees what was decided and its own part, not what was
    said. Of a minimal item: who was there, the numbers, the reason and the decision."""
    form = event.form
    minimal = event.minimal_reason is not None
    allocations = allocation_rows(form.allocations, event.agency_names)
    context: Context = {
        **heading(event, support_meeting_only),
        **_sitting(event.meeting),
        **_about(event, cut, minimal=minimal),
        "minimal": minimal,
        "sections": _sections(event, minimal=minimal),
        "presences": [_presence(row, event.agency_names) for row in form.presences],
        "person_choices": flag(form.person_attended, "有", "無"),
        "consent_checked_on": written_day(form.consent_checked_on),
        "scope_choices": choices(ConsentScope, form.consent_scope),
        **{name: getattr(form, name) for name in _HEARD},
        "decision_choices": choices(Decision, form.decision, per_line=4),
        "decision_note": form.decision_note,
        "allocations": allocations,
        "shows_allocations": event.legal_role is not LegalRole.SUPPORT_MEETING or bool(allocations),
        "lead_agency": event.agency_names.get(form.lead_agency, form.lead_agency),
        "next_on": written_day(form.next_on),
        "follow_up_choices": flag(form.follow_up, "必要", "不要"),
        "follow_up_method": form.follow_up_method,
        "community_issue": form.community_issue,
        "missing_resource": form.missing_resource,
        "hands_over_to": event.hands_over_to_name or form.hands_over_to,
        "papers_returned": flag(form.papers_returned, "回収した", "回収していない"),
        "law_text": event.law_text,
        "closed_at": moment(event.closed_at) if event.closed_at else "",
        "local": local_rows(form.local, event.local_labels),
    }
    before = [dict(row) for row in allocations]
    take_out(context, event, cut)
    keep_official(context["allocations"], before, "agency", "in_charge", "until")
    if cut.view is View.OWN_ITEM:
        _cut_to_own_item(context, form, cut.recipient)
    if minimal:
        _cut_to_minimal(context)
    return context


def _about(event: MeetingRecorded, cut: Cut, *, minimal: bool) -> Context:
    """The sitting, and the item by its numbers. A 支援会議 names the person by the number alone, so does a minimal item."""
    year = fiscal_year(event.meeting.held_on)
    named = not minimal and event.legal_role is not LegalRole.SUPPORT_MEETING
    kind = f"（{event.plan_kind.label}）" if event.plan_kind else ""
    body = event.body_name
    return {
        "meeting_number": event.meeting_number,
        "meeting_name": body,
        "legal_role_name": event.legal_role_name,
        "round_of_year": f"{year}　第{event.round_of_year}回" if event.round_of_year else year,
        "convener_name": event.convener_name,
        "position": event.position,
        "plan_number": f"{event.plan_number}{kind}" if event.plan_number else NOTHING,
        "item_case_number": event.case_number or NOTHING,
        "occasion_choices": choices(Occasion, event.occasion, per_line=5),
        "person_name": subject_name(event, cut) if named else "",
        "minimal_choices": choices(MinimalReason, event.minimal_reason, per_line=3),
        "subtitle": _minutes_subtitle(event, cut),
    }


def _sections(event: MeetingRecorded, *, minimal: bool) -> dict[str, str]:
    """The numbers of the last headings: minutes of a minimal item have fewer before them, and no empty ones."""
    first = 7 if event.legal_role is LegalRole.SUPPORT_MEETING else 4 if minimal else 6
    issues = not minimal or bool(event.form.community_issue or event.form.missing_resource)
    number = "０１２３４５６７８９"
    return {
        "decision": number[first],
        "issues": number[first + 1] if issues else "",
        "confirmed": number[first + 1 + issues],
    }


def _minutes_subtitle(event: MeetingRecorded, cut: Cut) -> str:
    if event.minimal_reason is not None:
        return "本人の同意がないため、番号と理由だけで扱った議題です。"
    if cut.view is View.MINIMAL:
        return "番号、出席した機関と決定だけの写しです。"
    if cut.view is View.OWN_ITEM:
        return "この議題に関わる機関への写し（「（非開示）」の項目は、お示ししていません）"
    return "議題ごとに作成し、その議題のケースの記録として保存します。"


def _presence(row: Presence, names: dict[str, str]) -> dict[str, str]:
    return {
        "agency": names.get(row.agency, row.agency),
        "title": row.title,
        "name": row.name,
        "state": "　".join(f"{'☑' if row.state is state else '☐'} {word}" for state, word in _PRESENCES.items()),
    }


def _cut_to_own_item(context: Context, form: Minutes, recipient: str) -> None:
    context["local"] = [{"label": row["label"], "value": WITHHELD} for row in context["local"]]
    if any(row.agency == recipient and row.state is PresenceState.PRESENT for row in form.presences):
        return
    context.update(dict.fromkeys((*_HEARD, *_ALSO_HEARD), WITHHELD))
    own = zip(form.allocations, context["allocations"], strict=True)
    context["allocations"] = [shown for row, shown in own if row.agency == recipient]


def _cut_to_minimal(context: Context) -> None:
    """Nothing of the person: only what minutes of a minimal item have."""
    context.update(dict.fromkeys((*_HEARD, *_NOT_IN_MINIMAL), WITHHELD))
    context.update(allocations=[], shows_allocations=False, local=[], next_on=NOTHING)
