"""One case as its reader may see it: what stands on the case page, and what they may do from there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import (
    case_sections,
    cases,
    joining,
    people,
    plan_reading,
    projections,
    rules,
    standing,
    steering,
    timeline,
    withholding,
)
from tsunagi_intake.case_sections import AllocationLine, GroundLine, ProtectionLine, RecordLine
from tsunagi_intake.joining import MatchLine
from tsunagi_intake.people import PersonLine
from tsunagi_intake.plan_reading import PlanLine
from tsunagi_intake.projections import DocumentLine
from tsunagi_intake.rules import Action, Standing
from tsunagi_intake.standing import CaseRow
from tsunagi_intake.tables import audience, referrals
from tsunagi_intake.tables import cases as table
from tsunagi_intake.timeline import TimelineEntry
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.profile import Profile, Role
from tsunagi_shared.forms.plan import PlanKind
from tsunagi_shared.forms.withheld_text import without
from tsunagi_shared.problems import not_found

MOST_REFERRALS = 50  # shown on the page, newest first
RECORDS_SHOWN = 5  # of each kind; the others are a page of their own

# What is offered on the page of a case as a whole
_ON_THE_CASE = (
    Action.GIVE_CONSENT, Action.WITHDRAW_CONSENT, Action.EXTEND_CONSENT, Action.ASSESS, Action.LOG_CONTACT, Action.EVALUATE,
    Action.PROTECT, Action.LIFT_PROTECTION, Action.ALLOCATE, Action.SET_LEAD, Action.CLOSE_CASE, Action.JOIN_CASES,
    Action.RECORD_GROUND, Action.REVIEW_GROUND, Action.END_GROUND, Action.HOLD, Action.DISCLOSE, Action.REQUEST_INFORMATION,
    Action.ISSUE_CONTACT_LOG,
)  # fmt: skip
_ON_A_REFERRAL = (Action.REPLY, Action.CORRECT, Action.WITHDRAW_REFERRAL, Action.RECALL_REFERRAL)


class CaseReferral(msgspec.Struct, frozen=True, kw_only=True):
    """A referral on the page of its case, with what the reader may do with it."""

    id: str
    number: str
    case_number: str
    submitted_at: dt.datetime
    agency: str
    user_name: str
    urgency: str
    consent_status: str
    support_meeting_only: bool
    view: View
    state: str
    revision: int
    actions: tuple[Action, ...]


class CasePage(msgspec.Struct, frozen=True, kw_only=True):
    """A case: where it stands, its people and their consents, its forms and documents, and what has happened.

    What only readers with the full view see is empty for the others, and so is what stands in a case of this group of which
    the reader does not see all. `actions`: what the caller may do with the case; `actions_in`: the same of each case of the
    group, by its number.
    """

    case_number: str
    state: str
    opened_at: dt.datetime
    fiscal_year: int
    revision: int
    origin: str
    lead: str
    ended_at: dt.datetime | None
    ended_code: str
    ended_note: str
    legal_hold: bool
    joined_into: str
    joined: tuple[str, ...]
    previous: tuple[str, ...]
    view: View
    actions: tuple[Action, ...]
    actions_in: dict[str, tuple[Action, ...]]
    people: tuple[PersonLine, ...]
    some_hidden: bool
    referrals: tuple[CaseReferral, ...]
    plans: tuple[PlanLine, ...]
    plan_kinds: tuple[PlanKind, ...]  # that the caller may draw up
    records: tuple[RecordLine, ...]
    documents: tuple[DocumentLine, ...]
    protections: tuple[ProtectionLine, ...]
    allocations: tuple[AllocationLine, ...]
    grounds: tuple[GroundLine, ...]
    matches: tuple[MatchLine, ...]
    timeline: tuple[TimelineEntry, ...]
    older: str  # into `?before=`: there is more


def case_page(connection: Connection, principal: Principal, profile: Profile, number: str, before: int = 0) -> CasePage:
    """The case as this person may see it, the time line from the line before `before` (0: the newest). The common 404."""
    if cases.readable(connection, principal, number) is None:
        raise not_found()
    case = standing.case_row(connection, number=number)
    row = connection.execute(sa.select(table).where(table.c.seq == case.seq)).one()
    group = (case.seq, *cases.joined_to(connection, case.seq))
    views_of = {seq: standing.view_of_case(connection, principal, seq)[0] for seq in group}
    seen = [seq for seq, view in views_of.items() if view is not None]
    full = [seq for seq in seen if views_of[seq] is View.FULL]
    joined = [standing.case_row(connection, seq=seq) for seq in seen if seq != case.seq]
    own = standing.on_case(connection, principal, profile, case)
    stands = {number: own} | {one.number: standing.on_case(connection, principal, profile, one) for one in joined}
    actions_in = {one: permitted(principal, profile, found, _ON_THE_CASE) for one, found in stands.items()}
    here = own.view is not None  # else it is the way to what is seen of the joined cases, and tells nothing of its own
    shown = people.people_of(connection, principal, group)
    taken = referrals_of(connection, principal, profile, case, group)
    written = case_sections.records_of(connection, principal, group, RECORDS_SHOWN)
    views = {f"referral/{line.id}": line.view for line in taken}
    views |= {f"{line.kind}/{line.id}": line.view for line in written}
    planned = plan_reading.lines_of(connection, principal, group)
    views |= {f"plan/{line.id}": line.view for line in planned}
    lines = timeline.visible(connection, principal, seen, full=full, before=before)
    told = joining.is_told(principal, profile, own)
    cut = tuple(found for seq in full for found in withholding.of_case(connection, principal, seq))
    return CasePage(
        case_number=number, state=row.state, opened_at=clock.moment_of(row.opened_at), fiscal_year=row.fiscal_year,
        revision=row.revision, origin=row.origin if here else "", lead=row.lead if here else "",
        ended_at=clock.moment_of(row.ended_at) if row.ended_at else None, ended_code=row.ended_code if here else "",
        ended_note=without(steering.closure_note(connection, case.seq), cut) if case.seq in full and row.ended_code else "",
        legal_hold=bool(row.legal_hold), joined_into=number_of(connection, row.joined_into),
        joined=tuple(one.number for one in joined),
        previous=joining.previous_of(connection, principal, case), view=own.view or View.MINIMAL,
        actions=actions_in[number], actions_in=actions_in, people=shown.lines, some_hidden=shown.some_hidden,
        referrals=taken, records=written,
        plans=planned, plan_kinds=plan_reading.kinds_offered(principal, profile, own),
        documents=projections.documents_of(connection, views, principal.agency),
        protections=case_sections.protections_of(connection, full, _reads_reasons(principal), cut),
        allocations=case_sections.allocations_of(connection, full, cut),
        grounds=case_sections.grounds_of(connection, full, cut),
        matches=joining.found_matches(connection, principal, case) if told else (),
        timeline=lines[: timeline.PAGE], older=str(lines[timeline.PAGE - 1].seq) if len(lines) > timeline.PAGE else "",
    )  # fmt: skip


def permitted(principal: Principal, profile: Profile, own: Standing, wanted: Sequence[Action]) -> tuple[Action, ...]:
    """Those of the actions that no rule stands against, now."""
    actor = rules.actor_of(principal, profile, clock.today())
    return tuple(action for action in wanted if rules.permitted(action, actor, own) is None)


def _reads_reasons(principal: Principal) -> str:
    """The agency that is asked of, empty for those who read every reason: why somebody is protected is told to few."""
    return "" if Role.RESPONSIBLE_SECTION in principal.roles else principal.agency


def number_of(connection: Connection, seq: int | None) -> str:
    """The number of a case by its row; empty for none."""
    if seq is None:
        return ""
    return str(connection.execute(sa.select(table.c.number).where(table.c.seq == seq)).scalar() or "")


def referrals_of(
    connection: Connection, principal: Principal, profile: Profile, case: CaseRow, group: Sequence[int]
) -> tuple[CaseReferral, ...]:
    """The referrals this person may see, newest first, each with what they may do with it."""
    rows = connection.execute(
        sa.select(referrals, table.c.number.label("case_number"), audience.c.view)
        .join(table, table.c.seq == referrals.c.case)
        .join(audience, audience.c.form == "referral/" + referrals.c.id)
        .where(referrals.c.case.in_(group), audience.c.case == referrals.c.case, *cases.may_read(principal))
        .order_by(referrals.c.seq.desc())
        .limit(MOST_REFERRALS)
    ).all()
    of_case = {case.seq: case}
    found = []
    for row in rows:
        there = of_case.setdefault(
            row.case, case if row.case == case.seq else standing.case_row(connection, seq=row.case)
        )
        own = standing.on_referral(connection, principal, profile, row, there)
        found.append(
            CaseReferral(
                id=row.id, number=row.number, case_number=row.case_number, submitted_at=clock.moment_of(row.submitted_at),
                agency=row.agency, user_name=row.user_name, urgency=row.urgency, consent_status=row.consent_status,
                support_meeting_only=bool(row.support_meeting_only), view=View(row.view), state=row.state,
                revision=row.revision, actions=permitted(principal, profile, own, _ON_A_REFERRAL),
            )
        )  # fmt: skip
    return tuple(found)
