"""A running intake service over HTTP, and the people and programs that use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from tests.data.events import payload_of
from tests.data.services import app_of, rows_of, runtime_in, service_named
from tsunagi_intake.tables import referrals
from tsunagi_shared.accounts import Post
from tsunagi_shared.contracts.envelope import decode
from tsunagi_shared.contracts.events import WATERMARK_PASSED
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.inbox import Inbox
from tsunagi_shared.outbox import outbox
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.service import running

URL = "http://intake.test"
PASSWORD = "correct horse battery"


class Caller:
    """A person who signed in, or a program with a key."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str], csrf: str = "") -> None:
        self.client = client
        self.headers = headers
        self.csrf = csrf

    async def get(self, path: str, *, page: bool = False) -> httpx.Response:
        """Ask for JSON, or for the page."""
        accept = "text/html" if page else "application/json"
        return await self.client.get(path, headers={**self.headers, "Accept": accept})

    async def submit(self, form: Any, key: str = "", **headers: str) -> httpx.Response:
        """Hand in a referral as JSON."""
        more = {"Idempotency-Key": key} if key else {}
        return await self.client.post("/referrals", json=form, headers={**self.headers, **more, **headers})

    async def post(self, path: str, fields: Any, *, csrf: str | None = None, **headers: str) -> httpx.Response:
        """Post a page with its token, as a browser does."""
        pairs = fields if isinstance(fields, list) else list(fields.items())
        token = self.csrf if csrf is None else csrf
        body = httpx.QueryParams([*pairs, ("_csrf", token)] if token else pairs)
        return await self.client.post(
            path,
            content=str(body).encode(),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "text/html",
                "Sec-Fetch-Site": "same-origin",
                **self.headers,
                **headers,
            },
        )


class Intake:
    """The service, and what a test asks of it."""

    def __init__(self, runtime: Runtime, client: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self.client = client
        self.anybody = Caller(client, {})

    def person(self, user: str, agency: str, *roles: str, more: tuple[Post, ...] = ()) -> Caller:
        """A new person who is signed in."""
        accounts = self.runtime.accounts
        accounts.add_user(user, f"見本　{user}", [Post(agency, roles or ("clerk",)), *more], PASSWORD)
        return self.signed_in(user)

    def signed_in(self, user: str) -> Caller:
        """A further session of a person."""
        token = self.runtime.accounts.sign_in(user, PASSWORD)
        principal = self.runtime.accounts.session(token)
        assert principal is not None
        return Caller(self.client, {"Cookie": f"tsunagi={token}"}, principal.csrf)

    def program(self, agency: str, *scopes: str) -> Caller:
        """A program with a key of the agency."""
        key = self.runtime.accounts.add_key("見本システム", agency, (), scopes)
        return Caller(self.client, {"X-API-Key": key})

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """Every row of a table."""
        return await rows_of(self.runtime, table)

    async def stored(self) -> int:
        """How many referrals there are."""
        return len(await self.rows(referrals))

    async def events(self) -> list[Any]:
        """The events that wait to be sent, oldest first; the clockwork's watermark is not among them."""
        found = [decode(row["payload"]) for row in await self.rows(outbox)]
        return [event for event in found if event.type != WATERMARK_PASSED]

    async def hears(self, event_type: str, data: Any, revision: int = 1, event_id: str = "") -> None:
        """An event of another service arrives."""
        reader = Inbox(self.runtime.database, self.runtime.profile.municipality.code, self.runtime.parts.handlers)
        payload = payload_of(event_type, data, revision=revision, event_id=event_id)
        await self.runtime.database.write(
            lambda connection: reader.receive(connection, stream_of(event_type), event_type, payload)
        )


@asynccontextmanager
async def running_intake(folder: Path, **changes: Any) -> AsyncIterator[Intake]:
    """The service with all its parts; the hub is away, so that its events stay in the outbox."""
    runtime = runtime_in(folder, "intake", **changes)
    with app_of(service_named("intake"), runtime) as app:
        async with running(runtime):
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
                yield Intake(runtime, client)
