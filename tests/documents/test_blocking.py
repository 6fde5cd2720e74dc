"""`tsunagi-documents block`: a case, a person or a document is cut by hand, every read sees it, and it is given back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from deploy.local.servers import ObjectStore
from tests.data.services import runtime_in
from tests.documents.running_service import (
    DESTINATION,
    ORIGIN_ENTRY,
    PROVIDER,
    PROVIDER_ENTRY,
    RunningService,
    receive,
    referral,
    running_service,
    settings_in,
)
from tests.documents.test_closing import CASE, FORM, PERSONS, SHEET, SUMMARY, changed, status
from tests.documents.test_verify import environment_of
from tsunagi_documents import blocking
from tsunagi_documents.__main__ import main
from tsunagi_documents.closing import doors_of
from tsunagi_documents.reading import Refused, grant_for
from tsunagi_documents.tables import blocks, documents
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.audit import audit, audit_reasons, verify
from tsunagi_shared.contracts import events


def command(scope: str, ref: str, *further: str) -> list[str]:
    """What somebody types."""
    return ["block", scope, ref, "--reason", "確かめるまで閉じる", *further]


async def answers(service: RunningService, ids: dict[tuple[str, str], str]) -> tuple[int, int, int]:
    """What the destination meets at its summary, the provider at its sheet, and how many the provider's list shows."""
    reader, provider = ({"Cookie": cookie} for cookie in service.cookies)  # type: ignore[attr-defined]
    listed = (await service.client.get("/documents", headers=provider)).json()["items"]
    return await status(service, ids[SUMMARY], reader), await status(service, ids[SHEET], provider), len(listed)


@pytest.fixture
def settings_named(tmp_path: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds the service's settings."""
    for name, value in environment_of(settings_in(tmp_path, store)).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("settings_named")
@pytest.mark.parametrize(("scope", "ref"), [("case", CASE), ("person", PERSONS[2]), ("document", "")])
async def test_what_is_blocked_is_not_there_until_it_is_given_back(
    tmp_path: Path, store: ObjectStore, scope: str, ref: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """404 and off the list for whom it concerns; the agencies are told both times; who, what and why is on record."""
    async with running_service(tmp_path, store) as service:
        ids = await service.stored(referral(persons=PERSONS))
        headers = (service.sign_in("hana", DESTINATION), service.sign_in("ken", PROVIDER))
        service.cookies = tuple(header["Cookie"] for header in headers)  # type: ignore[attr-defined]
        ref = ref or ids[SUMMARY]
        concerned = {ids[SUMMARY]} if scope == "document" else set(ids.values())
        assert await answers(service, ids) == (200, 200, 2)
        assert await asyncio.to_thread(main, command(scope, ref)) == 0
        assert f"{len(concerned)} 件の文書を閉じました。" in capsys.readouterr().out
        assert await answers(service, ids) == ((404, 200, 2) if scope == "document" else (404, 404, 0))
        told = await service.events(events.DOCUMENT_WITHDRAWN)
        assert {(one.document_id, one.code, one.readers) for one in told} == {
            (identity, "blocked", ()) for identity in concerned
        }
        assert ("hana", "refused", "blocked") in {
            (user, outcome, basis) for user, _, outcome, basis in await service.recorded("document.open")
        }
        assert await asyncio.to_thread(main, command(scope, ref)) == 1
        assert "すでに閉じてあります" in capsys.readouterr().err
        assert await asyncio.to_thread(main, ["block", "list"]) == 0
        assert f"{scope}\t{ref}\t" in capsys.readouterr().out
        assert await asyncio.to_thread(main, command(scope, ref, "--lift")) == 0
        assert await answers(service, ids) == (200, 200, 2)
        assert {one.document_id for one in await service.events(events.DOCUMENT_SHARED)} == concerned
        assert await service.rows(blocks) == []
        done = [row for row in await service.rows(audit) if row["via"] == "command"]
        assert [(row["action"], row["subject"]) for row in done] == [
            ("document.block", f"{scope}/{ref}"),
            ("document.unblock", f"{scope}/{ref}"),
        ]
        assert {row["reason"] for row in await service.rows(audit_reasons)} == {"確かめるまで閉じる"}
        assert {row["case_number"] for row in done} == {CASE}


@pytest.mark.usefixtures("settings_named")
async def test_the_reason_goes_with_each_case_it_concerns(tmp_path: Path, store: ObjectStore) -> None:
    """A person of two cases is on record under both; erasing one takes its reason away, erasing both leaves none, and the chain
    holds. Giving back what has nothing left keeps no reason that nothing could take away."""
    other = "C8-00099"
    async with running_service(tmp_path, store) as service:
        await service.receive(referral(persons=PERSONS))
        await service.receive(referral(persons=PERSONS, referral_id="another", case_number=other))
        assert await asyncio.to_thread(main, command("person", PERSONS[2])) == 0
        blocked = [row for row in await service.rows(audit) if row["action"] == "document.block"]
        assert sorted(row["case_number"] for row in blocked) == sorted([CASE, other])
        for form, case, left in ((FORM, CASE, 1), ("referral/another", other, 0)):
            erased = events.RecordErased(forms=(form,), case_number=case, code="retention", at=clock.now())
            await service.receive(erased)
            assert len(await service.rows(audit_reasons)) == left
        assert await asyncio.to_thread(main, command("person", PERSONS[2], "--lift")) == 0
        assert await service.rows(audit_reasons) == []
        assert (await service.runtime.database.read(verify)).broken_at is None


async def test_a_person_stays_cut_by_whatever_id_they_are_known(tmp_path: Path) -> None:
    """Known by another id since, or found to be two again: the block holds, whichever of the ids it names, in whatever order
    the events come; papers of the person by the other id are cut as well."""
    runtime = runtime_in(tmp_path, "documents")
    doors, reader = doors_of(runtime), Principal("ken", "見本", PROVIDER, frozenset({"coordinator"}), "session")
    try:
        await receive(runtime, referral(referral_id="2", persons=("2.0",)))
        await receive(runtime, referral(referral_id="1", persons=("1.0",)))

        def block(connection: Connection) -> int:
            return blocking.block(connection, runtime.profile, doors, blocking.Block("person", "2.0"), "確かめるため")

        def refused(connection: Connection) -> set[str]:
            found = connection.execute(sa.select(documents.c.id, documents.c.form)).all()
            grants = (
                (row.form, grant_for(connection, runtime.profile, reader, row.id, clock.today())) for row in found
            )
            return {form for form, grant in grants if grant is Refused.BLOCKED}

        assert await runtime.database.write(block) > 0
        assert await runtime.database.read(refused) == {"referral/2"}
        entries = (ORIGIN_ENTRY, PROVIDER_ENTRY)
        for revision, persons, other_ids, cut in (
            (3, ("1.0",), {"1.0": ("2.0",)}, {"referral/1", "referral/2"}),
            (2, ("2.0",), {}, {"referral/1", "referral/2"}),
            (4, ("3.0",), {"3.0": ("1.0",)}, {"referral/1", "referral/2"}),
        ):
            told = changed(revision, *entries, form="referral/2", persons=persons, other_ids=other_ids)
            await receive(runtime, told)
            assert await runtime.database.read(refused) == cut
    finally:
        runtime.database.close()
        runtime.accounts.close()


@pytest.mark.usefixtures("settings_named")
async def test_a_block_that_concerns_nothing_is_refused(
    tmp_path: Path, store: ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped id, a reason left out, or something that is not closed: told in plain words, nothing changed."""
    async with running_service(tmp_path, store) as service:
        await service.stored(referral(persons=PERSONS))
        for arguments, words in (
            (command("document", "no-id"), "IDの形ではありません"),
            (command("person", "nobody"), "出てくる文書はありません"),
            (command("case", CASE, "--lift"), "閉じてありません"),
        ):
            assert await asyncio.to_thread(main, arguments) == 1
            assert words in capsys.readouterr().err
        for incomplete in (["block", "case", CASE], ["block", "case", "--reason", "x"]):
            with pytest.raises(SystemExit):
                main(incomplete)
        assert await service.rows(blocks) == []


def test_the_command_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names it beside the commands of every service."""
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert "block" in shown
    assert "verify" in shown
