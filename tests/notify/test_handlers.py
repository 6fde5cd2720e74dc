"""From the events of documents to delivery rows and receipts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from tests.notify.notify_service import Rows, build, close, created, events_of, opened, receipts_of, rows_of, tell
from tsunagi_notify.tables import METADATA
from tsunagi_shared import clock
from tsunagi_shared.contracts.events import (
    DELIVERY_FAILED,
    DELIVERY_SENT,
    DocumentCreated,
    DocumentShared,
    DocumentSuperseded,
    DocumentWithdrawn,
)
from tsunagi_shared.contracts.profile import Contacts
from tsunagi_shared.jobs import jobs
from tsunagi_shared.runtime import Runtime

HAPPENED_HERE = ("ended_at",)  # when this service did it, not what it was told


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A service that is opened and not started."""
    opened_service = build(tmp_path)
    yield opened_service
    close(opened_service)


def _without_moments(rows: Rows) -> Rows:
    return [{name: value for name, value in row.items() if name not in HAPPENED_HERE} for row in rows]


async def _mail_jobs(runtime: Runtime) -> set[str]:
    return set(await runtime.database.read(lambda c: c.execute(sa.select(jobs.c.key)).scalars().all()))


async def test_every_agency_is_told_in_its_inbox_and_by_mail(runtime: Runtime) -> None:
    """A stored version gives each agency one inbox row (sent, with its event) and one mail that waits with its job."""
    await tell(runtime, created())
    rows = await rows_of(runtime)
    assert sorted((row["agency"], row["channel"], row["state"]) for row in rows) == [
        ("long-term-care", "email", "waiting"),
        ("long-term-care", "inbox", "sent"),
        ("sample-care", "email", "waiting"),
        ("sample-care", "inbox", "sent"),
    ]
    assert await _mail_jobs(runtime) == {row["id"] for row in rows if row["channel"] == "email"}
    events = await events_of(runtime)
    assert [event.type for event, _ in events] == [DELIVERY_SENT, DELIVERY_SENT]
    assert {event.aggregate for event, _ in events} == {
        f"delivery/{row['id']}" for row in rows if row["channel"] == "inbox"
    }
    assert [(event.revision, data["channel"], data["attempt"]) for event, data in events] == [(1, "inbox", 1)] * 2


async def test_agency_without_addresses_has_the_inbox_alone(runtime: Runtime) -> None:
    """No address in contacts.toml: no mail row, nothing waiting."""
    directory = runtime.parts.own.directory
    directory._contacts = Contacts(version="")
    await tell(runtime, created())
    assert {row["channel"] for row in await rows_of(runtime)} == {"inbox"}


async def test_unknown_agency_is_a_visible_failure(runtime: Runtime) -> None:
    """An agency that the profile lacks gets a failed row and an event; the others are told."""
    await tell(runtime, created(tell=("nobody-knows", "sample-care")))
    failed = [row for row in await rows_of(runtime) if row["state"] == "failed"]
    assert [(row["agency"], row["channel"], row["code"]) for row in failed] == [
        ("nobody-knows", "inbox", "unknown-agency")
    ]
    events = [data for event, data in await events_of(runtime) if event.type == DELIVERY_FAILED]
    assert [(data["agency"], data["code"]) for data in events] == [("nobody-knows", "unknown-agency")]
    assert len(await rows_of(runtime)) == 3


async def test_agency_without_a_live_contract_is_not_told(tmp_path: Path) -> None:
    """Before its contract begins (the clock is set to 2025-01-01) an agency is not told, visibly."""
    shift = tmp_path / "clock"
    long_ago = 1_735_689_600  # 2025-01-01T00:00:00Z
    shift.write_text(str(long_ago - clock.now_us() // 1_000_000))
    runtime = build(tmp_path, clock_file=shift)
    try:
        await tell(runtime, created(tell=("welfare-council",)))
        rows = await rows_of(runtime)
        assert [(row["channel"], row["state"], row["code"]) for row in rows] == [("inbox", "failed", "contract-ended")]
        assert not await _mail_jobs(runtime)
    finally:
        close(runtime)
        clock.follow(None)


async def test_shuffled_and_doubled_replay_gives_the_same_rows(tmp_path: Path) -> None:
    """Whatever the order, and however often an event comes, the rows, the jobs and the events' aggregates are the same."""
    events = [
        *(created(f"document-{n}", tell=("long-term-care", "sample-care", "nobody-knows")) for n in range(5)),
        *(created(f"document-{n}", version=2, revision=2, urgency="urgent") for n in range(5)),
        *(opened(f"document-{n}", "sample-care", f"見本 {n}", minute=m) for n in range(5) for m in (3, 1, 2)),
    ]
    seen: list[tuple[Any, ...]] = []
    shuffle = random.Random(20261123)
    for turn in range(4):
        folder = tmp_path / str(turn)
        folder.mkdir()
        runtime = build(folder)
        wanted = list(events) if turn == 0 else events * 2
        if turn:
            shuffle.shuffle(wanted)
        await tell(runtime, *wanted)
        told = sorted((event.type, event.aggregate, event.revision) for event, _ in await events_of(runtime))
        seen.append(
            (
                _without_moments(await rows_of(runtime)),
                await receipts_of(runtime),
                await _mail_jobs(runtime),
                told,
            )
        )
        close(runtime)
    assert all(each == seen[0] for each in seen[1:])
    assert len(seen[0][0]) == 5 * 5 + 5 * 4


async def test_same_version_published_again_tells_nobody_twice(runtime: Runtime) -> None:
    """A second event about the same version adds only what is new; a newer one corrects what the rows say."""
    await tell(runtime, created(revision=2), created(revision=1, title="古い題名"))
    assert {row["title"] for row in await rows_of(runtime)} == {"共通様式（つなぎシート）概要版"}
    await tell(runtime, created(revision=3, reply_by=None, tell=("sample-care", "sample-clinic")))
    rows = await rows_of(runtime)
    assert len(rows) == 6
    assert {row["reply_by"] for row in rows if row["agency"] == "sample-care"} == {""}
    assert len(await events_of(runtime)) == 3


async def test_opening_is_kept_whatever_comes_first(runtime: Runtime) -> None:
    """The earliest opening stands, also when it is told before the delivery; it publishes nothing of its own."""
    await tell(runtime, opened("document-1", "sample-care", "見本 二郎", 9), created())
    await tell(runtime, opened("document-1", "sample-care", "見本 一郎", 4), opened("document-1", "x", "見本 三郎", 1))
    (receipt,) = [row for row in await receipts_of(runtime) if row["agency"] == "sample-care"]
    assert receipt["opened_name"] == "見本 一郎"
    assert receipt["acknowledged_at"] is None
    assert {event.type for event, _ in await events_of(runtime)} == {DELIVERY_SENT}


async def test_migrations_make_the_tables_as_declared(runtime: Runtime) -> None:
    """Columns, indexes and unique constraints in the database are those of the declared tables."""

    def shape(connection: sa.Connection) -> dict[str, Any]:
        inspector = sa.inspect(connection)
        return {
            name: (
                [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)],
                sorted((str(index["name"]), index["column_names"]) for index in inspector.get_indexes(name)),
                sorted((str(row["name"]), row["column_names"]) for row in inspector.get_unique_constraints(name)),
            )
            for name in METADATA.tables
        }

    declared = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    METADATA.create_all(declared)
    with declared.connect() as connection:
        wanted = shape(connection)
    declared.dispose()
    with runtime.database.connection() as connection:
        assert shape(connection) == wanted


@pytest.mark.parametrize("data", [DocumentCreated, DocumentShared, DocumentWithdrawn, DocumentSuperseded])
def test_event_of_a_document_has_no_place_for_a_form(data: type[msgspec.Struct]) -> None:
    """What notify is told holds no field that a resident's form fills."""
    allowed = {"document_id", "version", "kind", "view", "title", "case_number", "form", "word", "page", "tell"}
    allowed |= {"urgency", "reply_by", "support_meeting_only", "pdf_expected", "readers"}
    allowed |= {"agencies", "code", "at", "by_version"}
    assert {field.name for field in msgspec.structs.fields(data)} <= allowed
