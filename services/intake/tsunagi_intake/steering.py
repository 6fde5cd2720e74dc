"""What those who steer a case decide on it themselves: who has the lead, and its end where no plan was adopted."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, plan_effects, records, standing, timeline
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rules import Action, Standing
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import cases as table
from tsunagi_intake.tables import records as records_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.forms.case_actions import Closure
from tsunagi_shared.forms.checks import FieldError

UNKNOWN_AGENCY = FieldError("lead", "wrong-code", "主担当は、一覧にある機関から選んでください。")


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """The agency that has the lead; empty: nobody has it any more."""

    lead: str


def set_lead(connection: Connection, write: Write, number: str, form: Lead) -> bytes:
    """Say who has the lead (主担当); returns the encoded Receipt. Refusal, Stale, KeyReused: nothing is stored then."""
    return records.once(connection, write, lambda: _set_lead(connection, write, number, form))


def _set_lead(connection: Connection, write: Write, number: str, form: Lead) -> Receipt:
    case, own = _gate(connection, write, number, Action.SET_LEAD)
    if form.lead and form.lead not in write.profile.agencies_by_id:
        raise records.invalid(UNKNOWN_AGENCY)
    connection.execute(table.update().where(table.c.seq == case.seq).values(lead=form.lead))
    revision = standing.touch(connection, case)
    state = cases.settle(connection, case.seq, write.principal)
    timeline.add(
        connection, case.seq, Happening.LEAD_SET, "", code=form.lead, principal=write.principal, state=state.value
    )
    _on_record(connection, write, case, own, "case.lead")
    return _receipt(case, "lead", revision, state.value)


def close(connection: Connection, write: Write, number: str, form: Closure) -> bytes:
    """End a case for which no plan was adopted; returns the encoded Receipt. Refusal, Stale: nothing is stored then."""
    return records.once(connection, write, lambda: _close(connection, write, number, form))


def _close(connection: Connection, write: Write, number: str, form: Closure) -> Receipt:
    case, own = _gate(connection, write, number, Action.CLOSE_CASE)
    kept = records.keep(connection, write, case, "closure", form)
    plan_effects.drop_open(connection, write, case.seq)
    values = {"ended_code": form.reason.value} | ({"lead": form.lead_agency} if form.lead_agency else {})
    connection.execute(table.update().where(table.c.seq == case.seq).values(values))
    revision = standing.touch(connection, case)
    state = standing.note(
        connection, case, Happening.CASE_CLOSED, f"closure/{kept.id}", write.principal, code=form.reason.value
    )
    changed = records.recompute(connection, write, case, "closure")
    _on_record(connection, write, case, own, "case.close")
    receipt = _receipt(case, "closure", revision, state.value)
    return msgspec.structs.replace(receipt, id=kept.id, number=kept.number, changes=changed)


def _gate(connection: Connection, write: Write, number: str, action: Action) -> tuple[CaseRow, Standing]:
    """Let an action on a case through. Refusal, Stale."""
    case = standing.case_row(connection, number=number)
    own = standing.on_case(connection, write.principal, write.profile, case)
    standing.allow(action, write.principal, write.profile, own)
    standing.check_revision(connection, write.profile, case.seq, write.revision, case.revision)
    return case, own


def _on_record(connection: Connection, write: Write, case: CaseRow, own: Standing, action: str) -> None:
    basis = own.basis.value if own.basis else ""
    audit.record(connection, write.principal, action, f"case/{case.number}", basis=basis, case=case.number)


def _receipt(case: CaseRow, kind: str, revision: int, state: str) -> Receipt:
    return Receipt(
        kind=kind,
        id="",
        number="",
        case_number=case.number,
        revision=revision,
        received_at=clock.now(),
        case_state=state,
    )


def closure_note(connection: Connection, case: int) -> str:
    """What was written when the case was closed; empty without a note."""
    form = connection.execute(
        sa.select(records_table.c.form)
        .where(records_table.c.case == case, records_table.c.kind == "closure")
        .order_by(records_table.c.seq.desc())
        .limit(1)
    ).scalar()
    return msgspec.json.decode(form, type=Closure).note if form else ""
