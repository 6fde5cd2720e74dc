"""1 April: another contractor runs an agency. Who reads its inbox, and where its mails go."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path

import pytest_asyncio

from deploy.local.stack import PROFILES
from tests.conftest import MovableClock
from tests.notify.notify_service import Browser, MailServer, Running, build, created, rows_of, started, tell, until
from tsunagi_notify.deliveries import delivery_id
from tsunagi_shared.accounts import Post

CENTER, TEAM = "participation-center", "outreach-team"
OLD, NEW = "株式会社みほんキャリア", "NPO法人みほんつながる会"
PATH = f"/deliveries/{delivery_id('before', 1, CENTER, 'inbox')}"
LAST = dt.datetime(2027, 3, 31, 14, 50, tzinfo=dt.UTC)  # 23:50 in Japan
FIRST = dt.datetime(2027, 3, 31, 15, 1, tzinfo=dt.UTC)  # 0:01 on 1 April


@pytest_asyncio.fixture
async def running(tmp_path: Path, movable_clock: MovableClock, mail_server: MailServer) -> AsyncIterator[Running]:
    """A running service of the standard profile in the last minutes of March, told of one document."""
    movable_clock.to(LAST)
    profile, clock_file = PROFILES / "standard", movable_clock.path
    runtime = build(tmp_path, profile=profile, clock_file=clock_file, smtp_port=mail_server.port)
    async with started(runtime) as service:
        await tell(runtime, created("before", tell=(CENTER, TEAM)))
        await until(lambda: len(mail_server.mails) == 2)
        yield service


def taken_on(running: Running, user: str, contractor: str, agency: str = CENTER) -> Browser:
    """A signed-in person whom that contractor took on."""
    accounts = running.runtime.accounts
    password = accounts.add_user(user, "見本 花子", [Post(agency, ("agency_staff",), contractor)])
    token = accounts.sign_in(user, password)
    return Browser(running.client, {"Cookie": f"tsunagi={token}", "Sec-Fetch-Site": "same-origin"})


async def test_people_change_with_the_contract(running: Running, movable_clock: MovableClock) -> None:
    """The same sessions, minutes apart: the old contractor's people are out at every read and answer, the next one's in."""
    old, new = taken_on(running, "old", OLD), taken_on(running, "new", NEW)
    visitor = taken_on(running, "visitor", "NPO法人みほん訪問の会", TEAM)
    key = running.runtime.accounts.add_key("program", CENTER, (), ("inbox:read",))
    program = Browser(running.client, {"X-API-Key": key})
    for browser, status in ((old, 200), (new, 403), (visitor, 200), (program, 200)):
        assert (await browser.get("/inbox")).status_code == status
    movable_clock.to(FIRST)
    for browser in (old, visitor, program):
        refused = await browser.get("/inbox")
        assert (refused.status_code, refused.json()["code"]) == (403, "contract-ended")
    missing = f"/deliveries/{uuid.uuid4()}"
    for answer in (
        await old.get(PATH),
        await old.get(missing),
        await old.post(f"{PATH}/acknowledgement"),
        await old.post(f"{missing}/acknowledgement"),
        await old.post(f"{PATH}/misdelivery", {"code": "contract_ended"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "contract-ended")
    assert [item["case_number"] for item in (await new.get("/inbox")).json()["items"]] == ["C2026-00012"]
    assert (await new.post(f"{PATH}/acknowledgement")).status_code == 201


async def test_mails_go_to_whoever_runs_the_agency(
    running: Running, movable_clock: MovableClock, mail_server: MailServer
) -> None:
    """After the change the next contractor's address is used; an agency without a contract is sent nothing, visibly."""
    assert _recipients(mail_server) == ["outreach-team@example.jp", "participation-old@example.jp"]
    movable_clock.to(FIRST)
    await tell(running.runtime, created("after", tell=(CENTER, TEAM)))
    await until(lambda: len(mail_server.mails) == 3)
    assert _recipients(mail_server)[-1] == "participation-old@example.jp"
    assert "participation-new@example.jp" in _recipients(mail_server)
    failed = [row for row in await rows_of(running.runtime) if row["state"] == "failed"]
    assert [(row["agency"], row["channel"], row["code"]) for row in failed] == [(TEAM, "inbox", "contract-ended")]


def _recipients(server: MailServer) -> list[str]:
    return sorted(str(message_from_bytes(content)["To"]) for _, content in server.mails)
