"""Each event is handled once; what cannot be read is put where people see it; what failed comes again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from deploy.local.servers import NatsServer
from tests.conftest import MovableClock
from tests.data.events import MUNICIPALITY, SAMPLES, payload_of
from tests.data.hub import bus_of, publish_raw, redeliver_after
from tests.data.services import until
from tsunagi_shared import inbox
from tsunagi_shared.contracts.envelope import FORM_VERSION, Envelope
from tsunagi_shared.contracts.events import DELIVERY_FAILED, DELIVERY_SENT, DOCUMENT_CREATED
from tsunagi_shared.contracts.streams import STREAMS, stream_of
from tsunagi_shared.database import Database
from tsunagi_shared.inbox import Inbox
from tsunagi_shared.service import PLUMBING_MIGRATIONS

NOTIFY = stream_of(DELIVERY_SENT)
effects = sa.Table("effects", sa.MetaData(), sa.Column("event", sa.Text), sa.Column("revision", sa.Integer))


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database with a table for what handlers do."""
    found = Database(tmp_path / "service.db")
    found.open(PLUMBING_MIGRATIONS)
    await found.write(effects.metadata.create_all)
    yield found
    found.close()


def handle(connection: Connection, event: Envelope, data: Any) -> None:
    """A handler whose effect can be counted."""
    connection.execute(effects.insert().values(event=event.id, revision=event.revision))


def reader_of(db: Database) -> Inbox:
    """A service that handles one type of event."""
    return Inbox(db, MUNICIPALITY, {DELIVERY_SENT: handle})


async def receive(db: Database, payload: bytes, subject: str = DELIVERY_SENT) -> None:
    """One message from the stream of notify."""
    await db.write(lambda connection: reader_of(db).receive(connection, NOTIFY, subject, payload))


async def done(db: Database) -> list[str]:
    """The ids of the events whose effect is there."""
    return await db.read(lambda connection: list(connection.execute(sa.select(effects.c.event)).scalars()))


async def letters(db: Database) -> list[tuple[str, str, str]]:
    """(stream, subject, reason) of the dead letters."""
    table = inbox.dead_letters
    found = await db.read(
        lambda connection: connection.execute(sa.select(table.c.stream, table.c.subject, table.c.reason)).all()
    )
    return [(row.stream, row.subject, row.reason) for row in found]


async def test_a_repeated_event_is_handled_once(db: Database) -> None:
    """The same id again, and again at the same time, changes nothing."""
    first, second = payload_of(DELIVERY_SENT), payload_of(DELIVERY_SENT, revision=2)
    await asyncio.gather(*(receive(db, payload) for payload in [first, second] * 20))
    assert len(await done(db)) == 2
    assert await letters(db) == []


async def test_types_without_a_handler_are_passed_over(db: Database) -> None:
    """A reader takes what it handles; the rest of the stream is no fault."""
    await receive(db, payload_of(DELIVERY_FAILED), DELIVERY_FAILED)
    assert (await done(db), await letters(db)) == ([], [])


def _with(**changes: Any) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(payload_of(DELIVERY_SENT)), **changes})


_LATER = FORM_VERSION + 1
_UNREADABLE: dict[str, tuple[str, bytes, str]] = {
    "no-json": (DELIVERY_SENT, b"\x00not json", "not-an-event"),
    "empty": (DELIVERY_SENT, b"", "not-an-event"),
    "another-json": (DELIVERY_SENT, b'{"hello": "world"}', "not-an-event"),
    "broken-utf-8": (DELIVERY_SENT, payload_of(DELIVERY_SENT).replace(b"notify", b"\xff\xfe", 1), "not-an-event"),
    "nested-without-end": (DELIVERY_SENT, _with(data=None)[:-1] + b',"x":' + b"[" * 100_000, "not-an-event"),
    "broken-utf-8-in-data": (
        DELIVERY_SENT,
        payload_of(DELIVERY_SENT).replace(b"sample-care", b"\xff\xfe", 1),
        "data-not-of-its-type",
    ),
    "other-data": (DELIVERY_SENT, _with(data={"delivery_id": 5}), "data-not-of-its-type"),
    "other-type": (DELIVERY_SENT, payload_of(DELIVERY_FAILED), "type-differs-from-subject"),
    "other-stream": (DOCUMENT_CREATED, payload_of(DOCUMENT_CREATED), "type-differs-from-subject"),
    "other-city": (DELIVERY_SENT, _with(source="/131016/notify"), "source-differs"),
    "other-service": (DELIVERY_SENT, _with(source=f"/{MUNICIPALITY}/documents"), "source-differs"),
    "newer-form": (DELIVERY_SENT, _with(formversion=_LATER), "needs-upgrade"),
    "newer-type": ("notify.letter.printed.v1", _with(type="notify.letter.printed.v1"), "needs-upgrade"),
}


@pytest.mark.parametrize("case", _UNREADABLE)
async def test_what_cannot_be_read_is_buried_with_its_reason(db: Database, case: str) -> None:
    """It neither stops the stream nor is it lost, and the handler never sees it."""
    subject, payload, reason = _UNREADABLE[case]
    await receive(db, payload, subject)
    assert await letters(db) == [("NOTIFY", subject, reason)]
    assert await done(db) == []
    kept = await db.read(lambda connection: connection.execute(sa.select(inbox.dead_letters.c.payload)).scalar_one())
    assert kept == payload


async def test_unknown_fields_are_ignored(db: Database) -> None:
    """What a newer publisher adds to envelope or data does not stop an older reader."""
    data = {**msgspec.json.decode(msgspec.json.encode(SAMPLES[DELIVERY_SENT])), "added_later": [1]}
    await receive(db, _with(data=data, addedlater="x"))
    assert len(await done(db)) == 1


async def test_an_upgraded_reader_handles_what_waited(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """`retry` before the upgrade buries it again; after it the event is handled, once, and the letter is gone."""
    payload = _with(formversion=_LATER)
    await receive(db, payload)

    async def retry() -> bool:
        number = await db.read(lambda connection: connection.execute(sa.select(inbox.dead_letters.c.id)).scalar_one())
        return await db.write(lambda connection: reader_of(db).retry(connection, NOTIFY, number))

    assert await retry() is False
    assert await letters(db) == [("NOTIFY", DELIVERY_SENT, "needs-upgrade")]
    monkeypatch.setattr(inbox, "FORM_VERSION", _LATER)
    assert await retry() is True
    assert (len(await done(db)), await letters(db)) == (1, [])
    await receive(db, payload)
    assert len(await done(db)) == 1


async def test_a_retry_whose_handler_fails_keeps_the_letter(db: Database) -> None:
    """Nothing is lost when the second try fails as well."""

    def fail(connection: Connection, event: Envelope, data: Any) -> None:
        raise LookupError

    await receive(db, payload_of(DELIVERY_SENT), "notify.x")
    await db.write(lambda connection: connection.execute(inbox.dead_letters.update().values(subject=DELIVERY_SENT)))
    failing = Inbox(db, MUNICIPALITY, {DELIVERY_SENT: fail})
    with pytest.raises(LookupError):
        await db.write(lambda connection: failing.retry(connection, NOTIFY, 1))
    assert len(await letters(db)) == 1


async def test_old_rows_are_forgotten_in_time(db: Database, movable_clock: MovableClock) -> None:
    """Inbox rows outlive every stream, so that no redelivery finds its row gone; dead letters go after thirty days."""
    assert max(stream.kept_days for stream in STREAMS) < inbox.KEPT_DAYS
    await receive(db, payload_of(DELIVERY_SENT))
    await receive(db, b"broken")
    for days, left in ((29, (1, 1)), (31, (1, 0)), (61, (0, 0))):
        movable_clock.forward(days * 86_400)
        await db.write(inbox.forget_old)
        counted = await db.read(
            lambda connection: [
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in (inbox.inbox, inbox.dead_letters)
            ]
        )
        assert tuple(counted) == left


async def test_a_failing_handler_gets_its_event_again_and_holds_up_nobody(db: Database, tmp_path: Path) -> None:
    """From a real hub: the failed event is not acknowledged and comes again; others beside it, and junk, are dealt with."""
    hub = NatsServer(tmp_path / "hub")
    await hub.start()
    await redeliver_after(hub, "NOTIFY", "intake", 1)
    failures = 0

    def fail_once(connection: Connection, event: Envelope, data: Any) -> None:
        nonlocal failures
        handle(connection, event, data)
        if event.revision == 2 and failures == 0:
            failures += 1
            raise LookupError("the effect above must not stay")

    reader = Inbox(db, MUNICIPALITY, {DELIVERY_SENT: fail_once})
    intake = bus_of(hub, "intake")
    payloads = [payload_of(DELIVERY_SENT, revision=revision) for revision in (1, 2, 3)]
    try:
        for payload in (*payloads, b"\xff\xfe", payloads[0]):
            await publish_raw(hub, DELIVERY_SENT, payload)
        intake.start()
        intake.consume(NOTIFY, partial(reader.take, NOTIFY))
        await until(lambda: _count_is(db, 3))
        await until(lambda: _all_acknowledged(intake.pending))
    finally:
        await intake.stop()
        await hub.stop()
    assert failures == 1
    assert len(await done(db)) == 3
    assert await letters(db) == [("NOTIFY", DELIVERY_SENT, "not-an-event")]


async def _count_is(db: Database, count: int) -> bool:
    return len(await done(db)) == count


async def _all_acknowledged(pending: Any) -> bool:
    return bool(await pending("NOTIFY") == 0)
