"""The service's own database: plain functions of a Connection, run by `db.write(fn)` and `db.read(fn)`.

On SQLite one thread writes. It takes what has queued up, runs each piece inside its own SAVEPOINT and commits once, so that
a hundred waiting requests share one fsync; each is answered only after that commit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import alembic.command
import alembic.config
import sqlalchemy as sa
from sqlalchemy import Connection

T = TypeVar("T")
Row = TypeVar("Row", bound=tuple[Any, ...])

BATCH = 256
QUEUE = 1000  # pieces of work waiting; beyond it the caller is told to come again
READERS = 4
WAIT_SECONDS = 30  # for another process that has the file
PRAGMAS = (
    "synchronous = FULL",  # a commit is on disk when it is answered
    "foreign_keys = ON",
    "busy_timeout = 30000",
    "secure_delete = ON",  # sent events and finished jobs name people: what is deleted is overwritten in the file
    "cache_size = -32768",  # 32 MiB a connection: the indexes' ends stay in memory
    "wal_autocheckpoint = 4000",  # pages: copying back costs as much for many commits as for few
)
_WAKE = "wake"

# Tables that every service has: outbox, inbox, jobs, dead letters, audit, idempotency.
PLUMBING = sa.MetaData()


class Busy(Exception):
    """More writes are waiting than the limit, or the database is being closed. Nothing was stored; come again."""


class Statement:
    """A Core statement compiled once and run on the driver's cursor: a third of the cost of `Connection.execute`."""

    __slots__ = ("_literals", "_sql", "source")

    def __init__(self, source: sa.Executable) -> None:
        self.source = source
        self._sql = ""
        self._literals: dict[str, Any] = {}

    def run(self, connection: Connection, **parameters: Any) -> Any:
        """The driver's cursor after running the statement with these named parameters."""
        if not self._sql:
            compiled = self.source.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
            self._literals = {name: value for name, value in compiled.params.items() if value is not None}
            self._sql = str(compiled)
        cursor = connection.connection.cursor()
        cursor.execute(self._sql, {**self._literals, **parameters} if self._literals else parameters)
        return cursor

    def many(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        """Run the statement once for each row, in one call of the driver."""
        if rows:
            cursor = self.run(connection, **rows[0])
            cursor.executemany(self._sql, rows[1:])
            cursor.close()

    def first(self, connection: Connection, **parameters: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        cursor = self.run(connection, **parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return row


def insert_of(table: sa.Table) -> Statement:
    """An INSERT that takes every column by name."""
    return Statement(table.insert().values({column.name: sa.bindparam(column.name) for column in table.columns}))


def wake(connection: Connection, name: str) -> None:
    """Have the listeners of `name` called once this transaction is committed."""
    connection.info.setdefault(_WAKE, set()).add(name)


class _Work(Generic[T]):
    __slots__ = ("error", "function", "future", "loop", "value")

    def __init__(self, function: Callable[[Connection], T], loop: asyncio.AbstractEventLoop) -> None:
        self.function = function
        self.loop = loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.error: BaseException | None = None
        self.value: T | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)  # type: ignore[arg-type]


class Database:
    """One SQLite file. `open` migrates it and starts the writer; `close` lets what is queued finish."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _engine(path)
        self._queue: queue.Queue[_Work[Any] | None] = queue.Queue(QUEUE)
        self._writer: threading.Thread | None = None
        self._closing = False
        self._readers = concurrent.futures.ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._local = threading.local()
        self._read_connections: list[Connection] = []
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self.commits = 0

    def open(self, *migrations: tuple[Path, str]) -> None:
        """Bring the tables to their newest form ((folder, version table) each) and start the writer."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)  # it holds residents' data; SQLite's side files take over its permissions
        for folder, version_table in migrations:
            with self._engine.connect() as connection:
                migrate(connection, folder, version_table)
        self._writer = threading.Thread(target=self._write_forever, name="writer", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Finish what is queued, then let go of the file."""
        self._closing = True
        if self._writer is not None:
            self._queue.put(None)
            self._writer.join()
            self._writer = None
        self._readers.shutdown(wait=True)
        for connection in self._read_connections:
            connection.close()
        self._engine.dispose()

    def on_commit(self, name: str, listener: Callable[[], None]) -> None:
        """Call the listener, in the event loop, after each commit in which `wake(connection, name)` was said."""
        loop = asyncio.get_running_loop()
        self._listeners.setdefault(name, []).append(lambda: _call_in(loop, listener))

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run the function in a transaction; its answer comes after the commit, its exception after the rollback."""
        if self._closing:
            raise Busy  # the writer is going: what came now would wait for ever
        work = _Work(function, asyncio.get_running_loop())
        try:
            self._queue.put_nowait(work)
        except queue.Full:
            raise Busy from None
        return await work.future

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run the function on a read-only connection that sees everything committed so far."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, function)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One transaction of its own for commands, beside the running service (SQLite's lock keeps them apart)."""
        with self._engine.connect() as connection, _transaction(connection, "BEGIN IMMEDIATE"):
            yield connection

    def _read(self, function: Callable[[Connection], T]) -> T:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._engine.connect()
            connection.exec_driver_sql("PRAGMA query_only = 1")
            self._local.connection = connection
            self._read_connections.append(connection)
        with _transaction(connection, "BEGIN"):
            try:
                return function(connection)
            except StopIteration as error:
                raise _passable(error) from error

    def _write_forever(self) -> None:
        with self._engine.connect() as connection:
            while True:
                batch, going_on = self._take()
                if batch:
                    self._run(connection, batch)
                if not going_on:
                    return

    def _take(self) -> tuple[list[_Work[Any]], bool]:
        batch: list[_Work[Any]] = []
        work = self._queue.get()
        while work is not None:
            batch.append(work)
            if len(batch) == BATCH:
                return batch, True
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _run(self, connection: Connection, batch: list[_Work[Any]]) -> None:
        connection.info[_WAKE] = set()
        try:
            with _transaction(connection, "BEGIN IMMEDIATE"):
                for work in batch:
                    _run_one(connection, work)
        except BaseException as error:  # noqa: BLE001 - the commit failed (full disk): nobody in the batch was stored
            for work in batch:
                work.error = work.error or error
        else:
            self.commits += 1
            for name in connection.info[_WAKE]:
                for listener in self._listeners.get(name, ()):
                    listener()
        by_loop: dict[asyncio.AbstractEventLoop, list[_Work[Any]]] = {}
        for work in batch:
            by_loop.setdefault(work.loop, []).append(work)
        for loop, works in by_loop.items():
            _call_in(loop, _settle_all, works)


def _settle_all(works: list[_Work[Any]]) -> None:
    for work in works:
        work.settle()


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *arguments)


def _run_one(connection: Connection, work: _Work[Any]) -> None:
    """One piece of work inside a SAVEPOINT. An error that broke the whole transaction goes up to the batch."""
    cursor = connection.connection.cursor()
    cursor.execute("SAVEPOINT piece")
    try:
        work.value = work.function(connection)
    except BaseException as error:  # noqa: BLE001 - handed to whoever asked; the writer outlives it
        work.error = _passable(error)
        cursor.execute("ROLLBACK TO piece")
    cursor.execute("RELEASE piece")
    cursor.close()


def _passable(error: BaseException) -> BaseException:
    """The error as a future can carry it: a StopIteration would be refused, and its caller would wait for ever."""
    return RuntimeError("StopIteration") if isinstance(error, StopIteration) else error


@contextmanager
def _transaction(connection: Connection, begin: str) -> Iterator[None]:
    cursor = connection.connection.cursor()
    cursor.execute(begin)
    try:
        yield
        cursor.execute("COMMIT")
    except BaseException:
        if connection.connection.in_transaction:
            cursor.execute("ROLLBACK")
        raise
    finally:
        cursor.close()


def write_ahead(driver: Any) -> None:
    """Turn a file to write-ahead logging. SQLite does not wait for this lock by itself when two processes that start
    together want it; OperationalError after WAIT_SECONDS."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


def _engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}",
        paramstyle="named",
        isolation_level="AUTOCOMMIT",
        poolclass=sa.pool.NullPool,
        connect_args={"check_same_thread": False, "timeout": 30},
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(driver: Any, _record: Any) -> None:
        write_ahead(driver)
        for pragma in PRAGMAS:
            driver.execute(f"PRAGMA {pragma}")

    return engine


def migrate(connection: Connection, folder: Path, version_table: str) -> None:
    """Run the alembic revisions of a folder up to the newest, under the database's write lock."""
    configuration = alembic.config.Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    configuration.set_main_option("version_locations", str(folder))
    configuration.set_main_option("path_separator", "newline")
    configuration.attributes["connection"] = connection
    configuration.attributes["version_table"] = version_table
    # alembic commits by itself unless it finds itself inside somebody else's transaction
    with connection.begin(), _transaction(connection, "BEGIN IMMEDIATE"):
        alembic.command.upgrade(configuration, "head")
