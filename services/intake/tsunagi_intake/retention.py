"""How long a case is kept, which cases are past that, and the hold that stops their disposal (保存年限、廃棄の停止).

A case is kept and disposed of as a whole, with the cases that were joined to it: until the longest class of any of its
forms has run out, counted from the day on which the case ended. A class without years is kept for good; one that the
profile does not know (any more) is too, and is told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, records, standing, timeline
from tsunagi_intake.records import Write
from tsunagi_intake.rules import Action
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import cases as cases_table
from tsunagi_intake.tables import disposal_items, referrals
from tsunagi_intake.tables import records as records_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile, RetentionClass, RetentionStart
from tsunagi_shared.forms import fields as ask
from tsunagi_shared.problems import not_found

HELD, NOT_DUE, GONE = "held", "not-due", "erased"  # why a case is not disposed of
PROPOSED = "proposed"  # state of an item whose 廃棄簿 waits, or is being carried out
_ONE_DAY = dt.timedelta(days=1)


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """廃棄の停止 of a case, set or lifted. The reason goes into the audit alone."""

    on: Annotated[bool, ask.flag("廃棄を止める")]
    reason: Annotated[
        str,
        ask.text("理由", "例：審査請求が出ているため。住民の名前は書かないでください。", limit=audit.REASON_LIMIT),
    ]


class HoldReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a hold."""

    case_number: str
    legal_hold: bool
    revision: int


class DueCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case whose time is over. `retention_class`: the longest of its forms; `joined`: numbers of the cases joined to it."""

    case: int
    number: str
    completed_on: dt.date
    retention_class: str
    kept_until: dt.date
    joined: tuple[str, ...] = ()


class DuePage(msgspec.Struct, frozen=True, kw_only=True):
    """Cases that are due, those ended earliest first; `next` goes into `?after=` (empty: this is the end)."""

    items: tuple[DueCase, ...]
    next: str


def kept_until(rule: RetentionClass, completed_on: dt.date) -> dt.date | None:
    """The last day on which records completed on that day are kept; None: for good."""
    if rule.years is None:
        return None
    start = completed_on
    if rule.starts is RetentionStart.FISCAL_YEAR_END:
        start = dt.date(clock.fiscal_year(completed_on) + 1, 3, 31)
    return _years_later(start, rule.years)


def _years_later(day: dt.date, years: int) -> dt.date:
    """The same day so many years on; the last of February where there is no such day (民法143条2項)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def last_completed(rule: RetentionClass, today: dt.date) -> dt.date | None:
    """The latest day of completion whose records are kept no longer today; None: there is none."""
    if rule.years is None:
        return None
    if rule.starts is RetentionStart.FISCAL_YEAR_END:
        return dt.date(clock.fiscal_year(today) - rule.years, 3, 31)
    day = _years_later(today, -rule.years)
    while _years_later(day, rule.years) >= today:
        day -= _ONE_DAY
    return day


# what is due ----------------------------------------------------------------------------------------------------------


def due(
    connection: Connection, profile: Profile, *, after: tuple[str, int] = ("", 0), limit: int = 100
) -> tuple[DueCase, ...]:
    """The cases due today that are on no 廃棄簿 yet, from the one after `after` (completed_on, row), at most `limit`."""
    head, ended = cases_table, _over()
    proposed = sa.exists().where(disposal_items.c.case == head.c.seq, disposal_items.c.state == PROPOSED)
    place = sa.tuple_(head.c.completed_on, head.c.seq)
    walks = []  # along the index, one for each set of classes that cases are kept by
    for kept_by, last in _latest(connection, profile).items():
        walk = ended.where(head.c.kept_by == kept_by, head.c.completed_on <= last, ~proposed)
        if after != ("", 0):
            walk = walk.where(head.c.completed_on >= after[0], place > after)
        walks.append(walk.order_by(head.c.completed_on, head.c.seq).limit(limit))
    if not walks:
        return ()
    whole = sa.union_all(*(sa.select(walk.subquery()) for walk in walks)).subquery()
    rows = connection.execute(sa.select(whole).order_by(whole.c.completed_on, whole.c.seq).limit(limit))
    return _described(connection, profile, rows.all())


def page_of(connection: Connection, profile: Profile, after: tuple[str, int], limit: int) -> DuePage:
    """A page of the cases that are due."""
    found = due(connection, profile, after=after, limit=limit + 1)
    more = f"{found[limit - 1].completed_on}.{found[limit - 1].case}" if len(found) > limit else ""
    return DuePage(items=found[:limit], next=more)


def stands_against(connection: Connection, profile: Profile, seqs: Collection[int]) -> dict[int, str]:
    """Why some of these cases cannot be disposed of today, by code; those that can are not in it. The forms themselves are
    looked at: what is erased does not come back."""
    wanted = cases_table.c.seq.in_(seqs)
    gone = sa.select(cases_table.c.seq).where(wanted, cases_table.c.state == cases.ERASED)
    over = _over().where(wanted, *_of_no_longer_class(profile))
    due_now = set(connection.execute(over.with_only_columns(cases_table.c.seq)).scalars())
    found = dict.fromkeys(set(seqs) - due_now, NOT_DUE)
    for head, group in groups_of(connection, found).items():
        held = sa.select(1).where(cases_table.c.seq.in_(group), cases_table.c.legal_hold == 1)
        if connection.execute(held.limit(1)).first():
            found[head] = HELD
    return found | dict.fromkeys(connection.execute(gone).scalars(), GONE)


def groups_of(connection: Connection, seqs: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Each of these cases with those that were joined to it: they are kept, and go, together."""
    found: dict[int, tuple[int, ...]] = {seq: (seq,) for seq in seqs}
    wanted = sa.select(cases_table.c.seq, cases_table.c.joined_into).where(cases_table.c.joined_into.in_(seqs))
    for row in connection.execute(wanted.order_by(cases_table.c.seq)):
        found[row.joined_into] += (row.seq,)
    return found


def unknown_classes(connection: Connection, profile: Profile) -> tuple[str, ...]:
    """The classes that the profile does not know, of cases that have ended: whatever is of them is never due."""
    known = {row.id for row in profile.retention.classes}
    found = {name for kept_by in _kept_by(connection) for name in _classes_in(kept_by)}
    return tuple(sorted(found - known))


def _kept_by(connection: Connection) -> list[str]:
    """The sets of classes that ended cases are kept by: few, each found by one step in the index."""
    found: list[str] = []
    while True:
        wanted = sa.select(cases_table.c.kept_by).where(cases_table.c.completed_on.is_not(None))
        if found:
            wanted = wanted.where(cases_table.c.kept_by > found[-1])
        following = connection.execute(wanted.order_by(cases_table.c.kept_by).limit(1)).scalar()
        if following is None:
            return found
        found.append(following)


def _classes_in(kept_by: str) -> list[str]:
    return msgspec.json.decode(kept_by, type=list[str]) if kept_by else []


def _latest(connection: Connection, profile: Profile) -> dict[str, str]:
    """By each set of classes the latest day of completion after which all of them have run out; those without are left out."""
    limits = _limits(profile)
    of_sets = {kept_by: [limits.get(name, "") for name in _classes_in(kept_by)] for kept_by in _kept_by(connection)}
    return {kept_by: min(days) for kept_by, days in of_sets.items() if days and all(days)}


def _limits(profile: Profile) -> dict[str, str]:
    """The latest day of completion that is over, by class; what has none is over on no day."""
    return {
        rule.id: last.isoformat()
        for rule in profile.retention.classes
        if (last := last_completed(rule, clock.today())) is not None
    }


def _over() -> sa.Select[Any]:
    """The ended cases that may go once their time is over: not held, not gone; joined ones with their head."""
    head, held = cases_table, cases_table.alias("held")
    on_hold = sa.exists().where(held.c.joined_into == head.c.seq, held.c.legal_hold == 1).correlate(head)
    return sa.select(head).where(
        head.c.completed_on.is_not(None),
        sa.func.ifnull(head.c.joined_into, 0) == 0,  # written so that the index on the classes is walked
        head.c.state != cases.ERASED,
        head.c.legal_hold == 0,
        ~on_hold,
    )


def _of_no_longer_class(profile: Profile) -> tuple[sa.ColumnElement[bool], ...]:
    """Of which no form is to be kept any longer."""
    limits = _limits(profile)
    head, member = cases_table, cases_table.alias("member")
    group = sa.union_all(
        sa.select(head.c.seq).correlate(head),
        sa.select(member.c.seq).where(member.c.joined_into == head.c.seq).correlate(head),
    )
    still_kept = [
        sa.exists()
        .where(table.c.case.in_(group), head.c.completed_on > _last_of(table.c.retention_class, limits))
        .correlate(head)
        for table in (referrals, records_table)
    ]
    return (head.c.completed_on <= max(limits.values(), default=""), *(~kept for kept in still_kept))


def _last_of(column: sa.Column[str], limits: dict[str, str]) -> sa.ColumnElement[str]:
    """The latest day of completion that is over, by class; what has none is over on no day."""
    return sa.case(*((column == name, last) for name, last in limits.items()), else_="") if limits else sa.literal("")


def _described(connection: Connection, profile: Profile, rows: Sequence[Any]) -> tuple[DueCase, ...]:
    classes = {rule.id: rule for rule in profile.retention.classes}
    groups = groups_of(connection, [row.seq for row in rows])
    head_of = {member: head for head, group in groups.items() for member in group}
    named: dict[int, set[str]] = {}
    for table in (referrals, records_table):
        wanted = sa.select(table.c.case, table.c.retention_class).where(table.c.case.in_(head_of)).distinct()
        for member, name in connection.execute(wanted):
            named.setdefault(head_of[member], set()).add(name)
    numbers = numbers_of(connection, head_of)
    found = []
    for row in rows:
        day = dt.date.fromisoformat(row.completed_on)
        ends = [(end, name) for name in named.get(row.seq, ()) if (end := kept_until(classes[name], day)) is not None]
        end, name = max(ends, default=(day, row.retention_class))
        found.append(
            DueCase(
                case=row.seq, number=row.number, completed_on=day, retention_class=name, kept_until=end,
                joined=tuple(numbers[member] for member in groups[row.seq][1:]),
            )
        )  # fmt: skip
    return tuple(found)


def numbers_of(connection: Connection, seqs: Collection[int]) -> dict[int, str]:
    """The numbers of these cases, by row."""
    wanted = sa.select(cases_table.c.seq, cases_table.c.number).where(cases_table.c.seq.in_(seqs))
    return {row.seq: row.number for row in connection.execute(wanted.order_by(cases_table.c.seq))}


# the hold -------------------------------------------------------------------------------------------------------------


def hold(connection: Connection, write: Write, number: str, form: Hold) -> bytes:
    """Stop the disposal of a case, or let it go on; the encoded HoldReceipt. Refusal, KeyReused: nothing is stored then.

    What is on a 廃棄簿 already is passed over when that is carried out.
    """
    return records.once(connection, write, lambda: _hold(connection, write, number, form))


def _hold(connection: Connection, write: Write, number: str, form: Hold) -> HoldReceipt:
    case = case_for(connection, write.principal, write.profile, number, Action.HOLD)
    for table, column in (
        (cases_table, cases_table.c.seq),
        (referrals, referrals.c.case),
        (records_table, records_table.c.case),
    ):
        connection.execute(table.update().where(column == case.seq).values(legal_hold=int(form.on)))
    revision = standing.touch(connection, case)
    kind = Happening.HOLD_SET if form.on else Happening.HOLD_LIFTED
    timeline.add(connection, case.seq, kind, "", principal=write.principal, state=case.state)
    action = "hold.set" if form.on else "hold.lift"
    audit.record(
        connection, write.principal, action, f"case/{case.number}", basis="responsible_section", case=case.number,
        reason=form.reason,
    )  # fmt: skip
    return HoldReceipt(case_number=case.number, legal_hold=form.on, revision=revision)


class HoldPage(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the disposal of a case is stopped."""

    case_number: str
    legal_hold: bool
    completed_on: dt.date | None


def hold_page(connection: Connection, principal: Principal, profile: Profile, number: str) -> HoldPage:
    """The case's hold, for those who may set it. Refusal."""
    case = case_for(connection, principal, profile, number, Action.HOLD)
    row = connection.execute(sa.select(cases_table).where(cases_table.c.seq == case.seq)).one()
    completed_on = dt.date.fromisoformat(row.completed_on) if row.completed_on else None
    return HoldPage(case_number=case.number, legal_hold=bool(row.legal_hold), completed_on=completed_on)


def case_for(connection: Connection, principal: Principal, profile: Profile, number: str, action: Action) -> CaseRow:
    """A case that the responsible section is to do something with. Refusal; the common 404 for who does not see it."""
    case = standing.case_row(connection, number=number)
    own = standing.on_case(connection, principal, profile, case)
    if own.view is None and not own.is_section:
        raise not_found()
    standing.allow(action, principal, profile, own)
    return case
