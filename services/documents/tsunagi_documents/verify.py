"""`tsunagi-documents verify`: is every file in the bucket, whole, and is nothing there that belongs to no document?"""

from __future__ import annotations

import asyncio
import datetime as dt

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_documents.objects import Bucket, Listed, ObjectDamaged, ObjectMissing, Stored
from tsunagi_documents.settings import DocumentsSettings
from tsunagi_documents.tables import STORED, files
from tsunagi_shared import clock
from tsunagi_shared.database import Database
from tsunagi_shared.settings import SettingsError

# A file is in the bucket a moment before its row is committed; what is older than this will never get a row.
ORPHAN_AGE = dt.timedelta(hours=1)
CHECKS_AT_ONCE = 8


class Findings(msgspec.Struct):
    """What was looked at and what is wrong, by key."""

    checked: int = 0
    damaged: list[str] = []
    missing: list[str] = []
    orphans: list[str] = []
    removed: list[str] = []

    @property
    def sound(self) -> bool:
        """Nothing is left that somebody must look after."""
        return not (self.damaged or self.missing or set(self.orphans) - set(self.removed))


async def verify_with(settings: DocumentsSettings, *, remove: bool = False) -> Findings:
    """`verify` for a service by its settings, running or not. SettingsError, BucketUnavailable."""
    if not settings.database.exists():
        raise SettingsError(["データベースのファイルがありません。一度サービスを起動してください。"])
    bucket, database = Bucket(settings), Database(settings.database)
    try:
        return await verify(database, bucket, remove=remove)
    finally:
        bucket.close()
        database.close()


async def verify(database: Database, bucket: Bucket, *, remove: bool = False) -> Findings:
    """Check every stored file's size and hash, and find objects without a row. BucketUnavailable."""
    # Listed before the rows are read: an object whose row is committed in between is not taken for an orphan.
    listed = await bucket.list()
    rows = await database.read(_stored_files)
    findings = Findings()
    turn = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def check(stored: Stored) -> None:
        async with turn:
            try:
                await bucket.fetch(stored)
            except ObjectDamaged:
                findings.damaged.append(stored.key)
            except ObjectMissing:
                findings.missing.append(stored.key)
        findings.checked += 1

    await asyncio.gather(*(check(stored) for stored in rows))
    known = {stored.key for stored in rows}
    findings.orphans = sorted(_old_orphans(listed, known))
    if remove:
        for key in findings.orphans:
            await bucket.remove(key)
            findings.removed.append(key)
    findings.damaged.sort()
    findings.missing.sort()
    return findings


def _stored_files(connection: Connection) -> list[Stored]:
    rows = connection.execute(sa.select(files.c.key, files.c.sha256, files.c.bytes).where(files.c.state == STORED))
    return [Stored(row.key, row.sha256, row.bytes) for row in rows]


def _old_orphans(listed: list[Listed], known: set[str]) -> list[str]:
    before = clock.now() - ORPHAN_AGE
    return [found.key for found in listed if found.key not in known and found.changed_at < before]


def report(findings: Findings) -> str:
    """What was found, in Japanese; keys hold no personal data."""
    lines = [f"ファイル {findings.checked} 件を確かめました。"]
    for words, keys in (
        ("壊れています（作ったときの内容と違います）", findings.damaged),
        ("保管先にありません", findings.missing),
        ("どの文書のものでもなかったので、取り除きました", findings.removed),
        ("どの文書のものでもありません", sorted(set(findings.orphans) - set(findings.removed))),
    ):
        if keys:
            lines += [f"{words}： {len(keys)} 件", *(f"  {key}" for key in keys)]
    if findings.sound:
        lines.append("異常はありません。")
    return "\n".join(lines)
