"""The sheets of plans, meetings and requests: what they say to whom, short and long, in how many pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pypdf
import pytest

from tests.documents import sample_meetings as samples
from tests.documents.sample_meetings import (
    MEETING,
    MINUTES,
    MULTI_AGENCY,
    OUTREACH,
    PARTICIPATION,
    SUPPORT_MINUTES,
    convened,
    decided,
    minuted,
    minuted_in_support_meeting,
    minuted_minimal,
    proposed,
    requested,
    usual_log,
)
from tests.documents.sample_records import LAW, MANY_AGENCIES
from tests.documents.sample_referrals import RARE, TYPED
from tests.documents.test_sheets import word_text
from tsunagi_documents.kinds import (
    CONTACT_LOG,
    INFORMATION_REQUEST,
    KINDS,
    MEETING_NOTICE,
    MINUTES_LAYERED,
    MINUTES_SUPPORT,
    PLAN,
    SUPPORT_REQUEST,
    row_of,
)
from tsunagi_documents.kinds import MINUTES as MINUTES_KIND
from tsunagi_documents.pdf import Converter
from tsunagi_documents.sheets import SheetData, sheet_context, sheet_marks, template_name
from tsunagi_documents.sheets_wording import WITHHELD
from tsunagi_documents.word.draw import FOLDER
from tsunagi_documents.word.render import render_word
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import EVENTS, MEETING_RECORDED, PLAN_DECIDED, PLAN_PROPOSED, PlanDates
from tsunagi_shared.contracts.profile_codes import LegalRole
from tsunagi_shared.forms.fields import Kind, fields_of
from tsunagi_shared.forms.japanese import format_wareki
from tsunagi_shared.forms.meeting import Meeting
from tsunagi_shared.forms.minutes import fields_left_out as minutes_fields_left_out
from tsunagi_shared.forms.plan import Plan, PlanKind, fields_left_out

FULL, OWN_ITEM, OWN_ALLOCATION, MINIMAL = View.FULL, View.OWN_ITEM, View.OWN_ALLOCATION, View.MINIMAL

# name: kind, event, view, recipient, pages
SHEETS: dict[str, tuple[str, Callable[[], SheetData], View, str, int]] = {
    "plan, proposed": (PLAN, proposed, FULL, "", 2),
    "plan, decided": (PLAN, decided, FULL, "", 2),
    "plan, participation": (PLAN, lambda: decided(PARTICIPATION), FULL, "", 2),
    "plan, outreach": (PLAN, lambda: decided(OUTREACH, provisional=True), FULL, "", 2),
    "plan, long": (PLAN, lambda: decided(samples.LONG_PLAN, round=3), FULL, "", 9),
    "support request": (SUPPORT_REQUEST, decided, OWN_ALLOCATION, "care", 1),
    "support request, long": (SUPPORT_REQUEST, lambda: decided(samples.LONG_PLAN), OWN_ALLOCATION, "agency3", 2),
    "notice": (MEETING_NOTICE, convened, OWN_ITEM, "care", 1),
    "notice, to file": (MEETING_NOTICE, convened, FULL, "", 1),
    "notice, long": (MEETING_NOTICE, samples.long_sitting, OWN_ITEM, "agency0", 3),
    "notice, long, to file": (MEETING_NOTICE, samples.long_sitting, FULL, "", 6),
    "minutes": (MINUTES_KIND, minuted, FULL, "", 2),
    "minutes, own item": (MINUTES_KIND, minuted, OWN_ITEM, "shakyo", 2),
    "minutes, minimal": (MINUTES_KIND, minuted_minimal, FULL, "", 1),
    "minutes, long": (MINUTES_KIND, lambda: minuted(samples.LONG_MINUTES), FULL, "", 14),
    "minutes of a support meeting": (MINUTES_KIND, minuted_in_support_meeting, FULL, "", 2),
    "minutes of a support meeting, long": (
        MINUTES_KIND,
        lambda: minuted_in_support_meeting(samples.LONG_SUPPORT_MINUTES),
        FULL,
        "",
        17,
    ),
    "information request": (INFORMATION_REQUEST, requested, FULL, "", 1),
    "information request, long": (INFORMATION_REQUEST, lambda: requested(samples.LONG_REQUEST), FULL, "", 4),
    "contact log": (CONTACT_LOG, usual_log, FULL, "", 1),
    "contact log, long": (CONTACT_LOG, samples.long_log, FULL, "", 12),
    "contact log, empty": (CONTACT_LOG, samples.logged, FULL, "", 1),
}
# A conversion takes seconds: each template once, and two that grow
CONVERTED = (
    "plan, proposed",
    "plan, participation",
    "plan, outreach",
    "support request",
    "notice",
    "notice, long",
    "minutes",
    "minutes, minimal",
    "minutes of a support meeting",
    "information request",
    "contact log",
    "plan, long",
)


def context_of(
    event: SheetData,
    kind: str = "",
    view: View = FULL,
    recipient: str = "",
    hidden: tuple[str, ...] = (),
    withheld: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The values of a sheet."""
    return sheet_context(event, kind, view, hidden, withheld, False, recipient)


def rendered(kind: str, event: SheetData, view: View = FULL, recipient: str = "") -> bytes:
    """The sheet as the service makes it."""
    event_type = next(name for name, known in EVENTS.items() if known.data is type(event))
    template = (FOLDER / f"{template_name(row_of(event_type, kind, view), event)}.docx").read_bytes()
    return render_word(template, context_of(event, kind, view, recipient), marks=sheet_marks(False), title=kind)


def text_of(name: str) -> str:
    """All text of one of the sheets above."""
    kind, event, view, recipient, _ = SHEETS[name]
    return word_text(rendered(kind, event(), view, recipient))


@pytest.mark.parametrize("name", SHEETS)
def test_every_sheet_is_drawn_with_little_and_with_much(name: str) -> None:
    """No missing name, no stray None, nothing of a template left."""
    text = text_of(name)
    assert "None" not in text
    for left in ("{{ r", "{{ n", "{%p", "{%tr", "{% if", "district"):
        assert left not in text


def test_every_row_and_template_is_among_the_sheets() -> None:
    """What the table of kinds draws of these events is drawn above, in every view."""
    wanted = {(row.kind, row.view) for row in KINDS if row.kind in {kind for kind, *_ in SHEETS.values()}}
    assert wanted == {(kind, view) for kind, _, view, *_ in SHEETS.values()}


async def test_sheets_have_the_pages_that_a_form_of_paper_has(tmp_path: Path) -> None:
    """One page for a letter, two for a plan and for minutes, and what grows comes to its end."""
    converter = Converter("soffice", tmp_path)
    found = {}
    for name in CONVERTED:
        kind, event, view, recipient, _ = SHEETS[name]
        path = tmp_path / "sheet.pdf"
        path.write_bytes(await converter.convert(rendered(kind, event(), view, recipient)))
        found[name] = len(pypdf.PdfReader(path).pages)
    assert found == {name: SHEETS[name][4] for name in CONVERTED}


@pytest.mark.parametrize(
    ("form", "template"),
    [(MULTI_AGENCY, "plan_multi_agency"), (PARTICIPATION, "plan_participation"), (OUTREACH, "plan_outreach")],
)
def test_each_kind_of_plan_has_its_own_template(form: Plan, template: str) -> None:
    """案 and 決定 are drawn by the same one."""
    assert template_name(row_of(PLAN_PROPOSED, PLAN, FULL), proposed(form)) == template
    assert template_name(row_of(PLAN_DECIDED, PLAN, FULL), decided(form)) == template
    assert template_name(row_of(PLAN_DECIDED, SUPPORT_REQUEST, OWN_ALLOCATION), decided(form)) == SUPPORT_REQUEST


def test_minutes_of_a_support_meeting_are_another_paper() -> None:
    """By the role under which the item was heard, whatever the body is called."""
    row = row_of(MEETING_RECORDED, MINUTES_KIND, FULL)
    assert template_name(row, minuted_in_support_meeting()) == MINUTES_SUPPORT
    assert template_name(row, minuted(body_name="福生市支援会議")) == MINUTES_LAYERED


def filled(form: Any, left_out: Iterable[str] = ()) -> tuple[Any, list[str]]:
    """The form with a text of its own in every field that takes one, and a day of its own in every other; what is to be seen."""
    values: dict[str, Any] = {}
    struct: type[msgspec.Struct] = type(form)
    for place, field in enumerate(fields_of(struct)):
        if field.name in left_out:
            continue
        if field.kind in (Kind.LINE, Kind.TEXT):
            values[field.name] = f"見本の{field.title}"
        elif field.kind is Kind.DATE:
            values[field.name] = dt.date(2026, 12, 1) + dt.timedelta(days=place)
    seen = [format_wareki(value) if isinstance(value, dt.date) else value for value in values.values()]
    return msgspec.structs.replace(form, **values), seen


@pytest.mark.parametrize("form", [MULTI_AGENCY, PARTICIPATION, OUTREACH], ids=lambda form: form.kind.value)
def test_a_plan_shows_everything_of_its_kind(form: Plan) -> None:
    """Nothing that was written is left out of the paper; nothing of another kind is on it."""
    # what was chosen among the resources stands there by its name, in the place of its id
    whole, seen = filled(form, {*fields_left_out(form.kind), "resource_id"})
    text = word_text(rendered(PLAN, decided(whole, round=2, decided=PlanDates())))
    assert [words for words in seen if words not in text] == []
    assert ("マッチング先" in text) == (form.kind is PlanKind.PARTICIPATION)
    assert ("接触状況" in text) == (form.kind is PlanKind.OUTREACH)


def test_minutes_requests_and_logs_show_everything() -> None:
    """Each text and day of the form is on the paper of its role."""
    for event_of, form, role in (
        (minuted, MINUTES, LegalRole.LAYERED_SUPPORT_MEETING),
        (minuted_in_support_meeting, SUPPORT_MINUTES, LegalRole.SUPPORT_MEETING),
    ):
        whole, seen = filled(form, minutes_fields_left_out(role))
        text = word_text(rendered(MINUTES_KIND, event_of(whole)))
        assert [words for words in seen if words not in text] == []
    request, seen = filled(samples.REQUEST)
    assert [words for words in seen if words not in word_text(rendered(INFORMATION_REQUEST, requested(request)))] == []
    contact, seen = filled(samples.CONTACT)
    assert [words for words in seen if words not in word_text(rendered(CONTACT_LOG, samples.logged(contact)))] == []
    meeting, seen = filled(MEETING)
    assert [words for words in seen if words not in word_text(rendered(MEETING_NOTICE, convened(meeting)))] == []


def test_a_proposed_plan_says_so_and_leaves_room_for_the_three_dates() -> None:
    """案 in its title, lines for the dates, boxes for the result; the decided one has them filled in."""
    text = text_of("plan, proposed")
    for words in (
        "多機関協働プラン（兼利用申込書）（案）",
        "☐ 差戻し",
        "☑ 初回",
        "見本 太郎",
        "令和9年3月10日",
        "本人署名",
    ):
        assert words in text
    text = text_of("plan, decided")
    for words in (
        "令和8年12月9日",
        "令和8年12月7日",
        "令和8年12月11日",
        "福生市個別支援会議（重層的支援会議）",
        "策定",
    ):
        assert words in text
    assert "（案）" not in text
    assert "☐ 差戻し" not in text
    again = context_of(decided(round=3), PLAN)
    assert again["round_choices"] == "☐ 初回\u3000☑ 再プラン（第2回）"


def test_a_provisional_plan_is_not_signed() -> None:
    """Before there is consent the person signs nothing, and the paper says what it is."""
    text = text_of("plan, outreach")
    assert "同意を得る前のアウトリーチのプランです" in text
    assert "本人署名" not in text
    assert "☑ 同意の前" in text


def test_a_support_request_holds_the_rows_of_its_agency_alone() -> None:
    """Not the goals, not the policy, not what others do; with the answer to be given."""
    context = context_of(decided(), SUPPORT_REQUEST, OWN_ALLOCATION, "care")
    assert [row["part"] for row in context["allocations"]] == ["訪問介護と見守り。見本町1-2-3に伺う。"]
    text = text_of("support request")
    for words in ("見本介護サービス事業所　御中", "見本 太郎", "週2回", "令和9年5月31日", "☐ 引き受けられません"):
        assert words in text
    for words in ("家計", MULTI_AGENCY.goal, MULTI_AGENCY.policy, MULTI_AGENCY.issues, "見本地区"):
        assert words not in str(context)
    other = context_of(decided(), SUPPORT_REQUEST, OWN_ALLOCATION, "shakyo")
    assert [row["until"] for row in other["allocations"]] == ["令和9年6月13日"]


def test_a_notice_names_cases_by_number_to_those_who_hear_them() -> None:
    """An agency that leaves sees the place in the order alone; nobody's name but that of its own people."""
    context = context_of(convened(), MEETING_NOTICE, OWN_ITEM, "care")
    shown = {row["position"]: (row["case_number"], row["part"]) for row in context["items"]}
    assert shown == {1: ("C8-00034", "出席"), 2: (WITHHELD, "退席してください"), 3: ("－", "出席")}
    assert [row["name"] for row in context["members"]] == ["見本 介子"]
    assert context["law_texts"] == []
    for words in ("C8-00051", "見本 協"):
        assert words not in str(context)
    text = text_of("notice")
    for words in ("令和8年12月9日（水）　13時30分から15時30分まで", "☑ 合同で開催", "令和8年12月2日までに", "福生市長"):
        assert words in text


def test_a_notice_tells_the_duty_of_the_support_meeting_to_those_bound_by_it() -> None:
    """With the text of the law of the item that it hears; and says who of several people leaves."""
    context = context_of(convened(), MEETING_NOTICE, OWN_ITEM, "shakyo")
    assert context["law_texts"] == [LAW]
    assert context["items"][1]["part"] == "出席\n（退席：見本 新）"
    assert "見本 太郎" not in str(context)


def test_the_notice_to_file_names_everybody_called() -> None:
    """Who hears which item, and who leaves for which."""
    context = context_of(convened(), MEETING_NOTICE)
    assert [row["case_number"] for row in context["items"]] == ["C8-00034", "C8-00051", "－"]
    assert len(context["members"]) == len(samples.MEMBERS)
    assert [row["part"] for row in context["items"]] == [
        "全員",
        "全員\n（退席：見本介護サービス事業所、見本 新）",
        "全員",
    ]
    few = msgspec.structs.replace(samples.ITEMS[1], attends=("provider",))
    assert context_of(convened(items=(few,)), MEETING_NOTICE)["items"][0]["part"] == "福祉総合相談窓口"


def test_a_request_says_what_for_on_what_ground_and_by_when() -> None:
    """The article where it rests on one, else the consent; the person's name is in the paper, not in its heading."""
    text = text_of("information request")
    for words in (
        "見本診療所　御中",
        "退院の見込み",
        "見本法第2条",
        "令和8年12月4日",
        "令和8年12月9日（水）",
        "☐ 提供できません",
    ):
        assert words in text
    assert "個人情報共有同意書" in word_text(rendered(INFORMATION_REQUEST, requested(law_text="", meeting_on=None)))


def test_a_log_has_every_contact_of_its_period() -> None:
    """In the order given, with how, with whom, what, and who wrote it down when."""
    text = text_of("contact log")
    for words in (
        "令和8年11月1日　から　令和8年11月30日　まで",
        "2件",
        "14:30から1時間",
        "☑ 訪問",
        "☑ 手紙を残した",
        "見本 訪子",
    ):
        assert words in text
    assert "判断・所見" not in word_text(rendered(CONTACT_LOG, samples.logged(samples.PLAIN_CONTACT)))
    assert "この期間の記録はありません" in text_of("contact log, empty")
    assert "40件" in text_of("contact log, long")


def test_the_longest_forms_come_back_from_word_unchanged() -> None:
    """Rare characters, template-like text, sixty presences and thirty rows of 役割分担."""
    text = text_of("plan, long")
    assert all(name in text for name in list(MANY_AGENCIES.values())[:30])
    for words in (RARE, TYPED):
        assert words in text
    text = text_of("minutes, long")
    assert all(name in text for name in MANY_AGENCIES.values())
    assert TYPED in text


def test_a_sitting_may_say_little() -> None:
    """No end, no chair, no plan: no stray words."""
    short = Meeting(bodies=["layered-support"], held_on=MEETING.held_on, starts_at="09:05", place="見本会館")
    context = context_of(convened(short, bodies=("重層的支援会議",), reply_by=None), MEETING_NOTICE)
    assert context["held_at"] == "令和8年12月9日（水）　9時05分から"
    assert context["joint"].endswith("☑ 単独で開催")
    assert minuted(plan_number="", plan_kind=None).plan_number == ""
    assert context_of(minuted(plan_number="", plan_kind=None), MINUTES_KIND)["plan_number"] == "－"


@pytest.mark.parametrize(
    ("event", "kind", "view"),
    [
        (decided(), PLAN, OWN_ALLOCATION),
        (decided(), SUPPORT_REQUEST, FULL),
        (convened(), MEETING_NOTICE, MINIMAL),
        (minuted(), MINUTES_KIND, View.SUMMARY),
        (requested(), INFORMATION_REQUEST, OWN_ITEM),
        (usual_log(), CONTACT_LOG, View.SUMMARY),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_views_without_a_sheet_are_refused(event: SheetData, kind: str, view: View) -> None:
    """No sheet shows more than its view by mistake."""
    with pytest.raises(LookupError):
        context_of(event, kind, view, "care")
