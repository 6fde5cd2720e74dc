"""Minutes of a sitting's items: closed by its chair, corrected afterwards (rules `gate-…`,
`meeting-decision`, `sitting-…`).

What is typed while it is held: `minutes_typed`. Closing checks every item against who was
really there; minutes, decisions, plans, cases, and what is handed on change in that one transaction, or nothing does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import (
    agenda,
    community_issues,
    convening,
    meeting_outcomes,
    meetings,
    plan_facts,
    publishing,
    records,
    standing,
)
from tsunagi_intake.agenda import Item, ItemState, MeetingState, Member, Place, Sitting
from tsunagi_intake.meeting_office import check_open, is_told, may_run
from tsunagi_intake.meeting_tables import agenda_items, item_members, meeting_members, minutes_drafts
from tsunagi_intake.meeting_tables import meetings as meetings_table
from tsunagi_intake.meetings import refusal_for
from tsunagi_intake.minutes_typed import checked
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.rules import Attendee
from tsunagi_intake.standing import Stale
from tsunagi_intake.tables import records as records_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.minutes import Minutes, Presence, PresenceState, out_of_place
from tsunagi_shared.problems import Refusal, not_found

# closing ---------------------------------------------------------------------------------------------------------------


class _Ready(msgspec.Struct, frozen=True):
    """An item whose minutes can be closed: what they say, who was there, and who of them was called before."""

    item: Item
    form: Minutes
    present: tuple[tuple[Presence, Member | None], ...]


def close(connection: Connection, write: Write, identity: str) -> bytes:
    """Close the sitting; returns the encoded Receipt, whose `number` is the sitting's.

    422 with every mistake in any item (`items.<position>.<field>`), 409 with the rule that stands against an item or because
    it was never convened, Stale when a plan is no longer what was convened with; nothing is stored then.
    """
    return records.once(connection, write, lambda: _close(connection, write, identity))


def _close(connection: Connection, write: Write, identity: str) -> Receipt:
    found = agenda.sitting(connection, identity)
    open_items = [item for item in agenda.items(connection, identity) if item.state is ItemState.OPEN]
    _gate(connection, write, found, open_items)
    _check_convened(connection, open_items)
    ready = _read(connection, write, found, open_items)
    for one in ready:
        _check_present(connection, write.profile, found, one)
        _check_plan(connection, write, one.item)
    moment = clock.now_us()
    revision = found.revision + 1
    connection.execute(
        meetings_table.update().where(meetings_table.c.id == identity).values(
            state=MeetingState.CLOSED.value, closed_at=moment, closed_by=write.principal.name, revision=revision
        )
    )  # fmt: skip
    connection.execute(
        records_table.update().where(records_table.c.id == identity).values(completed_on=clock.today().isoformat())
    )
    for one in ready:
        _record(connection, write, found, one)
    audit.record(connection, write.principal, "meeting.close", f"meeting/{identity}", basis="sitting")
    return Receipt(
        kind="meeting", id=identity, number=found.number, case_number="", revision=revision,
        received_at=clock.moment_of(moment), code=MeetingState.CLOSED.value,
    )  # fmt: skip


def _gate(connection: Connection, write: Write, found: Sitting, items: Iterable[Item]) -> None:
    """Refusal for whoever may not close it, and for a sitting that cannot be closed (any more, or yet)."""
    bodies = {item.body for item in items} or set(found.form.bodies)
    if not all(may_run(write.principal, write.profile, (body,), found.held_on) for body in bodies):
        if not is_told(connection, write.principal, found):
            raise not_found()
        raise standing.refusal_of(REFUSALS["not-body-office"])
    check_open(found)
    if found.state is not MeetingState.CONVENED:
        raise standing.refusal_of(REFUSALS["not-convened"])
    if clock.today() < found.held_on:
        raise standing.refusal_of(REFUSALS["not-held-yet"])
    if write.revision is not None and write.revision != found.revision:
        raise Stale(found.revision, "", "")


def _check_convened(connection: Connection, items: Iterable[Item]) -> None:
    """Refusal for an item that was put on the agenda after the notices went out: nobody was ever to hear it."""
    heard = sa.select(item_members.c.item).where(
        item_members.c.item.in_([item.id for item in items]), item_members.c.leaves == 0
    )
    convened = set(connection.execute(heard.distinct()).scalars())
    for item in items:
        if item.id not in convened:
            raise Refusal(
                409, "not-convened", f"議題{item.position}：この議題は、まだだれも招集していません。",
                "招集し直してください。扱わないときは、議題を取り下げてください。",
            )  # fmt: skip


def _read(connection: Connection, write: Write, found: Sitting, items: list[Item]) -> list[_Ready]:
    """The minutes of every open item. 422 with every mistake in any of them."""
    stored = {
        row.item: row.content
        for row in connection.execute(
            sa.select(minutes_drafts.c.item, minutes_drafts.c.content).where(
                minutes_drafts.c.item.in_([item.id for item in items])
            )
        )
    }
    known = {(one.agency, convening.same_name(one.name)): one for one in agenda.members(connection, found.id)}
    ready: list[_Ready] = []
    errors: list[FieldError] = []
    for item in items:
        content = stored.get(item.id)
        if content is None:
            message = f"議題{item.position}の会議録が、まだ書かれていません。書くか、議題を取り下げてください。"
            errors.append(FieldError(f"items.{item.position}", "required", message))
            continue
        form, wrong = checked(write.profile, item, msgspec.json.decode(content))
        errors += [
            FieldError(f"items.{item.position}.{error.path}", error.code, f"議題{item.position}：{error.message}")
            for error in wrong
        ]
        if form is not None:
            present = tuple(
                (one, known.get((one.agency, convening.same_name(one.name))))
                for one in form.presences
                if one.state is PresenceState.PRESENT
            )
            ready.append(_Ready(item, form, present))
    if errors:
        raise records.invalid(*errors)
    return ready


def _check_present(connection: Connection, profile: Profile, found: Sitting, one: _Ready) -> None:
    """The gate again, with who was really there."""
    item, day = one.item, found.held_on
    facts = convening.facts_of(
        connection, profile, item, item.papers or convening.usual_papers(connection, item),
        _attendees(connection, profile, item, one.present, day), day,
    )  # fmt: skip
    broken = convening.against(facts, profile, day, about_a_case=bool(item.case))
    if broken is not None:
        raise refusal_for(item.position, broken)


def _attendees(
    connection: Connection,
    profile: Profile,
    item: Item,
    present: Iterable[tuple[Presence, Member | None]],
    day: dt.date,
) -> list[Attendee]:
    places = agenda.places(connection, [item.id])
    signed = convening.pledged(connection, item.body) if profile.pledge_required else frozenset()
    found = []
    for presence, member in present:
        if member is None:
            found.append(Attendee(user="", agency=presence.agency))
            continue
        place = places.get((item.id, member.id))
        chosen = member.chosen if place is None or place.chosen is None else place.chosen
        has_pledged = (member.agency, convening.same_name(member.name)) in signed
        found.append(convening.attendee_of(member, chosen=chosen, day=day, has_pledged=has_pledged))
    return found


def _check_plan(connection: Connection, write: Write, item: Item) -> None:
    """Stale when the plan is no longer what the sitting was convened with."""
    if not item.plan:
        return
    plan = plan_facts.find(connection, item.plan)
    if plan is None:
        raise not_found()
    if plan.seen != item.plan_seen:
        # tells who changed it, and when
        standing.check_revision(connection, write.profile, plan.case, 0, plan.revision, plan.form)


def _record(connection: Connection, write: Write, found: Sitting, one: _Ready) -> None:
    """The minutes of one item as a record, and all that follows from them."""
    item, form = one.item, one.form
    case = standing.case_row(connection, seq=item.case) if item.case else None
    number = "" if case else f"{found.number}-{item.position:02d}"
    kept = records.keep(connection, write, case, "minutes", form, about=f"item/{item.id}", number=number)
    connection.execute(
        agenda_items.update()
        .where(agenda_items.c.id == item.id)
        .values(minutes=kept.id, state=ItemState.RECORDED.value)
    )
    connection.execute(minutes_drafts.delete().where(minutes_drafts.c.item == item.id))
    _place_present(connection, write, found, one)
    meeting_outcomes.carry_out(connection, write, found, item, form, case)
    community_issues.hand_on(connection, write, item, form)
    subject = f"minutes/{kept.id}"
    if case is None:
        publishing.publish_form(connection, subject, write.profile, write.outbox)
    else:
        records.recompute(connection, write, case, "sitting")
        standing.note(connection, case, Happening.MINUTES_CLOSED, subject, write.principal, code=form.decision.value)
    audit.record(
        connection, write.principal, "minutes.close", subject, basis="sitting", case=case.number if case else ""
    )


def _place_present(connection: Connection, write: Write, found: Sitting, one: _Ready) -> None:
    """Who was really there for the item: only they read what comes of it."""
    there: dict[str, Member] = {}
    for presence, member in one.present:
        if member is None:
            member = Member(
                id=uuid7(clock.now_us()), agency=presence.agency, user="", name=presence.name, title=presence.title,
                contractor=write.profile.contractor_on(presence.agency, found.held_on), chosen=False, told_on=None,
                attends=True,
            )  # fmt: skip
            connection.execute(
                meeting_members.insert().values(
                    id=member.id, meeting=found.id, agency=member.agency, contractor=member.contractor, user="",
                    name=member.name, title=member.title, chosen=0, told_on=None, attends=1, removed=0,
                )
            )  # fmt: skip
        there[member.id] = member
    places = agenda.places(connection, [one.item.id])
    for member in agenda.members(connection, found.id):
        place = places.get((one.item.id, member.id), Place(chosen=None, leaves=True, why=""))
        present = member.id in there
        why = "" if present else place.why or "absent"
        meetings.put_in_place(connection, write.profile, found, one.item.id, member, hears=present, why=why)


# corrections -----------------------------------------------------------------------------------------------------------


def correct(connection: Connection, write: Write, record_id: str, form: Minutes) -> bytes:
    """Put corrected minutes in the place of the closed ones; returns the encoded Receipt.

    What was decided, and which agencies were there, stays as it was acted upon. Refusal, Stale, KeyReused.
    """
    return records.once(connection, write, lambda: _correct(connection, write, record_id, form))


def _correct(connection: Connection, write: Write, record_id: str, form: Minutes) -> Receipt:
    row = records.row_of(connection, "minutes", record_id)
    case = records.gate_correction(connection, write, row)
    meeting = connection.execute(
        sa.select(agenda_items.c.meeting, agenda_items.c.id).where(agenda_items.c.minutes == record_id)
    ).one()
    item = agenda.item(connection, meeting.meeting, meeting.id)
    before = msgspec.json.decode(row.form, type=Minutes)
    errors = [
        FieldError(*found) for found in out_of_place(form, item.legal_role, minimal=item.minimal_reason is not None)
    ]
    if form.decision is not before.decision:
        message = "決定は、訂正では変えられません。もとの決定を選び、変えるときは次の開催で扱ってください。"
        errors.append(FieldError("decision", "decision-fixed", message))
    if _agencies(form) != _agencies(before):
        message = "出席した機関は、訂正では変えられません。氏名や職名だけを直してください。"
        errors.append(FieldError("presences", "presence-fixed", message))
    if errors:
        raise records.invalid(*errors)
    return records.replace_form(connection, write, case, row, form)


def _agencies(form: Minutes) -> list[str]:
    return sorted({one.agency for one in form.presences if one.state is PresenceState.PRESENT})
