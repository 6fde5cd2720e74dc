"""Scans of signed consents: who may add one, what is kept and told of it, and who reads it."""

from __future__ import annotations

import asyncio
import io
import uuid
from pathlib import Path
from typing import Any

import httpx
import pypdf

from deploy.local.servers import ObjectStore
from tests.documents import hostile_files as files
from tests.documents.running_service import (
    DESTINATION,
    ORIGIN,
    ORIGIN_ENTRY,
    OUTSIDER,
    PROVIDER,
    PROVIDER_ENTRY,
    RunningService,
    referral,
    running_service,
    until,
)
from tests.documents.sample_records import consented
from tests.documents.sample_referrals import PERSON, SON
from tsunagi_documents.kinds import CONSENT_EVIDENCE, document_id
from tsunagi_documents.tables import access, documents, tombstones
from tsunagi_documents.tables import files as file_rows
from tsunagi_documents.tables import versions as version_rows
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import (
    DOCUMENT_CREATED,
    DOCUMENT_SHARED,
    DOCUMENT_SUPERSEDED,
    AudienceChanged,
    ConsentGiven,
    RecordErased,
    RecordWithdrawn,
)

PAGE = {"Accept": "text/html"}
OWN = {"Sec-Fetch-Site": "same-origin"}


def consent(*further: AudienceEntry, **changes: Any) -> ConsentGiven:
    """A consent form that its writer and the provider read whole."""
    return consented(audience=(ORIGIN_ENTRY, PROVIDER_ENTRY, *further), provider=PROVIDER, **changes)


async def consent_form(service: RunningService, event: ConsentGiven | None = None) -> str:
    """The id of the consent form's document, once its Word file is there."""
    await service.receive(event or consent())
    await until(service.all_made)
    return next(str(row["id"]) for row in await service.rows(documents) if row["kind"] == "consent_form")


def token_of(service: RunningService, headers: dict[str, str]) -> str:
    """The form token of a session."""
    principal = service.runtime.accounts.session(headers["Cookie"].partition("=")[2])
    assert principal is not None
    return principal.csrf


async def send(
    service: RunningService,
    identity: str,
    headers: dict[str, str],
    content: bytes = b"",
    name: str = "scan.pdf",
    **more: str,
) -> httpx.Response:
    """Hand in a scan as a page does."""
    fields = {"_csrf": token_of(service, headers) if "Cookie" in headers else ""}
    return await service.client.post(
        f"/documents/{identity}/evidence",
        headers={**headers, **OWN, **more},
        data=fields,
        files={"scan": (name, content or files.scanned_pdf(2), "application/octet-stream")},
    )


async def test_a_scan_is_kept_beside_its_consent_form(tmp_path: Path, store: ObjectStore) -> None:
    """It is a document of the same form, with the same readers; nobody gets a notice; file, chain and audit are there."""
    async with running_service(tmp_path, store) as service:
        identity = await consent_form(service)
        headers = service.sign_in("mado", ORIGIN, "clerk")
        answer = await send(service, identity, headers)
        assert answer.status_code == 201, answer.text
        added = answer.json()
        assert (added["version"], added["pages"], added["again"]) == (1, 2, False)
        assert answer.headers["location"] == f"/documents/{added['document_id']}"
        rows = {row["id"]: row for row in await service.rows(documents)}
        scan, form = rows[added["document_id"]], rows[identity]
        assert (scan["kind"], scan["form"], scan["state"], scan["planned"]) == (
            "consent_evidence",
            form["form"],
            "stored",
            1,
        )
        assert (scan["case_number"], scan["retention_class"]) == (form["case_number"], form["retention_class"])
        reads = [(row["document_id"], row["agency"]) for row in await service.rows(access)]
        assert {agency for of, agency in reads if of == scan["id"]} == {ORIGIN, PROVIDER}
        created = [event for event in await service.events(DOCUMENT_CREATED) if event.kind == "consent_evidence"]
        assert [(event.tell, event.readers, event.word.format) for event in created] == [
            ((), tuple(sorted((ORIGIN, PROVIDER))), "pdf")
        ]
        assert await service.events(DOCUMENT_SHARED) == []
        assert await service.recorded("evidence.add") == [
            ("mado", f"document/{scan['id']}/versions/1", "done", f"origin:{ORIGIN_ENTRY.basis.ref}")
        ]
        opened = await service.client.get(f"/documents/{scan['id']}/versions/1/pdf", headers=headers)
        assert opened.status_code == 200
        assert len(pypdf.PdfReader(io.BytesIO(opened.content)).pages) == 2
        key = next(row["key"] for row in await service.rows(file_rows) if row["document_id"] == scan["id"])
        assert key.startswith(f"consent_evidence/{scan['id']}/1/")


async def test_a_page_is_led_to_the_scan(tmp_path: Path, store: ObjectStore) -> None:
    """The consent form's page has the form to hand it in, without script; afterwards one sees the scan."""
    async with running_service(tmp_path, store) as service:
        identity = await consent_form(service)
        headers = service.sign_in("ken", PROVIDER, "coordinator")
        page = (await service.client.get(f"/documents/{identity}", headers={**headers, **PAGE})).text
        for words in (
            'enctype="multipart/form-data"',
            f'action="/documents/{identity}/evidence"',
            'name="_csrf"',
            "10 MB",
        ):
            assert words in page
        answer = await send(service, identity, headers, files.jpeg(), "写真.jpg", **PAGE)
        assert answer.status_code == 303
        page = (await service.client.get(answer.headers["location"], headers={**headers, **PAGE})).text
        assert "個人情報共有同意書（原本の写し）" in page
        assert "multipart/form-data" not in page
        assert "写真" not in page


async def test_a_further_scan_is_the_next_version(tmp_path: Path, store: ObjectStore) -> None:
    """The older one stays, said to be superseded; the very same file again changes nothing."""
    async with running_service(tmp_path, store) as service:
        identity = await consent_form(service)
        headers = service.sign_in("mado", ORIGIN, "clerk")
        first = (await send(service, identity, headers)).json()
        again = await send(service, identity, headers)
        assert (again.status_code, again.json()["again"], again.json()["version"]) == (200, True, 1)
        second = (await send(service, identity, headers, files.png())).json()
        assert (second["document_id"], second["version"]) == (first["document_id"], 2)
        chain = [row for row in await service.rows(version_rows) if row["document_id"] == first["document_id"]]
        assert [row["version"] for row in chain] == [1, 2]
        assert chain[1]["previous"] == chain[0]["chain"]
        (superseded,) = await service.events(DOCUMENT_SUPERSEDED)
        assert (superseded.version, superseded.by_version) == (1, 2)


async def test_two_scans_at_once_are_two_versions(tmp_path: Path, store: ObjectStore) -> None:
    """Both are kept; none takes the other's place."""
    async with running_service(tmp_path, store) as service:
        identity = await consent_form(service)
        headers = service.sign_in("mado", ORIGIN, "clerk")
        answers = await asyncio.gather(
            *(send(service, identity, headers, content) for content in (files.png(), files.jpeg(), files.scanned_pdf()))
        )
        assert sorted(answer.json()["version"] for answer in answers) == [1, 2, 3]


async def test_only_who_reads_the_whole_form_may_add_a_scan(tmp_path: Path, store: ObjectStore) -> None:
    """Others get the answer that one gets for what is not there, and it is on record; so for other kinds of document."""
    async with running_service(tmp_path, store) as service:
        identity = await consent_form(service)
        for agency in (OUTSIDER, DESTINATION):
            headers = service.sign_in(f"soto-{agency}", agency, "agency_staff")
            answer = await send(service, identity, headers)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        headers = service.sign_in("mado", ORIGIN, "clerk")
        await service.receive(referral())
        await until(service.all_made)
        sheet = next(row["id"] for row in await service.rows(documents) if row["kind"] == "referral_sheet")
        assert (await send(service, sheet, headers)).status_code == 404
        assert (await send(service, "no-such-document", headers)).status_code == 404
        outcomes = [(row[2], row[3]) for row in await service.recorded("evidence.add")]
        assert outcomes == [
            ("refused", "no-live-basis"),
            ("refused", "no-live-basis"),
            ("refused", "not-a-consent-form"),
            ("refused", "unknown-document"),
        ]
        assert not [row for row in await service.rows(documents) if row["kind"] == "consent_evidence"]


async def test_a_machine_or_a_foreign_page_adds_nothing(tmp_path: Path, store: ObjectStore) -> None:
    """A key is nobody who has seen the paper; a page of another site, or one without the session's token, is refused."""
    async with running_service(tmp_path, store) as service:
        identity = await consent_form(service)
        headers = service.sign_in("mado", ORIGIN, "clerk")
        assert (await send(service, identity, service.key(ORIGIN, "documents:read"))).status_code == 403
        foreign = await service.client.post(
            f"/documents/{identity}/evidence",
            headers={**headers, "Sec-Fetch-Site": "cross-site"},
            files={"scan": files.png()},
        )
        assert foreign.status_code == 403
        untold = await service.client.post(
            f"/documents/{identity}/evidence", headers={**headers, **OWN}, files={"scan": files.png()}
        )
        assert (untold.status_code, untold.json()["code"]) == (403, "page-expired")
        anonymous = await service.client.post(f"/documents/{identity}/evidence", headers=OWN, files={"scan": b"x"})
        assert anonymous.status_code == 401


REFUSED_FILES: tuple[tuple[bytes, int, str], ...] = (
    (b"PK\x03\x04 mihon", 422, "scan-wrong-type"),
    (files.scanned_pdf()[:3000], 422, "scan-unreadable"),
    (files.encrypted_pdf(), 422, "scan-encrypted"),
    (files.scanned_pdf(31), 422, "scan-too-many-pages"),
    (files.png_bomb(), 422, "scan-too-heavy"),
    (files.annotated_pdf("/Ink"), 422, "scan-annotated"),
    (b"%PDF-" + bytes(10 * 1024 * 1024), 413, "scan-too-large"),
    (b"%PDF-" + bytes(11 * 1024 * 1024), 413, "scan-too-large"),
)


async def test_a_refused_file_leaves_nothing(tmp_path: Path, store: ObjectStore) -> None:
    """The reason and the way out in Japanese, the same on a page; no row, no object."""
    async with running_service(tmp_path, store) as service:
        event = consent(form_id=str(uuid.uuid4()))
        identity = await consent_form(service, event)
        headers = service.sign_in("mado", ORIGIN, "clerk")
        for content, status, code in REFUSED_FILES:
            answer = await send(service, identity, headers, content)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.json()["detail"]
        page = await send(service, identity, headers, REFUSED_FILES[0][0], **PAGE)
        assert page.status_code == 422
        assert "PDF、PNG、JPEGのいずれか" in page.text
        assert not [row for row in await service.rows(documents) if row["kind"] == "consent_evidence"]
        assert await objects_of(service, event) == []


async def objects_of(service: RunningService, event: ConsentGiven) -> list[str]:
    """The keys of what the bucket holds of the scans of a consent."""
    identity = document_id(f"consent/{event.form_id}", CONSENT_EVIDENCE, View.FULL)
    return [found.key for found in await service.runtime.parts.own.list(f"{CONSENT_EVIDENCE}/{identity}/")]


async def test_a_post_that_is_no_upload_is_told_what_to_send(tmp_path: Path, store: ObjectStore) -> None:
    """No file, another kind of body, a broken one: each is refused with a code."""
    async with running_service(tmp_path, store) as service:
        identity = await consent_form(service)
        headers = service.sign_in("mado", ORIGIN, "clerk")
        address = f"/documents/{identity}/evidence"
        token = {"_csrf": token_of(service, headers)}
        empty = await service.client.post(
            address, headers={**headers, **OWN}, data=token, files={"scan": ("a.pdf", b"", "application/pdf")}
        )
        assert (empty.status_code, empty.json()["code"]) == (422, "scan-missing")
        plain = await service.client.post(address, headers={**headers, **OWN}, json={"scan": "x"})
        assert plain.status_code == 415
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        broken = await service.client.post(address, headers={**headers, **OWN, **kind}, content=b"--b\r\nno end")
        assert broken.status_code == 400


async def test_a_scan_is_closed_with_its_form(tmp_path: Path, store: ObjectStore) -> None:
    """A narrower audience, a form taken back: the scan closes with the form that it belongs to."""
    async with running_service(tmp_path, store) as service:
        event = consent()
        identity = await consent_form(service, event)
        headers = service.sign_in("mado", ORIGIN, "clerk")
        provider = service.sign_in("ken", PROVIDER, "coordinator")
        address = f"/documents/{(await send(service, identity, headers)).json()['document_id']}/versions/1/pdf"
        assert (await service.client.get(address, headers=provider)).status_code == 200
        form = f"consent/{event.form_id}"
        narrower = AudienceChanged(
            form=form,
            case_number=event.case_number,
            audience_revision=2,
            entries=(ORIGIN_ENTRY,),
            persons=event.persons,
        )
        await service.receive(narrower)
        assert (await service.client.get(address, headers=provider)).status_code == 404
        assert (await service.client.get(address, headers=headers)).status_code == 200
        await service.receive(
            RecordWithdrawn(form=form, case_number=event.case_number, code="misdirected", keep=(), at=clock.now())
        )
        assert (await service.client.get(address, headers=headers)).status_code == 404


async def test_who_is_kept_something_back_does_not_see_the_scan(tmp_path: Path, store: ObjectStore) -> None:
    """The paper shows all there is: an agency whose projection hides or withholds something gets no access to it."""
    narrowed = AudienceEntry(
        DESTINATION, Basis(BasisKind.RESPONSIBLE_SECTION), View.FULL, hidden=(SON,), withheld=(f"{PERSON}:address",)
    )
    async with running_service(tmp_path, store) as service:
        await service.receive(consent(narrowed))
        await until(service.all_made)
        forms = {row["hidden"]: row["id"] for row in await service.rows(documents) if row["kind"] == "consent_form"}
        whole, cut = forms["[]"], next(identity for hidden, identity in forms.items() if hidden != "[]")
        scan = (await send(service, whole, service.sign_in("mado", ORIGIN, "clerk"))).json()["document_id"]
        reads = {row["agency"] for row in await service.rows(access) if row["document_id"] == scan}
        assert reads == {ORIGIN, PROVIDER}
        refused = await send(service, cut, service.sign_in("kai", DESTINATION, "agency_staff"))
        assert (refused.status_code, refused.json()["code"]) == (403, "parts-kept-back")


async def test_an_agency_that_comes_later_reads_the_scan(tmp_path: Path, store: ObjectStore) -> None:
    """Access follows the form's audience, also when it grows; a corrected consent keeps its scan."""
    async with running_service(tmp_path, store) as service:
        event = consent()
        identity = await consent_form(service, event)
        headers = service.sign_in("mado", ORIGIN, "clerk")
        scan = (await send(service, identity, headers)).json()["document_id"]
        section = AudienceEntry(DESTINATION, Basis(BasisKind.RESPONSIBLE_SECTION), View.FULL)
        wider = consent(section, form_id=event.form_id, revision=2, audience_revision=2)
        await service.receive(wider)
        await until(service.all_made)
        later = service.sign_in("kai", DESTINATION, "agency_staff")
        assert (await service.client.get(f"/documents/{scan}/versions/1/pdf", headers=later)).status_code == 200


async def test_an_erased_form_takes_its_scan_along(tmp_path: Path, store: ObjectStore) -> None:
    """Row and object go, a tombstone stays, and no scan can be added afterwards."""
    async with running_service(tmp_path, store) as service:
        event = consent(form_id=str(uuid.uuid4()))
        identity = await consent_form(service, event)
        headers = service.sign_in("mado", ORIGIN, "clerk")
        scan = (await send(service, identity, headers)).json()["document_id"]
        assert len(await objects_of(service, event)) == 1
        await service.receive(
            RecordErased(
                forms=(f"consent/{event.form_id}",), case_number=event.case_number, code="retention", at=clock.now()
            )
        )
        assert scan in {row["id"] for row in await service.rows(tombstones)}

        async def swept() -> bool:
            return await objects_of(service, event) == []

        await until(swept)
        assert (await send(service, identity, headers)).status_code == 404
