"""`tsunagi-documents verify`: damaged and lost files are told, what belongs to no document is told and taken away."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from deploy.local.servers import ObjectStore
from tests.documents.running_service import RunningService, referral, running_service, settings_in
from tsunagi_documents import verify
from tsunagi_documents.__main__ import main
from tsunagi_documents.objects import Bucket
from tsunagi_documents.tables import documents, files, versions
from tsunagi_documents.verify import Findings, report, verify_with
from tsunagi_shared import clock
from tsunagi_shared.settings import Settings, variable_of

ORPHAN = "referral_sheet/00000000-0000-0000-0000-000000000000/1/0123.docx"


@pytest.fixture
async def own_store(tmp_path: Path) -> AsyncIterator[ObjectStore]:
    """An object store for one test: what others left in theirs would be orphans here."""
    server = ObjectStore(tmp_path / "store")
    await server.start()
    yield server
    await server.stop()


async def change(service: RunningService, statement: sa.Executable) -> None:
    """Do to the database what nobody should."""
    await service.runtime.database.write(lambda connection: connection.execute(statement))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(versions.update().values(data_sha256="0" * 64), id="data"),
        pytest.param(versions.update().values(template_sha256="0" * 64), id="template"),
        pytest.param(versions.update().values(form_revision=9), id="revision"),
        pytest.param(versions.update().values(previous=b"x"), id="link"),
        pytest.param(versions.update().values(chain=b"x" * 32), id="value"),
        pytest.param(documents.update().values(chain_key=b"x" * 32), id="key"),
    ],
)
async def test_a_record_changed_behind_the_service_is_told(
    tmp_path: Path, own_store: ObjectStore, damage: sa.Update
) -> None:
    """Each part of a version's record is vouched for by the chain; the file itself is still whole."""
    async with running_service(tmp_path, own_store) as service:
        identities = await service.stored(referral())
        identity = identities["referral_sheet", "full"]
        column = documents.c.id if damage.table is documents else versions.c.document_id
        await change(service, damage.where(column == identity))
        found = await verify_with(settings_in(tmp_path, own_store))
    assert found.altered == [f"referral_sheet/{identity}/1"]
    assert (found.damaged, found.missing, found.unrecorded, found.sound) == ([], [], [], False)
    assert f"referral_sheet/{identity}/1" in report(found)


async def test_a_file_changed_with_its_hash_is_told(tmp_path: Path, own_store: ObjectStore) -> None:
    """Whoever changes bucket and database alike cannot make the chain's value."""
    async with running_service(tmp_path, own_store) as service:
        identity = (await service.stored(referral()))["referral_sheet", "full"]
        forged = b"another paper"
        row = next(row for row in await service.rows(files) if row["document_id"] == identity)
        bucket: Bucket = service.runtime.parts.own
        await bucket.put(row["key"], forged, "application/octet-stream")
        digest = hashlib.sha256(forged).hexdigest()
        own = files.update().where(files.c.document_id == identity)
        await change(service, own.values(sha256=digest, bytes=len(forged)))
        found = await verify_with(settings_in(tmp_path, own_store))
    assert (found.altered, found.damaged) == ([f"referral_sheet/{identity}/1"], [])


async def test_a_version_taken_out_is_told(tmp_path: Path, own_store: ObjectStore) -> None:
    """Out of the middle: the next one's link is broken, and its file belongs to no record. The newest: it is missing."""
    async with running_service(tmp_path, own_store) as service:
        identity = (await service.stored(referral()))["referral_sheet", "full"]
        for revision in (2, 3):
            await service.stored(referral(revision=revision))
        settings = settings_in(tmp_path, own_store)
        assert (await verify_with(settings)).sound
        own = versions.c.document_id == identity
        await change(service, versions.delete().where(own, versions.c.version == 2))
        found = await verify_with(settings)
        assert found.altered == [f"referral_sheet/{identity}/3"]
        assert found.unrecorded == [f"referral_sheet/{identity}/2"]
        await change(service, versions.delete().where(own, versions.c.version == 3))
        await change(service, files.delete().where(files.c.document_id == identity, files.c.version > 1))
        found = await verify_with(settings)
        assert (found.altered, found.unrecorded) == ([], [f"referral_sheet/{identity}/3"])


async def test_more_documents_than_a_page_are_all_looked_at(
    tmp_path: Path, own_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read page by page, nothing is left out and nothing taken for an orphan."""
    monkeypatch.setattr(verify, "PAGE", 2)
    async with running_service(tmp_path, own_store) as service:
        await service.stored(referral())
        found = await verify_with(settings_in(tmp_path, own_store))
    assert (found.checked, found.versions, found.sound) == (3, 3, True)


def later(folder: Path, seconds: int) -> None:
    """Move the clock on."""
    file = folder / "clock"
    file.write_text(str(seconds))
    clock.follow(file)


async def test_verify_finds_what_is_wrong_and_removes_old_orphans_only(tmp_path: Path, own_store: ObjectStore) -> None:
    """Sound, then one file changed, one lost and one that nobody knows: younger than an hour it stays, older it goes."""
    settings = settings_in(tmp_path, own_store)
    async with running_service(tmp_path, own_store) as service:
        await service.stored(referral())
        assert (
            report(await verify_with(settings)) == "ファイル 3 件と、版の記録 3 件を確かめました。\n異常はありません。"
        )
        bucket: Bucket = service.runtime.parts.own
        keys = [row["key"] for row in await service.rows(files)]
        await bucket.put(keys[0], b"changed", "application/octet-stream")
        await bucket.remove(keys[1])
        await bucket.put(ORPHAN, b"nobody's", "application/octet-stream")
        found = await verify_with(settings, remove=True)
        assert (found.damaged, found.missing, found.orphans) == ([keys[0]], [keys[1]], [])
        try:
            later(tmp_path, 7200)
            assert (await verify_with(settings)).orphans == [ORPHAN]
            removed = await verify_with(settings, remove=True)
            assert removed.removed == [ORPHAN]
            assert (await verify_with(settings)).orphans == []
        finally:
            clock.follow(None)
        assert not removed.sound
        assert ORPHAN in report(removed)


async def test_the_command_says_it_in_japanese_and_with_its_exit_status(
    tmp_path: Path, own_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 when all is sound, 1 with a sentence when settings or the bucket fail."""
    settings = settings_in(tmp_path, own_store)
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    assert await asyncio.to_thread(main, ["verify"]) == 1
    assert "データベースのファイルがありません" in capsys.readouterr().err
    async with running_service(tmp_path, own_store) as service:
        await service.stored(referral())
    assert await asyncio.to_thread(main, ["verify"]) == 0
    assert "異常はありません" in capsys.readouterr().out
    await own_store.stop()
    assert await asyncio.to_thread(main, ["verify"]) == 1
    assert "つながりません" in capsys.readouterr().err
    monkeypatch.setenv("TSUNAGI_S3_BUCKETT", "x")
    assert await asyncio.to_thread(main, ["verify"]) == 1
    assert "TSUNAGI_S3_BUCKETT" in capsys.readouterr().err


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that gives these settings."""
    assert not [name for name in os.environ if name.startswith("TSUNAGI_")]
    values: dict[str, Any] = msgspec.structs.asdict(settings)
    return {
        variable_of(name): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if value is not None and value != ""
    }


def test_a_removed_orphan_leaves_nothing_to_look_after() -> None:
    """Only what is still wrong makes the command fail."""
    assert Findings(orphans=["a"], removed=["a"]).sound
    assert not Findings(orphans=["a"]).sound
    assert not Findings(missing=["a"]).sound
