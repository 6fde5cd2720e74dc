"""The whole line under faults: send referrals until they are answered, wait until nothing moves, read what is there."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from deploy.hub.keys import ADMIN
from deploy.hub.provision import signed_in
from deploy.local.stack import Stack
from tsunagi_documents.kinds import ASSESSMENT_SHEET, REFERRAL_SHEET
from tsunagi_intake.referrals import Receipt
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.envelope import decode
from tsunagi_shared.contracts.events import WATERMARK_PASSED
from tsunagi_shared.contracts.streams import SERVICES, STREAMS, Stream, stream_of

ORIGIN, PROVIDER = "disability", "welfare-desk"
CHANNELS = ("inbox", "email")
AGAIN_SECONDS = 0.05

Row = dict[str, Any]


class Sheet(msgspec.Struct, frozen=True, order=True):
    """A document that a referral draws, as everybody names it."""

    case_number: str
    kind: str
    view: str


class Notice(msgspec.Struct, frozen=True, order=True):
    """An agency that is told of a document, on one channel."""

    sheet: Sheet
    agency: str
    channel: str


def readers_of(receipt: Receipt) -> dict[Sheet, set[str]]:
    """Which documents must come of a receipt, and who may read each, written out from the design (§7)."""
    entries = receipt.audience
    readers = {
        (REFERRAL_SHEET, View.FULL): {entry.agency for entry in entries if entry.view is View.FULL},
        (REFERRAL_SHEET, View.SUMMARY): {entry.agency for entry in entries if entry.view is View.SUMMARY},
        (ASSESSMENT_SHEET, View.FULL): {entry.agency for entry in entries if entry.agency == PROVIDER},
    }
    return {
        Sheet(receipt.case_number, kind, view.value): agencies for (kind, view), agencies in readers.items() if agencies
    }


def notices_of(receipt: Receipt) -> set[Notice]:
    """Who must be told of what, on every channel: all that may read it but the agency that wrote it."""
    return {
        Notice(sheet, agency, channel)
        for sheet, agencies in readers_of(receipt).items()
        for agency in agencies - {ORIGIN}
        for channel in CHANNELS
    }


class Windows:
    """The windows' program: sends each referral with its own Idempotency-Key, over kept connections, until it is answered."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, trust_env=False, timeout=10.0)
        self.in_flight = 0
        self.again: Counter[str] = Counter()  # why something was sent once more

    async def __aenter__(self) -> Windows:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def submit(self, form: dict[str, Any], key: str) -> Receipt:
        """The receipt. Connection errors and 5xx mean: the same once more; any other answer is a fault."""
        while True:
            self.in_flight += 1
            try:
                answer = await self._client.post("/referrals", json=form, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                self.again[type(error).__name__] += 1
            else:
                if answer.status_code == 201:
                    return msgspec.json.decode(answer.content, type=Receipt)
                assert answer.status_code >= 500, answer.text
                self.again[str(answer.status_code)] += 1
            finally:
                self.in_flight -= 1
            await asyncio.sleep(AGAIN_SECONDS)


def rows(stack: Stack, service: str, statement: str) -> list[Row]:
    """Rows of a service's own database, as they are committed now."""
    with contextlib.closing(sqlite3.connect(stack.folder_of(service) / f"{service}.db", timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement)]


def _count(stack: Stack, service: str, table: str, which: str) -> int:
    return int(rows(stack, service, f"SELECT count(*) AS number FROM {table} WHERE {which}")[0]["number"])


@contextlib.asynccontextmanager
async def hub_of(stack: Stack) -> AsyncIterator[JetStreamContext]:
    """The hub as its administrator sees it."""
    async with signed_in(stack.nats.url, stack.nats.seed_file(ADMIN)) as connection:
        yield connection.jetstream()


async def _waiting(stack: Stack, hub: JetStreamContext) -> str:
    """Where something still waits, looked at in the order in which an event moves (so that none slips past); "" at rest. A
    watermark that is about to leave is no more than the minute's."""
    for service in SERVICES:
        stream = next(stream for stream in STREAMS if stream.owner == service)
        if waiting := rows(
            stack,
            service,
            "SELECT kind, state, code, count(*) AS number FROM jobs WHERE state <> 'failed' GROUP BY 1, 2, 3",
        ):
            return f"jobs of {service}: {waiting}"
        if number := _count(stack, service, "outbox", f"type <> '{WATERMARK_PASSED}'"):
            return f"{number} events in the outbox of {service}"
        for reader in stream.readers:
            info = await hub.consumer_info(stream.name, reader)
            if number := (info.num_pending or 0) + (info.num_ack_pending or 0):
                return f"{number} events of {stream.name} for {reader}"
    return ""


async def at_rest(stack: Stack, seconds: float) -> None:
    """Wait until nothing waits or runs (failed jobs wait for people).

    AssertionError that says where something waits, when for so many seconds only what was seen before was seen: a slow
    machine takes its time, a job that goes round in circles does not pass for progress.
    """
    deadline, seen = 0.0, set[str]()
    async with hub_of(stack) as hub:
        while waiting := await _waiting(stack, hub):
            if waiting not in seen:
                seen.add(waiting)
                deadline = time.monotonic() + seconds
            assert time.monotonic() < deadline, f"for {seconds:.0f} s there were still {waiting}"
            await asyncio.sleep(0.2)


class Event(msgspec.Struct, frozen=True):
    """A message as it lies on its stream."""

    stream: Stream
    subject: str
    payload: bytes


async def events_of(stack: Stack) -> list[Event]:
    """Every message of the three streams, in order."""
    found = []
    async with hub_of(stack) as hub:
        for stream in STREAMS:
            last = (await hub.stream_info(stream.name)).state.last_seq
            for sequence in range(1, last + 1):
                try:
                    message = await hub.get_msg(stream.name, sequence)
                except NotFoundError:  # taken off by its owner
                    continue
                assert message.subject is not None
                assert message.data is not None
                found.append(Event(stream, message.subject, message.data))
    return found


async def watermarks_of(stack: Stack) -> set[str]:
    """The ids of the watermarks on the stream: one comes each minute, whatever a test does."""
    found: set[str] = set()
    owner = stream_of(WATERMARK_PASSED)
    async with hub_of(stack) as hub:
        sequence = 1
        with contextlib.suppress(NotFoundError):  # no further one
            while True:
                message = await hub.get_msg(owner.name, sequence, subject=WATERMARK_PASSED, next=True)
                assert message.seq is not None
                assert message.data is not None
                found.add(decode(message.data).id)
                sequence = message.seq + 1
    return found


async def stream_sizes(stack: Stack) -> dict[str, int]:
    """How many messages lie on each stream, without the watermarks."""
    sizes = {}
    async with hub_of(stack) as hub:
        for stream in STREAMS:
            subjects = (await hub.stream_info(stream.name, subjects_filter=">")).state.subjects or {}
            sizes[stream.name] = sum(number for subject, number in subjects.items() if subject != WATERMARK_PASSED)
    return sizes


def mails_of(folder: list[Path]) -> Counter[str]:
    """How often each mail was taken by the mail server, by the delivery that its Message-ID names."""
    found: Counter[str] = Counter()
    for path in folder:
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        found[str(message["Message-ID"]).strip("<>").partition("@")[0]] += 1
    return found
