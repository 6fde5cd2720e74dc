"""The calendar of a 年度: every body's days, what is in the way, what ends and begins, and counts for whoever may see them."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.data.case_work import DESTINATION, PROVIDER, SECTION, send
from tests.data.intake import Caller, Intake, running_intake
from tests.data.referrals import referral
from tests.intake.sittings import Table
from tsunagi_intake import retention
from tsunagi_intake.tables import cases
from tsunagi_intake.year_calendar import Entry as CalendarEntry
from tsunagi_intake.year_calendar import EntryKind, clashes, holidays, turns
from tsunagi_shared import clock
from tsunagi_shared.contracts.profile import load_profile

MIHON = Path(__file__).parents[1] / "data" / "profile_mihon"
TOWN = load_profile(MIHON)
YEAR = 2026
FROM, TO = dt.date(2026, 4, 1), dt.date(2027, 3, 31)


@pytest.fixture
async def town(tmp_path: Path, cheap_passwords: None) -> AsyncIterator[Intake]:
    """The service with the profile of the sample town."""
    async with running_intake(tmp_path, profile=MIHON) as found:
        yield found


async def entries(caller: Caller, year: int = YEAR) -> list[dict[str, Any]]:
    """The entries of a year as a program reads them."""
    answer = await caller.get(f"/calendar/{year}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["entries"])


def days(found: list[dict[str, Any]], kind: str, body: str = "") -> list[str]:
    return [entry["day"] for entry in found if entry["kind"] == kind and (not body or body in entry["bodies"])]


async def test_every_bodys_days_are_there(town: Intake) -> None:
    """Regular days with holidays moved as the profile says, bodies without fixed days named, holidays by name."""
    caller = town.person("soudan", "disability-desk", "agency_staff")
    answer = (await caller.get(f"/calendar/{YEAR}")).json()
    found = answer["entries"]
    assert (answer["starts"], answer["until"]) == ("2026-04-01", "2027-03-31")
    assert answer["unscheduled"] == ["support-meeting", "promotion"]
    regular = days(found, "regular", "layered-support")
    assert len(regular) == 12
    assert "2026-04-22" in regular
    # 29 April is the last Wednesday and a holiday: the care meeting is not held
    assert "2026-04-29" not in days(found, "regular", "community-care")
    (skipped,) = (entry for entry in found if entry["kind"] == "moved" and entry["day"] == "2026-04-29")
    assert "開きません" in skipped["text"]
    named = {entry["day"]: entry["text"] for entry in found if entry["kind"] == "holiday"}
    assert named["2026-05-06"] == "憲法記念日 振替休日"
    assert named["2026-09-22"] == "国民の休日"
    assert named["2026-12-30"] == named["2027-01-02"] == "年末年始"
    assert named["2027-01-01"] == "元日"
    assert all(FROM.isoformat() <= entry["day"] <= TO.isoformat() for entry in found)


async def test_two_bodies_on_one_day_clash(town: Intake) -> None:
    """The fourth Wednesday that is also the last: the agencies needed in both meetings are named, for somebody to act."""
    found = await entries(town.person("soudan", "disability-desk", "agency_staff"))
    both = set(days(found, "regular", "layered-support")) & set(days(found, "regular", "community-care"))
    assert both
    assert set(days(found, "clash")) == both
    clash = next(entry for entry in found if entry["kind"] == "clash")
    assert clash["attention"]
    assert "みほん町地域包括支援センター、みほん町社会福祉協議会" in clash["text"]


def test_meetings_whose_times_do_not_touch_do_not_clash() -> None:
    """Times decide where both are known; a cancelled sitting is in nobody's way."""

    def held(body: str, starts: str, ends: str, **more: Any) -> CalendarEntry:
        return CalendarEntry(
            day=FROM, kind=EntryKind.SITTING, text="", bodies=(body,), starts_at=starts, ends_at=ends, **more
        )

    first = held("layered-support", "10:00", "11:00")
    assert not list(clashes(TOWN, (first, held("community-care", "11:00", "12:00"))))
    assert list(clashes(TOWN, (first, held("community-care", "10:30", "12:00"))))
    assert list(clashes(TOWN, (first, held("community-care", "", ""))))
    assert not list(clashes(TOWN, (first, held("community-care", "10:30", "", cancelled=True))))


@pytest.mark.parametrize(
    ("year", "expected"),
    [
        (2025, ["2025-04-01 begins みほん相談支援事業所", "2025-04-01 begins みほん町社会福祉協議会"]),
        (2026, []),
        (2027, ["2028-03-31 ends みほん相談支援事業所", "2028-03-31 ends みほん町社会福祉協議会"]),
    ],
)
def test_contracts_turn_with_the_year(year: int, expected: list[str]) -> None:
    """The first and the last day of a contract; an end without a successor asks somebody to act."""
    found = list(turns(TOWN, dt.date(year, 4, 1), dt.date(year + 1, 3, 31)))
    contracts = [entry for entry in found if "契約" in entry.text]
    assert [f"{entry.day} {entry.kind} {entry.text.partition('：')[0]}" for entry in contracts] == expected
    assert all(
        entry.attention and "次の受託者がまだありません" in entry.text for entry in contracts if entry.kind == "ends"
    )


def test_what_goes_on_neither_ends_nor_begins() -> None:
    """A successor the day after is named at the end; the same contractor's next contract is no turn at all."""
    standard = load_profile(Path(__file__).parents[2] / "deploy" / "profiles" / "standard")
    found = {
        entry.day: entry for entry in turns(standard, FROM, dt.date(2027, 4, 1)) if "参加支援センター" in entry.text
    }
    end, begin = found[dt.date(2027, 3, 31)], found[dt.date(2027, 4, 1)]
    assert "次の日からNPO法人みほんつながる会" in end.text
    assert not end.attention
    assert begin.attention  # accounts must be there on that day


def test_holidays_of_two_years() -> None:
    """The law's holidays by number, with 年末年始 beside them: 1 January is one of both."""
    named = Counter(entry.text for entry in holidays(dt.date(2026, 1, 1), dt.date(2026, 12, 31)))
    assert named["年末年始"] == 5
    assert sum(named.values()) == 18 + 5  # sixteen, and two between or instead, of 2026


async def test_sittings_are_shown_to_whom_they_are_known(intake: Intake) -> None:
    """Its office sees a sitting that was made, an agency only one it was called to; an administrator none; nobody a case."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    meeting = await table.sitting(place="見本会館")
    await table.item(meeting)
    await table.call(meeting, (DESTINATION, "kaigo"), (PROVIDER, "chosei"))
    year = clock.fiscal_year(clock.today())

    async def seen(caller: Caller) -> list[str]:
        return [entry["id"] for entry in await entries(caller, year) if entry["kind"] == "sitting"]

    assert await seen(table.coordinator) == await seen(table.section) == [meeting]
    assert await seen(table.care) == []
    await table.convene(meeting)
    assert await seen(table.care) == [meeting]
    assert await seen(table.stranger) == []
    admin = intake.person("kanri", SECTION, "administrator")
    assert await seen(admin) == []
    page = await table.care.get(f"/calendar/{year}", page=True)
    assert page.status_code == 200
    assert f'href="/meetings/{meeting}"' in page.text
    assert table.case not in page.text
    assert "見本　太郎" not in page.text


async def test_plans_are_counted_for_whoever_may_see_them(intake: Intake) -> None:
    """A count on the day of monitoring and of the end, for the agencies of the plan; strangers and administrators get none."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    today = clock.today()
    days_of = {"monitoring_on": today.isoformat(), "until": today.isoformat()}
    plan = await table.work.adopted(**days_of)
    year = clock.fiscal_year(today)
    for caller, expected in (
        (table.coordinator, 1),
        (table.section, 1),
        (table.care, 1),
        (table.stranger, 0),
        (intake.person("kanri", SECTION, "administrator"), 0),
    ):
        found = {entry["kind"]: entry["count"] for entry in await entries(caller, year) if entry["count"]}
        assert found == ({"monitoring": 1, "plan_end": 1} if expected else {}), caller.headers
    text = (await table.section.get(f"/calendar/{year}")).text
    assert plan not in text
    assert table.case not in text
    await table.work.step(plan, "end")


async def test_cases_whose_time_runs_out_are_counted_for_the_section(intake: Intake) -> None:
    """On the last day they are kept, without a number; for the responsible section alone, and not while on hold."""
    table = await Table(intake).open()
    today = clock.today()
    rule = next(row for row in intake.runtime.profile.retention.classes if row.years is not None)
    await intake.runtime.database.write(
        lambda connection: connection.execute(
            cases.update().values(completed_on=today.isoformat(), kept_by=f'["{rule.id}"]', state="closed")
        )
    )
    until = retention.kept_until(rule, today)
    assert until is not None
    year = clock.fiscal_year(until)
    found = [entry for entry in await entries(table.section, year) if entry["kind"] == "retention"]
    assert [(entry["day"], entry["count"]) for entry in found] == [(until.isoformat(), 1)]
    assert days(await entries(table.coordinator, year), "retention") == []
    await intake.runtime.database.write(lambda connection: connection.execute(cases.update().values(legal_hold=1)))
    assert days(await entries(table.section, year), "retention") == []


async def test_the_page_has_a_grid_for_each_month(town: Intake) -> None:
    """Twelve tables with captions, seven columns that are named, each day once; what asks for action stands above."""
    caller = town.person("soudan", "disability-desk", "agency_staff")
    page = (await caller.get(f"/calendar/{YEAR}", page=True)).text
    assert re.findall(r"<caption>(令和\d+年\d+月)</caption>", page) == [
        f"令和{8 if month > 3 else 9}年{month}月" for month in (*range(4, 13), 1, 2, 3)
    ]
    shown = re.findall(r'<time datetime="([0-9-]+)">', page)
    assert shown == [(FROM + dt.timedelta(n)).isoformat() for n in range(365)]
    assert page.count('<th scope="col" abbr=') == 7 * 12
    assert page.index("会議の重なり") < page.index("月ごとの予定")
    assert "style=" not in page
    assert 'href="/calendar/2025"' in page
    here = await caller.get("/calendar", page=True)
    assert here.status_code == 303
    assert here.headers["location"] == f"/calendar/{clock.fiscal_year(clock.today())}"


async def test_a_calendar_program_reads_the_year(town: Intake) -> None:
    """Whole days for bodies and turns, folded and escaped lines, the same ids each time; counts and clashes are left out."""
    caller = town.person("soudan", "disability-desk", "agency_staff")
    feed = await caller.get("/calendar/2027/calendar.ics")
    assert feed.headers["content-type"].startswith("text/calendar")
    lines = feed.text.split("\r\n")
    assert all(len(line.encode()) <= 75 for line in lines)
    text = feed.text.replace("\r\n ", "")
    assert "SUMMARY:みほん重層会議（定例）\r\n" in text
    assert "DTSTART;VALUE=DATE:20280331\r\nDTEND;VALUE=DATE:20280401\r\n" in text
    assert "契約が終わります" in text
    assert "重なり" not in text
    assert "件" not in text
    again = (await caller.get("/calendar/2027/calendar.ics")).text
    assert re.findall("UID:.*", again) == re.findall("UID:.*", feed.text)
    assert len(set(re.findall("UID:.*", text))) == text.count("BEGIN:VEVENT")


@pytest.mark.parametrize(
    "path",
    [
        "/calendar/1999",
        "/calendar/2100",
        "/calendar/0",
        "/calendar/x",
        "/calendar/999999999999",
        "/calendar/２０２６",
        "/calendar/+2026",
        "/calendar/2_026",
        "/calendar/２０２６/calendar.ics",
        "/reports/２０２６",
    ],
)
async def test_a_year_that_is_none_is_not_found(town: Intake, path: str) -> None:
    """404 for a year without a table of holidays, and for what is no year."""
    assert (await town.person("soudan", "disability-desk", "agency_staff").get(path)).status_code == 404


async def test_the_sample_town_takes_a_referral(town: Intake) -> None:
    """What the how-to ends with: a window hands over with a consent, the agency it names finds the sheet and takes it on."""
    mado = town.person("mado", "elderly-center", "clerk")
    desk = town.person("soudan", "disability-desk", "agency_staff")
    form = referral(destinations=["disability-desk"])
    form["consent"] = {**form["consent"], "agencies": ["disability-desk"]}
    made = await send(mado, "/referrals", form)
    assert made.status_code == 201, made.text
    receipt = made.json()
    assert re.fullmatch(r"M\d{4}-0001", receipt["referral_number"])
    there = (await desk.get(f"/referrals/{receipt['referral_number']}")).json()
    assert there["case_number"] == receipt["case_number"]
    answer = await send(desk, f"/referrals/{receipt['referral_number']}/reply", {"decision": "accepted"}, revision=1)
    assert answer.status_code == 201, answer.text
