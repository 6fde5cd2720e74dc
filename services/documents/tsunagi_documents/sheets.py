"""What a sheet's template may see: plain text, lists and flags, cut to the view before any template runs."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import regex  # type: ignore[import-untyped]

from tsunagi_documents.engine import Context
from tsunagi_documents.kinds import ASSESSMENT_SHEET
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import ReferralSubmitted
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.forms.japanese import age_on, format_wareki
from tsunagi_shared.forms.referral import (
    ClientKind,
    Consent,
    ConsentMethod,
    ConsentStatus,
    FindingRoute,
    HouseholdMember,
    Person,
    Referral,
    Sex,
    Trouble,
    Urgency,
)

WITHHELD = "（非開示）"
NONE_WRITTEN = "記載なし"
HANDLE_WITH_CARE = "取扱注意"
SUPPORT_MEETING_ONLY = "支援会議限り"
SUPPORT_MEETING_NOTICE = "支援会議限り：支援会議の構成員以外の人に見せたり、写しを渡したりしないでください。"
BRIEF_GRAPHEMES = 200
TROUBLE_COLUMNS = 4
JAPAN = ZoneInfo("Asia/Tokyo")

# What a destination does not need to take a person over. It says （非開示） whether something is written there or not.
SUMMARY_WITHHOLDS = (
    "client_name",
    "finding_route_label",
    "consent_note",
    "involved_agencies",
    "actions_taken",
    "safety_notes",
)


def sheet_marks(event: ReferralSubmitted) -> tuple[str, ...]:
    """The marks the engine puts on every page."""
    return (HANDLE_WITH_CARE, SUPPORT_MEETING_ONLY) if event.support_meeting_only else (HANDLE_WITH_CARE,)


def sheet_context(event: ReferralSubmitted, kind: str, view: View) -> Context:
    """The values of one sheet in one view. Both kinds of sheet are drawn from the same values, prefilled from the form.

    In the summary the fields a destination does not need are replaced by 「（非開示）」 here. LookupError for a view that
    has no sheet.
    """
    if view not in (View.FULL, View.SUMMARY):
        raise LookupError(f"{kind} has no view {view.value}")
    context: Context = {
        "kind": kind,
        "subtitle": _subtitle(kind, view),
        "support_meeting_only": event.support_meeting_only,
        "notice": SUPPORT_MEETING_NOTICE if event.support_meeting_only else "",
        **_heading(event),
        **_contact(event),
        **_person(event.form.person, event.form.consulted_on),
        **_household(event.form),
        **_account(event.form),
        **_consent(event),
        "local": [
            {"label": event.local_labels.get(name, name), "value": value} for name, value in event.form.local.items()
        ],
    }
    if view is View.SUMMARY:
        _cut_to_summary(context)
    return context


def _subtitle(kind: str, view: View) -> str:
    if kind == ASSESSMENT_SHEET:
        return "つなぎシートの内容をあらかじめ記入しています。聞き取った内容で補い、又は直してください。"
    if view is View.SUMMARY:
        return "概要版（「（非開示）」の項目は、つなぎ先にはお示ししていません）"
    return "重層的支援体制整備事業　相談支援機関の連携用"


def _heading(event: ReferralSubmitted) -> Context:
    received = event.received_at.astimezone(JAPAN)
    return {
        "municipality_name": event.municipality_name,
        "referral_number": event.referral_number,
        "case_number": event.case_number,
        "revision": event.revision,
        "received_on": format_wareki(received.date()),
        "received_at": f"{format_wareki(received.date())} {received.hour}時{received.minute:02d}分",
    }


def _contact(event: ReferralSubmitted) -> Context:
    form = event.form
    return {
        "origin_agency": event.submitted_by.agency_name,
        "origin_staff": event.submitted_by.name,
        "contact_phone": form.contact_phone,
        "destinations": "、".join(event.destination_names),
        "provider_name": event.provider_name,
        "urgency_choices": _choices(Urgency, form.urgency),
        "consulted_on": format_wareki(form.consulted_on),
        "reply_by": _day(form.reply_by),
        "client_kind_choices": _choices(ClientKind, form.client_kind),
        "client_name": form.client_name,
        "finding_route_label": form.finding_route.label if form.finding_route else "",
        "finding_route_choices": _choices(FindingRoute, form.finding_route, per_line=1),
    }


def _person(person: Person, day: dt.date) -> Context:
    return {
        "person_name": person.name,
        "person_kana": person.kana,
        "sex_choices": _choices(Sex, person.sex),
        "birth": _birth(person.birth_date, day) or person.age_note,
        "postal_code": person.postal_code,
        "address": person.address,
        "phone": person.phone,
        "mobile": person.mobile,
    }


def _household(form: Referral) -> Context:
    return {
        "household": [_household_row(member, form.consulted_on) for member in form.household]
        or [{"name": NONE_WRITTEN, "relationship": "", "birth": "", "note": ""}],
        "household_size": f"{form.household_size}人" if form.household_size is not None else "\u3000\u3000人",
    }


def _household_row(member: HouseholdMember, day: dt.date) -> dict[str, str]:
    age = f"{member.age}歳" if member.age is not None else ""
    return {
        "name": member.name,
        "relationship": member.relationship,
        "birth": _birth(member.birth_date, day) or age,
        "note": member.note,
    }


def _account(form: Referral) -> Context:
    """What was told, and what was done about it."""
    return {
        "trouble_rows": _trouble_rows(form),
        "troubles": "、".join(_trouble_label(trouble, form) for trouble in form.troubles),
        "consultation": form.consultation,
        "chief_complaint": form.chief_complaint,
        "reason": form.reason,
        "considerations": form.considerations,
        "involved_agencies": form.involved_agencies,
        "actions_taken": form.actions_taken,
        "safety_notes": form.safety_notes,
    }


def _consent(event: ReferralSubmitted) -> Context:
    consent: Consent = event.form.consent
    given = consent.status is ConsentStatus.GIVEN
    return {
        "consent_choices": _choices(ConsentStatus, consent.status, per_line=3),
        "consent_given_on": _day(consent.given_on),
        "consent_method_choices": _choices(ConsentMethod, consent.method),
        "consent_heard_by": consent.heard_by,
        "consent_agencies": "、".join(event.consent_agency_names or consent.agencies),
        "consent_until": _day(consent.until) or ("期限なし" if given else ""),
        "consent_note": consent.note,
    }


def _cut_to_summary(context: Context) -> None:
    for name in SUMMARY_WITHHOLDS:
        context[name] = WITHHELD
    # Other people of the household have not agreed to anything by the person's own consent.
    context["household"] = [dict.fromkeys(("name", "relationship", "birth", "note"), WITHHELD)]
    context["finding_route_choices"] = WITHHELD
    context["local"] = [{"label": row["label"], "value": WITHHELD} for row in context["local"]]
    context["consultation"] = _brief(context["consultation"])


def _brief(text: str) -> str:
    graphemes = regex.findall(r"\X", text)
    if len(graphemes) <= BRIEF_GRAPHEMES:
        return text
    return (
        "".join(graphemes[:BRIEF_GRAPHEMES]).rstrip()
        + "…\n（以下は省略しています。詳しくはつなぎ元にお問い合わせください。）"
    )


def _choices(code_list: type[CodeList], chosen: CodeList | None, *, per_line: int = 8) -> str:
    """Every choice of a code list with its box, `per_line` to a line."""
    boxes = [f"{'☑' if member is chosen else '☐'} {member.label}" for member in code_list]
    lines = (boxes[start : start + per_line] for start in range(0, len(boxes), per_line))
    return "\n".join("\u3000".join(line) for line in lines)


def _trouble_rows(form: Referral) -> list[list[str]]:
    """Every trouble with its box (◎ the main one), filled row by row into TROUBLE_COLUMNS columns."""
    cells = []
    for trouble in Trouble:
        chosen = "☑" if trouble in form.troubles else "☐"
        cells.append(f"{'◎' if trouble is form.main_trouble else chosen} {trouble.label}")
    cells += [""] * (-len(cells) % TROUBLE_COLUMNS)
    return [cells[start : start + TROUBLE_COLUMNS] for start in range(0, len(cells), TROUBLE_COLUMNS)]


def _trouble_label(trouble: Trouble, form: Referral) -> str:
    return f"◎{trouble.label}" if trouble is form.main_trouble else trouble.label


def _birth(birth_date: dt.date | None, day: dt.date) -> str:
    return f"{format_wareki(birth_date)}（{age_on(birth_date, day)}歳）" if birth_date else ""


def _day(day: dt.date | None) -> str:
    return format_wareki(day) if day else ""
