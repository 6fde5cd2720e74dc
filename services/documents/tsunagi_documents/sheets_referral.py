"""What the sheets drawn from a referral show: the shared form itself, and the assessment sheet prefilled from it (下書き)."""

from __future__ import annotations

import datetime as dt

from tsunagi_documents.engine import Context
from tsunagi_documents.kinds import ASSESSMENT_SHEET
from tsunagi_documents.sheets_withholding import ADDRESS, PHONE, Cut, scrub
from tsunagi_documents.sheets_wording import (
    NONE_WRITTEN,
    WITHHELD,
    birth,
    brief,
    choices,
    day,
    day_of,
    found_choices,
    grid,
    labels_here,
    local_rows,
    meeting_notice,
    moment,
)
from tsunagi_shared.contracts.events import ReferralSubmitted
from tsunagi_shared.forms.protection import ProtectionField, ProtectionKind
from tsunagi_shared.forms.referral import (
    FINDING_CHANNELS,
    ClientKind,
    Consent,
    ConsentMethod,
    ConsentStatus,
    FindingRoute,
    HealthInsurance,
    HouseholdMember,
    Housing,
    Pension,
    Person,
    Referral,
    Sex,
    Trouble,
    Urgency,
    Work,
)
from tsunagi_shared.forms.withheld_text import Patterns, address_patterns, name_patterns, phone_patterns

TROUBLE_COLUMNS = 4

# What a destination does not need to take a person over. It says （非開示） whether something is written there or not.
SUMMARY_WITHHOLDS = (
    "client_name",
    "finding_route_label",
    "consent_note",
    "involved_agencies",
    "actions_taken",
    "safety_notes",
)
_ALSO_WITHHELD = (
    "finding_route_choices",
    "client_phone",
    "client_relationship",
    "protection_choices",
    "protection_kind_choices",
    "applied_on",
    "email",
    "work_choices",
    "housing_choices",
    "health_insurance_choices",
    "pension_choices",
)
# A hidden person's name is not looked for where the form names the person itself, offices and their staff.
_NAMES_OF_OTHERS = frozenset(
    {
        "person_name",
        "person_kana",
        "origin_agency",
        "origin_staff",
        "destinations",
        "provider_name",
        "consent_agencies",
        "municipality_name",
        "referral_number",
        "case_number",
    }
)


def referral_context(event: ReferralSubmitted, kind: str, cut: Cut, support_meeting_only: bool) -> Context:
    """The values of a sheet drawn from a referral. Both kinds of sheet are drawn from the same ones."""
    context: Context = {
        "kind": kind,
        "subtitle": _subtitle(kind, cut),
        **meeting_notice(support_meeting_only),
        **_heading(event),
        **_contact(event),
        **_person(event.form.person, event.form.consulted_on),
        **_household(event, cut),
        **_account(event.form),
        **_reception(event.form),
        **_consent(event),
        "local": local_rows(event.form.local, event.local_labels),
    }
    _hide_persons(context, event, cut)
    _withhold(context, event, cut)
    if cut.summary:
        _cut_to_summary(context)
    return context


def _subtitle(kind: str, cut: Cut) -> str:
    if kind == ASSESSMENT_SHEET:
        return "つなぎシートの内容をあらかじめ記入しています。聞き取った内容で補い、又は直してください。"
    if cut.summary:
        return "概要版（「（非開示）」の項目は、つなぎ先にはお示ししていません）"
    return "重層的支援体制整備事業　相談支援機関の連携用"


def _heading(event: ReferralSubmitted) -> Context:
    return {
        "municipality_name": event.municipality_name,
        "referral_number": event.referral_number,
        "case_number": event.case_number,
        "revision": event.revision,
        "received_on": day_of(event.received_at),
        "received_at": moment(event.received_at),
    }


def _contact(event: ReferralSubmitted) -> Context:
    form, route = event.form, event.form.finding_route or ""
    return {
        "origin_agency": event.submitted_by.agency_name,
        "origin_staff": event.submitted_by.name,
        "contact_phone": form.contact_phone,
        "destinations": "、".join(event.destination_names),
        "provider_name": event.provider_name,
        "urgency_choices": choices(Urgency, form.urgency),
        "consulted_on": day(form.consulted_on),
        "reply_by": day(form.reply_by),
        "client_kind_choices": choices(ClientKind, form.client_kind),
        "client_name": form.client_name,
        "finding_route_label": labels_here(FindingRoute, FINDING_CHANNELS, event.local_labels).get(route, route),
        "finding_route_choices": found_choices(form.finding_route, event.local_labels),
    }


def _person(person: Person, on: dt.date) -> Context:
    return {
        "person_name": person.name,
        "person_kana": person.kana,
        "sex_choices": choices(Sex, person.sex),
        "birth": birth(person.birth_date, on) or person.age_note,
        "postal_code": f"〒{person.postal_code}",
        "address": person.address,
        "phone": person.phone,
        "mobile": person.mobile,
    }


def _household(event: ReferralSubmitted, cut: Cut) -> Context:
    """The rows of the persons that may be shown; the hidden ones are one row, which does not tell how many they are."""
    form = event.form
    rows = [
        _household_row(member, form.consulted_on)
        for position, member in enumerate(form.household, start=1)
        if _is_shown(event, position, cut)
    ]
    told_whole = len(rows) == len(form.household) and not (cut.summary and not form.household)
    if not told_whole:
        rows.append(dict.fromkeys(("name", "relationship", "birth", "note"), WITHHELD))
    size = "\u3000\u3000" if form.household_size is None else form.household_size
    return {
        "household": rows or [{"name": NONE_WRITTEN, "relationship": "", "birth": "", "note": ""}],
        "household_size": f"{size}人（本人を含む）" if told_whole else WITHHELD,
    }


def _is_shown(event: ReferralSubmitted, position: int, cut: Cut) -> bool:
    """Closed where it is not known who a row is and somebody may not be shown it."""
    if position < len(event.persons):
        return not cut.hides(event.persons[position], event.persons)
    return not (cut.summary or cut.hidden)


def _household_row(member: HouseholdMember, on: dt.date) -> dict[str, str]:
    age = f"{member.age}歳" if member.age is not None else ""
    return {
        "name": f"{member.name}\n（{member.kana}）" if member.kana else member.name,
        "relationship": member.relationship,
        "birth": birth(member.birth_date, on) or age,
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


def _reception(form: Referral) -> Context:
    """The items of 相談受付・申込票 (A票, B票), and 住所等の秘匿 as the form asked for it."""
    reception = form.reception
    return {
        "applied_on": day(reception.applied_on),
        "email": reception.email,
        "client_phone": reception.client_phone,
        "client_relationship": reception.client_relationship,
        "work_choices": choices(Work, reception.work, per_line=4),
        "housing_choices": choices(Housing, reception.housing, per_line=4),
        "health_insurance_choices": choices(HealthInsurance, reception.health_insurance, per_line=3),
        "pension_choices": choices(Pension, reception.pension),
        "protection_choices": choices(ProtectionField, form.protection),
        "protection_kind_choices": choices(ProtectionKind, form.protection_kind),
    }


def _consent(event: ReferralSubmitted) -> Context:
    consent: Consent = event.form.consent
    given = consent.status is ConsentStatus.GIVEN
    return {
        "consent_choices": choices(ConsentStatus, consent.status, per_line=3),
        "consent_given_on": day(consent.given_on),
        "consent_method_choices": choices(ConsentMethod, consent.method),
        "consent_heard_by": consent.heard_by,
        "consent_agencies": "、".join(event.consent_agency_names or consent.agencies),
        "consent_until": day(consent.until) or ("期限なし" if given else ""),
        "consent_note": consent.note,
    }


def _hide_persons(context: Context, event: ReferralSubmitted, cut: Cut) -> None:
    """Take the names of hidden persons out of every text, and who came where that may be one of them."""
    form = event.form
    hidden = [member for position, member in enumerate(form.household, start=1) if not _is_shown(event, position, cut)]
    if not hidden and not cut.hidden:
        return
    if form.client_kind is ClientKind.FAMILY:
        context.update(dict.fromkeys(("client_name", "client_phone", "client_relationship"), WITHHELD))
    shown = [form.person, *(member for member in form.household if member not in hidden)]
    for names in ("name", "kana"):
        # One of those hidden may have been taken off the form, or been called otherwise before
        gone = [*(getattr(one, names) for one in hidden), *event.former_names]
        patterns = name_patterns(gone, [getattr(one, names) for one in shown])
        scrub(context, patterns, but=_NAMES_OF_OTHERS)


def _withhold(context: Context, event: ReferralSubmitted, cut: Cut) -> None:
    """What protection keeps from the reader, wherever it is written.

    The form has one address and one telephone at home: they are withheld too when it is another person of the household
    who is protected.
    """
    known, person = event.persons, event.form.person
    patterns: Patterns = ()
    if cut.withholds(ADDRESS, known, known):
        context.update(postal_code=f"〒{WITHHELD}", address=WITHHELD)
        patterns += address_patterns(person.address, person.postal_code)
    if cut.withholds(PHONE, known, known):
        context.update(phone=WITHHELD)
        patterns += phone_patterns(person.phone)
    if cut.withholds(PHONE, known[:1], known):
        context.update(mobile=WITHHELD, email=WITHHELD)
        patterns += phone_patterns(person.mobile, event.form.reception.email)
    _withhold_notes(context, event, cut)
    scrub(context, patterns)


def _withhold_notes(context: Context, event: ReferralSubmitted, cut: Cut) -> None:
    """What a protected member's row says beyond who they are may tell where they are."""
    shown = [position for position in range(1, len(event.form.household) + 1) if _is_shown(event, position, cut)]
    for row, position in zip(context["household"], shown, strict=False):
        person = event.persons[position : position + 1]
        if cut.withholds(ADDRESS, person, event.persons) or cut.withholds(PHONE, person, event.persons):
            row["note"] = WITHHELD


def _cut_to_summary(context: Context) -> None:
    for name in (*SUMMARY_WITHHOLDS, *_ALSO_WITHHELD):
        context[name] = WITHHELD
    context["local"] = [{"label": row["label"], "value": WITHHELD} for row in context["local"]]
    context["consultation"] = brief(context["consultation"])


def _trouble_rows(form: Referral) -> list[list[str]]:
    """Every trouble with its box (◎ the main one), filled row by row into TROUBLE_COLUMNS columns."""
    cells = []
    for trouble in Trouble:
        chosen = "☑" if trouble in form.troubles else "☐"
        cells.append(f"{'◎' if trouble is form.main_trouble else chosen} {trouble.label}")
    return grid(cells, TROUBLE_COLUMNS)


def _trouble_label(trouble: Trouble, form: Referral) -> str:
    return f"◎{trouble.label}" if trouble is form.main_trouble else trouble.label
