"""社会資源・参加先: the list, one of them with what is matched with it, put on record and changed (rules `resource-keeper`,
`resource-matched`); and the figures of a 年度."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import matches as matched
from tsunagi_intake import records, resource_facts, standing
from tsunagi_intake.lifecycle import PlanState
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.resource_facts import KnownResource
from tsunagi_intake.resource_tables import follow_ups, matches, resources
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_intake.standing import Stale
from tsunagi_intake.tables import cases as cases_table
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.profile import Profile, ResourceKind, Role
from tsunagi_shared.forms.resource import ResourceEntry
from tsunagi_shared.problems import not_found

FULL = "、受入れできる人数に達しています"
UNLISTED = "unlisted"  # places that plans name in words alone
# 協力企業・団体: businesses that take people in, as against the welfare system's own facilities and places open anyway
PARTNER_KINDS = (ResourceKind.COMPANY, ResourceKind.SHOP, ResourceKind.FARM)
_MOST_MATCHES = 200


class ResourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One resource; `matched`: how many adopted plans name it now; `is_full`: that is all it can take in; `open`: whether a plan
    may name it; `may_change`: the reader."""

    id: str
    kind: ResourceKind
    name: str
    agency: str
    capacity: int | None
    contact: str
    conditions: str
    follow_up_days: int | None
    closed_on: dt.date | None
    given: bool
    revision: int
    matched: int
    is_full: bool
    open: bool
    may_change: bool


class ResourceList(msgspec.Struct, frozen=True, kw_only=True):
    """A page by kind; `next` goes into `?after=`."""

    items: tuple[ResourceLine, ...]
    next: str


class MatchLine(msgspec.Struct, frozen=True, kw_only=True):
    """An adopted plan that names the resource, for a reader of that plan."""

    plan: str
    plan_number: str
    case_number: str
    effective_on: dt.date


class ResourcePage(msgspec.Struct, frozen=True, kw_only=True):
    """One resource, and those of the matches that the reader may know of."""

    resource: ResourceLine
    matches: tuple[MatchLine, ...]


class ResourceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """参加支援 of a 年度.

    `participants`: cases whose participation plan was adopted in the year and names a place; `by_kind`: the same by
    ResourceKind, and `unlisted` for places named in words alone (a case with several kinds counts for each);
    `partner_resources`: resources of PARTNER_KINDS that were open on some day of the year; `follow_ups_due`: follow-ups whose
    day fell into the year; `follow_ups_done`: follow-ups done in it. Every kind is there, with 0 where there is none.
    """

    participants: int
    partner_resources: int
    follow_ups_due: int
    follow_ups_done: int
    by_kind: dict[str, int]


# read ------------------------------------------------------------------------------------------------------------------


def list_of(
    connection: Connection, principal: Principal, profile: Profile, kind: str, after: str, limit: int
) -> ResourceList:
    """The resources by kind and in the order they became known. `after`: the id of the last one of the page before."""
    order = list(ResourceKind)
    known = sorted(resource_facts.known(connection, profile).values(), key=lambda one: order.index(one.kind))
    wanted = [one for one in known if not kind or one.kind.value == kind]
    first = next((place for place, one in enumerate(wanted, 1) if one.id == after), 0)
    counts = _matched(connection)
    page = wanted[first : first + limit]
    lines = tuple(_line(one, principal, profile, counts.get(one.id, 0)) for one in page)
    return ResourceList(items=lines, next=page[-1].id if len(wanted) > first + limit else "")


def page_of(connection: Connection, principal: Principal, profile: Profile, identity: str) -> ResourcePage:
    """One resource for this reader; the common 404 when there is none."""
    found = _one(connection, profile, identity)
    counts = _matched(connection, identity)
    rows = connection.execute(
        sa.select(plans.c.id, plans.c.number, plans.c.effective_on, cases_table.c.number.label("case_number"))
        .join(matches, matches.c.plan == plans.c.id)
        .join(cases_table, cases_table.c.seq == plans.c.case)
        .where(
            matches.c.resource == identity, plans.c.state == PlanState.ADOPTED.value,
            matched.seen_by(principal),
        )
        .order_by(plans.c.id.desc())
        .limit(_MOST_MATCHES)
    )  # fmt: skip
    lines = tuple(
        MatchLine(
            plan=row.id, plan_number=row.number, case_number=row.case_number,
            effective_on=dt.date.fromisoformat(row.effective_on),
        )
        for row in rows
    )  # fmt: skip
    return ResourcePage(resource=_line(found, principal, profile, counts.get(identity, 0)), matches=lines)


def choices(connection: Connection, profile: Profile) -> tuple[tuple[str, str], ...]:
    """(id, what people read) of the resources that a plan of today may name."""
    today = clock.today()
    known = resource_facts.known(connection, profile).values()
    counts = _matched(connection)
    return tuple(
        (one.id, f"{one.name}（{one.kind.label}{FULL if _is_full(one, counts.get(one.id, 0)) else ''}）")
        for one in known
        if one.open_on(today)
    )


def _one(connection: Connection, profile: Profile, identity: str) -> KnownResource:
    found = resource_facts.one(connection, profile, identity)
    if found is None:
        raise not_found()
    return found


def _matched(connection: Connection, identity: str = "") -> dict[str, int]:
    """By resource, how many adopted plans name it."""
    wanted = (
        sa.select(matches.c.resource, sa.func.count())
        .join(plans, plans.c.id == matches.c.plan)
        .where(plans.c.state == PlanState.ADOPTED.value, matches.c.resource != "")
        .group_by(matches.c.resource)
    )
    if identity:
        wanted = wanted.where(matches.c.resource == identity)
    return {row[0]: int(row[1]) for row in connection.execute(wanted)}


def _is_full(one: KnownResource, count: int) -> bool:
    return one.capacity is not None and count >= one.capacity


def _line(one: KnownResource, principal: Principal, profile: Profile, count: int) -> ResourceLine:
    return ResourceLine(
        **msgspec.structs.asdict(one), matched=count, is_full=_is_full(one, count), open=one.open_on(clock.today()),
        may_change=keeps(principal, profile, one.agency),
    )  # fmt: skip


# put on record ---------------------------------------------------------------------------------------------------------

_WITHOUT_WRITING = frozenset({Role.AUDITOR.value, Role.ADMINISTRATOR.value})


def keeps(principal: Principal, profile: Profile, agency: str) -> bool:
    """Whether the person puts on record what that agency looks after: its own people, the provider's, the section's."""
    offices = (agency, profile.roles.multi_agency_provider, profile.municipality.responsible_section)
    return principal.agency in offices and not principal.roles <= _WITHOUT_WRITING


def opening(connection: Connection, principal: Principal, profile: Profile, identity: str) -> dict[str, object]:
    """What the page of a resource starts with: what is known of it, or (no `identity`) a new one of the own agency. Refusal."""
    if not identity:
        return {"agency": principal.agency}
    found = _one(connection, profile, identity)
    _check_keeper(principal, profile, found.agency)
    shown: dict[str, object] = msgspec.to_builtins(found)
    return {name: shown[name] for name in ResourceEntry.__struct_fields__}


def revision_of(connection: Connection, profile: Profile, identity: str) -> int:
    """The revision of a resource as it stands. The common 404."""
    return _one(connection, profile, identity).revision


def _check_keeper(principal: Principal, profile: Profile, agency: str) -> None:
    if not keeps(principal, profile, agency):
        raise standing.refusal_of(REFUSALS["not-resource-keeper"])


def add(connection: Connection, write: Write, form: ResourceEntry) -> bytes:
    """Put a resource on record; returns the encoded Receipt. Refusal, KeyReused."""
    return records.once(connection, write, lambda: _add(connection, write, form))


def _add(connection: Connection, write: Write, form: ResourceEntry) -> Receipt:
    _check_keeper(write.principal, write.profile, form.agency)
    moment = clock.now_us()
    identity = uuid7(moment)
    connection.execute(
        resources.insert().values(
            id=identity, since=clock.today().isoformat(), revision=1, **_values(write, form, moment)
        )
    )
    return _done(connection, write, identity, form.name, 1, "resource.add")


def change(connection: Connection, write: Write, identity: str, form: ResourceEntry) -> bytes:
    """Put what is known of a resource anew; of one of the profile kind and name stay. The encoded Receipt. Refusal, Stale."""
    return records.once(connection, write, lambda: _change(connection, write, identity, form))


def _change(connection: Connection, write: Write, identity: str, form: ResourceEntry) -> Receipt:
    found = _one(connection, write.profile, identity)
    for agency in (found.agency, form.agency):
        _check_keeper(write.principal, write.profile, agency)
    if write.revision is not None and write.revision != found.revision:
        raise Stale(found.revision, "", "")
    if found.given:
        form = msgspec.structs.replace(form, kind=found.kind, name=found.name)
    values = _values(write, form, clock.now_us()) | {"revision": found.revision + 1}
    row = connection.execute(resources.update().where(resources.c.id == identity).values(**values))
    if not row.rowcount:
        connection.execute(resources.insert().values(id=identity, since=clock.today().isoformat(), **values))
    return _done(connection, write, identity, form.name, found.revision + 1, "resource.change")


def _values(write: Write, form: ResourceEntry, moment: int) -> dict[str, object]:
    return {
        "kind": form.kind.value, "name": form.name, "agency": form.agency, "capacity": form.capacity,
        "contact": form.contact, "conditions": form.conditions, "follow_up_days": form.follow_up_days,
        "closed_on": form.closed_on.isoformat() if form.closed_on else None, "changed_at": moment,
        "user_name": write.principal.name,
    }  # fmt: skip


def _done(connection: Connection, write: Write, identity: str, name: str, revision: int, action: str) -> Receipt:
    audit.record(connection, write.principal, action, f"resource/{identity}")
    return Receipt(
        kind="resource", id=identity, number=name, case_number="", revision=revision, received_at=clock.now()
    )


# figures ---------------------------------------------------------------------------------------------------------------


def figures(connection: Connection, fiscal_year: int, profile: Profile) -> ResourceFigures:
    """The figures of the 年度 (1 April to 31 March). A case joined to another counts as that one."""
    first, last = dt.date(fiscal_year, 4, 1), dt.date(fiscal_year + 1, 3, 31)
    within = first.isoformat(), last.isoformat()
    case = sa.func.coalesce(cases_table.c.joined_into, cases_table.c.seq)
    adopted = (
        sa.select(matches.c.kind, case.label("case"))
        .join(plans, plans.c.id == matches.c.plan)
        .join(cases_table, cases_table.c.seq == plans.c.case)
        .where(plans.c.effective_on.between(*within))
        .subquery()
    )
    count = sa.func.count(adopted.c.case.distinct())
    kinds = {
        kind or UNLISTED: int(number)
        for kind, number in connection.execute(sa.select(adopted.c.kind, count).group_by(adopted.c.kind))
    }
    return ResourceFigures(
        participants=int(connection.execute(sa.select(count)).scalar_one()),
        partner_resources=_partners(connection, profile, first, last),
        follow_ups_due=_follow_ups(connection, follow_ups.c.due_on.between(*within)),
        follow_ups_done=_follow_ups(connection, follow_ups.c.done_on.between(*within)),
        by_kind={name: kinds.get(name, 0) for name in (*(kind.value for kind in ResourceKind), UNLISTED)},
    )


def _follow_ups(connection: Connection, wanted: sa.ColumnElement[bool]) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(follow_ups).where(wanted)).scalar_one())


def _partners(connection: Connection, profile: Profile, first: dt.date, last: dt.date) -> int:
    given = {resource.id for resource in profile.resources}
    since = {row.id: dt.date.fromisoformat(row.since) for row in connection.execute(sa.select(resources))}
    return sum(
        one.kind in PARTNER_KINDS and one.open_on(first) and (one.id in given or since[one.id] <= last)
        for one in resource_facts.known(connection, profile).values()
    )
