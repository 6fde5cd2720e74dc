"""Which event of the other services changes what here."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import projections
from tsunagi_intake.cases import ERASED
from tsunagi_intake.tables import cases
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.envelope import Envelope
from tsunagi_shared.inbox import Handler

_ERASED = sa.select(cases.c.seq).where(cases.c.number == sa.bindparam("number"), cases.c.state == ERASED)


def _unless_erased(handler: Handler) -> Handler:
    """Of an erased case nothing is kept any more, whatever comes late: documents itself tells that it took the papers away."""

    def handle(connection: Connection, event: Envelope, data: Any) -> None:
        if connection.execute(_ERASED, {"number": data.case_number}).first() is None:
            handler(connection, event, data)

    return handle


_PROJECTIONS: dict[str, Handler] = {
    events.DOCUMENT_CREATED: projections.on_created,
    events.DOCUMENT_SHARED: projections.on_shared,
    events.DOCUMENT_WITHDRAWN: projections.on_withdrawn,
    events.DOCUMENT_SUPERSEDED: projections.on_superseded,
    events.FILE_ADDED: projections.on_file_added,
    events.DOCUMENT_FAILED: projections.on_failed,
    events.DOCUMENT_OPENED: projections.on_opened,
    events.DELIVERY_SENT: projections.on_sent,
    events.DELIVERY_FAILED: projections.on_delivery_failed,
    events.DOCUMENT_ACKNOWLEDGED: projections.on_acknowledged,
    events.DOCUMENT_MISDELIVERED: projections.on_misdelivered,
}
HANDLERS = {event_type: _unless_erased(handler) for event_type, handler in _PROJECTIONS.items()}
