"""The inbox: the delivery row itself is the message, and this reads an agency's rows, newest first, by keyset."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_notify.deliveries import Channel, Delivery, State
from tsunagi_notify.receipts import Receipt, receipt_id
from tsunagi_notify.tables import deliveries, receipts

MOST_COUNTED = 1000  # a count goes no further, so that it costs the same however many there are


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
    conditions = [table.agency == agency, table.channel == Channel.INBOX.value, table.state == State.SENT.value]
    return [*conditions, table.settled == 0] if only_open else conditions


def messages(
    connection: Connection, agency: str, *, only_open: bool, after: Cursor | None, limit: int
) -> list[Message]:
    """At most `limit` messages of the agency, newest first. `only_open`: neither acknowledged nor misdelivered."""
    wanted = (
        sa.select(deliveries)
        .where(*_of(agency, only_open), *before(after))
        .order_by(deliveries.c.announced_at.desc(), deliveries.c.id.desc())
        .limit(limit)
    )
    rows = [Delivery(**row._mapping) for row in connection.execute(wanted)]
    ids = [receipt_id(row.document_id, row.version, row.agency) for row in rows]
    known = {
        row.id: Receipt(**row._mapping) for row in connection.execute(sa.select(receipts).where(receipts.c.id.in_(ids)))
    }
    return [
        Message(row, known.get(own) or Receipt(id=own, document_id=row.document_id, version=row.version, agency=agency))
        for row, own in zip(rows, ids, strict=True)
    ]


def open_count(connection: Connection, agency: str) -> int:
    """How many messages of the agency wait for an answer, counted up to MOST_COUNTED."""
    some = sa.select(sa.literal(1)).where(*_of(agency, True)).limit(MOST_COUNTED).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())
