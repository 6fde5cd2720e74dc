"""Sittings, their items and members as they are stored, and what follows from them for who may see a form.

The rule on the audience asks here: who hears a form in a 支援会議 (`sittings_of`), who was called to a sitting
(`called_to`), and how the item was heard whose minutes a record is (`heard`). A member reads as themselves: an agency whose
members have no account here gets nothing opened, whoever else works there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.audience import SittingFact
from tsunagi_intake.consents import later
from tsunagi_intake.meeting_tables import agenda_items, item_members, meeting_members, meetings
from tsunagi_intake.tables import cases, records
from tsunagi_shared.contracts.profile import LegalRole
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.forms.meeting import Meeting, MinimalReason, Occasion
from tsunagi_shared.problems import not_found

PAPERS_DAYS = 30  # for so long after the sitting its members may read the papers of a 支援会議


class MeetingState(CodeList):
    """Where a sitting stands."""

    PLANNED = "planned", "準備中"
    CONVENED = "convened", "招集済み"
    CLOSED = "closed", "終了"
    CANCELLED = "cancelled", "取りやめ"


class ItemState(CodeList):
    """Where an item stands."""

    OPEN = "open", "付議"
    RECORDED = "recorded", "会議録あり"
    WITHDRAWN = "withdrawn", "取下げ"


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """A sitting. `revision`: of the sitting with its items and members; every change of them is the next one."""

    id: str
    number: str
    form: Meeting
    state: MeetingState
    revision: int
    agency: str  # that made it
    convened_at: int | None
    reply_by: dt.date | None
    closed_at: int | None
    closed_by: str

    @property
    def held_on(self) -> dt.date:
        """The Japanese day on which it is held."""
        return self.form.held_on


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An agenda item. `case`: row of its case, 0 without one; `papers`: the forms it shows (`<kind>/<id>`); `revision`: of
    its minutes as they are typed (0: nothing was typed yet)."""

    id: str
    meeting: str
    position: int
    case: int
    case_number: str
    plan: str
    plan_number: str
    plan_seen: str
    body: str
    legal_role: LegalRole
    occasion: Occasion
    minimal_reason: MinimalReason | None
    papers: tuple[str, ...]
    note: str
    minutes: str
    state: ItemState
    revision: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody called to a sitting. `chosen`: for its items under 支援会議; `told_on`: 告知 of the duty of secrecy;
    `notified`: the sitting was convened with them, so that their agency knows of it."""

    id: str
    agency: str
    contractor: str
    user: str
    name: str
    title: str
    chosen: bool
    told_on: dt.date | None
    attends: bool
    notified: bool = False


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of one member for one item. `chosen`: None where the member goes as for the whole sitting."""

    chosen: bool | None
    leaves: bool
    why: str

    @property
    def convened(self) -> bool:
        """Whether the item was convened (or closed) with this member; False where the member was merely chosen for it."""
        return not self.leaves or bool(self.why)


# reading --------------------------------------------------------------------------------------------------------------

_SITTING = sa.select(meetings, records.c.form, records.c.agency).join(records, records.c.id == meetings.c.id)
_ITEM = sa.select(agenda_items, cases.c.number.label("case_number")).outerjoin(
    cases, cases.c.seq == agenda_items.c.case
)


def sitting(connection: Connection, identity: str) -> Sitting:
    """The sitting of that id; the common 404."""
    row = connection.execute(_SITTING.where(meetings.c.id == identity)).first()
    if row is None:
        raise not_found()
    return sitting_of(row)


def sitting_of(row: Any) -> Sitting:
    """A sitting out of its row with that of its record."""
    return Sitting(
        id=row.id, number=row.number, form=msgspec.json.decode(row.form, type=Meeting), state=_code(MeetingState, row.state),
        revision=row.revision, agency=row.agency, convened_at=row.convened_at, reply_by=_date(row.reply_by),
        closed_at=row.closed_at, closed_by=row.closed_by,
    )  # fmt: skip


def items(connection: Connection, meeting: str, *, withdrawn: bool = False) -> tuple[Item, ...]:
    """The items of a sitting in the order in which they are heard."""
    wanted = _ITEM.where(agenda_items.c.meeting == meeting).order_by(agenda_items.c.position)
    if not withdrawn:
        wanted = wanted.where(agenda_items.c.state != ItemState.WITHDRAWN.value)
    return tuple(item_of(row) for row in connection.execute(wanted))


def item(connection: Connection, meeting: str, identity: str) -> Item:
    """One item of a sitting; the common 404."""
    row = connection.execute(_ITEM.where(agenda_items.c.id == identity, agenda_items.c.meeting == meeting)).first()
    if row is None:
        raise not_found()
    return item_of(row)


def item_of(row: Any) -> Item:
    """An item out of its row with the number of its case."""
    return Item(
        id=row.id, meeting=row.meeting, position=row.position, case=row.case or 0, case_number=row.case_number or "",
        plan=row.plan, plan_number=row.plan_number, plan_seen=row.plan_seen, body=row.body,
        legal_role=_code(LegalRole, row.legal_role), occasion=_code(Occasion, row.occasion),
        minimal_reason=_code(MinimalReason, row.minimal_reason) if row.minimal_reason else None,
        papers=tuple(msgspec.json.decode(row.papers)), note=row.note, minutes=row.minutes,
        state=_code(ItemState, row.state), revision=row.revision,
    )  # fmt: skip


def members(connection: Connection, meeting: str) -> tuple[Member, ...]:
    """Those called to a sitting, in the order in which they were."""
    rows = connection.execute(
        sa.select(meeting_members)
        .where(meeting_members.c.meeting == meeting, meeting_members.c.removed == 0)
        .order_by(meeting_members.c.id)
    )
    return tuple(
        Member(
            id=row.id, agency=row.agency, contractor=row.contractor, user=row.user, name=row.name, title=row.title,
            chosen=bool(row.chosen), told_on=_date(row.told_on), attends=bool(row.attends),
            notified=row.notified_at is not None,
        )
        for row in rows
    )  # fmt: skip


def places(connection: Connection, wanted: Iterable[str]) -> dict[tuple[str, str], Place]:
    """What was said of members for these items, by (item, member)."""
    rows = connection.execute(sa.select(item_members).where(item_members.c.item.in_(list(wanted))))
    return {
        (row.item, row.member): Place(
            chosen=None if row.chosen is None else bool(row.chosen), leaves=bool(row.leaves), why=row.why
        )
        for row in rows
    }


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _code(codes: type[Any], value: str) -> Any:
    return next(code for code in codes if code.value == value)


# what follows for the audience ----------------------------------------------------------------------------------------

_HEARING = (
    sa.select(
        agenda_items.c.id, agenda_items.c.papers, agenda_items.c.minutes, agenda_items.c.legal_role, meeting_members.c.agency,
        meeting_members.c.user, item_members.c.until,
    )
    .join(meetings, meetings.c.id == agenda_items.c.meeting)
    .join(item_members, item_members.c.item == agenda_items.c.id)
    .join(meeting_members, meeting_members.c.id == item_members.c.member)
    .where(
        meetings.c.state.in_((MeetingState.CONVENED.value, MeetingState.CLOSED.value)),
        agenda_items.c.state != ItemState.WITHDRAWN.value,
        meeting_members.c.removed == 0,
        item_members.c.leaves == 0,
        item_members.c.until.is_not(None),
    )
    .order_by(agenda_items.c.id, meeting_members.c.id)
)  # fmt: skip


class _Hearing(msgspec.Struct):
    """Of one agency, who hears an item and until when its papers are theirs to read."""

    forms: frozenset[str]
    users: set[str]
    until: dt.date | None
    law: str = ""


def sittings_of(connection: Connection, case: int) -> tuple[SittingFact, ...]:
    """Who hears which forms of the case in a 支援会議, by person: one fact an item and agency."""
    return _facts(connection, _HEARING.where(agenda_items.c.case == case), by_person=True)


def _facts(connection: Connection, wanted: sa.Select[Any], *, by_person: bool) -> tuple[SittingFact, ...]:
    found: dict[tuple[str, str], _Hearing] = {}
    for row in connection.execute(wanted):
        if by_person and (row.legal_role != LegalRole.SUPPORT_MEETING.value or not row.user):
            continue
        forms = frozenset((*msgspec.json.decode(row.papers), *([f"minutes/{row.minutes}"] if row.minutes else ())))
        until = dt.date.fromisoformat(row.until)
        hearing = found.setdefault((row.id, row.agency), _Hearing(forms, set(), until))
        hearing.users.add(row.user)
        hearing.until = later(hearing.until, until)
    return tuple(
        SittingFact(
            ref=f"sitting/{item_id}", agency=agency, members=tuple(sorted(hearing.users)) if by_person else (),
            until=hearing.until, forms=hearing.forms,
        )
        for (item_id, agency), hearing in found.items()
    )  # fmt: skip


class HeardItem(msgspec.Struct, frozen=True, kw_only=True):
    """How the item of some minutes was heard. `agencies`: that were there for it with consent."""

    closed: bool
    minimal: bool
    agencies: frozenset[str] = frozenset()


def heard(connection: Connection, case: int) -> dict[str, HeardItem]:
    """By the minutes of the case (`minutes/<id>`): how their item was heard, and who was there for it."""
    recorded = agenda_items.c.case == case, agenda_items.c.minutes != ""
    there: dict[str, set[str]] = {}
    for row in connection.execute(_HEARING.where(*recorded)):
        there.setdefault(row.minutes, set()).add(row.agency)
    rows = connection.execute(
        sa.select(agenda_items.c.minutes, agenda_items.c.legal_role, agenda_items.c.minimal_reason).where(*recorded)
    )
    return {
        f"minutes/{row.minutes}": HeardItem(
            closed=row.legal_role == LegalRole.SUPPORT_MEETING.value, minimal=bool(row.minimal_reason),
            agencies=frozenset(there.get(row.minutes, ())),
        )
        for row in rows
    }  # fmt: skip


# Of `meeting_members`: those who know of the sitting. A notice went to them, or they were there.
_WAS_THERE = (
    sa.select(1)
    .select_from(item_members)
    .join(agenda_items, agenda_items.c.id == item_members.c.item)
    .where(
        agenda_items.c.meeting == meeting_members.c.meeting,
        item_members.c.member == meeting_members.c.id,
        item_members.c.leaves == 0,
    )
    .correlate(meeting_members)
)
TOLD = sa.and_(meeting_members.c.removed == 0, sa.or_(meeting_members.c.notified_at.is_not(None), _WAS_THERE.exists()))


def called_to(connection: Connection, form: str) -> tuple[SittingFact, ...]:
    """Who may read what belongs to no case: a notice (`meeting/<id>`), or minutes of an item without a case.

    Every agency with which the sitting was convened (of minutes, those as well that came without a notice), and all its
    staff: nothing in it is about a resident. Who was called since then has no part in it before it is convened anew.
    """
    kind, _, identity = form.partition("/")
    wanted = sa.select(meeting_members.c.agency).distinct()
    if kind == "minutes":
        of_item = sa.select(agenda_items.c.meeting).where(agenda_items.c.minutes == identity)
        wanted = wanted.where(meeting_members.c.meeting.in_(of_item), TOLD)
    else:
        wanted = wanted.where(
            meeting_members.c.meeting == identity, meeting_members.c.removed == 0,
            meeting_members.c.notified_at.is_not(None),
        )  # fmt: skip
    agencies = connection.execute(wanted.order_by(meeting_members.c.agency)).scalars()
    return tuple(SittingFact(ref=form, agency=agency, members=(), forms=frozenset({form})) for agency in agencies)
