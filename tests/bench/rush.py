"""Whole flows under load: so many referrals a second for a while, each to its Word files, its inbox entries and its mails.

The referrals come at their moments whatever the services do. When the last has come, what waits is let run out; then every
flow is looked for in the databases and the mails: none lost, none doubled. CPU time is that of the services, the hub, the
object store, the render workers and the mail server together.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

from deploy.local.stack import Stack
from tests.bench.load import loads_of
from tests.bench.observing import rows_of, until
from tests.data.referrals import referral

PER_SECOND = 20
SECONDS = 10
WARM_UP = 20
DRAIN_SECONDS = 600.0
_TICKS = os.sysconf("SC_CLK_TCK")


async def measure_rush(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Flows a second, p50 and p95 to the last mail, how long what waited took, what was lost or doubled, CPU of a flow."""
    stack = Stack(folder, pdf="off")
    await stack.start()
    try:
        accounts = stack.accounts()
        key = accounts.add_key("bench", "disability", ("clerk",), ("referrals:write",))
        accounts.close()
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(
            base_url=stack.url_of("intake"), headers={"X-Api-Key": key}, trust_env=False, limits=limits, timeout=60.0
        ) as client:
            for _ in range(WARM_UP):
                await _submit(client)
            await _all_settled(stack, WARM_UP)
            before = _cpu_seconds(os.getpid())
            begun, seconds = await _send(client)
            ended = time.monotonic()
            await _all_settled(stack, WARM_UP + len(begun))
            drained = time.monotonic() - ended
            used = _cpu_seconds(os.getpid()) - before
        found = _ends(stack, begun)
    finally:
        await stack.stop()
    times = [end - begun[case] / 1e9 for case, end in found.pop("ends").items()]
    load = loads_of(times, seconds)
    result = {
        "offered_per_second": PER_SECOND,
        "flows": len(begun),
        "accepted_per_second": round(len(begun) / seconds, 1),
        "finished_per_second": round(len(begun) / (seconds + drained), 1),
        "p50_ms": load.p50_ms,
        "p95_ms": load.p95_ms,
        "drained_seconds": round(drained, 1),
        "cpu_ms_of_a_flow": round(used * 1000 / len(begun), 1),
        **found,
    }
    say(f"  {result}")
    return result


async def _submit(client: httpx.AsyncClient) -> str:
    answer = await client.post("/referrals", content=_BODY, headers={"Content-Type": "application/json"})
    answer.raise_for_status()
    return str(msgspec.json.decode(answer.content)["case_number"])


_BODY = msgspec.json.encode(referral())


async def _send(client: httpx.AsyncClient) -> tuple[dict[str, int], float]:
    """Each case with the moment (ns) at which its referral was due; how long it took to send all."""
    begun: dict[str, int] = {}
    waiting: set[asyncio.Task[None]] = set()
    start = time.monotonic()

    async def one(moment: int) -> None:
        begun[await _submit(client)] = moment

    for number in range(PER_SECOND * SECONDS):
        due = start + number / PER_SECOND
        if (early := due - time.monotonic()) > 0:
            await asyncio.sleep(early)
        late = time.monotonic() - due
        task = asyncio.create_task(one(time.time_ns() - int(late * 1e9)))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    return begun, time.monotonic() - start


async def _all_settled(stack: Stack, referrals: int) -> None:
    """Until every referral has all its Word files and every notice is sent, and nothing waits anywhere."""

    def settled() -> bool:
        made = rows_of(stack, "documents", "SELECT count(*) FROM forms WHERE revision > 0")[0][0]
        if made < referrals:
            return False
        return not any(
            rows_of(stack, service, f"SELECT 1 FROM {table} LIMIT 1")
            for service in ("intake", "documents", "notify")
            for table in ("outbox", "jobs")
        )

    steady = 0
    deadline = time.monotonic() + DRAIN_SECONDS
    while steady < 3:  # an event may be between two services
        await until(settled, "the rush", seconds=max(deadline - time.monotonic(), 1))
        await asyncio.sleep(0.1)
        steady = steady + 1 if settled() else 0


def _ends(stack: Stack, begun: dict[str, int]) -> dict[str, Any]:
    """The moment of each flow's last mail, and how many Word files, inbox entries and mails are too few or too many."""
    words = Counter(dict(rows_of(stack, "documents", _WORDS)))
    mails: Counter[str] = Counter()
    ends: dict[str, float] = {}
    for path in stack.mail.mails():
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        case = str(mail["subject"]).rpartition("ケース番号 ")[2].rstrip("）")
        mails[case] += 1
        ends[case] = max(ends.get(case, 0.0), path.stat().st_mtime)
    inbox = Counter(dict(rows_of(stack, "notify", _INBOX)))
    wrong: dict[str, dict[str, int]] = {}
    for name, counted in (("words", words), ("inbox", inbox), ("mails", mails)):
        expected = Counter(counted[case] for case in begun).most_common(1)[0][0]
        wrong[name] = {
            "of_each": expected,
            "lost": sum(max(expected - counted[case], 0) for case in begun),
            "doubled": sum(max(counted[case] - expected, 0) for case in begun),
        }
    return {"ends": {case: ends[case] for case in begun if case in ends}, "counted": wrong}


_WORDS = (
    "SELECT d.case_number, count(*) FROM documents d JOIN versions v ON v.document_id = d.id GROUP BY d.case_number"
)
_INBOX = "SELECT case_number, count(*) FROM deliveries WHERE channel = 'inbox' GROUP BY case_number"


def _cpu_seconds(parent: int) -> float:
    """The processor time of every process below this one, ended ones that were waited for included."""
    children: dict[int, list[tuple[int, float]]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                fields = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            used = sum(int(fields[index]) for index in (11, 12, 13, 14)) / _TICKS
            children.setdefault(int(fields[1]), []).append((int(place.name), used))
    total, below = 0.0, list(children.get(parent, []))
    while below:
        process, used = below.pop()
        total += used
        below += children.get(process, [])
    return total
