"""A form was erased: rows, files, jobs and dead letters are gone, a tombstone stays, and nothing comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from deploy.local.servers import ObjectStore
from tests.documents.running_service import (
    DESTINATION,
    RunningService,
    event_of,
    idle_service,
    receive,
    referral,
    rows_of,
    running_service,
    settings_in,
    until,
)
from tests.documents.test_closing import CASE, FORM, PERSONS, SUMMARY, changed, status
from tsunagi_documents import erasing
from tsunagi_documents.tables import (
    access,
    audience,
    documents,
    files,
    forms,
    openings,
    tombstones,
    versions,
)
from tsunagi_documents.verify import verify_with
from tsunagi_shared import clock
from tsunagi_shared.audit import audit_reasons
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.inbox import Inbox, dead_letters
from tsunagi_shared.jobs import jobs

EVERYTHING = (forms, audience, documents, access, versions, files, openings)


def erasure() -> events.RecordErased:
    """The form of these tests was erased."""
    return events.RecordErased(forms=(FORM,), case_number=CASE, code="disposal", at=clock.now())


@pytest.fixture
async def own_store(tmp_path: Path) -> AsyncIterator[ObjectStore]:
    """An object store whose objects are this test's alone."""
    server = ObjectStore(tmp_path / "store")
    await server.start()
    yield server
    await server.stop()


async def swept(service: RunningService) -> bool:
    """Whether the first sweep of every document is done."""
    return not [row for row in await service.rows(jobs) if row["key"].endswith("/now")]


async def test_nothing_is_left_but_a_tombstone(tmp_path: Path, own_store: ObjectStore) -> None:
    """Every row and object of the form's documents goes, their readers are told, and `verify` finds all in order."""
    async with running_service(tmp_path, own_store) as service:
        event = referral(persons=PERSONS)
        ids = await service.stored(event)
        reader = service.sign_in("hana", DESTINATION)
        path = f"/documents/{ids[SUMMARY]}/versions/1/docx"
        read = await service.client.get(path, params={"reason": "念のため"}, headers=reader)
        assert (read.status_code, len(await service.rows(audit_reasons))) == (200, 1)
        chains = {row["document_id"]: row["chain"] for row in await service.rows(versions)}
        await service.receive(erasure())
        assert await status(service, ids[SUMMARY], reader) == 404
        for table in EVERYTHING:
            assert await service.rows(table) == [], table.name
        assert await service.rows(audit_reasons) == [], "what somebody typed about the case is gone too"
        left = {
            row["id"]: (row["kind"], row["versions"], row["chain"], row["code"])
            for row in await service.rows(tombstones)
        }
        assert left == {identity: (kind, 1, chains[identity], "disposal") for (kind, _), identity in ids.items()}
        told = await service.events(events.DOCUMENT_WITHDRAWN)
        assert {(one.document_id, one.code, one.readers) for one in told} == {
            (identity, "erased", ()) for identity in ids.values()
        }
        await until(lambda: swept(service))
        assert await service.runtime.parts.own.list() == []
        for late in (event, changed(9, *event.audience), erasure()):
            await service.receive(late)
        for table in EVERYTHING:
            assert await service.rows(table) == [], "what comes late comes to nothing"
        assert len(await service.rows(tombstones)) == 3
    findings = await verify_with(settings_in(tmp_path, own_store))
    assert (findings.checked, findings.sound) == (0, True)


async def test_a_file_that_was_still_being_made_is_swept_later(tmp_path: Path, own_store: ObjectStore) -> None:
    """A second sweep takes what reached the bucket after the first."""
    async with running_service(tmp_path, own_store) as service:
        ids = await service.stored(referral(persons=PERSONS))
        await service.receive(erasure())
        await until(lambda: swept(service))
        late = f"referral_sheet/{ids[SUMMARY]}/1/0123.pdf"
        await service.runtime.parts.own.put(late, b"late", "application/pdf")
        waiting = await service.rows(jobs)
        assert {row["kind"] for row in waiting} == {erasing.SWEEP}
        assert all(row["run_at"] > clock.now_us() + 200_000_000 for row in waiting)
        await service.runtime.database.write(lambda connection: connection.execute(sa.update(jobs).values(run_at=0)))

        async def nothing_waits() -> bool:
            return not await service.rows(jobs)

        await until(nothing_waits)
        assert await service.runtime.parts.own.list() == []


async def test_work_under_way_and_unread_events_go_with_it(tmp_path: Path, store: ObjectStore) -> None:
    """The render jobs (they hold the form) and the dead letters that name it; those of other forms stay."""
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, referral(persons=PERSONS))
        other = referral(persons=PERSONS, referral_id="another")
        await receive(runtime, other)
        code = runtime.profile.municipality.code
        reader = Inbox(runtime.database, code, runtime.parts.handlers)
        for data in (referral(persons=PERSONS), other):
            subject, payload = event_of(code, data)
            newer = payload.replace(b'"formversion":', b'"formversion":99')
            await runtime.database.write(
                lambda connection, subject=subject, newer=newer: reader.receive(  # type: ignore[misc]
                    connection, stream_of(subject), subject, newer
                )
            )
        broken = FORM.partition("/")[2].encode() + b" and no event"
        await runtime.database.write(
            lambda connection: reader.receive(connection, stream_of("intake."), "intake.x", broken)
        )
        assert len(await rows_of(runtime, dead_letters)) == 3
        await receive(runtime, erasure())
        left = {row["id"] for row in await rows_of(runtime, documents)}
        assert {row["key"].split("/")[0] for row in await rows_of(runtime, jobs) if row["kind"] == "render"} == left
        assert {row["form"] for row in await rows_of(runtime, documents)} == {"referral/another"}
        letters = await rows_of(runtime, dead_letters)
        assert [b'"referral_id":"another"' in row["payload"] for row in letters] == [True]
        assert await rows_of(runtime, tombstones)
