"""Who may read: the agency with a live basis and a live contract, and nobody else; all of it on record."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from httpx import Response

from deploy.local.servers import ObjectStore
from tests.documents.running_service import (
    CONTRACTED,
    DESTINATION,
    ORIGIN,
    OUTSIDER,
    PROVIDER,
    RunningService,
    profile_with_ended_contract,
    referral,
    running_service,
)
from tsunagi_documents.objects import Stored
from tsunagi_documents.tables import files, openings
from tsunagi_shared import clock
from tsunagi_shared.accounts import AccountError
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View, of_role
from tsunagi_shared.contracts.events import DOCUMENT_OPENED
from tsunagi_shared.contracts.profile import Role

SUMMARY, SHEET = ("referral_sheet", "summary"), ("referral_sheet", "full")
PAGE = {"Accept": "text/html"}


def consented(agency: str, until: dt.date | None = None, *members: str) -> AudienceEntry:
    """An entry on the person's consent."""
    return AudienceEntry(agency, Basis(BasisKind.CONSENT, "consent/9"), View.SUMMARY, members, until)


async def answers(service: RunningService, identity: str, headers: Mapping[str, str]) -> list[Response]:
    """What the three addresses of a document answer."""
    paths = (f"/documents/{identity}", f"/documents/{identity}/current", f"/documents/{identity}/versions/1/docx")
    return [await service.client.get(path, headers=dict(headers)) for path in paths]


async def test_unknown_and_forbidden_get_the_same_answer(tmp_path: Path, store: ObjectStore) -> None:
    """No entry, an ended basis, a list of other members, no such document: one 404, refusals on record."""
    yesterday = clock.today() - dt.timedelta(days=1)
    entries = (consented("health", yesterday), consented("disability", None, "someone-else"))
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral(*entries)))[SUMMARY]
        seen = []
        for agency in (OUTSIDER, "health", "disability", ORIGIN):
            seen += await answers(service, identity, service.sign_in(f"of-{agency}", agency))
        seen += await answers(service, str(uuid.uuid4()), service.sign_in("reader", DESTINATION))
        seen += await answers(service, "no-id", service.sign_in("reader2", DESTINATION))
        assert {answer.status_code for answer in seen} == {404}
        assert len({answer.content for answer in seen}) == 1
        refused = [row for row in await service.recorded("document.open") if row[2] == "refused"]
        assert {(user, basis) for user, _, _, basis in refused} == {
            (f"of-{OUTSIDER}", "no-live-basis"),
            ("of-health", "no-live-basis"),
            ("of-disability", "no-live-basis"),
            (f"of-{ORIGIN}", "no-live-basis"),
            ("reader", "unknown-document"),
            ("reader2", "unknown-document"),
        }
        assert len(await service.recorded("document.show")) == 2 * len(refused)
        assert await service.events(DOCUMENT_OPENED) == []
        listed = await service.client.get("/documents", headers=service.sign_in("too", "health"))
        assert listed.json()["items"] == []


async def test_an_ended_contract_is_told_alike_of_every_document(tmp_path: Path, store: ObjectStore) -> None:
    """403 contract-ended at every address, of a document that is there and of one that is not, byte by byte; on record."""
    profile = profile_with_ended_contract(tmp_path / "profile")
    async with running_service(tmp_path, store, profile=profile) as service:
        identity = (await service.stored(referral(consented(CONTRACTED))))[SUMMARY]
        headers = service.sign_in("left", CONTRACTED)
        key = {**service.key(CONTRACTED, "documents:read"), "X-Acting-User": "left"}
        seen = []
        for asks in (headers, key):
            for one in (identity, str(uuid.uuid4()), "no-id"):
                seen += await answers(service, one, asks)
            seen.append(await service.client.get("/documents", headers=asks))
        for one in (identity, str(uuid.uuid4())):
            own_page = {**headers, "Sec-Fetch-Site": "same-origin"}
            seen.append(await service.client.post(f"/documents/{one}/evidence", headers=own_page))
            reason = {"reason": "見本の理由のため確かめる"}
            seen.append(await service.client.post(f"/documents/{one}/versions/1/docx", headers=own_page, json=reason))
        assert {(answer.status_code, answer.json()["code"]) for answer in seen} == {(403, "contract-ended")}
        assert len({answer.content for answer in seen}) == 1
        assert await service.events(DOCUMENT_OPENED) == []
        refused = await service.recorded("request")
        assert {(row[0], row[3]) for row in refused if row[0] == "left"} == {("left", "contract-ended")}


async def test_a_document_is_open_to_a_role_by_name(tmp_path: Path, store: ObjectStore) -> None:
    """Whoever holds the role there reads it, also in a post without cases; other staff, other agencies and keys do not; no
    account can be called as a role is."""
    open_to = tuple(of_role(role) for role in (Role.COORDINATOR, Role.AUDITOR))
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral(consented("disability", None, *open_to))))[SUMMARY]
        seen = {}
        for user, agency, role in (
            ("c", "disability", "coordinator"), ("a", "disability", "auditor"), ("b", "disability", "clerk"),
            ("m", "disability", "administrator"), ("o", "health", "coordinator"),
        ):  # fmt: skip
            headers = service.sign_in(user, agency, role)
            listed = (await service.client.get("/documents", headers=headers)).json()["items"]
            statuses = {answer.status_code for answer in await answers(service, identity, headers)}
            seen[user] = (statuses, [item["id"] for item in listed])
        assert {user for user, found in seen.items() if found == ({200, 303}, [identity])} == {"c", "a"}
        assert {user for user, found in seen.items() if found == ({404}, [])} == {"b", "m", "o"}
        key = {**service.key("disability", "documents:read"), "X-Acting-User": open_to[0]}
        assert {answer.status_code for answer in await answers(service, identity, key)} == {404}
        with pytest.raises(AccountError):
            service.sign_in(open_to[0], "disability")


async def test_a_live_basis_opens_the_document_until_its_last_day(tmp_path: Path, store: ObjectStore) -> None:
    """`until` is inclusive; named members read and the list shows it to them; the contract is live in the real profile."""
    entries = (consented("health", clock.today()), consented(CONTRACTED), consented("disability", None, "named"))
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral(*entries)))[SUMMARY]
        for user, agency in (("h", "health"), ("c", CONTRACTED), ("named", "disability"), ("d", DESTINATION)):
            headers = service.sign_in(user, agency)
            assert [answer.status_code for answer in await answers(service, identity, headers)] == [200, 303, 200]
            listed = (await service.client.get("/documents", headers=headers)).json()["items"]
            assert [item["id"] for item in listed] == [identity]


async def test_each_reading_is_on_record_and_opened_is_told_once(tmp_path: Path, store: ObjectStore) -> None:
    """An audit row with the basis for every file, one event and one row per version and person."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral()))[SUMMARY]
        first, second = service.sign_in("hana", DESTINATION), service.sign_in("jiro", DESTINATION)
        for headers in (first, first, second, first):
            assert (
                await service.client.get(f"/documents/{identity}/versions/1/docx", headers=headers)
            ).status_code == 200
        told = await service.events(DOCUMENT_OPENED)
        assert [(event.user, event.user_name, event.agency, event.format) for event in told] == [
            ("hana", "見本 hana", DESTINATION, "docx"),
            ("jiro", "見本 jiro", DESTINATION, "docx"),
        ]
        assert len(await service.rows(openings)) == 2
        record = await service.recorded("document.open")
        assert [row[0] for row in record] == ["hana", "hana", "jiro", "hana"]
        assert {row[1:] for row in record} == {
            (f"document/{identity}/versions/1/docx", "done", "consent:consent/1"),
        }


async def test_without_a_session_nothing_is_opened(tmp_path: Path, store: ObjectStore) -> None:
    """A mail scanner that follows the link lands on the sign-in page, a program gets 401; neither counts."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral()))[SUMMARY]
        for path in (f"/documents/{identity}/current", f"/documents/{identity}/versions/1/docx"):
            answer = await service.client.get(path, headers=PAGE)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in?next=")
            assert (await service.client.get(path)).status_code == 401
        assert await service.events(DOCUMENT_OPENED) == []


async def test_a_key_names_the_person_it_reads_for(tmp_path: Path, store: ObjectStore) -> None:
    """The person goes on record as claimed; without a name, or without the scope, nothing is read."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral()))[SUMMARY]
        path = f"/documents/{identity}/versions/1/docx"
        key = service.key(DESTINATION, "documents:read")
        for claimed in ("", "two words", "x" * 65):
            refused = await service.client.get(path, headers={**key, "X-Acting-User": claimed})
            assert (refused.status_code, refused.json()["code"]) == (400, "acting-user-missing")
        assert (await service.client.get(path, headers={**key, "X-Acting-User": "hana"})).status_code == 200
        assert (await service.client.get("/documents", headers=key)).status_code == 200
        unscoped = {**service.key(DESTINATION, "cases:read"), "X-Acting-User": "hana"}
        assert (await service.client.get(path, headers=unscoped)).status_code == 403
        opened = (await service.events(DOCUMENT_OPENED))[0]
        identifier = f"key:{key['X-API-Key'].partition('.')[0]}/hana"
        assert (opened.user, opened.user_name) == (identifier, "hana（見本システムによる申告）")
        assert [row[0] for row in await service.recorded("document.open")] == [identifier]


async def test_a_key_cannot_claim_to_be_a_named_member(tmp_path: Path, store: ObjectStore) -> None:
    """What is closed to named persons opens to a person who signed in, not to a claim."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral(consented("disability", None, "named"))))[SUMMARY]
        headers = {**service.key("disability", "documents:read"), "X-Acting-User": "named"}
        assert {answer.status_code for answer in await answers(service, identity, headers)} == {404}


@pytest.mark.parametrize("fault", ["changed", "lost"])
async def test_a_damaged_file_is_not_served(tmp_path: Path, store: ObjectStore, fault: str) -> None:
    """503 with its own code and not a byte of the file; on record, and not counted as opened."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral()))[SUMMARY]
        row = next(row for row in await service.rows(files) if row["document_id"] == identity)
        client = store.client()
        word = await service.runtime.parts.own.fetch(Stored(row["key"], row["sha256"], row["bytes"]))
        if fault == "lost":
            client.remove_object(store.bucket, row["key"])
        else:
            await service.runtime.parts.own.put(row["key"], word[:-1] + b"!", "application/octet-stream")
        headers = service.sign_in("hana", DESTINATION)
        answer = await service.client.get(f"/documents/{identity}/versions/1/docx", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "file-damaged")
        assert word[:4] not in answer.content
        assert await service.events(DOCUMENT_OPENED) == []
        assert [row[2:] for row in await service.recorded("document.open")] == [("refused", "file-damaged")]


async def test_access_ends_at_once_with_the_newer_audience(tmp_path: Path, store: ObjectStore) -> None:
    """An agency that the newest audience leaves out reads no more, what it could read a moment ago included."""
    async with running_service(tmp_path, store) as service:
        event = referral()
        ids = await service.stored(event)
        headers = service.sign_in("hana", DESTINATION)
        assert (await answers(service, ids[SUMMARY], headers))[2].status_code == 200
        await service.receive(msgspec.structs.replace(event, audience=event.audience[:2], audience_revision=2))
        assert {answer.status_code for answer in await answers(service, ids[SUMMARY], headers)} == {404}
        provider = service.sign_in("ken", PROVIDER)
        assert (await answers(service, ids[SHEET], provider))[2].status_code == 200
