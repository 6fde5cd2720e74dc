"""Which event of the other services changes what here."""

from __future__ import annotations

from tsunagi_intake import projections
from tsunagi_shared.contracts import events
from tsunagi_shared.inbox import Handler

HANDLERS: dict[str, Handler] = {
    events.DOCUMENT_CREATED: projections.on_created,
    events.FILE_ADDED: projections.on_file_added,
    events.DOCUMENT_FAILED: projections.on_failed,
    events.DOCUMENT_OPENED: projections.on_opened,
    events.DELIVERY_SENT: projections.on_sent,
    events.DELIVERY_FAILED: projections.on_delivery_failed,
    events.DOCUMENT_ACKNOWLEDGED: projections.on_acknowledged,
    events.DOCUMENT_MISDELIVERED: projections.on_misdelivered,
}
