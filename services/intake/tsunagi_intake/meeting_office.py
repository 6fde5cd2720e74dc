"""Who runs sittings, and what every change of one leaves: its next revision, the audience of its cases, the time line, the
audit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import (
    agenda,
    records,
    rules,
    standing,
    timeline,
)
from tsunagi_intake.agenda import Item, MeetingState, Sitting
from tsunagi_intake.meeting_tables import meeting_members, meetings
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.standing import CaseRow, Stale
from tsunagi_intake.tables import records as records_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import LegalRole, Profile, Role
from tsunagi_shared.problems import Refusal, not_found

RUNS = frozenset({Role.COORDINATOR, Role.CHAIR, Role.RESPONSIBLE_SECTION})


# who may ---------------------------------------------------------------------------------------------------------------


def is_office_of(agency: str, profile: Profile, body_id: str, day: dt.date) -> bool:
    """Whether the agency convenes or runs the body, or is the secretariat of its 支援会議."""
    body = profile.bodies_by_id.get(body_id)
    if body is None:
        return False
    if agency in (body.convener, body.organizer):
        return True
    return agency == profile.roles.support_meeting_secretariat and LegalRole.SUPPORT_MEETING in body.roles_on(day)


def may_run(principal: Principal, profile: Profile, bodies: Collection[str], day: dt.date) -> bool:
    """Whether the person runs sittings of one of these bodies. A program with a key never does: it acts as a 相談員."""
    return bool(rules.actor_of(principal, profile, day).roles & RUNS) and any(
        is_office_of(principal.agency, profile, body, day) for body in bodies
    )


def may_run_all(principal: Principal, profile: Profile, bodies: Collection[str], day: dt.date) -> bool:
    """Whether the person runs sittings of every one of these bodies."""
    return all(may_run(principal, profile, (body,), day) for body in bodies)


def offices_of_all(profile: Profile, bodies: Collection[str], day: dt.date) -> tuple[str, ...]:
    """The agencies that are the office of every one of these bodies."""
    return tuple(
        agency for agency in profile.agency_names if all(is_office_of(agency, profile, body, day) for body in bodies)
    )


def check_office(write: Write, bodies: Collection[str], day: dt.date) -> None:
    """Refusal for whoever does not run sittings of every one of these bodies."""
    if not may_run_all(write.principal, write.profile, bodies, day):
        raise standing.refusal_of(REFUSALS["not-body-office"])


def open_sitting(connection: Connection, write: Write, identity: str, *, whole: bool = False) -> Sitting:
    """A sitting that is to be changed, for somebody of the office of one of its bodies; `whole`: of all of them, because
    what is done concerns every item. Refusal when it is over, Stale."""
    found = agenda.sitting(connection, identity)
    if not may_run(write.principal, write.profile, found.form.bodies, found.held_on):
        if not is_told(connection, write.principal, found):
            raise not_found()
        raise standing.refusal_of(REFUSALS["not-body-office"])
    if whole:
        check_office(write, found.form.bodies, found.held_on)
    check_open(found)
    if write.revision is not None and write.revision != found.revision:
        raise Stale(found.revision, "", "")
    return found


def check_open(sitting: Sitting) -> None:
    """Refusal when the sitting was closed or cancelled."""
    if sitting.state is MeetingState.CLOSED:
        raise standing.refusal_of(REFUSALS["already-closed"])
    if sitting.state is MeetingState.CANCELLED:
        raise standing.refusal_of(REFUSALS["sitting-cancelled"])


def is_told(connection: Connection, principal: Principal, sitting: Sitting) -> bool:
    """Whether the person's agency knows of the sitting: it was convened with somebody of it, or somebody of it was there."""
    if sitting.convened_at is None:
        return False
    called = sa.select(1).where(
        meeting_members.c.meeting == sitting.id, meeting_members.c.agency == principal.agency, agenda.TOLD
    )
    return connection.execute(called.limit(1)).first() is not None


def touch(connection: Connection, sitting: Sitting, **values: Any) -> int:
    """The next revision of the sitting, with these columns changed; its record has the same."""
    revision = sitting.revision + 1
    connection.execute(meetings.update().where(meetings.c.id == sitting.id).values(revision=revision, **values))
    connection.execute(
        records_table.update()
        .where(records_table.c.id == sitting.id)
        .values(revision=revision, audience_revision=revision)
    )
    return revision


def receipt(
    write: Write, sitting: Sitting, action: str, revision: int, *, kind: str = "meeting", identity: str = ""
) -> Receipt:
    return Receipt(
        kind=kind, id=identity or sitting.id, number=sitting.number, case_number="", revision=revision,
        received_at=clock.now(), code=action,
    )  # fmt: skip


def on_record(
    connection: Connection, write: Write, action: str, meeting: str, *, item: str = "", case: str = ""
) -> None:
    subject = f"meeting/{meeting}/items/{item}" if item else f"meeting/{meeting}"
    audit.record(connection, write.principal, action, subject, basis="sitting", case=case)


def follow(connection: Connection, write: Write, item: Item, happening: Happening) -> None:
    """What an item of a case leaves there: the audience, a line of the time line."""
    if not item.case:
        return
    case = case_of(connection, item.case)
    if case is None:
        return
    records.recompute(connection, write, case, "sitting")
    timeline.add(
        connection, case.seq, happening, f"meeting/{item.meeting}", code=item.occasion.value, principal=write.principal,
        state=case.state,
    )  # fmt: skip


def case_of(connection: Connection, seq: int) -> CaseRow | None:
    """The case of an item; None when it was erased."""
    try:
        return standing.case_row(connection, seq=seq)
    except Refusal:
        return None
