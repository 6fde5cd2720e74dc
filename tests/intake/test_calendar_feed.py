"""The calendar of one person: a token of their own that can be taken back, and nothing of any case in it."""

from __future__ import annotations

from tests.data.case_work import DESTINATION, PROVIDER, send
from tests.data.intake import Intake
from tests.intake.sittings import Table, code_of
from tsunagi_intake.calendar_feed import folded, text_value
from tsunagi_intake.meeting_tables import calendar_tokens


async def test_a_person_reads_their_own_sittings(intake: Intake) -> None:
    """Convened sittings with time, body and place; no case, no name; an altered, replaced or revoked token opens nothing."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    meeting = await table.sitting(place="見本会館、２階；会議室")
    await table.item(meeting)
    await table.call(meeting, (DESTINATION, "kaigo"), (PROVIDER, "chosei"))
    made = (await send(table.care, "/calendar-token")).json()
    kept = await intake.rows(calendar_tokens)
    assert made["token"] not in str(kept)
    assert made["path"] == f"/meetings.ics?token={made['token']}"
    early = await intake.anybody.get(made["path"])
    assert early.status_code == 200
    assert "BEGIN:VEVENT" not in early.text
    await table.convene(meeting)
    feed = await intake.anybody.get(made["path"])
    assert feed.headers["content-type"].startswith("text/calendar")
    lines = feed.text.split("\r\n")
    assert "SUMMARY:重層的支援会議" in lines
    assert "LOCATION:見本会館、２階；会議室" in lines
    assert "STATUS:CONFIRMED" in lines
    assert all(len(line.encode()) <= 75 for line in lines)
    assert any(line.startswith("DTSTART:") and line.endswith("Z") for line in lines)
    assert table.case not in feed.text
    assert "見本　介子" not in feed.text
    assert "見本　太郎" not in feed.text

    others = (await send(table.stranger, "/calendar-token")).json()
    assert "BEGIN:VEVENT" not in (await intake.anybody.get(others["path"])).text
    assert (await intake.anybody.get(f"{made['path']}x")).status_code == 401
    again = (await send(table.care, "/calendar-token")).json()
    assert (await intake.anybody.get(made["path"])).status_code == 401
    page = await table.coordinator.get(f"/meetings/{meeting}")
    cancelled = await send(table.coordinator, f"/meetings/{meeting}/cancellation", revision=page.json()["revision"])
    assert cancelled.status_code == 201
    assert "STATUS:CANCELLED" in (await intake.anybody.get(again["path"])).text
    assert (await send(table.care, "/calendar-token/revocation")).status_code == 201
    assert (await intake.anybody.get(again["path"])).status_code == 401
    shown = await table.care.post("/calendar-token", {})
    assert shown.status_code == 200
    assert "/meetings.ics?token=" in shown.text


async def test_a_calendar_ends_with_the_account(intake: Intake) -> None:
    """A disabled account's token, a program's key and no token at all open no calendar."""
    table = Table(intake)
    made = (await send(table.care, "/calendar-token")).json()
    assert (await intake.anybody.get(made["path"])).status_code == 200
    intake.runtime.accounts.disable_user("kaigo")
    assert (await intake.anybody.get(made["path"])).status_code == 401
    program = intake.program(DESTINATION, "cases:read", "cases:write")
    assert code_of(await send(program, "/calendar-token")) == (403, "forbidden")
    assert (await program.get("/meetings.ics")).status_code == 401


def test_lines_are_escaped_and_folded_between_characters() -> None:
    """A text keeps its marks, and a long line is taken apart without breaking a character."""
    assert text_value("a,b;c\\d\ne") == "a\\,b\\;c\\\\d\\ne"
    line = folded("LOCATION:" + "見" * 60)
    assert all(len(line.encode()) <= 75 for line in line.split("\r\n"))
    assert line.replace("\r\n ", "").rstrip("\r\n") == "LOCATION:" + "見" * 60
