"""A running intake service for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.data.intake import Intake, running_intake


@pytest.fixture
async def intake(tmp_path: Path, cheap_passwords: None) -> AsyncIterator[Intake]:
    """The service, with the hub away: its events stay in the outbox, where a test can look at them."""
    async with running_intake(tmp_path) as found:
        yield found
