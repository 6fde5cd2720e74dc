"""What every story is told with: a stack, the people in it, the steps taken, the refusals met, the documents that came of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import lxml.etree
import msgspec

from deploy.local.stack import Stack, add_sample_users, sample_users
from deploy.local.visitor import Answer, VisitError, Visitor
from tsunagi_intake.rulebook import REFUSALS
from tsunagi_shared import clock
from tsunagi_shared.accounts import Accounts, Post

# Refusals that belong to no rule of intake: how the services answer as such
FRAME = {
    "not-found": "unknown-and-forbidden-alike",
    "forbidden": "guard",
    "changed-meanwhile": "one-wins",
    "invalid-form": "form",
    "sign-in-needed": "guard",
    "consent-unknown": "stale-is-closed",  # documents refuses by it at each read
}
WITHHELD = "（非開示）"


# The 年度 that the profiles describe: their contracts, lists and targets hold in it, and turn at its end
YEAR_TOLD = 2026


def day_told(today: dt.date) -> dt.date:
    """The day on which a story begins that is told today: the same day in the 年度 of the profiles once that is over."""
    years = clock.fiscal_year(today) - YEAR_TOLD
    if years <= 0:
        return today
    is_leap_day = (today.month, today.day) == (2, 29)
    return today.replace(year=today.year - years, day=28 if is_leap_day else today.day)


def next_year(today: dt.date) -> dt.date:
    """The 1 April after that day, on which the 年度 turns."""
    return dt.date(clock.fiscal_year(today) + 1, 4, 1)


class Refused(msgspec.Struct, frozen=True):
    """A refusal that the story met where it had to."""

    rule: str
    code: str


class Drawn(msgspec.Struct, frozen=True):
    """A document, and the files of it that a reader took away."""

    kind: str
    view: str
    files: tuple[str, ...]


class Told(msgspec.Struct, frozen=True):
    """A story's summary."""

    steps: tuple[str, ...]
    refusals: tuple[Refused, ...]
    documents: tuple[Drawn, ...]


class Story:
    """One municipality's story. `async with` starts the stack and the sample staff; every check that fails ends it. `today`:
    the day that it is told on; none: that of the clock."""

    def __init__(
        self, folder: Path, saved: Path, profile: str, *, pdf: str, say: Callable[[str], None], today: dt.date | None = None
    ) -> None:  # fmt: skip
        self._begins = day_told(today or clock.today())
        self.stack = Stack(folder, profile=profile, pdf=pdf)
        self.saved = saved
        self._say = say
        self.staff: dict[str, tuple[str, str]] = {}  # by user: the agency they act for, and their name
        self._passwords: dict[str, str] = {}
        self._visitors: dict[str, Visitor] = {}
        self._steps: list[str] = []
        self._refusals: list[Refused] = []
        self._documents: dict[tuple[str, str], set[str]] = {}

    async def __aenter__(self) -> Story:
        if self._begins != clock.today():
            self.stack.clock.begin(self._begins)
        await self.stack.start()
        try:
            users = sample_users(self.stack.profile)
            self.staff = {sample.user: (sample.agency, sample.name) for sample in users}
            with self._accounts() as accounts:
                self._passwords = add_sample_users(accounts, users)
        except BaseException:
            await self.stack.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for visitor in self._visitors.values():
            await visitor.__aexit__()
        await self.stack.stop()

    def hire(self, user: str, name: str, agency: str, *roles: str) -> None:
        """A further invented member of staff."""
        self.staff[user] = (agency, name)
        with self._accounts() as accounts:
            self._passwords[user] = accounts.add_user(user, name, [Post(agency, roles)])

    @contextmanager
    def _accounts(self) -> Iterator[Accounts]:
        """The accounts, in the services' time: whoever runs an agency on that day takes its people on."""
        clock.follow(self.stack.clock.path)
        accounts = self.stack.accounts()
        try:
            yield accounts
        finally:
            accounts.close()
            clock.follow(None)

    async def who(self, user: str) -> Visitor:
        """The person, signed in."""
        if user not in self._visitors:
            visitor = Visitor(self.stack, user, self._passwords[user])
            await visitor.sign_in()
            self._visitors[user] = visitor
        return self._visitors[user]

    async def move_to(self, day: dt.date) -> None:
        """Go on to the morning of a later day; everybody signs in again."""
        await self.stack.clock.to(day)
        await self.sign_in_again()

    async def sign_in_again(self) -> None:
        """After the clock was moved, sessions are at their end."""
        for visitor in self._visitors.values():
            await visitor.sign_in()

    def step(self, words: str) -> None:
        """Say what has just been done and checked."""
        self._steps.append(words)
        self._say(f"  {len(self._steps):>2}. {words}")

    def refused(self, answer: Answer, status: int, code: str, *, saying: str = "") -> None:
        """The answer must be this refusal; it goes into the summary with the rule it belongs to."""
        answer.expect(status, code)
        if saying not in answer.text:
            raise VisitError(f"{answer.asked}：「{saying}」と答えるはずが {answer.text[:300]}")
        self._refusals.append(Refused(REFUSALS[code].rule if code in REFUSALS else FRAME[code], code))

    def must(self, holds: object, words: str) -> None:
        """A check of the story; VisitError with what should have been."""
        if not holds:
            raise VisitError(f"{len(self._steps)} のあと：{words}")

    async def papers_are_proven(self) -> None:
        """`tsunagi-documents verify` finds every file whole and every version's record as it was made."""
        # By today's real date: what is being made at this moment is no orphan on the story's day years ahead.
        environment = {
            name: value for name, value in self.stack.environment_of("documents").items() if "CLOCK" not in name
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tsunagi_documents", "verify",
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        self.must(process.returncode == 0, f"documents verify：{said.decode()}")
        self.step(f"保管した文書を verify ですべて確かめました。{said.decode().splitlines()[0]}")

    # documents ---------------------------------------------------------------------------------------------------------

    async def documents_of(self, user: str, case: str) -> list[dict[str, Any]]:
        """What the person may read of the case, as the documents service lists it."""
        found = (await (await self.who(user)).get("documents", f"/documents?case={case}")).made()
        items: list[dict[str, Any]] = found["items"]
        return items

    async def awaits(self, user: str, case: str, *wanted: tuple[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
        """Wait until the person can open exactly these (kind, view) of the case; the documents by them."""

        def there(found: Any) -> bool:
            ready = sorted((item["kind"], item["view"]) for item in found["items"] if item["state"] == "stored")
            return ready == sorted(wanted)

        visitor = await self.who(user)
        try:
            found = await visitor.until("documents", f"/documents?case={case}", there, seconds=40)
        except VisitError as error:
            seen = [(item["kind"], item["view"], item["state"]) for item in await self.documents_of(user, case)]
            raise VisitError(f"{user} が見られるはずのもの {wanted}、見えるもの {seen}（{error}）") from None
        return {(item["kind"], item["view"]): item for item in found["items"]}

    async def gets(
        self, user: str, kind: str, view: str, *, case: str = "", times: int = 1, title: str = "", number: str = ""
    ) -> dict[str, Any]:
        """Wait until the person can open so many documents of that kind and view; the newest of them.

        `case`: of that case alone (a notice belongs to none); `title`, `number`: only those that are called so by now, or
        were made of the record with that number.
        """
        wanted = {"kind": kind, "view": view, "state": "stored", "title": title, "number": number}
        wanted = {name: value for name, value in wanted.items() if value}

        def ready(found: Any) -> list[dict[str, Any]]:
            return [item for item in found["items"] if wanted.items() <= item.items()]

        visitor, address = await self.who(user), f"/documents?limit=100&case={case}"
        try:
            found = await visitor.until("documents", address, lambda page: len(ready(page)) >= times, seconds=40)
        except VisitError as error:
            page = (await visitor.get("documents", address)).made()
            seen = [(item["kind"], item["view"], item["state"], item["title"]) for item in page["items"]]
            raise VisitError(f"{user} に {times}件の {wanted} があるはず、見えるもの {seen}（{error}）") from None
        return ready(found)[0]

    async def opens(self, user: str, document: dict[str, Any], saved_as: str = "") -> str:
        """Open the Word file (and the PDF where they are made); what it says. The files go into the story's folder."""
        visitor = await self.who(user)
        base = f"/documents/{document['id']}/versions/{document['version']}"
        answer = await visitor.get("documents", f"{base}/docx")
        if answer.code == "consent-unknown":
            # The clock was moved: until intake says so again, it is not known whether the consent still holds
            await visitor.until_answer("documents", f"{base}/docx", 200, seconds=90)
            answer = await visitor.get("documents", f"{base}/docx")
        word = answer.expect(200).content
        if saved_as:
            self._save(document, f"{saved_as}.docx", word)
        if self.stack.pdf != "off" and saved_as:
            await visitor.until_answer("documents", f"{base}/pdf", 200)
            self._save(document, f"{saved_as}.pdf", (await visitor.get("documents", f"{base}/pdf")).content)
        return text_of(word)

    def _save(self, document: dict[str, Any], name: str, content: bytes) -> None:
        self.saved.mkdir(parents=True, exist_ok=True)
        (self.saved / name).write_bytes(content)
        self._documents.setdefault((document["kind"], document["view"]), set()).add(name)

    async def closed(self, user: str, document: dict[str, Any]) -> None:
        """Wait until the person is refused what they could open before."""
        base = f"/documents/{document['id']}/versions/{document['version']}/docx"
        visitor = await self.who(user)
        await visitor.until_answer("documents", base, 404, "not-found", seconds=10)
        self.refused(await visitor.get("documents", base), 404, "not-found")

    def told(self) -> Told:
        """The summary."""
        drawn = tuple(
            Drawn(kind, view, tuple(sorted(files))) for (kind, view), files in sorted(self._documents.items())
        )
        return Told(tuple(self._steps), tuple(self._refusals), drawn)


def text_of(word: bytes) -> str:
    """Every text of a Word file, headers and footers too."""
    with zipfile.ZipFile(io.BytesIO(word)) as archive:
        parts = [
            archive.read(name) for name in archive.namelist() if name.startswith("word/") and name.endswith(".xml")
        ]
    return "\n".join("".join(lxml.etree.fromstring(part).itertext()) for part in parts)
