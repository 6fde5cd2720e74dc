"""A plan as its reader may see it: where it stands, its dates, the parts of the agencies with their answers, what comes next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import (
    audience,
    cases,
    form_facts,
    matches,
    people_in_texts,
    plan_facts,
    plan_gates,
    record_reading,
    rules,
    withholding,
)  # fmt: skip
from tsunagi_intake.audience import Withheld
from tsunagi_intake.lifecycle import DecisionPurpose, PlanAction, PlanState, plan_step
from tsunagi_intake.plan_facts import PlanRow
from tsunagi_intake.record_reading import RevisionLine
from tsunagi_intake.rulebook import Broken
from tsunagi_intake.rules import Action, Standing
from tsunagi_intake.tables import audience as audience_table
from tsunagi_intake.tables import records
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import BasisKind, View
from tsunagi_shared.contracts.profile import LegalRole, Profile
from tsunagi_shared.forms.plan import Plan, PlanKind, SupportAnswer
from tsunagi_shared.forms.withheld_text import without

_WRITES = {
    PlanState.DRAFT: ("write", "propose", "agree"),
    PlanState.PROPOSED: ("agree",),
    PlanState.PROVISIONAL: ("agree",),
    PlanState.ADOPTED: ("replan",),
    PlanState.SUSPENDED: ("replan",),
}
_STEPS = {
    PlanState.PROPOSED: (
        ("return", PlanAction.RETURN_TO_DRAFT),
        ("drop", PlanAction.DROP),
        ("adopt", PlanAction.ADOPT),
    ),
    PlanState.PROVISIONAL: (("drop", PlanAction.DROP), ("adopt", PlanAction.ADOPT)),
}
_OPEN = (*_STEPS, PlanState.DRAFT, PlanState.ADOPTED)  # in these it matters whether its place can take somebody in
_DAYS = {"plan_agreement": "agreed_on", "municipal_decision": "decided_on"}
_ASKED = (PlanState.ADOPTED, PlanState.PROVISIONAL)


class PlanLine(msgspec.Struct, frozen=True, kw_only=True):
    """A plan on the page of its case; says nothing of what stands in it."""

    id: str
    number: str
    kind: PlanKind
    state: PlanState
    round: int
    effective_on: dt.date | None
    ended_on: dt.date | None
    view: View


class PaperLine(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to the plan: the person's agreement or the 支援決定, with what was noted on it."""

    kind: str
    on: dt.date
    note: str
    at: dt.datetime
    agency: str
    user_name: str


class PartLine(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the 役割分担, and what its agency answered to the 支援依頼 (`answer` empty: nothing yet)."""

    place: int
    agency: str
    in_charge: str
    part: str
    frequency: str
    until: dt.date | None
    answer: str = ""
    answered_in_charge: str = ""
    answer_note: str = ""
    answered_at: dt.datetime | None = None
    answered_by: str = ""
    may_answer: bool = False


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What stands against the plan being adopted today."""

    code: str
    reason: str
    way_out: str


class PlanPage(msgspec.Struct, frozen=True, kw_only=True):
    """One plan. `form`: what it says, None where the reader has no full view; `parts`: of theirs alone then.

    `offered`: what the reader may do with it now: write, propose, agree, municipal, return, drop, adopt, replan.
    `withheld`: agencies of its rows that get nothing, and why. `full_place`: the name of the 参加先 it chose, where other adopted
    plans take all that it can take in: told to whoever sees the form, and nothing is refused for it.
    """

    id: str
    number: str
    record_number: str
    case_number: str
    kind: PlanKind
    state: PlanState
    round: int
    previous: str
    following: str
    provisional: bool
    confirmed_on: dt.date | None
    decided: DecisionPurpose | None
    meeting_on: dt.date | None
    body: str
    heard_under: LegalRole | None
    agreed_on: dt.date | None
    municipal_on: dt.date | None
    municipal_required: bool
    effective_on: dt.date | None
    suspended_on: dt.date | None
    ended_on: dt.date | None
    end_code: str
    revision: int
    received_at: dt.datetime
    user_name: str
    agency: str
    view: View
    basis: BasisKind
    support_meeting_only: bool
    offered: tuple[str, ...]
    waiting: Waiting | None
    starts: dt.date
    until: dt.date | None
    monitoring_on: dt.date
    parts: tuple[PartLine, ...]
    withheld: tuple[Withheld, ...] = ()
    form: dict[str, Any] | None = None
    papers: tuple[PaperLine, ...] = ()
    revisions: tuple[RevisionLine, ...] = ()
    full_place: str = ""


def page_of(connection: Connection, principal: Principal, profile: Profile, plan_id: str) -> PlanPage:
    """The plan for this reader; the common 404 for whoever has no entry on it."""
    plan = plan_gates.plan_row(connection, plan_id)
    record = record_reading.page_of(connection, principal, profile, "plan", plan_id)
    form = plan_facts.form_of(connection, plan_id)
    assert form is not None
    own = plan_gates.standing_on(connection, principal, profile, plan)
    named = {row.id: row.number for row in plan_facts.of_cases(connection, _group(connection, plan.case))}
    following = next(
        (
            row.number
            for row in plan_facts.of_cases(connection, _group(connection, plan.case))
            if row.previous == plan.id
        ),
        "",
    )
    full = record.form is not None
    facts = plan_gates.facts_today(connection, profile, plan)
    against = plan_step(plan.state, PlanAction.ADOPT, facts) if plan.state in _STEPS else None
    return PlanPage(
        id=plan.id, number=plan.number, record_number=record.number, case_number=record.case_number, kind=plan.kind,
        state=plan.state, round=plan.round, previous=named.get(plan.previous, ""), following=following,
        provisional=plan.provisional, confirmed_on=plan.confirmed_on, decided=plan.decided, meeting_on=plan.meeting_on,
        body=plan.body, heard_under=plan.heard_under, agreed_on=plan.agreed_on, municipal_on=plan.municipal_on,
        municipal_required=profile.municipal_decision, effective_on=plan.effective_on, suspended_on=plan.suspended_on,
        ended_on=plan.ended_on, end_code=plan.end_code, revision=plan.revision, received_at=record.received_at,
        user_name=record.user_name, agency=record.agency, view=record.view, basis=record.basis,
        support_meeting_only=record.support_meeting_only, offered=_offered(principal, profile, plan, own, facts),
        waiting=Waiting(code=against.code, reason=against.reason, way_out=against.way_out)
        if isinstance(against, Broken) and full else None,
        starts=form.starts, until=form.until, monitoring_on=form.monitoring_on,
        parts=_parts(connection, principal, profile, plan, own, form, everything=full),
        withheld=_withheld(connection, profile, plan) if full else (), form=record.form,
        revisions=record.revisions if full else (), papers=_papers(connection, principal, plan) if full else (),
        full_place=matches.full_place(connection, profile, plan.id) if full and plan.state in _OPEN else "",
    )  # fmt: skip


def _offered(principal: Principal, profile: Profile, plan: PlanRow, own: Standing, facts: Any) -> tuple[str, ...]:
    actor = rules.actor_of(principal, profile, clock.today())
    found: list[str] = []
    if rules.permitted(Action.PROPOSE_PLAN, actor, own) is None:
        found += _WRITES.get(plan.state, ())
    if plan.state in _STEPS and rules.permitted(Action.DECIDE_PLAN, actor, own) is None:
        found.append("municipal")
    if rules.permitted(Action.STEP_PLAN, actor, own) is None:
        found += [
            name
            for name, action in _STEPS.get(plan.state, ())
            if not isinstance(plan_step(plan.state, action, facts), Broken)
        ]
    return tuple(found)


def _parts(
    connection: Connection, principal: Principal, profile: Profile, plan: PlanRow, own: Standing, form: Plan, *, everything: bool
) -> tuple[PartLine, ...]:  # fmt: skip
    """The rows that the reader may see: all of them, or those of their agency. What is withheld from it is cut out of every
    text, and so are the names of those who are hidden from it; whoever reads the whole plan reads its own rows as they stand
    there."""
    withheld = withholding.of_case(connection, principal, plan.case)
    hidden = people_in_texts.hidden_from(connection, principal.agency, plan.form, plan.case)
    texts, answered = withheld if everything else withheld + hidden, withheld + hidden
    answers = _answers(connection, plan)
    actor = rules.actor_of(principal, profile, clock.today())
    asked = msgspec.structs.replace(own, is_asked=True)
    may = plan.state in _ASKED and rules.permitted(Action.ANSWER_SUPPORT, actor, asked) is None
    found = []
    for place, row in enumerate(form.allocations, 1):
        mine = row.agency == principal.agency
        if not everything and not mine:
            continue
        answer, at, by = answers.get(place, (None, None, ""))
        found.append(
            PartLine(
                place=place, agency=row.agency, in_charge=without(row.in_charge, texts), part=without(row.part, texts),
                frequency=without(row.frequency, texts), until=row.until or form.until,
                answer=answer.answer.value if answer else "",
                answered_in_charge=without(answer.in_charge, answered) if answer else "",
                answer_note=without(answer.note, answered) if answer else "", answered_at=at, answered_by=by,
                may_answer=mine and may,
            )
        )  # fmt: skip
    return tuple(found)


def _answers(connection: Connection, plan: PlanRow) -> dict[int, tuple[SupportAnswer, dt.datetime, str]]:
    """By row, the newest answer, when and by whom."""
    rows = connection.execute(
        sa.select(records.c.about, records.c.form, records.c.submitted_at, records.c.user_name)
        .where(
            records.c.case == plan.case, records.c.kind == "support_answer", records.c.about.startswith(f"{plan.form}/")
        )
        .order_by(records.c.seq)
    )
    return {
        int(row.about.rpartition("/")[2]): (
            msgspec.json.decode(row.form, type=SupportAnswer), clock.moment_of(row.submitted_at), row.user_name
        )
        for row in rows
    }  # fmt: skip


def _papers(connection: Connection, principal: Principal, plan: PlanRow) -> tuple[PaperLine, ...]:
    """The agreements and 支援決定 that were put on record, newest first; what is withheld from the reader is cut out."""
    texts = withholding.of_case(connection, principal, plan.case)
    rows = connection.execute(
        sa.select(records)
        .where(records.c.case == plan.case, records.c.kind.in_(_DAYS), records.c.about == plan.form)
        .order_by(records.c.seq.desc())
    )
    found = []
    for row in rows:
        form = msgspec.json.decode(row.form)
        found.append(
            PaperLine(
                kind=row.kind, on=dt.date.fromisoformat(form[_DAYS[row.kind]]),
                note=without(form.get("note", ""), texts), at=clock.moment_of(row.submitted_at),
                agency=row.agency, user_name=row.user_name,
            )
        )  # fmt: skip
    return tuple(found)


def _withheld(connection: Connection, profile: Profile, plan: PlanRow) -> tuple[Withheld, ...]:
    """The agencies of its rows that are asked for support and get nothing."""
    facts = form_facts.facts_of(connection, profile, plan.form)
    return audience.of_form(facts, profile, clock.today()).withheld if facts and facts.own_rows else ()


def _group(connection: Connection, case: int) -> Iterable[int]:
    head = cases.head_of(connection, case)
    return (head, *cases.joined_to(connection, head))


def lines_of(connection: Connection, principal: Principal, group: Sequence[int]) -> tuple[PlanLine, ...]:
    """The plans of the case and those joined to it that this person may see, newest first."""
    mine = sa.select(audience_table.c.form, audience_table.c.view).where(
        audience_table.c.case.in_(group), audience_table.c.form.startswith("plan/"), *cases.may_read(principal)
    )
    seen = {row.form: View(row.view) for row in connection.execute(mine)}
    return tuple(
        PlanLine(
            id=plan.id, number=plan.number, kind=plan.kind, state=plan.state, round=plan.round,
            effective_on=plan.effective_on, ended_on=plan.ended_on, view=seen[plan.form],
        )
        for plan in reversed(plan_facts.of_cases(connection, group))
        if plan.form in seen
    )  # fmt: skip


def kinds_offered(principal: Principal, profile: Profile, own: Standing) -> tuple[PlanKind, ...]:
    """The kinds of plan that somebody who stands so to a case may draw up for it."""
    actor = rules.actor_of(principal, profile, clock.today())
    found = []
    for kind in PlanKind:
        drawn_up = own.is_allocated and plan_facts.draws_up(principal.agency, kind, profile)
        standing_so = msgspec.structs.replace(own, draws_up=drawn_up)
        if rules.permitted(Action.PROPOSE_PLAN, actor, standing_so) is None:
            found.append(kind)
    return tuple(found)
