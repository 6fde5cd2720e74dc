"""Taking a referral, and correcting one: number, case, persons, consent, audience, event and answer in one transaction."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import (
    actions,
    cases,
    changes,
    consent_records,
    numbering,
    persons,
    publishing,
    records,
    standing,
    timeline,
    withholding,
)
from tsunagi_intake.audience import FormFacts, ProtectionFact, Withheld
from tsunagi_intake.changes import Change
from tsunagi_intake.consents import ConsentFact
from tsunagi_intake.records import Write, invalid
from tsunagi_intake.rules import Action, CaseState
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import referrals
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import AudienceEntry
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.events import REFERRAL_SUBMITTED
from tsunagi_shared.contracts.profile import FormKind, Profile
from tsunagi_shared.database import Statement
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.referral import ConsentStatus, Referral

_REFERRAL = Statement(
    referrals.insert().values(
        {column.name: sa.bindparam(column.name) for column in referrals.c if column.name != "seq"}
    )
)
UNKNOWN_CASE = FieldError(
    "case_number",
    "case-not-found",
    "そのケース番号は見つからないか、見る権限がありません。番号を確かめるか、空欄にしてください。",
)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the clerk is told: the numbers, who is told, and who is not and why. Holds nothing about the person."""

    referral_number: str
    case_number: str
    received_at: dt.datetime
    support_meeting_only: bool
    audience: tuple[AudienceEntry, ...]
    withheld: tuple[Withheld, ...]
    revision: int = 1
    changes: tuple[Change, ...] = ()


def submit(connection: Connection, write: Write, form: Referral) -> bytes:
    """Take the referral; returns the encoded Receipt, the earlier one when the request came before.

    Refusal when the case number is not one the sender may read, KeyReused, EventTooLarge: nothing is stored then.
    """
    return records.once(connection, write, lambda: _submit(connection, write, form))


def _submit(connection: Connection, write: Write, form: Referral) -> Receipt:
    moment, principal, profile = clock.now_us(), write.principal, write.profile
    fiscal_year = clock.fiscal_year(clock.japanese_date(moment))
    case, number, opened = _case(connection, form, principal, profile, moment)
    referral_id = uuid7(moment)
    row: dict[str, Any] = {
        "id": referral_id, "number": number, "revision": 1,
        "fiscal_year": fiscal_year, "case": case.seq, "submitted_at": moment, "user": principal.user,
        "user_name": principal.name, "agency": principal.agency, "urgency": form.urgency.value,
        "consent_status": form.consent.status.value, "support_meeting_only": 0, "audience_revision": 0,
        "withheld": "[]", "form": msgspec.json.encode(form), "state": "submitted",
        "retention_class": profile.retention_class_for(FormKind.REFERRAL).id, "completed_on": None, "legal_hold": 0,
    }  # fmt: skip
    people = persons.shown_by(form)
    ids = persons.keep(connection, case.seq, referral_id, people, opened=opened)
    row["persons"] = msgspec.json.encode(ids).decode()
    consent_records.keep_from_referral(connection, case.seq, referral_id, ids[0], form.consent, profile)
    if form.protection:
        actions.keep_protection_of(connection, case.seq, referral_id, ids[0], form, principal.user)
    if opened:
        keys = {person: shown.key for person, shown in zip(ids, people, strict=True)}
        receipt = _into_new_case(connection, write, case, row, form, keys)
    else:
        receipt = _into_known_case(connection, write, case, row, form, ids[0])
    audit.record(connection, principal, "referral.submit", f"referral/{referral_id}", basis="origin", case=case.number)
    return receipt


def _case(
    connection: Connection, form: Referral, principal: Principal, profile: Profile, moment: int
) -> tuple[CaseRow, str, bool]:
    """The case the form goes into, the form's own number, and whether the case was opened for it.

    That is the one it names, if its sender may read that; with what it was joined to. One that has ended stays so: a new
    case, linked to it, is opened.
    """
    previous: int | None = None
    fiscal_year = clock.fiscal_year(clock.japanese_date(moment))
    if form.case_number:
        seq = cases.readable(connection, principal, form.case_number)
        if seq is None:
            raise invalid(UNKNOWN_CASE)
        known = standing.case_row(connection, seq=cases.head_of(connection, seq))
        if not CaseState[known.state.upper()].ended:
            return known, numbering.next_number(connection, profile, "referral", fiscal_year), False
        previous = known.seq
    number, case_number = numbering.next_numbers(connection, profile, fiscal_year)
    kept = profile.retention_class_for(FormKind.REFERRAL).id
    opened = cases.open_case(connection, case_number, fiscal_year, moment, kept, principal.agency, previous)
    return CaseRow(seq=opened, number=case_number, state=cases.RECEIVED, revision=1, joined_into=None), number, True


def _into_new_case(
    connection: Connection, write: Write, case: CaseRow, row: dict[str, Any], form: Referral, keys: dict[str, str]
) -> Receipt:
    """Nothing was there before: the audience follows from the form alone. `keys`: by person, what they are found by."""
    referral_id = row["id"]
    found = changes.first_audience(
        connection, write.profile, _facts(form, referral_id, write.principal.agency, tuple(keys), write.profile),
        case=case.seq, state=case.state, fiscal_year=row["fiscal_year"], keys=keys,
    )  # fmt: skip
    row |= {
        "audience_revision": 1,
        "support_meeting_only": int(found.support_meeting_only),
        "withheld": msgspec.json.encode(found.withheld).decode(),
    }
    _REFERRAL.run(connection, **row)
    if form.protection:
        publishing.publish_protection(connection, case.seq, write.profile, write.outbox)
    known = SimpleNamespace(**row, case_number=case.number)
    event = publishing.referral_event(known, form, write.profile, found.entries)
    write.outbox.add(connection, REFERRAL_SUBMITTED, event, aggregate=f"referral/{referral_id}", revision=1)
    timeline.add(
        connection, case.seq, Happening.REFERRAL_SUBMITTED, f"referral/{referral_id}", principal=write.principal,
        state=case.state,
    )  # fmt: skip
    return Receipt(
        referral_number=row["number"], case_number=case.number, received_at=clock.moment_of(row["submitted_at"]),
        support_meeting_only=found.support_meeting_only, audience=found.entries, withheld=found.withheld,
    )  # fmt: skip


def _facts(form: Referral, referral_id: str, origin: str, ids: tuple[str, ...], profile: Profile) -> FormFacts:
    consent, day = form.consent, clock.today()
    given = consent.status is ConsentStatus.GIVEN
    fact = ConsentFact(
        id=referral_id, person=ids[0], status=consent.status, agencies=frozenset(consent.agencies if given else ()),
        given_on=consent.given_on, until=consent.until, covers_successor=profile.consent.covers_successor,
    )  # fmt: skip
    protections: tuple[ProtectionFact, ...] = ()
    if form.protection:
        fields = tuple(field.value for field in form.protection)
        protections = (
            ProtectionFact(id=referral_id, person=ids[0], fields=fields, cleared=frozenset(), since=day, until=None),
        )
    return FormFacts(
        form=f"referral/{referral_id}", kind="referral", origin=origin, destinations=tuple(form.destinations),
        persons=ids, consents=(fact,), protections=protections, grounds=(),
    )  # fmt: skip


def _into_known_case(
    connection: Connection, write: Write, case: CaseRow, row: dict[str, Any], form: Referral, subject: str
) -> Receipt:
    """What the case holds already counts too: its consents, protections, allocations. The rest of it is looked at anew."""
    _REFERRAL.run(connection, **row)
    if form.consent.status is ConsentStatus.REFUSED:
        consent_records.refuse(connection, write.outbox, case, subject, row["id"])
    if form.protection:
        publishing.publish_protection(connection, case.seq, write.profile, write.outbox)
    changed = records.recompute(connection, write, case, "referral")
    standing.note(connection, case, Happening.REFERRAL_SUBMITTED, f"referral/{row['id']}", write.principal)
    return receipt_of(connection, row["id"], case, changed)


def receipt_of(connection: Connection, referral_id: str, case: CaseRow, changed: tuple[Change, ...]) -> Receipt:
    """The receipt of a referral as it is stored."""
    row = connection.execute(sa.select(referrals).where(referrals.c.id == referral_id)).one()
    return Receipt(
        referral_number=row.number, case_number=case.number, received_at=clock.moment_of(row.submitted_at),
        support_meeting_only=bool(row.support_meeting_only), revision=row.revision, changes=changed,
        audience=cases.audience_of(connection, f"referral/{referral_id}"),
        withheld=tuple(msgspec.json.decode(row.withheld, type=list[Withheld])),
    )  # fmt: skip


# corrections -----------------------------------------------------------------------------------------------------------

CASE_FIXED = FieldError(
    "case_number",
    "case-fixed",
    "ケース番号は、訂正では変えられません。もとの番号のままにするか、空欄にしてください。",
)


ANOTHER_PERSON = FieldError(
    "person.name",
    "another-person",
    "本人を別の人に替えることは、訂正ではできません。このつなぎを取り下げて、新しく提出してください。"
    "お名前の誤りを直すときは、ふりがなはそのままにしてください。",
)
PROTECTED_STAYS = FieldError(
    "household",
    "protected-person",
    "住所等の秘匿を設定している人は、世帯員から外せません。先に、地域福祉コーディネーターか所管課に解除を依頼してください。",
)


def correct(connection: Connection, write: Write, number: str, form: Referral) -> bytes:
    """Put a corrected form in the place of what was handed in; returns the encoded Receipt. Refusals as `submit`, and Stale.

    The earlier revision is kept. The referral's own consent follows only if its part of the form was changed. What is withheld
    from the writer's agency and comes back empty stays as it was.
    """
    return records.once(connection, write, lambda: _correct(connection, write, number, form))


def _correct(connection: Connection, write: Write, number: str, form: Referral) -> Receipt:
    row = actions.referral_row(connection, number)
    case, _ = actions.gate_referral(connection, write, Action.CORRECT, row)
    before = msgspec.json.decode(row.form, type=Referral)
    if form.case_number not in ("", before.case_number, case.number):
        raise invalid(CASE_FIXED)
    if persons.shown_by(before)[0].is_another(
        persons.shown_by(form)[0]
    ):  # what 本人 agreed to is nobody else's consent
        raise invalid(ANOTHER_PERSON)
    ref, revision = f"referral/{row.id}", row.revision + 1
    form = withholding.put_back(connection, write.principal, ref, case.seq, before, form)
    form = msgspec.structs.replace(form, case_number=before.case_number)
    records.keep_revision(connection, ref, row)
    connection.execute(
        referrals.update().where(referrals.c.id == row.id)
        .values(revision=revision, form=msgspec.json.encode(form), urgency=form.urgency.value,
                consent_status=form.consent.status.value)
    )  # fmt: skip
    persons.correct(connection, case.seq, row.id, revision, (before, form))
    if persons.has_lost_protected(connection, case.seq):  # a correction withholds more, never less
        raise invalid(PROTECTED_STAYS)
    subject = persons.canonical(connection, case.seq, f"{row.id}.0") or f"{row.id}.0"
    if consent_records.correct_from_referral(connection, row.id, before.consent, form.consent):
        if form.consent.status is ConsentStatus.REFUSED:
            consent_records.refuse(connection, write.outbox, case, subject, row.id)
        audit.record(
            connection, write.principal, "consent.correct", f"consent/{row.id}", basis="origin", case=case.number
        )
    added = actions.correct_protection_of(connection, case.seq, row.id, subject, (before, form), write.principal.user)
    if added or publishing.is_protected(connection, case.seq):  # whom a protection reaches follows from who is who
        publishing.publish_protection(connection, case.seq, write.profile, write.outbox)
    changed = records.publish_anew(connection, write, case, ref, "correction")
    standing.note(connection, case, Happening.REFERRAL_CORRECTED, ref, write.principal, code=str(revision))
    audit.record(connection, write.principal, "referral.correct", ref, basis="origin", case=case.number)
    return receipt_of(connection, row.id, case, changed)
