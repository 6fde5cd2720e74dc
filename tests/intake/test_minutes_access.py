"""Minutes as they are typed: nothing typed is lost or kept longer than it should be, and who may no longer know reads nothing."""

from __future__ import annotations

import re
from typing import Any

import httpx
import msgspec
import pytest

from tests.data.case_work import DESTINATION, PROVIDER, SECTION, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.data.plan_work import plan as plan_form
from tests.intake.sittings import SUPPORT, Table, code_of, said, today
from tsunagi_intake import withholding
from tsunagi_intake.form_pages import KEY_FIELD
from tsunagi_intake.meeting_tables import calendar_tokens, minutes_drafts
from tsunagi_intake.tables import allocations, audience, cases, referrals
from tsunagi_shared.accounts import Principal
from tsunagi_shared.forms.withheld_text import WITHHELD as NOT_SHOWN
from tsunagi_shared.forms.withheld_text import without
from tsunagi_shared.idempotency import idempotency

CHAIR, CARE = (PROVIDER, "chosei"), (DESTINATION, "kaigo")
OFFICE = "hardship-support"  # runs the 支援調整会議, and sees of a case what the person agreed to
COORDINATION = ("support-coordination", "support_coordination_meeting")


@pytest.fixture
async def table(intake: Intake) -> Table:
    """A case whose person agreed to the provider, the section, a destination and the office of another body."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION, OFFICE)
    return table


async def _typed(intake: Intake) -> list[Any]:
    """What is kept of the minutes that are being typed."""
    return [msgspec.json.decode(row["content"]) for row in await intake.rows(minutes_drafts)]


async def _convened(table: Table, **item: Any) -> tuple[str, str]:
    meeting = await table.sitting()
    identity = await table.item(meeting, **item)
    await table.call(meeting, CHAIR, CARE)
    assert (await table.convene(meeting)).status_code == 201
    return meeting, identity


def _key_on(page: httpx.Response) -> str:
    found = re.search(rf'name="{KEY_FIELD}" value="([^"]+)"', page.text)
    assert found is not None
    return found.group(1)


# nothing typed is lost -------------------------------------------------------------------------------------------------


async def test_who_goes_back_and_types_on_is_told(table: Table) -> None:
    """The same page posted again as it was is one request; with more in it, it comes back whole, and is saved after that."""
    meeting, item = await _convened(table)
    address = f"/meetings/{meeting}/items/{item}/minutes"
    first = {"discussion": "はじめ", KEY_FIELD: _key_on(await table.coordinator.get(address, page=True))}
    for _ in range(2):
        saved = await table.coordinator.post(f"{address}?revision=0", first)
        assert (saved.status_code, saved.headers["location"]) == (303, f"{address}?saved=1")
    more = {**first, "discussion": "はじめと、書き足したこと"}
    refused = await table.coordinator.post(f"{address}?revision=0", more)
    assert refused.status_code == 409
    assert "はじめと、書き足したこと" in refused.text
    assert "さんが変更しています" in refused.text
    assert f"{address}?revision=1" in refused.text
    assert _key_on(refused) != first[KEY_FIELD]
    again = {**more, KEY_FIELD: _key_on(refused)}
    assert (await table.coordinator.post(f"{address}?revision=1", again)).status_code == 303
    assert [content["discussion"] for content in await _typed(table.intake)] == ["はじめと、書き足したこと"]


async def test_a_reason_that_was_changed_after_it_went_through_comes_back(table: Table) -> None:
    """Another reason under the key of the page that was sent is no second sending of the first: it is shown, and not saved."""
    address = f"/cases/{table.case}/hold"
    form = {"on": "true", "reason": "審査請求", KEY_FIELD: _key_on(await table.section.get(address, page=True))}
    for _ in range(2):
        assert (await table.section.post(address, form)).status_code == 303
    refused = await table.section.post(address, {**form, "reason": "審査請求と訴訟"})
    assert refused.status_code == 409
    assert "審査請求と訴訟" in refused.text
    assert "すでに一度送られています" in refused.text
    assert _key_on(refused) != form[KEY_FIELD]


async def test_a_page_that_cannot_be_read_is_refused(table: Table) -> None:
    """Bytes that are no text, posted to a button or as minutes: 400."""
    meeting, item = await _convened(table)
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    headers = {**table.coordinator.headers, **kind, "Accept": "text/html"}
    body = f"_csrf={table.coordinator.csrf}&discussion=%FF".encode()
    for path in ("closing?revision=1", f"items/{item}/minutes?revision=0"):
        answer = await table.coordinator.client.post(f"/meetings/{meeting}/{path}", content=body, headers=headers)
        assert answer.status_code == 400


@pytest.mark.parametrize("deep", [21, 900])
async def test_what_is_nested_like_no_form_is_refused(table: Table, deep: int) -> None:
    """JSON within JSON within JSON: 400 where it comes in, and nothing of it is kept."""
    meeting, item = await _convened(table)
    form = msgspec.json.decode(b'{"discussion":' * deep + b'"x"' + b"}" * deep) if deep < 100 else None
    body = msgspec.json.encode(form) if form else b'{"discussion":' * deep + b'"x"' + b"}" * deep
    headers = {**table.coordinator.headers, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    address = f"/meetings/{meeting}/items/{item}/minutes?revision=0"
    answer = await table.coordinator.client.put(address, content=body, headers=headers)
    assert code_of(answer) == (400, "invalid-json")
    refused = await table.coordinator.client.post("/meetings", content=body, headers=headers)
    assert code_of(refused) == (400, "invalid-json")
    assert await _typed(table.intake) == []


# nothing is kept beside it ---------------------------------------------------------------------------------------------


async def test_a_receipt_under_a_key_repeats_nothing(table: Table) -> None:
    """The answer kept for a repeated request has the revision and what is wrong yet; a calendar's token is kept under no key."""
    meeting, item = await _convened(table)
    address = f"/meetings/{meeting}/items/{item}/minutes?revision=0"
    headers = {**table.coordinator.headers, "Sec-Fetch-Site": "same-origin", "Idempotency-Key": "once"}
    form = {"discussion": "だれにも言えないこと"}
    answers = [await table.coordinator.client.put(address, json=form, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert (answers[0].json()["revision"], "content" in answers[0].json()) == (1, False)
    assert {error["path"] for error in answers[0].json()["errors"]} >= {"decision", "presences"}
    assert [content["discussion"] for content in await _typed(table.intake)] == ["だれにも言えないこと"]

    tokens = [(await send(table.coordinator, "/calendar-token", key="once")).json()["token"] for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert len(await table.intake.rows(calendar_tokens)) == 1
    kept = [bytes(row["answer"]).decode() for row in await table.intake.rows(idempotency)]
    assert len(kept) == 1
    assert not any(said in answer for answer in kept for said in (form["discussion"], *tokens))


# who may know ----------------------------------------------------------------------------------------------------------


async def _of_another_body(table: Table, **changes: Any) -> tuple[str, str]:
    """An item of a body that another agency runs."""
    meeting = await table.sitting(COORDINATION[0], caller=table.section)
    form = {"body": COORDINATION[0], "legal_role": COORDINATION[1], "occasion": "sharing", "case_number": table.case}
    made = await send(table.section, f"/meetings/{meeting}/items", {**form, **changes})
    assert made.status_code == 201, made.text
    return meeting, str(made.json()["id"])


async def _protected(table: Table) -> dict[str, Any]:
    """The person's whereabouts, kept from everybody but the section."""
    (row,) = await table.intake.rows(cases)
    form = sample("protection", person=await table.person(), since=today(), cleared=[SECTION])
    answer = await table.desk.send(table.mado, "protections", form, revision=row["revision"])
    assert answer.status_code == 201, answer.text
    (referral,) = await table.intake.rows(referrals)
    found: dict[str, Any] = msgspec.json.decode(referral["form"])["person"]
    return found


async def _office(table: Table) -> Caller:
    """Somebody of the other body's office, which has a part in the case."""
    part = await table.desk.send(
        table.coordinator, "allocations", sample("allocation", agency=OFFICE, since=today()), revision=1
    )
    assert part.status_code == 201, part.text
    return table.intake.person("jimu", OFFICE, "clerk")


async def test_whose_access_ended_reads_and_types_no_minutes(table: Table) -> None:
    """The office of a body reads minutes of a case while anything of it is open to it; afterwards it does not, nor types."""
    office = await _office(table)
    person = await _protected(table)
    meeting, item = await _of_another_body(table)
    address = f"/meetings/{meeting}/items/{item}/minutes"
    assert (
        await table.write(meeting, item, {"discussion": person["address"]}, caller=table.section)
    ).status_code == 200
    shown = await office.get(address)
    assert (shown.status_code, shown.json()["content"]["discussion"]) == (200, NOT_SHOWN)
    await table.withdraw()
    for page in (False, True):
        closed = await office.get(address, page=page)
        assert closed.status_code == 404
        assert person["address"] not in closed.text
    assert code_of(await table.write(meeting, item, {"discussion": "x"}, 1, office)) == (404, "not-found")
    posted = await office.post(f"{address}?revision=1", {"discussion": "書いたこと"})
    assert posted.status_code == 404
    assert "書いたこと" in posted.text
    assert person["address"] not in posted.text
    whole = (await table.section.get(address)).json()
    assert whole["content"]["discussion"] == person["address"], "the section goes on as it stands"
    assert [content["discussion"] for content in await _typed(table.intake)] == [person["address"]]


async def test_from_whom_nothing_is_open_everything_is_withheld(table: Table) -> None:
    """Without an entry of its own an agency is shown no more than with one: but for what a protection clears it for."""
    person = await _protected(table)
    text = f"{person['address']}、{person['phone']}"
    (row,) = await table.intake.rows(cases)

    async def shown_to(agency: str) -> str:
        reader = Principal("dareka", "見本　誰か", agency, frozenset({"clerk"}), via="session")
        patterns = await table.intake.runtime.database.read(
            lambda connection: withholding.of_case(connection, reader, row["seq"])
        )
        return without(text, patterns)

    assert await shown_to("childcare") == f"{NOT_SHOWN}、{NOT_SHOWN}"
    await table.intake.runtime.database.write(lambda connection: connection.execute(audience.delete()))
    assert await shown_to(PROVIDER) == f"{NOT_SHOWN}、{NOT_SHOWN}"
    assert await shown_to(SECTION) == text


async def test_a_minimal_item_is_for_provider_and_municipality(table: Table) -> None:
    """To the provider nothing of the case is open: it reads minutes of a minimal item and of a 支援会議, and of no other item."""
    number = (await table.work.row(await table.work.adopted()))["number"]
    await table.withdraw()
    meeting, closed = await table.sitting(), await table.sitting("support-meeting")
    ordinary = await table.item(meeting)
    minimal = await table.item(meeting, number, occasion="end", minimal_reason="withdrawn")
    by_law = await table.item(closed, heard=SUPPORT)
    open_to_it = audience.delete().where(audience.c.agency == PROVIDER)
    await table.intake.runtime.database.write(lambda connection: connection.execute(open_to_it))
    for sitting, item, status in ((meeting, ordinary, 404), (meeting, minimal, 200), (closed, by_law, 200)):
        assert (await table.coordinator.get(f"/meetings/{sitting}/items/{item}/minutes")).status_code == status
        assert (await table.write(sitting, item, {"discussion": "x"})).status_code == status


# closing ---------------------------------------------------------------------------------------------------------------


async def test_an_item_that_was_never_convened_is_not_closed(table: Table) -> None:
    """Put on the agenda after the notices: refused by its position, even if somebody was chosen for it; convened, it closes."""
    meeting, first = await _convened(table)
    number = await table.plan()
    late = await table.item(meeting, number)
    member = (await table.page(meeting))["members"][0]["id"]
    chosen = await send(
        table.coordinator, f"/meetings/{meeting}/items/{late}/members", {"member": member, "chosen": True}
    )
    assert chosen.status_code == 201, chosen.text
    assert (await table.work.step(table.plan_id, "return")).status_code == 201
    revision = (await table.work.row(table.plan_id))["revision"]
    other = plan_form(goal="別の目標")
    path = f"/records/plan/{table.plan_id}"
    assert (await send(table.coordinator, path, other, revision=revision, method="PUT")).status_code == 200
    assert (await table.work.post(table.coordinator, table.plan_id, "proposal")).status_code == 201
    await table.write(meeting, first, said([CHAIR, CARE], decision="shared"))
    await table.write(meeting, late, said([CHAIR, CARE]))
    refused = await table.close(meeting)
    assert code_of(refused) == (409, "not-convened")
    assert refused.json()["title"].startswith("議題2：")
    assert "招集し直してください" in refused.json()["detail"]
    assert (await table.work.row(table.plan_id))["decided"] == ""
    assert (await table.convene(meeting)).status_code == 201
    assert (await table.close(meeting)).status_code == 201
    assert (await table.work.row(table.plan_id))["meeting_item"] == late


@pytest.mark.parametrize("how", [
    {"decision": "approved", "allocations": [{"agency": DESTINATION, "part": "訪問"}]},
    {"decision": "approved", "lead_agency": PROVIDER},
    {"decision": "to_comprehensive", "decision_note": "窓口へ。"},
    {"decision": "shared", "lead_agency": PROVIDER},
])  # fmt: skip
async def test_a_case_that_ended_is_not_changed_by_minutes(table: Table, how: dict[str, Any]) -> None:
    """Closed meanwhile: parts, a lead and another end are refused, naming the item; that it was talked about is kept."""
    meeting, item = await _convened(table, occasion="screening")
    await table.write(meeting, item, said([CHAIR], **how))
    (row,) = await table.intake.rows(cases)
    closure = await table.desk.send(table.coordinator, "closure", sample("closure"), revision=row["revision"])
    assert closure.status_code == 201, closure.text
    before = await table.intake.rows(cases), await table.intake.rows(allocations)
    refused = await table.close(meeting)
    assert code_of(refused) == (409, "case-ended")
    assert refused.json()["title"].startswith("議題1：")
    assert (await table.intake.rows(cases), await table.intake.rows(allocations)) == before
    await table.write(meeting, item, said([CHAIR], decision="shared"), 1)
    assert (await table.close(meeting)).status_code == 201
    after = await table.intake.rows(cases)
    assert [(row["state"], row["lead"]) for row in after] == [(row["state"], row["lead"]) for row in before[0]]


async def test_a_plan_left_in_force_still_ends(table: Table) -> None:
    """The referral was taken back, and with it the case; the plan that was adopted in it is ended by a sitting."""
    table.plan_id = await table.work.adopted()
    number = (await table.work.row(table.plan_id))["number"]
    meeting, item = await _convened(table, occasion="end", plan_number=number)
    (row,) = await table.intake.rows(referrals)
    gone = await table.desk.referral(table.mado, "withdrawal", sample("withdrawal"), revision=row["revision"])
    assert gone.status_code == 201, gone.text
    assert [row["state"] for row in await table.intake.rows(cases)] == ["withdrawn"]
    await table.write(meeting, item, said([CHAIR, CARE], decision="ended"))
    closed = await table.close(meeting)
    assert closed.status_code == 201, closed.text
    assert (await table.work.row(table.plan_id))["state"] == "ended"
