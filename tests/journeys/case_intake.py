"""Intake in this process, as its routes call it: the check of the form, the contract, one transaction a write."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.data.services import runtime_in
from tests.journeys.case_gates import Staff
from tests.journeys.case_model import Sight, World
from tests.journeys.case_walk import Try
from tsunagi_intake import (
    actions,
    cases,
    consent_changes,
    consent_records,
    expiry,
    joining,
    posting,
    records,
    referrals,
    retention,
    steering,
    tables,
)
from tsunagi_intake.records import Write
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import AudienceEntry, View
from tsunagi_shared.database import PLUMBING
from tsunagi_shared.forms.checks import check
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.outbox import outbox
from tsunagi_shared.problems import Refusal

# A refusal is put on record; nothing else may be left of it
_ON_RECORD = {"audit", "audit_reasons", "idempotency"}
_TABLES = [
    table
    for metadata in (tables.metadata, PLUMBING)
    for table in metadata.sorted_tables
    if table.name not in _ON_RECORD
]
Carry = Callable[[Connection, Write, str, Any], bytes]


def _correct_record(kind: str) -> Carry:
    if kind == "consent":
        return consent_records.correct
    return lambda connection, write, target, form: records.correct(connection, write, kind, target, form)


def _submit_record(kind: str) -> Carry:
    return lambda connection, write, target, form: records.submit(connection, write, kind, target, form)


_CARRY: dict[str, Carry] = {
    "submit": lambda connection, write, _, form: referrals.submit(connection, write, form),
    "reply": actions.reply,
    "take_back": actions.take_back,
    "correct_referral": referrals.correct,
    "give_consent": consent_records.give,
    "withdraw_consent": consent_changes.withdraw,
    "extend_consent": consent_changes.extend,
    **{kind: _submit_record(kind) for kind in ("assessment", "contact", "evaluation")},
    "pledge": lambda connection, write, _, form: actions.pledge(connection, write, form),
    "protect": actions.protect,
    "lift_protection": lambda connection, write, target, _: actions.lift_protection(connection, write, target),
    "allocate": actions.allocate,
    "end_allocation": lambda connection, write, target, _: actions.end_allocation(connection, write, target),
    "record_ground": actions.declare_ground,
    "review_ground": lambda connection, write, target, _: actions.review_ground(connection, write, target),
    "set_lead": lambda connection, write, target, form: steering.set_lead(
        connection, write, target, steering.Lead(lead=form["lead"])
    ),
    "close_case": steering.close,
    "join_cases": lambda connection, write, target, form: joining.join(connection, write, target, form["into"]),
    "hold": lambda connection, write, target, form: retention.hold(connection, write, target, retention.Hold(**form)),
}


def principal_of(staff: Staff) -> Principal:
    """The person as a service knows them."""
    return Principal(staff.user, "見本　職員", staff.agency, staff.roles, contractor=staff.contractor)


class IntakeSide:
    """The service's database and profile; it is not started: its clock is wound by hand."""

    def __init__(self, folder: Path, profile: Path) -> None:
        self.runtime = runtime_in(folder, "intake", profile=profile)
        self.profile = self.runtime.profile
        self._changes = 0

    async def open(self) -> None:
        """Count every change of a row from now on."""

        def count(connection: Connection) -> None:
            connection.exec_driver_sql("CREATE TABLE changes_seen (number INTEGER NOT NULL)")
            connection.exec_driver_sql("INSERT INTO changes_seen VALUES (0)")
            for table in _TABLES:
                for event in ("INSERT", "UPDATE", "DELETE"):
                    connection.exec_driver_sql(
                        f'CREATE TRIGGER "seen_{table.name}_{event}" AFTER {event} ON "{table.name}"'
                        " BEGIN UPDATE changes_seen SET number = number + 1; END"
                    )

        await self.runtime.database.write(count)

    async def close(self) -> None:
        """Let go of it."""
        self.runtime.database.close()
        self.runtime.accounts.close()

    async def clear(self) -> None:
        """Forget every case, for another walk."""
        await self.runtime.database.write(
            lambda connection: [connection.execute(table.delete()) for table in reversed(_TABLES)]
        )

    async def changes(self) -> int:
        """How often a row was changed so far; what was taken back does not count."""
        return int(await self.read(lambda c: c.exec_driver_sql("SELECT number FROM changes_seen").scalar_one()))

    async def read(self, function: Callable[[Connection], Any]) -> Any:
        """On a connection that reads."""
        return await self.runtime.database.read(function)

    async def attempt(self, tried: Try) -> tuple[str, dict[str, Any], str]:
        """(code of the refusal or empty, the answer, the id of a referral that was taken)."""
        principal = principal_of(tried.staff)
        form: Any = tried.form
        if tried.kind:
            definition = FORMS[tried.kind]
            checked = check(definition.struct, tried.form, self.profile.codes(definition.settings, clock.today()))
            if checked.form is None:
                return "invalid-form", {}, ""
            form = checked.form
        write = Write(principal=principal, profile=self.profile, outbox=self.runtime.outbox, revision=tried.revision)
        carry = _correct_record(tried.kind) if tried.action == "correct_record" else _CARRY[tried.action]
        try:
            posting.check_contract(self.runtime, principal)
            encoded = await self.runtime.database.write(lambda connection: carry(connection, write, tried.target, form))
        except Refusal as refusal:
            return refusal.problem.code, {}, ""
        answer = msgspec.json.decode(encoded)
        return "", answer, await self._identity(answer["referral_number"]) if tried.action == "submit" else ""

    async def _identity(self, number: str) -> str:
        wanted = sa.select(tables.referrals.c.id).where(tables.referrals.c.number == number)
        return str(await self.read(lambda connection: connection.execute(wanted).scalar_one()))

    async def states(self) -> dict[str, tuple[str, int, str | None]]:
        """Of every case by its number: its state, revision, and the number of the one it was joined to."""
        head = tables.cases.alias()
        wanted = sa.select(tables.cases.c.number, tables.cases.c.state, tables.cases.c.revision, head.c.number).join(
            head, head.c.seq == tables.cases.c.joined_into, isouter=True
        )
        rows = await self.read(lambda connection: connection.execute(wanted).all())
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    async def audience(self, numbers: list[str]) -> dict[str, dict[str, AudienceEntry]]:
        """Who may see each form of these cases today, as it is stored: agency → entry, by the form's name."""

        def find(connection: Connection) -> dict[str, dict[str, AudienceEntry]]:
            of_cases = sa.select(tables.cases.c.seq).where(tables.cases.c.number.in_(numbers))
            forms = connection.execute(
                sa.select(tables.audience.c.form).distinct().where(tables.audience.c.case.in_(of_cases))
            ).scalars()
            today = clock.today()
            return {
                form: {entry.agency: entry for entry in cases.audience_of(connection, form) if entry.live_on(today)}
                for form in forms
            }

        found: dict[str, dict[str, AudienceEntry]] = await self.read(find)
        return found

    async def take_events(self) -> list[tuple[str, bytes]]:
        """What is to be sent, oldest first, as the relay takes it away."""

        def take(connection: Connection) -> list[tuple[str, bytes]]:
            rows = connection.execute(sa.select(outbox.c.type, outbox.c.payload).order_by(outbox.c.seq)).all()
            connection.execute(outbox.delete())
            return [(row.type, row.payload) for row in rows]

        return await self.runtime.database.write(take)

    async def carry_out_ends(self) -> None:
        """The clockwork looks at the clock once."""
        await expiry.Clockwork(self.runtime).tick()

    async def pass_watermark(self) -> None:
        """Consents are known up to now."""
        await self.runtime.database.write(lambda connection: expiry.pass_watermark(connection, self.runtime.outbox))


async def agrees(intake: IntakeSide, world: World, numbers: list[str], *, exactly: bool = True) -> None:
    """What is stored of these cases is what the model says; not `exactly`: at most that."""
    stored = await intake.audience(numbers)
    wanted = {form.name: world.readers(form) for case in world.cases if case.number in numbers for form in case.forms}
    assert stored.keys() <= wanted.keys()
    for name, sights in wanted.items():
        found = stored.get(name, {})
        if exactly:
            assert found.keys() == sights.keys(), (name, found.keys() ^ sights.keys())
        for agency, entry in found.items():
            if exactly or world.runner(agency, world.day) is not None:  # else nobody acts for it
                _agrees(name, entry, sights.get(agency), exactly=exactly)


def _agrees(name: str, entry: AudienceEntry, sight: Sight | None, *, exactly: bool) -> None:
    hidden, withheld, full = frozenset(entry.hidden), frozenset(entry.withheld), entry.view is View.FULL
    assert sight is not None, f"{name}: nothing opens it to {entry.agency}, but {entry.basis}"
    if exactly:
        assert (full, withheld) == (sight.full, sight.withheld), f"{name}: {entry} but {sight}"
        assert hidden in sight.hidden, f"{name}: {entry} but {sight}"
        assert entry.basis.kind.value in sight.bases, f"{name}: {entry} but {sight}"
    assert sight.full or not full, f"{name}: {entry} but {sight}"
    assert any(hidden >= fewest for fewest in sight.hidden), f"{name}: {entry} but {sight}"
    assert withheld >= sight.withheld, f"{name}: {entry} but {sight}"


def moment(day: dt.date) -> dt.datetime:
    """The morning of a day in Japan."""
    return dt.datetime.combine(day, dt.time(9), clock.JST)


def run(coroutine: Any) -> Any:
    """To its end, in a loop of its own."""
    return asyncio.run(coroutine)
