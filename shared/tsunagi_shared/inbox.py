"""Events arrive through here: each is handled once, in one transaction with the row that remembers it.

A handler is a plain function of the connection and the event: projection rows and job rows, nothing slow. What cannot be
read goes to the dead letters, where people see it; a newer form version waits there as `needs-upgrade`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
import structlog
from nats.aio.msg import Msg
from sqlalchemy import Connection

from tsunagi_shared import clock
from tsunagi_shared.contracts import envelope as envelopes
from tsunagi_shared.contracts.envelope import FORM_VERSION, Envelope, source_of
from tsunagi_shared.contracts.events import EVENTS
from tsunagi_shared.contracts.streams import Stream
from tsunagi_shared.database import PLUMBING, Database, Statement, delete_some

KEPT_DAYS = 60  # longer than any stream keeps an event, so that no redelivery finds its row gone
DEAD_LETTER_DAYS = 30
NEEDS_UPGRADE = "needs-upgrade"

inbox = sa.Table(
    "inbox",
    PLUMBING,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("received_at", sa.BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
dead_letters = sa.Table(
    "dead_letters",
    PLUMBING,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
)

_REMEMBER = Statement(
    sa.dialects.sqlite.insert(inbox)
    .values(id=sa.bindparam("id"), received_at=sa.bindparam("received_at"))
    .on_conflict_do_nothing()
)
_BURY = Statement(
    dead_letters.insert().values(
        {c: sa.bindparam(c) for c in ("stream", "subject", "reason", "payload", "received_at")}
    )
)

# msgspec passes on the errors of broken UTF-8 and of nesting without end
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

Handler = Callable[[Connection, Envelope, Any], None]

log = structlog.get_logger("inbox")


class Undecodable(Exception):
    """The event cannot be handled as it is; the reason is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Inbox:
    """Reads one service's streams: `handlers` maps event types to functions; types without one are passed over."""

    def __init__(self, database: Database, municipality_code: str, handlers: Mapping[str, Handler]) -> None:
        self._database = database
        self._municipality_code = municipality_code
        self._handlers = handlers

    async def take(self, stream: Stream, messages: list[Msg]) -> list[Msg]:
        """Handle a batch; gives back the messages that are dealt with. A database error leaves the others unacknowledged."""
        outcomes = await asyncio.gather(
            *(self._database.write(self._one(stream, message)) for message in messages), return_exceptions=True
        )
        dealt_with = [message for message, outcome in zip(messages, outcomes, strict=True) if outcome is None]
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                log.error("event-not-handled", stream=stream.name, reason=type(outcome).__name__)
        return dealt_with

    def _one(self, stream: Stream, message: Msg) -> Callable[[Connection], None]:
        subject, payload = message.subject, message.data
        return lambda connection: self.receive(connection, stream, subject, payload)

    def receive(self, connection: Connection, stream: Stream, subject: str, payload: bytes) -> None:
        """Handle one event's bytes in the caller's transaction: once, or into the dead letters."""
        try:
            event, data = self._read(stream, subject, payload)
        except Undecodable as error:
            log.error("event-buried", stream=stream.name, subject=subject, reason=error.reason)
            _BURY.run(
                connection,
                stream=stream.name,
                subject=subject,
                reason=error.reason,
                payload=payload,
                received_at=clock.now_us(),
            )
            return
        handler = self._handlers.get(event.type)
        if handler is None:
            return
        if _REMEMBER.run(connection, id=event.id, received_at=clock.now_us()).rowcount:
            handler(connection, event, data)

    def _read(self, stream: Stream, subject: str, payload: bytes) -> tuple[Envelope, msgspec.Struct]:
        try:
            event = envelopes.decode(payload)
        except _UNREADABLE:
            raise Undecodable("not-an-event") from None
        if event.type != subject or not subject.startswith(f"{stream.owner}."):
            raise Undecodable("type-differs-from-subject")
        if event.source != source_of(self._municipality_code, stream.owner):
            raise Undecodable("source-differs")
        kind = EVENTS.get(event.type)
        if kind is None or event.formversion > FORM_VERSION:
            raise Undecodable(NEEDS_UPGRADE)
        try:
            return event, msgspec.json.decode(event.data, type=kind.data)
        except _UNREADABLE:
            raise Undecodable("data-not-of-its-type") from None

    def retry(self, connection: Connection, stream: Stream, letter: int) -> bool:
        """Try a dead letter once more; True when it was handled. It is buried again with its new reason when not."""
        row = connection.execute(sa.select(dead_letters).where(dead_letters.c.id == letter)).one()
        connection.execute(dead_letters.delete().where(dead_letters.c.id == letter))
        before = connection.execute(sa.select(sa.func.count()).select_from(dead_letters)).scalar_one()
        self.receive(connection, stream, row.subject, row.payload)
        after = connection.execute(sa.select(sa.func.count()).select_from(dead_letters)).scalar_one()
        return bool(after == before)


def forget_old(connection: Connection) -> int:
    """Take away some of the inbox rows and dead letters that are past their time; how many. Call again until none."""
    day_us = 86_400 * 1_000_000
    taken = delete_some(connection, inbox, inbox.c.received_at < clock.now_us() - KEPT_DAYS * day_us)
    late = dead_letters.c.received_at < clock.now_us() - DEAD_LETTER_DAYS * day_us
    return taken + delete_some(connection, dead_letters, late)
