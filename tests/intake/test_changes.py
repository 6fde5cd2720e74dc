"""What a change does: the new audience is stored, listed, searchable and published, in the same transaction and no more often."""

from __future__ import annotations

import datetime as dt
import itertools
from functools import partial
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.data.intake import Intake
from tests.intake.changing_cases import NOT_ASKED, Steps, World
from tests.intake.stored_cases import (
    add_case,
    add_consent,
    add_protection,
    add_record,
    add_referral,
    entries,
    recompute,
    stored,
)
from tsunagi_intake import changes, form_facts, tables
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import BasisKind, View
from tsunagi_shared.contracts.events import (
    AUDIENCE_CHANGED,
    REFERRAL_SUBMITTED,
    AudienceChanged,
    ReferralSubmitted,
)
from tsunagi_shared.contracts.profile import Contract, Operation
from tsunagi_shared.outbox import outbox


def _set(table: sa.Table, connection: Connection, **columns: Any) -> None:
    connection.execute(table.update().values(columns))


@pytest.fixture
def world(intake: Intake) -> World:
    """The service of the test."""
    return World(intake)


async def test_a_new_form_is_published_with_its_first_audience(world: World) -> None:
    """Revision 1 in the tables and in one event, which carries form and audience; the case is on five lists."""
    _, referral_id = await world.opened()
    (event,) = await world.events()
    assert event.type == REFERRAL_SUBMITTED
    data = msgspec.json.decode(event.data, type=ReferralSubmitted)
    assert (data.audience_revision, entries(data.audience)) == (1, await world.audience(f"referral/{referral_id}"))
    assert {row.agency for row in await world.rows(tables.case_lists)} == {
        "disability", "welfare-desk", "social-welfare", "sample-care", "hardship-support",
    }  # fmt: skip
    await world.agrees()


async def test_nothing_changed_nothing_written(world: World) -> None:
    """Looked at again, and again: no event, no revision, no line, no row."""
    case, _ = await world.opened()
    before = [await world.rows(table) for table in (*tables.metadata.sorted_tables, outbox)]
    assert await world.recomputed(case) == ()
    assert await world.recomputed(case) == ()
    assert [await world.rows(table) for table in (*tables.metadata.sorted_tables, outbox)] == before


async def test_the_first_audience_of_a_new_case_is_that_of_a_recompute(world: World) -> None:
    """The short way that handing in a form takes stores what the long way would: nothing is left to change."""

    def write(connection: Connection) -> int:
        case = add_case(connection)
        referral_id = add_referral(connection, world.profile, case)
        found = form_facts.of_case(connection, world.profile, case, clock.today())
        assert found is not None
        keys = {person: next(iter(keys)) for person, keys in found.keys.items()}
        changes.first_audience(
            connection, world.profile, found.forms[0].facts, case=case, state="received", fiscal_year=2026, keys=keys
        )
        table = tables.referrals
        connection.execute(table.update().where(table.c.id == referral_id).values(audience_revision=1))
        return case

    case = await world.do(write)
    await world.agrees()
    assert await world.recomputed(case) == ()


async def test_a_consent_that_comes_later_opens_what_lay_there(world: World) -> None:
    """Without consent it stays within the 支援会議; with it the destinations gain, and content comes for the new view."""
    case, referral_id = await world.opened(consent=NOT_ASKED)
    before = await world.audience(f"referral/{referral_id}")
    assert set(before) == {"disability", "welfare-desk", "social-welfare"}
    await world.do(lambda connection: add_consent(connection, case, f"{referral_id}.0", ["sample-care"]))
    (change,) = await world.recomputed(case)
    assert (change.form, change.gained, change.cut) == (f"referral/{referral_id}", ("sample-care",), ())
    changed, content = (await world.events())[-2:]
    assert (changed.type, changed.aggregate, changed.revision) == (AUDIENCE_CHANGED, f"audience/{change.form}", 2)
    data = msgspec.json.decode(changed.data, type=AudienceChanged)
    assert (data.audience_revision, data.support_meeting_only, data.case_number) == (2, False, "C2026-00001")
    assert content.type == REFERRAL_SUBMITTED
    assert msgspec.json.decode(content.data, type=ReferralSubmitted).audience_revision == 2
    (row,) = await world.rows(tables.referrals)
    assert [left["agency"] for left in msgspec.json.decode(row.withheld)] == ["hardship-support"]
    line = (await world.rows(tables.timeline))[-1]
    assert (line.kind, line.ref, line.code) == ("audience_changed", change.form, "test")
    await world.agrees()


async def test_what_is_cut_needs_no_content(world: World) -> None:
    """A consent withdrawn for one agency: the audience alone is published; the others keep what they have."""
    case, _ = await world.opened()
    table = tables.consents
    await world.do(lambda c: c.execute(table.update().values(withdrawn_agencies='["sample-care"]')))
    (change,) = await world.recomputed(case)
    assert (change.gained, change.cut) == ((), ("sample-care",))
    assert [event.type for event in await world.events()] == [REFERRAL_SUBMITTED, AUDIENCE_CHANGED]
    assert "sample-care" not in {row.agency for row in await world.rows(tables.case_lists)}
    assert "sample-care" not in {row.agency for row in await world.rows(tables.case_keys)}
    await world.agrees()


async def test_two_changes_in_one_transaction(world: World) -> None:
    """Each has its revision; what came last stands, and nothing of the state between is left in the tables."""
    case, referral_id = await world.opened(consent=NOT_ASKED)

    def write(connection: Connection) -> None:
        given = add_consent(connection, case, f"{referral_id}.0", ["sample-care", "hardship-support"])
        recompute(connection, world.runtime, case)
        connection.execute(
            tables.consents.update().where(tables.consents.c.id == given).values(withdrawn_on="2026-04-02")
        )
        recompute(connection, world.runtime, case)

    await world.do(write)
    assert set(await world.audience(f"referral/{referral_id}")) == {"disability", "welfare-desk", "social-welfare"}
    assert [e.revision for e in await world.events() if e.type == AUDIENCE_CHANGED] == [2, 3]
    assert await world.told() == await world.do(stored)
    await world.agrees()


async def test_a_refused_change_leaves_nothing(world: World) -> None:
    """The audience goes with the transaction of its change: taken back together."""
    case, referral_id = await world.opened(consent=NOT_ASKED)
    before = [await world.rows(table) for table in (*tables.metadata.sorted_tables, outbox)]

    def write(connection: Connection) -> None:
        add_consent(connection, case, f"{referral_id}.0", ["sample-care"])
        recompute(connection, world.runtime, case)
        raise LookupError

    with pytest.raises(LookupError):
        await world.do(write)
    assert [await world.rows(table) for table in (*tables.metadata.sorted_tables, outbox)] == before


async def test_a_form_taken_back_stays_with_writer_and_section(world: World) -> None:
    """取下げ and 誤送付: everybody else is cut, on every list; its consent opens no other form of the case."""
    case, referral_id = await world.opened()
    await world.do(lambda c: add_record(c, world.profile, case, "assessment"))
    await world.recomputed(case)
    for state in ("withdrawn", "misdirected"):
        await world.do(partial(_set, tables.referrals, state=state))
        await world.recomputed(case)
        assert set(await world.audience(f"referral/{referral_id}")) == {"disability", "social-welfare"}
        assert BasisKind.CONSENT not in {
            entry.basis.kind for found in (await world.do(stored)).values() for entry in found.values()
        }
        await world.agrees()


async def test_an_audience_may_become_empty_and_come_back(world: World) -> None:
    """Nobody may see it: published as such, on no list, no content; somebody may again: content comes with it."""
    case, _ = await world.opened()
    ended = (Contract(starts=dt.date(2025, 4, 1), until=dt.date(2026, 3, 31), contractor="見本法人"),)
    nobody = msgspec.structs.replace(
        world.profile,
        agencies=tuple(
            msgspec.structs.replace(agency, operation=(Operation.ENTRUSTED,), operated_by=ended)
            for agency in world.profile.agencies
        ),
    )
    for changed in (1, 0):
        found = await world.do(
            lambda connection: changes.recompute(connection, nobody, world.runtime.outbox, case, reason="test")
        )
        assert len(found) == changed
    assert msgspec.json.decode((await world.events())[-1].data, type=AudienceChanged).entries == ()
    for table in (tables.audience, tables.case_lists, tables.case_keys):
        assert await world.rows(table) == []
    await world.recomputed(case)
    assert [event.type for event in await world.events()] == [
        REFERRAL_SUBMITTED, AUDIENCE_CHANGED, AUDIENCE_CHANGED, REFERRAL_SUBMITTED,
    ]  # fmt: skip
    await world.agrees()


async def test_an_erased_case_is_left_alone(world: World) -> None:
    """What is erased does not come back by being looked at."""
    case, _ = await world.opened()
    await world.do(lambda c: c.execute(tables.audience.delete()))
    await world.do(lambda c: c.execute(tables.cases.update().values(state="erased")))
    assert await world.recomputed(case) == ()
    assert await world.rows(tables.audience) == []


async def test_contacts_are_opened_and_not_published(world: World) -> None:
    """A contact log entry has an audience and no document, so that nothing of it leaves the service."""
    case, _ = await world.opened()
    contact = await world.do(lambda c: add_record(c, world.profile, case, "contact"))
    (change,) = await world.recomputed(case)
    assert change.form == f"contact/{contact}"
    assert set(await world.audience(change.form)) == {"welfare-desk", "social-welfare"}
    assert len(await world.events()) == 1
    await world.agrees()


async def test_a_protection_reaches_whoever_may_be_the_person(world: World) -> None:
    """Set in one case, it withholds in a case joined to it too, and from a row whose birth date nobody knew."""
    first, first_id = await world.opened()
    other, other_id = await world.opened()
    await world.do(
        lambda c: c.execute(tables.persons.update().where(tables.persons.c.case == other).values(birth_date=None))
    )
    await world.do(lambda c: add_protection(c, first, f"{first_id}.0"))
    await world.recomputed(first)
    assert all(entry.withheld for entry in (await world.audience(f"referral/{first_id}")).values())
    assert not any(entry.withheld for entry in (await world.audience(f"referral/{other_id}")).values())
    await world.do(
        lambda c: c.execute(tables.cases.update().where(tables.cases.c.seq == other).values(joined_into=first))
    )
    changed = await world.recomputed(first)
    assert [change.form for change in changed] == [f"referral/{other_id}"]
    assert {entry.withheld for entry in (await world.audience(f"referral/{other_id}")).values()} == {
        (f"{other_id}.0:address",)
    }
    content = [event for event in await world.events() if event.aggregate == f"referral/{other_id}"]
    assert len(content) == 2, "what is withheld is drawn anew"
    await world.agrees()


async def test_joined_cases_stand_on_one_list(world: World) -> None:
    """Whoever sees a form of the joined case has the case it went into on the list; once cut, neither of them."""
    into, _ = await world.opened(consent=NOT_ASKED)
    joined, _ = await world.opened()
    table = tables.case_lists
    assert (into, "sample-care") not in {(row.case, row.agency) for row in await world.rows(table)}
    await world.do(
        lambda c: c.execute(tables.cases.update().where(tables.cases.c.seq == joined).values(joined_into=into))
    )
    await world.recomputed(joined)
    rows = {(row.case, row.agency): row.state for row in await world.rows(table)}
    assert (rows[into, "sample-care"], rows[joined, "sample-care"]) == ("received", "joined")
    await world.agrees()
    await world.do(lambda c: c.execute(tables.consents.update().values(withdrawn_on="2026-04-02")))
    await world.recomputed(joined)
    assert "sample-care" not in {row.agency for row in await world.rows(table)}
    await world.agrees()


async def test_a_reply_goes_back_to_who_asked(world: World) -> None:
    """The window that wrote the referral sees the reply, as the window it came from."""
    case, referral_id = await world.opened()
    reply = await world.do(
        lambda c: add_record(c, world.profile, case, "reply", agency="welfare-desk", about=f"referral/{referral_id}")
    )
    await world.recomputed(case)
    entry = (await world.audience(f"reply/{reply}"))["disability"]
    assert (entry.basis.kind, entry.view) == (BasisKind.ORIGIN, View.FULL)
    await world.agrees()


@pytest.mark.parametrize("seed", range(12))
async def test_random_changes_leave_what_the_rule_gives(world: World, seed: int) -> None:
    """After each of 40 changes the tables agree with the rule; the events alone, shuffled, tell the same audiences."""
    steps = Steps(world, seed)
    for _ in range(40):

        def write(connection: Connection) -> None:
            for _ in range(steps.chance.choice((1, 1, 2))):  # two changes in one transaction among them
                recompute(connection, world.runtime, steps.step(connection))

        await world.do(write)
        await world.agrees()
    told = {form: found for form, found in (await world.do(stored)).items() if not form.startswith("contact/")}
    assert await world.told() == told
    revisions: dict[str, list[int]] = {}
    for event in await world.events():
        if event.type == AUDIENCE_CHANGED:
            revisions.setdefault(event.aggregate, []).append(event.revision)
    assert all(before < after for found in revisions.values() for before, after in itertools.pairwise(found))


async def test_what_a_look_costs_does_not_grow_with_the_forms(world: World) -> None:
    """The statements of a recompute that changes nothing are as many for fifty forms as for one."""
    counts = []
    for further in (0, 49):
        case, _ = await world.opened()
        for _ in range(further):
            await world.do(partial(add_record, profile=world.profile, case=case, kind="contact"))
        await world.recomputed(case)

        def counted(connection: Connection, case: int = case) -> int:
            said: list[str] = []
            connection.connection.driver_connection.set_trace_callback(said.append)  # type: ignore[union-attr]
            recompute(connection, world.runtime, case)
            connection.connection.driver_connection.set_trace_callback(None)  # type: ignore[union-attr]
            return len(said)

        counts.append(await world.do(counted))
    assert counts[0] == counts[1]
    assert counts[0] < 25


async def test_looking_at_a_case_uses_indexes(world: World) -> None:
    """No statement of a recompute walks a whole table, however many cases there are."""
    case, _ = await world.opened()

    def plans(connection: Connection) -> list[str]:
        said: list[str] = []
        driver = connection.connection.driver_connection
        driver.set_trace_callback(said.append)  # type: ignore[union-attr]
        recompute(connection, world.runtime, case)
        driver.set_trace_callback(None)  # type: ignore[union-attr]
        reads = [text for text in said if text.lstrip().upper().startswith("SELECT")]
        return [row[3] for text in reads for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]

    assert [step for step in await world.do(plans) if step.startswith("SCAN")] == []
