"""What notify does with the events of documents: each a plain function in one transaction with the row that remembers it."""

from __future__ import annotations

from collections.abc import Mapping

from tsunagi_notify.deliveries import Deliveries
from tsunagi_notify.receipts import note_opening
from tsunagi_shared.contracts.events import (
    DOCUMENT_CREATED,
    DOCUMENT_OPENED,
    DOCUMENT_SHARED,
    DOCUMENT_SUPERSEDED,
    DOCUMENT_WITHDRAWN,
)
from tsunagi_shared.inbox import Handler


def handlers(deliveries: Deliveries) -> Mapping[str, Handler]:
    """Event type → function. A version that is there is announced, to those who come to it later too; what ended is called
    off; an opening is noted."""
    return {
        DOCUMENT_CREATED: deliveries.announce,
        DOCUMENT_SHARED: deliveries.announce,
        DOCUMENT_WITHDRAWN: deliveries.withdraw,
        DOCUMENT_SUPERSEDED: deliveries.supersede,
        DOCUMENT_OPENED: note_opening,
    }
