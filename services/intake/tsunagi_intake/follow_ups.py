"""フォローの予定: what is due for an agency of the plans that it may read, and that it was done (rule `follow-up-once`)."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import matches as matched
from tsunagi_intake import plan_gates, records, resource_facts, standing
from tsunagi_intake.lifecycle import Action, PlanState
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.resource_tables import follow_ups, matches
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.tables import cases as cases_table
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.resource import FollowUp, FollowUpSide
from tsunagi_shared.problems import not_found

_VIEWS = (View.FULL, View.OWN_ALLOCATION)


class FollowUpLine(msgspec.Struct, frozen=True, kw_only=True):
    """One follow-up that is to be done. `resource`: the place's name, empty where the plan names it in words alone."""

    id: str
    plan: str
    plan_number: str
    case_number: str
    resource: str
    side: FollowUpSide
    due_on: dt.date
    overdue: bool


class FollowUpList(msgspec.Struct, frozen=True, kw_only=True):
    """A page, the earliest first; `next` goes into `?after=`."""

    items: tuple[FollowUpLine, ...]
    next: str


def list_of(connection: Connection, principal: Principal, profile: Profile, after: str, limit: int) -> FollowUpList:
    """What is to be done of the adopted plans that the reader may read whole, or where their agency has a part."""
    key = follow_ups.c.due_on + "." + follow_ups.c.id
    wanted = (
        sa.select(follow_ups, plans.c.number, cases_table.c.number.label("case_number"), matches.c.resource)
        .join(plans, plans.c.id == follow_ups.c.plan)
        .join(cases_table, cases_table.c.seq == plans.c.case)
        .outerjoin(matches, matches.c.plan == follow_ups.c.plan)
        .where(
            follow_ups.c.done_on.is_(None), plans.c.state == PlanState.ADOPTED.value,
            matched.seen_by(principal),
        )
        .order_by(follow_ups.c.due_on, follow_ups.c.id)
        .limit(limit + 1)
    )  # fmt: skip
    if after:  # the day alone finds the place in the index
        wanted = wanted.where(key > after, follow_ups.c.due_on >= after.partition(".")[0])
    rows = connection.execute(wanted).all()
    known, today = resource_facts.known(connection, profile), clock.today()
    lines = tuple(
        FollowUpLine(
            id=row.id, plan=row.plan, plan_number=row.number, case_number=row.case_number,
            resource=known[row.resource].name if row.resource in known else "", side=FollowUpSide[row.side.upper()],
            due_on=dt.date.fromisoformat(row.due_on), overdue=dt.date.fromisoformat(row.due_on) < today,
        )
        for row in rows[:limit]
    )  # fmt: skip
    return FollowUpList(items=lines, next=f"{rows[limit - 1].due_on}.{lines[-1].id}" if len(rows) > limit else "")


def check(connection: Connection, principal: Principal, profile: Profile, identity: str) -> sa.Row[tuple[object, ...]]:
    """A follow-up that is to be done, for somebody who may write into its case and read its plan. Refusal; the common 404."""
    row = connection.execute(sa.select(follow_ups).where(follow_ups.c.id == identity)).first()
    if row is None:
        raise not_found()
    plan = plan_gates.plan_row(connection, row.plan)
    own = plan_gates.standing_on(connection, principal, profile, plan)
    if own.view not in _VIEWS:
        raise not_found()
    standing.allow(Action.LOG_CONTACT, principal, profile, own)
    if row.done_on is not None or plan.state is not PlanState.ADOPTED:
        raise standing.refusal_of(REFUSALS["follow-up-done"])
    return row


def done(connection: Connection, write: Write, identity: str, form: FollowUp) -> bytes:
    """A follow-up was done; returns the encoded Receipt. Refusal, KeyReused: nothing is stored then."""
    return records.once(connection, write, lambda: _done(connection, write, identity, form))


def _done(connection: Connection, write: Write, identity: str, form: FollowUp) -> Receipt:
    row = check(connection, write.principal, write.profile, identity)
    matched.done(connection, write.profile, write.principal, identity, form.done_on, form.result, form.next_on)
    case = standing.case_row(connection, seq=row._mapping["case"])
    audit.record(connection, write.principal, "follow_up.done", f"follow_up/{identity}", case=case.number)
    return Receipt(
        kind="follow_up", id=identity, number="", case_number=case.number, revision=1, received_at=clock.now(),
        code=form.result.value,
    )  # fmt: skip
