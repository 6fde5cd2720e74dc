"""What the random walks found, each as the shortest walk that shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.data.case_work import DESTINATION, ORIGIN, PROVIDER, Desk, consent_of, going_on, send
from tests.data.forms import sample
from tests.data.intake import Intake, running_intake
from tests.data.referrals import referral
from tests.data.services import PROFILE
from tests.journeys.case_documents import DocumentsSide
from tests.journeys.case_gates import Staff
from tests.journeys.case_intake import principal_of
from tsunagi_documents import reading
from tsunagi_intake.tables import referrals
from tsunagi_shared import clock
from tsunagi_shared.outbox import outbox

STANDARD = PROFILE.parent / "standard"


@pytest.fixture
async def intake(tmp_path: Path, cheap_passwords: None) -> AsyncIterator[Intake]:
    """Intake, with the hub away."""
    async with running_intake(tmp_path) as found:
        yield found


async def papers_of(intake: Intake, folder: Path, agency: str) -> set[tuple[str, str]]:
    """(kind, view) of what the agency's staff can read, once documents has heard everything."""
    side = DocumentsSide(folder, "documents", intake.runtime.profile)
    side.begin()
    try:
        side.hear(
            [(row["type"], row["payload"]) for row in sorted(await intake.rows(outbox), key=lambda row: row["seq"])]
        )
        side.draw()
        reader = principal_of(Staff(user="yomu", agency=agency, roles=frozenset({"clerk"})))
        query = reading.ListQuery(limit=100)
        found, _ = reading.readable(side.connection, side.profile, reader, query, clock.today())
        return {(document.kind, document.view) for document in found}
    finally:
        side.end()
        side.close()


async def subject_of(desk: Desk) -> str:
    """The id of 本人."""
    (row,) = await desk.intake.rows(referrals)
    return f"{row['id']}.0"


def protection_of(person: str, **changes: Any) -> dict[str, Any]:
    """The address, from today on."""
    return {"person": person, "kind": "own_wish", "fields": ["address"], "since": clock.today().isoformat(), **changes}


async def test_who_wrote_a_consent_form_reads_it_after_its_end(intake: Intake, tmp_path: Path) -> None:
    """A 同意書 and the consent in it bear one name: the end of the consent closes what rests on it, not the paper."""
    desk = await Desk(intake).open(consent={"status": "not_asked"})
    given = await desk.send(desk.mado, "consents", consent_of(await subject_of(desk)))
    assert ("consent_form", "full") in await papers_of(intake, tmp_path, ORIGIN)
    ended = {"withdrawn_on": clock.today().isoformat(), "whole": True}
    answer = await send(desk.mado, f"/consents/{given.json()['id']}/withdrawal", ended, revision=1)
    assert answer.status_code == 201
    assert ("consent_form", "full") in await papers_of(intake, tmp_path, ORIGIN)
    assert await papers_of(intake, tmp_path, DESTINATION) == set()


async def test_the_providers_own_paper_is_drawn_whoever_saw_as_much_before(intake: Intake, tmp_path: Path) -> None:
    """What another agency's papers show already is not drawn anew, but the provider's draft is nobody else's paper."""
    withheld = {"protection": ["address"], "protection_kind": "own_wish"}
    desk = await Desk(intake).open(consent={"status": "not_asked"}, **withheld)
    person = await subject_of(desk)
    open_to_section = protection_of(person, cleared=["social-welfare"])
    second = (await desk.send(desk.coordinator, "protections", open_to_section, revision=1)).json()
    for identity in (person.partition(".")[0], second["id"]):
        assert (await send(desk.section, f"/protections/{identity}/lifting")).status_code == 201
    both = {("referral_sheet", "full"), ("assessment_sheet", "full")}
    assert await papers_of(intake, tmp_path, PROVIDER) == both


async def test_a_part_in_a_case_ends_with_its_last_day(intake: Intake) -> None:
    """The entry of an agency that sees a case by its part alone says so itself, should nobody look at the calendar."""
    consent = {**referral()["consent"], "agencies": ["sample-nursery", DESTINATION]}
    desk = await Desk(intake).open(consent=consent, destinations=[DESTINATION])
    last = clock.today().isoformat()
    for agency in ("sample-nursery", DESTINATION):
        case = (await desk.section.get(f"/cases/{desk.case_number}")).json()
        part = {"agency": agency, "part": "訪問", "since": last, "until": last}
        assert (await desk.send(desk.coordinator, "allocations", part, revision=case["revision"])).status_code == 201
    page = (await desk.section.get(f"/referrals/{desk.referral_number}")).json()
    ends = {entry["agency"]: entry["until"] for entry in page["audience"]}
    assert (ends["sample-nursery"], ends[DESTINATION]) == (last, None)


async def test_a_suspended_screening_takes_no_case_back(intake: Intake) -> None:
    """中断 after another result leaves that one standing."""
    desk = await Desk(intake).open()
    states = [
        (await desk.send(desk.coordinator, "assessments", form)).json()["case_state"]
        for form in (going_on(), sample("assessment", screening="suspended", handed_over_to=[]))
    ]
    assert states == ["assessed", "assessed"]


async def test_a_stranger_does_not_learn_that_there_is_a_ground(intake: Intake) -> None:
    """Whoever sees nothing of the case is answered as if it were not there; whoever sees it, that it is the section's."""
    desk = await Desk(intake).open()
    ground = sample("ground", law="", kind="emergency", until=None)
    path = f"/grounds/{(await desk.send(desk.coordinator, 'grounds', ground)).json()['id']}/review"
    assert (await send(desk.stranger, path)).status_code == 404
    assert (await send(desk.care, path)).json()["code"] == "role-missing"
    assert (await send(desk.section, path)).status_code == 201


async def test_a_correction_takes_no_protection_away(intake: Intake) -> None:
    """Who is protected stays on the form until the protection is lifted: others are known as them by that line alone."""
    tsugi = {"name": "見本　次子", "kana": "みほんつぎこ", "relationship": "長女"}
    desk = await Desk(intake).open(household=[tsugi])
    first = (await subject_of(desk)).partition(".")[0]
    protected = (await desk.send(desk.coordinator, "protections", protection_of(f"{first}.1"), revision=1)).json()
    person = {"name": "見本　次子", "kana": "みほんつぎこ", "address": "見本県見本市見本町1-1-1"}
    await send(desk.mado, "/referrals", referral(person=person, household=[], case_number=desk.case_number))
    await withheld_from_all(desk, 2)
    without_her = referral(household=[])
    refused = await desk.referral(desk.mado, "", without_her, revision=1, method="PUT")
    assert [error["code"] for error in refused.json()["errors"]] == ["protected-person"]
    await withheld_from_all(desk, 2)
    assert (await send(desk.coordinator, f"/protections/{protected['id']}/lifting")).status_code == 201
    assert (await desk.referral(desk.mado, "", without_her, revision=1, method="PUT")).status_code == 200
    await withheld_from_all(desk, 0)


async def withheld_from_all(desk: Desk, lines: int) -> None:
    """The address of so many people is kept from everybody who sees a referral of the case."""
    case = (await desk.section.get(f"/cases/{desk.case_number}")).json()
    pages = [(await desk.section.get(f"/referrals/{row['number']}")).json() for row in case["referrals"]]
    kept = {token for page in pages for entry in page["audience"] for token in entry["withheld"]}
    assert len(kept) == lines, kept


async def test_a_section_that_is_the_secretariat_answers(tmp_path: Path, cheap_passwords: None) -> None:
    """Without consent the 支援会議 alone can take a referral up, also where its secretariat is the section itself."""
    async with running_intake(tmp_path, profile=STANDARD) as intake:
        mado = intake.person("mado", "elderly-center", "clerk")
        section = intake.person("kacho", "welfare-section", "responsible_section")
        form = referral(destinations=["clinic"], consent={"status": "asking"})
        taken = await send(mado, "/referrals", form)
        assert taken.status_code == 201, taken.text
        number = taken.json()["referral_number"]
        reply = {"decision": "accepted", "reason": "支援会議で扱います。"}
        answer = await send(section, f"/referrals/{number}/reply", reply, revision=1)
        assert (answer.status_code, answer.json().get("case_state")) == (201, "screened")
        stored = await intake.runtime.database.read(lambda c: c.execute(sa.select(referrals.c.state)).scalar_one())
        assert stored == "accepted"
