"""Reading and writing Japanese as people write it: 和暦 dates, full-width digits, phones, furigana, graphemes.

Names are never normalised: U+FA10, U+9AD9 and ideographic variation sequences are other people's names. Only
`search_key` folds, and nothing it returns is ever shown.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

import regex  # type: ignore[import-untyped]

# A grapheme may take several code points (a base, a variation selector, a combining mark). A text that needs more on
# average is no writing; the Struct's own limit, the second wall behind the check by grapheme, is this much wider.
CODE_POINTS_PER_GRAPHEME = 8

# First and last day of each era. The day of the change belongs to both names until 昭和 (the edicts of 1912 and 1926
# took effect on the day itself); since 1989 it falls on midnight. 明治 starts with the Gregorian calendar in 1873.
_ERAS: tuple[tuple[str, str, dt.date, dt.date], ...] = (
    ("令和", "R", dt.date(2019, 5, 1), dt.date.max),
    ("平成", "H", dt.date(1989, 1, 8), dt.date(2019, 4, 30)),
    ("昭和", "S", dt.date(1926, 12, 25), dt.date(1989, 1, 7)),
    ("大正", "T", dt.date(1912, 7, 30), dt.date(1926, 12, 25)),
    ("明治", "M", dt.date(1873, 1, 1), dt.date(1912, 7, 30)),
)
_ERA_DAYS = {name: (first, last) for name, _, first, last in _ERAS}
_FIRST_YEARS = {"令和": 2019, "平成": 1989, "昭和": 1926, "大正": 1912, "明治": 1868}
EARLIEST_DATE = _ERAS[-1][2]
LATEST_DATE = dt.date(2200, 12, 31)

_ERA_OF_PREFIX = {prefix: name for name, letter, _, _ in _ERAS for prefix in (name, name[0], letter)}
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_WRITTEN = re.compile(
    r"(?P<era>明治|大正|昭和|平成|令和|[明大昭平令MTSHR])?(?P<year>元|[0-9]{1,4})"
    r"(?:年(?P<month>[0-9]{1,2})月(?P<day>[0-9]{1,2})日"
    r"|(?P<mark>[-/.])(?P<month2>[0-9]{1,2})(?P=mark)(?P<day2>[0-9]{1,2}))",
    re.ASCII,
)
_LONGEST_DATE = 40  # characters; longer text is no date and is not worth folding

_HYPHENS = "‐‑‒–—―−－ーｰ─━"  # what people type between digits
_DIGITS = {ord("０") + value: str(value) for value in range(10)}
_TO_ASCII = {**_DIGITS, **dict.fromkeys(map(ord, _HYPHENS), "-"), ord("＋"): "+", ord("（"): "(", ord("）"): ")"}
_SPACES = re.compile(r"[\s　]+")
_POSTAL_CODE = re.compile(r"〒?([0-9]{3})-?([0-9]{4})", re.ASCII)
_TIME = re.compile(
    r"(?P<noon>午前|午後)?(?P<hour>[0-9]{1,2})(?:[:.](?P<minute>[0-9]{2})|時(?:(?P<written>[0-9]{1,2})分|(?P<half>半))?)",
    re.ASCII,
)
_EXTENSION = re.compile(r"\(?(?:内線|内)[:：]?([0-9]{1,6})\)?$", re.ASCII)
_PHONE = re.compile(r"(?:\+[1-9]|0)[0-9]*(?:-[0-9]+){0,4}", re.ASCII)
# As most are typed; these need no folding
_USUAL_POSTAL_CODE = re.compile(r"[0-9]{3}-[0-9]{4}", re.ASCII)
_USUAL_PHONE = re.compile(r"0[0-9]+-[0-9]+-[0-9]+", re.ASCII)
_KANA = re.compile(r"[\u3041-\u3096\u3099-\u309f\u30a1-\u30ff\u31f0-\u31ff\uff66-\uff9f \u3000]*")

# C0 and C1 without \n, line and paragraph separators, bidi overrides and isolates, surrogates, noncharacters
_REFUSED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
_GRAPHEME = regex.compile(r"\X")
_VARIATION_SELECTORS = re.compile("[\u180b-\u180d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# Old and variant shapes that Unicode keeps apart and searchers do not; of search keys only
_VARIANTS = str.maketrans("髙﨑嵜𠮷邉邊濵濱齋齊澤廣國惠德曻渕淵嶋嶌桒", "高崎崎吉辺辺浜浜斎斉沢広国恵徳昇淵淵島島桑")
_KATAKANA_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}


class ReadingError(ValueError):
    """Text that is not what it should be. `code` is a code of forms.checks; the text itself is not in the message."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_date(text: str) -> dt.date:
    """The day a text names: ISO, 2026/1/2, 2026年1月2日, 令和8年11月23日, R8.11.23, 元年, full-width digits too.

    ReadingError `not-a-date` (no date), `impossible-date` (no such day, or outside 1873-2200) or `outside-era`
    (昭和64年1月8日).
    """
    if len(text) == 10 and _ISO.fullmatch(text):
        return _day(int(text[:4]), int(text[5:7]), int(text[8:]))
    if len(text) > _LONGEST_DATE:
        raise ReadingError("not-a-date")
    found = _WRITTEN.fullmatch(text) or _WRITTEN.fullmatch(_fold_date(text))
    if found is None:
        raise ReadingError("not-a-date")
    month, day = int(found["month"] or found["month2"]), int(found["day"] or found["day2"])
    if found["era"]:
        return _era_day(_ERA_OF_PREFIX[found["era"]], found["year"], month, day)
    if len(found["year"]) != 4:
        raise ReadingError("not-a-date")
    return _day(int(found["year"]), month, day)


def _fold_date(text: str) -> str:
    # NFKC turns the one-character eras (㋿) into two; this is a date, not a name
    folded = unicodedata.normalize("NFKC", _SPACES.sub("", text).translate(_TO_ASCII)).upper()
    return folded.replace("、", ".").replace("・", ".")


def _day(year: int, month: int, day: int) -> dt.date:
    try:
        read = dt.date(year, month, day)
    except ValueError:
        raise ReadingError("impossible-date") from None
    if not EARLIEST_DATE <= read <= LATEST_DATE:
        raise ReadingError("impossible-date")
    return read


def _era_day(era: str, year: str, month: int, day: int) -> dt.date:
    number = 1 if year == "元" else int(year)
    if number < 1:
        raise ReadingError("impossible-date")
    read = _day(_FIRST_YEARS[era] + number - 1, month, day)
    start, end = _ERA_DAYS[era]
    if not start <= read <= end:
        raise ReadingError("outside-era")
    return read


def format_wareki(day: dt.date) -> str:
    """令和8年11月23日; the first year of an era is 元年; before 1873 the Western year."""
    for era, _, start, _ in _ERAS:
        if day >= start:
            year = day.year - _FIRST_YEARS[era] + 1
            return f"{era}{'元' if year == 1 else year}年{day.month}月{day.day}日"
    return f"{day.year}年{day.month}月{day.day}日"


def age_on(birth: dt.date, day: dt.date) -> int:
    """満年齢 on a day as people count it: up by one on the birthday (1 March for 29 February)."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def fold_digits(text: str) -> str:
    """Full-width digits to ASCII; nothing else changes."""
    return text.translate(_DIGITS)


def read_postal_code(text: str) -> str:
    """〒１９７ー００１１, 1970011 → 197-0011. ReadingError `not-a-postal-code`."""
    if _USUAL_POSTAL_CODE.fullmatch(text):
        return text
    found = _POSTAL_CODE.fullmatch(_SPACES.sub("", text).translate(_TO_ASCII))
    if found is None:
        raise ReadingError("not-a-postal-code")
    return f"{found[1]}-{found[2]}"


def read_phone(text: str) -> str:
    """A number with area code in ASCII, hyphens as written: （０４２）５５１ー１５１１内線12 → 042-551-1511 内線12.

    Domestic numbers have 10 or 11 digits and start with 0, foreign ones start with + (at most 15 digits).
    ReadingError `not-a-phone`.
    """
    if _USUAL_PHONE.fullmatch(text) and len(text) - 2 in (10, 11):
        return text
    ascii_text = _SPACES.sub("", text).translate(_TO_ASCII)
    extension = _EXTENSION.search(ascii_text)
    if extension:
        ascii_text = ascii_text[: extension.start()]
    number = ascii_text.replace(")", "-").replace("(", "-").strip("-").replace("--", "-")
    digits = sum(map(str.isdigit, number))
    if not _PHONE.fullmatch(number) or not (8 <= digits <= 15 if number[0] == "+" else 10 <= digits <= 11):
        raise ReadingError("not-a-phone")
    return f"{number} 内線{extension[1]}" if extension else number


def read_time(text: str) -> str:
    """A time of the day as 13:30: 13時半, 午後1時30分, １３：３０, 9.05; up to 24:00. ReadingError `not-a-time`."""
    found = _TIME.fullmatch(_SPACES.sub("", text).translate(_TO_ASCII).replace("：", ":"))
    if found is None:
        raise ReadingError("not-a-time")
    hour, minute = int(found["hour"]), 30 if found["half"] else int(found["minute"] or found["written"] or 0)
    if (found["noon"] and hour > 12) or minute > 59 or hour * 60 + minute > 24 * 60:
        raise ReadingError("not-a-time")
    if found["noon"] == "午後" and hour < 12:
        hour += 12
    return f"{hour:02d}:{minute:02d}"


def is_kana(text: str) -> bool:
    """Whether a text is furigana: hiragana, katakana (half-width too), ー, ・ and spaces."""
    return _KANA.fullmatch(text) is not None


def graphemes(text: str) -> int:
    """How many characters a person sees: 邉󠄏 is one, か゛ with a combining mark is one."""
    return sum(1 for _ in _GRAPHEME.finditer(text))


def longer_than(text: str, limit: int) -> bool:
    """Whether a text has more than `limit` graphemes, or more code points than so many graphemes ever need; counts only
    when it might."""
    return len(text) > limit and (len(text) > limit * CODE_POINTS_PER_GRAPHEME or graphemes(text) > limit)


def unify_newlines(text: str) -> str:
    """CRLF and CR to LF (browsers post CRLF)."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def has_control_characters(text: str) -> bool:
    """Whether a text holds control characters other than \\n, bidi overrides, lone surrogates or noncharacters."""
    # isprintable is far quicker than the pattern, and false for line feeds and ideographic spaces too
    if text.isprintable() or text.replace("\n", "").replace("\u3000", "").isprintable():
        return False
    return _REFUSED.search(text) is not None


def search_key(text: str) -> str:
    """A key to find by, never shown: NFKC, case, kana and common variant shapes folded, spaces and ・ dropped."""
    folded = unicodedata.normalize("NFKC", _VARIATION_SELECTORS.sub("", text).translate(_VARIANTS)).casefold()
    folded = folded.translate(_VARIANTS).translate(_KATAKANA_TO_HIRAGANA)
    return _SPACES.sub("", folded).replace("・", "")
