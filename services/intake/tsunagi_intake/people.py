"""The people of a case and their consents, as far as this reader's entries show them.

Names come from the forms the reader sees in full; of a summary only the person it is about. Who is hidden from the reader's
agency is not listed, and not counted either.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases
from tsunagi_intake.case_lines import ConsentStanding, fact_of, standing_of
from tsunagi_intake.consents import live
from tsunagi_intake.persons import shown_by
from tsunagi_intake.tables import audience, consents, records, referrals
from tsunagi_intake.tables import cases as cases_table
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.forms.referral import Referral

_MOST_REFERRALS = 100  # of a case, looked through for its people
_SHOWN_PARTLY = frozenset({View.SUMMARY.value, View.OWN_ALLOCATION.value})


class ConsentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One consent on record: what was agreed, until when, and by whom it was put on record."""

    id: str
    case_number: str
    status: str
    live: bool
    agencies: tuple[str, ...]
    excluded: tuple[str, ...]
    given_on: dt.date | None
    until: dt.date | None
    covers_successor: bool
    withdrawn_on: dt.date | None
    withdrawn_agencies: tuple[str, ...]
    closed: bool  # it has ended, and its end was made known: nothing more is changed of it
    revision: int
    form: str  # referral/<number> or consent/<id>: where it stands
    recorded_at: dt.datetime
    user_name: str
    agency: str


class PersonLine(msgspec.Struct, frozen=True, kw_only=True):
    """One person of the case. `consents`: newest first, only for readers with the full view."""

    id: str
    case_number: str
    name: str
    relationship: str
    standing: ConsentStanding
    consents: tuple[ConsentLine, ...] = ()

    @property
    def label(self) -> str:
        """What the person is called on buttons and in lists."""
        return (
            f"{self.name}（{self.relationship}）" if self.name and self.relationship else self.name or self.relationship
        )


class People(msgspec.Struct, frozen=True):
    """The people of a case that the reader sees; `some_hidden`: there are others, of whom nothing is said."""

    lines: tuple[PersonLine, ...] = ()
    some_hidden: bool = False


class _Known(msgspec.Struct):
    """One person while they are gathered from the forms."""

    case_number: str
    name: str
    relationship: str
    full: bool


def people_of(connection: Connection, principal: Principal, of_cases: Sequence[int]) -> People:
    """The people of a case and of those joined to it, the subject of the first referral first."""
    found, some_hidden = _gathered(connection, principal, of_cases)
    lines = _consents_of(connection, of_cases)
    facts: dict[str, list[Any]] = {}
    for row in connection.execute(sa.select(consents).where(consents.c.case.in_(of_cases))):
        facts.setdefault(row.person, []).append(fact_of(row))
    today = clock.today()
    return People(
        tuple(
            PersonLine(
                id=person, case_number=known.case_number, name=known.name, relationship=known.relationship,
                standing=standing_of(facts.get(person, ()), today),
                consents=tuple(lines.get(person, ())) if known.full else (),
            )
            for person, known in found.items()
        ),
        some_hidden,
    )  # fmt: skip


def _gathered(connection: Connection, principal: Principal, of_cases: Sequence[int]) -> tuple[dict[str, _Known], bool]:
    """Who stands on the referrals the reader sees; referrals taken back count only where there are no others."""
    rows = connection.execute(
        sa.select(
            referrals.c.persons,
            referrals.c.form,
            referrals.c.state,
            audience.c.view,
            audience.c.hidden,
            cases_table.c.number,
        )
        .join(cases_table, cases_table.c.seq == referrals.c.case)
        .join(audience, audience.c.form == "referral/" + referrals.c.id)
        .where(referrals.c.case.in_(of_cases), audience.c.case == referrals.c.case, *cases.may_read(principal))
        .order_by(referrals.c.seq)
        .limit(_MOST_REFERRALS)
    ).all()
    standing = [row for row in rows if row.state not in cases.TAKEN_BACK and row.form]
    found: dict[str, _Known] = {}
    some_hidden = False
    for row in standing or [row for row in rows if row.form]:
        full = row.view == View.FULL.value
        if not full and row.view not in _SHOWN_PARTLY:
            continue
        hidden = set(msgspec.json.decode(row.hidden))
        shown = shown_by(msgspec.json.decode(row.form, type=Referral))
        for person, described in zip(msgspec.json.decode(row.persons), shown, strict=False):
            if person in hidden:
                some_hidden = True
            elif full or not found:
                known = found.setdefault(person, _Known(row.number, described.name, described.relationship, full))
                known.full = known.full or full
            if not full:
                break
    return found, some_hidden


def _consents_of(connection: Connection, of_cases: Sequence[int]) -> dict[str, list[ConsentLine]]:
    """Every consent of the cases by person, newest first."""
    own = sa.select(
        referrals.c.id, referrals.c.submitted_at, referrals.c.user_name, referrals.c.agency, referrals.c.number.label("ref"),
        sa.literal("referral").label("kind"), referrals.c.state,
    ).where(referrals.c.case.in_(of_cases))  # fmt: skip
    forms = sa.select(
        records.c.id, records.c.submitted_at, records.c.user_name, records.c.agency, records.c.id.label("ref"),
        sa.literal("consent").label("kind"), records.c.state,
    ).where(records.c.case.in_(of_cases), records.c.kind == "consent")  # fmt: skip
    sources = {row.id: row for row in connection.execute(own.union_all(forms))}
    today = clock.today()
    found: dict[str, list[ConsentLine]] = {}
    rows = connection.execute(
        sa.select(consents, cases_table.c.number.label("case_number"))
        .join(cases_table, cases_table.c.seq == consents.c.case)
        .where(consents.c.case.in_(of_cases))
        .order_by(consents.c.id.desc())
    )
    for row in rows:
        source = sources.get(row.id)
        if source is None or source.state in cases.TAKEN_BACK:
            continue
        fact = fact_of(row)
        line = ConsentLine(
            id=row.id, case_number=row.case_number, status=row.status, live=live(fact, today),
            agencies=tuple(msgspec.json.decode(row.agencies)), excluded=tuple(msgspec.json.decode(row.excluded)),
            given_on=fact.given_on, until=fact.until, covers_successor=fact.covers_successor,
            withdrawn_on=fact.withdrawn_on, withdrawn_agencies=tuple(msgspec.json.decode(row.withdrawn_agencies)),
            closed=bool(row.closed), revision=row.revision, form=f"{source.kind}/{source.ref}",
            recorded_at=clock.moment_of(source.submitted_at),
            user_name=source.user_name, agency=source.agency,
        )  # fmt: skip
        found.setdefault(row.person, []).append(line)
    return found
