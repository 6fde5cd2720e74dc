"""From the answer to a withdrawal of consent until the document no longer opens: all three services, the bus up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

from deploy.local.stack import Stack
from tests.bench.load import loads_of
from tests.data.referrals import referral
from tsunagi_shared import clock

TRIALS = 200
AT_ONCE = 8  # while cases are made ready; the trials themselves come one after the other
WAIT_SECONDS = 120.0
READER = "sample-care"
WITHDRAWAL = {"withdrawn_on": "", "whole": True, "told_by": "person", "heard_by": "見本　窓子"}


class Ready(msgspec.Struct, frozen=True):
    """A case whose destination can open its summary: the consent, and the address of the Word file."""

    consent: str
    file: str


async def measure_withdrawals(folder: Path, say: Callable[[str], None], trials: int = TRIALS) -> dict[str, Any]:
    """p50, p95, p99 in ms over the trials. Each opens the file once before, so that what closes was open."""
    stack = Stack(folder, pdf="off")
    await stack.start()
    try:
        accounts = stack.accounts()
        writer = accounts.add_key("bench", "disability", ("clerk",), ("referrals:write", "cases:read", "cases:write"))
        reader = accounts.add_key("bench", READER, ("agency_staff",), ("documents:read",))
        accounts.close()
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            trial = Trial(stack, client, writer, reader)
            gate = asyncio.Semaphore(AT_ONCE)
            cases = await asyncio.gather(*(trial.make_ready(gate) for _ in range(trials)))
            times = [await trial.closes_after(case) for case in cases]
    finally:
        await stack.stop()
    load = loads_of(times, sum(times))
    result = {
        "trials": trials, "p50_ms": load.p50_ms, "p95_ms": load.p95_ms, "p99_ms": load.p99_ms,
        "max_ms": round(max(times) * 1000, 2),
    }  # fmt: skip
    say(f"  撤回の答えから閉じるまで：p50 {load.p50_ms} ms、p99 {load.p99_ms} ms（{trials}回）")
    return result


class Trial:
    """What one trial does over HTTP."""

    def __init__(self, stack: Stack, client: httpx.AsyncClient, writer: str, reader: str) -> None:
        self._intake, self._documents = stack.url_of("intake"), stack.url_of("documents")
        self._client = client
        self._writer = {"X-Api-Key": writer}
        self._reader = {"X-Api-Key": reader, "X-Acting-User": "bench"}

    async def make_ready(self, gate: asyncio.Semaphore) -> Ready:
        """Submit, and wait until the destination can open its summary."""
        async with gate:
            answer = await self._client.post(f"{self._intake}/referrals", json=referral(), headers=self._writer)
            answer.raise_for_status()
            case = answer.json()["case_number"]
            people = (await self._client.get(f"{self._intake}/cases/{case}", headers=self._writer)).json()["people"]
            deadline = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < deadline:
                listed = await self._client.get(f"{self._documents}/documents?case={case}", headers=self._reader)
                for document in listed.json()["items"]:
                    if document["state"] == "stored":
                        file = f"{self._documents}/documents/{document['id']}/versions/1/docx"
                        return Ready(people[0]["consents"][0]["id"], file)
                await asyncio.sleep(0.1)
        raise TimeoutError("a document did not come")

    async def closes_after(self, case: Ready) -> float:
        """Seconds from the withdrawal's 2xx to the first read that is refused."""
        opened = await self._client.get(case.file, headers=self._reader)
        assert opened.status_code == 200, opened.text
        body = {**WITHDRAWAL, "withdrawn_on": clock.today().isoformat()}
        answer = await self._client.post(
            f"{self._intake}/consents/{case.consent}/withdrawal?revision=1", json=body, headers=self._writer
        )
        answer.raise_for_status()
        begun = time.perf_counter()
        while (await self._client.get(case.file, headers=self._reader)).status_code == 200:
            if time.perf_counter() - begun > WAIT_SECONDS:
                raise TimeoutError("a withdrawn consent still opens a document")
        return time.perf_counter() - begun
