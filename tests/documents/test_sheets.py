"""Which sheets an event draws, for whom, and what each may show."""

from __future__ import annotations

import datetime as dt
import io

import msgspec
import pytest
from docx import Document

from tests.documents.sample_referrals import (
    FULL_ENTRIES,
    LONG_FORM,
    RARE,
    SHORT_FORM,
    SUMMARY_ENTRY,
    TYPED,
    submitted,
)
from tsunagi_documents.kinds import ASSESSMENT_SHEET, REFERRAL_SHEET, Planned, document_id, documents_for
from tsunagi_documents.sheets import BRIEF_GRAPHEMES, SUMMARY_WITHHOLDS, WITHHELD, sheet_context, sheet_marks
from tsunagi_documents.word.draw import FOLDER, SHEETS
from tsunagi_documents.word.drawing import Row, label, table
from tsunagi_documents.word.render import render_word
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import ReferralSubmitted
from tsunagi_shared.forms.fields import fields_of
from tsunagi_shared.forms.referral import NOT_TO_DESTINATIONS, Consent, ConsentStatus, Person, Referral


def readers(planned: tuple[Planned, ...]) -> dict[tuple[str, View], list[str]]:
    """Which agencies read which document."""
    return {(plan.kind, plan.view): [entry.agency for entry in plan.entries] for plan in planned}


def word_text(word: bytes) -> str:
    """All text of the body, cell by cell."""
    document = Document(io.BytesIO(word))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


def rendered(event: ReferralSubmitted, kind: str, view: View) -> bytes:
    """The sheet as the service makes it."""
    template = (FOLDER / f"{kind}.docx").read_bytes()
    return render_word(template, sheet_context(event, kind, view), marks=sheet_marks(event), title=kind)


def test_each_document_goes_to_the_entries_of_its_view() -> None:
    """With consent: the full sheet to origin and provider, the summary to the destination, the assessment to the provider."""
    assert readers(documents_for(submitted())) == {
        (REFERRAL_SHEET, View.FULL): ["welfare", "provider"],
        (REFERRAL_SHEET, View.SUMMARY): ["shakyo"],
        (ASSESSMENT_SHEET, View.FULL): ["provider"],
    }


def test_a_support_meeting_case_has_no_summary() -> None:
    """支援会議限り: no summary, even if an entry asks for one; the assessment only where the provider is in the circle."""
    secretariat = AudienceEntry("section", Basis(BasisKind.SITTING, "support_meeting"), View.FULL)
    event = submitted(support_meeting_only=True, audience=(FULL_ENTRIES[0], secretariat, SUMMARY_ENTRY))
    assert readers(documents_for(event)) == {(REFERRAL_SHEET, View.FULL): ["welfare", "section"]}
    event = submitted(support_meeting_only=True, audience=(FULL_ENTRIES[0], secretariat), provider="section")
    assert readers(documents_for(event))[(ASSESSMENT_SHEET, View.FULL)] == ["section"]


def test_the_assessment_reaches_a_provider_that_wrote_the_form() -> None:
    """The provider reads the assessment also when its only entry is that of the origin."""
    event = submitted(audience=(FULL_ENTRIES[0],), provider="welfare")
    assert readers(documents_for(event))[(ASSESSMENT_SHEET, View.FULL)] == ["welfare"]


def test_a_document_nobody_may_read_is_not_made() -> None:
    """No entry, no document; no summary where the profile sends none."""
    assert documents_for(submitted(audience=())) == ()
    assert (REFERRAL_SHEET, View.SUMMARY) not in readers(documents_for(submitted(summary_to_destinations=False)))


def test_a_consent_entry_never_reads_the_full_sheet() -> None:
    """An entry on a basis its view is not meant for reads nothing: closed, not open."""
    odd = AudienceEntry("shakyo", Basis(BasisKind.CONSENT, "consent/1"), View.FULL)
    assert documents_for(submitted(audience=(odd,))) == ()


def test_titles_name_nobody() -> None:
    """Titles travel in notices: they are the kind's name, the same for every referral."""
    titles = [plan.title for plan in documents_for(submitted())]
    assert titles == [plan.title for plan in documents_for(submitted(LONG_FORM))]


def test_document_ids_are_fixed_for_good() -> None:
    """The id is a function of form and projection alone; this literal must never change."""
    assert document_id("referral/1", REFERRAL_SHEET, View.FULL) == "140d5c15-71fc-5339-be56-2c8b232c376d"
    assert document_id("referral/1", REFERRAL_SHEET, View.SUMMARY) != document_id(
        "referral/1", REFERRAL_SHEET, View.FULL
    )
    hidden = document_id("referral/1", REFERRAL_SHEET, View.FULL, hidden=("a", "b"))
    assert hidden == document_id("referral/1", REFERRAL_SHEET, View.FULL, hidden=("b", "a"))
    assert hidden != document_id("referral/1", REFERRAL_SHEET, View.FULL, withheld=("a", "b"))


def test_the_summary_holds_only_what_a_destination_needs() -> None:
    """The cut is made before the template: nothing withheld is anywhere in the summary's values."""
    withheld = {
        "household": "見本 花子",
        "note": "十年以上、家から出ていない",
        "safety": "夜の電話は避ける。",
        "actions": "窓口で二回面談した。",
        "agencies": "見本介護サービス事業所",
        "consent note": "病歴は伝えない。",
        "local": "犬が二匹",
    }
    event = submitted(msgspec.structs.replace(SHORT_FORM, local={"pet": "犬が二匹"}))
    summary = str(sheet_context(event, REFERRAL_SHEET, View.SUMMARY))
    full = str(sheet_context(event, REFERRAL_SHEET, View.FULL))
    for text in withheld.values():
        assert text in full
        assert text not in summary
    for text in ("見本 太郎", "042-000-0001", "息子のことを相談できる人がほしい。", "長男への訪問と"):
        assert text in summary


def test_withheld_looks_the_same_whether_something_is_written_or_not() -> None:
    """An empty safety note also prints （非開示）: the sheet does not tell that there is one."""
    empty = msgspec.structs.replace(SHORT_FORM, safety_notes="", household=[])
    for form in (SHORT_FORM, empty):
        context = sheet_context(submitted(form), REFERRAL_SHEET, View.SUMMARY)
        assert context["safety_notes"] == WITHHELD
        assert [row["name"] for row in context["household"]] == [WITHHELD]


def test_the_summary_shortens_a_long_consultation_by_graphemes() -> None:
    """A variation selector is never cut from its character, and the reader is told that the text goes on."""
    name = "邉\U000e010f"
    form = msgspec.structs.replace(SHORT_FORM, consultation=name * 1000)
    shown = sheet_context(submitted(form), REFERRAL_SHEET, View.SUMMARY)["consultation"]
    assert shown.startswith(name * BRIEF_GRAPHEMES + "…\n")
    assert "つなぎ元にお問い合わせください" in shown


def test_dates_are_japanese_and_time_is_of_japan() -> None:
    """和暦 with the age on the day of the consultation; the time of receipt in Japan, whatever the zone of the event."""
    context = sheet_context(submitted(), REFERRAL_SHEET, View.FULL)
    assert context["birth"] == "昭和30年4月1日（71歳）"
    assert context["received_at"] == "令和8年11月23日 10時32分"
    late = submitted(received_at=dt.datetime(2026, 12, 31, 15, 0, tzinfo=dt.UTC))
    assert sheet_context(late, REFERRAL_SHEET, View.FULL)["received_at"] == "令和9年1月1日 0時00分"


def test_code_lists_print_every_choice() -> None:
    """☐☑ for all choices, ◎ for the main trouble."""
    context = sheet_context(submitted(), REFERRAL_SHEET, View.FULL)
    assert context["urgency_choices"] == "☐ 通常\u3000☑ 早め\u3000☐ 至急"
    troubles = [text for row in context["trouble_rows"] for text in row]
    assert "◎ ひきこもり・不登校" in troubles
    assert "☑ 介護" in troubles
    assert "☐ 障害" in troubles
    assert context["consent_choices"].count("☑") == 1


def test_an_almost_empty_form_draws_all_sheets() -> None:
    """Only what is required is filled in: no missing name, no stray None."""
    form = Referral(
        destinations=["shakyo"],
        consulted_on=dt.date(2026, 11, 20),
        person=Person(name="見本 太郎", kana="みほん たろう"),
        consultation="相談",
        chief_complaint="主訴",
        reason="理由",
        consent=Consent(status=ConsentStatus.ASKING),
    )
    for kind, view in ((REFERRAL_SHEET, View.FULL), (REFERRAL_SHEET, View.SUMMARY), (ASSESSMENT_SHEET, View.FULL)):
        text = word_text(rendered(submitted(form), kind, view))
        assert "None" not in text
        assert "{{" not in text


def test_a_view_without_a_sheet_is_refused() -> None:
    """No sheet shows more than its view by mistake: an unknown view draws nothing."""
    with pytest.raises(LookupError):
        sheet_context(submitted(), REFERRAL_SHEET, View.MINIMAL)


def test_the_longest_form_comes_back_from_word_unchanged() -> None:
    """Rare characters, template-like and markup-like text and line breaks are in the Word file as they were typed."""
    for kind in (REFERRAL_SHEET, ASSESSMENT_SHEET):
        text = word_text(rendered(submitted(LONG_FORM), kind, View.FULL))
        person = LONG_FORM.person
        for value in (person.name, person.kana, person.address, LONG_FORM.consultation, LONG_FORM.involved_agencies):
            assert value in text
        assert all(member.name in text and member.note in text for member in LONG_FORM.household)
        assert RARE in text
        assert TYPED in text


def test_marks_follow_the_case() -> None:
    """取扱注意 always, 支援会議限り for such a case."""
    assert sheet_marks(submitted()) == ("取扱注意",)
    assert sheet_marks(submitted(support_meeting_only=True)) == ("取扱注意", "支援会議限り")


@pytest.mark.parametrize("name", sorted(SHEETS))
def test_stored_templates_are_what_the_script_draws(name: str) -> None:
    """A change of the script without drawing anew (or a hand-edited template) shows here."""
    assert (FOLDER / name).read_bytes() == SHEETS[name]()


def test_tables_that_do_not_add_up_are_refused() -> None:
    """A row that does not fill its columns, or columns that do not fill the page, would be drawn crooked."""
    with pytest.raises(ValueError, match="mm wide"):
        table((100.0,), [])
    with pytest.raises(ValueError, match="spans 1 columns of 2"):
        table((70.0, 100.0), [Row((label("氏名"),))])


def test_the_form_says_what_destinations_do_not_see() -> None:
    """Every field that the summary withholds says so where it is filled in, and what a caller must mind is not among them."""
    form = {field.path: field.help for field in fields_of(Referral)}
    form |= {field.path: field.help for field in fields_of(Consent)}
    renamed = {"finding_route_label": "finding_route", "consent_note": "note"}
    for name in (*SUMMARY_WITHHOLDS, "household"):
        assert form[renamed.get(name, name)].endswith(NOT_TO_DESTINATIONS), name
    assert "つなぎ先にも届きます" in form["considerations"]
