"""Sittings: planned, changed, tried out, convened, cancelled (rules `sitting-…`, `gate-…`).

Each step is one transaction: the gates, the rows, the audience of the cases that are heard, the notice, the time line, the
audit. A refusal leaves nothing. Its items and members are in `agenda_entries`, what is said at
it and its closing in `minutes`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite as sqlite
from sqlalchemy import Connection

from tsunagi_intake import (
    agenda,
    convening,
    numbering,
    occasions,
    plan_facts,
    publishing,
    records,
    standing,
)
from tsunagi_intake.agenda import PAPERS_DAYS, MeetingState, Member, Sitting
from tsunagi_intake.convening import Outlook
from tsunagi_intake.meeting_office import (
    check_office,
    check_open,
    follow,
    is_office_of,
    may_run,
    may_run_all,
    offices_of_all,
    on_record,
    open_sitting,
    receipt,
    touch,
)
from tsunagi_intake.meeting_tables import agenda_items, item_members, meeting_members, meetings, minutes_drafts
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.tables import records as records_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.events import RECORD_WITHDRAWN, RecordWithdrawn
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.database import Statement
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.meeting import Meeting
from tsunagi_shared.problems import Refusal, not_found

_DAY = dt.timedelta(days=1)

_PLACE = Statement(
    sqlite.insert(item_members)
    .values({name: sa.bindparam(name) for name in ("item", "member", "leaves", "why", "until")})
    .on_conflict_do_update(
        index_elements=["item", "member"], set_={name: sa.bindparam(name) for name in ("leaves", "why", "until")}
    )
)


# the sitting -----------------------------------------------------------------------------------------------------------


def create(connection: Connection, write: Write, form: Meeting) -> bytes:
    """Plan a sitting; returns the encoded Receipt. Refusal, KeyReused: nothing is stored then."""
    return records.once(connection, write, lambda: _create(connection, write, form))


def _create(connection: Connection, write: Write, form: Meeting) -> Receipt:
    _check_bodies(write, form)
    number = numbering.next_number(connection, write.profile, "meeting", clock.fiscal_year(clock.today()))
    kept = records.keep(connection, write, None, "meeting", form, number=number)
    connection.execute(
        meetings.insert().values(
            id=kept.id, number=number, bodies=msgspec.json.encode(form.bodies).decode(), held_on=form.held_on.isoformat(),
            starts_at=form.starts_at, ends_at=form.ends_at, state=MeetingState.PLANNED.value, revision=1, closed_by="",
        )
    )  # fmt: skip
    on_record(connection, write, "meeting.create", kept.id)
    return receipt(write, agenda.sitting(connection, kept.id), "planned", 1)


def _check_bodies(write: Write, form: Meeting) -> None:
    """Refusal for whoever does not run sittings of all these bodies, and where these are not held together."""
    if may_run(write.principal, write.profile, form.bodies, form.held_on):
        _check_together(write.profile, form)
    check_office(write, form.bodies, form.held_on)
    if len(form.bodies) > 1 and not write.profile.joint_sittings:
        raise standing.refusal_of(REFUSALS["joint-not-used"])


def _check_together(profile: Profile, form: Meeting) -> None:
    """Refusal for bodies of which no one agency is the office: nobody could convene or close their sitting."""
    if not offices_of_all(profile, form.bodies, form.held_on):
        broken = REFUSALS["not-body-office"]
        raise Refusal(
            409, broken.code, broken.reason,
            "これらの会議体のすべてを運営する機関がないため、合同では開催できません。会議体ごとに、開催を分けてください。",
        )  # fmt: skip


def change(connection: Connection, write: Write, identity: str, form: Meeting) -> bytes:
    """Put another head in the sitting's place; one that was convened is convened anew. Refusal, Stale, KeyReused."""
    return records.once(connection, write, lambda: _change(connection, write, identity, form))


def _change(connection: Connection, write: Write, identity: str, form: Meeting) -> Receipt:
    found = open_sitting(connection, write, identity, whole=True)
    _check_bodies(write, form)
    heard = {item.body for item in agenda.items(connection, identity)}
    if not heard <= set(form.bodies):
        message = "議題を扱う会議体は、外せません。先に議題を取り下げてください。"
        raise records.invalid(FieldError("bodies", "body-in-use", message))
    row = records.row_of(connection, "meeting", identity)
    records.keep_revision(connection, f"meeting/{identity}", row)
    connection.execute(
        records_table.update().where(records_table.c.id == identity).values(form=msgspec.json.encode(form))
    )
    revision = touch(
        connection, found, bodies=msgspec.json.encode(form.bodies).decode(), held_on=form.held_on.isoformat(),
        starts_at=form.starts_at, ends_at=form.ends_at,
    )  # fmt: skip
    on_record(connection, write, "meeting.change", identity)
    if found.state is MeetingState.CONVENED:
        return _carry_out(connection, write, agenda.sitting(connection, identity))
    return receipt(write, found, found.state.value, revision)


def cancel(connection: Connection, write: Write, identity: str) -> bytes:
    """取りやめ: the notices are taken back, the papers of its items closed. Refusal, Stale, KeyReused."""
    return records.once(connection, write, lambda: _cancel(connection, write, identity))


def _cancel(connection: Connection, write: Write, identity: str) -> Receipt:
    found = open_sitting(connection, write, identity, whole=True)
    revision = touch(connection, found, state=MeetingState.CANCELLED.value)
    connection.execute(records_table.update().where(records_table.c.id == identity).values(state="withdrawn"))
    if found.convened_at is not None:
        section = write.profile.municipality.responsible_section
        keep = tuple(dict.fromkeys((found.agency, section)))
        withdrawn = RecordWithdrawn(
            form=f"meeting/{identity}", case_number="", code="withdrawn", keep=keep, at=clock.now()
        )
        write.outbox.add(connection, RECORD_WITHDRAWN, withdrawn, aggregate=f"meeting/{identity}", revision=revision)
    for item in agenda.items(connection, identity):
        follow(connection, write, item, Happening.ITEM_WITHDRAWN)
        connection.execute(minutes_drafts.delete().where(minutes_drafts.c.item == item.id))
    on_record(connection, write, "meeting.cancel", identity)
    return receipt(write, found, MeetingState.CANCELLED.value, revision)


# convening -------------------------------------------------------------------------------------------------------------


def look_at(connection: Connection, principal: Principal, profile: Profile, identity: str) -> Outlook:
    """The dry run, for the office of one of its bodies: of the others' items, that they are there. Refusal; nothing is stored
    or sent."""
    found = agenda.sitting(connection, identity)
    bodies, day = found.form.bodies, found.held_on
    if not may_run(principal, profile, bodies, day):
        raise not_found()
    check_open(found)
    own = frozenset(body for body in bodies if is_office_of(principal.agency, profile, body, day))
    sees_all = principal.agency == profile.municipality.responsible_section
    outlook = convening.look_at(connection, profile, found, own=own, sees_all=sees_all)
    return msgspec.structs.replace(outlook, may_convene=may_run_all(principal, profile, bodies, day))


def convene(connection: Connection, write: Write, identity: str) -> bytes:
    """Send the notices out, again where the sitting was convened before; returns the encoded Receipt.

    Refusal with the rule that stands against an item: nothing is stored or sent then. Stale, KeyReused.
    """
    return records.once(
        connection, write, lambda: _carry_out(connection, write, open_sitting(connection, write, identity, whole=True))
    )


def _carry_out(connection: Connection, write: Write, found: Sitting) -> Receipt:
    outlook = convening.look_at(connection, write.profile, found)
    _refuse(outlook)
    day = found.held_on
    moment = clock.now_us()
    called = {member.id: member for member in agenda.members(connection, found.id)}
    for item in agenda.items(connection, found.id):
        shown = next((one for one in outlook.items if one.id == item.id), None)
        if shown is None:
            continue
        plan = plan_facts.find(connection, item.plan) if item.plan else None
        connection.execute(
            agenda_items.update().where(agenda_items.c.id == item.id).values(
                papers=msgspec.json.encode(shown.papers).decode(), plan_seen=plan.seen if plan else ""
            )
        )  # fmt: skip
        coming = {one.member: one for one in shown.members}
        for member in called.values():  # who does not come any more keeps nothing of an earlier convening
            one = coming.get(member.id)
            hears, why = (one.hears, one.why) if one is not None else (False, convening.ABSENT)
            put_in_place(connection, write.profile, found, item.id, member, hears=hears, why=why)
    connection.execute(
        meeting_members.update().where(meeting_members.c.id.in_(list(called))).values(notified_at=moment)
    )
    revision = touch(
        connection, found, state=MeetingState.CONVENED.value, convened_at=moment, reply_by=_reply_by(day).isoformat()
    )
    for item in agenda.items(connection, found.id):
        follow(connection, write, item, Happening.MEETING_CONVENED)
    publishing.publish_form(connection, f"meeting/{found.id}", write.profile, write.outbox)
    on_record(connection, write, "meeting.convene", found.id)
    return receipt(write, found, MeetingState.CONVENED.value, revision)


def put_in_place(
    connection: Connection, profile: Profile, sitting: Sitting, item: str, member: Member, *, hears: bool, why: str
) -> None:
    """Keep whether a member hears an item, and if so until when its papers are theirs to read."""
    until = _papers_until(profile, member, sitting.held_on).isoformat() if hears else None
    _PLACE.run(connection, item=item, member=member.id, leaves=int(not hears), why=why, until=until)


def _refuse(outlook: Outlook) -> None:
    """Refusal with what stands against the first item that cannot be heard."""
    if outlook.missing is not None:
        raise standing.refusal_of(outlook.missing)
    for item in outlook.items:
        if item.blocked is not None:
            raise refusal_for(item.position, item.blocked)


def refusal_for(position: int, broken: Any) -> Refusal:
    """A rule's refusal that says which item it is about."""
    return Refusal(409, broken.code, f"議題{position}：{broken.reason}", broken.way_out)


def _papers_until(profile: Profile, member: Member, day: dt.date) -> dt.date:
    """The last day on which a member reads the papers: as long as they are kept open, and no longer than the contract."""
    last = day + PAPERS_DAYS * _DAY
    known = profile.agencies_by_id.get(member.agency)
    own = [one.until for one in known.operated_by if one.contractor == member.contractor] if known is not None else []
    ends = [until for until in own if until is not None]
    if own and len(ends) == len(own):
        return min(last, max(ends))
    return last


def _reply_by(day: dt.date) -> dt.date:
    """By when an agency says whether it comes: the last day before the sitting on which offices are open."""
    before = day - _DAY
    while not occasions.is_open(before):
        before -= _DAY
    return before
