"""会議録 and 支援会議 会議録: what they say to the secretariat, to those who were there, to those who were not."""

from __future__ import annotations

from tests.documents.sample_meetings import MINUTES, SUPPORT_MINUTES, minuted, minuted_minimal
from tests.documents.sample_records import LAW
from tests.documents.test_sheets_meetings import FULL, OWN_ITEM, context_of, text_of
from tsunagi_documents.kinds import MINUTES as MINUTES_KIND
from tsunagi_documents.sheets_wording import WITHHELD
from tsunagi_shared.forms.meeting import MinimalReason


def test_minutes_say_who_was_there_what_was_agreed_and_what_follows() -> None:
    """出欠 for the item, consent with its scope, decision, roles, next day, follow-up, and what is handed on."""
    text = text_of("minutes")
    for words in (
        "福生市個別支援会議",
        "令和8年度　第9回",
        "☐ 出席　☐ 欠席　☑ 退席",
        "☑ アセスメント　☑ プラン",
        MINUTES.discussion,
        "☑ 修正承認",
        MINUTES.decision_note,
        "月2回",
        "令和9年3月10日",
        MINUTES.follow_up_method,
        MINUTES.community_issue,
        "福祉連携会議",
        "見本 太郎",
        "令和8年11月23日 10時32分",
    ):
        assert words in text


def test_minutes_of_a_support_meeting_name_the_person_by_number() -> None:
    """The least that identifies; closed; with the duty, the reason without consent, and the papers taken back."""
    text = text_of("minutes of a support meeting")
    for words in (
        "支援会議　会議録",
        "C8-00034",
        "非公開",
        LAW,
        SUPPORT_MINUTES.no_consent_reason,
        SUPPORT_MINUTES.information_sources,
        SUPPORT_MINUTES.watch,
        SUPPORT_MINUTES.support_policy,
        SUPPORT_MINUTES.emergency,
        SUPPORT_MINUTES.consent_outlook,
        "☑ 回収した",
        "☑ 確認（同意前のアウトリーチ）",
    ):
        assert words in text
    assert "見本 太郎" not in text
    assert "プランのとおり" not in text


def test_an_agency_that_was_not_there_sees_the_decision_and_its_own_part() -> None:
    """Not what was said, nor the parts of others; one that was there sees what it heard."""
    left = context_of(minuted(), MINUTES_KIND, OWN_ITEM, "shakyo")
    assert (left["discussion"], left["community_issue"]) == (WITHHELD, WITHHELD)
    assert [row["part"] for row in left["allocations"]] == ["家計の見直しの相談。"]
    assert left["decision_note"] == MINUTES.decision_note
    there = context_of(minuted(), MINUTES_KIND, OWN_ITEM, "care")
    assert there["discussion"] == MINUTES.discussion
    assert len(there["allocations"]) == 2
    for context in (left, there):
        assert [row["value"] for row in context["local"]] == [WITHHELD]


def test_a_minimal_item_shows_numbers_the_reason_and_the_decision() -> None:
    """In whatever view: neither a name nor a word of what was said, also where somebody wrote one."""
    for view in (FULL, OWN_ITEM):
        context = context_of(minuted_minimal(), MINUTES_KIND, view)
        assert context["person_name"] == ""
        assert "☑ 同意が撤回された" in context["minimal_choices"]
    text = text_of("minutes, minimal")
    for words in ("☑ 終結", "P8-00002", "C8-00034", "福祉総合相談窓口"):
        assert words in text
    for words in ("見本 太郎", "協議内容", "地域課題", "その方法"):
        assert words not in text
    cut = str(context_of(minuted(minimal_reason=MinimalReason.WITHDRAWN), MINUTES_KIND))
    for words in (
        "見本 太郎",
        "一郎",
        MINUTES.discussion,
        MINUTES.decision_note,
        "家計の見直し",
        MINUTES.follow_up_method,
    ):
        assert words not in cut
