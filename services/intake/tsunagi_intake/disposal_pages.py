"""What people see of a 廃棄簿: what is due, the lists that were made, one list with its cases and their forms, as a table."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import disposals as making
from tsunagi_intake import retention, rules
from tsunagi_intake.disposals import ERASED, REFUSED, SKIPPED, DisposalState
from tsunagi_intake.retention import PROPOSED
from tsunagi_intake.rules import Action
from tsunagi_intake.tables import cases as cases_table
from tsunagi_intake.tables import disposal_items, disposals, referrals, tombstones
from tsunagi_intake.tables import records as records_table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.kinds import FORMS


class FormLine(msgspec.Struct, frozen=True, kw_only=True):
    """A form of a case on the list: its kind and number, and the case it stands in."""

    case_number: str
    kind: str
    number: str


class ItemLine(msgspec.Struct, frozen=True, kw_only=True):
    """A case on the list. `code`: why it was passed over; `stopped`: what would stand against its disposal now."""

    case_number: str
    joined: tuple[str, ...]
    completed_on: dt.date
    retention_class: str
    kept_until: dt.date
    state: str
    code: str
    stopped: str
    forms: tuple[FormLine, ...]

    @property
    def kinds(self) -> tuple[tuple[str, int], ...]:
        """How many forms of each kind, the most of them first."""
        return tuple(Counter(form.kind for form in self.forms).most_common())


class DisposalLine(msgspec.Struct, frozen=True, kw_only=True):
    """A 廃棄簿 as lists show it."""

    id: str
    number: str
    state: str
    made_at: dt.datetime
    made_by: str
    decided_at: dt.datetime | None
    decided_by: str
    cases: int
    erased: int
    skipped: int


class DisposalPage(msgspec.Struct, frozen=True, kw_only=True):
    """A 廃棄簿. `may_decide`: the reader may approve it, or send it back."""

    id: str
    number: str
    state: str
    made_at: dt.datetime
    made_by: str
    decided_at: dt.datetime | None
    decided_by: str
    reason: str
    may_decide: bool
    items: tuple[ItemLine, ...]


class DisposalList(msgspec.Struct, frozen=True, kw_only=True):
    """The 廃棄簿 that were made, newest first; `next` goes into `?before=`."""

    items: tuple[DisposalLine, ...]
    next: str


class Disposals(msgspec.Struct, frozen=True, kw_only=True):
    """What is due and on no list yet, and the lists. `unknown_classes`: of the profile; what is of them is never due."""

    due: retention.DuePage
    made: DisposalList
    unknown_classes: tuple[str, ...]
    may_propose: bool


def overview(
    connection: Connection, principal: Principal, profile: Profile, after: tuple[str, int], before: int, limit: int
) -> Disposals:
    """What is due, and the lists that were made, for those who may look. Refusal."""
    making.check_reader(principal, profile)
    own = making.standing_of(principal, profile)
    actor = rules.actor_of(principal, profile, clock.today())
    return Disposals(
        due=retention.page_of(connection, profile, after, limit),
        made=_made(connection, before, limit),
        unknown_classes=retention.unknown_classes(connection, profile),
        may_propose=rules.permitted(Action.PROPOSE_DISPOSAL, actor, own) is None,
    )


def _made(connection: Connection, before: int, limit: int) -> DisposalList:
    wanted = sa.select(disposals).order_by(disposals.c.made_at.desc()).limit(limit + 1)
    rows = connection.execute(wanted.where(disposals.c.made_at < before) if before else wanted).all()
    following = str(rows[limit - 1].made_at) if len(rows) > limit else ""
    return DisposalList(items=tuple(_line(connection, row) for row in rows[:limit]), next=following)


def _line(connection: Connection, row: Any) -> DisposalLine:
    counted = connection.execute(
        sa.select(disposal_items.c.state, sa.func.count())
        .where(disposal_items.c.disposal == row.id)
        .group_by(disposal_items.c.state)
    )
    numbers: dict[str, int] = {row.state: row[1] for row in counted}
    return DisposalLine(
        id=row.id, number=row.number, state=_state(row, numbers.get(PROPOSED, 0)).value,
        made_at=clock.moment_of(row.made_at), made_by=row.made_by_name, decided_at=_decided_at(row),
        decided_by=row.approved_by_name or row.refused_by_name, cases=sum(numbers.values()),
        erased=numbers.get(ERASED, 0), skipped=numbers.get(SKIPPED, 0),
    )  # fmt: skip


def _state(row: Any, waiting: int) -> DisposalState:
    if row.refused_at is not None:
        return DisposalState.REFUSED
    if row.approved_at is None:
        return DisposalState.PROPOSED
    return DisposalState.UNDER_WAY if waiting else DisposalState.DONE


def _decided_at(row: Any) -> dt.datetime | None:
    at = row.approved_at or row.refused_at
    return None if at is None else clock.moment_of(at)


def disposal_of(connection: Connection, principal: Principal, profile: Profile, identity: str) -> DisposalPage:
    """One list with its cases and their forms, for those who may look. Refusal."""
    making.check_reader(principal, profile)
    row = making.row_of(connection, identity)
    items = connection.execute(
        sa.select(*disposal_items.c, cases_table.c.number)
        .join(cases_table, cases_table.c.seq == disposal_items.c.case)
        .where(disposal_items.c.disposal == identity)
        .order_by(disposal_items.c.completed_on, disposal_items.c.case)
    ).all()
    state = _state(row, sum(item.state == PROPOSED for item in items))
    actor = rules.actor_of(principal, profile, clock.today())
    own = making.standing_of(principal, profile, row.made_by)
    waits = state is DisposalState.PROPOSED
    return DisposalPage(
        id=row.id, number=row.number, state=state.value, made_at=clock.moment_of(row.made_at), made_by=row.made_by_name,
        decided_at=_decided_at(row), decided_by=row.approved_by_name or row.refused_by_name, reason=row.reason,
        may_decide=waits and rules.permitted(Action.APPROVE_DISPOSAL, actor, own) is None,
        items=tuple(_items(connection, profile, items, waits=waits)),
    )  # fmt: skip


def _items(connection: Connection, profile: Profile, rows: Sequence[Any], *, waits: bool) -> Iterator[ItemLine]:
    seqs = [row.case for row in rows]
    groups = retention.groups_of(connection, seqs)
    numbers = retention.numbers_of(connection, [seq for group in groups.values() for seq in group])
    stopped = retention.stands_against(connection, profile, seqs) if waits else {}
    forms: dict[str, list[FormLine]] = {}
    for form in forms_of(connection, numbers.values()):
        forms.setdefault(form.case_number, []).append(form)
    for row in rows:
        of_group = [numbers[seq] for seq in groups[row.case]]
        yield ItemLine(
            case_number=row.number, joined=tuple(of_group[1:]), completed_on=dt.date.fromisoformat(row.completed_on),
            retention_class=row.retention_class, kept_until=dt.date.fromisoformat(row.kept_until), state=row.state,
            code=row.code, stopped=stopped.get(row.case, ""),
            forms=tuple(form for number in of_group for form in forms.get(number, ())),
        )  # fmt: skip


def forms_of(connection: Connection, case_numbers: Iterable[str]) -> Iterator[FormLine]:
    """The forms of these cases, erased ones too, in the order of their numbers."""
    wanted = list(case_numbers)
    there = sa.select(cases_table.c.seq, cases_table.c.number).where(cases_table.c.number.in_(wanted)).subquery()
    whole = sa.union_all(
        sa.select(there.c.number.label("case_number"), sa.literal("referral").label("kind"), referrals.c.number)
        .join(referrals, referrals.c.case == there.c.seq),
        sa.select(there.c.number, records_table.c.kind, records_table.c.number)
        .join(records_table, records_table.c.case == there.c.seq),
        sa.select(tombstones.c.case_number, tombstones.c.kind, tombstones.c.number)
        .where(tombstones.c.case_number.in_(wanted)),
    ).subquery()  # fmt: skip
    for row in connection.execute(sa.select(whole).order_by(whole.c.case_number, whole.c.number)):
        yield FormLine(case_number=row.case_number, kind=row.kind, number=row.number)


COLUMNS = (
    "廃棄簿の番号", "ケース番号", "まとめた先", "様式", "番号", "完結の日", "保存区分", "保存期間の満了日", "結果",
    "廃棄しなかった理由",
)  # fmt: skip
ITEM_STATES = {PROPOSED: "未廃棄", REFUSED: "差戻し", ERASED: "廃棄済み", SKIPPED: "廃棄せず"}
STOPPED = {
    retention.HELD: "廃棄を止めている",
    retention.NOT_DUE: "保存期間の途中（再開した、保存区分が変わったなど）",
    retention.GONE: "すでに廃棄済み",
}


def table_of(page: DisposalPage, class_names: Mapping[str, str]) -> list[list[str]]:
    """The list as rows of a table, the headings first; one row a form."""
    rows = [
        [
            page.number, form.case_number, item.case_number if form.case_number != item.case_number else "",
            FORMS[form.kind].title if form.kind in FORMS else form.kind, form.number, item.completed_on.isoformat(),
            class_names.get(item.retention_class, item.retention_class), item.kept_until.isoformat(),
            ITEM_STATES[item.state], STOPPED.get(item.code, item.code),
        ]
        for item in page.items
        for form in item.forms
    ]  # fmt: skip
    return [list(COLUMNS), *rows]
