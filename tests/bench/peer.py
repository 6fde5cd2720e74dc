"""The peer of the submission bench: the same check, key, rows and event, written with an ORM session and a commit each.

It is what one would write first: Litestar, an SQLAlchemy ORM AsyncSession on aiosqlite, one transaction a request, fsync on.
The rules, the hash of the audit's chain and the event's data are intake's own; the rows, and how they get to the disk, are
not. `tests/bench/test_peer.py` holds that both leave the same rows of the same referral.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import sqlalchemy as sa
import uvicorn
from litestar import Litestar, Request, Response, post
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from tsunagi_intake import persons, publishing, tables
from tsunagi_intake.audience import Audience, FormFacts, of_form
from tsunagi_intake.consents import ConsentFact
from tsunagi_intake.referrals import Receipt
from tsunagi_shared import audit, clock, idempotency, outbox
from tsunagi_shared.accounts import Accounts, Principal
from tsunagi_shared.contracts.envelope import Envelope, encode, new_traceparent, uuid7
from tsunagi_shared.contracts.events import REFERRAL_SUBMITTED
from tsunagi_shared.contracts.profile import FormKind, Profile, load_profile
from tsunagi_shared.forms.checks import check
from tsunagi_shared.forms.referral import Referral


class Base(DeclarativeBase):
    """The service's own tables, mapped."""


def _mapped(name: str, table: sa.Table) -> Any:
    return type(name, (Base,), {"__table__": table.to_metadata(Base.metadata)})


Case = _mapped("Case", tables.cases)
ReferralRow = _mapped("ReferralRow", tables.referrals)
AudienceRow = _mapped("AudienceRow", tables.audience)
PersonRow = _mapped("PersonRow", tables.persons)
ConsentRow = _mapped("ConsentRow", tables.consents)
CaseListRow = _mapped("CaseListRow", tables.case_lists)
CaseKeyRow = _mapped("CaseKeyRow", tables.case_keys)
TimelineRow = _mapped("TimelineRow", tables.timeline)
Number = _mapped("Number", tables.numbers)
OutboxRow = _mapped("OutboxRow", outbox.outbox)
AuditRow = _mapped("AuditRow", audit.audit)
KeyRow = _mapped("KeyRow", idempotency.idempotency)


class Handed(msgspec.Struct, frozen=True):
    """A checked form, who handed it in, and what the numbers and ids of its rows are."""

    form: Referral
    principal: Principal
    moment: int
    id: str
    number: str
    case_number: str
    fiscal_year: int

    @property
    def ref(self) -> str:
        return f"referral/{self.id}"

    @property
    def people(self) -> dict[str, persons.Shown]:
        """Everybody the form shows, by id."""
        return {f"{self.id}.{place}": person for place, person in enumerate(persons.shown_by(self.form))}


async def _next(session: AsyncSession, kind: str, year: int) -> int:
    number = await session.get(Number, (kind, year))
    if number is None:
        number = Number(kind=kind, fiscal_year=year, last=0)
        session.add(number)
    number.last += 1
    return int(number.last)


async def _take_numbers(session: AsyncSession, profile: Profile, form: Referral, principal: Principal) -> Handed:
    moment = clock.now_us()
    year = clock.fiscal_year(clock.japanese_date(moment))
    number = profile.number("referral", year, await _next(session, "referral", year))
    case_number = profile.number("case", year, await _next(session, "case", year))
    return Handed(form, principal, moment, uuid7(moment), number, case_number, year)


async def _open_case(session: AsyncSession, handed: Handed, kept: dict[str, Any]) -> int:
    case = Case(
        number=handed.case_number, fiscal_year=handed.fiscal_year, state="received", opened_at=handed.moment, revision=1,
        lead="", joined_into=None, previous=None, ended_code="", ended_at=None, origin=handed.principal.agency, **kept,
    )  # fmt: skip
    session.add(case)
    await session.flush()
    return int(case.seq)


def _audience(handed: Handed, profile: Profile) -> Audience:
    consent = handed.form.consent
    fact = ConsentFact(
        id=handed.id, person=f"{handed.id}.0", status=consent.status, agencies=frozenset(consent.agencies),
        given_on=consent.given_on, until=consent.until, covers_successor=profile.consent.covers_successor,
    )  # fmt: skip
    agency = handed.principal.agency
    facts = FormFacts(
        form=handed.ref, kind="referral", origin=agency, destinations=tuple(handed.form.destinations),
        persons=tuple(handed.people), consents=(fact,), protections=(), grounds=(),
    )  # fmt: skip
    return of_form(facts, profile, clock.japanese_date(handed.moment))


def _referral(handed: Handed, case: int, found: Audience, kept: dict[str, Any]) -> dict[str, Any]:
    form, principal = handed.form, handed.principal
    return {
        "id": handed.id, "number": handed.number, "revision": 1, "fiscal_year": handed.fiscal_year, "case": case,
        "submitted_at": handed.moment, "user": principal.user, "user_name": principal.name, "agency": principal.agency,
        "urgency": form.urgency.value, "consent_status": form.consent.status.value,
        "support_meeting_only": int(found.support_meeting_only), "audience_revision": 1,
        "persons": _json(tuple(handed.people)), "withheld": _json(found.withheld), "form": msgspec.json.encode(form),
        "state": "submitted", **kept,
    }  # fmt: skip


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def _add_people(session: AsyncSession, handed: Handed, case: int, profile: Profile) -> None:
    consent = handed.form.consent
    session.add_all(
        PersonRow(
            id=person_id, referral=handed.id, case=case, position=place, search_key=person.key, birth_date=person.birth_date,
            phone_key=person.phone, same_as=person_id,
        )
        for place, (person_id, person) in enumerate(handed.people.items())
    )  # fmt: skip
    session.add(
        ConsentRow(
            id=handed.id, case=case, person=f"{handed.id}.0", status=consent.status.value, given_on=_day(consent.given_on),
            until=_day(consent.until), agencies=_json(sorted(consent.agencies)), excluded="[]",
            covers_successor=int(profile.consent.covers_successor), withdrawn_on=None, withdrawn_agencies="[]", revision=1,
            closed=0, recorded_on=_day(clock.today()),
        )
    )  # fmt: skip


def _add_readers(session: AsyncSession, handed: Handed, case: int, found: Audience) -> None:
    for entry in found.entries:
        session.add(
            AudienceRow(
                agency=entry.agency, case=case, form=handed.ref, basis_kind=entry.basis.kind.value,
                basis_ref=entry.basis.ref, law=entry.basis.law, view=entry.view.value, members=_json(entry.members),
                until=_day(entry.until), hidden=_json(entry.hidden), withheld=_json(entry.withheld), revision=1,
            )
        )  # fmt: skip
        session.add(
            CaseListRow(
                agency=entry.agency, case=case, state="received", fiscal_year=handed.fiscal_year,
                origin=handed.principal.agency,
            )
        )  # fmt: skip
        session.add_all(
            CaseKeyRow(agency=entry.agency, search_key=person.key, case=case, person=person_id)
            for person_id, person in handed.people.items()
            if person.key and person_id not in entry.hidden
        )


def _add_event(
    session: AsyncSession, handed: Handed, row: dict[str, Any], profile: Profile, version: str, found: Audience
) -> None:
    known = SimpleNamespace(**row, case_number=handed.case_number)
    event = publishing.referral_event(known, handed.form, profile, found.entries)
    envelope = Envelope(
        id=uuid7(handed.moment), source=f"/{profile.municipality.code}/intake", type=REFERRAL_SUBMITTED,
        time=clock.moment_of(handed.moment), aggregate=handed.ref, profileversion=version,
        traceparent=new_traceparent(), revision=1, data=msgspec.Raw(msgspec.json.encode(event)),
    )  # fmt: skip
    session.add(OutboxRow(id=envelope.id, type=REFERRAL_SUBMITTED, payload=encode(envelope), created_at=handed.moment))


async def _add_to_record(session: AsyncSession, handed: Handed, case: int) -> None:
    principal = handed.principal
    session.add(
        TimelineRow(
            case=case, at=handed.moment, kind="referral_submitted", ref=handed.ref, code="", user_name=principal.name,
            agency=principal.agency, state="received",
        )
    )  # fmt: skip
    last = (
        await session.execute(sa.select(AuditRow.seq, AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1))
    ).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, b"")
    line = {
        "at": handed.moment, "user": principal.user, "agency": principal.agency, "via": principal.via,
        "action": "referral.submit", "subject": handed.ref, "outcome": "done", "basis": "origin",
        "case_number": handed.case_number, "repeats": 0, "reason_digest": b"",
    }  # fmt: skip
    session.add(AuditRow(seq=seq, hash=audit.chain_hash(previous, seq, tuple(line.values())), **line))


def create_app(folder: Path, profile_folder: Path, secret: bytes) -> Litestar:
    """The peer's app on a database of its own in `folder`."""
    profile = load_profile(profile_folder)
    accounts = Accounts(folder / "accounts.db", secret, profile.contractor_on)
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'peer.db'}", pool_size=1, max_overflow=0)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def prepare(driver: Any, _: Any) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            driver.execute(f"PRAGMA {pragma}")

    sessions = async_sessionmaker(engine, expire_on_commit=False)
    kept = {
        "retention_class": profile.retention_class_for(FormKind.REFERRAL).id,
        "completed_on": None,
        "legal_hold": 0,
    }

    @post("/referrals", status_code=201)
    async def submit(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = await request.body()
        principal = accounts.machine(request.headers["x-api-key"])
        assert principal is not None
        assert profile.acts_for(principal.agency, principal.contractor, clock.today())
        raw = msgspec.json.decode(body)
        form = check(Referral, raw, profile.codes(FormKind.REFERRAL, clock.today())).form
        assert form is not None
        scope = idempotency.scope_of(
            principal.user, principal.agency, "POST /referrals", request.headers["idempotency-key"]
        )
        async with sessions() as session, session.begin():
            earlier = await session.get(KeyRow, scope)
            assert earlier is None
            handed = await _take_numbers(session, profile, form, principal)
            case = await _open_case(session, handed, kept)
            _add_people(session, handed, case, profile)
            found = _audience(handed, profile)
            _add_readers(session, handed, case, found)
            row = _referral(handed, case, found, kept)
            session.add(ReferralRow(**row))
            _add_event(session, handed, row, profile, profile.version, found)
            await _add_to_record(session, handed, case)
            answer = msgspec.json.encode(
                Receipt(
                    referral_number=handed.number, case_number=handed.case_number, audience=found.entries,
                    received_at=clock.moment_of(handed.moment), support_meeting_only=found.support_meeting_only,
                    withheld=found.withheld,
                )
            )  # fmt: skip
            body_hash = idempotency.hash_of(body)
            session.add(KeyRow(scope=scope, body_hash=body_hash, answer=answer, created_at=handed.moment))
        return Response(answer, status_code=201, media_type="application/json")

    async def prepare_tables(_: Litestar) -> None:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)

    async def dispose(_: Litestar) -> None:
        await engine.dispose()
        accounts.close()

    return Litestar(
        [submit], on_startup=[prepare_tables], on_shutdown=[dispose], logging_config=None, openapi_config=None
    )


if __name__ == "__main__":
    place, profile_place, secret_place, port = sys.argv[1:]
    app = create_app(Path(place), Path(profile_place), Path(secret_place).read_bytes().strip())
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_config=None, access_log=False)
