"""What an office looks at when there are a million cases and a million notices, against the same with a thousand.

The rows are written straight into the tables, because a million forms handed in would take too long; one in a hundred cases
has a plan with a follow-up and outreach, open in the last few alone. Requests go to the application in this process, as in
`growth`.
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from tests.bench.growth import SYLLABLES, Asked, report_of
from tests.data.services import runtime_in, service_named
from tests.intake.many_cases import MINE, START_US, fill
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.resource_tables import follow_ups, outreach_facts
from tsunagi_intake.tables import audience, records
from tsunagi_notify.tables import deliveries
from tsunagi_shared import clock
from tsunagi_shared.forms.plan import ContactState
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.service import create_app

SIZES = (1_000, 1_000_000)
ROUNDS = 5
BATCH = 20_000
PLANS_OPEN = 10  # the same at any size: what is under way does not grow with the years that are kept

Question = Callable[[], Awaitable[float]]


async def measure_million(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Medians in ms at both sizes, each of five rounds that take turns, and how they compare.

    Both are filled before either is asked, and what was written is on the disk: else the first questions to the larger one
    would be asked of a machine that still writes two gigabytes.
    """
    runtimes: list[Runtime] = []
    try:
        questions: dict[int, dict[str, Question]] = {}
        for size in SIZES:
            begun = time.perf_counter()
            intake, notify = (runtime_in(folder / f"{size}", name) for name in ("intake", "notify"))
            runtimes += (intake, notify)
            with intake.database.connection() as connection:
                fill(connection, size, kana=_kana)
                _plans(connection, size)
            with notify.database.connection() as connection:
                _notices(connection, size)
            say(f"  {size:>9,}件を入れました（{time.perf_counter() - begun:.0f}秒）")
            questions[size] = await _of_cases(intake, size) | _of_inbox(notify)
        os.sync()
        found = await _asked_in_turn(questions)
    finally:
        for runtime in runtimes:
            await runtime.parts.stop()
            runtime.database.close()
            runtime.accounts.close()
    for size in SIZES:
        say(f"  {size:>9,}件：{found[str(size)]}")
    return found


async def _asked_in_turn(questions: dict[int, dict[str, Question]]) -> dict[str, Any]:
    rounds: dict[int, dict[str, list[float]]] = {
        size: {name: [] for name in asked} for size, asked in questions.items()
    }
    for _ in range(ROUNDS):
        for name in questions[SIZES[0]]:
            for size, asked in questions.items():
                rounds[size][name].append(await asked[name]())
    found: dict[str, Any] = {
        str(size): {name: round(statistics.median(taken), 2) for name, taken in names.items()}
        for size, names in rounds.items()
    }
    few, many = (found[str(size)] for size in SIZES)
    found["ratio"] = {name: round(many[name] / few[name], 2) for name in many if few[name]}
    return found


async def _of_cases(runtime: Runtime, size: int) -> dict[str, Question]:
    key = runtime.accounts.add_key("bench", MINE, ("coordinator",), ("cases:read", "cases:write"))
    asked = Asked(create_app(service_named("intake"), runtime), key)
    middle = _kana(size // 2)
    assert len((await asked.get("/cases", q=middle))["items"]) == 1
    assert len((await asked.get("/cases", q=middle[:-1], limit="10"))["items"]) == 10
    year = clock.fiscal_year(clock.today())
    return {
        "list": partial(asked.median, "/cases"),
        "list_of_a_state": partial(asked.median, "/cases?state=received"),
        "list_of_a_year": partial(asked.median, "/cases?fiscal_year=2025"),
        "search_exact": partial(asked.median, "/cases", q=middle),
        "search_prefix": partial(asked.median, "/cases", q=middle[:-1], limit="10"),
        "case_page": partial(asked.median, f"/cases/{await _first(asked)}"),
        "follow_ups": partial(asked.median, "/follow-ups"),
        "outreach": partial(asked.median, "/outreach"),
        "calendar": partial(asked.median, f"/calendar/{year}"),
        "report": partial(report_of, runtime),
    }


def _kana(seq: int) -> str:
    """Four syllables that no other has."""
    found = ""
    for _ in range(4):
        seq, digit = divmod(seq, len(SYLLABLES))
        found = SYLLABLES[digit] + found
    return found


async def _first(asked: Asked) -> str:
    return str((await asked.get("/cases"))["items"][0]["number"])


def _of_inbox(runtime: Runtime) -> dict[str, Question]:
    key = runtime.accounts.add_key("bench", MINE, (), ("inbox:read",))
    asked = Asked(create_app(service_named("notify"), runtime), key)
    return {"inbox": partial(asked.median, "/inbox"), "inbox_all": partial(asked.median, "/inbox?show=all")}


def _plans(connection: Connection, size: int) -> None:
    """An adopted plan on each hundredth case, ended in former years but for the last few; each with a follow-up and outreach."""
    today, state = clock.today(), ContactState.choices()[0][0]
    for part in _parts(range(100, size + 1, 100)):
        ended = [seq <= size - PLANS_OPEN * 100 for seq in part]
        rows = list(zip(part, ended, strict=True))
        connection.execute(plans.insert(), [_plan(seq, over, today) for seq, over in rows])
        connection.execute(records.insert(), [_record(seq) for seq in part])
        connection.execute(
            audience.insert(),
            [
                {"agency": MINE, "case": seq, "form": f"plan/{_plan_id(seq)}", "basis_kind": "provider", "basis_ref": "",
                 "view": "full", "members": "[]", "until": None, "revision": 1}
                for seq in part
            ],
        )  # fmt: skip
        connection.execute(
            follow_ups.insert(),
            [
                {"id": f"{seq:08x}", "plan": _plan_id(seq), "case": seq, "side": "person", "due_on": today.isoformat(),
                 "done_on": "2025-05-01" if over else None, "result": "", "done_by": "", "agency": MINE}
                for seq, over in rows
            ],
        )  # fmt: skip
        connection.execute(
            outreach_facts.insert(),
            [
                {
                    "form": f"plan/{_plan_id(seq)}",
                    "what": "state",
                    "code": state,
                    "case": seq,
                    "day": "2025-05-01",
                }
                for seq in part
            ],
        )


def _plan_id(seq: int) -> str:
    return f"{seq:08x}-0000-7000-8000-00000000000a"


def _plan(seq: int, over: bool, today: dt.date) -> dict[str, Any]:
    return {
        "id": _plan_id(seq), "case": seq, "kind": "outreach", "number": f"P{seq:07d}", "previous": "", "round": 1,
        "state": "ended" if over else "adopted", "provisional": 0, "decided": "adopt", "meeting_item": "", "body": "",
        "heard_under": "", "effective_on": "2025-04-20" if over else today.isoformat(),
        "ended_on": "2025-06-01" if over else None, "end_code": "ended" if over else "", "content": 1, "revision": 1,
    }  # fmt: skip


def _record(seq: int) -> dict[str, Any]:
    return {
        "id": _plan_id(seq), "kind": "plan", "number": f"P{seq:07d}", "case": seq, "about": "", "revision": 1,
        "submitted_at": START_US + seq, "user": "u", "user_name": "見本", "agency": MINE, "audience_revision": 1,
        "support_meeting_only": 0, "persons": "[]", "state": "live", "form": b'{"monitoring_on":"2026-12-01"}',
        "retention_class": "case", "legal_hold": 0,
    }  # fmt: skip


def _notices(connection: Connection, size: int) -> None:
    """Notices of one agency, all acknowledged but for the last few."""
    for part in _parts(range(size)):
        connection.execute(
            deliveries.insert(),
            [
                {"id": f"{number:08x}", "document_id": f"d{number}", "version": 1, "agency": MINE, "channel": "inbox",
                 "state": "sent", "code": "", "attempts": 1, "settled": int(number < size - 100), "kind": "referral",
                 "view": "full", "title": "支援会議等の書類", "case_number": f"C2025-{number:06d}", "page": "/documents/d",
                 "urgency": "soon", "reply_by": "", "support_meeting_only": 0, "announced_at": START_US + number,
                 "ended_at": START_US + number, "document_revision": 1, "revision": 1, "withdrawn_at": None}
                for number in part
            ],
        )  # fmt: skip


def _parts(numbers: range) -> Iterator[range]:
    return (numbers[first : first + BATCH] for first in range(0, len(numbers), BATCH))
