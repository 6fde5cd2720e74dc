"""What participation plans name as 参加先, and the follow-ups that come of it when such a plan is adopted.

Rows follow the plan's form, in the transaction that writes it. A match counts while its plan is adopted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, due, plan_facts, resource_facts
from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.resource_tables import follow_ups, matches
from tsunagi_intake.tables import audience
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.contact import Contact
from tsunagi_shared.forms.plan import Plan, PlanKind
from tsunagi_shared.forms.resource import FollowUpResult, FollowUpSide

BEGUN = "follow_ups_begun"  # in `facts`: the plans that were adopted before there were follow-ups have theirs


def named(
    connection: Connection, profile: Profile, form: Plan, before: Plan | None = None
) -> tuple[Plan, tuple[FieldError, ...]]:
    """The plan with the name of the resource it chose, where none was typed; what is wrong with the choice.

    `before`: the plan as it was. With another choice, what still says the name of the place before is that of the new one.
    """
    if not form.resource_id:
        return form, ()
    found = resource_facts.one(connection, profile, form.resource_id)
    if found is None:
        return form, (
            FieldError("resource_id", "unknown-resource", "登録してある社会資源・参加先から選んでください。"),
        )
    if not found.open_on(clock.today()):
        message = "この社会資源・参加先は、受入れが終わっています。別の参加先を選んでください。"
        return form, (FieldError("resource_id", "resource-closed", message),)
    if before is not None and form.resource_id != before.resource_id:
        left = [name for name in ("resource", "resource_contact") if getattr(form, name) == getattr(before, name)]
        form = msgspec.structs.replace(form, **dict.fromkeys(left, ""))
    filled = {"resource": form.resource or found.name, "resource_contact": form.resource_contact or found.contact}
    return msgspec.structs.replace(form, **filled), ()


def keep(connection: Connection, profile: Profile, plan: str, case: int, form: Plan) -> None:
    """Put down which resource the plan names, in the place of the one before."""
    connection.execute(matches.delete().where(matches.c.plan == plan))
    if form.kind is not PlanKind.PARTICIPATION or not (form.resource_id or form.resource):
        return
    found = resource_facts.one(connection, profile, form.resource_id) if form.resource_id else None
    connection.execute(
        matches.insert().values(
            plan=plan, case=case, resource=found.id if found else "", kind=found.kind.value if found else ""
        )
    )


def full_place(connection: Connection, profile: Profile, plan: str) -> str:
    """The name of the place that a plan chose, where the other adopted plans take all it can take in; else empty."""
    identity = connection.execute(sa.select(matches.c.resource).where(matches.c.plan == plan)).scalar()
    found = resource_facts.one(connection, profile, identity) if identity else None
    if found is None or found.capacity is None:
        return ""
    others = (
        sa.select(sa.func.count())
        .select_from(matches)
        .join(plans, plans.c.id == matches.c.plan)
        .where(matches.c.resource == identity, matches.c.plan != plan, plans.c.state == PlanState.ADOPTED.value)
    )
    return found.name if connection.execute(others).scalar_one() >= found.capacity else ""


def begin(connection: Connection, profile: Profile, plan: str, case: int, form: Plan) -> None:
    """The plan was adopted: its follow-ups become due on the days it says, or after the interval of its resource."""
    if form.kind is not PlanKind.PARTICIPATION:
        return
    days = {FollowUpSide.PERSON: form.person_follow_up_on, FollowUpSide.HOST: form.host_follow_up_on}
    between = _interval(connection, profile, plan)
    if between and form.begins_on:
        days = {side: day or form.begins_on + dt.timedelta(between) for side, day in days.items()}
    due = {(side, day) for side, day in days.items() if day is not None}
    if form.settled_check_on is not None:
        due.add((FollowUpSide.PERSON, form.settled_check_on))
    for side, day in sorted(due):
        _add(connection, plan, case, side, day)


def waiting(connection: Connection) -> tuple[str, ...]:
    """The adopted participation plans for which no follow-up was ever put down."""
    wanted = sa.select(plans.c.id).where(
        plans.c.kind == PlanKind.PARTICIPATION.value,
        plans.c.state == PlanState.ADOPTED.value,
        ~sa.exists().where(follow_ups.c.plan == plans.c.id),
    )
    return tuple(connection.execute(wanted.order_by(plans.c.id)).scalars())


def begin_earlier(connection: Connection, profile: Profile, some: Iterable[str]) -> None:
    """Put down what is due of these plans, as their adoption would have; of one that has ended meanwhile nothing."""
    for plan in some:
        is_adopted = plans.c.id == plan, plans.c.state == PlanState.ADOPTED.value
        case = connection.execute(sa.select(plans.c.case).where(*is_adopted)).scalar()
        there = connection.execute(sa.select(1).where(follow_ups.c.plan == plan).limit(1)).first()
        form = plan_facts.form_of(connection, plan)
        if case is not None and there is None and form is not None:
            begin(connection, profile, plan, case, form)


def all_begun(connection: Connection) -> None:
    """Nothing is to be made good any more."""
    due.keep_fact(connection, BEGUN, clock.today().isoformat())


def _interval(connection: Connection, profile: Profile, plan: str) -> int | None:
    """Days from one follow-up to the next, as the plan's resource has them."""
    identity = connection.execute(sa.select(matches.c.resource).where(matches.c.plan == plan)).scalar()
    found = resource_facts.one(connection, profile, identity) if identity else None
    return found.follow_up_days if found else None


def _add(connection: Connection, plan: str, case: int, side: FollowUpSide, day: dt.date) -> None:
    connection.execute(
        follow_ups.insert().values(
            id=uuid7(clock.now_us()), plan=plan, case=case, side=side.value, due_on=day.isoformat(), done_on=None, result="",
            done_by="", agency="",
        )
    )  # fmt: skip


def end(connection: Connection, plan: str) -> None:
    """The plan is in force no more: what was still to come falls away; what was due stays on record."""
    to_come = follow_ups.c.done_on.is_(None), follow_ups.c.due_on > clock.today().isoformat()
    connection.execute(follow_ups.delete().where(follow_ups.c.plan == plan, *to_come))


def done(
    connection: Connection, profile: Profile, principal: Principal, identity: str, on: dt.date, result: FollowUpResult | None,
    next_on: dt.date | None = None,
) -> None:  # fmt: skip
    """A follow-up was done; the next of its side is due on that day, or after the interval of its resource."""
    row = connection.execute(sa.select(follow_ups).where(follow_ups.c.id == identity)).one()
    connection.execute(
        follow_ups.update().where(follow_ups.c.id == identity).values(
            done_on=on.isoformat(), result=result.value if result else "", done_by=principal.name, agency=principal.agency
        )
    )  # fmt: skip
    between = None if result in _NO_MORE else _interval(connection, profile, row.plan)
    following = next_on or (on + dt.timedelta(between) if between else None)
    waiting = sa.select(1).where(
        follow_ups.c.plan == row.plan, follow_ups.c.side == row.side, follow_ups.c.done_on.is_(None)
    )
    if following and (next_on or connection.execute(waiting.limit(1)).first() is None):
        _add(connection, row.plan, row.case, FollowUpSide[row.side.upper()], following)


_NO_MORE = (FollowUpResult.SETTLED, FollowUpResult.STOPPED)


def seen_by(principal: Principal) -> sa.ColumnElement[bool]:
    """Whether the person may read the plan of the row whole, or their agency has a part in it: whose matches and follow-ups
    they may see. For queries that have `plans` among their tables; asked row by row, because an agency has many more entries
    than plans that are open."""
    return sa.exists().where(
        audience.c.case == plans.c.case,
        audience.c.form == sa.literal("plan/") + plans.c.id,
        audience.c.view.in_((View.FULL.value, View.OWN_ALLOCATION.value)),
        *cases.may_read(principal),
    )


def done_by_contact(
    connection: Connection, profile: Profile, principal: Principal, group: Iterable[int], form: Contact
) -> None:
    """The contact was a follow-up: of each side it names, the one that is due first in the case is done, of those that the
    writer may see."""
    for side in dict.fromkeys(form.follow_ups):
        first = (
            sa.select(follow_ups.c.id)
            .join(plans, plans.c.id == follow_ups.c.plan)
            .where(
                follow_ups.c.case.in_(tuple(group)), follow_ups.c.side == side.value, follow_ups.c.done_on.is_(None),
                plans.c.state == PlanState.ADOPTED.value, seen_by(principal),
            )
            .order_by(follow_ups.c.due_on, follow_ups.c.id)
            .limit(1)
        )  # fmt: skip
        identity = connection.execute(first).scalar()
        if identity is not None:
            done(connection, profile, principal, identity, form.at, None)
