"""On which days a body meets by its schedule: public holidays and 年末年始 moved or kept, as the profile says."""

from __future__ import annotations

import datetime as dt

import jpholiday

from tsunagi_shared.contracts.profile import Body, HolidayMove
from tsunagi_shared.contracts.schedule import Schedule, read_schedule

# The longest run of days on which no office is open (29 April to 6 May and the like, 年末年始 with weekends) is far shorter
_FARTHEST_MOVE = dt.timedelta(21)
_YEAR_END = frozenset({(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)})


def is_holiday(day: dt.date) -> bool:
    """Whether the day is a 国民の祝日 (or 休日 by the same law) or falls in 年末年始, 12/29 to 1/3."""
    return (day.month, day.day) in _YEAR_END or jpholiday.is_holiday(day)


def is_open(day: dt.date) -> bool:
    """Whether the municipality's offices are open that day: Monday to Friday, and no holiday."""
    return day.weekday() < 5 and not is_holiday(day)


def occasions(schedule: str, move: HolidayMove, start: dt.date, until: dt.date) -> tuple[dt.date, ...]:
    """The days from `start` to `until`, both inclusive, on which a body with that schedule meets, in their order.

    A day that falls on a holiday is moved to the open day before or after, left out, or kept. A schedule by the day of the
    month is moved off weekends too; one that names 土曜 or 日曜 means it. Nothing for 随時, 臨時 and 年n回: nobody fixed
    their days. ValueError for what is no schedule.
    """
    read = read_schedule(schedule)
    if read is None:
        raise ValueError("not a schedule")
    wide = read.days(start - _FARTHEST_MOVE, until + _FARTHEST_MOVE)
    held = {moved for day in wide if (moved := _moved(day, read, move)) is not None}
    return tuple(sorted(day for day in held if start <= day <= until))


def occasions_of(body: Body, start: dt.date, until: dt.date) -> tuple[dt.date, ...]:
    """The same of a body of the profile."""
    return occasions(body.schedule, body.holiday_move, start, until)


def _moved(day: dt.date, schedule: Schedule, move: HolidayMove) -> dt.date | None:
    in_the_way = is_holiday(day) if schedule.weekday is not None else not is_open(day)
    if not in_the_way or move is HolidayMove.NONE:
        return day
    if move is HolidayMove.SKIP:
        return None
    step = dt.timedelta(1 if move is HolidayMove.LATER else -1)
    while not is_open(day):
        day += step
    return day
