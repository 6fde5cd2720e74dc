"""Events leave through here: a row in the same transaction as the change, then the relay, then the bus.

The row goes when the bus has confirmed that the event is on disk; until then it stays and is tried again, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy import Connection

from tsunagi_shared import clock
from tsunagi_shared.bus import Bus, BusRefused, BusUnavailable
from tsunagi_shared.contracts.envelope import Envelope, encode, new_traceparent, uuid7
from tsunagi_shared.contracts.events import EVENTS
from tsunagi_shared.database import PLUMBING, Database, Statement, wake

EVENT_LIMIT_BYTES = 900 * 1024  # the hub takes 1 MiB with headers
RELAY_BATCH = 128
AGAIN_SECONDS = (0.5, 1, 2, 5, 10)
LOOK_SECONDS = 5.0  # rows that a command put in beside the running service wake nobody
WAKE = "outbox"

outbox = sa.Table(
    "outbox",
    PLUMBING,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

_INSERT = Statement(
    outbox.insert().values({name: sa.bindparam(name) for name in ("id", "type", "payload", "created_at")})
)
_OLDEST = (
    sa.select(outbox.c.seq, outbox.c.id, outbox.c.type, outbox.c.payload).order_by(outbox.c.seq).limit(RELAY_BATCH)
)

log = structlog.get_logger("outbox")


class EventTooLarge(Exception):
    """The encoded event would not pass the bus. Nothing is stored; the caller answers 413."""


class Outbox:
    """Writes events of one service: knows the source and the profile they were made under."""

    def __init__(self, source: str, profile_version: str) -> None:
        self._source = source
        self._profile_version = profile_version

    def add(
        self,
        connection: Connection,
        event_type: str,
        data: msgspec.Struct,
        *,
        aggregate: str,
        revision: int,
        traceparent: str = "",
    ) -> str:
        """Put an event into the outbox; returns its id. EventTooLarge, TypeError when the data is not that event's."""
        if not isinstance(data, EVENTS[event_type].data):
            raise TypeError(f"{type(data).__name__} is not the data of {event_type}")
        moment = clock.now_us()
        envelope = Envelope(
            id=uuid7(moment),
            source=self._source,
            type=event_type,
            time=clock.moment_of(moment),
            aggregate=aggregate,
            revision=revision,
            profileversion=self._profile_version,
            traceparent=traceparent or new_traceparent(),
            data=msgspec.Raw(msgspec.json.encode(data)),
        )
        payload = encode(envelope)
        if len(payload) > EVENT_LIMIT_BYTES:
            raise EventTooLarge(event_type)
        _INSERT.run(connection, id=envelope.id, type=event_type, payload=payload, created_at=moment)
        wake(connection, WAKE)
        return envelope.id


class Sent(msgspec.Struct, frozen=True):
    """An event that the bus has confirmed: its type, its bytes, and its place on the stream."""

    type: str
    payload: bytes
    stream_seq: int


# What a service keeps of events that have left, in the transaction that takes them out of the outbox
Published = Callable[[Connection, list[Sent]], None]


def keep_nothing(_: Connection, __: list[Sent]) -> None:
    """Most services need not know where their events lie."""


class Relay:
    """Carries the outbox to the bus, oldest first; woken by the commit that filled it."""

    def __init__(self, database: Database, bus: Bus, published: Published = keep_nothing) -> None:
        self._database = database
        self._bus = bus
        self._published = published
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0

    def start(self) -> None:
        """Begin; what an earlier run left behind goes first."""
        self._database.on_commit(WAKE, self._woken.set)
        self._woken.set()
        self._task = asyncio.create_task(self._run(), name="outbox-relay")

    async def stop(self) -> None:
        """Stop where it is; unsent rows stay for the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):  # wait_for of 3.11 swallows a stop that comes with a wake
                    await self._woken.wait()
            self._woken.clear()
            try:
                while await self._relay_once():
                    pass
                self._failures = 0
            except (BusRefused, BusUnavailable) as error:
                await self._wait_after(str(error))
            except Exception as error:  # noqa: BLE001 - the relay outlives any fault; the rows are still there
                await self._wait_after(type(error).__name__)

    async def _wait_after(self, reason: str) -> None:
        delay = AGAIN_SECONDS[min(self._failures, len(AGAIN_SECONDS) - 1)]
        self._failures += 1
        log.warning("outbox-waits", reason=reason, again_in_seconds=delay)
        await asyncio.sleep(delay)
        self._woken.set()

    async def _relay_once(self) -> bool:
        """Send one batch; True when there may be more. Rows confirmed before an error are still taken away."""
        rows = await self._database.read(lambda connection: connection.execute(_OLDEST).all())
        if not rows:
            return False
        outcomes = await asyncio.gather(
            *(self._bus.publish(row.type, row.payload, row.id) for row in rows), return_exceptions=True
        )
        answered = [(row, seq) for row, seq in zip(rows, outcomes, strict=True) if isinstance(seq, int)]
        if answered:
            sent = [Sent(row.type, row.payload, seq) for row, seq in answered]

            def take_away(connection: Connection) -> None:
                connection.execute(outbox.delete().where(outbox.c.seq.in_([row.seq for row, _ in answered])))
                self._published(connection, sent)

            await self._database.write(take_away)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return True


def oldest_age_seconds(connection: Connection) -> float:
    """How long the oldest event has been waiting (0 when none waits)."""
    oldest = connection.execute(sa.select(sa.func.min(outbox.c.created_at))).scalar()
    return 0.0 if oldest is None else (clock.now_us() - int(oldest)) / 1e6
