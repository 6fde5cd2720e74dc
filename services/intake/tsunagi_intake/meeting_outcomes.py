"""What a decision in the minutes does: to the plan it is about, to the case, to who has which part in it."""

from __future__ import annotations

from sqlalchemy import Connection

from tsunagi_intake import cases as heads
from tsunagi_intake import plans, standing
from tsunagi_intake.agenda import Item, Sitting
from tsunagi_intake.lifecycle import CaseState
from tsunagi_intake.meetings import refusal_for
from tsunagi_intake.plan_facts import PlanRow
from tsunagi_intake.records import Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import allocations, cases
from tsunagi_intake.timeline import Happening
from tsunagi_shared import clock
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.forms.meeting import Occasion
from tsunagi_shared.forms.minutes import Decision, Minutes

_OF_A_NEW_PLAN = frozenset(
    {
        Decision.APPROVED,
        Decision.APPROVED_WITH_CHANGES,
        Decision.RETURNED,
        Decision.TO_COMPREHENSIVE,
        Decision.CONFIRMED,
        Decision.CONTINUED,
        Decision.SHARED,
    }
)
_OF_AN_END = frozenset({Decision.ENDED, Decision.SUSPENDED, Decision.CONTINUED, Decision.SHARED})
# What may be decided at which occasion; at the others, that are about no step of a plan, whatever is not one
DECISIONS: dict[Occasion, frozenset[Decision]] = {
    Occasion.ADOPT: _OF_A_NEW_PLAN,
    Occasion.REPLAN: _OF_A_NEW_PLAN,
    Occasion.END: _OF_AN_END,
    Occasion.SUSPEND: _OF_AN_END,
    **{
        occasion: frozenset(
            {
                Decision.APPROVED,
                Decision.APPROVED_WITH_CHANGES,
                Decision.TO_COMPREHENSIVE,
                Decision.CONTINUED,
                Decision.SHARED,
            }
        )
        for occasion in (
            Occasion.MONITORING, Occasion.SHARING, Occasion.SCREENING, Occasion.RESOURCE, Occasion.OTHER,
        )
    },
}  # fmt: skip
_STEPS = frozenset({Occasion.ADOPT, Occasion.REPLAN, Occasion.END, Occasion.SUSPEND})
# What may still be decided in a case that has ended: nothing that changes it, and the end of a plan that was left in force
_AFTER_THE_END = frozenset({Decision.CONTINUED, Decision.SHARED, Decision.ENDED, Decision.SUSPENDED})
_NOTHING_AGREED = frozenset({Decision.RETURNED, Decision.TO_COMPREHENSIVE, Decision.SHARED})


def carry_out(
    connection: Connection, write: Write, sitting: Sitting, item: Item, form: Minutes, case: CaseRow | None
) -> None:
    """Carry out what was decided on an item. Refusal by the rule that stands against it: the transaction is given up then."""
    if case is None:
        return
    _check_case(connection, item, form, case)
    if item.plan and item.occasion in _STEPS:
        plans.decide(
            connection, write, item.plan, decision=form.decision, item_id=item.id, heard_under=item.legal_role,
            held_on=sitting.held_on, body=item.body, allocations=tuple(form.allocations), lead_agency=form.lead_agency,
            code=item.minimal_reason.value if item.minimal_reason else "",
        )  # fmt: skip
    else:
        _allocate(connection, write, sitting, form, case)
        _lead(connection, write, case, form.lead_agency)
    if form.decision is Decision.TO_COMPREHENSIVE:
        _return_case(connection, write, case)


def _check_case(connection: Connection, item: Item, form: Minutes, case: CaseRow) -> None:
    """Refusal for a decision that would change a case that has ended (rule `case-end`)."""
    if not CaseState[_head(connection, case).state.upper()].ended:
        return
    if form.decision not in _AFTER_THE_END or form.lead_agency or form.allocations:
        raise refusal_for(item.position, REFUSALS["case-ended"])


def _head(connection: Connection, case: CaseRow) -> CaseRow:
    """The case that stands for this one: itself, or the one it was joined to meanwhile."""
    return standing.case_row(connection, seq=heads.head_of(connection, case.seq))


def _lead(connection: Connection, write: Write, case: CaseRow, lead: str) -> None:
    """主担当, as the minutes name it; empty: it stays as it is."""
    if not lead:
        return
    fresh = _head(connection, case)
    connection.execute(cases.update().where(cases.c.seq == fresh.seq).values(lead=lead))
    standing.touch(connection, fresh)
    standing.note(connection, fresh, Happening.LEAD_SET, "", write.principal, code=lead)


def _allocate(connection: Connection, write: Write, sitting: Sitting, form: Minutes, case: CaseRow) -> None:
    """役割分担 that was agreed on without a plan."""
    if form.decision in _NOTHING_AGREED or not form.allocations:
        return
    for row in form.allocations:
        identity = uuid7(clock.now_us())
        connection.execute(
            allocations.insert().values(
                id=identity, case=case.seq, agency=row.agency, part=row.part, since=sitting.held_on.isoformat(),
                until=row.until.isoformat() if row.until else None, ended_at=None,
            )
        )  # fmt: skip
        standing.note(connection, case, Happening.ALLOCATED, f"allocation/{identity}", write.principal, code=row.agency)
    standing.touch(connection, standing.case_row(connection, seq=case.seq))


def _return_case(connection: Connection, write: Write, case: CaseRow) -> None:
    """包括的相談支援へ戻す: the case ends so, unless something else of it goes on or was ever adopted."""
    fresh = _head(connection, case)
    if any(_goes_on(plan) for plan in plans.of_case(connection, fresh.seq)):
        return
    connection.execute(cases.update().where(cases.c.seq == fresh.seq).values(ended_code=CaseState.RETURNED.value))
    standing.touch(connection, fresh)
    standing.note(connection, fresh, Happening.CASE_CLOSED, "", write.principal, code=CaseState.RETURNED.value)


def _goes_on(plan: PlanRow) -> bool:
    return plan.state.open or plan.effective_on is not None
