"""Draws the packaged sheets: `python -m tsunagi_documents.word.draw` writes the .docx files beside this script.

A test compares the stored files with what this script draws. The tags name what `tsunagi_documents.sheets` provides.
"""

from __future__ import annotations

from pathlib import Path

from lxml.etree import _Element as Element

from tsunagi_documents.word.drawing import (
    Cell,
    Row,
    heading,
    label,
    loop,
    note,
    package,
    strong,
    table,
    title,
)

FOLDER = Path(__file__).parent
FOUR = (28.0, 60.0, 26.0, 56.0)  # label, value, label, value
TWO = (28.0, 142.0)  # label, value
BLANK_DATE = "令和　　年　　月　　日"


def referral_sheet() -> bytes:
    """共通様式（つなぎシート）: what goes from one window to the next, with room for the reply; full and summary."""
    body: list[Element] = [
        *_numbers("受付日時　{{ received_at }}"),
        title("共 通 様 式（つなぎシート）"),
        *_subtitle(),
        *_parties(),
        *_person_of_referral(),
        *_troubles(),
        *_household("４　世帯の状況"),
        *_account(),
        *_consent(),
        *_local(),
        *_reply(),
    ]
    return package(body, footer_left="共通様式　文書番号 {{ referral_number }}", footer_right="{{ municipality_name }}")


def assessment_sheet() -> bytes:
    """インテーク・アセスメントシート（下書き）: prefilled with what the referral knows, ruled for the rest."""
    body: list[Element] = [
        *_numbers("受付日　{{ received_on }}"),
        title("インテーク・アセスメントシート（下書き）"),
        *_subtitle(),
        *_intake(),
        *_person_of_assessment(),
        *_household("３　世帯の状況"),
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


def _numbers(received: str) -> tuple[Element, ...]:
    return (
        note("文書番号　{{ referral_number }}", align="right"),
        note("ケース番号　{{ case_number }}", align="right"),
        note(received, align="right"),
    )


def _subtitle() -> tuple[Element, ...]:
    return (
        note("{{ subtitle }}", align="center", after=2),
        note("{%p if notice %}"),
        note("{{ notice }}", align="center", after=2),
        note("{%p endif %}"),
    )


def _parties() -> tuple[Element, ...]:
    rows = [
        Row((label("つなぎ先"), Cell("{{ destinations }}", 3, size=11)), height_mm=9, splits=True),
        Row((label("つなぎ元機関"), Cell("{{ origin_agency }}"), label("担当者"), Cell("{{ origin_staff }}"))),
        Row((label("連絡先電話"), Cell("{{ contact_phone }}"), label("相談日"), Cell("{{ consulted_on }}"))),
        Row((label("緊急度"), Cell("{{ urgency_choices }}"), label("回答希望日"), Cell("{{ reply_by }}"))),
    ]
    return heading("１　つなぎ先・つなぎ元"), table(FOUR, rows, together=True)


def _person_rows() -> list[Row]:
    return [
        Row((label("ふりがな", size=8), Cell("{{ person_kana }}", 3, size=9)), height_mm=5.5),
        Row((label("氏名"), Cell("{{ person_name }}", 3, size=14)), height_mm=11),
        Row((label("性別"), Cell("{{ sex_choices }}", 3))),
        Row((label("生年月日・年齢"), Cell("{{ birth }}", 3))),
        Row((label("住所"), Cell("〒{{ postal_code }}\n{{ address }}", 3)), height_mm=12),
        Row((label("電話（自宅）"), Cell("{{ phone }}"), label("電話（携帯）"), Cell("{{ mobile }}"))),
    ]


def _client_rows() -> list[Row]:
    return [
        Row((label("相談者"), Cell("{{ client_kind_choices }}", 3))),
        Row((label("相談者の氏名\n（本人以外）"), Cell("{{ client_name }}", 3)), height_mm=9),
    ]


def _person_of_referral() -> tuple[Element, ...]:
    rows = [*_person_rows(), *_client_rows(), Row((label("把握の経路"), Cell("{{ finding_route_label }}", 3)))]
    return heading("２　本人・相談者"), table(FOUR, rows)


def _troubles() -> tuple[Element, ...]:
    cells = tuple(Cell(f"{{{{ row[{column}] }}}}", size=8.5) for column in range(4))
    rows = [loop("for row in trouble_rows", 4), Row(cells, height_mm=6), loop("endfor", 4)]
    return heading("３　お困りごと　（☑ あてはまるもの　◎ 最も重いもの）"), table((42.5,) * 4, rows, together=True)


def _household(text: str) -> tuple[Element, ...]:
    widths = (42.0, 24.0, 48.0, 56.0)
    names = tuple(label(name, align="center") for name in ("氏名", "続柄", "生年月日・年齢", "備考"))
    cells = tuple(Cell(f"{{{{ row.{name} }}}}", size=9.5) for name in ("name", "relationship", "birth", "note"))
    rows = [
        Row(names, height_mm=6, repeats=True),
        loop("for row in household", 4),
        Row(cells),
        loop("endfor", 4),
        Row((label("世帯の人数"), Cell("{{ household_size }}（本人を含む）", 3))),
    ]
    return heading(f"{text}（本人以外の世帯員）"), table(widths, rows)


def _long(name: str, text: str, *, bold: bool = False, height_mm: float = 14) -> Row:
    caption = strong(text) if bold else label(text)
    return Row((caption, Cell(f"{{{{ {name} }}}}", top=True)), height_mm=height_mm, splits=True)


def _account() -> tuple[Element, ...]:
    rows = [
        _long("consultation", "相談内容", bold=True, height_mm=30),
        _long("chief_complaint", "主訴", bold=True),
        _long("reason", "つなぐ理由", bold=True, height_mm=18),
        _long("considerations", "配慮を希望\nされること"),
        _long("involved_agencies", "すでに関わって\nいる機関"),
        _long("actions_taken", "これまでの対応"),
        _long("safety_notes", "安全上の留意\n（DV等）"),
    ]
    return heading("５　相談の内容"), table(TWO, rows)


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
    return heading("６　他機関との個人情報共有の同意"), table(FOUR, rows, together=True)


def _local() -> tuple[Element, ...]:
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


def _reply() -> tuple[Element, ...]:
    rows = [
        Row(
            (label("回答"), Cell("☐ 受理　　☐ 差戻し（理由：　　　　　　　　　　　　　　　　　　　　　　）", 3)),
            height_mm=9,
        ),
        Row((label("主担当"), Cell(), label("電話"), Cell()), height_mm=9),
        Row((label("今後の対応"), Cell("", 3)), height_mm=30),
        Row((label("回答機関・氏名"), Cell(), label("回答日"), Cell(BLANK_DATE)), height_mm=9),
    ]
    return (
        heading("７　回答欄（つなぎ先の記入欄）"),
        table(FOUR, rows, together=True),
        note("この文書には個人情報が含まれます。つなぎの目的以外に使わず、保管と廃棄に注意してください。", before=4),
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


def _person_of_assessment() -> tuple[Element, ...]:
    return heading("２　本人"), table(FOUR, _person_rows())


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
        _long("involved_agencies", "すでに関わって\nいる機関", height_mm=13),
        _long("actions_taken", "これまでの対応", height_mm=13),
    ]
    return heading("４　生活の状況"), table(TWO, rows)


def _voice() -> tuple[Element, ...]:
    rows = [
        _long("troubles", "お困りごと\n（◎最も重い）", height_mm=10),
        _long("chief_complaint", "主訴", height_mm=12),
        _long("consultation", "相談内容", height_mm=22),
        _long("reason", "つなぐ理由", height_mm=12),
        _long("considerations", "配慮を希望\nされること", height_mm=12),
        Row((label("本人の希望"), Cell()), height_mm=16),
        Row((label("本人の強み\n（できること・\n好きなこと）"), Cell()), height_mm=16),
    ]
    return heading("５　本人の訴えと希望"), table(TWO, rows)


# 課題と特性: the standard items of 自立相談支援 and the words of the municipalities' own plans
ISSUES = (
    ("病気", "けが", "障害（手帳あり）", "障害（疑い）"),
    ("こころの不調", "自死の企図", "住まい不安定", "ホームレス"),
    ("経済的困窮", "債務・滞納", "家計管理", "就職活動困難"),
    ("就職定着困難", "生活習慣の乱れ", "社会的孤立", "ひきこもり"),
    ("家族関係", "8050世帯", "ダブルケア", "ヤングケアラー"),
    ("ひとり親", "子育ての孤立", "不登校", "非行"),
    ("中卒・高校中退", "DV・虐待", "外国籍", "刑余者等"),
    ("コミュニケーション", "読み書き・計算", "被災", "ごみ屋敷"),
    ("頼れる家族がない", "制度の狭間", "その他（", "　　　　　　　　）"),
)


def _issues() -> tuple[Element, ...]:
    rows = [
        Row(
            tuple(Cell(text if text.startswith("　") else f"☐ {text}", size=8.5) for text in line),
            height_mm=6,
        )
        for line in ISSUES
    ]
    return heading("６　課題と特性　（☑ あてはまるもの　◎ 主たる課題）"), table((42.5,) * 4, rows, together=True)


def _risk() -> tuple[Element, ...]:
    choices = (
        "☐ 生命・身体の危険　☐ DV・虐待のおそれ　☐ 自傷・自死のおそれ　☐ 食べるものがない\n"
        "☐ 住まいを失うおそれ　☐ 電気・ガス・水道の停止　☐ なし"
    )
    rows = [
        _asked("緊急性・リスク", choices),
        _long("safety_notes", "安全上の留意\n（DV等）"),
        Row((label("緊急の対応"), Cell()), height_mm=12),
    ]
    return heading("７　緊急性・リスク"), table(TWO, rows)


def _conclusion() -> tuple[Element, ...]:
    screening = (
        "☐ 情報提供のみで終了　　☐ 他の制度・機関へつなぐ（　　　　　　　　　　　）\n"
        "☐ 同意未了（同意に向けて継続）　　☐ 継続支援・プラン作成　　☐ 中断"
    )
    rows = [
        Row((label("課題のまとめ"), Cell()), height_mm=30),
        Row((label("支援の方向性"), Cell()), height_mm=30),
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
        note("この文書には個人情報が含まれます。支援の目的以外に使わず、保管と廃棄に注意してください。", before=4),
    )


SHEETS = {"referral_sheet.docx": referral_sheet, "assessment_sheet.docx": assessment_sheet}


def main() -> None:
    """Write every sheet beside this script."""
    for name, draw in SHEETS.items():
        (FOLDER / name).write_bytes(draw())


if __name__ == "__main__":
    main()
