"""One referral at a time through all three services: submitted → both Word files stored → mails accepted (→ PDF)."""

from __future__ import annotations

import asyncio
import email
import email.policy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from deploy.local.stack import Stack
from tests.bench.load import loads_of
from tests.bench.observing import rows_of, until
from tests.data.referrals import referral

WARM_UP = 5
FLOWS = 60
FLOWS_WITH_PDF = 10


async def measure_flows(folder: Path, pdf: str, say: Callable[[str], None]) -> dict[str, Any]:
    """p50 and p95 in ms from the moment the form is sent. Ends are read off the files and rows the services leave, so
    that no polling disturbs them: the mail's file, the version's row."""
    stack = Stack(folder, pdf=pdf)
    await stack.start()
    try:
        accounts = stack.accounts()
        key = accounts.add_key("bench", "disability", ("clerk",), ("referrals:write",))
        accounts.close()
        number = FLOWS if pdf == "off" else FLOWS_WITH_PDF
        # One client for all: making one costs more than the whole submission
        client = httpx.AsyncClient(base_url=stack.url_of("intake"), headers={"X-Api-Key": key}, trust_env=False)
        expected = await _mails_of_one(stack, client)
        begun: dict[str, int] = {}
        for count in range(WARM_UP + number):
            before = len(stack.mail.mails())
            moment = time.time_ns()
            case = await _submit(client)
            await until(lambda before=before: len(stack.mail.mails()) >= before + expected, "a flow")  # type: ignore[misc]
            if pdf != "off":
                await until(lambda case=case: not _without_pdf(stack, case), "a flow")  # type: ignore[misc]
            await asyncio.sleep(0.05)
            if count >= WARM_UP:
                begun[case] = moment
        await client.aclose()
        result = _times(stack, begun, pdf)
    finally:
        await stack.stop()
    for name, times in result.items():
        say(f"  PDF {pdf}, {name}: p50 {times['p50_ms']} ms, p95 {times['p95_ms']} ms")
    return result


async def _submit(client: httpx.AsyncClient) -> str:
    answer = await client.post("/referrals", json=referral())
    answer.raise_for_status()
    return str(answer.json()["case_number"])


async def _mails_of_one(stack: Stack, client: httpx.AsyncClient) -> int:
    await _submit(client)
    await asyncio.sleep(3 if stack.pdf == "off" else 15)
    return len(stack.mail.mails())


def _without_pdf(stack: Stack, case: str) -> bool:
    sql = "SELECT count(*) FROM documents WHERE case_number = ? AND pdf_state != 'stored'"
    return rows_of(stack, "intake", sql, case)[0][0] > 0 or not rows_of(
        stack, "intake", "SELECT 1 FROM documents WHERE case_number = ?", case
    )


def _times(stack: Stack, begun: dict[str, int], pdf: str) -> dict[str, dict[str, float]]:
    words: dict[str, float] = {}
    sql = "SELECT d.case_number, max(v.made_at) FROM documents d JOIN versions v ON v.document_id = d.id GROUP BY d.case_number"
    for case, made_at in rows_of(stack, "documents", sql):
        words[case] = made_at * 1000
    mails: dict[str, float] = {}
    for path in stack.mail.mails():
        subject = str(email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["subject"])
        case = next((case for case in begun if case in subject), "")
        mails[case] = max(mails.get(case, 0), path.stat().st_mtime_ns)
    found = {"word_stored": words, "mail_accepted": mails}
    return {
        name: _figures([(ends[case] - moment) / 1e9 for case, moment in begun.items()]) for name, ends in found.items()
    }


def _figures(times: list[float]) -> dict[str, float]:
    load = loads_of(times, sum(times))
    return {"p50_ms": load.p50_ms, "p95_ms": load.p95_ms, "flows": load.answers}
