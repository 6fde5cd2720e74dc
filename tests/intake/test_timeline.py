"""The time line: added in order, read by keyset, and shown only as far as the reader's entries go."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tests.data.case_work import Desk, going_on
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.intake.many_cases import MINE, fill
from tests.intake.query_plans import steps_of
from tsunagi_intake import timeline
from tsunagi_intake.tables import timeline as table
from tsunagi_intake.timeline import Happening
from tsunagi_shared.accounts import Principal

READER = Principal("u", "n", MINE, frozenset({"coordinator"}))


async def kinds(caller: Any, number: str) -> list[str]:
    """The kinds of the newest lines that somebody sees, newest first."""
    return [line["kind"] for line in (await caller.get(f"/cases/{number}")).json()["timeline"]]


async def test_what_happens_stands_there_newest_first(intake: Intake) -> None:
    """Handed in, assessed, a new state, a contact: each with who did it and the state that followed."""
    desk = await Desk(intake).open()
    await desk.send(desk.coordinator, "assessments", going_on())
    await desk.send(desk.coordinator, "contacts", sample("contact"))
    page = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    assert page["timeline"][0]["kind"] == "contact_logged"
    assert page["timeline"][-1]["kind"] == "referral_submitted"
    assert page["timeline"][-1]["agency"] == "disability"
    changed = next(line for line in page["timeline"] if line["kind"] == "state_changed")
    assert (changed["code"], changed["state"]) == (page["state"], page["state"])
    assert changed["user_name"] == "見本　chosei"
    sequence = [line["seq"] for line in page["timeline"]]
    assert sequence == sorted(sequence, reverse=True)


async def test_lines_of_a_form_are_for_those_who_see_the_form(intake: Intake) -> None:
    """A contact of the provider is no line of the window's; a destination with the summary sees nothing of protections."""
    desk = await Desk(intake).open()
    await desk.send(desk.coordinator, "contacts", sample("contact"))
    page = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    person = page["people"][0]["id"]
    set_it = sample("protection", person=person, cleared=[])
    await desk.send(desk.coordinator, "protections", set_it, revision=page["revision"])
    assert {"contact_logged", "protection_set"} <= set(await kinds(desk.coordinator, desk.case_number))
    assert "contact_logged" not in await kinds(desk.mado, desk.case_number)
    assert "protection_set" in await kinds(desk.mado, desk.case_number)
    seen = set(await kinds(desk.care, desk.case_number))
    assert seen & {"contact_logged", "protection_set", "consent_given"} == set()
    assert "referral_submitted" in seen


async def test_pages_hold_every_line_once(intake: Intake) -> None:
    """A thousand lines, fifty at a time, from the newest to the oldest; the page offers the way on."""

    def write(connection: Connection) -> None:
        fill(connection, 3)
        for number in range(1000):
            timeline.add(connection, 2, Happening.LEAD_SET, "", code=str(number))

    await intake.runtime.database.write(write)
    coordinator = intake.person("chosei", MINE, "coordinator")
    number = await intake.runtime.database.read(_number_of_the_second)
    seen: list[int] = []
    before = "0"
    while before:
        page = (await coordinator.get(f"/cases/{number}?before={before}")).json()
        seen += [line["seq"] for line in page["timeline"]]
        before = page["older"]
    assert len(seen) == len(set(seen)) == 1001
    assert seen == sorted(seen, reverse=True)
    shown = await coordinator.get(f"/cases/{number}", page=True)
    assert 'rel="next"' in shown.text


def _number_of_the_second(connection: Connection) -> str:
    return str(connection.execute(sa.text("SELECT number FROM cases WHERE seq = 2")).scalar())


async def test_a_page_is_found_along_the_index(intake: Intake) -> None:
    """However long the time line is: from its place on, along the index of the case, for every case of a joined group."""

    def plan(connection: Connection) -> list[str]:
        fill(connection, 20)
        return steps_of(connection, lambda: timeline.visible(connection, READER, (3, 4), full=(3, 4), before=10**9))

    steps = await intake.runtime.database.write(plan)
    assert sum("timeline_case (case=? AND seq<?)" in step for step in steps) == 2, steps
    assert not any(step.startswith((f"SCAN {table.name}", "SCAN audience")) for step in steps), steps


async def test_every_happening_has_its_words() -> None:
    """What people read of it is a polite Japanese sentence."""
    assert all(happening.label.endswith(("ました", "いました")) for happening in Happening)
