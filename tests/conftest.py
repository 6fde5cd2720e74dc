"""What tests of several folders share: a hub that runs, and a clock that can be moved."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import argon2
import pytest

from deploy.local.servers import REPOSITORY, NatsServer
from tsunagi_shared import accounts, clock, database, service
from tsunagi_shared.contracts.profile import PROFILE_FILE, Profile, load_profile

# With real servers, browsers or LibreOffice, and therefore long: what begins last must not be what takes longest.
LONG = ("journeys", "faults", "browser", "deploy", "documents")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folders of long tests come first, in this order."""
    order = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def prepared_once() -> Iterator[None]:
    """A new database gets a copy of what the project's own migrations made before in this process, and a profile that was
    read is not read again while its files are the same: a sixth of a second for each service that a test starts."""
    open_it, made = database.Database.open, dict[tuple[str, ...], bytes]()

    def open_copy(self: database.Database, *migrations: tuple[Path, str]) -> None:
        key = tuple(str(folder) for folder, _ in migrations)
        if self.path.exists() or not all(folder.is_relative_to(REPOSITORY) for folder, _ in migrations):
            open_it(self, *migrations)
            return
        if key not in made:
            open_it(self, *migrations)
            made[key] = _content_of(self.path)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        self.path.write_bytes(made[key])
        open_it(self)

    @functools.cache
    def read(folder: Path, _content: bytes) -> Profile:
        return load_profile(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database.Database, "open", open_copy)
        patch.setattr(service, "load_profile", lambda folder: read(folder, (folder / PROFILE_FILE).read_bytes()))
        yield


def _content_of(path: Path) -> bytes:
    """A database as one file, with what its log still holds."""
    with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        return copy.serialize()


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


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Passwords that tests give are hashed with argon2id at its least cost: a quarter of a second each otherwise. What is
    checked against them, also by services in processes of their own, goes by the cost that stands in the hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


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
