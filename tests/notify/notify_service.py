"""A whole notify service in a temporary folder, the events it is told, and a mail server that answers as a test says."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as MailEnvelope
from aiosmtpd.smtp import Session as MailSession

from deploy.hub.keys import new_seed
from deploy.local.ports import free_ports
from tests.data.services import app_of
from tsunagi_notify.app import SERVICE
from tsunagi_notify.settings import NotifySettings
from tsunagi_notify.tables import deliveries, receipts
from tsunagi_shared import service
from tsunagi_shared.accounts import Post
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.envelope import Envelope, decode, encode, source_of
from tsunagi_shared.contracts.events import (
    DOCUMENT_CREATED,
    DOCUMENT_OPENED,
    DOCUMENT_SHARED,
    DOCUMENT_SUPERSEDED,
    DOCUMENT_WITHDRAWN,
    DocumentCreated,
    DocumentOpened,
    DocumentShared,
    DocumentSuperseded,
    DocumentWithdrawn,
    StoredFile,
)
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.inbox import Inbox
from tsunagi_shared.outbox import outbox
from tsunagi_shared.runtime import Runtime

PROFILE = Path(__file__).parents[2] / "deploy" / "profiles" / "fussa"
URL = "http://notify.test"
MUNICIPALITY = "132187"
ANNOUNCED = dt.datetime(2026, 4, 6, 1, 30, tzinfo=dt.UTC)
DOCUMENTS = stream_of(DOCUMENT_CREATED)


class MailServer:
    """Takes mails, or refuses as the queued answers say (`rcpt` by address, `data` one after another)."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.mails: list[tuple[list[str], bytes]] = []
        self.data_answers: list[str] = []
        self.rcpt_answers: dict[str, str] = {}
        self.connections = 0
        self.data_delay_seconds = 0.0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on the loopback address."""
        loop = asyncio.get_running_loop()

        def connection() -> SMTP:
            self.connections += 1
            return SMTP(self, hostname="localhost", loop=loop)

        self._server = await loop.create_server(connection, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, session: MailSession, envelope: MailEnvelope, address: str, options: list[str]
    ) -> str:
        """Takes a recipient unless an answer is set for the address."""
        if address in self.rcpt_answers:
            return self.rcpt_answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: MailSession, envelope: MailEnvelope) -> str:  # noqa: N802 - as above
        """Keeps the mail unless an answer is queued."""
        if self.data_delay_seconds:
            await asyncio.sleep(self.data_delay_seconds)
        if self.data_answers:
            return self.data_answers.pop(0)
        assert isinstance(envelope.original_content, bytes)
        self.mails.append((list(envelope.rcpt_tos), envelope.original_content))
        return "250 OK"


def settings_in(folder: Path, **changes: Any) -> NotifySettings:
    """Settings of a service in a folder; the hub and the mail server are at ports where nothing listens."""
    secret, seed = folder / "secret", folder / "seed"
    secret.write_text(secrets.token_urlsafe(48))
    seed.write_text(new_seed())
    closed, hub = free_ports(2)
    values: dict[str, Any] = {
        "profile": PROFILE,
        "database": folder / "notify.db",
        "accounts": folder / "accounts.db",
        "secret_file": secret,
        "nats_seed_file": seed,
        "nats_url": f"nats://127.0.0.1:{hub}",
        "public_url": URL,
        "cookie_secure": False,
        "smtp_host": "127.0.0.1",
        "smtp_port": closed,
        "smtp_from": "tsunagi@city.example.jp",
        "smtp_starttls": False,
        "smtp_timeout_seconds": 5.0,
    }
    return NotifySettings(**{**values, **changes})


def build(folder: Path, **changes: Any) -> Runtime:
    """The service, opened and not started."""
    return service.build_runtime(SERVICE, settings_in(folder, **changes))


def close(runtime: Runtime) -> None:
    """Let go of a service that was not started."""
    runtime.database.close()
    runtime.accounts.close()


def created(document: str = "document-1", version: int = 1, revision: int = 1, **changes: Any) -> bytes:
    """A `documents.document.created` event as it comes from the bus; a new event id each time."""
    values = {**_described(document, version), "word": StoredFile("docx", "0" * 64, 1234), **changes}
    return _event(DOCUMENT_CREATED, DocumentCreated(**values), f"document/{document}", revision)


def _described(document: str, version: int) -> dict[str, Any]:
    return {
        "document_id": document,
        "version": version,
        "kind": "referral_sheet",
        "view": View.SUMMARY,
        "title": "共通様式（つなぎシート）概要版",
        "case_number": "C2026-00012",
        "form": "referral/1",
        "page": f"https://documents.example.jp/documents/{document}/current",
        "tell": ("long-term-care", "sample-care"),
        "urgency": "normal",
        "reply_by": dt.date(2026, 4, 20),
    }


def shared(document: str, revision: int, *tell: str, version: int = 1) -> bytes:
    """A `documents.document.shared` event: further agencies may read it."""
    data = DocumentShared(**{**_described(document, version), "tell": tell})
    return _event(DOCUMENT_SHARED, data, f"document/{document}", revision)


def withdrawn(document: str, revision: int, *agencies: str, version: int = 1) -> bytes:
    """A `documents.document.withdrawn` event, so many minutes after the announcement as its revision says."""
    data = DocumentWithdrawn(
        document_id=document,
        version=version,
        case_number="C2026-00012",
        agencies=agencies,
        code="consent_withdrawn",
        at=ANNOUNCED + dt.timedelta(minutes=revision),
    )
    return _event(DOCUMENT_WITHDRAWN, data, f"document/{document}", revision)


def superseded(document: str, revision: int, version: int = 1) -> bytes:
    """A `documents.document.superseded` event: the next version took this one's place."""
    data = DocumentSuperseded(
        document_id=document, version=version, by_version=version + 1, case_number="C2026-00012", at=ANNOUNCED
    )
    return _event(DOCUMENT_SUPERSEDED, data, f"document/{document}", revision)


def opened(document: str, agency: str, name: str, minute: int, version: int = 1) -> bytes:
    """A `documents.document.opened` event, so many minutes after the announcement."""
    data = DocumentOpened(
        document_id=document,
        version=version,
        case_number="C2026-00012",
        agency=agency,
        user=f"user-{minute}",
        user_name=name,
        format="pdf",
        opened_at=ANNOUNCED + dt.timedelta(minutes=minute),
    )
    return _event(DOCUMENT_OPENED, data, f"document/{document}", minute + 1)


def _event(event_type: str, data: msgspec.Struct, aggregate: str, revision: int) -> bytes:
    envelope = Envelope(
        id=secrets.token_hex(16),
        source=source_of(MUNICIPALITY, "documents"),
        type=event_type,
        time=ANNOUNCED,
        aggregate=aggregate,
        revision=revision,
        data=msgspec.Raw(msgspec.json.encode(data)),
    )
    return encode(envelope)


async def tell(runtime: Runtime, *events: bytes) -> None:
    """Hand events to the service as its consumer does, each in its own transaction."""
    reader = Inbox(runtime.database, MUNICIPALITY, runtime.parts.handlers)
    for payload in events:
        receive = partial(reader.receive, stream=DOCUMENTS, subject=decode(payload).type, payload=payload)
        await runtime.database.write(receive)


Rows = list[dict[str, Any]]


async def rows_of(runtime: Runtime, table: sa.Table = deliveries) -> Rows:
    """Every row of a table in the order of its key."""
    wanted = sa.select(table).order_by(table.c.id)
    found = await runtime.database.read(lambda connection: connection.execute(wanted).all())
    return [dict(row._mapping) for row in found]


async def receipts_of(runtime: Runtime) -> Rows:
    """Every receipt."""
    return await rows_of(runtime, receipts)


async def events_of(runtime: Runtime) -> list[tuple[Envelope, dict[str, Any]]]:
    """What waits in the outbox, oldest first: the envelope and its data."""
    wanted = sa.select(outbox.c.payload).order_by(outbox.c.seq)
    found = await runtime.database.read(lambda connection: connection.execute(wanted).scalars().all())
    events = [decode(payload) for payload in found]
    return [(event, msgspec.json.decode(event.data)) for event in events]


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until the condition (plain or a coroutine function) holds; AssertionError when it never does."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


async def mail_states(runtime: Runtime) -> list[tuple[str, str]]:
    """(state, code) of every e-mail delivery, by agency."""
    mails = [row for row in await rows_of(runtime) if row["channel"] == "email"]
    return [(row["state"], row["code"]) for row in sorted(mails, key=lambda row: str(row["agency"]))]


class Browser:
    """A person who signed in, or a program with a key."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str], csrf: str = "") -> None:
        self._client = client
        self._headers = headers
        self.csrf = csrf

    async def get(self, path: str, *, page: bool = False) -> httpx.Response:
        """Ask for JSON, or for the page."""
        accept = "text/html" if page else "application/json"
        return await self._client.get(path, headers={**self._headers, "Accept": accept})

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        """Send JSON."""
        return await self._client.post(path, json=body if body is not None else {}, headers=self._headers)

    async def submit(
        self, path: str, fields: dict[str, Any] | None = None, *, csrf: str | None = None
    ) -> httpx.Response:
        """Post a page with its token."""
        data = {"_csrf": self.csrf if csrf is None else csrf, **(fields or {})}
        return await self._client.post(path, data=data, headers={**self._headers, "Accept": "text/html"})


class Running:
    """A started service and the people who use it."""

    def __init__(self, runtime: Runtime, client: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self.client = client

    def person(self, user: str, agency: str, *roles: str, name: str = "見本 花子") -> Browser:
        """A signed-in person with a post at the agency."""
        accounts = self.runtime.accounts
        password = accounts.add_user(user, name, [Post(agency, roles or ("agency_staff",))])
        token = accounts.sign_in(user, password)
        principal = accounts.session(token)
        assert principal is not None
        return Browser(self.client, {"Cookie": f"tsunagi={token}", "Sec-Fetch-Site": "same-origin"}, principal.csrf)

    def program(self, agency: str, *scopes: str) -> Browser:
        """A program with a key of the agency."""
        key = self.runtime.accounts.add_key("program", agency, (), scopes)
        return Browser(self.client, {"X-API-Key": key})


@asynccontextmanager
async def started(runtime: Runtime) -> AsyncIterator[Running]:
    """The service running: outbox, jobs, and HTTP over its real application."""
    with app_of(SERVICE, runtime) as app:
        async with service.running(runtime):
            transport = httpx.ASGITransport(app=cast(Any, app), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
                yield Running(runtime, client)
