"""Cases as their readers see them: lists by keyset, one case's page, and the check that comes before each."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.tables import audience, referrals
from tsunagi_intake.tables import cases as table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.database import Statement
from tsunagi_shared.problems import not_found

RECEIVED = "received"

_OPEN = Statement(
    table.insert()
    .values({column.name: sa.bindparam(column.name) for column in table.c if column.name != "seq"})
    .returning(table.c.seq)
)


class CaseLine(msgspec.Struct, frozen=True):
    """One line of the list of cases."""

    number: str
    state: str
    opened_at: dt.datetime


class ReferralLine(msgspec.Struct, frozen=True):
    """One referral as lists and the case page show it; says nothing about the person."""

    number: str
    case_number: str
    submitted_at: dt.datetime
    agency: str
    user_name: str
    urgency: str
    consent_status: str
    support_meeting_only: bool
    view: View
    id: str


class Page(msgspec.Struct, frozen=True):
    """A page of a list; `next` goes into `?after=` (empty: this is the end)."""

    items: tuple[CaseLine, ...] | tuple[ReferralLine, ...]
    next: str


def open_case(connection: Connection, number: str, fiscal_year: int, moment: int, retention_class: str) -> int:
    """A new case; returns its row number."""
    row = _OPEN.first(
        connection, number=number, fiscal_year=fiscal_year, state=RECEIVED, opened_at=moment, retention_class=retention_class,
        completed_on=None, legal_hold=0,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def _may_read(principal: Principal) -> tuple[sa.ColumnElement[bool], ...]:
    """The entries of the audience that are this person's and live today."""
    whoever = sa.or_(audience.c.members == "[]", sa.func.instr(audience.c.members, f'"{principal.user}"') > 0)
    if not principal.reads_cases:
        return (sa.false(),)
    live = sa.or_(audience.c.until.is_(None), audience.c.until >= clock.today().isoformat())
    return (audience.c.agency == principal.agency, live, whoever)


def readable(connection: Connection, principal: Principal, number: str) -> int | None:
    """The case's row number if this person may see it, else None: unknown and forbidden are told apart nowhere."""
    found = connection.execute(
        sa.select(table.c.seq)
        .join(audience, audience.c.case == table.c.seq)
        .where(table.c.number == number, *_may_read(principal))
        .limit(1)
    ).scalar()
    return None if found is None else int(found)


def list_cases(connection: Connection, principal: Principal, after: int, limit: int) -> Page:
    """The cases this person may see, newest first, from the one before `after` (0: from the newest)."""
    mine = (
        sa.select(audience.c.case)
        .distinct()
        .where(*_may_read(principal))
        .order_by(audience.c.case.desc())
        .limit(limit + 1)
    )
    if after:
        mine = mine.where(audience.c.case < after)
    seqs = list(connection.execute(mine).scalars())
    rows = connection.execute(sa.select(table).where(table.c.seq.in_(seqs[:limit])).order_by(table.c.seq.desc())).all()
    lines = tuple(CaseLine(row.number, row.state, clock.moment_of(row.opened_at)) for row in rows)
    return Page(lines, str(seqs[limit - 1]) if len(seqs) > limit else "")


def line(connection: Connection, seq: int) -> CaseLine:
    """One case's own line."""
    row = connection.execute(sa.select(table).where(table.c.seq == seq)).one()
    return CaseLine(row.number, row.state, clock.moment_of(row.opened_at))


_LINE = (
    sa.select(referrals, table.c.number.label("case_number"), audience.c.view)
    .join(table, table.c.seq == referrals.c.case)
    .join(audience, sa.and_(audience.c.case == referrals.c.case, audience.c.form == "referral/" + referrals.c.id))
)


def _line(row: sa.Row[tuple[object, ...]]) -> ReferralLine:
    return ReferralLine(
        row.number, row.case_number, clock.moment_of(row.submitted_at), row.agency, row.user_name, row.urgency,
        row.consent_status, bool(row.support_meeting_only), View(row.view), row.id,
    )  # fmt: skip


def list_referrals(connection: Connection, principal: Principal, after: tuple[int, int], limit: int) -> Page:
    """The referrals this person may see, newest first, from the one before `after` ((0, 0): from the newest)."""
    place = sa.tuple_(audience.c.case, referrals.c.seq)
    wanted = (
        _LINE.where(*_may_read(principal)).order_by(audience.c.case.desc(), referrals.c.seq.desc()).limit(limit + 1)
    )
    if after != (0, 0):
        wanted = wanted.where(
            audience.c.case <= after[0], place < after
        )  # the first alone can be looked up in an index
    rows = connection.execute(wanted).all()
    following = f"{rows[limit - 1].case}-{rows[limit - 1].seq}" if len(rows) > limit else ""
    return Page(tuple(_line(row) for row in rows[:limit]), following)


def referral(connection: Connection, principal: Principal, number: str) -> sa.Row[tuple[object, ...]]:
    """The row of a referral this person may see (with `case_number` and their `view`); the common 404 otherwise."""
    row = connection.execute(_LINE.where(referrals.c.number == number, *_may_read(principal))).first()
    if row is None:
        raise not_found()
    return row


def referrals_of(connection: Connection, principal: Principal, case: int) -> tuple[ReferralLine, ...]:
    """The case's referrals that this person may see, oldest first."""
    rows = connection.execute(_LINE.where(referrals.c.case == case, *_may_read(principal)).order_by(referrals.c.seq))
    return tuple(_line(row) for row in rows)


def audience_of(connection: Connection, form: str) -> tuple[AudienceEntry, ...]:
    """The audience of a form as it stands."""
    rows = connection.execute(sa.select(audience).where(audience.c.form == form).order_by(audience.c.agency))
    return tuple(
        AudienceEntry(
            row.agency, Basis(BasisKind(row.basis_kind), row.basis_ref), View(row.view), tuple(msgspec.json.decode(row.members)),
            dt.date.fromisoformat(row.until) if row.until else None,
        )
        for row in rows
    )  # fmt: skip
