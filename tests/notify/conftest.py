"""The mail server of the notify tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.notify.notify_service import MailServer


@pytest_asyncio.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    """A real SMTP server on a free port, stopped afterwards."""
    server = MailServer()
    await server.start()
    yield server
    await server.stop()
