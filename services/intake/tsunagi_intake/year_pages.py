"""The calendar of a 年度 over HTTP: a page with a grid for each month, JSON, and a file for calendar programs."""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from tsunagi_intake import calendar_feed, pages, posting, year_calendar
from tsunagi_intake.posting import AnyRequest
from tsunagi_intake.referral_routes import reader
from tsunagi_intake.year_calendar import Entry, EntryKind, YearCalendar
from tsunagi_shared import clock
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.problems import not_found
from tsunagi_shared.runtime import Runtime

_YEAR = re.compile(r"\d{4}", re.ASCII)  # as the address of the figures has it; int() takes ２０２６ as well
_SUNDAY_FIRST = calendar.Calendar(calendar.SUNDAY)
_WEEKDAYS = ("日", "月", "火", "水", "木", "金", "土")
_IN_FEED = (EntryKind.SITTING, EntryKind.REGULAR, EntryKind.BEGINS, EntryKind.ENDS)
_TURNS = (EntryKind.BEGINS, EntryKind.ENDS)


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a month; a `day` of another month has none."""

    day: dt.date
    is_shut: bool
    entries: tuple[Entry, ...]


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A month as rows of seven days from Sunday on; None: a day of another month."""

    first: dt.date
    weeks: tuple[tuple[Day | None, ...], ...]


def months_of(year: YearCalendar) -> tuple[Month, ...]:
    """The twelve months of the 年度, as the page draws them."""
    by_day: dict[dt.date, list[Entry]] = {}
    for entry in year.entries:
        by_day.setdefault(entry.day, []).append(entry)
    firsts = [(year.fiscal_year, month) for month in range(4, 13)] + [
        (year.fiscal_year + 1, month) for month in (1, 2, 3)
    ]
    return tuple(_month(*first, by_day) for first in firsts)


def _month(year: int, month: int, by_day: dict[dt.date, list[Entry]]) -> Month:
    weeks = tuple(
        tuple(_day(day, by_day) if day.month == month else None for day in week)
        for week in _SUNDAY_FIRST.monthdatescalendar(year, month)
    )
    return Month(first=dt.date(year, month, 1), weeks=weeks)


def _day(day: dt.date, by_day: dict[dt.date, list[Entry]]) -> Day:
    entries = tuple(by_day.get(day, ()))
    is_holiday = any(entry.kind is EntryKind.HOLIDAY for entry in entries)
    return Day(day=day, is_shut=is_holiday or day.weekday() >= 5, entries=entries)


# HTTP --------------------------------------------------------------------------------------------------------------------


@get("/calendar", summary="今年度の予定", guards=[reader])
async def this_year() -> Redirect:
    """On to the 年度 of today."""
    return Redirect(f"/calendar/{clock.fiscal_year(clock.today())}", status_code=303)


@get("/calendar/{year:str}", summary="年度の予定", guards=[reader])
async def one_year(year: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """All bodies' dates, clashes, holidays, what ends and begins in the 年度, and counts of what falls due; 404 for what is no
    year (four half-width digits), or one outside the table of holidays."""
    found = await _calendar(request, runtime, year)
    fiscal_year = found.fiscal_year
    kinds = dict(EntryKind.choices())
    bodies = {body.id: body.name_on(found.starts) for body in runtime.profile.bodies}
    return pages.answer(
        request, runtime, "year.html", found, months=months_of(found), kinds=kinds, turns=_TURNS, body_names=bodies,
        weekdays=_WEEKDAYS, before=fiscal_year - 1 if fiscal_year - 1 in year_calendar.YEARS else None,
        after=fiscal_year + 1 if fiscal_year + 1 in year_calendar.YEARS else None,
    )  # fmt: skip


@get(
    "/calendar/{year:str}/calendar.ics", summary="年度の予定のファイル", guards=[reader],
    media_type="text/calendar",
)  # fmt: skip
async def year_file(year: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[str]:
    """The same bodies' dates, sittings and turns of the year for a calendar program: no case, no count, no person."""
    found = await _calendar(request, runtime, year)
    text = "".join(calendar_feed.folded(line) for line in _lines(runtime.profile, found))
    name = f'attachment; filename="calendar-{found.fiscal_year}.ics"'
    headers = {**pages.NO_STORE, "Content-Disposition": name}
    return Response(text, media_type="text/calendar; charset=utf-8", headers=headers)


async def _calendar(request: AnyRequest, runtime: Runtime, year: str) -> YearCalendar:
    principal = posting.acting(request, runtime)
    if not _YEAR.fullmatch(year) or int(year) not in year_calendar.YEARS:
        raise not_found()
    fiscal_year = int(year)
    found: YearCalendar = await runtime.database.read(
        lambda connection: year_calendar.calendar_of(connection, principal, runtime.profile, fiscal_year)
    )
    return found


def _lines(profile: Profile, year: YearCalendar) -> Iterator[str]:
    yield from (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tsunagi//Year//JA",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
    )
    yield f"X-WR-CALNAME:{calendar_feed.text_value(f'{profile.municipality.name} 会議 {year.fiscal_year}年度')}"
    stamp = calendar_feed.utc_stamp(clock.now())
    for entry in year.entries:
        if entry.kind in _IN_FEED:
            yield from _event(profile, entry, stamp)
    yield "END:VCALENDAR"


def _event(profile: Profile, entry: Entry, stamp: str) -> Iterator[str]:
    """An entry: a sitting with its times under the id that a person's own calendar has it by, all else as a whole day."""
    own = entry.id or hashlib.sha256(f"{entry.kind}|{entry.day}|{entry.text}".encode()).hexdigest()[:32]
    yield "BEGIN:VEVENT"
    yield f"UID:{own}@{profile.municipality.code}.tsunagi"
    yield f"DTSTAMP:{stamp}"
    if entry.starts_at:
        yield f"DTSTART:{calendar_feed.utc_stamp(calendar_feed.moment_on(entry.day, entry.starts_at))}"
        if entry.ends_at:
            yield f"DTEND:{calendar_feed.utc_stamp(calendar_feed.moment_on(entry.day, entry.ends_at))}"
    else:
        yield f"DTSTART;VALUE=DATE:{entry.day:%Y%m%d}"
        yield f"DTEND;VALUE=DATE:{entry.day + dt.timedelta(1):%Y%m%d}"
    yield f"SUMMARY:{calendar_feed.text_value(_summary(entry))}"
    if entry.place:
        yield f"LOCATION:{calendar_feed.text_value(entry.place)}"
    yield f"STATUS:{'CANCELLED' if entry.cancelled else 'CONFIRMED' if entry.id else 'TENTATIVE'}"
    yield "TRANSP:TRANSPARENT" if not entry.starts_at else "TRANSP:OPAQUE"
    yield "END:VEVENT"


def _summary(entry: Entry) -> str:
    return f"{entry.text}（定例）" if entry.kind is EntryKind.REGULAR else entry.text


ROUTES = (this_year, one_year, year_file)
