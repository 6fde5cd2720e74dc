"""Draws 実績報告書 of a 年度."""

from __future__ import annotations

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import Cell, Row, heading, label, loop, note, package, strong, table
from tsunagi_documents.word.sections import FOUR, gap, stamps, top

TARGETS = (58.0, 24.0, 24.0, 18.0, 46.0)  # target, to reach, reached, rate, how it is counted
FIGURES = (68.0, 24.0, 78.0)  # figure, count, definition
BODY_POINTS = 10.0


def annual_report() -> bytes:
    """実績報告書: targets first, then every group of figures with its definitions."""
    about = [
        Row((label("年度"), Cell("{{ year_name }}"), label("集計日"), Cell("{{ counted_on }}"))),
        Row((label("期間"), Cell("{{ period }}", 3))),
        Row((label("発行した課"), Cell("{{ agency_name }}"), label("発行した人"), Cell("{{ staff_name }}"))),
    ]
    names = ("目標・指標", "目標", "実績", "達成率", "数え方")
    targets = [
        Row(tuple(label(name, align="center") for name in names), height_mm=6, repeats=True, keeps=True),
        loop("for row in targets", 5),
        Row(
            (
                Cell("{{ row.name }}", size=9),
                Cell("{{ row.at_least }}", size=9, align="right"),
                Cell("{{ row.actual }}", align="right"),
                Cell("{{ row.rate }}", align="right"),
                Cell("{{ row.note }}", size=8),
            )
        ),
        loop("endfor", 5),
    ]
    figures = [
        loop("for group in groups", 3),
        Row((strong("{{ group.title }}", 3),), keeps=True),
        loop("for row in group.figures", 3),
        Row(
            (
                Cell("{{ row.name }}", size=9),
                Cell("{{ row.shown }}", align="right"),
                Cell("{{ row.definition }}", size=8),
            ),
            height_mm=6,
        ),
        loop("endfor", 3),
        loop("endfor", 3),
    ]
    body: list[Element] = [
        *top("重層的支援体制整備事業　実績報告書", "文書番号　{{ number }}（第{{ revision }}版）", "{{ received_on }}"),
        note("{{ municipality_name }}　{{ year_name }}", align="center", size=12, after=4),
        table(FOUR, about, together=True),
        note("{%p if masked %}"),
        note(
            "機関別・圏域別の3未満の数は「3未満」と示す。差引きで分かるときは、ほかの数や合計も「非表示」とする。",
            before=3,
        ),
        note("{%p endif %}"),
        heading("１　目標・指標と実績"),
        note("{%p if targets %}"),
        table(TARGETS, targets),
        note("{%p else %}"),
        note("この年度の数値目標は、ありません。", size=BODY_POINTS),
        note("{%p endif %}"),
        heading("２　実績"),
        table(FIGURES, figures),
        gap(),
        stamps("供覧", "部長", "課長", "係長", "担当"),
        note("この報告書に、個人の氏名とケースの番号は載っていません。", before=4),
    ]
    return package(body, footer_left="実績報告書　文書番号 {{ number }}", footer_right="{{ municipality_name }}")
