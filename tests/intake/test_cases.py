"""Lists, search and the page of a case: within rights, whatever is asked; what one steers is settled on record."""

from __future__ import annotations

import urllib.parse
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.conftest import MovableClock
from tests.data.case_work import Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.data.referrals import referral, without_consent
from tests.intake.many_cases import MINE, fill
from tests.intake.query_plans import steps_of
from tsunagi_intake import case_lists, case_pages
from tsunagi_intake.case_lists import Filters
from tsunagi_intake.tables import cases as table
from tsunagi_shared.accounts import Principal
from tsunagi_shared.audit import audit

READER = Principal("u", "n", MINE, frozenset({"coordinator"}))


async def found(caller: Caller, **query: str) -> list[str]:
    """The numbers a list or search gives, in its order."""
    answer = await caller.get(f"/cases?{urllib.parse.urlencode(query)}")
    assert answer.status_code == 200, answer.text
    return [item["number"] for item in answer.json()["items"]]


async def page_of(caller: Caller, number: str) -> dict[str, Any]:
    """The case as JSON."""
    answer = await caller.get(f"/cases/{number}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


# lists -----------------------------------------------------------------------------------------------------------------


async def test_a_line_says_what_is_to_be_done(intake: Intake) -> None:
    """Urgency, consent, receipt, lead and last change; nothing about the person."""
    desk = await Desk(intake).open(urgency="urgent")
    answer = await desk.coordinator.get("/cases")
    (line,) = answer.json()["items"]
    assert (line["state"], line["urgency"], line["consent"], line["origin"]) == (
        "received",
        "urgent",
        "live",
        "disability",
    )
    assert (line["told"], line["acknowledged"], line["lead"]) == (0, 0, "")
    assert line["changed_at"] >= line["opened_at"]
    shown = await desk.coordinator.get("/cases", page=True)
    assert "至急" in shown.text
    assert "同意あり" in shown.text
    assert "見本　太郎" not in answer.text + shown.text


async def test_filters_narrow_the_list_and_are_counted(intake: Intake) -> None:
    """By state, 年度 and origin, alone and together; the counts follow the other filters."""
    desk = await Desk(intake).open()
    first = desk.case_number
    elsewhere = intake.program("long-term-care", "referrals:write")
    second = (await elsewhere.submit(referral())).json()["case_number"]
    await desk.send(desk.coordinator, "assessments", going_on())
    state = (await page_of(desk.coordinator, first))["state"]
    assert state != "received"
    assert await found(desk.coordinator, state=state) == [first]
    assert await found(desk.coordinator, agency="long-term-care") == [second]
    assert await found(desk.coordinator, agency="long-term-care", state=state) == []
    year = first[1:5]
    assert await found(desk.coordinator, fiscal_year=year) == [second, first]
    assert await found(desk.coordinator, fiscal_year="2001") == []
    counts = (await desk.coordinator.get("/cases")).json()["counts"]
    assert {line["state"]: line["count"] for line in counts} == {"received": 1, state: 1}
    narrowed = (await desk.coordinator.get("/cases?agency=long-term-care")).json()["counts"]
    assert {line["state"]: line["count"] for line in narrowed} == {"received": 1}


async def test_an_empty_list_says_why(intake: Intake) -> None:
    """Nothing yet, nothing that fits, nothing found, and nothing that this post may see at all."""
    mado = intake.person("mado", "disability")
    assert "まだありません" in (await mado.get("/cases", page=True)).text
    assert "条件に合うケースはありません" in (await mado.get("/cases?state=closed", page=True)).text
    assert "見つかりませんでした" in (await mado.post("/cases/search", {"q": "みほん"})).text
    administrator = intake.person("kanri", "social-welfare", "administrator")
    assert "あなたの役割では" in (await administrator.get("/cases", page=True)).text
    assert "漢字では探せません" in (await mado.post("/cases/search", {"q": "見本"})).text


async def test_an_end_of_access_ends_the_line(intake: Intake, movable_clock: MovableClock) -> None:
    """The day after a consent ran out, before any clean-up: no line, nothing found, no page."""
    consent = {**referral()["consent"], "until": "2099-01-31"}
    desk = await Desk(intake).open(consent=consent)
    assert await found(desk.care) == [desk.case_number]
    await intake.runtime.database.write(
        lambda connection: connection.execute(
            sa.text("UPDATE audience SET until = '2020-01-01' WHERE agency = 'sample-care'")
        )
    )
    assert await found(desk.care) == []
    assert await found(desk.care, q="みほん") == []
    assert (await desk.care.get(f"/cases/{desk.case_number}")).status_code == 404
    assert await found(desk.coordinator) == [desk.case_number]


# search ----------------------------------------------------------------------------------------------------------------


async def test_found_by_kana_and_by_numbers(intake: Intake) -> None:
    """Exactly or from the beginning, in either kana, with or without spaces; by the case's or a referral's number."""
    desk = await Desk(intake).open()
    for words in (
        "みほん　たろう",
        "ミホンタロウ",
        "みほ",
        desk.case_number,
        desk.referral_number.lower(),
        "Ｃ" + desk.case_number[1:],
    ):
        assert await found(desk.coordinator, q=words) == [desk.case_number], words
    for words in ("たろう", "みほんはなこ", "C2026-99999", "見本"):
        assert await found(desk.coordinator, q=words) == [], words


async def test_a_search_stays_within_rights(intake: Intake) -> None:
    """Who sees nothing of a case does not find it, by kana or by number; a hidden person is not found either."""
    household = [{"name": "見本　花子", "kana": "べつ　はなこ", "relationship": "妻"}]
    desk = await Desk(intake).open(household=household)
    for words in ("みほん", desk.case_number, desk.referral_number):
        assert await found(desk.stranger, q=words) == [], words
    assert await found(desk.coordinator, q="べつはなこ") == [desk.case_number]
    assert await found(desk.care, q="みほんたろう") == [desk.case_number]
    assert await found(desk.care, q="べつはなこ") == []  # she agreed to nothing


async def test_nobody_is_found_by_what_an_agency_wrote_of_somebody_else(intake: Intake) -> None:
    """A referral about one person makes the rest of the household no more known to its writer, nor does a note or a reply."""
    wife = {"name": "見本　花子", "kana": "みほん　はなこ", "relationship": "妻", "birth_date": "1958-01-01"}
    desk = await Desk(intake).open(household=[wife], household_size=2)
    words = {"q": "みほんはなこ"}
    assert await found(desk.coordinator, **words) == [desk.case_number]
    own = referral(case_number=desk.case_number, household=[], household_size=1, destinations=["hardship-support"])
    taken = await send(desk.care, "/referrals", own)
    assert taken.json()["case_number"] == desk.case_number
    assert (await desk.send(desk.care, "contacts", sample("contact"))).status_code == 201
    reply = {"decision": "accepted", "reason": "お受けします。"}
    number = taken.json()["referral_number"]
    assert (await send(desk.coordinator, f"/referrals/{number}/reply", reply, revision=1)).status_code == 201
    assert await found(desk.care, **words) == []
    assert await found(desk.mado, **words) == [desk.case_number]
    own["household"] = [wife]
    assert (await send(desk.care, f"/referrals/{number}", own, revision=1, method="PUT")).status_code == 200
    assert await found(desk.care, **words) == [desk.case_number]


async def test_searching_keeps_names_out_of_addresses(intake: Intake) -> None:
    """The page searches by post; its answer is not kept, and what leads on from it is a post too."""
    desk = Desk(intake)
    for _ in range(52):
        await intake.program("disability", "referrals:write").submit(referral())
    answer = await desk.coordinator.post("/cases/search", {"q": "みほん"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "q=" not in answer.text
    assert urllib.parse.quote("みほん") not in answer.text
    token = answer.text.partition('name="after" value="')[2].partition('"')[0]
    assert token
    following = await desk.coordinator.post("/cases/search", {"q": "みほん", "after": token})
    assert following.text.count('href="/cases/C') == 2
    assert "みほん" not in token


async def test_pages_of_a_search_hold_every_case_once(intake: Intake) -> None:
    """Through all that match, however small the page, within the filters."""
    await intake.runtime.database.write(lambda connection: fill(connection, 200))
    coordinator = intake.person("chosei", MINE, "coordinator")
    for filters in ({}, {"state": "received"}, {"agency": "long-term-care"}):
        seen: list[str] = []
        after, turns = "0", 0
        while after and turns < 100:
            query = {"q": "みほん", "limit": "7", "after": after, **filters}
            answer = (await coordinator.get(f"/cases?{urllib.parse.urlencode(query)}")).json()
            seen += [item["number"] for item in answer["items"]]
            after, turns = answer["next"], turns + 1
        assert len(seen) == len(set(seen))
        everything = await intake.runtime.database.read(lambda connection: _matching(connection, filters))  # noqa: B023
        assert sorted(seen) == sorted(everything)


def _matching(connection: Connection, filters: dict[str, str]) -> list[str]:
    wanted = sa.select(table.c.number).where(table.c.seq % 5 == 0)
    if "state" in filters:
        wanted = wanted.where(table.c.state == filters["state"])
    if "agency" in filters:
        wanted = wanted.where(table.c.origin == filters["agency"])
    return list(connection.execute(wanted).scalars())


@pytest.mark.parametrize("query", ["after=見本", "after=1-みほん", "fiscal_year=x", "limit=0", "q=" + "あ" * 101])
async def test_wrong_queries_are_refused(intake: Intake, query: str) -> None:
    """A reason and no fault; what was asked is not repeated."""
    mado = intake.person("mado", "disability")
    answer = await mado.get(f"/cases?{urllib.parse.quote(query, safe='=')}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


async def test_nothing_is_walked_but_the_page(intake: Intake) -> None:
    """With 2,000 cases, every list, search, count and case page finds its rows along an index, and sorts none but its own."""

    def ask(connection: Connection) -> None:
        for filters in (
            Filters(), Filters("received"), Filters("", 2025), Filters("", 0, "long-term-care"),
            Filters("closed", 2024, "long-term-care"),
        ):  # fmt: skip
            case_lists.list_cases(connection, READER, filters, 0, 50)
            case_lists.list_cases(connection, READER, filters, 9_000, 50, counted=False)
        for words in ("みほん", "み", "C2024-000100", "みほん000500"):
            case_lists.search(connection, READER, words, Filters(), "", 50)
        case_lists.years_of(connection, READER)
        case_pages.case_page(connection, READER, intake.runtime.profile, "C2024-000100")

    def plan(connection: Connection) -> list[str]:
        fill(connection, 2_000, every=2)
        return steps_of(connection, lambda: ask(connection))

    steps = await intake.runtime.database.write(plan)
    scanned = {
        step
        for step in steps
        if step.startswith("SCAN") and " anon_" not in step and "(subquery" not in step and "CONSTANT" not in step
    }
    assert not scanned, scanned
    whole_agency = {
        step for step in steps if step.endswith("(agency=?)") and "case_lists USING PRIMARY KEY" not in step
    }
    assert not whole_agency, whole_agency
    for index in ("case_lists_state", "case_lists_origin", "timeline_case", "ix_referrals_case", "persons_match"):
        assert any(index in step for step in steps), index
    assert any("case_keys USING PRIMARY KEY (agency=? AND search_key>? AND search_key<?)" in step for step in steps)


async def test_counts_stop_at_a_thousand(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact up to there, 「以上」 beyond."""
    monkeypatch.setattr(case_lists, "COUNTED", 10)
    await intake.runtime.database.write(lambda connection: fill(connection, 200))
    coordinator = intake.person("chosei", MINE, "coordinator")
    counts = (await coordinator.get("/cases?fiscal_year=2024")).json()["counts"]
    assert {(line["count"], line["more"]) for line in counts} <= {(count, False) for count in range(1, 11)}
    counts = (await coordinator.get("/cases")).json()["counts"]
    assert all((line["count"], line["more"]) == (10, True) for line in counts)
    assert "10件以上" in (await coordinator.get("/cases", page=True)).text


# the page of a case ----------------------------------------------------------------------------------------------------


async def test_each_reader_sees_their_part(intake: Intake) -> None:
    """The provider everything; a destination the subject, the referral and no more; nobody else that there is anything."""
    desk = await Desk(intake).open()
    page = await page_of(desk.coordinator, desk.case_number)
    assert [person["name"] for person in page["people"]] == ["見本　太郎", "見本　花子", "見本　一郎"]
    assert page["people"][0]["consents"][0]["agencies"] == ["hardship-support", "sample-care"]
    part = await page_of(desk.care, desk.case_number)
    assert [(person["name"], person["consents"]) for person in part["people"]] == [("見本　太郎", [])]
    assert (part["view"], part["matches"], part["protections"]) == ("summary", [], [])
    for path in ("", "/openings", "/records/contact", "/matches"):
        answer = await desk.stranger.get(f"/cases/{desk.case_number}{path}")
        unknown = await desk.stranger.get(f"/cases/C2026-99999{path}")
        assert (answer.status_code, answer.json()) == (404, unknown.json())


async def test_what_is_offered_is_what_is_permitted(intake: Intake) -> None:
    """A coordinator steers; a window corrects what it wrote; the section reviews and holds; a destination replies."""
    desk = await Desk(intake).open()
    steering = {"allocate", "set_lead", "close_case", "join_cases", "record_ground", "assess"}
    assert steering <= set((await page_of(desk.coordinator, desk.case_number))["actions"])
    window = await page_of(desk.mado, desk.case_number)
    assert steering & set(window["actions"]) == set()
    assert {"correct", "withdraw_referral"} <= set(window["referrals"][0]["actions"])
    section = await page_of(desk.section, desk.case_number)
    assert {"review_ground", "hold", "disclose"} <= set(section["actions"])
    care = await page_of(desk.care, desk.case_number)
    assert care["referrals"][0]["actions"] == ["reply"]
    assert set(care["actions"]) <= {"log_contact"}


@pytest.mark.parametrize("own", ["contacts", "referral"])
async def test_what_an_agency_wrote_itself_opens_no_more_of_the_case(intake: Intake, own: str) -> None:
    """A note or a further referral of a destination shows it that form: no grounds, reasons or parts, and it records neither a
    consent that names itself nor the end of one. So it is with an agency that was excluded."""
    desk = await Desk(intake).open()
    person = (await page_of(desk.coordinator, desk.case_number))["people"][0]["id"]
    await desk.send(desk.coordinator, "grounds", sample("ground"))
    await desk.send(desk.coordinator, "allocations", sample("allocation"), revision=1)
    offered = (await page_of(desk.care, desk.case_number))["actions"]
    if own == "contacts":
        written = await desk.send(desk.care, own, sample("contact"))
    else:
        written = await send(
            desk.care, "/referrals", referral(case_number=desk.case_number, destinations=["welfare-council"])
        )
    assert written.status_code == 201
    for view in ("summary", "minimal"):
        page = await page_of(desk.care, desk.case_number)
        assert (page["view"], page["actions"]) == (view, offered)
        assert [page[name] for name in ("grounds", "allocations", "protections", "ended_note")] == [[], [], [], ""]
        kinds = {line["kind"] for line in page["timeline"]}
        assert kinds & {"ground_recorded", "allocated", "consent_given"} == set()
        day = {"given_on": "2026-04-06", "explained_on": "2026-04-06"}
        for path, form in (
            (f"/cases/{desk.case_number}/consents", consent_of(person, agencies=["sample-care"], **day)),
            (f"/cases/{desk.case_number}/protections?revision=2", sample("protection", person=person)),
        ):
            assert (await send(desk.care, path, form)).json()["code"] == "full-view-needed"
        given = page_consents(await page_of(desk.coordinator, desk.case_number))
        ended = {"withdrawn_on": "2026-11-23", "whole": True}
        for line in given:
            answer = await send(desk.care, f"/consents/{line['id']}/withdrawal", ended, revision=line["revision"])
            assert answer.json()["code"] == "full-view-needed"
        excluded = consent_of(person, agencies=["hardship-support"], excluded_agencies=["sample-care"], **day)
        assert (await desk.send(desk.coordinator, "consents", excluded)).status_code == 201


def page_consents(page: dict[str, Any]) -> list[dict[str, Any]]:
    """Every consent on the page of a case that has not ended."""
    return [line for person in page["people"] for line in person["consents"] if not line["closed"]]


async def test_a_case_rests_on_its_first_referral_that_stands(intake: Intake) -> None:
    """Once that was taken back as sent to the wrong place, the next one's writer sees all of the case, and the first no more."""
    desk = await Desk(intake).open()
    await send(desk.coordinator, "/referrals", referral(case_number=desk.case_number))
    assert (await page_of(desk.mado, desk.case_number))["view"] == "full"
    recalled = sample("withdrawal", kind="misdirected")
    assert (await desk.referral(desk.mado, "withdrawal", recalled, revision=1)).status_code == 201
    assert (await page_of(desk.mado, desk.case_number))["view"] == "minimal"
    assert (await page_of(desk.coordinator, desk.case_number))["view"] == "full"


async def test_consents_stand_with_their_person(intake: Intake) -> None:
    """Given, replaced, withdrawn in part: each with whom it names, until when and who put it on record."""
    desk = await Desk(intake).open()
    people = (await page_of(desk.coordinator, desk.case_number))["people"]
    wife = people[1]["id"]
    assert people[1]["standing"] == "not_asked"
    await desk.send(desk.mado, "consents", consent_of(wife, until="2099-03-31"))
    line = (await page_of(desk.coordinator, desk.case_number))["people"][1]
    assert line["standing"] == "live"
    (consent,) = line["consents"]
    assert (consent["agencies"], consent["until"], consent["agency"]) == (
        ["sample-care", "welfare-council"], "2099-03-31", "disability",
    )  # fmt: skip
    gone = sample("consent_withdrawal", agencies=[], whole=True)
    await send(desk.mado, f"/consents/{consent['id']}/withdrawal", gone, revision=consent["revision"])
    line = (await page_of(desk.coordinator, desk.case_number))["people"][1]
    assert (line["standing"], line["consents"][0]["live"]) == ("withdrawn", False)
    shown = await desk.coordinator.get(f"/cases/{desk.case_number}", page=True)
    assert f"/forms/consent?case={desk.case_number}&amp;person={wife}" in shown.text


async def test_why_somebody_is_protected_is_told_to_few(intake: Intake) -> None:
    """The reason is for the section and for agencies that are cleared; the other full views see that there is one."""
    desk = await Desk(intake).open()
    page = await page_of(desk.coordinator, desk.case_number)
    form = sample("protection", person=page["people"][0]["id"], cleared=["welfare-desk"], reason="見本の事情")
    await desk.send(desk.coordinator, "protections", form, revision=page["revision"])
    assert (await page_of(desk.coordinator, desk.case_number))["protections"][0]["reason"] == "見本の事情"
    assert (await page_of(desk.section, desk.case_number))["protections"][0]["reason"] == "見本の事情"
    window = (await page_of(desk.mado, desk.case_number))["protections"]
    assert [line["reason"] for line in window] == [""]


async def test_reading_is_on_record(intake: Intake) -> None:
    """Who read which case, searched, or asked in vain; never what was searched for."""
    desk = await Desk(intake).open()
    await desk.coordinator.get(f"/cases/{desk.case_number}")
    await desk.coordinator.post("/cases/search", {"q": "みほん"})
    await desk.stranger.get(f"/cases/{desk.case_number}")
    rows = [(row["user"], row["action"], row["outcome"]) for row in await intake.rows(audit)]
    assert ("chosei", "case.read", "done") in rows
    assert ("chosei", "case.search", "done") in rows
    assert ("yoso", "case.read", "refused") in rows
    assert "みほん" not in str(await intake.rows(audit))


# lead and closure ------------------------------------------------------------------------------------------------------


async def test_the_lead_is_set_once_seen(intake: Intake) -> None:
    """On the revision that was seen; the second of two is told who was first, and keeps what they chose."""
    desk = await Desk(intake).open()
    seen = (await page_of(desk.coordinator, desk.case_number))["revision"]
    assert (await desk.send(desk.coordinator, "lead", {"lead": "welfare-desk"}, revision=seen)).status_code == 201
    page = await page_of(desk.coordinator, desk.case_number)
    assert (page["lead"], page["revision"]) == ("welfare-desk", seen + 1)
    late = await desk.send(desk.section, "lead", {"lead": "disability"}, revision=seen)
    assert (late.status_code, late.json()["code"]) == (409, "changed-meanwhile")
    assert "見本　chosei" in late.json()["title"]
    shown = await desk.section.post(f"/cases/{desk.case_number}/lead?revision={seen}", {"lead": "disability"})
    assert shown.status_code == 409
    assert '<option value="disability" selected>' in shown.text
    assert (await page_of(desk.section, desk.case_number))["lead"] == "welfare-desk"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lead": "nowhere"}, 422, "invalid-form"),
        ({}, 400, "invalid-json"),
        ([], 400, "invalid-json"),
        ({"lead": 3}, 400, "invalid-json"),
    ],
)
async def test_a_wrong_lead_is_refused(intake: Intake, body: Any, status: int, code: str) -> None:
    """An agency there is not, or no agency at all: nothing is stored."""
    desk = await Desk(intake).open()
    answer: httpx.Response = await desk.send(desk.coordinator, "lead", body, revision=1)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await page_of(desk.coordinator, desk.case_number))["revision"] == 1


async def test_a_case_without_a_plan_is_closed_with_a_reason(intake: Intake) -> None:
    """By who steers it: the day is kept with the case, nothing more can be added, and what was written is shown."""
    desk = await Desk(intake).open()
    closure = {"reason": "advised", "note": "案内だけで足りた。"}
    refused = await desk.send(desk.mado, "closure", closure, revision=1)
    assert refused.status_code == 409
    done = await desk.send(desk.coordinator, "closure", closure, revision=1)
    assert (done.status_code, done.json()["case_state"]) == (201, "advised")
    page = await page_of(desk.coordinator, desk.case_number)
    assert (page["state"], page["ended_note"]) == ("advised", "案内だけで足りた。")
    assert page["ended_at"]
    assert await found(desk.coordinator, state="advised") == [desk.case_number]
    (row,) = await intake.rows(table)
    assert row["completed_on"] is not None
    late = await desk.send(desk.coordinator, "contacts", sample("contact"))
    assert (late.status_code, late.json()["code"]) == (409, "case-ended")
    assert (await page_of(desk.coordinator, desk.case_number))["actions"] == [
        "withdraw_consent",
        "protect",
        "lift_protection",
        "end_ground",
    ]


async def test_a_closure_from_the_page_keeps_what_was_typed(intake: Intake) -> None:
    """Refused for what is missing, and for a page out of date: the form comes back whole, on what there is now."""
    desk = await Desk(intake).open()
    address = f"/cases/{desk.case_number}/closure?revision=1"
    missing = await desk.coordinator.post(address, {"note": "書きかけ"})
    assert (missing.status_code, "書きかけ" in missing.text) == (422, True)
    await desk.send(desk.coordinator, "lead", {"lead": "welfare-desk"}, revision=1)
    stale = await desk.coordinator.post(address, {"reason": "advised", "note": "書きかけ"})
    assert (stale.status_code, "書きかけ" in stale.text) == (409, True)
    assert f'action="/cases/{desk.case_number}/closure?revision=2"' in stale.text
    again = await desk.coordinator.post(f"/cases/{desk.case_number}/closure?revision=2", {"reason": "advised"})
    assert (again.status_code, again.headers["location"]) == (303, f"/cases/{desk.case_number}")


async def test_states_follow_what_is_on_record(intake: Intake) -> None:
    """Received, outreach without consent, accepted with it, withdrawn with the last referral: on the page and on the list."""
    desk = await Desk(intake).open(**without_consent())
    states = [(await page_of(desk.coordinator, desk.case_number))["state"]]
    await desk.send(desk.coordinator, "assessments", going_on(stage="intake"))
    states.append((await page_of(desk.coordinator, desk.case_number))["state"])
    subject = (await page_of(desk.coordinator, desk.case_number))["people"][0]["id"]
    await desk.send(desk.coordinator, "consents", consent_of(subject))
    states.append((await page_of(desk.coordinator, desk.case_number))["state"])
    await desk.referral(
        desk.mado, "withdrawal", {"kind": "withdrawn", "reason": "取りやめた", "noticed_on": "2026-04-03"}, revision=1
    )
    states.append((await page_of(desk.mado, desk.case_number))["state"])
    assert states == ["received", "outreach", "accepted", "withdrawn"]
    assert await found(desk.mado, state="withdrawn") == [desk.case_number]


async def test_a_post_without_cases_has_an_empty_list_at_once(intake: Intake) -> None:
    """Auditor and administrator are shown no case, and nothing is looked through to find that out."""
    await Desk(intake).open()
    asked: list[str] = []

    def look(connection: Connection) -> tuple[Any, ...]:
        sa.event.listen(connection, "before_cursor_execute", lambda *told: asked.append(told[2]))
        found = [
            (case_lists.list_cases(connection, who, filters, 0, 50), case_lists.years_of(connection, who))
            for role in ("auditor", "administrator")
            for who in (Principal("kansa", "見本", "social-welfare", frozenset({role})),)
            for filters in (case_lists.Filters(), case_lists.Filters(agency="disability", state="received"))
        ]
        return tuple(found)

    for listed, years in await intake.runtime.database.read(look):
        assert (listed.items, listed.next, listed.counts, years) == ((), "", (), ())
    assert asked == []
