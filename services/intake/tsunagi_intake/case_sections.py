"""The parts of a case page: records, protections, allocations and grounds, each as lines a reader understands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases
from tsunagi_intake.tables import allocations, audience, grounds, protections, records
from tsunagi_intake.tables import cases as table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.forms.withheld_text import Patterns, without

# The kinds of records that a case shows by themselves; withdrawals and the like stand with what they belong to
KINDS = (
    "reply", "consent", "assessment", "contact", "evaluation", "minutes", "information_request", "information_answer",
    "contact_log",
)  # fmt: skip


class RecordLine(msgspec.Struct, frozen=True, kw_only=True):
    """One further form of the case; says nothing of what stands in it."""

    seq: int
    id: str
    kind: str
    number: str
    submitted_at: dt.datetime
    agency: str
    user_name: str
    state: str
    revision: int
    view: View


class ProtectionLine(msgspec.Struct, frozen=True, kw_only=True):
    """住所等の秘匿 of one person. `reason` is empty for readers whom it is not told."""

    id: str
    case_number: str
    person: str
    kind: str
    fields: tuple[str, ...]
    cleared: tuple[str, ...]
    since: dt.date
    until: dt.date | None
    reason: str
    lifted_at: dt.datetime | None


class AllocationLine(msgspec.Struct, frozen=True, kw_only=True):
    """役割分担: what an agency does in the case."""

    id: str
    case_number: str
    agency: str
    part: str
    since: dt.date
    until: dt.date | None
    ended_at: dt.datetime | None


class GroundLine(msgspec.Struct, frozen=True, kw_only=True):
    """A basis other than consent, and whether the section has reviewed it."""

    id: str
    case_number: str
    agency: str
    kind: str
    law: str
    reason: str
    decided_by: str
    set_at: dt.datetime
    until: dt.date | None
    ended_at: dt.datetime | None
    reviewed_at: dt.datetime | None


def records_of(
    connection: Connection, principal: Principal, group: Sequence[int], limit: int, kind: str = "", before: int = 0
) -> tuple[RecordLine, ...]:
    """The newest records of each kind (or of one, from the one before `before`) that this person may see, newest first."""
    bound = before or 1 << 62
    parts = [
        sa.select(
            sa.select(
                records.c.seq, records.c.id, records.c.kind, records.c.number, records.c.submitted_at, records.c.agency,
                records.c.user_name, records.c.state, records.c.revision, audience.c.view,
            )
            .join(
                audience,
                sa.and_(
                    audience.c.case == records.c.case, audience.c.form == records.c.kind + "/" + records.c.id,
                    *cases.may_read(principal),
                ),
            )
            .where(records.c.case == case, records.c.kind == one, records.c.seq < bound)
            .order_by(records.c.seq.desc())
            .limit(limit)
            .subquery()
        )
        for case in group
        for one in ((kind,) if kind else KINDS)
    ]  # fmt: skip
    whole = sa.union_all(*parts).subquery()
    rows = connection.execute(sa.select(whole).order_by(whole.c.seq.desc())).all()
    found = tuple(
        RecordLine(
            seq=row.seq, id=row.id, kind=row.kind, number=row.number, submitted_at=clock.moment_of(row.submitted_at),
            agency=row.agency, user_name=row.user_name, state=row.state, revision=row.revision, view=View(row.view),
        )
        for row in rows
    )  # fmt: skip
    return found[:limit] if kind else found


def protections_of(
    connection: Connection, group: Sequence[int], agency: str, cut: Patterns = ()
) -> tuple[ProtectionLine, ...]:
    """The protections of the case, those in force first. Reasons are told to `agency` where it is cleared (empty: all), without
    what `cut` finds."""
    rows = connection.execute(
        sa.select(protections, table.c.number.label("case_number"))
        .join(table, table.c.seq == protections.c.case)
        .where(protections.c.case.in_(group))
        .order_by(protections.c.lifted_at.is_not(None), protections.c.set_at.desc())
    )
    return tuple(
        ProtectionLine(
            id=row.id, case_number=row.case_number, person=row.person, kind=row.kind,
            fields=tuple(msgspec.json.decode(row.fields)), cleared=tuple(msgspec.json.decode(row.cleared)),
            since=dt.date.fromisoformat(row.since), until=_date(row.until),
            reason=without(row.reason, cut) if not agency or agency in msgspec.json.decode(row.cleared) else "",
            lifted_at=_moment(row.lifted_at),
        )
        for row in rows
    )  # fmt: skip


def allocations_of(connection: Connection, group: Sequence[int], cut: Patterns) -> tuple[AllocationLine, ...]:
    """The allocations of the case, those in force first, without what `cut` finds."""
    rows = connection.execute(
        sa.select(allocations, table.c.number.label("case_number"))
        .join(table, table.c.seq == allocations.c.case)
        .where(allocations.c.case.in_(group))
        .order_by(allocations.c.ended_at.is_not(None), allocations.c.id)
    )
    return tuple(
        AllocationLine(
            id=row.id, case_number=row.case_number, agency=row.agency, part=without(row.part, cut),
            since=dt.date.fromisoformat(row.since), until=_date(row.until), ended_at=_moment(row.ended_at),
        )
        for row in rows
    )  # fmt: skip


def grounds_of(connection: Connection, group: Sequence[int], cut: Patterns) -> tuple[GroundLine, ...]:
    """The grounds other than consent that were put on record, newest first, without what `cut` finds."""
    rows = connection.execute(
        sa.select(grounds, table.c.number.label("case_number"))
        .join(table, table.c.seq == grounds.c.case)
        .where(grounds.c.case.in_(group))
        .order_by(grounds.c.set_at.desc())
    )
    return tuple(
        GroundLine(
            id=row.id, case_number=row.case_number, agency=row.agency, kind=row.kind, law=row.law,
            reason=without(row.reason, cut), decided_by=row.decided_by,
            set_at=clock.moment_of(row.set_at), until=_date(row.until), ended_at=_moment(row.ended_at),
            reviewed_at=_moment(row.reviewed_at),
        )
        for row in rows
    )  # fmt: skip


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _moment(microseconds: int | None) -> dt.datetime | None:
    return None if microseconds is None else clock.moment_of(microseconds)
