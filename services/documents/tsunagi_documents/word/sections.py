"""Parts that several of the packaged sheets share: numbers at the top, subtitle, long texts, the municipality's own fields."""

from __future__ import annotations

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import (
    PAGE_WIDTH_MM,
    Cell,
    Row,
    heading,
    label,
    loop,
    note,
    paragraph,
    strong,
    table,
    title,
)

FOUR = (28.0, 60.0, 26.0, 56.0)  # label, value, label, value
TWO = (28.0, 142.0)  # label, value
THREE = (57.0, 57.0, 56.0)  # boxes to tick
BLANK_DATE = "令和　　年　　月　　日"
ALLOCATED = (36.0, 22.0, 58.0, 20.0, 34.0)  # agency, in charge, part, how often, until
STAMP_MM = 22.0
SIGN_HERE = "（署名又は記名押印）"
CARE = "この文書には個人情報が含まれます。支援の目的以外に使わず、保管と廃棄に注意してください。"


def top(name: str, *lines: str) -> tuple[Element, ...]:
    """The numbers on the right, the name of the sheet, and 支援会議限り in words where it holds."""
    return (
        *(note(line, align="right") for line in lines),
        title(name),
        note("{%p if notice %}"),
        note("{{ notice }}", align="center", after=2),
        note("{%p endif %}"),
    )


def numbers(received: str) -> tuple[str, ...]:
    """The lines above the name of a sheet that has a number of its own."""
    return ("文書番号　{{ number }}", "ケース番号　{{ case_number }}", received)


def subtitle() -> Element:
    """What the sheet is, in one small line."""
    return note("{{ subtitle }}", align="center", after=2)


def gap(*, keep: bool = False) -> Element:
    """A little room between two tables; without a paragraph Word makes them one. `keep`: on one page with the second."""
    return paragraph(line=0.4, keep=keep)


def long(name: str, text: str, *, bold: bool = False, height_mm: float = 14) -> Row:
    """A text of any length beside its label."""
    caption = strong(text) if bold else label(text)
    return Row((caption, Cell(f"{{{{ {name} }}}}", top=True)), height_mm=height_mm, splits=True)


def own_fields() -> tuple[Element, ...]:
    """The fields that the municipality adds to the form; nothing where there are none."""
    rows = [
        loop("for row in local", 2),
        Row((label("{{ row.label }}"), Cell("{{ row.value }}")), splits=True),
        loop("endfor", 2),
    ]
    return (
        note("{%p if local %}"),
        heading("その他の項目"),
        table(TWO, rows),
        note("{%p endif %}"),
    )


def boxes(rows_name: str, columns: int, widths_mm: tuple[float, ...], *, height_mm: float = 6) -> Element:
    """A table of boxes to tick, row by row out of a list of lists."""
    cells = tuple(Cell(f"{{{{ row[{column}] }}}}", size=8.5) for column in range(columns))
    rows = [loop(f"for row in {rows_name}", columns), Row(cells, height_mm=height_mm), loop("endfor", columns)]
    return table(widths_mm, rows, together=True)


def allocations(empty: str) -> Element:
    """役割分担, as many rows as there are; one that says `empty` where there are none."""
    names = ("機関", "担当者", "実施内容", "頻度", "期限")
    cells = tuple(
        Cell(f"{{{{ row.{name} }}}}", size=9, top=name == "part")
        for name in ("agency", "in_charge", "part", "frequency", "until")
    )
    rows = [
        Row(tuple(label(name, align="center") for name in names), height_mm=6, repeats=True, keeps=True),
        loop("for row in allocations", 5),
        Row(cells, height_mm=9, splits=True),
        loop("endfor", 5),
        loop("if not allocations", 5),
        Row((Cell(empty, 5, size=9),)),
        loop("endif", 5),
    ]
    return table(ALLOCATED, rows)


def stamps(*names: str) -> Element:
    """Boxes to stamp or sign, from the right; what they are for stands on the left."""
    left = PAGE_WIDTH_MM - STAMP_MM * (len(names) - 1)
    captions = tuple(label(name, align="center", size=8.5) for name in names[1:])
    rows = [
        Row((label(names[0], align="center"), *captions), height_mm=5, keeps=True),
        Row((Cell(""), *(Cell() for _ in captions)), height_mm=16),
    ]
    return table((left, *(STAMP_MM for _ in captions)), rows, together=True)


def person_rows() -> list[Row]:
    """The person of a referral."""
    return [
        Row((label("ふりがな", size=8), Cell("{{ person_kana }}", 3, size=9)), height_mm=5.5),
        Row((label("氏名"), Cell("{{ person_name }}", 3, size=14)), height_mm=11),
        Row((label("性別"), Cell("{{ sex_choices }}", 3))),
        Row((label("生年月日・年齢"), Cell("{{ birth }}", 3))),
        Row((label("住所"), Cell("{{ postal_code }}\n{{ address }}", 3)), height_mm=12),
        Row((label("電話（自宅）"), Cell("{{ phone }}"), label("電話（携帯）"), Cell("{{ mobile }}"))),
        Row((label("メールアドレス"), Cell("{{ email }}", 3, size=9))),
    ]


def household(text: str) -> tuple[Element, ...]:
    """The other members of the household of a referral."""
    widths = (42.0, 24.0, 48.0, 56.0)
    names = tuple(label(name, align="center") for name in ("氏名", "続柄", "生年月日・年齢", "備考"))
    cells = tuple(Cell(f"{{{{ row.{name} }}}}", size=9.5) for name in ("name", "relationship", "birth", "note"))
    rows = [
        Row(names, height_mm=6, repeats=True),
        loop("for row in household", 4),
        Row(cells),
        loop("endfor", 4),
        Row((label("世帯の人数"), Cell("{{ household_size }}", 3))),
    ]
    return heading(f"{text}（本人以外の世帯員）"), table(widths, rows)
