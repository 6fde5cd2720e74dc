"""Decisions about plans: steps by hand as far as what is on record allows them, and what a meeting decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from tsunagi_intake import plan_effects, plan_facts, records, standing
from tsunagi_intake.lifecycle import DecisionFacts, DecisionPurpose, PlanAction, PlanState, plan_step
from tsunagi_intake.plan_facts import PlanRow
from tsunagi_intake.plan_gates import facts_today, following, gate, plan_row
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import Broken
from tsunagi_intake.rules import Action
from tsunagi_intake.timeline import Happening
from tsunagi_shared import clock
from tsunagi_shared.contracts.profile import LegalRole
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.forms.minutes import Decision
from tsunagi_shared.forms.plan import PlanAllocation
from tsunagi_shared.problems import not_found

# What an adoption that is decided upon may still wait for
_WAITS_FOR = frozenset({"person-agreement-required", "municipal-decision-required"})


class Step(CodeList):
    """What may be asked of a plan by hand. The first four need the decision of a meeting on record."""

    ADOPT = "adopt", "策定する"
    REPLAN = "replan", "再プランに切り替える"
    END = "end", "終結する"
    SUSPEND = "suspend", "中断する"
    RETURN = "return", "作成中に戻す"
    DROP = "drop", "取りやめて包括へ戻す"


_ACTION_OF = {
    Step.ADOPT: PlanAction.ADOPT,
    Step.REPLAN: PlanAction.ADOPT,
    Step.END: PlanAction.END,
    Step.SUSPEND: PlanAction.SUSPEND,
    Step.RETURN: PlanAction.RETURN_TO_DRAFT,
    Step.DROP: PlanAction.DROP,
}


def adopt_if_complete(connection: Connection, write: Write, row: PlanRow) -> PlanRow:
    """The plan, adopted where everything for that is on record now."""
    found = plan_step(row.state, PlanAction.ADOPT, facts_today(connection, write.profile, row))
    return row if isinstance(found, Broken) else plan_effects.adopt(connection, write, row)


def step(connection: Connection, write: Write, plan_id: str, wanted: Step) -> bytes:
    """A step by hand, as far as what is on record allows it; returns the encoded Receipt. Refusal, Stale."""
    return records.once(connection, write, lambda: _step(connection, write, plan_id, wanted))


def _step(connection: Connection, write: Write, plan_id: str, wanted: Step) -> Receipt:
    row, basis = gate(connection, write, plan_id, Action.STEP_PLAN)
    action = _ACTION_OF[wanted]
    state = following(row, action, facts_today(connection, write.profile, row))
    row = _carry_out(connection, write, row, action, state, clock.today(), "dropped")
    return plan_effects.done(
        connection, write, row, f"plan.{wanted.value}", Happening.PLAN_DECIDED, code=row.state.value, basis=basis
    )


def _carry_out(
    connection: Connection,
    write: Write,
    row: PlanRow,
    action: PlanAction,
    state: PlanState,
    day: dt.date,
    code: str,
) -> PlanRow:
    if action is PlanAction.ADOPT:
        return plan_effects.adopt(connection, write, row)
    if action is PlanAction.RETURN_TO_DRAFT:
        return plan_effects.to_draft(connection, row)
    return plan_effects.over(connection, row, state, day, code)


_ENDS = {
    Decision.ENDED: (PlanAction.END, DecisionPurpose.END),
    Decision.SUSPENDED: (PlanAction.SUSPEND, DecisionPurpose.SUSPEND),
    Decision.RETURNED: (PlanAction.RETURN_TO_DRAFT, None),
    Decision.TO_COMPREHENSIVE: (PlanAction.DROP, None),
}
_CODE = {PlanState.ENDED: "ended", PlanState.SUSPENDED: "suspended", PlanState.DROPPED: "dropped"}
_APPROVES = (Decision.APPROVED, Decision.APPROVED_WITH_CHANGES)


class _Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a meeting decided about a plan."""

    decision: Decision
    item_id: str
    heard_under: LegalRole
    held_on: dt.date
    body: str
    allocations: Sequence[PlanAllocation]
    lead_agency: str
    code: str


def decide(
    connection: Connection,
    write: Write,
    plan_id: str,
    *,
    decision: Decision,
    item_id: str,
    heard_under: LegalRole,
    held_on: dt.date,
    body: str = "",
    allocations: Sequence[PlanAllocation] = (),
    lead_agency: str = "",
    code: str = "",
) -> PlanState:
    """Put a meeting's decision about a plan on record, and carry out all that is complete with it; the plan's state then.

    Called in the transaction that closes the minutes. `allocations`, `lead_agency`: as the minutes changed them (empty: as
    in the plan); `code`: of a minimal item, its reason. 継続 and 情報の共有 change nothing. Refusal by the rule that stands
    against the decision: the caller's transaction must be given up then.
    """
    row = plan_row(connection, plan_id)
    heard = _Heard(
        decision=decision, item_id=item_id, heard_under=heard_under, held_on=held_on, body=body, allocations=allocations,
        lead_agency=lead_agency, code=code,
    )  # fmt: skip
    if decision in _APPROVES:
        row = _approve(connection, write, row, heard)
    elif decision is Decision.CONFIRMED:
        row = _confirm(connection, write, row, heard)
    elif decision in _ENDS:
        row = _end(connection, write, row, heard)
    else:
        return row.state
    plan_effects.done(
        connection, write, row, "plan.decide", Happening.PLAN_DECIDED, code=row.state.value, basis=f"item/{item_id}"
    )
    return row.state


def _approve(connection: Connection, write: Write, row: PlanRow, heard: _Heard) -> PlanRow:
    """承認 and 修正承認: adopted at once where the other two dates are on record, else as soon as they are."""
    purpose = DecisionPurpose.REPLAN if row.previous else DecisionPurpose.ADOPT
    facts = facts_today(connection, write.profile, row)
    decided = msgspec.structs.replace(
        facts.decision, purpose=purpose, heard_under=heard.heard_under, decided_on=heard.held_on
    )
    found = plan_step(row.state, PlanAction.ADOPT, msgspec.structs.replace(facts, decision=decided))
    if isinstance(found, Broken) and found.code not in _WAITS_FOR:
        raise standing.refusal_of(found)
    values: dict[str, Any] = {
        "decided": purpose.value, "meeting_on": heard.held_on, "meeting_item": heard.item_id, "body": heard.body,
        "heard_under": heard.heard_under.value,
    }  # fmt: skip
    form = plan_facts.form_of(connection, row.id)
    if form is None:
        raise not_found()
    changed = plan_effects.amended(form, heard.allocations, heard.lead_agency)
    if changed is form:
        row = plan_effects.change(connection, row, **values)
    else:  # what the person agreed to, and the municipality decided on, is another plan
        row = plan_effects.rewrite(
            connection, row, changed, agreed_on=None, municipal_on=None, amended_on=heard.held_on, **values
        )
    return adopt_if_complete(connection, write, row)


def _confirm(connection: Connection, write: Write, row: PlanRow, heard: _Heard) -> PlanRow:
    """支援会議での確認: an outreach plan is carried out before there is consent."""
    facts = facts_today(connection, write.profile, row)
    state = following(row, PlanAction.CONFIRM, msgspec.structs.replace(facts, confirmed_under=heard.heard_under))
    row = plan_effects.change(
        connection, row, state=state.value, provisional=1, confirmed_on=heard.held_on, meeting_item=heard.item_id,
        body=heard.body, heard_under=heard.heard_under.value,
    )  # fmt: skip
    form = plan_facts.form_of(connection, row.id)
    if form is not None:
        plan_effects.give_parts(connection, row, form, heard.held_on)
        plan_effects.set_lead(connection, write, row, heard.lead_agency or form.lead_agency)
    return row


def _end(connection: Connection, write: Write, row: PlanRow, heard: _Heard) -> PlanRow:
    """終結, 中断, 差戻し, 包括へ戻す."""
    action, purpose = _ENDS[heard.decision]
    facts = facts_today(connection, write.profile, row)
    if purpose is not None:
        decided = DecisionFacts(purpose=purpose, heard_under=heard.heard_under, decided_on=heard.held_on)
        facts = msgspec.structs.replace(facts, decision=decided)
    state = following(row, action, facts)
    code = heard.code or _CODE.get(state, "")
    row = _carry_out(connection, write, row, action, state, heard.held_on, code)
    plan_effects.set_lead(connection, write, row, heard.lead_agency)
    return row
