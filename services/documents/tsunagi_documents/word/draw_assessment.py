"""Draws インテーク・アセスメントシート and 評価シート: what the multi-agency provider makes of a case, and of a plan."""

from __future__ import annotations

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import Cell, Row, heading, label, note, package, strong, table
from tsunagi_documents.word.sections import CARE, FOUR, THREE, TWO, boxes, gap, long, numbers, own_fields, subtitle, top


def assessment_sheet() -> bytes:
    """インテーク・アセスメントシート, full and summary."""
    body: list[Element] = [
        *top("インテーク・アセスメントシート", *numbers("作成日時　{{ received_at }}")),
        subtitle(),
        *_intake(),
        *_life(),
        *_voice(),
        *_issues(),
        *_conclusion(),
        *own_fields(),
        *_author(),
    ]
    return package(
        body, footer_left="アセスメントシート　文書番号 {{ number }}", footer_right="{{ municipality_name }}"
    )


def _intake() -> tuple[Element, ...]:
    rows = [
        Row((label("本人氏名"), Cell("{{ person_name }}", 3, size=14)), height_mm=11),
        Row((label("段階"), Cell("{{ stage_choices }}"), label("受付日"), Cell("{{ received_on }}"))),
        Row((label("相談経路"), Cell("{{ route_choices }}", 3, size=9))),
        Row((label("来談者"), Cell("{{ visitor }}", 3)), height_mm=9),
    ]
    return heading("１　受付"), table(FOUR, rows)


def _life() -> tuple[Element, ...]:
    rows = [
        long("household", "家族・世帯の\n状況", height_mm=20),
        long("housing", "住まい"),
        long("health", "健康・障害"),
        long("income", "収入・公的給付\n・債務・滞納"),
        long("work", "就労・職歴\n・学歴"),
        long("community", "地域・社会との\n関係"),
        long("involved", "すでに関わって\nいる機関"),
    ]
    return heading("２　生活の状況"), table(TWO, rows)


def _voice() -> tuple[Element, ...]:
    rows = [long("wishes", "本人の希望", bold=True, height_mm=16), long("strengths", "本人の強み", height_mm=16)]
    return heading("３　本人の希望と強み"), table(TWO, rows)


def _issues() -> tuple[Element, ...]:
    rows = [
        Row((strong("主な課題（◎）"), Cell("{{ main_issue }}")), height_mm=8),
        Row((label("世帯の課題"), Cell("{{ household_issues }}", size=9)), splits=True),
    ]
    return (
        heading("４　課題と特性　（左の枠：本人　右の枠：世帯　☑ あてはまるもの　◎ 主な課題）"),
        boxes("issue_rows", 3, THREE, height_mm=5.5),
        gap(),
        table(TWO, rows, together=True),
    )


def _conclusion() -> tuple[Element, ...]:
    rows = [
        Row((strong("緊急性"), Cell("{{ urgency_choices }}")), height_mm=8),
        long("risk", "リスク"),
        long("summary", "課題のまとめ", bold=True, height_mm=26),
        long("direction", "支援の方向性", bold=True, height_mm=26),
        Row((strong("スクリーニング\n結果"), Cell("{{ screening_choices }}", size=9.5)), height_mm=14),
        Row((label("つなぐ先の機関"), Cell("{{ handed_over_to }}")), height_mm=8, splits=True),
    ]
    return heading("５　緊急性、課題のまとめと支援の方向性"), table(TWO, rows)


def _author() -> tuple[Element, ...]:
    rows = [
        Row((label("作成機関"), Cell("{{ agency_name }}"), label("作成者"), Cell("{{ author }}")), height_mm=9),
        Row((label("確認者"), Cell(), label("確認日"), Cell()), height_mm=9),
    ]
    return heading("６　作成・確認"), table(FOUR, rows, together=True), note(CARE, before=4)


def evaluation_sheet() -> bytes:
    """評価シート."""
    body: list[Element] = [
        *top("評 価 シ ー ト", *numbers("作成日時　{{ received_at }}")),
        *_evaluated(),
        *_changes(),
        *_outcome(),
        *own_fields(),
        *_made_by(),
    ]
    return package(body, footer_left="評価シート　文書番号 {{ number }}", footer_right="{{ municipality_name }}")


def _evaluated() -> tuple[Element, ...]:
    rows = [
        Row((label("本人氏名"), Cell("{{ person_name }}", 3, size=14)), height_mm=11),
        Row((label("対象のプラン"), Cell("{{ plan }}"), label("評価日"), Cell("{{ evaluated_on }}"))),
    ]
    reached = [long("achievement", "目標の達成状況", bold=True, height_mm=22)]
    return heading("１　対象と達成状況"), table(FOUR, rows, together=True), gap(), table(TWO, reached)


def _changes() -> tuple[Element, ...]:
    rows = [
        long("changes_note", "変化の内容", height_mm=12),
        long("remaining", "残る課題", height_mm=16),
        long("wishes", "本人の希望", height_mm=12),
    ]
    return (
        heading("２　見られた変化と残る課題　（☑ あてはまるもの）"),
        boxes("change_rows", 3, THREE),
        gap(),
        table(TWO, rows),
    )


def _outcome() -> tuple[Element, ...]:
    rows = [
        Row((strong("判定（案）"), Cell("{{ outcome_choices }}")), height_mm=10),
        long("reason", "終結・中断の\n理由", height_mm=13),
        Row((label("フォローアップ"), Cell("{{ follow_up_choices }}")), height_mm=8),
        long("follow_up_method", "その方法", height_mm=12),
        Row((label("引継ぎ先の\n主担当"), Cell("{{ lead_agency }}")), height_mm=10),
    ]
    return (
        heading("３　判定と引継ぎ"),
        table(TWO, rows),
        note("終結・再プラン・中断は、重層的支援会議の決定によります。この用紙の判定は、会議に諮る案です。", before=2),
    )


def _made_by() -> tuple[Element, ...]:
    rows = [
        Row((label("作成機関"), Cell("{{ agency_name }}"), label("作成者"), Cell("{{ staff_name }}")), height_mm=9),
        Row((label("会議の名称"), Cell(), label("決定日"), Cell("令和　　年　　月　　日")), height_mm=9),
    ]
    return heading("４　作成・決定"), table(FOUR, rows, together=True), note(CARE, before=4)
