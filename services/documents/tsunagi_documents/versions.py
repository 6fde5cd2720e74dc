"""Making the versions of documents: the jobs that render Word and convert it to PDF, what they leave on record, and the
chain that proves it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_documents.closing import Doors
from tsunagi_documents.engine import Engine, RenderFailed
from tsunagi_documents.kinds import KINDS, row_of
from tsunagi_documents.objects import Bucket, BucketUnavailable, ObjectDamaged, ObjectMissing, Stored
from tsunagi_documents.pdf import TOGETHER, ConversionFailed, Converter
from tsunagi_documents.reading import readers_of
from tsunagi_documents.sheets import sheet_context, sheet_marks, template_name
from tsunagi_documents.tables import FAILED, PENDING, STORED, documents, files, versions
from tsunagi_shared import clock, jobs
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.envelope import Envelope
from tsunagi_shared.contracts.events import EVENTS, REFERRAL_SUBMITTED, StoredFile
from tsunagi_shared.database import Database, Statement, insert_of
from tsunagi_shared.jobs import Effect, Job, JobKind, Reject, Retry
from tsunagi_shared.runtime import Runtime

RENDER, PDF = "render", "pdf"
WORD_FORMAT, PDF_FORMAT = "docx", "pdf"
# Seconds before each further attempt: about a day in all, so that a bucket that is away over night costs no document.
DELAYS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, *(3600.0,) * 23)
RENDERS_AT_ONCE = 4  # the engine renders one at a time; the others meanwhile store
FEW_ATTEMPTS = 3  # for what failed in a process that was killed: once may be bad luck
KEY_BYTES = 32

_INSERT_VERSION = insert_of(versions)
_KEEP_FILE = Statement(
    sa.dialects.sqlite.insert(files)
    .values({column.name: sa.bindparam(column.name) for column in files.columns})
    .on_conflict_do_update(
        index_elements=["document_id", "version", "format"],
        set_={name: sa.bindparam(name) for name in ("state", "code", "key", "sha256", "bytes", "made_at")},
    )
)
_SETTLE = Statement(
    documents.update()
    .where(documents.c.id == sa.bindparam("document_id"))
    .values(state=sa.bindparam("state"), code=sa.bindparam("code"), chain_key=sa.bindparam("chain_key"))
)


class RenderOrder(msgspec.Struct, frozen=True):
    """The payload of a render job. It holds the form, and is gone when the job is done."""

    document_id: str
    version: int
    traceparent: str
    event: msgspec.Raw
    type: str = REFERRAL_SUBMITTED


class PdfOrder(msgspec.Struct, frozen=True):
    """The payload of a pdf job."""

    document_id: str
    version: int


class Proof(msgspec.Struct, frozen=True):
    """What a version's chain value vouches for."""

    document_id: str
    version: int
    form_revision: int
    template_sha256: str
    data_sha256: str
    word_sha256: str


def chain_value(key: bytes, previous: bytes, proof: Proof) -> bytes:
    """HMAC-SHA256 over the version before and this one. Without the key it tells nothing; the key goes with the document."""
    return hmac.digest(key, msgspec.msgpack.encode((previous, proof)), "sha256")


def ask_for_word(connection: Connection, document_id: str, version: int, event: Envelope) -> None:
    """A render job. One that waits or runs already stays as it is."""
    order = RenderOrder(document_id, version, event.traceparent, event.data, event.type)
    jobs.add(connection, RENDER, f"{document_id}/{version}", msgspec.json.encode(order))


def ask_for_pdf(connection: Connection, document_id: str, version: int) -> None:
    """A pdf job, and a file that the page shows as being made."""
    _keep_file(connection, document_id, version, PDF_FORMAT, state=PENDING)
    jobs.add(connection, PDF, f"{document_id}/{version}", msgspec.json.encode(PdfOrder(document_id, version)))


def packaged_templates() -> dict[str, bytes]:
    """The Word templates by their name, as they lie in the package."""
    folder = Path(__file__).parent / "word"
    names = {name for row in KINDS if not row.attached for name in row.template_names}
    return {name: (folder / f"{name}.docx").read_bytes() for name in names}


def _keep_file(
    connection: Connection,
    document_id: str,
    version: int,
    file_format: str,
    *,
    state: str,
    stored: Stored | None = None,
    code: str = "",
) -> None:
    _KEEP_FILE.run(
        connection,
        document_id=document_id,
        version=version,
        format=file_format,
        state=state,
        code=code,
        key=stored.key if stored else "",
        sha256=stored.sha256 if stored else "",
        bytes=stored.bytes if stored else 0,
        made_at=clock.now_us() if stored else None,
    )


class Making:
    """The two kinds of jobs, with what they need: the engine, the converter, the bucket and the templates."""

    def __init__(
        self,
        runtime: Runtime,
        doors: Doors,
        bucket: Bucket,
        engine: Engine,
        converter: Converter,
        templates: Mapping[str, bytes],
        *,
        with_pdf: bool,
    ) -> None:
        self._database: Database = runtime.database
        self._profile = runtime.profile
        self._announcer = doors.announcer
        self._bucket = bucket
        self._engine = engine
        self._converter = converter
        self._templates = templates
        self._with_pdf = with_pdf

    def kinds(self) -> dict[str, JobKind]:
        """The jobs of this service. PDFs wait while they are switched off."""
        kinds = {
            RENDER: JobKind(self.render, self.render_failed, delays=DELAYS, concurrency=RENDERS_AT_ONCE),
        }
        if self._with_pdf:
            kinds[PDF] = JobKind(self.convert, self.pdf_failed, delays=DELAYS, concurrency=TOGETHER)
        return kinds

    # Word --------------------------------------------------------------------------------------------------------------

    async def render(self, job: Job) -> Effect:
        """Draw, store and read back one version; the effect puts it on record and tells of it."""
        order = msgspec.json.decode(job.payload, type=RenderOrder)
        document = await self._database.read(partial(_wanted, order))
        if document is None:
            return _nothing
        view = View(document.view)
        data: Any = msgspec.json.decode(order.event, type=EVENTS[order.type].data)
        template = self._templates[template_name(row_of(order.type, document.kind, view), data)]
        hidden, withheld = (msgspec.json.decode(text, type=list[str]) for text in (document.hidden, document.withheld))
        only = bool(document.support_meeting_only)
        context = sheet_context(data, document.kind, view, hidden, withheld, only, document.recipient)
        try:
            word = await self._engine.render(template, context, marks=sheet_marks(only), title=document.title)
        except RenderFailed as error:
            raise _again_or_not(job, error.code, error.code in ("render-timeout", "render-crashed")) from None
        stored = await self._store(document, order.version, WORD_FORMAT, word)
        proof = Proof(
            document_id=order.document_id,
            version=order.version,
            form_revision=document.form_revision,
            template_sha256=hashlib.sha256(template).hexdigest(),
            data_sha256=hashlib.sha256(msgspec.json.encode(context, order="deterministic")).hexdigest(),
            word_sha256=stored.sha256,
        )
        return partial(self._register, order, proof, stored)

    async def _store(self, document: Any, version: int, file_format: str, content: bytes) -> Stored:
        try:
            return await self._bucket.store(document.kind, document.id, version, file_format, content)
        except BucketUnavailable as error:
            raise Retry(error.code) from None
        except ObjectDamaged:
            raise Retry("read-back-differs") from None

    def _register(self, order: RenderOrder, proof: Proof, stored: Stored, connection: Connection) -> None:
        document = _wanted(order, connection)
        if document is None:  # a newer revision came in the meantime; the object is an orphan now
            return
        before = connection.execute(
            sa.select(versions.c.version, versions.c.chain)
            .where(versions.c.document_id == order.document_id)
            .order_by(versions.c.version.desc())
            .limit(1)
        ).first()
        previous: bytes = before.chain if before else b""
        key = document.chain_key or secrets.token_bytes(KEY_BYTES)
        _INSERT_VERSION.run(
            connection,
            document_id=order.document_id,
            version=order.version,
            form_revision=proof.form_revision,
            template_sha256=proof.template_sha256,
            data_sha256=proof.data_sha256,
            made_at=clock.now_us(),
            previous=previous,
            chain=chain_value(key, previous, proof),
        )
        _keep_file(connection, order.document_id, order.version, WORD_FORMAT, state=STORED, stored=stored)
        _SETTLE.run(connection, document_id=order.document_id, state=STORED, code="", chain_key=key)
        if before is not None:
            self._announcer.superseded(connection, document, before.version, order.version)
        self._announcer.created(
            connection,
            document,
            order.version,
            StoredFile(WORD_FORMAT, stored.sha256, stored.bytes),
            readers_of(connection, self._profile, document.id, clock.today()),
            pdf_expected=self._with_pdf,
            traceparent=order.traceparent,
        )
        if self._with_pdf:
            ask_for_pdf(connection, order.document_id, order.version)

    def render_failed(self, connection: Connection, job: Job, code: str) -> None:
        """The visible end: the document's state, and an event for the case page."""
        order = msgspec.json.decode(job.payload, type=RenderOrder)
        document = _wanted(order, connection)
        if document is None:
            return
        _SETTLE.run(connection, document_id=order.document_id, state=FAILED, code=code, chain_key=document.chain_key)
        self._announcer.failed(connection, document, order.version, code, WORD_FORMAT)

    # PDF ---------------------------------------------------------------------------------------------------------------

    async def convert(self, job: Job) -> Effect:
        """Read the Word file, convert it, store and read back the PDF; the effect puts it on record and tells of it."""
        order = msgspec.json.decode(job.payload, type=PdfOrder)
        found = await self._database.read(partial(_word_of, order))
        if found is None:
            return _nothing
        document, word = found
        try:
            pdf = await self._converter.convert(await self._bucket.fetch(word))
        except BucketUnavailable as error:
            raise Retry(error.code) from None
        except (ObjectMissing, ObjectDamaged):
            raise Reject("word-damaged") from None
        except ConversionFailed as error:
            raise _again_or_not(job, error.code, error.code in ("pdf-timeout", "pdf-crashed")) from None
        stored = await self._store(document, order.version, PDF_FORMAT, pdf)
        return partial(self._add_pdf, order, stored)

    def _add_pdf(self, order: PdfOrder, stored: Stored, connection: Connection) -> None:
        document = _document(connection, order.document_id)
        if document is None:
            return
        _keep_file(connection, order.document_id, order.version, PDF_FORMAT, state=STORED, stored=stored)
        self._announcer.file_added(connection, document, order.version, PDF_FORMAT, stored)

    def pdf_failed(self, connection: Connection, job: Job, code: str) -> None:
        """The visible end of a PDF; the Word file stays readable."""
        order = msgspec.json.decode(job.payload, type=PdfOrder)
        document = _document(connection, order.document_id)
        if document is None:
            return
        _keep_file(connection, order.document_id, order.version, PDF_FORMAT, state=FAILED, code=code)
        self._announcer.failed(connection, document, order.version, code, PDF_FORMAT)


def _nothing(_: Connection) -> None:
    """What the job was for is no longer wanted."""


def _again_or_not(job: Job, code: str, may_be_luck: bool) -> Retry | Reject:
    return Retry(code) if may_be_luck and job.attempt < FEW_ATTEMPTS else Reject(code)


def _document(connection: Connection, document_id: str) -> Any:
    return connection.execute(sa.select(documents).where(documents.c.id == document_id)).first()


def _wanted(order: RenderOrder, connection: Connection) -> Any:
    """The document's row while this very version is still to be made, else None."""
    document = _document(connection, order.document_id)
    if document is None or document.version != order.version or document.state != PENDING or not document.planned:
        return None
    return document


def _word_of(order: PdfOrder, connection: Connection) -> tuple[Any, Stored] | None:
    document = _document(connection, order.document_id)
    word = connection.execute(
        sa.select(files).where(
            files.c.document_id == order.document_id,
            files.c.version == order.version,
            files.c.format == WORD_FORMAT,
            files.c.state == STORED,
        )
    ).first()
    return None if document is None or word is None else (document, Stored(word.key, word.sha256, word.bytes))
