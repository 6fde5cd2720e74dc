"""Cases of the same people: told to who steers them, joined on record, and shown as one from then on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.data.case_work import Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.referrals import referral
from tests.intake.test_cases import found, page_of
from tsunagi_intake import tables
from tsunagi_shared.audit import audit


async def second_case(desk: Desk, **changes: Any) -> str:
    """A further case, from another window."""
    window = desk.intake.program("long-term-care", "referrals:write")
    receipt = (await window.submit(referral(**changes))).json()
    number: str = receipt["case_number"]
    return number


async def test_matches_are_for_who_steers(intake: Intake) -> None:
    """By furigana and birth date, or by telephone; told to the coordinator, refused to the window, unknown to others."""
    desk = await Desk(intake).open()
    other = await second_case(desk)
    person = {**referral()["person"], "kana": "べつの　ひと", "birth_date": "昭和31年1月1日"}
    by_phone = await second_case(desk, person=person)
    await second_case(desk, person={**person, "phone": "042-000-9999"})
    answer = (await desk.coordinator.get(f"/cases/{desk.case_number}/matches")).json()
    assert [(line["number"], line["matched_by"]) for line in answer["items"]] == [
        (by_phone, ["phone"]), (other, ["person", "phone"]),
    ]  # fmt: skip
    refused = await desk.mado.get(f"/cases/{desk.case_number}/matches")
    assert refused.status_code == 409
    assert (await page_of(desk.mado, desk.case_number))["matches"] == []
    assert (await desk.stranger.get(f"/cases/{desk.case_number}/matches")).status_code == 404


async def test_a_withheld_telephone_matches_nothing(intake: Intake) -> None:
    """Not even that it is the same is told to an agency that is not cleared."""
    desk = await Desk(intake).open()
    person = {**referral()["person"], "kana": "べつの　ひと", "birth_date": "昭和31年1月1日"}
    other = await second_case(desk, person=person)
    page = await page_of(desk.coordinator, other)
    assert [line["number"] for line in page["matches"]] == [desk.case_number]
    protection = sample("protection", person=page["people"][0]["id"], fields=["phone"], cleared=[], since="2026-01-01")
    answer = await send(desk.coordinator, f"/cases/{other}/protections", protection, revision=page["revision"])
    assert answer.status_code == 201
    for number in (other, desk.case_number):
        assert (await page_of(desk.coordinator, number))["matches"] == []


async def test_two_become_one(intake: Intake) -> None:
    """The target shows both; lists and searches show the target; the joined one leads there and refuses what is new."""
    desk = await Desk(intake).open()
    other = await second_case(desk)
    await send(desk.coordinator, f"/cases/{other}/contacts", sample("contact"))
    done = await send(desk.coordinator, f"/cases/{other}/joining", {"into": desk.case_number}, revision=1)
    assert (done.status_code, done.json()["into"]) == (201, desk.case_number)
    page = await page_of(desk.coordinator, desk.case_number)
    assert page["joined"] == [other]
    assert {line["case_number"] for line in page["referrals"]} == {other, desk.case_number}
    assert "contact" in [line["kind"] for line in page["records"]]
    assert {"case_taken_in", "case_joined", "contact_logged"} <= {line["kind"] for line in page["timeline"]}
    assert await found(desk.coordinator) == [desk.case_number]
    assert await found(desk.coordinator, q="みほん") == [desk.case_number]
    assert await found(desk.coordinator, q=other) == [desk.case_number]
    counts = (await desk.coordinator.get("/cases")).json()["counts"]
    assert sum(line["count"] for line in counts) == 1
    led = await desk.coordinator.get(f"/cases/{other}", page=True)
    assert led.headers["location"] == f"/cases/{desk.case_number}?from={other}"
    assert (await page_of(desk.coordinator, other))["joined_into"] == desk.case_number
    refused = await send(desk.coordinator, f"/cases/{other}/assessments", going_on())
    assert (refused.status_code, refused.json()["code"]) == (409, "case-joined")


async def test_each_agency_keeps_what_it_saw(intake: Intake) -> None:
    """The window of the joined case finds it under the target, with its own referral and not the other's."""
    desk = await Desk(intake).open()
    elsewhere = intake.person("korei", "long-term-care", "clerk")
    other = await second_case(desk)
    assert await found(elsewhere) == [other]
    await send(desk.coordinator, f"/cases/{other}/joining", {"into": desk.case_number}, revision=1)
    assert await found(elsewhere) == [desk.case_number]
    page = await page_of(elsewhere, desk.case_number)
    assert [line["case_number"] for line in page["referrals"]] == [other]
    assert [line["case_number"] for line in (await page_of(desk.mado, desk.case_number))["referrals"]] == [
        desk.case_number
    ]


async def test_nothing_that_opens_crosses(intake: Intake) -> None:
    """The window of a joined case reads its own forms through the head, and nothing of the head; it acts on its own alone."""
    desk = await Desk(intake).open()
    window = intake.person("korei", "long-term-care", "clerk")
    other = await second_case(desk)
    person = (await page_of(desk.coordinator, desk.case_number))["people"][0]["id"]
    await desk.send(desk.coordinator, "grounds", sample("ground"))
    await desk.send(desk.coordinator, "allocations", sample("allocation"), revision=1)
    protection = sample("protection", person=person, cleared=[])
    assert (await desk.send(desk.coordinator, "protections", protection, revision=2)).status_code == 201
    await send(desk.coordinator, f"/cases/{other}/joining", {"into": desk.case_number}, revision=1)
    page = await page_of(window, desk.case_number)
    assert (page["view"], page["actions"], page["origin"], page["lead"]) == ("minimal", [], "", "")
    assert [page[name] for name in ("grounds", "allocations", "protections")] == [[], [], []]
    assert {line["case"] for line in page["timeline"]} == {2}
    assert {row["case_number"] for row in page["people"]} == {other}
    assert page["actions_in"] == {
        desk.case_number: [], other: ["withdraw_consent", "protect"],
    }  # fmt: skip
    text = (await window.get(f"/cases/{desk.case_number}", page=True)).text
    assert f"/forms/protection?case={other}&amp;person=" in text
    for path, form, revision in (
        ("consents", consent_of(person), 0),
        ("contacts", sample("contact"), 0),
        ("protections", protection, 4),
    ):
        assert (await send(window, f"/cases/{desk.case_number}/{path}", form, revision=revision)).status_code == 404
    own = page["people"][0]["id"]
    kept = await send(window, f"/cases/{other}/protections", {**protection, "person": own}, revision=2)
    assert kept.status_code == 201, kept.text
    referral_of_head = (await page_of(desk.mado, desk.case_number))["referrals"]
    assert [line["case_number"] for line in referral_of_head] == [desk.case_number]


async def test_a_later_referral_into_the_head_opens_no_more_of_it(intake: Intake) -> None:
    """Who sees only a joined case may hand in a referral there; it sees this one, not the rest of the head."""
    desk = await Desk(intake).open()
    window = intake.person("korei", "long-term-care", "clerk")
    other = await second_case(desk)
    await desk.send(desk.coordinator, "grounds", sample("ground"))
    await send(desk.coordinator, f"/cases/{other}/joining", {"into": desk.case_number}, revision=1)
    taken = await send(window, "/referrals", referral(case_number=desk.case_number))
    assert taken.json()["case_number"] == desk.case_number
    page = await page_of(window, desk.case_number)
    assert (page["view"], page["grounds"], page["actions"]) == ("minimal", [], ["log_contact"])
    person = next(row["id"] for row in page["people"] if row["case_number"] == desk.case_number)
    refused = await desk.send(window, "consents", consent_of(person))
    assert refused.json()["code"] == "full-view-needed"


@pytest.mark.parametrize("birth_date", ["昭和31年4月2日", ""])
async def test_what_closes_reaches_joined_cases(intake: Intake, birth_date: str) -> None:
    """An agency excluded on the head gets nothing of the joined case either; a refusal ends what was agreed there before. The
    same kana is enough, unless two birth dates say otherwise."""
    desk = await Desk(intake).open()
    person = {**referral()["person"], "birth_date": birth_date or None}
    other = await second_case(desk, person=referral()["person"] if birth_date else person)
    await send(desk.coordinator, f"/cases/{other}/joining", {"into": desk.case_number}, revision=1)
    assert await readers_of(intake, other) >= {"sample-care", "hardship-support"}
    head = (await page_of(desk.coordinator, desk.case_number))["people"]
    subject = next(row["id"] for row in head if row["case_number"] == desk.case_number)
    day = {"given_on": "2026-04-05", "explained_on": "2026-04-05"}
    said = consent_of(subject, agencies=["welfare-council"], excluded_agencies=["sample-care"], **day)
    assert (await desk.send(desk.coordinator, "consents", said)).status_code == 201
    assert "sample-care" not in await readers_of(intake, other)
    assert "hardship-support" in await readers_of(intake, other)
    assert "welfare-council" not in await readers_of(intake, other)  # what opens stays where it was said
    refusal = {"person": subject, "signer": "person", "explained_by": "見本　職員", "status": "refused"}
    assert (await desk.send(desk.coordinator, "consents", refusal)).status_code == 201
    assert await readers_of(intake, other) == {"long-term-care", "welfare-desk", "social-welfare"}
    assert {row["closed"] for row in await intake.rows(tables.consents) if row["status"] == "given"} == {1}


async def test_what_was_refused_before_reaches_the_other_when_they_are_joined(intake: Intake) -> None:
    """Neither case knew of the other; joined, the older consent ends, and one that is newer than the refusal goes on."""
    desk = await Desk(intake).open()
    refused = await second_case(desk, consent={"status": "refused"})
    newer = await second_case(desk)
    for number in (desk.case_number, newer):
        await send(desk.coordinator, f"/cases/{number}/joining", {"into": refused}, revision=1)
    assert "sample-care" not in await readers_of(intake, desk.case_number)
    assert "sample-care" in await readers_of(intake, newer)


async def test_a_person_of_a_joined_case_is_known_on_the_head(intake: Intake) -> None:
    """Where furigana and birth date say so, what is recorded on the head for their other id is theirs there; else it is told."""
    desk = await Desk(intake).open()
    other = await second_case(desk)
    someone = {**referral()["person"], "kana": "べつの　ひと", "birth_date": "昭和31年1月1日"}
    third = await second_case(desk, person=someone, household=[], household_size=1)
    for number in (other, third):
        await send(desk.coordinator, f"/cases/{number}/joining", {"into": desk.case_number}, revision=1)
    ids = {
        number: (await page_of(desk.section, number))["people"][0]["id"] for number in (desk.case_number, other, third)
    }
    ids[desk.case_number] = f"{(await intake.rows(tables.referrals))[0]['id']}.0"
    kept = await desk.send(desk.coordinator, "consents", consent_of(ids[other]))
    assert kept.status_code == 201, kept.text
    row = next(row for row in await intake.rows(tables.consents) if row["id"] == kept.json()["id"])
    assert (row["case"], row["person"]) == (1, ids[desk.case_number])
    refused = await desk.send(desk.coordinator, "consents", consent_of(ids[third]))
    assert [error["code"] for error in refused.json()["errors"]] == ["person-not-found"]


async def readers_of(intake: Intake, number: str) -> set[str]:
    """Who sees a form of the case."""
    seq = next(row["seq"] for row in await intake.rows(tables.cases) if row["number"] == number)
    return {row["agency"] for row in await intake.rows(tables.audience) if row["case"] == seq}


async def test_joining_is_refused_from_the_wrong_side(intake: Intake) -> None:
    """Not by the window, not to itself, not to an unknown or an ended case, not twice, not on an old page."""
    desk = await Desk(intake).open()
    other = await second_case(desk)
    ended = await second_case(desk)
    await send(desk.coordinator, f"/cases/{ended}/closure", {"reason": "advised"}, revision=1)

    async def refused(caller: Any, number: str, into: str, revision: int = 1) -> tuple[int, str]:
        answer = await send(caller, f"/cases/{number}/joining", {"into": into}, revision=revision)
        return answer.status_code, answer.json().get("code", "")

    assert (await refused(desk.mado, desk.case_number, other))[0] in (404, 409)
    assert await refused(desk.coordinator, other, other) == (409, "same-case")
    assert (await refused(desk.coordinator, other, "C2026-99999"))[0] == 404
    assert await refused(desk.coordinator, other, ended) == (409, "case-ended")
    assert (await refused(desk.stranger, other, desk.case_number))[0] == 404
    assert await refused(desk.coordinator, other, desk.case_number, 7) == (409, "changed-meanwhile")
    assert (await refused(desk.coordinator, other, desk.case_number)) == (201, "")
    assert await refused(desk.coordinator, other, desk.case_number, 2) == (409, "case-joined")
    assert await refused(desk.coordinator, desk.case_number, other, 2) == (409, "case-joined")
    rows = [(row["action"], row["basis"]) for row in await intake.rows(audit) if row["outcome"] == "refused"]
    assert ("case.join", "case-joined") in rows


async def test_joined_once_more_all_are_together(intake: Intake) -> None:
    """A case that had taken one in is itself joined: the last shows all three."""
    desk = await Desk(intake).open()
    second, third = await second_case(desk), await second_case(desk)
    await send(desk.coordinator, f"/cases/{second}/joining", {"into": third}, revision=1)
    answer = await send(desk.coordinator, f"/cases/{third}/joining", {"into": desk.case_number}, revision=2)
    assert answer.status_code == 201, answer.text
    page = await page_of(desk.coordinator, desk.case_number)
    assert page["joined"] == [second, third]
    assert len(page["referrals"]) == 3
    assert await found(desk.coordinator) == [desk.case_number]


async def test_who_comes_again_is_linked_to_the_case_before(intake: Intake) -> None:
    """The page of the new case names the ended one, to readers who see both."""
    desk = await Desk(intake).open()
    await send(desk.coordinator, f"/cases/{desk.case_number}/closure", {"reason": "advised"}, revision=1)
    again = await second_case(desk)
    assert (await page_of(desk.coordinator, again))["previous"] == [desk.case_number]
    elsewhere = intake.person("korei", "long-term-care", "clerk")
    assert (await page_of(elsewhere, again))["previous"] == []
    assert "前のケースがあります" in (await desk.coordinator.get(f"/cases/{again}", page=True)).text
