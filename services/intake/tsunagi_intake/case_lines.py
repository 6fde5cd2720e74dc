"""What a line of a list says of a case: state, urgency, consent, receipt, last change. Nothing about the person.

Every query goes by the cases of the page alone, along an index.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases
from tsunagi_intake.consents import ConsentFact, live
from tsunagi_intake.tables import audience, consents, deliveries, receipts, referrals, timeline
from tsunagi_intake.tables import cases as table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.forms.fields import CodeList
from tsunagi_shared.forms.referral import ConsentStatus, Urgency

_URGENCIES = [code.value for code in Urgency]  # from the least to the most urgent
_FORMS_OF_REFERRALS = (audience.c.form > "referral/", audience.c.form < "referral0")


class ConsentStanding(CodeList):
    """Where a person stands with sharing their information today."""

    LIVE = "live", "同意あり"
    EXPIRED = "expired", "期限切れ"
    WITHDRAWN = "withdrawn", "撤回"
    REFUSED = "refused", "同意しない"
    ASKING = "asking", "相談中"
    UNABLE = "unable", "確認できない"
    NOT_ASKED = "not_asked", "まだ"


class CaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of cases. `told`: agencies that were told of a document, of which `acknowledged` said 受領.

    An agency without the full view counts itself alone.
    """

    number: str
    state: str
    opened_at: dt.datetime
    origin: str
    lead: str
    urgency: str
    consent: ConsentStanding
    told: int
    acknowledged: int
    misdelivered: int
    changed_at: dt.datetime
    fiscal_year: int


def standing_of(facts: Iterable[ConsentFact], day: dt.date) -> ConsentStanding:
    """What the consents of one person come to on that Japanese date: a live one, else what became of the latest."""
    facts = list(facts)
    if any(live(fact, day) for fact in facts):
        return ConsentStanding.LIVE
    given = [fact for fact in facts if fact.status is ConsentStatus.GIVEN]
    if given:
        latest = max(given, key=lambda fact: (fact.given_on or dt.date.min, fact.id))
        return ConsentStanding.WITHDRAWN if latest.withdrawn_on is not None else ConsentStanding.EXPIRED
    latest_other = max(facts, key=lambda fact: fact.id, default=None)
    return ConsentStanding[latest_other.status.name] if latest_other else ConsentStanding.NOT_ASKED


def fact_of(row: Any) -> ConsentFact:
    """A row of `consents` as the rules read it."""
    return ConsentFact(
        id=row.id, person=row.person, status=ConsentStatus[row.status.upper()], agencies=_texts(row.agencies),
        given_on=_date(row.given_on), until=_date(row.until), covers_successor=bool(row.covers_successor),
        excluded=_texts(row.excluded), withdrawn_on=_date(row.withdrawn_on),
        withdrawn_agencies=_texts(row.withdrawn_agencies),
    )  # fmt: skip


def _texts(text: str) -> frozenset[str]:
    return frozenset(msgspec.json.decode(text))


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


class _Seen(msgspec.Struct):
    """What the reader's agency sees of a case and of those joined to it."""

    urgency: str = Urgency.NORMAL.value
    subject: str = ""
    full: bool = False


def lines_of(connection: Connection, principal: Principal, seqs: Sequence[int]) -> tuple[CaseLine, ...]:
    """The lines of these cases, in their order."""
    if not seqs:
        return ()
    last = (
        sa.select(timeline.c.at)
        .where(timeline.c.case == table.c.seq)
        .order_by(timeline.c.seq.desc())
        .limit(1)
        .correlate(table)
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(table, last.label("changed_at")).where(sa.or_(table.c.seq.in_(seqs), table.c.joined_into.in_(seqs)))
    ).all()
    by_seq = {row.seq: row for row in rows}
    heads = {row.seq: row.seq if row.seq in seqs else row.joined_into for row in rows}
    seen = _seen(connection, principal, heads)
    standings = _standings(connection, heads, seen)
    received = _received(connection, principal, {row.number: heads[row.seq] for row in rows}, seen)
    changed: dict[int, int] = {}
    for row in rows:
        changed[heads[row.seq]] = max(changed.get(heads[row.seq], 0), row.changed_at or row.opened_at)
    return tuple(
        CaseLine(
            number=by_seq[seq].number, state=by_seq[seq].state, opened_at=clock.moment_of(by_seq[seq].opened_at),
            origin=by_seq[seq].origin, lead=by_seq[seq].lead, urgency=seen[seq].urgency, consent=standings[seq],
            told=received[seq][0], acknowledged=received[seq][1], misdelivered=received[seq][2],
            changed_at=clock.moment_of(changed[seq]), fiscal_year=by_seq[seq].fiscal_year,
        )
        for seq in seqs
    )  # fmt: skip


def _seen(connection: Connection, principal: Principal, heads: Mapping[int, int]) -> dict[int, _Seen]:
    """The most urgent referral, the person it is about, and whether the whole is seen, by the case that is shown."""
    found = {head: _Seen() for head in heads.values()}
    rows = connection.execute(
        sa.select(referrals.c.case, referrals.c.urgency, referrals.c.persons, referrals.c.state, audience.c.view)
        .join(audience, sa.func.substr(audience.c.form, len("referral/") + 1) == referrals.c.id)
        .where(audience.c.case.in_(list(heads)), *_FORMS_OF_REFERRALS, *cases.may_read(principal))
        .order_by(referrals.c.seq)
    )
    for row in rows:
        seen = found[heads[row.case]]
        seen.full = seen.full or row.view == View.FULL.value
        if row.state in cases.TAKEN_BACK:
            continue
        seen.urgency = max(seen.urgency, row.urgency, key=_URGENCIES.index)
        seen.subject = seen.subject or next(iter(msgspec.json.decode(row.persons)), "")
    return found


def _standings(
    connection: Connection, heads: Mapping[int, int], seen: Mapping[int, _Seen]
) -> dict[int, ConsentStanding]:
    facts: dict[int, list[ConsentFact]] = {head: [] for head in heads.values()}
    for row in connection.execute(sa.select(consents).where(consents.c.case.in_(list(heads)))):
        head = heads[row.case]
        if row.person == seen[head].subject:
            facts[head].append(fact_of(row))
    day = clock.today()
    return {head: standing_of(found, day) for head, found in facts.items()}


def _received(
    connection: Connection, principal: Principal, heads: Mapping[str, int], seen: Mapping[int, _Seen]
) -> dict[int, tuple[int, int, int]]:
    """How many agencies were told, how many said 受領, how many that it is not theirs; by the case that is shown."""
    told: dict[int, set[str]] = {head: set() for head in heads.values()}
    acknowledged: dict[int, set[str]] = {head: set() for head in heads.values()}
    misdelivered: dict[int, set[str]] = {head: set() for head in heads.values()}
    numbers = list(heads)
    for row in connection.execute(
        sa.select(deliveries.c.case_number, deliveries.c.agency).distinct().where(deliveries.c.case_number.in_(numbers))
    ):
        told[heads[row.case_number]].add(row.agency)
    for receipt in connection.execute(
        sa.select(receipts.c.case_number, receipts.c.agency, receipts.c.acknowledged_at, receipts.c.misdelivered_at)
        .where(receipts.c.case_number.in_(numbers))
    ):  # fmt: skip
        head = heads[receipt.case_number]
        if receipt.acknowledged_at is not None:
            acknowledged[head].add(receipt.agency)
        if receipt.misdelivered_at is not None:
            misdelivered[head].add(receipt.agency)
    counted = {}
    for head in told:
        mine = None if seen[head].full else {principal.agency}
        counted[head] = (
            len(told[head] if mine is None else told[head] & mine),
            len(acknowledged[head] if mine is None else acknowledged[head] & mine),
            len(misdelivered[head] if mine is None else misdelivered[head] & mine),
        )
    return counted
