"""What is counted in one 年度, straight from the tables: numbers by code and agency, never a person.

Everything is counted in SQL on the rows of that year alone. Forms are looked into only where no column says it: the finding
route of referrals, and who was there in minutes.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.agenda import ItemState, MeetingState
from tsunagi_intake.cases import TAKEN_BACK
from tsunagi_intake.meeting_tables import agenda_items, meetings
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.tables import allocations, cases, consents, records, referrals
from tsunagi_shared import clock
from tsunagi_shared.forms.minutes import PresenceState
from tsunagi_shared.forms.plan import PlanKind
from tsunagi_shared.forms.referral import ConsentStatus


class Year(msgspec.Struct, frozen=True):
    """A 年度: 1 April of its year to 31 March of the next."""

    fiscal_year: int

    @property
    def first(self) -> dt.date:
        return dt.date(self.fiscal_year, 4, 1)

    @property
    def last(self) -> dt.date:
        return dt.date(self.fiscal_year + 1, 3, 31)

    def has(self, day: sa.Column[Any]) -> sa.ColumnElement[bool]:
        """Whether a column of ISO dates lies in it."""
        return day.between(self.first.isoformat(), self.last.isoformat())

    def has_moment(self, at: sa.Column[Any]) -> sa.ColumnElement[bool]:
        """Whether a column of UTC microseconds lies in it, by the Japanese day."""
        begins, ends = clock.midnight_us(self.first), clock.midnight_us(dt.date(self.fiscal_year + 1, 4, 1))
        return sa.and_(at >= begins, at < ends)


class PlanCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Plans of one kind. `first`, `replans`: took effect in the year; the others by the day on which it happened."""

    first: int = 0
    replans: int = 0
    provisional: int = 0
    suspended: int = 0
    ended: int = 0
    superseded: int = 0
    dropped: int = 0


def plan_counts(connection: Connection, year: Year) -> dict[PlanKind, PlanCounts]:
    """By kind of plan; a kind without plans has zeros."""

    def of(wanted: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((wanted, 1), else_=0)), 0)

    over = year.has(plans.c.ended_on)
    days = plans.c.effective_on, plans.c.confirmed_on, plans.c.suspended_on, plans.c.ended_on  # each has its index
    rows = connection.execute(
        sa.select(
            plans.c.kind,
            of(sa.and_(year.has(plans.c.effective_on), plans.c.round == 1)).label("first"),
            of(sa.and_(year.has(plans.c.effective_on), plans.c.round > 1)).label("replans"),
            of(year.has(plans.c.confirmed_on)).label("provisional"),
            of(year.has(plans.c.suspended_on)).label("suspended"),
            *(of(sa.and_(over, plans.c.state == state)).label(state) for state in ("ended", "superseded", "dropped")),
        )
        .where(sa.or_(*(year.has(day) for day in days)))
        .group_by(plans.c.kind)
    )
    found = {row.kind: row for row in rows}
    return {
        kind: PlanCounts(**{name: getattr(found[kind.value], name) for name in PlanCounts.__struct_fields__})
        if kind.value in found
        else PlanCounts()
        for kind in PlanKind
    }


def plans_by_writer(connection: Connection, year: Year) -> Counter[tuple[str, dt.date, str]]:
    """Plans that took effect, by (agency that drew it up, day of effect, kind)."""
    rows = connection.execute(
        sa.select(records.c.agency, plans.c.effective_on, plans.c.kind, sa.func.count())
        .join(records, records.c.id == plans.c.id)
        .where(year.has(plans.c.effective_on))
        .group_by(records.c.agency, plans.c.effective_on, plans.c.kind)
    )
    return Counter({(agency, dt.date.fromisoformat(day), kind): number for agency, day, kind, number in rows})


def joint_cases(connection: Connection, year: Year) -> int:
    """Cases in which a plan took effect that gives two or more agencies a part."""
    part_of = sa.func.substr(allocations.c.id, 1, sa.func.instr(allocations.c.id, sa.literal_column("'.'")) - 1)
    several = (
        sa.select(plans.c.case)
        .join(allocations, sa.and_(allocations.c.case == plans.c.case, part_of == plans.c.id))
        .where(year.has(plans.c.effective_on))
        .group_by(plans.c.id, plans.c.case)
        .having(sa.func.count(allocations.c.agency.distinct()) >= 2)
        .subquery()
    )
    one = sa.func.coalesce(cases.c.joined_into, cases.c.seq)  # cases that were joined are one
    wanted = sa.select(sa.func.count(one.distinct())).join_from(several, cases, cases.c.seq == several.c.case)
    return int(connection.execute(wanted).scalar_one())


# sittings --------------------------------------------------------------------------------------------------------------


class Sittings(msgspec.Struct, frozen=True, kw_only=True):
    """Closed sittings. By legal role: those that heard an item under it, the items, and the agencies that were there for one;
    by body: the sittings held for it. `case_items`: items that were about a case."""

    sittings: int
    by_role: dict[str, int]
    by_body: dict[str, int]
    items: dict[str, int]
    agencies: dict[str, int]
    all_agencies: int
    case_items: int


class _Presence(msgspec.Struct):
    agency: str
    state: PresenceState


class _Minutes(msgspec.Struct):
    presences: tuple[_Presence, ...] = ()


_minutes = msgspec.json.Decoder(_Minutes)
_texts = msgspec.json.Decoder(tuple[str, ...])


def sittings(connection: Connection, year: Year) -> Sittings:
    """What was held and heard in the year, by the day of the sitting."""
    held = connection.execute(
        sa.select(meetings.c.id, meetings.c.bodies).where(
            meetings.c.state == MeetingState.CLOSED.value, year.has(meetings.c.held_on)
        )
    ).all()
    by_body = Counter(body for row in held for body in _texts.decode(row.bodies))
    rows = connection.execute(
        sa.select(agenda_items.c.meeting, agenda_items.c.legal_role, agenda_items.c.case, records.c.form)
        .join(meetings, meetings.c.id == agenda_items.c.meeting)
        .outerjoin(records, records.c.id == agenda_items.c.minutes)
        .where(
            meetings.c.state == MeetingState.CLOSED.value,
            year.has(meetings.c.held_on),
            agenda_items.c.state == ItemState.RECORDED.value,
        )
    )
    by_role: dict[str, set[str]] = {}
    agencies: dict[str, set[str]] = {}
    items: Counter[str] = Counter()
    case_items = 0
    for meeting, role, case, form in rows:
        by_role.setdefault(role, set()).add(meeting)
        items[role] += 1
        case_items += case is not None
        there = _minutes.decode(form).presences if form else ()
        agencies.setdefault(role, set()).update(
            one.agency for one in there if one.state is PresenceState.PRESENT and one.agency
        )
    return Sittings(
        sittings=len(held), by_role={role: len(found) for role, found in by_role.items()}, by_body=dict(by_body),
        items=dict(items), agencies={role: len(found) for role, found in agencies.items()},
        all_agencies=len(set().union(*agencies.values())), case_items=case_items,
    )  # fmt: skip


# referrals, consents, cases, contacts ----------------------------------------------------------------------------------


def referrals_by_agency(connection: Connection, year: Year) -> Counter[str]:
    """Referrals handed in, but for those taken back, by the agency that wrote them."""
    rows = connection.execute(
        sa.select(referrals.c.agency, sa.func.count()).where(*_received(connection, year)).group_by(referrals.c.agency)
    )
    return _counter(rows)


def referrals_by_route(connection: Connection, year: Year) -> Counter[str]:
    """The same by finding route (a FindingRoute; empty: none was given, or the form was erased)."""
    text = sa.cast(referrals.c.form, sa.Text)
    route = sa.case(
        (sa.func.length(referrals.c.form) > 0, sa.func.coalesce(sa.func.json_extract(text, "$.finding_route"), "")),
        else_="",
    )
    rows = connection.execute(sa.select(route, sa.func.count()).where(*_received(connection, year)).group_by(route))
    return _counter(rows)


def _received(connection: Connection, year: Year) -> tuple[sa.ColumnElement[bool], ...]:
    first, end = _span(connection, referrals, year)
    return (
        referrals.c.seq >= first,
        referrals.c.seq < end,
        referrals.c.fiscal_year == year.fiscal_year,
        referrals.c.state.not_in(TAKEN_BACK),
    )


def _span(connection: Connection, table: sa.Table, year: Year) -> tuple[int, int]:
    """Between which rows those of the year lie: rows are numbered in the order in which they came, so that the years before
    need not be looked at. A day more on either side, should the clock have been set back."""
    begins = clock.midnight_us(year.first - dt.timedelta(1))
    ends = clock.midnight_us(year.last + dt.timedelta(2))
    return _first_from(connection, table, begins), _first_from(connection, table, ends)


def _first_from(connection: Connection, table: sa.Table, moment: int) -> int:
    low = 1
    high = int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.seq), 0))).scalar_one()) + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            sa.select(table.c.seq, table.c.submitted_at).where(table.c.seq >= middle).order_by(table.c.seq).limit(1)
        ).first()
        if row is None or row.submitted_at >= moment:
            high = middle
        else:
            low = row.seq + 1
    return low


def consents_given(connection: Connection, year: Year) -> int:
    """Consents by the day on which they were given."""
    wanted = consents.c.status == ConsentStatus.GIVEN.value, year.has(consents.c.given_on)
    return _number(connection, consents, *wanted)


def consents_withdrawn(connection: Connection, year: Year) -> int:
    """Consents by the day on which the person took them back as a whole."""
    return _number(connection, consents, year.has(consents.c.withdrawn_on))


def cases_opened(connection: Connection, year: Year) -> int:
    """Cases opened, but for those that were joined to another one."""
    return _number(connection, cases, cases.c.fiscal_year == year.fiscal_year, cases.c.joined_into.is_(None))


def cases_ended(connection: Connection, year: Year) -> Counter[str]:
    """Cases that ended, by the state in which they ended (CaseState), but for those joined to another one."""
    rows = connection.execute(
        sa.select(cases.c.state, sa.func.count())
        .where(year.has_moment(cases.c.ended_at), cases.c.joined_into.is_(None))
        .group_by(cases.c.state)
    )
    return _counter(rows)


def contacts(connection: Connection, year: Year) -> int:
    """Contacts put on record in the year, but for those taken back."""
    first, end = _span(connection, records, year)
    return _number(
        connection,
        records,
        records.c.seq >= first,
        records.c.seq < end,
        records.c.kind == "contact",
        year.has_moment(records.c.submitted_at),
        records.c.state.not_in(TAKEN_BACK),
    )


def _number(connection: Connection, table: sa.Table, *wanted: sa.ColumnElement[bool]) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(*wanted)).scalar_one())


def _counter(rows: Iterable[Any]) -> Counter[str]:
    return Counter({str(row[0]): int(row[1]) for row in rows})
