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

from deploy.local.stack import Stack
from tests.faults.line import Event, Row, at_rest, events_of
from tests.faults.whole_life import REST_SECONDS, live_through
from tsunagi_documents.app import SERVICE as DOCUMENTS
from tsunagi_documents.versions import RENDER
from tsunagi_intake.app import SERVICE as INTAKE
from tsunagi_notify.app import SERVICE as NOTIFY
from tsunagi_shared import clock
from tsunagi_shared.contracts.events import DOCUMENT_FAILED, EVENTS, WATERMARK_PASSED
from tsunagi_shared.inbox import Inbox
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.service import Service, build_runtime, running
from tsunagi_shared.settings import read

SEEDS = (1, 2, 3)
PROJECTIONS = {
    "intake": ("documents", "deliveries", "receipts"),
    "documents": (
        "forms", "audience", "ended", "protections", "withdrawn", "erased", "facts", "documents", "access",
    ),
    "notify": ("deliveries", "receipts", "cuts", "newest_versions"),
}  # fmt: skip
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
    """A stack that has been stopped after a run, every event of it, and the case that was erased in it."""

    stack: Stack
    events: list[Event]
    erased_case: str


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FinishedRun]:
    """One run for all the replays. PDFs are made, so that every event but a failed document is among its events."""

    async def run() -> tuple[str, list[Event]]:
        await stack.start()
        try:
            erased_case = await live_through(stack)
            await stack.services["intake"].stop()  # no further watermark
            await at_rest(stack, REST_SECONDS)
            return erased_case, await events_of(stack)
        finally:
            await stack.stop()

    stack = Stack(tmp_path_factory.mktemp("finished"))
    erased_case, events = asyncio.run(run())
    missing = set(EVENTS) - {event.subject for event in events}
    assert missing == {DOCUMENT_FAILED}
    yield FinishedRun(stack, events, erased_case)
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
    if service == "documents":  # one that only an audience of before asked for is made by whoever met that audience
        found["documents"] = [row for row in found["documents"] if row["planned"]]
    return found


def without_case(tables: dict[str, list[Row]], number: str) -> dict[str, list[Row]]:
    """The rows that say nothing of a case."""
    return {name: [row for row in content if row.get("case_number") != number] for name, content in tables.items()}


def all_tables_in(path: Path) -> dict[str, list[Row]]:
    """Every table but the memory of the events themselves; without the watermark of the minute in which the run ended."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    found = tables_in(path, [name for name in names if name not in ("inbox", "sqlite_sequence")])
    found["outbox"] = [row for row in found["outbox"] if row["type"] != WATERMARK_PASSED]
    return found


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
    wanted, found = projections_in(original, service.name), projections_in(database, service.name)
    assert all(wanted.values()), "the original run left rows to compare with"
    if service is INTAKE:  # it erased them itself; of its own erasures a fresh database knows nothing
        assert without_case(wanted, finished.erased_case) == wanted
        found = without_case(found, finished.erased_case)
    assert found == wanted
    if service is DOCUMENTS:
        made, first = (
            {row["id"] for row in tables_in(path, ["documents"])["documents"]} for path in (database, original)
        )
        assert made <= first, "nothing is made that the original run did not make"
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
    """The fresh database's own rendering gives the same ids, versions, hashes and keys: nothing is stored twice, and of what is
    asked for now nothing is missing."""
    stack, database = finished.stack, tmp_path / "fresh.db"
    original = stack.folder_of("documents") / "documents.db"

    def word_files(path: Path) -> dict[tuple[str, int], tuple[Any, ...]]:
        return {
            (row["document_id"], row["version"]): (row["key"], row["sha256"], row["bytes"])
            for row in tables_in(path, ["files"])["files"]
            if (row["format"], row["state"]) == ("docx", "stored")
        }

    def versions(path: Path) -> dict[tuple[str, int], tuple[Any, ...]]:
        return {
            (row["document_id"], row["version"]): (row["template_sha256"], row["data_sha256"], row["form_revision"])
            for row in tables_in(path, ["versions"])["versions"]
        }

    async with opened(stack, DOCUMENTS, database) as heard:
        await replay(heard, replayed(finished.events, "documents", 0))
    await stack.store.start()
    try:
        environment = stack.environment_of("documents") | {"TSUNAGI_DATABASE": str(database), "TSUNAGI_PDF": "off"}
        runtime = build_runtime(DOCUMENTS, read(DOCUMENTS.settings, environment))
        async with running(runtime), asyncio.timeout(60):
            while any(row["kind"] == RENDER for row in tables_in(database, ["jobs"])["jobs"]):
                await asyncio.sleep(0.1)
        keys = await asyncio.to_thread(_keys_in, stack)
    finally:
        await stack.store.stop()
    made, first = word_files(database), word_files(original)
    current = {row["id"]: row["version"] for row in projections_in(original, "documents")["documents"]}
    assert {name: version for name, version in made if current.get(name) == version} == current
    assert made.items() <= first.items()
    assert versions(database).items() <= versions(original).items()
    assert keys == {row["key"] for row in tables_in(original, ["files"])["files"] if row["state"] == "stored"}


def _keys_in(stack: Stack) -> set[Any]:
    listed = stack.store.client().list_objects(stack.store.bucket, recursive=True)
    return {found.object_name for found in listed if not found.is_dir}
