"""What tests of several folders share: a hub that runs, and a clock that can be moved."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import argon2
import pytest

from deploy.local.servers import NatsServer
from tsunagi_shared import accounts, clock


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One real hub for all tests that do not stop it."""
    server = NatsServer(tmp_path_factory.mktemp("hub"))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


class MovableClock:
    """The clock file that the embedded stack names, moved by a test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.forward(0)

    def forward(self, seconds: float) -> None:
        """Move to this many seconds after the real time."""
        self.path.write_text(str(int(seconds)))
        clock.follow(self.path)  # read now, not within the second

    def to(self, moment: dt.datetime) -> None:
        """Move to a moment; whole seconds, and the clock goes on from there."""
        self.forward(moment.timestamp() - time.time())


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed with argon2id at its least cost, where the cost is not what is tested."""
    cheap = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", cheap)
    monkeypatch.setattr(accounts, "_NOBODY", cheap.hash("nobody's password"))


@pytest.fixture(scope="module", autouse=True)
def real_time_again() -> Iterator[None]:
    """No file of tests leaves a moved clock to the next one."""
    yield
    clock.follow(None)


@pytest.fixture
def movable_clock(tmp_path: Path) -> Iterator[MovableClock]:
    """A clock that shows the real time until it is moved, and again after the test."""
    yield MovableClock(tmp_path / "clock")
    clock.follow(None)
