"""What a sitting opens, and for whom it ends: members who change, offices of joint sittings, and who is told of what."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, event

from tests.data.case_work import DESTINATION, PROVIDER, SECTION, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.intake import case_facts
from tests.intake.case_facts import CONTRACTED, changed
from tests.intake.sittings import SUPPORT, Table, code_of, member, today
from tsunagi_intake.meeting_tables import agenda_items, item_members, meeting_members, meetings
from tsunagi_intake.tables import audience
from tsunagi_shared import clock
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.events import MeetingConvened

NURSERY, ELDERLY = "sample-nursery", "long-term-care"
CHAIR, CARE, YOSO = (PROVIDER, "chosei"), (DESTINATION, "kaigo"), (NURSERY, "yoso")
ELSEWHERE = ("community-care", "community_care_meeting")


async def _notices(intake: Intake) -> list[MeetingConvened]:
    found = [one for one in await intake.events() if one.type == events.MEETING_CONVENED]
    return [msgspec.json.decode(one.data, type=MeetingConvened) for one in found]


async def _read_by(intake: Intake, agency: str) -> list[str]:
    """The papers that a sitting opens to an agency's people."""
    rows = await intake.rows(audience)
    return [row["form"] for row in rows if row["agency"] == agency and row["basis_ref"].startswith("sitting/")]


async def _support(intake: Intake) -> tuple[Table, str, str, str]:
    """A convened 支援会議 that 介護 hears: (the people, the sitting, its item, that member)."""
    table = await Table(intake).open()
    meeting = await table.sitting("support-meeting")
    item = await table.item(meeting, heard=SUPPORT)
    _, care = await table.call(meeting, CHAIR, CARE, chosen=True, told_on=today())
    assert (await table.convene(meeting)).status_code == 201
    assert await _read_by(intake, DESTINATION)
    return table, meeting, item, care


async def _reads(table: Table, caller: Caller) -> int:
    return (await caller.get(f"/referrals/{table.desk.referral_number}")).status_code


# members who change ----------------------------------------------------------------------------------------------------


async def test_somebody_else_in_a_members_place_reads_nothing(intake: Intake) -> None:
    """The papers were opened to a person: who is put in their place is called anew, and the one before reads no more."""
    table, meeting, _, care = await _support(intake)
    colleague = intake.person("doryo", DESTINATION, "agency_staff")
    for other in (member(*YOSO, attends=False), {**member(*CARE), "user": "doryo"}):
        path = f"/meetings/{meeting}/members/{care}"
        put = await send(table.coordinator, path, {**other, "chosen": True, "told_on": today()}, method="PUT")
        assert put.status_code == 200, put.text
        assert put.json()["id"] != care
        assert await _read_by(intake, DESTINATION) == await _read_by(intake, NURSERY) == []
        await table.desk.send(table.coordinator, "contacts", sample("contact"))  # whatever works the audience out anew
        for caller in (table.care, table.stranger, colleague):
            assert await _reads(table, caller) == 404
        assert code_of(await send(table.coordinator, path, other, method="PUT")) == (404, "not-found")
        care = put.json()["id"]
    assert {one.name for one in (await _notices(intake))[-1].members} == {"見本　調整"}
    assert (await table.convene(meeting)).status_code == 201
    assert await _reads(table, colleague) == 200
    assert await _reads(table, table.care) == 404


@pytest.mark.parametrize(
    ("without", "why"),
    [({"attends": False}, "absent"), ({"chosen": False}, "gate-not-chosen"), ({"told_on": None}, "gate-not-told")],
    ids=["comes no more", "chosen no more", "told no more"],
)
async def test_what_a_member_loses_closes_at_once(intake: Intake, without: dict[str, Any], why: str) -> None:
    """Who comes no more, or is chosen or told no more, reads nothing from then on; a better title takes nothing away."""
    table, meeting, item, care = await _support(intake)
    path = f"/meetings/{meeting}/members/{care}"
    form = member(*CARE, chosen=True, told_on=today())
    kept = await send(table.coordinator, path, {**form, "title": "課長"}, method="PUT")
    assert kept.json()["id"] == care
    assert await _reads(table, table.care) == 200
    assert len(await _notices(intake)) == 1
    put = await send(table.coordinator, path, {**form, **without}, method="PUT")
    assert put.status_code == 200, put.text
    assert await _reads(table, table.care) == 404
    rows = {(row["item"], row["member"]): row for row in await intake.rows(item_members)}
    assert (rows[item, care]["leaves"], rows[item, care]["why"], rows[item, care]["until"]) == (1, why, None)
    assert (await _notices(intake))[-1].items[0].attends == (PROVIDER,)
    if why == "gate-not-told":  # it stands against the item until they are told, or chosen no more
        assert code_of(await table.convene(meeting)) == (409, "gate-not-told")
        return
    assert (await table.convene(meeting)).status_code == 201
    assert await _reads(table, table.care) == 404


async def test_who_is_chosen_no_more_for_an_item_reads_no_more(intake: Intake) -> None:
    """Left out of one item they read its papers no more, before it is convened again and after; chosen again, they do then."""
    table, meeting, item, care = await _support(intake)
    path = f"/meetings/{meeting}/items/{item}/members"
    for chosen, before, after in ((False, 404, 404), (True, 404, 200)):
        said = await send(table.coordinator, path, {"member": care, "chosen": chosen})
        assert said.status_code == 201
        assert await _reads(table, table.care) == before
        assert (await table.convene(meeting)).status_code == 201
        assert await _reads(table, table.care) == after


@pytest.mark.parametrize("after", [-10, 5], ids=["held before its end", "held after it"])
async def test_a_sittings_papers_end_with_the_contract(intake: Intake, after: int) -> None:
    """The people of a contractor read them until the last day of its contract: whoever runs the agency next does not, be it
    through the same person."""
    last = clock.today() + dt.timedelta(days=10)
    now = case_facts.contract(intake.runtime.profile.contractor_on(CONTRACTED, clock.today()), clock.today(), last)
    following = case_facts.contract("見本次期法人", last + dt.timedelta(days=1))
    intake.runtime.profile = case_facts.with_contracts(intake.runtime.profile, now, following)
    table = await Table(intake).open()
    meeting = await table.sitting("support-meeting", held_on=(last + dt.timedelta(days=after)).isoformat())
    await table.item(meeting, heard=SUPPORT)
    await table.call(meeting, CHAIR, (CONTRACTED, "kaigo"), chosen=True, told_on=today())
    assert (await table.convene(meeting)).status_code == 201
    rows = [row for row in await intake.rows(audience) if row["agency"] == CONTRACTED]
    assert rows
    assert {row["until"] for row in rows} == {last.isoformat()}


async def test_each_member_has_a_place_for_each_item(intake: Intake) -> None:
    """Convened anew, who does not come is absent from every item; who was merely chosen has no place yet."""
    table = await Table(intake).open()
    meeting = await table.sitting("support-meeting")
    item = await table.item(meeting, heard=SUPPORT)
    _, care = await table.call(meeting, CHAIR, CARE, chosen=True, told_on=today())
    (away,) = await table.call(meeting, YOSO, attends=False, chosen=True, told_on=today())
    assert (await table.convene(meeting)).status_code == 201
    second = await table.item(meeting, heard=SUPPORT)
    chosen = {"member": care, "chosen": True}
    assert (await send(table.coordinator, f"/meetings/{meeting}/items/{second}/members", chosen)).status_code == 201
    rows = {(row["item"], row["member"]): (row["leaves"], row["why"]) for row in await intake.rows(item_members)}
    assert rows[item, care] == (0, "")
    assert rows[item, away] == (1, "absent")
    assert rows[second, care] == (1, "")
    assert (await table.convene(meeting)).status_code == 201
    rows = {(row["item"], row["member"]): (row["leaves"], row["why"]) for row in await intake.rows(item_members)}
    assert [rows[second, care], rows[second, away]] == [(0, ""), (1, "absent")]
    assert len(rows) == 6


# the offices of a joint sitting ----------------------------------------------------------------------------------------


def _with_an_office_in_common(intake: Intake) -> None:
    """Have the office of the 支援会議 run the 地域ケア会議 as well, beside its own."""
    profile = intake.runtime.profile
    bodies = tuple(
        msgspec.structs.replace(body, organizer=PROVIDER) if body.id == ELSEWHERE[0] else body
        for body in profile.bodies
    )
    intake.runtime.profile = changed(profile, bodies=bodies)


async def test_bodies_without_an_office_in_common_are_held_apart(intake: Intake) -> None:
    """Nobody could ever close their sitting: it is refused when it is made, with what is possible instead."""
    table = await Table(intake).open()
    other = intake.person("kaigoka", ELDERLY, "coordinator")
    form = sample("meeting", bodies=["community-care", "support-meeting"], held_on=today())
    for caller in (other, table.coordinator, table.section):
        refused = await send(caller, "/meetings", form)
        assert code_of(refused) == (409, "not-body-office")
        assert "分けて" in refused.json()["detail"]
    _with_an_office_in_common(intake)
    assert code_of(await send(other, "/meetings", form)) == (409, "not-body-office")
    assert (await send(table.coordinator, "/meetings", form)).status_code == 201
    alone = (await send(other, "/meetings", {**form, "bodies": ["community-care"]})).json()["id"]
    put = await send(other, f"/meetings/{alone}", form, method="PUT", revision=1)
    assert code_of(put) == (409, "not-body-office")
    assert (await intake.rows(meetings))[-1]["bodies"] == '["community-care"]'


async def test_one_bodys_office_rules_its_own_items_alone(intake: Intake) -> None:
    """It sees and changes what is its own; whatever concerns every item, or a member of another's item, is not its to do."""
    _with_an_office_in_common(intake)
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION, ELDERLY)
    other = intake.person("kaigoka", ELDERLY, "coordinator")
    meeting = await table.sitting("support-meeting", "community-care")
    theirs = await table.item(meeting, heard=SUPPORT)
    await table.item(meeting, heard=ELSEWHERE)
    _, care = await table.call(meeting, CHAIR, CARE, chosen=True, told_on=today())
    (guest,) = await table.call(meeting, YOSO)
    path = f"/meetings/{meeting}"
    me = {"agency": ELDERLY, "user": "kaigoka", "name": "見本　介護", "attends": True, "told_on": today()}
    page = await table.page(meeting)
    office = 409, "not-body-office"
    assert code_of(await table.convene(meeting, other, page["revision"])) == office
    assert (await table.convene(meeting)).status_code == 201
    page = await table.page(meeting)
    assert [page["may_run"], page["may_convene"]] == [True, True]
    before = [await intake.rows(each) for each in (meetings, agenda_items, meeting_members, item_members)]
    head = {**page["form"], "place": "別の会議室"}
    for refused in (
        await table.convene(meeting, other, page["revision"]),
        await send(other, f"{path}/cancellation", revision=page["revision"]),
        await send(other, path, head, method="PUT", revision=page["revision"]),
        await send(other, f"{path}/items", {"body": SUPPORT[0], "legal_role": SUPPORT[1], "occasion": "resource"}),
        await send(other, f"{path}/items/{theirs}/withdrawal"),
        await send(other, f"{path}/items/{theirs}/members", {"member": guest, "chosen": True}),
        await send(other, f"{path}/members", {**me, "chosen": True}),
        await send(other, f"{path}/members/{care}", me, method="PUT"),
        await send(other, f"{path}/members/{care}/removal"),
    ):
        assert code_of(refused) == office, refused.text
    assert before == [await intake.rows(each) for each in (meetings, agenda_items, meeting_members, item_members)]
    assert (await send(other, f"{path}/members/{guest}/removal")).status_code == 201  # on nobody else's item
    assert (await send(other, f"{path}/members", me)).status_code == 201
    resource = {"body": ELSEWHERE[0], "legal_role": ELSEWHERE[1], "occasion": "resource"}
    added = await send(other, f"{path}/items", resource)
    assert added.status_code == 201
    assert (await send(other, f"{path}/items/{added.json()['id']}/withdrawal")).status_code == 201
    assert await _reads(table, other) == 404


async def test_of_another_bodys_items_an_office_learns_that_they_are_there(intake: Intake) -> None:
    """Position, body and role, on the page of the sitting and in the dry run; the responsible section sees all of it."""
    _with_an_office_in_common(intake)
    table = await Table(intake).open()
    await table.consent(PROVIDER, ELDERLY)
    other = intake.person("kaigoka", ELDERLY, "coordinator")
    meeting = await table.sitting("support-meeting", "community-care")
    await table.item(meeting, heard=SUPPORT, note="内々の話。")
    await table.item(meeting, heard=ELSEWHERE)
    await table.call(meeting, CHAIR, chosen=True, told_on=today())
    await table.call(meeting, CARE)
    hidden = {"id": "", "position": 1, "case_number": "", "plan_number": "", "body": SUPPORT[0], "hidden": True}
    for path in (f"/meetings/{meeting}", f"/meetings/{meeting}/convening"):
        shown = (await other.get(path)).json()
        assert [line["hidden"] for line in shown["items"]] == [True, False]
        first, second = shown["items"]
        assert hidden.items() <= first.items()
        assert not any(first.get(name) for name in ("note", "papers", "members", "hears", "occasion", "blocked"))
        assert second["case_number"] == table.case
        assert shown["may_convene"] is False
        page = (await other.get(path, page=True)).text
        assert "内容は、その会議体の事務局だけが見られます" in page
        assert "内々" not in page
        assert 'action="/meetings/' + meeting + "/convening?" not in page
        whole = (await table.section.get(path)).json()
        assert [line["case_number"] for line in whole["items"]] == [table.case, table.case]
    agencies = (await other.get(f"/meetings/{meeting}/convening")).json()["agencies"]
    assert {one["agency"]: (one["hears"], one["leaves"]) for one in agencies} == {
        PROVIDER: ([2], []),
        DESTINATION: ([], [2]),
    }


# who is told -----------------------------------------------------------------------------------------------------------


async def test_who_was_called_since_is_told_with_the_next_convening(intake: Intake) -> None:
    """A notice that goes out in between says nothing of items and members that were added since, and not to them."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    meeting = await table.sitting()
    await table.item(meeting)
    _, care = await table.call(meeting, CHAIR, CARE)
    assert (await table.convene(meeting)).status_code == 201
    second = await table.item(meeting, occasion="screening")
    await table.call(meeting, YOSO)
    assert (await table.stranger.get(f"/meetings/{meeting}")).status_code == 404
    assert (await table.stranger.get("/meetings")).json()["items"] == []
    assert (await send(table.coordinator, f"/meetings/{meeting}/members/{care}/removal")).status_code == 201
    notice = (await _notices(intake))[-1]
    assert [one.agency for one in notice.members] == [PROVIDER]
    assert [one.position for one in notice.items] == [1]
    assert NURSERY not in {entry.agency for entry in notice.audience}
    assert DESTINATION not in {entry.agency for entry in notice.audience}
    assert (await table.care.get(f"/meetings/{meeting}")).status_code == 404
    told = len(await _notices(intake))
    assert (await send(table.coordinator, f"/meetings/{meeting}/items/{second}/withdrawal")).status_code == 201
    assert len(await _notices(intake)) == told  # nobody was told that it was there
    await table.item(meeting, occasion="screening")
    assert (await table.convene(meeting)).status_code == 201
    assert (await table.stranger.get(f"/meetings/{meeting}")).status_code == 200
    assert [line["id"] for line in (await table.stranger.get("/meetings")).json()["items"]] == [meeting]
    notice = (await _notices(intake))[-1]
    assert [one.position for one in notice.items] == [1, 3]
    assert NURSERY in {entry.agency for entry in notice.audience}


async def test_what_is_taken_off_the_agenda_is_told(intake: Intake) -> None:
    """Whoever was told of an item is told that it is heard no more; before it is convened nobody is told of anything."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    meeting = await table.sitting()
    first, second, third = [await table.item(meeting, occasion=one) for one in ("sharing", "screening", "other")]
    await table.call(meeting, CHAIR, CARE)
    assert (await send(table.coordinator, f"/meetings/{meeting}/items/{third}/withdrawal")).status_code == 201
    assert await _notices(intake) == []
    assert (await table.convene(meeting)).status_code == 201
    assert (await send(table.coordinator, f"/meetings/{meeting}/items/{first}/withdrawal")).status_code == 201
    told = await _notices(intake)
    assert [[one.position for one in notice.items] for notice in told] == [[1, 2], [2]]
    assert told[1].revision > told[0].revision
    assert second


# plans and lists -------------------------------------------------------------------------------------------------------


async def test_a_plan_from_which_nothing_follows_is_not_convened(intake: Intake) -> None:
    """The dry run says so, rather than the closing: a draft cannot be adopted, a proposal cannot be ended."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    table.plan_id = await table.work.draft()
    number = (await table.work.row(table.plan_id))["number"]
    for occasion in ("adopt", "end"):
        meeting = await table.sitting()
        await table.item(meeting, number, occasion=occasion)
        await table.call(meeting, CHAIR)
        outlook = await table.outlook(meeting)
        assert outlook["ready"] is False
        assert outlook["items"][0]["blocked"]["code"] == "plan-step"
        assert code_of(await table.convene(meeting)) == (409, "plan-step")
        if occasion == "adopt":
            assert (await table.work.post(table.coordinator, table.plan_id, "proposal")).status_code == 201
            assert (await table.convene(meeting)).status_code == 201


async def test_pages_of_sittings_read_no_table_from_end_to_end(intake: Intake) -> None:
    """The page of a sitting looks up its own minutes, and the list of an agency that is seldom called its own sittings."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    meeting = await table.sitting()
    await table.item(meeting)
    await table.call(meeting, CHAIR, CARE)
    assert (await table.convene(meeting)).status_code == 201
    asked: dict[str, Any] = {}

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        asked.setdefault(statement, parameters[0] if many and parameters else parameters)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert (await table.coordinator.get(f"/meetings/{meeting}")).status_code == 200
        assert len((await table.care.get("/meetings")).json()["items"]) == 1
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    # the days for which there is a sitting, and the rounds of the year, are ranges of days
    asked = {text: given for text, given in asked.items() if re.search(r"\b(minutes_drafts|meeting_members)\b", text)}
    assert len(asked) >= 3
    connection = sqlite3.connect(intake.runtime.database.path)
    try:
        steps = [
            row[3] for text, given in asked.items() for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", given)
        ]
    finally:
        connection.close()
    assert [step for step in steps if step.startswith("SCAN") and "CONSTANT" not in step] == []
