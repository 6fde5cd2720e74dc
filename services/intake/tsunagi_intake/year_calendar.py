"""The calendar of a 年度: when bodies meet, what lies in the way, what ends and begins, and how much falls due.

Bodies, holidays, contracts and periods are the profile's and hold nobody's data. Sittings are those that the reader may know
of; of plans and cases there are counts alone, of what the reader's agency may see.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import jpholiday
import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import agenda, cases, occasions, retention
from tsunagi_intake.agenda import MeetingState, Sitting
from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.meeting_office import is_office_of
from tsunagi_intake.meeting_tables import meeting_members, meetings
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.tables import audience, records
from tsunagi_intake.tables import cases as cases_table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Agency, Body, HolidayMove, Profile
from tsunagi_shared.contracts.schedule import read_schedule
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.forms.japanese import format_wareki

YEARS = range(2000, 2100)  # for which the table of holidays is asked
_ONE_DAY = dt.timedelta(1)
_ON_PLANS = (PlanState.ADOPTED.value, PlanState.PROVISIONAL.value, PlanState.SUSPENDED.value)


class EntryKind(CodeList):
    """What an entry of the calendar is."""

    HOLIDAY = "holiday", "休日"
    SITTING = "sitting", "会議の開催"
    REGULAR = "regular", "定例の日"
    MOVED = "moved", "定例の日の変更"
    CLASH = "clash", "会議の重なり"
    ENDS = "ends", "終わり"
    BEGINS = "begins", "始まり"
    MONITORING = "monitoring", "モニタリングの日"
    PLAN_END = "plan_end", "プランの終わりの日"
    RETENTION = "retention", "保存期間の満了"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is on one day. `bodies`: ids; `number`, `id`, `starts_at`, `ends_at`, `place`: of a sitting; `count`: of plans or
    cases; `attention`: somebody has to do something about it."""

    day: dt.date
    kind: EntryKind
    text: str
    bodies: tuple[str, ...] = ()
    count: int = 0
    attention: bool = False
    id: str = ""
    number: str = ""
    starts_at: str = ""
    ends_at: str = ""
    place: str = ""
    cancelled: bool = False


class YearCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """A 年度 from 1 April to 31 March, its entries by day. `unscheduled`: bodies nobody fixed days for (随時, 年n回)."""

    fiscal_year: int
    starts: dt.date
    until: dt.date
    entries: tuple[Entry, ...]
    unscheduled: tuple[str, ...]


def calendar_of(connection: Connection, principal: Principal, profile: Profile, fiscal_year: int) -> YearCalendar:
    """The 年度 as this reader may see it. ValueError for one outside `YEARS`."""
    if fiscal_year not in YEARS:
        raise ValueError("not a year of the calendar")
    starts, until = dt.date(fiscal_year, 4, 1), dt.date(fiscal_year + 1, 3, 31)
    sat = tuple(_sitting(profile, row) for row in _known(connection, principal, profile, starts, until))
    regular = tuple(_regular(profile, sat, starts, until))
    entries = (
        *holidays(starts, until), *sat, *regular, *moves(profile, starts, until), *clashes(profile, (*sat, *regular)),
        *turns(profile, starts, until), *_plan_days(connection, principal, starts, until),
        *_retention_days(connection, principal, profile, starts, until),
    )  # fmt: skip
    order = {kind: n for n, kind in enumerate(EntryKind)}
    return YearCalendar(
        fiscal_year=fiscal_year, starts=starts, until=until,
        entries=tuple(sorted(entries, key=lambda entry: (entry.day, order[entry.kind], entry.starts_at, entry.text))),
        unscheduled=tuple(body.id for body in profile.bodies if not _has_days(body)),
    )  # fmt: skip


# days on which offices are shut ------------------------------------------------------------------------------------------


def holidays(starts: dt.date, until: dt.date) -> Iterator[Entry]:
    """国民の祝日 by name, and 年末年始 on which offices are shut as well."""
    for day in _days(starts, until):
        if occasions.is_holiday(day):
            yield Entry(day=day, kind=EntryKind.HOLIDAY, text=jpholiday.is_holiday_name(day) or "年末年始")


def _days(starts: dt.date, until: dt.date) -> Iterator[dt.date]:
    return (starts + dt.timedelta(n) for n in range((until - starts).days + 1))


# sittings ----------------------------------------------------------------------------------------------------------------


def _known(
    connection: Connection, principal: Principal, profile: Profile, starts: dt.date, until: dt.date
) -> tuple[Sitting, ...]:
    """The sittings of the period that the reader may know of: those of their office, and to which their agency was called."""
    if not principal.reads_cases:
        return ()
    wanted = (
        sa.select(meetings, records.c.form, records.c.agency)
        .join(records, records.c.id == meetings.c.id)
        .where(meetings.c.held_on.between(starts.isoformat(), until.isoformat()))
        .order_by(meetings.c.held_on, meetings.c.id)
    )
    found = tuple(agenda.sitting_of(row) for row in connection.execute(wanted))
    if principal.agency == profile.municipality.responsible_section:
        return found
    called = set(
        connection.execute(
            sa.select(meeting_members.c.meeting)
            .join(meetings, meetings.c.id == meeting_members.c.meeting)
            .where(meeting_members.c.agency == principal.agency, agenda.TOLD, meetings.c.convened_at.is_not(None))
        ).scalars()
    )
    today = clock.today()
    return tuple(
        sitting
        for sitting in found
        if sitting.id in called
        or any(is_office_of(principal.agency, profile, body, today) for body in sitting.form.bodies)
    )


def _sitting(profile: Profile, found: Sitting) -> Entry:
    off = not occasions.is_open(found.held_on)
    note = "（休みの日です）" if off else ""
    cancelled = found.state is MeetingState.CANCELLED
    return Entry(
        day=found.held_on, kind=EntryKind.SITTING, text=f"{_named(profile, found.form.bodies, found.held_on)}{note}",
        bodies=tuple(found.form.bodies), id=found.id, number=found.number, starts_at=found.form.starts_at,
        ends_at=found.form.ends_at, place=found.form.place, cancelled=cancelled, attention=off and not cancelled,
    )  # fmt: skip


def _named(profile: Profile, bodies: Iterable[str], day: dt.date) -> str:
    known = profile.bodies_by_id
    return "・".join(known[body].name_on(day) if body in known else body for body in bodies)


def _has_days(body: Body) -> bool:
    schedule = read_schedule(body.schedule)
    return schedule is not None and (schedule.weekday is not None or schedule.day > 0)


def _regular(profile: Profile, sat: Sequence[Entry], starts: dt.date, until: dt.date) -> Iterator[Entry]:
    """The days of each body by its schedule for which the reader knows of no sitting."""
    made = {(body, entry.day) for entry in sat for body in entry.bodies}
    for body in profile.bodies:
        for day in occasions.occasions_of(body, starts, until):
            if (body.id, day) not in made:
                off = not occasions.is_open(day)
                note = "（休みの日です）" if off else ""
                yield Entry(
                    day=day, kind=EntryKind.REGULAR, text=f"{body.name_on(day)}{note}", bodies=(body.id,), attention=off
                )


def moves(profile: Profile, starts: dt.date, until: dt.date) -> Iterator[Entry]:
    """Days by a schedule on which offices are shut, with what the profile does about it."""
    for body in profile.bodies:
        schedule = read_schedule(body.schedule)
        if schedule is None:
            continue
        for day in schedule.days(starts, until):
            shut = occasions.is_holiday(day) if schedule.weekday is not None else not occasions.is_open(day)
            if shut and body.holiday_move is not HolidayMove.NONE:
                yield Entry(day=day, kind=EntryKind.MOVED, text=_moved(body, day), bodies=(body.id,))


def _moved(body: Body, day: dt.date) -> str:
    name = body.name_on(day)
    if body.holiday_move is HolidayMove.SKIP:
        return f"{name}：休みの日のため開きません"
    step = _ONE_DAY if body.holiday_move is HolidayMove.LATER else -_ONE_DAY
    held = day
    while not occasions.is_open(held):
        held += step
    return f"{name}：休みの日のため{held.month}月{held.day}日に開きます"


def clashes(profile: Profile, held: Iterable[Entry]) -> Iterator[Entry]:
    """Days on which two bodies meet that the same agency runs or takes part in."""
    by_day: dict[dt.date, list[Entry]] = {}
    for entry in held:
        if not entry.cancelled:
            by_day.setdefault(entry.day, []).append(entry)
    for day, entries in by_day.items():
        for first, second in itertools.combinations(entries, 2):
            if _apart(first, second):
                continue
            both = _around(profile, first) & _around(profile, second)
            if both:
                names = "、".join(name for agency, name in profile.agency_names.items() if agency in both)
                pair = "と".join(_named(profile, entry.bodies, day) for entry in (first, second))
                yield Entry(
                    day=day, kind=EntryKind.CLASH, text=f"{pair}が同じ日です（どちらにも出る機関：{names}）",
                    bodies=tuple(dict.fromkeys((*first.bodies, *second.bodies))), attention=True,
                )  # fmt: skip


def _apart(first: Entry, second: Entry) -> bool:
    """Whether both have times that do not touch; a day by a schedule has no time yet."""
    early, late = sorted((first, second), key=lambda entry: entry.starts_at)
    return bool(early.ends_at and late.starts_at and early.ends_at <= late.starts_at)


def _around(profile: Profile, entry: Entry) -> set[str]:
    bodies = [profile.bodies_by_id[body] for body in entry.bodies if body in profile.bodies_by_id]
    return {agency for body in bodies for agency in (*body.participants, body.convener, body.organizer)}


# what ends and begins ----------------------------------------------------------------------------------------------------


def turns(profile: Profile, starts: dt.date, until: dt.date) -> Iterator[Entry]:
    """Contracts, the 実施計画, annexes, names and legal roles of bodies and articles of law that end or begin in the period.

    An end is on its last day. What goes on under the same name or contractor the day after neither ends nor begins.
    """
    found = itertools.chain(
        (entry for agency in profile.agencies for entry in _contracts(agency)),
        _periods(profile),
    )
    return (entry for entry in found if starts <= entry.day <= until)


def _contracts(agency: Agency) -> Iterator[Entry]:
    rows = sorted(agency.operated_by, key=lambda row: row.starts)
    for position, row in enumerate(rows):
        before = rows[position - 1] if position else None
        after = rows[position + 1] if position + 1 < len(rows) else None
        goes_on = before is not None and before.until == row.starts - _ONE_DAY and before.contractor == row.contractor
        if not goes_on:
            yield Entry(
                day=row.starts, kind=EntryKind.BEGINS,
                text=f"{agency.name}：{row.contractor}の契約が始まります。職員のアカウントを用意してください",
                attention=position > 0,
            )  # fmt: skip
        if row.until is None:
            continue
        follows = after is not None and after.starts == row.until + _ONE_DAY
        if follows and after is not None and after.contractor == row.contractor:
            continue
        then = (
            f"次の日から{after.contractor}" if follows and after is not None
            else f"次は{format_wareki(after.starts)}から{after.contractor}で、それまで運営する者がいません" if after is not None
            else "次の受託者がまだありません"
        )  # fmt: skip
        yield Entry(
            day=row.until, kind=EntryKind.ENDS,
            text=f"{agency.name}：{row.contractor}の契約が終わります（{then}）", attention=not follows,
        )  # fmt: skip


def _periods(profile: Profile) -> Iterator[Entry]:
    rows: list[tuple[str, dt.date, dt.date | None]] = []
    if profile.plan is not None:
        rows.append((f"実施計画「{profile.plan.name}」", profile.plan.starts, profile.plan.until))
    rows += [(f"一覧「{row.name}」", row.starts, row.until) for row in profile.agency_lists]
    for body in profile.bodies:
        rows += [(f"会議体の名称「{row.name}」", row.starts, row.until) for row in body.names]
        rows += [
            (f"{body.name_on(row.starts)}の{row.role.label}の役割", row.starts, row.until) for row in body.legal_roles
        ]
    rows += [(f"{row.law}{row.article}", row.starts, row.until) for row in profile.legal_basis]
    rows += [(f"目標「{row.name}」", row.starts, row.until) for row in profile.targets]
    begun, ended = {(name, starts) for name, starts, _ in rows}, {(name, until) for name, _, until in rows}
    for name, starts, until in dict.fromkeys(rows):
        if (name, starts - _ONE_DAY) not in ended:
            yield Entry(day=starts, kind=EntryKind.BEGINS, text=f"{name}が始まります")
        if until is not None and (name, until + _ONE_DAY) not in begun:
            yield Entry(day=until, kind=EntryKind.ENDS, text=f"{name}が終わります")


# how much falls due ------------------------------------------------------------------------------------------------------


def _plan_days(connection: Connection, principal: Principal, starts: dt.date, until: dt.date) -> Iterator[Entry]:
    """How many of the plans that the reader may see are to be monitored, or end, on each day."""
    visible = sa.exists().where(
        audience.c.case == plans.c.case, audience.c.form == sa.literal("plan/") + plans.c.id, *cases.may_read(principal)
    )
    form = sa.cast(records.c.form, sa.Text)
    monitoring, end = (
        sa.case((sa.func.json_valid(form) == 1, sa.func.json_extract(form, f"$.{field}"))).label(field)
        for field in ("monitoring_on", "until")
    )
    period = starts.isoformat(), until.isoformat()
    wanted = (
        sa.select(monitoring, end, sa.func.count())
        .select_from(plans)
        .join(records, records.c.id == plans.c.id)
        .where(plans.c.state.in_(_ON_PLANS), visible)
        .group_by("monitoring_on", "until")
    )
    due: Counter[tuple[EntryKind, str]] = Counter()
    for monitoring_on, ends_on, count in connection.execute(wanted):
        for kind, day in ((EntryKind.MONITORING, monitoring_on), (EntryKind.PLAN_END, ends_on)):
            if day and period[0] <= day <= period[1]:
                due[kind, day] += count
    for (kind, day), count in due.items():
        words = f"{kind.label}を迎えるプラン：{count}件"
        yield Entry(day=dt.date.fromisoformat(day), kind=kind, text=words, count=count)


def _retention_days(
    connection: Connection, principal: Principal, profile: Profile, starts: dt.date, until: dt.date
) -> Iterator[Entry]:
    """How many ended cases are kept until each day, for the responsible section: a case joined to another goes with it, one
    on hold is kept."""
    if principal.agency != profile.municipality.responsible_section or not principal.reads_cases:
        return
    classes = {row.id: row for row in profile.retention.classes}
    table = cases_table
    wanted = (
        sa.select(table.c.kept_by, table.c.completed_on, sa.func.count())
        .where(
            table.c.completed_on.is_not(None), sa.func.ifnull(table.c.joined_into, 0) == 0,
            table.c.state != cases.ERASED, table.c.legal_hold == 0,
        )
        .group_by(table.c.kept_by, table.c.completed_on)
    )  # fmt: skip
    due: Counter[dt.date] = Counter()
    for kept_by, completed_on, count in connection.execute(wanted):
        names = msgspec.json.decode(kept_by, type=list[str]) if kept_by else []
        ends = [
            retention.kept_until(classes[name], dt.date.fromisoformat(completed_on)) if name in classes else None
            for name in names
        ]
        last = [end for end in ends if end is not None]
        if last and len(last) == len(ends) and starts <= max(last) <= until:
            due[max(last)] += count
    for day, count in due.items():
        yield Entry(day=day, kind=EntryKind.RETENTION, text=f"保存期間が満了するケース：{count}件", count=count)
