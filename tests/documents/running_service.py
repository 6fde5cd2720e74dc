"""The documents service with a real database and bucket, and a hub that is away: what it would tell stays in the outbox."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from deploy.local.ports import free_ports
from deploy.local.servers import REPOSITORY, ObjectStore
from tests.data.services import app_of
from tests.documents.sample_referrals import submitted
from tsunagi_documents.app import SERVICE
from tsunagi_documents.settings import DocumentsSettings
from tsunagi_documents.tables import documents
from tsunagi_shared import clock
from tsunagi_shared.accounts import Post
from tsunagi_shared.audit import audit
from tsunagi_shared.contracts import envelope
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import EVENTS, ReferralSubmitted
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.inbox import Inbox
from tsunagi_shared.outbox import outbox
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.service import build_runtime, running

PROFILE = REPOSITORY / "deploy" / "profiles" / "fussa"
PATIENCE_SECONDS = 20.0
ORIGIN, PROVIDER, DESTINATION, OUTSIDER = "social-welfare", "welfare-desk", "sample-care", "sample-clinic"
CONTRACTED = "welfare-council"  # run under a contract

ORIGIN_ENTRY = AudienceEntry(ORIGIN, Basis(BasisKind.ORIGIN, "referral/1"), View.FULL)
PROVIDER_ENTRY = AudienceEntry(PROVIDER, Basis(BasisKind.PROVIDER, "exempt"), View.FULL)
CONSENT_ENTRY = AudienceEntry(DESTINATION, Basis(BasisKind.CONSENT, "consent/1"), View.SUMMARY)


def referral(*further: AudienceEntry, **changes: Any) -> ReferralSubmitted:
    """The event of an invented referral to agencies of the profile; `further` entries join the usual audience."""
    audience = (ORIGIN_ENTRY, PROVIDER_ENTRY, CONSENT_ENTRY, *further)
    values: dict[str, Any] = {"audience": audience, "provider": PROVIDER, **changes}
    return submitted(**values)


def profile_with_ended_contract(folder: Path) -> Path:
    """A copy of the profile in which the contract of CONTRACTED has ended."""
    shutil.copytree(PROFILE, folder)
    path = folder / "profile.toml"
    text = path.read_text(encoding="utf-8")
    changed, count = re.subn(r"(operated_by = .*from = 2025-04-01) }", r"\1, until = 2025-12-31 }", text)
    assert count == 1
    path.write_text(changed, encoding="utf-8")
    return folder


def settings_in(folder: Path, store: ObjectStore, **changes: Any) -> DocumentsSettings:
    """Settings for a service whose files lie in `folder`; PDFs are off."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "secret"
    secret.write_text("s" * 40)
    pdf: Literal["eager", "off"] = changes.pop("pdf", "off")
    values: dict[str, Any] = {
        "profile": PROFILE,
        "database": folder / "documents.sqlite",
        "accounts": folder / "accounts.sqlite",
        "secret_file": secret,
        "nats_seed_file": folder / "no-seed",
        "nats_url": f"nats://127.0.0.1:{free_ports(1)[0]}",
        "s3_endpoint": store.endpoint,
        "s3_bucket": store.bucket,
        "s3_access_key_file": store.access_key_file,
        "s3_secret_key_file": store.secret_key_file,
        "s3_secure": False,
        "cookie_secure": False,
        "public_url": "http://documents.example",
    }
    return DocumentsSettings(pdf=pdf, **{**values, **changes})


class RunningService:
    """One service that runs, and what tests ask of it."""

    def __init__(self, runtime: Runtime, client: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self.client = client

    async def receive(self, data: msgspec.Struct, *, at: int = 0) -> None:
        """Hand the event over as the hub would, as a message of its own; `at`: when intake published it."""
        await receive(self.runtime, data, at=at)

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """Every row of a table, in the order of its key."""
        return await rows_of(self.runtime, table)

    async def events(self, event_type: str) -> list[Any]:
        """The data of the events of that type that wait to be sent, oldest first."""
        payloads = [row["payload"] for row in await self.rows(outbox) if row["type"] == event_type]
        return [
            msgspec.json.decode(envelope.decode(payload).data, type=EVENTS[event_type].data) for payload in payloads
        ]

    async def stored(self, data: msgspec.Struct) -> dict[tuple[str, str], str]:
        """Hand the event over and wait for its Word files; the ids of the documents by kind and view."""
        await self.receive(data)
        await until(self.all_made)
        return {(row["kind"], row["view"]): row["id"] for row in await self.rows(documents)}

    async def all_made(self) -> bool:
        """Whether every document's Word file is stored."""
        states = {row["state"] for row in await self.rows(documents)}
        return states == {"stored"}

    def sign_in(self, user: str, agency: str, *roles: str) -> dict[str, str]:
        """The headers of a new person who is signed in and acts for the agency."""
        password = self.runtime.accounts.add_user(user, f"見本 {user}", [Post(agency, roles or ("agency_staff",))])
        return {"Cookie": f"tsunagi={self.runtime.accounts.sign_in(user, password)}"}

    def key(self, agency: str, *scopes: str) -> dict[str, str]:
        """The headers of a new machine key."""
        return {"X-API-Key": self.runtime.accounts.add_key("見本システム", agency, (), scopes)}

    async def recorded(self, action: str) -> list[tuple[str, str, str, str]]:
        """(user, subject, outcome, basis) of what is on record for an action."""
        return [
            (row["user"], row["subject"], row["outcome"], row["basis"])
            for row in await self.rows(audit)
            if row["action"] == action
        ]


@asynccontextmanager
async def running_service(folder: Path, store: ObjectStore, **changes: Any) -> AsyncIterator[RunningService]:
    """The whole service, started and stopped, in this event loop: one loop writes a database."""
    runtime = build_runtime(SERVICE, settings_in(folder, store, **changes))
    with app_of(SERVICE, runtime) as app:
        async with running(runtime):
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url=runtime.settings.public_url) as client:
                yield RunningService(runtime, client)


@asynccontextmanager
async def idle_service(folder: Path, store: ObjectStore, **changes: Any) -> AsyncIterator[Runtime]:
    """The service opened and not started: events are taken, no job runs."""
    runtime = build_runtime(SERVICE, settings_in(folder, store, **changes))
    try:
        yield runtime
    finally:
        await runtime.parts.stop()
        runtime.database.close()
        runtime.accounts.close()


def event_of(municipality: str, data: msgspec.Struct, *, event_id: str = "", at: int = 0) -> tuple[str, bytes]:
    """An event of intake as it comes from the hub: its subject and bytes. `at`: when it was published (now unless given)."""
    event_type = next(name for name, row in EVENTS.items() if row.data is type(data))
    moment = at or clock.now_us()
    event = envelope.Envelope(
        id=event_id or envelope.uuid7(moment),
        source=envelope.source_of(municipality, "intake"),
        type=event_type,
        time=clock.moment_of(moment),
        aggregate="sample/1",
        revision=1,
        data=msgspec.Raw(msgspec.json.encode(data)),
    )
    return event_type, envelope.encode(event)


async def receive(runtime: Runtime, data: msgspec.Struct, event_id: str = "", at: int = 0) -> None:
    """Hand an event of intake over as the hub would; the same `event_id` again is the same message again."""
    code = runtime.profile.municipality.code
    reader = Inbox(runtime.database, code, runtime.parts.handlers)
    subject, payload = event_of(code, data, event_id=event_id, at=at)

    def take(connection: Connection) -> None:
        reader.receive(connection, stream_of(subject), subject, payload)

    await runtime.database.write(take)


async def rows_of(runtime: Runtime, table: sa.Table) -> list[dict[str, Any]]:
    """Every row of a table, in the order of its key."""

    def read(connection: Connection) -> list[dict[str, Any]]:
        found = connection.execute(sa.select(table).order_by(*table.primary_key.columns))
        return [dict(row._mapping) for row in found]

    return await runtime.database.read(read)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for it. TimeoutError."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():
            await asyncio.sleep(0.02)
