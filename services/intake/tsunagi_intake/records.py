"""The forms of a case other than the referral: handed in, read, corrected. Each is a row of `records`; a correction keeps
what it replaced in `revisions`.

A paper that belongs to another record (a withdrawal, an extension) is a row too. Nothing is drawn of it, nobody gets it on
its own, and who may read it is decided by what it belongs to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import (
    cases,
    changes,
    issue_rows,
    matches,
    numbering,
    outreach,
    persons,
    publishing,
    standing,
    withholding,
)
from tsunagi_intake.changes import Change
from tsunagi_intake.rules import Action
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import records, revisions
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock, idempotency
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.database import insert_of
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.outbox import Outbox
from tsunagi_shared.problems import Refusal, not_found

_REVISION = insert_of(revisions)


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes, under which profile, and how to know the same request again (no `scope`: no Idempotency-Key).

    `revision`: of what the write was made on; None where it changes nothing that is there.
    """

    principal: Principal
    profile: Profile
    outbox: Outbox
    scope: bytes = b""
    body_hash: bytes = b""
    revision: int | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a write: numbers, the state of the case, who may see something now and who no more. Says nothing about
    the person."""

    kind: str
    id: str
    number: str
    case_number: str
    revision: int
    received_at: dt.datetime
    code: str = ""  # of what was decided: accepted, misdirected …
    case_state: str = ""
    changes: tuple[Change, ...] = ()


def once(connection: Connection, write: Write, carry_out: Callable[[], msgspec.Struct]) -> bytes:
    """The encoded answer of what is carried out; the earlier one when the same request came before. KeyReused."""
    if write.scope:
        earlier = idempotency.earlier_answer(connection, write.scope, write.body_hash)
        if earlier is not None:
            return earlier
    answer = msgspec.json.encode(carry_out())
    if write.scope:
        idempotency.keep(connection, write.scope, write.body_hash, answer)
    return answer


def invalid(*errors: FieldError) -> Refusal:
    """422 for what only the database, or a rule between records, finds wrong with a form."""
    return Refusal(
        422,
        "invalid-form",
        "入力に直すところがあります。何も保存していません。",
        "すべて直して、もう一度送ってください。",
        errors,
    )


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it was just stored."""

    id: str
    number: str
    received_at: int


def keep(
    connection: Connection,
    write: Write,
    case: CaseRow | None,
    kind: str,
    form: msgspec.Struct,
    *,
    about: str = "",
    record_id: str = "",
    number: str = "",
) -> Kept:
    """Store a form as a record. Its audience comes with the next recompute of its case. `number`: empty: the next of its case
    (of the pledges, where it belongs to none)."""
    moment = clock.now_us()
    record_id = record_id or uuid7(moment)
    year = clock.fiscal_year(clock.japanese_date(moment))
    if not number:
        number = (
            numbering.record_number(connection, case.seq, case.number)
            if case
            else numbering.pledge_number(connection, year)
        )
    shown = persons.of_case(connection, case.seq) if case else ()
    principal = write.principal
    connection.execute(
        records.insert().values(
            id=record_id, kind=kind, number=number, case=case.seq if case else None, about=about, revision=1,
            submitted_at=moment, user=principal.user, user_name=principal.name, agency=principal.agency,
            audience_revision=0, support_meeting_only=0, persons=msgspec.json.encode(shown).decode(), state="live",
            form=msgspec.json.encode(form), retention_class=write.profile.retention_class_for(FORMS[kind].settings).id,
            completed_on=None, legal_hold=0,
        )
    )  # fmt: skip
    if case is not None:
        cases.keep_by(connection, case.seq)
    return Kept(id=record_id, number=number, received_at=moment)


def recompute(connection: Connection, write: Write, case: CaseRow, reason: str) -> tuple[Change, ...]:
    """Work out and publish who may see what now, because of this write."""
    return changes.recompute(
        connection, write.profile, write.outbox, case.seq, reason=reason, principal=write.principal
    )


class _Submitted(msgspec.Struct, frozen=True):
    action: Action
    happening: Happening


_SUBMITTED = {
    "assessment": _Submitted(Action.ASSESS, Happening.ASSESSMENT_SUBMITTED),
    "contact": _Submitted(Action.LOG_CONTACT, Happening.CONTACT_LOGGED),
    "evaluation": _Submitted(Action.EVALUATE, Happening.EVALUATION_SUBMITTED),
    "contact_log": _Submitted(Action.ISSUE_CONTACT_LOG, Happening.CONTACT_LOG_ISSUED),
}


def submit(connection: Connection, write: Write, kind: str, case_number: str, form: msgspec.Struct) -> bytes:
    """Take an assessment, a contact or an evaluation into a case; returns the encoded Receipt.

    Refusal by the rules, KeyReused, EventTooLarge: nothing is stored then.
    """
    return once(connection, write, lambda: _submit(connection, write, kind, case_number, form))


def _submit(connection: Connection, write: Write, kind: str, case_number: str, form: msgspec.Struct) -> Receipt:
    principal, profile, submitted = write.principal, write.profile, _SUBMITTED[kind]
    case = standing.case_row(connection, number=case_number)
    here = standing.on_case(connection, principal, profile, case)
    standing.allow(submitted.action, principal, profile, here)
    kept = keep(connection, write, case, kind, form)
    _follow(connection, write, case, kind, kept.id, form)
    changed = recompute(connection, write, case, kind)
    state = standing.note(connection, case, submitted.happening, f"{kind}/{kept.id}", principal)
    audit.record(
        connection,
        principal,
        f"{kind}.submit",
        f"{kind}/{kept.id}",
        basis=here.basis.value if here.basis else "",
        case=case.number,
    )
    return receipt_of(kind, kept, case, state.value, changed)


def _follow(
    connection: Connection, write: Write, case: CaseRow, kind: str, record_id: str, form: Any, *, anew: bool = False
) -> None:
    """What a contact or an assessment leaves beside itself; `anew`: by a correction."""
    if kind == "contact":
        outreach.note_contact(connection, record_id, case.seq, form)
        if form.follow_ups and not anew:
            group = (case.seq, *cases.joined_to(connection, case.seq))
            matches.done_by_contact(connection, write.profile, write.principal, group, form)
    elif kind == "assessment":
        issue_rows.from_screening(connection, case.seq, f"assessment/{record_id}", form)


def receipt_of(kind: str, kept: Kept, case: CaseRow, state: str, changed: tuple[Change, ...]) -> Receipt:
    """The receipt of a record just stored."""
    return Receipt(
        kind=kind, id=kept.id, number=kept.number, case_number=case.number, revision=1,
        received_at=clock.moment_of(kept.received_at), case_state=state, changes=changed,
    )  # fmt: skip


# corrections -----------------------------------------------------------------------------------------------------------

CORRECTABLE = ("assessment", "contact", "evaluation", "reply", "minutes")  # a consent: consent_records
Unchanged = Callable[[Any, Any], tuple[FieldError, ...]]


def row_of(connection: Connection, kind: str, record_id: str) -> sa.Row[Any]:
    """The row of a record; the common 404 when there is none, or only a tombstone of it."""
    row = connection.execute(sa.select(records).where(records.c.id == record_id, records.c.kind == kind)).first()
    if row is None or not row.form:
        raise not_found()
    return row


def correct(connection: Connection, write: Write, kind: str, record_id: str, form: msgspec.Struct) -> bytes:
    """Put a corrected form in the place of what was handed in; returns the encoded Receipt. Refusals as `submit`, and Stale.

    The earlier revision is kept. Documents are drawn anew from the event.
    """
    return once(connection, write, lambda: _correct(connection, write, kind, record_id, form))


def _correct(connection: Connection, write: Write, kind: str, record_id: str, form: msgspec.Struct) -> Receipt:
    row = row_of(connection, kind, record_id)
    case = gate_correction(connection, write, row)
    if kind == "reply":
        _same_decision(row, form)
    return replace_form(connection, write, case, row, form)


def gate_correction(connection: Connection, write: Write, row: Any) -> CaseRow:
    """Let a correction of a record through; its case. Refusal."""
    if row.case is None or row.kind not in (*CORRECTABLE, "consent"):
        raise not_found()
    case = standing.case_row(connection, seq=row.case)
    here = standing.on_record(connection, write.principal, write.profile, row, case)
    standing.allow(Action.CORRECT, write.principal, write.profile, here)
    standing.check_revision(connection, write.profile, case.seq, write.revision, row.revision, f"{row.kind}/{row.id}")
    return case


def _same_decision(row: Any, form: Any) -> None:
    """受理 and 差戻し have been acted upon: a correction changes what was written beside them."""
    if msgspec.json.decode(row.form, type=FORMS["reply"].struct).decision != form.decision:  # type: ignore[attr-defined]
        raise invalid(
            FieldError(
                "decision", "decision-fixed", "受理・差戻しは、訂正では変えられません。もとの回答を選んでください。"
            )
        )


def replace_form(connection: Connection, write: Write, case: CaseRow, row: Any, form: msgspec.Struct) -> Receipt:
    """The next revision of a record, with what follows from it."""
    kind, revision, moment = row.kind, row.revision + 1, clock.now_us()
    before = msgspec.json.decode(row.form, type=type(form))
    form = withholding.put_back(connection, write.principal, f"{kind}/{row.id}", case.seq, before, form)
    keep_revision(connection, f"{kind}/{row.id}", row)
    connection.execute(
        records.update().where(records.c.id == row.id).values(revision=revision, form=msgspec.json.encode(form))
    )
    _follow(connection, write, case, kind, row.id, form, anew=True)
    changed = publish_anew(connection, write, case, f"{kind}/{row.id}", "correction")
    state = standing.note(
        connection, case, Happening.RECORD_CORRECTED, f"{kind}/{row.id}", write.principal, code=str(revision)
    )
    audit.record(connection, write.principal, f"{kind}.correct", f"{kind}/{row.id}", basis="origin", case=case.number)
    return Receipt(
        kind=kind, id=row.id, number=row.number, case_number=case.number, revision=revision,
        received_at=clock.moment_of(moment), case_state=state.value, changes=changed,
    )  # fmt: skip


def keep_revision(connection: Connection, form: str, row: Any) -> None:
    """Keep what a correction replaces, with who had written it."""
    _REVISION.run(
        connection, form=form, revision=row.revision, submitted_at=row.submitted_at, user=row.user,
        user_name=row.user_name, agency=row.agency, content=row.form,
    )  # fmt: skip


def publish_anew(connection: Connection, write: Write, case: CaseRow, form: str, reason: str) -> tuple[Change, ...]:
    """Publish a form whose content changed, with the audience that follows from it."""
    changed = recompute(connection, write, case, reason)
    publishing.publish_form(connection, form, write.profile, write.outbox)
    return changed
