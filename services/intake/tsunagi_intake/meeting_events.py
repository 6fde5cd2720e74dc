"""What the events of meetings carry besides their forms: of a notice, of minutes, of a request for information, of a log.

Taken from the stored rows alone, so that the same can be published again at any time.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import agenda
from tsunagi_intake.agenda import MeetingState
from tsunagi_intake.form_facts import TAKEN_BACK, asked_of
from tsunagi_intake.meeting_tables import agenda_items, meetings
from tsunagi_intake.plan_facts import find as find_plan
from tsunagi_intake.tables import audience, records
from tsunagi_shared import clock
from tsunagi_shared.contracts.events import ConvenedItem, ConvenedMember, LoggedContact, Staff
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.contact import Contact, ContactLogIssue
from tsunagi_shared.forms.information import InformationRequest
from tsunagi_shared.forms.meeting import Meeting
from tsunagi_shared.forms.minutes import Minutes


def law_text(profile: Profile, basis: str, day: dt.date) -> str:
    """The article as it is printed on that day, with its words; empty where there is none."""
    found = profile.legal_basis_on(basis, day) if basis else None
    return f"{found.law}{found.article}　{found.text}" if found else ""


def _body_law(profile: Profile, body: str, day: dt.date) -> str:
    known = profile.bodies_by_id.get(body)
    return law_text(profile, known.secrecy_basis, day) if known else ""


def _body_name(profile: Profile, body: str, day: dt.date) -> str:
    known = profile.bodies_by_id.get(body)
    return known.name_on(day) if known else body


def _agency_of(profile: Profile, body: str, part: str) -> str:
    known = profile.bodies_by_id.get(body)
    agency = getattr(known, part) if known else ""
    return profile.agency_names.get(agency, agency)


def of_meeting(connection: Connection, row: Any, form: Meeting, profile: Profile) -> dict[str, Any] | None:
    """Of a notice: the items as numbers, who hears which, who leaves for which. None before the sitting is convened.

    Items and members that were added since then are no part of it until it is convened anew.
    """
    found = agenda.sitting(connection, row.id)
    if found.convened_at is None or found.state is MeetingState.CANCELLED:
        return None
    day, called = form.held_on, [one for one in agenda.members(connection, row.id) if one.notified]
    items = agenda.items(connection, row.id)
    places = agenda.places(connection, [item.id for item in items])
    convened = {item for (item, _), place in places.items() if place.convened}
    items = tuple(item for item in items if item.id in convened)
    shown = []
    for item in items:
        hears = [one.agency for one in called if (item.id, one.id) in places and not places[item.id, one.id].leaves]
        shown.append(
            ConvenedItem(
                position=item.position, case_number=item.case_number, plan_number=item.plan_number,
                body_name=_body_name(profile, item.body, day), legal_role_name=item.legal_role.label,
                occasion=item.occasion, attends=tuple(dict.fromkeys(hears)), minimal=item.minimal_reason is not None,
                law_text=_body_law(profile, item.body, day),
            )
        )  # fmt: skip
    members = tuple(
        ConvenedMember(
            agency=one.agency, agency_name=profile.agency_names.get(one.agency, one.agency), name=one.name, title=one.title,
            leaves_for=tuple(
                item.position for item in items if (item.id, one.id) in places and places[item.id, one.id].leaves
            ),
        )
        for one in called
    )  # fmt: skip
    return {
        "bodies": tuple(_body_name(profile, body, day) for body in form.bodies),
        "convener_name": _agency_of(profile, form.bodies[0], "convener"),
        "organizer_name": _agency_of(profile, form.bodies[0], "organizer"),
        "items": tuple(shown), "members": members, "reply_by": found.reply_by,
        "addressed": tuple(dict.fromkeys(one.agency for one in called)),
    }  # fmt: skip


def of_minutes(connection: Connection, row: Any, form: Minutes, profile: Profile) -> dict[str, Any] | None:
    """Of minutes: the head of their sitting, and what the item was."""
    identity = connection.execute(
        sa.select(agenda_items.c.id, agenda_items.c.meeting).where(agenda_items.c.minutes == row.id)
    ).first()
    if identity is None:
        return None
    sitting = agenda.sitting(connection, identity.meeting)
    item = agenda.item(connection, identity.meeting, identity.id)
    day = sitting.held_on
    plan = find_plan(connection, item.plan) if item.plan else None
    return {
        "meeting": sitting.form, "meeting_number": sitting.number, "body_name": _body_name(profile, item.body, day),
        "legal_role": item.legal_role, "legal_role_name": item.legal_role.label, "position": item.position,
        "occasion": item.occasion, "plan_number": item.plan_number, "plan_kind": plan.kind if plan else None,
        "minimal_reason": item.minimal_reason, "law_text": _body_law(profile, item.body, day),
        "convener_name": _agency_of(profile, item.body, "convener"),
        "round_of_year": round_of_year(connection, item.body, sitting),
        "hands_over_to_name": _body_name(profile, form.hands_over_to, day) if form.hands_over_to else "",
        "closed_at": clock.moment_of(sitting.closed_at) if sitting.closed_at is not None else None,
        "addressed": tuple(dict.fromkeys(presence.agency for presence in form.presences)),
    }  # fmt: skip


def round_of_year(connection: Connection, body: str, sitting: agenda.Sitting) -> int:
    """第n回: which of the body's sittings of the 年度 it is, of those that were convened."""
    first = dt.date(clock.fiscal_year(sitting.held_on), 4, 1).isoformat()
    held = sitting.held_on.isoformat()
    earlier = sa.or_(
        meetings.c.held_on < held, sa.and_(meetings.c.held_on == held, meetings.c.number <= sitting.number)
    )
    rows = connection.execute(
        sa.select(meetings.c.bodies).where(
            meetings.c.state.in_((MeetingState.CONVENED.value, MeetingState.CLOSED.value)),
            meetings.c.held_on >= first,
            earlier,
        )
    )
    return sum(body in msgspec.json.decode(row.bodies, type=list[str]) for row in rows)


def of_information_request(
    connection: Connection, row: Any, form: InformationRequest, profile: Profile
) -> dict[str, Any] | None:
    """Of a request: the article it rests on, and the next sitting that hears the case."""
    day = clock.japanese_date(row.submitted_at)
    _, law = asked_of(row.about)
    following = connection.execute(
        sa.select(sa.func.min(meetings.c.held_on))
        .join(agenda_items, agenda_items.c.meeting == meetings.c.id)
        .where(
            agenda_items.c.case == row.case,
            agenda_items.c.state != agenda.ItemState.WITHDRAWN.value,
            meetings.c.state != MeetingState.CANCELLED.value,
            meetings.c.held_on >= day.isoformat(),
        )
    ).scalar()
    return {
        "law_text": law_text(profile, law, day),
        "meeting_on": dt.date.fromisoformat(following) if following else None,
        "addressed": (form.agency,),
    }


def of_contact_log(connection: Connection, row: Any, form: ContactLogIssue, profile: Profile) -> dict[str, Any] | None:
    """Of a log: the contacts of the period that were on record when it was issued, as far as whoever issued it sees them."""
    seen = sa.select(1).where(audience.c.form == sa.literal("contact/") + records.c.id, audience.c.agency == row.agency)
    rows = connection.execute(
        sa.select(records)
        .where(
            records.c.case == row.case, records.c.kind == "contact", records.c.state.not_in(TAKEN_BACK),
            records.c.seq < row.seq, seen.exists(),
        )
        .order_by(records.c.seq)
    ).all()  # fmt: skip
    found = []
    for contact in rows:
        said = msgspec.json.decode(contact.form, type=Contact)
        if form.since <= said.at <= form.until:
            agency = profile.agency_names.get(contact.agency, contact.agency)
            by = Staff(contact.user, contact.user_name, contact.agency, agency)
            found.append(LoggedContact(form=said, at=clock.moment_of(contact.submitted_at), by=by))
    found.sort(key=lambda entry: (entry.form.at, entry.at))
    return {"entries": tuple(found)}
