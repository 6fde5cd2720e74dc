"""Who had opened what: the documents of a case with every agency that was told of them or opened them.

What an agency opened stays on this list after its access has ended.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases
from tsunagi_intake.tables import audience, deliveries, documents, receipts
from tsunagi_intake.tables import cases as table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View

MOST = 1000  # lines of one list


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How far one agency has come with one version of a document. `reads_now`: it may still open it, as far as is known."""

    document: str
    version: int
    form: str
    title: str
    view: View
    agency: str
    told_at: dt.datetime | None
    opened_at: dt.datetime | None
    opened_by: str
    acknowledged_at: dt.datetime | None
    acknowledged_by: str
    misdelivered_at: dt.datetime | None
    misdelivered_by: str
    misdelivered_code: str
    reads_now: bool


class Openings(msgspec.Struct, frozen=True, kw_only=True):
    """The list of one case; `complete`: nothing was left off."""

    case_number: str
    items: tuple[Opening, ...]
    complete: bool


def openings_of(connection: Connection, principal: Principal, number: str, group: Sequence[int]) -> Openings:
    """Everybody who was told of, or opened, a document this reader may know of; without the full view of its form, only
    the reader's own agency. The latest opening first."""
    told = (
        sa.select(deliveries.c.document, deliveries.c.version, deliveries.c.agency, sa.func.min(deliveries.c.at).label("at"))
        .where(deliveries.c.case_number.in_(_numbers(group)))
        .group_by(deliveries.c.document, deliveries.c.version, deliveries.c.agency)
    )  # fmt: skip
    told_at = {(row.document, row.version, row.agency): row.at for row in connection.execute(told)}
    received = {
        (row.document, row.version, row.agency): row
        for row in connection.execute(sa.select(receipts).where(receipts.c.case_number.in_(_numbers(group))))
    }
    known = {
        (row.id, row.version): row
        for row in connection.execute(
            sa.select(documents, audience.c.view.label("own_view"))
            .join(audience, audience.c.form == documents.c.form)
            .where(documents.c.case_number.in_(_numbers(group)), audience.c.case.in_(group), *cases.may_read(principal))
        )
    }
    found = []
    for key in {*told_at, *received}:
        document = known.get(key[:2])
        if document is None or (document.own_view != View.FULL.value and key[2] != principal.agency):
            continue
        found.append(_opening(document, key[2], told_at.get(key), received.get(key)))
    found.sort(key=lambda line: (line.opened_at is None, -_seconds(line.opened_at), line.agency, line.document))
    return Openings(case_number=number, items=tuple(found[:MOST]), complete=len(found) <= MOST)


def _numbers(group: Sequence[int]) -> sa.Select[tuple[str]]:
    return sa.select(table.c.number).where(table.c.seq.in_(group))


def _opening(
    document: sa.Row[tuple[object, ...]], agency: str, told_at: int | None, row: sa.Row[tuple[object, ...]] | None
) -> Opening:
    readers = msgspec.json.decode(document.readers) if document.readers else []
    return Opening(
        document=document.id, version=document.version, form=document.form or "", title=document.title or "",
        view=View(document.view), agency=agency, told_at=_moment(told_at),
        opened_at=_moment(row.opened_at) if row else None, opened_by=(row.opened_by or "") if row else "",
        acknowledged_at=_moment(row.acknowledged_at) if row else None,
        acknowledged_by=(row.acknowledged_by or "") if row else "",
        misdelivered_at=_moment(row.misdelivered_at) if row else None,
        misdelivered_by=(row.misdelivered_by or "") if row else "",
        misdelivered_code=(row.misdelivered_code or "") if row else "",
        reads_now=agency in readers and not document.superseded,
    )  # fmt: skip


def _moment(microseconds: int | None) -> dt.datetime | None:
    return None if microseconds is None else clock.moment_of(microseconds)


def _seconds(moment: dt.datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
