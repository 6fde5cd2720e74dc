"""The pages on which sittings, items, members and minutes are written: who may open them, and with what they start."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection

from tsunagi_intake import agenda, form_facts, meeting_office, minutes_typed, records, standing
from tsunagi_intake.agenda import Sitting
from tsunagi_intake.form_places import Place
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.rules import Standing
from tsunagi_intake.standing import CaseRow
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import LegalRole, Profile
from tsunagi_shared.forms.meeting import MeetingMember
from tsunagi_shared.problems import not_found


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What such a page is made on. `left_out`: fields that are not asked."""

    case_number: str = ""
    revision: int | None = None
    left_out: frozenset[str] = frozenset()


def _sitting(connection: Connection, principal: Principal, profile: Profile, place: Place) -> Sitting:
    """The sitting that a place names, for its office. Refusal; the common 404."""
    found = agenda.sitting(connection, place.meeting)
    if not meeting_office.may_run(principal, profile, found.form.bodies, found.held_on):
        raise not_found()
    meeting_office.check_open(found)
    return found


def opening(connection: Connection, principal: Principal, profile: Profile, kind: str, place: Place) -> dict[str, Any]:
    """What the page shows at first, for somebody who may hand the form in there. Refusal otherwise."""
    if kind == "meeting" and not place.meeting:
        bodies = _own_bodies(principal, profile)
        if not bodies:
            raise standing.refusal_of(REFUSALS["not-body-office"])
        return {"bodies": [place.row] if place.row in bodies else [], "held_on": place.variant}
    if kind == "minutes":
        return minutes_typed.typed(connection, principal, profile, place.meeting, place.item).content
    found = _sitting(connection, principal, profile, place)
    if kind == "meeting":
        if not meeting_office.may_run_all(principal, profile, found.form.bodies, found.held_on):
            raise standing.refusal_of(REFUSALS["not-body-office"])
        form: dict[str, Any] = msgspec.to_builtins(found.form)
        return form
    if kind == "agenda_item":
        only = found.form.bodies[0] if len(found.form.bodies) == 1 else ""
        return {"body": only, "legal_role": _only_role(profile, found, only), "case_number": place.case}
    if not place.member:
        return {"attends": True}
    member = next((one for one in agenda.members(connection, place.meeting) if one.id == place.member), None)
    if member is None:
        raise not_found()
    known: dict[str, Any] = msgspec.to_builtins(member)
    return {name: known[name] for name in MeetingMember.__struct_fields__}


def _own_bodies(principal: Principal, profile: Profile) -> tuple[str, ...]:
    today = clock.today()
    return tuple(body.id for body in profile.bodies if meeting_office.may_run(principal, profile, (body.id,), today))


def _only_role(profile: Profile, found: Sitting, body: str) -> str:
    """The legal role of the sitting's body where it has just one that day."""
    held: frozenset[LegalRole] = (
        profile.body(body).roles_on(found.held_on) if body in profile.bodies_by_id else frozenset()
    )
    return next(iter(held)).value if len(held) == 1 else ""


def scene(connection: Connection, principal: Principal, profile: Profile, kind: str, place: Place) -> Scene:
    """What stands around the fields. Refusal for somebody who may not see it."""
    if kind == "minutes":
        typed = minutes_typed.typed(connection, principal, profile, place.meeting, place.item)
        item = agenda.item(connection, place.meeting, place.item)
        return Scene(case_number=item.case_number, revision=typed.revision, left_out=minutes_typed.left_out(item))
    if kind == "meeting" and place.meeting:
        return Scene(revision=_sitting(connection, principal, profile, place).revision)
    return Scene()


def asked(connection: Connection, principal: Principal, profile: Profile, place: Place) -> tuple[CaseRow, Standing]:
    """The case of an information request, and how the caller stands to the request. Refusal for others than its addressee."""
    row = records.row_of(connection, "information_request", place.request)
    case = standing.case_row(connection, seq=row.case)
    own = standing.on_record(connection, principal, profile, row, case)
    if own.view is None:
        raise not_found()
    if form_facts.asked_of(row.about)[0] != principal.agency:
        raise standing.refusal_of(REFUSALS["not-addressee"])
    return case, own
