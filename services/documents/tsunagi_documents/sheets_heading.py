"""What the sheets of all recorded forms share: the heading, whose sheet it is, and what a projection takes out of their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tsunagi_documents.engine import Context
from tsunagi_documents.sheets_withholding import ADDRESS, PHONE, Cut, scrub
from tsunagi_documents.sheets_wording import WITHHELD, day, day_of, meeting_notice, moment
from tsunagi_shared.contracts.events import FormRecorded
from tsunagi_shared.forms.plan import PlanAllocation
from tsunagi_shared.forms.withheld_text import like, name_patterns

# Names and numbers of offices and of what they do are not searched for names, addresses and telephones of persons.
_OFFICIAL = frozenset(
    {
        "municipality_name",
        "number",
        "case_number",
        "referral_number",
        "plan_number",
        "previous_number",
        "meeting_number",
        "received_at",
        "received_on",
        "closed_at",
        "agency_name",
        "staff_name",
        "provider_name",
        "recipient_name",
        "withdrawal_desks",
        "addressee",
        "contact_phone",
        "lead_agency",
        "agencies",
        "excluded_agencies",
        "list_names",
        "shared_with",
        "handed_over_to",
        "hand_over_to",
        "hands_over_to",
        "sheet_title",
        "subtitle",
        "author",
        "meeting_name",
        "body_name",
        "legal_role_name",
        "convener_name",
        "organizer_name",
        "place",
        "chair",
        "note_taker",
        "presences",
        "law_text",
        "law_texts",
    }
)


def heading(event: FormRecorded, support_meeting_only: bool) -> Context:
    """Numbers, dates and offices."""
    return {
        **meeting_notice(support_meeting_only),
        "municipality_name": event.municipality_name,
        "number": event.number,
        "case_number": event.case_number,
        "revision": event.revision,
        "received_at": moment(event.received_at),
        "received_on": day_of(event.received_at),
        "agency_name": event.submitted_by.agency_name,
        "staff_name": event.submitted_by.name,
        "provider_name": event.provider_name,
    }


def subject_name(event: FormRecorded, cut: Cut) -> str:
    """The person the sheet is about; empty where it is about nobody."""
    if not event.persons:
        return ""
    subject = event.persons[0]
    return WITHHELD if subject in cut.hidden else event.person_names.get(subject, "")


def take_out(context: Context, event: FormRecorded, cut: Cut) -> None:
    """Take hidden persons' names out of every text. Of what protection withholds such a form holds no field to compare
    with, so whatever looks like an address or a way to call somebody goes."""
    names = {person: name for person, name in event.person_names.items() if name}
    hidden = [name for person, name in names.items() if cut.hides(person, event.persons)]
    hidden += event.former_names if cut.hidden else ()  # one of those hidden may have been called so
    subject = {names[person] for person in event.persons[:1] if person in names and person not in cut.hidden}
    shown = subject | {name for person, name in names.items() if not cut.hides(person, event.persons)}
    scrub(context, name_patterns(hidden, shown), but=_OFFICIAL | {"person_name"})
    kept = {field for field in (ADDRESS, PHONE) if cut.withholds(field, event.persons, event.persons)}
    scrub(context, like(kept), but=_OFFICIAL)


def allocation_rows(allocations: Sequence[PlanAllocation], names: Mapping[str, str]) -> list[dict[str, str]]:
    """役割分担, row by row."""
    return [
        {
            "agency": names.get(row.agency, row.agency),
            "in_charge": row.in_charge,
            "part": row.part,
            "frequency": row.frequency,
            "until": day(row.until),
        }
        for row in allocations
    ]


def keep_official(rows: list[dict[str, Any]], before: list[dict[str, Any]], *names: str) -> None:
    """Put back what `take_out` must not touch in rows that hold texts as well: names of offices and their staff."""
    for row, original in zip(rows, before, strict=True):
        row.update({name: original[name] for name in names})
