"""`tsunagi-documents verify`: is every file in the bucket, whole, and is nothing there that belongs to no document? Is what the
database says of each version what was said when it was made?

The second by the chain of each document: whoever changes a row, a file and its hash alike does not have the chain's value
for it, and a version taken out of the middle breaks the link to the one before.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hmac
from functools import partial
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_documents.kinds import ATTACHED
from tsunagi_documents.objects import Bucket, Listed, ObjectDamaged, ObjectMissing, Stored
from tsunagi_documents.settings import DocumentsSettings
from tsunagi_documents.tables import STORED, documents, files, versions
from tsunagi_documents.versions import PDF_FORMAT, WORD_FORMAT, Proof, chain_value
from tsunagi_shared import clock
from tsunagi_shared.database import Database
from tsunagi_shared.settings import SettingsError

# A file is in the bucket a moment before its row is committed; what is older than this will never get a row.
ORPHAN_AGE = dt.timedelta(hours=1)
CHECKS_AT_ONCE = 8
PAGE = 500  # documents read at once


class Findings(msgspec.Struct):
    """What was looked at and what is wrong: files by key, records as `<kind>/<document id>/<version>`."""

    checked: int = 0
    versions: int = 0
    damaged: list[str] = []
    missing: list[str] = []
    altered: list[str] = []  # the record is not what was chained when the version was made
    unrecorded: list[str] = []  # a file of no version, or a version that should be there and is not
    orphans: list[str] = []
    removed: list[str] = []

    @property
    def sound(self) -> bool:
        """Nothing is left that somebody must look after."""
        wrong = (self.damaged, self.missing, self.altered, self.unrecorded, set(self.orphans) - set(self.removed))
        return not any(wrong)


class Page(NamedTuple):
    """Some documents and all that is on record of them. `last`: the id of the last of them, "" after all."""

    last: str
    stored: list[Stored]
    versions: int
    altered: list[str]
    unrecorded: list[str]


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
    """Check every stored file's size and hash and every document's chain, and find objects without a row. BucketUnavailable."""
    # Listed before the rows are read: an object whose row is committed in between is not taken for an orphan.
    listed = await bucket.list()
    findings = Findings()
    known: set[str] = set()
    last = ""
    while True:
        page = await database.read(partial(_page_after, last))
        known.update(stored.key for stored in page.stored)
        await _check_files(bucket, page.stored, findings)
        findings.versions += page.versions
        findings.altered += page.altered
        findings.unrecorded += page.unrecorded
        if not page.last:
            break
        last = page.last
    findings.damaged.sort()
    findings.missing.sort()
    findings.orphans = sorted(_old_orphans(listed, known))
    if remove:
        for key in findings.orphans:
            await bucket.remove(key)
            findings.removed.append(key)
    return findings


async def _check_files(bucket: Bucket, stored_files: list[Stored], findings: Findings) -> None:
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

    await asyncio.gather(*(check(stored) for stored in stored_files))


def _page_after(after: str, connection: Connection) -> Page:
    """The next documents by id, read in one transaction: a version made meanwhile is there whole or not at all."""
    columns = (documents.c.id, documents.c.kind, documents.c.state, documents.c.version, documents.c.chain_key)
    rows = connection.execute(
        sa.select(*columns).where(documents.c.id > after).order_by(documents.c.id).limit(PAGE)
    ).all()
    if not rows:
        return Page("", [], 0, [], [])
    last = rows[-1].id
    made = _by_document(connection, versions, after, last)
    kept = _by_document(connection, files, after, last)
    page = Page(last, [], sum(map(len, made.values())), [], [])
    for document in rows:
        own_files = [row for row in kept.get(document.id, []) if row.state == STORED]
        page.stored.extend(Stored(row.key, row.sha256, row.bytes) for row in own_files)
        _check_records(document, made.get(document.id, []), own_files, page)
    return page


def _by_document(connection: Connection, table: sa.Table, after: str, last: str) -> dict[str, list[Any]]:
    """The rows of the documents from after the one to the other, by document, in the order of their key."""
    found: dict[str, list[Any]] = {}
    key = table.c.document_id
    for row in connection.execute(sa.select(table).where(key > after, key <= last).order_by(*table.primary_key)):
        found.setdefault(row.document_id, []).append(row)
    return found


def _check_records(document: Any, made: list[Any], own_files: list[Any], page: Page) -> None:
    """The chain of one document, and whether versions and files belong together."""

    def name(version: int) -> str:
        return f"{document.kind}/{document.id}/{version}"

    proved = PDF_FORMAT if document.kind in ATTACHED else WORD_FORMAT  # a paper handed in is kept as PDF only
    hashes = {row.version: row.sha256 for row in own_files if row.format == proved}
    recorded = {row.version for row in made}
    wanted = {document.version} if document.state == STORED else set()
    page.unrecorded.extend(
        name(version) for version in sorted((wanted | {row.version for row in own_files}) - recorded)
    )
    previous = b""
    for row in made:
        proof = Proof(
            document_id=document.id,
            version=row.version,
            form_revision=row.form_revision,
            template_sha256=row.template_sha256,
            data_sha256=row.data_sha256,
            word_sha256=hashes.get(row.version, ""),
        )
        right = chain_value(document.chain_key or b"", previous, proof)
        if row.previous != previous or not hmac.compare_digest(row.chain, right):
            page.altered.append(name(row.version))
        previous = row.chain


def _old_orphans(listed: list[Listed], known: set[str]) -> list[str]:
    before = clock.now() - ORPHAN_AGE
    return [found.key for found in listed if found.key not in known and found.changed_at < before]


def report(findings: Findings) -> str:
    """What was found, in Japanese; keys hold no personal data."""
    lines = [f"ファイル {findings.checked} 件と、版の記録 {findings.versions} 件を確かめました。"]
    for words, keys in (
        ("壊れています（作ったときの内容と違います）", findings.damaged),
        ("保管先にありません", findings.missing),
        ("記録が、作ったときのものと違います", findings.altered),
        ("あるはずの版の記録がありません", findings.unrecorded),
        ("どの文書のものでもなかったので、取り除きました", findings.removed),
        ("どの文書のものでもありません", sorted(set(findings.orphans) - set(findings.removed))),
    ):
        if keys:
            lines += [f"{words}： {len(keys)} 件", *(f"  {key}" for key in keys)]
    if findings.sound:
        lines.append("異常はありません。")
    return "\n".join(lines)
