"""What became of each document, as told by documents and notify: rows that any order of events leaves the same.

Columns that one event alone sets are simply set; a state that several events fight over keeps the highest revision of its
aggregate. Who may read is said of a document, so every version of it holds the same, newest word. Who had opened a document
and said "received" stays on record when the agency loses access.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite as sqlite
from sqlalchemy import Connection

from tsunagi_intake.tables import deliveries, documents, receipts
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.envelope import Envelope
from tsunagi_shared.contracts.events import (
    DeliveryFailed,
    DeliverySent,
    DocumentAcknowledged,
    DocumentCreated,
    DocumentFailed,
    DocumentMisdelivered,
    DocumentOpened,
    DocumentShared,
    DocumentSuperseded,
    DocumentWithdrawn,
    FileAdded,
)
from tsunagi_shared.forms.fields import CodeList


class WordState(CodeList):
    """Where a document's Word file stands, as far as intake has heard."""

    UNKNOWN = "unknown", "作成中"
    STORED = "stored", "作成済み"
    FAILED = "failed", "作成できませんでした"


class PdfState(CodeList):
    """Where its PDF stands."""

    UNKNOWN = "unknown", "―"
    EXPECTED = "expected", "PDF作成中"
    OFF = "off", "PDFなし"
    STORED = "stored", "PDFあり"
    FAILED = "failed", "PDFを作成できませんでした"


def _ensure(connection: Connection, document: str, version: int, case_number: str) -> None:
    """A row of the version, which knows of its readers what the document's other versions know."""
    new = connection.execute(
        sqlite.insert(documents)
        .values(id=document, version=version, case_number=case_number, word_state=WordState.UNKNOWN.value, word_code="",
                word_revision=0, pdf_state=PdfState.UNKNOWN.value, pdf_code="", pdf_revision=0, readers_revision=0, superseded=0)
        .on_conflict_do_nothing()
    ).rowcount  # fmt: skip
    if new:
        known = connection.execute(
            sa.select(documents.c.readers, documents.c.readers_revision)
            .where(documents.c.id == document)
            .order_by(documents.c.readers_revision.desc())
            .limit(1)
        ).one()
        _keep_readers(connection, document, known.readers, known.readers_revision)


def _keep_readers(connection: Connection, document: str, readers: str | None, revision: int) -> None:
    """Who may read the document now, unless a later event has said it already."""
    connection.execute(
        documents.update()
        .where(documents.c.id == document, documents.c.readers_revision < revision)
        .values(readers=readers, readers_revision=revision)
    )


def _describe(connection: Connection, data: DocumentCreated | DocumentShared | DocumentFailed) -> None:
    """What these events say alike of a document."""
    _ensure(connection, data.document_id, data.version, data.case_number)
    connection.execute(
        documents.update()
        .where(documents.c.id == data.document_id, documents.c.version == data.version)
        .values(form=data.form, kind=data.kind, view=data.view.value, title=data.title)
    )


def _state(
    connection: Connection, document: str, version: int, part: str, state: CodeList, code: str, revision: int
) -> None:
    """Set the state of one part (word or pdf), unless a later event has set it already."""
    columns = {f"{part}_state": state.value, f"{part}_code": code, f"{part}_revision": revision}
    connection.execute(
        documents.update()
        .where(documents.c.id == document, documents.c.version == version, documents.c[f"{part}_revision"] < revision)
        .values(columns)
    )


def on_created(connection: Connection, event: Envelope, data: DocumentCreated) -> None:
    """The Word file is stored; the PDF follows, or does not."""
    _describe(connection, data)
    connection.execute(
        documents.update()
        .where(documents.c.id == data.document_id, documents.c.version == data.version)
        .values(page=data.page)
    )
    _readers(connection, event, data)
    _state(connection, data.document_id, data.version, "word", WordState.STORED, "", event.revision)
    pdf = PdfState.EXPECTED if data.pdf_expected else PdfState.OFF
    _state(connection, data.document_id, data.version, "pdf", pdf, "", event.revision)


def _readers(
    connection: Connection, event: Envelope, data: DocumentCreated | DocumentShared | DocumentWithdrawn
) -> None:
    _keep_readers(connection, data.document_id, msgspec.json.encode(data.readers).decode(), event.revision)


def on_shared(connection: Connection, event: Envelope, data: DocumentShared) -> None:
    """Further agencies may read the document."""
    _describe(connection, data)
    connection.execute(
        documents.update()
        .where(documents.c.id == data.document_id, documents.c.version == data.version)
        .values(page=data.page)
    )
    _readers(connection, event, data)


def on_withdrawn(connection: Connection, event: Envelope, data: DocumentWithdrawn) -> None:
    """Agencies may no longer read the document. What they had done with it stays."""
    _ensure(connection, data.document_id, data.version, data.case_number)
    _readers(connection, event, data)


def on_superseded(connection: Connection, event: Envelope, data: DocumentSuperseded) -> None:
    """A newer version took this one's place."""
    _ensure(connection, data.document_id, data.version, data.case_number)
    connection.execute(
        documents.update()
        .where(documents.c.id == data.document_id, documents.c.version == data.version)
        .values(superseded=1)
    )


def on_file_added(connection: Connection, event: Envelope, data: FileAdded) -> None:
    """The PDF is there."""
    _ensure(connection, data.document_id, data.version, data.case_number)
    _state(connection, data.document_id, data.version, "pdf", PdfState.STORED, "", event.revision)


def on_failed(connection: Connection, event: Envelope, data: DocumentFailed) -> None:
    """The document, or its PDF, could not be made."""
    _describe(connection, data)
    part, state = ("pdf", PdfState.FAILED) if data.format == "pdf" else ("word", WordState.FAILED)
    _state(connection, data.document_id, data.version, part, state, data.code, event.revision)


def _delivery(
    connection: Connection, event: Envelope, data: DeliverySent | DeliveryFailed, state: str, code: str
) -> None:
    values = {
        "document": data.document_id, "version": data.version, "case_number": data.case_number, "agency": data.agency,
        "channel": data.channel, "state": state, "code": code, "at": clock.microseconds_of(data.at), "revision": event.revision,
    }  # fmt: skip
    connection.execute(
        sqlite.insert(deliveries)
        .values(id=data.delivery_id, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values, where=deliveries.c.revision < event.revision)
    )


def on_sent(connection: Connection, event: Envelope, data: DeliverySent) -> None:
    """A notice left."""
    _delivery(connection, event, data, "sent", "")


def on_delivery_failed(connection: Connection, event: Envelope, data: DeliveryFailed) -> None:
    """A notice will not be tried again."""
    _delivery(connection, event, data, "failed", data.code)


Received = DocumentOpened | DocumentAcknowledged | DocumentMisdelivered


def _receipt(connection: Connection, data: Received, what: str, at: dt.datetime, **more: str) -> None:
    """The first who did it stays: a later or repeated event changes nothing."""
    moment = clock.microseconds_of(at)
    values = {
        f"{what}_at": moment,
        f"{what}_by": data.user_name,
        **{f"{what}_{name}": value for name, value in more.items()},
    }
    earlier = receipts.c[f"{what}_at"]
    connection.execute(
        sqlite.insert(receipts)
        .values(
            document=data.document_id, version=data.version, agency=data.agency, case_number=data.case_number, **values
        )
        .on_conflict_do_update(
            index_elements=["document", "version", "agency"],
            set_=values,
            where=sa.or_(  # of two in the same moment the name decides, so that their order does not
                earlier.is_(None),
                earlier > moment,
                sa.and_(earlier == moment, receipts.c[f"{what}_by"] > data.user_name),
            ),
        )
    )


def on_opened(connection: Connection, event: Envelope, data: DocumentOpened) -> None:
    """Somebody of an agency opened the document."""
    _receipt(connection, data, "opened", data.opened_at)


def on_acknowledged(connection: Connection, event: Envelope, data: DocumentAcknowledged) -> None:
    """A named person said: received."""
    _receipt(connection, data, "acknowledged", data.at)


def on_misdelivered(connection: Connection, event: Envelope, data: DocumentMisdelivered) -> None:
    """A named person said: not ours."""
    _receipt(connection, data, "misdelivered", data.at, code=data.code)


class ReceiptLine(msgspec.Struct, frozen=True):
    """How far one agency has come with one document."""

    agency: str
    channels: dict[str, str]  # channel → sent | failed
    opened_at: dt.datetime | None = None
    opened_by: str = ""
    acknowledged_at: dt.datetime | None = None
    acknowledged_by: str = ""
    misdelivered_at: dt.datetime | None = None
    misdelivered_by: str = ""
    misdelivered_code: str = ""
    ended: bool = False  # the agency may no longer read the document


class DocumentLine(msgspec.Struct, frozen=True):
    """One document as the case page shows it."""

    id: str
    version: int
    form: str
    kind: str
    view: str
    title: str
    page: str  # empty when the reader's agency may not open it
    word: WordState
    word_code: str
    pdf: PdfState
    pdf_code: str
    receipts: tuple[ReceiptLine, ...]
    superseded: bool = False  # 旧版: a newer version took its place

    @property
    def misdelivered_to(self) -> tuple[str, ...]:
        """The agencies that said it should not have come to them. Whoever may recall the form is offered 誤送付 then."""
        return tuple(line.agency for line in self.receipts if line.misdelivered_at is not None)


def documents_of(connection: Connection, views: dict[str, View], agency: str) -> tuple[DocumentLine, ...]:
    """The documents that this reader may know of, with their receipts, in the order of their forms, the newest version first.

    `views` maps the forms the reader may see to their view. A full view shows every document of the form, and who did what
    with it, those that lost access included. Any other shows the documents of that view which the reader's agency may read or
    had been given, with the agency's own receipts.
    """
    rows = connection.execute(sa.select(documents).where(documents.c.form.in_(list(views)))).all()
    lines = _receipts_of(connection, [row.id for row in rows], {row.id: _reading(row) for row in rows if row.readers})
    found = []
    for row in sorted(rows, key=lambda row: (row.form, row.kind, row.view, row.id, row.version), reverse=True):
        full = views[row.form] is View.FULL
        receipts_of_it = [line for line in lines.get((row.id, row.version), ()) if full or line.agency == agency]
        reads = agency in _reading(row)
        if full or (views[row.form] == row.view and (reads or receipts_of_it)):
            found.append(_line(row, row.page if row.page and reads else "", tuple(receipts_of_it)))
    return tuple(found)


def _line(row: Any, page: str, its_receipts: tuple[ReceiptLine, ...]) -> DocumentLine:
    """`page`: the document's address for those who may open it; the others would only be turned away there."""
    return DocumentLine(
        row.id, row.version, row.form, row.kind, row.view, row.title, page,
        WordState[row.word_state.upper()], row.word_code, PdfState[row.pdf_state.upper()], row.pdf_code,
        its_receipts, bool(row.superseded),
    )  # fmt: skip


def _reading(row: Any) -> frozenset[str]:
    """The agencies that may read the document now."""
    return frozenset(msgspec.json.decode(row.readers, type=list[str])) if row.readers else frozenset()


def _receipts_of(
    connection: Connection, ids: list[str], readers: dict[str, frozenset[str]]
) -> dict[tuple[str, int], list[ReceiptLine]]:
    """By document and version; `readers`: who may read each document now, where that is known."""
    channels: dict[tuple[str, int, str], dict[str, str]] = {}
    for row in connection.execute(sa.select(deliveries).where(deliveries.c.document.in_(ids))):
        channels.setdefault((row.document, row.version, row.agency), {})[row.channel] = row.state
    found = {
        (row.document, row.version, row.agency): row
        for row in connection.execute(sa.select(receipts).where(receipts.c.document.in_(ids)))
    }
    lines: dict[tuple[str, int], list[ReceiptLine]] = {}
    for key in sorted({*channels, *found}):
        ended = key[0] in readers and key[2] not in readers[key[0]]
        line = ReceiptLine(key[2], channels.get(key, {}), ended=ended)
        if (receipt := found.get(key)) is not None:
            line = ReceiptLine(
                key[2], channels.get(key, {}),
                _moment(receipt.opened_at), receipt.opened_by or "",
                _moment(receipt.acknowledged_at), receipt.acknowledged_by or "",
                _moment(receipt.misdelivered_at), receipt.misdelivered_by or "", receipt.misdelivered_code or "",
                ended,
            )  # fmt: skip
        lines.setdefault(key[:2], []).append(line)
    return lines


def _moment(microseconds: int | None) -> dt.datetime | None:
    return None if microseconds is None else clock.moment_of(microseconds)
