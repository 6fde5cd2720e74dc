"""SIGKILL at any moment loses nothing, doubles nothing, and leaves nothing over (docs/delivery.md)."""

from __future__ import annotations

import asyncio
import hashlib
import random
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from deploy.local.processes import ChildProcess
from deploy.local.stack import Stack
from tests.data.referrals import referral, without_consent
from tests.faults.line import (
    CHANNELS,
    ORIGIN,
    Notice,
    Sheet,
    Windows,
    at_rest,
    mails_of,
    notices_of,
    readers_of,
    rows,
    stream_sizes,
    watermarks_of,
)
from tsunagi_intake.referrals import Receipt
from tsunagi_notify.settings import NotifySettings
from tsunagi_shared.contracts.events import WATERMARK_PASSED
from tsunagi_shared.contracts.streams import SERVICES

REFERRALS = 200
AT_ONCE = 8
KILLS_UNDER_LOAD = 4  # of each service; one more while the queues run empty
# Without anything that moves: a killed reader's message comes again after 30 s, a killed worker's job after 15 s.
REST_SECONDS = 75.0
SECONDS_BETWEEN_REFERRALS = 0.1
HURTING_SECONDS = 1.5
# mails under way at once
CONNECTIONS = next(
    field.default for field in msgspec.structs.fields(NotifySettings) if field.name == "smtp_connections"
)


def say(text: str) -> None:
    """A line for whoever must understand a failure: pytest shows it then, and with -s always."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Killer:
    """Kills and starts again, by the seed, and keeps a line of each for whoever must understand a failure."""

    def __init__(self, stack: Stack, seed: int, windows: Windows) -> None:
        self._stack = stack
        self._seed = seed
        self._windows = windows
        self._begun = time.monotonic()
        self.killed: Counter[str] = Counter()

    def _say(self, what: str) -> None:
        say(f"  {time.monotonic() - self._begun:6.2f} s  {what}")

    async def services(self, name: str, times: int) -> None:
        """Kill a service that often, at random moments, down for a random moment."""
        chance = random.Random(f"{self._seed} {name} {times}")
        for _ in range(times):
            await asyncio.sleep(chance.uniform(0.2, 3.0))
            await self._under_way(name)
            await asyncio.sleep(chance.uniform(0.0, 0.003))
            self._kill(name, self._stack.services[name])
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            await self._stack.start_service(name)
            self._say(f"{name} is back")

    async def _under_way(self, name: str) -> None:
        """Wait a little for a moment in which a kill hurts: a request being answered, a mail just taken by its server."""
        mails = len(self._stack.mail.mails())
        deadline = time.monotonic() + HURTING_SECONDS
        while time.monotonic() < deadline:
            if name == "intake" and self._windows.in_flight:
                return
            if name == "notify" and len(self._stack.mail.mails()) > mails:
                return
            if name == "documents":  # it renders without a pause
                return
            await asyncio.sleep(0.003)

    async def hub(self) -> None:
        """Kill the hub once."""
        chance = random.Random(f"{self._seed} hub")
        await asyncio.sleep(chance.uniform(3.0, 8.0))
        self._kill("hub", self._stack.nats.process)
        await asyncio.sleep(chance.uniform(0.1, 1.0))
        await self._stack.nats.start()
        self._say("hub is back")

    def _kill(self, name: str, process: ChildProcess) -> None:
        self._say(f"kill -9 {name}")
        process.kill()
        self.killed[name] += 1


async def submit_all(windows: Windows, seed: int) -> list[Receipt]:
    """All referrals, every fourth without consent, sent over a few kept connections."""
    numbers = iter(range(REFERRALS))
    receipts: list[Receipt] = []

    async def window() -> None:
        for number in numbers:
            make = without_consent if number % 4 == 3 else referral
            receipts.append(await windows.submit(make(considerations=f"見本 {number}"), f"{seed}-{number}"))
            await asyncio.sleep(SECONDS_BETWEEN_REFERRALS * AT_ONCE)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(window())
    return receipts


async def run(stack: Stack, seed: int) -> tuple[list[Receipt], Counter[str]]:
    """The run itself, until everything rests: the receipts, and how often what was killed."""
    accounts = stack.accounts()
    key = accounts.add_key("窓口システム", ORIGIN, ("clerk",), ("referrals:write",))
    accounts.close()
    say(f"seed {seed}")
    async with Windows(stack.url_of("intake"), key) as windows:
        killer = Killer(stack, seed, windows)
        async with asyncio.TaskGroup() as group:
            submitting = group.create_task(submit_all(windows, seed))
            group.create_task(killer.hub())
            for name in SERVICES:
                group.create_task(killer.services(name, KILLS_UNDER_LOAD))
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(at_rest(stack, REST_SECONDS))
            for name in SERVICES:
                group.create_task(killer.services(name, 1))
        await at_rest(stack, REST_SECONDS)
        say(f"  sent again: {dict(windows.again)}; at rest {time.monotonic() - begun:.1f} s later")
    return submitting.result(), killer.killed


@pytest.mark.parametrize("seed", [20261123])
async def test_nothing_is_lost_doubled_or_left_over_by_kills(seed: int, tmp_path: Path) -> None:
    """Every 201 is a case; every case has its documents and delivery rows once; nothing else exists anywhere."""
    stack = Stack(tmp_path, pdf="off")
    await stack.start()
    try:
        receipts, killed = await run(stack, seed)
        assert all(killed[name] == KILLS_UNDER_LOAD + 1 for name in SERVICES)
        assert killed["hub"] == 1
        readers = {sheet: agencies for receipt in receipts for sheet, agencies in readers_of(receipt).items()}
        notices = {notice for receipt in receipts for notice in notices_of(receipt)}
        check_intake(stack, receipts, set(readers), notices)
        documents = await check_documents(stack, receipts, readers)
        await check_bucket(stack)
        mailed = check_notify(stack, documents, notices)
        check_mails(stack, mailed, most_doubled=killed["notify"] * CONNECTIONS)
        assert await stream_sizes(stack) == {
            "INTAKE": REFERRALS,
            "DOCUMENTS": len(readers),
            "NOTIFY": len(notices),
        }
    finally:
        await stack.stop()


def check_at_rest(stack: Stack, service: str) -> set[str]:
    """Nothing waits (but a watermark, that of this minute), and nothing was buried; the ids of the events that were taken."""
    waiting = rows(stack, service, f"SELECT type FROM outbox WHERE type <> '{WATERMARK_PASSED}'")
    assert waiting == [], f"outbox of {service}"
    for table in ("jobs", "dead_letters"):
        assert rows(stack, service, f"SELECT * FROM {table}") == [], f"{table} of {service}"
    return {row["id"] for row in rows(stack, service, "SELECT id FROM inbox")}


def check_intake(stack: Stack, receipts: list[Receipt], sheets: set[Sheet], notices: set[Notice]) -> None:
    """Cases, referrals and projections are exactly those of the receipts."""
    assert len(check_at_rest(stack, "intake")) == len(sheets) + len(notices)
    answered = {(receipt.referral_number, receipt.case_number) for receipt in receipts}
    assert len(answered) == len({case for _, case in answered}) == REFERRALS
    stored = rows(
        stack,
        "intake",
        'SELECT referrals.id, referrals.number, cases.number AS "case" FROM referrals JOIN cases ON cases.seq = referrals."case"',
    )
    assert {(row["number"], row["case"]) for row in stored} == answered
    assert len(stored) == len(rows(stack, "intake", "SELECT seq FROM cases")) == REFERRALS
    given = "SELECT kind, last FROM numbers WHERE kind <> 'watermark'"
    last = {row["kind"]: row["last"] for row in rows(stack, "intake", given)}
    assert last == {"referral": REFERRALS, "case": REFERRALS}, "numbers have no gaps"
    assert len(rows(stack, "intake", "SELECT scope FROM idempotency")) == REFERRALS
    people = 1 + len(referral()["household"])
    assert len(rows(stack, "intake", "SELECT id FROM persons")) == REFERRALS * people
    assert len(rows(stack, "intake", "SELECT id FROM consents")) == REFERRALS
    lines = rows(stack, "intake", 'SELECT "case", kind FROM timeline')
    assert Counter(row["kind"] for row in lines) == {"referral_submitted": REFERRALS}
    assert len({row["case"] for row in lines}) == REFERRALS
    assert len(rows(stack, "intake", "SELECT seq FROM audit WHERE action = 'referral.submit'")) == REFERRALS
    audience = rows(stack, "intake", "SELECT form, agency FROM audience")
    assert len(audience) == sum(len(receipt.audience) for receipt in receipts)
    lists = rows(stack, "intake", "SELECT agency FROM case_lists")
    assert Counter(row["agency"] for row in lists) == Counter(row["agency"] for row in audience)
    projected = rows(stack, "intake", "SELECT * FROM documents")
    assert {row["word_state"] for row in projected} == {"stored"}
    assert {row["pdf_state"] for row in projected} == {"off"}
    by_id = {row["id"]: Sheet(row["case_number"], row["kind"], row["view"]) for row in projected}
    assert sorted(by_id.values()) == sorted(sheets)
    assert len(projected) == len(by_id)
    told = rows(stack, "intake", "SELECT * FROM deliveries")
    assert {row["state"] for row in told} == {"sent"}
    assert sorted(Notice(by_id[row["document"]], row["agency"], row["channel"]) for row in told) == sorted(notices)


async def check_documents(stack: Stack, receipts: list[Receipt], readers: dict[Sheet, set[str]]) -> dict[str, Sheet]:
    """Each case's documents are there once, stored, in one version; the documents by id."""
    heard = check_at_rest(stack, "documents")
    assert len(heard - await watermarks_of(stack)) == REFERRALS
    stored = rows(stack, "documents", "SELECT * FROM documents")
    by_id = {row["id"]: Sheet(row["case_number"], row["kind"], row["view"]) for row in stored}
    assert sorted(by_id.values()) == sorted(readers)
    with_consent = [receipt.case_number for receipt in receipts if not receipt.support_meeting_only]
    per_case = Counter(sheet.case_number for sheet in by_id.values())
    assert {per_case[case] for case in with_consent} == {3}
    assert {(row["state"], row["version"]) for row in stored} == {("stored", 1)}
    assert {row["revision"] for row in stored} == {1}, "each document was announced once"
    versions = rows(stack, "documents", "SELECT document_id FROM versions")
    assert sorted(row["document_id"] for row in versions) == sorted(by_id)
    access = {(by_id[row["document_id"]], row["agency"]) for row in rows(stack, "documents", "SELECT * FROM access")}
    assert access == {(sheet, agency) for sheet, agencies in readers.items() for agency in agencies}
    return by_id


async def check_bucket(stack: Stack) -> None:
    """Every stored file's object has the size and the hash on record, and no object is there without a row."""
    files = rows(stack, "documents", "SELECT * FROM files")
    assert {(row["format"], row["state"]) for row in files} == {("docx", "stored")}

    def look() -> None:
        client = stack.store.client()
        listed = {
            found.object_name for found in client.list_objects(stack.store.bucket, recursive=True) if not found.is_dir
        }
        # A render done again after a kill gives the same bytes under the same key: kills leave no orphan.
        assert listed == {row["key"] for row in files}
        for row in files:
            answer = client.get_object(stack.store.bucket, row["key"])
            content = answer.read()
            answer.close()
            answer.release_conn()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (row["bytes"], row["sha256"])

    await asyncio.to_thread(look)


def check_notify(stack: Stack, documents: dict[str, Sheet], notices: set[Notice]) -> set[str]:
    """Each agency has its delivery rows once, all sent; the ids of those that are mails."""
    assert len(check_at_rest(stack, "notify")) == len(documents)
    told = rows(stack, "notify", "SELECT * FROM deliveries")
    assert sorted(Notice(documents[row["document_id"]], row["agency"], row["channel"]) for row in told) == sorted(
        notices
    )
    assert {(row["state"], row["version"]) for row in told} == {("sent", 1)}
    assert {row["channel"] for row in told} == set(CHANNELS)
    assert rows(stack, "notify", "SELECT * FROM receipts") == []
    return {row["id"] for row in told if row["channel"] == "email"}


def check_mails(stack: Stack, mailed: set[str], most_doubled: int) -> None:
    """Every mail went out; one may go twice when notify is killed between the server's yes and the commit, under one id."""
    taken = mails_of(stack.mail.mails())
    assert set(taken) == mailed
    doubled = sum(number - 1 for number in taken.values())
    say(f"  {len(mailed)} mails, {doubled} of them taken a second time")
    assert doubled <= most_doubled
