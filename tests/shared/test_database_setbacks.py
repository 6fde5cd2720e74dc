"""The writer when others hold the file, when it is closed in the middle, and when an event loop ends under it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_shared import database
from tsunagi_shared.database import Busy, Database, insert_of, wake

_METADATA = sa.MetaData()
things = sa.Table("things", _METADATA, sa.Column("id", sa.Integer, primary_key=True))
_ADD = insert_of(things)


class Adding:
    """A piece of work that adds a row; `ran` once it has."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ran = False

    def __call__(self, connection: Connection) -> int:
        _ADD.run(connection, id=self.number)
        wake(connection, "things")
        self.ran = True
        return self.number


def opened(folder: Path) -> Database:
    """The database of a folder, with its one table."""
    found = Database(folder / "service.db")
    found.open()
    with found.connection() as connection:
        _METADATA.create_all(connection)
    return found


def stored(path: Path) -> list[int]:
    """What another process finds in the file."""
    connection = sqlite3.connect(path)
    try:
        return [number for (number,) in connection.execute("SELECT id FROM things ORDER BY id")]
    finally:
        connection.close()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database with one table."""
    found = opened(tmp_path)
    yield found
    found.close()


@pytest.fixture
def other(db: Database) -> Iterator[sqlite3.Connection]:
    """Another process that has the file's write lock."""
    connection = sqlite3.connect(db.path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


@pytest.fixture
def commit_reached(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set at the first commit; from now on each stands still for 0.2 seconds in its thread."""
    reached, commit = threading.Event(), database._commit

    def slow(writer: Connection) -> None:
        reached.set()
        time.sleep(0.2)
        commit(writer)

    monkeypatch.setattr(database, "_commit", slow)
    return reached


async def begun(reached: threading.Event) -> None:
    """Once a commit is under way in its thread."""
    assert await asyncio.to_thread(reached.wait, 10)


async def test_writes_wait_for_another_process_and_the_loop_goes_on(db: Database, other: sqlite3.Connection) -> None:
    """While another process has the lock, requests are read and answered; what is to be written waits, and is stored."""
    tasks = [asyncio.create_task(db.write(Adding(number))) for number in range(20)]
    longest = 0.0
    for _ in range(30):
        before = time.perf_counter()
        await asyncio.sleep(0.01)
        longest = max(longest, time.perf_counter() - before)
    assert longest < 0.2
    assert not any(task.done() for task in tasks)
    assert await db.read(lambda connection: connection.execute(sa.select(things.c.id)).all()) == []
    other.execute("INSERT INTO things VALUES (100)")
    other.execute("COMMIT")
    assert await asyncio.gather(*tasks) == list(range(20))
    assert stored(db.path) == [*range(20), 100]
    assert db.commits == 1


async def test_a_lock_held_too_long_is_told_to_everybody(
    db: Database, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit all who wait are told, their pieces have not run, and later writes work."""
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.1)
    pieces = [Adding(number) for number in range(300)]
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*(db.write(piece) for piece in pieces), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Busy}
    assert not any(piece.ran for piece in pieces)
    other.execute("ROLLBACK")
    assert await db.write(Adding(1)) == 1
    assert stored(db.path) == [1]


async def test_a_failing_begin_is_told_and_leaves_the_writer_whole(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of BEGIN that waiting would not mend reaches everybody who waits, once."""
    begin = database._begin

    def broken(_: Connection) -> NoReturn:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(database, "_begin", broken)
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(db.write(Adding(1)), db.write(Adding(2)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["disk I/O error"] * 2
    monkeypatch.setattr(database, "_begin", begin)
    assert await db.write(Adding(3)) == 3
    assert stored(db.path) == [3]


async def test_a_transaction_given_up_stores_nobody_and_wakes_nobody(db: Database) -> None:
    """When SQLite itself rolls back in the middle, the pieces before and after it are told so, and no listener is called."""
    seen = asyncio.Event()
    db.on_commit("things", seen.set)

    def given_up(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT OR ROLLBACK INTO things VALUES (1)")

    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(
            *(db.write(piece) for piece in (Adding(1), given_up, Adding(2))), return_exceptions=True
        )
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
    await asyncio.sleep(0)
    assert not seen.is_set()
    assert db.commits == 0
    assert await db.write(Adding(3)) == 3
    assert stored(db.path) == [3]


async def test_a_piece_that_hides_a_transaction_given_up_is_not_called_stored(db: Database) -> None:
    """Even a last piece that swallows the error does not make the batch look stored."""

    def hiding(connection: Connection) -> None:
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql("INSERT OR ROLLBACK INTO things VALUES (1)")

    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(db.write(Adding(1)), db.write(hiding), return_exceptions=True)
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
    assert stored(db.path) == []


async def test_a_second_loop_at_the_same_time_is_refused(db: Database) -> None:
    """Two loops that run side by side cannot share the one connection: the second is told, and nothing is stored for it."""
    await db.write(Adding(1))
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(asyncio.run, db.write(Adding(2)))
    assert await db.write(Adding(3)) == 3
    assert stored(db.path) == [1, 3]


async def test_a_listener_that_fails_harms_nobody(db: Database) -> None:
    """The writer's callers get their answers, and the other listeners are called; the fault goes to the loop's handler."""
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))

    def failing() -> NoReturn:
        raise LookupError("listener")

    seen = asyncio.Event()
    db.on_commit("things", failing)
    db.on_commit("things", seen.set)
    async with asyncio.timeout(5):
        assert await db.write(Adding(1)) == 1
        await seen.wait()
        assert await db.write(Adding(2)) == 2
    assert [type(fault) for fault in faults] == [LookupError, LookupError]


async def test_close_during_a_commit_answers_that_batch_and_the_rest(
    tmp_path: Path, commit_reached: threading.Event
) -> None:
    """The batch under way and what queued behind it are stored, answered and heard of."""
    db = opened(tmp_path)
    heard: list[None] = []
    db.on_commit("things", lambda: heard.append(None))
    first = [asyncio.create_task(db.write(Adding(number))) for number in range(3)]
    await begun(commit_reached)
    rest = [asyncio.create_task(db.write(Adding(number))) for number in range(3, 6)]
    await asyncio.sleep(0)
    db.close()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*first, *rest) == list(range(6))
    assert stored(db.path) == list(range(6))
    assert len(heard) == 2


async def test_close_while_another_process_has_the_lock(db: Database, other: sqlite3.Connection) -> None:
    """It waits for the lock, and carries out what was taken."""
    tasks = [asyncio.create_task(db.write(Adding(number))) for number in range(3)]
    await asyncio.sleep(0.05)
    letting_go = threading.Timer(0.2, other.execute, ("ROLLBACK",))
    letting_go.start()
    db.close()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*tasks) == [0, 1, 2]
    letting_go.join()
    assert stored(db.path) == [0, 1, 2]


def test_a_loop_that_is_ended_still_stores_what_was_taken(tmp_path: Path, commit_reached: threading.Event) -> None:
    """The end of `asyncio.run` cancels the writer too: the batch under way and what waits are carried out before it ends."""
    db = opened(tmp_path)

    async def leaving() -> None:
        first = asyncio.create_task(db.write(Adding(1)))
        await begun(commit_reached)
        second = asyncio.create_task(db.write(Adding(2)))
        await asyncio.sleep(0)
        assert not first.done()
        assert not second.done()

    asyncio.run(leaving())
    assert stored(db.path) == [1, 2]
    assert asyncio.run(db.write(Adding(3))) == 3
    db.close()
    assert stored(db.path) == [1, 2, 3]


def test_a_write_at_the_end_of_a_loop_is_answered(tmp_path: Path) -> None:
    """What a cancelled task still writes is stored, also when the writer was cancelled before it had begun."""
    db = opened(tmp_path)
    answers: list[int] = []

    async def tidying() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            async with asyncio.timeout(5):
                answers.append(await db.write(Adding(2)))

    async def leaving() -> None:
        tasks = [asyncio.create_task(tidying()), asyncio.create_task(db.write(Adding(1)))]
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)

    asyncio.run(leaving())
    assert answers == [2]
    db.close()
    assert stored(db.path) == [1, 2]


def test_a_second_loop_writes_after_the_first_was_dropped(tmp_path: Path, commit_reached: threading.Event) -> None:
    """A loop closed in the middle of a commit, its tasks left as they were, keeps neither the connection nor the next loop."""
    db = opened(tmp_path)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # the tasks are dropped on purpose
    first = loop.create_task(db.write(Adding(1)))
    loop.run_until_complete(begun(commit_reached))
    second = loop.create_task(db.write(Adding(2)))
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert not first.done()
    assert not second.done()

    async def later() -> list[int]:
        async with asyncio.timeout(5):
            return list(await asyncio.gather(db.write(Adding(3)), db.write(Adding(4))))

    assert asyncio.run(later()) == [3, 4]
    db.close()
    assert stored(db.path) == [1, 2, 3, 4]
    del first, second
