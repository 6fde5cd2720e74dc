"""A running stack and a real browser. The stack starts first and stops last: Playwright keeps an event loop for itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.window import Window, open_window
from tests.journeys.line import Line, running_line

NAMES = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="package")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The whole line, with PDFs."""
    with running_line(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="package")
def browser(line: Line) -> Iterator[Browser]:
    """The system's Chromium with a fresh profile."""
    program = next((found for found in map(shutil.which, NAMES) if found), None)
    assert program is not None, "no Chromium is installed: run make"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture
def window(line: Line, browser: Browser) -> Iterator[Window]:
    """A browser of somebody who has not signed in, with scripts switched off."""
    with open_window(line, browser, scripts=False) as opened:
        yield opened


@pytest.fixture
def other_window(line: Line, browser: Browser) -> Iterator[Window]:
    """Another person's browser, with scripts switched off."""
    with open_window(line, browser, scripts=False) as opened:
        yield opened
