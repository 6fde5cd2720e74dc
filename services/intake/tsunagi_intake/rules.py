"""Who may do what, and when an item may be heard: the gates that every write passes (rules `may-…`, `gate-…`).

Pure functions over plain data. Each answers None, or which rule is broken, why, and what is possible instead. The rules
themselves stand in `rulebook`, the life cycles of cases and plans in `lifecycle`, consent in `consents`, audiences in
`audience`.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from tsunagi_intake import consents, lifecycle
from tsunagi_intake.consents import ConsentFact
from tsunagi_intake.lifecycle import Action, CaseFacts, CaseState, PlanState, case_state, case_step
from tsunagi_intake.rulebook import REFUSALS, RULES, Broken, Rule
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import BasisKind, View
from tsunagi_shared.contracts.profile import LegalRole, Profile, Role
from tsunagi_shared.forms.meeting import MinimalReason

__all__ = [
    "REFUSALS",
    "RULES",
    "Action",
    "Actor",
    "Attendee",
    "Broken",
    "CaseFacts",
    "CaseState",
    "ItemFacts",
    "MinimalReason",
    "PlanState",
    "Rule",
    "Standing",
    "actor_of",
    "case_state",
    "case_step",
    "consent_gate",
    "permitted",
    "unnamed",
]

_STAFF = frozenset(
    {Role.CLERK, Role.PROMOTER, Role.COORDINATOR, Role.CHAIR, Role.AGENCY_STAFF, Role.RESPONSIBLE_SECTION}
)
_STEERS = frozenset({Role.COORDINATOR, Role.RESPONSIBLE_SECTION})
_DECLARES = frozenset({Role.COORDINATOR, Role.CHAIR, Role.RESPONSIBLE_SECTION})
_OVERSEES = frozenset({Role.RESPONSIBLE_SECTION})
_READS = _STAFF | {Role.AUDITOR}
_ANSWERS = frozenset({BasisKind.PROVIDER, BasisKind.CONSENT, BasisKind.SITTING})
_TAKEN_BACK = frozenset({"withdrawn", "misdirected"})


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts: the person, the agency they act for, the roles held there, and whether that agency's contract holds today."""

    user: str
    agency: str
    roles: frozenset[str]
    contract_live: bool


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the actor's agency stands to the form or case that the action is about.

    `view`, `basis`: of its entry in the audience today, None without one (of a case: FULL by what others wrote in it or the
    referral it rests on, never by notes of the agency's own); `is_writer`: it wrote the form; `is_allocated`: the
    case was allocated to it; `case_state`: None where there is no case; `joined`: the case was joined to another;
    `form_state`: submitted | accepted | returned | live | withdrawn | misdirected, empty where there is no form;
    `has_replied`: it answered this referral before; `made_by`: the user who made what is to be approved; `draws_up`: the case
    was allocated to it, and it carries out that part of the programme which plans of the kind belong to; `is_asked`: the
    支援依頼 is addressed to it.
    """

    view: View | None = None
    basis: BasisKind | None = None
    is_writer: bool = False
    is_provider: bool = False
    is_section: bool = False
    is_allocated: bool = False
    case_state: CaseState | None = None
    joined: bool = False
    form_state: str = ""
    has_replied: bool = False
    made_by: str = ""
    draws_up: bool = False
    is_asked: bool = False


class _Part(msgspec.Struct, frozen=True):
    """The parts an agency may play (fields of Standing), of which it must play one; and the refusal when it plays none."""

    any_of: tuple[str, ...]
    code: str


class _Need(msgspec.Struct, frozen=True, kw_only=True):
    """What an action needs: roles, a part to play, and to see the form or case at all, or all of it."""

    roles: frozenset[Role] = _STAFF
    part: _Part | None = None
    sees: bool = True
    sees_all: bool = False


_OFFICE = _Part(("is_provider", "is_section"), "not-provider-or-section")
_WRITER = _Part(("is_writer",), "not-writer")
_STEERING = _Need(roles=_STEERS, part=_OFFICE)
_SECTION = _Need(roles=_OVERSEES, part=_Part(("is_section",), "not-section"), sees=False)
_FULL = _Need(sees_all=True)
_WORKERS = _Need(part=_Part(("is_provider", "is_allocated"), "not-allocated"))
_PLANNERS = _Need(part=_Part(("is_provider", "draws_up"), "not-plan-owner"))
_NEEDS: dict[Action, _Need] = {
    Action.READ: _Need(roles=_READS),
    Action.REPLY: _Need(),
    Action.WITHDRAW_REFERRAL: _Need(part=_WRITER),
    Action.RECALL_REFERRAL: _Need(part=_Part(("is_writer", "is_section", "is_provider"), "not-writer")),
    Action.CORRECT: _Need(part=_WRITER),
    Action.GIVE_CONSENT: _FULL,
    Action.WITHDRAW_CONSENT: _FULL,
    Action.EXTEND_CONSENT: _FULL,
    Action.ASSESS: _WORKERS,
    Action.LOG_CONTACT: _Need(),
    Action.EVALUATE: _WORKERS,
    Action.PLEDGE: _Need(sees=False),
    Action.PROPOSE_PLAN: _PLANNERS,
    Action.AGREE_PLAN: _PLANNERS,
    Action.DECIDE_PLAN: _SECTION,
    Action.STEP_PLAN: _STEERING,
    Action.ANSWER_SUPPORT: _Need(part=_Part(("is_asked",), "not-asked-to-support")),
    Action.PROTECT: _FULL,
    Action.LIFT_PROTECTION: _Need(roles=_STEERS, part=_OFFICE, sees_all=True),
    Action.ALLOCATE: _STEERING,
    Action.SET_LEAD: _STEERING,
    Action.CLOSE_CASE: _STEERING,
    Action.JOIN_CASES: _STEERING,
    Action.RECORD_GROUND: _Need(roles=_DECLARES, part=_OFFICE),
    Action.REVIEW_GROUND: _SECTION,
    Action.PUT_ON_AGENDA: _Need(roles=_DECLARES),
    Action.REQUEST_INFORMATION: _Need(roles=_DECLARES, part=_OFFICE, sees_all=True),
    Action.ANSWER_INFORMATION: _Need(),
    Action.ISSUE_CONTACT_LOG: _Need(part=_Part(("is_provider", "is_section", "is_allocated"), "not-allocated")),
    Action.END_GROUND: _Need(roles=_DECLARES, part=_OFFICE),
    Action.PROPOSE_DISPOSAL: _SECTION,
    Action.APPROVE_DISPOSAL: _SECTION,
    Action.HOLD: _SECTION,
    Action.DISCLOSE: _SECTION,
}
_ON_A_FORM = frozenset({Action.REPLY, Action.WITHDRAW_REFERRAL, Action.RECALL_REFERRAL, Action.CORRECT})


def actor_of(principal: Principal, profile: Profile, day: dt.date) -> Actor:
    """The actor that a caller is. A key acts for its agency as its 相談員: what it may do at all is its scopes' matter."""
    roles: frozenset[str] = frozenset({Role.CLERK.value}) if principal.via == "key" else principal.roles
    return Actor(
        user=principal.user,
        agency=principal.agency,
        roles=roles,
        contract_live=profile.acts_for(principal.agency, principal.contractor, day),
    )


def permitted(action: Action, actor: Actor, standing: Standing) -> Broken | None:
    """What stands against the action; None: nothing. The state of the case is part of it (`case_step`).

    `no-view` must be answered like what does not exist: the caller may not learn that there is anything.
    """
    need = _NEEDS[action]
    if not actor.contract_live:
        return REFUSALS["contract-ended"]
    if need.sees and standing.view is None:
        return REFUSALS["no-view"]
    if need.roles.isdisjoint(actor.roles):
        return REFUSALS["role-missing"]
    if need.part is not None and not any(getattr(standing, part) for part in need.part.any_of):
        return REFUSALS[need.part.code]
    if need.sees_all and standing.view is not View.FULL:
        return REFUSALS["full-view-needed"]
    return _special(action, actor, standing) or _on_record(action, standing)


def _special(action: Action, actor: Actor, standing: Standing) -> Broken | None:
    """What only one action asks for."""
    if action is Action.RECALL_REFERRAL and not standing.is_writer and actor.roles.isdisjoint(_STEERS):
        return REFUSALS["role-missing"]
    if action is Action.APPROVE_DISPOSAL and (not standing.made_by or standing.made_by == actor.user):
        return REFUSALS["second-person-needed"]
    if action is Action.REPLY and standing.basis not in _ANSWERS:
        return REFUSALS["not-asked-to-reply"]
    return None


def _on_record(action: Action, standing: Standing) -> Broken | None:
    """What the state of the form and of the case stands against."""
    if action in _ON_A_FORM:
        if standing.form_state in _TAKEN_BACK:
            return REFUSALS["record-withdrawn"]
        if action is Action.REPLY and _answered(standing):
            return REFUSALS["already-answered"]
    if standing.joined and action not in lifecycle.AFTER_THE_END:
        return REFUSALS["case-joined"]
    return case_step(standing.case_state, action) if standing.case_state is not None else None


def _answered(standing: Standing) -> bool:
    """The provider's answer (or that of the 支援会議) settles the referral; a destination may still say its own, once."""
    if standing.has_replied or standing.form_state not in ("submitted", "accepted"):
        return True
    return standing.form_state == "accepted" and standing.basis is not BasisKind.CONSENT


class Attendee(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody present for an item. `chosen` by the convener for it, `told` of the duty of secrecy, `pledged` to it."""

    user: str
    agency: str
    chosen: bool = False
    told: bool = False
    pledged: bool = False


class ItemFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An agenda item as it would be heard. `roles`: the legal roles it is called under, which must be exactly one.

    `persons`: whom its papers show; `minimal`: why it is heard as a minimal item, None: it is an ordinary one; `purpose`:
    what is to be decided; `municipality`: the agencies that are the municipality itself; `shows`: what a minimal item's
    papers hold; `consented`: whether the subject's consent is live that day, None where there is no subject.
    """

    body: str
    roles: tuple[LegalRole, ...]
    persons: tuple[str, ...]
    present: tuple[Attendee, ...]
    consents: tuple[ConsentFact, ...] = ()
    purpose: lifecycle.DecisionPurpose | None = None
    minimal: MinimalReason | None = None
    municipality: frozenset[str] = frozenset()
    shows: frozenset[str] = frozenset()
    consented: bool | None = None


MINIMAL_CONTENT = frozenset({"case_number", "plan_number", "reason_code"})
_MINIMAL_PURPOSES = frozenset({lifecycle.DecisionPurpose.END, lifecycle.DecisionPurpose.SUSPEND})
# Reasons that there is no consent: none of them holds while there is one
_WITHOUT_CONSENT = frozenset({MinimalReason.WITHDRAWN, MinimalReason.REFUSED, MinimalReason.EXPIRED})


def consent_gate(item: ItemFacts, profile: Profile, day: dt.date) -> Broken | None:
    """What stands against hearing the item on that day; None: nothing."""
    if len(item.roles) != 1:
        return REFUSALS["gate-one-role"]
    role, body = item.roles[0], profile.bodies_by_id.get(item.body)
    if body is None or role not in body.roles_on(day):
        return REFUSALS["gate-body-role"]
    if not body.hears_cases:
        return REFUSALS["gate-body-cases"]
    if item.minimal is not None:
        return _minimal_gate(item, role, profile)
    if role is LegalRole.SUPPORT_MEETING:
        return _closed_gate(item, profile)
    return _open_gate(item, profile, day)


def _minimal_gate(item: ItemFacts, role: LegalRole, profile: Profile) -> Broken | None:
    """`gate-minimal-item`: three codes, shown to the provider and the municipality, to end or suspend a plan without a
    consent that is live."""
    allowed = item.municipality | {profile.roles.multi_agency_provider}
    if role is not LegalRole.LAYERED_SUPPORT_MEETING or item.purpose not in _MINIMAL_PURPOSES:
        return REFUSALS["gate-minimal-purpose"]
    if item.consented and item.minimal in _WITHOUT_CONSENT:
        return REFUSALS["gate-minimal-purpose"]
    if item.persons or not item.shows <= MINIMAL_CONTENT:
        return REFUSALS["gate-minimal-content"]
    if any(attendee.agency not in allowed for attendee in item.present):
        return REFUSALS["gate-minimal-present"]
    return None


def _closed_gate(item: ItemFacts, profile: Profile) -> Broken | None:
    """支援会議: whoever is present was chosen for the item and told of the duty."""
    if not all(attendee.chosen for attendee in item.present):
        return REFUSALS["gate-not-chosen"]
    if not all(attendee.told for attendee in item.present):
        return REFUSALS["gate-not-told"]
    if profile.pledge_required and not all(attendee.pledged for attendee in item.present):
        return REFUSALS["gate-not-pledged"]
    return None


def _open_gate(item: ItemFacts, profile: Profile, day: dt.date) -> Broken | None:
    """重層的支援会議, and every other role: everybody the papers show has agreed to every agency present."""
    if not item.persons or not all(consents.consented(item.consents, person, day) for person in item.persons):
        return REFUSALS["gate-consent-missing"]
    if unnamed(item, profile, day):
        return REFUSALS["gate-agency-unnamed"]
    return None


def unnamed(item: ItemFacts, profile: Profile, day: dt.date) -> tuple[tuple[str, str], ...]:
    """(person, agency) of each agency present that the person has not agreed to; they leave, or that person is not shown."""
    agencies = sorted({attendee.agency for attendee in item.present})
    return tuple(
        (person, agency)
        for person in item.persons
        for agency in agencies
        if consents.covering(item.consents, person, agency, profile, day) is None
    )
