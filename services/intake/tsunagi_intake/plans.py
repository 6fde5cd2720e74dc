"""Plans: drawn up, put before a meeting, decided upon, carried out and ended (rules `meeting-decision`, `three-dates`,
`plan-provisional`, `plan-step`, `plan-one-open`).

Each step is one transaction: the gates, the rows, what follows from them (`plan_effects`). A refusal leaves nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from tsunagi_intake import cases, matches, numbering, outreach, plan_effects, plan_facts, records, standing, withholding
from tsunagi_intake.lifecycle import PlanAction, PlanState, new_plan
from tsunagi_intake.plan_decisions import Step, adopt_if_complete, decide, step
from tsunagi_intake.plan_facts import PlanRow
from tsunagi_intake.plan_gates import facts_today, following, gate, is_asked, plan_row, standing_on
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.rules import Action
from tsunagi_intake.timeline import Happening
from tsunagi_shared import clock
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.plan import MunicipalDecision, Plan, PlanAgreement, SupportAnswer

__all__ = [
    "Step",
    "agree",
    "answer",
    "decide",
    "draft",
    "municipal",
    "of_case",
    "plan_row",
    "propose",
    "rewrite",
    "standing_on",
    "step",
]

_UNKNOWN = "?"  # an id no plan has
_TAKES_DATES = (PlanState.PROPOSED, PlanState.PROVISIONAL)


def of_case(connection: Connection, case: int) -> tuple[PlanRow, ...]:
    """The plans of the case and of those joined to it, in the order they were drawn up."""
    return plan_facts.of_cases(connection, (case, *cases.joined_to(connection, case)))


# drawn up --------------------------------------------------------------------------------------------------------------


def draft(connection: Connection, write: Write, case_number: str, form: Plan) -> bytes:
    """Take a plan into a case, as a draft; returns the encoded Receipt. Refusal, KeyReused: nothing is stored then."""
    return records.once(connection, write, lambda: _draft(connection, write, case_number, form))


def _draft(connection: Connection, write: Write, case_number: str, form: Plan) -> Receipt:
    case = standing.case_row(connection, number=case_number)
    own = standing.on_case(connection, write.principal, write.profile, case)
    drawn_up = own.is_allocated and plan_facts.draws_up(write.principal.agency, form.kind, write.profile)
    standing.allow(Action.PROPOSE_PLAN, write.principal, write.profile, msgspec.structs.replace(own, draws_up=drawn_up))
    previous = _previous(of_case(connection, case.seq), form)
    form = _with_resource(connection, write, form)
    kept = records.keep(connection, write, case, "plan", form)
    year = clock.fiscal_year(clock.japanese_date(kept.received_at))
    number = numbering.next_number(connection, write.profile, "plan", year)
    connection.execute(
        plans.insert().values(
            id=kept.id, case=case.seq, kind=form.kind.value, number=number,
            state=PlanState.DRAFT.value, previous=previous.id if previous else "", round=previous.round + 1 if previous else 1,
            provisional=0, decided="", meeting_item="", body="", heard_under="", end_code="", content=1, revision=1,
            agreed_on=form.agreed_on.isoformat() if form.agreed_on else None,
        )
    )  # fmt: skip
    matches.keep(connection, write.profile, kept.id, case.seq, form)
    outreach.note_plan(connection, kept.id, case.seq, form)
    row = plan_row(connection, kept.id)
    return plan_effects.done(
        connection, write, row, "plan.draft", Happening.PLAN_DRAFTED, basis=own.basis.value if own.basis else ""
    )


def _with_resource(connection: Connection, write: Write, form: Plan, before: Plan | None = None) -> Plan:
    """The plan with the name of the resource that it chose. 422 for one that is not there, or takes nobody any more."""
    form, wrong = matches.named(connection, write.profile, form, before)
    if wrong:
        raise records.invalid(*wrong)
    return form


def _previous(rows: Sequence[PlanRow], form: Plan, besides: str = "") -> PlanRow | None:
    """The plan that the form is to replace, if it names one. Refusal of the rules on new plans."""
    previous = next((row for row in rows if form.previous and row.number == form.previous and row.id != besides), None)
    named = previous.id if previous else _UNKNOWN if form.previous else ""
    broken = new_plan(form.kind, named, plan_facts.others(rows, besides))
    if broken is not None:
        raise standing.refusal_of(broken)
    return previous


def rewrite(connection: Connection, write: Write, plan_id: str, form: Plan) -> bytes:
    """Put another content in the place of a draft's; returns the encoded Receipt. Refusal, Stale, KeyReused."""
    return records.once(connection, write, lambda: _rewrite(connection, write, plan_id, form))


def _rewrite(connection: Connection, write: Write, plan_id: str, form: Plan) -> Receipt:
    row, basis = gate(connection, write, plan_id, Action.PROPOSE_PLAN)
    if row.state is not PlanState.DRAFT:
        raise standing.refusal_of(REFUSALS["plan-step"])
    if form.kind is not row.kind:
        message = "プランの種類は変えられません。別の種類のプランは、新しく作ってください。"
        raise records.invalid(FieldError("kind", "kind-fixed", message))
    previous = _previous(of_case(connection, row.case), form, row.id)
    before = plan_facts.form_of(connection, row.id)
    assert before is not None
    form = withholding.put_back(connection, write.principal, row.form, row.case, before, form)
    form = _with_resource(connection, write, form, before)
    form = plan_effects.agreed_anew(row, before, form)
    row = plan_effects.rewrite(
        connection, row, form, agreed_on=form.agreed_on, municipal_on=None, previous=previous.id if previous else "",
        round=previous.round + 1 if previous else 1,
    )  # fmt: skip
    matches.keep(connection, write.profile, row.id, row.case, form)
    outreach.note_plan(connection, row.id, row.case, form)
    return plan_effects.done(
        connection, write, row, "plan.correct", Happening.RECORD_CORRECTED, code=str(row.revision), basis=basis
    )


def propose(connection: Connection, write: Write, plan_id: str) -> bytes:
    """付議: put the plan before a meeting; returns the encoded Receipt. The sheet of the proposal is drawn."""
    return records.once(connection, write, lambda: _propose(connection, write, plan_id))


def _propose(connection: Connection, write: Write, plan_id: str) -> Receipt:
    row, basis = gate(connection, write, plan_id, Action.PROPOSE_PLAN)
    state = following(row, PlanAction.PROPOSE, facts_today(connection, write.profile, row))
    row = plan_effects.change(connection, row, state=state.value, proposed_at=clock.now_us())
    return plan_effects.done(connection, write, row, "plan.propose", Happening.PLAN_PROPOSED, basis=basis)


# the three dates -------------------------------------------------------------------------------------------------------


def agree(connection: Connection, write: Write, plan_id: str, form: PlanAgreement) -> bytes:
    """The person agreed to the plan; it takes effect if that was the last of the three dates. The encoded Receipt."""
    return records.once(connection, write, lambda: _agree(connection, write, plan_id, form))


def _agree(connection: Connection, write: Write, plan_id: str, form: PlanAgreement) -> Receipt:
    row, basis = gate(connection, write, plan_id, Action.AGREE_PLAN)
    if row.state not in (PlanState.DRAFT, *_TAKES_DATES):
        raise standing.refusal_of(REFUSALS["plan-step"])
    _not_before(connection, row, form.agreed_on, "agreed_on", "本人の合意の日")
    _keep_paper(connection, write, row, "plan_agreement", form)
    row = plan_effects.change(connection, row, agreed_on=form.agreed_on)
    row = adopt_if_complete(connection, write, row)
    return plan_effects.done(
        connection, write, row, "plan.agree", Happening.PLAN_AGREED, code=row.state.value, basis=basis
    )


def municipal(connection: Connection, write: Write, plan_id: str, form: MunicipalDecision) -> bytes:
    """支援決定 of the municipality; the plan takes effect if that was the last of the three dates. The encoded Receipt."""
    return records.once(connection, write, lambda: _municipal(connection, write, plan_id, form))


def _municipal(connection: Connection, write: Write, plan_id: str, form: MunicipalDecision) -> Receipt:
    row, basis = gate(connection, write, plan_id, Action.DECIDE_PLAN)
    if row.state not in _TAKES_DATES:
        raise standing.refusal_of(REFUSALS["plan-step"])
    _not_before(connection, row, form.decided_on, "decided_on", "支援決定の日")
    _keep_paper(connection, write, row, "municipal_decision", form)
    row = plan_effects.change(connection, row, municipal_on=form.decided_on)
    row = adopt_if_complete(connection, write, row)
    return plan_effects.done(
        connection, write, row, "plan.municipal", Happening.PLAN_MUNICIPAL, code=row.state.value, basis=basis
    )


def _not_before(connection: Connection, row: PlanRow, day: dt.date, field: str, title: str) -> None:
    form = plan_facts.form_of(connection, row.id)
    if form is not None and day < form.made_on:
        message = f"{title}は、プランの作成日と同じか、それより後の日にしてください。"
        raise records.invalid(FieldError(field, "before-plan", message))
    if row.amended_on is not None and day < row.amended_on:
        message = f"{title}は、会議がプランを修正した日と同じか、それより後の日にしてください。"
        raise records.invalid(FieldError(field, "before-change", message))


def _keep_paper(
    connection: Connection, write: Write, row: PlanRow, kind: str, form: msgspec.Struct, about: str = ""
) -> None:
    """A record that belongs to the plan."""
    case = standing.case_row(connection, seq=row.case)
    records.keep(connection, write, case, kind, form, about=about or row.form)


# answers of the agencies -----------------------------------------------------------------------------------------------


def answer(connection: Connection, write: Write, plan_id: str, place: int, form: SupportAnswer) -> bytes:
    """The answer of an agency to the 支援依頼 of its row (from 1); returns the encoded Receipt. The newest one counts."""
    return records.once(connection, write, lambda: _answer(connection, write, plan_id, place, form))


def _answer(connection: Connection, write: Write, plan_id: str, place: int, form: SupportAnswer) -> Receipt:
    row = plan_row(connection, plan_id)
    own = standing_on(connection, write.principal, write.profile, row)
    asked = is_asked(connection, row, place, write.principal.agency)
    own = msgspec.structs.replace(own, is_asked=asked)
    standing.allow(Action.ANSWER_SUPPORT, write.principal, write.profile, own)
    if row.state not in (PlanState.ADOPTED, PlanState.PROVISIONAL):
        raise standing.refusal_of(REFUSALS["plan-step"])
    _keep_paper(connection, write, row, "support_answer", form, f"{row.form}/{place}")
    case = standing.case_row(connection, seq=row.case)
    state = plan_effects.note(connection, write, case, Happening.SUPPORT_ANSWERED, row.form, form.answer.value)
    plan_effects.put_on_record(connection, write, row, case, "plan.answer", own.basis.value if own.basis else "")
    return plan_effects.receipt_of(row, case, state, ())
