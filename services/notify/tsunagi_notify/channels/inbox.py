"""The inbox: the delivery row itself is the message, and this reads an agency's rows, newest first, by keyset."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_notify.deliveries import Channel, Delivery, State
from tsunagi_notify.receipts import Receipt, receipt_id
from tsunagi_notify.tables import deliveries, receipts

MOST_COUNTED = 1000  # a count goes no further, so that it costs the same however many there are
MOST_ENDED = 20  # shown of what the agency lost access to


class Cursor(msgspec.Struct, frozen=True):
    """Where a page of a list ended: the next one holds what was announced before."""

    announced_at: int  # UTC microseconds
    id: str

    @classmethod
    def read(cls, text: str) -> Cursor:
        """The cursor out of its text. ValueError when it is none of ours."""
        moment, separator, row = text.partition(".")
        if not separator or not (moment.isascii() and moment.isdigit() and len(moment) <= 18):
            raise ValueError("not a cursor")
        return cls(int(moment), row)

    def __str__(self) -> str:
        return f"{self.announced_at}.{self.id}"


class Message(msgspec.Struct, frozen=True):
    """One message of an inbox and what became of it."""

    delivery: Delivery
    receipt: Receipt


def before(cursor: Cursor | None) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition for what comes after a cursor in a list that runs newest first."""
    if cursor is None:
        return ()
    table = deliveries.c
    return (sa.tuple_(table.announced_at, table.id) < sa.tuple_(cursor.announced_at, cursor.id),)


def _of(agency: str, only_open: bool) -> list[sa.ColumnElement[bool]]:
    table = deliveries.c
    own = [table.agency == agency, table.channel == Channel.INBOX.value]
    if only_open:
        return [*own, table.state == State.SENT.value, table.settled == 0]
    return [*own, _was_shown()]


def _was_shown() -> sa.ColumnElement[bool]:
    """Not the failed ones, nor those that were called off before anybody could see them. The concatenation keeps
    the index that is read in the order of the list."""
    return sa.and_(
        deliveries.c.state.concat("").in_((State.SENT.value, State.WITHDRAWN.value)), deliveries.c.attempts > 0
    )


def messages(
    connection: Connection, agency: str, *, only_open: bool, after: Cursor | None, limit: int
) -> list[Message]:
    """At most `limit` messages of the agency, newest first. `only_open`: those that still await an answer."""
    wanted = (
        sa.select(deliveries)
        .where(*_of(agency, only_open), *before(after))
        .order_by(deliveries.c.announced_at.desc(), deliveries.c.id.desc())
        .limit(limit)
    )
    return _with_receipts(connection, wanted)


def ended_since(connection: Connection, agency: str, since: int) -> list[Message]:
    """What the agency lost access to from that moment (UTC microseconds) on, the last first, at most MOST_ENDED."""
    table = deliveries.c
    wanted = (
        sa.select(deliveries)
        .where(table.agency == agency, table.channel == Channel.INBOX.value, table.withdrawn_at >= since, _was_shown())
        .order_by(table.withdrawn_at.desc(), table.id.desc())
        .limit(MOST_ENDED)
    )
    return _with_receipts(connection, wanted)


def _with_receipts(connection: Connection, wanted: sa.Select[Any]) -> list[Message]:
    rows = [Delivery(**row._mapping) for row in connection.execute(wanted)]
    ids = [receipt_id(row.document_id, row.version, row.agency) for row in rows]
    known = {
        row.id: Receipt(**row._mapping) for row in connection.execute(sa.select(receipts).where(receipts.c.id.in_(ids)))
    }
    return [
        Message(
            row, known.get(own) or Receipt(id=own, document_id=row.document_id, version=row.version, agency=row.agency)
        )
        for row, own in zip(rows, ids, strict=True)
    ]


def open_count(connection: Connection, agency: str) -> int:
    """How many messages of the agency wait for an answer, counted up to MOST_COUNTED."""
    some = sa.select(sa.literal(1)).where(*_of(agency, True)).limit(MOST_COUNTED).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())
