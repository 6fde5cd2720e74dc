"""廃棄簿: a list of cases whose time is over, made by one person of the responsible section and approved by another.

What is on the list is fixed when it is made. Approval has each case erased (`erasure`); one on which there is a hold by
then, or that is not due any more, is passed over and told. The list says numbers, kinds and days, and nobody's name, and
stays as it is when the forms are gone, but for the reason for which a list was sent back.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import numbering, records, retention, standing
from tsunagi_intake.records import Write
from tsunagi_intake.retention import PROPOSED
from tsunagi_intake.rules import Action, Standing
from tsunagi_intake.tables import disposal_items, disposals
from tsunagi_shared import audit, clock, jobs
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.profile import Profile, Role
from tsunagi_shared.database import insert_of
from tsunagi_shared.forms import fields as ask
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.problems import Refusal, not_found

MOST_CASES = 500  # on one list; what is left goes on the next
REFUSED, ERASED, SKIPPED = "refused", "erased", "skipped"  # states of an item, besides PROPOSED
ERASE = "erase"  # the kind of job

_ITEM = insert_of(disposal_items)


class DisposalState(CodeList):
    """Where a 廃棄簿 stands."""

    PROPOSED = "proposed", "承認待ち"
    REFUSED = "refused", "差戻し"
    UNDER_WAY = "under_way", "廃棄中"
    DONE = "done", "廃棄済み"


class EraseOrder(msgspec.Struct, frozen=True):
    """One case of an approved list that is to be erased."""

    disposal: str
    case: int


class Refusing(msgspec.Struct, frozen=True, kw_only=True):
    """差戻し of a 廃棄簿."""

    reason: Annotated[str, ask.text("差し戻す理由", "住民の名前は書かないでください。", limit=audit.REASON_LIMIT)]


class DisposalReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a write to a 廃棄簿."""

    id: str
    number: str
    state: str
    cases: int


# made and decided -----------------------------------------------------------------------------------------------------


def standing_of(principal: Principal, profile: Profile, made_by: str = "") -> Standing:
    """How somebody stands to a list that `made_by` made."""
    return Standing(is_section=principal.agency == profile.municipality.responsible_section, made_by=made_by)


def check_reader(principal: Principal, profile: Profile) -> None:
    """Let the auditor and the people of the responsible section look at the lists. Refusal."""
    if Role.AUDITOR not in principal.roles:
        standing.allow(Action.PROPOSE_DISPOSAL, principal, profile, standing_of(principal, profile))


def propose(connection: Connection, write: Write) -> bytes:
    """Put what is due today, the longest ended first, on a new list; the encoded DisposalReceipt. Refusal, KeyReused."""
    return records.once(connection, write, lambda: _propose(connection, write))


def _propose(connection: Connection, write: Write) -> DisposalReceipt:
    principal, profile, moment = write.principal, write.profile, clock.now_us()
    standing.allow(Action.PROPOSE_DISPOSAL, principal, profile, standing_of(principal, profile))
    found = retention.due(connection, profile, limit=MOST_CASES)
    if not found:
        raise Refusal(
            409,
            "nothing-due",
            "保存年限の過ぎたケースは、ありません。廃棄簿は作っていません。",
            "すでに作った廃棄簿があれば、その承認を進めてください。",
        )
    identity, year = uuid7(moment), clock.fiscal_year(clock.japanese_date(moment))
    number = f"D{year}-{numbering.following(connection, 'disposal', year):03d}"
    connection.execute(
        disposals.insert().values(
            id=identity, number=number, made_at=moment, made_by=principal.user, made_by_name=principal.name,
            approved_at=None, approved_by="", approved_by_name="", refused_at=None, refused_by_name="", reason="",
        )
    )  # fmt: skip
    _ITEM.many(
        connection,
        [
            {
                "disposal": identity, "case": line.case, "completed_on": line.completed_on.isoformat(),
                "retention_class": line.retention_class, "kept_until": line.kept_until.isoformat(), "state": PROPOSED,
                "code": "",
            }
            for line in found
        ],
    )  # fmt: skip
    _on_record(connection, write, "disposal.make", identity)
    return DisposalReceipt(id=identity, number=number, state=DisposalState.PROPOSED.value, cases=len(found))


def approve(connection: Connection, write: Write, identity: str) -> bytes:
    """Have the cases of a list erased; the encoded DisposalReceipt. Refusal, KeyReused: nothing is stored then."""
    return records.once(connection, write, lambda: _approve(connection, write, identity))


def _approve(connection: Connection, write: Write, identity: str) -> DisposalReceipt:
    row, cases = _to_decide(connection, write, identity)
    connection.execute(
        disposals.update().where(disposals.c.id == identity).values(
            approved_at=clock.now_us(), approved_by=write.principal.user, approved_by_name=write.principal.name
        )
    )  # fmt: skip
    for case in cases:
        jobs.add(connection, ERASE, f"{identity}/{case}", msgspec.json.encode(EraseOrder(identity, case)))
    _on_record(connection, write, "disposal.approve", identity)
    return DisposalReceipt(id=identity, number=row.number, state=DisposalState.UNDER_WAY.value, cases=len(cases))


def refuse(connection: Connection, write: Write, identity: str, form: Refusing) -> bytes:
    """Send a list back; what stood on it is due again. The encoded DisposalReceipt. Refusal, KeyReused."""
    return records.once(connection, write, lambda: _refuse(connection, write, identity, form))


def _refuse(connection: Connection, write: Write, identity: str, form: Refusing) -> DisposalReceipt:
    row, cases = _to_decide(connection, write, identity)
    connection.execute(
        disposals.update().where(disposals.c.id == identity)
        .values(refused_at=clock.now_us(), refused_by_name=write.principal.name, reason=form.reason)
    )  # fmt: skip
    connection.execute(disposal_items.update().where(disposal_items.c.disposal == identity).values(state=REFUSED))
    _on_record(connection, write, "disposal.refuse", identity)
    return DisposalReceipt(id=identity, number=row.number, state=DisposalState.REFUSED.value, cases=len(cases))


def row_of(connection: Connection, identity: str) -> Any:
    """A list; the common 404 when there is none."""
    row = connection.execute(sa.select(disposals).where(disposals.c.id == identity)).first()
    if row is None:
        raise not_found()
    return row


def _to_decide(connection: Connection, write: Write, identity: str) -> tuple[Any, list[int]]:
    """A list that waits for this person's decision, and its cases. Refusal."""
    row = row_of(connection, identity)
    own = standing_of(write.principal, write.profile, row.made_by)
    standing.allow(Action.APPROVE_DISPOSAL, write.principal, write.profile, own)
    if row.approved_at is not None or row.refused_at is not None:
        raise Refusal(
            409,
            "already-decided",
            "この廃棄簿は、すでに承認されたか、差し戻されています。",
            "廃棄簿の画面を開き直してください。",
        )
    items = sa.select(disposal_items.c.case).where(disposal_items.c.disposal == identity)
    return row, list(connection.execute(items.order_by(disposal_items.c.case)).scalars())


def _on_record(connection: Connection, write: Write, action: str, identity: str) -> None:
    audit.record(connection, write.principal, action, f"disposal/{identity}", basis="responsible_section")


def approved(connection: Connection, order: EraseOrder) -> Any:
    """The approved list that a case is still to be erased for; None when that is done."""
    item = sa.select(1).where(
        disposal_items.c.disposal == order.disposal, disposal_items.c.case == order.case,
        disposal_items.c.state == PROPOSED,
    )  # fmt: skip
    if connection.execute(item).first() is None:
        return None
    wanted = sa.select(disposals).where(disposals.c.id == order.disposal, disposals.c.approved_at.is_not(None))
    return connection.execute(wanted).first()


def forget_reasons(connection: Connection, case: int) -> None:
    """Take away why lists with a case that is erased were sent back: the reason may be about any case of the list."""
    with_it = sa.select(disposal_items.c.disposal).where(disposal_items.c.case == case)
    connection.execute(disposals.update().where(disposals.c.id.in_(with_it)).values(reason=""))


def settle_item(connection: Connection, order: EraseOrder, state: str, code: str = "") -> None:
    """Say what became of a case of the list."""
    connection.execute(
        disposal_items.update()
        .where(disposal_items.c.disposal == order.disposal, disposal_items.c.case == order.case)
        .values(state=state, code=code)
    )
