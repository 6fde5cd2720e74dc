"""地域課題 that leaves a case: it names nobody, and what is protected later is cut out of it as well."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from tests.data.case_work import DESTINATION, PROVIDER, SECTION, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.plan_work import decided
from tests.intake.sittings import Table, said
from tsunagi_intake.meeting_tables import community_issues
from tsunagi_intake.tables import cases, records, referrals
from tsunagi_shared import clock
from tsunagi_shared.forms.minutes import Decision
from tsunagi_shared.forms.withheld_text import WITHHELD

CHAIR = (PROVIDER, "chosei")
_SEARCHED = ("agenda_items", "meeting_members", "community_issues", "allocations")


async def convened(intake: Intake, **changes: Any) -> tuple[Table, str, str]:
    """A sitting with the case on its agenda, to which its office was called; meeting and item."""
    table = await Table(intake).open(**changes)
    await table.consent(PROVIDER, SECTION, DESTINATION)
    meeting = await table.sitting()
    item = await table.item(meeting)
    await table.call(meeting, CHAIR)
    assert (await table.convene(meeting)).status_code == 201
    return table, meeting, item


async def written(table: Table, meeting: str, item: str, revision: int, **texts: Any) -> Any:
    """The answer to the closing of the sitting with these texts handed on."""
    form = said([CHAIR], decision="shared", hands_over_to="disability-council", **texts)
    answer = await table.write(meeting, item, form, revision)
    assert (answer.status_code, answer.json()["errors"]) == (200, [])
    return await table.close(meeting)


async def person_of(intake: Intake) -> dict[str, str]:
    person: dict[str, str] = msgspec.json.decode((await intake.rows(referrals))[0]["form"])["person"]
    return person


@pytest.mark.parametrize("field", ["community_issue", "missing_resource"])
async def test_a_text_that_leads_to_somebody_is_not_handed_on(intake: Intake, field: str) -> None:
    """A name, furigana, address or telephone of the case's people: the sitting is not closed, and the field is named."""
    table, meeting, item = await convened(intake)
    person = await person_of(intake)
    name, kana = person["name"], person["kana"]
    found = [
        f"{name}さんのような世帯", f"{''.join(name.split())}さん", f"{' '.join(name.split())}さん", f"{kana}さん",
        f"{''.join(kana.split())}さん", f"住所は{person['address']}。", f"電話は{person['mobile'] or person['phone']}。",
    ]  # fmt: skip
    for revision, text in enumerate(found):
        closed = await written(table, meeting, item, revision, **{field: text})
        assert closed.status_code == 422, text
        (wrong,) = closed.json()["errors"]
        assert (wrong["path"], wrong["code"]) == (f"items.1.{field}", "names-in-issue")
        assert name not in closed.text
    assert await intake.rows(community_issues) == []
    assert "minutes" not in {row["kind"] for row in await intake.rows(records)}
    closed = await written(table, meeting, item, len(found), **{field: "男性の介護者が集まれる場が少ない。"})
    assert closed.status_code == 201, closed.text
    (issue,) = await intake.rows(community_issues)
    assert issue["text"] == "男性の介護者が集まれる場が少ない。"


async def test_the_household_counts_as_well(intake: Intake) -> None:
    """Whoever stands on the referral is not named; a given name alone may be anybody's."""
    household = [{"relationship": "長女", "name": "見本　桜子", "kana": "ミホン　サクラコ"}]
    table, meeting, item = await convened(intake, household=household, household_size=2)
    closed = await written(table, meeting, item, 0, community_issue="見本桜子さんの学校")
    assert [error["code"] for error in closed.json()["errors"]] == ["names-in-issue"]
    closed = await written(table, meeting, item, 1, community_issue="長女が家族を支える世帯が、桜子通りにも多い。")
    assert closed.status_code == 201, closed.text


async def test_what_is_protected_later_is_cut_out_of_what_was_handed_on(intake: Intake) -> None:
    """A new address that no form had when the text was handed on is cut out once it is protected, for whoever reads the list."""
    table, meeting, item = await convened(intake)
    text = "転居先の見本市見本町9-8-7の近くに、日中の居場所がない。"
    assert (await written(table, meeting, item, 0, community_issue=text)).status_code == 201
    reader = intake.person("hoka", "disability", "coordinator")
    for caller in (table.section, reader):
        (line,) = (await caller.get("/community-issues")).json()["items"]
        assert line["text"] == text
    revision = (await intake.rows(cases))[0]["revision"]
    form = sample("protection", person=await table.person(), since=clock.today().isoformat(), cleared=[PROVIDER])
    assert (await table.desk.send(table.mado, "protections", form, revision=revision)).status_code == 201
    for caller in (table.section, reader, table.coordinator):
        (line,) = (await caller.get("/community-issues")).json()["items"]
        assert WITHHELD in line["text"]
        assert "9-8-7" not in line["text"]


async def test_an_office_cannot_find_out_by_its_own_words_what_is_protected(intake: Intake) -> None:
    """What it wrote comes back to it as it wrote it, in the list and on the page of the project, whether it hits what is
    protected or not; others read it cut."""
    table, meeting, item = await convened(intake)
    assert (await written(table, meeting, item, 0, community_issue="居場所がない。")).status_code == 201
    office = intake.person("hoka", "disability", "coordinator")
    (line,) = (await office.get("/community-issues")).json()["items"]
    path = f"/community-issues/{line['id']}"
    assert (await send(office, f"{path}/proposal", {"proposal": "集まる場をつくる。"})).status_code == 201
    hit, miss = "見本市見本町9-8-7に集う会", "駅前の広場に集う会"
    for words in (hit, miss):
        assert (await send(office, f"{path}/project", sample("issue_project", name=words))).status_code == 201
    revision = (await intake.rows(cases))[0]["revision"]
    form = sample("protection", person=await table.person(), since=clock.today().isoformat(), cleared=[PROVIDER])
    assert (await table.desk.send(table.mado, "protections", form, revision=revision)).status_code == 201
    for words in (hit, miss):
        assert (await send(office, f"{path}/project", sample("issue_project", name=words))).status_code == 201
        (line,) = (await office.get("/community-issues")).json()["items"]
        assert line["project"]["name"] == words
        page = await office.get(f"/forms/issue_project?issue={line['id']}", page=True)
        assert words in page.text
        seen = (await table.section.get("/community-issues")).json()["items"][0]["project"]["name"]
        assert (seen == words) is (words == miss)


async def test_what_comes_of_a_closing_is_found_by_an_index(intake: Intake) -> None:
    """Neither minutes, nor the sittings of an agency, nor what an item handed on, nor the parts of a plan take a whole table."""
    table, meeting, item = await convened(intake)
    said_of: dict[str, Any] = {}

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        said_of.setdefault(statement, parameters[0] if many and parameters else parameters)

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        assert (await written(table, meeting, item, 0, community_issue="場が少ない。")).status_code == 201
        table.plan_id = await table.work.adopted()
        await decided(intake, table.plan_id, Decision.SUSPENDED)
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)
    said_of |= {
        "SELECT 1 FROM agenda_items WHERE minutes = ?": ("x",),
        "SELECT meeting FROM meeting_members WHERE agency = ?": ("x",),
        "SELECT 1 FROM community_issues WHERE item = ?": ("x",),
    }
    with contextlib.closing(sqlite3.connect(intake.runtime.database.path)) as connection:
        for statement, parameters in said_of.items():
            if re.search(rf"\b({'|'.join(_SEARCHED)})\b", statement):
                steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                assert not [step for step in steps if re.match(rf"SCAN ({'|'.join(_SEARCHED)})", step)], statement
