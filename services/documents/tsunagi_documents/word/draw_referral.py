"""Draws 共通様式（つなぎシート）: what goes from one window to the next, with room for the reply; full and summary."""

from __future__ import annotations

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import Cell, Row, heading, label, note, package, strong, table
from tsunagi_documents.word.sections import (
    BLANK_DATE,
    FOUR,
    TWO,
    boxes,
    household,
    long,
    own_fields,
    person_rows,
    subtitle,
    top,
)


def referral_sheet() -> bytes:
    """The template of the sheet."""
    lines = ("文書番号　{{ referral_number }}", "ケース番号　{{ case_number }}", "受付日時　{{ received_at }}")
    body: list[Element] = [
        *top("共 通 様 式（つなぎシート）", *lines),
        subtitle(),
        *_parties(),
        *_person(),
        *_troubles(),
        *household("４　世帯の状況"),
        *_account(),
        *_reception(),
        *_consent(),
        *own_fields(),
        *_reply(),
    ]
    return package(body, footer_left="共通様式　文書番号 {{ referral_number }}", footer_right="{{ municipality_name }}")


def _parties() -> tuple[Element, ...]:
    rows = [
        Row((label("つなぎ先"), Cell("{{ destinations }}", 3, size=11)), height_mm=9, splits=True),
        Row((label("つなぎ元機関"), Cell("{{ origin_agency }}"), label("担当者"), Cell("{{ origin_staff }}"))),
        Row((label("連絡先電話"), Cell("{{ contact_phone }}"), label("相談日"), Cell("{{ consulted_on }}"))),
        Row((label("緊急度"), Cell("{{ urgency_choices }}"), label("回答希望日"), Cell("{{ reply_by }}"))),
    ]
    return heading("１　つなぎ先・つなぎ元"), table(FOUR, rows, together=True)


def _client_rows() -> list[Row]:
    return [
        Row((label("相談者"), Cell("{{ client_kind_choices }}", 3))),
        Row((label("相談者の氏名\n（本人以外）"), Cell("{{ client_name }}", 3)), height_mm=9),
        Row(
            (
                label("本人との関係"),
                Cell("{{ client_relationship }}"),
                label("相談者の電話"),
                Cell("{{ client_phone }}"),
            )
        ),
    ]


def _person() -> tuple[Element, ...]:
    rows = [
        *person_rows(),
        Row((label("住所等の秘匿"), Cell("{{ protection_choices }}\n理由：{{ protection_kind_choices }}", 3, size=9))),
        *_client_rows(),
        Row((label("把握の経路"), Cell("{{ finding_route_label }}", 3))),
    ]
    return heading("２　本人・相談者"), table(FOUR, rows)


def _troubles() -> tuple[Element, ...]:
    return heading("３　お困りごと　（☑ あてはまるもの　◎ 最も重いもの）"), boxes("trouble_rows", 4, (42.5,) * 4)


def _account() -> tuple[Element, ...]:
    rows = [
        long("consultation", "相談内容", bold=True, height_mm=24),
        long("chief_complaint", "主訴", bold=True, height_mm=10),
        long("reason", "つなぐ理由", bold=True, height_mm=13),
        long("considerations", "配慮を希望\nされること", height_mm=9),
        long("involved_agencies", "すでに関わって\nいる機関", height_mm=9),
        long("actions_taken", "これまでの対応", height_mm=9),
        long("safety_notes", "安全上の留意\n（DV等）", height_mm=9),
    ]
    return heading("５　相談の内容"), table(TWO, rows)


def _reception() -> tuple[Element, ...]:
    rows = [
        Row((label("仕事"), Cell("{{ work_choices }}", 3, size=9))),
        Row((label("住まい"), Cell("{{ housing_choices }}", 3, size=9))),
        Row((label("健康保険"), Cell("{{ health_insurance_choices }}", 3, size=9))),
        Row((label("年金"), Cell("{{ pension_choices }}", 3, size=9))),
        Row((label("申込みの日"), Cell("{{ applied_on }}", 3)), height_mm=6),
    ]
    return heading("６　相談受付・申込票の項目"), table(FOUR, rows, together=True)


def _consent() -> tuple[Element, ...]:
    rows = [
        Row((strong("情報共有の同意"), Cell("{{ consent_choices }}", 3)), height_mm=11),
        Row(
            (label("同意を得た日"), Cell("{{ consent_given_on }}"), label("方法"), Cell("{{ consent_method_choices }}"))
        ),
        Row((label("確認した人"), Cell("{{ consent_heard_by }}"), label("有効期限"), Cell("{{ consent_until }}"))),
        Row((label("共有してよい\n機関"), Cell("{{ consent_agencies }}", 3)), height_mm=10, splits=True),
        Row((label("補足"), Cell("{{ consent_note }}", 3)), splits=True),
    ]
    return heading("７　他機関との個人情報共有の同意"), table(FOUR, rows, together=True)


def _reply() -> tuple[Element, ...]:
    rows = [
        Row(
            (label("回答"), Cell("☐ 受理　　☐ 差戻し（理由：　　　　　　　　　　　　　　　　　　　　　　）", 3)),
            height_mm=9,
        ),
        Row((label("主担当"), Cell(), label("電話"), Cell()), height_mm=9),
        Row((label("今後の対応"), Cell("", 3)), height_mm=22),
        Row((label("回答機関・氏名"), Cell(), label("回答日"), Cell(BLANK_DATE)), height_mm=9),
    ]
    return (
        heading("８　回答欄（つなぎ先の記入欄）"),
        table(FOUR, rows, together=True),
        note("この文書には個人情報が含まれます。つなぎの目的以外に使わず、保管と廃棄に注意してください。", before=4),
    )
