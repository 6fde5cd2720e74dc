"""What the sheets drawn from a referral show, to whom, and that Word gives it back as it was typed."""

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
    RECEPTION,
    SHORT_FORM,
    SON,
    SUMMARY_ENTRY,
    TYPED,
    WIFE,
    submitted,
)
from tsunagi_documents.kinds import (
    ASSESSMENT_DRAFT,
    ASSESSMENT_SHEET,
    REFERRAL_SHEET,
    Audience,
    Planned,
    document_id,
    documents_for,
)
from tsunagi_documents.sheets import sheet_context, sheet_marks
from tsunagi_documents.sheets_referral import SUMMARY_WITHHOLDS
from tsunagi_documents.sheets_wording import BRIEF_GRAPHEMES, WITHHELD, found_choices
from tsunagi_documents.word.draw import FOLDER, SHEETS
from tsunagi_documents.word.drawing import Row, label, table
from tsunagi_documents.word.render import render_word
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import ReferralSubmitted
from tsunagi_shared.forms.fields import fields_of
from tsunagi_shared.forms.referral import NOT_TO_DESTINATIONS, Consent, ConsentStatus, Person, Referral

FORM = "referral/1"
ENTRIES = (*FULL_ENTRIES, SUMMARY_ENTRY)


def readers(planned: tuple[Planned, ...]) -> dict[tuple[str, View], list[str]]:
    """Which agencies read which document."""
    return {(plan.row.kind, plan.row.view): [entry.agency for entry in plan.entries] for plan in planned}


def planned(*entries: AudienceEntry, **changes: object) -> dict[tuple[str, View], list[str]]:
    """Who reads what of a referral with that audience."""
    values: dict[str, object] = {"entries": entries, "provider": "provider", **changes}
    return readers(documents_for(FORM, Audience(**values)))  # type: ignore[arg-type]


def context_of(
    event: ReferralSubmitted,
    view: View = View.FULL,
    kind: str = REFERRAL_SHEET,
    hidden: tuple[str, ...] = (),
    withheld: tuple[str, ...] = (),
) -> dict[str, object]:
    """The values of a sheet."""
    return sheet_context(event, kind, view, hidden, withheld, event.support_meeting_only)


def word_text(word: bytes) -> str:
    """All text of the body, cell by cell."""
    document = Document(io.BytesIO(word))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


def rendered(event: ReferralSubmitted, kind: str, view: View) -> bytes:
    """The sheet as the service makes it."""
    template = (FOLDER / f"{ASSESSMENT_DRAFT if kind == ASSESSMENT_SHEET else kind}.docx").read_bytes()
    return render_word(template, context_of(event, view, kind), marks=sheet_marks(False), title=kind)


def test_each_document_goes_to_the_entries_of_its_view() -> None:
    """With consent: the full sheet to origin and provider, the summary to the destination, the assessment to the provider."""
    assert planned(*ENTRIES) == {
        (REFERRAL_SHEET, View.FULL): ["welfare", "provider"],
        (REFERRAL_SHEET, View.SUMMARY): ["shakyo"],
        (ASSESSMENT_SHEET, View.FULL): ["provider"],
    }


def test_a_support_meeting_case_has_no_summary() -> None:
    """支援会議限り: no summary, even if an entry asks for one; the assessment only where the provider is in the circle."""
    secretariat = AudienceEntry("section", Basis(BasisKind.SITTING, "support_meeting"), View.FULL)
    entries = (FULL_ENTRIES[0], secretariat, SUMMARY_ENTRY)
    assert planned(*entries, support_meeting_only=True) == {(REFERRAL_SHEET, View.FULL): ["welfare", "section"]}
    found = planned(*entries[:2], support_meeting_only=True, provider="section")
    assert found[(ASSESSMENT_SHEET, View.FULL)] == ["section"]


def test_the_assessment_reaches_a_provider_that_wrote_the_form() -> None:
    """The provider reads the assessment also when its only entry is that of the origin."""
    assert planned(FULL_ENTRIES[0], provider="welfare")[(ASSESSMENT_SHEET, View.FULL)] == ["welfare"]


def test_a_document_nobody_may_read_is_not_made() -> None:
    """No entry, no document; no summary where the profile sends none."""
    assert planned() == {}
    assert (REFERRAL_SHEET, View.SUMMARY) not in planned(*ENTRIES, summaries=False)


def test_a_consent_entry_never_reads_the_full_sheet() -> None:
    """An entry on a basis its view is not meant for reads nothing: closed, not open."""
    assert planned(AudienceEntry("shakyo", Basis(BasisKind.CONSENT, "consent/1"), View.FULL)) == {}


def test_document_ids_are_fixed_for_good() -> None:
    """The id is a function of form and projection alone; this literal must never change."""
    assert document_id(FORM, REFERRAL_SHEET, View.FULL) == "140d5c15-71fc-5339-be56-2c8b232c376d"
    assert document_id(FORM, REFERRAL_SHEET, View.SUMMARY) != document_id(FORM, REFERRAL_SHEET, View.FULL)
    hidden = document_id(FORM, REFERRAL_SHEET, View.FULL, hidden=("a", "b"))
    assert hidden == document_id(FORM, REFERRAL_SHEET, View.FULL, hidden=("b", "a"))
    assert hidden != document_id(FORM, REFERRAL_SHEET, View.FULL, withheld=("a", "b"))


def test_the_summary_holds_only_what_a_destination_needs() -> None:
    """The cut is made before the template: nothing withheld is anywhere in the summary's values."""
    withheld = {
        "note": "十年以上、家から出ていない",
        "safety": "夜の電話は避ける。",
        "actions": "窓口で二回面談した。",
        "agencies": "見本介護サービス事業所",
        "consent note": "病歴は伝えない。",
        "local": "犬が二匹",
        "mail": "mihon@example.jp",
        "relationship": "長女の夫",
    }
    event = submitted(msgspec.structs.replace(SHORT_FORM, local={"pet": "犬が二匹"}, reception=RECEPTION))
    summary = str(context_of(event, View.SUMMARY, hidden=(WIFE, SON)))
    full = str(context_of(event))
    for text in withheld.values():
        assert text in full
        assert text not in summary
    assert "☑" not in str(context_of(event, View.SUMMARY)["work_choices"])
    for text in ("見本 太郎", "042-000-0001", "息子のことを相談できる人がほしい。", "長男への訪問と"):
        assert text in summary


def test_the_items_of_the_reception_are_printed() -> None:
    """A票 and B票: the boxes of work, housing, insurance and pension, mail, and who the client is to the person."""
    context = context_of(submitted(msgspec.structs.replace(SHORT_FORM, reception=RECEPTION)))
    assert "☑ 年金生活" in str(context["work_choices"])
    assert "☑ 持家" in str(context["housing_choices"])
    assert "☑ 国民健康保険" in str(context["health_insurance_choices"])
    assert context["pension_choices"] == "☑ 受給中\u3000☐ 手続き中\u3000☐ 受給していない\u3000☐ わからない"
    assert context["applied_on"] == "令和8年11月20日"
    assert (context["email"], context["client_relationship"]) == ("mihon@example.jp", "長女の夫")


def test_withheld_looks_the_same_whether_something_is_written_or_not() -> None:
    """An empty safety note also prints （非開示）: the sheet does not tell that there is one, nor that a household is."""
    empty = msgspec.structs.replace(SHORT_FORM, safety_notes="", household=[], household_size=None)
    for form, hidden in ((SHORT_FORM, (WIFE, SON)), (empty, ())):
        context = context_of(submitted(form), View.SUMMARY, hidden=hidden)
        assert context["safety_notes"] == WITHHELD
        assert [row["name"] for row in context["household"]] == [WITHHELD]  # type: ignore[attr-defined]
        assert context["household_size"] == WITHHELD


def test_the_summary_shortens_a_long_consultation_by_graphemes() -> None:
    """A variation selector is never cut from its character, and the reader is told that the text goes on."""
    name = "邉\U000e010f"
    form = msgspec.structs.replace(SHORT_FORM, consultation=name * 1000)
    shown = str(context_of(submitted(form), View.SUMMARY)["consultation"])
    assert shown.startswith(name * BRIEF_GRAPHEMES + "…\n")
    assert "お問い合わせください" in shown


def test_dates_are_japanese_and_time_is_of_japan() -> None:
    """和暦 with the age on the day of the consultation; the time of receipt in Japan, whatever the zone of the event."""
    context = context_of(submitted())
    assert context["birth"] == "昭和30年4月1日（71歳）"
    assert context["received_at"] == "令和8年11月23日 10時32分"
    late = submitted(received_at=dt.datetime(2026, 12, 31, 15, 0, tzinfo=dt.UTC))
    assert context_of(late)["received_at"] == "令和9年1月1日 0時00分"


def test_code_lists_print_every_choice() -> None:
    """☐☑ for all choices, ◎ for the main trouble."""
    context = context_of(submitted())
    assert context["urgency_choices"] == "☐ 通常\u3000☑ 早め\u3000☐ 至急"
    troubles = [text for row in context["trouble_rows"] for text in row]  # type: ignore[attr-defined]
    assert "◎ ひきこもり・不登校" in troubles
    assert "☑ 介護" in troubles
    assert "☐ 障害" in troubles
    assert str(context["consent_choices"]).count("☑") == 1


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
        context_of(submitted(), View.MINIMAL)


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
    assert sheet_marks(False) == ("取扱注意",)
    assert sheet_marks(True) == ("取扱注意", "支援会議限り")


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


def test_how_somebody_was_found_is_written_as_the_municipality_calls_it() -> None:
    """A code of its own list with its label and box, a renamed one under its new name; one that nobody names as it is."""
    labels = {"finding_channels.parents_group": "親の会での接点", "finding_channels.gathering": "※1 通いの場"}
    for chosen, shown in (("parents_group", "親の会での接点"), ("gathering", "※1 通いの場"), ("gone", "gone")):
        boxes = found_choices(chosen, labels)
        assert [line for line in boxes.splitlines() if line.startswith("☑")] == [f"☑ {shown}"]
        event = submitted(SHORT_FORM)
        event = msgspec.structs.replace(
            event, form=msgspec.structs.replace(event.form, finding_route=chosen), local_labels=labels
        )
        context = sheet_context(event, "referral_sheet", View.FULL, (), (), False)
        assert (context["finding_route_label"], context["finding_route_choices"]) == (shown, boxes)
    assert "☑" not in found_choices(None, labels)
