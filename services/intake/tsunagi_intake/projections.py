"""What became of each document, as told by documents and notify: rows that any order of events leaves the same.

Columns that one event alone sets are simply set; a state that several events fight over keeps the highest revision of its
aggregate.
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
    connection.execute(
        sqlite.insert(documents)
        .values(id=document, version=version, case_number=case_number, word_state=WordState.UNKNOWN.value, word_code="",
                word_revision=0, pdf_state=PdfState.UNKNOWN.value, pdf_code="", pdf_revision=0)
        .on_conflict_do_nothing()
    )  # fmt: skip


def _describe(connection: Connection, data: DocumentCreated | DocumentFailed) -> None:
    """What both kinds of event say alike of a document."""
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
        .values(page=data.page, readers=msgspec.json.encode(data.readers).decode())
    )
    _state(connection, data.document_id, data.version, "word", WordState.STORED, "", event.revision)
    pdf = PdfState.EXPECTED if data.pdf_expected else PdfState.OFF
    _state(connection, data.document_id, data.version, "pdf", pdf, "", event.revision)


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


def documents_of(
    connection: Connection, case_number: str, views: dict[str, View], agency: str
) -> tuple[DocumentLine, ...]:
    """The case's documents that this reader may know of, with their receipts.

    `views` maps the forms the reader may see to their view: a full view shows every document of the form and every receipt,
    any other only documents in that same view and the receipts of the reader's own agency.
    """
    rows = connection.execute(
        sa.select(documents).where(documents.c.case_number == case_number, documents.c.form.in_(list(views)))
    ).all()
    known = [row for row in rows if views[row.form] in (View.FULL, row.view)]
    lines = _receipts_of(connection, case_number)
    return tuple(
        DocumentLine(
            row.id, row.version, row.form, row.kind, row.view, row.title, _page_for(row, agency),
            WordState[row.word_state.upper()], row.word_code,
            PdfState[row.pdf_state.upper()], row.pdf_code,
            tuple(line for line in lines.get((row.id, row.version), ()) if line.agency == agency or views[row.form] is View.FULL),
        )
        for row in sorted(known, key=lambda row: (row.form, row.kind, row.view, row.version), reverse=True)
    )  # fmt: skip


def _page_for(row: Any, agency: str) -> str:
    """The document's address for those who may open it; the others would only be turned away there."""
    return row.page if row.page and agency in msgspec.json.decode(row.readers) else ""


def _receipts_of(connection: Connection, case_number: str) -> dict[tuple[str, int], list[ReceiptLine]]:
    channels: dict[tuple[str, int, str], dict[str, str]] = {}
    for row in connection.execute(sa.select(deliveries).where(deliveries.c.case_number == case_number)):
        channels.setdefault((row.document, row.version, row.agency), {})[row.channel] = row.state
    found = {
        (row.document, row.version, row.agency): row
        for row in connection.execute(sa.select(receipts).where(receipts.c.case_number == case_number))
    }
    lines: dict[tuple[str, int], list[ReceiptLine]] = {}
    for key in sorted({*channels, *found}):
        receipt = found.get(key)
        line = ReceiptLine(key[2], channels.get(key, {}))
        if receipt is not None:
            line = ReceiptLine(
                key[2], channels.get(key, {}),
                _moment(receipt.opened_at), receipt.opened_by or "",
                _moment(receipt.acknowledged_at), receipt.acknowledged_by or "",
                _moment(receipt.misdelivered_at), receipt.misdelivered_by or "", receipt.misdelivered_code or "",
            )  # fmt: skip
        lines.setdefault(key[:2], []).append(line)
    return lines


def _moment(microseconds: int | None) -> dt.datetime | None:
    return None if microseconds is None else clock.moment_of(microseconds)
