"""Intake in this process, as its routes call it: the check of the form, the contract, one transaction a write."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from tests.data.services import runtime_in
from tests.journeys.case_gates import Staff
from tests.journeys.case_model import Case, Sight, World
from tests.journeys.case_walk import Try
from tsunagi_intake import (
    actions,
    consent_changes,
    consent_records,
    expiry,
    joining,
    records,
    referrals,
    retention,
    steering,
    tables,
)
from tsunagi_intake.records import Write
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import check_contract
from tsunagi_shared.database import PLUMBING
from tsunagi_shared.forms.checks import check
from tsunagi_shared.forms.japanese import search_key
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
    "end_ground": lambda connection, write, target, _: actions.end_ground(connection, write, target),
    "set_lead": lambda connection, write, target, form: steering.set_lead(
        connection, write, target, steering.Lead(lead=form["lead"])
    ),
    "close_case": steering.close,
    "join_cases": lambda connection, write, target, form: joining.join(connection, write, target, form["into"]),
    "hold": lambda connection, write, target, form: retention.hold(connection, write, target, retention.Hold(**form)),
}


class Stored(msgspec.Struct, frozen=True):
    """An entry of the audience, as it is stored."""

    basis: str
    full: bool
    hidden: frozenset[str]
    withheld: frozenset[str]


def principal_of(staff: Staff) -> Principal:
    """The person as a service knows them."""
    return Principal(staff.user, "見本　職員", staff.agency, staff.roles, contractor=staff.contractor)


class IntakeSide:
    """The service's database and profile; it is not started: its clock is wound by hand. What is stored is looked at on a
    connection of the test's own."""

    def __init__(self, folder: Path, profile: Path) -> None:
        self.runtime = runtime_in(folder, "intake", profile=profile)
        self.profile = self.runtime.profile
        self._look = sqlite3.connect(self.runtime.database.path, isolation_level=None)
        self._taken = 0  # the last row of the outbox that was taken

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

    def close(self) -> None:
        """Let go of it."""
        self._look.close()
        self.runtime.database.close()
        self.runtime.accounts.close()

    async def clear(self) -> None:
        """Forget every case, for another walk."""
        await self.runtime.database.write(
            lambda connection: [connection.execute(table.delete()) for table in reversed(_TABLES)]
        )

    def changes(self) -> int:
        """How often a row was changed so far; what was taken back does not count."""
        return int(self._look.execute("SELECT number FROM changes_seen").fetchone()[0])

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
            check_contract(self.runtime.profile, principal)
            encoded = await self.runtime.database.write(lambda connection: carry(connection, write, tried.target, form))
        except Refusal as refusal:
            return refusal.problem.code, {}, ""
        answer = msgspec.json.decode(encoded)
        if tried.action != "submit":
            return "", answer, ""
        number = (answer["referral_number"],)
        return "", answer, self._look.execute("SELECT id FROM referrals WHERE number = ?", number).fetchone()[0]

    def states(self) -> dict[str, tuple[str, int, str | None]]:
        """Of every case by its number: its state, revision, and the number of the one it was joined to."""
        rows = self._look.execute(
            "SELECT one.number, one.state, one.revision, head.number FROM cases AS one"
            " LEFT JOIN cases AS head ON head.seq = one.joined_into"
        )
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def audience(self, number: str) -> dict[str, dict[str, Stored]]:
        """Who may see each form of a case today, as it is stored: by the form's name and the agency."""
        found: dict[str, dict[str, Stored]] = {}
        rows = self._look.execute(
            "SELECT form, agency, basis_kind, view, hidden, withheld FROM audience"
            ' WHERE "case" = (SELECT seq FROM cases WHERE number = ?) AND (until IS NULL OR until >= ?)',
            (number, clock.today().isoformat()),
        )
        for form, agency, basis, view, hidden, withheld in rows:
            kept = frozenset(msgspec.json.decode(hidden)), frozenset(msgspec.json.decode(withheld))
            found.setdefault(form, {})[agency] = Stored(basis, view == "full", *kept)
        return found

    def new_events(self) -> list[tuple[str, bytes]]:
        """What is to be sent since this was asked last, oldest first."""
        rows = self._look.execute(
            "SELECT seq, type, payload FROM outbox WHERE seq > ? ORDER BY seq", (self._taken,)
        ).fetchall()
        self._taken = rows[-1][0] if rows else self._taken
        return [(row[1], row[2]) for row in rows]

    async def pass_watermark(self) -> None:
        """All is sent, and consents are known up to now."""

        def send(connection: Connection) -> None:
            connection.execute(outbox.delete().where(outbox.c.seq <= self._taken))
            expiry.pass_watermark(connection, self.runtime.outbox)

        await self.runtime.database.write(send)

    async def carry_out_ends(self) -> None:
        """The clockwork looks at the clock once."""
        await expiry.Clockwork(self.runtime).tick()

    def agrees(self, world: World, case: Case, *, exactly: bool = True) -> None:
        """What is stored of a case is what the model says; not `exactly`: at most that."""
        stored = self.audience(case.number)
        wanted = {form.name: world.readers(form) for form in case.forms}
        assert stored.keys() <= wanted.keys()
        for name, sights in wanted.items():
            found = stored.get(name, {})
            if exactly:
                assert found.keys() == sights.keys(), (name, found.keys() ^ sights.keys())
            for agency, entry in found.items():
                if exactly or world.runner(agency, world.day) is not None:  # else nobody acts for it
                    _agrees(f"{name}, {agency}", entry, sights.get(agency), exactly=exactly)
        if exactly:
            self._lists_agree(world, case, wanted)

    def _lists_agree(self, world: World, case: Case, wanted: dict[str, dict[str, Sight]]) -> None:
        """The case is on the lists of those who see it, and they find it by the kana of those alone whom they see."""
        seq = self._look.execute("SELECT seq FROM cases WHERE number = ?", (case.number,)).fetchone()
        listed = self._look.execute('SELECT agency FROM case_lists WHERE "case" = ?', seq)
        assert {row[0] for row in listed} == {
            agency for form in world.forms_seen_with(case) for agency in world.readers(form)
        }
        keys = set(self._look.execute('SELECT agency, search_key, person FROM case_keys WHERE "case" = ?', seq))
        most, least = set(), set()
        for form in case.forms:
            for person in world.sought(form):
                identity = case.id_of(person)
                for agency, sight in wanted[form.name].items():
                    key = (agency, search_key(person.kana), identity)
                    if person.kana and any(identity not in hidden for hidden in sight.hidden):
                        most.add(key)
                    if person.kana and all(identity not in hidden for hidden in sight.hidden):
                        least.add(key)
        assert least <= keys <= most, (least - keys, keys - most)


def _agrees(name: str, entry: Stored, sight: Sight | None, *, exactly: bool) -> None:
    assert sight is not None, f"{name}: nothing opens it, but there is {entry}"
    if exactly:
        assert (entry.full, entry.withheld) == (sight.full, sight.withheld), f"{name}: {entry} but {sight}"
        assert entry.hidden in sight.hidden, f"{name}: {entry} but {sight}"
        assert entry.basis in sight.bases, f"{name}: {entry} but {sight}"
    assert sight.full or not entry.full, f"{name}: {entry} but {sight}"
    assert any(entry.hidden >= fewest for fewest in sight.hidden), f"{name}: {entry} but {sight}"
    assert entry.withheld >= sight.withheld, f"{name}: {entry} but {sight}"


def moment(day: dt.date) -> dt.datetime:
    """The morning of a day in Japan."""
    return dt.datetime.combine(day, dt.time(9), clock.JST)


def run(coroutine: Any) -> Any:
    """To its end, in a loop of its own."""
    return asyncio.run(coroutine)
