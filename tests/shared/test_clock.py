"""The clock: Japanese dates for 年度 and `until`, and a file by which only the embedded stack moves it."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from tests.conftest import MovableClock
from tsunagi_shared import clock


def us(text: str) -> int:
    """An ISO moment as stored microseconds."""
    return clock.microseconds_of(dt.datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("moment", "day", "year"),
    [
        ("2027-03-31T14:59:59+00:00", dt.date(2027, 3, 31), 2026),
        ("2027-03-31T15:00:00+00:00", dt.date(2027, 4, 1), 2027),
        ("2027-04-01T00:00:00+09:00", dt.date(2027, 4, 1), 2027),
        ("2026-12-31T15:00:00+00:00", dt.date(2027, 1, 1), 2026),
        ("2028-02-29T00:00:00+09:00", dt.date(2028, 2, 29), 2027),
        ("1969-12-31T15:00:00+00:00", dt.date(1970, 1, 1), 1969),
    ],
)
def test_days_and_fiscal_years_are_japanese(moment: str, day: dt.date, year: int) -> None:
    """A day begins at midnight in Japan, 年度 on 1 April there."""
    assert clock.japanese_date(us(moment)) == day
    assert clock.fiscal_year(day) == year


@pytest.mark.parametrize("microseconds", [0, 1, -1, 1_790_000_000_123_456, 4_102_444_800_000_001])
def test_moments_survive_storage(microseconds: int) -> None:
    """To the microsecond, there and back."""
    assert clock.microseconds_of(clock.moment_of(microseconds)) == microseconds


def test_the_file_moves_the_clock(movable_clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward, back, and to the real time when the file is gone; a file that is just being written changes nothing."""
    for seconds in (0, 86_400, -3600):
        movable_clock.forward(seconds)
        assert abs(clock.now_us() / 1e6 - time.time() - seconds) < 2
    movable_clock.path.write_text("")
    clock._Shift.read_at = -1.0
    assert abs(clock.now_us() / 1e6 - time.time() + 3600) < 2
    movable_clock.path.unlink()
    clock._Shift.read_at = -1.0
    assert abs(clock.now_us() / 1e6 - time.time()) < 2


def test_the_file_is_read_once_a_second(movable_clock: MovableClock) -> None:
    """Asking the time does not read a file each time, and a change is seen within a second or so."""
    movable_clock.forward(0)
    clock.now_us()
    movable_clock.path.write_text("1000000")
    assert abs(clock.now_us() / 1e6 - time.time()) < 2
    clock._Shift.read_at -= 1.0
    assert clock.now_us() / 1e6 - time.time() > 999_000


def test_today_is_a_day_in_japan(movable_clock: MovableClock) -> None:
    """Late in the evening in UTC it is tomorrow in Japan."""
    movable_clock.to(dt.datetime(2027, 3, 31, 15, 0, 30, tzinfo=dt.UTC))
    assert clock.today() == dt.date(2027, 4, 1)
    assert clock.now().tzinfo is dt.UTC
