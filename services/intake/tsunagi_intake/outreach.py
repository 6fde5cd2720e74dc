"""アウトリーチ等 in codes, beside the forms that say it: how people were found, what was done, who came along, how far it came.

Counting reads these codes and no form. What a form says is put down when it is handed in, and anew when it is corrected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.resource_tables import outreach_facts
from tsunagi_intake.tables import cases, records
from tsunagi_shared.database import insert_of
from tsunagi_shared.forms.contact import Contact, ContactMethod, OutreachAction
from tsunagi_shared.forms.plan import ContactState, Plan, PlanKind
from tsunagi_shared.forms.referral import FindingRoute

VISIT = "visit"
_FACT = insert_of(outreach_facts)
_NO_PLAN = (PlanState.DRAFT.value, PlanState.DROPPED.value)


class OutreachFigures(msgspec.Struct, frozen=True, kw_only=True):
    """アウトリーチ等 of a 年度.

    `by_channel`: cases by FindingRoute, or by a code that the municipality added to it, of their outreach plans made in the year
    (drafts and dropped ones left out); `contacts_by_kind`: contacts by OutreachAction, and `visit`: those of an outreach that
    were visits; `accompanied`: contacts to which somebody came along; `by_contact_state`: cases by the last ContactState that
    the year's contacts and outreach plans say; `consultations`: contacts at which residents or agencies told of somebody,
    `consultations_by_agency`: by whose people put them on record; `trigger_users`: cases brought to a きっかけ事業. Every code is
    there, with 0 where there is none.
    """

    by_channel: dict[str, int]
    contacts_by_kind: dict[str, int]
    accompanied: int
    by_contact_state: dict[str, int]
    consultations: int
    consultations_by_agency: dict[str, int]
    trigger_users: int


def note_contact(connection: Connection, identity: str, case: int, form: Contact) -> None:
    """Put down what a contact says of outreach, in the place of what it said before."""
    _keep(connection, f"contact/{identity}", case, form.at.isoformat(), _of_contact(form))


def note_plan(connection: Connection, identity: str, case: int, form: Plan) -> None:
    """Put down what an outreach plan says, in the place of what it said before; other plans say nothing of it."""
    if form.kind is not PlanKind.OUTREACH:
        return
    said = [("channel", form.found_by), ("state", form.contact_state.value if form.contact_state else None)]
    found = ((what, code) for what, code in said if code)
    _keep(connection, f"plan/{identity}", case, form.made_on.isoformat(), found)


def _of_contact(form: Contact) -> Iterator[tuple[str, str]]:
    yield from (("action", action.value) for action in dict.fromkeys(form.outreach_actions))
    yield from (("companion", companion.value) for companion in dict.fromkeys(form.companions))
    if form.outreach_actions and form.method is ContactMethod.VISIT:
        yield "visit", VISIT
    if form.contact_state is not None:
        yield "state", form.contact_state.value


def _keep(connection: Connection, form: str, case: int, day: str, said: Any) -> None:
    connection.execute(outreach_facts.delete().where(outreach_facts.c.form == form))
    for what, code in said:
        _FACT.run(connection, form=form, what=what, code=code, case=case, day=day)


def written(rows: sa.Table | sa.Subquery) -> sa.ColumnElement[str]:
    """By which forms of one day stand in the order they were handed in: their ids, which grow."""
    return sa.func.substr(rows.c.form, sa.func.instr(rows.c.form, "/") + 1)


_CASE = sa.func.coalesce(cases.c.joined_into, cases.c.seq)  # cases that were joined are one


def figures(connection: Connection, fiscal_year: int) -> OutreachFigures:
    """The figures of the 年度 (1 April to 31 March); the days are those on which it was done."""
    within = outreach_facts.c.day.between(f"{fiscal_year}-04-01", f"{fiscal_year + 1}-03-31")
    actions = _counted(connection, within, "action")
    kinds = {code: actions.get(code, 0) for code, _ in OutreachAction.choices()}
    kinds[VISIT] = _counted(connection, within, "visit").get(VISIT, 0)
    return OutreachFigures(
        by_channel=_channels(connection, within),
        contacts_by_kind=kinds,
        accompanied=_accompanied(connection, within),
        by_contact_state=_states(connection, within),
        consultations=kinds[OutreachAction.CONSULTED.value],
        consultations_by_agency=_consultations(connection, within),
        trigger_users=_cases_with(connection, within, OutreachAction.TRIGGER.value),
    )


def _counted(connection: Connection, within: sa.ColumnElement[bool], what: str) -> dict[str, int]:
    """Forms by code."""
    rows = connection.execute(
        sa.select(outreach_facts.c.code, sa.func.count())
        .where(outreach_facts.c.what == what, within)
        .group_by(outreach_facts.c.code)
    )
    return {row[0]: int(row[1]) for row in rows}


def _consultations(connection: Connection, within: sa.ColumnElement[bool]) -> dict[str, int]:
    consulted = outreach_facts.c.what == "action", outreach_facts.c.code == OutreachAction.CONSULTED.value, within
    rows = connection.execute(
        sa.select(records.c.agency, sa.func.count())
        .join_from(outreach_facts, records, records.c.id == written(outreach_facts))
        .where(*consulted)
        .group_by(records.c.agency)
    )
    return {row[0]: int(row[1]) for row in rows}


def _channels(connection: Connection, within: sa.ColumnElement[bool]) -> dict[str, int]:
    rows = connection.execute(
        sa.select(outreach_facts.c.code, sa.func.count(_CASE.distinct()))
        .join(cases, cases.c.seq == outreach_facts.c.case)
        .join(plans, "plan/" + plans.c.id == outreach_facts.c.form)
        .where(outreach_facts.c.what == "channel", within, plans.c.state.not_in(_NO_PLAN))
        .group_by(outreach_facts.c.code)
    )
    found = {row[0]: int(row[1]) for row in rows}
    return dict.fromkeys((code for code, _ in FindingRoute.choices()), 0) | found


def _accompanied(connection: Connection, within: sa.ColumnElement[bool]) -> int:
    joint = sa.and_(outreach_facts.c.what == "action", outreach_facts.c.code == OutreachAction.JOINT_VISIT.value)
    wanted = sa.select(sa.func.count(outreach_facts.c.form.distinct())).where(
        within, sa.or_(joint, outreach_facts.c.what == "companion")
    )
    return int(connection.execute(wanted).scalar_one())


def _states(connection: Connection, within: sa.ColumnElement[bool]) -> dict[str, int]:
    order = sa.func.row_number().over(
        partition_by=_CASE, order_by=(outreach_facts.c.day.desc(), written(outreach_facts).desc())
    )
    said = (
        sa.select(outreach_facts.c.code, order.label("place"))
        .join(cases, cases.c.seq == outreach_facts.c.case)
        .where(outreach_facts.c.what == "state", within)
    )
    last = said.subquery()
    rows = connection.execute(sa.select(last.c.code, sa.func.count()).where(last.c.place == 1).group_by(last.c.code))
    found = {row[0]: int(row[1]) for row in rows}
    return {code: found.get(code, 0) for code, _ in ContactState.choices()}


def _cases_with(connection: Connection, within: sa.ColumnElement[bool], code: str) -> int:
    wanted = (
        sa.select(sa.func.count(_CASE.distinct()))
        .join_from(outreach_facts, cases, cases.c.seq == outreach_facts.c.case)
        .where(outreach_facts.c.what == "action", outreach_facts.c.code == code, within)
    )
    return int(connection.execute(wanted).scalar_one())
