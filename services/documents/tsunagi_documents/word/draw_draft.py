"""Draws インテーク・アセスメントシート（下書き）: prefilled with what the referral knows, ruled for the rest."""

from __future__ import annotations

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import Cell, Row, heading, label, note, package, strong, table
from tsunagi_documents.word.sections import (
    BLANK_DATE,
    CARE,
    FOUR,
    THREE,
    TWO,
    household,
    long,
    person_rows,
    subtitle,
    top,
)
from tsunagi_shared.forms.assessment import Issue

ISSUE_COLUMNS = 3


def assessment_draft() -> bytes:
    """The template of the sheet."""
    lines = ("文書番号　{{ referral_number }}", "ケース番号　{{ case_number }}", "受付日　{{ received_on }}")
    body: list[Element] = [
        *top("インテーク・アセスメントシート（下書き）", *lines),
        subtitle(),
        *_intake(),
        heading("２　本人"),
        table(FOUR, person_rows()),
        *household("３　世帯の状況"),
        table(TWO, [Row((label("家族図\n（記入欄）"), Cell()), height_mm=54)]),
        *_life(),
        *_voice(),
        *_issues(),
        *_risk(),
        *_conclusion(),
        *_signatures(),
    ]
    return package(
        body,
        footer_left="アセスメントシート（下書き）　文書番号 {{ referral_number }}",
        footer_right="{{ municipality_name }}",
    )


def _intake() -> tuple[Element, ...]:
    rows = [
        Row((label("受付日"), Cell("{{ received_on }}"), label("相談日"), Cell("{{ consulted_on }}"))),
        Row((label("つなぎ元機関"), Cell("{{ origin_agency }}"), label("担当者"), Cell("{{ origin_staff }}"))),
        Row((label("連絡先電話"), Cell("{{ contact_phone }}"), label("緊急度"), Cell("{{ urgency_choices }}"))),
        Row((label("相談経路"), Cell("{{ finding_route_choices }}", 3, size=9))),
        Row((label("来談者"), Cell("{{ client_kind_choices }}", 3))),
        Row((label("来談者の氏名\n・本人との関係"), Cell("{{ client_name }}", 3)), height_mm=9),
    ]
    return heading("１　受付"), table(FOUR, rows)


def _asked(text: str, choices: str, *, height_mm: float = 14) -> Row:
    """A field to be filled in by hand: its usual answers on top, room below."""
    return Row((label(text), Cell(choices, size=9, top=True)), height_mm=height_mm)


def _life() -> tuple[Element, ...]:
    rows = [
        _asked(
            "住まい",
            "☐ 持家　☐ 借家・アパート　☐ 公営住宅　☐ 会社の寮・借上げ\n☐ 施設・病院　☐ 住むところがない　☐ その他",
        ),
        _asked(
            "健康・障害",
            "☐ 通院（病名・医療機関：　　　　　　　　　　　　　　）　☐ 服薬\n"
            "☐ 障害者手帳（☐ 身体　☐ 療育　☐ 精神　　　級）　☐ 要支援・要介護認定（　　　）\n"
            "健康保険：☐ 社会保険　☐ 国民健康保険　☐ 後期高齢者医療　☐ なし",
            height_mm=20,
        ),
        _asked(
            "収入・公的給付",
            "☐ 給与　☐ 年金　☐ 手当（　　　　　　　）　☐ 生活保護　☐ 仕送り　☐ なし\n"
            "月額　　　　　　　円（世帯　　　　　　　円）",
        ),
        _asked("債務・滞納", "☐ 借金（　　　　　　　円）　☐ 家賃　☐ 税金　☐ 公共料金　☐ なし　☐ 不明", height_mm=10),
        _asked(
            "就労・職歴",
            "☐ 正社員・公務員　☐ 臨時・パート・派遣　☐ 自営・内職　☐ 失業・休職中\n☐ 年金生活　☐ 働いたことがない　☐ その他",
            height_mm=17,
        ),
        _asked("学歴", "☐ 在学中　☐ 中学校　☐ 高校（☐ 中退）　☐ 専門・短大　☐ 大学・大学院　☐ 不明", height_mm=10),
        Row((label("地域・社会との\n関係"), Cell()), height_mm=15),
        long("involved_agencies", "すでに関わって\nいる機関", height_mm=13),
        long("actions_taken", "これまでの対応", height_mm=13),
    ]
    return heading("４　生活の状況"), table(TWO, rows)


def _voice() -> tuple[Element, ...]:
    rows = [
        long("troubles", "お困りごと\n（◎最も重い）", height_mm=10),
        long("chief_complaint", "主訴", height_mm=12),
        long("consultation", "相談内容", height_mm=22),
        long("reason", "つなぐ理由", height_mm=12),
        long("considerations", "配慮を希望\nされること", height_mm=12),
        Row((label("本人の希望"), Cell()), height_mm=16),
        Row((label("本人の強み\n（できること・\n好きなこと）"), Cell()), height_mm=16),
    ]
    return heading("５　本人の訴えと希望"), table(TWO, rows)


def _issues() -> tuple[Element, ...]:
    labels = [f"☐ {issue.label}" for issue in Issue]
    labels += [""] * (-len(labels) % ISSUE_COLUMNS)
    rows = [
        Row(tuple(Cell(text, size=8.5) for text in labels[start : start + ISSUE_COLUMNS]), height_mm=5)
        for start in range(0, len(labels), ISSUE_COLUMNS)
    ]
    return heading("６　課題と特性　（☑ あてはまるもの　◎ 主たる課題）"), table(THREE, rows, together=True)


def _risk() -> tuple[Element, ...]:
    choices = (
        "☐ 生命・身体の危険　☐ DV・虐待のおそれ　☐ 自傷・自死のおそれ　☐ 食べるものがない\n"
        "☐ 住まいを失うおそれ　☐ 電気・ガス・水道の停止　☐ なし"
    )
    rows = [
        _asked("緊急性・リスク", choices),
        long("safety_notes", "安全上の留意\n（DV等）"),
        Row((label("緊急の対応"), Cell()), height_mm=9),
    ]
    return heading("７　緊急性・リスク"), table(TWO, rows)


def _conclusion() -> tuple[Element, ...]:
    screening = (
        "☐ 情報提供のみで終了　　☐ 他の制度・機関へつなぐ（　　　　　　　　　　　）\n"
        "☐ 同意未了（同意に向けて継続）　　☐ 継続支援・プラン作成　　☐ 中断"
    )
    rows = [
        Row((label("課題のまとめ"), Cell()), height_mm=21),
        Row((label("支援の方向性"), Cell()), height_mm=21),
        Row((strong("スクリーニング\n結果"), Cell(screening, size=9.5)), height_mm=14),
    ]
    return heading("８　課題のまとめと支援の方向性"), table(TWO, rows, together=True)


def _signatures() -> tuple[Element, ...]:
    rows = [
        Row((label("作成機関"), Cell("{{ provider_name }}"), label("作成日"), Cell(BLANK_DATE)), height_mm=9),
        Row((label("作成者"), Cell(), label("確認者"), Cell()), height_mm=9),
        Row((label("本人署名"), Cell(), label("署名日"), Cell(BLANK_DATE)), height_mm=12),
    ]
    return (
        heading("９　作成・確認"),
        table(FOUR, rows, together=True),
        note(CARE, before=4),
    )
