"""What the random walks found, each as the shortest walk that shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
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
from tsunagi_documents import blocking, reading
from tsunagi_documents.announcing import Announcer
from tsunagi_documents.closing import Doors
from tsunagi_documents.sheets import sheet_context
from tsunagi_documents.tables import documents, versions
from tsunagi_intake.tables import audience, referrals
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import ASSESSMENT_SUBMITTED, AssessmentSubmitted
from tsunagi_shared.outbox import Outbox, outbox

STANDARD = PROFILE.parent / "standard"


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    """Intake, with the hub away."""
    async with running_intake(tmp_path) as found:
        yield found


class Reading:
    """What documents knows of intake, and what the staff of an agency read of it."""

    def __init__(self, intake: Intake, side: DocumentsSide) -> None:
        self.intake, self.side, self.heard = intake, side, 0

    async def hear(self) -> None:
        """Everything since the last time is heard, in order, and drawn."""
        rows = [row for row in await self.intake.rows(outbox) if row["seq"] > self.heard]
        for row in sorted(rows, key=lambda row: int(row["seq"])):
            self.side.hear([(row["type"], row["payload"])])
            self.side.draw()
            self.heard = row["seq"]

    def listed(self, agency: str, contractor: str = "") -> list[sa.Row[Any]]:
        """The rows of the documents that the agency reads."""
        staff = Staff(user="yomu", agency=agency, roles=frozenset({"clerk"}), contractor=contractor)
        query = reading.ListQuery(limit=100)
        found, _ = reading.readable(self.side.connection, self.side.profile, principal_of(staff), query, clock.today())
        ids = [document.id for document in found]
        return list(self.side.connection.execute(sa.select(documents).where(documents.c.id.in_(ids))))


@asynccontextmanager
async def reading_of(intake: Intake, folder: Path) -> AsyncIterator[Reading]:
    """documents beside an intake, in this process."""
    side = DocumentsSide(folder, "documents", intake.runtime.profile)
    side.begin()
    try:
        found = Reading(intake, side)
        await found.hear()
        yield found
    finally:
        side.end()
        side.close()


async def papers_of(intake: Intake, folder: Path, agency: str) -> set[tuple[str, str]]:
    """(kind, view) of what the agency's staff can read, once documents has heard everything."""
    async with reading_of(intake, folder) as found:
        return {(document.kind, document.view) for document in found.listed(agency)}


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
    ground = sample("ground", law="", kind="emergency")
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


async def test_a_section_that_is_the_secretariat_answers(tmp_path: Path) -> None:
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


async def printed_for(intake: Intake, agency: str) -> tuple[str, int]:
    """What the newest assessment's paper for an agency says in its summary, and how many people it hides."""
    events = [event for event in await intake.events() if event.type == ASSESSMENT_SUBMITTED]
    data = msgspec.json.decode(events[-1].data, type=AssessmentSubmitted)
    rows = await intake.rows(audience)
    entry = next(row for row in rows if (row["form"], row["agency"]) == (f"assessment/{data.form_id}", agency))
    hidden = msgspec.json.decode(entry["hidden"])
    context = sheet_context(data, "assessment_sheet", View(entry["view"]), hidden, (), data.support_meeting_only)
    return context["summary"], len(hidden)


async def test_who_is_taken_off_a_referral_is_named_on_no_paper(intake: Intake) -> None:
    """The assessment goes on hiding them, also when its content is said again later."""
    desk = await Desk(intake).open()
    said = "妻の見本花子は相談の経過があり、一郎には借金がある。"
    await desk.send(desk.coordinator, "assessments", going_on(summary=said))
    cut = ("妻の（非開示）は相談の経過があり、（非開示）には借金がある。", 2)
    assert await printed_for(intake, DESTINATION) == cut
    off = referral(household=[], household_size=1)
    assert (await desk.referral(desk.mado, "", off, revision=1, method="PUT")).status_code == 200
    withheld = protection_of(await subject_of(desk))  # another projection: the content is said again
    case = (await desk.section.get(f"/cases/{desk.case_number}")).json()
    assert (await desk.send(desk.coordinator, "protections", withheld, revision=case["revision"])).status_code == 201
    assert len([event for event in await intake.events() if event.type == ASSESSMENT_SUBMITTED]) == 2
    assert await printed_for(intake, DESTINATION) == cut


async def test_a_provider_that_needs_consent_reads_no_older_paper_of_who_was_taken_off(tmp_path: Path) -> None:
    """What was drawn with the household on it, for those who may see all, does not become the provider's paper."""
    async with running_intake(tmp_path / "intake", profile=STANDARD) as intake:
        mado = intake.person("mado", "elderly-center", "clerk")
        consent = {**referral()["consent"], "agencies": ["clinic"]}
        household = [{"name": "見本　花子", "relationship": "妻"}]
        form = referral(destinations=["clinic"], consent=consent, household=household, household_size=2)
        taken = await send(mado, "/referrals", form)
        assert taken.status_code == 201, taken.text
        provider = intake.runtime.profile.agency("multi-agency-center")
        contractor = provider.operated_by[0].contractor
        async with reading_of(intake, tmp_path) as found:
            before = {row.id for row in found.listed(provider.id, contractor)}
            assert before
            off = {**form, "household": [], "household_size": 1}
            number = taken.json()["referral_number"]
            assert (await send(mado, f"/referrals/{number}", off, revision=1, method="PUT")).status_code == 200
            await found.hear()
            after = found.listed(provider.id, contractor)
            assert {row.id for row in after} == before
            assert all(msgspec.json.decode(row.hidden) for row in after)
            drawn = found.side.connection.execute(sa.select(versions.c.document_id, versions.c.version)).all()
            assert {(identity, 2) for identity in before} <= {tuple(row) for row in drawn}


async def test_a_person_cut_by_hand_stays_cut(intake: Intake, tmp_path: Path) -> None:
    """Found to be one with somebody else by a correction, and put on a case's papers by one."""
    unknown = {**referral()["person"], "birth_date": ""}
    asked = {"status": "not_asked"}
    desk = await Desk(intake).open(household=[], consent=asked, person=unknown)
    form = referral(household=[], consent=asked)
    second = await send(desk.mado, "/referrals", {**form, "case_number": desk.case_number})
    await desk.send(desk.coordinator, "assessments", going_on())
    ids = {row["number"]: row["id"] for row in await intake.rows(referrals)}
    async with reading_of(intake, tmp_path) as found:
        doors = Doors(found.side.profile, Announcer(Outbox("/000000/documents", "1"), "http://documents.example"))

        def cut(person: str) -> int:
            wanted = blocking.Block("person", person)
            return blocking.block(found.side.connection, found.side.profile, doors, wanted, "確かめるため")

        assert cut(f"{ids[second.json()['referral_number']]}.0") > 0
        open_still = {row.form for row in found.listed(PROVIDER)}
        assert open_still == {f"referral/{ids[desk.referral_number]}"}
        assert (await desk.referral(desk.mado, "", form, revision=1, method="PUT")).status_code == 200
        await found.hear()
        assert found.listed(PROVIDER) == []
        await desk.open(household=[], consent=asked)
        written = (await desk.send(desk.coordinator, "assessments", going_on())).json()
        wife = {**form, "household": [{"name": "見本　花子", "relationship": "妻"}]}
        assert (await desk.referral(desk.mado, "", wife, revision=1, method="PUT")).status_code == 200
        await found.hear()
        assert f"assessment/{written['id']}" in {row.form for row in found.listed(PROVIDER)}
        row = next(row for row in await intake.rows(referrals) if row["number"] == desk.referral_number)
        cut(f"{row['id']}.201")
        assert found.listed(PROVIDER) == []
