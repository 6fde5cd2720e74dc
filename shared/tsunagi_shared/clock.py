"""The one place that asks what time it is. Stored times are UTC microseconds; Japanese dates rule 年度, due dates and `until`."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
JST = dt.timezone(dt.timedelta(hours=9), "JST")  # Japan keeps no summer time
_DAY_US = 86_400_000_000
_AHEAD_US = 9 * 3_600_000_000
_FIRST_DAY = _EPOCH.toordinal()


class _Shift:
    """How far the clock is moved, read from a file that only the embedded stack names (to try another 年度)."""

    path: Path | None = None
    read_at: float = -1.0
    microseconds: int = 0


def follow(path: Path | None) -> None:
    """Move the clock by the whole seconds that stand in the file; it is read again once a second."""
    _Shift.path, _Shift.read_at, _Shift.microseconds = path, -1.0, 0


def _shift_us() -> int:
    if _Shift.path is None:
        return 0
    if (moment := time.monotonic()) - _Shift.read_at >= 1.0:
        _Shift.read_at = moment
        try:
            _Shift.microseconds = int(_Shift.path.read_text()) * 1_000_000
        except FileNotFoundError:
            _Shift.microseconds = 0
        except ValueError:
            pass  # it is just being written: the next look finds it whole
    return _Shift.microseconds


def now_us() -> int:
    """UTC microseconds since 1970."""
    return time.time_ns() // 1000 + _shift_us()


def now() -> dt.datetime:
    """The same moment as an aware datetime in UTC."""
    return moment_of(now_us())


def moment_of(microseconds: int) -> dt.datetime:
    """Stored microseconds as an aware datetime in UTC."""
    return _EPOCH + dt.timedelta(microseconds=microseconds)


def microseconds_of(moment: dt.datetime) -> int:
    """An aware datetime as UTC microseconds."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def japanese_date(microseconds: int) -> dt.date:
    """The Japanese calendar day of a stored moment."""
    return dt.date.fromordinal(_FIRST_DAY + (microseconds + _AHEAD_US) // _DAY_US)


def midnight_us(day: dt.date) -> int:
    """The moment a Japanese day begins, as it is stored."""
    return microseconds_of(dt.datetime.combine(day, dt.time(), JST))


def today() -> dt.date:
    """Today in Japan."""
    return japanese_date(now_us())


def fiscal_year(day: dt.date) -> int:
    """年度: it runs from 1 April to 31 March and is named by the year it begins in."""
    return day.year if day.month >= 4 else day.year - 1
