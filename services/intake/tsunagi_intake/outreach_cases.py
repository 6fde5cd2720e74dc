"""The outreach under way, by case: how far it came, what was last done, how often. Numbers and codes."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, outreach
from tsunagi_intake.lifecycle import CaseState
from tsunagi_intake.resource_tables import outreach_facts
from tsunagi_intake.tables import audience
from tsunagi_intake.tables import cases as cases_table
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.forms.contact import OutreachAction
from tsunagi_shared.forms.plan import ContactState


class OutreachLine(msgspec.Struct, frozen=True, kw_only=True):
    """A case with outreach. `contact_state`: the last that was said, None: nothing yet; `contacts`: contacts of the outreach."""

    case_number: str
    contact_state: ContactState | None
    last_on: dt.date
    contacts: int
    visits: int
    accompanied: int


class OutreachList(msgspec.Struct, frozen=True, kw_only=True):
    """A page, the newest case first; `next` goes into `?before=`."""

    items: tuple[OutreachLine, ...]
    next: str


def list_of(connection: Connection, principal: Principal, before: str, limit: int) -> OutreachList:
    """The cases that have not ended and in which the reader sees all of a form that says something of outreach; what stands
    in other forms is not counted."""
    over = [state.value for state in CaseState if state.ended]
    seen = (
        sa.select(outreach_facts, cases_table.c.number)
        .join(cases_table, cases_table.c.seq == outreach_facts.c.case)
        .where(
            cases_table.c.state.not_in(over),
            sa.exists().where(
                audience.c.form == outreach_facts.c.form, audience.c.case == outreach_facts.c.case,
                audience.c.view == View.FULL.value, *cases.may_read(principal),
            ),
        )
    )  # fmt: skip
    if before:
        known = sa.select(cases_table.c.seq).where(cases_table.c.number == before).scalar_subquery()
        seen = seen.where(outreach_facts.c.case < known)
    rows = seen.subquery()
    wanted = (
        sa.select(
            rows.c.case, sa.func.max(rows.c.number).label("number"), sa.func.max(rows.c.day).label("day"),
            _forms(rows, rows.c.form.startswith("contact/"), rows.c.what.in_(("action", "companion"))).label("contacts"),
            _forms(rows, rows.c.what == "visit").label("visits"),
            _forms(rows, sa.or_(rows.c.what == "companion", rows.c.code == OutreachAction.JOINT_VISIT.value)).label("joint"),
        )
        .group_by(rows.c.case)  # alone: along the index of cases, until the page is full
        .order_by(rows.c.case.desc())
        .limit(limit + 1)
    )  # fmt: skip
    page = connection.execute(wanted).all()
    states = _states(connection, rows, [row.case for row in page[:limit]])
    lines = tuple(
        OutreachLine(
            case_number=row.number, contact_state=states.get(row.case), last_on=dt.date.fromisoformat(row.day),
            contacts=row.contacts, visits=row.visits, accompanied=row.joint,
        )
        for row in page[:limit]
    )  # fmt: skip
    return OutreachList(items=lines, next=lines[-1].case_number if len(page) > limit else "")


def _forms(rows: sa.Subquery, *which: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """How many forms say so."""
    return sa.func.count(sa.case((sa.and_(*which), rows.c.form)).distinct())


def _states(connection: Connection, rows: sa.Subquery, group: list[int]) -> dict[int, ContactState]:
    """By case, the state that was said last."""
    what = rows.c.what + ""  # no term for an index: those of the page's cases are few, those of a state are not
    said = sa.select(rows.c.case, rows.c.code).where(what == "state", rows.c.case.in_(group))
    order = said.order_by(rows.c.day, outreach.written(rows))
    return {case: ContactState[code.upper()] for case, code in connection.execute(order)}
