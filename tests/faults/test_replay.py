"""The order of events means nothing: shuffled, doubled and late they leave the same rows."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from deploy.local.demo import Visitor
from deploy.local.stack import Stack, add_sample_users
from tests.data.referrals import referral, without_consent
from tests.faults.line import Event, Row, at_rest, events_of, rows
from tsunagi_documents.app import SERVICE as DOCUMENTS
from tsunagi_intake.app import SERVICE as INTAKE
from tsunagi_notify.app import SERVICE as NOTIFY
from tsunagi_shared import clock
from tsunagi_shared.contracts.events import EVENTS
from tsunagi_shared.inbox import Inbox
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.service import Service, build_runtime, running
from tsunagi_shared.settings import read

SEEDS = (1, 2, 3)
REST_SECONDS = 120.0
PROJECTIONS = {
    "intake": ("documents", "deliveries", "receipts"),
    "documents": ("forms", "documents", "access"),
    "notify": ("deliveries", "receipts"),
}
# What a service adds to its rows by its own work and its own people, not by events of others.
OWN_WORK = {
    ("documents", "documents"): {"state", "code", "revision", "chain_key"},
    ("notify", "deliveries"): {"state", "code", "attempts", "ended_at", "settled", "revision"},
    ("notify", "receipts"): {
        "acknowledged_at", "acknowledged_user", "acknowledged_name", "misdelivered_at", "misdelivered_user", "misdelivered_name",
        "misdelivered_code", "revision",
    },
}  # fmt: skip


class FinishedRun(msgspec.Struct, frozen=True):
    """A stack that has been stopped after a run, and every event of it."""

    stack: Stack
    events: list[Event]


async def go_through(stack: Stack) -> list[Event]:
    """Three referrals through the whole line, with a mail refused and sent again, papers opened, and both kinds of answer."""
    accounts = stack.accounts()
    passwords = add_sample_users(accounts)
    accounts.close()
    people = {name: Visitor(stack) for name in ("mado", "tsunagu", "kaigo", "jiritsu", "kacho")}
    async with contextlib.AsyncExitStack() as visitors:
        for user, visitor in people.items():
            await visitors.enter_async_context(visitor)
            await visitor.sign_in(user, passwords[user])
        stack.mail.refuse("rcpt", "550 5.1.1 no such mailbox")
        first = await people["mado"].post("intake", "/referrals", referral())
        await at_rest(stack, REST_SECONDS)
        stack.mail.accept()
        failed = [row["id"] for row in rows(stack, "notify", "SELECT id FROM deliveries WHERE state = 'failed'")]
        assert len(failed) == 4, "the mails were refused"
        await people["kacho"].post("notify", "/deliveries/resend", {"deliveries": failed})
        await people["mado"].post("intake", f"/referrals/{first['referral_number']}/documents", {})
        for form in (referral(), without_consent()):
            await people["mado"].post("intake", "/referrals", form)
        await at_rest(stack, REST_SECONDS)
        for reader in ("tsunagu", "kaigo", "jiritsu"):
            for document in (await people[reader].get("documents", "/documents")).json()["items"]:
                for file_format in ("docx", "pdf"):
                    address = f"/documents/{document['id']}/versions/{document['version']}/{file_format}"
                    await people[reader].get("documents", address)
        inbox = (await people["kaigo"].get("notify", "/inbox")).json()["items"]
        await people["kaigo"].post("notify", f"/deliveries/{inbox[0]['id']}/acknowledgement", {})
        await people["kaigo"].post("notify", f"/deliveries/{inbox[0]['id']}/misdelivery", {"code": "not_ours"})
        inbox = (await people["jiritsu"].get("notify", "/inbox")).json()["items"]
        await people["jiritsu"].post("notify", f"/deliveries/{inbox[0]['id']}/acknowledgement", {})
    await at_rest(stack, REST_SECONDS)
    return await events_of(stack)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FinishedRun]:
    """One run for all the replays. PDFs are made, so that every event but a failed document is among its events."""

    async def run() -> list[Event]:
        await stack.start()
        try:
            return await go_through(stack)
        finally:
            await stack.stop()

    stack = Stack(tmp_path_factory.mktemp("finished"))
    events = asyncio.run(run())
    clock.follow(None)
    missing = set(EVENTS) - {event.subject for event in events}
    assert missing == {"documents.document.failed.v1"}
    yield FinishedRun(stack, events)
    clock.follow(None)


@contextlib.asynccontextmanager
async def opened(stack: Stack, service: Service, database: Path) -> AsyncIterator[Runtime]:
    """The service's parts on that database, without its tasks: nothing happens but what the test does."""
    environment = stack.environment_of(service.name) | {"TSUNAGI_DATABASE": str(database)}
    runtime = build_runtime(service, read(service.settings, environment))
    try:
        yield runtime
    finally:
        await runtime.parts.stop()
        runtime.database.close()
        runtime.accounts.close()


def replayed(events: list[Event], service: str, seed: int) -> list[Event]:
    """The events the service reads: each twice, shuffled, a third of all held back to the end, and then all once more."""
    chance = random.Random(f"{seed} {service}")
    mine = [event for event in events if service in event.stream.readers]
    doubled = mine * 2
    chance.shuffle(doubled)
    held = {id(event) for event in chance.sample(mine, len(mine) // 3)}
    early = [event for event in doubled if id(event) not in held]
    late = [event for event in doubled if id(event) in held]
    chance.shuffle(mine)
    return early + late + mine


async def replay(runtime: Runtime, events: list[Event]) -> None:
    """Hand each event over as the bus does, in its own transaction."""
    reader = Inbox(runtime.database, runtime.profile.municipality.code, runtime.parts.handlers)
    for event in events:
        await runtime.database.write(
            partial(reader.receive, stream=event.stream, subject=event.subject, payload=event.payload)
        )


def tables_in(path: Path, names: Collection[str]) -> dict[str, list[Row]]:
    """Those tables whole, in an order that does not depend on how they were filled."""
    found: dict[str, list[Row]] = {}
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        for name in names:
            content = [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]
            found[name] = sorted(content, key=lambda row: [str(value) for value in row.values()])
    return found


def projections_in(path: Path, service: str) -> dict[str, list[Row]]:
    """What the service knows by events alone."""
    found = tables_in(path, PROJECTIONS[service])
    for table, content in found.items():
        own = OWN_WORK.get((service, table), set())
        found[table] = [{name: value for name, value in row.items() if name not in own} for row in content]
    if service == "notify":  # a row may be there for its people's answer alone
        found["receipts"] = [row for row in found["receipts"] if row["opened_at"] is not None]
    return found


def all_tables_in(path: Path) -> dict[str, list[Row]]:
    """Every table but the memory of the events themselves."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return tables_in(path, [name for name in names if name not in ("inbox", "sqlite_sequence")])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("service", [INTAKE, DOCUMENTS, NOTIFY], ids=lambda service: service.name)
async def test_a_replay_in_any_order_gives_the_same_rows(
    finished: FinishedRun, service: Service, seed: int, tmp_path: Path
) -> None:
    """A fresh database that hears of everything shuffled, doubled and late knows what the original knew."""
    database = tmp_path / "fresh.db"
    async with opened(finished.stack, service, database) as runtime:
        await replay(runtime, replayed(finished.events, service.name, seed))
    original = finished.stack.folder_of(service.name) / f"{service.name}.db"
    assert all(projections_in(original, service.name).values()), "the original run left rows to compare with"
    assert projections_in(database, service.name) == projections_in(original, service.name)
    assert tables_in(database, ["dead_letters"]) == {"dead_letters": []}
    heard = {event.payload for event in finished.events if service.name in event.stream.readers}
    taken = sum(msgspec.json.decode(payload)["type"] in runtime.parts.handlers for payload in heard)
    assert len(tables_in(database, ["inbox"])["inbox"]) == taken


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("service", [INTAKE, DOCUMENTS, NOTIFY], ids=lambda service: service.name)
async def test_a_replay_into_a_finished_database_changes_nothing(
    finished: FinishedRun, service: Service, seed: int, tmp_path: Path
) -> None:
    """Even with the memory of handled events gone: no row changes, no event goes out, no job (no second mail) is asked for."""
    original = finished.stack.folder_of(service.name) / f"{service.name}.db"
    database = tmp_path / "finished.db"
    shutil.copyfile(original, database)
    before = all_tables_in(database)
    async with opened(finished.stack, service, database) as runtime:
        await runtime.database.write(_forget_events)
        await replay(runtime, replayed(finished.events, service.name, seed))
    assert all_tables_in(database) == before
    assert (before["outbox"], before["jobs"]) == ([], [])


def _forget_events(connection: Connection) -> None:
    connection.execute(sa.text("DELETE FROM inbox"))


async def test_documents_made_again_from_a_replay_are_the_same_files(finished: FinishedRun, tmp_path: Path) -> None:
    """The fresh database's own rendering gives the same ids, versions, hashes and keys: nothing is stored twice."""
    stack, database = finished.stack, tmp_path / "fresh.db"
    original = stack.folder_of("documents") / "documents.db"

    def word_files(path: Path) -> list[Row]:
        wanted = ("document_id", "version", "key", "sha256", "bytes")
        content = tables_in(path, ["files"])["files"]
        return [
            {name: row[name] for name in wanted}
            for row in content
            if (row["format"], row["state"]) == ("docx", "stored")
        ]

    await stack.store.start()
    try:
        environment = stack.environment_of("documents") | {"TSUNAGI_DATABASE": str(database), "TSUNAGI_PDF": "off"}
        runtime = build_runtime(DOCUMENTS, read(DOCUMENTS.settings, environment))
        async with running(runtime):
            await replay(runtime, replayed(finished.events, "documents", 0))
            async with asyncio.timeout(60):
                while tables_in(database, ["jobs"])["jobs"]:
                    await asyncio.sleep(0.1)
        keys = await asyncio.to_thread(_keys_in, stack)
    finally:
        await stack.store.stop()
    assert word_files(database) == word_files(original)
    names = ("template_sha256", "data_sha256", "form_revision")
    made, first = (
        [[row[name] for name in names] for row in tables_in(path, ["versions"])["versions"]]
        for path in (database, original)
    )
    assert made == first
    assert keys == {row["key"] for row in tables_in(original, ["files"])["files"]}


def _keys_in(stack: Stack) -> set[Any]:
    listed = stack.store.client().list_objects(stack.store.bucket, recursive=True)
    return {found.object_name for found in listed if not found.is_dir}
