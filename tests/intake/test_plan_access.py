"""What of a plan outlives a change of it, and what its pages show to whom: dates that belong to one content, names of others."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from tests.data.case_work import DESTINATION, PROVIDER, SECTION, Desk, going_on, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.plan_work import Work, decided, plan, refused
from tests.intake.sittings import Table, code_of, said
from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.tables import referrals
from tsunagi_shared import clock
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.events import PlanDecided
from tsunagi_shared.forms.minutes import Decision
from tsunagi_shared.forms.plan import PlanAllocation
from tsunagi_shared.forms.withheld_text import WITHHELD

OTHER_PARTS = [PlanAllocation(agency=DESTINATION, part="月1回の訪問")]
_DATES = ("agreed_on", "municipal_on", "meeting_on")


@pytest.fixture
async def work(intake: Intake) -> Work:
    """A case with consent, assessed."""
    desk = await Desk(intake).open()
    await desk.send(desk.coordinator, "assessments", going_on())
    return Work(desk)


def days_ago(days: int) -> str:
    return (clock.today() - dt.timedelta(days=days)).isoformat()


async def rewritten(work: Work, plan_id: str, **changes: Any) -> dict[str, Any]:
    """The row of a draft whose page was sent back with these changes."""
    page = (await work.desk.coordinator.get(f"/records/plan/{plan_id}")).json()
    form = {name: value for name, value in (page["form"] | changes).items() if value is not None}
    path = f"/records/plan/{plan_id}"
    answer = await send(work.desk.coordinator, path, form, method="PUT", revision=page["revision"])
    assert answer.status_code == 200, answer.text
    return await work.row(plan_id)


async def typed_of(work: Work, plan_id: str) -> dict[str, Any]:
    form: dict[str, Any] = (await work.desk.coordinator.get(f"/records/plan/{plan_id}")).json()["form"]
    return form


# dates belong to one content -------------------------------------------------------------------------------------------


async def test_the_municipality_decides_anew_on_what_a_meeting_changed(intake: Intake, work: Work) -> None:
    """修正承認 takes 支援決定 and agreement back, out of the form too: the plan waits for both, of days after the meeting."""
    made = days_ago(3)
    plan_id = await work.proposed(made_on=made, starts=made, agreed_on=days_ago(2))
    assert (await work.municipal(plan_id)).json()["code"] == "proposed"
    found = await decided(intake, plan_id, Decision.APPROVED_WITH_CHANGES, allocations=OTHER_PARTS)
    assert found is PlanState.PROPOSED
    row = await work.row(plan_id)
    assert [row[name] for name in _DATES] == [None, None, clock.today().isoformat()]
    assert (await typed_of(work, plan_id))["agreed_on"] is None
    early = await work.post(work.desk.coordinator, plan_id, "agreement", {"agreed_on": days_ago(2)})
    assert (early.status_code, early.json()["errors"][0]["code"]) == (422, "before-change")
    early = await work.post(work.desk.section, plan_id, "municipal-decision", {"decided_on": days_ago(1)})
    assert (early.status_code, early.json()["errors"][0]["code"]) == (422, "before-change")
    assert (await work.agree(plan_id)).json()["code"] == "proposed"
    assert refused(await work.step(plan_id, "adopt")) == (409, "municipal-decision-required")
    assert (await work.municipal(plan_id)).json()["code"] == "adopted"
    event = (await work.heard(events.PLAN_DECIDED, PlanDecided))[-1]
    assert (event.form.agreed_on, event.decided.agreed_on) == (None, clock.today())


async def test_what_a_meeting_left_as_it_was_keeps_its_dates(intake: Intake, work: Work) -> None:
    """承認 with the parts and the lead of the plan itself changes nothing: with the other two dates it takes effect."""
    plan_id = await work.proposed()
    await work.agree(plan_id)
    await work.municipal(plan_id)
    form = plan()
    parts = [PlanAllocation(**row) for row in form["allocations"]]
    same = {"allocations": parts, "lead_agency": form["lead_agency"]}
    assert await decided(intake, plan_id, Decision.APPROVED, **same) is PlanState.ADOPTED


@pytest.mark.parametrize("way", ["step", "meeting"])
async def test_what_came_back_from_a_meeting_was_agreed_to_by_nobody(intake: Intake, work: Work, way: str) -> None:
    """差戻し takes the dates back, out of the form as well: its page starts without the agreement."""
    plan_id = await work.proposed(agreed_on=clock.today().isoformat())
    await work.municipal(plan_id)
    if way == "step":
        await work.step(plan_id, "return")
    else:
        await decided(intake, plan_id, Decision.RETURNED)
    row = await work.row(plan_id)
    assert (row["state"], [row[name] for name in _DATES]) == ("draft", [None, None, None])
    assert (await typed_of(work, plan_id))["agreed_on"] is None
    row = await rewritten(work, plan_id, goal="まったく別の目標")
    assert row["agreed_on"] is None
    await work.post(work.desk.coordinator, plan_id, "proposal")
    await decided(intake, plan_id, Decision.APPROVED)
    assert refused(await work.step(plan_id, "adopt")) == (409, "person-agreement-required")


async def test_another_content_is_agreed_to_on_another_day(work: Work) -> None:
    """The day that a draft had goes with its content; a later one that is typed anew counts; the same content keeps it."""
    made = days_ago(5)
    plan_id = await work.draft(made_on=made, starts=made, agreed_on=days_ago(3))
    assert (await rewritten(work, plan_id))["agreed_on"] == days_ago(3)
    assert (await rewritten(work, plan_id, goal="別の目標"))["agreed_on"] is None
    assert (await typed_of(work, plan_id))["agreed_on"] is None
    assert (await rewritten(work, plan_id, agreed_on=days_ago(2)))["agreed_on"] == days_ago(2)
    early = await rewritten(work, plan_id, goal="さらに別の目標", agreed_on=days_ago(4))
    assert early["agreed_on"] is None
    await work.agree(plan_id)
    assert (await rewritten(work, plan_id))["agreed_on"] == clock.today().isoformat()
    assert (await rewritten(work, plan_id, goal="また別の目標"))["agreed_on"] is None


async def test_a_typed_agreement_to_the_new_content_counts(work: Work) -> None:
    """Content and agreement that are typed together, the agreement after the one before, belong together."""
    made = days_ago(5)
    plan_id = await work.draft(made_on=made, starts=made, agreed_on=days_ago(3))
    row = await rewritten(work, plan_id, goal="別の目標", agreed_on=days_ago(1))
    assert (row["agreed_on"], (await typed_of(work, plan_id))["agreed_on"]) == (days_ago(1), days_ago(1))


# what an agency reads of its own rows ----------------------------------------------------------------------------------


async def test_hidden_people_are_not_named_in_any_text_of_a_row(intake: Intake) -> None:
    """An agency reads of its rows and answers everything but the names of those who did not agree to it, however written."""
    name, kana, close = "見本　桜子", "ミホン　サクラコ", "見本桜子"
    household = [{"relationship": "長女", "name": name, "kana": kana}]
    work = Work(await Desk(intake).open(household=household, household_size=2))
    await work.desk.send(work.desk.coordinator, "assessments", going_on())
    await work.consent()
    row = {
        "agency": DESTINATION, "in_charge": f"{close}の担当", "part": f"{name}さん（{kana}）の送迎", "frequency": f"{close}の日",
    }  # fmt: skip
    plan_id = await work.adopted(allocations=[row])
    answer = {"answer": "accepted", "in_charge": f"{name}の係", "note": f"{close}さんに会う"}
    assert (await send(work.desk.care, f"/plans/{plan_id}/allocations/1/answer", answer)).status_code == 201
    (mine,) = (await work.desk.care.get(f"/plans/{plan_id}")).json()["parts"]
    texts = [mine[field] for field in ("in_charge", "part", "frequency", "answered_in_charge", "answer_note")]
    assert all(WITHHELD in text for text in texts)
    page = (await work.desk.care.get(f"/plans/{plan_id}", page=True)).text
    for spelling in (name, close, kana, name.split()[-1]):
        assert spelling not in "".join(texts)
        assert spelling not in page
    (whole,) = (await work.desk.section.get(f"/plans/{plan_id}")).json()["parts"]
    assert (whole["part"], whole["answer_note"]) == (row["part"], answer["note"])


async def test_what_is_protected_is_cut_out_of_every_text_of_a_row(intake: Intake) -> None:
    """An address that is protected stands in no field of a row, nor of its answer, for whoever is not cleared."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    address = msgspec.json.decode((await intake.rows(referrals))[0]["form"])["person"]["address"]
    short = address[:40]
    parts = [{"agency": DESTINATION, "in_charge": short, "part": short, "frequency": short}]
    plan_id = await table.work.adopted(allocations=parts)
    answer = {"answer": "accepted", "in_charge": short, "note": short}
    await send(table.care, f"/plans/{plan_id}/allocations/1/answer", answer)
    case = await table.work.case()
    form = sample("protection", person=await table.person(), since=clock.today().isoformat(), cleared=[PROVIDER])
    assert (await table.desk.send(table.mado, "protections", form, revision=case["revision"])).status_code == 201
    for caller in (table.care, table.section):
        (part,) = (await caller.get(f"/plans/{plan_id}")).json()["parts"]
        assert not [name for name, value in part.items() if isinstance(value, str) and address in value]


# a reason that does not hold -------------------------------------------------------------------------------------------


async def test_a_minimal_item_gives_a_reason_that_holds(
    intake: Intake,
) -> None:
    """撤回, 拒否 and 期限切れ are no reasons while the consent is live, at any step up to closing; 連絡不能 is one."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    table.plan_id = await table.work.adopted()
    number = (await table.work.row(table.plan_id))["number"]
    meeting = await table.sitting()
    for reason in ("withdrawn", "refused", "expired"):
        answer = await table.put(meeting, number, occasion="end", minimal_reason=reason)
        assert code_of(answer) == (409, "gate-minimal-purpose"), reason
    item = await table.item(meeting, number, occasion="end", minimal_reason="unreachable")
    assert (await send(table.coordinator, f"/meetings/{meeting}/items/{item}/withdrawal")).status_code in (200, 201)
    await table.withdraw()
    item = await table.item(meeting, number, occasion="end", minimal_reason="withdrawn")
    await table.call(meeting, (PROVIDER, "chosei"))
    await table.consent(PROVIDER, SECTION, DESTINATION)
    assert (await table.outlook(meeting))["items"][-1]["blocked"]["code"] == "gate-minimal-purpose"
    assert code_of(await table.convene(meeting)) == (409, "gate-minimal-purpose")
    await table.withdraw()
    assert (await table.convene(meeting)).status_code == 201
    await table.write(meeting, item, {"presences": said([(PROVIDER, "chosei")])["presences"], "decision": "ended"})
    await table.consent(PROVIDER, SECTION, DESTINATION)
    assert code_of(await table.close(meeting)) == (409, "gate-minimal-purpose")
    await table.withdraw()
    closed = await table.close(meeting)
    assert closed.status_code == 201, closed.text
    assert (await table.work.row(table.plan_id))["end_code"] == "withdrawn"
