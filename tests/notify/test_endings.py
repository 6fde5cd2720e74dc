"""What ends: access that is cut and given back, versions that are replaced; the same in whatever order it is told."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from tests.notify.notify_service import (
    MailServer,
    Running,
    build,
    close,
    created,
    events_of,
    mail_states,
    opened,
    receipts_of,
    rows_of,
    shared,
    started,
    superseded,
    tell,
    until,
    withdrawn,
)
from tsunagi_notify.channels import inbox
from tsunagi_notify.deliveries import delivery_id
from tsunagi_notify.tables import cuts, newest_versions
from tsunagi_shared import clock
from tsunagi_shared.contracts.events import DOCUMENT_ACKNOWLEDGED, DOCUMENT_MISDELIVERED
from tsunagi_shared.jobs import jobs
from tsunagi_shared.runtime import Runtime

CARE = "sample-care"
PATH = f"/deliveries/{delivery_id('document-1', 1, CARE, 'inbox')}"
# What this service did, in its own order, not what it was told
DONE_HERE = ("ended_at", "attempts", "revision")


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A service that is opened and not started."""
    opened_service = build(tmp_path)
    yield opened_service
    close(opened_service)


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """A running service without a mail server, told of one document."""
    runtime = build(tmp_path)
    async with started(runtime) as service:
        await tell(runtime, created())
        yield service


async def _states(runtime: Runtime) -> dict[tuple[str, int, str], tuple[str, str]]:
    """(agency, version, channel) → (state, code)."""
    rows = await rows_of(runtime)
    return {(row["agency"], row["version"], row["channel"]): (row["state"], row["code"]) for row in rows}


async def _mail_jobs(runtime: Runtime) -> set[str]:
    return set(await runtime.database.read(lambda c: c.execute(sa.select(jobs.c.key)).scalars().all()))


ENDED = ("withdrawn", "access-ended")
OLD = ("withdrawn", "superseded")


async def test_a_cut_agency_is_sent_nothing_more(runtime: Runtime) -> None:
    """Its rows are called off and its waiting mail is taken away; the other agency's stay as they are."""
    await tell(runtime, created(), withdrawn("document-1", 2, CARE))
    assert await _states(runtime) == {
        (CARE, 1, "inbox"): ENDED, (CARE, 1, "email"): ENDED,
        ("long-term-care", 1, "inbox"): ("sent", ""), ("long-term-care", 1, "email"): ("waiting", ""),
    }  # fmt: skip
    assert await _mail_jobs(runtime) == {delivery_id("document-1", 1, "long-term-care", "email")}


async def test_a_cut_that_comes_first_is_never_told(runtime: Runtime) -> None:
    """The event that gave the document was overtaken: a row that nobody sees, no mail, no word that it was sent."""
    await tell(runtime, withdrawn("document-1", 2, CARE), created(tell=(CARE,)))
    assert await _states(runtime) == {(CARE, 1, "inbox"): ENDED, (CARE, 1, "email"): ENDED}
    assert await _mail_jobs(runtime) == set()
    assert await events_of(runtime) == []
    assert await runtime.database.read(lambda c: inbox.messages(c, CARE, only_open=False, after=None, limit=9)) == []


async def test_access_given_back_is_told_again(runtime: Runtime) -> None:
    """With a higher revision than the cut: the same rows are open again, the mail waits anew, and intake hears of it."""
    await tell(runtime, created(tell=(CARE,)), withdrawn("document-1", 2, CARE), shared("document-1", 3, CARE))
    assert await _states(runtime) == {(CARE, 1, "inbox"): ("sent", ""), (CARE, 1, "email"): ("waiting", "")}
    assert await _mail_jobs(runtime) == {delivery_id("document-1", 1, CARE, "email")}
    assert [event.revision for event, _ in await events_of(runtime)] == [1, 2]
    assert {row["withdrawn_at"] for row in await rows_of(runtime)} == {None}


async def test_agencies_that_come_later_are_told(runtime: Runtime) -> None:
    """A stored document shared with a further agency: that agency alone is told, by inbox and mail."""
    await tell(runtime, created(tell=("long-term-care",)), shared("document-1", 2, CARE))
    assert {agency for agency, _, _ in await _states(runtime)} == {"long-term-care", CARE}
    assert len(await _mail_jobs(runtime)) == 2
    assert len(await events_of(runtime)) == 2


async def test_a_replaced_version_awaits_nothing(runtime: Runtime) -> None:
    """Its mail is not sent any more and it leaves the list of what is open; the new version is told."""
    await tell(
        runtime, created(tell=(CARE,)), created(version=2, revision=2, tell=(CARE,)), superseded("document-1", 3)
    )
    assert await _states(runtime) == {
        (CARE, 1, "inbox"): ("sent", ""), (CARE, 1, "email"): OLD,
        (CARE, 2, "inbox"): ("sent", ""), (CARE, 2, "email"): ("waiting", ""),
    }  # fmt: skip
    found = await runtime.database.read(lambda c: inbox.messages(c, CARE, only_open=True, after=None, limit=9))
    assert [message.delivery.version for message in found] == [2]
    assert await runtime.database.read(lambda c: inbox.open_count(c, CARE)) == 1


STORY = [
    created("a", tell=(CARE, "long-term-care")),
    opened("a", CARE, "見本 一郎", minute=1),
    withdrawn("a", 3, CARE),
    shared("a", 4, "sample-clinic"),
    created("a", version=2, revision=5, tell=("long-term-care", "sample-clinic")),
    superseded("a", 6),
    shared("a", 7, CARE, version=2),
    withdrawn("a", 8, "sample-clinic", "long-term-care", version=2),
    shared("a", 9, "long-term-care", version=2),
    created("b", tell=(CARE,)),
    withdrawn("b", 2, CARE, "sample-clinic"),
    shared("b", 3, CARE),
    withdrawn("b", 4, CARE),
    created("c", tell=(CARE, "nobody-knows")),
    superseded("c", 3),
]


async def _outcome(folder: Path, story: list[bytes]) -> tuple[Any, ...]:
    folder.mkdir()
    runtime = build(folder)
    await tell(runtime, *story)
    rows = [{name: value for name, value in row.items() if name not in DONE_HERE} for row in await rows_of(runtime)]
    ended = await runtime.database.read(lambda c: c.execute(sa.select(cuts)).all())
    newest = await runtime.database.read(lambda c: c.execute(sa.select(newest_versions)).all())
    found = (rows, await receipts_of(runtime), await _mail_jobs(runtime), ended, newest)
    close(runtime)
    return found


async def test_shuffled_doubled_and_late_endings_give_the_same_rows(tmp_path: Path) -> None:
    """The revision decides: told in any order, and any number of times, the rows and the mails that wait are the same."""
    wanted = await _outcome(tmp_path / "in-order", STORY)
    states = {(row["document_id"], row["agency"], row["version"], row["channel"]): row["state"] for row in wanted[0]}
    assert states["a", CARE, 1, "inbox"] == "withdrawn"
    assert states["a", CARE, 2, "inbox"] == "sent"
    assert states["a", "long-term-care", 2, "email"] == "waiting"
    assert states["b", CARE, 1, "inbox"] == "withdrawn"
    shuffle = random.Random(20261123)
    for turn in range(12):
        told = STORY + shuffle.sample(STORY, 5)
        shuffle.shuffle(told)
        assert await _outcome(tmp_path / str(turn), told) == wanted


async def test_the_inbox_says_that_it_ended(running: Running) -> None:
    """The agency is told on its list and on the page; the document's address is gone, the title stays."""
    person = running.person("care-1", CARE)
    assert "documents.example.jp" in (await person.get(PATH, page=True)).text
    await tell(running.runtime, withdrawn("document-1", 2, CARE))
    view = (await person.get("/inbox")).json()
    assert (view["items"], view["open"], len(view["ended"])) == ([], 0, 0)  # the cut is older than 30 days here
    (item,) = (await person.get("/inbox?state=all")).json()["items"]
    assert (item["state"], item["document"]) == ("ended", "")
    page = (await person.get(PATH, page=True)).text
    assert "閲覧の期間が終わりました" in page
    assert "documents.example.jp" not in page
    assert "受け取りました" not in page
    assert "consent" not in page


async def test_what_ended_lately_stands_on_the_first_page(running: Running) -> None:
    """For thirty days, below what is open."""
    await tell(running.runtime, withdrawn("document-1", 2, CARE))
    at = clock.now_us() - 29 * 86_400 * 1_000_000
    await running.runtime.database.write(
        lambda c: c.exec_driver_sql("UPDATE deliveries SET withdrawn_at = ? WHERE withdrawn_at IS NOT NULL", (at,))
    )
    person = running.person("care-1", CARE)
    assert [item["state"] for item in (await person.get("/inbox")).json()["ended"]] == ["ended"]
    assert "この30日に閲覧の期間が終わった文書" in (await person.get("/inbox", page=True)).text


@pytest.mark.parametrize(("what", "body"), [("acknowledgement", {}), ("misdelivery", {"code": "not_ours"})])
async def test_nothing_can_be_said_of_what_ended(running: Running, what: str, body: dict[str, str]) -> None:
    """Neither "received" nor "not ours", by the number of either channel: a code, a plain reason, a line in the audit."""
    await tell(running.runtime, withdrawn("document-1", 2, CARE))
    person = running.person("care-1", CARE)
    for channel in ("inbox", "email"):
        answer = await person.post(f"/deliveries/{delivery_id('document-1', 1, CARE, channel)}/{what}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "access-ended")
        assert "閲覧の期間が終わった" in answer.json()["title"]
    assert await receipts_of(running.runtime) == []
    said = {event.type for event, _ in await events_of(running.runtime)}
    assert said.isdisjoint({DOCUMENT_ACKNOWLEDGED, DOCUMENT_MISDELIVERED})


async def test_what_was_said_before_the_end_stays(running: Running) -> None:
    """A receipt given in time is still there, and saying it again gets the same answer."""
    person = running.person("care-1", CARE)
    assert (await person.post(f"{PATH}/acknowledgement")).status_code == 201
    await tell(running.runtime, withdrawn("document-1", 2, CARE))
    again = await person.post(f"{PATH}/acknowledgement")
    assert (again.status_code, again.json()["acknowledged_by"], again.json()["state"]) == (200, "見本 花子", "ended")


async def test_the_page_of_an_old_version_points_to_the_new_one(running: Running) -> None:
    """It says 旧版 and asks for no receipt."""
    await tell(running.runtime, created(version=2, revision=2), superseded("document-1", 3))
    page = (await running.person("care-1", CARE).get(PATH, page=True)).text
    assert "新しい版があります" in page
    assert f'action="{PATH}/acknowledgement"' not in page


async def test_the_overview_shows_what_was_called_off(running: Running) -> None:
    """Those in charge see it, with a reason that says nothing of the person."""
    await tell(running.runtime, withdrawn("document-1", 2, CARE))
    section = running.person("section", "social-welfare", "responsible_section")
    view = (await section.get("/deliveries?state=withdrawn")).json()
    assert {(told["agency"], told["code"]) for told in view["items"]} == {(CARE, "access-ended")}
    page = (await section.get("/deliveries?state=withdrawn", page=True)).text
    assert "閲覧の期間が終わったため" in page
    assert "consent" not in page


async def test_a_cut_stops_the_retries(tmp_path: Path, mail_server: MailServer) -> None:
    """A mail that the server put off is not tried again after the cut, and goes out when access is given back."""
    runtime = build(tmp_path, smtp_port=mail_server.port)
    mail_server.data_answers = ["451 later"]
    async with started(runtime):
        await tell(runtime, created(tell=(CARE,)))
        await until(lambda: not mail_server.data_answers)
        await tell(runtime, withdrawn("document-1", 2, CARE))
        assert await mail_states(runtime) == [ENDED]
        await until(lambda: _gone(runtime))
        assert mail_server.mails == []
        await tell(runtime, shared("document-1", 3, CARE))
        await until(lambda: mail_server.mails)
    assert len(mail_server.mails) == 1


async def _gone(runtime: Runtime) -> bool:
    return not await _mail_jobs(runtime)


async def test_lists_are_read_in_the_order_of_an_index(runtime: Runtime) -> None:
    """Neither the inbox nor what ended is sorted: their time does not grow with what an agency has."""
    plans: list[str] = []

    def explain(connection: sa.Connection) -> None:
        def look(conn: sa.Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if statement.startswith("SELECT deliveries"):
                plan = conn.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                plans.append(" ".join(str(row[3]) for row in plan))

        sa.event.listen(connection, "before_cursor_execute", look)
        inbox.messages(connection, CARE, only_open=True, after=None, limit=50)
        inbox.messages(connection, CARE, only_open=False, after=inbox.Cursor(5, "x"), limit=50)
        inbox.ended_since(connection, CARE, 5)
        sa.event.remove(connection, "before_cursor_execute", look)

    await runtime.database.read(explain)
    assert len(plans) == 3
    for plan, index in zip(plans, ("deliveries_open", "deliveries_inbox", "deliveries_ended"), strict=True):
        assert index in plan
    assert not any("TEMP B-TREE FOR ORDER BY" in plan for plan in plans[:2])
