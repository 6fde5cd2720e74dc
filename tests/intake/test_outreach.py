"""アウトリーチ等 in codes: put down with the form, anew with its correction, counted by year, shown to who sees the form."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from tests.data.case_work import send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.intake.sittings import Table, today
from tsunagi_intake import outreach
from tsunagi_intake.outreach import OutreachFigures
from tsunagi_intake.resource_tables import matches, outreach_facts
from tsunagi_shared import clock
from tsunagi_shared.forms.contact import OutreachAction
from tsunagi_shared.forms.plan import ContactState
from tsunagi_shared.forms.referral import FindingRoute


async def figures(intake: Intake, year: int = 0) -> OutreachFigures:
    year = year or clock.fiscal_year(clock.today())
    return await intake.runtime.database.read(lambda connection: outreach.figures(connection, year))


async def contact(table: Table, **changes: Any) -> str:
    """A contact of today; its id."""
    form = sample("contact", **{"at": today(), "outreach_actions": [], **changes})
    answer = await table.desk.send(table.coordinator, "contacts", form)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_what_contacts_and_plans_say_is_counted(intake: Intake) -> None:
    """Every code is there, with zero where there is none; the last state counts; another year has none of it."""
    empty = await figures(intake)
    assert {*empty.by_channel} == {route.value for route in FindingRoute}
    assert {*empty.contacts_by_kind} == {*(action.value for action in OutreachAction), outreach.VISIT}
    assert {*empty.by_contact_state} == {state.value for state in ContactState}
    assert not any((*empty.by_channel.values(), *empty.contacts_by_kind.values(), *empty.by_contact_state.values()))
    table = await Table(intake).open()
    await table.work.draft("outreach", found_by="gathering", contact_state="none")
    assert not any((await figures(intake)).by_channel.values())  # a draft
    (row,) = [row for row in await intake.rows(outreach_facts) if row["what"] == "channel"]
    proposed = await table.work.post(table.coordinator, row["form"].partition("/")[2], "proposal")
    assert proposed.status_code == 201, proposed.text
    await contact(table, method="visit", outreach_actions=["letter_left", "consulted"], companions=["health_nurse"])
    await contact(table, method="phone", outreach_actions=["trigger", "family_support"], contact_state="family")
    await contact(table, method="visit", outreach_actions=["trigger", "joint_visit"], contact_state="person")
    await contact(table, method="visit")  # not of an outreach
    found = await figures(intake)
    assert {code: count for code, count in found.by_channel.items() if count} == {"gathering": 1}
    assert {code: count for code, count in found.contacts_by_kind.items() if count} == {
        "letter_left": 1, "consulted": 1, "trigger": 2, "family_support": 1, "joint_visit": 1, "visit": 2,
    }  # fmt: skip
    assert (found.accompanied, found.consultations, found.trigger_users) == (2, 1, 1)
    assert {code: count for code, count in found.by_contact_state.items() if count} == {"person": 1}
    assert await figures(intake, clock.fiscal_year(clock.today()) - 1) == empty


async def test_what_was_there_before_is_counted_too(intake: Intake) -> None:
    """The migration puts down of plans and contacts what they put down themselves when they are handed in today."""
    table = await Table(intake).open()
    await table.work.draft("outreach", found_by="gathering", contact_state="none")
    await table.work.draft("participation", resource="見本の畑", resource_id="")
    await contact(table, method="visit", outreach_actions=["letter_left", "trigger"], companions=[], contact_state=None)
    await contact(table, method="phone", outreach_actions=["information"], companions=[], contact_state=None)
    tables = (outreach_facts, matches)
    written = [await intake.rows(table) for table in tables]
    assert all(written)
    path = Path(outreach.__file__).parent / "migrations" / "versions" / "0004_resources.py"
    statements = runpy.run_path(str(path))["SAID_BEFORE"]

    def again(connection: Connection) -> None:
        for table in tables:
            connection.execute(table.delete())
        for statement in statements:
            connection.exec_driver_sql(statement)

    await intake.runtime.database.write(again)
    assert [await intake.rows(table) for table in tables] == written


async def test_a_correction_takes_the_place_of_what_was_said(intake: Intake) -> None:
    """What a corrected contact no longer says is not counted."""
    table = await Table(intake).open()
    identity = await contact(table, outreach_actions=["letter_left", "information"], companions=["medical"])
    form = sample("contact", at=today(), outreach_actions=["information"], companions=[])
    changed = await send(table.coordinator, f"/records/contact/{identity}", form, method="PUT", revision=1)
    assert changed.status_code == 200, changed.text
    found = await figures(intake)
    assert {code: count for code, count in found.contacts_by_kind.items() if count} == {"information": 1, "visit": 1}
    assert found.accompanied == 0


async def test_the_list_shows_what_the_reader_sees_all_of(intake: Intake) -> None:
    """Cases under outreach by number, counted from forms in full view; nobody else learns of them."""
    table = await Table(intake).open()
    await contact(table, method="visit", outreach_actions=["letter_left"], contact_state="family")
    await contact(table, method="phone", outreach_actions=["information"], companions=["health_nurse"])
    for caller in (table.coordinator, table.section):
        (line,) = (await caller.get("/outreach")).json()["items"]
        assert (line["case_number"], line["contact_state"]) == (table.case, "family")
        assert (line["contacts"], line["visits"], line["accompanied"]) == (2, 1, 1)
        assert table.case in (await caller.get("/outreach", page=True)).text
    for caller in (table.stranger, table.care):
        assert (await caller.get("/outreach")).json()["items"] == []
    revision = (await table.section.get(f"/cases/{table.case}")).json()["revision"]
    ended = await table.desk.send(table.coordinator, "closure", sample("closure"), revision=revision)
    assert ended.status_code == 201, ended.text
    assert (await table.section.get("/outreach")).json()["items"] == []
