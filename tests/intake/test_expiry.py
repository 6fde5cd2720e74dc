"""What the passing of time does by itself: ends and beginnings on their Japanese day, contracts, the watermark, forgetting."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.conftest import MovableClock
from tests.data.intake import Intake, running_intake
from tests.data.referrals import referral, without_consent
from tests.data.services import PROFILE
from tests.intake.changing_cases import NOT_ASKED, World
from tests.intake.stored_cases import (
    add_allocation,
    add_case,
    add_consent,
    add_ground,
    add_protection,
    add_record,
    add_referral,
    put,
    recompute,
)
from tsunagi_intake import due, expiry, tables
from tsunagi_intake.expiry import Clockwork
from tsunagi_intake.republishing import republish_since
from tsunagi_shared import clock, database
from tsunagi_shared.clock import JST
from tsunagi_shared.contracts.envelope import decode
from tsunagi_shared.contracts.events import (
    ASSESSMENT_SUBMITTED,
    AUDIENCE_CHANGED,
    CONSENT_GIVEN,
    CONSENT_WITHDRAWN,
    PROTECTION_CHANGED,
    RECORD_ERASED,
    REFERRAL_SUBMITTED,
    WATERMARK_PASSED,
    ConsentWithdrawn,
    ProtectionChanged,
    WatermarkPassed,
)
from tsunagi_shared.outbox import outbox

CONTRACTED = "welfare-council"
LAST_DAY = dt.date(2027, 3, 31)


def at(day: dt.date, hour: int, minute: int = 0) -> dt.datetime:
    """A moment in Japan."""
    return dt.datetime(day.year, day.month, day.day, hour, minute, 5, tzinfo=JST)


@pytest.fixture
def world(intake: Intake) -> World:
    """The service of the test."""
    return World(intake)


async def ticked(world: World) -> None:
    """The clockwork has looked at the clock as it is now, and carried everything out."""
    await Clockwork(world.runtime).tick()


async def seen_by(world: World, referral_id: str) -> set[str]:
    """The agencies in the referral's audience."""
    return set(await world.audience(f"referral/{referral_id}"))


async def test_a_consent_ends_with_its_last_day_in_japan(world: World, movable_clock: MovableClock) -> None:
    """Until 23:59 it holds; after midnight in Japan its end is published once, and the audience without it."""
    movable_clock.to(at(dt.date(2026, 12, 1), 12))
    consent = {
        "status": "given",
        "given_on": "2026-04-01",
        "method": "written",
        "agencies": ["sample-care"],
        "until": "2026-12-31",
    }
    _, referral_id = await world.opened(consent=consent, destinations=["sample-care"])
    movable_clock.to(at(dt.date(2026, 12, 31), 23, 59))
    await ticked(world)
    assert "sample-care" in await seen_by(world, referral_id)
    assert len(await world.events()) == 1
    movable_clock.to(at(dt.date(2027, 1, 1), 0))
    await ticked(world)
    await ticked(world)
    assert "sample-care" not in await seen_by(world, referral_id)
    (ended,) = [event for event in await world.events() if event.type == CONSENT_WITHDRAWN]
    data = msgspec.json.decode(ended.data, type=ConsentWithdrawn)
    assert (data.consent_id, data.code, data.agencies, data.withdrawn_on) == (
        referral_id,
        "expired",
        (),
        dt.date(2027, 1, 1),
    )
    assert (ended.aggregate, ended.revision) == (f"consent/{referral_id}", 2)
    (row,) = await world.rows(tables.consents)
    assert (row.closed, row.revision) == (1, 2)
    assert [line.kind for line in await world.rows(tables.timeline)] == ["consent_expired", "audience_changed"]
    assert [event.type for event in await world.events()].count(AUDIENCE_CHANGED) == 1
    await world.agrees()


async def test_what_was_prolonged_meanwhile_does_not_end(world: World, movable_clock: MovableClock) -> None:
    """Between being found and being carried out a consent was extended: nothing is closed."""
    movable_clock.to(at(dt.date(2026, 12, 1), 12))
    case, referral_id = await world.opened(consent=NOT_ASKED)
    given = await world.do(
        partial(add_consent, case=case, person=f"{referral_id}.0", agencies=["sample-care"], until="2026-12-31")
    )
    await world.recomputed(case)
    found = due.Due(case=case, consents=[given])
    await world.do(
        lambda c: c.execute(tables.consents.update().where(tables.consents.c.id == given).values(until="2027-12-31"))
    )
    movable_clock.to(at(dt.date(2027, 1, 1), 0))
    carry_out = partial(expiry.carry_out, profile=world.profile, outbox_=world.runtime.outbox, waiting=[found])
    assert await world.do(carry_out) == (1, 0)
    assert "sample-care" in await seen_by(world, referral_id)
    assert CONSENT_WITHDRAWN not in {event.type for event in await world.events()}


async def test_protections_begin_and_end_on_their_day(world: World, movable_clock: MovableClock) -> None:
    """From its first day on it withholds, after its last it does not; documents is told each time."""
    movable_clock.to(at(dt.date(2026, 12, 1), 12))
    case, referral_id = await world.opened()
    await ticked(world)
    protect = partial(add_protection, case=case, person=f"{referral_id}.0", since="2026-12-10", until="2026-12-20")
    await world.do(protect)
    await world.recomputed(case)
    told: list[tuple[str, ...]] = []
    for day, is_withheld in ((9, False), (10, True), (20, True), (21, False)):
        movable_clock.to(at(dt.date(2026, 12, day), 0, 1))
        await ticked(world)
        found = await world.audience(f"referral/{referral_id}")
        assert {bool(entry.withheld) for entry in found.values()} == {is_withheld}, day
        events = [event for event in await world.events() if event.type == PROTECTION_CHANGED]
        told = [msgspec.json.decode(event.data, type=ProtectionChanged).withheld for event in events]
        await world.agrees()
    assert told == [(f"{referral_id}.0:address",), ()]
    (row,) = await world.rows(tables.protections)
    assert row.lifted_at


async def test_allocations_and_grounds_end_on_their_day(world: World, movable_clock: MovableClock) -> None:
    """Each opens from its first day to its last; the time line says what ended."""
    movable_clock.to(at(dt.date(2026, 12, 1), 12))
    case, referral_id = await world.opened()
    await ticked(world)

    def write(connection: Connection) -> None:
        add_consent(connection, case, f"{referral_id}.0", ["sample-clinic"])
        add_allocation(connection, case, "sample-clinic", since="2026-12-10", until="2026-12-20")
        add_ground(connection, case, "sample-nursery", until="2026-12-20")
        recompute(connection, world.runtime, case)

    await world.do(write)
    both = {"sample-nursery", "sample-clinic"}
    for day, extra in ((9, {"sample-nursery"}), (10, both), (20, both), (21, set())):
        movable_clock.to(at(dt.date(2026, 12, day), 0, 1))
        await ticked(world)
        assert await seen_by(world, referral_id) & both == extra, day
        await world.agrees()
    kinds = {line.kind for line in await world.rows(tables.timeline)}
    assert {"allocation_ended", "ground_ended", "audience_changed"} <= kinds


def _profile_with(folder: Path, contracts: str) -> Path:
    shutil.copytree(PROFILE, folder)
    path = folder / "profile.toml"
    text = path.read_text(encoding="utf-8")
    before = 'operated_by = [{ contractor = "社会福祉法人福生市社会福祉協議会", from = 2025-04-01 }]'
    assert text.count(before) == 1
    path.write_text(text.replace(before, f"operated_by = [{contracts}]"), encoding="utf-8")
    return folder


_FIRST = f'{{ contractor = "見本法人", from = 2025-04-01, until = {LAST_DAY} }}'
_NEXT = '{ contractor = "見本の次の法人", from = 2027-04-01 }'


@asynccontextmanager
async def _running(folder: Path, profile: Path, moved: MovableClock) -> AsyncIterator[World]:
    async with running_intake(folder, profile=profile, clock_file=moved.path) as intake:
        yield World(intake)


async def test_a_contractor_ends_and_another_begins(tmp_path: Path, movable_clock: MovableClock) -> None:
    """On 1 April those who consented to the old contractor alone are closed to the agency; who said so stays open to it."""
    movable_clock.to(at(dt.date(2027, 3, 1), 12))
    async with _running(
        tmp_path / "data", _profile_with(tmp_path / "profile", f"{_FIRST}, {_NEXT}"), movable_clock
    ) as world:
        await ticked(world)
        seen: dict[int, str] = {}
        for covers_successor in (0, 1):
            case, referral_id = await world.opened(consent=NOT_ASKED, destinations=[CONTRACTED])
            await world.do(
                partial(
                    add_consent, case=case, person=f"{referral_id}.0", agencies=[CONTRACTED],
                    covers_successor=covers_successor,
                )
            )  # fmt: skip
            await world.recomputed(case)
            seen[covers_successor] = referral_id
        entries = await world.audience(f"referral/{seen[0]}")
        assert entries[CONTRACTED].until == LAST_DAY
        movable_clock.to(at(LAST_DAY, 23, 59))
        await ticked(world)
        assert CONTRACTED in await seen_by(world, seen[0])
        movable_clock.to(at(LAST_DAY + dt.timedelta(days=1), 0))
        await ticked(world)
        assert CONTRACTED not in await seen_by(world, seen[0])
        assert CONTRACTED in await seen_by(world, seen[1])
        assert [line.code for line in await world.rows(tables.timeline)][-1] == "contract_changed"
        await world.agrees()


async def test_a_profile_changed_between_two_starts(tmp_path: Path, movable_clock: MovableClock) -> None:
    """A contract that the municipality ended in its profile: looked at anew at the start, once; the same profile again: no."""
    movable_clock.to(at(dt.date(2027, 3, 1), 12))
    async with _running(tmp_path / "data", PROFILE, movable_clock) as world:
        consent = {"status": "given", "given_on": "2026-04-01", "method": "written", "agencies": [CONTRACTED]}
        _, referral_id = await world.opened(consent=consent, destinations=[CONTRACTED])
        assert CONTRACTED in await seen_by(world, referral_id)
    ended = _profile_with(tmp_path / "profile", '{ contractor = "見本法人", from = 2025-04-01, until = 2027-02-28 }')
    for _ in range(2):
        async with _running(tmp_path / "data", ended, movable_clock) as world:
            await ticked(world)
            assert CONTRACTED not in await seen_by(world, referral_id)
            assert [event.type for event in await world.events()].count(AUDIENCE_CHANGED) == 1
            await world.agrees()


async def test_only_the_cases_of_that_agency_are_looked_at(world: World) -> None:
    """Of many cases those are found on which the agency is or may come to be: by entry, consent, ground, or as a writer."""
    look = due.look_at(world.profile, clock.today())

    def write(connection: Connection) -> set[int]:
        cases = [add_case(connection) for _ in range(6)]
        for case in cases:
            add_referral(connection, world.profile, case, consent=NOT_ASKED)
        add_consent(connection, cases[0], "x.0", [CONTRACTED])
        add_ground(connection, cases[1], CONTRACTED)
        add_referral(connection, world.profile, cases[2], agency=CONTRACTED, consent=NOT_ASKED)
        add_record(connection, world.profile, cases[3], "contact", agency=CONTRACTED)
        add_allocation(connection, cases[4], CONTRACTED)  # opens nothing without a consent
        due.remember(connection, msgspec.structs.replace(look, agencies={**look.agencies, CONTRACTED: "another"}))
        return set(cases[:4])

    wanted = await world.do(write)
    found = await world.do(lambda connection: due.find(connection, world.profile, clock.today()))
    assert {one.case for one in found.cases} == wanted
    await world.do(lambda connection: due.remember(connection, msgspec.structs.replace(look, roles="others")))
    found = await world.do(lambda connection: due.find(connection, world.profile, clock.today()))
    assert len(found.cases) == 6


async def test_a_broken_case_keeps_nobody_else_open(world: World, movable_clock: MovableClock) -> None:
    """One case that cannot be carried out is taken back alone, told by /readyz, and found again; the others are closed."""
    movable_clock.to(at(dt.date(2026, 12, 1), 12))
    consent = {
        "status": "given",
        "given_on": "2026-04-01",
        "method": "written",
        "agencies": ["sample-care"],
        "until": "2026-12-31",
    }
    ids = [(await world.opened(consent=consent))[1] for _ in range(3)]
    await world.do(
        lambda c: c.execute(tables.consents.update().where(tables.consents.c.id == ids[1]).values(excluded="no list"))
    )
    movable_clock.to(at(dt.date(2027, 1, 1), 0))
    clockwork = Clockwork(world.runtime)
    await clockwork.tick()
    assert "1件" in clockwork.problem()
    closed = {row.id: row.closed for row in await world.rows(tables.consents)}
    assert [closed[identity] for identity in ids] == [1, 0, 1]
    await world.do(
        lambda c: c.execute(tables.consents.update().where(tables.consents.c.id == ids[1]).values(excluded="[]"))
    )
    movable_clock.to(at(dt.date(2027, 1, 1), 1))
    await clockwork.tick()
    assert clockwork.problem() == ""
    assert {row.closed for row in await world.rows(tables.consents)} == {1}


async def watermarks(world: World) -> list[Any]:
    """(revision, moment) of the watermarks that wait to be sent."""
    rows = await world.rows(outbox)
    events = [decode(row.payload) for row in rows if row.type == WATERMARK_PASSED]
    return [(event.revision, msgspec.json.decode(event.data, type=WatermarkPassed).at) for event in events]


async def test_the_watermark_says_how_far_things_are_published(world: World, movable_clock: MovableClock) -> None:
    """At the start all is known up to now; while an event waits, up to that event; in an outage one watermark waits, not many."""
    ((revision, first),) = await watermarks(world)
    assert (revision, abs(clock.now() - first) < dt.timedelta(seconds=20)) == (1, True)
    await world.opened()
    (event,) = await world.events()
    movable_clock.forward(3600)
    await ticked(world)
    assert await watermarks(world) == [(1, first)], "the one before has not left yet"
    await world.do(lambda connection: connection.execute(outbox.delete().where(outbox.c.type == WATERMARK_PASSED)))
    movable_clock.forward(7200)
    await ticked(world)
    ((revision, second),) = await watermarks(world)
    assert (revision, second) == (2, event.time)
    await world.do(lambda connection: connection.execute(outbox.delete()))
    movable_clock.forward(7261)
    await ticked(world)
    ((revision, third),) = await watermarks(world)
    assert revision == 3
    assert third > second + dt.timedelta(hours=1)


async def test_what_the_stream_has_forgotten_is_forgotten(world: World, movable_clock: MovableClock) -> None:
    """Places on the stream go after 14 days, drafts after 30."""

    def write(connection: Connection) -> None:
        put(connection, tables.publications, seq=1, form="referral/1", at=clock.now_us())
        put(
            connection, tables.drafts, id="1", user="mado", agency="disability", kind="referral", about="", content=b"{}",
            saved_at=clock.now_us(),
        )  # fmt: skip

    await world.do(write)
    for days, left in ((13, (1, 1)), (15, (0, 1)), (31, (0, 0))):
        movable_clock.forward(days * 86_400)
        await ticked(world)
        assert (len(await world.rows(tables.publications)), len(await world.rows(tables.drafts))) == left


async def test_republishing_says_everything_again(world: World, movable_clock: MovableClock) -> None:
    """Every form with a document, who may see it, what is protected and what was erased; of cases that stirred since the day."""
    movable_clock.to(at(dt.date(2026, 12, 1), 12))
    await world.opened()
    movable_clock.to(at(dt.date(2026, 12, 10), 12))
    case, referral_id = await world.opened()

    def write(connection: Connection) -> None:
        for kind in ("consent", "assessment", "contact"):
            add_record(connection, world.profile, case, kind)
        add_protection(connection, case, f"{referral_id}.0")
        recompute(connection, world.runtime, case)
        put(
            connection, tables.tombstones, form="referral/gone", case_number="C2020-00001", kind="referral", number="R2020-00001",
            erased_at=clock.now_us(), erased_by="soumu", code="retention_ended",
        )  # fmt: skip

    await world.do(write)
    newest = await world.told()
    await world.do(lambda connection: connection.execute(outbox.delete()))
    assert republish_since(world.runtime, dt.date(2026, 12, 10)) == (1, 4)
    types = [event.type for event in await world.events()]
    assert sorted(types) == sorted(
        (REFERRAL_SUBMITTED, CONSENT_GIVEN, ASSESSMENT_SUBMITTED, PROTECTION_CHANGED, RECORD_ERASED)
    )
    again = await world.told()
    assert again == {form: found for form, found in newest.items() if form in again}
    assert len(again) == 3


def _first_release(path: Path) -> None:
    """A database as the first release left it: two referrals of one case, without a row for any household or consent."""
    configuration = alembic.config.Config()
    configuration.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    configuration.set_main_option("version_locations", str(Path(tables.__file__).parent / "migrations" / "versions"))
    configuration.set_main_option("path_separator", "newline")
    configuration.attributes["version_table"] = "alembic_intake"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        configuration.attributes["connection"] = connection
        with connection.begin():
            alembic.command.upgrade(configuration, "0001")
            connection.exec_driver_sql(
                "INSERT INTO cases VALUES (1, 'C2026-00001', 2026, 'received', 1767225600000000, 'five-years', NULL, 0)"
            )
            for identity, form in (("first", referral()), ("second", without_consent(destinations=["sample-nursery"]))):
                form["person"]["birth_date"] = "1955-04-01"
                ids = [f"{identity}.{position}" for position in range(3)]
                connection.exec_driver_sql(
                    "INSERT INTO referrals (id, number, revision, fiscal_year, \"case\", submitted_at, user, user_name, agency,"
                    " urgency, consent_status, support_meeting_only, audience_revision, persons, withheld, form,"
                    " retention_class, legal_hold) VALUES (?, ?, 1, 2026, 1, 1767225600000000, 'mado', '見本　窓子',"
                    " 'disability', 'normal', ?, 0, 1, ?, '[]', ?, 'five-years', 0)",
                    (identity, f"R2026-{identity}", form["consent"]["status"], msgspec.json.encode(ids).decode(),
                     msgspec.json.encode(form)),
                )  # fmt: skip
                connection.exec_driver_sql("INSERT INTO persons VALUES (?, 'みほんたろう', '1955-04-01')", (identity,))
                connection.exec_driver_sql(
                    "INSERT INTO audience VALUES ('disability', 1, ?, 'origin', ?, 'full', '[]', NULL, 1)",
                    (f"referral/{identity}",) * 2,
                )
    engine.dispose()


async def test_what_the_first_release_took_is_looked_at_anew(tmp_path: Path) -> None:
    """After the update each referral has the audience of the rule as it is now, with the section and whom the consent names."""
    _first_release(tmp_path / "intake.db")
    async with running_intake(tmp_path) as intake:
        world = World(intake)
        await ticked(world)
        assert await seen_by(world, "first") == {
            "disability", "welfare-desk", "social-welfare", "sample-care", "hardship-support",
        }  # fmt: skip
        assert await seen_by(world, "second") == {"disability", "welfare-desk", "social-welfare"}
        people = {row.id: row.same_as for row in await world.rows(tables.persons)}
        assert (people["second.0"], people["second.2"], len(people)) == ("first.0", "second.2", 6)
        assert {row.id: row.person for row in await world.rows(tables.consents)} == {
            "first": "first.0",
            "second": "first.0",
        }
        await world.agrees()
