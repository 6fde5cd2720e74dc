"""Taking a referral: number, case, persons, audience, event, audit and answer, all in one transaction."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_intake import audience as audiences
from tsunagi_intake import cases
from tsunagi_intake.audience import Audience, Withheld
from tsunagi_intake.tables import audience, numbers, persons, referrals
from tsunagi_intake.tables import cases as cases_table
from tsunagi_shared import audit, clock, idempotency
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import AudienceEntry
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.events import REFERRAL_SUBMITTED, ReferralSubmitted, Retention, Staff
from tsunagi_shared.contracts.profile import FormKind, Profile
from tsunagi_shared.database import Statement, insert_of
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.japanese import search_key
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.outbox import Outbox
from tsunagi_shared.problems import Refusal

_NEXT = Statement(
    sa.dialects.sqlite.insert(numbers)
    .values(kind=sa.bindparam("kind"), fiscal_year=sa.bindparam("fiscal_year"), last=1)
    .on_conflict_do_update(index_elements=["kind", "fiscal_year"], set_={"last": numbers.c.last + 1})
    .returning(numbers.c.last)
)
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
_AUDIENCE = insert_of(audience)
_PERSON = insert_of(persons)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the clerk is told: the numbers, who is told, and who is not and why. Holds nothing about the person."""

    referral_number: str
    case_number: str
    received_at: dt.datetime
    support_meeting_only: bool
    audience: tuple[AudienceEntry, ...]
    withheld: tuple[Withheld, ...]


def next_number(connection: Connection, profile: Profile, kind: Any, fiscal_year: int) -> str:
    """The next number of its kind and 年度, allocated with the row that uses it: no gaps, none twice."""
    row = _NEXT.first(connection, kind=kind, fiscal_year=fiscal_year)
    assert row is not None
    return profile.number(kind, fiscal_year, row[0])


class Submission(msgspec.Struct, frozen=True):
    """A checked form, who hands it in, and how to know the same request again (no `scope`: no Idempotency-Key)."""

    form: Referral
    principal: Principal
    scope: bytes
    body_hash: bytes


def submit(connection: Connection, submission: Submission, profile: Profile, outbox: Outbox) -> bytes:
    """Take the referral; returns the encoded Receipt, the earlier one when the request came before.

    Refusal when the case number is not one the sender may read, KeyReused, EventTooLarge: nothing is stored then.
    """
    if submission.scope:
        earlier = idempotency.earlier_answer(connection, submission.scope, submission.body_hash)
        if earlier is not None:
            return earlier
    moment, principal, form = clock.now_us(), submission.principal, submission.form
    day = clock.japanese_date(moment)
    referral_id = uuid7(moment)
    retention = profile.retention_class_for(FormKind.REFERRAL).id
    case, case_number = _case(connection, form, principal, profile, moment)
    number = next_number(connection, profile, "referral", clock.fiscal_year(day))
    found = audiences.of_referral(form, referral_id, principal.agency, profile, day)
    person_ids = _keep_person(connection, form, referral_id)
    _REFERRAL.run(
        connection, id=referral_id, number=number, revision=1, fiscal_year=clock.fiscal_year(day), case=case, submitted_at=moment,
        user=principal.user, user_name=principal.name, agency=principal.agency, urgency=form.urgency.value,
        consent_status=form.consent.status.value, support_meeting_only=int(found.support_meeting_only), audience_revision=1,
        persons=msgspec.json.encode(person_ids).decode(), withheld=msgspec.json.encode(found.withheld).decode(),
        form=msgspec.json.encode(form), retention_class=retention, completed_on=None, legal_hold=0,
    )  # fmt: skip
    _keep_audience(connection, found, referral_id, case)
    event = ReferralSubmitted(
        referral_id=referral_id, revision=1, referral_number=number, case_number=case_number, received_at=clock.moment_of(moment),
        submitted_by=Staff(principal.user, principal.name, principal.agency, profile.agency_names[principal.agency]), form=form,
        audience=found.entries, persons=person_ids, support_meeting_only=found.support_meeting_only,
        retention=Retention(retention), **_printed(form, profile),
    )  # fmt: skip
    outbox.add(connection, REFERRAL_SUBMITTED, event, aggregate=f"referral/{referral_id}", revision=1)
    audit.record(connection, principal, "referral.submit", f"referral/{referral_id}", basis="origin")
    answer = msgspec.json.encode(
        Receipt(
            referral_number=number, case_number=case_number, received_at=clock.moment_of(moment),
            support_meeting_only=found.support_meeting_only, audience=found.entries, withheld=found.withheld,
        )
    )  # fmt: skip
    if submission.scope:
        idempotency.keep(connection, submission.scope, submission.body_hash, answer)
    return answer


def _printed(form: Referral, profile: Profile) -> dict[str, Any]:
    """The names of the profile that the papers print."""
    provider = profile.roles.multi_agency_provider
    return {
        "destination_names": tuple(profile.agency_names[agency] for agency in form.destinations),
        "consent_agency_names": tuple(profile.agency_names[agency] for agency in form.consent.agencies),
        "local_labels": {field.name: field.title for field in profile.local_fields(FormKind.REFERRAL)}
        if form.local
        else {},
        "summary_to_destinations": profile.summary_to_destinations,
        "provider": provider,
        "provider_name": profile.agency_names[provider],
        "municipality_name": profile.municipality.name,
    }


def _case(
    connection: Connection, form: Referral, principal: Principal, profile: Profile, moment: int
) -> tuple[int, str]:
    """The case the form goes into: the one it names, if its sender may read that, else a new one."""
    if form.case_number:
        seq = cases.readable(connection, principal, form.case_number)
        if seq is None:
            raise Refusal(
                422, "invalid-form", "入力に直すところがあります。", "直して、もう一度送ってください。", (UNKNOWN_CASE,)
            )
        return seq, form.case_number
    fiscal_year = clock.fiscal_year(clock.japanese_date(moment))
    number = next_number(connection, profile, "case", fiscal_year)
    return cases.open_case(
        connection, number, fiscal_year, moment, profile.retention_class_for(FormKind.REFERRAL).id
    ), number


def _keep_person(connection: Connection, form: Referral, referral_id: str) -> tuple[str, ...]:
    """A row by which the person can be found again; gives back the ids of everybody the form shows (they say nothing)."""
    birth_date = form.person.birth_date.isoformat() if form.person.birth_date else None
    _PERSON.run(connection, referral=referral_id, search_key=search_key(form.person.kana), birth_date=birth_date)
    return tuple(f"{referral_id}.{position}" for position in range(1 + len(form.household)))


def _keep_audience(connection: Connection, found: Audience, referral_id: str, case: int) -> None:
    rows = [
        {
            "agency": entry.agency, "case": case, "form": f"referral/{referral_id}", "basis_kind": entry.basis.kind.value,
            "basis_ref": entry.basis.ref, "view": entry.view.value, "members": msgspec.json.encode(entry.members).decode(),
            "until": entry.until.isoformat() if entry.until else None, "revision": 1,
        }
        for entry in found.entries
    ]  # fmt: skip
    _AUDIENCE.many(connection, rows)


def _retention_of(row: Any) -> Retention:
    completed_on = dt.date.fromisoformat(row.completed_on) if row.completed_on else None
    return Retention(row.retention_class, completed_on, bool(row.legal_hold))


def publish_again(connection: Connection, referral_id: str, profile: Profile, outbox: Outbox) -> None:
    """Publish the referral once more as it stands: asks documents to make what failed, and covers a long outage."""
    row = connection.execute(
        sa.select(*referrals.c, cases_table.c.number.label("case_number"))
        .join(cases_table, cases_table.c.seq == referrals.c.case)
        .where(referrals.c.id == referral_id)
    ).one()
    form = msgspec.json.decode(row.form, type=Referral)
    event = ReferralSubmitted(
        referral_id=row.id, revision=row.revision, referral_number=row.number, case_number=row.case_number,
        received_at=clock.moment_of(row.submitted_at),
        submitted_by=Staff(row.user, row.user_name, row.agency, profile.agency_names.get(row.agency, row.agency)), form=form,
        audience=cases.audience_of(connection, f"referral/{row.id}"), audience_revision=row.audience_revision,
        persons=tuple(msgspec.json.decode(row.persons)), support_meeting_only=bool(row.support_meeting_only),
        retention=_retention_of(row),
        **_printed(form, profile),
    )  # fmt: skip
    outbox.add(connection, REFERRAL_SUBMITTED, event, aggregate=f"referral/{row.id}", revision=row.revision)
