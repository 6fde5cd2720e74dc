"""Stale is closed: where consents are not known well enough, what rests on one opens with a typed reason alone."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.local.servers import ObjectStore
from tests.conftest import MovableClock
from tests.documents.running_service import (
    DESTINATION,
    ORIGIN,
    ORIGIN_ENTRY,
    PROVIDER,
    RunningService,
    referral,
    running_service,
    until,
)
from tsunagi_documents.tables import documents, openings
from tsunagi_shared import clock
from tsunagi_shared.audit import audit_reasons
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import WatermarkPassed

SUMMARY, SHEET = ("referral_sheet", "summary"), ("referral_sheet", "full")
PAGE = {"Accept": "text/html"}
REASON = "今夜の訪問に必要なため"
HOURS_25 = 25 * 3600


def own(service: RunningService, headers: dict[str, str]) -> dict[str, str]:
    """As this service's own page posts."""
    return {**headers, "Origin": service.runtime.settings.public_url}


async def test_a_basis_of_consent_closes_when_consents_are_too_old(
    tmp_path: Path, store: ObjectStore, movable_clock: MovableClock
) -> None:
    """503 consent-unknown for the destination, not for the writer; a watermark opens again; refusals are on record."""
    async with running_service(tmp_path, store) as service:
        ids = await service.stored(referral())
        path = f"/documents/{ids[SUMMARY]}/versions/1/docx"
        assert (await service.client.get(path, headers=service.sign_in("a", DESTINATION))).status_code == 200
        movable_clock.forward(HOURS_25)
        reader = service.sign_in("hana", DESTINATION)
        refused = await service.client.get(path, headers=reader)
        assert (refused.status_code, refused.json()["code"]) == (503, "consent-unknown")
        writer = service.sign_in("mado", ORIGIN)
        assert (await service.client.get(f"/documents/{ids[SHEET]}/versions/1/docx", headers=writer)).status_code == 200
        shown = await service.client.get(f"/documents/{ids[SUMMARY]}", headers={**reader, **PAGE})
        assert "同意の状態が確かめられません" in shown.text
        assert [row[2:] for row in await service.recorded("document.open") if row[0] == "hana"] == [
            ("refused", "consent-unknown")
        ]
        await service.receive(WatermarkPassed(at=clock.now()))
        assert (await service.client.get(path, headers=reader)).status_code == 200


async def test_a_typed_reason_opens_it_once_and_goes_on_record(
    tmp_path: Path, store: ObjectStore, movable_clock: MovableClock
) -> None:
    """The page asks for the reason and posts it; the file comes, the reason is in the audit, the next reading asks again."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral()))[SUMMARY]
        path = f"/documents/{identity}/versions/1/docx"
        movable_clock.forward(HOURS_25)
        reader = service.sign_in("hana", DESTINATION)
        asked = await service.client.get(path, headers={**reader, **PAGE})
        assert asked.status_code == 503
        assert "理由を記録して開く" in asked.text
        token = re.search(r'name="_csrf" value="([^"]+)"', asked.text)
        assert token is not None
        for wrong in ({"_csrf": "x", "reason": REASON}, {"reason": REASON}):
            forged = await service.client.post(path, data=wrong, headers=own(service, reader))
            assert forged.status_code == 403
        mistyped = {"_csrf": token[1], "reason": "長" * 201}
        again = await service.client.post(path, data=mistyped, headers=own(service, {**reader, **PAGE}))
        assert again.status_code == 422
        assert "200文字まで" in again.text
        assert "長" * 201 in again.text, "what was typed is there still"
        for nothing in ({}, {"reason": " \u3000"}):
            data = {"_csrf": token[1], **nothing}
            empty = await service.client.post(path, data=data, headers=own(service, {**reader, **PAGE}))
            assert empty.status_code == 422
            assert "理由を入力してください" in empty.text
        assert (await service.client.get(path, params={"reason": " \u3000"}, headers=reader)).status_code == 503
        typed = {"_csrf": token[1], "reason": REASON}
        opened = await service.client.post(path, data=typed, headers=own(service, {**reader, **PAGE}))
        assert opened.status_code == 200
        assert opened.content.startswith(b"PK")
        assert [row["reason"] for row in await service.rows(audit_reasons)] == [REASON]
        assert (await service.recorded("document.open"))[-1][2:] == ("done", "consent:consent/1")
        assert len(await service.rows(openings)) == 1
        assert (await service.client.get(path, headers=reader)).status_code == 503
        assert (await service.client.get(path, params={"reason": REASON}, headers=reader)).status_code == 200
        as_json = await service.client.post(path, json={"reason": REASON}, headers=own(service, reader))
        assert as_json.status_code == 200
        assert (await service.client.post(path, json=["x"], headers=own(service, reader))).status_code == 400


async def test_a_program_cannot_give_a_reason(tmp_path: Path, store: ObjectStore, movable_clock: MovableClock) -> None:
    """A key reads again when consents are known, and not before."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral()))[SUMMARY]
        path = f"/documents/{identity}/versions/1/docx"
        movable_clock.forward(HOURS_25)
        key = {**service.key(DESTINATION, "documents:read"), "X-Acting-User": "hana"}
        assert (await service.client.get(path, params={"reason": REASON}, headers=key)).status_code == 503
        assert (await service.client.post(path, json={"reason": REASON}, headers=key)).status_code == 503


async def test_pages_say_up_to_when_consents_are_known(
    tmp_path: Path, store: ObjectStore, movable_clock: MovableClock
) -> None:
    """The time of the newest watermark, with its day when that is not today's; an older one changes nothing."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral()))[SUMMARY]
        moment = clock.now()
        await service.receive(WatermarkPassed(at=moment))
        await service.receive(WatermarkPassed(at=moment.replace(year=moment.year - 1)))
        local = moment.astimezone(clock.JST)
        reader = service.sign_in("hana", DESTINATION)
        for path in ("/documents", f"/documents/{identity}"):
            assert f"{local:%H:%M}時点" in (await service.client.get(path, headers={**reader, **PAGE})).text
        movable_clock.forward(HOURS_25)
        listed = await service.client.get("/documents", headers={**service.sign_in("b", DESTINATION), **PAGE})
        assert f"{local.month}月{local.day}日 {local:%H:%M}時点" in listed.text


async def test_a_provider_that_needs_consent_rests_on_it_too(
    tmp_path: Path, store: ObjectStore, movable_clock: MovableClock
) -> None:
    """Its full sheets close as well when consents are too old; those of a provider that needs none do not."""
    needing = AudienceEntry(PROVIDER, Basis(BasisKind.PROVIDER, "referral/1"), View.FULL)
    exempt = AudienceEntry(PROVIDER, Basis(BasisKind.PROVIDER, "exempt"), View.FULL)
    async with running_service(tmp_path, store) as service:
        for name, entry in (("a", needing), ("b", exempt)):
            await service.receive(referral(referral_id=name, audience=(ORIGIN_ENTRY, entry)))
        await until(service.all_made)
        rows = sorted(await service.rows(documents), key=lambda row: str(row["form"]))
        ids = [row["id"] for row in rows if row["kind"] == SHEET[0]]
        movable_clock.forward(HOURS_25)
        reader = service.sign_in("ken", PROVIDER)
        answers = [await service.client.get(f"/documents/{one}/versions/1/docx", headers=reader) for one in ids]
        assert [answer.status_code for answer in answers] == [503, 200]
        assert answers[0].json()["code"] == "consent-unknown"
