"""Dates, phones, postal codes, furigana and characters as people in Japan write them."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsunagi_shared.forms import japanese


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-23", dt.date(2026, 11, 23)),
        ("2026/1/2", dt.date(2026, 1, 2)),
        ("２０２６－０１－０２", dt.date(2026, 1, 2)),
        ("2026年1月2日", dt.date(2026, 1, 2)),
        ("令和8年11月23日", dt.date(2026, 11, 23)),
        ("令和　８年 １１月２３日", dt.date(2026, 11, 23)),
        ("R8.11.23", dt.date(2026, 11, 23)),
        ("r８．１１．２３", dt.date(2026, 11, 23)),
        ("令8/11/23", dt.date(2026, 11, 23)),
        ("㋿8年1月2日", dt.date(2026, 1, 2)),
        ("令和元年5月1日", dt.date(2019, 5, 1)),
        ("平成元年1月8日", dt.date(1989, 1, 8)),
        ("平成31年4月30日", dt.date(2019, 4, 30)),
        ("昭和64年1月7日", dt.date(1989, 1, 7)),
        ("昭和元年12月25日", dt.date(1926, 12, 25)),
        ("大正15年12月25日", dt.date(1926, 12, 25)),
        ("大正元年7月30日", dt.date(1912, 7, 30)),
        ("明治45年7月30日", dt.date(1912, 7, 30)),
        ("S30・4・1", dt.date(1955, 4, 1)),
        ("2024-02-29", dt.date(2024, 2, 29)),
    ],
)
def test_read_date(text: str, day: dt.date) -> None:
    """A day is read in every way in which it is commonly written."""
    assert japanese.read_date(text) == day


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not-a-date"),
        ("きのう", "not-a-date"),
        ("8.11.23", "not-a-date"),
        ("2026-W01-1", "not-a-date"),
        ("2026/1-2", "not-a-date"),
        ("2026年1月", "not-a-date"),
        ("1" * 5000, "not-a-date"),
        ("2026-02-29", "impossible-date"),
        ("令和8年2月30日", "impossible-date"),
        ("令和0年1月1日", "impossible-date"),
        ("1800-01-01", "impossible-date"),
        ("9999-01-01", "impossible-date"),
        ("昭和64年1月8日", "outside-era"),
        ("平成31年5月1日", "outside-era"),
        ("令和元年4月30日", "outside-era"),
        ("昭和元年12月24日", "outside-era"),
    ],
)
def test_read_date_refuses(text: str, code: str) -> None:
    """What is no day, or no day of its era, is refused with the reason as a code and without the text."""
    with pytest.raises(japanese.ReadingError) as refused:
        japanese.read_date(text)
    assert refused.value.code == code
    assert str(refused.value) == code


@given(st.dates(japanese.EARLIEST_DATE, japanese.LATEST_DATE))
def test_wareki_round_trip(day: dt.date) -> None:
    """What is shown as 和暦 reads back as the same day."""
    assert japanese.read_date(japanese.format_wareki(day)) == day


@given(st.text(max_size=60))
def test_read_date_raises_nothing_else(text: str) -> None:
    """Any text is a date or a ReadingError."""
    with contextlib.suppress(japanese.ReadingError):
        assert isinstance(japanese.read_date(text), dt.date)


def test_format_wareki() -> None:
    """The first year is 元年; before the Gregorian calendar the Western year stands."""
    assert japanese.format_wareki(dt.date(2026, 11, 23)) == "令和8年11月23日"
    assert japanese.format_wareki(dt.date(2019, 5, 1)) == "令和元年5月1日"
    assert japanese.format_wareki(dt.date(2019, 4, 30)) == "平成31年4月30日"
    assert japanese.format_wareki(dt.date(1850, 1, 1)) == "1850年1月1日"


def test_age_on() -> None:
    """満年齢 goes up on the birthday."""
    assert japanese.age_on(dt.date(1955, 4, 1), dt.date(2026, 3, 31)) == 70
    assert japanese.age_on(dt.date(1955, 4, 1), dt.date(2026, 4, 1)) == 71
    assert japanese.age_on(dt.date(2004, 2, 29), dt.date(2026, 2, 28)) == 21


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("197-0011", "197-0011"),
        ("1970011", "197-0011"),
        ("〒１９７ー００１１", "197-0011"),
        ("１９７－００１１", "197-0011"),
    ],
)
def test_read_postal_code(text: str, read: str) -> None:
    """A postal code is stored in one shape."""
    assert japanese.read_postal_code(text) == read


@pytest.mark.parametrize("text", ["197-001", "19700111", "abc-defg", "197--0011"])
def test_read_postal_code_refuses(text: str) -> None:
    """Seven digits are needed."""
    with pytest.raises(japanese.ReadingError, match="not-a-postal-code"):
        japanese.read_postal_code(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("042-000-0001", "042-000-0001"),
        ("0420000001", "0420000001"),
        ("０４２－０００－０００１", "042-000-0001"),
        ("（０４２）０００ー０００１", "042-000-0001"),
        ("042-000-0001(内線 12)", "042-000-0001 内線12"),
        ("042-000-0001 内線12", "042-000-0001 内線12"),
        ("090-0000-0000", "090-0000-0000"),
        ("+81-42-000-0001", "+81-42-000-0001"),
    ],
)
def test_read_phone(text: str, read: str) -> None:
    """A phone is stored in ASCII, hyphens as written, and reads back as itself."""
    assert japanese.read_phone(text) == read
    assert japanese.read_phone(read) == read


@pytest.mark.parametrize("text", ["000-0001", "-", "でんわ", "042-000-00011111", "1420000001", "+12"])
def test_read_phone_refuses(text: str) -> None:
    """A number without its area code, or of another length, is refused."""
    with pytest.raises(japanese.ReadingError, match="not-a-phone"):
        japanese.read_phone(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("13:30", "13:30"), ("9:05", "09:05"), ("１３：３０", "13:30"), ("13時30分", "13:30"), ("13時", "13:00"),
        ("１３時半", "13:30"), ("午後1時30分", "13:30"), ("午後 １時 ５分", "13:05"), ("午前0時", "00:00"), ("午後12時", "12:00"),
        ("9.05", "09:05"), ("24:00", "24:00"), ("午前9:00", "09:00"),
    ],
)  # fmt: skip
def test_read_time(text: str, read: str) -> None:
    """A time of the day is stored in one shape, so that times sort as they pass."""
    assert japanese.read_time(text) == read


@pytest.mark.parametrize(
    "text", ["", "25:00", "24:01", "13:60", "13", "1330", "午後13時", "13:5", "午前", "13時30", "-1:00", "昼"]
)
def test_read_time_refuses(text: str) -> None:
    """What is no time of the day is told as such."""
    with pytest.raises(japanese.ReadingError, match="not-a-time"):
        japanese.read_time(text)


def test_graphemes() -> None:
    """An ideograph with its variation selector counts once, as people see it."""
    assert japanese.graphemes("髙﨑𠮷邉\U000e010f\ufa10") == 5
    assert not japanese.longer_than("邉\U000e010f" * 60, 60)
    assert japanese.longer_than("邉\U000e010f" * 61, 60)


@pytest.mark.parametrize(
    "text", ["\t", "\x00", "\x0b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\ud800", "\uffff"]
)
def test_control_characters(text: str) -> None:
    """Tabs, escapes, bidi overrides, lone surrogates and noncharacters are found."""
    assert japanese.has_control_characters(f"見本{text}太郎")


@pytest.mark.parametrize(
    "text", ["見本　太郎", "一行目\n二行目", "髙﨑𠮷邉\U000e010f\ufa10", "👨‍👩‍👧", "\u9fff\U00032000"]
)
def test_no_control_characters(text: str) -> None:
    """Ideographic spaces, line feeds, variation sequences and characters newer than this Python are let through."""
    assert not japanese.has_control_characters(text)


def test_is_kana() -> None:
    """Furigana is hiragana or katakana with spaces, ー and ・."""
    assert japanese.is_kana("みほん　タロウ・ジョン ﾊﾅｺ ゔー")
    assert not japanese.is_kana("見本")
    assert not japanese.is_kana("mihon")


def test_search_key() -> None:
    """Shapes, widths, kana and spaces do not hide a person from a search; the name itself is never folded."""
    assert japanese.search_key("髙﨑　𠮷ｴ") == japanese.search_key("高崎吉え")
    assert japanese.search_key("邉\U000e010f") == japanese.search_key("辺")
    assert japanese.search_key("ﾐﾎﾝ タロウ") == japanese.search_key("みほんたろう")
    assert japanese.search_key("Ａbc") == "abc"
