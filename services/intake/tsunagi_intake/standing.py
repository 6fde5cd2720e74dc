"""How the caller stands to a case or a form, and whether the rules let them do what they ask for.

Unknown and forbidden are one answer. A rule's refusal carries the rule's code, the reason, and what is possible instead;
nothing is written before every gate is passed.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, rules, timeline
from tsunagi_intake.rulebook import Broken
from tsunagi_intake.rules import Action, CaseState, Standing
from tsunagi_intake.tables import allocations, audience, consents, grounds, protections, records, referrals
from tsunagi_intake.tables import cases as cases_table
from tsunagi_intake.tables import timeline as timeline_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import BasisKind, View
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.problems import Refusal, not_found
from tsunagi_shared.web.pages import jst

# What a change of the case itself leaves on its time line
OF_THE_CASE = (
    Happening.PROTECTION_SET, Happening.PROTECTION_LIFTED, Happening.ALLOCATED, Happening.ALLOCATION_ENDED,
    Happening.LEAD_SET, Happening.CASE_CLOSED, Happening.CASE_JOINED, Happening.CASE_TAKEN_IN,
)  # fmt: skip


class CaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an action needs to know of a case."""

    seq: int
    number: str
    state: str
    revision: int
    joined_into: int | None


class Stale(Refusal):
    """409 `changed-meanwhile`: what the write was made on is not what there is. `revision`: what there is."""

    def __init__(self, revision: int, who: str, when: str) -> None:
        done = f"{when}に、{who}が" if who else f"{when}に、期限などによって" if when else "ほかの人が"
        super().__init__(
            409,
            "changed-meanwhile",
            f"この画面を開いたあとで、{done}変更しています。何も保存していません。",
            "変更の内容を確かめて、必要なら直してから、もう一度送ってください。",
        )
        self.revision = revision


def refusal_of(broken: Broken) -> Refusal:
    """The answer that a broken rule gives. What the caller may not see is answered as if it were not there."""
    return not_found() if broken.code == "no-view" else Refusal(409, broken.code, broken.reason, broken.way_out)


def allow(action: Action, principal: Principal, profile: Profile, standing: Standing) -> None:
    """Let the action through, or raise the Refusal."""
    broken = rules.permitted(action, rules.actor_of(principal, profile, clock.today()), standing)
    if broken is not None:
        raise refusal_of(broken)


def case_row(connection: Connection, *, number: str = "", seq: int = 0) -> CaseRow:
    """The case by its number or its row; the common 404 when there is none."""
    wanted = cases_table.c.number == number if number else cases_table.c.seq == seq
    row = connection.execute(sa.select(cases_table).where(wanted)).first()
    if row is None or row.state == cases.ERASED:
        raise not_found()
    return CaseRow(seq=row.seq, number=row.number, state=row.state, revision=row.revision, joined_into=row.joined_into)


def on_case(connection: Connection, principal: Principal, profile: Profile, case: CaseRow) -> Standing:
    """How the caller's agency stands to a case by itself: what it sees of a case joined to it opens nothing here."""
    view, basis = view_of_case(connection, principal, case.seq)
    wrote = sa.select(1).where(referrals.c.case == case.seq, referrals.c.agency == principal.agency).limit(1)
    return _standing(connection, principal, profile, case, view, basis, connection.execute(wrote).first() is not None)


def view_of_case(connection: Connection, principal: Principal, case: int) -> tuple[View | None, BasisKind | None]:
    """How much the caller's agency sees of a case, and on what basis; (None, None): nothing.

    All of it only by forms that others wrote, or by the referral that the case rests on (the first that was not taken back).
    What the agency noted itself, or handed in later, shows it that form and no more of the case; so do minutes, what it is
    asked to tell, and what one of its people hears in a sitting.
    """
    entries = sa.select(audience.c.view, audience.c.basis_kind).where(
        audience.c.case == case, *cases.may_read(principal)
    )
    full = audience.c.view == View.FULL.value
    whole = connection.execute(entries.where(full, _speaks_for_the_case(principal.agency, case)).limit(1)).first()
    if whole is not None:
        return View.FULL, BasisKind(whole.basis_kind)
    part = connection.execute(entries.order_by(full).limit(1)).first()
    if part is None:
        return None, None
    return View.MINIMAL if part.view == View.FULL.value else View(part.view), BasisKind(part.basis_kind)


# Forms that show an agency themselves and no more of their case
_BY_THEMSELVES = ("minutes", "information_request", "information_answer")


def _speaks_for_the_case(agency: str, case: int) -> sa.ColumnElement[bool]:
    """Whether an entry shows all of the case: its form is the referral that the case rests on, or another agency's that was
    neither addressed to this one nor only shown to somebody in a sitting."""
    identity = sa.func.substr(audience.c.form, sa.func.instr(audience.c.form, "/") + 1)
    own = [
        sa.exists().where(table.c.id == identity, table.c.agency == agency).correlate(audience)
        for table in (referrals, records)
    ]
    first = (
        sa.select("referral/" + referrals.c.id)
        .where(referrals.c.case == case)
        .order_by(referrals.c.state.in_(cases.TAKEN_BACK), referrals.c.seq)
        .limit(1)
        .scalar_subquery()
    )
    more = (sa.not_(audience.c.form.startswith(f"{kind}/")) for kind in _BY_THEMSELVES)
    heard = audience.c.basis_ref.startswith("sitting/")
    return sa.and_(sa.not_(heard), sa.or_(audience.c.form == first, sa.and_(sa.not_(sa.or_(*own)), *more)))


def on_referral(connection: Connection, principal: Principal, profile: Profile, row: Any, case: CaseRow) -> Standing:
    """How the caller's agency stands to one referral (its row)."""
    form = f"referral/{row.id}"
    answered = sa.select(1).where(
        records.c.case == case.seq, records.c.kind == "reply", records.c.about == form, records.c.agency == principal.agency
    )  # fmt: skip
    view, basis = _entry(connection, principal, form)
    standing = _standing(connection, principal, profile, case, view, basis, row.agency == principal.agency)
    return msgspec.structs.replace(
        standing, form_state=row.state, has_replied=connection.execute(answered.limit(1)).first() is not None
    )


def on_record(connection: Connection, principal: Principal, profile: Profile, row: Any, case: CaseRow) -> Standing:
    """How the caller's agency stands to one record (its row)."""
    view, basis = _entry(connection, principal, f"{row.kind}/{row.id}")
    standing = _standing(connection, principal, profile, case, view, basis, row.agency == principal.agency)
    return msgspec.structs.replace(standing, form_state=row.state)


def _entry(connection: Connection, principal: Principal, form: str) -> tuple[View | None, BasisKind | None]:
    wanted = sa.select(audience.c.view, audience.c.basis_kind).where(
        audience.c.form == form, *cases.may_read(principal)
    )
    row = connection.execute(wanted).first()
    return (View(row.view), BasisKind(row.basis_kind)) if row is not None else (None, None)


def _standing(
    connection: Connection, principal: Principal, profile: Profile, case: CaseRow, view: View | None,
    basis: BasisKind | None, is_writer: bool,
) -> Standing:  # fmt: skip
    today = clock.today().isoformat()
    allocated = sa.select(1).where(
        allocations.c.case == case.seq,
        allocations.c.agency == principal.agency,
        allocations.c.ended_at.is_(None),
        allocations.c.since <= today,
        sa.or_(allocations.c.until.is_(None), allocations.c.until >= today),
    )
    return Standing(
        view=view,
        basis=basis,
        is_writer=is_writer,
        is_provider=principal.agency == profile.roles.multi_agency_provider,
        is_section=principal.agency == profile.municipality.responsible_section,
        is_allocated=connection.execute(allocated.limit(1)).first() is not None,
        case_state=CaseState[case.state.upper()],
        joined=case.joined_into is not None,
    )


def check_revision(
    connection: Connection, profile: Profile, case: int, sent: int | None, stored: int, *refs: str
) -> None:
    """Let a write through that was made on what is stored; Stale tells who changed it and when.

    `refs`: by which names the time line knows it; none: the case itself.
    """
    if sent is None or sent == stored:
        return
    lines = sa.select(timeline_table).where(timeline_table.c.case == case)
    kinds = [kind.value for kind in OF_THE_CASE]
    lines = lines.where(timeline_table.c.ref.in_(refs) if refs else timeline_table.c.kind.in_(kinds))
    last = connection.execute(lines.order_by(timeline_table.c.seq.desc()).limit(1)).first()
    if last is None:
        raise Stale(stored, "", "")
    agency = profile.agency_names.get(last.agency, last.agency)
    raise Stale(stored, f"{agency}の{last.user_name}さん" if last.user_name else "", jst(last.at))


def touch(connection: Connection, case: CaseRow) -> int:
    """Another change of the case itself: its next revision."""
    connection.execute(
        cases_table.update().where(cases_table.c.seq == case.seq).values(revision=cases_table.c.revision + 1)
    )
    return case.revision + 1


def note(
    connection: Connection, case: CaseRow, kind: Happening, ref: str, principal: Principal, code: str = ""
) -> CaseState:
    """Put what was done on the time line, and the state of the case that follows from it; that state."""
    state = cases.settle(connection, case.seq, principal)
    timeline.add(connection, case.seq, kind, ref, code=code, principal=principal, state=state.value)
    return state


# What somebody asked for may be named by the case's number, a referral's, or the id of what belongs to a case
_NAMED = (referrals.c.number, records.c.id, consents.c.id, protections.c.id, allocations.c.id, grounds.c.id)


def case_number_of(connection: Connection, name: str) -> str:
    """The case that something belongs to, whoever asks: for the audit alone. Empty when nothing has that name."""
    of_case = sa.select(cases_table.c.number).where(cases_table.c.number == name)
    belonging = (
        sa.select(cases_table.c.number)
        .join(column.table, column.table.c.case == cases_table.c.seq)
        .where(column == name)
        for column in _NAMED
    )
    return str(connection.execute(sa.union_all(of_case, *belonging).limit(1)).scalar() or "")
