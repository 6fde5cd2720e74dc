"""Who may do what to a case, and when an item may be heard: every gate, tried from the wrong side too."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from typing import Any

import msgspec
import pytest

from tests.intake.case_facts import (
    CARE,
    CHILD,
    CLINIC,
    DAY,
    NURSERY,
    PERSON,
    PROVIDER,
    SECTION,
    TODAY,
    changed,
    consent,
    entrusted,
    fussa,
)
from tsunagi_intake import rules
from tsunagi_intake.lifecycle import AFTER_THE_END, DecisionPurpose
from tsunagi_intake.rules import Action, Actor, Attendee, CaseState, ItemFacts, MinimalReason, Standing
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import BasisKind, View
from tsunagi_shared.contracts.profile import LegalRole, Role

STAFF = {"clerk", "promoter", "coordinator", "chair", "agency_staff", "responsible_section"}
STEERS = {"coordinator", "responsible_section"}
ROLES = [role.value for role in Role]

# How an agency may stand to a case: by its office, by what it wrote, by consent, by a sitting, by law, or not at all.
POSITIONS = {
    "writer": Standing(view=View.FULL, basis=BasisKind.ORIGIN, is_writer=True),
    "provider": Standing(view=View.FULL, basis=BasisKind.PROVIDER, is_provider=True),
    "section": Standing(view=View.FULL, basis=BasisKind.RESPONSIBLE_SECTION, is_section=True),
    "allocated": Standing(view=View.SUMMARY, basis=BasisKind.CONSENT, is_allocated=True),
    "planner": Standing(view=View.SUMMARY, basis=BasisKind.CONSENT, is_allocated=True, draws_up=True),
    "asked": Standing(view=View.OWN_ALLOCATION, basis=BasisKind.CONSENT, is_asked=True),
    "destination": Standing(view=View.SUMMARY, basis=BasisKind.CONSENT),
    "member": Standing(view=View.FULL, basis=BasisKind.SITTING),
    "told-by-law": Standing(view=View.FULL, basis=BasisKind.LEGAL_DUTY),
    "told-in-emergency": Standing(view=View.FULL, basis=BasisKind.EMERGENCY),
    "provider-without-consent": Standing(is_provider=True),
    "allocated-without-consent": Standing(is_allocated=True),
    "stranger": Standing(),
}
SEEING = {name for name, standing in POSITIONS.items() if standing.view}
FULLY = {name for name, standing in POSITIONS.items() if standing.view is View.FULL}
EVERYBODY = set(POSITIONS)
OFFICE = {"provider", "section"}

# action → (positions, roles) that may; whoever is not here may not.
MAY: dict[Action, list[tuple[set[str], set[str]]]] = {
    Action.READ: [(SEEING, STAFF | {"auditor"})],
    Action.REPLY: [({"provider", "allocated", "planner", "asked", "destination", "member"}, STAFF)],
    Action.WITHDRAW_REFERRAL: [({"writer"}, STAFF)],
    Action.RECALL_REFERRAL: [({"writer"}, STAFF), (OFFICE, STEERS)],
    Action.CORRECT: [({"writer"}, STAFF)],
    Action.GIVE_CONSENT: [(FULLY, STAFF)],
    Action.WITHDRAW_CONSENT: [(FULLY, STAFF)],
    Action.EXTEND_CONSENT: [(FULLY, STAFF)],
    Action.ASSESS: [({"provider", "allocated", "planner"}, STAFF)],
    Action.LOG_CONTACT: [(SEEING, STAFF)],
    Action.EVALUATE: [({"provider", "allocated", "planner"}, STAFF)],
    Action.PLEDGE: [(EVERYBODY, STAFF)],
    Action.PROPOSE_PLAN: [({"provider", "planner"}, STAFF)],
    Action.AGREE_PLAN: [({"provider", "planner"}, STAFF)],
    Action.DECIDE_PLAN: [({"section"}, {"responsible_section"})],
    Action.STEP_PLAN: [(OFFICE, STEERS)],
    Action.ANSWER_SUPPORT: [({"asked"}, STAFF)],
    Action.PROTECT: [(FULLY, STAFF)],
    Action.LIFT_PROTECTION: [(OFFICE, STEERS)],
    Action.ALLOCATE: [(OFFICE, STEERS)],
    Action.SET_LEAD: [(OFFICE, STEERS)],
    Action.CLOSE_CASE: [(OFFICE, STEERS)],
    Action.JOIN_CASES: [(OFFICE, STEERS)],
    Action.RECORD_GROUND: [(OFFICE, STEERS | {"chair"})],
    Action.END_GROUND: [(OFFICE, STEERS | {"chair"})],
    Action.REVIEW_GROUND: [({"section"}, {"responsible_section"})],
    Action.PUT_ON_AGENDA: [(SEEING, STEERS | {"chair"})],
    Action.REQUEST_INFORMATION: [(OFFICE, STEERS | {"chair"})],
    Action.ANSWER_INFORMATION: [(SEEING, STAFF)],
    Action.ISSUE_CONTACT_LOG: [({"provider", "section", "allocated", "planner"}, STAFF)],
    Action.PROPOSE_DISPOSAL: [({"section"}, {"responsible_section"})],
    Action.PROPOSE_DISPOSAL: [({"section"}, {"responsible_section"})],
    Action.APPROVE_DISPOSAL: [({"section"}, {"responsible_section"})],
    Action.HOLD: [({"section"}, {"responsible_section"})],
    Action.DISCLOSE: [({"section"}, {"responsible_section"})],
}


def actor(*roles: str, **changes: Any) -> Actor:
    """Somebody with these roles whose agency's contract holds."""
    return Actor(user="user-a", agency="any", roles=frozenset(roles), contract_live=changes.get("contract_live", True))


def standing(position: str, **changes: Any) -> Standing:
    """A position on a running case, with a referral that waits for its answer and a disposal somebody else proposed."""
    usual = {"case_state": CaseState.ACCEPTED, "form_state": "submitted", "made_by": "user-b"}
    return msgspec.structs.replace(POSITIONS[position], **{**usual, **changes})


def code(action: Action, who: Actor, where: Standing) -> str:
    """The refusal's code; empty when it is permitted."""
    broken = rules.permitted(action, who, where)
    return broken.code if broken else ""


def allowed(action: Action, position: str, role: str) -> bool:
    """What MAY says."""
    return any(position in positions and role in who for positions, who in MAY[action])


@pytest.mark.parametrize("action", list(Action))
def test_every_action_from_every_side(action: Action) -> None:
    """Role by role and position by position, an action is permitted to those it is meant for and to nobody else."""
    for position, role in itertools.product(POSITIONS, ROLES):
        refused = code(action, actor(role), standing(position))
        assert (refused == "") is allowed(action, position, role), (position, role, refused)


SOMEBODY = [(action, min(positions), min(who)) for action, found in MAY.items() for positions, who in found[:1]]


@pytest.mark.parametrize(("action", "position", "role"), SOMEBODY)
def test_contract_of_the_actor(action: Action, position: str, role: str) -> None:
    """Nobody acts for an agency whose contract does not hold, whatever else they may."""
    assert code(action, actor(role), standing(position)) == ""
    assert code(action, actor(role, contract_live=False), standing(position)) == "contract-ended"


@pytest.mark.parametrize("action", [action for action, found in MAY.items() if found[0][0] <= SEEING])
def test_rule_may_see(action: Action) -> None:
    """Who may not see the case learns nothing more, whoever they are; what needs the whole form needs the full view."""
    of_office = MAY[action][0][0] == {"section"}
    for position in ("stranger", "allocated-without-consent", "provider-without-consent"):
        assert code(action, actor(*ROLES), standing(position)) == ("not-section" if of_office else "no-view")
    summary = code(action, actor(*ROLES), standing("destination"))
    assert (summary == "full-view-needed") is (MAY[action][0][0] == FULLY)
    for position in OFFICE:
        if action is Action.LIFT_PROTECTION:
            seen = msgspec.structs.replace(standing(position), view=View.SUMMARY)
            assert code(action, actor(*ROLES), seen) == "full-view-needed"


@pytest.mark.parametrize(("action", "position", "role"), SOMEBODY)
def test_rule_may_role(action: Action, position: str, role: str) -> None:
    """Neither administrators nor people without a role do anything to a case, nor do auditors more than read."""
    for roles in ((), ("administrator",), ("auditor",), ("administrator", "auditor")):
        reads = action is Action.READ and "auditor" in roles
        assert code(action, actor(*roles), standing(position)) == ("" if reads else "role-missing")
    assert code(action, actor(role, "administrator"), standing(position)) == ""


def test_rule_may_part() -> None:
    """The agency must be the one whose matter it is; the refusal says whose it is."""
    every = actor(*STAFF)
    expected = {
        Action.WITHDRAW_REFERRAL: "not-writer",
        Action.RECALL_REFERRAL: "not-writer",
        Action.CORRECT: "not-writer",
        Action.ASSESS: "not-allocated",
        Action.EVALUATE: "not-allocated",
        Action.LIFT_PROTECTION: "not-provider-or-section",
        Action.ALLOCATE: "not-provider-or-section",
        Action.SET_LEAD: "not-provider-or-section",
        Action.CLOSE_CASE: "not-provider-or-section",
        Action.JOIN_CASES: "not-provider-or-section",
        Action.RECORD_GROUND: "not-provider-or-section",
        Action.STEP_PLAN: "not-provider-or-section",
        Action.DECIDE_PLAN: "not-section",
        Action.REQUEST_INFORMATION: "not-provider-or-section",
        Action.ISSUE_CONTACT_LOG: "not-allocated",
        Action.END_GROUND: "not-provider-or-section",
        Action.REVIEW_GROUND: "not-section",
        Action.PROPOSE_DISPOSAL: "not-section",
        Action.PROPOSE_DISPOSAL: "not-section",
        Action.APPROVE_DISPOSAL: "not-section",
        Action.HOLD: "not-section",
        Action.DISCLOSE: "not-section",
    }
    assert {action: code(action, every, standing("member")) for action in expected} == expected


def test_rule_may_plan() -> None:
    """A plan is the provider's, or that of the agency which carries out its kind; a 支援依頼 is answered by whom it asks."""
    every = actor(*STAFF)
    for action in (Action.PROPOSE_PLAN, Action.AGREE_PLAN):
        assert code(action, every, standing("allocated")) == "not-plan-owner"
        assert code(action, every, standing("section")) == "not-plan-owner"
        assert code(action, every, standing("planner")) == ""
    assert code(Action.ANSWER_SUPPORT, every, standing("provider")) == "not-asked-to-support"
    assert code(Action.ANSWER_SUPPORT, every, standing("asked")) == ""


def test_rule_may_reply() -> None:
    """Asked are the provider, the 支援会議 and destinations with consent; the provider's answer settles it, each answers once."""
    for position in ("writer", "section", "told-by-law", "told-in-emergency"):
        assert code(Action.REPLY, actor("clerk"), standing(position)) == "not-asked-to-reply"
    for state in ("accepted", "returned", "", "live"):
        settled = {"provider": "already-answered", "member": "already-answered"}
        settled |= {"destination": "" if state == "accepted" else "already-answered"}
        found = {name: code(Action.REPLY, actor("clerk"), standing(name, form_state=state)) for name in settled}
        assert found == settled
    for position, state in itertools.product(("provider", "destination", "member"), ("submitted", "accepted")):
        again = standing(position, form_state=state, has_replied=True)
        assert code(Action.REPLY, actor("clerk"), again) == "already-answered"


def test_rule_may_second_person() -> None:
    """Who made the list does not approve it, nor does anybody approve a list that nobody made."""
    section = actor("responsible_section")
    for made_by in ("user-a", ""):
        refused = code(Action.APPROVE_DISPOSAL, section, standing("section", made_by=made_by))
        assert refused == "second-person-needed"
    assert code(Action.HOLD, section, standing("section", made_by="user-a")) == ""


@pytest.mark.parametrize("state", ["withdrawn", "misdirected"])
def test_what_was_taken_back_is_left_alone(state: str) -> None:
    """It is neither answered nor corrected nor taken back again; the case goes on."""
    on_form = {Action.REPLY: "provider", Action.WITHDRAW_REFERRAL: "writer", Action.RECALL_REFERRAL: "writer",
               Action.CORRECT: "writer"}  # fmt: skip
    for action, position, role in SOMEBODY:
        refused = code(action, actor(role), standing(on_form.get(action, position), form_state=state))
        assert refused == ("record-withdrawn" if action in on_form else ""), action


@pytest.mark.parametrize("state", ["submitted", "accepted", "returned", "live"])
def test_what_was_answered_is_still_its_writers(state: str) -> None:
    """An answer stands against another answer alone: the writer corrects and takes back, whoever answered what."""
    own = standing("writer", form_state=state, has_replied=True)
    for action in (Action.WITHDRAW_REFERRAL, Action.RECALL_REFERRAL, Action.CORRECT):
        assert code(action, actor("clerk"), own) == ""


@pytest.mark.parametrize("state", list(CaseState))
def test_rule_case_end(state: CaseState) -> None:
    """An ended case, and one joined to another, is read and people are protected; nothing else is done to it."""
    for action, position, role in SOMEBODY:
        refused = code(action, actor(role), standing(position, case_state=state))
        joined = code(action, actor(role), standing(position, case_state=state, joined=True))
        if action in AFTER_THE_END:
            assert (refused, joined) == ("", "")
        else:
            assert (refused == "case-ended") is state.ended
            assert joined == "case-joined"
    assert {
        Action.READ, Action.RECALL_REFERRAL, Action.WITHDRAW_CONSENT, Action.PROTECT, Action.LIFT_PROTECTION,
        Action.REVIEW_GROUND, Action.END_GROUND, Action.PROPOSE_DISPOSAL, Action.APPROVE_DISPOSAL, Action.HOLD,
        Action.DISCLOSE,
    } == AFTER_THE_END  # fmt: skip


def test_what_belongs_to_no_case_knows_no_state() -> None:
    """A pledge is given outside of any case."""
    assert code(Action.PLEDGE, actor("clerk"), Standing()) == ""
    assert (Standing().form_state, Standing().made_by) == ("", "")


def test_a_caller_as_actor() -> None:
    """A person has the roles of the post; a key acts for its agency as its 相談員; out of contract or unknown, neither acts."""
    person = Principal("user-a", "見本 太郎", CARE, frozenset({"agency_staff"}))
    found = rules.actor_of(person, fussa(), TODAY)
    assert found == Actor(user="user-a", agency=CARE, roles=frozenset({"agency_staff"}), contract_live=True)
    key = Principal("key-a", "見本の鍵", CARE, frozenset(), via="key")
    assert rules.actor_of(key, fussa(), TODAY).roles == {"clerk"}
    before = dt.date(2025, 3, 31)
    contractor = fussa().contractor_on("welfare-council", TODAY)
    council = Principal("user-a", "見本 太郎", "welfare-council", frozenset({"clerk"}), contractor=contractor)
    assert rules.actor_of(council, fussa(), before + DAY).contract_live
    assert not rules.actor_of(council, fussa(), before).contract_live
    other = msgspec.structs.replace(council, contractor="見本法人")
    assert not rules.actor_of(other, fussa(), before + DAY).contract_live
    nobody = Principal("user-a", "見本 太郎", "nobody", frozenset({"clerk"}))
    assert not rules.actor_of(nobody, fussa(), TODAY).contract_live


def attendee(agency: str, **changes: Any) -> Attendee:
    """Somebody of that agency, neither chosen nor told."""
    return msgspec.structs.replace(Attendee(user=f"user-of-{agency}", agency=agency), **changes)


def item(*present: Attendee, **changes: Any) -> ItemFacts:
    """An item of the 重層的支援会議 about one person who agreed to CARE, NURSERY, PROVIDER and SECTION."""
    facts = ItemFacts(
        body="layered-support", roles=(LegalRole.LAYERED_SUPPORT_MEETING,), persons=(PERSON,), present=present,
        consents=(consent(CARE, NURSERY, PROVIDER, SECTION),),
    )  # fmt: skip
    return msgspec.structs.replace(facts, **changes)


def gate(facts: ItemFacts, **changes: Any) -> str:
    """The code of what stands against hearing it; empty: nothing."""
    broken = rules.consent_gate(facts, changed(fussa(), **changes) if changes else fussa(), TODAY)
    return broken.code if broken else ""


def test_rule_gate_one_role() -> None:
    """Exactly one legal role, which the body has on that day, and a body that hears cases."""
    heard = item(attendee(CARE))
    assert gate(heard) == ""
    both = (LegalRole.LAYERED_SUPPORT_MEETING, LegalRole.SUPPORT_MEETING)
    for roles in ((), both):
        assert gate(msgspec.structs.replace(heard, roles=roles)) == "gate-one-role"
    for body in ("support-meeting", "nowhere"):
        assert gate(msgspec.structs.replace(heard, body=body)) == "gate-body-role"
    early = rules.consent_gate(heard, fussa(), dt.date(2025, 3, 31))
    assert early is not None
    assert early.code == "gate-body-role"
    deaf = tuple(msgspec.structs.replace(body, hears_cases=False) for body in fussa().bodies)
    assert gate(heard, bodies=deaf) == "gate-body-cases"


def test_rule_gate_layered() -> None:
    """Everybody present is named by everybody shown; a blocked item is told where it can be heard instead."""
    everybody = (attendee(CARE), attendee(PROVIDER), attendee(SECTION))
    assert gate(item(*everybody)) == ""
    assert gate(item(*everybody, attendee(CLINIC))) == "gate-agency-unnamed"
    with_child = item(*everybody, persons=(PERSON, CHILD))
    assert gate(with_child) == "gate-consent-missing"
    theirs = consent(CARE, PROVIDER, id="c2", person=CHILD)
    narrower = msgspec.structs.replace(with_child, consents=(*with_child.consents, theirs))
    assert gate(narrower) == "gate-agency-unnamed"
    assert rules.unnamed(narrower, fussa(), TODAY) == ((CHILD, SECTION),)
    assert gate(msgspec.structs.replace(narrower, present=everybody[:2])) == ""
    for dead in ({"withdrawn_on": TODAY}, {"until": TODAY - DAY, "given_on": TODAY - DAY}):
        gone = consent(CARE, PROVIDER, SECTION, **dead)
        assert gate(item(*everybody, consents=(gone,))) == "gate-consent-missing"
    excluding = consent(CARE, PROVIDER, SECTION, excluded=frozenset({CARE}))
    assert gate(item(*everybody, consents=(excluding,))) == "gate-agency-unnamed"
    assert gate(item(*everybody, persons=())) == "gate-consent-missing"
    assert gate(item(*everybody, consents=())) == "gate-consent-missing"
    assert "支援会議で扱え" in rules.REFUSALS["gate-consent-missing"].way_out


def test_other_bodies_hear_cases_under_consent_too() -> None:
    """A body that is neither: what the person did not agree to is not shown there."""
    coordination = item(attendee(CARE), body="support-coordination", roles=(LegalRole.SUPPORT_COORDINATION_MEETING,))
    assert gate(coordination) == ""
    assert gate(msgspec.structs.replace(coordination, consents=())) == "gate-consent-missing"


def test_rule_gate_support_meeting() -> None:
    """Without consent: who is present was chosen for the item and told of the duty; a 誓約 only where the profile asks."""
    chosen = {"chosen": True, "told": True}
    closed = item(
        attendee(CLINIC, **chosen), attendee(SECTION, **chosen), body="support-meeting",
        roles=(LegalRole.SUPPORT_MEETING,), consents=(),
    )  # fmt: skip
    assert gate(closed) == ""

    def also(**changes: bool) -> ItemFacts:
        return msgspec.structs.replace(closed, present=(*closed.present, attendee(CARE, **changes)))

    assert gate(also(told=True)) == "gate-not-chosen"
    assert gate(also(chosen=True)) == "gate-not-told"
    assert gate(also(**chosen)) == ""
    assert gate(also(**chosen), pledge_required=True) == "gate-not-pledged"
    one_did = (msgspec.structs.replace(closed.present[0], pledged=True), closed.present[1])
    assert gate(msgspec.structs.replace(closed, present=one_did), pledge_required=True) == "gate-not-pledged"
    pledged = tuple(msgspec.structs.replace(one, pledged=True) for one in also(**chosen).present)
    assert gate(msgspec.structs.replace(closed, present=pledged), pledge_required=True) == ""


@pytest.mark.parametrize("reason", list(MinimalReason))
def test_rule_gate_minimal_item(reason: MinimalReason) -> None:
    """終結 and 中断 without consent: three codes, shown to the provider and the municipality alone."""
    minimal = item(
        attendee(PROVIDER), attendee(SECTION), minimal=reason, persons=(), consents=(), purpose=DecisionPurpose.END,
        municipality=frozenset({SECTION}), shows=frozenset({"case_number", "plan_number", "reason_code"}),
    )  # fmt: skip
    change = msgspec.structs.replace
    assert gate(minimal) == ""
    assert gate(change(minimal, purpose=DecisionPurpose.SUSPEND, shows=frozenset({"case_number"}))) == ""
    for purpose in (DecisionPurpose.ADOPT, DecisionPurpose.REPLAN, None):
        assert gate(change(minimal, purpose=purpose)) == "gate-minimal-purpose"
    closed = change(minimal, body="support-meeting", roles=(LegalRole.SUPPORT_MEETING,))
    assert gate(closed) == "gate-minimal-purpose"
    assert gate(change(minimal, shows=minimal.shows | {"summary"})) == "gate-minimal-content"
    assert gate(change(minimal, persons=(PERSON,))) == "gate-minimal-content"
    assert gate(change(minimal, present=(*minimal.present, attendee(CARE)))) == "gate-minimal-present"
    assert gate(change(minimal, municipality=frozenset())) == "gate-minimal-present"
    assert gate(change(minimal, minimal=None)) == "gate-consent-missing"
    there_is_none = reason in (MinimalReason.WITHDRAWN, MinimalReason.REFUSED, MinimalReason.EXPIRED)
    assert gate(change(minimal, consented=False)) == ""
    assert gate(change(minimal, consented=True)) == ("gate-minimal-purpose" if there_is_none else "")
    assert rules.consent_gate(minimal, entrusted(), TODAY) is not None  # its provider is another


def test_every_refusal_belongs_to_a_rule_and_says_what_is_possible() -> None:
    """One table: each code once, a reason and a way out in whole Japanese sentences, a rule that names the code."""
    by_id = {rule.id: rule for rule in rules.RULES}
    assert len(by_id) == len(rules.RULES)
    assert sorted(code for rule in rules.RULES for code in rule.codes) == sorted(rules.REFUSALS)
    for code_, broken in rules.REFUSALS.items():
        assert broken.code == code_
        assert code_ in by_id[broken.rule].codes
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code_)
        assert broken.reason.endswith("。")
        assert broken.way_out.endswith("。")
    for rule in rules.RULES:
        assert rule.number in range(1, 10)
        assert rule.says.endswith("。")
        assert rule.title
        assert rule.source
