"""The peer of the submission bench: the same check, key, rows and event, written with an ORM session and a commit each.

It is what one would write first: Litestar, an SQLAlchemy ORM AsyncSession on aiosqlite, one transaction a request, fsync on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
import uvicorn
from litestar import Litestar, Request, Response, post
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from tsunagi_intake import audience as audiences
from tsunagi_intake import tables
from tsunagi_shared import clock, idempotency, outbox
from tsunagi_shared.accounts import Accounts
from tsunagi_shared.audit import audit
from tsunagi_shared.contracts.envelope import Envelope, encode, new_traceparent, uuid7
from tsunagi_shared.contracts.events import REFERRAL_SUBMITTED, ReferralSubmitted, Retention, Staff
from tsunagi_shared.contracts.profile import load_profile
from tsunagi_shared.forms.checks import Codes, check
from tsunagi_shared.forms.japanese import search_key
from tsunagi_shared.forms.referral import Referral


class Base(DeclarativeBase):
    """The service's own tables, mapped."""


def _mapped(name: str, table: sa.Table) -> Any:
    return type(name, (Base,), {"__table__": table.to_metadata(Base.metadata)})


Case = _mapped("Case", tables.cases)
ReferralRow = _mapped("ReferralRow", tables.referrals)
AudienceRow = _mapped("AudienceRow", tables.audience)
PersonRow = _mapped("PersonRow", tables.persons)
Number = _mapped("Number", tables.numbers)
OutboxRow = _mapped("OutboxRow", outbox.outbox)
AuditRow = _mapped("AuditRow", audit)
KeyRow = _mapped("KeyRow", idempotency.idempotency)


async def _next(session: AsyncSession, kind: str, year: int) -> int:
    number = await session.get(Number, (kind, year))
    if number is None:
        number = Number(kind=kind, fiscal_year=year, last=0)
        session.add(number)
    number.last += 1
    return int(number.last)


def create_app(folder: Path, profile_folder: Path, secret: bytes) -> Litestar:
    """The peer's app on a database of its own in `folder`."""
    profile = load_profile(profile_folder)
    accounts = Accounts(folder / "accounts.db", secret)
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'peer.db'}", pool_size=1, max_overflow=0)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def prepare(driver: Any, _: Any) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            driver.execute(f"PRAGMA {pragma}")

    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @post("/referrals", status_code=201)
    async def submit(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = await request.body()
        principal = accounts.machine(request.headers["x-api-key"])
        assert principal is not None
        form = check(Referral, msgspec.json.decode(body), Codes(clock.today(), profile.agency_names)).form
        assert form is not None
        moment = clock.now_us()
        day = clock.japanese_date(moment)
        year = clock.fiscal_year(day)
        scope = idempotency.scope_of(
            principal.user, principal.agency, "POST /referrals", request.headers["idempotency-key"]
        )
        async with sessions() as session, session.begin():
            earlier = await session.get(KeyRow, scope)
            assert earlier is None
            referral_id = uuid7(moment)
            number = profile.number("referral", year, await _next(session, "referral", year))
            case_number = profile.number("case", year, await _next(session, "case", year))
            kept = {"retention_class": "default", "completed_on": None, "legal_hold": 0}
            case = Case(number=case_number, fiscal_year=year, state="received", opened_at=moment, **kept)
            session.add(case)
            await session.flush()
            found = audiences.of_referral(form, referral_id, principal.agency, profile, day)
            ids = [f"{referral_id}.{position}" for position in range(1 + len(form.household))]
            session.add(PersonRow(referral=referral_id, search_key=search_key(form.person.kana), birth_date=None))
            session.add(
                ReferralRow(
                    id=referral_id, number=number, revision=1, fiscal_year=year, case=case.seq, submitted_at=moment,
                    user=principal.user, user_name=principal.name, agency=principal.agency, urgency=form.urgency.value,
                    consent_status=form.consent.status.value, support_meeting_only=int(found.support_meeting_only),
                    audience_revision=1, persons=msgspec.json.encode(ids).decode(), withheld="[]",
                    form=msgspec.json.encode(form), **kept,
                )
            )  # fmt: skip
            session.add_all(
                AudienceRow(
                    agency=entry.agency, case=case.seq, form=f"referral/{referral_id}", basis_kind=entry.basis.kind.value,
                    basis_ref=entry.basis.ref, view=entry.view.value, members="[]", until=None, revision=1,
                )
                for entry in found.entries
            )  # fmt: skip
            event = ReferralSubmitted(
                referral_id=referral_id, revision=1, referral_number=number, case_number=case_number,
                received_at=clock.moment_of(moment), form=form, destination_names=(), audience=found.entries,
                submitted_by=Staff(principal.user, principal.name, principal.agency, ""), retention=Retention("default"),
            )  # fmt: skip
            envelope = Envelope(
                id=uuid7(moment), source="/132187/intake", type=REFERRAL_SUBMITTED, time=clock.moment_of(moment),
                aggregate=f"referral/{referral_id}", traceparent=new_traceparent(),
                revision=1, data=msgspec.Raw(msgspec.json.encode(event)),
            )  # fmt: skip
            session.add(OutboxRow(id=envelope.id, type=envelope.type, payload=encode(envelope), created_at=moment))
            session.add(
                AuditRow(at=moment, user=principal.user, agency=principal.agency, via="key", action="referral.submit",
                         subject=f"referral/{referral_id}", outcome="done", basis="origin")
            )  # fmt: skip
            answer = msgspec.json.encode({"referral_number": number, "case_number": case_number})
            session.add(KeyRow(scope=scope, body_hash=idempotency.hash_of(body), answer=answer, created_at=moment))
        return Response(answer, status_code=201, media_type="application/json")

    async def prepare_tables(_: Litestar) -> None:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)

    return Litestar(
        [submit],
        on_startup=[prepare_tables],
        on_shutdown=[lambda _: engine.dispose()],
        logging_config=None,
        openapi_config=None,
    )


if __name__ == "__main__":
    place, profile_place, secret_place, port = sys.argv[1:]
    app = create_app(Path(place), Path(profile_place), Path(secret_place).read_bytes().strip())
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_config=None, access_log=False)
