"""社会資源・参加先, what plans match with them, follow-ups, and their figures of a year."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from tests.data.case_work import DESTINATION, PROVIDER, SECTION, Desk, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.plan_work import decided, plan
from tests.intake.sittings import Table, today
from tsunagi_intake import follow_ups, matches, resources
from tsunagi_intake.expiry import Clockwork
from tsunagi_intake.resource_tables import follow_ups as follow_ups_table
from tsunagi_intake.resource_tables import matches as matches_table
from tsunagi_intake.resource_tables import resources as resources_table
from tsunagi_intake.tables import facts
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Resource, ResourceKind
from tsunagi_shared.forms.minutes import Decision
from tsunagi_shared.forms.plan import Plan
from tsunagi_shared.problems import Refusal

PART = [{"agency": DESTINATION, "part": "送り迎え"}]
FARM = sample("resource", agency=DESTINATION, closed_on=None, follow_up_days=30)


async def farm(table: Table, **changes: Any) -> str:
    """A resource that was put on record; its id."""
    answer = await send(table.coordinator, "/resources", {**FARM, **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def opened(intake: Intake) -> Table:
    """A case with a consent to provider, section and destination."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    return table


def who(agency: str, *roles: str) -> Principal:
    return Principal("dareka", "見本　だれか", agency, frozenset(roles or ("agency_staff",)), via="session")


async def figures(intake: Intake, year: int = 0) -> resources.ResourceFigures:
    year = year or clock.fiscal_year(clock.today())
    return await intake.runtime.database.read(
        lambda connection: resources.figures(connection, year, intake.runtime.profile)
    )


@pytest.mark.parametrize(
    ("agency", "roles", "may"),
    [
        (DESTINATION, ("agency_staff",), True),
        (PROVIDER, ("clerk",), True),
        (SECTION, ("responsible_section",), True),
        ("disability", ("coordinator",), False),
        (SECTION, ("auditor",), False),
        (DESTINATION, ("administrator",), False),
    ],
)
async def test_rule_resource_keeper(intake: Intake, agency: str, roles: tuple[str, ...], may: bool) -> None:
    """A place is kept by who looks after it, the provider and the section; nobody keeps it as auditor or administrator."""
    assert resources.keeps(who(agency, *roles), intake.runtime.profile, DESTINATION) is may


async def test_a_place_of_the_profile_keeps_its_name(intake: Intake) -> None:
    """What staff know of it stands beside; kind and name are the profile's, and an old page does not overwrite."""
    desk = Desk(intake)
    (given, *_) = (await desk.stranger.get("/resources?kind=talent")).json()["items"]
    assert (given["given"], given["revision"], given["contact"]) == (True, 1, "")
    path = f"/resources/{given['id']}"
    for revision, code in ((1, 200), (1, 409), (2, 200)):
        changed = await send(desk.section, path, FARM, method="PUT", revision=revision)
        assert changed.status_code == code, changed.text
    now = (await desk.stranger.get(path)).json()["resource"]
    assert (now["name"], now["kind"], now["revision"]) == (given["name"], "talent", 3)
    assert (now["contact"], now["capacity"]) == (FARM["contact"], 3)
    assert len(await intake.rows(resources_table)) == 1


async def test_the_list_comes_in_pages(intake: Intake) -> None:
    """Every resource once, by kind; a filter shows one kind."""
    table = Desk(intake)
    for number in range(55):
        form = {**FARM, "name": f"見本農園{number}", "kind": "farm" if number % 2 else "shop"}
        assert (await send(table.section, "/resources", form)).status_code == 201
    first = (await table.mado.get("/resources")).json()
    rest = (await table.mado.get(f"/resources?after={first['next']}")).json()
    lines = [*first["items"], *rest["items"]]
    assert (len(first["items"]), rest["next"]) == (50, "")
    assert len({line["id"] for line in lines}) == 55 + len(intake.runtime.profile.resources)
    shops = (await table.mado.get("/resources?kind=shop")).json()["items"]
    assert {line["kind"] for line in shops} == {"shop"}
    page = await table.mado.get("/resources", page=True)
    assert page.status_code == 200
    assert "見本農園" in page.text


async def test_a_plan_names_a_place_that_is_there(intake: Intake) -> None:
    """Its name stands in the plan; one that nobody knows, or that takes nobody any more, is a mistake at its field."""
    table = await opened(intake)
    resource = await farm(table)
    for wrong, code in (
        ("no-such-place", "unknown-resource"),
        (await farm(table, closed_on=today()), "resource-closed"),
    ):
        answer = await table.desk.send(table.coordinator, "plans", plan("participation", resource_id=wrong))
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["path"], error["code"]) == (422, "resource_id", code)
    made = await table.desk.send(table.coordinator, "plans", plan("participation", resource_id=resource))
    shown = (await table.coordinator.get(f"/plans/{made.json()['id']}")).json()["form"]
    assert (shown["resource"], shown["resource_contact"]) == (FARM["name"], FARM["contact"])
    page = await table.coordinator.get(f"/cases/{table.case}/plans/new?kind=participation", page=True)
    assert f'value="{resource}"' in page.text
    assert resource not in (await table.coordinator.get(f"/plans/{made.json()['id']}", page=True)).text


async def test_another_choice_brings_its_own_name(intake: Intake) -> None:
    """A plan corrected to another place does not keep the name and the contact of the one before; what was typed stays."""
    table = await opened(intake)
    other = await farm(table, name="見本商店", kind="shop", contact="見本　商子")
    made = await table.desk.send(table.coordinator, "plans", plan("participation", resource_id=await farm(table)))
    path = f"/records/plan/{made.json()['id']}"
    form = (await table.coordinator.get(f"/plans/{made.json()['id']}")).json()["form"]
    for revision, changes, expected in (
        (1, {"resource_id": other}, ("見本商店", "見本　商子")),
        (2, {"resource_id": other, "resource": "見本商店の裏の畑"}, ("見本商店の裏の畑", "見本　商子")),
    ):
        answer = await send(table.coordinator, path, {**form, **changes}, method="PUT", revision=revision)
        assert answer.status_code == 200, answer.text
        form = (await table.coordinator.get(f"/plans/{made.json()['id']}")).json()["form"]
        assert (form["resource"], form["resource_contact"]) == expected


async def test_rule_resource_matched(intake: Intake) -> None:
    """Only those who read the plan, or have a part by it, learn which case is matched; a plan that ended matches no more."""
    table = await opened(intake)
    resource = await farm(table)
    plan_id = await table.work.adopted("participation", resource_id=resource, allocations=PART)
    for caller, seen in ((table.section, 1), (table.care, 1), (table.stranger, 0), (table.mado, 0)):
        page = (await caller.get(f"/resources/{resource}")).json()
        assert (len(page["matches"]), page["resource"]["matched"]) == (seen, 1)
        shown = await caller.get(f"/resources/{resource}", page=True)
        assert (table.case in shown.text) is bool(seen)
    await decided(intake, plan_id, Decision.ENDED)
    page = (await table.section.get(f"/resources/{resource}")).json()
    assert (page["matches"], page["resource"]["matched"]) == ([], 0)


async def test_a_place_that_is_full_is_seen_wherever_somebody_is_matched(intake: Intake) -> None:
    """In the list, on its page, where a plan chooses it, and on the page of another plan that did; nothing is refused."""
    table = await opened(intake)
    resource = await farm(table, capacity=1)
    waits = await table.work.draft("participation", resource_id=resource, allocations=PART)
    words, path = "人数に達しています", f"/forms/plan?case={table.case}&kind=participation"
    pages = ("/resources", f"/resources/{resource}", f"/plans/{waits}", path)
    for page in pages:
        assert words not in (await table.coordinator.get(page, page=True)).text
    await table.open()  # the case of somebody else
    await table.consent(PROVIDER, SECTION, DESTINATION)
    took = await table.work.adopted("participation", resource_id=resource, allocations=PART)
    for page in pages:
        assert words in (await table.coordinator.get(page, page=True)).text, page
    assert words not in (await table.coordinator.get(f"/plans/{took}", page=True)).text
    assert (await table.coordinator.get(f"/plans/{waits}")).json()["full_place"] == FARM["name"]
    assert (await table.work.post(table.coordinator, waits, "proposal")).status_code == 201


async def test_follow_ups_come_with_the_plan_and_one_after_the_other(intake: Intake) -> None:
    """Due on the days that the plan says, else after the interval of the place; done, the next is due; ended, none is."""
    table = await opened(intake)
    resource, day = await farm(table), clock.today()
    later = day + dt.timedelta(10)
    plan_id = await table.work.adopted(
        "participation", resource_id=resource, allocations=PART, begins_on=day.isoformat(),
        person_follow_up_on=later.isoformat(),
    )  # fmt: skip
    lines = (await table.care.get("/follow-ups")).json()["items"]
    assert [(line["side"], line["due_on"]) for line in lines] == [
        ("person", later.isoformat()), ("host", (day + dt.timedelta(30)).isoformat()),
    ]  # fmt: skip
    assert {line["resource"] for line in lines} == {FARM["name"]}
    path = f"/follow-ups/{lines[1]['id']}/completion"
    form = await table.care.get(f"/forms/follow_up?follow_up={lines[1]['id']}", page=True)
    assert f'action="{path}"' in form.text
    posted = await table.care.post(path, {"done_on": today(), "result": "going_on"})
    assert (posted.status_code, posted.headers["location"]) == (303, "/follow-ups")
    contact = sample("contact", at=today(), follow_ups=["person"])
    assert (await table.desk.send(table.care, "contacts", contact)).status_code == 201
    after = (await table.care.get("/follow-ups")).json()["items"]
    assert sorted((line["side"], line["due_on"]) for line in after) == [
        ("host", (day + dt.timedelta(30)).isoformat()), ("person", (day + dt.timedelta(30)).isoformat()),
    ]  # fmt: skip
    await decided(intake, plan_id, Decision.ENDED)
    assert (await table.care.get("/follow-ups")).json()["items"] == []
    assert {row["done_on"] for row in await intake.rows(follow_ups_table)} == {today()}


async def as_before_follow_ups(intake: Intake, *which: sa.ColumnElement[bool]) -> None:
    """Those follow-ups are gone, and nothing was made good yet; then the clockwork looks."""

    def take(connection: sa.Connection) -> None:
        connection.execute(follow_ups_table.delete().where(*which))
        connection.execute(facts.delete().where(facts.c.name == matches.BEGUN))

    await intake.runtime.database.write(take)
    await Clockwork(intake.runtime).tick()


async def test_plans_adopted_before_there_were_follow_ups_get_theirs_once(intake: Intake) -> None:
    """On the days that the plan says; not a second time, not for a plan that ended, and not for one that has its own."""
    table = await opened(intake)
    later = (clock.today() + dt.timedelta(20)).isoformat()
    days = {"person_follow_up_on": later, "host_follow_up_on": today()}
    plan_id = await table.work.adopted("participation", resource="近所の農家", allocations=PART, **days)

    async def found() -> list[tuple[str, str, str]]:
        return sorted((row["plan"], row["side"], row["due_on"]) for row in await intake.rows(follow_ups_table))

    await as_before_follow_ups(intake)
    assert await found() == [(plan_id, "host", today()), (plan_id, "person", later)]
    await as_before_follow_ups(intake, follow_ups_table.c.side == "host")
    assert await found() == [(plan_id, "person", later)]
    await intake.runtime.database.write(lambda connection: connection.execute(follow_ups_table.delete()))
    await Clockwork(intake.runtime).tick()
    assert await found() == []
    await decided(intake, plan_id, Decision.ENDED)
    await as_before_follow_ups(intake)
    assert await found() == []


async def test_rule_follow_up_once(intake: Intake) -> None:
    """A follow-up that was done is refused; nobody outside the plan learns that it is there."""
    table = await opened(intake)
    await table.work.adopted("participation", resource="近所の農家", allocations=PART, host_follow_up_on=today())
    (line,) = (await table.care.get("/follow-ups")).json()["items"]
    profile, identity = intake.runtime.profile, line["id"]
    path, form = f"/follow-ups/{identity}/completion", {"done_on": today(), "result": "settled"}
    assert (await send(table.stranger, path, form)).status_code == 404
    assert (await send(table.care, path, form)).status_code == 201
    with pytest.raises(Refusal) as refused:
        await intake.runtime.database.read(
            lambda connection: follow_ups.check(connection, who(PROVIDER, "coordinator"), profile, identity)
        )
    assert refused.value.problem.code == "follow-up-done"
    assert (await table.care.get("/follow-ups")).json()["items"] == []


async def test_figures_of_a_year(intake: Intake) -> None:
    """People who came to a place count once each, by its kind; partners are open on some day of the year; zero is shown."""
    assert (await figures(intake)).participants == 0
    table = await opened(intake)
    resource = await farm(table)
    before = await figures(intake)
    assert before.partner_resources == 1 + sum(
        one.kind in resources.PARTNER_KINDS for one in intake.runtime.profile.resources
    )
    await table.work.draft("participation", resource_id=resource, allocations=PART)
    assert (await figures(intake)).participants == 0  # nothing was adopted
    plan_id = (await intake.rows(matches_table))[0]["plan"]
    await table.work.post(table.coordinator, plan_id, "proposal")
    await decided(intake, plan_id, Decision.APPROVED)
    await table.work.agree(plan_id)
    await table.work.municipal(plan_id)
    now = await figures(intake)
    assert (now.participants, now.by_kind["farm"], now.by_kind[resources.UNLISTED]) == (1, 1, 0)
    assert {*now.by_kind} == {*(kind.value for kind in ResourceKind), resources.UNLISTED}
    assert (await figures(intake, clock.fiscal_year(clock.today()) - 1)).participants == 0
    assert (now.follow_ups_due, now.follow_ups_done) == (0, 0)


async def test_what_the_profile_gives_counts_as_partner(intake: Intake) -> None:
    """A company of the profile is a partner in any year, until staff say that it takes nobody any more."""
    given = Resource(id="mihon-company", name="見本商事", kind=ResourceKind.COMPANY, agency=DESTINATION)
    profile = intake.runtime.profile
    known = await figures(intake)
    intake.runtime.profile = type(profile)(
        **{
            **{name: getattr(profile, name) for name in type(profile).__struct_fields__},
            "resources": (*profile.resources, given),
        }
    )
    assert (await figures(intake)).partner_resources == known.partner_resources + 1
    desk = Desk(intake)
    answer = await send(desk.care, "/resources/mihon-company", {**FARM, "closed_on": "2020-03-31"}, revision=1)
    assert answer.status_code == 200, answer.text
    assert (await figures(intake)).partner_resources == known.partner_resources
    assert await intake.runtime.database.read(
        lambda connection: matches.named(connection, intake.runtime.profile, _plan_of("mihon-company"))[1]
    )


def _plan_of(resource: str) -> Any:
    return msgspec.convert(plan("participation", resource_id=resource), Plan)
