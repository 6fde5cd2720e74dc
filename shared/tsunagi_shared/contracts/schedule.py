"""When a body meets by rule, as its profile writes it: 毎月第4水曜, 毎月第1・第3金曜、臨時, 毎週月曜, 毎月10日, 年2回, 随時.

Only what the calendar itself says; what happens on a public holiday is the service's matter, which knows the holidays.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator

import msgspec

from tsunagi_shared.forms.japanese import fold_digits

SCHEDULE_FORMS = (
    "「毎月第4水曜」「毎月第1・第3金曜」「毎月最終金曜」「毎週月曜」「毎月10日」「年2回」「随時」「臨時」の形で書いてください。"
    "定例のほかに臨時にも開くときは「毎月第4水曜、臨時」と書きます。"
)
LAST_WEEK = -1

_WEEKDAYS = "月火水木金土日"
_REGULAR = re.compile(
    r"(?P<weekly>毎週)(?P<weekly_day>[月火水木金土日])(?:曜日?)"
    r"|毎月(?:第(?P<weeks>[1-5](?:[・、,]第?[1-5])*)|(?P<last>最終))(?P<weekday>[月火水木金土日])(?:曜日?)"
    r"|毎月(?P<day>[1-9]|[12][0-9]|3[01])日"
    r"|年(?P<times>[1-9]|[1-9][0-9])回"
)
_AS_NEEDED = ("随時", "臨時")
_BESIDES = re.compile(r"(?:、|・|及び|と|＋|\+)(?:随時|臨時)\Z")


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A regular schedule, at most one of: a weekday (0: Monday) in `weeks` of each month (1 to 5, LAST_WEEK; none: in every
    week), a `day` of each month, or so many `times_a_year` on days nobody has fixed. None of them: as needed.

    `as_needed`: whether it also meets, or only meets, when there is something to hear (随時, 臨時).
    """

    weekday: int | None = None
    weeks: tuple[int, ...] = ()
    day: int = 0
    times_a_year: int = 0
    as_needed: bool = False

    def days(self, start: dt.date, until: dt.date) -> Iterator[dt.date]:
        """Every day from `start` to `until`, both inclusive, that the schedule names, whatever day that is. A month without
        such a day (a 31st, a fifth Friday) has none."""
        if self.weekday is not None and not self.weeks:
            yield from _every_week(self.weekday, start, until)
            return
        year, month = start.year, start.month
        while (year, month) <= (until.year, until.month):
            yield from (day for day in self._in_month(year, month) if start <= day <= until)
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)

    def _in_month(self, year: int, month: int) -> Iterator[dt.date]:
        first_weekday, length = calendar.monthrange(year, month)
        if self.weekday is not None:
            first = 1 + (self.weekday - first_weekday) % 7
            held = range(first, length + 1, 7)
            for week in self.weeks:
                if week == LAST_WEEK or week <= len(held):
                    yield dt.date(year, month, held[-1 if week == LAST_WEEK else week - 1])
        elif 0 < self.day <= length:
            yield dt.date(year, month, self.day)


def _every_week(weekday: int, start: dt.date, until: dt.date) -> Iterator[dt.date]:
    day = start + dt.timedelta((weekday - start.weekday()) % 7)
    while day <= until:
        yield day
        day += dt.timedelta(7)


def read_schedule(text: str) -> Schedule | None:
    """The schedule that a profile writes; an empty text is 随時. None for what is none of the forms."""
    written = fold_digits(text).strip()
    if not written or written in _AS_NEEDED:
        return Schedule(as_needed=True)
    regular = _BESIDES.sub("", written)
    found = _REGULAR.fullmatch(regular)
    if found is None:
        return None
    as_needed = regular != written
    if found["weekly"]:
        return Schedule(weekday=_WEEKDAYS.index(found["weekly_day"]), as_needed=as_needed)
    if found["weekday"]:
        weeks = tuple(sorted({int(week) for week in re.findall("[1-5]", found["weeks"] or "")})) or (LAST_WEEK,)
        return Schedule(weekday=_WEEKDAYS.index(found["weekday"]), weeks=weeks, as_needed=as_needed)
    if found["day"]:
        return Schedule(day=int(found["day"]), as_needed=as_needed)
    return Schedule(times_a_year=int(found["times"]), as_needed=as_needed)
