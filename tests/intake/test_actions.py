"""What is done to a referral and a case over HTTP: answers, recalls, corrections, protection, parts, grounds, pledges."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from tests.data import events as samples
from tests.data.case_work import DESTINATION, ORIGIN, PROVIDER, SECTION, Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.referrals import referral, without_consent
from tsunagi_intake import tables
from tsunagi_shared.audit import audit
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import (
    PledgeGiven,
    ProtectionChanged,
    RecordWithdrawn,
    ReferralAnswered,
    ReferralSubmitted,
)

RETURNED = sample("reply", decision="returned", lead_agency="")
WITHDRAWN = sample("withdrawal", kind="withdrawn", sent_to_wrong=[])


@pytest.fixture
async def desk(intake: Intake) -> Desk:
    """A case with consent, just handed in."""
    return await Desk(intake).open()


async def told(intake: Intake, event_type: str, data: Any) -> list[Any]:
    """The data of each event of a type that waits."""
    return [msgspec.json.decode(event.data, type=data) for event in await intake.events() if event.type == event_type]


async def audience(intake: Intake, kind: str = "referral") -> dict[str, dict[str, Any]]:
    """The entries on the forms of a kind, by agency."""
    rows = await intake.rows(tables.audience)
    return {row["agency"]: row for row in rows if row["form"].startswith(f"{kind}/")}


async def case_row(intake: Intake) -> dict[str, Any]:
    """The first case."""
    return (await intake.rows(tables.cases))[0]


async def referral_row(intake: Intake) -> dict[str, Any]:
    """The first referral."""
    return (await intake.rows(tables.referrals))[0]


# answers ---------------------------------------------------------------------------------------------------------------


async def test_the_providers_answer_settles_the_referral(intake: Intake, desk: Desk) -> None:
    """受理 moves the case on, names 主担当, and its paper goes to who referred."""
    answer = await desk.referral(desk.coordinator, "reply", sample("reply"), revision=1)
    assert (answer.status_code, answer.json()["case_state"]) == (201, "screened")
    assert (await referral_row(intake))["state"] == "accepted"
    assert (await case_row(intake))["lead"] == PROVIDER
    (event,) = await told(intake, events.REFERRAL_ANSWERED, ReferralAnswered)
    assert (event.referral_number, event.form.decision) == (desk.referral_number, "accepted")
    assert {entry.agency for entry in event.audience} == {ORIGIN, PROVIDER, SECTION}


async def test_a_returned_referral_ends_its_case(intake: Intake, desk: Desk) -> None:
    """差戻し by the provider: 包括へ; a second answer is refused by its rule."""
    answer = await desk.referral(desk.coordinator, "reply", RETURNED, revision=1)
    assert answer.json()["case_state"] == "returned"
    again = await desk.referral(desk.coordinator, "reply", sample("reply"), revision=1)
    assert (again.status_code, again.json()["code"]) == (409, "already-answered")
    assert len(await told(intake, events.REFERRAL_ANSWERED, ReferralAnswered)) == 1


async def test_a_destinations_answer_is_its_own(intake: Intake, desk: Desk) -> None:
    """A consented destination answers for itself, once: the referral stays open for the provider."""
    assert (await desk.referral(desk.care, "reply", RETURNED, revision=1)).status_code == 201
    assert (await referral_row(intake))["state"] == "submitted"
    again = await desk.referral(desk.care, "reply", RETURNED, revision=1)
    assert (again.status_code, again.json()["code"]) == (409, "already-answered")
    assert (await desk.referral(desk.coordinator, "reply", sample("reply"), revision=1)).status_code == 201


async def test_who_may_answer(desk: Desk) -> None:
    """The writer and the section were not asked; a stranger finds nothing; an older revision is told."""
    for caller, status, code in (
        (desk.mado, 409, "not-asked-to-reply"), (desk.section, 409, "not-asked-to-reply"), (desk.stranger, 404, "not-found")
    ):  # fmt: skip
        answer = await desk.referral(caller, "reply", sample("reply"), revision=1)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    await desk.referral(desk.mado, "", referral(reason="訂正"), method="PUT", revision=1)
    late = await desk.referral(desk.coordinator, "reply", sample("reply"), revision=1)
    assert (late.status_code, late.json()["code"]) == (409, "changed-meanwhile")
    assert "見本　mado" in late.json()["title"]


# taken back ------------------------------------------------------------------------------------------------------------


async def test_a_recalled_referral_is_closed_to_all_but_two(intake: Intake, desk: Desk) -> None:
    """誤送付: only who wrote it and the section are left; its consent ends with it; the answer names who is cut."""
    await desk.send(desk.coordinator, "assessments", going_on())
    answer = await desk.referral(desk.mado, "withdrawal", sample("withdrawal"), revision=1)
    receipt = answer.json()
    assert (answer.status_code, receipt["code"], receipt["case_state"]) == (201, "misdirected", "withdrawn")
    cut = {change["form"].partition("/")[0]: change["cut"] for change in receipt["changes"]}
    assert cut["referral"] == ["hardship-support", DESTINATION, PROVIDER]
    assert set(await audience(intake)) == {ORIGIN, SECTION}
    assert DESTINATION not in await audience(intake, "assessment")
    (event,) = await told(intake, events.RECORD_WITHDRAWN, RecordWithdrawn)
    assert (event.code, set(event.keep)) == ("misdirected", {ORIGIN, SECTION})
    (consent,) = await intake.rows(tables.consents)
    assert (consent["closed"], bool(consent["withdrawn_on"])) == (1, True)
    for caller in (desk.coordinator, desk.care):
        assert (await caller.get(f"/referrals/{desk.referral_number}")).status_code == 404
    again = await desk.referral(desk.mado, "withdrawal", WITHDRAWN, revision=1)
    assert (again.status_code, again.json()["code"]) == (409, "record-withdrawn")


async def test_who_may_take_back(intake: Intake, desk: Desk) -> None:
    """取下げ is the writer's; a 誤送付 may be stopped by the section and the provider's coordinator too."""
    for caller, form, code in (
        (desk.coordinator, WITHDRAWN, "not-writer"), (desk.section, WITHDRAWN, "not-writer"),
        (desk.care, WITHDRAWN, "not-writer"), (desk.care, sample("withdrawal"), "not-writer"),
    ):  # fmt: skip
        answer = await desk.referral(caller, "withdrawal", form, revision=1)
        assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert (await desk.referral(desk.stranger, "withdrawal", WITHDRAWN, revision=1)).status_code == 404
    assert (await referral_row(intake))["state"] == "submitted"
    assert (await desk.referral(desk.section, "withdrawal", sample("withdrawal"), revision=1)).status_code == 201


async def hear_of_the_documents(intake: Intake, desk: Desk) -> None:
    """documents and notify tell: a summary was drawn, sent to the destination, opened and received there."""
    form = f"referral/{(await referral_row(intake))['id']}"
    made = samples.SAMPLES[events.DOCUMENT_CREATED]
    common = {"case_number": desk.case_number}
    await intake.hears(events.DOCUMENT_CREATED, msgspec.structs.replace(made, form=form, view=View.SUMMARY, **common))
    for event_type in (events.DELIVERY_SENT, events.DOCUMENT_OPENED, events.DOCUMENT_ACKNOWLEDGED):
        data = msgspec.structs.replace(samples.SAMPLES[event_type], agency=DESTINATION, **common)
        await intake.hears(event_type, data)


async def test_the_note_says_who_had_what(intake: Intake, desk: Desk) -> None:
    """After a recall: what the form held by kinds, who was told how and when, who opened and received it; no value of it."""
    await hear_of_the_documents(intake, desk)
    form = sample("withdrawal", sent_to_wrong=[DESTINATION])
    await desk.referral(desk.mado, "withdrawal", form, revision=1)
    path = f"/referrals/{desk.referral_number}/leak-note"
    answer = await desk.section.get(path)
    note = answer.json()
    assert (note["state"], note["persons"], note["noticed_on"]) == ("misdirected", 3, "2026-04-03")
    assert {"本人：氏名", "世帯員", "主訴"} <= set(note["parts"])
    assert note["sensitive"]
    (line,) = note["lines"]
    assert (line["agency"], line["view"], line["opened_by"], line["is_wrong"]) == (
        DESTINATION,
        "summary",
        "見本　介吾",
        True,
    )
    assert (set(line["channels"]), bool(line["opened_at"]), bool(line["acknowledged_at"])) == ({"email"}, True, True)
    for word in ("太郎", "花子", "みほん", "0-0-0"):
        assert word not in answer.text
    assert "referral.leak_note" in [row["action"] for row in await intake.rows(audit)]


async def test_the_note_as_a_table(intake: Intake, desk: Desk) -> None:
    """CSV that Japanese spreadsheets open, one line an agency and version, no cell that is taken for a formula."""
    await hear_of_the_documents(intake, desk)
    await desk.referral(desk.mado, "withdrawal", sample("withdrawal", sent_to_wrong=[DESTINATION]), revision=1)
    answer = await desk.mado.get(f"/referrals/{desk.referral_number}/leak-note?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 2
    found = dict(zip(rows[0], rows[1], strict=True))
    assert (found["受付番号"], found["誤って送った先"], found["開いた人"]) == (desk.referral_number, "○", "見本　介吾")
    assert not any(cell[:1] in "=+-@" for row in rows for cell in row if cell)


async def test_the_note_is_for_writer_and_section(desk: Desk) -> None:
    """Nobody else finds it, the provider and the destination neither."""
    path = f"/referrals/{desk.referral_number}/leak-note"
    for caller, status in ((desk.mado, 200), (desk.section, 200), (desk.coordinator, 404), (desk.care, 404)):
        assert (await caller.get(path)).status_code == status


# corrections of a referral ---------------------------------------------------------------------------------------------


async def test_a_corrected_referral_is_its_next_revision(intake: Intake, desk: Desk) -> None:
    """The earlier form is kept, the event carries the new one, number and case stay."""
    form = referral(reason="訂正した理由", urgency="urgent")
    answer = await desk.referral(desk.mado, "", form, method="PUT", revision=1)
    assert (answer.status_code, answer.json()["revision"]) == (200, 2)
    assert answer.json()["referral_number"] == desk.referral_number
    row = await referral_row(intake)
    assert (row["revision"], row["urgency"]) == (2, "urgent")
    (kept,) = await intake.rows(tables.revisions)
    assert msgspec.json.decode(kept["content"])["reason"] == referral()["reason"]
    last = (await told(intake, events.REFERRAL_SUBMITTED, ReferralSubmitted))[-1]
    assert (last.revision, last.form.reason, last.referral_number) == (2, "訂正した理由", desk.referral_number)


async def test_who_corrects_a_referral(intake: Intake, desk: Desk) -> None:
    """Its writer's agency alone, on the newest revision, into the same case; all else leaves it as it was."""
    form, path = referral(), ""
    for caller, status, code in (
        (desk.coordinator, 409, "not-writer"), (desk.section, 409, "not-writer"), (desk.stranger, 404, "not-found")
    ):  # fmt: skip
        answer = await desk.referral(caller, path, form, method="PUT", revision=1)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    stale = await desk.referral(desk.mado, path, form, method="PUT", revision=3)
    assert (stale.status_code, stale.json()["code"]) == (409, "changed-meanwhile")
    moved = await desk.referral(desk.mado, path, referral(case_number="C2026-09999"), method="PUT", revision=1)
    assert (moved.status_code, moved.json()["errors"][0]["code"]) == (422, "case-fixed")
    assert (await referral_row(intake))["revision"] == 1


def household(*rows: tuple[str, str, str]) -> list[dict[str, str]]:
    """Lines of the household: name, relationship, furigana, all born on one day."""
    return [
        {"name": name, "relationship": relationship, "kana": kana, "birth_date": "2000-01-01"}
        for name, relationship, kana in rows
    ]


WIFE = ("見本　花子", "妻", "みほん　はなこ")
SON = ("見本　一郎", "長男", "みほん　いちろう")
MOTHER = ("見本　ミツ", "母", "みほん　みつ")


async def test_a_correction_never_lets_one_person_speak_for_another(intake: Intake) -> None:
    """Lines moved, taken off and added: whoever consented keeps their id, also when they come back; nobody new gets it."""
    desk = await Desk(intake).open(household=household(WIFE, SON))
    first = (await referral_row(intake))["id"]
    await desk.send(desk.coordinator, "consents", consent_of(f"{first}.1"))
    for revision, lines in enumerate(([SON, WIFE], [MOTHER, SON], [MOTHER, WIFE, SON]), 1):
        form = referral(household=household(*lines))
        answer = await desk.referral(desk.mado, "", form, method="PUT", revision=revision)
        assert answer.status_code == 200
        shown = msgspec.json.decode((await referral_row(intake))["persons"])
        assert len(shown) == len(set(shown)) == len(lines) + (1 if revision != 2 else 2)
        found = dict(zip([line[0] for line in lines], shown[1:], strict=False))
        assert found["見本　一郎"] == f"{first}.2"
        assert (
            found.get("見本　花子", f"{first}.1")
            == f"{first}.1"
            == shown[-1 if revision == 2 else shown.index(f"{first}.1")]
        )
        entry = (await audience(intake))[DESTINATION]
        hidden = msgspec.json.decode(entry["hidden"])
        assert all((found[name] in hidden) == (name != "見本　花子") for name in found)


async def test_the_same_person_of_two_referrals_is_one(intake: Intake, desk: Desk) -> None:
    """Furigana and birth date alike within the case; a correction that shows them to be another takes them apart."""
    await send(desk.mado, "/referrals", referral(case_number=desk.case_number))
    persons = {row["id"]: row["same_as"] for row in await intake.rows(tables.persons) if row["position"] == 0}
    (first, second) = sorted(persons)
    assert persons[second] == first
    number = desk.referral_number.replace("00001", "00002")
    form = referral(case_number=desk.case_number)
    form["person"]["birth_date"] = "1956-04-01"
    assert (await send(desk.mado, f"/referrals/{number}", form, method="PUT", revision=1)).status_code == 200
    persons = {row["id"]: row["same_as"] for row in await intake.rows(tables.persons) if row["position"] == 0}
    assert persons[second] == second
    people = {row["id"]: row["person"] for row in await intake.rows(tables.consents)}
    assert people == {first.removesuffix(".0"): first, second.removesuffix(".0"): second}


async def test_persons_found_to_be_one_after_all_share_what_was_set(intake: Intake, desk: Desk) -> None:
    """A birth date put right joins two ids: protections and consents follow to the earlier one."""
    form = referral(case_number=desk.case_number)
    form["person"]["birth_date"] = "1956-04-01"
    await send(desk.mado, "/referrals", form)
    (first, second) = sorted(row["id"] for row in await intake.rows(tables.persons) if row["position"] == 0)
    protection = sample("protection", person=second, cleared=[])
    assert (await desk.send(desk.coordinator, "protections", protection, revision=1)).status_code == 201
    number = desk.referral_number.replace("00001", "00002")
    form["person"]["birth_date"] = referral()["person"]["birth_date"]
    assert (await send(desk.mado, f"/referrals/{number}", form, method="PUT", revision=1)).status_code == 200
    assert {row["person"] for row in await intake.rows(tables.protections)} == {first}
    entries = await intake.rows(tables.audience)
    assert all(f"{first}:address" in entry["withheld"] for entry in entries)


async def test_what_the_writer_may_not_see_survives_its_correction(intake: Intake, desk: Desk) -> None:
    """An address withheld from the writer's own agency comes back empty from its page, and stays as it was."""
    person = f"{(await referral_row(intake))['id']}.0"
    await desk.send(desk.coordinator, "protections", sample("protection", person=person), revision=1)
    form = referral(reason="訂正")
    for name in ("address", "postal_code", "phone"):
        form["person"].pop(name)
    assert (await desk.referral(desk.mado, "", form, method="PUT", revision=1)).status_code == 200
    stored = msgspec.json.decode((await referral_row(intake))["form"])["person"]
    assert (stored["address"], stored["phone"]) == (referral()["person"]["address"], "042-000-0001")


async def test_words_that_were_cut_out_come_back_with_a_correction(intake: Intake, desk: Desk) -> None:
    """A text that repeats a withheld address is shown cut; handed in as shown it stays whole, changed it is taken as typed."""
    address = referral()["person"]["address"]
    text = f"いまは{address}にいる。"
    await desk.referral(desk.mado, "", referral(consultation=text, actions_taken=text), method="PUT", revision=1)
    person = f"{(await referral_row(intake))['id']}.0"
    await desk.send(desk.coordinator, "protections", sample("protection", person=person), revision=1)
    form = referral(consultation="いまは（非開示）にいる。", actions_taken="いまは（非開示）にいない。")
    assert (await desk.referral(desk.mado, "", form, method="PUT", revision=2)).status_code == 200
    stored = msgspec.json.decode((await referral_row(intake))["form"])
    assert (stored["consultation"], stored["actions_taken"]) == (text, "いまは（非開示）にいない。")


# protection ------------------------------------------------------------------------------------------------------------


async def test_protection_asked_for_with_the_referral(intake: Intake) -> None:
    """From the first entry on nobody is shown where the person is, the writer neither; it is published for the whole case."""
    await Desk(intake).open(protection=["address"], protection_kind="violence_support")
    row = await referral_row(intake)
    token = f"{row['id']}.0:address"
    assert {msgspec.json.decode(entry["withheld"])[0] for entry in (await audience(intake)).values()} == {token}
    (event,) = await told(intake, events.PROTECTION_CHANGED, ProtectionChanged)
    assert (event.withheld, event.cleared) == ((token,), {token: ()})


async def test_protection_set_later_withholds_from_everybody_not_cleared(intake: Intake, desk: Desk) -> None:
    """It is published before the new audience; only cleared agencies see; lifting it gives everything back."""
    person = f"{(await referral_row(intake))['id']}.0"
    answer = await desk.send(desk.care, "protections", sample("protection", person=person), revision=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "full-view-needed")
    answer = await desk.send(desk.mado, "protections", sample("protection", person=person), revision=1)
    assert (answer.status_code, answer.json()["revision"]) == (201, 2)
    entries = await audience(intake)
    assert {agency for agency, entry in entries.items() if entry["withheld"] == "[]"} == {PROVIDER}
    order = [event.type for event in await intake.events()]
    assert order.index(events.PROTECTION_CHANGED) < order.index(events.AUDIENCE_CHANGED)
    stale = await desk.send(desk.mado, "protections", sample("protection", person=person), revision=1)
    assert (stale.status_code, stale.json()["code"]) == (409, "changed-meanwhile")
    path = f"/protections/{answer.json()['id']}/lifting"
    assert (await send(desk.mado, path)).json()["code"] == "role-missing"
    assert (await send(desk.coordinator, path)).status_code == 201
    assert {entry["withheld"] for entry in (await audience(intake)).values()} == {"[]"}
    again = await send(desk.coordinator, path)
    assert (again.status_code, again.json()["code"]) == (409, "already-ended")
    changed = await told(intake, events.PROTECTION_CHANGED, ProtectionChanged)
    assert [event.revision for event in changed] == [1, 2]
    assert changed[-1].withheld == ()


async def test_two_protections_open_a_field_to_those_both_clear(intake: Intake, desk: Desk) -> None:
    """Cleared by one and not by the other is not cleared."""
    person = f"{(await referral_row(intake))['id']}.0"
    for revision, cleared in enumerate(([PROVIDER, SECTION], [SECTION]), 1):
        form = sample("protection", person=person, cleared=cleared)
        assert (await desk.send(desk.coordinator, "protections", form, revision=revision)).status_code == 201
    last = (await told(intake, events.PROTECTION_CHANGED, ProtectionChanged))[-1]
    assert last.cleared[f"{person}:address"] == (SECTION,)


async def test_a_correction_can_withhold_more_and_never_less(intake: Intake) -> None:
    """A field added with a correction is withheld at once; one taken off the form stays withheld."""
    desk = await Desk(intake).open(protection=["address"], protection_kind="own_wish")
    more = referral(protection=["address", "phone"], protection_kind="own_wish")
    assert (await desk.referral(desk.mado, "", more, method="PUT", revision=1)).status_code == 200
    assert (await desk.referral(desk.mado, "", referral(), method="PUT", revision=2)).status_code == 200
    (row,) = await intake.rows(tables.protections)
    assert (msgspec.json.decode(row["fields"]), row["lifted_at"]) == (["address", "phone"], None)


# parts and grounds -----------------------------------------------------------------------------------------------------


async def test_an_allocated_agency_sees_what_the_consent_lets_it(intake: Intake, desk: Desk) -> None:
    """Named in the consent it gets the summary with its part, and loses it when the part ends; unnamed it gets nothing."""
    await desk.send(
        desk.coordinator,
        "consents",
        consent_of(f"{(await referral_row(intake))['id']}.0", agencies=["welfare-council"]),
    )
    for revision, agency in enumerate(("welfare-council", "sample-clinic"), 1):
        form = sample("allocation", agency=agency)
        assert (await desk.send(desk.coordinator, "allocations", form, revision=revision)).status_code == 201
    found = await audience(intake)
    assert found["welfare-council"]["view"] == "summary"
    assert "sample-clinic" not in found
    (row,) = [row for row in await intake.rows(tables.allocations) if row["agency"] == "welfare-council"]
    assert (await send(desk.section, f"/allocations/{row['id']}/end")).status_code == 201
    assert "welfare-council" not in await audience(intake)
    assert (await send(desk.section, f"/allocations/{row['id']}/end")).json()["code"] == "already-ended"


async def test_who_allocates_and_declares(desk: Desk) -> None:
    """The provider's coordinator and the section; a window not, a stranger finds nothing."""
    for path, kind, how in (("allocations", "allocation", {"revision": 1}), ("grounds", "ground", {})):
        answer = await desk.send(desk.mado, path, sample(kind), **how)
        assert (answer.status_code, answer.json()["code"]) == (409, "role-missing")
        assert (await desk.send(desk.stranger, path, sample(kind), **how)).status_code == 404
        assert (await desk.send(desk.section, path, sample(kind), **how)).status_code == 201


async def test_a_ground_opens_the_case_with_its_law_and_is_reviewed(intake: Intake, desk: Desk) -> None:
    """通告等 and 緊急: the agency sees on that basis, the law named in its entry; the section reviews it once."""
    answer = await desk.send(desk.coordinator, "grounds", sample("ground"))
    entry = (await audience(intake))["child-family-center"]
    assert (entry["basis_kind"], entry["law"], entry["until"]) == (
        "legal_duty",
        "provision-by-municipality",
        "2099-03-31",
    )
    path = f"/grounds/{answer.json()['id']}/review"
    assert (await send(desk.coordinator, path)).json()["code"] == "role-missing"
    assert (await send(desk.section, path)).status_code == 201
    (row,) = await intake.rows(tables.grounds)
    assert (bool(row["reviewed_at"]), row["reviewed_by"]) == (True, "見本　shokan")
    assert (await send(desk.section, path)).json()["code"] == "already-reviewed"
    urgent = sample("ground", kind="emergency", law="", agency="sample-clinic", until="")
    refused = await desk.send(desk.coordinator, "grounds", urgent)
    assert [error["path"] for error in refused.json()["errors"]] == ["until"]  # an emergency does not go on for good
    assert (await desk.send(desk.coordinator, "grounds", {**urgent, "until": "2099-03-31"})).status_code == 201
    assert (await audience(intake))["sample-clinic"]["basis_kind"] == "emergency"


async def test_a_ground_is_ended(intake: Intake, desk: Desk) -> None:
    """By provider or section, after the end of the case too, and once; what it opened is closed in the answer."""
    first = (await desk.send(desk.coordinator, "grounds", sample("ground"))).json()["id"]
    urgent = sample("ground", kind="emergency", law="", agency="sample-clinic")
    second = (await desk.send(desk.coordinator, "grounds", urgent)).json()["id"]
    outsider = intake.person("iin", "sample-clinic", "coordinator")
    assert (await send(outsider, f"/grounds/{second}/end")).json()["code"] == "not-provider-or-section"
    assert (await send(desk.mado, f"/grounds/{first}/end")).json()["code"] == "role-missing"
    assert (await send(desk.stranger, f"/grounds/{first}/end")).status_code == 404
    page = await desk.coordinator.get(f"/cases/{desk.case_number}", page=True)
    assert f'action="/grounds/{first}/end"' in page.text
    done = await desk.coordinator.post(f"/grounds/{first}/end", {})
    assert (done.status_code, done.headers["location"]) == (303, f"/cases/{desk.case_number}")
    assert "child-family-center" not in await audience(intake)
    assert (await send(desk.coordinator, f"/grounds/{first}/end")).json()["code"] == "already-ended"
    case = (await desk.section.get(f"/cases/{desk.case_number}")).json()
    closure = {"reason": "advised"}
    assert (await desk.send(desk.coordinator, "closure", closure, revision=case["revision"])).status_code == 201
    ended = await send(desk.section, f"/grounds/{second}/end")
    assert (ended.status_code, ended.json()["changes"][0]["cut"]) == (201, ["sample-clinic"])
    assert (await outsider.get(f"/cases/{desk.case_number}")).status_code == 404
    lines = (await desk.section.get(f"/cases/{desk.case_number}")).json()["timeline"]
    assert [line["user_name"] for line in lines if line["kind"] == "ground_ended"] == ["見本　shokan", "見本　chosei"]
    assert {row["action"] for row in await intake.rows(audit)} >= {"ground.end"}


async def test_a_button_of_a_page_does_the_same_and_needs_its_token(intake: Intake, desk: Desk) -> None:
    """What has no form is posted with the page's token, and leads back to the case."""
    answer = await desk.send(desk.coordinator, "allocations", sample("allocation"), revision=1)
    path = f"/allocations/{answer.json()['id']}/end"
    assert (await desk.coordinator.post(path, {}, csrf="forged")).status_code == 403
    done = await desk.coordinator.post(path, {})
    assert (done.status_code, done.headers["location"]) == (303, f"/cases/{desk.case_number}")
    (row,) = await intake.rows(tables.allocations)
    assert row["ended_at"]


# pledges ---------------------------------------------------------------------------------------------------------------


async def test_a_pledge_is_printed_with_its_law(intake: Intake, desk: Desk) -> None:
    """It belongs to no case; its paper names the body and the duty as they stood that day; writer and section read it."""
    answer = await send(desk.care, "/pledges", sample("pledge"))
    receipt = answer.json()
    assert (answer.status_code, receipt["case_number"]) == (201, "")
    (event,) = await told(intake, events.PLEDGE_GIVEN, PledgeGiven)
    profile = intake.runtime.profile
    assert event.body_name == profile.body("support-meeting").name_on(dt.date(2026, 4, 1))
    assert event.law_text
    assert {entry.agency for entry in event.audience} == {DESTINATION, SECTION}
    path = f"/records/pledge/{receipt['id']}"
    assert (await desk.section.get(path)).json()["form"]["name"] == "見本　介子"
    assert (await desk.care.get(path)).status_code == 200
    assert (await desk.coordinator.get(path)).status_code == 404


async def test_a_doubled_pledge_is_one(intake: Intake, desk: Desk) -> None:
    """The key counts here too; without the duty acknowledged there is no pledge."""
    for _ in range(2):
        assert (await send(desk.care, "/pledges", sample("pledge"), key="k1")).status_code == 201
    assert len(await told(intake, events.PLEDGE_GIVEN, PledgeGiven)) == 1
    answer = await send(desk.care, "/pledges", sample("pledge", acknowledged=False))
    assert answer.json()["errors"][0]["code"] == "not-acknowledged"


# all or nothing --------------------------------------------------------------------------------------------------------

EVERYTHING = (
    tables.records, tables.consents, tables.protections, tables.allocations, tables.grounds, tables.audience,
    tables.timeline, tables.revisions, tables.numbers,
)  # fmt: skip


async def test_a_fault_in_the_middle_of_an_action_leaves_nothing(intake: Intake, desk: Desk) -> None:
    """Whatever step fails, rows, events, audience, time line and numbers are as before, and the page says so."""
    before = [await intake.rows(table) for table in EVERYTHING], len(await intake.events())

    def rename(old: str, new: str) -> Any:
        return lambda connection: connection.execute(sa.text(f"ALTER TABLE audit RENAME COLUMN {old} TO {new}"))

    await intake.runtime.database.write(rename("basis", "lost"))
    person = f"{(await referral_row(intake))['id']}.0"
    answers = [
        await desk.send(desk.coordinator, "consents", consent_of(person)),
        await desk.send(desk.coordinator, "protections", sample("protection", person=person), revision=1),
        await desk.send(desk.coordinator, "allocations", sample("allocation"), revision=1),
        await desk.referral(desk.coordinator, "reply", sample("reply"), revision=1),
        await desk.referral(desk.mado, "withdrawal", WITHDRAWN, revision=1),
        await desk.referral(desk.mado, "", without_consent(), method="PUT", revision=1),
    ]
    await intake.runtime.database.write(rename("lost", "basis"))
    assert {answer.status_code for answer in answers} == {500}
    assert ([await intake.rows(table) for table in EVERYTHING], len(await intake.events())) == before
