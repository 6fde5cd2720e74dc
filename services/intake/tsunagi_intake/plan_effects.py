"""What follows from a step of a plan: its row and record, the parts of the agencies, 主担当, the plan it replaces, events,
audience, time line and audit. All of it in the transaction of the step.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, matches, plan_facts, publishing, records, standing
from tsunagi_intake.changes import Change
from tsunagi_intake.lifecycle import CaseState, PlanAction, PlanState, plan_step
from tsunagi_intake.plan_facts import PlanRow
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import Broken
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import allocations
from tsunagi_intake.tables import cases as cases_table
from tsunagi_intake.tables import records as records_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.forms.plan import Plan, PlanAllocation

_NOT_DECIDED: dict[str, Any] = {
    "decided": "", "meeting_on": None, "meeting_item": "", "body": "", "heard_under": "", "agreed_on": None,
    "municipal_on": None, "amended_on": None,
}  # fmt: skip


def change(connection: Connection, row: PlanRow, **values: Any) -> PlanRow:
    """The plan with these columns changed, as its next revision; the record has the same."""
    revision = row.revision + 1
    stored = {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in values.items()}
    connection.execute(plans.update().where(plans.c.id == row.id).values(**stored, revision=revision))
    connection.execute(records_table.update().where(records_table.c.id == row.id).values(revision=revision))
    found = plan_facts.find(connection, row.id)
    assert found is not None
    return found


def rewrite(connection: Connection, row: PlanRow, form: Plan, **values: Any) -> PlanRow:
    """The plan with another content; what it replaces is kept."""
    record = records.row_of(connection, "plan", row.id)
    records.keep_revision(connection, row.form, record)
    encoded = msgspec.json.encode(form)
    connection.execute(records_table.update().where(records_table.c.id == row.id).values(form=encoded))
    return change(connection, row, content=row.revision + 1, **values)


def done(
    connection: Connection, write: Write, row: PlanRow, action: str, happening: Happening, *, code: str = "", basis: str = "",
    ref: str = "",
) -> Receipt:  # fmt: skip
    """What follows from every step: the audience, the event, the time line, the state of the case, the audit; the receipt.

    `ref`: what the time line names, where that is not the plan itself.
    """
    case = standing.case_row(connection, seq=row.case)
    changed = records.publish_anew(connection, write, case, row.form, "plan")
    state = note(connection, write, case, happening, ref or row.form, code)
    put_on_record(connection, write, row, case, action, basis)
    return receipt_of(row, case, state, changed)


def put_on_record(connection: Connection, write: Write, row: PlanRow, case: CaseRow, action: str, basis: str) -> None:
    """Who did what to the plan, for the audit."""
    audit.record(connection, write.principal, action, row.form, basis=basis, case=case.number)


def note(
    connection: Connection, write: Write, case: CaseRow, happening: Happening, ref: str, code: str = ""
) -> CaseState:
    """A line on the time line; the state of the case that stands for it (itself, or the one it was joined to)."""
    state = standing.note(connection, case, happening, ref, write.principal, code)
    head = cases.head_of(connection, case.seq)
    return state if head == case.seq else cases.settle(connection, head, write.principal)


def receipt_of(row: PlanRow, case: CaseRow, state: CaseState, changed: tuple[Change, ...]) -> Receipt:
    """The receipt of a step; `number` is that of the plan, `code` its state."""
    return Receipt(
        kind="plan", id=row.id, number=row.number, case_number=case.number, revision=row.revision, received_at=clock.now(),
        code=row.state.value, case_state=state.value, changes=changed,
    )  # fmt: skip


def adopt(connection: Connection, write: Write, row: PlanRow, lead_agency: str = "") -> PlanRow:
    """策定 or 再プラン takes effect: the plan it replaces is superseded, each agency gets its part, the lead is set."""
    assert row.meeting_on is not None
    effective = max(day for day in (row.meeting_on, row.agreed_on, row.municipal_on) if day is not None)
    row = change(connection, row, state=PlanState.ADOPTED.value, effective_on=effective, provisional=0)
    if row.previous:
        _supersede(connection, write, row.previous, effective)
    form = plan_facts.form_of(connection, row.id)
    assert form is not None
    give_parts(connection, row, form, effective)
    matches.begin(connection, write.profile, row.id, row.case, form)
    set_lead(connection, write, row, lead_agency or form.lead_agency)
    return row


def _supersede(connection: Connection, write: Write, plan_id: str, day: dt.date) -> None:
    """Put the plan before out of force; one that was ended meanwhile stays ended."""
    row = plan_facts.find(connection, plan_id)
    if row is None:
        return
    facts = plan_facts.facts_of(row, write.profile, clock.today(), consented=True)
    facts = msgspec.structs.replace(facts, successor=PlanState.ADOPTED)
    following = plan_step(row.state, PlanAction.SUPERSEDE, facts)
    if isinstance(following, Broken):
        return
    row = change(connection, row, state=following.value, ended_on=day, end_code=following.value)
    take_parts(connection, row)
    publishing.publish_form(connection, row.form, write.profile, write.outbox)
    case = standing.case_row(connection, seq=row.case)
    note(connection, write, case, Happening.PLAN_DECIDED, row.form, following.value)


def give_parts(connection: Connection, row: PlanRow, form: Plan, since: dt.date) -> None:
    """Each row of the plan becomes a part of its agency in the case, until its last day or the plan's."""
    connection.execute(allocations.delete().where(*_parts_of(row)))
    for place, part in enumerate(form.allocations, 1):
        until = part.until or form.until
        connection.execute(
            allocations.insert().values(
                id=part_id(row.id, place), case=row.case, agency=part.agency, part=part.part, since=since.isoformat(),
                until=until.isoformat() if until else None, ended_at=None,
            )
        )  # fmt: skip


def part_id(plan_id: str, place: int) -> str:
    """By which id the nth row of a plan's 役割分担 stands among the parts of a case; n from 1."""
    return f"{plan_id}.{place:03d}"


def take_parts(connection: Connection, row: PlanRow) -> None:
    """The parts that came of the plan, and its follow-ups, end with it."""
    connection.execute(
        allocations.update().where(*_parts_of(row), allocations.c.ended_at.is_(None)).values(ended_at=clock.now_us())
    )
    matches.end(connection, row.id)


def _parts_of(row: PlanRow) -> tuple[sa.ColumnElement[bool], ...]:
    """The parts of its case that came of the plan."""
    return allocations.c.case == row.case, allocations.c.id.startswith(f"{row.id}.", autoescape=True)


def set_lead(connection: Connection, write: Write, row: PlanRow, agency: str) -> None:
    """主担当 of the case that stands for the plan's; empty: as before."""
    case = standing.case_row(connection, seq=cases.head_of(connection, row.case))
    of_case = cases_table.c.seq == case.seq
    if not agency or connection.execute(cases_table.select().where(of_case)).one().lead == agency:
        return
    connection.execute(cases_table.update().where(of_case).values(lead=agency))
    standing.touch(connection, case)
    standing.note(connection, case, Happening.LEAD_SET, "", write.principal, code=agency)


def over(connection: Connection, row: PlanRow, state: PlanState, day: dt.date, code: str) -> PlanRow:
    """終結, 中断 or 取りやめ: the parts end, and the plan says since when and why."""
    if state is PlanState.SUSPENDED:
        row = change(connection, row, state=state.value, suspended_on=day, end_code=code)
    else:
        row = change(connection, row, state=state.value, ended_on=day, end_code=code)
    take_parts(connection, row)
    return row


def to_draft(connection: Connection, row: PlanRow) -> PlanRow:
    """差戻し: what was decided and agreed of it counts no more, and its form says nothing of an agreement."""
    form = plan_facts.form_of(connection, row.id)
    if form is None or form.agreed_on is None:
        return change(connection, row, state=PlanState.DRAFT.value, **_NOT_DECIDED)
    plain = msgspec.structs.replace(form, agreed_on=None)
    return rewrite(connection, row, plain, state=PlanState.DRAFT.value, **_NOT_DECIDED)


def amended(form: Plan, parts: Sequence[PlanAllocation], lead_agency: str) -> Plan:
    """The plan as a meeting changed it: with other parts or another lead, which nobody agreed to yet; or as it was."""
    changed: dict[str, Any] = {}
    if parts and list(parts) != form.allocations:
        changed["allocations"] = list(parts)
    if lead_agency and lead_agency != form.lead_agency:
        changed["lead_agency"] = lead_agency
    return msgspec.structs.replace(form, **changed, agreed_on=None) if changed else form


def agreed_anew(row: PlanRow, before: Plan, form: Plan) -> Plan:
    """What is put in the place of a draft's content (`before`), with the day on which the person agreed to just that.

    To the same content: the day that was typed, or the one on record where none other was. To another: only a day that was
    typed for it, after the day of any agreement to the content before.
    """
    if msgspec.structs.replace(form, agreed_on=None) == msgspec.structs.replace(before, agreed_on=None):
        return form if form.agreed_on != before.agreed_on else msgspec.structs.replace(form, agreed_on=row.agreed_on)
    known = [day for day in (before.agreed_on, row.agreed_on) if day is not None]
    counts = form.agreed_on is not None and all(form.agreed_on > day for day in known)
    return form if counts else msgspec.structs.replace(form, agreed_on=None)


def drop_open(connection: Connection, write: Write, case: int) -> None:
    """A case that ends without an adopted plan drops those that were proposed, or carried out before there was consent."""
    for row in plan_facts.of_cases(connection, _group(connection, case)):
        facts = plan_facts.facts_of(row, write.profile, clock.today(), consented=False)
        following = plan_step(row.state, PlanAction.DROP, facts)
        if not isinstance(following, Broken):
            row = over(connection, row, following, clock.today(), "closed")
            publishing.publish_form(connection, row.form, write.profile, write.outbox)


def _group(connection: Connection, case: int) -> Iterable[int]:
    return (case, *cases.joined_to(connection, case))
