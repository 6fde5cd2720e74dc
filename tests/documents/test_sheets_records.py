"""The sheets of the other forms: what they say, that short and long ones come out whole, and in how many pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pypdf
import pytest

from tests.documents.sample_records import (
    ASSESSMENT,
    CONSENT,
    LAW,
    LONG_ASSESSMENT,
    LONG_CONSENT,
    LONG_EVALUATION,
    MANY_AGENCIES,
    REPLY,
    answered,
    assessed,
    consented,
    evaluated,
    long_consent,
    pledged,
)
from tests.documents.sample_referrals import RARE, TYPED, WIFE, submitted
from tests.documents.test_sheets import word_text
from tsunagi_documents.kinds import (
    ASSESSMENT_DRAFT,
    ASSESSMENT_SHEET,
    CONSENT_FORM,
    EVALUATION_SHEET,
    PLEDGE,
    REFERRAL_REPLY,
    REFERRAL_SHEET,
)
from tsunagi_documents.pdf import Converter
from tsunagi_documents.sheets import SheetData, sheet_context, sheet_marks
from tsunagi_documents.sheets_records import ASSESSMENT_SUMMARY_WITHHOLDS
from tsunagi_documents.sheets_wording import WITHHELD
from tsunagi_documents.word.draw import FOLDER
from tsunagi_documents.word.render import render_word
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.forms.answers import Reply, ReplyDecision
from tsunagi_shared.forms.assessment import Assessment, Issue, Stage
from tsunagi_shared.forms.consent import ConsentForm
from tsunagi_shared.forms.evaluation import Evaluation, EvaluationOutcome
from tsunagi_shared.forms.referral import ConsentStatus

EMPTY_ASSESSMENT = Assessment(stage=Stage.INTAKE, received_on=ASSESSMENT.received_on, author="見本 支子")
EMPTY_CONSENT = ConsentForm(person=CONSENT.person, status=ConsentStatus.REFUSED)
EMPTY_EVALUATION = Evaluation(
    evaluated_on=ASSESSMENT.received_on, achievement="達成した。", outcome=EvaluationOutcome.REPLANNED
)

EVENTS: dict[str, tuple[str, Callable[[], SheetData], int]] = {
    # name: kind, event, pages
    "assessment": (ASSESSMENT_SHEET, assessed, 2),
    "assessment, empty": (ASSESSMENT_SHEET, lambda: assessed(EMPTY_ASSESSMENT), 2),
    "assessment, long": (ASSESSMENT_SHEET, lambda: assessed(LONG_ASSESSMENT), 8),
    "reply": (REFERRAL_REPLY, answered, 1),
    "reply, returned": (
        REFERRAL_REPLY,
        lambda: answered(Reply(decision=ReplyDecision.RETURNED, reason="担当の地区が違います。")),
        1,
    ),
    "consent": (CONSENT_FORM, consented, 1),
    "consent, refused": (CONSENT_FORM, lambda: consented(EMPTY_CONSENT), 1),
    "consent, long": (CONSENT_FORM, long_consent, 4),
    "pledge": (PLEDGE, pledged, 1),
    "evaluation": (EVALUATION_SHEET, evaluated, 1),
    "evaluation, empty": (EVALUATION_SHEET, lambda: evaluated(EMPTY_EVALUATION), 1),
    "evaluation, long": (EVALUATION_SHEET, lambda: evaluated(LONG_EVALUATION), 4),
}
# A conversion takes seconds: each kind once, and the long one with an annex
CONVERTED = ("assessment", "reply", "consent", "consent, long", "pledge", "evaluation")


def context_of(event: SheetData, view: View = View.FULL) -> dict[str, Any]:
    """The values of the whole sheet."""
    return sheet_context(event, "", view, (), (), False)


def rendered(kind: str, event: SheetData, view: View = View.FULL, template: str = "") -> bytes:
    """The sheet as the service makes it."""
    word = (FOLDER / f"{template or kind}.docx").read_bytes()
    context = sheet_context(event, kind, view, (), (), False)
    return render_word(word, context, marks=sheet_marks(False), title=kind)


@pytest.mark.parametrize("name", EVENTS)
def test_every_sheet_is_drawn_with_little_and_with_much(name: str) -> None:
    """No missing name, no stray None, nothing of a template left."""
    kind, event, _ = EVENTS[name]
    text = word_text(rendered(kind, event()))
    assert "None" not in text
    assert "{{ n" not in text
    assert "{%p" not in text


async def test_sheets_have_the_pages_that_a_form_of_paper_has(tmp_path: Path) -> None:
    """One page for what is signed, two for the referral and the assessment, and every long one comes to its end."""
    converter = Converter("soffice", tmp_path)
    pages = {
        "referral": (rendered(REFERRAL_SHEET, submitted()), 2),
        "referral, summary": (rendered(REFERRAL_SHEET, submitted(), View.SUMMARY), 2),
        "draft": (rendered(ASSESSMENT_SHEET, submitted(), template=ASSESSMENT_DRAFT), 3),
        **{name: (rendered(EVENTS[name][0], EVENTS[name][1]()), EVENTS[name][2]) for name in CONVERTED},
    }
    found = {}
    for name, (word, _) in pages.items():
        path = tmp_path / "sheet.pdf"
        path.write_bytes(await converter.convert(word))
        found[name] = len(pypdf.PdfReader(path).pages)
    assert found == {name: count for name, (_, count) in pages.items()}


def test_the_assessment_ticks_issues_for_person_and_household() -> None:
    """☑ on the left for the person, on the right for the household, ◎ for the main one; every choice is printed."""
    context = context_of(assessed())
    cells = [cell for row in context["issue_rows"] for cell in row if cell]
    assert len(cells) == len(Issue)
    assert "☑ ☐ 経済的困窮" in cells
    assert "☐ ◎ ひきこもり" in cells
    assert "☐ ☑ 8050問題" in cells
    assert context["main_issue"] == "ひきこもり"
    mine = msgspec.structs.replace(ASSESSMENT, main_issue=Issue.CARE.value)
    assert any(cell == "◎ ☐ 介護" for row in context_of(assessed(mine))["issue_rows"] for cell in row)


def test_issues_of_the_municipality_are_printed_by_their_names() -> None:
    """Codes that a city adds or renames travel in local_labels as `issues.<code>`; an unknown one is printed as it is."""
    form = msgspec.structs.replace(ASSESSMENT, issues=["snow", "lost"], main_issue="snow")
    labels = {"issues.snow": "雪下ろしができない", "issues.care": "介護・介助"}
    context = context_of(assessed(form, local_labels=labels))
    cells = [cell for row in context["issue_rows"] for cell in row]
    assert {"◎ ☐ 雪下ろしができない", "☐ ☐ 介護・介助", "☑ ☐ lost"} <= set(cells)


def test_the_summary_of_an_assessment_gives_what_others_need() -> None:
    """課題のまとめ, 支援の方向性, wishes and strengths; not the sources and particulars."""
    context = context_of(assessed(), View.SUMMARY)
    assert all(context[name] == WITHHELD for name in ASSESSMENT_SUMMARY_WITHHOLDS)
    assert (context["summary"], context["wishes"]) == (ASSESSMENT.summary, ASSESSMENT.wishes)
    whole = word_text(rendered(ASSESSMENT_SHEET, assessed(), View.SUMMARY))
    for text in (ASSESSMENT.health, ASSESSMENT.income, ASSESSMENT.risk, ASSESSMENT.visitor):
        assert text not in whole


def test_only_referral_and_assessment_have_a_summary() -> None:
    """A view without a sheet draws nothing."""
    for event in (answered(), consented(), pledged(), evaluated()):
        with pytest.raises(LookupError):
            context_of(event, View.SUMMARY)


def test_the_reply_says_who_answers_whom_and_what() -> None:
    """受理 with the lead, to the agency that wrote the referral."""
    text = word_text(rendered(REFERRAL_REPLY, answered()))
    for words in (
        "福生市社会福祉課　御中",
        "☑ 受理",
        "福生市社会福祉協議会",
        REPLY.next_actions,
        "R8-00012",
        "見本 太郎",
    ):
        assert words in text


def test_the_consent_form_holds_what_the_person_agreed_to() -> None:
    """Purpose, scope, agencies by name, exclusions, until, successors, how to withdraw, and a line to sign."""
    text = word_text(rendered(CONSENT_FORM, consented()))
    for words in (
        "見本 太郎",
        CONSENT.purpose,
        "☑ アセスメント",
        "福生市社会福祉協議会、見本介護サービス事業所",
        "見本診療所",
        "病歴",
        "☑ 重層的支援会議",
        "令和9年3月31日",
        "☑ 改めて同意を得るまで共有しない",
        "いつでも、全部又は一部を撤回できます",
        "署名",
    ):
        assert words in text
    assert "別紙　" not in text
    assert "口頭で同意を" not in text


def test_an_oral_consent_has_its_record_and_lists_their_agencies() -> None:
    """Instead of a line to sign: who heard what. The agencies of the lists of that day follow, numbered."""
    text = word_text(rendered(CONSENT_FORM, long_consent()))
    for words in (LONG_CONSENT.oral_record, "支援関係機関の一覧（令和8年4月1日現在）", RARE, TYPED, "☑ 共有してよい"):
        assert words in text
    assert all(name in text for name in MANY_AGENCIES.values())
    assert "署名した日" not in text


def test_a_person_who_did_not_agree_has_agreed_to_nothing() -> None:
    """The paper then says that nothing may be shared by it."""
    text = word_text(rendered(CONSENT_FORM, consented(EMPTY_CONSENT)))
    assert "共有できる情報はありません" in text
    assert "同意します" not in text


def test_a_consent_is_of_the_member_it_names() -> None:
    """Consent is per person: a member's form says the member's name."""
    event = consented(msgspec.structs.replace(CONSENT, person=WIFE))
    assert context_of(event)["person_name"] == "見本 花子"


def test_the_pledge_quotes_the_law_of_its_day() -> None:
    """The text comes with the event: no article stands in the template."""
    text = word_text(rendered(PLEDGE, pledged()))
    for words in (LAW, "福生市長　様", "福生市支援会議", "見本 介子", "令和8年4月1日", "構成員でなくなった後も"):
        assert words in text
    assert "第106条" not in word_text((FOLDER / "pledge.docx").read_bytes())


def test_the_evaluation_is_a_proposal() -> None:
    """The outcome is ticked as a proposal; the decision is the meeting's."""
    text = word_text(rendered(EVALUATION_SHEET, evaluated()))
    for words in ("判定（案）", "☑ 終結", "☑ 社会参加・居場所", "☑ 必要", "重層的支援会議の決定によります"):
        assert words in text
