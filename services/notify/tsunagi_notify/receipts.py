"""What an agency did with what it was told: opened, acknowledged by a named person, or said to be misdelivered.

One receipt for each document version and agency: all channels share it. Only people say "received"; opening is told by
documents, and looking at a page of this service is never taken for a receipt.
"""

from __future__ import annotations

import datetime as dt
import uuid

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_notify.deliveries import ACCESS_ENDED, Channel, Delivery, delivery_id, find
from tsunagi_notify.directory import Directory
from tsunagi_notify.tables import deliveries, receipts
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.envelope import Envelope
from tsunagi_shared.contracts.events import (
    DOCUMENT_ACKNOWLEDGED,
    DOCUMENT_MISDELIVERED,
    DocumentAcknowledged,
    DocumentMisdelivered,
    DocumentOpened,
)
from tsunagi_shared.database import Statement, insert_of
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.outbox import Outbox
from tsunagi_shared.problems import Refusal, not_found

# Fixed for good: a receipt must be found again under the same id.
RECEIPT_NAMESPACE = uuid.UUID("b2a8f6a4-97d1-5f38-9d55-2e6f0c7a4d13")
ALREADY_MISDELIVERED = "already-misdelivered"


class Misdelivery(CodeList):
    """Why a document should not have come. Codes only: free text would invite a resident's data."""

    NOT_OURS = "not_ours", "うちの担当ではありません"
    NO_LONGER_IN_CHARGE = "no_longer_in_charge", "以前の担当で、いまは担当していません"
    CONTRACT_ENDED = "contract_ended", "委託の契約が終わっています"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table, with its columns' names and units."""

    id: str
    document_id: str
    version: int
    agency: str
    opened_at: int | None = None
    opened_name: str = ""
    acknowledged_at: int | None = None
    acknowledged_user: str = ""
    acknowledged_name: str = ""
    misdelivered_at: int | None = None
    misdelivered_user: str = ""
    misdelivered_name: str = ""
    misdelivered_code: str = ""
    revision: int = 0


class Answer(msgspec.Struct, frozen=True):
    """The receipt after a person said something about it; `first` is False when it had been said before."""

    receipt: Receipt
    first: bool


_COLUMNS = [column.name for column in receipts.columns]
_FIND = Statement(sa.select(*receipts.columns).where(receipts.c.id == sa.bindparam("wanted")))
_INSERT = insert_of(receipts)
_KEEP = Statement(
    receipts.update()
    .where(receipts.c.id == sa.bindparam("wanted"))
    .values({name: sa.bindparam(name) for name in _COLUMNS if name != "id"})
)
_SETTLE = Statement(
    deliveries.update()
    .where(
        deliveries.c.document_id == sa.bindparam("document"),
        deliveries.c.version == sa.bindparam("number"),
        deliveries.c.agency == sa.bindparam("of"),
        deliveries.c.channel == Channel.INBOX.value,
    )
    .values(settled=1)
)


def receipt_id(document_id: str, version: int, agency: str) -> str:
    """The id of the receipt of that version by that agency; always the same."""
    return str(uuid.uuid5(RECEIPT_NAMESPACE, f"{document_id}\n{version}\n{agency}"))


def receipt_of(connection: Connection, document_id: str, version: int, agency: str) -> Receipt:
    """The receipt as it stands; an empty one of revision 0 when nothing is known yet."""
    wanted = receipt_id(document_id, version, agency)
    row = _FIND.first(connection, wanted=wanted)
    if row is None:
        return Receipt(id=wanted, document_id=document_id, version=version, agency=agency)
    return Receipt(**dict(zip(_COLUMNS, row, strict=True)))


def _keep(connection: Connection, receipt: Receipt) -> None:
    values = msgspec.structs.asdict(receipt)
    if _FIND.first(connection, wanted=receipt.id) is None:
        _INSERT.run(connection, **values)
    else:
        _KEEP.run(connection, wanted=values.pop("id"), **values)


def note_opening(connection: Connection, _event: Envelope, data: DocumentOpened) -> None:
    """Keep the earliest opening by the agency, in whatever order the events come, also before the delivery itself."""
    receipt = receipt_of(connection, data.document_id, data.version, data.agency)
    opened_at = clock.microseconds_of(data.opened_at)
    if receipt.opened_at is None or (opened_at, data.user_name) < (receipt.opened_at, receipt.opened_name):
        _keep(connection, msgspec.structs.replace(receipt, opened_at=opened_at, opened_name=data.user_name))


def own_delivery(
    connection: Connection, directory: Directory, principal: Principal, wanted: str, day: dt.date
) -> Delivery | None:
    """The delivery when it is to the caller's agency, the contract under which the caller acts for it is live on that day,
    and the caller's post has to do with cases; else None."""
    delivery = find(connection, wanted) if principal.reads_cases else None
    if delivery is None or delivery.agency != principal.agency or directory.turns_away(principal, day):
        return None
    return delivery


def message_row(connection: Connection, delivery: Delivery) -> Delivery:
    """The inbox's row of what a delivery on any channel is about: every channel leads to the same page."""
    row = find(connection, delivery_id(delivery.document_id, delivery.version, delivery.agency, Channel.INBOX.value))
    assert row is not None, "the inbox's row is written with every other"
    return row


class Receipts:
    """Takes what people say about deliveries of their agency: row, event and audit in the caller's transaction."""

    def __init__(self, outbox: Outbox, directory: Directory) -> None:
        self._outbox = outbox
        self._directory = directory

    def acknowledge(self, connection: Connection, principal: Principal, wanted: str) -> Answer | Refusal:
        """Received. Said again it changes nothing; after a misdelivery, and when the agency may no longer read the document,
        it is refused. A refusal is given back, not raised, so that its line in the audit stays."""
        action = "delivery.acknowledge"
        delivery = own_delivery(connection, self._directory, principal, wanted, clock.today())
        if delivery is None:
            return _refuse(connection, principal, action, wanted, not_found())
        receipt = receipt_of(connection, delivery.document_id, delivery.version, delivery.agency)
        if receipt.acknowledged_at is not None:
            return Answer(receipt, first=False)
        if receipt.misdelivered_at is not None:
            return _refuse(connection, principal, action, wanted, _already_misdelivered())
        if message_row(connection, delivery).ended:
            return _refuse(connection, principal, action, wanted, _access_ended())
        moment = clock.now_us()
        receipt = msgspec.structs.replace(
            receipt,
            acknowledged_at=moment,
            acknowledged_user=principal.user,
            acknowledged_name=principal.name,
            revision=receipt.revision + 1,
        )
        data = DocumentAcknowledged(
            delivery_id=delivery.id,
            document_id=delivery.document_id,
            version=delivery.version,
            case_number=delivery.case_number,
            agency=delivery.agency,
            user=principal.user,
            user_name=principal.name,
            at=clock.moment_of(moment),
        )
        self._store(connection, principal, receipt, DOCUMENT_ACKNOWLEDGED, data, (action, wanted, ""))
        return Answer(receipt, first=True)

    def misdeliver(
        self, connection: Connection, principal: Principal, wanted: str, code: Misdelivery
    ) -> Answer | Refusal:
        """It should not have come to us; also after "received", because people may notice later. Said again it changes
        nothing, and the first code stays. Refused when the agency may no longer read the document."""
        action = "delivery.misdeliver"
        delivery = own_delivery(connection, self._directory, principal, wanted, clock.today())
        if delivery is None:
            return _refuse(connection, principal, action, wanted, not_found())
        receipt = receipt_of(connection, delivery.document_id, delivery.version, delivery.agency)
        if receipt.misdelivered_at is not None:
            return Answer(receipt, first=False)
        if message_row(connection, delivery).ended:
            return _refuse(connection, principal, action, wanted, _access_ended())
        moment = clock.now_us()
        receipt = msgspec.structs.replace(
            receipt,
            misdelivered_at=moment,
            misdelivered_user=principal.user,
            misdelivered_name=principal.name,
            misdelivered_code=code.value,
            revision=receipt.revision + 1,
        )
        data = DocumentMisdelivered(
            delivery_id=delivery.id,
            document_id=delivery.document_id,
            version=delivery.version,
            case_number=delivery.case_number,
            agency=delivery.agency,
            user=principal.user,
            user_name=principal.name,
            code=code.value,
            at=clock.moment_of(moment),
        )
        self._store(connection, principal, receipt, DOCUMENT_MISDELIVERED, data, (action, wanted, code.value))
        return Answer(receipt, first=True)

    def _store(
        self,
        connection: Connection,
        principal: Principal,
        receipt: Receipt,
        event_type: str,
        data: msgspec.Struct,
        record: tuple[str, str, str],
    ) -> None:
        action, wanted, basis = record
        _keep(connection, receipt)
        _SETTLE.run(connection, document=receipt.document_id, number=receipt.version, of=receipt.agency)
        self._outbox.add(connection, event_type, data, aggregate=f"receipt/{receipt.id}", revision=receipt.revision)
        audit.record(connection, principal, action, f"delivery/{wanted}", basis=basis)


def _refuse(connection: Connection, principal: Principal, action: str, wanted: str, refusal: Refusal) -> Refusal:
    audit.record(connection, principal, action, f"delivery/{wanted}", basis=refusal.problem.code, refused=True)
    refusal.recorded = True
    return refusal


def _already_misdelivered() -> Refusal:
    return Refusal(
        409,
        ALREADY_MISDELIVERED,
        "「担当ではない」と知らせ済みの文書です。受領の確認はできません。",
        "やはり貴機関の担当のときは、問い合わせ先に連絡し、もう一度送ってもらってください。",
    )


def _access_ended() -> Refusal:
    return Refusal(
        409,
        ACCESS_ENDED,
        "閲覧の期間が終わった文書です。受け取りの記録も、担当外の連絡もできません。",
        "印刷や保存をしたものがあるときや、心当たりがないときは、問い合わせ先に連絡してください。",
    )
