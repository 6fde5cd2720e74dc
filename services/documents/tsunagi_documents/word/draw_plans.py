"""Draws プラン of the three kinds (案 and 決定 on one template) and 支援依頼書."""

from __future__ import annotations

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import Cell, Row, heading, label, loop, note, package, strong, table
from tsunagi_documents.word.sections import (
    BLANK_DATE,
    CARE,
    FOUR,
    SIGN_HERE,
    TWO,
    allocations,
    gap,
    long,
    numbers,
    own_fields,
    stamps,
    subtitle,
    top,
)

REQUESTED = (10.0, 74.0, 24.0, 34.0, 28.0)  # number, part, how often, until, in charge
BODY_POINTS = 10.5


def plan_multi_agency() -> bytes:
    """多機関協働プラン（兼利用申込書）."""
    used = [
        Row((strong("主担当"), Cell("{{ lead_agency }}", 3, size=11)), height_mm=9),
        Row(
            (
                label("参加支援の利用"),
                Cell("{{ participation_choices }}"),
                label("アウトリーチ\n等の利用"),
                Cell("{{ outreach_choices }}"),
            ),
            height_mm=9,
        ),
    ]
    return _plan(
        *_goals("２", "課題と目標", long("issues", "課題", bold=True, height_mm=16)),
        heading("３　役割分担"),
        allocations("役割分担は、まだ決まっていません。"),
        gap(),
        table(FOUR, used, together=True),
        *_closing(4, "多機関協働事業による支援"),
    )


def plan_participation() -> bytes:
    """参加支援プラン（兼利用申込書）."""
    host = [
        Row((label("マッチング先"), Cell("{{ resource }}"), label("受入担当"), Cell("{{ resource_contact }}"))),
        Row((label("体験の日"), Cell("{{ trial_on }}"), label("始める日"), Cell("{{ begins_on }}"))),
        Row((label("定着の確認日"), Cell("{{ settled_check_on }}"), label("主担当"), Cell("{{ lead_agency }}"))),
    ]
    follow = [long("person_follow_up", "本人への\nフォロー"), long("host_follow_up", "受入先への\nフォロー")]
    wishes = (
        long("needs", "参加のニーズ\n・課題", bold=True, height_mm=16),
        long("wished_form", "希望する\n参加の形", bold=True),
        long("issues", "課題", height_mm=10),
    )
    return _plan(
        *_goals("２", "ニーズと目標", *wishes),
        heading("３　参加先とフォロー"),
        table(FOUR, host, together=True),
        gap(),
        table(TWO, follow),
        heading("４　役割分担"),
        allocations("ほかの機関の役割分担はありません。"),
        *_closing(5, "参加支援事業による支援"),
    )


def plan_outreach() -> bytes:
    """アウトリーチ等プラン."""
    contact = [
        Row((label("把握の経路"), Cell("{{ found_choices }}", size=9))),
        Row((strong("接触状況"), Cell("{{ contact_choices }}")), height_mm=8),
        Row((strong("本人の同意"), Cell("{{ provisional_choices }}")), height_mm=8),
    ]
    how = [
        Row((strong("関係構築の方法"), Cell("{{ method_choices }}", size=9.5)), height_mm=9),
        long("visits", "訪問計画", height_mm=11),
        Row((label("同行訪問する人"), Cell("{{ accompanied_by }}")), height_mm=8),
        Row((label("つなぎ先"), Cell("{{ hand_over_to }}")), height_mm=8, splits=True),
        long("end_condition", "終了の目安", bold=True, height_mm=11),
        Row((label("主担当"), Cell("{{ lead_agency }}")), height_mm=8),
    ]
    return _plan(
        heading("２　把握と接触の状況"),
        table(TWO, contact, together=True),
        *_goals("３", "課題と目標", long("issues", "課題", height_mm=12)),
        heading("４　関わり方"),
        table(TWO, how),
        heading("５　役割分担"),
        allocations("ほかの機関の役割分担はありません。"),
        *_closing(6, "アウトリーチ等を通じた継続的支援"),
    )


def _plan(*parts: Element) -> bytes:
    body: list[Element] = [
        *top("{{ sheet_title }}", *numbers("作成日　{{ made_on }}")),
        subtitle(),
        *_about(),
        *_replan(),
        *parts,
        note(CARE, before=4),
    ]
    return package(
        body,
        footer_left="プラン　プラン番号 {{ plan_number }}",
        footer_right="{{ municipality_name }}",
    )


def _about() -> tuple[Element, ...]:
    rows = [
        Row((label("本人氏名"), Cell("{{ person_name }}", 3, size=14)), height_mm=11),
        Row((label("プラン番号"), Cell("{{ plan_number }}"), label("状態"), Cell("{{ state_name }}"))),
        Row((label("回数"), Cell("{{ round_choices }}"), label("前のプラン"), Cell("{{ previous_number }}"))),
        Row((label("作成機関"), Cell("{{ agency_name }}"), label("作成者"), Cell("{{ staff_name }}"))),
    ]
    return heading("１　プラン"), table(FOUR, rows, together=True)


def _replan() -> tuple[Element, ...]:
    rows = [
        long("change", "状況の変化", bold=True),
        long("review", "前のプランの\n評価", bold=True),
        long("changes_made", "変更点", bold=True),
    ]
    return (
        note("{%p if replan %}"),
        heading("１の２　再プラン　（前のプランからの変更）"),
        table(TWO, rows),
        note("{%p endif %}"),
    )


def _goals(number: str, name: str, *first: Row) -> tuple[Element, ...]:
    rows = [
        *first,
        long("goal_long", "本人の目標\n（長期）", height_mm=12),
        long("goal", "本プランの目標", bold=True, height_mm=13),
        long("policy", "支援方針", bold=True, height_mm=15),
    ]
    return heading(f"{number}　{name}"), table(TWO, rows)


def _closing(number: int, applied_for: str) -> tuple[Element, ...]:
    """Period, meeting and decision, the person's agreement: the three dates, or the room to write them."""
    full = "０１２３４５６７８９"
    period = [
        Row((strong("プラン期間"), Cell("{{ period }}", 3)), height_mm=8),
        Row((strong("モニタリング"), Cell("{{ monitoring_on }}", 3)), height_mm=8),
    ]
    decided = [
        Row((label("会議の名称"), Cell("{{ meeting_name }}", 3)), height_mm=8, keeps=True),
        Row(
            (
                label("会議開催日"),
                Cell("{{ meeting_on or '" + BLANK_DATE + "' }}"),
                label("支援決定日"),
                Cell("{{ municipal_on or '" + BLANK_DATE + "' }}"),
            ),
            height_mm=8,
        ),
        Row(
            (label("結果"), Cell("{% if is_decided %}{{ state_name }}{% else %}" + _BOXES + "{% endif %}", 3)),
            keeps=True,
        ),
    ]
    agreed = [
        Row(
            (
                label("本人の合意の日"),
                Cell("{{ agreed_on or '" + BLANK_DATE + "' }}"),
                label("署名した日"),
                Cell(BLANK_DATE),
            ),
            height_mm=9,
        ),
        Row(
            (label("本人署名"), Cell(SIGN_HERE, size=8, top=True), label("代理人署名"), Cell("続柄", size=8, top=True)),
            height_mm=17,
        ),
    ]
    return (
        *own_fields(),
        heading(f"{full[number]}　期間とモニタリング"),
        table(FOUR, period, together=True),
        heading(f"{full[number + 1]}　会議と決定"),
        table(FOUR, decided, together=True),
        gap(keep=True),
        stamps("所管課　支援決定の決裁", "課長", "係長", "担当"),
        note("{%p if signed %}"),
        heading(f"{full[number + 2]}　本人の合意と利用の申込み"),
        note(f"　このプランの説明を受け、内容に合意します。あわせて、{applied_for}の利用を申し込みます。", after=3),
        table(FOUR, agreed, together=True),
        note("{%p endif %}"),
    )


_BOXES = "☐ 承認　☐ 修正承認　☐ 差戻し　☐ 包括的相談支援へ戻す"


def support_request() -> bytes:
    """支援依頼書 to one agency: its own rows of 役割分担, and room for its answer."""
    about = [
        Row((label("ケース番号"), Cell("{{ case_number }}"), label("プラン番号"), Cell("{{ plan_number }}"))),
        Row((label("本人氏名"), Cell("{{ person_name }}", 3, size=13)), height_mm=10),
        Row((label("プランの種類"), Cell("{{ plan_kind }}"), label("主担当"), Cell("{{ lead_agency }}"))),
        Row((label("プラン期間"), Cell("{{ period }}", 3))),
        Row(
            (label("モニタリング"), Cell("{{ monitoring_on }}", 3)),
        ),
        Row((label("依頼のもとに\nなる決定"), Cell("{{ decided_by }}", 3)), height_mm=9),
    ]
    names = ("", "お願いする内容", "頻度", "期限", "担当者")
    asked = [
        Row(tuple(label(name, align="center") for name in names), height_mm=6, repeats=True, keeps=True),
        loop("for row in allocations", 5),
        Row(
            (
                Cell("{{ loop.index }}", align="center"),
                Cell("{{ row.part }}", top=True),
                Cell("{{ row.frequency }}", size=9),
                Cell("{{ row.until }}", size=9),
                Cell("{{ row.in_charge }}", size=9),
            ),
            height_mm=14,
            splits=True,
        ),
        loop("endfor", 5),
    ]
    answer = [
        Row((strong("回答"), Cell("☐ 引き受けます　　☐ 相談したい　　☐ 引き受けられません", 3)), height_mm=10),
        Row((label("理由・条件"), Cell("", 3)), height_mm=18),
        Row((label("担当者"), Cell(SIGN_HERE, size=8, top=True), label("電話"), Cell()), height_mm=11),
        Row((label("回答日"), Cell(BLANK_DATE, 3)), height_mm=8),
    ]
    body: list[Element] = [
        *top("支 援 依 頼 書", "文書番号　{{ number }}", "{{ received_on }}"),
        note("{{ recipient_name }}　御中", size=12, before=6, after=4),
        note("{{ provider_name }}　　　印", align="right", size=11, after=6),
        note(
            "　次のプランによる支援について、貴機関に役割の分担をお願いします。この依頼書には、貴機関の役割だけを載せています。",
            size=BODY_POINTS,
            after=2,
        ),
        heading("１　対象"),
        table(FOUR, about, together=True),
        heading("２　お願いする支援"),
        table(REQUESTED, asked),
        heading("３　回答　（つなぎの画面からも回答できます）"),
        table(FOUR, answer, together=True),
        note("回答先：{{ provider_name }}", before=3),
        note(CARE, before=4),
    ]
    return package(body, footer_left="支援依頼書　プラン番号 {{ plan_number }}", footer_right="{{ municipality_name }}")
