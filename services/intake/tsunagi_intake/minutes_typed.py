"""Minutes as they are typed while a sitting is held: one version an item, unchecked, shared by those who write it.

What is withheld from an agency is cut out of what it is shown of them, and put back where it comes back unchanged.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import agenda, convening, meeting_outcomes, records, standing, withholding
from tsunagi_intake.agenda import Item, ItemState, Sitting
from tsunagi_intake.meeting_office import case_of, check_open, is_office_of, is_told
from tsunagi_intake.meeting_tables import agenda_items, minutes_drafts
from tsunagi_intake.records import Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.standing import Stale
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import FormKind, LegalRole, Profile, Role
from tsunagi_shared.forms.checks import FieldError, check
from tsunagi_shared.forms.minutes import Minutes, PresenceState, fields_left_out, out_of_place
from tsunagi_shared.problems import not_found
from tsunagi_shared.web.pages import jst

WRITES = frozenset(
    {Role.CLERK, Role.PROMOTER, Role.COORDINATOR, Role.CHAIR, Role.AGENCY_STAFF, Role.RESPONSIBLE_SECTION}
)


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """Minutes as they are typed. `revision`: what the next write is made on; `errors`: what closing would refuse."""

    meeting: str
    item: str
    revision: int
    saved_at: dt.datetime | None
    saved_by: str
    content: dict[str, Any]
    errors: tuple[FieldError, ...] = ()


class TypedReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """That what was typed is kept, with what closing would refuse of it. It repeats nothing of what was typed: a receipt is
    kept under its Idempotency-Key, longer than the minutes are."""

    meeting: str
    item: str
    revision: int
    saved_at: dt.datetime
    errors: tuple[FieldError, ...] = ()


def may_know(connection: Connection, principal: Principal, profile: Profile, item: Item) -> bool:
    """Whether somebody of the body's office may know what is written on an item: its minutes as they are typed, its note.

    Under 支援会議 its office may, by law; a minimal item is for the provider and the municipality; any other item of a case is
    for whom anything of the case is open today (rules `may-see`, `gate-minimal-item`).
    """
    if not item.case or item.legal_role is LegalRole.SUPPORT_MEETING:
        return True
    if item.minimal_reason is not None:
        allowed = convening.municipality(profile, item.body) | {profile.roles.multi_agency_provider}
        return principal.agency in allowed
    case = case_of(connection, item.case)
    return case is not None and standing.view_of_case(connection, principal, case.seq)[0] is not None


def _item_for(
    connection: Connection, principal: Principal, profile: Profile, identity: str, item_id: str
) -> tuple[Sitting, Item]:
    """The item whose minutes somebody writes or reads as they are typed: of the body's office, where they may know of it."""
    found = agenda.sitting(connection, identity)
    item = agenda.item(connection, identity, item_id)
    if not is_office_of(principal.agency, profile, item.body, found.held_on) or principal.roles.isdisjoint(WRITES):
        if not is_told(connection, principal, found):
            raise not_found()
        raise standing.refusal_of(REFUSALS["not-body-office"])
    if not may_know(connection, principal, profile, item):
        raise not_found()
    return found, item


def typed(connection: Connection, principal: Principal, profile: Profile, identity: str, item_id: str) -> Typed:
    """The minutes of an item as they stand; before anything was typed, what is known of who comes. Refusal."""
    _, item = _item_for(connection, principal, profile, identity, item_id)
    row = connection.execute(sa.select(minutes_drafts).where(minutes_drafts.c.item == item_id)).first()
    if row is None:
        return Typed(
            meeting=identity, item=item_id, revision=0, saved_at=None, saved_by="", content=_begun(connection, item)
        )
    content = msgspec.json.decode(row.content, type=dict[str, Any])
    return Typed(
        meeting=identity, item=item_id, revision=item.revision, saved_at=clock.moment_of(row.saved_at),
        saved_by=row.user_name, content=withholding.shown_as_typed(content, _kept(connection, principal, item)),
        errors=checked(profile, item, content)[1],
    )  # fmt: skip


def _kept(connection: Connection, principal: Principal, item: Item) -> withholding.Kept:
    """What is kept from the caller's agency of the minutes of an item, before there is a record of them."""
    return withholding.of_form(connection, principal, "minutes/", item.case or None)


def _begun(connection: Connection, item: Item) -> dict[str, Any]:
    """Who was called, as they were convened."""
    places = agenda.places(connection, [item.id])
    rows = []
    for member in agenda.members(connection, item.meeting):
        place = places.get((item.id, member.id))
        state = PresenceState.ABSENT
        if member.attends:
            state = PresenceState.LEFT if place is not None and place.leaves else PresenceState.PRESENT
        rows.append({"agency": member.agency, "title": member.title, "name": member.name, "state": state.value})
    return {"presences": rows}


def keep_typed(connection: Connection, write: Write, identity: str, item_id: str, content: dict[str, Any]) -> bytes:
    """Keep what was typed, unchecked; returns the encoded TypedReceipt. Refusal when the sitting is over, Stale when somebody
    else wrote meanwhile, KeyReused."""
    return records.once(connection, write, lambda: _keep_typed(connection, write, identity, item_id, content))


def _keep_typed(
    connection: Connection, write: Write, identity: str, item_id: str, content: dict[str, Any]
) -> TypedReceipt:
    found, item = _item_for(connection, write.principal, write.profile, identity, item_id)
    check_open(found)
    if item.state is not ItemState.OPEN:
        raise standing.refusal_of(REFUSALS["item-not-open"])
    before = connection.execute(sa.select(minutes_drafts).where(minutes_drafts.c.item == item_id)).first()
    if (write.revision or 0) != item.revision:
        who = (
            f"{write.profile.agency_names.get(before.agency, before.agency)}の{before.user_name}さん" if before else ""
        )
        raise Stale(item.revision, who, jst(before.saved_at) if before else "")
    principal, moment, revision = write.principal, clock.now_us(), item.revision + 1
    if before is not None:
        stored = msgspec.json.decode(before.content, type=dict[str, Any])
        content = withholding.put_back_as_typed(stored, content, _kept(connection, principal, item))
    values = {
        "content": msgspec.json.encode(content), "saved_at": moment, "user": principal.user, "user_name": principal.name,
        "agency": principal.agency,
    }  # fmt: skip
    if before is None:
        connection.execute(minutes_drafts.insert().values(item=item_id, case=item.case or None, **values))
    else:
        connection.execute(minutes_drafts.update().where(minutes_drafts.c.item == item_id).values(values))
    connection.execute(agenda_items.update().where(agenda_items.c.id == item_id).values(revision=revision))
    subject = f"meeting/{identity}/items/{item_id}"
    audit.record(connection, principal, "minutes.type", subject, basis="sitting", case=item.case_number)
    return TypedReceipt(
        meeting=identity, item=item_id, revision=revision, saved_at=clock.moment_of(moment),
        errors=checked(write.profile, item, content)[1],
    )  # fmt: skip


def checked(profile: Profile, item: Item, content: dict[str, Any]) -> tuple[Minutes | None, tuple[FieldError, ...]]:
    """The minutes, or all that is wrong with them as minutes of such an item."""
    checked = check(Minutes, content, profile.codes(FormKind.MEETING, clock.today()))
    if checked.form is None:
        return None, checked.errors
    minimal = item.minimal_reason is not None
    errors = [FieldError(*found) for found in out_of_place(checked.form, item.legal_role, minimal=minimal)]
    if (
        item.occasion in meeting_outcomes.DECISIONS
        and checked.form.decision not in meeting_outcomes.DECISIONS[item.occasion]
    ):
        message = "この議題の契機では、その決定は選べません。別の決定を選ぶか、契機を変えて付議し直してください。"
        errors.append(FieldError("decision", "not-of-this-occasion", message))
    return (None if errors else checked.form), tuple(errors)


def left_out(item: Item) -> frozenset[str]:
    """The fields that the minutes of such an item do not have."""
    return fields_left_out(item.legal_role, minimal=item.minimal_reason is not None)
