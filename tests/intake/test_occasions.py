"""On which days a body meets: Japanese public holidays and 年末年始 moved, left out or kept, as the profile says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsunagi_intake.occasions import is_holiday, is_open, occasions, occasions_of
from tsunagi_shared.contracts.profile import HolidayMove, load_profile

KURUME = Path(__file__).parents[2] / "deploy" / "profiles" / "kurume"
LATER, EARLIER, SKIP, KEEP = HolidayMove.LATER, HolidayMove.EARLIER, HolidayMove.SKIP, HolidayMove.NONE


def in_month(schedule: str, move: HolidayMove, year: int, month: int) -> list[int]:
    """The days of one month, as numbers."""
    start = dt.date(year, month, 1)
    until = (start + dt.timedelta(31)).replace(day=1) - dt.timedelta(1)
    return [day.day for day in occasions(schedule, move, start, until)]


@pytest.mark.parametrize(
    ("schedule", "year", "month", "kept", "later", "earlier"),
    [
        ("毎月第4水曜", 2026, 9, 23, 24, 18),  # 秋分の日, in a row with 敬老の日 and 国民の休日
        ("毎月第4水曜", 2028, 2, 23, 24, 22),  # 天皇誕生日
        ("毎月第4水曜", 2022, 12, 28, 28, 28),  # 仕事納め: still open
        ("毎月第5火曜", 2026, 12, 29, None, 28),  # 年末年始: the first open day is in January
        ("毎月第1金曜", 2027, 1, 1, 4, None),
        ("毎月第2月曜", 2026, 10, 12, 13, 9),  # スポーツの日
        ("毎月6日", 2026, 5, 6, 7, 1),  # 振替休日
        ("毎月10日", 2026, 10, 10, 13, 9),  # a Saturday before a holiday
    ],
)
def test_a_holiday_moves_the_sitting(
    schedule: str, year: int, month: int, kept: int, later: int | None, earlier: int | None
) -> None:
    """To the next or the last open day, which may be in another month; kept or left out where the profile says so."""

    def found(move: HolidayMove, wanted: int | None) -> bool:
        days = in_month(schedule, move, year, month)
        return wanted in days if wanted else kept not in days

    assert found(KEEP, kept)
    assert found(LATER, later)
    assert found(EARLIER, earlier)
    skipped = in_month(schedule, SKIP, year, month)
    assert (kept in skipped) is (kept == later == earlier)


def test_a_moved_day_belongs_to_the_period_it_falls_in() -> None:
    """A sitting of 29 December that is moved is one of January, and is in the list of January alone."""
    year_end = dt.date(2026, 12, 31)
    assert occasions("毎月第5火曜", LATER, dt.date(2026, 12, 1), year_end) == ()
    assert occasions("毎月第5火曜", LATER, dt.date(2027, 1, 1), dt.date(2027, 1, 31)) == (dt.date(2027, 1, 4),)
    assert occasions("毎月1日", EARLIER, dt.date(2026, 12, 1), year_end) == (
        dt.date(2026, 12, 1),
        dt.date(2026, 12, 28),
    )


def test_a_body_that_means_saturday_meets_on_saturday() -> None:
    """A schedule by weekday is moved off holidays alone; one by the day of the month off weekends too."""
    assert in_month("毎月第2土曜", LATER, 2026, 6) == [13]
    assert in_month("毎月13日", LATER, 2026, 6) == [15]
    assert in_month("毎月13日", KEEP, 2026, 6) == [13]
    assert in_month("毎月第1土曜", LATER, 2027, 1) == [4]  # 2 January is 年末年始


def test_two_sittings_moved_to_one_day_are_one() -> None:
    """A weekly body whose days fall together meets once."""
    days = occasions("毎週月曜", LATER, dt.date(2026, 12, 28), dt.date(2027, 1, 12))
    assert days == (dt.date(2026, 12, 28), dt.date(2027, 1, 4), dt.date(2027, 1, 12))


@pytest.mark.parametrize("schedule", ["", "随時", "臨時", "年2回"])
def test_days_that_nobody_fixed_are_not_proposed(schedule: str) -> None:
    """As needed, extra, or so many times a year: no days."""
    assert occasions(schedule, LATER, dt.date(2026, 4, 1), dt.date(2027, 3, 31)) == ()


def test_what_is_no_schedule_is_refused() -> None:
    """A caller that did not load it from a profile hears of it."""
    with pytest.raises(ValueError, match="schedule"):
        occasions("そのうち", LATER, dt.date(2026, 4, 1), dt.date(2027, 3, 31))


def test_the_year_of_a_city_with_a_monthly_sitting() -> None:
    """久留米市: twelve in a 年度, both bodies on the same days, 24 September in place of the 23rd."""
    profile = load_profile(KURUME)
    year = (dt.date(2026, 4, 1), dt.date(2027, 3, 31))
    layered, support = (occasions_of(profile.body(name), *year) for name in ("layered-support", "support-meeting"))
    assert layered == support
    assert len(layered) == 12
    assert [day for day in layered if day.weekday() != 2] == [dt.date(2026, 9, 24)]


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(list(HolidayMove)), st.dates(dt.date(1990, 1, 1), dt.date(2098, 1, 1)), st.integers(0, 400))
def test_no_move_ends_on_a_closed_day_and_lists_join_up(move: HolidayMove, start: dt.date, length: int) -> None:
    """A day that was moved is an open one; a period asked for in two parts gives the same days."""
    until, middle = start + dt.timedelta(length), start + dt.timedelta(length // 2)
    found = occasions("毎月第4水曜", move, start, until)
    assert all(is_open(day) or move is KEEP for day in found)
    after = occasions("毎月第4水曜", move, middle + dt.timedelta(1), until)
    assert occasions("毎月第4水曜", move, start, middle) + after == found


def test_holidays_are_those_of_the_law() -> None:
    """国民の祝日, 振替休日, 国民の休日 and 12/29 to 1/3; no other day."""
    closed = [
        dt.date(2026, 9, 21),
        dt.date(2026, 9, 22),
        dt.date(2026, 5, 6),
        dt.date(2028, 2, 23),
        dt.date(2026, 12, 29),
    ]
    assert all(map(is_holiday, closed))
    assert is_holiday(dt.date(2027, 1, 3))
    assert not any(map(is_holiday, [dt.date(2026, 12, 28), dt.date(2027, 1, 4), dt.date(2026, 9, 24)]))
