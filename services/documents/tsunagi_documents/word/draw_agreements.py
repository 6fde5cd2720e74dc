"""Draws what people agree to or answer: つなぎ回答, 個人情報共有同意書, 守秘義務誓約書."""

from __future__ import annotations

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import Cell, Row, heading, label, loop, note, package, strong, table
from tsunagi_documents.word.sections import BLANK_DATE, CARE, FOUR, TWO, gap, long, numbers, own_fields, top

BODY_POINTS = 10.5
WIDE = (170.0,)
LISTED = (12.0, 158.0)  # number, agency


def referral_reply() -> bytes:
    """つなぎ回答書: 受理 or 差戻し."""
    sender = [
        Row((label("回答機関"), Cell("{{ agency_name }}"), label("担当者"), Cell("{{ staff_name }}")), height_mm=8),
        Row(
            (label("連絡先電話"), Cell("{{ contact_phone }}"), label("回答日時"), Cell("{{ received_at }}")),
            height_mm=8,
        ),
    ]
    about = [
        Row(
            (
                label("共通様式の\n文書番号"),
                Cell("{{ referral_number }}"),
                label("ケース番号"),
                Cell("{{ case_number }}"),
            )
        ),
        Row((label("本人氏名"), Cell("{{ person_name }}", 3, size=12)), height_mm=10),
    ]
    answer = [
        Row((strong("回答"), Cell("{{ decision_choices }}", size=12)), height_mm=12),
        long("reason", "理由", height_mm=34),
        Row((label("主担当"), Cell("{{ lead_agency }}")), height_mm=10),
        long("next_actions", "今後の対応", height_mm=44),
    ]
    body: list[Element] = [
        *top("つ な ぎ 回 答 書", *numbers("回答日　{{ received_on }}")),
        note("{{ addressee }}　御中", size=12, before=6, after=6),
        note("つないでいただいた件について、次のとおり回答します。", size=BODY_POINTS, after=4),
        heading("１　対象"),
        table(FOUR, about, together=True),
        heading("２　回答"),
        table(TWO, answer),
        heading("３　回答した機関"),
        table(FOUR, sender, together=True),
        note(CARE, before=4),
    ]
    return package(body, footer_left="つなぎ回答書　文書番号 {{ number }}", footer_right="{{ municipality_name }}")


def consent_form() -> bytes:
    """個人情報共有同意書, with the agencies of the lists as 別紙."""
    body: list[Element] = [
        *top("個人情報の共有に関する同意書", "文書番号　{{ number }}　　ケース番号　{{ case_number }}"),
        note("{%p if given %}"),
        note(
            "　私は、支援を受けるために必要な私の個人情報を、次の目的と範囲で、次の機関が共有することについて説明を受け、"
            "同意します。",
            size=BODY_POINTS,
            before=4,
            after=2,
        ),
        note("{%p else %}"),
        note(
            "　個人情報の共有について説明した結果は、次のとおりです。同意を得ていないため、この書面によって共有できる情報は"
            "ありません。",
            size=BODY_POINTS,
            before=4,
            after=2,
        ),
        note("{%p endif %}"),
        *_who_agrees(),
        *_what_is_shared(),
        *_how_long(),
        *_signature(),
        *own_fields(),
        note(CARE, before=4),
        *_annex(),
    ]
    return package(
        body, footer_left="個人情報共有同意書　文書番号 {{ number }}", footer_right="{{ municipality_name }}"
    )


def _who_agrees() -> tuple[Element, ...]:
    rows = [
        Row((label("本人氏名"), Cell("{{ person_name }}", 3, size=14)), height_mm=10),
        Row((strong("同意の状況"), Cell("{{ status_choices }}", 3, size=9)), height_mm=9),
        Row((label("意思を示した人"), Cell("{{ signer_choices }}", 3))),
        Row((label("代理人の氏名"), Cell("{{ signer_name }}"), label("続柄"), Cell("{{ signer_relationship }}"))),
        Row((label("代理の根拠"), Cell("{{ authority }}", 3)), splits=True),
        Row((label("説明した人"), Cell("{{ explained_by }}"), label("説明した日"), Cell("{{ explained_on }}"))),
    ]
    return heading("１　同意する人"), table(FOUR, rows, together=True)


def _what_is_shared() -> tuple[Element, ...]:
    rows = [
        long("purpose", "利用の目的", bold=True, height_mm=11),
        Row((strong("共有する情報"), Cell("{{ scope_choices }}")), height_mm=9),
        long("agencies", "共有してよい\n機関", bold=True, height_mm=10),
        Row((label("別紙の一覧"), Cell("{{ list_names }}")), splits=True),
        Row((label("共有してほしく\nない機関"), Cell("{{ excluded_agencies }}")), height_mm=8.5, splits=True),
        long("excluded_matters", "共有してほしく\nない事項", height_mm=9),
        Row((label("共有してよい\n会議"), Cell("{{ meeting_choices }}")), height_mm=8.5),
    ]
    return heading("２　共有の目的と範囲"), table(TWO, rows)


def _how_long() -> tuple[Element, ...]:
    withdrawal = (
        "この同意は、いつでも、全部又は一部を撤回できます。書面でも口頭でもかまいません。理由を言う必要はなく、"
        "撤回したことで不利益を受けることはありません。\n"
        "撤回の申し出先：{{ withdrawal_desks }}\n"
        "申し出を受けた時から、新たな共有と閲覧を止めます。"
    )
    rows = [
        Row((strong("有効期限"), Cell("{{ until }}")), height_mm=8),
        Row((label("機関の受託者が\n替わったとき"), Cell("次の受託者に　{{ successor_choices }}")), height_mm=8.5),
        Row((strong("撤回のしかた"), Cell(withdrawal, size=9)), height_mm=18),
        long("note", "補足", height_mm=7),
    ]
    return heading("３　有効期限と撤回"), table(TWO, rows)


def _signature() -> tuple[Element, ...]:
    given = [
        Row((label("同意を得た日"), Cell("{{ given_on }}"), label("方法"), Cell("{{ method_choices }}")), height_mm=9),
    ]
    written = [
        Row((label("署名"), Cell("本人\n\n代理人", top=True), label("署名した日"), Cell(BLANK_DATE)), height_mm=20),
        Row((label("原本の保管"), Cell("{{ evidence }}", 3)), splits=True),
    ]
    oral = [
        Row((label("同意を聞いた人"), Cell("{{ heard_by }}", 3)), height_mm=9),
        Row((label("口頭で同意を\n得た記録"), Cell("{{ oral_record }}", 3, top=True)), height_mm=22, splits=True),
    ]
    return (
        note("{%p if given %}"),
        heading("４　同意の記録"),
        table(FOUR, given, together=True),
        gap(),
        note("{%p if oral %}"),
        table(FOUR, oral),
        note("{%p else %}"),
        table(FOUR, written, together=True),
        note("{%p endif %}"),
        note("{%p endif %}"),
    )


def _annex() -> tuple[Element, ...]:
    rows = [
        Row((label("番号", align="center"), label("機関", align="center")), height_mm=6, repeats=True),
        loop("for name in shared_with", 2),
        Row((Cell("{{ loop.index }}", align="center"), Cell("{{ name }}"))),
        loop("endfor", 2),
    ]
    return (
        note("{%p if list_names %}"),
        heading("別紙　情報を共有する機関（同意した日に写し取ったもの）"),
        note("{{ list_names }}", after=2),
        table(LISTED, rows),
        note("{%p endif %}"),
    )


def pledge() -> bytes:
    """守秘義務誓約書 of a member of a meeting body."""
    member = [
        Row((label("所属"), Cell("{{ member_agency }}", 3)), height_mm=10),
        Row((label("職名"), Cell("{{ member_title }}"), label("誓約した日"), Cell("{{ given_on }}")), height_mm=10),
        Row((label("氏名"), Cell("{{ member_name }}", 3, size=14)), height_mm=14),
        Row((label("誓約の方法"), Cell("{{ method_choices }}", 3)), height_mm=9),
        Row((label("署名"), Cell("", 3)), height_mm=16),
    ]
    promises = (
        "１　会議で知り得た個人の情報その他の秘密を、正当な理由なく、ほかの人に漏らしません。",
        "２　会議の資料は、支援の目的のほかに使わず、写しを作らず、求めに応じて返します。",
        "３　会議の構成員でなくなった後も、所属する機関を離れた後も、前の二つを守ります。",
    )
    body: list[Element] = [
        *top("守 秘 義 務 誓 約 書", "文書番号　{{ number }}", "{{ given_on }}"),
        note("{{ municipality_name }}長　様", size=12, before=8, after=10),
        note("　私は、{{ body_name }}の構成員として、次のことを誓います。", size=11, after=6),
        *(note(text, size=11, after=4) for text in promises),
        heading("誓約する人"),
        table(FOUR, member, together=True),
        heading("根拠となる定め（誓約した日のもの）"),
        table(WIDE, [Row((Cell("{{ law_text }}", size=9.5, top=True),), height_mm=20, splits=True)]),
        *own_fields(),
    ]
    return package(body, footer_left="守秘義務誓約書　文書番号 {{ number }}", footer_right="{{ municipality_name }}")
