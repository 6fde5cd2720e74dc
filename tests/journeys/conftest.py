"""Stacks for the journeys that can share one: each journey leaves them as it found them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.data.referrals import referral
from tests.journeys.line import Line, line_started_backwards, running_line


@pytest.fixture(scope="package")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The whole line, with PDFs."""
    with running_line(tmp_path_factory.mktemp("line")) as running:
        yield running


@pytest.fixture(scope="module")
def started_backwards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Line, Any]]:
    """The line without PDFs, its services started before the hub, and the receipt of a form handed in before that."""
    with line_started_backwards(tmp_path_factory.mktemp("backwards"), referral()) as running:
        yield running
