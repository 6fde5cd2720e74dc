"""`tsunagi-documents block`: a case, a person or a document is cut by hand, every read sees it, and it is given back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.local.servers import ObjectStore
from tests.documents.running_service import (
    DESTINATION,
    PROVIDER,
    RunningService,
    referral,
    running_service,
    settings_in,
)
from tests.documents.test_closing import CASE, PERSONS, SHEET, SUMMARY, status
from tests.documents.test_verify import environment_of
from tsunagi_documents.__main__ import main
from tsunagi_documents.tables import blocks
from tsunagi_shared.audit import audit, audit_reasons
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
