"""社会資源・参加先 as they are known: those of the profile with what staff put on record of them, and those that staff added."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake.resource_tables import resources
from tsunagi_shared.contracts.profile import Profile, ResourceKind
from tsunagi_shared.contracts.profile_tables import Resource

GIVEN_REVISION = 1  # of one of the profile that nobody put anything on record of


class KnownResource(msgspec.Struct, frozen=True, kw_only=True):
    """One resource. `given`: of the profile, whose kind and name stand; `revision`: of what staff put on record."""

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

    def open_on(self, day: dt.date) -> bool:
        """Whether a plan of that day may name it."""
        return self.closed_on is None or day < self.closed_on


def known(connection: Connection, profile: Profile) -> dict[str, KnownResource]:
    """Every resource by its id: of the profile in its order, then those that staff added, oldest first."""
    rows = {row.id: row for row in connection.execute(sa.select(resources).order_by(resources.c.id))}
    found = {one.id: _given(one, rows.get(one.id)) for one in profile.resources}
    return found | {identity: _added(row) for identity, row in rows.items() if identity not in found}


def one(connection: Connection, profile: Profile, identity: str) -> KnownResource | None:
    """The resource of that id; None when there is none."""
    row = connection.execute(sa.select(resources).where(resources.c.id == identity)).first()
    given = next((resource for resource in profile.resources if resource.id == identity), None)
    if given is not None:
        return _given(given, row)
    return _added(row) if row is not None else None


def _given(given: Resource, row: Any) -> KnownResource:
    if row is None:
        return KnownResource(
            id=given.id, kind=given.kind, name=given.name, agency=given.agency, capacity=given.capacity, contact="",
            conditions=given.conditions, follow_up_days=None, closed_on=None, given=True, revision=GIVEN_REVISION,
        )  # fmt: skip
    return msgspec.structs.replace(_added(row), kind=given.kind, name=given.name, given=True)


def _added(row: Any) -> KnownResource:
    return KnownResource(
        id=row.id, kind=ResourceKind[row.kind.upper()], name=row.name, agency=row.agency, capacity=row.capacity,
        contact=row.contact, conditions=row.conditions, follow_up_days=row.follow_up_days,
        closed_on=dt.date.fromisoformat(row.closed_on) if row.closed_on else None, given=False, revision=row.revision,
    )  # fmt: skip
