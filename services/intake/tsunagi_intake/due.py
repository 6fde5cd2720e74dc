"""What the passing of time alone changes: found here by reading, carried out by `expiry`.

Ends that have come (consents, protections, allocations, grounds) are known by their rows, which are marked when they are
carried out. What begins on a day (a protection, an allocation), and agencies whose contract began, ended or went to
another contractor, are known by comparing with what the table `facts` says of the last look.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_intake.form_facts import ERASED
from tsunagi_intake.tables import (
    allocations,
    audience,
    cases,
    consents,
    facts,
    grounds,
    protections,
    records,
    referrals,
)
from tsunagi_shared.contracts.audience import BasisKind
from tsunagi_shared.contracts.profile import Agency, LegalRole, Operation, Profile
from tsunagi_shared.forms.referral import ConsentStatus

LAST_LOOK = "last_look"  # in `facts`


class Look(msgspec.Struct, frozen=True):
    """What a look at the profile and the calendar saw: by agency all that decides whose people act for it, and until when."""

    day: dt.date
    agencies: dict[str, str]
    roles: str


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One case with what has come to its end there, by id. Without any: its audience is to be worked out anew."""

    case: int
    consents: list[str] = []
    protections: list[str] = []
    allocations: list[str] = []
    grounds: list[str] = []
    has_begun: bool = False  # a protection, which the other services must be told of


class Found(msgspec.Struct, frozen=True):
    """The cases to be carried out, ends first, and the look to be remembered once all of them are."""

    cases: tuple[Due, ...]
    look: Look
    is_new: bool  # the look differs from the one remembered


def look_at(profile: Profile, day: dt.date) -> Look:
    """What the profile says on that Japanese date."""
    body = profile.body(profile.roles.support_meeting_body)
    roles = (
        profile.roles.multi_agency_provider, profile.roles.support_meeting_secretariat,
        profile.municipality.responsible_section, body.id, body.secrecy_basis, LegalRole.SUPPORT_MEETING in body.roles_on(day),
        profile.is_provider_exempt_from_consent,
    )  # fmt: skip
    return Look(
        day, {agency.id: _contracts(agency, day) for agency in profile.agencies}, msgspec.json.encode(roles).decode()
    )


def _contracts(agency: Agency, day: dt.date) -> str:
    if Operation.DIRECT in agency.operation or not agency.operated_by:
        return "own"
    now = agency.contract_on(day)
    rows = [(row.contractor, row.starts, row.until) for row in agency.operated_by]
    return msgspec.json.encode((rows, now and now.starts)).decode()


def find(connection: Connection, profile: Profile, day: dt.date) -> Found:
    """Everything that is due on that Japanese date. Reads whole tables: for a reader, never for the event loop."""
    look, last = look_at(profile, day), _last_look(connection)
    ends: dict[int, Due] = {}
    for name, case, identity in _ended(connection, day.isoformat()):
        getattr(ends.setdefault(case, Due(case=case)), name).append(identity)
    others = set(_papers_closed(connection, day.isoformat()))
    if last is None or last.roles != look.roles:
        others.update(connection.execute(sa.select(cases.c.seq).where(cases.c.state != ERASED)).scalars())
    else:
        pairs = last.agencies.items() ^ look.agencies.items()
        others.update(_touched(connection, profile, {agency for agency, _ in pairs}))
    begun = set() if last is None else set(_begun(connection, protections, protections.c.lifted_at, last.day, day))
    if last is not None:
        others |= begun | set(_begun(connection, allocations, allocations.c.ended_at, last.day, day))
    due = [
        msgspec.structs.replace(ends.get(case, Due(case=case)), has_begun=case in begun)
        for case in (*ends, *sorted(others - ends.keys()))
    ]
    return Found(tuple(due), look, look != last)


def _papers_closed(connection: Connection, today: str) -> Iterator[int]:
    """Cases with papers that a sitting's members may not read any more: the days kept for that are over."""
    over = audience.c.basis_kind == BasisKind.SITTING.value, audience.c.until < today
    yield from connection.execute(sa.select(audience.c.case).where(*over).distinct()).scalars()


def remember(connection: Connection, look: Look) -> None:
    """Everything that this look found is carried out."""
    keep_fact(connection, LAST_LOOK, msgspec.json.encode(look).decode())


def keep_fact(connection: Connection, name: str, value: str) -> None:
    """Put a small fact in the place of the one of that name."""
    connection.execute(
        sa.dialects.sqlite.insert(facts)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=["name"], set_={"value": value})
    )


def fact(connection: Connection, name: str) -> str:
    """The fact of that name; empty when there is none."""
    return str(connection.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar() or "")


def _last_look(connection: Connection) -> Look | None:
    text = fact(connection, LAST_LOOK)
    return msgspec.json.decode(text, type=Look) if text else None


def _ended(connection: Connection, day: str) -> Iterator[tuple[str, int, str]]:
    """(field of Due, case, id) of what ran out before that day and is not yet marked."""
    given = sa.and_(consents.c.closed == 0, consents.c.status == ConsentStatus.GIVEN.value)
    for name, table, is_open in (
        ("consents", consents, given),
        ("protections", protections, protections.c.lifted_at.is_(None)),
        ("allocations", allocations, allocations.c.ended_at.is_(None)),
        ("grounds", grounds, grounds.c.ended_at.is_(None)),
    ):
        for row in connection.execute(sa.select(table.c.case, table.c.id).where(is_open, table.c.until < day)):
            yield name, row.case, row.id


def _begun(connection: Connection, table: sa.Table, end: sa.Column[int], last: dt.date, day: dt.date) -> Iterator[int]:
    """The cases where something began after the last look (or, with the clock set back, is no longer to have begun)."""
    low, high = sorted((last.isoformat(), day.isoformat()))
    rows = connection.execute(sa.select(table.c.case).where(end.is_(None), table.c.since > low, table.c.since <= high))
    return iter(rows.scalars())


def _touched(connection: Connection, profile: Profile, agencies: set[str]) -> Iterator[int]:
    """The cases on which these agencies are, or may come to be."""
    if not agencies:
        return
    acting = {
        profile.roles.multi_agency_provider,
        profile.roles.support_meeting_secretariat,
        profile.municipality.responsible_section,
    }
    if agencies & acting:
        yield from connection.execute(sa.select(cases.c.seq).where(cases.c.state != ERASED)).scalars()
        return
    for table in (audience, referrals, records, grounds):
        wanted = sa.select(table.c.case).distinct().where(table.c.agency.in_(agencies), table.c.case.is_not(None))
        yield from connection.execute(wanted).scalars()
    named = sa.or_(*(sa.func.instr(consents.c.agencies, f'"{agency}"') > 0 for agency in agencies))
    yield from connection.execute(sa.select(consents.c.case).where(consents.c.closed == 0, named)).scalars()
