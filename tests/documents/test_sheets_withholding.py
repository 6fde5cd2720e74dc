"""Hidden persons and withheld fields are in no value of a sheet, wherever and however they were written."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.documents.sample_records import CONSENT, assessed, consented, evaluated
from tests.documents.sample_referrals import CASE, PERSON, RARE, RECEPTION, SHORT_FORM, SON, WIFE, submitted
from tsunagi_documents.kinds import ASSESSMENT_SHEET, REFERRAL_SHEET
from tsunagi_documents.sheets import sheet_context
from tsunagi_documents.sheets_withholding import scrub
from tsunagi_documents.sheets_wording import WITHHELD
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import ReferralSubmitted
from tsunagi_shared.forms.referral import ClientKind, Referral
from tsunagi_shared.forms.withheld_text import (
    ADDRESS_LIKE,
    PHONE_LIKE,
    Patterns,
    address_patterns,
    name_patterns,
    phone_patterns,
)

ADDRESS, PHONE = f"{PERSON}:address", f"{PERSON}:phone"
TELLING = msgspec.structs.replace(
    SHORT_FORM,
    reception=RECEPTION,
    client_kind=ClientKind.FAMILY,
    client_name="見本　花子",
    consultation="見本町1-2-3で三人で暮らす。電話は０４２－０００－０００１。花子さんが先に来られた。",
    considerations="〒197－0000へ手紙を出さないこと。mihon@example.jp にも。",
    involved_agencies="見本 一郎の主治医",
    actions_taken="携帯 090 0000 0001 に電話した。",
    local={"memo": "福生市見本町一丁目二番三号"},
)


def shown(
    form: Referral = TELLING,
    view: View = View.FULL,
    hidden: tuple[str, ...] = (),
    withheld: tuple[str, ...] = (),
    kind: str = REFERRAL_SHEET,
    **changes: Any,
) -> dict[str, Any]:
    """The values of a sheet of a referral."""
    event: ReferralSubmitted = submitted(form, **changes)
    return sheet_context(event, kind, view, hidden, withheld, False)


def scrubbed(text: str, patterns: Patterns) -> str:
    """The text without what the patterns find."""
    context = {"text": text}
    scrub(context, patterns)
    return context["text"]


@pytest.mark.parametrize("kind", [REFERRAL_SHEET, ASSESSMENT_SHEET])
@pytest.mark.parametrize("view", [View.FULL, View.SUMMARY])
def test_a_withheld_address_and_phone_are_nowhere(kind: str, view: View) -> None:
    """The fields say （非開示）, and the same in other spellings is cut out of every text; the rest of it stays."""
    context = shown(view=view, withheld=(ADDRESS, PHONE), kind=kind)
    assert (context["address"], context["phone"], context["mobile"], context["email"]) == (WITHHELD,) * 4
    assert context["postal_code"] == f"〒{WITHHELD}"
    whole = str(context)
    for text in ("見本町", "197", "0000-0001", "０００１", "0000 0001", "mihon@", "一丁目"):
        assert text not in whole
    assert "三人で暮らす" in context["consultation"]
    assert context["contact_phone"] == SHORT_FORM.contact_phone


def test_each_field_is_withheld_by_itself() -> None:
    """The address alone leaves the telephone, and the other way round."""
    context = shown(withheld=(ADDRESS,))
    assert (context["phone"], context["email"]) == ("042-000-0001", "mihon@example.jp")
    assert context["address"] == WITHHELD
    context = shown(withheld=(PHONE,))
    assert "見本町" in context["address"]
    assert context["phone"] == WITHHELD


def test_a_withheld_value_at_the_edge_of_the_summary_is_cut_before_it_is_shortened() -> None:
    """Shortening first would leave half of a number standing."""
    form = msgspec.structs.replace(SHORT_FORM, consultation="あ" * 195 + "042-000-0001" + "い" * 50)
    assert "042" not in shown(form, View.SUMMARY, withheld=(PHONE,))["consultation"]


def test_hidden_members_are_one_row_that_does_not_tell_how_many() -> None:
    """Whoever is shown stands in the table; the others are one （非開示） row, and the number of people is not said."""
    for hidden in ((WIFE,), (WIFE, SON)):
        context = shown(hidden=hidden)
        assert [row["name"] for row in context["household"]][-1] == WITHHELD
        assert sum(row["name"] == WITHHELD for row in context["household"]) == 1
        assert context["household_size"] == WITHHELD
    assert (
        shown(hidden=(WIFE, SON))["household"]
        == shown(msgspec.structs.replace(TELLING, household=TELLING.household[:1]), hidden=(WIFE,))["household"]
    )


def test_the_summary_shows_members_who_agreed() -> None:
    """A member who is not hidden stands in the summary."""
    names = [row["name"] for row in shown(view=View.SUMMARY, hidden=(WIFE,))["household"]]
    assert names == ["見本 一郎", WITHHELD]
    assert [row["name"] for row in shown(view=View.SUMMARY)["household"]] == ["見本 花子", "見本 一郎"]
    assert shown(view=View.SUMMARY)["household_size"] == "3人（本人を含む）"


def test_a_hidden_member_is_named_nowhere() -> None:
    """Neither whole nor by the given name, nor as the one who came; the person's own name stays."""
    context = shown(hidden=(WIFE, SON))
    whole = str(context)
    for name in ("花子", "一郎"):
        assert name not in whole
    assert (context["client_name"], context["client_phone"]) == (WITHHELD, WITHHELD)
    assert context["person_name"] == "見本 太郎"
    assert context["origin_staff"] == "見本 窓口"


def test_a_protected_member_protects_the_home_and_the_row() -> None:
    """Where a member is protected, the address and the telephone of the home go, and what the row says of them."""
    context = shown(withheld=(f"{SON}:address",))
    assert context["address"] == WITHHELD
    assert [row["note"] for row in context["household"]] == ["足が悪い", WITHHELD]
    context = shown(withheld=(f"{WIFE}:phone",))
    assert (context["phone"], context["mobile"]) == (WITHHELD, "090-0000-0001")


def test_what_is_not_known_is_closed() -> None:
    """Ids that the form does not have (after a joining), or a form that names no persons: everything that may be meant goes."""
    foreign = f"{CASE[:-1]}9.1"
    assert [row["name"] for row in shown(hidden=(foreign,))["household"]] == [WITHHELD]
    assert shown(withheld=(f"{foreign}:address",))["address"] == WITHHELD
    assert shown(withheld=(f"{foreign}:phone",))["mobile"] == WITHHELD
    assert [row["name"] for row in shown(view=View.SUMMARY, persons=())["household"]] == [WITHHELD]
    assert shown(withheld=(ADDRESS,), persons=())["address"] == WITHHELD


def test_the_summary_does_not_say_why_somebody_is_protected() -> None:
    """住所等の秘匿 and its reason are withheld in the summary whether it is asked for or not."""
    context = shown(view=View.SUMMARY)
    assert (context["protection_choices"], context["protection_kind_choices"]) == (WITHHELD, WITHHELD)


GAPS = st.sampled_from(["", " ", "　", "-", "－", "‐"])
WIDTHS = st.sampled_from([0, 0xFEE0])


@settings(max_examples=150)
@given(st.data())
def test_a_number_is_found_however_it_is_written(data: st.DataObject) -> None:
    """Any mix of widths and gaps of the telephone, the postal code and the address's numbers."""

    def written(digits: str, gap: str) -> str:
        return gap.join(chr(ord(digit) + data.draw(WIDTHS)) for digit in digits)

    phone = data.draw(GAPS).join(written(group, data.draw(GAPS)) for group in ("042", "551", "1511"))
    assert "1511" not in scrubbed(f"電話は{phone}です", phone_patterns("042-551-1511"))
    assert scrubbed(f"電話は{phone}です", phone_patterns("042-551-1511")) == f"電話は{WITHHELD}です"
    postal = data.draw(GAPS).join(written(group, "") for group in ("197", "0011"))
    assert scrubbed(f"（{postal}）", address_patterns("", "197-0011")) == f"（{WITHHELD}）"
    between = st.sampled_from(["-", "－", "丁目", "番", "の", " - "])
    numbers = [written(number, "") for number in ("1", "12", "3")]
    place = "見本町" + numbers[0] + data.draw(between) + numbers[1] + data.draw(between) + numbers[2]
    assert scrubbed(f"家は{place}。", address_patterns("東京都福生市見本町一丁目12番3号", "")) == f"家は{WITHHELD}。"


@pytest.mark.parametrize(
    "text",
    [
        "見本町十二番地3",
        "見本町12の3",
        "福生市 見本町 １２－３",
        "東京都福生市見本町12-3 見本荘201",
        "見本荘２０１号室",
    ],
)
def test_parts_of_an_address_are_found(text: str) -> None:
    """The part below the municipality, numbers in characters, and the building with or without its room."""
    left = scrubbed(text, address_patterns("東京都福生市見本町12番地3 見本荘201", ""))
    assert WITHHELD in left
    assert "12" not in left
    assert "201" not in left
    assert "２０１" not in left


@pytest.mark.parametrize("text", ["福生市役所", "見本町11-2", "03-5551-1511", "R8-00012", "令和8年11月23日", "5511"])
def test_what_only_looks_alike_stays(text: str) -> None:
    """Other numbers and places are not cut."""
    patterns = address_patterns("東京都福生市見本町1-2-3 201", "197-0011") + phone_patterns("042-551-1511")
    assert scrubbed(text, patterns) == text


def test_names_are_found_in_any_spelling_and_only_theirs() -> None:
    """With or without the space, other widths of it, a lost variation selector, katakana; a name that is shown too stays."""
    patterns = name_patterns([f"{RARE} 花子", "見本 太郎"], ["見本 太郎", "見本 次郎"])
    for text in (f"{RARE}花子", f"{RARE}　花子", RARE.replace("\U000e010f", "") + "花子", "花子"):
        assert scrubbed(f"「{text}」", patterns) == f"「{WITHHELD}」"
    assert scrubbed("見本 太郎、見本 次郎、見本", patterns) == "見本 太郎、見本 次郎、見本"
    for text in ("ミホン・ハナコ", "ﾐﾎﾝ ﾊﾅｺ", "みほんはなこ", "はなこ"):
        assert scrubbed(text, name_patterns(["みほん はなこ"], ["みほん たろう"])) == WITHHELD
    assert scrubbed("ｻﾞｵｳ ﾀﾞｲｽｹ", name_patterns(["ざおう だいすけ"], [])) == WITHHELD
    assert scrubbed("高崎花子", name_patterns(["髙﨑　花子"], [])) == WITHHELD
    assert scrubbed("ミホン・ハナコ", name_patterns(["みほん はなこ"], ["みほん たろう"])) == WITHHELD


@pytest.mark.parametrize(
    ("patterns", "text", "left"),
    [
        (PHONE_LIKE, "090-0000-0001へ", f"{WITHHELD}へ"),
        (PHONE_LIKE, "（０４２）０００ー０００１", f"（{WITHHELD}"),
        (PHONE_LIKE, "a.b@example.jp", WITHHELD),
        (PHONE_LIKE, "2026-11-23に14万円", "2026-11-23に14万円"),
        (ADDRESS_LIKE, "〒197-0000", WITHHELD),
        (ADDRESS_LIKE, "見本町一丁目２番３号で", f"{WITHHELD}で"),
        (ADDRESS_LIKE, "福生市見本町1-2-3で", f"{WITHHELD}で"),
        (ADDRESS_LIKE, "2026-11-23に週2-3回、090-0000-0001", "2026-11-23に週2-3回、090-0000-0001"),
    ],
)
def test_what_looks_like_a_way_to_somebody_is_found(patterns: Patterns, text: str, left: str) -> None:
    """For papers that do not know the protected words: numbers and places go, days and counts stay."""
    assert scrubbed(text, patterns) == left


def test_patterns_end_on_any_text() -> None:
    """A text made to keep a search busy is searched in no time."""
    for text in ("0-" * 2000, "見本町一二三四" * 600, "a.-" * 1300 + "@", "1-1-1-" * 650, "　" * 4000):
        scrubbed(text, PHONE_LIKE + ADDRESS_LIKE + address_patterns("東京都福生市見本町1-1-1", "197-0011"))


def test_other_forms_name_no_hidden_person() -> None:
    """Assessment, evaluation: a hidden person's name is in no text; what is written of the whole household goes."""
    context = sheet_context(assessed(), ASSESSMENT_SHEET, View.FULL, (SON,), (), False)
    assert "一郎" not in str(context)
    assert (context["household"], context["visitor"], context["household_issues"]) == (WITHHELD,) * 3
    assert context["main_issue"] == WITHHELD  # it is the household's
    boxes = list(itertools.chain.from_iterable(context["issue_rows"]))
    assert not any("☐ ☑" in box or "◎" in box for box in boxes)
    assert "一郎" not in str(sheet_context(evaluated(), "evaluation_sheet", View.FULL, (SON,), (), False))


def test_other_forms_give_no_address_or_phone_of_anybody_protected() -> None:
    """They hold no field to compare with: what looks like an address or a number goes, and the texts that are about it."""
    context = sheet_context(assessed(), ASSESSMENT_SHEET, View.FULL, (), (ADDRESS, PHONE), False)
    assert context["housing"] == WITHHELD
    assert "042-000-0009" not in str(context)
    assert "古くからの友人" in context["strengths"]


def test_a_consent_of_a_hidden_person_does_not_name_them() -> None:
    """A consent form that names its person by an id says （非開示） where that person is hidden."""
    event = consented(msgspec.structs.replace(CONSENT, person=WIFE))
    assert sheet_context(event, "consent_form", View.FULL, (), (), False)["person_name"] == "見本 花子"
    assert sheet_context(event, "consent_form", View.FULL, (WIFE,), (), False)["person_name"] == WITHHELD


def test_names_that_stood_on_the_form_before_are_cut_out_where_somebody_is_hidden() -> None:
    """Somebody hidden may have been taken off the form, or been called otherwise; texts go on naming them."""
    former, names = f"{CASE}.9", ("見本　ミツ", "みほん　みつ")
    told = msgspec.structs.replace(TELLING, household=[], consultation="母のみつさん（見本ミツ）と暮らしていた。")
    event = submitted(told, persons=(PERSON, former), former_names=names)
    for hidden, left in (((former,), "母の（非開示）さん（（非開示））と暮らしていた。"), ((), told.consultation)):
        assert sheet_context(event, REFERRAL_SHEET, View.FULL, hidden, (), False)["consultation"] == left
    form = msgspec.structs.replace(assessed().form, summary="ミツさんの入院。")
    record = assessed(form, persons=(PERSON, former), former_names=names)
    for hidden, left in (((former,), "（非開示）さんの入院。"), ((), "ミツさんの入院。")):
        assert sheet_context(record, ASSESSMENT_SHEET, View.FULL, hidden, (), False)["summary"] == left
