"""When a body meets: what a profile may write, and which days of the calendar that names."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsunagi_shared.contracts.schedule import LAST_WEEK, Schedule, read_schedule

WEDNESDAY, FRIDAY, MONDAY = 2, 4, 0


def days_of(text: str, start: str, until: str) -> list[str]:
    schedule = read_schedule(text)
    assert schedule is not None
    return [day.isoformat() for day in schedule.days(dt.date.fromisoformat(start), dt.date.fromisoformat(until))]


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("毎月第4水曜", Schedule(weekday=WEDNESDAY, weeks=(4,))),
        ("毎月第４水曜日", Schedule(weekday=WEDNESDAY, weeks=(4,))),
        ("毎月第4水曜、臨時", Schedule(weekday=WEDNESDAY, weeks=(4,), as_needed=True)),
        ("毎月第4水曜及び随時", Schedule(weekday=WEDNESDAY, weeks=(4,), as_needed=True)),
        ("毎月第1・第3金曜", Schedule(weekday=FRIDAY, weeks=(1, 3))),
        ("毎月第3・1金曜", Schedule(weekday=FRIDAY, weeks=(1, 3))),
        ("毎月最終金曜日", Schedule(weekday=FRIDAY, weeks=(LAST_WEEK,))),
        ("毎週月曜", Schedule(weekday=MONDAY)),
        ("毎月10日", Schedule(day=10)),
        ("年2回", Schedule(times_a_year=2)),
        ("年2回、臨時", Schedule(times_a_year=2, as_needed=True)),
        ("随時", Schedule(as_needed=True)),
        ("臨時", Schedule(as_needed=True)),
        ("", Schedule(as_needed=True)),
    ],
)
def test_what_a_profile_writes_is_read(text: str, schedule: Schedule) -> None:
    """Each form, with full-width digits and with what is held besides."""
    assert read_schedule(text) == schedule


@pytest.mark.parametrize(
    "text",
    [
        "だいたい毎月", "毎月第6水曜", "毎月第0水曜", "毎月第4祝日", "毎月32日", "毎月0日", "毎月第4水曜、第2月曜", "年0回",
        "随時臨時",        "第4水曜", "毎月第4水曜、", "毎日", "毎月第4水曜\n",
    ],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    """What is no schedule is not guessed at; a line feed at the end is only space."""
    assert (read_schedule(text) is None) is (not text.endswith("\n"))


def test_days_of_the_calendar() -> None:
    """Both ends belong to the period; a month without such a day has none; a fixed number a year names no day."""
    assert days_of("毎月第4水曜", "2026-09-23", "2026-11-25") == ["2026-09-23", "2026-10-28", "2026-11-25"]
    assert days_of("毎月第4水曜", "2026-09-24", "2026-10-27") == []
    assert days_of("毎月第1・第3金曜", "2026-12-01", "2027-01-31") == [
        "2026-12-04",
        "2026-12-18",
        "2027-01-01",
        "2027-01-15",
    ]
    assert days_of("毎月第5金曜", "2026-10-01", "2026-12-31") == ["2026-10-30"]
    assert days_of("毎月最終金曜", "2026-10-01", "2026-11-30") == ["2026-10-30", "2026-11-27"]
    assert days_of("毎月31日", "2026-10-01", "2026-12-31") == ["2026-10-31", "2026-12-31"]
    assert days_of("毎週月曜", "2026-11-23", "2026-12-07") == ["2026-11-23", "2026-11-30", "2026-12-07"]
    for as_needed in ("年2回", "随時", "臨時", ""):
        assert days_of(as_needed, "2026-04-01", "2027-03-31") == []


@given(st.integers(1, 5), st.integers(0, 6), st.dates(dt.date(1990, 1, 1), dt.date(2150, 1, 1)))
def test_the_nth_weekday_is_the_nth_of_its_month(week: int, weekday: int, start: dt.date) -> None:
    """Whatever month: each day found has that weekday, and exactly so many of them up to it in its month."""
    schedule = Schedule(weekday=weekday, weeks=(week,))
    found = list(schedule.days(start, start + dt.timedelta(400)))
    assert all(day.weekday() == weekday and (day.day - 1) // 7 + 1 == week for day in found)
    assert found == sorted(set(found))
    assert len(found) >= (13 if week < 5 else 3)
