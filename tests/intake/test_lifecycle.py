"""In which state a case is, by what is on record; which steps a plan takes, and on whose decision."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from tests.intake.case_facts import DAY, TODAY
from tsunagi_intake.lifecycle import (
    Action,
    CaseFacts,
    CaseState,
    DecisionFacts,
    DecisionPurpose,
    OtherPlan,
    PlanAction,
    PlanFacts,
    PlanState,
    case_state,
    case_step,
    decision_gate,
    new_plan,
    plan_step,
)
from tsunagi_intake.rule import Broken
from tsunagi_shared.contracts.profile import LegalRole
from tsunagi_shared.forms.answers import ReplyDecision
from tsunagi_shared.forms.assessment import Screening
from tsunagi_shared.forms.case_actions import ClosureReason
from tsunagi_shared.forms.plan import PlanKind

ADOPTED, DRAFT, ENDED = PlanState.ADOPTED, PlanState.DRAFT, PlanState.ENDED
SUSPENDED, DROPPED, PROPOSED = PlanState.SUSPENDED, PlanState.DROPPED, PlanState.PROPOSED


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, CaseState.RECEIVED),
        ({"consented": True, "lead": "a"}, CaseState.RECEIVED),
        ({"replied": "accepted"}, CaseState.SCREENED),
        ({"intake": True}, CaseState.SCREENED),
        ({"assessed": True, "consented": True}, CaseState.SCREENED),
        ({"screening": "suspended", "consented": True}, CaseState.SCREENED),
        ({"replied": "returned"}, CaseState.RETURNED),
        ({"replied": "returned", "screening": "continued", "consented": True}, CaseState.RETURNED),
        ({"screening": "advised"}, CaseState.ADVISED),
        ({"screening": "handed_over", "consented": True}, CaseState.HANDED_OVER),
        ({"screening": "consent_pending"}, CaseState.OUTREACH),
        ({"screening": "continued", "assessed": True}, CaseState.OUTREACH),
        ({"plans": (PlanState.PROVISIONAL,)}, CaseState.OUTREACH),
        ({"plans": (DROPPED,), "outreach": True}, CaseState.OUTREACH),
        ({"plans": (PlanState.PROVISIONAL,), "screening": "continued"}, CaseState.OUTREACH),
        ({"screening": "consent_pending", "consented": True}, CaseState.ACCEPTED),
        ({"screening": "continued", "consented": True}, CaseState.ACCEPTED),
        ({"screening": "continued", "consented": True, "plans": (DRAFT, PROPOSED, DROPPED)}, CaseState.ACCEPTED),
        ({"screening": "continued", "consented": True, "assessed": True}, CaseState.ASSESSED),
        ({"screening": "continued", "consented": True, "plans": (ADOPTED,)}, CaseState.SUPPORTED),
        ({"plans": (SUSPENDED,), "lead": "a"}, CaseState.SUPPORTED),
        ({"plans": (ADOPTED,), "replied": "returned", "screening": "advised"}, CaseState.SUPPORTED),
        ({"plans": (ENDED,)}, CaseState.SUPPORTED),
        ({"plans": (PlanState.SUPERSEDED,)}, CaseState.SUPPORTED),
        ({"plans": (ENDED, DRAFT), "lead": "a"}, CaseState.SUPPORTED),
        ({"plans": (ENDED, DROPPED, PlanState.SUPERSEDED), "lead": "a"}, CaseState.FOLLOWED_UP),
        ({"plans": (DROPPED,), "lead": "a"}, CaseState.SCREENED),
        ({"ended_code": "advised"}, CaseState.ADVISED),
        ({"ended_code": "handed_over"}, CaseState.HANDED_OVER),
        ({"ended_code": "outreach_ended", "plans": (PlanState.PROVISIONAL,)}, CaseState.OUTREACH_ENDED),
        ({"ended_code": "returned"}, CaseState.RETURNED),
        ({"ended_code": "closed"}, CaseState.CLOSED),
        ({"ended_code": "received"}, CaseState.CLOSED),
        ({"ended_code": "advised", "plans": (ENDED,), "lead": "a"}, CaseState.CLOSED),
        ({"ended_code": "advised", "plans": (DROPPED,)}, CaseState.ADVISED),
        ({"all_withdrawn": True, "ended_code": "closed", "plans": (ADOPTED,)}, CaseState.WITHDRAWN),
    ],
)
def test_rule_case_state(facts: dict[str, Any], state: CaseState) -> None:
    """The state follows from what is on record and from nothing else."""
    assert case_state(CaseFacts(**facts)) is state


def test_the_codes_of_the_forms_are_those_of_the_states() -> None:
    """Each screening result, reply and reason for closing a case leads to a state of its own."""
    for screening in Screening:
        assert case_state(CaseFacts(screening=screening.value)) is not CaseState.RECEIVED
    for decision in ReplyDecision:
        assert case_state(CaseFacts(replied=decision.value)) is not CaseState.RECEIVED
    for reason in ClosureReason:
        assert case_state(CaseFacts(ended_code=reason.value)).value == reason.value


def test_which_states_are_an_end() -> None:
    """Those marked so in the life cycle."""
    assert {state.value for state in CaseState if state.ended} == {
        "advised", "handed_over", "outreach_ended", "closed", "returned", "withdrawn",
    }  # fmt: skip
    assert {state.value for state in PlanState if not state.open} == {"ended", "dropped", "superseded"}


@pytest.mark.parametrize("state", [state for state in CaseState if not state.ended])
def test_rule_case_evaluate(state: CaseState) -> None:
    """There is something to evaluate once outreach or support has begun."""
    broken = case_step(state, Action.EVALUATE)
    assert (broken.code if broken else "") == (
        "nothing-to-evaluate" if state in (CaseState.RECEIVED, CaseState.SCREENED) else ""
    )


@pytest.mark.parametrize("state", list(CaseState))
def test_a_case_with_an_adopted_plan_ends_by_a_meeting(state: CaseState) -> None:
    """Without one it ends with a reason; after follow-up it is closed; an ended one does not end again."""
    broken = case_step(state, Action.CLOSE_CASE)
    expected = "case-ended" if state.ended else "meeting-decision-required" if state is CaseState.SUPPORTED else ""
    assert (broken.code if broken else "") == expected


ALL_STEPS = {
    ("draft", "propose"): "proposed",
    ("proposed", "return_to_draft"): "draft",
    ("proposed", "drop"): "dropped",
    ("proposed", "confirm"): "provisional",
    ("proposed", "adopt"): "adopted",
    ("provisional", "adopt"): "adopted",
    ("provisional", "drop"): "dropped",
    ("adopted", "suspend"): "suspended",
    ("adopted", "end"): "ended",
    ("adopted", "supersede"): "superseded",
    ("suspended", "end"): "ended",
    ("suspended", "supersede"): "superseded",
}
PURPOSES = {"adopt": DecisionPurpose.ADOPT, "end": DecisionPurpose.END, "suspend": DecisionPurpose.SUSPEND}


def decided(purpose: DecisionPurpose | None, **changes: Any) -> DecisionFacts:
    """A decision of the 重層的支援会議 with all three dates, today."""
    facts = DecisionFacts(
        purpose=purpose, heard_under=LegalRole.LAYERED_SUPPORT_MEETING, decided_on=TODAY, agreed_on=TODAY, municipal_on=TODAY
    )  # fmt: skip
    return msgspec.structs.replace(facts, **changes)


def plan(action: PlanAction, **changes: Any) -> PlanFacts:
    """An outreach plan for which everything is there that the action asks for."""
    facts = PlanFacts(
        kind=PlanKind.OUTREACH,
        day=TODAY,
        consented=action is not PlanAction.CONFIRM,
        confirmed_under=LegalRole.SUPPORT_MEETING,
        successor=ADOPTED,
        decision=decided(PURPOSES.get(action.value)),
    )
    return msgspec.structs.replace(facts, **changes)


def step(state: PlanState, action: PlanAction, **changes: Any) -> str:
    """The next state, or the code of what stands against it."""
    found = plan_step(state, action, plan(action, **changes))
    return found.code if isinstance(found, Broken) else found.value


@pytest.mark.parametrize("state", list(PlanState))
def test_rule_plan_step(state: PlanState) -> None:
    """From each state only the steps of the life cycle lead on."""
    found = {action.value: step(state, action) for action in PlanAction}
    assert found == {action.value: ALL_STEPS.get((state.value, action.value), "plan-step") for action in PlanAction}


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (PROPOSED, PlanAction.ADOPT),
        (PlanState.PROVISIONAL, PlanAction.ADOPT),
        (ADOPTED, PlanAction.END),
        (ADOPTED, PlanAction.SUSPEND),
        (SUSPENDED, PlanAction.END),
    ],
)
def test_rule_meeting_decision(state: PlanState, action: PlanAction) -> None:
    """Only by a decision to that end, in the minutes of an item heard under 重層的支援会議, that was taken already."""
    purpose = PURPOSES[action.value]
    assert step(state, action) == ALL_STEPS[state.value, action.value]
    wrong: list[dict[str, Any]] = [
        {"heard_under": role} for role in LegalRole if role.value != "layered_support_meeting"
    ]
    wrong += [{"heard_under": None}, {"decided_on": None}, {"decided_on": TODAY + DAY}]
    for changes in wrong:
        assert step(state, action, decision=decided(purpose, **changes)) == "meeting-decision-required"
    for other in {*DecisionPurpose, None} - {purpose}:
        assert step(state, action, decision=decided(other)) == "meeting-decision-required"
    assert step(state, action, decision=DecisionFacts()) == "meeting-decision-required"


@pytest.mark.parametrize("purpose", [DecisionPurpose.ADOPT, DecisionPurpose.REPLAN])
def test_rule_three_dates(purpose: DecisionPurpose) -> None:
    """策定 and 再プラン: the meeting's, the person's and (unless the profile says otherwise) the municipality's date."""

    def code(day: dt.date = TODAY, **changes: Any) -> str:
        broken = decision_gate(purpose, decided(purpose, **changes), day)
        return broken.code if broken else ""

    replan = purpose is DecisionPurpose.REPLAN
    assert code() == ""
    assert step(PROPOSED, PlanAction.ADOPT, replan=replan, decision=decided(purpose)) == "adopted"
    assert step(PROPOSED, PlanAction.ADOPT, replan=not replan, decision=decided(purpose)) == "meeting-decision-required"
    for day in (None, TODAY + DAY):
        assert code(agreed_on=day) == "person-agreement-required"
        assert code(municipal_on=day) == "municipal-decision-required"
        assert code(municipal_on=day, municipal_required=False) == ""
        assert code(agreed_on=day, municipal_required=False) == "person-agreement-required"
    assert code(TODAY - DAY) == "meeting-decision-required"
    assert code(TODAY + DAY) == ""


@pytest.mark.parametrize("purpose", [DecisionPurpose.END, DecisionPurpose.SUSPEND])
def test_an_end_needs_the_meeting_alone(purpose: DecisionPurpose) -> None:
    """Neither the person's agreement nor a 支援決定: the person may be gone."""
    facts = decided(purpose, agreed_on=None, municipal_on=None)
    assert decision_gate(purpose, facts, TODAY) is None


def test_what_is_not_said_opens_nothing() -> None:
    """The municipality's decision is required unless somebody says otherwise; nothing is on record of a case by itself."""
    assert DecisionFacts().municipal_required
    nothing = CaseFacts()
    assert (nothing.replied, nothing.screening, nothing.lead, nothing.ended_code) == ("", "", "", "")


def test_rule_plan_provisional() -> None:
    """Before consent only an outreach plan, confirmed by a 支援会議; it is adopted once there is consent, and not before."""
    confirm = PlanAction.CONFIRM
    assert step(PROPOSED, confirm) == "provisional"
    for kind in (PlanKind.MULTI_AGENCY, PlanKind.PARTICIPATION):
        assert step(PROPOSED, confirm, kind=kind) == "provisional-outreach-only"
    assert step(PROPOSED, confirm, consented=True) == "provisional-outreach-only"
    for role in {*LegalRole, None} - {LegalRole.SUPPORT_MEETING}:
        assert step(PROPOSED, confirm, confirmed_under=role) == "provisional-not-confirmed"
    for state in (PROPOSED, PlanState.PROVISIONAL):
        assert step(state, PlanAction.ADOPT, consented=False) == "plan-consent-missing"


@pytest.mark.parametrize("state", [ADOPTED, SUSPENDED])
def test_a_plan_is_superseded_when_the_next_is_adopted(state: PlanState) -> None:
    """By a 再プラン that was decided, never by one that is only drawn up."""
    for successor in {*PlanState, None} - {ADOPTED}:
        assert step(state, PlanAction.SUPERSEDE, successor=successor) == "meeting-decision-required"


def others(*states: PlanState, kind: PlanKind = PlanKind.MULTI_AGENCY) -> tuple[OtherPlan, ...]:
    """Plans p0, p1 … of the case."""
    return tuple(OtherPlan(f"p{place}", kind, state) for place, state in enumerate(states))


def opened(previous: str, found: tuple[OtherPlan, ...]) -> str:
    """The code of what stands against a new 多機関協働 plan; empty: nothing."""
    broken = new_plan(PlanKind.MULTI_AGENCY, previous, found)
    return broken.code if broken else ""


@pytest.mark.parametrize("state", list(PlanState))
def test_rule_plan_one_open(state: PlanState) -> None:
    """One open plan of a kind; a 再プラン stands beside the one in force that it is to replace, and beside no other."""
    assert opened("", others(state)) == ("plan-already-open" if state.open else "")
    assert opened("", others(state, kind=PlanKind.OUTREACH)) == ""
    in_force = state in (ADOPTED, SUSPENDED)
    assert opened("p0", others(state)) == ("" if in_force else "replan-of-nothing")
    assert opened("p0", others(state, DRAFT)) == ("plan-already-open" if in_force else "replan-of-nothing")
    assert opened("p0", others(state, ENDED)) == ("" if in_force else "replan-of-nothing")
    assert opened("p0", others(state, kind=PlanKind.OUTREACH)) == "replan-of-nothing"
    assert opened("p9", others(state)) == "replan-of-nothing"
    assert opened("", ()) == ""
