"""A service in whose database cases change, and what must hold of what is stored and published after each change."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.data.intake import Intake
from tests.data.referrals import without_consent
from tests.intake.stored_cases import (
    add_allocation,
    add_case,
    add_consent,
    add_ground,
    add_protection,
    add_record,
    add_referral,
    entries,
    recompute,
    stored,
    wanted,
)
from tsunagi_intake import changes, form_facts, tables
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import AudienceEntry
from tsunagi_shared.contracts.envelope import Envelope, decode
from tsunagi_shared.contracts.events import EVENTS, WATERMARK_PASSED, AudienceChanged, FormRecorded, ReferralSubmitted
from tsunagi_shared.outbox import outbox

NOT_ASKED = without_consent()["consent"]


class World:
    """A running service, and what a test does in its database."""

    def __init__(self, intake: Intake) -> None:
        self.runtime = intake.runtime
        self.profile = intake.runtime.profile

    async def do(self, function: Callable[[Connection], Any]) -> Any:
        """In one transaction."""
        return await self.runtime.database.write(function)

    async def opened(self, **fields: Any) -> tuple[int, str]:
        """A case with one referral whose audience is worked out: its row and the referral's id."""

        def write(connection: Connection) -> tuple[int, str]:
            case = add_case(connection)
            referral_id = add_referral(connection, self.profile, case, **fields)
            recompute(connection, self.runtime, case)
            return case, referral_id

        case, referral_id = await self.do(write)
        return case, referral_id

    async def recomputed(self, case: int) -> tuple[changes.Change, ...]:
        """The case looked at once more."""
        found: tuple[changes.Change, ...] = await self.do(lambda connection: recompute(connection, self.runtime, case))
        return found

    async def events(self) -> list[Envelope]:
        """What waits to be sent, without watermarks, oldest first."""
        rows = await self.do(lambda connection: connection.execute(sa.select(outbox).order_by(outbox.c.seq)).all())
        return [decode(row.payload) for row in rows if row.type != WATERMARK_PASSED]

    async def audience(self, form: str) -> dict[str, AudienceEntry]:
        """Who may see the form, as stored."""
        found = await self.do(stored)
        return dict(found.get(form, {}))

    async def rows(self, table: sa.Table) -> list[Any]:
        """Every row of a table."""
        return list(await self.do(lambda connection: connection.execute(sa.select(table)).all()))

    async def agrees(self) -> None:
        """What is stored is what the rule gives from the facts: audiences, lists and search keys."""
        day = clock.today()
        there, due = await self.do(lambda c: (stored(c), wanted(c, self.profile, day)))
        assert there == due
        listed, keys = await self.do(partial(_lists_due, self.profile, there))
        assert {(row.agency, row.case) for row in await self.rows(tables.case_lists)} == listed
        found = {(row.agency, row.search_key, row.case, row.person) for row in await self.rows(tables.case_keys)}
        assert found == keys

    async def told(self) -> dict[str, dict[str, AudienceEntry]]:
        """The audiences as the events tell them, whatever order they come in: the highest revision of each form."""
        newest: dict[str, tuple[int, dict[str, AudienceEntry]]] = {}
        events = await self.events()
        random.Random(7).shuffle(events)
        for event in events:
            data = msgspec.json.decode(event.data, type=EVENTS[event.type].data)
            if isinstance(data, AudienceChanged):
                form, found = data.form, data.entries
            elif isinstance(data, ReferralSubmitted | FormRecorded):
                form, found = event.aggregate, data.audience
            else:
                continue
            newest[form] = max(
                newest.get(form, (0, {})), (data.audience_revision, entries(found)), key=lambda row: row[0]
            )
        return {form: found for form, (_, found) in newest.items() if found}


def _lists_due(profile: Any, there: Any, connection: Connection) -> tuple[set[Any], set[Any]]:
    """Who is to have which case on the list, and by which kana each agency is to find it."""
    listed, keys = set(), set()
    for case in connection.execute(sa.select(tables.cases)).all():
        found = form_facts.of_case(connection, profile, case.seq, clock.today())
        assert found is not None
        for form in found.forms:
            for agency, entry in there.get(form.facts.form, {}).items():
                listed |= {(agency, case.seq), (agency, case.joined_into or case.seq)}
                for person in set(form.facts.persons) - set(entry.hidden):
                    keys |= {(agency, key, case.seq, person) for key in found.keys.get(person, ())}
    return listed, keys


AGENCIES = ("sample-care", "hardship-support", "sample-nursery", "welfare-council", "sample-clinic")


class Steps:
    """Random changes of the facts of a few cases."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)

    def step(self, connection: Connection) -> int:
        """One change, valid or senseless; the case it was made to."""
        seqs = connection.execute(sa.select(tables.cases.c.seq)).scalars().all()
        if not seqs or (len(seqs) < 3 and self.chance.random() < 0.2):
            seqs = [add_case(connection)]
            self.referral(connection, seqs[0])
        case = self.chance.choice(seqs)
        self.chance.choice(
            (
                self.referral, self.record, self.consent, self.consent, self.withdraw, self.withdraw_in_part, self.extend,
                self.protect, self.lift, self.allocate, self.end_allocation, self.ground, self.take_back, self.join,
            )
        )(connection, case)  # fmt: skip
        return int(case)

    def _some(self, names: Iterable[str] = AGENCIES) -> list[str]:
        names = list(names)
        return self.chance.sample(names, self.chance.randint(0, len(names)))

    def _person(self, connection: Connection, case: int) -> str:
        found = (
            connection.execute(sa.select(tables.persons.c.same_as).where(tables.persons.c.case == case)).scalars().all()
        )
        return str(self.chance.choice(found))

    def _change(self, connection: Connection, table: sa.Table, case: int, **columns: Any) -> None:
        ids = connection.execute(sa.select(table.c.id).where(table.c.case == case)).scalars().all()
        if ids:
            connection.execute(table.update().where(table.c.id == self.chance.choice(ids)).values(columns))

    def referral(self, connection: Connection, case: int) -> None:
        fields: dict[str, Any] = {"destinations": self._some() or ["sample-care"]}
        if self.chance.random() < 0.4:
            fields["consent"] = NOT_ASKED
        agency = self.chance.choice(("disability", "childcare", "welfare-desk"))
        add_referral(connection, self.world.profile, case, agency=agency, **fields)

    def record(self, connection: Connection, case: int) -> None:
        kind = self.chance.choice(("reply", "consent", "assessment", "contact", "evaluation"))
        first = connection.execute(sa.select(tables.referrals.c.id).where(tables.referrals.c.case == case)).scalar()
        agency = self.chance.choice(("welfare-desk", "sample-care"))
        add_record(connection, self.world.profile, case, kind, agency=agency, about=f"referral/{first}")

    def consent(self, connection: Connection, case: int) -> None:
        excluded = msgspec.json.encode(self._some(AGENCIES[:2])).decode()
        until = self.chance.choice((None, None, "2026-06-30", "2099-03-31"))
        add_consent(connection, case, self._person(connection, case), self._some(), excluded=excluded, until=until)

    def withdraw(self, connection: Connection, case: int) -> None:
        self._change(connection, tables.consents, case, withdrawn_on="2026-04-02", closed=1)

    def withdraw_in_part(self, connection: Connection, case: int) -> None:
        self._change(connection, tables.consents, case, withdrawn_agencies=msgspec.json.encode(self._some()).decode())

    def extend(self, connection: Connection, case: int) -> None:
        self._change(connection, tables.consents, case, until=self.chance.choice((None, "2099-09-30")))

    def protect(self, connection: Connection, case: int) -> None:
        cleared = msgspec.json.encode(self._some(("welfare-desk", "sample-care"))).decode()
        fields = self.chance.choice((("address",), ("phone",), ("address", "phone")))
        add_protection(connection, case, self._person(connection, case), *fields, cleared=cleared)

    def lift(self, connection: Connection, case: int) -> None:
        self._change(connection, tables.protections, case, lifted_at=1)

    def allocate(self, connection: Connection, case: int) -> None:
        add_allocation(connection, case, self.chance.choice(AGENCIES))

    def end_allocation(self, connection: Connection, case: int) -> None:
        self._change(connection, tables.allocations, case, ended_at=1)

    def ground(self, connection: Connection, case: int) -> None:
        add_ground(connection, case, self.chance.choice(AGENCIES))

    def take_back(self, connection: Connection, case: int) -> None:
        table = self.chance.choice((tables.referrals, tables.records))
        self._change(connection, table, case, state=self.chance.choice(("withdrawn", "misdirected")))

    def join(self, connection: Connection, case: int) -> None:
        joined = connection.execute(
            sa.select(tables.cases.c.seq).where(tables.cases.c.joined_into.is_not(None))
        ).first()
        if joined is None and case != 1:
            connection.execute(tables.cases.update().where(tables.cases.c.seq == case).values(joined_into=1))
