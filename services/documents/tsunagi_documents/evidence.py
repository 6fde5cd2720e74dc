"""Scans of signed consents: rewritten in a process that can be killed, stored as a document beside their consent form.

The scan is a document of the form `consent/<id>`, of the kind `consent_evidence`. Whoever reads that consent form with
nothing kept back reads the scan (closing.py derives it); each further scan is its next version.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import hashlib
import secrets
import sys
import weakref
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_documents import closing, reading
from tsunagi_documents.evidence_rewriting import TOO_HEAVY, UNREADABLE, Rewritten, ScanRefused
from tsunagi_documents.kinds import CONSENT_EVIDENCE, CONSENT_FORM, document_id, row_of
from tsunagi_documents.objects import Bucket, BucketUnavailable, Stored
from tsunagi_documents.reading import Grant, Readers, Refused
from tsunagi_documents.tables import PENDING, STORED, documents, files, versions
from tsunagi_documents.versions import KEY_BYTES, PDF_FORMAT, Proof, chain_value
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import CONSENT_GIVEN, StoredFile
from tsunagi_shared.database import insert_of
from tsunagi_shared.runtime import Runtime

ACTION = "evidence.add"
BUDGET_SECONDS = 60.0
NOTHING_KEPT_BACK = "[]"
ATTEMPTS = 3  # another scan of the same consent may come in between

_INSERT_DOCUMENT, _INSERT_VERSION, _INSERT_FILE = insert_of(documents), insert_of(versions), insert_of(files)


class NotThere(enum.StrEnum):
    """Why no scan can be added here, beside what keeps somebody from reading; for the audit trail."""

    NOT_A_CONSENT_FORM = "not-a-consent-form"
    PARTS_KEPT_BACK = "parts-kept-back"
    ERASED = "erased"


class Added(msgspec.Struct, frozen=True):
    """The document that the scan is, its version, and how many pages were kept. `again`: the very same file was there."""

    document_id: str
    version: int
    pages: int
    again: bool = False


# One rewriting process at a time in each event loop, which is one service: it may take a core and a gigabyte.
_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()


async def rewrite(content: bytes, *, budget_seconds: float = BUDGET_SECONDS) -> Rewritten:
    """The fresh PDF, made by a process of its own; memory and CPU it limits itself. ScanRefused with its code."""
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tsunagi_documents.evidence_rewriting",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # what a library says of a broken file may hold what the paper says
            env=_environment(),
        )
        try:
            async with asyncio.timeout(budget_seconds):
                answer, _ = await process.communicate(content)
        except TimeoutError:
            raise ScanRefused(TOO_HEAVY) from None
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.shield(process.wait())
    return _answer_of(answer)


def _environment() -> dict[str, str]:
    """This process's import path and nothing else of its environment, which holds the service's secrets."""
    return {"PYTHONPATH": ":".join(str(Path(entry).resolve()) for entry in sys.path), "LC_ALL": "C.UTF-8"}


def _answer_of(answer: bytes) -> Rewritten:
    """What the process said. One that ended without a word used up its memory or its time."""
    if not answer:
        raise ScanRefused(TOO_HEAVY)
    try:
        rewritten = msgspec.msgpack.decode(answer, type=Rewritten)
    except msgspec.MsgspecError:
        raise ScanRefused(UNREADABLE) from None
    if rewritten.code:
        raise ScanRefused(rewritten.code)
    return rewritten


class ConsentForm(msgspec.Struct, frozen=True):
    """The consent form a scan belongs to, as one who may add a scan to it knows it."""

    row: Any  # of `documents`
    grant: Grant


def may_add(
    connection: Connection, runtime: Runtime, principal: Principal, consent_form: str
) -> ConsentForm | Refused | NotThere:
    """Whether the person may add a scan to the consent form with that document id: who reads all of it may."""
    grant = reading.grant_for(connection, runtime.profile, principal, consent_form, clock.today())
    if isinstance(grant, Refused):
        return grant
    row = connection.execute(sa.select(documents).where(documents.c.id == consent_form)).one()
    if row.kind != CONSENT_FORM or row.view != View.FULL.value:
        return NotThere.NOT_A_CONSENT_FORM
    if (row.hidden, row.withheld) != (NOTHING_KEPT_BACK, NOTHING_KEPT_BACK):
        return NotThere.PARTS_KEPT_BACK
    return NotThere.ERASED if closing.is_erased(connection, row.form) else ConsentForm(row, grant)


async def add(
    runtime: Runtime, bucket: Bucket, principal: Principal, consent_form: ConsentForm, content: bytes, scan: Rewritten
) -> Added | Refused | NotThere:
    """Store the rewritten scan and put it on record. BucketUnavailable, ObjectDamaged: nothing is on record then.

    The same file once more changes nothing. The right to add is asked for again when it is put on record.
    """
    form = consent_form.row.form
    identity = document_id(form, CONSENT_EVIDENCE, View.FULL)
    original = hashlib.sha256(content).hexdigest()
    for _ in range(ATTEMPTS):
        newest = await runtime.database.read(lambda connection: _newest(connection, identity))
        if newest is not None and newest.data_sha256 == original:
            return Added(identity, newest.version, scan.pages, again=True)
        version = 1 if newest is None else newest.version + 1
        stored = await bucket.store(CONSENT_EVIDENCE, identity, version, PDF_FORMAT, scan.pdf)
        registering = _Registering(runtime, principal, consent_form.row.id, identity, version, original, stored)
        outcome = await runtime.database.write(registering)
        if isinstance(outcome, int):
            return Added(identity, outcome, scan.pages)
        await _remove(bucket, stored)
        if outcome is not None:
            return outcome
    raise BucketUnavailable("evidence-contended")


async def _remove(bucket: Bucket, stored: Stored) -> None:
    """What is not on record is not to stay; where that fails, `tsunagi-documents verify --remove` finds it."""
    with contextlib.suppress(BucketUnavailable):
        await bucket.remove(stored.key)


def _newest(connection: Connection, identity: str) -> Any:
    return connection.execute(
        sa.select(versions).where(versions.c.document_id == identity).order_by(versions.c.version.desc()).limit(1)
    ).first()


class _Registering:
    """Puts one stored scan on record, in one transaction."""

    def __init__(
        self,
        runtime: Runtime,
        principal: Principal,
        consent_form: str,
        identity: str,
        version: int,
        original_sha256: str,
        stored: Stored,
    ) -> None:
        self._runtime = runtime
        self._principal = principal
        self._consent_form = consent_form
        self._identity = identity
        self._version = version
        self._original_sha256 = original_sha256
        self._stored = stored

    def __call__(self, connection: Connection) -> int | Refused | NotThere | None:
        """The version; why it may not be added any more; None when another scan took this version."""
        found = may_add(connection, self._runtime, self._principal, self._consent_form)
        if not isinstance(found, ConsentForm):
            return found
        previous = _newest(connection, self._identity)
        if (previous.version + 1 if previous is not None else 1) != self._version:
            return None
        key = self._keep_document(connection, found.row)
        self._keep_version(connection, found.row, key, previous.chain if previous is not None else b"")
        self._open_and_tell(connection, found.row.form, superseded=previous is not None)
        audit.record(
            connection,
            self._principal,
            ACTION,
            f"document/{self._identity}/versions/{self._version}",
            basis=found.grant.record,
            case=found.row.case_number,
        )
        return self._version

    def _keep_document(self, connection: Connection, consent_form: Any) -> bytes:
        """The document's row, as of this version; gives back the key of its chain."""
        there = connection.execute(sa.select(documents.c.chain_key).where(documents.c.id == self._identity)).first()
        values = {
            "form_revision": consent_form.form_revision,
            "title": row_of(CONSENT_GIVEN, CONSENT_EVIDENCE, View.FULL).title,
            "number": consent_form.number,
            "case_number": consent_form.case_number,
            "persons": consent_form.persons,
            "version": self._version,
            "retention_class": consent_form.retention_class,
            "completed_on": consent_form.completed_on,
            "legal_hold": consent_form.legal_hold,
        }
        if there is not None:
            connection.execute(documents.update().where(documents.c.id == self._identity).values(values))
            return bytes(there.chain_key)
        key = secrets.token_bytes(KEY_BYTES)
        _INSERT_DOCUMENT.run(
            connection,
            id=self._identity,
            form=consent_form.form,
            kind=CONSENT_EVIDENCE,
            view=View.FULL.value,
            recipient="",
            hidden=NOTHING_KEPT_BACK,
            withheld=NOTHING_KEPT_BACK,
            planned=0,
            state=PENDING,  # until its doors are set: a stored one would be announced to all its readers
            code="",
            support_meeting_only=0,
            urgency="normal",
            reply_by=None,
            received_at=clock.now_us(),
            revision=0,
            chain_key=key,
            **values,
        )
        return key

    def _keep_version(self, connection: Connection, consent_form: Any, key: bytes, previous: bytes) -> None:
        proof = Proof(
            document_id=self._identity,
            version=self._version,
            form_revision=consent_form.form_revision,
            template_sha256="",
            data_sha256=self._original_sha256,  # of what was handed in, so that the paper can be compared with it
            word_sha256=self._stored.sha256,
        )
        moment = clock.now_us()
        _INSERT_VERSION.run(
            connection,
            document_id=self._identity,
            version=self._version,
            form_revision=proof.form_revision,
            template_sha256=proof.template_sha256,
            data_sha256=proof.data_sha256,
            made_at=moment,
            previous=previous,
            chain=chain_value(key, previous, proof),
        )
        _INSERT_FILE.run(
            connection,
            document_id=self._identity,
            version=self._version,
            format=PDF_FORMAT,
            state=STORED,
            code="",
            key=self._stored.key,
            sha256=self._stored.sha256,
            bytes=self._stored.bytes,
            made_at=moment,
        )

    def _open_and_tell(self, connection: Connection, form: str, *, superseded: bool) -> None:
        """Open it to its readers. Nobody gets a notice: who added it knows, and it stands beside the consent form."""
        doors = closing.doors_of(self._runtime)
        doors.settle(connection, form, closing.AUDIENCE_CHANGED)
        connection.execute(documents.update().where(documents.c.id == self._identity).values(state=STORED, code=""))
        document = connection.execute(sa.select(documents).where(documents.c.id == self._identity)).one()
        if superseded:
            doors.announcer.superseded(connection, document, self._version - 1, self._version)
        readers = reading.readers_of(connection, self._runtime.profile, self._identity, clock.today())
        doors.announcer.created(
            connection,
            document,
            self._version,
            StoredFile(PDF_FORMAT, self._stored.sha256, self._stored.bytes),
            Readers(readers.may_read, ()),
            pdf_expected=False,
        )
