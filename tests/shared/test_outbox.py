"""Events leave in order, once, and none is lost: with a real hub that is away, killed and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from deploy.local.servers import NatsServer
from tests.data.events import SAMPLES
from tests.data.hub import bus_of, events_on
from tests.data.services import until
from tsunagi_shared import outbox
from tsunagi_shared.bus import Bus
from tsunagi_shared.contracts.envelope import decode
from tsunagi_shared.contracts.events import DELIVERY_SENT, FILE_ADDED, REFERRAL_SUBMITTED, ReferralSubmitted
from tsunagi_shared.database import Database
from tsunagi_shared.outbox import EVENT_LIMIT_BYTES, EventTooLarge, Outbox, Relay
from tsunagi_shared.service import PLUMBING_MIGRATIONS

SENT = SAMPLES[DELIVERY_SENT]
OUTBOX = Outbox("/132187/notify", "0123456789ab")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database."""
    found = Database(tmp_path / "service.db")
    found.open(PLUMBING_MIGRATIONS)
    yield found
    found.close()


def add(connection: Connection) -> str:
    """One event into the outbox; its id."""
    return OUTBOX.add(connection, DELIVERY_SENT, SENT, aggregate="delivery/1", revision=1)


async def add_many(db: Database, count: int) -> list[str]:
    """So many events, each in a transaction of its own; their ids in order."""
    return list(await asyncio.gather(*(db.write(add) for _ in range(count))))


async def waiting(db: Database) -> int:
    """How many rows wait."""
    return await db.read(
        lambda connection: connection.execute(sa.select(sa.func.count()).select_from(outbox.outbox)).scalar_one()
    )


async def sent(hub: NatsServer, ids: list[str]) -> list[str]:
    """Which of the ids the stream holds, in its order."""
    wanted = set(ids)
    return [event.id for event in await events_on(hub, "NOTIFY") if event.id in wanted]


@asynccontextmanager
async def relaying(db: Database, bus: Bus) -> AsyncIterator[None]:
    """The relay, as a running service has it."""
    relay = Relay(db, bus)
    bus.start()
    relay.start()
    try:
        yield
    finally:
        await bus.stop()
        await relay.stop()


async def test_events_leave_in_order_and_their_rows_go(db: Database, hub: NatsServer) -> None:
    """The stream holds what was committed, in the order of the commits, and the outbox is empty after it."""
    left = await add_many(db, 40)
    async with relaying(db, bus_of(hub, "notify")):
        later = await add_many(db, 300)
        await until(lambda: _empty(db))
    assert await sent(hub, left + later) == left + later


async def _empty(db: Database) -> bool:
    return await waiting(db) == 0


async def test_a_crash_between_publish_and_delete_doubles_nothing(db: Database, hub: NatsServer) -> None:
    """The row is still there after the hub has the event: the next start sends it again, and the hub keeps one."""
    ids = await add_many(db, 5)
    rows = await db.read(lambda connection: connection.execute(sa.select(outbox.outbox)).all())
    bus = bus_of(hub, "notify")
    bus.start()
    await until(lambda: _connected(bus))
    for row in rows[:3]:
        await bus.publish(row.type, row.payload, row.id)  # and here the process is killed
    await bus.stop()
    async with relaying(db, bus_of(hub, "notify")):
        await until(lambda: _empty(db))
    assert await sent(hub, ids) == ids


async def _connected(bus: Bus) -> bool:
    return bus.connected


async def test_nothing_is_lost_while_the_hub_is_away_or_killed(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events made before the hub first starts, and while it is killed in full flow, arrive once each and in order."""
    monkeypatch.setattr(outbox, "AGAIN_SECONDS", (0.2,))
    hub = NatsServer(tmp_path / "hub")
    await hub.start()
    await hub.stop()
    ids = await add_many(db, 50)
    async with relaying(db, bus_of(hub, "notify")):
        await asyncio.sleep(0.3)
        assert await waiting(db) == 50
        await hub.start()
        ids += await add_many(db, 400)
        hub.kill()
        ids += await add_many(db, 50)
        await asyncio.sleep(0.3)
        assert await waiting(db) >= 50
        await hub.start()
        await until(lambda: _empty(db))
    stored = await sent(hub, ids)
    await hub.stop()
    assert sorted(stored) == sorted(ids)
    assert stored == ids


async def test_rows_of_a_command_beside_the_service_leave_too(
    db: Database, hub: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process wakes nobody; the relay looks by itself."""
    monkeypatch.setattr(outbox, "LOOK_SECONDS", 0.1)
    async with relaying(db, bus_of(hub, "notify")):
        await asyncio.sleep(0.2)
        other = Database(db.path)
        with other.connection() as connection:
            event_id = add(connection)
        other.close()
        await until(lambda: _empty(db))
    assert await sent(hub, [event_id]) == [event_id]


async def test_another_services_subject_stays_in_the_outbox(
    db: Database, hub: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account without the right gets nothing onto the stream, and what it wanted to send is not thrown away."""
    monkeypatch.setattr(outbox, "AGAIN_SECONDS", (0.1,))
    await db.write(
        lambda connection: OUTBOX.add(connection, FILE_ADDED, SAMPLES[FILE_ADDED], aggregate="document/1", revision=1)
    )
    async with relaying(db, bus_of(hub, "notify")):
        await asyncio.sleep(0.5)
    assert await waiting(db) == 1
    assert [event for event in await events_on(hub, "DOCUMENTS") if event.source == "/132187/notify"] == []


async def test_an_event_over_the_limit_stores_nothing(db: Database) -> None:
    """The caller's whole transaction is undone, and the limit leaves room for the hub's."""
    sample = SAMPLES[REFERRAL_SUBMITTED]
    assert isinstance(sample, ReferralSubmitted)

    def submit(connection: Connection, padding: int) -> None:
        add(connection)
        data = msgspec.structs.replace(sample, provider_name="字" * padding)
        OUTBOX.add(connection, REFERRAL_SUBMITTED, data, aggregate="referral/1", revision=1)

    with pytest.raises(EventTooLarge):
        await db.write(lambda connection: submit(connection, EVENT_LIMIT_BYTES // 3))
    assert await waiting(db) == 0
    await db.write(lambda connection: submit(connection, EVENT_LIMIT_BYTES // 3 - 3000))
    sizes = await db.read(lambda connection: connection.execute(sa.select(sa.func.length(outbox.outbox.c.payload))))
    assert max(sizes.scalars()) <= EVENT_LIMIT_BYTES < 1024 * 1024 - 4096


async def test_data_must_be_that_of_the_type(db: Database) -> None:
    """A row that no reader could read is not made."""
    with pytest.raises(TypeError, match="FileAdded"):
        await db.write(
            lambda connection: OUTBOX.add(
                connection, DELIVERY_SENT, SAMPLES[FILE_ADDED], aggregate="delivery/1", revision=1
            )
        )
    assert await waiting(db) == 0


async def test_the_envelope_says_where_it_comes_from(db: Database) -> None:
    """Source, aggregate, revision and profile version are those of the service and of the call."""
    await db.write(lambda connection: OUTBOX.add(connection, DELIVERY_SENT, SENT, aggregate="delivery/9", revision=4))
    payload = await db.read(lambda connection: connection.execute(sa.select(outbox.outbox.c.payload)).scalar_one())
    event = decode(payload)
    assert (event.source, event.aggregate, event.revision) == ("/132187/notify", "delivery/9", 4)
    assert (event.type, event.profileversion) == (DELIVERY_SENT, "0123456789ab")
    assert await db.read(outbox.oldest_age_seconds) > 0
