"""The inbox, a delivery, and what people say about it, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from tests.notify.notify_service import Running, build, created, events_of, opened, receipts_of, started, tell
from tsunagi_notify.deliveries import delivery_id
from tsunagi_shared import clock
from tsunagi_shared.audit import audit
from tsunagi_shared.contracts.events import DOCUMENT_ACKNOWLEDGED, DOCUMENT_MISDELIVERED

CARE = "sample-care"
DELIVERY = delivery_id("document-1", 1, CARE, "inbox")
PATH = f"/deliveries/{DELIVERY}"
ACKNOWLEDGEMENT = f"{PATH}/acknowledgement"
MISDELIVERY = f"{PATH}/misdelivery"


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """A running service that has told two agencies of one document. Nobody listens where mail would go."""
    runtime = build(tmp_path)
    async with started(runtime) as service:
        await tell(runtime, created())
        yield service


async def _said(running: Running, event_type: str) -> list[dict[str, Any]]:
    return [data for event, data in await events_of(running.runtime) if event.type == event_type]


async def _audit(running: Running) -> list[tuple[str, ...]]:
    wanted = sa.select(audit.c.user, audit.c.action, audit.c.outcome, audit.c.basis).order_by(audit.c.seq)
    rows = await running.runtime.database.read(lambda connection: connection.execute(wanted).all())
    return [tuple(row) for row in rows]


async def test_inbox_shows_the_own_agency_alone(running: Running) -> None:
    """People see what came to the agency they act for, newest first, as JSON and as a page."""
    person = running.person("care-1", CARE)
    inbox = (await person.get("/inbox")).json()
    assert [item["id"] for item in inbox["items"]] == [DELIVERY]
    assert (inbox["next"], inbox["open"], inbox["items"][0]["state"]) == (None, 1, "new")
    page = await person.get("/inbox", page=True)
    assert page.status_code == 200
    assert PATH in page.text
    assert "令和8年4月20日" in page.text
    assert (await running.person("desk-1", "welfare-desk").get("/inbox")).json()["items"] == []
    assert (await running.client.get("/")).headers["location"] == "/inbox"


async def test_inbox_goes_on_by_keyset(running: Running) -> None:
    """Pages of a list follow one another without gap or repetition; a cursor that is none is refused."""
    for number in range(2, 8):
        await tell(running.runtime, created(f"document-{number}"))
    person = running.person("care-1", CARE)
    seen: list[str] = []
    path = "/inbox?limit=3"
    while path:
        answer = (await person.get(path)).json()
        seen += [item["id"] for item in answer["items"]]
        path = f"/inbox?limit=3&after={answer['next']}" if answer["next"] else ""
    assert len(seen) == len(set(seen)) == 7
    assert (await person.get("/inbox?limit=3", page=True)).text.count('rel="next"') == 1
    assert (await person.get("/inbox?after=x")).status_code == 400
    assert (await person.get("/inbox?limit=1000")).status_code == 400


async def test_page_of_a_delivery_leads_to_the_document(running: Running) -> None:
    """The page names kind, number, urgency and date, opens the document in a new tab, and is no receipt."""
    person = running.person("care-1", CARE)
    page = await person.get(PATH, page=True)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    for words in ("C2026-00012", "共通様式（つなぎシート）概要版", "令和8年4月20日", "受け取りました", "042-000-0001"):
        assert words in page.text
    assert 'href="https://documents.example.jp/documents/document-1/current" target="_blank"' in page.text
    assert await receipts_of(running.runtime) == []
    assert await _audit(running) == [("care-1", "delivery.open", "done", "")]


async def test_every_channel_leads_to_the_same_page(running: Running) -> None:
    """The mail's delivery opens the page of the inbox's delivery."""
    person = running.person("care-1", CARE)
    mail = delivery_id("document-1", 1, CARE, "email")
    assert (await person.get(f"/deliveries/{mail}")).json()["id"] == DELIVERY


async def test_address_that_is_no_web_address_is_not_offered(running: Running) -> None:
    """A link that would run in the browser is never put on the page."""
    await tell(running.runtime, created("document-2", page="javascript:alert(1)"))
    person = running.person("care-1", CARE)
    page = await person.get(f"/deliveries/{delivery_id('document-2', 1, CARE, 'inbox')}", page=True)
    assert "javascript:" not in page.text
    assert "開けません" in page.text


async def test_other_agencys_and_unknown_delivery_look_the_same(running: Running) -> None:
    """Not there and not yours give the same 404, for reading and for saying; the refusals are on record."""
    other = running.person("desk-1", "welfare-desk", "coordinator")
    unknown = f"/deliveries/{delivery_id('document-9', 1, CARE, 'inbox')}"
    answers = [await other.get(PATH), await other.get(unknown)]
    answers += [await other.post(f"{path}/acknowledgement") for path in (PATH, unknown)]
    answers += [await other.post(f"{path}/misdelivery", {"code": "not_ours"}) for path in (PATH, unknown)]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert (await other.get("/deliveries/1")).content == answers[0].content
    assert [row[2:] for row in await _audit(running)] == [("refused", "not-found")] * 6
    assert await _said(running, DOCUMENT_ACKNOWLEDGED) == []


async def test_acknowledged_once_however_often_it_is_said(running: Running) -> None:
    """The first time is on record with name and event; later, by whoever, the same answer and nothing more."""
    person = running.person("care-1", CARE, name="見本 花子")
    first = await person.post(ACKNOWLEDGEMENT)
    again = await running.person("care-2", CARE, name="見本 次郎").post(ACKNOWLEDGEMENT)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (first.json()["state"], first.json()["acknowledged_by"]) == ("acknowledged", "見本 花子")
    (said,) = await _said(running, DOCUMENT_ACKNOWLEDGED)
    assert (said["delivery_id"], said["agency"], said["user"], said["user_name"]) == (
        DELIVERY,
        CARE,
        "care-1",
        "見本 花子",
    )
    assert [row[:3] for row in await _audit(running)] == [("care-1", "delivery.acknowledge", "done")]
    assert (await person.get("/inbox")).json()["items"] == []
    assert [item["state"] for item in (await person.get("/inbox?state=all")).json()["items"]] == ["acknowledged"]


async def test_two_clicks_on_the_page(running: Running) -> None:
    """The button posts the page; the person comes back to it and reads that it is on record."""
    person = running.person("care-1", CARE)
    posted = await person.submit(ACKNOWLEDGEMENT)
    assert posted.status_code == 303
    page = await person.get(posted.headers["location"], page=True)
    assert "受け取りを記録しました" in page.text
    assert "受け取りを記録しました" not in (await person.get(PATH, page=True)).text
    assert f'action="{ACKNOWLEDGEMENT}"' not in page.text


async def test_notice_of_success_needs_a_success(running: Running) -> None:
    """An address that claims it was received shows nothing of the kind."""
    person = running.person("care-1", CARE)
    assert "受け取りを記録しました" not in (await person.get(f"{PATH}?done=acknowledged", page=True)).text


async def test_misdelivery_is_told_by_code(running: Running) -> None:
    """A person says why by code, once; then "received" is refused with the way out."""
    person = running.person("care-1", CARE)
    first = await person.post(MISDELIVERY, {"code": "no_longer_in_charge"})
    again = await person.post(MISDELIVERY, {"code": "not_ours"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    (said,) = await _said(running, DOCUMENT_MISDELIVERED)
    assert said["code"] == "no_longer_in_charge"
    refused = await person.post(ACKNOWLEDGEMENT)
    assert (refused.status_code, refused.json()["code"]) == (409, "already-misdelivered")
    assert await _said(running, DOCUMENT_ACKNOWLEDGED) == []
    assert (await _audit(running))[-1][1:] == ("delivery.acknowledge", "refused", "already-misdelivered")
    page = await person.get(PATH, page=True)
    assert "以前の担当で、いまは担当していません" in page.text
    assert "documents.example.jp" not in page.text


async def test_misdelivery_may_be_noticed_later(running: Running) -> None:
    """After "received" a person may still say that it was not theirs: two events of one receipt, in order."""
    person = running.person("care-1", CARE)
    await person.post(ACKNOWLEDGEMENT)
    assert (await person.post(MISDELIVERY, {"code": "not_ours"})).status_code == 201
    events = [event for event, _ in await events_of(running.runtime) if event.aggregate.startswith("receipt/")]
    assert [(event.type, event.revision) for event in events] == [
        (DOCUMENT_ACKNOWLEDGED, 1),
        (DOCUMENT_MISDELIVERED, 2),
    ]


async def test_misdelivery_on_the_page_needs_a_reason(running: Running) -> None:
    """Without a choice the page comes back and says what is missing; with one it is on record."""
    person = running.person("care-1", CARE)
    page = await person.submit(MISDELIVERY)
    assert page.status_code == 422
    assert "理由を一つ選んでください。" in page.text
    posted = await person.submit(MISDELIVERY, {"code": "contract_ended"})
    assert posted.status_code == 303
    assert "担当でないことを知らせました" in (await person.get(posted.headers["location"], page=True)).text


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({}, ["required"]),
        ({"code": "because"}, ["wrong-value"]),
        ({"code": 1, "note": "x"}, ["wrong-value", "unknown-field"]),
    ],
)
async def test_every_mistake_of_a_program_is_told_at_once(
    running: Running, body: dict[str, Any], codes: list[str]
) -> None:
    """A wrong body is answered with every error, and no value is repeated."""
    answer = await running.person("care-1", CARE).post(MISDELIVERY, body)
    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == codes
    assert "because" not in answer.text


async def test_receipt_bears_a_persons_name(running: Running) -> None:
    """A key may read the inbox, with its scope, but can neither acknowledge nor report a misdelivery."""
    program = running.program(CARE, "inbox:read")
    assert len((await program.get("/inbox")).json()["items"]) == 1
    assert (await program.get(PATH)).status_code == 200
    assert (await program.post(ACKNOWLEDGEMENT)).status_code == 403
    assert (await program.post(MISDELIVERY, {"code": "not_ours"})).status_code == 403
    assert (await running.program(CARE, "metrics").get("/inbox")).status_code == 403
    assert await receipts_of(running.runtime) == []


async def test_nobody_without_a_sign_in(running: Running) -> None:
    """No credentials: 401, or the way to sign in and back again; a posted page whose session ended asks for it too."""
    assert (await running.client.get(PATH)).status_code == 401
    page = await running.client.get(PATH, headers={"Accept": "text/html"})
    assert (page.status_code, "/sign-in?next=" in page.headers["location"]) == (303, True)
    own_page = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    late = await running.client.post(ACKNOWLEDGEMENT, data={"_csrf": "x"}, headers=own_page)
    assert late.status_code == 401
    assert f'value="{PATH}"' in late.text
    assert (await running.client.post(ACKNOWLEDGEMENT, json={})).status_code == 401
    assert await receipts_of(running.runtime) == []


async def test_other_sites_cannot_speak_for_a_person(running: Running) -> None:
    """A posted page without the session's token, or from another site, changes nothing."""
    person = running.person("care-1", CARE)
    assert (await person.submit(ACKNOWLEDGEMENT, csrf="x")).status_code == 403
    headers = {**person._headers, "Sec-Fetch-Site": "cross-site"}
    assert (await running.client.post(ACKNOWLEDGEMENT, json={}, headers=headers)).status_code == 403
    assert await receipts_of(running.runtime) == []


async def test_opening_shows_on_the_page(running: Running) -> None:
    """What documents tells of an opening is shown, and leaves the message open."""
    await tell(running.runtime, opened("document-1", CARE, "見本 一郎", 4))
    person = running.person("care-1", CARE)
    (item,) = (await person.get("/inbox")).json()["items"]
    assert (item["state"], item["opened_by"]) == ("opened", "見本 一郎")
    assert "見本 一郎" in (await person.get(PATH, page=True)).text


async def test_overview_is_for_those_in_charge(running: Running) -> None:
    """Section, coordinator and administrator see every delivery and its state; others do not."""
    await tell(running.runtime, created("document-2", tell=("nobody-knows",)))
    section = running.person("section", "social-welfare", "responsible_section")
    view = (await section.get("/deliveries")).json()
    assert len(view["items"]) == 5
    assert view["counts"] == {"waiting": 2, "sent": 2, "failed": 1}
    (failed,) = (await section.get("/deliveries?state=failed")).json()["items"]
    assert (failed["agency"], failed["code"]) == ("nobody-knows", "unknown-agency")
    page = await section.get("/deliveries?state=failed&limit=1", page=True)
    assert "市町村プロファイルにない機関です" in page.text
    assert "送り直す" in page.text
    coordinator = running.person("coordinator", "welfare-desk", "coordinator")
    assert "この期間の失敗を送り直す" not in (await coordinator.get("/deliveries", page=True)).text
    assert (await coordinator.post("/deliveries/resend", {})).status_code == 403
    assert (await running.person("care-1", CARE).get("/deliveries")).status_code == 403
    assert (
        len((await running.program("social-welfare", "deliveries:read").get("/deliveries?limit=2")).json()["items"])
        == 2
    )


async def test_resending_from_the_page(running: Running) -> None:
    """By the failures shown or by Japanese days; a day that cannot be read comes back with what was typed."""
    await tell(running.runtime, created("document-2", tell=("nobody-knows",)))
    section = running.person("section", "social-welfare", "responsible_section")
    shown = await section.submit(
        "/deliveries/resend", {"delivery": [delivery_id("document-2", 1, "nobody-knows", "inbox")]}
    )
    assert shown.headers["location"] == "/deliveries?state=failed&resent=0&still_failed=1"
    days = await section.submit("/deliveries/resend", {"since": "令和8年4月6日", "until": "２０２６／４／６"})
    assert "still_failed=1" in days.headers["location"]
    assert "まだ送れません" in (await section.get(days.headers["location"], page=True)).text
    wrong = await section.submit("/deliveries/resend", {"since": "きのう", "until": "2026-04-06"})
    assert (wrong.status_code, "きのう" in wrong.text) == (422, True)
    backwards = await section.submit("/deliveries/resend", {"since": "2026-04-07", "until": "2026-04-06"})
    assert "始まりの日より前" in backwards.text
    for body in ({}, {"since": "2026-04-06T00:00:00+09:00"}, {"since": "2026-04-06T00:00:00", "deliveries": ["x"]}):
        assert (await section.post("/deliveries/resend", body)).status_code == 422


async def test_access_ends_with_the_contract(tmp_path: Path) -> None:
    """When an agency's contract is over, its people see neither the list nor what they had been told, nor answer it."""
    shift = tmp_path / "clock"
    runtime = build(tmp_path, clock_file=shift)
    delivery = f"/deliveries/{delivery_id('document-1', 1, 'welfare-council', 'inbox')}"
    try:
        async with started(runtime) as service:
            await tell(runtime, created(tell=("welfare-council",)))
            assert (await service.person("council-1", "welfare-council").get(delivery)).status_code == 200
            shift.write_text(str(1_735_689_600 - clock.now_us() // 1_000_000))  # 2025-01-01: no contract covers the day
            clock.follow(shift)
            person = service.person("council-2", "welfare-council")
            inbox = await person.get("/inbox")
            assert (inbox.status_code, inbox.json()["code"]) == (403, "contract-ended")
            assert (await person.get(delivery)).status_code == 403
            assert (await person.post(f"{delivery}/acknowledgement")).status_code == 403
    finally:
        clock.follow(None)


async def test_api_is_described(running: Running) -> None:
    """The description of the API names every resource of this service."""
    paths = (await running.client.get("/openapi.json")).json()["paths"]
    assert {"/inbox", "/deliveries", "/deliveries/resend", "/deliveries/{delivery_id}/acknowledgement"} <= set(paths)
    assert (await running.client.get("/docs")).status_code == 200
