"""The delivery rows: one for each document version, agency and channel, and every step of its state with the event about it.

A row is written in the transaction that remembers the event, before anything is sent. Its id is made of what it is about, so
a shuffled or doubled replay gives the same rows. Of events that give and take a document the one with the higher revision
counts, whichever comes first; what is taken before it was told of is never told.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_notify import endings
from tsunagi_notify.directory import Directory
from tsunagi_notify.endings import Cut
from tsunagi_notify.tables import deliveries
from tsunagi_shared import clock, jobs
from tsunagi_shared.contracts.envelope import Envelope
from tsunagi_shared.contracts.events import (
    DELIVERY_FAILED,
    DELIVERY_SENT,
    DeliveryFailed,
    DeliverySent,
    DocumentCreated,
    DocumentShared,
    DocumentSuperseded,
    DocumentWithdrawn,
)
from tsunagi_shared.database import Statement, insert_of
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.outbox import Outbox

# Fixed for good: with another namespace a redelivered event would tell every agency a second time.
DELIVERY_NAMESPACE = uuid.UUID("0f6d8a52-1c0b-5b7e-8e0a-6a4c5d1f3b90")
EMAIL_JOB = "email"
MOST_RESENT = 1000  # deliveries in one call
# Why a delivery was called off. Why an agency lost access is not told here: the reason may be the person's.
ACCESS_ENDED = "access-ended"
SUPERSEDED = "superseded"


class Channel(CodeList):
    """A way by which an agency is told."""

    INBOX = "inbox", "受信箱"
    EMAIL = "email", "メール"


class State(CodeList):
    """How far a delivery is."""

    WAITING = "waiting", "送信中"
    SENT = "sent", "送信済み"
    FAILED = "failed", "失敗"
    WITHDRAWN = "withdrawn", "取りやめ"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table, with its columns' names and units."""

    id: str
    document_id: str
    version: int
    agency: str
    channel: str
    state: str
    code: str = ""
    attempts: int = 0
    settled: int = 0
    kind: str
    view: str
    title: str
    case_number: str
    page: str
    urgency: str
    reply_by: str
    support_meeting_only: int
    announced_at: int
    ended_at: int | None = None
    document_revision: int
    revision: int = 0
    withdrawn_at: int | None = None
    superseded: int = 0

    @property
    def ended(self) -> bool:
        """Whether the agency may no longer read the document."""
        return self.state == State.WITHDRAWN and self.code == ACCESS_ENDED

    @property
    def reply_by_date(self) -> dt.date | None:
        return dt.date.fromisoformat(self.reply_by) if self.reply_by else None


class Resent(msgspec.Struct, frozen=True):
    """What a resend did: how many go out again, and how many still cannot (unknown agency, ended contract)."""

    resent: int
    still_failed: int


_INSERT = insert_of(deliveries)
_TOLD_ABOUT = ("kind", "view", "title", "case_number", "page", "urgency", "reply_by", "support_meeting_only")
_RENEW = Statement(
    deliveries.update()
    .where(deliveries.c.id == sa.bindparam("wanted"))
    .values({name: sa.bindparam(name) for name in (*_TOLD_ABOUT, "announced_at", "document_revision")})
)
_END = Statement(
    deliveries.update()
    .where(deliveries.c.id == sa.bindparam("wanted"), deliveries.c.state == State.WAITING.value)
    .values({name: sa.bindparam(name) for name in ("state", "code", "attempts", "ended_at")})
    .values(revision=deliveries.c.revision + 1)
)
_AGAIN = Statement(
    deliveries.update()
    .where(deliveries.c.id == sa.bindparam("wanted"))
    .values({name: sa.bindparam(name) for name in ("state", "code", "attempts", "ended_at", "revision")})
    .values(withdrawn_at=sa.null())
)
_COLUMNS = [column.name for column in deliveries.columns]
_FIND = Statement(sa.select(*deliveries.columns).where(deliveries.c.id == sa.bindparam("wanted")))


def delivery_id(document_id: str, version: int, agency: str, channel: str) -> str:
    """The id of the delivery of that version to that agency on that channel; always the same."""
    return str(uuid.uuid5(DELIVERY_NAMESPACE, f"{document_id}\n{version}\n{agency}\n{channel}"))


def find(connection: Connection, wanted: str) -> Delivery | None:
    """The delivery, or None."""
    row = _FIND.first(connection, wanted=wanted)
    return None if row is None else Delivery(**dict(zip(_COLUMNS, row, strict=True)))


class Deliveries:
    """Writes deliveries, and the events about them, in the caller's transaction."""

    def __init__(self, outbox: Outbox, directory: Directory) -> None:
        self._outbox = outbox
        self._directory = directory

    def announce(self, connection: Connection, event: Envelope, data: DocumentCreated | DocumentShared) -> None:
        """A document version is there, or is there for further agencies: tell each that the event names. A doubled or late
        event changes nothing it should not."""
        today = clock.today()
        superseded = data.version < endings.newest_version(connection, data.document_id)
        for agency in dict.fromkeys(data.tell):
            cut = endings.cut_of(connection, data.document_id, agency)
            if cut is not None and cut.revision < event.revision:
                cut = None
            refusal = self._directory.refusal(agency, today)
            told = _delivery(event, data, agency, State.FAILED if refusal else State.SENT, refusal, superseded)
            self._put_into_inbox(connection, told, cut)
            if not refusal:
                self._ask_for_mail(connection, told, cut)

    def _known(self, connection: Connection, wanted: Delivery) -> Delivery | None:
        """The row if there is one, as it was; an older row takes over what a newer event of its document says."""
        known = find(connection, wanted.id)
        if known is not None and wanted.document_revision > known.document_revision:
            names = (*_TOLD_ABOUT, "announced_at", "document_revision")
            _RENEW.run(connection, wanted=wanted.id, **{name: getattr(wanted, name) for name in names})
        return known

    def _put_into_inbox(self, connection: Connection, told: Delivery, cut: Cut | None) -> None:
        """The row is the message: it is there to be read (or visibly not) with this commit."""
        known = self._known(connection, told)
        if known is None and cut is not None:
            _INSERT.run(connection, **msgspec.structs.asdict(_called_off(told, ACCESS_ENDED, cut)))
        elif known is None:
            done = msgspec.structs.replace(told, attempts=1, ended_at=clock.now_us(), revision=1)
            _INSERT.run(connection, **msgspec.structs.asdict(done))
            self._say(connection, done)
        elif _given_again(known, told, cut):
            self._again(connection, known, told.state, told.code, known.attempts + 1, clock.now_us())

    def _ask_for_mail(self, connection: Connection, told: Delivery, cut: Cut | None) -> None:
        if not self._directory.addresses(told.agency, told.urgency, clock.today()):
            return
        mail = msgspec.structs.replace(
            told,
            id=delivery_id(told.document_id, told.version, told.agency, Channel.EMAIL.value),
            channel=Channel.EMAIL.value,
            state=State.WAITING.value,
            code="",
            attempts=0,
            settled=told.superseded,
            ended_at=None,
            revision=0,
        )
        known = self._known(connection, mail)
        again = known is not None and _given_again(known, mail, cut)
        if known is not None and not again:
            return
        if cut is not None:
            mail = _called_off(mail, ACCESS_ENDED, cut)
        elif mail.superseded:
            mail = _called_off(mail, SUPERSEDED, None)
        if known is None:
            _INSERT.run(connection, **msgspec.structs.asdict(mail))
        else:
            self._again(connection, known, mail.state, mail.code, 0, None)
        if mail.state == State.WAITING:
            jobs.add(connection, EMAIL_JOB, mail.id)

    def _again(
        self, connection: Connection, known: Delivery, state: str, code: str, attempts: int, ended_at: int | None
    ) -> None:
        """Carry out a delivery anew that had been called off."""
        revision = known.revision + (ended_at is not None)
        _AGAIN.run(
            connection, wanted=known.id, state=state, code=code, attempts=attempts, ended_at=ended_at, revision=revision
        )
        if ended_at is not None:
            done = find(connection, known.id)
            assert done is not None
            self._say(connection, done)

    def withdraw(self, connection: Connection, event: Envelope, data: DocumentWithdrawn) -> None:
        """Agencies may no longer read a document: what was to be sent to them is not, and the inbox says that it ended."""
        at = clock.microseconds_of(data.at)
        for agency in dict.fromkeys(data.agencies):
            if not endings.keep_cut(connection, data.document_id, agency, Cut(event.revision, at)):
                continue
            table = deliveries.c
            self._call_off(
                connection,
                (
                    table.document_id == data.document_id,
                    table.agency == agency,
                    table.document_revision < event.revision,
                ),
                {"state": State.WITHDRAWN.value, "code": ACCESS_ENDED, "withdrawn_at": at},
            )

    def supersede(self, connection: Connection, _event: Envelope, data: DocumentSuperseded) -> None:
        """A newer version is there: nothing more is sent or awaited of the older ones."""
        if not endings.keep_newest(connection, data.document_id, data.by_version):
            return
        table = deliveries.c
        older = (table.document_id == data.document_id, table.version < data.by_version)
        connection.execute(deliveries.update().where(*older).values(superseded=1, settled=1))
        waiting = (*older, table.channel == Channel.EMAIL.value, table.state == State.WAITING.value)
        self._call_off(connection, waiting, {"state": State.WITHDRAWN.value, "code": SUPERSEDED})

    def _call_off(
        self, connection: Connection, which: Sequence[sa.ColumnElement[bool]], values: dict[str, object]
    ) -> None:
        """Set the values on those rows, and take away the mails that still wait. One that is being sent goes unrecorded."""
        ids = connection.execute(deliveries.update().where(*which).values(values).returning(deliveries.c.id)).scalars()
        table = jobs.jobs.c
        connection.execute(jobs.jobs.delete().where(table.kind == EMAIL_JOB, table.key.in_(list(ids))))

    def sent(self, connection: Connection, wanted: str, attempt: int, code: str = "") -> None:
        """The channel took it. `code` tells what people should know all the same (some of the addresses were refused)."""
        self._end(connection, wanted, State.SENT, attempt, code)

    def failed(self, connection: Connection, wanted: str, attempt: int, code: str) -> None:
        """It will not be tried again unless a person asks."""
        self._end(connection, wanted, State.FAILED, attempt, code)

    def _end(self, connection: Connection, wanted: str, state: State, attempt: int, code: str) -> None:
        changed = _END.run(
            connection, wanted=wanted, state=state.value, code=code, attempts=attempt, ended_at=clock.now_us()
        )
        if changed.rowcount:
            delivery = find(connection, wanted)
            assert delivery is not None
            self._say(connection, delivery)

    def _say(self, connection: Connection, delivery: Delivery) -> None:
        assert delivery.ended_at is not None
        at = clock.moment_of(delivery.ended_at)
        data: DeliverySent | DeliveryFailed
        if delivery.state == State.SENT:
            event_type = DELIVERY_SENT
            data = DeliverySent(
                delivery_id=delivery.id,
                document_id=delivery.document_id,
                version=delivery.version,
                case_number=delivery.case_number,
                agency=delivery.agency,
                channel=delivery.channel,
                attempt=delivery.attempts,
                at=at,
            )
        else:
            event_type = DELIVERY_FAILED
            data = DeliveryFailed(
                delivery_id=delivery.id,
                document_id=delivery.document_id,
                version=delivery.version,
                case_number=delivery.case_number,
                agency=delivery.agency,
                channel=delivery.channel,
                attempt=delivery.attempts,
                code=delivery.code,
                at=at,
            )
        self._outbox.add(connection, event_type, data, aggregate=f"delivery/{delivery.id}", revision=delivery.revision)

    def resend(
        self,
        connection: Connection,
        *,
        ids: Sequence[str] = (),
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> Resent:
        """Try failed deliveries again: those named, or those announced from `since_us` up to before `until_us` (UTC
        microseconds). At most MOST_RESENT in one call, the oldest first; what was sent is never sent again."""
        table = deliveries.c
        wanted = sa.select(deliveries).where(table.state == State.FAILED.value)
        if ids:
            wanted = wanted.where(table.id.in_(list(ids)))
        else:
            wanted = wanted.where(table.announced_at >= since_us, table.announced_at < until_us)
        wanted = wanted.order_by(table.announced_at, table.id).limit(MOST_RESENT)
        rows = [Delivery(**row._mapping) for row in connection.execute(wanted)]
        resent = sum(self._resend_one(connection, row) for row in rows)
        return Resent(resent, len(rows) - resent)

    def _resend_one(self, connection: Connection, delivery: Delivery) -> bool:
        if self._directory.refusal(delivery.agency, clock.today()):
            return False
        connection.execute(
            deliveries.update()
            .where(deliveries.c.id == delivery.id)
            .values(state=State.WAITING.value, code="", ended_at=None)
        )
        if delivery.channel == Channel.EMAIL:
            jobs.add(connection, EMAIL_JOB, delivery.id)
        else:
            self.sent(connection, delivery.id, delivery.attempts + 1)
            self._ask_for_mail(connection, delivery, None)
        return True


def _given_again(known: Delivery, told: Delivery, cut: Cut | None) -> bool:
    """Whether a later event gives back what an earlier one had taken."""
    return known.ended and cut is None and told.document_revision > known.document_revision


def _called_off(delivery: Delivery, code: str, cut: Cut | None) -> Delivery:
    """The delivery that is not to be carried out."""
    return msgspec.structs.replace(
        delivery, state=State.WITHDRAWN.value, code=code, withdrawn_at=None if cut is None else cut.at
    )


def _delivery(
    event: Envelope, data: DocumentCreated | DocumentShared, agency: str, state: State, code: str, superseded: bool
) -> Delivery:
    """The inbox's row of one agency."""
    return Delivery(
        id=delivery_id(data.document_id, data.version, agency, Channel.INBOX.value),
        document_id=data.document_id,
        version=data.version,
        agency=agency,
        channel=Channel.INBOX.value,
        state=state.value,
        code=code,
        kind=data.kind,
        view=data.view.value,
        title=data.title,
        case_number=data.case_number,
        page=data.page,
        urgency=data.urgency,
        reply_by=data.reply_by.isoformat() if data.reply_by else "",
        support_meeting_only=int(data.support_meeting_only),
        announced_at=clock.microseconds_of(event.time),
        document_revision=event.revision,
        settled=int(superseded),
        superseded=int(superseded),
    )
