"""The reading side of documents in this process: its handlers on its database. What would be drawn is taken as drawn."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.journeys.case_gates import Staff, acts
from tests.journeys.case_intake import principal_of
from tests.journeys.case_model import Form, Sight, World
from tsunagi_documents import closing, reading
from tsunagi_documents.announcing import Announcer
from tsunagi_documents.closing import Doors
from tsunagi_documents.handlers import handlers_for
from tsunagi_documents.tables import METADATA, access, documents
from tsunagi_shared import clock
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.database import PLUMBING, Database
from tsunagi_shared.inbox import Inbox
from tsunagi_shared.outbox import Outbox
from tsunagi_shared.service import PLUMBING_MIGRATIONS

_MIGRATIONS = Path(closing.__file__).parent / "migrations" / "versions"
Event = tuple[str, bytes]


class DocumentsSide:
    """What one documents service knows of a walk: a transaction that is taken back at the end of it."""

    def __init__(self, folder: Path, name: str, profile: Profile) -> None:
        self.profile = profile
        self._database = Database(folder / f"{name}.db")
        self._database.open(PLUMBING_MIGRATIONS, (_MIGRATIONS, "alembic_documents"))
        code = profile.municipality.code
        announcer = Announcer(Outbox(f"/{code}/documents", profile.version), "http://documents.example")
        self._inbox = Inbox(self._database, code, handlers_for(profile, Doors(profile, announcer)))
        self._walk: AbstractContextManager[Connection] | None = None
        self.connection: Connection

    def begin(self) -> None:
        """A walk begins with nothing known."""
        self._walk = self._database.connection()
        self.connection = self._walk.__enter__()

    def end(self) -> None:
        """Nothing of the walk stays."""
        if self._walk is not None:
            for metadata in (METADATA, PLUMBING):
                for table in reversed(metadata.sorted_tables):
                    if table.name != "audit":
                        self.connection.execute(table.delete())
            self._walk.__exit__(None, None, None)
            self._walk = None

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def hear(self, events: list[Event]) -> None:
        """They arrive in this order."""
        for event_type, payload in events:
            self._inbox.receive(self.connection, stream_of(event_type), event_type, payload)

    def draw(self) -> None:
        """Everything that is to be drawn is stored."""
        drawn = "FROM documents WHERE state = 'pending' AND planned = 1"
        self.connection.exec_driver_sql(
            "INSERT INTO versions (document_id, version, form_revision, template_sha256, data_sha256, made_at, previous, chain)"
            f" SELECT id, version, form_revision, '', '', 0, x'', x'63' {drawn}"
        )
        self.connection.exec_driver_sql(f"UPDATE documents SET state = 'stored' WHERE id IN (SELECT id {drawn})")

    def known(self) -> tuple[list[Any], list[Any]]:
        """Who may read what, and the documents that the newest audiences ask for."""
        columns = (
            documents.c[name]
            for name in ("id", "form", "form_revision", "version", "hidden", "withheld", "case_number")
        )
        planned = sa.select(*columns).where(documents.c.planned == 1).order_by(documents.c.id)
        rows = sa.select(access).order_by(*access.primary_key.columns)
        return list(self.connection.execute(rows)), list(self.connection.execute(planned))

    def check(self, world: World, staff: list[Staff], dice: random.Random) -> None:
        """Everybody reads just what the model says, each paper in the projection that is theirs."""
        forms = {form.name: form for case in world.cases for form in case.forms}
        forms |= {form.name: form for form in world.pledges}
        sights = {name: world.readers(form) for name, form in forms.items()}
        rows = {row.id: row for row in self.connection.execute(sa.select(documents))}
        for one in staff:
            may = one.reads_cases and acts(world, one)
            wanted = {
                (name, kind)
                for name, form in forms.items()
                if may and (sight := sights[name].get(one.agency)) is not None
                for kind in world.papers(form, one.agency, sight)
            }
            found = self._readable(one)
            seen = {(rows[identity].form, rows[identity].kind) for identity in found}
            assert seen == wanted, f"{one.user} reads {seen - wanted} too much, {wanted - seen} too little"
            assert len(found) == len(seen)
            for identity in found:
                row = rows[identity]
                _check_projection(world, forms[row.form], row, sights[row.form][one.agency])
            self._check_grants(one, found, list(rows), dice)

    def _readable(self, staff: Staff) -> set[str]:
        query = reading.ListQuery(limit=5000)
        found, _ = reading.readable(self.connection, self.profile, principal_of(staff), query, clock.today())
        return {document.id for document in found}

    def _check_grants(self, staff: Staff, found: set[str], every: list[str], dice: random.Random) -> None:
        """What is listed opens, and what is not listed does not."""
        for identity in dice.sample(every, min(1, len(every))):
            grant = reading.grant_for(self.connection, self.profile, principal_of(staff), identity, clock.today())
            assert isinstance(grant, reading.Grant) == (identity in found), (staff.user, grant)
            assert not (isinstance(grant, reading.Grant) and grant.stale)


def _check_projection(world: World, form: Form, row: Any, sight: Sight) -> None:
    assert (row.view == "full") == sight.full, (form.name, row.view)
    assert frozenset(msgspec.json.decode(row.hidden)) in sight.hidden, form.name
    assert frozenset(msgspec.json.decode(row.withheld)) == sight.withheld, form.name
    assert row.form_revision == form.revision, form.name
    if form.case is not None:
        assert bool(row.support_meeting_only) == world.support_meeting_only(form), form.name
        assert row.case_number == form.case.number
