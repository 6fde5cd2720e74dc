"""Who may do what with a plan, and whether the rules let a step of it through."""

from __future__ import annotations

import datetime as dt

import msgspec
from sqlalchemy import Connection

from tsunagi_intake import cases, consents, form_facts, plan_facts, records, standing
from tsunagi_intake.lifecycle import PlanAction, PlanFacts, PlanState, plan_step
from tsunagi_intake.plan_facts import PlanRow
from tsunagi_intake.records import Write
from tsunagi_intake.rulebook import Broken
from tsunagi_intake.rules import Action, Standing
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.problems import not_found


def plan_row(connection: Connection, plan_id: str) -> PlanRow:
    """The plan; the common 404 when there is none. Whether the caller may see it is decided elsewhere."""
    row = plan_facts.find(connection, plan_id)
    if row is None:
        raise not_found()
    return row


def standing_on(connection: Connection, principal: Principal, profile: Profile, row: PlanRow) -> Standing:
    """How the caller's agency stands to a plan. What a joined case may not do any more, the one it was joined to may."""
    record = records.row_of(connection, "plan", row.id)
    case = standing.case_row(connection, seq=row.case)
    own = standing.on_record(connection, principal, profile, record, case)
    head = standing.case_row(connection, seq=cases.head_of(connection, row.case))
    on_head = standing.on_case(connection, principal, profile, head)
    return msgspec.structs.replace(
        own,
        case_state=on_head.case_state,
        joined=on_head.joined,
        draws_up=own.is_allocated and plan_facts.draws_up(principal.agency, row.kind, profile),
    )


def gate(connection: Connection, write: Write, plan_id: str, action: Action) -> tuple[PlanRow, str]:
    """Let an action on a plan through; the plan, and the basis on which the caller acts. Refusal, Stale."""
    row = plan_row(connection, plan_id)
    own = standing_on(connection, write.principal, write.profile, row)
    if own.view is None and not own.is_section:  # nobody else learns that it is there
        raise not_found()
    standing.allow(action, write.principal, write.profile, own)
    standing.check_revision(connection, write.profile, row.case, write.revision, row.revision, row.form)
    return row, own.basis.value if own.basis else ""


def following(row: PlanRow, action: PlanAction, facts: PlanFacts) -> PlanState:
    """The plan's next state by that step. Refusal of the rule that stands against it."""
    found = plan_step(row.state, action, facts)
    if isinstance(found, Broken):
        raise standing.refusal_of(found)
    return found


def facts_today(connection: Connection, profile: Profile, row: PlanRow) -> PlanFacts:
    """What a step of the plan depends on today."""
    day = clock.today()
    return plan_facts.facts_of(row, profile, day, consented=_consented(connection, profile, row, day))


def _consented(connection: Connection, profile: Profile, row: PlanRow, day: dt.date) -> bool:
    """Whether the person whom the plan is for has a live consent."""
    facts = form_facts.facts_of(connection, profile, row.form)
    return facts is not None and bool(facts.persons) and consents.consented(facts.consents, facts.persons[0], day)


def is_asked(connection: Connection, row: PlanRow, place: int, agency: str) -> bool:
    """Whether the nth row of the plan (from 1) is that agency's."""
    form = plan_facts.form_of(connection, row.id)
    return form is not None and 1 <= place <= len(form.allocations) and form.allocations[place - 1].agency == agency
