"""情報提供依頼 to one agency, and its answer, which comes back to the case (rule `information-basis`)."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection

from tsunagi_intake import consents, form_facts, records, standing
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.rules import Action
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.forms.information import InformationAnswer, InformationRequest

# How long the addressee reads a request after its answer was due, and how far ahead that day counts
_AFTER_DUE, _FARTHEST = dt.timedelta(days=30), dt.timedelta(days=365)


def request(connection: Connection, write: Write, case_number: str, form: InformationRequest) -> bytes:
    """Ask an agency for information about a case; returns the encoded Receipt. Refusal, KeyReused: nothing is stored then."""
    return records.once(connection, write, lambda: _request(connection, write, case_number, form))


def _request(connection: Connection, write: Write, case_number: str, form: InformationRequest) -> Receipt:
    case = standing.case_row(connection, number=case_number)
    own = standing.on_case(connection, write.principal, write.profile, case)
    standing.allow(Action.REQUEST_INFORMATION, write.principal, write.profile, own)
    today = clock.today()
    if not form.law:
        found = form_facts.of_case(connection, write.profile, case.seq, today)
        taken = (form.facts for form in (found.forms if found else ()) if form.facts.kind == "referral")
        facts = next((fact for fact in taken if not fact.withdrawn), None)
        if facts is None or not facts.persons or consents.covering(
            facts.consents, facts.persons[0], form.agency, write.profile, today
        ) is None:  # fmt: skip
            raise standing.refusal_of(REFUSALS["information-without-basis"])
    last = min(form.due_on, today + _FARTHEST) + _AFTER_DUE
    about = f"agency/{form.agency}/{form.law}/{last.isoformat()}"
    kept = records.keep(connection, write, case, "information_request", form, about=about)
    changed = records.recompute(connection, write, case, "information_request")
    state = standing.note(
        connection, case, Happening.INFORMATION_REQUESTED, f"information_request/{kept.id}", write.principal,
        code=form.agency,
    )  # fmt: skip
    basis = own.basis.value if own.basis else ""
    subject = f"information_request/{kept.id}"
    audit.record(connection, write.principal, "information.request", subject, basis=basis, case=case.number)
    return records.receipt_of("information_request", kept, case, state.value, changed)


def answer(connection: Connection, write: Write, identity: str, form: InformationAnswer) -> bytes:
    """Put the addressee's answer on record; returns the encoded Receipt. Refusal for anybody else, KeyReused."""
    return records.once(connection, write, lambda: _answer(connection, write, identity, form))


def _answer(connection: Connection, write: Write, identity: str, form: InformationAnswer) -> Receipt:
    row = records.row_of(connection, "information_request", identity)
    case = standing.case_row(connection, seq=row.case)
    own = standing.on_record(connection, write.principal, write.profile, row, case)
    standing.allow(Action.ANSWER_INFORMATION, write.principal, write.profile, own)
    addressee, _ = form_facts.asked_of(row.about)
    if write.principal.agency != addressee:
        raise standing.refusal_of(REFUSALS["not-addressee"])
    asked = f"information_request/{identity}"
    kept = records.keep(connection, write, case, "information_answer", form, about=asked)
    changed = records.recompute(connection, write, case, "information_answer")
    subject = f"information_answer/{kept.id}"
    state = standing.note(connection, case, Happening.INFORMATION_ANSWERED, subject, write.principal)
    basis = own.basis.value if own.basis else ""
    audit.record(connection, write.principal, "information.answer", subject, basis=basis, case=case.number)
    return records.receipt_of("information_answer", kept, case, state.value, changed)
