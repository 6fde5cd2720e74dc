"""Draws 招集通知, 会議録 and 支援会議 会議録."""

from __future__ import annotations

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import Cell, Row, heading, label, loop, note, package, paragraph, run, strong, table
from tsunagi_documents.word.sections import (
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

BODY_POINTS = 10.5
ITEMS = (10.0, 30.0, 30.0, 38.0, 32.0, 30.0)  # position, case, plan, body, occasion, who hears it
CALLED = (48.0, 28.0, 34.0, 28.0, 32.0)  # agency, title, name, items left for, answer
PRESENT = (50.0, 28.0, 34.0, 58.0)  # agency, title, name, presence
SECRECY = (170.0,)


def meeting_notice() -> bytes:
    """招集通知: numbers of cases and plans only."""
    body: list[Element] = [
        *top("会議の開催について（招集通知）", "文書番号　{{ number }}", "{{ received_on }}"),
        note("{%p if is_own %}"),
        note("{{ recipient_name }}　御中", size=12, before=6, after=4),
        note("{%p else %}"),
        note("（控え）　招集する機関は、４の表のとおりです。", size=BODY_POINTS, before=6, after=4),
        note("{%p endif %}"),
        note("{{ convener_name }}　　　印", align="right", size=11, after=6),
        note(
            "　次のとおり会議を開きますので、御出席くださいますようお願いします。議題は、ケースとプランの番号で示しています。",
            size=BODY_POINTS,
            after=2,
        ),
        *_held(),
        *_items(),
        *_duty(),
        *_called(),
        note("運営：{{ organizer_name }}", before=3),
    ]
    return package(body, footer_left="招集通知　文書番号 {{ number }}", footer_right="{{ municipality_name }}")


def _held() -> tuple[Element, ...]:
    rows = [
        Row((strong("会議"), Cell("{{ meeting_name }}", 3, size=12)), height_mm=10),
        Row((strong("日時"), Cell("{{ held_at }}", 3, size=12)), height_mm=10),
        Row((strong("場所"), Cell("{{ place }}", 3)), height_mm=8),
        Row((label("開催の方法"), Cell("{{ method_choices }}", 3))),
        Row((label("区分"), Cell("{{ extra_choices }}"), label("合同開催"), Cell("{{ joint }}"))),
        Row((label("司会"), Cell("{{ chair }}"), label("記録者"), Cell("{{ note_taker }}"))),
        Row((label("連絡事項"), Cell("{{ note }}", 3, top=True)), height_mm=12, splits=True),
    ]
    return heading("１　日時と場所"), table(FOUR, rows)


def _items() -> tuple[Element, ...]:
    names = ("議題", "ケース番号", "プラン番号", "扱う会議体", "契機", "出席")
    keys = ("position", "case_number", "plan_number", "body", "occasion", "part")
    cells = tuple(Cell(f"{{{{ row.{key} }}}}", size=9, align="center" if key == "position" else "left") for key in keys)
    rows = [
        Row(tuple(label(name, align="center") for name in names), height_mm=6, repeats=True, keeps=True),
        loop("for row in items", 6),
        Row(cells, height_mm=9),
        loop("endfor", 6),
    ]
    return (
        heading("２　議題"),
        table(ITEMS, rows),
        note("{%p if leaves %}"),
        note(
            "「退席してください」の議題の間は、席を外してください。本人が同意した機関、又は設置者が選んだ構成員だけで扱う議題です。",
            before=2,
        ),
        note("{%p endif %}"),
    )


def _duty() -> tuple[Element, ...]:
    rows = [
        loop("for text in law_texts", 1),
        Row((Cell("{{ text }}", size=9, top=True),), splits=True),
        loop("endfor", 1),
    ]
    return (
        note("{%p if law_texts %}"),
        heading("３　守秘義務の告知"),
        note("会議で知り得た秘密を、次の定めのとおり守ってください。構成員でなくなった後も同じです。", after=2),
        table(SECRECY, rows),
        note("{%p else %}"),
        heading("３　秘密の保持"),
        note("会議で知り得たことを、支援の目的のほかに使わず、ほかの人に漏らさないでください。", after=2),
        note("{%p endif %}"),
    )


def _called() -> tuple[Element, ...]:
    names = ("機関", "職名", "氏名", "退席する議題", "出欠")
    rows = [
        Row(tuple(label(name, align="center") for name in names), height_mm=6, repeats=True, keeps=True),
        loop("for row in members", 5),
        Row(
            (
                *(Cell(f"{{{{ row.{key} }}}}", size=9) for key in ("agency", "title", "name", "leaves")),
                Cell("☐ 出席　☐ 欠席\n☐ 代理", size=9),
            ),
            height_mm=10,
        ),
        loop("endfor", 5),
    ]
    return (
        heading("４　お呼びする方と、出欠の返信"),
        note("{%p if reply_by %}"),
        note("{{ reply_by }}までに、つなぎの画面又はこの用紙でお知らせください。", after=2),
        note("{%p endif %}"),
        table(CALLED, rows),
    )


def minutes_layered() -> bytes:
    """会議録 of an item of any meeting but a 支援会議."""
    consent = [
        Row(
            (
                label("同意の確認日"),
                Cell("{{ consent_checked_on }}"),
                label("本人の参加"),
                Cell("{{ person_choices }}"),
            ),
            height_mm=9,
        ),
        Row((label("確認した範囲"), Cell("{{ scope_choices }}", 3))),
    ]
    body: list[Element] = [
        *_top("会　議　録"),
        *_sitting(),
        *_about(named=True),
        *_presences("３　出席者　（この議題の間）"),
        note("{%p if not minimal %}"),
        heading("４　本人の参加と同意の確認"),
        table(FOUR, consent, together=True),
        heading("５　協議内容"),
        table(TWO, [long("discussion", "協議内容", bold=True, height_mm=40)]),
        note("{%p endif %}"),
        *_decision(),
        *own_fields(),
        *_confirmed(),
        note(CARE, before=4),
    ]
    return package(body, footer_left="会議録　{{ number }}　議題{{ position }}", footer_right="{{ municipality_name }}")


def minutes_support() -> bytes:
    """支援会議 会議録: closed, and by numbers."""
    why = [
        Row((strong("閲覧区分"), Cell("非公開　（この議題に出席した構成員だけが見ることができます）")), height_mm=8),
        long("no_consent_reason", "同意を得て\nいない理由", bold=True, height_mm=12),
        long("information_sources", "提供された情報\nと提供元", bold=True, height_mm=20),
        Row((label("本人の参加"), Cell("{{ person_choices }}")), height_mm=8),
    ]
    policy = [
        long("discussion", "協議内容", bold=True, height_mm=28),
        long("watch", "見守りの方法", height_mm=10),
        long("support_policy", "支援方針", bold=True, height_mm=10),
        long("emergency", "緊急のときの\n対応", bold=True, height_mm=10),
        long("consent_outlook", "同意を得る\n見通し", height_mm=10),
    ]
    duty = [
        Row((label("守秘義務"), Cell("{{ law_text }}", size=9, top=True)), splits=True),
        Row(
            (
                label("告知"),
                Cell(
                    "構成員には、上の義務と、退いた後も続くことを告知しています"
                    "（告知の日は、会議 {{ meeting_number }} の構成員の記録にあります）。",
                    size=9,
                ),
            ),
            height_mm=8,
        ),
        Row((label("資料の回収"), Cell("{{ papers_returned }}")), height_mm=8),
    ]
    body: list[Element] = [
        *_top("支援会議　会議録"),
        *_sitting(),
        *_about(named=False),
        *_presences("３　設置者が選んだ構成員　（この議題の間）"),
        heading("４　守秘義務の告知と資料"),
        table(TWO, duty),
        heading("５　支援会議で扱う理由と、提供された情報"),
        table(TWO, why),
        heading("６　協議内容と方針"),
        table(TWO, policy),
        *_decision(),
        *own_fields(),
        *_confirmed(),
        note(CARE, before=4),
    ]
    return package(
        body, footer_left="支援会議 会議録　{{ number }}　議題{{ position }}", footer_right="{{ municipality_name }}"
    )


def _top(name: str) -> tuple[Element, ...]:
    return *top(name, *numbers("会議番号　{{ meeting_number }}")), subtitle()


def _sitting() -> tuple[Element, ...]:
    rows = [
        Row((strong("会議の名称"), Cell("{{ meeting_name }}", 3, size=12)), height_mm=9),
        Row((label("法的位置付け"), Cell("{{ legal_role_name }}"), label("回次"), Cell("{{ round_of_year }}"))),
        Row((label("日時"), Cell("{{ held_at }}", 3))),
        Row((label("場所・方法"), Cell("{{ place }}\n{{ method_choices }}", 3, size=9.5)), height_mm=9),
        Row((label("設置者・主催"), Cell("{{ convener_name }}"), label("区分"), Cell("{{ extra_choices }}"))),
        Row((label("司会"), Cell("{{ chair }}"), label("記録者"), Cell("{{ note_taker }}"))),
    ]
    return heading("１　開催"), table(FOUR, rows, together=True)


def _about(*, named: bool) -> tuple[Element, ...]:
    rows = [
        Row((label("議題番号"), Cell("{{ position }}"), label("ケース番号"), Cell("{{ item_case_number }}"))),
        Row((label("プラン番号"), Cell("{{ plan_number }}", 3))),
    ]
    if named:
        rows += [
            loop("if not minimal", 4),
            Row((label("本人氏名"), Cell("{{ person_name }}", 3, size=12)), height_mm=9),
            loop("endif", 4),
        ]
    rows += [
        Row((strong("議題の契機"), Cell("{{ occasion_choices }}", 3, size=9)), height_mm=9),
        loop("if minimal", 4),
        Row((strong("番号と理由だけ\nで扱った理由"), Cell("{{ minimal_choices }}", 3, size=9)), height_mm=9),
        loop("endif", 4),
    ]
    return heading("２　議題"), table(FOUR, rows, together=True)


def _presences(text: str) -> tuple[Element, ...]:
    rows = [
        Row(
            tuple(label(name, align="center") for name in ("機関", "職名", "氏名", "出欠")),
            height_mm=6,
            repeats=True,
            keeps=True,
        ),
        loop("for row in presences", 4),
        Row(tuple(Cell(f"{{{{ row.{key} }}}}", size=9) for key in ("agency", "title", "name", "state"))),
        loop("endfor", 4),
    ]
    return heading(text), table(PRESENT, rows)


def _decision() -> tuple[Element, ...]:
    decided = [
        Row((strong("決定"), Cell("{{ decision_choices }}", size=9.5)), height_mm=14, keeps=True),
        loop("if not minimal", 2),
        long("decision_note", "決定の内容", bold=True, height_mm=10),
        loop("endif", 2),
    ]
    later = [
        Row((label("主担当"), Cell("{{ lead_agency }}"), label("次に扱う日"), Cell("{{ next_on }}")), height_mm=8),
        Row((label("フォローアップ"), Cell("{{ follow_up_choices }}", 3)), height_mm=8),
        loop("if not minimal", 4),
        Row((label("その方法"), Cell("{{ follow_up_method }}", 3, top=True)), height_mm=9, splits=True),
        loop("endif", 4),
    ]
    return (
        heading("{{ sections.decision }}　決定とこれから"),
        table(TWO, decided),
        note("{%p if shows_allocations %}"),
        paragraph(run("役割分担", size=9.5), before=4, after=2, keep=True),
        allocations("プランのとおり（この会議で変えたものはありません）。"),
        note("{%p endif %}"),
        gap(),
        table(FOUR, later, together=True),
        *_issues(),
    )


def _issues() -> tuple[Element, ...]:
    rows = [
        long("community_issue", "地域課題", height_mm=9),
        long("missing_resource", "不足する\n社会資源", height_mm=9),
        Row((label("伝える会議体"), Cell("{{ hands_over_to }}")), height_mm=8),
    ]
    return (
        note("{%p if sections.issues %}"),
        heading("{{ sections.issues }}　地域課題と社会資源"),
        table(TWO, rows),
        note("{%p endif %}"),
    )


def _confirmed() -> tuple[Element, ...]:
    rows = [
        Row(
            (
                label("司会"),
                Cell("{{ chair }}\n" + SIGN_HERE, size=8.5, top=True),
                label("記録者"),
                Cell("{{ note_taker }}\n" + SIGN_HERE, size=8.5, top=True),
            ),
            height_mm=15,
        ),
        Row((label("確定した日時"), Cell("{{ closed_at }}", 3))),
    ]
    return (
        heading("{{ sections.confirmed }}　会議録の確認"),
        table(FOUR, rows, together=True),
        gap(),
        stamps("供覧", "課長", "係長", "担当"),
    )
