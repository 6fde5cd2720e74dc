"""Sittings over HTTP: who makes and convenes them, who hears which item, and each gate refused and satisfied."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.data.case_work import DESTINATION, PROVIDER, SECTION, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.intake.case_facts import changed
from tests.intake.sittings import LAYERED, SUPPORT, Table, code_of, member, today
from tsunagi_intake.meeting_tables import agenda_items, item_members, meetings
from tsunagi_intake.tables import audience, records, timeline
from tsunagi_shared import clock
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.events import MeetingConvened, RecordWithdrawn

NURSERY = "sample-nursery"


async def _notice(intake: Intake) -> MeetingConvened:
    found = [event for event in await intake.events() if event.type == events.MEETING_CONVENED]
    return msgspec.json.decode(found[-1].data, type=MeetingConvened)


async def _forms_of(intake: Intake, agency: str) -> dict[str, dict[str, Any]]:
    return {row["form"]: row for row in await intake.rows(audience) if row["agency"] == agency}


async def test_a_layered_sitting_is_tried_out_and_convened(intake: Intake) -> None:
    """Who the person did not name leaves and is told why before anything is sent; the notice holds numbers alone."""
    table = await Table(intake).open()
    await table.consent(PROVIDER, SECTION, DESTINATION)
    number = await table.plan()
    meeting = await table.sitting()
    item = await table.item(meeting, number)
    await table.call(meeting, (PROVIDER, "chosei"), (DESTINATION, "kaigo"), (NURSERY, "yoso"))
    before = len(await intake.events())
    outlook = await table.outlook(meeting)
    assert outlook["ready"] is True
    assert len(await intake.events()) == before
    assert [(one["agency"], one["hears"], one["why"]) for one in outlook["items"][0]["members"]] == [
        (PROVIDER, True, ""), (DESTINATION, True, ""), (NURSERY, False, "gate-agency-unnamed"),
    ]  # fmt: skip
    nursery = outlook["agencies"][2]
    assert nursery["hears"] == []
    assert nursery["leaves"] == [1]
    assert "同意していない" in nursery["reasons"][0]
    assert [paper.partition("/")[0] for paper in outlook["items"][0]["papers"]] == ["referral", "assessment", "plan"]

    assert (await table.convene(meeting)).status_code == 201
    notice = await _notice(intake)
    assert notice.bodies == ("重層的支援会議",)
    assert notice.form.held_on.isoformat() == today()
    assert [(one.case_number, one.plan_number, one.attends) for one in notice.items] == [
        (table.case, number, (PROVIDER, DESTINATION))
    ]
    assert {one.agency: one.leaves_for for one in notice.members} == {PROVIDER: (), DESTINATION: (), NURSERY: (1,)}
    assert notice.reply_by is not None
    assert notice.reply_by < clock.today()
    views = {entry.agency: entry.view.value for entry in notice.audience}
    assert views[NURSERY] == views[DESTINATION] == "own_item"
    assert views[PROVIDER] == "full"
    assert "見本　太郎" not in msgspec.json.encode(notice).decode()
    # 重層的支援会議 opens nothing by itself: who was not in the consent still has no entry on the case
    assert {form.partition("/")[0] for form in await _forms_of(intake, NURSERY)} <= {"meeting"}
    lines = {row["kind"] for row in await intake.rows(timeline)}
    assert {"item_added", "meeting_convened"} <= lines
    assert (await intake.rows(agenda_items))[0]["plan_seen"].endswith("/proposed")
    assert item


async def test_without_consent_it_is_no_layered_item(intake: Intake) -> None:
    """Refused with the rule's code and the way out, and nothing changed; with consent, or as 支援会議, it is heard."""
    table = await Table(intake).open()
    meeting = await table.sitting("layered-support", "support-meeting")
    await table.item(meeting)
    await table.call(meeting, (PROVIDER, "chosei"))
    blocked = (await table.outlook(meeting))["items"][0]["blocked"]
    assert blocked["code"] == "gate-consent-missing"
    assert "支援会議で扱えます" in blocked["way_out"]
    before = (await intake.rows(meetings), await intake.rows(item_members), len(await intake.events()))
    refused = await table.convene(meeting)
    assert code_of(refused) == (409, "gate-consent-missing")
    assert refused.json()["title"].startswith("議題1：")
    assert (await intake.rows(meetings), await intake.rows(item_members), len(await intake.events())) == before

    await table.consent(DESTINATION)  # the provider's own people are named like everybody else
    assert code_of(await table.convene(meeting)) == (409, "nobody-hears-item")
    await table.consent(DESTINATION, PROVIDER)
    assert (await table.convene(meeting)).status_code == 201


async def test_a_support_meeting_opens_its_papers_by_person(intake: Intake) -> None:
    """Chosen and told: that person reads; their colleague, another sitting's member and everybody afterwards do not."""
    table = await Table(intake).open()
    meeting = await table.sitting("support-meeting")
    item = await table.item(meeting, heard=SUPPORT)
    colleague = intake.person("doryo", NURSERY, "agency_staff")
    (care,) = await table.call(meeting, (NURSERY, "yoso"))
    await table.call(meeting, (PROVIDER, "chosei"), chosen=True, told_on=today())
    outlook = (await table.outlook(meeting))["items"][0]["members"]
    assert [(one["hears"], one["why"]) for one in outlook] == [(False, "gate-not-chosen"), (True, "")]
    assert (await table.stranger.get(f"/cases/{table.case}")).status_code == 404

    chosen = {"member": care, "chosen": True}
    assert (await send(table.coordinator, f"/meetings/{meeting}/items/{item}/members", chosen)).status_code == 201
    assert code_of(await table.convene(meeting)) == (409, "gate-not-told")
    told = member(NURSERY, "yoso", told_on=today())
    changed = await send(table.coordinator, f"/meetings/{meeting}/members/{care}", told, method="PUT")
    assert changed.status_code == 200, changed.text
    assert (await table.convene(meeting)).status_code == 201
    opened = await _forms_of(intake, NURSERY)
    papers = [row for form, row in opened.items() if form.partition("/")[0] in ("referral", "assessment")]
    assert len(papers) == 2
    for row in papers:
        assert (row["basis_kind"], row["basis_ref"], row["members"]) == ("sitting", f"sitting/{item}", '["yoso"]')
        assert row["view"] == "full"
        assert row["until"] is not None
    assert (await table.stranger.get(f"/cases/{table.case}")).status_code == 200
    assert (await colleague.get(f"/cases/{table.case}")).status_code == 404
    assert (await table.care.get(f"/cases/{table.case}")).status_code == 404

    gone = await send(table.coordinator, f"/meetings/{meeting}/items/{item}/withdrawal")
    assert gone.status_code == 201
    assert (await table.stranger.get(f"/cases/{table.case}")).status_code == 404


async def test_a_member_without_an_account_opens_nothing(intake: Intake) -> None:
    """An agency whose member is known by name alone gets the notice, and no paper of the 支援会議."""
    table = await Table(intake).open()
    meeting = await table.sitting("support-meeting")
    await table.item(meeting, heard=SUPPORT)
    form = member(NURSERY, "yoso", chosen=True, told_on=today())
    form["user"] = ""
    assert (await send(table.coordinator, f"/meetings/{meeting}/members", form)).status_code == 201
    assert (await table.convene(meeting)).status_code == 201
    assert (await table.stranger.get(f"/cases/{table.case}")).status_code == 404
    shown = (await table.stranger.get(f"/meetings/{meeting}")).json()
    assert [line["case_number"] for line in shown["items"]] == [table.case]
    assert shown["may_run"] is False


async def test_what_no_consent_mends_is_refused_at_once(intake: Intake) -> None:
    """A role that the body does not have, a body that hears no cases, a plan of another case, a body of another sitting."""
    table = await Table(intake).open()
    meeting = await table.sitting()
    assert code_of(await table.put(meeting, legal_role="support_meeting")) == (409, "gate-body-role")
    assert code_of(await table.put(meeting, heard=SUPPORT)) == (422, "invalid-form")
    assert code_of(await table.put(meeting, "P2026-99999")) == (422, "invalid-form")
    assert code_of(await table.put(meeting, papers=[{"number": "R2026-99999"}])) == (422, "invalid-form")
    assert code_of(await table.put(meeting, case_number="C2026-99999")) == (404, "not-found")
    form = sample("meeting", bodies=["welfare-liaison"], held_on=today())
    liaison = (await send(table.section, "/meetings", form)).json()["id"]
    item = {
        "body": "welfare-liaison",
        "legal_role": "internal_liaison",
        "occasion": "sharing",
        "case_number": table.case,
    }
    refused = await send(table.section, f"/meetings/{liaison}/items", item)
    assert code_of(refused) == (409, "gate-body-cases")
    resource = {"body": "welfare-liaison", "legal_role": "internal_liaison", "occasion": "resource"}
    assert (await send(table.section, f"/meetings/{liaison}/items", resource)).status_code == 201
    assert len(await intake.rows(agenda_items)) == 1


async def test_rule_sitting_office(intake: Intake) -> None:
    """Other agencies, other roles and keys neither make nor convene a sitting; who was not called does not learn of it."""
    table = await Table(intake).open()
    form = sample("meeting", bodies=["layered-support"], held_on=today())
    clerk = intake.person("madoguchi", PROVIDER, "clerk")
    assert code_of(await send(table.care, "/meetings", form)) == (409, "not-body-office")
    assert code_of(await send(clerk, "/meetings", form)) == (409, "not-body-office")
    key = intake.runtime.accounts.add_key("見本システム", PROVIDER, ("coordinator",), ("cases:write",))
    program = Caller(intake.client, {"X-API-Key": key})
    assert code_of(await send(program, "/meetings", form)) == (409, "not-body-office")
    joint = {**form, "bodies": ["layered-support", "support-meeting"]}
    profile = intake.runtime.profile
    intake.runtime.profile = changed(profile, joint_sittings=False)
    assert code_of(await send(table.coordinator, "/meetings", joint)) == (409, "joint-not-used")
    intake.runtime.profile = profile
    assert (await send(table.coordinator, "/meetings", joint)).status_code == 201
    meeting = await table.sitting()
    await table.item(meeting, heard=LAYERED)
    await table.call(meeting, (DESTINATION, "kaigo"))
    for caller in (table.care, table.stranger):
        assert (await caller.get(f"/meetings/{meeting}")).status_code == 404
        assert code_of(await table.convene(meeting, caller)) == (404, "not-found")
    assert (await clerk.get(f"/meetings/{meeting}")).json()["may_run"] is False
    await table.consent(DESTINATION)
    assert (await table.convene(meeting)).status_code == 201
    assert (await table.care.get(f"/meetings/{meeting}")).status_code == 200
    assert code_of(await table.convene(meeting, table.care)) == (409, "not-body-office")
    assert (await table.care.get(f"/meetings/{meeting}/convening")).status_code == 404
    mine = (await table.care.get("/meetings")).json()["items"]
    assert [line["id"] for line in mine] == [meeting]
    assert (await table.stranger.get("/meetings")).json()["items"] == []


async def test_rule_sitting_complete(intake: Intake) -> None:
    """A stale revision is told, an empty sitting refused, a repeated request answered as before, a cancelled one closed."""
    table = await Table(intake).open()
    await table.consent(PROVIDER)
    meeting = await table.sitting()
    assert code_of(await table.convene(meeting)) == (409, "nothing-on-agenda")
    await table.item(meeting)
    (one,) = await table.call(meeting, (PROVIDER, "chosei"))
    assert code_of(await table.convene(meeting, revision=1)) == (409, "changed-meanwhile")
    revision = (await table.page(meeting))["revision"]
    first = await send(table.coordinator, f"/meetings/{meeting}/convening", key="same", revision=revision)
    again = await send(table.coordinator, f"/meetings/{meeting}/convening", key="same", revision=revision)
    assert first.status_code == 201
    assert first.content == again.content
    assert len([event for event in await intake.events() if event.type == events.MEETING_CONVENED]) == 1

    page = await table.page(meeting)
    moved = {**page["form"], "place": "別の会議室"}
    changed = await send(table.coordinator, f"/meetings/{meeting}", moved, method="PUT", revision=page["revision"])
    assert changed.status_code == 200
    assert (await _notice(intake)).form.place == "別の会議室"
    removed = await send(table.coordinator, f"/meetings/{meeting}/members/{one}/removal")
    assert removed.status_code == 201
    assert (await _notice(intake)).members == ()
    cancelled = await send(
        table.coordinator, f"/meetings/{meeting}/cancellation", revision=(await table.page(meeting))["revision"]
    )
    assert cancelled.status_code == 201
    withdrawn = [event for event in await intake.events() if event.type == events.RECORD_WITHDRAWN]
    assert msgspec.json.decode(withdrawn[-1].data, type=RecordWithdrawn).form == f"meeting/{meeting}"
    assert code_of(await table.put(meeting)) == (409, "sitting-cancelled")
    assert (await intake.rows(records))[-1]["kind"] != "minutes"


async def test_occasions_are_proposed_by_the_schedule(intake: Intake) -> None:
    """The pages of sittings answer; a body that meets 随時 proposes no day."""
    table = await Table(intake).open()
    meeting = await table.sitting()
    await table.item(meeting, note="家計のことを、あわせて話し合う。")
    await table.call(meeting, (PROVIDER, "chosei"))
    assert (await table.coordinator.get("/meetings")).json()["proposed"] == []
    paths = (
        "/meetings", f"/meetings/{meeting}", f"/meetings/{meeting}/convening", "/community-issues", "/forms/meeting",
        f"/forms/meeting?meeting={meeting}", f"/forms/agenda_item?meeting={meeting}",
        f"/forms/meeting_member?meeting={meeting}", f"/cases/{table.case}",
    )  # fmt: skip
    for path in paths:
        shown = await table.coordinator.get(path, page=True)
        assert shown.status_code == 200, (path, shown.text)
    page = (await table.coordinator.get(f"/meetings/{meeting}", page=True)).text
    assert "見本　太郎" not in page
    assert table.case in page
    posted = await table.coordinator.post("/meetings", {"held_on": "", "_idempotency_key": "k"})
    assert posted.status_code == 422
    assert "開催日" in posted.text
    fields = [("bodies", "layered-support"), ("held_on", today()), ("starts_at", "13:30"), ("place", "会議室")]
    made = await table.coordinator.post("/meetings", fields)
    assert made.status_code == 303
    assert made.headers["location"].startswith("/meetings/")
    refused = await table.coordinator.post(f"/meetings/{meeting}/convening?revision=1", {})
    assert refused.status_code == 409
    assert "変更しています" in refused.text
