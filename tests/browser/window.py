"""A browser window that notes what a careful reader of its tools would see: foreign requests, errors, sign-ins."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

from tests.journeys.line import Line

FORM = "main form.form"
# Everything that a page's form would post, as a browser puts it together
TYPED = """form => [...new FormData(form)].filter(([name]) => !name.startsWith('_'))"""
# Sets what is typed into a form; the names for which there is nothing to type into
PUT = """(form, fields) => Object.entries(fields).filter(([name, value]) => {
    const inputs = [...form.elements].filter(input => input.name === name);
    for (const input of inputs) {
        if (input.type === 'checkbox' || input.type === 'radio') input.checked = [value].flat().includes(input.value);
        else input.value = value;
    }
    return inputs.length === 0;
}).map(([name]) => name)"""


class Window:
    """One person's browser: a context of its own (cookies, cache), with the page that is looked at."""

    def __init__(self, line: Line, context: BrowserContext) -> None:
        self.line = line
        self.context = context
        self._own = {urlsplit(line.stack.url_of(name)).netloc for name in line.stack.services}
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.sign_ins = 0
        self._refused: set[str] = set()
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.page: Page = context.new_page()

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        # what the browser's own PDF viewer is made of (chrome-extension:, chrome:) comes from the browser itself
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc not in self._own:
            self.foreign.append(request.url)
        if request.method == "POST" and address.path == "/sign-in":
            self.sign_ins += 1

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and response.request.is_navigation_request():
            self._refused.add(response.url)

    def _on_console(self, message: ConsoleMessage) -> None:
        # the browser itself notes a page that came with an error's status; that page is what is looked at
        if message.type in ("error", "warning") and message.location["url"] not in self._refused:
            self.errors.append(f"{message.text} {message.location['url']}")

    def go(self, service: str, path: str) -> int:
        """Open a path of a service; the status of the page."""
        answer = self.page.goto(f"{self.line.stack.url_of(service)}{path}")
        assert answer is not None
        return answer.status

    def sign_in(self, user: str) -> None:
        """Fill in the sign-in page that is open."""
        self.page.fill("#user", user)
        self.page.fill("#password", self.line.passwords[user])
        self.press("サインインする")

    def press(self, button: str) -> None:
        """Press a button of the page's content and wait for the page that follows."""
        self.page.locator("main").get_by_role("button", name=button, exact=True).click()
        self.page.wait_for_load_state()

    def follow(self, link: str) -> None:
        """Follow a link of the page's content."""
        self.page.locator("main").get_by_role("link", name=link, exact=True).click()
        self.page.wait_for_load_state()

    @property
    def path(self) -> str:
        """Where the page is, without the host."""
        return urlsplit(self.page.url).path

    def text(self) -> str:
        """What the page's content says."""
        return self.page.inner_text("main")

    def fill(self, fields: dict[str, str | list[str]]) -> None:
        """Type into the form: text by name, a choice by its code, several choices by their codes."""
        for name, value in fields.items():
            inputs = self.page.locator(f'{FORM} [name="{name}"]')
            kind = inputs.first.evaluate("input => input.type")
            if kind in ("checkbox", "radio"):
                for code in [value] if isinstance(value, str) else value:
                    self.page.locator(f'{FORM} [name="{name}"][value="{code}"]').check()
            elif kind == "select-one":
                inputs.select_option(value)
            else:
                assert isinstance(value, str)
                inputs.fill(value)

    def put(self, fields: dict[str, str | list[str]]) -> None:
        """The same at one stroke, for who looks at what becomes of the form and not at the typing: a tenth of the time."""
        missing: list[str] = self.page.locator(FORM).evaluate(PUT, fields)
        assert missing == []

    def typed(self) -> dict[str, list[str]]:
        """All that the form holds, by name."""
        found: dict[str, list[str]] = {}
        pairs: list[Any] = self.page.locator(FORM).evaluate(TYPED)
        for name, value in pairs:
            found.setdefault(name, []).append(value)
        return found

    def check_quiet(self) -> None:
        """Nothing was asked of another host, and the browser complained of nothing."""
        assert not self.foreign, self.foreign
        assert not self.errors, self.errors


@contextlib.contextmanager
def open_window(line: Line, browser: Browser, *, scripts: bool, state: Any = None) -> Iterator[Window]:
    """A new window; `state` is what another one had in its cookies."""
    context = browser.new_context(
        java_script_enabled=scripts, locale="ja-JP", viewport={"width": 1280, "height": 900}, storage_state=state
    )
    try:
        yield Window(line, context)
    finally:
        context.close()
