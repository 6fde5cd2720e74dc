"""What changes a consent on record: it is withdrawn, in part or as a whole, or it is extended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import consents as rules_of_consent
from tsunagi_intake import publishing, records, standing
from tsunagi_intake.consent_records import ended, row_of, texts
from tsunagi_intake.consents import ConsentFact
from tsunagi_intake.records import Receipt, Write, invalid
from tsunagi_intake.rules import Action
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import consents
from tsunagi_intake.tables import records as records_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.consent import ConsentExtension, ConsentForm, ConsentWithdrawal
from tsunagi_shared.forms.referral import ConsentStatus


def _gate(connection: Connection, write: Write, row: Any, action: Action) -> tuple[CaseRow, str]:
    """Let an action on a consent through; its case and the basis of the caller. Refusal, Stale, `ended`."""
    case = standing.case_row(connection, seq=row.case)
    here = standing.on_case(connection, write.principal, write.profile, case)
    standing.allow(action, write.principal, write.profile, here)
    refs = (f"consent/{row.id}", f"referral/{row.id}")
    standing.check_revision(connection, write.profile, case.seq, write.revision, row.revision, *refs)
    if row.status != ConsentStatus.GIVEN.value or row.closed:
        raise ended()
    return case, here.basis.value if here.basis else ""


def withdraw(connection: Connection, write: Write, consent_id: str, form: ConsentWithdrawal) -> bytes:
    """Take a consent back, as a whole or for some agencies; returns the encoded Receipt, which tells who is cut.

    Access ends with the audience, in this transaction. Refusal, Stale, `ended`, KeyReused: nothing is stored then.
    """
    return records.once(connection, write, lambda: _withdraw(connection, write, consent_id, form))


def _withdraw(connection: Connection, write: Write, consent_id: str, form: ConsentWithdrawal) -> Receipt:
    row = row_of(connection, consent_id)
    case, basis = _gate(connection, write, row, Action.WITHDRAW_CONSENT)
    _check_withdrawal(row, form)
    revision = row.revision + 1
    values: dict[str, Any] = {"revision": revision}
    if form.whole:
        values |= {"withdrawn_on": form.withdrawn_on.isoformat(), "closed": 1}
    else:
        before = msgspec.json.decode(row.withdrawn_agencies, type=list[str])
        values["withdrawn_agencies"] = texts({*before, *form.agencies})
    connection.execute(consents.update().where(consents.c.id == consent_id).values(values))
    code = "withdrawn" if form.whole else "partly_withdrawn"
    publishing.publish_consent_end(
        connection, write.outbox, row_of(connection, consent_id), code, form.withdrawn_on, tuple(form.agencies)
    )
    kept = records.keep(connection, write, case, "consent_withdrawal", form, about=f"consent/{consent_id}")
    return _changed(connection, write, case, kept, revision, Happening.CONSENT_WITHDRAWN, code, basis, consent_id)


def _changed(
    connection: Connection, write: Write, case: CaseRow, kept: records.Kept, revision: int, happening: Happening,
    code: str, basis: str, consent_id: str,
) -> Receipt:  # fmt: skip
    """What follows from a change of a consent."""
    changed = records.recompute(connection, write, case, "consent")
    state = standing.note(connection, case, happening, f"consent/{consent_id}", write.principal, code=code)
    action = "consent.withdraw" if happening is Happening.CONSENT_WITHDRAWN else "consent.extend"
    audit.record(connection, write.principal, action, f"consent/{consent_id}", basis=basis, case=case.number)
    return Receipt(
        kind="consent", id=consent_id, number=kept.number, case_number=case.number, revision=revision,
        received_at=clock.moment_of(kept.received_at), case_state=state.value, changes=changed,
    )  # fmt: skip


def _check_withdrawal(row: Any, form: ConsentWithdrawal) -> None:
    errors = []
    if row.given_on and form.withdrawn_on < dt.date.fromisoformat(row.given_on):
        errors.append(
            FieldError(
                "withdrawn_on",
                "before-consent",
                "撤回の申し出があった日は、同意を得た日と同じか、それより後の日にしてください。",
            )
        )
    covered = set(msgspec.json.decode(row.agencies)) - set(msgspec.json.decode(row.withdrawn_agencies))
    errors += [
        FieldError(
            f"agencies.{index}",
            "not-in-consent",
            "この同意の共有先に入っていない機関が選ばれています。選択を外してください。",
        )
        for index, agency in enumerate(form.agencies)
        if agency not in covered
    ]  # fmt: skip
    if errors:
        raise invalid(*errors)


def extend(connection: Connection, write: Write, consent_id: str, form: ConsentExtension) -> bytes:
    """Let a consent last longer, or reach further agencies; returns the encoded Receipt. Refusals as `withdraw`."""
    return records.once(connection, write, lambda: _extend(connection, write, consent_id, form))


def _extend(connection: Connection, write: Write, consent_id: str, form: ConsentExtension) -> Receipt:
    row = row_of(connection, consent_id)
    case, basis = _gate(connection, write, row, Action.EXTEND_CONSENT)
    agencies = {*msgspec.json.decode(row.agencies), *form.agencies}
    until = form.until or (dt.date.fromisoformat(row.until) if row.until else None)
    _check_extension(row, form, agencies, until, write.profile)
    revision = row.revision + 1
    connection.execute(
        consents.update()
        .where(consents.c.id == consent_id)
        .values(revision=revision, agencies=texts(agencies), until=until.isoformat() if until else None)
    )
    kept = records.keep(connection, write, case, "consent_extension", form, about=f"consent/{consent_id}")
    published = _extend_form(connection, consent_id, form, until)
    receipt = _changed(connection, write, case, kept, revision, Happening.CONSENT_EXTENDED, "", basis, consent_id)
    if published:
        publishing.publish_form(connection, f"consent/{consent_id}", write.profile, write.outbox)
    return receipt


def _extend_form(connection: Connection, consent_id: str, form: ConsentExtension, until: dt.date | None) -> bool:
    """The 同意書 with what was added, as its next revision; whether there is one. A referral's own consent has none."""
    found = connection.execute(
        sa.select(records_table).where(records_table.c.id == consent_id, records_table.c.kind == "consent")
    ).first()
    if found is None:
        return False
    records.keep_revision(connection, f"consent/{consent_id}", found)
    before = msgspec.json.decode(found.form, type=ConsentForm)
    after = msgspec.structs.replace(
        before, agencies=list(dict.fromkeys((*before.agencies, *form.agencies))), until=until
    )
    connection.execute(
        records_table.update()
        .where(records_table.c.id == consent_id)
        .values(revision=found.revision + 1, form=msgspec.json.encode(after))
    )
    return True


def _check_extension(
    row: Any, form: ConsentExtension, agencies: Iterable[str], until: dt.date | None, profile: Profile
) -> None:
    errors = []
    if form.until and (row.until is None or form.until <= dt.date.fromisoformat(row.until)):
        errors.append(
            FieldError(
                "until", "not-later", "いまの期限より後の日にしてください。期限なしの同意は、延ばす必要がありません。"
            )
        )
    if row.given_on and form.given_on < dt.date.fromisoformat(row.given_on):
        errors.append(
            FieldError("given_on", "before-consent", "はじめに同意を得た日より前の日です。日付を確かめてください。")
        )
    fact = fact_of(row, frozenset(agencies), until)
    for index, agency in enumerate(form.agencies):
        problem = _why_not_added(fact, agency, profile)
        if problem:
            errors.append(FieldError(f"agencies.{index}", *problem))
    if errors:
        raise invalid(*errors)


def fact_of(row: Any, agencies: frozenset[str], until: dt.date | None) -> ConsentFact:
    """A stored consent as the rules read it, with these agencies and this last day."""
    return ConsentFact(
        id=row.id, person=row.person, status=ConsentStatus[row.status.upper()], agencies=agencies,
        given_on=dt.date.fromisoformat(row.given_on) if row.given_on else None, until=until,
        covers_successor=bool(row.covers_successor), excluded=frozenset(msgspec.json.decode(row.excluded)),
        withdrawn_agencies=frozenset(msgspec.json.decode(row.withdrawn_agencies)),
    )  # fmt: skip


def _why_not_added(fact: ConsentFact, agency: str, profile: Profile) -> tuple[str, str] | None:
    """Why an extension cannot open a consent to an agency: it was withdrawn for it, excludes it, or spoke to its contractor
    before."""
    if agency in fact.withdrawn_agencies:
        return (
            "agency-withdrawn",
            "この同意から外された機関です。改めて共有するときは、新しい同意書で記録してください。",
        )
    if agency in fact.excluded:
        return (
            "agency-excluded",
            "本人が共有してほしくないとした機関です。改めて共有するときは、新しい同意書で記録してください。",
        )
    if not rules_of_consent.covers(fact, agency, profile, clock.today()):
        return (
            "contractor-changed",
            "はじめの同意の日とは受託者が違う機関です。この機関に共有するときは、新しい同意書で記録してください。",
        )
    return None
