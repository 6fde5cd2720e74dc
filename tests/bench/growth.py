"""Lists, search and the case page as they grow: 100, 1,000 and 100,000 cases; 100 and 1,000 entries in one case.

Cases are handed in through the service's own code. Requests go to the application in this process, so that what is
compared is the service and not a client; each figure is the median of many.
"""

from __future__ import annotations

import statistics
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar

from tests.data.forms import sample
from tests.data.referrals import referral
from tests.data.services import runtime_in, service_named
from tsunagi_intake import referrals, reports
from tsunagi_intake.records import Write
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import FormKind
from tsunagi_shared.forms.checks import check
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.outbox import outbox
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.service import create_app

SIZES = (100, 1_000, 100_000)
ENTRIES = (100, 1_000)
BATCH = 500
REPEATS = 60
REPORTS = 7  # each counts every case there is
# Furigana of plainly invented people, so that a search has something to tell apart
SYLLABLES = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわ"


async def measure_growth(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Medians in ms at each size, and how the largest compares with 1,000."""
    runtime = runtime_in(folder, "intake")
    app = create_app(service_named("intake"), runtime)
    key = runtime.accounts.add_key(
        "bench", "welfare-desk", ("coordinator",), ("referrals:write", "cases:read", "cases:write")
    )
    asked = Asked(app, key)
    found: dict[str, Any] = {"cases": {}, "entries": {}}
    try:
        seeded = 0
        for size in SIZES:
            await seed(runtime, seeded, size)
            seeded = size
            middle = kana_of(size // 2)
            found["cases"][str(size)] = {
                "list": await asked.median("/cases"),
                "list_of_a_state": await asked.median("/cases?state=received"),
                "list_of_a_year": await asked.median(f"/cases?fiscal_year={clock.fiscal_year(clock.today())}"),
                "search_exact": await asked.median("/cases", q=middle),
                "search_prefix": await asked.median("/cases", q=middle[:1], limit="10"),  # ten lines at any size
                "case_page": await asked.median(await newest(asked)),
                "report": await report_of(runtime),
            }
            say(f"  {size:>7,}件：{found['cases'][str(size)]}")
        case = await newest(asked)
        written = 0
        for entries in ENTRIES:
            await asked.write_entries(case, entries - written)
            written = entries
            found["entries"][str(entries)] = {"case_page": await asked.median(case)}
            say(f"  1つのケースに{entries:,}の記録：{found['entries'][str(entries)]}")
    finally:
        await runtime.parts.stop()
        runtime.database.close()
        runtime.accounts.close()
    before, after = found["cases"]["1000"], found["cases"]["100000"]
    found["ratio_100000_to_1000"] = {name: round(after[name] / before[name], 2) for name in after}
    few, many = (found["entries"][str(entries)]["case_page"] for entries in ENTRIES)
    found["ratio_1000_to_100_entries"] = round(many / few, 2)
    return found


async def report_of(runtime: Runtime) -> float:
    """The median time in ms in which the figures of a 年度 are counted that all cases belong to."""
    year = clock.fiscal_year(clock.today())
    times = []
    for _ in range(REPORTS):
        begun = time.perf_counter()
        await runtime.database.read(lambda connection: reports.of_year(connection, runtime.profile, year))
        times.append(time.perf_counter() - begun)
    return round(statistics.median(times) * 1000, 2)


class Asked:
    """Requests put to the application directly (ASGI), by a program with a key."""

    def __init__(self, app: Litestar, key: str) -> None:
        self._app = app
        self._headers = [
            (b"host", b"intake.test"),
            (b"x-api-key", key.encode()),
            (b"content-type", b"application/json"),
        ]

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        """Status and decoded JSON."""
        path, _, query = path.partition("?")
        scope: Any = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "root_path": "", "scheme": "http", "query_string": query.encode(),
            "headers": self._headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {},
        }  # fmt: skip
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        await self._app(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in messages[1:])
        status = int(messages[0]["status"])
        assert status in (200, 201), content[:500]
        return status, msgspec.json.decode(content)

    async def get(self, path: str, **query: str) -> Any:
        """The JSON of a page."""
        return (await self.ask("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path))[1]

    async def median(self, path: str, **query: str) -> float:
        """The median time of an answer in ms, after a few that are not counted."""
        times = []
        for count in range(REPEATS + 5):
            begun = time.perf_counter()
            await self.get(path, **query)
            if count >= 5:
                times.append(time.perf_counter() - begun)
        return round(statistics.median(times) * 1000, 2)

    async def write_entries(self, case: str, number: int) -> None:
        """So many lines of the contact log, handed in one by one."""
        body = msgspec.json.encode(sample("contact"))
        for _ in range(number):
            await self.ask("POST", f"{case}/contacts", body)


def kana_of(number: int) -> str:
    """Furigana that differ with the number; four syllables and a given name."""
    family = ""
    for _ in range(4):
        number, digit = divmod(number * 7 + 3, len(SYLLABLES))
        family += SYLLABLES[digit]
    return f"{family}　みほん"


async def seed(runtime: Runtime, begin: int, end: int) -> None:
    """Cases handed in through the service's own code, many to a transaction; their events are dropped as if sent."""
    writer = Principal("mado", "見本　窓子", "disability", frozenset({"clerk"}))
    write = Write(principal=writer, profile=runtime.profile, outbox=runtime.outbox)
    codes = runtime.profile.codes(FormKind.REFERRAL, clock.today())
    for first in range(begin, end, BATCH):
        forms = []
        for number in range(first, min(end, first + BATCH)):
            raw = referral()
            raw["person"] = {**raw["person"], "kana": kana_of(number)}
            form = check(Referral, raw, codes).form
            assert form is not None
            forms.append(form)

        def take(connection: Any, forms: list[Referral] = forms) -> None:
            for form in forms:
                referrals.submit(connection, write, form)
            connection.execute(outbox.delete())

        with runtime.database.connection() as connection:
            take(connection)


async def newest(asked: Asked) -> str:
    """The page of the newest case."""
    cases = (await asked.get("/cases"))["items"]
    return f"/cases/{cases[0]['number']}"
