"""Forms of a case over HTTP: taken once, by whom the rules let; corrected as revisions; read with what is withheld cut out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.data.case_work import Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.referrals import referral, without_consent
from tsunagi_intake import tables
from tsunagi_shared.audit import audit
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.events import AssessmentSubmitted

KINDS = (("assessments", "assessment"), ("contacts", "contact"), ("evaluations", "evaluation"))
ADDRESS, PHONE = "見本県見本市見本町0-0-0", "042-000-0001"


@pytest.fixture
async def desk(intake: Intake) -> Desk:
    """A case that the provider accepted, with a consent."""
    found = await Desk(intake).open()
    answer = await found.referral(found.coordinator, "reply", sample("reply"), revision=1)
    assert answer.status_code == 201
    return found


async def types(intake: Intake) -> list[str]:
    """The types of the events that wait, oldest first."""
    return [event.type for event in await intake.events()]


async def state(intake: Intake) -> tuple[int, ...]:
    """How many rows there are of what a write makes."""
    found = (tables.records, tables.revisions, tables.consents, tables.timeline, tables.audience)
    return (*[len(await intake.rows(table)) for table in found], len(await intake.events()))


async def test_each_form_is_taken_into_its_case(intake: Intake, desk: Desk) -> None:
    """201 with numbers within the case, a row as typed, an event of all that its papers print, a line of the time line."""
    for position, (path, kind) in enumerate(KINDS):
        form = going_on() if kind == "assessment" else sample(kind)
        answer = await desk.send(desk.coordinator, path, form)
        receipt = answer.json()
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        assert (receipt["kind"], receipt["number"]) == (kind, f"{desk.case_number}-{position + 2:02d}")
        assert receipt["case_number"] == desk.case_number
        assert "太郎" not in answer.text
    rows = {row["kind"]: row for row in await intake.rows(tables.records)}
    assert msgspec.json.decode(rows["contact"]["form"])["content"] == sample("contact")["content"]
    assert all(row["retention_class"] for row in rows.values())
    found = await types(intake)
    assert found.count(events.ASSESSMENT_SUBMITTED) == found.count(events.EVALUATION_SUBMITTED) == 1
    data = next(event.data for event in await intake.events() if event.type == events.ASSESSMENT_SUBMITTED)
    event = msgspec.json.decode(data, type=AssessmentSubmitted)
    assert list(event.person_names.values()) == ["見本　太郎", "見本　花子", "見本　一郎"]
    assert {entry.agency for entry in event.audience} == {
        "welfare-desk",
        "social-welfare",
        "sample-care",
        "hardship-support",
    }
    lines = [row["kind"] for row in await intake.rows(tables.timeline)]
    assert {"assessment_submitted", "contact_logged", "evaluation_submitted"} <= set(lines)


async def test_mistakes_are_told_at_once_and_leave_nothing(intake: Intake, desk: Desk) -> None:
    """422 with every path of the form, and no row, event or number."""
    before = await state(intake)
    form = going_on(stage="x", received_on="2099-01-01", author="", nickname="x")
    answer = await desk.send(desk.coordinator, "assessments", form)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-form")
    assert {error["path"] for error in answer.json()["errors"]} == {"stage", "received_on", "author", "nickname"}
    assert await state(intake) == before


async def test_the_same_request_twice_is_carried_out_once(intake: Intake, desk: Desk) -> None:
    """One row, the same answer byte for byte; another body under the key is refused; another case is another request."""
    first = await desk.send(desk.coordinator, "contacts", sample("contact"), key="k1")
    again = await desk.send(desk.coordinator, "contacts", sample("contact"), key="k1")
    assert (again.status_code, again.content) == (201, first.content)
    other = await desk.send(desk.coordinator, "contacts", sample("contact", content="別の内容"), key="k1")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
    assert len([row for row in await intake.rows(tables.records) if row["kind"] == "contact"]) == 1


async def test_who_has_no_part_in_the_case_finds_none(intake: Intake, desk: Desk) -> None:
    """An agency without an entry and a number that does not exist get the same 404, on record as refused; nothing changes."""
    before = await state(intake)
    for path, kind in KINDS:
        hidden = await desk.send(desk.stranger, path, sample(kind))
        missing = await send(desk.stranger, f"/cases/C2026-09999/{path}", sample(kind))
        assert (hidden.status_code, hidden.content) == (404, missing.content)
    assert await state(intake) == before
    refused = [row for row in await intake.rows(audit) if row["outcome"] == "refused"]
    assert {row["basis"] for row in refused} == {"not-found"}
    assert {row["subject"] for row in refused} == {f"number/{desk.case_number}", "number/C2026-09999"}


async def test_a_rule_says_what_stands_against_it(intake: Intake, desk: Desk) -> None:
    """A destination assesses only what was allocated to it: 409 with the rule's code, a reason and a way out, on record."""
    answer = await desk.send(desk.care, "assessments", going_on())
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "not-allocated")
    assert problem["title"].endswith("。")
    assert problem["detail"].endswith("。")
    refused = [row for row in await intake.rows(audit) if row["outcome"] == "refused"]
    assert [(row["action"], row["basis"]) for row in refused] == [("assessment.submit", "not-allocated")]
    await desk.send(desk.coordinator, "allocations", sample("allocation"), revision=2)
    assert (await desk.send(desk.care, "assessments", going_on())).status_code == 201


async def test_an_ended_case_takes_nothing_more(intake: Intake, desk: Desk) -> None:
    """After 取下げ the case has ended: each form is refused with the same code."""
    assert (await desk.referral(desk.mado, "withdrawal", sample("withdrawal"), revision=1)).status_code == 201
    before = await state(intake)
    for path, kind in KINDS:
        answer = await desk.send(desk.coordinator, path, sample(kind))
        assert (answer.status_code, answer.json()["code"]) == (409, "case-ended")
    assert await state(intake) == before


async def assessment(desk: Desk) -> str:
    """The address of an assessment just submitted."""
    receipt = (await desk.send(desk.coordinator, "assessments", going_on())).json()
    return f"/records/assessment/{receipt['id']}"


async def test_a_correction_is_the_next_revision(intake: Intake, desk: Desk) -> None:
    """The earlier form is kept with its writer, the event carries the new one under the next revision."""
    path = await assessment(desk)
    form = going_on(summary="訂正したまとめ")
    answer = await send(desk.coordinator, path, form, method="PUT", revision=1)
    assert (answer.status_code, answer.json()["revision"]) == (200, 2)
    (kept,) = await intake.rows(tables.revisions)
    assert (kept["revision"], kept["user"]) == (1, "chosei")
    assert msgspec.json.decode(kept["content"])["summary"] == going_on()["summary"]
    event = (await intake.events())[-1]
    assert (event.type, event.revision) == (events.ASSESSMENT_SUBMITTED, 2)
    assert msgspec.json.decode(event.data, type=AssessmentSubmitted).form.summary == "訂正したまとめ"
    page = (await desk.coordinator.get(path)).json()
    assert page["form"]["summary"] == "訂正したまとめ"
    assert [line["revision"] for line in page["revisions"]] == [1]


async def test_of_two_corrections_one_wins(intake: Intake, desk: Desk) -> None:
    """The second is told who changed it and when, and stores nothing; on what there is now it is taken."""
    path = await assessment(desk)
    await send(desk.coordinator, path, going_on(summary="一人目"), method="PUT", revision=1)
    before = await state(intake)
    second = going_on(summary="二人目")
    answer = await send(desk.coordinator, path, second, method="PUT", revision=1)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "changed-meanwhile")
    assert "見本　chosei" in problem["title"]
    assert "令和" in problem["title"]
    assert await state(intake) == before
    assert (await send(desk.coordinator, path, second, method="PUT", revision=2)).status_code == 200


async def test_only_its_writer_corrects_a_record(desk: Desk) -> None:
    """The section reads it in full and corrects nothing; a destination with a summary neither; a stranger finds none."""
    path = await assessment(desk)
    for caller, status, code in (
        (desk.section, 409, "not-writer"), (desk.care, 409, "not-writer"), (desk.stranger, 404, "not-found")
    ):  # fmt: skip
        answer = await send(caller, path, going_on(), method="PUT", revision=1)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_answer_keeps_its_decision(intake: Intake, desk: Desk) -> None:
    """受理 cannot be turned into 差戻し by a correction; the words beside it can be put right."""
    (row,) = await intake.rows(tables.records)
    path = f"/records/reply/{row['id']}"
    turned = sample("reply", decision="returned", lead_agency="")
    answer = await send(desk.coordinator, path, turned, method="PUT", revision=1)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "decision-fixed")
    assert (
        await send(desk.coordinator, path, sample("reply", reason="訂正"), method="PUT", revision=1)
    ).status_code == 200


async def test_what_was_typed_is_for_the_full_view(desk: Desk) -> None:
    """The provider and the section read the form; a consented destination knows of it, without the form."""
    path = await assessment(desk)
    assert (await desk.section.get(path)).json()["form"]["wishes"] == going_on()["wishes"]
    page = (await desk.care.get(path)).json()
    assert (page["view"], page["form"]) == ("summary", None)
    assert (await desk.stranger.get(path)).status_code == 404
    assert (await desk.coordinator.get("/records/plan/x")).status_code == 404


async def test_papers_of_a_record_are_not_found_by_themselves(intake: Intake, desk: Desk) -> None:
    """What belongs to another record (a withdrawal) has no readers of its own, and changes no audience."""
    (consent,) = await intake.rows(tables.consents)
    gone = sample("consent_withdrawal", whole=True, agencies=[])
    assert (await send(desk.coordinator, f"/consents/{consent['id']}/withdrawal", gone, revision=1)).status_code == 201
    (paper,) = [row for row in await intake.rows(tables.records) if row["kind"] == "consent_withdrawal"]
    assert paper["about"] == f"consent/{consent['id']}"
    assert (await desk.section.get(f"/records/consent_withdrawal/{paper['id']}")).status_code == 404


async def test_withheld_words_are_cut_out_of_a_record(intake: Intake, desk: Desk) -> None:
    """Where the protected person can be found stands literally in a record: it is read with that cut out, unless cleared."""
    text = f"住まいは{ADDRESS}。電話は{PHONE}、つまり{PHONE.replace('-', '')}。"
    receipt = (await desk.send(desk.coordinator, "contacts", sample("contact", content=text))).json()
    (subject, *_rest) = [row["id"] for row in await intake.rows(tables.persons) if row["position"] == 0]
    protection = sample("protection", person=subject, cleared=["social-welfare"])
    assert (await desk.send(desk.coordinator, "protections", protection, revision=2)).status_code == 201
    path = f"/records/contact/{receipt['id']}"
    seen = (await desk.coordinator.get(path)).json()["form"]["content"]
    assert seen == "住まいは（非開示）。電話は（非開示）、つまり（非開示）。"
    assert (await desk.section.get(path)).json()["form"]["content"] == text


async def test_forms_of_the_wrong_shape_are_refused(desk: Desk) -> None:
    """No JSON, another media type, too much, a missing revision: their own codes, never a fault."""
    path = f"/cases/{desk.case_number}/contacts"
    client, headers = desk.coordinator.client, {**desk.coordinator.headers, "Sec-Fetch-Site": "same-origin"}
    as_json = {**headers, "Content-Type": "application/json"}
    cases: list[tuple[bytes, dict[str, str], int, str]] = [
        (b"{", as_json, 400, "invalid-json"),
        (b"[]", as_json, 422, "invalid-form"),
        (b"x", {**headers, "Content-Type": "text/plain"}, 415, "unsupported-media-type"),
        (b'"' + b" " * (256 * 1024) + b'"', as_json, 413, "too-large"),
    ]
    for body, sent, status, code in cases:
        answer = await client.post(path, content=body, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    record = await assessment(desk)
    answer = await send(desk.coordinator, record, going_on(), method="PUT")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


def pairs(form: dict[str, Any]) -> list[tuple[str, str]]:
    """A flat form as a page posts it."""
    found: list[tuple[str, str]] = []
    for name, value in form.items():
        if isinstance(value, list):
            found += [(name, str(part)) for part in value]
        elif not isinstance(value, bool) or value:
            found.append((name, "true" if value is True else str(value)))
    return found


async def test_a_page_is_taken_and_leads_on(intake: Intake, desk: Desk) -> None:
    """The posted page gives the same record as JSON, and goes on to the case."""
    path = f"/cases/{desk.case_number}/contacts"
    answer = await desk.coordinator.post(path, pairs(sample("contact")))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/{desk.case_number}")
    row = (await intake.rows(tables.records))[-1]
    assert msgspec.json.decode(row["form"])["outreach_actions"] == ["letter_left", "joint_visit"]


@pytest.mark.parametrize("wrong", ["mistake", "rule", "stale", "expired"])
async def test_whatever_is_wrong_the_page_comes_back_with_what_was_typed(
    intake: Intake, desk: Desk, wrong: str
) -> None:
    """A mistake, a rule, somebody else's change, an old page: the reason on top, every word typed below, nothing stored."""
    path, words = await assessment(desk), "消えてはならない言葉"
    before = await state(intake)
    posted = pairs(going_on(summary=words))
    caller, csrf, revision, status = desk.coordinator, None, 1, 409
    if wrong == "mistake":
        posted, status = [*[pair for pair in posted if pair[0] != "author"]], 422
    elif wrong == "rule":
        caller = desk.section
    elif wrong == "stale":
        revision = 7
    else:
        csrf, status = "forged", 403
    answer = await caller.post(f"{path}?revision={revision}", posted, csrf=csrf)
    assert answer.status_code == status
    assert words in answer.text
    assert "error-summary" in answer.text
    assert await state(intake) == before


async def test_a_page_told_of_a_change_posts_on_what_there_is_now(desk: Desk) -> None:
    """After being told who changed it, the person may look and hand in again: the page carries the new revision."""
    path = await assessment(desk)
    await send(desk.coordinator, path, going_on(summary="先の訂正"), method="PUT", revision=1)
    answer = await desk.coordinator.post(f"{path}?revision=1", pairs(going_on(summary="後の訂正")))
    assert answer.status_code == 409
    assert f"{path}?revision=2" in answer.text
    again = await desk.coordinator.post(f"{path}?revision=2", pairs(going_on(summary="後の訂正")))
    assert (again.status_code, again.headers["location"]) == (303, path)


async def test_a_session_that_ended_gives_back_what_was_typed(intake: Intake, desk: Desk) -> None:
    """The page asks to sign in and carries every field along; nothing is stored."""
    before = await state(intake)
    answer = await intake.anybody.post(f"/cases/{desk.case_number}/contacts", pairs(sample("contact")))
    assert answer.status_code == 401
    assert "足音がした" in answer.text
    assert await state(intake) == before


async def test_a_referral_into_a_known_case_is_seen_with_what_the_case_holds(intake: Intake, desk: Desk) -> None:
    """Its persons are known again, its audience counts the consents of the case, one content event carries it."""
    number = desk.case_number
    second = (await send(desk.mado, "/referrals", without_consent(case_number=number))).json()
    assert second["case_number"] == number
    assert "sample-care" in {entry["agency"] for entry in second["audience"]}
    rows = {row["id"]: row for row in await intake.rows(tables.persons)}
    subjects = [row for row in rows.values() if row["position"] == 0]
    assert len({row["same_as"] for row in subjects}) == 1
    again = await send(desk.mado, "/referrals", referral(case_number=number))
    assert again.status_code == 201
    found = await types(intake)
    assert found.count(events.REFERRAL_SUBMITTED) == 3


async def test_a_consent_form_is_a_record_too(intake: Intake, desk: Desk) -> None:
    """It is read at its own address, by those with the full view alone."""
    (subject, *_rest) = [row["id"] for row in await intake.rows(tables.persons) if row["position"] == 0]
    receipt = (await desk.send(desk.coordinator, "consents", consent_of(subject))).json()
    path = f"/records/consent/{receipt['id']}"
    assert (await desk.section.get(path)).json()["form"]["purpose"] == sample("consent")["purpose"]
    assert (await desk.care.get(path)).status_code == 404
