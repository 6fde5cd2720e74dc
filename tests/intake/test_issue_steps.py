"""地域課題 from screenings and by hand, proposed upon, made a project, handed further from body to body."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.data.case_work import PROVIDER, SECTION, Desk, going_on, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.intake.case_facts import changed
from tests.intake.sittings import Table
from tsunagi_intake import community_issues, erasure, issue_steps
from tsunagi_intake.community_issues import IssueState
from tsunagi_intake.meeting_tables import community_issues as issues_table
from tsunagi_intake.tables import referrals
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.problems import Refusal

ISSUES = "/community-issues"
TEXT = "日中に集まれる場が、坂の上の地区にない。"


async def handed(caller: Caller, body: str = "layered-support") -> str:
    """An issue that was handed directly; its address."""
    answer = await send(caller, ISSUES, sample("community_issue", to_body=body))
    assert answer.status_code == 201, answer.text
    return f"{ISSUES}/{answer.json()['id']}"


async def lines(caller: Caller) -> dict[str, Any]:
    """The issues that the caller sees, by number."""
    return {line["number"]: line for line in (await caller.get(ISSUES)).json()["items"]}


async def figures(intake: Intake, year: int = 0) -> dict[str, int]:
    year = year or clock.fiscal_year(clock.today())
    found = await intake.runtime.database.read(lambda connection: community_issues.figures(connection, year))
    return {state: count for state, count in found.items() if count}


@pytest.mark.parametrize(
    ("roles", "may"),
    [(("coordinator",), True), (("responsible_section",), True), (("clerk",), False), (("auditor",), False)],
)
def test_rule_issue_hand_on(intake: Intake, roles: tuple[str, ...], may: bool) -> None:
    """Coordinators and the section hand an issue to a body by themselves."""
    caller = Principal("dareka", "見本　だれか", PROVIDER, frozenset(roles), via="session")
    if may:
        issue_steps.check_hands(caller, intake.runtime.profile)
        return
    with pytest.raises(Refusal) as refused:
        issue_steps.check_hands(caller, intake.runtime.profile)
    assert refused.value.problem.code == "issue-not-handing"


@pytest.mark.parametrize("state", IssueState)
def test_rule_issue_step(intake: Intake, state: IssueState) -> None:
    """A project follows a proposal; after an answer nothing follows; handed on it is while there is where to."""
    wanted = {
        IssueState.HANDED: {"answer", "propose", "hand_on"}, IssueState.RECEIVED: {"answer", "propose", "hand_on"},
        IssueState.PROPOSED: {"project", "hand_on"}, IssueState.PROJECT: {"project", "hand_on"},
        IssueState.ANSWERED: set(), IssueState.WITHDRAWN: set(),
    }  # fmt: skip
    profile = intake.runtime.profile
    assert {*community_issues.steps_of(state, profile, "support-meeting")} == wanted[state]
    assert {*community_issues.steps_of(state, profile, "layered-support")} == wanted[state] - {"hand_on"}


async def test_a_screening_hands_on_what_it_found(intake: Intake) -> None:
    """Once, also after a correction; without the case, and with nobody of it named."""
    table = Table(intake)
    await table.desk.open()
    person = msgspec.json.decode((await intake.rows(referrals))[0]["form"])["person"]
    found = {"community_issue": TEXT, "issue_to": "layered-support"}
    for wrong, code in (
        ({**found, "community_issue": f"{person['name']}さんの地区"}, "names-in-issue"),
        ({"community_issue": TEXT}, "required"),
        ({"issue_to": "layered-support"}, "required"),
    ):
        answer = await table.desk.send(table.coordinator, "assessments", going_on(**wrong))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    assert await intake.rows(issues_table) == []
    answer = await table.desk.send(table.coordinator, "assessments", going_on(**found))
    assert answer.status_code == 201, answer.text
    path = f"/records/assessment/{answer.json()['id']}"
    again = await send(table.coordinator, path, going_on(**found, risk="なし"), method="PUT", revision=1)
    assert again.status_code == 200, again.text
    (line,) = (await lines(table.coordinator)).values()
    assert (line["text"], line["origin"], line["state"], line["from_body"]) == (TEXT, "screening", "handed", "")
    assert table.case not in (await table.coordinator.get(ISSUES)).text
    answer = await send(table.coordinator, f"{ISSUES}/{line['id']}/proposal", {"proposal": f"{person['name']}さんの会"})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "proposal")


async def test_an_issue_becomes_a_project(intake: Intake) -> None:
    """Handed, received, proposed, a project that goes on; the list and the figures say how far."""
    desk = Desk(intake)
    path = await handed(desk.section)
    assert await figures(intake) == {"handed": 1}
    steps: tuple[tuple[str, Any, str], ...] = (
        ("reply", {"answer": ""}, "received"),
        ("proposal", sample("issue_proposal"), "proposed"),
        ("project", sample("issue_project", state="planned"), "project_planned"),
        ("project", sample("issue_project", state="running"), "project_running"),
        ("project", sample("issue_project", state="done"), "project_done"),
    )
    for step, form, state in steps:
        answer = await send(desk.coordinator, f"{path}/{step}", form)
        assert answer.status_code == 201, answer.text
        assert await figures(intake) == {state: 1}
    (line,) = (await lines(desk.section)).values()
    assert (line["state"], line["origin"], line["project"]["state"]) == ("project", "direct", "done")
    assert line["project"]["lead_agency"] == "welfare-council"
    assert line["answer"] == sample("issue_proposal")["proposal"]
    assert await figures(intake, clock.fiscal_year(clock.today()) - 1) == {}
    page = (await desk.coordinator.get(ISSUES, page=True)).text
    assert "坂の上の居場所づくり" in page
    assert f'href="/forms/issue_project?issue={line["id"]}"' in page


async def test_an_issue_is_handed_up_twice(intake: Intake) -> None:
    """From a team to the body above it, and from there to two more: each has its own number and knows where it came from."""
    profile = intake.runtime.profile
    ups = {"welfare-liaison-working": ("support-meeting",), "support-meeting": ("layered-support", "welfare-liaison")}
    bodies = tuple(
        msgspec.structs.replace(body, hands_over_to=ups.get(body.id, body.hands_over_to)) for body in profile.bodies
    )
    intake.runtime.profile = changed(profile, bodies=bodies)
    desk = Desk(intake)
    path = await handed(desk.section, "welfare-liaison-working")
    for caller, targets in ((desk.section, ("support-meeting",)), (desk.coordinator, ups["support-meeting"])):
        for target in targets:
            answer = await send(caller, f"{path}/handing-on", sample("community_issue", to_body=target))
            assert answer.status_code == 201, answer.text
        if caller is desk.section:
            path = f"{ISSUES}/{answer.json()['id']}"
    found = await lines(desk.section)
    (first, second, third, fourth) = sorted(found)
    assert [found[number]["previous"] for number in (first, second, third, fourth)] == ["", first, second, second]
    assert [found[number]["from_body"] for number in (second, third)] == ["welfare-liaison-working", "support-meeting"]
    assert [line["to_body"] for line in found[second]["further"]] == ["layered-support", "welfare-liaison"]
    assert (found[first]["state"], found[second]["state"], found[third]["state"]) == ("received", "received", "handed")
    assert await figures(intake) == {"received": 2, "handed": 2}
    page = (await desk.section.get(ISSUES, page=True)).text
    assert "さらに伝えた先" in page


async def test_forms_of_an_issue_are_for_its_office(intake: Intake) -> None:
    """Each page opens for the office of the body that has it, with what it may do; a form that is refused comes back."""
    desk = Desk(intake)
    path = await handed(desk.section, "support-meeting")
    identity = path.rpartition("/")[2]
    for kind in ("issue_proposal", "community_issue"):
        page = await desk.coordinator.get(f"/forms/{kind}?issue={identity}", page=True)
        assert page.status_code == 200, page.text
        assert f'action="{path}/' in page.text
        assert (await desk.stranger.get(f"/forms/{kind}?issue={identity}", page=True)).status_code == 404
    assert (await desk.coordinator.get(f"/forms/issue_project?issue={identity}", page=True)).status_code == 409
    assert (await desk.coordinator.get("/forms/issue_project", page=True)).status_code == 404
    assert 'action="/community-issues"' in (await desk.section.get("/forms/community_issue", page=True)).text
    assert (await desk.mado.get("/forms/community_issue", page=True)).status_code == 409
    page = await desk.coordinator.post(f"{path}/proposal", {"proposal": ""})
    assert page.status_code == 422
    posted = await desk.coordinator.post(f"{path}/proposal", {"proposal": "空き店舗を使う。"})
    assert (posted.status_code, posted.headers["location"]) == (303, ISSUES)
    page = await desk.coordinator.get(f"/forms/issue_project?issue={identity}", page=True)
    assert page.status_code == 200
    assert (await lines(desk.care)) == {}


async def test_an_office_that_does_not_read_the_case_learns_no_name_by_trying(intake: Intake) -> None:
    """What it says is taken alike, whoever it names; who reads the case is told of a name, in an answer too."""
    table = Table(intake)
    await table.desk.open()
    name = msgspec.json.decode((await intake.rows(referrals))[0]["form"])["person"]["name"]
    for body in ("community-care", "support-meeting"):
        form = going_on(community_issue=TEXT, issue_to=body)
        assert (await table.desk.send(table.coordinator, "assessments", form)).status_code == 201
    outside = intake.person("hokano", "long-term-care", "coordinator")
    assert (await outside.get(f"/cases/{table.desk.case_number}")).status_code == 404
    (line,) = (await lines(outside)).values()
    path = f"{ISSUES}/{line['id']}"
    assert (await send(outside, f"{path}/proposal", {"proposal": "集まる会をつくる"})).status_code == 201
    for words in (f"{name}の会", "架空　三郎の会"):
        assert (await send(outside, f"{path}/project", sample("issue_project", name=words))).status_code == 201
        (line,) = (await lines(outside)).values()
        assert line["project"]["name"] == words
    mine = next(line for line in (await lines(table.coordinator)).values() if line["is_own"])
    refused = await send(table.coordinator, f"{ISSUES}/{mine['id']}/reply", {"answer": f"{name}さんの件です。"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "names-in-issue")


async def test_a_draft_about_what_came_of_a_case_goes_with_the_case(intake: Intake) -> None:
    """Erasure knows the 地域課題 that a case led to by their ids, as a draft names them."""
    table = Table(intake)
    await table.desk.open()
    form = going_on(community_issue=TEXT, issue_to="community-care")
    assert (await table.desk.send(table.coordinator, "assessments", form)).status_code == 201
    (issue,) = await intake.rows(issues_table)
    names = await intake.runtime.database.read(
        lambda connection: erasure._names_of(connection, issue["case"], table.desk.case_number)
    )
    assert {issue["id"], table.desk.case_number} <= names


async def test_what_should_not_have_been_written_is_taken_back(intake: Intake) -> None:
    """By the office that has it or the section, with what was handed further; nothing of it is left to read."""
    section = intake.person("shokan", SECTION, "responsible_section")
    coordinator = intake.person("tsunagu", PROVIDER, "coordinator")
    words = "見本　太郎さんが困っています。"
    form = sample("community_issue", to_body="support-meeting", text=words)
    first = (await send(section, ISSUES, form)).json()["id"]
    further = sample("community_issue", to_body="layered-support", text=words)
    assert (await send(coordinator, f"{ISSUES}/{first}/handing-on", further)).status_code == 201
    assert (await send(intake.person("mado", "disability"), f"{ISSUES}/{first}/withdrawal", {})).status_code == 404
    assert (await send(section, f"{ISSUES}/{first}/withdrawal", {})).status_code == 201
    rows = await intake.rows(issues_table)
    assert {(row["state"], row["text"], row["answer"], row["project"]) for row in rows} == {("withdrawn", "", "", "")}
    assert "見本　太郎" not in (await coordinator.get(ISSUES, page=True)).text
    assert await figures(intake) == {"withdrawn": 2}
