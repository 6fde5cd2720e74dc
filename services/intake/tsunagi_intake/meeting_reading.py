"""Sittings as their readers may see them: the responsible section all of it, the office of a body its own body's items (of
the others', that they are there), an agency that was called the items it hears. Numbers only; what is said of a case stands in
its minutes.
"""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import agenda, minutes_typed, occasions, withholding
from tsunagi_intake.agenda import Item, ItemState, MeetingState, Member, Place, Sitting
from tsunagi_intake.meeting_events import round_of_year
from tsunagi_intake.meeting_office import RUNS, is_office_of, is_told, may_run, may_run_all
from tsunagi_intake.meeting_tables import meeting_members, meetings, minutes_drafts
from tsunagi_intake.tables import records
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import LegalRole, Profile
from tsunagi_shared.forms.meeting import Meeting, MinimalReason, Occasion
from tsunagi_shared.forms.withheld_text import without
from tsunagi_shared.problems import not_found

AHEAD_DAYS = 183  # for so long occasions are proposed


class ItemLine(msgspec.Struct, frozen=True, kw_only=True):
    """An item. `hears`: agencies that hear it, as it was convened; `typed_at`: its minutes were begun; `may_write`: the
    reader writes its minutes; `may_withdraw`: takes it off the agenda; `hidden`: it is another body's, and the reader is told
    its position, body and role alone."""

    id: str
    position: int
    case_number: str
    plan_number: str
    body: str
    legal_role: LegalRole
    state: ItemState
    occasion: Occasion | None = None
    minimal_reason: MinimalReason | None = None
    note: str = ""
    minutes: str = ""
    hears: tuple[str, ...] = ()
    revision: int = 0
    typed_at: dt.datetime | None = None
    may_write: bool = False
    may_withdraw: bool = False
    hidden: bool = False


class MemberLine(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody called. `leaves_for`: positions of items."""

    id: str
    agency: str
    user: str
    name: str
    title: str
    chosen: bool
    told_on: dt.date | None
    attends: bool
    leaves_for: tuple[int, ...]


class MeetingPage(msgspec.Struct, frozen=True, kw_only=True):
    """A sitting. `may_run`: the reader is of the office of one of its bodies; `may_convene`: of all of them, and does what
    concerns every item; `round`: 第n回 of its first body in the 年度."""

    id: str
    number: str
    revision: int
    state: MeetingState
    form: Meeting
    round: int
    convened_at: dt.datetime | None
    reply_by: dt.date | None
    closed_at: dt.datetime | None
    closed_by: str
    may_run: bool
    may_convene: bool
    items: tuple[ItemLine, ...]
    members: tuple[MemberLine, ...]


class MeetingLine(msgspec.Struct, frozen=True, kw_only=True):
    """A sitting on the list."""

    id: str
    number: str
    bodies: tuple[str, ...]
    held_on: dt.date
    starts_at: str
    place: str
    state: MeetingState


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """A day on which a body is due to meet by its schedule, with no sitting made for it yet."""

    body: str
    held_on: dt.date


class MeetingList(msgspec.Struct, frozen=True, kw_only=True):
    """The sittings that the reader may know of, the latest first; `next` goes into `?before=`. `proposed`: what is to be
    made by the schedules of the bodies they run."""

    items: tuple[MeetingLine, ...]
    next: str
    proposed: tuple[Proposed, ...]


def page_of(connection: Connection, principal: Principal, profile: Profile, identity: str) -> MeetingPage:
    """The sitting for this reader; the common 404 for whoever may not know of it."""
    found = agenda.sitting(connection, identity)
    sight = _sight(principal, profile, found)
    if not sight.sees_all and not sight.own and not is_told(connection, principal, found):
        raise not_found()
    items = [item for item in agenda.items(connection, identity, withdrawn=True) if sight.knows_of(item)]
    ids = [item.id for item in items]
    places = agenda.places(connection, ids)
    called = agenda.members(connection, identity)
    typed = {
        row.item: row.saved_at
        for row in connection.execute(
            sa.select(minutes_drafts.c.item, minutes_drafts.c.saved_at).where(minutes_drafts.c.item.in_(ids))
        )
    }
    lines = []
    for item in items:
        hears = dict.fromkeys(
            one.agency for one in called if (item.id, one.id) in places and not places[item.id, one.id].leaves
        )
        line = _item_line(connection, profile, sight, item, tuple(hears), typed.get(item.id))
        if line is not None:
            lines.append(line)
    day, bodies = found.held_on, found.form.bodies
    return MeetingPage(
        id=identity, number=found.number, revision=found.revision, state=found.state, form=found.form,
        round=round_of_year(connection, bodies[0], found), convened_at=_moment(found.convened_at),
        reply_by=found.reply_by, closed_at=_moment(found.closed_at), closed_by=found.closed_by,
        may_run=may_run(principal, profile, bodies, day), may_convene=may_run_all(principal, profile, bodies, day),
        items=tuple(lines), members=_member_lines(sight, called, items, places),
    )  # fmt: skip


class _Sight(msgspec.Struct, frozen=True):
    """How far somebody sees into a sitting. `own`: its bodies whose office they are of."""

    principal: Principal
    sees_all: bool
    own: frozenset[str]
    is_open: bool

    def sees(self, item: Item) -> bool:
        """Whether they see all that is known of the item."""
        return self.sees_all or item.body in self.own

    def knows_of(self, item: Item) -> bool:
        """Whether they are told of it at all: an item taken off the agenda concerns nobody else any more."""
        return self.sees(item) or item.state is not ItemState.WITHDRAWN


def _sight(principal: Principal, profile: Profile, found: Sitting) -> _Sight:
    """The responsible section sees all of it, the office of a body that body's items."""
    agency, reads = principal.agency, principal.reads_cases
    own = (body for body in found.form.bodies if is_office_of(agency, profile, body, found.held_on))
    return _Sight(
        principal, reads and agency == profile.municipality.responsible_section, frozenset(own if reads else ()),
        found.state in (MeetingState.PLANNED, MeetingState.CONVENED),
    )  # fmt: skip


def _item_line(
    connection: Connection,
    profile: Profile,
    sight: _Sight,
    item: Item,
    hears: tuple[str, ...],
    typed_at: int | None,
) -> ItemLine | None:
    """The item as far as the reader may see it; None where it is not for them to know."""
    principal, sees = sight.principal, sight.sees(item)
    if not sees and principal.agency not in hears:
        if not sight.own:
            return None
        return ItemLine(
            id="", position=item.position, case_number="", plan_number="", body=item.body, legal_role=item.legal_role,
            state=item.state, hidden=True,
        )  # fmt: skip
    knows = sees and minutes_typed.may_know(connection, principal, profile, item)
    writes = knows and item.body in sight.own
    is_open = sight.is_open and item.state is ItemState.OPEN
    return ItemLine(
        id=item.id, position=item.position, case_number=item.case_number, plan_number=item.plan_number, body=item.body,
        legal_role=item.legal_role, occasion=item.occasion, minimal_reason=item.minimal_reason,
        note=_note(connection, principal, item) if knows else "", state=item.state, minutes=item.minutes, hears=hears,
        revision=item.revision if writes else 0,
        typed_at=clock.moment_of(typed_at) if writes and typed_at is not None else None,
        may_write=writes and is_open,
        may_withdraw=item.body in sight.own and is_open and not principal.roles.isdisjoint(RUNS),
    )  # fmt: skip


def _member_lines(
    sight: _Sight, called: tuple[Member, ...], items: list[Item], places: dict[tuple[str, str], Place]
) -> tuple[MemberLine, ...]:
    """Those called: everybody for an office and the responsible section, their own people for the others."""
    whole = sight.sees_all or bool(sight.own)
    return tuple(
        MemberLine(
            id=one.id, agency=one.agency, user=one.user if whole else "", name=one.name, title=one.title, chosen=one.chosen,
            told_on=one.told_on, attends=one.attends,
            leaves_for=tuple(
                item.position
                for item in items
                if (sight.sees(item) or not whole) and (item.id, one.id) in places and places[item.id, one.id].leaves
            ),
        )
        for one in called
        if whole or one.agency == sight.principal.agency
    )  # fmt: skip


def _note(connection: Connection, principal: Principal, item: Item) -> str:
    """What was noted on an item, without what is withheld from the reader in its case."""
    return without(item.note, withholding.of_case(connection, principal, item.case or None)) if item.note else ""


def _moment(microseconds: int | None) -> dt.datetime | None:
    return None if microseconds is None else clock.moment_of(microseconds)


def list_of(connection: Connection, principal: Principal, profile: Profile, before: str, limit: int) -> MeetingList:
    """A page of the sittings that the reader may know of, from the one before `before` (`<day>.<id>`; empty: the latest)."""
    wanted = (
        sa.select(meetings, records.c.form, records.c.agency)
        .join(records, records.c.id == meetings.c.id)
        .order_by(meetings.c.held_on.desc(), meetings.c.id.desc())
    )
    if before:
        day, _, identity = before.partition(".")
        wanted = wanted.where(
            sa.tuple_(meetings.c.held_on, meetings.c.id) < sa.tuple_(sa.literal(day), sa.literal(identity))
        )
    if principal.agency != profile.municipality.responsible_section:
        called = sa.select(meeting_members.c.meeting).where(meeting_members.c.agency == principal.agency, agenda.TOLD)
        known = meetings.c.id.in_(called) & meetings.c.convened_at.is_not(None)
        own = _own_bodies(principal, profile)
        # without a body of its own an agency's few sittings are looked up, not looked for
        wanted = wanted.where(
            sa.or_(known, *(sa.func.instr(meetings.c.bodies, f'"{body}"') > 0 for body in own)) if own else known
        )
    if not principal.reads_cases:
        wanted = wanted.where(sa.false())
    rows = connection.execute(wanted.limit(limit + 1)).all()
    lines = tuple(_line(agenda.sitting_of(row)) for row in rows[:limit])
    following = f"{lines[-1].held_on.isoformat()}.{lines[-1].id}" if len(rows) > limit else ""
    return MeetingList(
        items=lines, next=following, proposed=() if before else _proposed(connection, principal, profile)
    )


def _own_bodies(principal: Principal, profile: Profile) -> tuple[str, ...]:
    day = clock.today()
    return tuple(body.id for body in profile.bodies if is_office_of(principal.agency, profile, body.id, day))


def _line(found: Sitting) -> MeetingLine:
    return MeetingLine(
        id=found.id, number=found.number, bodies=tuple(found.form.bodies), held_on=found.held_on,
        starts_at=found.form.starts_at, place=found.form.place, state=found.state,
    )  # fmt: skip


def _proposed(connection: Connection, principal: Principal, profile: Profile) -> tuple[Proposed, ...]:
    """The next days of each body that the reader runs, without those for which there is a sitting."""
    start = clock.today()
    until = start + dt.timedelta(AHEAD_DAYS)
    made = {
        (body, row.held_on)
        for row in connection.execute(
            sa.select(meetings.c.bodies, meetings.c.held_on).where(
                meetings.c.held_on >= start.isoformat(), meetings.c.state != MeetingState.CANCELLED.value
            )
        )
        for body in msgspec.json.decode(row.bodies, type=list[str])
    }
    found = [
        Proposed(body=body, held_on=day)
        for body in _own_bodies(principal, profile)
        if may_run(principal, profile, (body,), start)
        for day in occasions.occasions_of(profile.body(body), start, until)
        if (body, day.isoformat()) not in made
    ]
    return tuple(sorted(found, key=lambda line: (line.held_on, line.body)))
