"""A form was erased: its documents go, in the transaction that hears of it, and their files as soon as the bucket answers.

What stays is a tombstone: that there was a document of some kind, and the last value of its chain, whose key is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_documents.closing import Doors
from tsunagi_documents.objects import Bucket, BucketUnavailable
from tsunagi_documents.reading import Readers, readers_of
from tsunagi_documents.tables import audience, documents, erased, forms, tombstones, versions, withdrawn
from tsunagi_shared import clock, jobs
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.inbox import dead_letters
from tsunagi_shared.jobs import Effect, Job, JobKind, Retry

SWEEP = "sweep"
ERASED = "erased"
# A sheet that was being drawn or converted when the form was erased may reach the bucket after the first sweep.
AGAIN_AFTER_SECONDS = 300
DELAYS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, *(3600.0,) * 165)  # a week: what is to be gone must go


class SweepOrder(msgspec.Struct, frozen=True):
    """Where the files of an erased document lie."""

    kind: str
    document_id: str


class _LetterData(msgspec.Struct, frozen=True):
    referral_id: str = ""
    form_id: str = ""
    form: object = ""  # the name of a form, or what it says
    forms: tuple[str, ...] = ()


class _Letter(msgspec.Struct, frozen=True):
    """What of a dead letter says which form it is about."""

    aggregate: str = ""
    data: _LetterData = _LetterData()


def erase(connection: Connection, profile: Profile, doors: Doors, form: str, code: str, at: int) -> None:
    """Take away all that was made of a form, and keep whatever comes of it later from being made. Twice is as once."""
    values = {"form": form, "code": code, "at": at}
    connection.execute(sa.dialects.sqlite.insert(erased).values(values).on_conflict_do_nothing())
    for document in connection.execute(sa.select(documents).where(documents.c.form == form)).all():
        _bury(connection, profile, doors, document, code, at)
    for table in (forms, audience, withdrawn):
        connection.execute(table.delete().where(table.c.form == form))
    _drop_dead_letters(connection, form)


def _bury(connection: Connection, profile: Profile, doors: Doors, document: Any, code: str, at: int) -> None:
    made = connection.execute(
        sa.select(versions.c.version, versions.c.chain)
        .where(versions.c.document_id == document.id)
        .order_by(versions.c.version)
    ).all()
    readers = readers_of(connection, profile, document.id, clock.today())
    if made and readers.may_read:
        doors.announcer.withdrawn(connection, document, made[-1].version, readers.may_read, Readers(), ERASED)
    connection.execute(
        sa.dialects.sqlite.insert(tombstones)
        .values(
            id=document.id,
            kind=document.kind,
            versions=len(made),
            chain=made[-1].chain if made else None,
            erased_at=at,
            code=code,
        )
        .on_conflict_do_nothing()
    )
    connection.execute(jobs.jobs.delete().where(jobs.jobs.c.key.startswith(f"{document.id}/", autoescape=True)))
    connection.execute(documents.delete().where(documents.c.id == document.id))  # and all that hangs on it
    order = msgspec.json.encode(SweepOrder(document.kind, document.id))
    jobs.add(connection, SWEEP, f"{document.id}/now", order)
    later = clock.now_us() + AGAIN_AFTER_SECONDS * 1_000_000
    jobs.add(connection, SWEEP, f"{document.id}/later", order, run_at=later)


def _drop_dead_letters(connection: Connection, form: str) -> None:
    """An event that could not be handled waits whole. One that is about this form goes, and so does one that names it and
    cannot be read at all; a form of the same case may name the same persons, and stays."""
    identity = form.partition("/")[2]
    names_it = sa.func.instr(dead_letters.c.payload, identity.encode()) > 0
    for row in connection.execute(sa.select(dead_letters.c.id, dead_letters.c.payload).where(names_it)).all():
        try:
            event = msgspec.json.decode(row.payload, type=_Letter)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            event = _Letter(aggregate=form)
        told = event.data
        if form in (event.aggregate, told.form) or identity in (told.referral_id, told.form_id) or form in told.forms:
            connection.execute(dead_letters.delete().where(dead_letters.c.id == row.id))


def sweeping(bucket: Bucket) -> JobKind:
    """The job that takes an erased document's files out of the bucket, known and unknown ones."""

    async def sweep(job: Job) -> Effect:
        order = msgspec.json.decode(job.payload, type=SweepOrder)
        try:
            for found in await bucket.list(f"{order.kind}/{order.document_id}/"):
                await bucket.remove(found.key)
        except BucketUnavailable as error:
            raise Retry(error.code) from None
        return _nothing

    handler: Callable[[Job], Awaitable[Effect]] = sweep
    return JobKind(handler, _given_up, delays=DELAYS)


def _nothing(_: Connection) -> None:
    """The files are gone; there is nothing to write down."""


def _given_up(_: Connection, __: Job, ___: str) -> None:
    """The failed job itself is what people see (`jobs_failed`); `tsunagi-documents verify --remove` takes the files."""
