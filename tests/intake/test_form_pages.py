"""The page of every form: opened where it belongs by who may hand it in, and given back whole whatever is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.data.case_work import Desk, going_on, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.data.plan_work import Work
from tests.data.referrals import referral
from tests.intake.test_pages import fields_of, typed_in
from tsunagi_intake import form_pages
from tsunagi_intake.tables import referrals
from tsunagi_shared.forms.kinds import FORMS

# Where each form's page is, for the coordinator but for those of CALLERS
PLACES = {
    "referral": "", "pledge": "", "reply": "referral={referral}", "withdrawal": "referral={referral}",
    "consent": "case={case}&person={person}", "consent_withdrawal": "consent={consent}",
    "consent_extension": "consent={consent}", "assessment": "case={case}", "contact": "case={case}",
    "evaluation": "case={case}", "protection": "case={case}&person={person}", "allocation": "case={case}",
    "ground": "case={case}", "closure": "case={case}", "plan": "case={case}&variant=multi_agency",
    "plan_agreement": "plan={plan}", "municipal_decision": "plan={plan}", "support_answer": "plan={plan}&row=1",
}  # fmt: skip
CALLERS = {"municipal_decision": "section", "support_answer": "care"}
# What a sitting, a minute or a period asks for stands on pages of its own
ELSEWHERE = {
    "meeting", "agenda_item", "meeting_member", "minutes", "information_request", "information_answer", "contact_log",
    "resource", "follow_up", "community_issue", "issue_proposal", "issue_project",
}  # fmt: skip


async def place_of(desk: Desk, kind: str) -> str:
    """The query of the form's page for this case."""
    page = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    person = page["people"][0]
    work = Work(desk)
    plan = ""
    if "{plan}" in PLACES[kind]:
        plan = await work.adopted() if kind == "support_answer" else await work.draft()
    return PLACES[kind].format(
        case=desk.case_number,
        referral=desk.referral_number,
        person=person["id"],
        consent=person["consents"][0]["id"],
        plan=plan,
    )


def pairs_of(kind: str, person: str) -> list[tuple[str, str]]:
    """A valid form of the kind as a page posts it: with what the page cannot show left out."""
    form = sample(kind)
    if "person" in form and isinstance(form["person"], str):
        form["person"] = person
    return [(name, str(part)) for name, value in flat(form) for part in (value if isinstance(value, list) else [value])]


def flat(form: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """The fields of a form by path; groups and rows opened."""
    found: list[tuple[str, Any]] = []
    for name, value in form.items():
        if isinstance(value, dict):
            found += flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, row in enumerate(value):
                found += flat(row, f"{prefix}{name}.{index}.")
        elif value is not False:  # a box that is not ticked is not posted
            found.append((prefix + name, "true" if value is True else value))
    return found


def test_every_form_has_a_page() -> None:
    """No kind is left without one, and none is there that is no form."""
    assert set(PLACES) | ELSEWHERE == set(FORMS)
    assert {kind for kind in FORMS if form_pages.has_page(kind)} - ELSEWHERE == set(PLACES)


@pytest.mark.parametrize("kind", PLACES)
async def test_a_page_opens_where_it_belongs(intake: Intake, kind: str) -> None:
    """Drawn from its definition, with its title, the way to save a draft, and the address its JSON goes to."""
    desk = await Desk(intake).open()
    await desk.send(desk.coordinator, "assessments", going_on())
    address = f"/forms/{kind}?{await place_of(desk, kind)}"
    page = await getattr(desk, CALLERS.get(kind, "coordinator")).get(address, page=True)
    assert page.status_code == 200, page.text
    assert page.headers["cache-control"] == "no-store"
    assert f"<h1>{FORMS[kind].title}</h1>" in page.text
    assert 'formaction="/drafts?kind=' in page.text
    assert "見本" not in page.text.partition("<title>")[2].partition("</title>")[0]
    if desk.case_number in address or "consent" in kind or "referral=" in address or "plan=" in address:
        assert f'href="/cases/{desk.case_number}"' in page.text
        assert (await desk.stranger.get(address, page=True)).status_code in (404, 409)
        unknown = address.replace(desk.case_number, "C2026-99999").replace(desk.referral_number, "R2026-99999")
        if unknown != address:
            assert (await desk.coordinator.get(unknown, page=True)).status_code == 404


@pytest.mark.parametrize("kind", [kind for kind in PLACES if kind != "referral"])
async def test_whatever_is_refused_comes_back(intake: Intake, kind: str) -> None:
    """Handed in with a mistake, with a forged token, and after the session ended: everything typed is there."""
    desk = await Desk(intake).open()
    await desk.send(desk.coordinator, "assessments", going_on())
    place = await place_of(desk, kind)
    caller = getattr(desk, CALLERS.get(kind, "coordinator"))
    page = await caller.get(f"/forms/{kind}?{place}", page=True)
    action = page.text.partition('<form class="form" method="post" action="')[2].partition('"')[0].replace("&amp;", "&")
    person = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()["people"][0]["id"]
    typed = sorted(pairs_of(kind, person))
    wrong = sorted([*typed, ("unknown", "x")])
    refused = await caller.post(action, wrong)
    assert refused.status_code == 422, refused.text
    assert typed_in(refused) == typed
    forged = await caller.post(action, typed, csrf="forged")
    assert (forged.status_code, typed_in(forged)) == (403, typed)
    ended = await intake.anybody.post(action, typed)
    assert ended.status_code == 401
    assert sorted(pair for pair in fields_of(ended) if pair[0].startswith("typed.")) == [
        (f"typed.{name}", value) for name, value in typed
    ]
    again = await caller.post(action, [*typed, ("_again", "1")])
    assert (again.status_code, typed_in(again)) == (200, typed)


async def test_people_are_chosen_by_name(intake: Intake) -> None:
    """A consent names one of the case's people the reader sees; nobody else is offered."""
    desk = await Desk(intake).open()
    page = await desk.coordinator.get(f"/forms/consent?{await place_of(desk, 'consent')}", page=True)
    for words in ("見本　太郎（本人）", "見本　花子（妻）", "見本　一郎（長男）"):
        assert words in page.text
    (chosen,) = [value for name, value in fields_of(page) if name == "person"]
    assert chosen.endswith(".0")


async def test_a_page_that_is_not_permitted_says_why(intake: Intake) -> None:
    """A rule's reason and way out, as its post would answer; nothing of the form is shown."""
    desk = await Desk(intake).open()
    for kind in ("allocation", "closure", "ground", "assessment"):
        answer = await desk.mado.get(f"/forms/{kind}?case={desk.case_number}", page=True)
        assert answer.status_code == 409, kind
        assert "<textarea" not in answer.text
    assert (await desk.section.get("/forms/referral", page=True)).status_code == 403
    assert (await desk.mado.get("/forms/plan", page=True)).status_code == 404
    assert (await desk.mado.get("/forms/consent", page=True)).status_code == 404
    assert (await desk.mado.get("/forms/consent?case=見本", page=True)).status_code == 404


async def test_a_correction_starts_from_what_stands(intake: Intake) -> None:
    """The form as it was handed in; corrected, it is the next revision; somebody else's cannot be corrected."""
    desk = await Desk(intake).open()
    address = f"/forms/referral?record=referral/{desk.referral_number}"
    page = await desk.mado.get(address, page=True)
    assert ("reason", referral()["reason"]) in fields_of(page)
    assert f'action="/referrals/{desk.referral_number}?revision=1"' in page.text
    fields = [
        (name, "理由を直した" if name == "reason" else value) for name, value in fields_of(page) if name != "_csrf"
    ]
    done = await desk.mado.post(f"/referrals/{desk.referral_number}?revision=1", fields)
    assert done.status_code == 303, done.text
    assert (await desk.mado.get(address, page=True)).text.count("理由を直した") == 1
    assert (await desk.coordinator.get(address, page=True)).status_code == 409
    await desk.send(desk.coordinator, "contacts", sample("contact"))
    (record,) = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()["records"]
    shown = await desk.coordinator.get(f"/records/contact/{record['id']}", page=True)
    assert sample("contact")["counterpart"] in shown.text
    assert f'href="/forms/contact?record=contact/{record["id"]}"' in shown.text
    form = await desk.coordinator.get(f"/forms/contact?record=contact/{record['id']}", page=True)
    assert ("counterpart", sample("contact")["counterpart"]) in fields_of(form)


async def test_a_correction_does_not_show_what_is_withheld(intake: Intake) -> None:
    """Not even to who wrote it: left empty, it stays as it was."""
    desk = await Desk(intake).open()
    page = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    form = sample("protection", person=page["people"][0]["id"], fields=["address"], cleared=[], since="2026-01-01")
    answer = await desk.send(desk.coordinator, "protections", form, revision=page["revision"])
    assert answer.status_code == 201, answer.text
    address = f"/forms/referral?record=referral/{desk.referral_number}"
    shown = await desk.mado.get(address, page=True)
    assert "見本県見本市見本町" not in shown.text
    assert "空欄のまま訂正すると" in shown.text
    fields = [pair for pair in fields_of(shown) if pair[0] != "_csrf"]
    done = await desk.mado.post(f"/referrals/{desk.referral_number}?revision=1", fields)
    assert done.status_code == 303, done.text
    (row,) = await intake.rows(referrals)
    assert "見本県見本市見本町".encode() in row["form"]


async def test_the_note_on_a_wrong_address_has_a_page(intake: Intake) -> None:
    """After 誤送付 the page leads there: who was told and who opened, without a name of the person."""
    desk = await Desk(intake).open()
    form = pairs_of("withdrawal", "")
    done = await desk.mado.post(f"/referrals/{desk.referral_number}/withdrawal?revision=1", form)
    assert done.headers["location"] == f"/referrals/{desk.referral_number}/leak-note"
    page = await desk.mado.get(done.headers["location"], page=True)
    assert (page.status_code, "漏えい等の確認のための記録" in page.text) == (200, True)
    assert "見本　太郎" not in page.text
    assert (await desk.care.get(done.headers["location"], page=True)).status_code == 404


async def test_buttons_of_a_case_post_and_come_back(intake: Intake) -> None:
    """Ending an allocation, lifting a protection: one button each, on to the case's page."""
    desk = await Desk(intake).open()
    page = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    await desk.send(desk.coordinator, "allocations", sample("allocation"), revision=page["revision"])
    protection = sample("protection", person=page["people"][0]["id"])
    await desk.send(desk.coordinator, "protections", protection, revision=page["revision"] + 1)
    page = (await desk.coordinator.get(f"/cases/{desk.case_number}")).json()
    shown = await desk.coordinator.get(f"/cases/{desk.case_number}", page=True)
    allocation, protected = page["allocations"][0]["id"], page["protections"][0]["id"]
    for address in (f"/allocations/{allocation}/end", f"/protections/{protected}/lifting"):
        assert f'action="{address}"' in shown.text
        done = await desk.coordinator.post(address, {})
        assert (done.status_code, done.headers["location"]) == (303, f"/cases/{desk.case_number}")
    again = await send(desk.coordinator, f"/allocations/{allocation}/end")
    assert again.status_code == 409
