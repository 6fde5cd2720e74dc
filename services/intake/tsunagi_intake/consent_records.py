"""Consents as they are put on record: with a referral, or on a form of their own.

A row of `consents` is what the rules read; each change of it is its next revision. The person's newest word counts: a
同意書 takes the place of the consents the person gave before, and so does a refusal. A consent that has ended stays ended,
whatever is corrected or extended later; to go on, the person is asked anew.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import form_facts, persons, publishing, records, standing
from tsunagi_intake.records import Receipt, Write, invalid
from tsunagi_intake.rules import Action
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import cases, consents
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.database import Statement, insert_of
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.consent import ConsentForm
from tsunagi_shared.forms.referral import Consent, ConsentStatus
from tsunagi_shared.outbox import Outbox
from tsunagi_shared.problems import Refusal, not_found

_INSERT = insert_of(consents)
_OF_PERSON = Statement(
    sa.select(consents.c.id, consents.c.given_on).where(
        consents.c.case == sa.bindparam("case"),
        consents.c.person == sa.bindparam("person"),
        consents.c.id != sa.bindparam("but"),
        consents.c.status == ConsentStatus.GIVEN.value,
        consents.c.closed == 0,
    )
)


def ended() -> Refusal:
    """409: what has ended stays ended."""
    return Refusal(
        409,
        "consent-ended",
        "この同意は、期限が切れたか、撤回されたか、新しい同意に替わっています。何も保存していません。",
        "本人に改めてたずね、新しい同意書で記録してください。",
    )


def texts(values: Iterable[str]) -> str:
    """A list of agencies as it is stored."""
    return msgspec.json.encode(sorted(values)).decode()


# with a referral -------------------------------------------------------------------------------------------------------


def keep_from_referral(
    connection: Connection, case: int, referral_id: str, person: str, consent: Consent, profile: Profile
) -> None:
    """What the person said when the referral was written; the row has the referral's id."""
    _INSERT.run(
        connection, id=referral_id, case=case, person=person, excluded="[]",
        covers_successor=int(profile.consent.covers_successor), withdrawn_on=None, withdrawn_agencies="[]", revision=1,
        closed=0, recorded_on=clock.today().isoformat(), **_said(consent),
    )  # fmt: skip


def _said(consent: Consent) -> dict[str, Any]:
    given = consent.status is ConsentStatus.GIVEN
    return {
        "status": consent.status.value,
        "given_on": consent.given_on.isoformat() if consent.given_on else None,
        "until": consent.until.isoformat() if consent.until else None,
        "agencies": texts(consent.agencies if given else ()),
    }


def correct_from_referral(connection: Connection, referral_id: str, before: Consent, after: Consent) -> bool:
    """Let the referral's own consent follow a correction of the referral; whether it changed. Refusal when it has ended."""
    if before == after:
        return False
    row = connection.execute(sa.select(consents).where(consents.c.id == referral_id)).first()
    if row is None:
        return False
    if row.closed:
        raise ended()
    changed = consents.update().where(consents.c.id == referral_id)
    today = clock.today().isoformat()
    connection.execute(changed.values(revision=row.revision + 1, recorded_on=today, **_said(after)))
    return _said(before) != _said(after)


def end_earlier(
    connection: Connection, case: CaseRow, person: str, but: str, day: dt.date | None = None
) -> tuple[Any, ...]:
    """End what the person consented to up to that day (None: whenever), because of what they said since; the ended rows,
    for `publish_ends`."""
    given = _given_by(connection, case.seq, person, but)
    ids = [consent_id for consent_id, given_on in given if day is None or given_on <= day.isoformat()]
    today = clock.today()
    return tuple(_end(connection, consent_id, today) for consent_id in ids)


def _given_by(connection: Connection, case: int, person: str, but: str) -> list[tuple[str, str]]:
    """(id, day) of each consent of the person in the case that has not ended, but for one."""
    cursor = _OF_PERSON.run(connection, case=case, person=person, but=but)
    rows: list[tuple[str, str]] = [(row[0], row[1]) for row in cursor.fetchall()]
    cursor.close()
    return rows


def refuse(connection: Connection, outbox: Outbox, case: CaseRow, person: str, but: str) -> None:
    """The person does not consent (any more): whatever they consented to before has ended, here and in the cases joined with
    this one, also by the ids of whoever may be the same person."""
    _end_all(connection, outbox, [(case.seq, person), *form_facts.may_be(connection, case.seq, person)], but)


def _end_all(connection: Connection, outbox: Outbox, people: Iterable[tuple[int, str]], but: str) -> None:
    """End the consents of these people, each as (case, id), but for one."""
    today = clock.today()
    ends = [
        _end(connection, consent_id, today)
        for case, person in people
        for consent_id, _ in _given_by(connection, case, person, but)
    ]
    publish_ends(connection, outbox, ends, "withdrawn")


def reach_across(connection: Connection, outbox: Outbox, one: Collection[int], other: Collection[int]) -> None:
    """Let refusals in two groups of cases that have just been joined reach consents in the other that are not newer.

    A refusal that came by a correction may be newer than its id says, and counts as such.
    """
    for said_in, kept_in in ((one, other), (other, one)):
        refused = connection.execute(
            sa.select(consents).where(consents.c.case.in_(said_in), consents.c.status == ConsentStatus.REFUSED.value)
        ).all()
        for said in refused:
            for case, person in form_facts.may_be(connection, said.case, said.person):
                if case not in kept_in:
                    continue
                given = _given_by(connection, case, person, said.id)
                older = [row[0] for row in given if said.revision > 1 or row[0] < said.id]
                ends = [_end(connection, consent_id, clock.today()) for consent_id in older]
                publish_ends(connection, outbox, ends, "withdrawn")


def _end(connection: Connection, consent_id: str, day: dt.date) -> Any:
    connection.execute(
        consents.update()
        .where(consents.c.id == consent_id)
        .values(withdrawn_on=day.isoformat(), closed=1, revision=consents.c.revision + 1)
    )
    return row_of(connection, consent_id)


def publish_ends(connection: Connection, outbox: Outbox, rows: Iterable[Any], code: str) -> None:
    """Say of each of these rows that the consent no longer holds."""
    for row in rows:
        publishing.publish_consent_end(connection, outbox, row, code, dt.date.fromisoformat(row.withdrawn_on))


def end_with_record(connection: Connection, outbox: Outbox, consent_id: str, code: str) -> None:
    """End the consent that came with a record which is taken back; without one, or with one that ended, nothing happens."""
    row = connection.execute(sa.select(consents).where(consents.c.id == consent_id)).first()
    if row is not None and row.status == ConsentStatus.GIVEN.value and not row.closed:
        publish_ends(connection, outbox, [_end(connection, consent_id, clock.today())], code)


# on a form of its own --------------------------------------------------------------------------------------------------


def agencies_of(form: ConsentForm, profile: Profile, day: dt.date) -> frozenset[str]:
    """The agencies a 同意書 names: one by one and by the lists (別紙) of that day, without those it excludes."""
    if form.status is not ConsentStatus.GIVEN:
        return frozenset()
    listed = (profile.agency_list_on(list_id, day) for list_id in form.lists)
    named = {*form.agencies, *(agency for found in listed if found for agency in found.agencies)}
    return frozenset(named - set(form.excluded_agencies))


def _columns(form: ConsentForm, profile: Profile) -> dict[str, Any]:
    day = form.given_on or clock.today()
    return {
        "status": form.status.value,
        "given_on": form.given_on.isoformat() if form.given_on else None,
        "until": form.until.isoformat() if form.until else None,
        "agencies": texts(agencies_of(form, profile, day)),
        "excluded": texts(form.excluded_agencies),
        "covers_successor": int(form.covers_successor),
        "recorded_on": clock.today().isoformat(),
    }


def give(connection: Connection, write: Write, case_number: str, form: ConsentForm) -> bytes:
    """Put a person's 同意書 on record; returns the encoded Receipt. Refusal, KeyReused, EventTooLarge: nothing is stored."""
    return records.once(connection, write, lambda: _give(connection, write, case_number, form))


def _give(connection: Connection, write: Write, case_number: str, form: ConsentForm) -> Receipt:
    principal, profile = write.principal, write.profile
    case = standing.case_row(connection, number=case_number)
    here = standing.on_case(connection, principal, profile, case)
    standing.allow(Action.GIVE_CONSENT, principal, profile, here)
    form = msgspec.structs.replace(form, person=person_of(connection, case, form.person))
    kept = records.keep(connection, write, case, "consent", form, about=form.person)
    _INSERT.run(
        connection, id=kept.id, case=case.seq, person=form.person, withdrawn_on=None, withdrawn_agencies="[]",
        revision=1, closed=0, **_columns(form, profile),
    )  # fmt: skip
    if form.status is ConsentStatus.REFUSED:
        refuse(connection, write.outbox, case, form.person, kept.id)
    replaced: tuple[Any, ...] = ()
    if form.status is ConsentStatus.GIVEN:
        replaced = end_earlier(connection, case, form.person, kept.id, form.given_on)
    changed = records.recompute(connection, write, case, "consent")
    # After the new audience: whoever both consents name loses nothing in between
    publish_ends(connection, write.outbox, replaced, "replaced")
    state = standing.note(
        connection, case, Happening.CONSENT_GIVEN, f"consent/{kept.id}", principal, code=form.status.value
    )
    audit.record(
        connection, principal, "consent.give", f"consent/{kept.id}", basis=here.basis.value if here.basis else "",
        case=case.number,
    )  # fmt: skip
    return records.receipt_of("consent", kept, case, state.value, changed)


def person_of(connection: Connection, case: CaseRow, person_id: str) -> str:
    """By which id the case knows the person a form names; somebody of a case joined with it by who they are here, where
    furigana and birth date say so. Refusal 422 when the case does not show them."""
    found = persons.canonical(connection, case.seq, person_id)
    if found is None:
        group = [seq for seq in form_facts.group_of(connection, case.seq) if seq != case.seq]
        found = persons.same_here(connection, case.seq, group, person_id)
    if found is None:
        raise invalid(
            FieldError(
                "person", "person-not-found", "このケースにいない人です。ケースの画面から、人を選び直してください。"
            )
        )
    return found


def correct(connection: Connection, write: Write, record_id: str, form: ConsentForm) -> bytes:
    """Put a corrected 同意書 in the place of the one on record. Refusals as `give`, Stale, `ended`."""
    return records.once(connection, write, lambda: _correct(connection, write, record_id, form))


def _correct(connection: Connection, write: Write, record_id: str, form: ConsentForm) -> Receipt:
    record = records.row_of(connection, "consent", record_id)
    case = records.gate_correction(connection, write, record)
    row = row_of(connection, record_id)
    if row.closed:
        raise ended()
    form = msgspec.structs.replace(form, person=person_of(connection, case, form.person))
    if form.person != row.person:
        raise invalid(
            FieldError(
                "person",
                "person-fixed",
                "同意した人は、訂正では変えられません。別の人の同意は、新しく記録してください。",
            )
        )
    changed = consents.update().where(consents.c.id == record_id)
    connection.execute(changed.values(revision=row.revision + 1, **_columns(form, write.profile)))
    return records.replace_form(connection, write, case, record, form)


def row_of(connection: Connection, consent_id: str) -> Any:
    """The row of a consent, with its `case_number`; the common 404."""
    row = connection.execute(
        sa.select(*consents.c, cases.c.number.label("case_number"))
        .join(cases, cases.c.seq == consents.c.case)
        .where(consents.c.id == consent_id)
    ).first()
    if row is None:
        raise not_found()
    return row
