"""The whole line, running, and the sample staff who use it over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx

from deploy.hub.configuration import HubSettings, write_hub
from deploy.hub.keys import private_folder, write_private
from deploy.local.ports import LOOPBACK
from deploy.local.stack import Stack, add_sample_users
from tsunagi_shared import clock

PATIENCE_SECONDS = 60.0
AS_A_BROWSER = {"Accept": "text/html"}


class StackOfTests(Stack):
    """The embedded stack, with LibreOffice at a path that a test can take away and put back."""

    @property
    def office(self) -> Path:
        return self.folder / "soffice"

    def environment_of(self, service: str) -> dict[str, str]:
        """As in the trial, but for the path."""
        more = {"TSUNAGI_SOFFICE": str(self.office)} if service == "documents" else {}
        return super().environment_of(service) | more

    def install_office(self) -> None:
        """LibreOffice is there."""
        found = shutil.which("soffice")
        assert found is not None, "LibreOffice is not installed: run make"
        self.office.symlink_to(found)

    def remove_office(self) -> None:
        """LibreOffice is gone."""
        self.office.unlink()


class Visitor:
    """A member of staff with a browser or a program; signed in once, at intake."""

    def __init__(self, stack: Stack, user: str, password: str) -> None:
        self._stack = stack
        self.client = httpx.Client(trust_env=False, timeout=30.0)
        answer = self._posted("intake", "/sign-in", data={"user": user, "password": password, "next": "/cases"})
        assert answer.status_code == 303

    def _posted(self, service: str, path: str, **content: Any) -> httpx.Response:
        origin = self._stack.url_of(service)
        headers = {"Origin": origin, **content.pop("headers", {})}
        return self.client.post(f"{origin}{path}", headers=headers, **content)

    def answer(self, service: str, path: str, **headers: str) -> httpx.Response:
        """GET, whatever comes."""
        return self.client.get(f"{self._stack.url_of(service)}{path}", headers=headers)

    def json(self, service: str, path: str) -> Any:
        """GET as a program does; the content of a 200."""
        answer = self.answer(service, path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.json()

    def page(self, service: str, path: str) -> str:
        """GET as a browser does; the text of a 200."""
        answer = self.answer(service, path, **AS_A_BROWSER)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def file(self, path: str) -> bytes:
        """GET a document's file."""
        answer = self.answer("documents", path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.content

    def post(self, service: str, path: str, body: Any) -> httpx.Response:
        """POST JSON, whatever comes."""
        return self._posted(service, path, json=body)

    def put(self, service: str, path: str, body: Any) -> httpx.Response:
        """PUT JSON, whatever comes."""
        origin = self._stack.url_of(service)
        return self.client.put(f"{origin}{path}", json=body, headers={"Origin": origin})

    def press(self, service: str, page: str, button: str, **chosen: str) -> httpx.Response:
        """Press a button of a page: posts the form it stands in, with its hidden fields and what was chosen."""
        for form in re.findall(r"<form\b.*?</form>", self.page(service, page), re.DOTALL):
            if f">{button}</button>" in form:
                hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form)
                fields = {name: html.unescape(value) for name, value in hidden} | chosen
                action = re.search(r'action="([^"]*)"', form)
                assert action is not None
                return self._posted(service, html.unescape(action[1]), data=fields, headers=AS_A_BROWSER)
        raise AssertionError(f"{page} has no button {button}")


class Line:
    """A stack that runs, and its visitors by user id."""

    def __init__(self, stack: StackOfTests, passwords: dict[str, str]) -> None:
        self.stack = stack
        self.passwords = passwords
        self._visitors: dict[str, Visitor] = {}

    def visitor(self, user: str) -> Visitor:
        """A sample member of staff, signed in once."""
        if user not in self._visitors:
            self._visitors[user] = Visitor(self.stack, user, self.passwords[user])
        return self._visitors[user]

    def leave(self) -> None:
        """Close what the visitors hold open. Whoever comes back signs in anew, as after the clock was moved."""
        for visitor in self._visitors.values():
            visitor.client.close()
        self._visitors.clear()

    def hand_in(self, form: dict[str, Any], user: str = "mado") -> Any:
        """Hand in a referral consulted on today; the receipt."""
        today = clock.today().isoformat()
        form["consulted_on"] = today
        if "given_on" in form["consent"]:
            form["consent"]["given_on"] = today
        answer = self.visitor(user).post("intake", "/referrals", form)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def case(self, receipt: Any, user: str = "mado") -> Any:
        """The case of a receipt, as JSON."""
        return self.visitor(user).json("intake", f"/cases/{receipt['case_number']}")

    def documents_of(self, receipt: Any, user: str) -> list[Any]:
        """The documents of a receipt's case that the user's agency may read."""
        return list(self.visitor(user).json("documents", f"/documents?case={receipt['case_number']}")["items"])

    def notices_of(self, receipt: Any, user: str, state: str = "open") -> list[Any]:
        """The notices about a receipt's case in the inbox of a user's agency."""
        items = self.visitor(user).json("notify", f"/inbox?state={state}")["items"]
        return [notice for notice in items if notice["case_number"] == receipt["case_number"]]

    def mailed_about(self, receipt: Any) -> list[str]:
        """The addresses of the mails about a receipt's case that were taken, sorted."""
        found = [message_from_bytes(path.read_bytes(), policy=default) for path in self.stack.mail.mails()]
        return sorted(str(mail["To"]) for mail in found if receipt["case_number"] in str(mail["Subject"]))

    def case_until(self, receipt: Any, reached: Callable[[list[Any]], bool], user: str = "mado") -> list[Any]:
        """Wait until the case page's documents are as wanted; they are given back."""
        return list(until(lambda: self.case(receipt, user)["documents"], reached))

    def made(self, receipt: Any, number: int, *, pdf: bool = True) -> list[Any]:
        """Wait until that many documents are made, and every agency is told that is to be told."""

        def reached(documents: list[Any]) -> bool:
            states = ("stored", "stored") if pdf else ("stored", "off")
            ready = len(documents) == number and all((line["word"], line["pdf"]) == states for line in documents)
            return ready and all(_told(line) for line in documents)

        return self.case_until(receipt, reached)


def _told(document: Any) -> bool:
    return bool(document["receipts"]) and all(len(line["channels"]) == 2 for line in document["receipts"])


def until(look: Callable[[], Any], reached: Callable[[Any], bool], seconds: float = PATIENCE_SECONDS) -> Any:
    """Look again and again until it is as wanted; AssertionError with the last look when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if reached(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


@contextlib.contextmanager
def running_line(folder: Path) -> Iterator[Line]:
    """A stack in the folder with the sample staff, stopped at the end."""
    stack = StackOfTests(folder)
    asyncio.run(stack.start())
    try:
        stack.install_office()
        with _staffed(stack) as line:
            yield line
    finally:
        asyncio.run(stack.stop())


@contextlib.contextmanager
def line_started_backwards(folder: Path, early: dict[str, Any]) -> Iterator[tuple[Line, Any]]:
    """A stack without PDFs whose services start before what they stand on; with the receipt of `early`, a form that was
    handed in before the hub and the store were there."""
    stack = StackOfTests(folder, pdf="off")
    _hand_out_keys(stack)
    try:
        for service in ("notify", "documents", "intake"):
            asyncio.run(_start_alone(stack, service))
        with _staffed(stack) as line:
            receipt = line.hand_in(early)
            asyncio.run(_start_the_rest(stack))
            yield line, receipt
    finally:
        asyncio.run(stack.stop())


@contextlib.contextmanager
def _staffed(stack: StackOfTests) -> Iterator[Line]:
    accounts = stack.accounts()
    line = Line(stack, add_sample_users(accounts))
    accounts.close()
    try:
        yield line
    finally:
        line.leave()


def _hand_out_keys(stack: Stack) -> None:
    """What the operators of hub and store give to a service before it starts for the first time."""
    write_private(stack.secret_file, secrets.token_hex(32))
    write_hub(stack.nats.folder, HubSettings(listen=f"{LOOPBACK}:{stack.ports.nats}"))
    private_folder(stack.store.folder)
    for file in (stack.store.access_key_file, stack.store.secret_key_file):
        write_private(file, secrets.token_hex(16))


async def _start_alone(stack: Stack, service: str) -> None:
    async def listens() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(f"{stack.url_of(service)}/healthz")).status_code == 200
            except httpx.TransportError:
                return False

    await stack.services[service].start(listens, PATIENCE_SECONDS)


async def _start_the_rest(stack: Stack) -> None:
    await asyncio.gather(stack.nats.start(), stack.store.start(), stack.mail.start())
