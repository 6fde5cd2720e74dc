"""What closes, what opens, and who is told: consents, protections, forms taken back, and projections of a document."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from docx import Document

from deploy.local.servers import ObjectStore
from tests.data.events import SAMPLES
from tests.documents.running_service import (
    CONSENT_ENTRY,
    DESTINATION,
    ORIGIN,
    ORIGIN_ENTRY,
    PROVIDER,
    PROVIDER_ENTRY,
    RunningService,
    referral,
    running_service,
    until,
)
from tests.documents.sample_referrals import SHORT_FORM
from tsunagi_documents.objects import Stored
from tsunagi_documents.tables import access, documents, files
from tsunagi_shared import clock
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View

CASE = "C8-00034"
FORM = "referral/0193576a-0000-7000-8000-000000000001"
PERSONS = tuple(f"{FORM.removeprefix('referral/')}.{number}" for number in range(3))
ADDRESS = f"{PERSONS[0]}:address"
SUMMARY, SHEET = ("referral_sheet", "summary"), ("referral_sheet", "full")
SECTION = "health"
HIDING_ENTRY = msgspec.structs.replace(CONSENT_ENTRY, hidden=(PERSONS[1],))


def withdrawal(consent: str = "1", person: int = 0, *agencies: str) -> events.ConsentWithdrawn:
    """A consent that ended."""
    return events.ConsentWithdrawn(
        consent_id=consent,
        case_number=CASE,
        person=PERSONS[person],
        agencies=agencies,
        withdrawn_on=clock.today(),
        code="withdrawn",
        at=clock.now(),
    )


def changed(revision: int, *entries: AudienceEntry, **changes: Any) -> events.AudienceChanged:
    """A newer audience."""
    values: dict[str, Any] = {"form": FORM, "case_number": CASE, "persons": PERSONS, "provider": PROVIDER, **changes}
    return events.AudienceChanged(audience_revision=revision, entries=entries, **values)


def protection(revision: int, *withheld: str, **cleared: tuple[str, ...]) -> events.ProtectionChanged:
    """What is withheld in the whole case; `cleared` by agency: the fields that it may see."""
    may_see = {field: tuple(agency for agency, seen in cleared.items() if field in seen) for field in withheld}
    return events.ProtectionChanged(
        case_number=CASE, revision=revision, withheld=withheld, cleared=may_see, at=clock.now()
    )


async def status(service: RunningService, identity: str, headers: dict[str, str], version: int = 1) -> int:
    """What reading the Word file answers."""
    return (await service.client.get(f"/documents/{identity}/versions/{version}/docx", headers=headers)).status_code


async def readers(service: RunningService) -> dict[str, set[str]]:
    """The agencies with an open door, by document."""
    found: dict[str, set[str]] = {row["id"]: set() for row in await service.rows(documents)}
    for row in await service.rows(access):
        found[row["document_id"]].add(row["agency"])
    return found


async def word_of(service: RunningService, identity: str) -> str:
    """Everything that a document's newest Word file says."""
    row = [row for row in await service.rows(files) if (row["document_id"], row["format"]) == (identity, "docx")][-1]
    word = await service.runtime.parts.own.fetch(Stored(row["key"], row["sha256"], row["bytes"]))
    package = Document(io.BytesIO(word))
    cells = [cell.text for table in package.tables for line in table.rows for cell in line.cells]
    return "\n".join([*(paragraph.text for paragraph in package.paragraphs), *cells])


async def test_a_withdrawn_consent_closes_at_once_and_stays_closed(tmp_path: Path, store: ObjectStore) -> None:
    """Closed by the withdrawal alone; an older audience that comes late opens nothing; a later one that names it does."""
    async with running_service(tmp_path, store) as service:
        ids = await service.stored(referral(persons=PERSONS))
        reader = service.sign_in("hana", DESTINATION)
        assert await status(service, ids[SUMMARY], reader) == 200
        before = clock.now_us()
        await service.receive(withdrawal())
        assert await status(service, ids[SUMMARY], reader) == 404
        assert await status(service, ids[SHEET], service.sign_in("mado", ORIGIN)) == 200
        told = (await service.events(events.DOCUMENT_WITHDRAWN))[0]
        assert (told.document_id, told.agencies, told.readers) == (ids[SUMMARY], (DESTINATION,), ())
        assert (told.code, told.version) == ("consent_withdrawn", 1)
        await service.receive(changed(2, ORIGIN_ENTRY, PROVIDER_ENTRY, CONSENT_ENTRY), at=before)
        assert await status(service, ids[SUMMARY], reader) == 404
        await service.receive(changed(3, ORIGIN_ENTRY, PROVIDER_ENTRY, CONSENT_ENTRY))
        assert await status(service, ids[SUMMARY], reader) == 200
        shared = (await service.events(events.DOCUMENT_SHARED))[0]
        assert (shared.document_id, shared.tell, shared.readers) == (ids[SUMMARY], (DESTINATION,), (DESTINATION,))


async def test_a_withdrawal_that_comes_first_wins(tmp_path: Path, store: ObjectStore) -> None:
    """A consent not known yet is closed in advance, for the agencies it was withdrawn for and no others."""
    other = msgspec.structs.replace(CONSENT_ENTRY, agency="hardship-support")
    async with running_service(tmp_path, store) as service:
        before = clock.now_us()
        await service.receive(withdrawal("1", 0, DESTINATION))
        await service.receive(referral(other, persons=PERSONS), at=before)
        await until(service.all_made)
        assert {agency for found in (await readers(service)).values() for agency in found} == {
            ORIGIN, PROVIDER, "hardship-support",
        }  # fmt: skip
        created = {event.view: event.tell for event in await service.events(events.DOCUMENT_CREATED)}
        assert created[View.SUMMARY] == ("hardship-support",)


async def test_the_end_of_another_persons_consent_closes_papers_that_show_them(
    tmp_path: Path, store: ObjectStore
) -> None:
    """Closed for those who read by consent, until intake has said everything up to then; who hides the person reads on."""
    hiding = msgspec.structs.replace(HIDING_ENTRY, agency="hardship-support")
    async with running_service(tmp_path, store) as service:
        await service.receive(referral(hiding, persons=PERSONS))
        await until(service.all_made)
        summaries = {
            row["hidden"]: row["id"] for row in await service.rows(documents) if row["view"] == View.SUMMARY.value
        }
        shows, hides = summaries["[]"], summaries[f'["{PERSONS[1]}"]']
        reader, other = service.sign_in("hana", DESTINATION), service.sign_in("jiro", "hardship-support")
        assert (await status(service, shows, reader), await status(service, hides, other)) == (200, 200)
        await service.receive(withdrawal("9", 1))
        assert (await status(service, shows, reader), await status(service, hides, other)) == (404, 200)
        await service.receive(events.WatermarkPassed(at=clock.now()))
        assert await status(service, shows, reader) == 200


async def test_a_provider_that_needs_consent_is_closed_by_its_end(tmp_path: Path, store: ObjectStore) -> None:
    """Its entry names no consent, so that it waits for intake's next word; one that is exempt reads on."""
    needing = msgspec.structs.replace(PROVIDER_ENTRY, basis=Basis(BasisKind.PROVIDER, FORM))
    exempt = AudienceEntry("disability", Basis(BasisKind.PROVIDER, "exempt"), View.FULL)
    async with running_service(tmp_path, store) as service:
        await service.receive(referral(audience=(ORIGIN_ENTRY, needing, exempt), persons=PERSONS))
        await until(service.all_made)
        await service.receive(withdrawal("9", 0))
        open_to = await readers(service)
        assert {agency for found in open_to.values() for agency in found} == {ORIGIN, "disability"}
        await service.receive(events.WatermarkPassed(at=clock.now()))
        assert {agency for found in (await readers(service)).values() for agency in found} == {
            ORIGIN, PROVIDER, "disability",
        }  # fmt: skip


async def test_hidden_persons_and_withheld_fields_are_projections_of_their_own(
    tmp_path: Path, store: ObjectStore
) -> None:
    """Each entry gets the paper that keeps from it what is to be kept; another mark is another paper."""
    entries = (
        ORIGIN_ENTRY,
        msgspec.structs.replace(PROVIDER_ENTRY, withheld=(ADDRESS,)),
        HIDING_ENTRY,
        msgspec.structs.replace(CONSENT_ENTRY, agency="hardship-support"),
    )
    async with running_service(tmp_path, store) as service:
        await service.receive(referral(audience=entries, persons=PERSONS))
        await until(service.all_made)
        open_to = await readers(service)
        rows = {row["id"]: row for row in await service.rows(documents) if row["kind"] == "referral_sheet"}
        found = {
            next(iter(open_to[identity])): (row["hidden"], row["withheld"], await word_of(service, identity))
            for identity, row in rows.items()
        }
    member, address = SHORT_FORM.household[0].name, SHORT_FORM.person.address
    assert set(found) == {ORIGIN, PROVIDER, DESTINATION, "hardship-support"}
    assert address in found[ORIGIN][2]
    assert address not in found[PROVIDER][2]
    assert found[PROVIDER][:2] == ("[]", f'["{ADDRESS}"]')
    assert member in found["hardship-support"][2]
    assert member not in found[DESTINATION][2]


async def test_protection_set_later_closes_every_paper_that_shows_the_field(tmp_path: Path, store: ObjectStore) -> None:
    """Closed in the transaction of the event, but for the cleared; drawn anew without it; who had opened it is listed."""
    page = {"Accept": "text/html"}
    async with running_service(tmp_path, store) as service:
        event = referral(persons=PERSONS)
        ids = await service.stored(event)
        clerk, reader = service.sign_in("mado", ORIGIN), service.sign_in("hana", DESTINATION)
        assert (await status(service, ids[SHEET], clerk), await status(service, ids[SUMMARY], reader)) == (200, 200)
        await service.receive(protection(1, ADDRESS, **{PROVIDER: (ADDRESS,)}))
        assert (await readers(service))[ids[SHEET]] == {PROVIDER}
        assert (await status(service, ids[SHEET], clerk), await status(service, ids[SUMMARY], reader)) == (404, 404)
        codes = {(told.document_id, told.code) for told in await service.events(events.DOCUMENT_WITHDRAWN)}
        assert codes == {(ids[SHEET], "protection"), (ids[SUMMARY], "protection")}
        entries = tuple(
            entry if entry.agency == PROVIDER else msgspec.structs.replace(entry, withheld=(ADDRESS,))
            for entry in event.audience
        )
        await service.receive(changed(2, *entries))
        await service.receive(msgspec.structs.replace(event, audience=entries, audience_revision=2))
        await until(service.all_made)
        listed = (await service.client.get("/documents", headers=clerk)).json()["items"]
        assert len(listed) == 1
        assert listed[0]["id"] != ids[SHEET]
        assert SHORT_FORM.person.address not in await word_of(service, listed[0]["id"])
        section = service.sign_in("ken", PROVIDER, "coordinator")
        shown = (await service.client.get(f"/documents/{ids[SHEET]}", headers=section)).json()["openings"]
        assert [(line["user_name"], line["closed"]) for line in shown] == [("見本 hana", True), ("見本 mado", True)]
        shown_page = (await service.client.get(f"/documents/{ids[SHEET]}", headers={**section, **page})).text
        assert "いまは読めません" in shown_page
        await service.receive(protection(1))
        assert (await readers(service))[ids[SHEET]] == {PROVIDER}, "an older protection lifts nothing"


async def test_a_form_taken_back_is_left_to_those_who_keep_it(tmp_path: Path, store: ObjectStore) -> None:
    """取下げ・誤送付: nobody else reads, whatever audience comes later."""
    async with running_service(tmp_path, store) as service:
        event = referral(persons=PERSONS)
        ids = await service.stored(event)
        keep = events.RecordWithdrawn(form=FORM, case_number=CASE, code="misdirected", keep=(ORIGIN,), at=clock.now())
        await service.receive(keep)
        await service.receive(changed(2, *event.audience))
        assert await readers(service) == {ids[SHEET]: {ORIGIN}} | {
            identity: set() for kind, identity in ids.items() if kind != SHEET
        }
        codes = {told.code for told in await service.events(events.DOCUMENT_WITHDRAWN)}
        assert codes == {"record_withdrawn"}


async def test_an_audience_that_comes_before_its_form_decides(tmp_path: Path, store: ObjectStore) -> None:
    """What is drawn is what the newest audience asks for, and not what the form's own, older one did."""
    async with running_service(tmp_path, store) as service:
        before = clock.now_us()
        await service.receive(changed(2, ORIGIN_ENTRY, HIDING_ENTRY))
        await service.receive(referral(persons=PERSONS), at=before)
        await until(service.all_made)
        rows = {(row["kind"], row["view"], row["hidden"]) for row in await service.rows(documents)}
    assert rows == {("referral_sheet", "full", "[]"), ("referral_sheet", "summary", f'["{PERSONS[1]}"]')}


async def test_a_joined_case_takes_its_documents_along(tmp_path: Path, store: ObjectStore) -> None:
    """The newest audience's case number is the documents'."""
    async with running_service(tmp_path, store) as service:
        event = referral(persons=PERSONS)
        await service.stored(event)
        await service.receive(changed(2, *event.audience, case_number="C8-00001"))
        assert {row["case_number"] for row in await service.rows(documents)} == {"C8-00001"}


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        (events.REFERRAL_ANSWERED, {("referral_reply", "full")}),
        (events.CONSENT_GIVEN, {("consent_form", "full")}),
        (events.PLEDGE_GIVEN, {("pledge", "full")}),
        (events.ASSESSMENT_SUBMITTED, {("assessment_sheet", "full"), ("assessment_sheet", "summary")}),
        (events.EVALUATION_SUBMITTED, {("evaluation_sheet", "full")}),
    ],
)
async def test_every_form_draws_its_documents(
    tmp_path: Path, store: ObjectStore, event_type: str, expected: set[tuple[str, str]]
) -> None:
    """Full to writer, provider and section, a summary of the assessment to those whom the consent names; each is stored."""
    section = AudienceEntry(SECTION, Basis(BasisKind.RESPONSIBLE_SECTION, SECTION), View.FULL)
    consented = msgspec.structs.replace(CONSENT_ENTRY, until=dt.date(2099, 3, 31))
    entries = (ORIGIN_ENTRY, PROVIDER_ENTRY, section, consented)
    data: Any = msgspec.structs.replace(SAMPLES[event_type], audience=entries)
    async with running_service(tmp_path, store) as service:
        await service.receive(data)
        await until(service.all_made)
        open_to = await readers(service)
        found = {(row["kind"], row["view"]): open_to[row["id"]] for row in await service.rows(documents)}
    assert set(found) == expected
    for (_, view), agencies in found.items():
        assert agencies == ({DESTINATION} if view == "summary" else {ORIGIN, PROVIDER, SECTION})


async def test_a_corrected_form_supersedes_and_its_older_version_says_so(tmp_path: Path, store: ObjectStore) -> None:
    """The older version stays readable, marked 旧版 when it is served; the stored bytes stay as they are."""
    async with running_service(tmp_path, store) as service:
        event = referral(persons=PERSONS)
        ids = await service.stored(event)
        corrected = msgspec.structs.replace(event.form, chief_complaint="直した主訴")
        await service.receive(msgspec.structs.replace(event, form=corrected, revision=2))
        await until(service.all_made)
        superseded = {
            (told.document_id, told.version, told.by_version)
            for told in await service.events(events.DOCUMENT_SUPERSEDED)
        }
        assert superseded == {(identity, 1, 2) for identity in ids.values()}
        clerk = service.sign_in("mado", ORIGIN)
        answers = [
            await service.client.get(f"/documents/{ids[SHEET]}/versions/{version}/docx", headers=clerk)
            for version in (1, 2)
        ]
        marks = ["旧版" in _header_of(answer.content) for answer in answers]
        assert marks == [True, False]
        row = next(row for row in await service.rows(files) if (row["document_id"], row["version"]) == (ids[SHEET], 1))
        assert answers[0].headers["x-stored-sha256"] == row["sha256"]
        stored = await service.runtime.parts.own.fetch(Stored(row["key"], row["sha256"], row["bytes"]))
        assert "旧版" not in _header_of(stored)
        page = await service.client.get(f"/documents/{ids[SHEET]}", headers={**clerk, "Accept": "text/html"})
        assert "第1版のWordを開く" in page.text
        shown = (await service.client.get(f"/documents/{ids[SHEET]}", headers=clerk)).json()["older"]
        assert [line["version"] for line in shown] == [1]


def _header_of(word: bytes) -> str:
    return "".join(paragraph.text for paragraph in Document(io.BytesIO(word)).sections[0].header.paragraphs)
