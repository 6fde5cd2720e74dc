"""Cases: opened, read within rights, and their derived state settled after each action."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import plan_facts
from tsunagi_intake.lifecycle import CaseFacts, CaseState, case_state
from tsunagi_intake.tables import audience, case_lists, consents, records, referrals
from tsunagi_intake.tables import cases as table
from tsunagi_intake.timeline import Happening, add
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.database import Statement
from tsunagi_shared.forms.assessment import Screening, Stage
from tsunagi_shared.forms.referral import ConsentStatus
from tsunagi_shared.problems import not_found

RECEIVED = "received"
ERASED = "erased"  # of its forms only tombstones are left
JOINED = "joined"  # on lists: shown by the case that it was joined to
TAKEN_BACK = ("withdrawn", "misdirected")  # states of a form

_OPEN = Statement(
    table.insert()
    .values(
        state=RECEIVED, legal_hold=0,
        **{name: sa.bindparam(name) for name in
           ("number", "fiscal_year", "opened_at", "retention_class", "origin", "previous")},
    )
    .returning(table.c.seq)
)  # fmt: skip


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
    """A page of the list of referrals; `next` goes into `?after=` (empty: this is the end)."""

    items: tuple[ReferralLine, ...]
    next: str


def open_case(
    connection: Connection,
    number: str,
    fiscal_year: int,
    moment: int,
    retention_class: str,
    origin: str = "",
    previous: int | None = None,
) -> int:
    """A new case, whose first referral `origin` wrote; returns its row number. `previous`: the ended case before it."""
    row = _OPEN.first(
        connection, number=number, fiscal_year=fiscal_year, opened_at=moment, retention_class=retention_class,
        origin=origin, previous=previous,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def may_read(principal: Principal) -> tuple[sa.ColumnElement[bool], ...]:
    """The entries of the audience that are this person's and live today."""
    whoever = sa.or_(audience.c.members == "[]", sa.func.instr(audience.c.members, f'"{principal.user}"') > 0)
    if not principal.reads_cases:
        return (sa.false(),)
    live = sa.or_(audience.c.until.is_(None), audience.c.until >= clock.today().isoformat())
    return (audience.c.agency == principal.agency, live, whoever)


def readable(connection: Connection, principal: Principal, number: str) -> int | None:
    """The case's row number if this person may see a form of it or of one joined to it, else None: unknown and forbidden are
    told apart nowhere."""
    found = connection.execute(sa.select(table.c.seq).where(table.c.number == number)).scalar()
    if found is None:
        return None
    for seq in (int(found), *joined_to(connection, int(found))):
        if connection.execute(sa.select(1).where(audience.c.case == seq, *may_read(principal)).limit(1)).first():
            return int(found)
    return None


def joined_to(connection: Connection, case: int) -> tuple[int, ...]:
    """The cases that were joined to this one, oldest first."""
    rows = connection.execute(sa.select(table.c.seq).where(table.c.joined_into == case).order_by(table.c.seq))
    return tuple(rows.scalars())


def head_of(connection: Connection, case: int) -> int:
    """The case in whose place this one is shown: the one it was joined to, or itself."""
    return int(connection.execute(sa.select(table.c.joined_into).where(table.c.seq == case)).scalar() or case)


class _Assessed(msgspec.Struct):
    """What the state of a case takes from an assessment."""

    stage: str = ""
    screening: str | None = None


def settle(connection: Connection, case: int, principal: Principal | None = None) -> CaseState:
    """Work the state of a case out anew after an action, and keep it where lists look for it; the state.

    A state that changed gets a line on the time line; one that ends the case also gets the day on which it ended, from
    which its forms are kept. The state of a case that was joined to another is no longer looked at.
    """
    row = connection.execute(sa.select(table).where(table.c.seq == case)).one()
    state = case_state(_facts(connection, row))
    if state.value == row.state or row.joined_into is not None or row.state == ERASED:
        return state
    moment = clock.now_us()
    ends = (row.ended_at or moment, row.completed_on or clock.today().isoformat()) if state.ended else (None, None)
    connection.execute(
        table.update().where(table.c.seq == case).values(state=state.value, ended_at=ends[0], completed_on=ends[1])
    )
    keep_by(connection, case)
    connection.execute(case_lists.update().where(case_lists.c.case == case).values(state=state.value))
    if ends[1] != row.completed_on:
        _complete_forms(connection, case, ends[1])
    add(connection, case, Happening.STATE_CHANGED, "", code=state.value, principal=principal, state=state.value)
    return state


def keep_by(connection: Connection, case: int) -> None:
    """Write down by which retention classes a case is kept, once it has ended: those of its forms and of the forms of cases
    joined to it. To be called when its end, or the forms, change; how long each class lasts is the profile's, and not kept."""
    head = head_of(connection, case)
    wanted_of_case = sa.select(table.c.completed_on, table.c.retention_class, table.c.kept_by).where(
        table.c.seq == head
    )
    row = connection.execute(wanted_of_case).one()
    classes: set[str] = set()
    if row.completed_on is not None:
        group = (head, *joined_to(connection, head))
        wanted = [sa.select(forms.c.retention_class).where(forms.c.case.in_(group)) for forms in (referrals, records)]
        classes = set(connection.execute(sa.union(*wanted)).scalars()) or {row.retention_class}
    kept_by = msgspec.json.encode(sorted(classes)).decode() if classes else ""
    if kept_by != row.kept_by:
        connection.execute(table.update().where(table.c.seq == head).values(kept_by=kept_by))


def _complete_forms(connection: Connection, case: int, completed_on: str | None) -> None:
    """The forms of a case, and of those joined to it, are kept from the day on which it ended."""
    for table_of_forms in (referrals, records):
        of_case = table_of_forms.c.case.in_((case, *joined_to(connection, case)))
        connection.execute(table_of_forms.update().where(of_case).values(completed_on=completed_on))


def _facts(connection: Connection, row: sa.Row[tuple[object, ...]]) -> CaseFacts:
    """What the state of a case depends on."""
    taken = connection.execute(
        sa.select(referrals.c.state, referrals.c.persons).where(referrals.c.case == row.seq).order_by(referrals.c.seq)
    ).all()
    standing = [referral for referral in taken if referral.state not in TAKEN_BACK]
    answers = {referral.state for referral in standing}
    subject = next(iter(msgspec.json.decode(standing[0].persons)), "") if standing else ""
    assessments = [
        msgspec.json.decode(form, type=_Assessed)
        for form in connection.execute(
            sa.select(records.c.form)
            .where(records.c.case == row.seq, records.c.kind == "assessment", records.c.state == "live")
            .order_by(records.c.seq.desc())
        ).scalars()
    ]
    given = connection.execute(
        sa.select(sa.func.count())
        .select_from(consents)
        .where(consents.c.case == row.seq, consents.c.person == subject, consents.c.status == ConsentStatus.GIVEN.value)
    ).scalar_one()
    plans, outreach = plan_facts.states_of(connection, (row.seq, *joined_to(connection, row.seq)))
    return CaseFacts(
        all_withdrawn=bool(taken) and not standing,
        replied="accepted" if "accepted" in answers else "returned" if answers == {"returned"} else "",
        screening=_screening([found.screening for found in assessments if found.screening]),
        intake=any(found.stage == Stage.INTAKE.value for found in assessments),
        assessed=any(found.stage == Stage.ASSESSMENT.value for found in assessments),
        consented=given > 0,
        plans=plans,
        outreach=outreach,
        lead=row.lead,
        ended_code=row.ended_code,
    )


def _screening(results: list[str]) -> str:
    """The newest result; a 中断 leaves another one standing. `results`: newest first."""
    return next((result for result in results if result != Screening.SUSPENDED.value), next(iter(results), ""))


_LINE = (
    sa.select(referrals, table.c.number.label("case_number"), audience.c.view)
    .join(table, table.c.seq == referrals.c.case)
    .join(
        audience,
        sa.and_(  # said both ways, so that an index serves from either side
            audience.c.case == referrals.c.case,
            audience.c.form == "referral/" + referrals.c.id,
            referrals.c.id == sa.func.substr(audience.c.form, len("referral/") + 1),
        ),
    )
)


def _line(row: sa.Row[tuple[object, ...]]) -> ReferralLine:
    return ReferralLine(
        row.number, row.case_number, clock.moment_of(row.submitted_at), row.agency, row.user_name, row.urgency,
        row.consent_status, bool(row.support_meeting_only), View(row.view), row.id,
    )  # fmt: skip


def list_referrals(connection: Connection, principal: Principal, after: tuple[int, int], limit: int) -> Page:
    """The referrals this person may see, newest first, from the one before `after` ((0, 0): from the newest)."""
    place = sa.tuple_(audience.c.case, referrals.c.seq)
    wanted = _LINE.where(*may_read(principal)).order_by(audience.c.case.desc(), referrals.c.seq.desc()).limit(limit + 1)
    if after != (0, 0):
        wanted = wanted.where(
            audience.c.case <= after[0], place < after
        )  # the first alone can be looked up in an index
    rows = connection.execute(wanted).all()
    following = f"{rows[limit - 1].case}-{rows[limit - 1].seq}" if len(rows) > limit else ""
    return Page(tuple(_line(row) for row in rows[:limit]), following)


def referral(connection: Connection, principal: Principal, number: str) -> sa.Row[tuple[object, ...]]:
    """The row of a referral this person may see (with `case_number` and their `view`); the common 404 otherwise."""
    row = connection.execute(_LINE.where(referrals.c.number == number, *may_read(principal))).first()
    if row is None:
        raise not_found()
    return row


def referrals_of(connection: Connection, principal: Principal, case: int) -> tuple[ReferralLine, ...]:
    """The case's referrals that this person may see, oldest first."""
    rows = connection.execute(_LINE.where(referrals.c.case == case, *may_read(principal)).order_by(referrals.c.seq))
    return tuple(_line(row) for row in rows)


def audience_of(connection: Connection, form: str) -> tuple[AudienceEntry, ...]:
    """The audience of a form as it stands."""
    rows = connection.execute(sa.select(audience).where(audience.c.form == form).order_by(audience.c.agency))
    return tuple(
        AudienceEntry(
            row.agency, Basis(BasisKind(row.basis_kind), row.basis_ref, row.law), View(row.view),
            tuple(msgspec.json.decode(row.members)), dt.date.fromisoformat(row.until) if row.until else None,
            tuple(msgspec.json.decode(row.hidden)), tuple(msgspec.json.decode(row.withheld)),
        )
        for row in rows
    )  # fmt: skip
