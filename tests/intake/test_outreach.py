"""アウトリーチ等 in codes: put down with the form, anew with its correction, counted by year, shown to who sees the form."""

from __future__ import annotations

import datetime as dt
import runpy
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from tests.data.case_work import DESTINATION, ORIGIN, PROVIDER, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.plan_work import plan
from tests.intake.case_facts import changed
from tests.intake.sittings import Table, today
from tsunagi_intake import outreach, reports
from tsunagi_intake.outreach import OutreachFigures
from tsunagi_intake.resource_tables import matches, outreach_facts
from tsunagi_shared import clock
from tsunagi_shared.contracts.profile import Code, Target
from tsunagi_shared.contracts.profile_codes import TargetCount
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


async def test_the_channels_of_a_municipality_are_chosen_counted_and_named(intake: Intake) -> None:
    """Its own ones are offered by the forms beside those that each municipality has, which it may call otherwise; what nobody
    knows is refused; the figures name them."""
    since = dt.date(2020, 4, 1)
    own = (Code(code="parents_group", label="親の会での接点", starts=since),)
    renamed = (Code(code="gathering", label="※1 通いの場", starts=since),)
    profile = changed(intake.runtime.profile, code_lists={"finding_channels": (*own, *renamed)})
    intake.runtime.profile = profile
    table = await Table(intake).open(finding_route="parents_group")
    page = (await table.coordinator.get(f"/forms/plan?case={table.case}&kind=outreach", page=True)).text
    assert "親の会での接点" in page
    assert "※1 通いの場" in page
    wrong = await table.desk.send(table.coordinator, "plans", plan("outreach", found_by="nowhere"))
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "wrong-code")
    made = await table.work.draft("outreach", found_by="parents_group", contact_state="none")
    assert (await table.work.post(table.coordinator, made, "proposal")).status_code == 201
    assert "親の会での接点" in (await table.coordinator.get(f"/plans/{made}", page=True)).text
    report = await intake.runtime.database.read(
        lambda connection: reports.of_year(connection, profile, clock.fiscal_year(clock.today()))
    )
    for group in ("outreach_by_channel", "referrals_by_route"):
        named = {one.id: (one.name, one.value) for found in report.groups for one in found.figures}
        assert named[f"{group}.parents_group"] == ("親の会での接点", 1)
        assert named[f"{group}.gathering"] == ("※1 通いの場", 0)


async def test_consultations_are_counted_by_who_was_told(intake: Intake) -> None:
    """Whose people put them on record; a target that names an agency counts what it was told, another one what everybody was."""
    table = await Table(intake).open()
    for caller, times in ((table.coordinator, 2), (table.mado, 1)):
        form = sample("contact", at=today(), outreach_actions=["consulted"])
        for _ in range(times):
            assert (await table.desk.send(caller, "contacts", form)).status_code == 201
    found = await figures(intake)
    assert (found.consultations, found.consultations_by_agency) == (3, {PROVIDER: 2, ORIGIN: 1})
    rows = tuple(
        Target(
            id=agency or "all", name="見本", at_least=5, unit="件", starts=dt.date(2020, 4, 1), agency=agency,
            counts=TargetCount.OUTREACH_CONSULTATIONS,
        )
        for agency in (PROVIDER, ORIGIN, DESTINATION, "")
    )  # fmt: skip
    profile = changed(intake.runtime.profile, targets=rows)
    year = clock.fiscal_year(clock.today())
    report = await intake.runtime.database.read(lambda connection: reports.of_year(connection, profile, year))
    assert [one.actual for one in report.targets] == [2, 1, 0, 3]
    assert [
        profile.agency(one.agency).name in row.definition for one, row in zip(rows[:3], report.targets[:3], strict=True)
    ] == [True] * 3


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
