"""How versions are made: rendered, stored, read back, proved, told of; and what is seen when that fails."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from docx import Document

from deploy.local.ports import free_ports
from deploy.local.servers import ObjectStore
from tests.documents.running_service import (
    CONTRACTED,
    DESTINATION,
    ORIGIN,
    PROVIDER,
    RunningService,
    idle_service,
    profile_with_ended_contract,
    receive,
    referral,
    rows_of,
    running_service,
    until,
)
from tsunagi_documents import versions as making
from tsunagi_documents.objects import Stored
from tsunagi_documents.tables import documents, files, versions
from tsunagi_documents.versions import Making, Proof, chain_value
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import DOCUMENT_CREATED, DOCUMENT_FAILED, FILE_ADDED
from tsunagi_shared.jobs import jobs

SUMMARY, SHEET, DRAFT = ("referral_sheet", "summary"), ("referral_sheet", "full"), ("assessment_sheet", "full")


def making_of(service: RunningService) -> Making:
    """The jobs' side of the service."""
    owner = service.runtime.parts.jobs[making.RENDER].handler.__self__  # type: ignore[attr-defined]
    assert isinstance(owner, Making)
    return owner


async def failed_states(service: RunningService) -> bool:
    """Whether every document has failed."""
    return {row["state"] for row in await service.rows(documents)} == {"failed"}


async def test_every_version_is_stored_read_back_and_told_of_once(tmp_path: Path, store: ObjectStore) -> None:
    """The bucket holds what the row says, the event says the same, and the form is in no job any more."""
    async with running_service(tmp_path, store) as service:
        ids = await service.stored(referral())
        stored = {row["document_id"]: row for row in await service.rows(files)}
        told = {event.document_id: event for event in await service.events(DOCUMENT_CREATED)}
        assert set(stored) == set(told) == set(ids.values())
        for identity, row in stored.items():
            word = await service.runtime.parts.own.fetch(Stored(row["key"], row["sha256"], row["bytes"]))
            assert hashlib.sha256(word).hexdigest() == told[identity].word.sha256 == row["sha256"]
            assert "取扱注意" in "".join(p.text for p in Document(io.BytesIO(word)).sections[0].header.paragraphs)
            assert row["key"].split("/")[1:3] == [identity, "1"]
        assert await service.rows(jobs) == []
    assert told[ids[SHEET]].tell == (PROVIDER,)
    assert told[ids[SUMMARY]].tell == (DESTINATION,)
    assert told[ids[DRAFT]].tell == (PROVIDER,)
    assert told[ids[SUMMARY]].page == f"http://documents.example/documents/{ids[SUMMARY]}/current"
    assert told[ids[SUMMARY]].reply_by == dt.date(2026, 11, 30)
    assert not told[ids[SUMMARY]].pdf_expected


async def test_the_chain_proves_template_data_and_file(tmp_path: Path, store: ObjectStore) -> None:
    """With the document's own key the chain value can be computed again, over the version before; each key is its own."""
    async with running_service(tmp_path, store) as service:
        await service.stored(referral())
        await service.stored(referral(revision=2, audience_revision=2))
        await until(lambda: two_versions_each(service))
        keys = {row["id"]: row["chain_key"] for row in await service.rows(documents)}
        words = {(row["document_id"], row["version"]): row["sha256"] for row in await service.rows(files)}
        previous = b""
        for row in await service.rows(versions):
            previous = previous if row["version"] == 2 else b""
            proof = Proof(
                document_id=row["document_id"],
                version=row["version"],
                form_revision=row["form_revision"],
                template_sha256=row["template_sha256"],
                data_sha256=row["data_sha256"],
                word_sha256=words[row["document_id"], row["version"]],
            )
            assert row["previous"] == previous
            assert row["chain"] == chain_value(keys[row["document_id"]], previous, proof)
            previous = row["chain"]
    assert len(set(keys.values())) == 3


async def two_versions_each(service: RunningService) -> bool:
    """Whether the corrected form's versions are there too."""
    return len(await service.rows(versions)) == 6


async def test_only_agencies_that_may_read_today_are_told(tmp_path: Path, store: ObjectStore) -> None:
    """Neither an ended basis nor an ended contract nor an unknown agency is told; the writer knows already."""
    yesterday = clock.today() - dt.timedelta(days=1)
    further = (
        AudienceEntry("disability", Basis(BasisKind.CONSENT, "consent/2"), View.SUMMARY, until=yesterday),
        AudienceEntry("health", Basis(BasisKind.CONSENT, "consent/3"), View.SUMMARY, until=clock.today()),
        AudienceEntry(CONTRACTED, Basis(BasisKind.CONSENT, "consent/4"), View.SUMMARY),
        AudienceEntry("nobody-knows", Basis(BasisKind.CONSENT, "consent/5"), View.SUMMARY),
    )
    profile = profile_with_ended_contract(tmp_path / "profile")
    async with running_service(tmp_path, store, profile=profile) as service:
        ids = await service.stored(referral(*further))
        told = {event.document_id: event.tell for event in await service.events(DOCUMENT_CREATED)}
    assert told[ids[SUMMARY]] == ("health", DESTINATION)
    assert ORIGIN not in told[ids[SHEET]]


async def test_a_bucket_that_is_away_is_waited_for(tmp_path: Path, store: ObjectStore) -> None:
    """The document stays pending, its job is tried again, the service says that it is not ready, and later all is made."""
    nowhere = f"127.0.0.1:{free_ports(1)[0]}"
    async with running_service(tmp_path, store, s3_endpoint=nowhere) as service:
        await service.receive(referral())

        async def tried() -> bool:
            return {row["code"] for row in await service.rows(jobs)} == {"bucket-unreachable"}

        await until(tried)
        assert {row["state"] for row in await service.rows(documents)} == {"pending"}
        answer = await service.client.get("/readyz")
        assert answer.status_code == 503
        assert "S3" in answer.json()["parts"]["bucket"]
    async with running_service(tmp_path, store) as service:
        await service.runtime.database.write(lambda connection: connection.execute(sa.update(jobs).values(run_at=0)))
        await until(service.all_made)
        assert len(await service.events(DOCUMENT_CREATED)) == 3
        assert (await service.client.get("/readyz")).status_code == 200


async def test_the_schedule_lasts_about_a_day() -> None:
    """A bucket that is away over night costs no document."""
    assert 20 * 3600 < sum(making.DELAYS) < 28 * 3600


async def test_what_failed_is_made_when_it_is_asked_for_again(tmp_path: Path, store: ObjectStore) -> None:
    """A broken template ends in a visible state and an event; the same event again, after the repair, makes the document."""
    async with running_service(tmp_path, store) as service:
        templates = making_of(service)._templates
        assert isinstance(templates, dict)
        sound = dict(templates)
        templates.update(dict.fromkeys(templates, b"no Word file"))
        await service.receive(referral())
        await until(lambda: failed_states(service))
        failed = await service.events(DOCUMENT_FAILED)
        assert {(event.code, event.format) for event in failed} == {("template-error", "docx")}
        assert all(row["payload"] == b"" for row in await service.rows(jobs))
        templates.update(sound)
        ids = await service.stored(referral())
        assert len(await service.events(DOCUMENT_CREATED)) == len(ids) == 3
        assert {row["revision"] for row in await service.rows(documents)} == {2}


async def test_a_pdf_that_fails_leaves_the_word_file_readable(tmp_path: Path, store: ObjectStore) -> None:
    """Without LibreOffice the PDF fails visibly, and asking again tries the PDF alone."""
    async with running_service(tmp_path, store, pdf="eager", soffice="no-such-program") as service:
        ids = await service.stored(referral())

        async def pdfs_failed() -> bool:
            return [row["state"] for row in await service.rows(files) if row["format"] == "pdf"] == ["failed"] * 3

        await until(pdfs_failed)
        headers = service.sign_in("hana", DESTINATION)
        page = await service.client.get(f"/documents/{ids[SUMMARY]}", headers={**headers, "Accept": "text/html"})
        assert "PDFを作成できませんでした" in page.text
        assert f"/documents/{ids[SUMMARY]}/versions/1/docx" in page.text
        word = await service.client.get(f"/documents/{ids[SUMMARY]}/versions/1/docx", headers=headers)
        assert word.status_code == 200
        await service.receive(referral())

        async def failed_again() -> bool:
            return len(await service.events(DOCUMENT_FAILED)) == 6

        await until(failed_again)
        assert {(event.code, event.format) for event in await service.events(DOCUMENT_FAILED)} == {
            ("pdf-missing", "pdf")
        }
        assert len(await service.events(DOCUMENT_CREATED)) == 3


async def test_the_pdf_follows_the_word_file(tmp_path: Path, store: ObjectStore) -> None:
    """The page says that the PDF is being made; then it is there, told of, and what the mail's link opens."""
    assert shutil.which("soffice")
    async with running_service(tmp_path, store, pdf="eager") as service:
        ids = await service.stored(referral(audience=referral().audience[2:]))
        headers = service.sign_in("hana", DESTINATION)
        page_address = f"/documents/{ids[SUMMARY]}"
        early = await service.client.get(f"{page_address}/current", headers=headers)
        assert (early.status_code, early.headers["location"]) == (303, page_address)
        page = await service.client.get(page_address, headers={**headers, "Accept": "text/html"})
        assert "PDF作成中" in page.text

        async def added() -> bool:
            return bool(await service.events(FILE_ADDED))

        await until(added)
        late = await service.client.get(f"{page_address}/current", headers=headers)
        assert late.headers["location"] == f"{page_address}/versions/1/pdf"
        pdf = await service.client.get(late.headers["location"], headers=headers)
        event = (await service.events(FILE_ADDED))[0]
        assert pdf.content.startswith(b"%PDF")
        assert (hashlib.sha256(pdf.content).hexdigest(), len(pdf.content)) == (event.file.sha256, event.file.bytes)


@pytest.mark.parametrize("change", ["version", "planned"])
async def test_a_version_that_is_no_longer_wanted_is_not_made(tmp_path: Path, store: ObjectStore, change: str) -> None:
    """A correction or a closed audience that comes before the rendering leaves the old job nothing to do."""
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, referral())
        newer = {"version": 2, "planned": 0}[change]
        await runtime.database.write(
            lambda connection: connection.execute(sa.update(documents).values({change: newer}))
        )
    async with running_service(tmp_path, store) as service:

        async def done() -> bool:
            return not await service.rows(jobs)

        await until(done)
        assert await rows_of(service.runtime, files) == []
        assert await service.events(DOCUMENT_CREATED) == []
