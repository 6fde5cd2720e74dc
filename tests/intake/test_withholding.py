"""A protected address or telephone in what somebody typed: cut in every spelling wherever an agency reads that is not cleared."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.data.case_work import PROVIDER, Desk, going_on, send
from tests.data.forms import sample
from tests.data.intake import Caller, Intake
from tests.data.plan_work import Work
from tests.data.referrals import referral
from tests.intake.sittings import SUPPORT, Table, said, today
from tsunagi_intake import tables
from tsunagi_intake.meeting_tables import community_issues
from tsunagi_shared import clock

REFERRED = "０４２－０００－０００１ 又は 042 000 0001。住所は見本町０－０－０、又は見本町〇番地の〇。"
TYPED = f"{REFERRED}新しい電話は080-0000-0002。"
LEFT = "又は"  # what of it is shown
NOT_SHOWN = "（非開示）"
SPELLINGS = ("０００１", "000 0001", "000-0001", "見本町", "0000-0002", "番地")


@pytest.fixture
async def desk(intake: Intake) -> Desk:
    """A case in which everything that can be typed was typed, and then the whereabouts of its person were protected."""
    desk = await Desk(intake).open(consultation=REFERRED)
    coordinator = desk.coordinator
    for path, form in (
        ("contacts", sample("contact", content=TYPED, next_action="042-000-0009の所へ行く。")),
        ("assessments", going_on(summary=TYPED, housing="母の実家の離れ。")),
        ("grounds", sample("ground", reason=TYPED)),
    ):
        assert (await desk.send(coordinator, path, form)).status_code == 201
    answer = await desk.send(coordinator, "allocations", sample("allocation", part=TYPED), revision=1)
    assert answer.status_code == 201, answer.text
    await protect(desk, (await people(desk))[0])
    return desk


async def people(desk: Desk) -> list[str]:
    """The people of the case, the subject first."""
    rows = await desk.intake.rows(tables.persons)
    return [row["same_as"] for row in sorted(rows, key=lambda row: row["position"])]


async def protect(desk: Desk, person: str) -> None:
    """Withhold address and telephone of a person from everybody but the provider."""
    case = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    form = sample("protection", person=person, since="2026-04-01", reason=TYPED)
    answer = await desk.send(desk.coordinator, "protections", form, revision=case["revision"])
    assert answer.status_code == 201, answer.text


async def record(desk: Desk, caller: Caller, kind: str) -> dict[str, Any]:
    """What a record says to somebody."""
    (row,) = [row for row in await desk.intake.rows(tables.records) if row["kind"] == kind]
    found: dict[str, Any] = (await caller.get(f"/records/{kind}/{row['id']}")).json()["form"]
    return found


def is_cut(text: str) -> bool:
    """Nothing of what was typed tells where the person is; the rest stands."""
    return NOT_SHOWN in text and LEFT in text and not any(spelling in text for spelling in SPELLINGS)


async def test_the_case_page_and_its_records_show_no_spelling(desk: Desk) -> None:
    """Reasons, parts, texts of contacts and assessments: cut for who is not cleared, whole for who is."""
    for caller, is_cleared in ((desk.section, False), (desk.coordinator, True)):
        case = (await caller.get(f"/cases/{desk.case_number}")).json()
        contact, assessment = [await record(desk, caller, kind) for kind in ("contact", "assessment")]
        typed = [
            case["grounds"][0]["reason"], case["allocations"][0]["part"], case["protections"][0]["reason"],
            contact["content"], assessment["summary"],
        ]  # fmt: skip
        assert [text == TYPED for text in typed] == [is_cleared] * 5
        assert [is_cut(text) for text in typed] == [not is_cleared] * 5
        assert ("0009" in contact["next_action"]) is is_cleared  # one that stands in no field looks like one
        assert (assessment["housing"] == NOT_SHOWN) is not is_cleared
        page = (await caller.get(f"/cases/{desk.case_number}", page=True)).text
        assert ("０００１" in page) is is_cleared


async def test_what_was_said_at_the_end_is_cut(desk: Desk) -> None:
    """The note of the closure, and the note for 漏えい等 of a referral that went to the wrong place."""
    case = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    form = sample("closure", note=TYPED)
    assert (await desk.send(desk.coordinator, "closure", form, revision=case["revision"])).status_code == 201
    assert is_cut((await desk.section.get(f"/cases/{desk.case_number}")).json()["ended_note"])
    form = sample("withdrawal", reason=TYPED, measures=TYPED)
    (row,) = await desk.intake.rows(tables.referrals)
    answer = await desk.referral(desk.section, "withdrawal", form, revision=row["revision"])
    assert answer.status_code == 201, answer.text
    note = (await desk.section.get(f"/referrals/{desk.referral_number}/leak-note")).json()
    assert is_cut(note["reason"])
    assert is_cut(note["measures"])


async def test_a_disclosure_cuts_every_spelling(desk: Desk) -> None:
    """What protection keeps from the section is in no text of what it puts together."""
    address = f"/cases/{desk.case_number}/disclosure?person={(await people(desk))[0]}"
    text = str((await desk.section.get(address)).json())
    assert NOT_SHOWN in text
    assert not any(spelling in text for spelling in (*SPELLINGS, "000-0009"))


async def test_a_correction_leaves_what_its_writer_was_not_shown(desk: Desk) -> None:
    """A text that comes back as it was shown stays whole; so does a field that was left empty."""
    await send(desk.mado, f"/cases/{desk.case_number}/contacts", sample("contact", content=TYPED, judgement=TYPED))
    (row,) = [row for row in await desk.intake.rows(tables.records) if row["agency"] == "disability" and row["case"]]
    page = (await desk.mado.get(f"/forms/contact?record=contact/{row['id']}", page=True)).text
    assert not any(spelling in page for spelling in SPELLINGS)
    shown: dict[str, Any] = (await desk.mado.get(f"/records/contact/{row['id']}")).json()["form"]
    changed = {**shown, "judgement": "書き直した。"}
    answer = await send(desk.mado, f"/records/contact/{row['id']}", changed, method="PUT", revision=1)
    assert answer.status_code == 200, answer.text
    whole = await desk.coordinator.get(f"/records/contact/{row['id']}")
    assert (whole.json()["form"]["content"], whole.json()["form"]["judgement"]) == (TYPED, "書き直した。")


async def test_a_member_of_the_household_protects_the_home(intake: Intake) -> None:
    """Where another of the household is protected, address and telephone at home are found in texts too, and their note goes."""
    desk = await Desk(intake).open(consultation=REFERRED)
    await protect(desk, (await people(desk))[1])
    page = (await desk.mado.get(f"/forms/referral?record=referral/{desk.referral_number}", page=True)).text
    for text in ("見本町", "042-000-0001", "０００１", "持病あり"):
        assert text not in page
    assert "仕事をしていない" in page
    shown = REFERRED
    for part in ("０４２－０００－０００１", "042 000 0001", "見本町０－０－０", "見本町〇番地の〇"):
        shown = shown.replace(part, NOT_SHOWN)
    form = referral(consultation=shown, reason="訂正")
    for name in ("address", "postal_code", "phone"):
        form["person"].pop(name)
    form["household"][0]["note"] = NOT_SHOWN
    assert (await desk.referral(desk.mado, "", form, method="PUT", revision=1)).status_code == 200
    (row,) = await intake.rows(tables.referrals)
    stored = msgspec.json.decode(row["form"])
    assert (stored["consultation"], stored["reason"]) == (REFERRED, "訂正")
    assert (stored["person"]["address"], stored["person"]["phone"]) == ("見本県見本市見本町0-0-0", "042-000-0001")
    assert [member["note"] for member in stored["household"]] == ["持病あり", "仕事をしていない"]


async def test_a_plan_shows_no_spelling(desk: Desk) -> None:
    """What a plan, its parts, its papers and the answers to it say is cut for who is not cleared, whole for who is."""
    work = Work(desk)
    part = {"agency": "hardship-support", "part": TYPED}
    plan_id = await work.adopted(issues=TYPED, allocations=[part])
    note = {"agreed_on": clock.today().isoformat(), "note": TYPED}
    other = await work.draft("participation", needs="日中の居場所")
    assert (await work.post(desk.coordinator, other, "agreement", note)).status_code == 201
    for caller, is_cleared in ((desk.section, False), (desk.coordinator, True)):
        page = (await caller.get(f"/plans/{plan_id}")).json()
        (paper,) = (await caller.get(f"/plans/{other}")).json()["papers"]
        typed = [
            page["form"]["issues"],
            page["form"]["allocations"][0]["part"],
            page["parts"][0]["part"],
            paper["note"],
        ]
        assert [text == TYPED for text in typed] == [is_cleared] * 4
        assert [is_cut(text) for text in typed] == [not is_cleared] * 4
        shown = (await caller.get(f"/plans/{plan_id}", page=True)).text
        assert ("０００１" in shown) is is_cleared


async def test_minutes_show_no_spelling_while_they_are_typed_and_after(intake: Intake) -> None:
    """Who writes them and is not cleared reads them cut, and leaves whole what they were not shown; so are the closed ones."""
    table = await Table(intake).open(consultation=REFERRED)
    await protect(table.desk, (await people(table.desk))[0])
    meeting = await table.sitting("support-meeting")
    item = await table.item(meeting, heard=SUPPORT, note=TYPED)
    await table.call(meeting, (PROVIDER, "chosei"), chosen=True, told_on=today())
    handed: dict[str, Any] = {
        "community_issue": TYPED,
        "hands_over_to": "layered-support",
        "no_consent_reason": "会えていない。",
    }
    form = said([(PROVIDER, "chosei")], discussion=TYPED, decision="shared", **handed)
    assert (await table.write(meeting, item, form)).status_code == 200
    address = f"/meetings/{meeting}/items/{item}/minutes"
    assert (await table.coordinator.get(address)).json()["content"]["discussion"] == TYPED
    shown = (await table.section.get(address)).json()["content"]
    assert is_cut(shown["discussion"])
    assert is_cut((await table.page(meeting, table.section))["items"][0]["note"])
    assert (await table.page(meeting))["items"][0]["note"] == TYPED
    page = (await table.section.get(address, page=True)).text
    assert not any(spelling in page for spelling in SPELLINGS)
    changed = {**shown, "decision_note": "来月に確かめる。"}
    answer = await table.write(meeting, item, changed, 1, table.section)
    assert answer.status_code == 200, answer.text
    assert is_cut((await table.section.get(address)).json()["content"]["discussion"])
    assert (await table.convene(meeting)).status_code == 201
    closed = await table.close(meeting)
    assert closed.status_code == 201, closed.text
    (row,) = [row for row in await intake.rows(tables.records) if row["kind"] == "minutes"]
    stored = msgspec.json.decode(row["form"])
    assert (stored["discussion"], stored["decision_note"]) == (TYPED, "来月に確かめる。")
    read = (await table.section.get(f"/records/minutes/{row['id']}")).json()["form"]
    assert is_cut(read["discussion"])
    (issue,) = await intake.rows(community_issues)
    assert is_cut(issue["text"]), "what leaves the case leads nobody to its people, whoever reads it"
