"""What documents tells the others of a document: made, shared with more, withdrawn from some, superseded, opened, failed.

Every event counts the document's own revision up, in the caller's transaction: readers of the events keep the highest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_documents.objects import Stored
from tsunagi_documents.reading import Readers
from tsunagi_documents.tables import documents
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import (
    DOCUMENT_CREATED,
    DOCUMENT_FAILED,
    DOCUMENT_OPENED,
    DOCUMENT_SHARED,
    DOCUMENT_SUPERSEDED,
    DOCUMENT_WITHDRAWN,
    FILE_ADDED,
    DocumentCreated,
    DocumentFailed,
    DocumentOpened,
    DocumentShared,
    DocumentSuperseded,
    DocumentWithdrawn,
    FileAdded,
    StoredFile,
)
from tsunagi_shared.database import Statement
from tsunagi_shared.outbox import Outbox

_NEXT_REVISION = Statement(
    documents.update()
    .where(documents.c.id == sa.bindparam("document_id"))
    .values(revision=documents.c.revision + 1)
    .returning(documents.c.revision)
)


def next_revision(connection: Connection, document_id: str) -> int:
    """The revision of the next event about this document; counted in the caller's transaction."""
    row = _NEXT_REVISION.first(connection, document_id=document_id)
    assert row is not None
    return int(row[0])


class Announcer:
    """Puts events of documents into the outbox. `address` is where this service's pages are reached.

    A document is given as its row of `documents`.
    """

    def __init__(self, outbox: Outbox, address: str) -> None:
        self._outbox = outbox
        self._address = address.rstrip("/")

    def created(
        self,
        connection: Connection,
        document: Any,
        version: int,
        word: StoredFile,
        readers: Readers,
        *,
        pdf_expected: bool,
        traceparent: str = "",
    ) -> None:
        """A version is stored."""
        data = DocumentCreated(
            **self._described(document, version),
            **self._offered(document, readers),
            word=word,
            tell=readers.told,
            pdf_expected=pdf_expected,
        )
        self._publish(connection, DOCUMENT_CREATED, data, document.id, traceparent)

    def shared(
        self, connection: Connection, document: Any, version: int, gained: Collection[str], readers: Readers
    ) -> None:
        """Further agencies may read what is stored; of those gained, the ones to be told are told."""
        told = tuple(agency for agency in readers.told if agency in gained)
        data = DocumentShared(**self._described(document, version), **self._offered(document, readers), tell=told)
        self._publish(connection, DOCUMENT_SHARED, data, document.id)

    def withdrawn(
        self, connection: Connection, document: Any, version: int, cut: Collection[str], readers: Readers, code: str
    ) -> None:
        """Agencies may not read it any more. `code`: audience_changed, consent_withdrawn, protection, record_withdrawn, erased
        or blocked."""
        data = DocumentWithdrawn(
            document_id=document.id,
            version=version,
            case_number=document.case_number,
            agencies=tuple(sorted(cut)),
            readers=readers.may_read,
            code=code,
            at=clock.now(),
        )
        self._publish(connection, DOCUMENT_WITHDRAWN, data, document.id)

    def superseded(self, connection: Connection, document: Any, version: int, by_version: int) -> None:
        """A newer version took this one's place."""
        data = DocumentSuperseded(
            document_id=document.id,
            version=version,
            by_version=by_version,
            case_number=document.case_number,
            at=clock.now(),
        )
        self._publish(connection, DOCUMENT_SUPERSEDED, data, document.id)

    def file_added(self, connection: Connection, document: Any, version: int, file_format: str, stored: Stored) -> None:
        """A further format of a stored version is there."""
        file = StoredFile(file_format, stored.sha256, stored.bytes)
        data = FileAdded(document_id=document.id, version=version, case_number=document.case_number, file=file)
        self._publish(connection, FILE_ADDED, data, document.id)

    def failed(self, connection: Connection, document: Any, version: int, code: str, file_format: str) -> None:
        """It could not be made, in one format."""
        data = DocumentFailed(**self._described(document, version), code=code, format=file_format)
        self._publish(connection, DOCUMENT_FAILED, data, document.id)

    def opened(self, connection: Connection, opened: DocumentOpened) -> None:
        """A person opened a version for the first time."""
        self._publish(connection, DOCUMENT_OPENED, opened, opened.document_id)

    def _described(self, document: Any, version: int) -> dict[str, Any]:
        return {
            "document_id": document.id,
            "version": version,
            "kind": document.kind,
            "view": View(document.view),
            "title": document.title,
            "case_number": document.case_number,
            "form": document.form,
        }

    def _offered(self, document: Any, readers: Readers) -> dict[str, Any]:
        return {
            "page": f"{self._address}/documents/{document.id}/current",
            "readers": readers.may_read,
            "urgency": document.urgency,
            "reply_by": dt.date.fromisoformat(document.reply_by) if document.reply_by else None,
            "support_meeting_only": bool(document.support_meeting_only),
        }

    def _publish(
        self, connection: Connection, event_type: str, data: msgspec.Struct, document_id: str, traceparent: str = ""
    ) -> None:
        self._outbox.add(
            connection,
            event_type,
            data,
            aggregate=f"document/{document_id}",
            revision=next_revision(connection, document_id),
            traceparent=traceparent,
        )
