"""Finds in free text what protection withholds: an address, a telephone number, a mail address or a name as it may be written
(full width, other hyphens, with or without spaces, 一丁目 for 1-). What a text tells in words of its own no program can find.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from tsunagi_shared.forms.protection import ProtectionField

WITHHELD = "（非開示）"  # stands where something was cut
Patterns = tuple[re.Pattern[str], ...]

_HYPHENS = "\\-‐‑‒–—―－−ｰー~〜"
_GAP = rf"[\s{_HYPHENS}]*"
_PHONE_GAP = rf"[\s{_HYPHENS}.．・()（）]*"
_NUMBER_GAP = rf"(?:[\s{_HYPHENS},、]|丁目|番地|番|号|の|ノ)+"
_SELECTOR = "[\ufe00-\ufe0f\U000e0100-\U000e01ef]?"
_NOT_DIGIT_BEFORE, _NOT_DIGIT_AFTER = r"(?<![0-9０-９])", r"(?![0-9０-９])"
_KANJI_DIGITS = "〇一二三四五六七八九"
_NUMBER_WORDS = ("丁目", "番地", "番", "号", "号室")
_KANJI_NUMBER = re.compile(f"[{_KANJI_DIGITS}]+|[{_KANJI_DIGITS[1:]}]?十[{_KANJI_DIGITS[1:]}]?")
_TOKENS = re.compile(rf"[0-9]+|(?:{_KANJI_NUMBER.pattern})(?=丁目|番|号)|丁目|番地|番|号室?|[^\s{_HYPHENS},、]")
_MUNICIPALITY = re.compile(r"(?:.{2,3}?[都道府県])?(?:[^\d]{1,6}?郡)?[^\d]+?[市区町村]")
_ROOM = re.compile(r"[0-9]+(?:号室?)?\Z")
_SPACES = re.compile(r"[\s\u3000・]+")
SHORTEST_ADDRESS, SHORTEST_BUILDING, SHORTEST_PHONE, SHORTEST_NAME = (
    4,
    3,
    8,
    2,
)  # characters; shorter ones would cut what they do not mean

# Widths and kana of one character. Halves of a voiced kana are two.
_TO_ASCII = {0x3000: 0x20, **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}}
_TO_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_FULL_KANA = (
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンァィゥェォャュョッ"
)
_HALF_KANA = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜｦﾝｧｨｩｪｫｬｭｮｯ"
_VOICED = dict(zip("ガギグゲゴザジズゼゾダヂヅデドバビブベボヴ", "ｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾊﾋﾌﾍﾎｳ", strict=True))
_KANA = (
    {code: code + 0x60 for code in range(0x3041, 0x3097)},
    {code: code - 0x60 for code in range(0x30A1, 0x30F7)},
    str.maketrans(_HALF_KANA, _FULL_KANA),
    str.maketrans(_FULL_KANA, _HALF_KANA)
    | {ord(full): f"{half}ﾞ" for full, half in _VOICED.items()}
    | {ord(full): f"{half}ﾟ" for full, half in zip("パピプペポ", "ﾊﾋﾌﾍﾎ", strict=True)},
)
_ALIKE = ("ヶケがヵカ", "ーｰ－-", "髙高", "﨑崎", "邉邊辺", "齋斎斉齊", "濵濱浜", "澤沢", "𠮷吉")
_PLACE, _ANY_NUMBER = "[一-龥々ぁ-んァ-ヶー]", "[0-9０-９一二三四五六七八九十]{1,5}"
# What looks like a way to find somebody, for papers that do not know the protected words themselves
PHONE_LIKE: Patterns = (
    re.compile(rf"{_NOT_DIGIT_BEFORE}[0０](?:{_PHONE_GAP}[0-9０-９]){{8,10}}{_NOT_DIGIT_AFTER}"),
    re.compile(r"[A-Za-z0-9._%+\-]+[@＠][A-Za-z0-9.\-]+"),
)
ADDRESS_LIKE: Patterns = (
    re.compile(
        rf"〒?\s*{_NOT_DIGIT_BEFORE}(?<![0-9０-９][{_HYPHENS}])[0-9０-９]{{3}}[{_HYPHENS}][0-9０-９]{{4}}"
        rf"(?![0-9０-９{_HYPHENS}])"
    ),
    re.compile(
        rf"{_PLACE}{{0,30}}{_ANY_NUMBER}(?:丁目|番地|番{_ANY_NUMBER}号)(?:[\s{_HYPHENS}の]*{_ANY_NUMBER}(?:番地?|号室?)?)*"
    ),
    re.compile(
        rf"{_PLACE}{{1,30}}(?:[町村区市郡条字台丘原](?![0０])[0-9０-９]{{1,4}}|(?![0０])[0-9０-９]{{1,3}}[{_HYPHENS}][0-9０-９]{{1,4}})"
        rf"(?:[{_HYPHENS}][0-9０-９]{{1,4}})+(?![0-9０-９])"
    ),
)


def without(text: str, patterns: Patterns) -> str:
    """The text with 「（非開示）」 for whatever the patterns find."""
    for pattern in patterns:
        text = pattern.sub(WITHHELD, text)
    return text


def like(fields: Collection[str]) -> Patterns:
    """Finds whatever looks like a way to somebody, for the fields (`ProtectionField`) that are withheld of anybody."""
    found = PHONE_LIKE if ProtectionField.PHONE.value in fields else ()
    return found + (ADDRESS_LIKE if ProtectionField.ADDRESS.value in fields else ())


def address_patterns(address: str, postal_code: str) -> Patterns:
    """Finds the address, its part below the municipality as far as the first number, its building, and the postal code."""
    # The longest first: what is left of a shorter one would tell the rest
    found = [_address_pattern(part) for part in sorted(set(_address_parts(address)), key=len, reverse=True)]
    digits = _digits_of(postal_code)
    if len(digits) == 7:
        found.append(re.compile(f"〒?{_GAP}{_NOT_DIGIT_BEFORE}{_spelt(digits, _GAP)}{_NOT_DIGIT_AFTER}"))
    return tuple(found)


def _address_parts(address: str) -> Iterator[str]:
    folded = address.translate(_TO_ASCII).strip()
    if len(folded) >= SHORTEST_ADDRESS:
        yield folded
    below = _MUNICIPALITY.sub("", folded, count=1)
    if not any(letter.isdigit() for letter in below):
        if len(below) >= SHORTEST_ADDRESS:
            yield below
        return
    yield below
    town, *building = _SPACES.split(below)  # 見本町1-2-3 見本荘201
    yield town
    for word in building:
        for part in (word, _ROOM.sub("", word)):
            if len(part) >= SHORTEST_BUILDING and not part.isdigit():
                yield part


def _address_pattern(part: str) -> re.Pattern[str]:
    pieces: list[str] = []
    numbers = 0  # that stand together at the end so far: 1丁目2番3号 may be cut short to 1丁目
    for token in _TOKENS.findall(part):
        if token in _NUMBER_WORDS and numbers:
            continue
        if token.isdigit() or (_KANJI_NUMBER.fullmatch(token) and token not in _NUMBER_WORDS):
            gap = (_NUMBER_GAP if numbers else _GAP) if pieces else ""
            pieces.append(f"{gap}{_NOT_DIGIT_BEFORE}{_number(token)}{_NOT_DIGIT_AFTER}")
            numbers += 1
        else:
            gap = rf"(?:{_NUMBER_GAP})?" if numbers else _GAP
            pieces.append((gap if pieces else "") + _GAP.join(_letter(letter) for letter in token))
            numbers = 0
    if len(pieces) > numbers > 1:  # numbers alone are no place
        pieces[1 - numbers :] = [f"(?:{piece})?" for piece in pieces[1 - numbers :]]
    return re.compile("".join(pieces) + (r"(?:\s*(?:号室?|番地?|丁目))?" if numbers else ""), re.IGNORECASE)


def _number(token: str) -> str:
    """A number of an address as it may be written: 12, １２, 十二, 一二."""
    value = int(token) if token.isdigit() else _kanji_value(token)
    digits = str(value)
    spellings = [_spelt(digits, ""), "".join(_KANJI_DIGITS[int(digit)] for digit in digits)]
    if 10 <= value < 100:
        tens, ones = divmod(value, 10)
        spellings.append((_KANJI_DIGITS[tens] if tens > 1 else "") + "十" + (_KANJI_DIGITS[ones] if ones else ""))
    return f"(?:{'|'.join(dict.fromkeys(spellings))})"


def _kanji_value(token: str) -> int:
    if "十" not in token:
        return int("".join(str(_KANJI_DIGITS.index(letter)) for letter in token))
    tens, _, ones = token.partition("十")
    return (_KANJI_DIGITS.index(tens) if len(tens) == 1 else 1) * 10 + (
        _KANJI_DIGITS.index(ones) if len(ones) == 1 else 0
    )


def phone_patterns(*numbers: str) -> Patterns:
    """Finds telephone numbers (also as +81 and without the area code) and mail addresses."""
    found: list[re.Pattern[str]] = []
    for number in filter(None, numbers):
        if "@" in number.translate(_TO_ASCII):
            found.append(re.compile("".join(_letter(letter) for letter in number.strip()), re.IGNORECASE))
            continue
        main = number.translate(_TO_ASCII).partition("内線")[0]
        digits = _digits_of(main)
        if len(digits) < SHORTEST_PHONE:
            continue
        start = rf"(?:[+＋]?[8８][1１]{_PHONE_GAP}[0０]?|[0０])" if digits[0] == "0" else _spelt(digits[0], "")
        rest = _PHONE_GAP + _spelt(digits[1:], _PHONE_GAP)
        extension = r"(?:\s*内線[0-9０-９]+)?"
        found.append(re.compile(f"{_NOT_DIGIT_BEFORE}[(（]?{start}{rest}{_NOT_DIGIT_AFTER}{extension}"))
        groups = re.findall("[0-9]+", main)
        if len(groups) == 3 and len(groups[1] + groups[2]) >= 6:  # 551-1511, as people of the town write it
            local = rf"{_spelt(groups[1], '')}[\s{_HYPHENS}]+{_spelt(groups[2], '')}"
            found.append(re.compile(rf"{_NOT_DIGIT_BEFORE}(?<![0-9０-９][{_HYPHENS}]){local}{_NOT_DIGIT_AFTER}"))
    return tuple(found)


def name_patterns(hidden: Iterable[str], shown: Iterable[str]) -> Patterns:
    """Finds the names (or furigana) of hidden persons: whole, and the given name alone. Those of shown persons stay."""
    known = {_SPACES.sub("", name) for name in shown} | {part for name in shown for part in _SPACES.split(name)}
    wanted: set[tuple[str, ...]] = set()
    for name in hidden:
        parts = tuple(part for part in _SPACES.split(name.strip()) if part)
        for written in (parts, parts[-1:] if len(parts) > 1 else ()):
            whole = "".join(written)
            if len(whole) >= SHORTEST_NAME and whole not in known:
                wanted.add(written)
    ordered = sorted(wanted, key=lambda parts: (-len("".join(parts)), parts))
    return tuple(
        re.compile(r"[\s・]*".join("".join(_letter(letter) for letter in part) for part in parts)) for parts in ordered
    )


def _digits_of(text: str) -> str:
    return "".join(letter for letter in text.translate(_TO_ASCII) if letter in "0123456789")


def _spelt(digits: str, gap: str) -> str:
    return gap.join(f"[{digit}{chr(ord(digit) + 0xFEE0)}]" for digit in digits)


def _letter(letter: str) -> str:
    """One character in its widths and kana; a variation selector may follow it."""
    if "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef":
        return ""
    forms = {letter, letter.translate(_TO_ASCII)} | {letter.translate(table) for table in _KANA}
    forms |= {form.translate(table) for form in tuple(forms) for table in (_TO_FULL_WIDTH, *_KANA)}
    for alike in _ALIKE:
        if letter in alike:
            forms |= set(alike)
    return f"(?:{'|'.join(re.escape(form) for form in sorted(forms))}){_SELECTOR}"
