"""What notify does with the events of documents: each a plain function in one transaction with the row that remembers it."""

from __future__ import annotations

from collections.abc import Mapping

from tsunagi_notify.deliveries import Deliveries
from tsunagi_notify.receipts import note_opening
from tsunagi_shared.contracts.events import DOCUMENT_CREATED, DOCUMENT_OPENED
from tsunagi_shared.inbox import Handler


def handlers(deliveries: Deliveries) -> Mapping[str, Handler]:
    """Event type → function. A version that is there is announced; a version that was opened is noted."""
    return {DOCUMENT_CREATED: deliveries.announce, DOCUMENT_OPENED: note_opening}
