"""What people and programs see of notify: the same Structs fill the pages and are the JSON answers."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_notify.channels.email import NO_ADDRESS, SIGN_IN_REFUSED, SOME_REFUSED, UNREACHABLE, urgency_label
from tsunagi_notify.channels.inbox import MOST_COUNTED, Cursor, Message, before
from tsunagi_notify.deliveries import ACCESS_ENDED, EMAIL_JOB, SUPERSEDED, Channel, Delivery, State
from tsunagi_notify.directory import CONTRACT_ENDED, UNKNOWN_AGENCY, Directory
from tsunagi_notify.receipts import Misdelivery
from tsunagi_notify.tables import deliveries
from tsunagi_shared import clock
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.jobs import jobs
from tsunagi_shared.web.pages import Link

_REASONS = {
    UNKNOWN_AGENCY: "市町村プロファイルにない機関です。プロファイルに加えてから送り直してください。",
    CONTRACT_ENDED: "委託の契約が終わっている機関です。",
    ACCESS_ENDED: "閲覧の期間が終わったため、取りやめました。",
    SUPERSEDED: "新しい版ができたため、送るのをやめました。",
    NO_ADDRESS: "メールアドレスが登録されていません。",
    SOME_REFUSED: "一部のメールアドレスが受け付けられませんでした。登録を確かめてください。",
    UNREACHABLE: "メールサーバーにつながりません。",
    SIGN_IN_REFUSED: "メールサーバーがサインインを受け付けません。設定を確かめてください。",
    "crashed-too-often": "送信の途中で何度も止まりました。システム管理者に知らせてください。",
    "unexpected": "システムの不具合で送れませんでした。システム管理者に知らせてください。",
}


def reason_of(code: str) -> str:
    """The code of a failure as a sentence; empty for none."""
    if code.startswith("smtp-5"):
        return f"メールサーバーが受け付けませんでした（{code[5:]}）。アドレスを確かめてください。"
    if code.startswith("smtp-4"):
        return f"メールサーバーが、いまは受け付けません（{code[5:]}）。"
    return _REASONS.get(code, code)


class Receiving(CodeList):
    """How far the agency is with a document."""

    NEW = "new", "未開封"
    OPENED = "opened", "開封済み"
    ACKNOWLEDGED = "acknowledged", "受領済み"
    MISDELIVERED = "misdelivered", "担当外の連絡済み"
    ENDED = "ended", "閲覧の期間が終わりました"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One notice to an agency, and what became of it. Times are UTC."""

    id: str
    document_id: str
    version: int
    kind: str
    view: str
    title: str
    case_number: str
    urgency: str
    reply_by: dt.date | None
    support_meeting_only: bool
    announced_at: dt.datetime
    document: str  # the address that opens it; empty when it has ended, or what documents sent is no web address
    state: Receiving
    opened_at: dt.datetime | None
    opened_by: str
    acknowledged_at: dt.datetime | None
    acknowledged_by: str
    misdelivered_at: dt.datetime | None
    misdelivered_by: str
    misdelivered_code: str
    ended_at: dt.datetime | None  # when the agency lost access; None while it may read
    superseded: bool  # there is a newer version

    @property
    def link(self) -> Link:
        return Link(self.title, f"/deliveries/{self.id}")

    @property
    def urgency_label(self) -> str:
        return urgency_label(self.urgency)

    @property
    def misdelivered_label(self) -> str:
        return dict(Misdelivery.choices()).get(self.misdelivered_code, self.misdelivered_code)


def _moment(microseconds: int | None) -> dt.datetime | None:
    return None if microseconds is None else clock.moment_of(microseconds)


def notice_of(message: Message) -> Notice:
    """A message of the inbox as people see it."""
    delivery, receipt = message.delivery, message.receipt
    if delivery.ended:
        state = Receiving.ENDED
    elif receipt.misdelivered_at is not None:
        state = Receiving.MISDELIVERED
    elif receipt.acknowledged_at is not None:
        state = Receiving.ACKNOWLEDGED
    else:
        state = Receiving.NEW if receipt.opened_at is None else Receiving.OPENED
    return Notice(
        id=delivery.id,
        document_id=delivery.document_id,
        version=delivery.version,
        kind=delivery.kind,
        view=delivery.view,
        title=delivery.title,
        case_number=delivery.case_number,
        urgency=delivery.urgency,
        reply_by=delivery.reply_by_date,
        support_meeting_only=bool(delivery.support_meeting_only),
        announced_at=clock.moment_of(delivery.announced_at),
        document=delivery.page if delivery.page.startswith(("https://", "http://")) and not delivery.ended else "",
        state=state,
        opened_at=_moment(receipt.opened_at),
        opened_by=receipt.opened_name,
        acknowledged_at=_moment(receipt.acknowledged_at),
        acknowledged_by=receipt.acknowledged_name,
        misdelivered_at=_moment(receipt.misdelivered_at),
        misdelivered_by=receipt.misdelivered_name,
        misdelivered_code=receipt.misdelivered_code,
        ended_at=_moment(delivery.withdrawn_at),
        superseded=bool(delivery.superseded),
    )


class Notices(msgspec.Struct, frozen=True):
    """One page of an inbox, newest first; `next` is the cursor of the page after it, or None."""

    items: tuple[Notice, ...]
    next: str | None
    open: int  # how many wait for an answer, counted up to 1,000
    ended: tuple[Notice, ...] = ()  # what the agency lost access to in the last 30 days, the last first, at most 20


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery as those who look after the system see it."""

    id: str
    document_id: str
    version: int
    title: str
    case_number: str
    agency: str
    agency_name: str
    channel: Channel
    state: State
    code: str
    reason: str
    attempts: int
    announced_at: dt.datetime
    ended_at: dt.datetime | None
    again_at: dt.datetime | None  # when a mail that did not get through is tried next


class Counts(msgspec.Struct, frozen=True):
    """How many deliveries are in each state, each counted up to 1,000."""

    waiting: int
    sent: int
    failed: int


class Overview(msgspec.Struct, frozen=True):
    """One page of all deliveries, newest first. `mail_problem` is the mail server's last trouble in words, or empty."""

    items: tuple[Told, ...]
    next: str | None
    counts: Counts
    mail_problem: str


def overview(
    connection: Connection,
    directory: Directory,
    *,
    state: State | None,
    after: Cursor | None,
    limit: int,
    mail_problem: str,
) -> Overview:
    """The deliveries in a state (None: all) after a cursor. A waiting mail shows its attempts so far and when it is due."""
    table = deliveries.c
    wanted = (
        sa.select(deliveries, jobs.c.attempts.label("tries"), jobs.c.code.label("trouble"), jobs.c.run_at)
        .outerjoin(jobs, sa.and_(jobs.c.kind == EMAIL_JOB, jobs.c.key == table.id))
        .where(*([table.state == state.value] if state else []), *before(after))
        .order_by(table.announced_at.desc(), table.id.desc())
        .limit(limit + 1)
    )
    rows = []
    for row in connection.execute(wanted):
        values = dict(row._mapping)
        tries, trouble, run_at = values.pop("tries"), values.pop("trouble"), values.pop("run_at")
        rows.append(_told(directory, Delivery(**values), tries or 0, trouble or "", run_at))
    shown = rows[:limit]
    return Overview(
        tuple(told for told, _ in shown),
        str(shown[-1][1]) if len(rows) > limit else None,
        Counts(*(_count(connection, each) for each in (State.WAITING, State.SENT, State.FAILED))),
        reason_of(mail_problem),
    )


def _told(
    directory: Directory, delivery: Delivery, tries: int, trouble: str, run_at: int | None
) -> tuple[Told, Cursor]:
    waiting = delivery.state == State.WAITING
    code = trouble if waiting else delivery.code
    told = Told(
        id=delivery.id,
        document_id=delivery.document_id,
        version=delivery.version,
        title=delivery.title,
        case_number=delivery.case_number,
        agency=delivery.agency,
        agency_name=directory.name(delivery.agency),
        channel=msgspec.convert(delivery.channel, Channel),
        state=msgspec.convert(delivery.state, State),
        code=code,
        reason=reason_of(code),
        attempts=tries if waiting else delivery.attempts,
        announced_at=clock.moment_of(delivery.announced_at),
        ended_at=_moment(delivery.ended_at),
        again_at=_moment(run_at) if waiting else None,
    )
    return told, Cursor(delivery.announced_at, delivery.id)


def _count(connection: Connection, state: State) -> int:
    some = sa.select(sa.literal(1)).where(deliveries.c.state == state.value).limit(MOST_COUNTED).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())
