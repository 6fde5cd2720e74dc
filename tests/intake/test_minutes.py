"""Minutes over HTTP: typed by two, closed once against who was there, driving plans and cases, and kept apart by item."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import msgspec

from tests.data.case_work import DESTINATION, PROVIDER, SECTION, consent_of, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.data.plan_work import decided
from tests.intake.sittings import SUPPORT, Table, code_of, said, today
from tsunagi_intake.erasure import erase_case
from tsunagi_intake.meeting_tables import agenda_items, community_issues, meetings, minutes_drafts
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.tables import allocations, audience, cases, drafts, records, timeline
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.events import ContactLogIssued, InformationRequested, MeetingRecorded
from tsunagi_shared.forms.minutes import Decision

NURSERY = "sample-nursery"
CHAIR, CARE, YOSO = (PROVIDER, "chosei"), (DESTINATION, "kaigo"), (NURSERY, "yoso")


async def _recorded(intake: Intake) -> list[MeetingRecorded]:
    return [
        msgspec.json.decode(event.data, type=MeetingRecorded)
        for event in await intake.events()
        if event.type == events.MEETING_RECORDED
    ]


async def _state(intake: Intake) -> Any:
    """All that a refused closing must leave as it was."""
    tables = (meetings, agenda_items, minutes_drafts, plans, records, cases, allocations, audience, timeline)
    return [await intake.rows(table) for table in tables], len(await intake.events())


async def _convened(table: Table, *people: tuple[str, str], **item: Any) -> tuple[str, str]:
    """A 重層的支援会議 with a plan on its agenda, to which these people were called."""
    number = await table.plan()
    meeting = await table.sitting()
    identity = await table.item(meeting, number, **item)
    await table.call(meeting, *(people or (CHAIR, CARE)))
    answer = await table.convene(meeting)
    assert answer.status_code == 201, answer.text
    return meeting, identity


async def test_rule_sitting_state(intake: Intake) -> None:
    """The decision stands with its item; with the other two dates the plan is adopted; closing again is refused."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    meeting, item = await _convened(table, CHAIR, CARE, YOSO)
    begun = (await table.coordinator.get(f"/meetings/{meeting}/items/{item}/minutes")).json()
    assert [row["state"] for row in begun["content"]["presences"]] == ["present", "present", "left"]
    form = said([CHAIR, CARE], [YOSO], consent_checked_on=today(), consent_scope=["plan"])
    assert (await table.write(meeting, item, form)).json()["errors"] == []
    closed = await table.close(meeting)
    assert closed.status_code == 201, closed.text
    assert code_of(await table.write(meeting, item, form, 1)) == (409, "already-closed")
    plan = await table.work.row(table.plan_id)
    assert (plan["state"], plan["meeting_on"], plan["meeting_item"]) == ("proposed", today(), item)
    (event,) = await _recorded(intake)
    assert (event.position, event.round_of_year, event.legal_role.value) == (1, 1, "layered_support_meeting")
    assert event.body_name == "重層的支援会議"
    assert event.plan_kind == "multi_agency"
    assert event.closed_at is not None
    views = {entry.agency: (entry.view.value, entry.basis.kind.value) for entry in event.audience}
    assert views[DESTINATION] == ("own_item", "consent")
    assert NURSERY not in views
    assert views[PROVIDER][0] == views[SECTION][0] == "full"
    assert await intake.rows(minutes_drafts) == []

    before = await _state(intake)
    assert code_of(await table.close(meeting)) == (409, "already-closed")
    assert code_of(await table.write(meeting, item, form, 1)) == (409, "already-closed")
    assert code_of(await table.put(meeting)) == (409, "already-closed")
    assert code_of(await table.convene(meeting)) == (409, "already-closed")
    assert await _state(intake) == before
    disclosed = await table.section.get(f"/cases/{table.case}/disclosure?person={await table.person()}")
    assert "順番を話し合った。" in disclosed.text
    tomorrow = await table.sitting(held_on=(clock.today() + dt.timedelta(1)).isoformat())
    late = await table.item(tomorrow)
    await table.call(tomorrow, CHAIR)
    await table.convene(tomorrow)
    assert code_of(await table.close(tomorrow)) == (409, "not-held-yet")
    withdrawal = f"/meetings/{tomorrow}/items/{late}/withdrawal"
    assert (await send(table.coordinator, withdrawal)).status_code == 201
    assert code_of(await send(table.coordinator, withdrawal)) == (409, "item-not-open")
    await table.work.agree(table.plan_id)
    assert (await table.work.municipal(table.plan_id)).json()["code"] == "adopted"
    assert (await table.section.get(f"/cases/{table.case}")).json()["state"] == "supported"


async def test_two_people_write_one_item(intake: Intake) -> None:
    """One wins; the other is told who wrote and keeps what was typed; only the body's office writes at all."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    meeting, item = await _convened(table)
    clerk = intake.person("kiroku", PROVIDER, "clerk")
    half = {"discussion": "書きかけ"}
    first, second = await asyncio.gather(
        table.write(meeting, item, half), table.write(meeting, item, {"discussion": "別の人"}, caller=clerk)
    )
    assert sorted((first.status_code, second.status_code)) == [200, 409]
    lost = first if first.status_code == 409 else second
    assert code_of(lost) == (409, "changed-meanwhile")
    assert "さんが" in lost.json()["title"]
    assert (await table.write(meeting, item, half, 1, clerk)).json()["revision"] == 2
    wrong = (await table.write(meeting, item, {"decision": "no such"}, 2)).json()["errors"]
    assert {error["path"] for error in wrong} >= {"decision", "presences"}
    assert code_of(await table.write(meeting, item, half, 3, table.care)) == (409, "not-body-office")
    assert code_of(await table.write(meeting, item, half, 3, table.mado)) == (404, "not-found")

    path = f"/meetings/{meeting}/items/{item}/minutes"
    page = await table.coordinator.get(path, page=True)
    assert page.status_code == 200
    assert "見守りの方法" not in page.text
    posted = await table.coordinator.post(f"{path}?revision=1", {"discussion": "画面で書いた"})
    assert posted.status_code == 409
    assert "画面で書いた" in posted.text
    assert "revision=3" in posted.text
    saved = await table.coordinator.post(f"{path}?revision=3", {"discussion": "画面で書いた"})
    assert saved.status_code == 303
    typed = (await table.coordinator.get(path)).json()
    assert (typed["revision"], typed["content"]["discussion"]) == (4, "画面で書いた")


async def test_closing_tells_every_mistake_of_every_item(intake: Intake) -> None:
    """An item without minutes, one with gaps, a decision of another occasion, a field of the other sheet: all at once."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    number = await table.plan()
    meeting = await table.sitting()
    one = await table.item(meeting, number)
    two = await table.item(meeting)
    await table.item(meeting, occasion="monitoring", plan_number=number)
    await table.call(meeting, CHAIR, CARE)
    assert code_of(await table.close(meeting)) == (409, "not-convened")
    await table.convene(meeting)
    await table.write(meeting, one, said([CHAIR], decision="ended"))
    await table.write(meeting, two, said([CHAIR], discussion="", watch="近所で見守る"))
    before = await _state(intake)
    refused = await table.close(meeting)
    assert code_of(refused) == (422, "invalid-form")
    assert {(error["path"], error["code"]) for error in refused.json()["errors"]} == {
        ("items.1.decision", "not-of-this-occasion"), ("items.2.discussion", "required"),
        ("items.2.watch", "not-of-this-item"), ("items.3", "required"),
    }  # fmt: skip
    assert await _state(intake) == before
    page = await table.coordinator.post(f"/meetings/{meeting}/closing?revision=99", {})
    assert page.status_code == 409
    assert "変更しています" in page.text
    assert code_of(await table.close(meeting, table.mado)) == (404, "not-found")


async def test_who_was_there_is_checked_again(intake: Intake) -> None:
    """Somebody unnamed who stayed, a consent withdrawn since: refused, and nothing changed; gone from the room, it closes."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    meeting, item = await _convened(table, CHAIR, CARE, YOSO)
    await table.write(meeting, item, said([CHAIR, CARE, YOSO]))
    before = await _state(intake)
    refused = await table.close(meeting)
    assert code_of(refused) == (409, "gate-agency-unnamed")
    assert refused.json()["title"].startswith("議題1：")
    assert await _state(intake) == before
    await table.write(meeting, item, said([CHAIR, CARE], [YOSO]), 1)
    await table.withdraw()
    assert code_of(await table.close(meeting)) == (409, "gate-consent-missing")
    await table.consent(PROVIDER, DESTINATION)
    assert (await table.close(meeting)).status_code == 201


async def test_a_plan_changed_meanwhile_is_not_decided(intake: Intake) -> None:
    """Another sitting sent the plan back first: the second closing is told, and nothing changes."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    number = await table.plan()
    sittings = []
    for _ in range(2):
        meeting = await table.sitting()
        item = await table.item(meeting, number)
        await table.call(meeting, CHAIR)
        await table.convene(meeting)
        sittings.append((meeting, item))
    (first, one), (second, other) = sittings
    await table.write(first, one, said([CHAIR], decision="returned", decision_note="家計の見通しを書き足す。"))
    await table.write(second, other, said([CHAIR]))
    assert (await table.close(first)).status_code == 201
    assert (await table.work.row(table.plan_id))["state"] == "draft"
    before = await _state(intake)
    assert code_of(await table.close(second)) == (409, "changed-meanwhile")
    assert await _state(intake) == before


async def test_minutes_of_a_support_meeting_stay_with_it(intake: Intake) -> None:
    """It decides on no plan but confirms outreach; who was not chosen was not there; its minutes are read by person."""
    table = await Table(intake).open()
    number = await table.plan(kind="outreach")
    meeting = await table.sitting("support-meeting")
    item = await table.item(meeting, number, SUPPORT)
    await table.call(meeting, CHAIR, YOSO, chosen=True, told_on=today())
    await table.convene(meeting)
    reason: dict[str, Any] = {"no_consent_reason": "まだ会えていない。"}
    await table.write(meeting, item, said([CHAIR, YOSO], **reason))
    before = await _state(intake)
    assert code_of(await table.close(meeting)) == (409, "plan-consent-missing")
    await table.write(meeting, item, said([CHAIR, YOSO, CARE], decision="confirmed", **reason), 1)
    assert code_of(await table.close(meeting)) == (409, "gate-not-chosen")
    assert (await intake.rows(plans), await intake.rows(records)) == (before[0][3], before[0][4])
    await table.write(meeting, item, said([CHAIR, YOSO], decision="confirmed", **reason), 2)
    closed = await table.close(meeting)
    assert closed.status_code == 201, closed.text
    assert (await table.work.row(table.plan_id))["state"] == "provisional"
    (event,) = await _recorded(intake)
    assert event.support_meeting_only is True
    assert event.law_text
    mine = next(entry for entry in event.audience if entry.agency == NURSERY)
    assert (mine.view.value, mine.basis.ref, mine.members) == ("own_item", f"sitting/{item}", ("yoso",))
    assert mine.until is not None
    assert DESTINATION not in {entry.agency for entry in event.audience}
    address = f"/records/minutes/{event.form_id}"
    assert (await table.stranger.get(address)).status_code == 200
    assert (await intake.person("doryo", NURSERY, "agency_staff").get(address)).status_code == 404
    assert (await table.care.get(address)).status_code == 404
    # With consent the case goes on in the open; what was said here stays here
    await table.consent(PROVIDER, DESTINATION)
    assert (await table.care.get(address)).status_code == 404
    assert (await table.mado.get(address)).status_code == 404


async def test_a_plan_ends_as_a_minimal_item(intake: Intake) -> None:
    """Consent withdrawn: three codes, before provider and municipality alone, end the plan; nobody else is there."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    number = await table.plan()
    await decided(intake, table.plan_id, Decision.APPROVED)
    await table.work.agree(table.plan_id)
    assert (await table.work.municipal(table.plan_id)).json()["code"] == "adopted"
    await table.withdraw()
    meeting = await table.sitting()
    ordinary = await table.item(meeting, number, occasion="end")
    assert (await table.outlook(meeting))["items"][0]["blocked"]["code"] == "gate-consent-missing"
    await send(table.coordinator, f"/meetings/{meeting}/items/{ordinary}/withdrawal")
    shown: dict[str, Any] = {"minimal_reason": "withdrawn", "occasion": "end"}
    assert code_of(await table.put(meeting, number, **{**shown, "occasion": "adopt"})) == (422, "invalid-form")
    item = await table.item(meeting, number, **shown)
    await table.call(meeting, CHAIR, CARE)
    outlook = (await table.outlook(meeting))["items"][0]
    assert outlook["papers"] == []
    assert [one["why"] for one in outlook["members"]] == ["", "gate-minimal-present"]
    await table.convene(meeting)
    form = {"presences": said([CHAIR], [CARE])["presences"], "decision": "ended", "lead_agency": PROVIDER}
    assert (await table.write(meeting, item, form)).json()["errors"] == []
    closed = await table.close(meeting)
    assert closed.status_code == 201, closed.text
    plan = await table.work.row(table.plan_id)
    assert (plan["state"], plan["end_code"]) == ("ended", "withdrawn")
    case = (await table.section.get(f"/cases/{table.case}")).json()
    assert (case["state"], case["lead"]) == ("followed_up", PROVIDER)
    (event,) = await _recorded(intake)
    assert event.minimal_reason is not None
    assert {entry.agency for entry in event.audience} == {PROVIDER, SECTION}


async def test_without_a_plan_the_case_goes_back_or_parts_are_given(intake: Intake) -> None:
    """担当の割振り: parts and the lead as the minutes say; 包括へ戻す ends a case of which nothing else goes on."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    meeting = await table.sitting()
    item = await table.item(meeting, occasion="screening")
    await table.call(meeting, CHAIR, CARE)
    await table.convene(meeting)
    parts = [{"agency": DESTINATION, "part": "週一回の訪問"}]
    await table.write(meeting, item, said([CHAIR, CARE], allocations=parts, lead_agency=PROVIDER))
    assert (await table.close(meeting)).status_code == 201
    case = (await table.section.get(f"/cases/{table.case}")).json()
    assert case["lead"] == PROVIDER
    assert [row["agency"] for row in case["allocations"]] == [DESTINATION]

    again = await table.sitting()
    item = await table.item(again, occasion="screening")
    await table.call(again, CHAIR)
    await table.convene(again)
    note: dict[str, Any] = {"decision": "to_comprehensive", "decision_note": "窓口が引き続き関わる。"}
    await table.write(again, item, said([CHAIR], **note))
    assert (await table.close(again)).status_code == 201
    assert (await table.section.get(f"/cases/{table.case}")).json()["state"] == "returned"
    assert {event.position for event in await _recorded(intake)} == {1}
    assert [event.round_of_year for event in await _recorded(intake)] == [1, 2]


async def test_corrections_change_no_decision(intake: Intake) -> None:
    """A name is mended as the next revision; what was decided, and which agencies were there, is not."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    meeting, item = await _convened(table)
    form = said([CHAIR, CARE])
    await table.write(meeting, item, form)
    await table.close(meeting)
    record = next(row for row in await intake.rows(records) if row["kind"] == "minutes")
    path = f"/records/minutes/{record['id']}"
    for wrong, error in (
        ({**form, "decision": "continued"}, "decision-fixed"),
        ({**form, "presences": [*form["presences"], said([YOSO])["presences"][0]]}, "presence-fixed"),
    ):
        refused = await send(table.coordinator, path, wrong, method="PUT", revision=1)
        assert [one["code"] for one in refused.json()["errors"]] == [error]
    mended = {**form, "discussion": "順番を話し合い、日を決めた。"}
    assert (await send(table.coordinator, path, mended, method="PUT", revision=1)).status_code == 200
    assert code_of(await send(table.coordinator, path, mended, method="PUT", revision=1)) == (409, "changed-meanwhile")
    assert (await _recorded(intake))[-1].revision == 2
    assert (await table.coordinator.get(path, page=True)).status_code == 200


async def test_what_is_missing_is_handed_on_without_the_case(intake: Intake) -> None:
    """The body it is for sees the text alone and answers once; others do not see it."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    meeting, item = await _convened(table)
    handed: dict[str, Any] = {
        "community_issue": "男性の介護者が集まれる場が少ない。", "missing_resource": "出向ける家計の相談員。",
        "hands_over_to": "welfare-liaison",
    }  # fmt: skip
    await table.write(meeting, item, said([CHAIR, CARE], **handed))
    assert (await table.close(meeting)).status_code == 201
    lines = (await table.section.get("/community-issues")).json()["items"]
    assert [(line["kind"], line["is_own"]) for line in lines] == [("resource", True), ("issue", True)]
    assert table.case not in msgspec.json.encode(lines).decode()
    assert (await table.care.get("/community-issues")).json()["items"] == []
    address = f"/community-issues/{lines[0]['id']}/reply"
    assert code_of(await send(table.care, address, {"answer": "x"})) == (404, "not-found")
    assert code_of(await send(table.coordinator, address, {"answer": "x"})) == (409, "not-body-office")
    assert (await send(table.section, address, {})).json()["code"] == "received"
    too_long = await send(table.section, address, {"answer": "あ" * 2001})
    assert (too_long.status_code, too_long.json()["errors"][0]["path"]) == (422, "answer")
    assert (await send(table.section, address, {"answer": "来年度に検討する。"})).json()["code"] == "answered"
    assert code_of(await send(table.section, address, {"answer": "もう一度"})) == (409, "already-answered")


async def test_rule_information_basis(intake: Intake) -> None:
    """Neither consent nor law: refused. With a law the addressee alone answers, and the answer comes back."""
    table = await Table(intake).open()
    form = sample("information_request", agency=NURSERY)
    form.pop("law")
    assert code_of(await table.desk.send(table.coordinator, "information-requests", form)) == (
        409, "information-without-basis",
    )  # fmt: skip
    assert code_of(await table.desk.send(table.mado, "information-requests", form)) == (409, "role-missing")
    lawful = {**form, "law": sample("information_request")["law"]}
    asked = await table.desk.send(table.coordinator, "information-requests", lawful)
    assert asked.status_code == 201, asked.text
    event = next(event for event in await intake.events() if event.type == events.INFORMATION_REQUESTED)
    data = msgspec.json.decode(event.data, type=InformationRequested)
    entry = next(entry for entry in data.audience if entry.agency == NURSERY)
    assert (entry.basis.kind.value, entry.basis.law) == ("legal_duty", lawful["law"])
    assert data.law_text
    path = f"/information-requests/{asked.json()['id']}/answer"
    answer = sample("information_answer")
    assert code_of(await send(table.section, path, answer)) == (409, "not-addressee")
    assert code_of(await send(table.care, path, answer)) == (404, "not-found")
    assert (await send(table.stranger, path, answer)).status_code == 201
    shown = (await table.coordinator.get(f"/cases/{table.case}/records/information_answer")).json()["items"]
    assert len(shown) == 1
    await table.consent(DESTINATION)
    mine = await table.desk.send(table.coordinator, "information-requests", {**form, "agency": DESTINATION})
    assert mine.status_code == 201
    for address in (
        f"/forms/information_request?case={table.case}",
        f"/records/information_request/{mine.json()['id']}",
    ):
        assert (await table.coordinator.get(address, page=True)).status_code == 200
    page = await table.care.get(f"/forms/information_answer?request={mine.json()['id']}", page=True)
    assert page.status_code == 200


async def test_what_is_addressed_to_an_agency_shows_no_more_of_the_case(intake: Intake) -> None:
    """Whom a request by law is addressed to reads it and answers: nothing else of the case, and no consent to itself."""
    table = await Table(intake).open()
    ground = await table.desk.send(table.coordinator, "grounds", sample("ground", agency="sample-clinic"))
    assert ground.status_code == 201, ground.text
    form = sample("information_request", agency=NURSERY)
    asked = (await table.desk.send(table.coordinator, "information-requests", form)).json()
    await send(table.stranger, f"/information-requests/{asked['id']}/answer", sample("information_answer"))
    await _shows_itself_alone(table, table.stranger)
    assert (await table.stranger.get(f"/records/information_request/{asked['id']}")).json()["form"] is not None


async def _shows_itself_alone(table: Table, caller: Caller) -> None:
    """Nothing of what stands in the case but what was shown to that agency; and it may not record a consent in it."""
    page = (await caller.get(f"/cases/{table.case}")).json()
    assert page["view"] != "full"
    assert not any(page[part] for part in ("grounds", "allocations", "protections"))
    consent = consent_of(await table.person(), agencies=[NURSERY])
    assert code_of(await table.desk.send(caller, "consents", consent)) == (409, "full-view-needed")


async def test_what_is_heard_in_a_sitting_shows_no_more_of_the_case(intake: Intake) -> None:
    """A member of a 支援会議 reads its papers; no grounds, parts or protections, and may record no consent to their agency."""
    table = await Table(intake).open()
    ground = await table.desk.send(table.coordinator, "grounds", sample("ground", agency="sample-clinic"))
    assert ground.status_code == 201, ground.text
    meeting = await table.sitting("support-meeting")
    await table.item(meeting, heard=SUPPORT)
    await table.call(meeting, YOSO, CHAIR, chosen=True, told_on=today())
    assert (await table.convene(meeting)).status_code == 201
    page = (await table.stranger.get(f"/cases/{table.case}")).json()
    assert [line["view"] for line in page["referrals"]] == ["full"]
    await _shows_itself_alone(table, table.stranger)


async def test_what_was_typed_goes_with_an_item_that_is_withdrawn(intake: Intake) -> None:
    """Of an item that was taken off, or whose sitting was cancelled, no minutes are kept as they were typed."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    for undone in ("items/{item}/withdrawal", "cancellation"):
        meeting = await table.sitting()
        item = await table.item(meeting)
        await table.write(meeting, item, said([CHAIR]))
        assert len(await intake.rows(minutes_drafts)) == 1
        revision = (await table.page(meeting))["revision"]
        answer = await send(table.coordinator, f"/meetings/{meeting}/{undone.format(item=item)}", revision=revision)
        assert answer.status_code == 201, answer.text
        assert await intake.rows(minutes_drafts) == []


async def test_a_log_holds_the_contacts_of_its_days(intake: Intake) -> None:
    """Those of the period that were on record and that the issuer sees, in the order of their days."""
    table = await Table(intake).open()
    for at, content in (("2026-05-02", "二日"), ("2026-05-01", "一日"), ("2026-06-01", "翌月")):
        form = sample("contact", at=at, content=content)
        assert (await table.desk.send(table.coordinator, "contacts", form)).status_code == 201
    issue = {"since": "2026-05-01", "until": "2026-05-31"}
    assert (await table.desk.send(table.coordinator, "contact-logs", issue)).status_code == 201
    event = next(event for event in await intake.events() if event.type == events.CONTACT_LOG_ISSUED)
    data = msgspec.json.decode(event.data, type=ContactLogIssued)
    assert [entry.form.content for entry in data.entries] == ["一日", "二日"]
    assert data.entries[0].by.agency == PROVIDER
    assert code_of(await table.desk.send(table.mado, "contact-logs", issue)) == (409, "not-allocated")
    assert (await table.coordinator.get(f"/forms/contact_log?case={table.case}", page=True)).status_code == 200


async def test_erasure_leaves_the_sitting_its_numbers(intake: Intake) -> None:
    """Minutes, typed and closed, go with their case, and what was handed on and answered; the item keeps its number."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, DESTINATION)
    number = await table.plan()
    meeting = await table.sitting()
    closed = await table.item(meeting, number, note="急ぐ")
    await table.call(meeting, CHAIR)
    await table.convene(meeting)
    handed: dict[str, Any] = {"community_issue": "場が少ない。", "hands_over_to": "welfare-liaison"}
    await table.write(meeting, closed, said([CHAIR], **handed))
    await table.close(meeting)
    other = await table.sitting()
    typed = await table.item(other)
    await table.write(other, typed, said([CHAIR]))
    kept = await send(table.coordinator, f"/drafts?kind=minutes&meeting={other}&item={typed}", said([CHAIR]))
    assert kept.status_code == 201, kept.text
    (handed_on,) = await intake.rows(community_issues)
    answered = await send(table.section, f"/community-issues/{handed_on['id']}/reply", {"answer": "検討する。"})
    assert answered.status_code in (200, 201), answered.text
    who = Principal("shokan", "見本　所子", SECTION, frozenset({"responsible_section"}))
    case = (await intake.rows(cases))[0]["seq"]
    await intake.runtime.database.write(
        lambda connection: erase_case(connection, intake.runtime, case, who, "retention")
    )
    assert await intake.rows(minutes_drafts) == []
    assert await intake.rows(drafts) == []
    assert await intake.rows(plans) == []
    assert {row["kind"] for row in await intake.rows(records)} == {"meeting"}
    left = {row["state"]: row for row in await intake.rows(agenda_items)}
    assert set(left) == {"recorded", "withdrawn"}
    assert {row["note"] for row in left.values()} == {""}
    (issue,) = await intake.rows(community_issues)
    assert (issue["item"], issue["text"], issue["answer"]) == ("", "", "")
    assert "消しました" in (await table.section.get("/community-issues", page=True)).text
    assert (await table.coordinator.get(f"/meetings/{meeting}")).json()["items"][0]["case_number"] == table.case
