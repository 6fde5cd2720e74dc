"""What docs/rules.md says, read from its tables, and what it takes to walk a rule over HTTP: tried against it, then by it."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.data.case_work import DESTINATION, PROVIDER
from tests.data.intake import Caller, Intake
from tests.intake.case_facts import changed
from tests.intake.sittings import LAYERED, SUPPORT, Table, said, today
from tsunagi_intake.expiry import WATERMARK
from tsunagi_shared.accounts import Post
from tsunagi_shared.contracts.events import WATERMARK_PASSED
from tsunagi_shared.runtime import Runtime

NURSERY = "sample-nursery"
CHAIR, CARE, YOSO = (PROVIDER, "chosei"), (DESTINATION, "kaigo"), (NURSERY, "yoso")
# Who may not see something learns no more of it than of what is not there
TOLD_AS = {"no-view": "not-found"}


# the page ---------------------------------------------------------------------------------------------------------------


class RuleOnPage(msgspec.Struct, frozen=True):
    """A rule as a table of the page has it."""

    id: str
    codes: tuple[str, ...]


class Words(msgspec.Struct, frozen=True):
    """What a refusal with a code says, as the page has it."""

    rule: str
    reason: str
    way_out: str


class RulesPage(msgspec.Struct, frozen=True):
    """The page: its rules in their order, and the words of each code."""

    rules: tuple[RuleOnPage, ...]
    words: dict[str, Words]


_QUOTED = re.compile(r"`([^`]+)`")


def read_page(text: str) -> RulesPage:
    """The tables of the page. ValueError for a row that does not fit the head of its table."""
    rules: list[RuleOnPage] = []
    words: dict[str, Words] = {}
    for row in _rows(text):
        if "テスト" in row:
            rules.append(RuleOnPage(_QUOTED.findall(row["規則"])[0], tuple(_QUOTED.findall(row["符号"]))))
        else:
            code, rule = (_QUOTED.findall(row[name])[0] for name in ("符号", "規則"))
            words[code] = Words(rule, row["理由"], row["代わりにできること"])
    return RulesPage(tuple(rules), words)


def _rows(text: str) -> Iterator[dict[str, str]]:
    """Each row of each table, by the names in the table's head."""
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            head = []
        elif not head:
            head = _cells(line)
        elif set(line) - set("|-"):
            yield dict(zip(head, _cells(line), strict=True))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def walks_in(module: ModuleType) -> dict[str, Callable[..., Awaitable[Any]]]:
    """The walks of a module by their rule: `gate_layered` walks `gate-layered`."""
    return {
        name.replace("_", "-"): walk
        for name, walk in inspect.getmembers(module, inspect.iscoroutinefunction)
        if walk.__module__ == module.__name__ and not name.startswith("_")
    }


# a walk -----------------------------------------------------------------------------------------------------------------


class Town(Intake):
    """One running service for many walks: whoever was there before comes again. Each walk makes its own case."""

    def __init__(self, intake: Intake) -> None:
        super().__init__(intake.runtime, intake.client)
        self._known: dict[str, Caller] = {}

    def person(self, user: str, agency: str, *roles: str, more: tuple[Post, ...] = ()) -> Caller:
        """The person of that name, signed in; new the first time."""
        if user not in self._known:
            self._known[user] = super().person(user, agency, *roles, more=more)
        return self._known[user]

    @contextlib.contextmanager
    def under(self, profile: Any = None, **changes: Any) -> Iterator[None]:
        """For a while the municipality is another one, or differs in these tables of its profile."""
        before = self.runtime.profile
        self.runtime.profile = changed(profile or before, **changes)
        try:
            yield
        finally:
            self.runtime.profile = before


class Ledger:
    """All that a service has stored, so that it shows when something was."""

    def __init__(self, runtime: Runtime, tables: sa.MetaData) -> None:
        self._runtime = runtime
        # what the clockwork does by itself is left out
        self._wanted = [f'SELECT * FROM "{name}"' for name in tables.tables if name not in ("facts", "numbers")]
        self._wanted.append(f"SELECT * FROM outbox WHERE type <> '{WATERMARK_PASSED}'")
        if "numbers" in tables.tables:
            self._wanted.append(f"SELECT * FROM numbers WHERE kind <> '{WATERMARK}'")

    async def look(self) -> tuple[list[Any], list[str]]:
        """Every row that is stored, what was done as the audit has it (but for reads), and the codes of all refusals."""

        def read(connection: Connection) -> tuple[list[Any], list[str]]:
            cursor = connection.connection.cursor()  # as the driver gives them: there are many rows, and many looks
            stored = [cursor.execute(wanted).fetchall() for wanted in self._wanted]
            on_record = cursor.execute("SELECT seq, outcome, action, basis FROM audit ORDER BY seq").fetchall()
            cursor.close()
            done = [seq for seq, outcome, action, _ in on_record if outcome == "done" and not action.endswith(".read")]
            return [*stored, done], [basis for _, outcome, _, basis in on_record if outcome == "refused"]

        return await self._runtime.database.read(read)


class Trail:
    """One walk under way: what was refused by which code and left no trace, and what was let through."""

    def __init__(self, ledger: Ledger, words: dict[str, Words]) -> None:
        self.ledger = ledger
        self.words = words
        self.codes: set[str] = set()
        self.refusals = self.grants = 0

    async def refused(self, call: Awaitable[httpx.Response], code: str, status: int = 409) -> httpx.Response:
        """It is refused with that code, as the page words it; that is on record, and nothing else has changed."""
        stored, known = await self.ledger.look()
        answer = await call
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), answer.text
        assert problem["title"]
        assert problem["detail"]
        if status == 409:
            words = self.words[code]
            assert problem["title"].endswith(words.reason)  # of a sitting, after the item it is about
            assert problem["detail"] == words.way_out
        after, recorded = await self.ledger.look()
        assert after == stored, f"{code} left something behind"
        # a mistake in a form is no decision
        assert status == 422 or code in recorded[len(known) :], f"{code} is not on record"
        self.codes.add(code)
        self.refusals += 1
        return answer

    async def unseen(self, caller: Caller, path: str) -> None:
        """Not even that it is there is told."""
        here, nowhere = await self.refused(caller.get(path), "not-found", 404), await caller.get("/cases/C2026-99999")
        ours, theirs = here.json(), nowhere.json()
        assert [ours[name] for name in ("title", "detail", "code")] == [
            theirs[name] for name in ("title", "detail", "code")
        ]

    async def kept_from(self, caller: Caller, path: str, text: str) -> None:
        """The page is there, and that text is not on it."""
        answer = await caller.get(path)
        assert answer.status_code == 200, answer.text
        assert text not in answer.text
        self.refusals += 1

    async def granted(self, call: Awaitable[httpx.Response]) -> httpx.Response:
        """It is let through."""
        answer = await call
        assert answer.status_code in (200, 201), answer.text
        self.grants += 1
        return answer

    async def sees(self, caller: Caller, path: str, text: str = "") -> Any:
        """It is there to be read, with that text."""
        answer = await self.granted(caller.get(path))
        assert text in answer.text
        return answer.json()

    async def gets_nothing(self, table: Table, agency: str, code: str) -> None:
        """Of the case's referral the agency gets nothing; who wrote it reads why, and what to do, as the page words it."""
        page = (await table.section.get(f"/referrals/{table.desk.referral_number}")).json()
        assert agency not in {entry["agency"] for entry in page["audience"]}
        (why,) = [row for row in page["withheld"] if row["agency"] == agency]
        words = self.words[code]
        assert (why["code"], why["reason"], why["way_out"]) == (code, words.reason, words.way_out)
        self.codes.add(code)
        self.refusals += 1

    async def entry(self, table: Table, agency: str) -> Any:
        """The one entry of an agency on the case's referral."""
        page = (await table.section.get(f"/referrals/{table.desk.referral_number}")).json()
        (found,) = [entry for entry in page["audience"] if entry["agency"] == agency]
        return found

    def settle(self, rule: RuleOnPage, elsewhere: set[str]) -> None:
        """The rule was tried from both sides, with each of its codes that is not shown elsewhere."""
        assert self.refusals, f"{rule.id} was never refused"
        assert self.grants, f"{rule.id} was never satisfied"
        wanted = {TOLD_AS.get(code, code): code for code in rule.codes}
        missing = {code for told, code in wanted.items() if told not in self.codes}
        assert missing == elsewhere & set(rule.codes), f"codes of {rule.id} that are not walked"


class TownTrail(Trail):
    """A walk in the service that the walks share."""

    def __init__(self, town: Town, ledger: Ledger, words: dict[str, Words]) -> None:
        super().__init__(ledger, words)
        self.town = town

    async def table(self, **changes: Any) -> Table:
        """A new case, of one person who was not asked for a consent, with an assessment after which it goes on."""
        return await Table(self.town).open(**changes)

    async def referred(self, **changes: Any) -> Table:
        """A new case as it was handed in: of a household of three, with the person's consent to the destination."""
        table = Table(self.town)
        await table.desk.open(**changes)
        return table

    async def revision(self, table: Table) -> int:
        """Of the case, now."""
        return int((await table.section.get(f"/cases/{table.case}")).json()["revision"])


# sittings ---------------------------------------------------------------------------------------------------------------


async def heard(
    table: Table, number: str = "", where: tuple[str, str] = LAYERED, *, occasion: str = "", **minutes: Any
) -> str:
    """A sitting that heard the case (or a plan of it) before its chair, with minutes that approve: to be closed; its id."""
    meeting = await table.sitting(where[0])
    item = await table.item(meeting, number, where, **({"occasion": occasion} if occasion else {}))
    chosen = {"chosen": True, "told_on": today()} if where == SUPPORT else {}
    await table.call(meeting, CHAIR, **chosen)
    convened = await table.convene(meeting)
    assert convened.status_code == 201, convened.text
    reason = {"no_consent_reason": "まだ会えていない。"} if where == SUPPORT else {}
    typed = await table.write(meeting, item, said([CHAIR], **{**reason, **minutes}))
    assert typed.json()["errors"] == [], typed.text
    return meeting


async def adopted(table: Table, **changes: Any) -> str:
    """A plan with its three dates, decided by a sitting; its number."""
    number = await table.plan(**changes)
    for answer in (
        await table.close(await heard(table, number, occasion="replan" if "previous" in changes else "adopt")),
        await table.work.agree(table.plan_id),
        await table.work.municipal(table.plan_id),
    ):
        assert answer.status_code == 201, answer.text
    assert answer.json()["code"] == "adopted"
    return number
