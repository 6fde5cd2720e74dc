"""The writer: one commit for many, nothing half done, everybody told; and the tables that the migrations make."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import alembic.autogenerate
import alembic.migration
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

import tsunagi_documents.tables
import tsunagi_intake.tables
import tsunagi_notify.tables
from tsunagi_shared import audit, database, idempotency, inbox, jobs, outbox
from tsunagi_shared.database import PLUMBING, Busy, Database, Statement, insert_of, wake
from tsunagi_shared.service import PLUMBING_MIGRATIONS

PLUMBING_MODULES = (audit, idempotency, inbox, jobs, outbox)
REPOSITORY = Path(__file__).parents[2]
SERVICE_TABLES = {
    "intake": tsunagi_intake.tables.metadata,
    "documents": tsunagi_documents.tables.METADATA,
    "notify": tsunagi_notify.tables.METADATA,
}
_METADATA = sa.MetaData()
things = sa.Table("things", _METADATA, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))
_ADD = insert_of(things)


def folder_of(service: str) -> Path:
    """Where a service's migrations lie."""
    return REPOSITORY / "services" / service / f"tsunagi_{service}" / "migrations" / "versions"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database with one table."""
    found = Database(tmp_path / "service.db")
    found.open(PLUMBING_MIGRATIONS)
    await found.write(_METADATA.create_all)
    yield found
    found.close()


class Gate:
    """Another user of the file, who has its write lock until `open`: what is written now queues up, into one batch."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def shut(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def open(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def gate(db: Database) -> Iterator[Gate]:
    """Shut; opened at the end at the latest."""
    found = Gate(db.path)
    found.shut()
    yield found
    found.open()
    found.close()


class SlowCommit:
    """A commit that stands still in its thread until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self._commit = database._commit
        monkeypatch.setattr(database, "_commit", self)

    def __call__(self, writer: Connection) -> None:
        self.reached.set()
        assert self.opened.wait(10)
        self._commit(writer)


@pytest.fixture
def slow_commit(monkeypatch: pytest.MonkeyPatch, db: Database) -> Iterator[SlowCommit]:
    """For the commits after this; opened at the end at the latest."""
    found = SlowCommit(monkeypatch)
    yield found
    found.opened.set()


def add(number: int, text: str = "") -> Any:
    """A piece of work that adds a row."""

    def piece(connection: Connection) -> int:
        _ADD.run(connection, id=number, text=text)
        return number

    return piece


async def ids(db: Database) -> list[int]:
    """What is stored."""
    return await db.read(lambda connection: list(connection.execute(sa.select(things.c.id)).scalars()))


async def test_many_writes_share_few_commits(db: Database) -> None:
    """A hundred waiting requests do not cost a hundred flushes."""
    before = db.commits
    answers = await asyncio.gather(*(db.write(add(number)) for number in range(400)))
    assert answers == list(range(400))
    assert db.commits - before <= 40
    assert await ids(db) == list(range(400))


async def test_an_exception_undoes_its_own_piece_only(db: Database, gate: Gate) -> None:
    """In one batch: the failing piece leaves nothing, its neighbours stay, and it gets its own exception."""

    def failing(connection: Connection) -> NoReturn:
        _ADD.run(connection, id=100, text="")
        raise LookupError("mine")

    before = db.commits
    pieces = [asyncio.create_task(db.write(piece)) for piece in (add(1), failing, add(2), add(1), add(3))]
    await asyncio.sleep(0)
    gate.open()
    outcomes = await asyncio.gather(*pieces, return_exceptions=True)
    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert kinds == ["int", "LookupError", "int", "IntegrityError", "int"]
    assert await ids(db) == [1, 2, 3]
    assert db.commits - before == 1


async def test_answers_wait_for_the_commit(db: Database, slow_commit: SlowCommit) -> None:
    """A piece that has run is neither answered nor seen by readers before its batch is committed, and the loop is free."""
    row = asyncio.create_task(db.write(add(1)))
    assert await asyncio.to_thread(slow_commit.reached.wait, 10)
    await asyncio.sleep(0.05)
    assert not row.done()
    assert await ids(db) == []
    slow_commit.opened.set()
    assert await row == 1
    assert await ids(db) == [1]


async def test_a_failed_commit_is_told_to_everybody(db: Database, gate: Gate) -> None:
    """What only the commit finds out: nobody in the batch is told that it was stored, nothing is, and the writer goes on."""
    gate.open()
    await db.write(
        lambda connection: connection.exec_driver_sql(
            "CREATE TABLE followers (thing INTEGER REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED)"
        )
    )
    gate.shut()
    after = [
        asyncio.create_task(db.write(piece))
        for piece in (
            add(1),
            lambda connection: connection.exec_driver_sql("INSERT INTO followers VALUES (99)"),
            add(2),
        )
    ]
    await asyncio.sleep(0)
    gate.open()
    outcomes = await asyncio.gather(*after, return_exceptions=True)
    assert all(isinstance(outcome, sqlite3.IntegrityError) for outcome in outcomes)
    assert await ids(db) == []
    assert await db.write(add(3)) == 3
    assert await ids(db) == [3]


async def test_a_full_disk_stores_what_it_says_and_nothing_else(db: Database, gate: Gate) -> None:
    """With no room left, every piece that is answered is stored and every other is not; with room again it goes on."""
    gate.open()
    pages = await db.write(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar_one())
    await db.write(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 8}").scalar_one())
    gate.shut()
    tasks = [asyncio.create_task(db.write(add(number, "x" * 3000))) for number in range(40)]
    await asyncio.sleep(0)
    gate.open()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    stored = [number for number, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)]
    assert await ids(db) == stored
    assert len(stored) < 40
    await db.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000").scalar_one())
    assert await db.write(add(1000)) == 1000


async def test_too_many_waiting_writes_are_busy(db: Database, gate: Gate) -> None:
    """Beyond the limit the caller is told at once; those within it are still carried out."""
    queued = [asyncio.create_task(db.write(add(number))) for number in range(database.QUEUE)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await db.write(add(-1))
    gate.open()
    await asyncio.gather(*queued)
    assert await ids(db) == list(range(database.QUEUE))


async def test_a_stop_iteration_does_not_leave_anybody_waiting(db: Database, gate: Gate) -> None:
    """A future refuses to carry StopIteration: its caller gets an error all the same, and its neighbours their answers."""

    def exhausted(_: Connection) -> object:
        return next(iter(()))

    tasks = [asyncio.create_task(db.write(piece)) for piece in (exhausted, add(1))]
    await asyncio.sleep(0)
    gate.open()
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [RuntimeError, int]
        with pytest.raises(RuntimeError):
            await db.read(exhausted)


async def test_the_writer_outlives_anything(db: Database) -> None:
    """Even what is no Exception reaches its caller and does not end the writer."""

    class Fatal(BaseException):
        pass

    def fatal(_: Connection) -> NoReturn:
        raise Fatal

    async with asyncio.timeout(5):
        with pytest.raises(Fatal):
            await db.write(fatal)
        assert await db.write(add(1)) == 1


async def test_a_caller_that_went_away_harms_nobody(db: Database, gate: Gate) -> None:
    """A cancelled request's piece is still whole, and the others get their answers."""
    gone, stays = asyncio.create_task(db.write(add(1))), asyncio.create_task(db.write(add(2)))
    await asyncio.sleep(0)
    gone.cancel()
    gate.open()
    assert await stays == 2
    assert gone.cancelled()
    assert await ids(db) == [1, 2]


async def test_reads_cannot_write(db: Database) -> None:
    """A function given to `read` that changes something is refused."""
    with pytest.raises(Exception, match="readonly"):
        await db.read(add(1))
    assert await ids(db) == []


async def test_listeners_are_called_after_the_commit(db: Database, gate: Gate) -> None:
    """`wake` reaches the event loop once the rows can be read, and not for a batch that was not stored."""
    seen = asyncio.Event()
    db.on_commit("things", seen.set)

    def waking(connection: Connection) -> None:
        _ADD.run(connection, id=1, text="")
        wake(connection, "things")

    task = asyncio.create_task(db.write(waking))
    await asyncio.sleep(0.02)
    assert not seen.is_set()
    gate.open()
    async with asyncio.timeout(5):
        await seen.wait()
    assert await ids(db) == [1]
    await task


async def test_close_finishes_what_is_queued_and_refuses_the_rest(tmp_path: Path) -> None:
    """What was taken is carried out; what comes later is told so instead of waiting for ever."""
    db = Database(tmp_path / "service.db")
    db.open(PLUMBING_MIGRATIONS)
    await db.write(_METADATA.create_all)
    tasks = [asyncio.create_task(db.write(add(number))) for number in range(50)]
    await asyncio.sleep(0)
    db.close()
    await asyncio.gather(*tasks)
    with pytest.raises(Busy):
        await db.write(add(99))
    again = Database(tmp_path / "service.db")
    again.open(PLUMBING_MIGRATIONS)
    assert await ids(again) == list(range(50))
    again.close()


async def test_statements_keep_their_literals_and_take_parameters(db: Database) -> None:
    """A statement compiled once gives what SQLAlchemy would give."""
    await db.write(add(1, "一"))
    found = Statement(sa.select(things.c.text).where(things.c.id == sa.bindparam("id"), things.c.text != "二"))
    assert await db.read(lambda connection: found.first(connection, id=1)) == ("一",)
    assert await db.read(lambda connection: found.first(connection, id=2)) is None


def test_the_file_is_closed_to_others(tmp_path: Path) -> None:
    """It holds residents' data: only the service's own user reads it, side files included."""
    db = Database(tmp_path / "service.db")
    db.open(PLUMBING_MIGRATIONS)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    db.close()


@pytest.mark.parametrize("service", SERVICE_TABLES)
def test_the_migrations_make_the_tables_of_the_code(service: str, tmp_path: Path) -> None:
    """Tables, columns and indexes of a migrated database are those that the modules declare; migrating twice changes nothing."""
    assert {table.name for table in PLUMBING.tables.values()} == {
        "outbox", "inbox", "dead_letters", "jobs", "audit", "audit_reasons", "idempotency",
    }  # fmt: skip
    for _ in range(2):
        db = Database(tmp_path / "service.db")
        db.open(PLUMBING_MIGRATIONS, (folder_of(service), f"alembic_{service}"))
        db.close()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'service.db'}", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        context = alembic.migration.MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: not (kind == "table" and str(name).startswith("alembic_")),
            },
        )
        both = sa.MetaData()
        for metadata in (PLUMBING, SERVICE_TABLES[service]):
            for table in metadata.tables.values():
                table.to_metadata(both)
        assert alembic.autogenerate.compare_metadata(context, both) == []
        for name, table in both.tables.items():
            primary = sa.inspect(connection).get_pk_constraint(name)["constrained_columns"]
            assert primary == [column.name for column in table.primary_key.columns]
    engine.dispose()


_MIGRATE = """
import sys
from pathlib import Path
from tsunagi_shared.accounts import Accounts
from tsunagi_shared.database import Database
from tsunagi_shared.service import PLUMBING_MIGRATIONS
folder = Path(sys.argv[1])
print("ready", flush=True)
for name in sys.stdin.readline().split():
    database = Database(folder / name)
    database.open(PLUMBING_MIGRATIONS, (Path(sys.argv[2]), "alembic_intake"))
    database.close()
    Accounts(folder / f"accounts-{name}", b"s" * 32).close()
print("done", flush=True)
"""


def test_four_processes_migrate_at_once(tmp_path: Path) -> None:
    """Services that start together on one file wait for one another, and every one finds its tables."""
    command = [sys.executable, "-c", _MIGRATE, str(tmp_path), str(folder_of("intake"))]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("a.db b.db c.db\n")
        process.stdin.flush()
    for process in processes:
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert (out, errors) == ("done\n", "")
