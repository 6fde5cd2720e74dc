"""Draws 情報提供依頼書 and 支援経過記録."""

from __future__ import annotations

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import Cell, Row, heading, label, loop, note, package, strong, table
from tsunagi_documents.word.sections import BLANK_DATE, CARE, FOUR, SIGN_HERE, TWO, gap, long, numbers, stamps, top

BODY_POINTS = 10.5
ENTRY = (28.0, 57.0, 26.0, 59.0)


def information_request() -> bytes:
    """情報提供依頼書（協力要請）, with room for the answer."""
    about = [
        Row((label("ケース番号"), Cell("{{ case_number }}"), label("会議の日"), Cell("{{ meeting_on }}"))),
        Row((label("本人氏名"), Cell("{{ person_name }}", 3, size=13)), height_mm=10),
    ]
    asked = [
        long("wanted", "求める資料\n・情報", bold=True, height_mm=30),
        long("purpose", "利用の目的", bold=True, height_mm=16),
        Row((strong("根拠"), Cell("{{ law_text }}", size=9.5, top=True)), height_mm=12, splits=True),
        Row((strong("回答の期限"), Cell("{{ due_on }}", size=12)), height_mm=10),
        long("note", "補足", height_mm=10),
    ]
    answer = [
        Row((strong("回答"), Cell("☐ 次のとおり提供します　　☐ 提供できません（理由を下に）", 3)), height_mm=9),
        Row((label("内容・理由"), Cell("", 3)), height_mm=34),
        Row((label("回答した人"), Cell(SIGN_HERE, size=8, top=True), label("回答日"), Cell(BLANK_DATE)), height_mm=12),
    ]
    body: list[Element] = [
        *top("情報提供依頼書（協力要請）", "文書番号　{{ number }}", "{{ received_on }}"),
        note("{{ recipient_name }}　御中", size=12, before=6, after=4),
        note("{{ agency_name }}　　　印", align="right", size=11),
        note("担当：{{ staff_name }}", align="right", size=9.5, after=6),
        note("　支援のために必要ですので、次の情報の提供をお願いします。", size=BODY_POINTS, after=2),
        heading("１　対象"),
        table(FOUR, about, together=True),
        heading("２　依頼の内容"),
        table(TWO, asked),
        heading("３　回答　（つなぎの画面からも回答できます）"),
        table(FOUR, answer, together=True),
        note(CARE, before=4),
    ]
    return package(body, footer_left="情報提供依頼書　文書番号 {{ number }}", footer_right="{{ municipality_name }}")


def contact_log() -> bytes:
    """支援経過記録 of a period, one block a contact."""
    about = [
        Row((label("本人氏名"), Cell("{{ person_name }}", 3, size=14)), height_mm=11),
        Row((label("期間"), Cell("{{ since }}　から　{{ until }}　まで　　（{{ count }}件）", 3))),
        Row((label("発行の目的"), Cell("{{ note }}", 3)), splits=True),
        Row((label("発行した機関"), Cell("{{ agency_name }}"), label("発行した人"), Cell("{{ staff_name }}"))),
    ]
    entries = [
        loop("for row in entries", 4),
        Row(
            (strong("{{ row.position }}　日時"), Cell("{{ row.at }}"), label("相手"), Cell("{{ row.counterpart }}")),
            height_mm=10,
            keeps=True,
        ),
        Row((label("対応方法"), Cell("{{ row.method_choices }}", 3, size=8.5)), keeps=True),
        loop("if row.is_outreach", 4),
        Row((label("アウトリーチ"), Cell("{{ row.action_choices }}", 3, size=8.5))),
        loop("endif", 4),
        Row((label("内容"), Cell("{{ row.content }}", 3, top=True)), height_mm=14, splits=True),
        loop("if row.judgement", 4),
        Row((label("判断・所見"), Cell("{{ row.judgement }}", 3, top=True)), splits=True),
        loop("endif", 4),
        loop("if row.next_action", 4),
        Row((label("次の対応"), Cell("{{ row.next_action }}", 3, top=True)), splits=True),
        loop("endif", 4),
        loop("for own in row.local", 4),
        Row((label("{{ own.label }}"), Cell("{{ own.value }}", 3, top=True)), splits=True),
        loop("endfor", 4),
        Row(
            (
                label("記録者"),
                Cell("{{ row.recorder }}\n（{{ row.agency }}）", size=9),
                label("記録した日時"),
                Cell("{{ row.recorded_at }}", size=9),
            ),
        ),
        loop("endfor", 4),
    ]
    body: list[Element] = [
        *top("支 援 経 過 記 録", *numbers("発行日時　{{ received_at }}")),
        heading("１　対象"),
        table(FOUR, about, together=True),
        heading("２　支援の経過"),
        note("{%p if entries %}"),
        table(ENTRY, entries),
        note("{%p else %}"),
        note("この期間の記録はありません。", size=BODY_POINTS),
        note("{%p endif %}"),
        gap(),
        stamps("供覧", "課長", "係長", "担当"),
        note(CARE, before=4),
    ]
    return package(body, footer_left="支援経過記録　文書番号 {{ number }}", footer_right="{{ municipality_name }}")
