"""What is on record of plans, read for the rules: their rows, where they stand, what a case's state takes from them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.consents import later
from tsunagi_intake.lifecycle import DecisionFacts, DecisionPurpose, OtherPlan, PlanFacts, PlanState
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.tables import allocations, records, referrals
from tsunagi_shared import clock
from tsunagi_shared.contracts.profile import LegalRole, Profile
from tsunagi_shared.database import Statement
from tsunagi_shared.forms.plan import Plan, PlanKind

# 号 of the programme that an agency carries out, by the kind of plan that it then draws up itself
LAW_ITEMS = {PlanKind.MULTI_AGENCY: "5", PlanKind.PARTICIPATION: "2", PlanKind.OUTREACH: "4"}
_PURPOSE = {purpose.value: purpose for purpose in DecisionPurpose}
_TAKEN_BACK = ("withdrawn", "misdirected")


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it stands: kind, state and dates; nothing of what it says. `case` is the row of its case."""

    id: str
    case: int
    number: str
    kind: PlanKind
    state: PlanState
    previous: str
    round: int
    provisional: bool
    confirmed_on: dt.date | None
    proposed_at: dt.datetime | None
    decided: DecisionPurpose | None
    meeting_on: dt.date | None
    meeting_item: str
    body: str
    heard_under: LegalRole | None
    agreed_on: dt.date | None
    municipal_on: dt.date | None
    effective_on: dt.date | None
    suspended_on: dt.date | None
    ended_on: dt.date | None
    end_code: str
    amended_on: dt.date | None
    content: int
    revision: int

    @property
    def form(self) -> str:
        """Its record, as audiences and events name it."""
        return f"plan/{self.id}"

    @property
    def seen(self) -> str:
        """What a meeting has before it: the content and the state. The dates of agreement and 支援決定 are no part of it."""
        return f"{self.content}/{self.state.value}"


class Paper(msgspec.Struct, frozen=True):
    """A form of the case: how audiences name it (`<kind>/<id>`), and its number as people write it."""

    form: str
    number: str


_DATES = (
    "confirmed_on", "meeting_on", "agreed_on", "municipal_on", "effective_on", "suspended_on", "ended_on", "amended_on",
)  # fmt: skip


def _row(row: sa.Row[tuple[object, ...]]) -> PlanRow:
    values = dict(row._mapping)
    for name in _DATES:
        values[name] = dt.date.fromisoformat(values[name]) if values[name] else None
    values |= {
        "kind": PlanKind[str(row.kind).upper()],
        "state": PlanState[str(row.state).upper()],
        "provisional": bool(row.provisional),
        "proposed_at": clock.moment_of(row.proposed_at) if row.proposed_at is not None else None,
        "decided": _PURPOSE.get(str(row.decided)),
        "heard_under": LegalRole[str(row.heard_under).upper()] if row.heard_under else None,
    }
    return PlanRow(**values)


def find(connection: Connection, plan_id: str) -> PlanRow | None:
    """The plan with that id; None when there is none."""
    row = connection.execute(sa.select(plans).where(plans.c.id == plan_id)).first()
    return None if row is None else _row(row)


def by_number(connection: Connection, number: str) -> PlanRow | None:
    """The plan with that number (プラン番号); None when there is none."""
    row = connection.execute(sa.select(plans).where(plans.c.number == number)).first()
    return None if row is None else _row(row)


def of_cases(connection: Connection, cases: Iterable[int]) -> tuple[PlanRow, ...]:
    """The plans of these cases, in the order they were drawn up."""
    rows = connection.execute(sa.select(plans).where(plans.c.case.in_(tuple(cases))).order_by(plans.c.id))
    return tuple(_row(row) for row in rows)


_STATES = Statement(sa.select(plans.c.state, plans.c.confirmed_on).where(plans.c.case == sa.bindparam("of_case")))


def states_of(connection: Connection, cases: Sequence[int]) -> tuple[tuple[PlanState, ...], bool]:
    """The states of the plans of these cases, and whether an outreach plan was ever confirmed before there was consent."""
    found: list[PlanState] = []
    confirmed = False
    for case in cases:
        cursor = _STATES.run(connection, of_case=case)
        for state, confirmed_on in cursor:
            found.append(PlanState[state.upper()])
            confirmed = confirmed or confirmed_on is not None
        cursor.close()
    return tuple(found), confirmed


_OWN_ROWS = Statement(
    sa.select(allocations.c.id, allocations.c.agency, allocations.c.since, allocations.c.until).where(
        allocations.c.case == sa.bindparam("of_case"),
        allocations.c.ended_at.is_(None),
        sa.func.instr(allocations.c.id, sa.literal_column("'.'")) > 0,
    )
)


def own_rows(connection: Connection, case: int, day: dt.date) -> dict[str, dict[str, dt.date | None]]:
    """By plan: the agencies that have a part by it on that day, with the last day of the part that lasts longest."""
    found: dict[str, dict[str, dt.date | None]] = {}
    cursor = _OWN_ROWS.run(connection, of_case=case)
    for identity, agency, since, last in cursor:
        until = dt.date.fromisoformat(last) if last else None
        if dt.date.fromisoformat(since) <= day and (until is None or day <= until):
            there = found.setdefault(identity.partition(".")[0], {})
            there[agency] = later(there[agency], until) if agency in there else until
    cursor.close()
    return found


def others(rows: Iterable[PlanRow], besides: str = "") -> tuple[OtherPlan, ...]:
    """What the rule on new plans asks of those that are there."""
    return tuple(OtherPlan(row.id, row.kind, row.state) for row in rows if row.id != besides)


def facts_of(row: PlanRow, profile: Profile, day: dt.date, *, consented: bool) -> PlanFacts:
    """What a step of the plan depends on, as it is on record."""
    return PlanFacts(
        kind=row.kind,
        day=day,
        consented=consented,
        replan=bool(row.previous),
        confirmed_under=LegalRole.SUPPORT_MEETING if row.confirmed_on else None,
        decision=DecisionFacts(
            purpose=row.decided, heard_under=row.heard_under, decided_on=row.meeting_on, agreed_on=row.agreed_on,
            municipal_on=row.municipal_on, municipal_required=profile.municipal_decision,
        ),
    )  # fmt: skip


def form_of(connection: Connection, plan_id: str) -> Plan | None:
    """What the plan says; None when there is nothing of it (any more)."""
    form = connection.execute(
        sa.select(records.c.form).where(records.c.id == plan_id, records.c.kind == "plan")
    ).scalar()
    return msgspec.json.decode(form, type=Plan) if form else None


def papers_of(connection: Connection, plan: PlanRow) -> tuple[Paper, ...]:
    """What is shown of the case when the plan is heard: the newest referral that stands, the newest assessment, the plan."""
    found = []
    taken = connection.execute(
        sa.select(referrals.c.id, referrals.c.number)
        .where(
            referrals.c.case == plan.case, referrals.c.state.not_in(_TAKEN_BACK), sa.func.length(referrals.c.form) > 0
        )
        .order_by(referrals.c.seq.desc())
        .limit(1)
    ).first()
    if taken is not None:
        found.append(Paper(f"referral/{taken.id}", taken.number))
    for wanted in (records.c.kind == "assessment", records.c.id == plan.id):
        written = connection.execute(
            sa.select(records.c.id, records.c.kind, records.c.number)
            .where(wanted, records.c.case == plan.case, records.c.state == "live", sa.func.length(records.c.form) > 0)
            .order_by(records.c.seq.desc())
            .limit(1)
        ).first()
        if written is not None:
            found.append(Paper(f"{written.kind}/{written.id}", written.number))
    return tuple(found)


def draws_up(agency: str, kind: PlanKind, profile: Profile) -> bool:
    """Whether the agency carries out the part of the programme that plans of the kind belong to."""
    known = profile.agencies_by_id.get(agency)
    return known is not None and LAW_ITEMS[kind] in known.law_items
