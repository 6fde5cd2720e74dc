"""Plans over HTTP: drawn up, put before a meeting, adopted when three dates are on record, replaced, ended; who may, who sees."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import random

import pytest
from sqlalchemy import Connection

from tests.conftest import MovableClock
from tests.data.case_work import DESTINATION, ORIGIN, PROVIDER, SECTION, Desk, going_on, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.plan_work import CLOSED, LAYERED, SUPPORT, UNNAMED, Work, decided, plan, refused
from tests.data.referrals import referral, without_consent
from tests.intake import case_facts
from tsunagi_intake import erasure, plan_facts, plans
from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.plan_tables import plans as table
from tsunagi_intake.tables import allocations, audience, cases, consents, persons, records, timeline
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.audit import audit
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import PlanDecided, PlanProposed
from tsunagi_shared.forms.minutes import Decision
from tsunagi_shared.forms.plan import OF_KIND, PlanAllocation, PlanKind
from tsunagi_shared.problems import Refusal


@pytest.fixture
async def before_consent(intake: Intake) -> Work:
    """A case whose person was not asked yet."""
    return Work(await Desk(intake).open(**without_consent()))


@pytest.fixture
async def work(intake: Intake) -> Work:
    """A case with consent, assessed."""
    desk = await Desk(intake).open()
    await desk.send(desk.coordinator, "assessments", going_on())
    return Work(desk)


async def test_a_plan_from_draft_to_adopted(intake: Intake, work: Work) -> None:
    """Draft, 付議, decision, agreement, 支援決定: with the last of the three dates the plan is in force."""
    plan_id = await work.draft()
    assert (await work.row(plan_id))["state"] == "draft"
    assert (await work.post(work.desk.coordinator, plan_id, "proposal")).json()["code"] == "proposed"
    assert await decided(intake, plan_id, Decision.APPROVED) is PlanState.PROPOSED
    assert (await work.agree(plan_id)).json()["code"] == "proposed"
    receipt = (await work.municipal(plan_id)).json()
    assert (receipt["code"], receipt["case_state"]) == ("adopted", "supported")
    row = await work.row(plan_id)
    assert (row["state"], row["effective_on"], row["round"]) == ("adopted", clock.today().isoformat(), 1)
    assert (await work.case())["lead"] == PROVIDER
    assert [part["agency"] for part in await intake.rows(allocations)] == [DESTINATION, SUPPORT, UNNAMED]


# the decision gate -----------------------------------------------------------------------------------------------------


async def test_each_of_the_four_decisions(intake: Intake, work: Work) -> None:
    """策定, 再プラン, 終結, 中断: each refused while no meeting decided it, each carried out when one did."""
    plan_id = await work.proposed()
    assert refused(await work.step(plan_id, "adopt")) == (409, "meeting-decision-required")
    with pytest.raises(Refusal) as wrong:
        await decided(intake, plan_id, Decision.APPROVED, under=CLOSED)
    assert wrong.value.problem.code == "meeting-decision-required"
    assert (await work.row(plan_id))["meeting_on"] is None
    await decided(intake, plan_id, Decision.APPROVED)
    await work.agree(plan_id)
    await work.municipal(plan_id)
    for step in ("suspend", "end"):
        assert refused(await work.step(plan_id, step)) == (409, "meeting-decision-required")
    number = (await work.row(plan_id))["number"]
    follow = await work.proposed(
        previous=number, change="入院した", review="訪問は続いている", changes_made="家計の相談を加える"
    )
    assert refused(await work.step(follow, "replan")) == (409, "meeting-decision-required")
    assert await decided(intake, plan_id, Decision.SUSPENDED) is PlanState.SUSPENDED
    assert refused(await work.step(plan_id, "end")) == (409, "meeting-decision-required")
    await work.agree(follow)
    await work.municipal(follow)
    assert await decided(intake, follow, Decision.APPROVED) is PlanState.ADOPTED
    assert (await work.row(plan_id))["state"] == "superseded"
    assert await decided(intake, follow, Decision.ENDED, lead_agency=DESTINATION) is PlanState.ENDED
    case = await work.case()
    assert (case["state"], case["lead"]) == ("followed_up", DESTINATION)


@pytest.mark.parametrize("order", list(itertools.permutations(("meeting", "person", "municipality"))))
async def test_three_dates_in_any_order(intake: Intake, work: Work, order: tuple[str, ...]) -> None:
    """In whatever order the three dates come, the plan takes effect with the last of them, and not before."""
    plan_id = await work.proposed()
    for place, date in enumerate(order, 1):
        if date == "meeting":
            await decided(intake, plan_id, Decision.APPROVED)
        else:
            assert (await (work.agree if date == "person" else work.municipal)(plan_id)).status_code == 201
        assert (await work.row(plan_id))["state"] == ("adopted" if place == 3 else "proposed")
        missing = [name for name in ("meeting", "person", "municipality") if name not in order[:place]]
        if missing:
            code = {
                "meeting": "meeting-decision-required", "person": "person-agreement-required",
                "municipality": "municipal-decision-required",
            }[missing[0]]  # fmt: skip
            assert refused(await work.step(plan_id, "adopt")) == (409, code)
    assert refused(await work.agree(plan_id)) == (409, "plan-step")


async def test_outreach_before_consent(intake: Intake, before_consent: Work) -> None:
    """An outreach plan is confirmed by a 支援会議 before there is consent, counted apart, and adopted after it; no other is."""
    work = before_consent
    other = await work.proposed()
    with pytest.raises(Refusal) as wrong:
        await decided(intake, other, Decision.CONFIRMED, under=CLOSED)
    assert wrong.value.problem.code == "provisional-outreach-only"
    plan_id = await work.proposed("outreach")
    with pytest.raises(Refusal) as wrong:
        await decided(intake, plan_id, Decision.CONFIRMED, under=LAYERED)
    assert wrong.value.problem.code == "provisional-not-confirmed"
    with pytest.raises(Refusal) as wrong:
        await decided(intake, plan_id, Decision.APPROVED)
    assert wrong.value.problem.code == "plan-consent-missing"
    assert (
        await decided(intake, plan_id, Decision.CONFIRMED, under=CLOSED, body="support-meeting")
        is PlanState.PROVISIONAL
    )
    row = await work.row(plan_id)
    assert (row["provisional"], row["effective_on"], (await work.case())["state"]) == (1, None, "outreach")
    event = (await work.heard(events.PLAN_DECIDED, PlanDecided))[-1]
    assert (event.provisional, event.state, event.decided.legal_role_name) == (True, "provisional", "支援会議")
    assert set(await work.seen(plan_id)) == {PROVIDER, SECTION}
    await work.consent()
    await decided(intake, plan_id, Decision.APPROVED)
    await work.agree(plan_id)
    assert (await work.municipal(plan_id)).json()["code"] == "adopted"
    row = await work.row(plan_id)
    assert (row["provisional"], bool(row["confirmed_on"])) == (0, True)


async def test_steps_that_do_not_follow(intake: Intake, work: Work) -> None:
    """What the state of a plan does not allow is refused; 差戻し brings it back to its writer, without its dates."""
    plan_id = await work.draft()
    assert refused(await work.step(plan_id, "drop")) == (409, "plan-step")
    assert refused(await work.municipal(plan_id)) == (409, "plan-step")
    await work.post(work.desk.coordinator, plan_id, "proposal")
    assert refused(await work.post(work.desk.coordinator, plan_id, "proposal")) == (409, "plan-step")
    edit = plan(goal="もっと近い目標")
    path = f"/records/plan/{plan_id}"
    assert refused(await send(work.desk.coordinator, path, edit, method="PUT", revision=2)) == (409, "plan-step")
    await work.agree(plan_id)
    assert await decided(intake, plan_id, Decision.RETURNED) is PlanState.DRAFT
    row = await work.row(plan_id)
    assert (row["agreed_on"], row["meeting_on"], row["decided"]) == (None, None, "")
    answer = await send(work.desk.coordinator, path, edit, method="PUT", revision=row["revision"])
    assert answer.status_code == 200, answer.text
    page = (await work.desk.coordinator.get(f"/plans/{plan_id}")).json()
    assert (page["form"]["goal"], len(page["revisions"])) == ("もっと近い目標", 1)
    other = plan("participation")
    answer = await send(work.desk.coordinator, path, other, method="PUT", revision=page["revision"])
    assert answer.json()["errors"][0]["code"] == "kind-fixed"
    assert refused(await work.post(work.desk.coordinator, plan_id, "steps", {"step": "fly"})) == (400, "unknown-step")


async def test_one_open_plan_of_a_kind(intake: Intake, work: Work) -> None:
    """One open plan of a kind; a 再プラン beside the plan it replaces, and of nothing else; 包括へ makes room again."""
    first = await work.proposed()
    assert refused(await work.desk.send(work.desk.coordinator, "plans", plan())) == (409, "plan-already-open")
    again = {"change": "入院した", "review": "続いている", "changes_made": "加える"}
    for number in ("P2099-00009", (await work.row(first))["number"]):
        answer = await work.desk.send(work.desk.coordinator, "plans", plan(previous=number, **again))
        assert refused(answer) == (409, "replan-of-nothing")
    assert await decided(intake, first, Decision.TO_COMPREHENSIVE, lead_agency=ORIGIN) is PlanState.DROPPED
    assert (await work.case())["lead"] == ORIGIN
    second = await work.adopted()
    await work.adopted("participation")
    third = await work.adopted(previous=(await work.row(second))["number"], **again)
    row = await work.row(third)
    assert (row["round"], row["previous"]) == (2, second)
    assert [(await work.row(one))["state"] for one in (first, second, third)] == ["dropped", "superseded", "adopted"]
    parts = [part for part in await intake.rows(allocations) if part["ended_at"] is None]
    assert {part["id"].partition(".")[0] for part in parts} & {second} == set()
    event = next(event for event in await work.heard(events.PLAN_DECIDED, PlanDecided) if event.form_id == third)
    assert (event.round, event.previous_number) == (2, (await work.row(second))["number"])


async def test_a_plan_that_the_meeting_changed_is_agreed_to_anew(intake: Intake, work: Work) -> None:
    """修正承認: the parts and the lead are those of the minutes; the person and the municipality are asked once more."""
    plan_id = await work.proposed()
    await work.agree(plan_id)
    await work.municipal(plan_id)
    parts = [PlanAllocation(agency=DESTINATION, part="週1回の訪問")]
    found = await decided(
        intake,
        plan_id,
        Decision.APPROVED_WITH_CHANGES,
        allocations=parts,
        lead_agency=DESTINATION,
        body="layered-support",
    )
    assert found is PlanState.PROPOSED
    assert refused(await work.step(plan_id, "adopt")) == (409, "person-agreement-required")
    assert (await work.agree(plan_id)).json()["code"] == "proposed"
    assert (await work.municipal(plan_id)).json()["code"] == "adopted"
    event = (await work.heard(events.PLAN_DECIDED, PlanDecided))[-1]
    assert [part.part for part in event.form.allocations] == ["週1回の訪問"]
    assert event.decided.meeting_on == clock.today()
    assert [part["agency"] for part in await intake.rows(allocations)] == [DESTINATION]
    assert (await work.case())["lead"] == DESTINATION


async def test_a_decision_without_an_effect_and_a_minimal_end(intake: Intake, work: Work) -> None:
    """継続 changes nothing; a plan whose person cannot be reached is ended with the reason of the minimal item."""
    plan_id = await work.adopted()
    before = await work.row(plan_id)
    assert await decided(intake, plan_id, Decision.CONTINUED) is PlanState.ADOPTED
    assert await work.row(plan_id) == before
    assert await decided(intake, plan_id, Decision.ENDED, code="unreachable") is PlanState.ENDED
    assert (await work.row(plan_id))["end_code"] == "unreachable"
    assert all(part["ended_at"] for part in await intake.rows(allocations))


async def test_a_date_before_the_plan_was_made(work: Work) -> None:
    """Nobody agrees to, or decides on, what is not written yet."""
    plan_id = await work.proposed()
    early = (clock.today() - dt.timedelta(days=1)).isoformat()
    answer = await work.post(work.desk.coordinator, plan_id, "agreement", {"agreed_on": early})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "before-plan")
    answer = await work.post(work.desk.section, plan_id, "municipal-decision", {"decided_on": early})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "before-plan")


# who may, who sees -----------------------------------------------------------------------------------------------------


async def test_who_may_do_what_with_a_plan(intake: Intake, work: Work) -> None:
    """The provider draws up, the section decides, an agency with a part draws up plans of its own kind."""
    desk = work.desk
    council = intake.person("shakyo", UNNAMED, "agency_staff")
    assert refused(await desk.send(council, "plans", plan("participation"))) == (404, "not-found")
    await work.consent()
    assert refused(await desk.send(desk.section, "plans", plan())) == (409, "not-plan-owner")
    assert refused(await desk.send(desk.care, "plans", plan())) == (409, "not-plan-owner")
    plan_id = await work.adopted()
    assert refused(await desk.send(council, "plans", plan())) == (409, "not-plan-owner")
    own = await work.draft("participation", by=council)
    assert (await work.post(council, own, "proposal")).status_code == 201
    assert refused(await work.post(desk.mado, plan_id, "steps", {"step": "end"})) == (404, "not-found")
    assert refused(await work.post(council, own, "steps", {"step": "drop"})) == (409, "role-missing")
    today = clock.today().isoformat()
    for caller, code in ((desk.coordinator, "role-missing"), (council, "role-missing")):
        answer = await work.post(caller, own, "municipal-decision", {"decided_on": today})
        assert refused(answer) == (409, code)
    for caller in (desk.stranger, desk.care):
        assert refused(await caller.get(f"/plans/{own}")) == (404, "not-found")
        assert refused(await work.post(caller, own, "agreement", {"agreed_on": today})) == (404, "not-found")


async def test_each_agency_gets_its_own_part(intake: Intake, work: Work) -> None:
    """Once adopted, an agency of a row sees that row if the person agreed to it; others are named as left out."""
    plan_id = await work.proposed()
    assert set(await work.seen(plan_id)) == {PROVIDER, SECTION}
    await decided(intake, plan_id, Decision.APPROVED)
    await work.agree(plan_id)
    await work.municipal(plan_id)
    own = ("own_allocation", "consent")
    assert {agency: view for agency, view in (await work.seen(plan_id)).items() if view == own} == {
        DESTINATION: own, SUPPORT: own
    }  # fmt: skip
    page = (await work.desk.care.get(f"/plans/{plan_id}")).json()
    assert (page["form"], [part["agency"] for part in page["parts"]]) == (None, [DESTINATION])
    assert (page["offered"], page["withheld"]) == ([], [])
    full = (await work.desk.coordinator.get(f"/plans/{plan_id}")).json()
    assert [(row["agency"], row["code"]) for row in full["withheld"]] == [(UNNAMED, "consent-does-not-name")]
    listed = (await work.desk.care.get(f"/cases/{work.desk.case_number}")).json()["plans"]
    assert [(line["id"], line["view"]) for line in listed] == [(plan_id, "own_allocation")]
    await decided(intake, plan_id, Decision.SUSPENDED)
    assert DESTINATION not in await work.seen(plan_id)
    assert (await work.desk.care.get(f"/plans/{plan_id}")).status_code == 404


async def test_a_part_ends_with_its_day_and_with_the_consent(
    intake: Intake, work: Work, movable_clock: MovableClock
) -> None:
    """A row's last day, and else the plan's, is the last day of its access; a withdrawal ends it at once."""
    until = (clock.today() + dt.timedelta(days=3)).isoformat()
    parts = [{"agency": DESTINATION, "part": "訪問", "until": until}, {"agency": SUPPORT, "part": "家計の相談"}]
    plan_id = await work.adopted(allocations=parts)
    rows = {row["agency"]: row["until"] for row in await intake.rows(audience) if row["form"] == f"plan/{plan_id}"}
    assert rows[DESTINATION] == until
    assert rows[SUPPORT] == plan()["until"]
    consent = next(row for row in await intake.rows(consents))
    form = sample("consent_withdrawal", withdrawn_on=clock.today().isoformat(), agencies=[SUPPORT])
    answer = await send(work.desk.mado, f"/consents/{consent['id']}/withdrawal", form, revision=consent["revision"])
    assert answer.status_code == 201, answer.text
    assert SUPPORT not in await work.seen(plan_id)
    movable_clock.forward(4 * 86_400)
    assert (await work.desk.intake.signed_in("kaigo").get(f"/plans/{plan_id}")).status_code == 404


async def test_answers_to_the_requests_for_support(intake: Intake, work: Work) -> None:
    """The agency of a row answers for it, and nobody else; the newest answer stands on the plan; a reason goes with a no."""
    plan_id = await work.proposed()
    path = f"/plans/{plan_id}/allocations"
    yes = sample("support_answer")
    assert refused(await send(work.desk.care, f"{path}/1/answer", yes)) == (404, "not-found")
    await decided(intake, plan_id, Decision.APPROVED)
    await work.agree(plan_id)
    await work.municipal(plan_id)
    revision = (await work.row(plan_id))["revision"]
    for place in (0, 2, 9):
        assert refused(await send(work.desk.care, f"{path}/{place}/answer", yes)) == (409, "not-asked-to-support")
    assert refused(await send(work.desk.coordinator, f"{path}/1/answer", yes)) == (409, "not-asked-to-support")
    assert (await send(work.desk.care, f"{path}/1/answer", yes, key="one")).status_code == 201
    assert (await send(work.desk.care, f"{path}/1/answer", yes, key="one")).status_code == 201
    assert (await send(work.desk.care, f"{path}/1/answer", {"answer": "declined"})).json()["errors"][0][
        "path"
    ] == "note"
    no = {"answer": "declined", "note": "人手が足りない"}
    assert (await send(work.desk.care, f"{path}/1/answer", no)).status_code == 201
    part = (await work.desk.coordinator.get(f"/plans/{plan_id}")).json()["parts"][0]
    assert (part["answer"], part["answer_note"], part["answered_by"]) == ("declined", "人手が足りない", "見本　kaigo")
    assert [row["kind"] for row in await intake.rows(records)].count("support_answer") == 2
    assert (await work.row(plan_id))["revision"] == revision


# two at once, again and again ------------------------------------------------------------------------------------------


async def test_two_people_at_once(work: Work) -> None:
    """Of two that write the same draft, or begin the same kind of plan, one is told that the other came first."""
    two = [work.desk.send(work.desk.coordinator, "plans", plan()) for _ in range(2)]
    answers = await asyncio.gather(*two)
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    plan_id = next(answer.json()["id"] for answer in answers if answer.status_code == 201)
    edits = [plan(goal=f"目標{place}") for place in range(2)]
    path = f"/records/plan/{plan_id}"
    answers = await asyncio.gather(
        *(send(work.desk.coordinator, path, edit, method="PUT", revision=1) for edit in edits)
    )
    codes = sorted((answer.status_code, answer.json().get("code", "")) for answer in answers)
    assert [code[0] for code in codes] == [200, 409]
    assert codes[1][1] == "changed-meanwhile"
    answers = await asyncio.gather(*(work.post(work.desk.coordinator, plan_id, "proposal") for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_the_same_request_again(intake: Intake, work: Work) -> None:
    """With the same key the same answer comes again, and there is one plan."""
    path = f"/cases/{work.desk.case_number}/plans"
    first = await send(work.desk.coordinator, path, plan(), key="k1")
    again = await send(work.desk.coordinator, path, plan(), key="k1")
    assert (first.status_code, first.json()) == (201, again.json())
    assert len(await intake.rows(table)) == 1
    assert first.json()["number"].startswith("P")


async def test_what_is_told_of_a_plan(intake: Intake, work: Work) -> None:
    """Nothing while it is a draft; then the proposal, then the decision, each with a higher revision; time line and audit."""
    plan_id = await work.draft()
    assert not [event for event in await intake.events() if event.aggregate == f"plan/{plan_id}"]
    await work.post(work.desk.coordinator, plan_id, "proposal")
    (proposed,) = await work.heard(events.PLAN_PROPOSED, PlanProposed)
    row = await work.row(plan_id)
    assert (proposed.plan_number, proposed.state, proposed.revision) == (row["number"], "proposed", row["revision"])
    assert {entry.agency for entry in proposed.audience} == {PROVIDER, SECTION}
    assert {DESTINATION, SUPPORT, UNNAMED} <= proposed.agency_names.keys()
    await decided(intake, plan_id, Decision.APPROVED, body="layered-support")
    await work.agree(plan_id)
    await work.municipal(plan_id)
    told = await work.heard(events.PLAN_DECIDED, PlanDecided)
    assert {(event.state, event.revision) for event in told} == {("adopted", (await work.row(plan_id))["revision"])}
    assert DESTINATION in {entry.agency for entry in told[-1].audience}
    revisions = [event.revision for event in await intake.events() if event.aggregate == f"plan/{plan_id}"]
    assert revisions == sorted(revisions)
    lines = [line["kind"] for line in await intake.rows(timeline) if line["ref"] == f"plan/{plan_id}"]
    assert [kind for kind in lines if kind.startswith("plan_")] == [
        "plan_drafted", "plan_proposed", "plan_decided", "plan_agreed", "plan_municipal"
    ]  # fmt: skip
    actions = [row["action"] for row in await intake.rows(audit) if row["subject"] == f"plan/{plan_id}"]
    assert actions == ["plan.draft", "plan.propose", "plan.decide", "plan.agree", "plan.municipal"]


async def test_a_case_ends_with_its_open_plans(intake: Intake, work: Work) -> None:
    """A case without an adopted plan drops what was proposed when it is closed; one in support is not closed by hand."""
    plan_id = await work.proposed()
    case = await work.case()
    closure = sample("closure", reason="returned", lead_agency="")
    answer = await work.desk.send(work.desk.coordinator, "closure", closure, revision=case["revision"])
    assert answer.status_code == 201, answer.text
    row = await work.row(plan_id)
    assert (row["state"], row["end_code"]) == ("dropped", "closed")
    assert refused(await work.agree(plan_id)) == (409, "case-ended")


async def test_a_case_in_support_is_not_closed_by_hand(work: Work) -> None:
    """Its plan is to be ended by a meeting first."""
    await work.adopted()
    case = await work.case()
    answer = await work.desk.send(work.desk.coordinator, "closure", sample("closure"), revision=case["revision"])
    assert refused(answer) == (409, "meeting-decision-required")


# pages -----------------------------------------------------------------------------------------------------------------


async def test_the_page_of_each_kind_asks_for_its_own(work: Work) -> None:
    """A page shows the fields of its kind alone, and a post that is refused brings the same page back with what was typed."""
    base = f"/cases/{work.desk.case_number}/plans/new"
    found = {kind: (await work.desk.coordinator.get(f"{base}?kind={kind.value}", page=True)).text for kind in PlanKind}
    for kind, text in found.items():
        for other, names in OF_KIND.items():
            for name in names:
                assert (f'name="{name}"' in text) is (other is kind), (kind, name)
    assert (await work.desk.coordinator.get(f"{base}?kind=another", page=True)).status_code == 404
    assert (await work.desk.section.get(base, page=True)).status_code == 409
    fields = {"kind": "outreach", "goal": "関わりをつくる", "policy": ""}
    back = await work.desk.coordinator.post(f"/cases/{work.desk.case_number}/plans?kind=outreach", fields)
    assert (back.status_code, "関わりをつくる" in back.text, 'name="needs"' in back.text) == (422, True, False)


async def test_the_page_of_a_plan(intake: Intake, work: Work) -> None:
    """It offers what may be done now, and brings a refusal back on itself; a 再プラン starts with what the plan says."""
    plan_id = await work.draft()
    page = (await work.desk.coordinator.get(f"/plans/{plan_id}", page=True)).text
    assert "会議に付議する" in page
    assert "書き直す" in page
    answer = await work.desk.coordinator.post(f"/plans/{plan_id}/proposal?revision=1", {})
    assert answer.status_code == 303
    back = await work.desk.coordinator.post(f"/plans/{plan_id}/steps?revision=2", {"step": "adopt"})
    assert (back.status_code, "重層的支援会議の決定が必要です" in back.text) == (409, True)
    edit = await work.desk.coordinator.get(f"/forms/plan?record=plan/{plan_id}", page=True)
    assert edit.status_code == 409
    await decided(intake, plan_id, Decision.APPROVED)
    await work.agree(plan_id)
    await work.municipal(plan_id)
    page = (await work.desk.care.get(f"/plans/{plan_id}", page=True)).text
    assert "支援依頼に回答する" in page
    assert "家計の相談" not in page
    form = await work.desk.care.get(f"/forms/support_answer?plan={plan_id}&row=1", page=True)
    assert (form.status_code, f"/plans/{plan_id}/allocations/1/answer" in form.text) == (200, True)
    assert (await work.desk.care.get(f"/forms/support_answer?plan={plan_id}&row=2", page=True)).status_code == 409
    address = f"/cases/{work.desk.case_number}/plans/new?kind=multi_agency&previous={plan_id}"
    again = (await work.desk.coordinator.get(address, page=True)).text
    assert ("三人で暮らしつづける" in again, (await work.row(plan_id))["number"] in again) == (True, True)
    for kind in ("plan_agreement", "municipal_decision"):
        caller = work.desk.coordinator if kind == "plan_agreement" else work.desk.section
        assert (await caller.get(f"/forms/{kind}?plan={plan_id}", page=True)).status_code == 200
    case = (await work.desk.coordinator.get(f"/cases/{work.desk.case_number}", page=True)).text
    assert (await work.row(plan_id))["number"] in case


async def test_a_program_draws_up_a_plan(work: Work) -> None:
    """A key of the provider drafts and proposes; what only people decide stays theirs."""
    program = work.intake.program(PROVIDER, "cases:write", "cases:read")
    plan_id = await work.draft(by=program)
    assert (await work.post(program, plan_id, "proposal")).status_code == 201
    assert refused(await work.post(program, plan_id, "steps", {"step": "drop"})) == (409, "role-missing")


async def test_what_is_read_for_a_meeting(intake: Intake, work: Work) -> None:
    """The papers of a plan are the referral, the newest assessment and itself; a date does not change what was seen."""
    plan_id = await work.proposed()

    def found(connection: Connection) -> tuple[tuple[str, ...], str]:
        row = plan_facts.find(connection, plan_id)
        assert row is not None
        assert plan_facts.by_number(connection, row.number) == row
        return tuple(paper.form.partition("/")[0] for paper in plan_facts.papers_of(connection, row)), row.seen

    kinds, seen = await intake.runtime.database.read(found)
    assert kinds == ("referral", "assessment", "plan")
    await work.agree(plan_id)
    assert await intake.runtime.database.read(found) == (kinds, seen)
    await work.step(plan_id, "return")
    assert (await intake.runtime.database.read(found))[1] != seen


@pytest.mark.parametrize("seed", range(6))
async def test_a_shuffled_life_of_plans(intake: Intake, work: Work, seed: int) -> None:
    """Whatever is tried in whatever order: a plan in force has its three dates, parts belong to plans in force, one is open."""
    dice = random.Random(seed)
    known: list[str] = []
    for _ in range(40):
        plan_id = dice.choice(known) if known and dice.random() < 0.85 else ""
        if not plan_id:
            kind = dice.choice(("multi_agency", "participation"))
            before = [row["number"] for row in await intake.rows(table) if row["kind"] == kind]
            more = {"previous": dice.choice(before or [""]), "change": "変化", "review": "評価", "changes_made": "変更"}
            form = plan(kind, **(more if before and dice.random() < 0.5 else {}))
            answer = await work.desk.send(work.desk.coordinator, "plans", form)
            known += [answer.json()["id"]] if answer.status_code == 201 else []
        elif dice.random() < 0.4:
            with contextlib.suppress(Refusal):
                await decided(intake, plan_id, dice.choice(list(Decision)), under=dice.choice((LAYERED, CLOSED)))
        else:
            tried = dice.choice(("propose", "agree", "municipal", *(step.value for step in plans.Step)))
            if tried == "propose":
                answer = await work.post(work.desk.coordinator, plan_id, "proposal")
            elif tried in ("agree", "municipal"):
                answer = await (work.agree if tried == "agree" else work.municipal)(plan_id)
            else:
                answer = await work.step(plan_id, tried)
            assert answer.status_code in (201, 409), answer.text
        await holds(work)


async def holds(work: Work) -> None:
    """What is true of plans at any time."""
    rows = {row["id"]: row for row in await work.intake.rows(table)}
    in_force = {"adopted", "suspended", "ended", "superseded"}
    for row in rows.values():
        if row["state"] in in_force:
            assert all(row[name] for name in ("meeting_on", "agreed_on", "municipal_on", "effective_on"))
            assert row["heard_under"] == "layered_support_meeting"
    for kind in PlanKind:
        begun = [row for row in rows.values() if row["kind"] == kind.value and row["state"] in ("draft", "proposed")]
        there = [row for row in rows.values() if row["kind"] == kind.value and row["state"] in ("adopted", "suspended")]
        assert max(len(begun), len(there)) <= 1
        assert not (begun and there) or begun[0]["previous"] == there[0]["id"]
    live = {part["id"].partition(".")[0] for part in await work.intake.rows(allocations) if part["ended_at"] is None}
    assert live == {identity for identity, row in rows.items() if row["state"] == "adopted"}
    revisions = {row["id"]: row["revision"] for row in await work.intake.rows(records) if row["kind"] == "plan"}
    assert revisions == {identity: row["revision"] for identity, row in rows.items()}
    state = (await work.case())["state"]
    assert (state in ("supported", "followed_up")) is any(row["state"] in in_force for row in rows.values())


# the case around it ----------------------------------------------------------------------------------------------------


async def test_a_plan_goes_on_in_the_case_it_was_joined_to(intake: Intake, work: Work) -> None:
    """A case with a plan is joined to another: the plan takes effect there, and moves that case's state."""
    plan_id = await work.proposed()
    first = work.desk.case_number
    receipt = (await send(work.desk.mado, "/referrals", referral())).json()
    joining = {"into": receipt["case_number"]}
    revision = (await work.case())["revision"]
    joined = await send(work.desk.coordinator, f"/cases/{first}/joining", joining, revision=revision)
    assert joined.status_code == 201, joined.text
    await decided(intake, plan_id, Decision.APPROVED, lead_agency=DESTINATION)
    assert (await work.agree(plan_id)).status_code == 201
    receipt = (await work.municipal(plan_id)).json()
    assert (receipt["code"], receipt["case_state"]) == ("adopted", "supported")
    _, head = await intake.rows(cases)
    assert (head["state"], head["lead"]) == ("supported", DESTINATION)
    shown = (await work.desk.coordinator.get(f"/cases/{joining['into']}")).json()
    assert [line["id"] for line in shown["plans"]] == [plan_id]


async def test_a_plan_is_disclosed_and_erased_with_its_case(intake: Intake, work: Work) -> None:
    """The person gets what the plan says of them, its papers too; with the case's erasure nothing of it is left."""
    plan_id = await work.adopted()
    await send(work.desk.care, f"/plans/{plan_id}/allocations/1/answer", sample("support_answer"))
    person = next(row["same_as"] for row in await intake.rows(persons) if row["position"] == 0)
    answer = await work.desk.section.get(f"/cases/{work.desk.case_number}/disclosure?person={person}")
    sheets = {sheet["kind"]: sheet for sheet in answer.json()["sheets"]}
    assert {"plan", "plan_agreement", "municipal_decision", "support_answer"} <= sheets.keys()
    values = [line["value"] for part in sheets["plan"]["parts"] for line in part["lines"]]
    assert {"週2回の訪問", "三人で暮らしつづける"} <= set(values)

    def erase(connection: Connection) -> None:
        who = Principal("shokan", "見本　shokan", SECTION, frozenset(), via="job")
        erasure.erase_case(connection, intake.runtime, 1, who, erasure.RETENTION)

    await intake.runtime.database.write(erase)
    assert await intake.rows(table) == []
    assert await intake.rows(allocations) == []
    assert (await work.desk.coordinator.get(f"/plans/{plan_id}")).status_code == 404


def test_whose_rows_open_a_plan() -> None:
    """An agency of a row sees its own, as long as its part and every consent last, without those who did not agree to it."""
    last = case_facts.TODAY + dt.timedelta(days=9)
    ends = case_facts.TODAY + dt.timedelta(days=5)
    agreed = case_facts.consent(case_facts.CARE, case_facts.CLINIC)
    child = case_facts.consent(case_facts.CARE, id="c2", person=case_facts.CHILD, until=ends)
    facts = case_facts.form(
        agreed, child, form="plan/p1", kind="plan", destinations=(),
        persons=(case_facts.PERSON, case_facts.CHILD, case_facts.PARENT),
        own_rows={case_facts.CARE: last, case_facts.CLINIC: None, case_facts.NURSERY: None},
    )  # fmt: skip
    found = case_facts.audience(facts)
    entries = {entry.agency: entry for entry in found.entries if entry.view is View.OWN_ALLOCATION}
    assert {agency: (entry.until, entry.hidden) for agency, entry in entries.items()} == {
        case_facts.CARE: (ends, (case_facts.PARENT,)),
        case_facts.CLINIC: (None, (case_facts.CHILD, case_facts.PARENT)),
    }
    assert [(one.agency, one.code) for one in found.withheld] == [(case_facts.NURSERY, "consent-does-not-name")]
    until_its_day = case_facts.form(agreed, form="plan/p1", kind="plan", own_rows={case_facts.CARE: last})
    assert case_facts.entries(until_its_day)[case_facts.CARE].until == last
