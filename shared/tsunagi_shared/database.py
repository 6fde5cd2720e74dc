"""The service's own database: plain functions of a Connection, run by `db.write(fn)` and `db.read(fn)`.

On SQLite one connection writes. What has queued up runs in the event loop, each piece inside its own SAVEPOINT, and a thread
commits once, so that a hundred waiting requests share one fsync; each is answered only after that commit. The pieces do not run
in the thread: the driver gives up Python's lock at every statement, and a busy event loop makes each wait to have it back.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

T = TypeVar("T")
Row = TypeVar("Row", bound=tuple[Any, ...])

BATCH = 256
QUEUE = 1000  # pieces of work waiting; beyond it the caller is told to come again
GATHERING_TURNS = 2  # of the event loop: requests that have arrived get as far as the queue, and share the commit
DELETED_AT_ONCE = 500
READERS = 4
WAIT_SECONDS = 30  # for another process that has the file
PRAGMAS = (
    "synchronous = FULL",  # a commit is on disk when it is answered
    "foreign_keys = ON",
    "busy_timeout = 30000",
    "secure_delete = ON",  # sent events and finished jobs name people: what is deleted is overwritten in the file
    "temp_store = MEMORY",  # what a SAVEPOINT may have to give back is kept in memory, not in a temporary file
    "cache_size = -32768",  # 32 MiB a connection: the indexes' ends stay in memory
    "wal_autocheckpoint = 4000",  # pages: copying back costs as much for many commits as for few
)
_WAKE = "wake"

# Tables that every service has: outbox, inbox, jobs, dead letters, audit, idempotency.
PLUMBING = sa.MetaData()


class Busy(Exception):
    """Too many writes wait, another process holds the file, or it is being closed. Nothing was stored; come again."""


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
            self._compile(connection)
        cursor = connection.connection.cursor()
        cursor.execute(self._sql, {**self._literals, **parameters} if self._literals else parameters)
        return cursor

    def _compile(self, connection: Connection) -> None:
        compiled = self.source.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
        self._literals = {name: value for name, value in compiled.params.items() if value is not None}
        self._sql = str(compiled)

    def many(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        """Run the statement once for each row, in one call of the driver."""
        if rows:
            if not self._sql:
                self._compile(connection)
            cursor = connection.connection.cursor()
            cursor.executemany(self._sql, [{**self._literals, **row} for row in rows] if self._literals else rows)
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


def delete_some(connection: Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    """Delete rows of a table with one key column, few enough that nobody waits for it; how many."""
    (key,) = table.primary_key.columns
    some = sa.select(key).where(condition).limit(DELETED_AT_ONCE)
    return connection.execute(table.delete().where(key.in_(some))).rowcount


def wake(connection: Connection, name: str) -> None:
    """Have the listeners of `name` called once this transaction is committed."""
    connection.info.setdefault(_WAKE, set()).add(name)


class _Work(Generic[T]):
    __slots__ = ("error", "function", "future", "value")

    def __init__(self, function: Callable[[Connection], T], future: asyncio.Future[T]) -> None:
        self.function = function
        self.future = future
        self.error: BaseException | None = None
        self.value: T | None = None

    def settle(self) -> None:
        if self.future.done() or self.future.get_loop().is_closed():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)  # type: ignore[arg-type]


class Database:
    """One SQLite file, written by one event loop. `open` migrates it; `close` carries out what was taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _engine(path)
        self._waiting: deque[_Work[Any]] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._writer: Connection | None = None
        self._committer = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="committer")
        self._under_way: concurrent.futures.Future[None] | None = None  # while it is, the connection is the thread's
        self._closing = False
        self._readers = concurrent.futures.ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._local = threading.local()
        self._read_connections: list[Connection] = []
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self.commits = 0

    def open(self, *migrations: tuple[Path, str]) -> None:
        """Bring the tables to their newest form ((folder, version table) each)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)  # it holds residents' data; SQLite's side files take over its permissions
        for folder, version_table in migrations:
            with self._engine.connect() as connection:
                migrate(connection, folder, version_table)
        self._writer = self._engine.connect()
        self._writer.exec_driver_sql("PRAGMA busy_timeout = 0")  # it waits in a thread, never in the event loop

    def close(self) -> None:
        """Carry out what was taken, then let go of the file."""
        self._closing = True
        self._committer.shutdown(wait=True)  # a commit that is under way ends; its batch is answered after this
        if self._writer is not None:
            while self._waiting:
                self._close_one_batch(self._writer)
            self._writer.close()
        self._readers.shutdown(wait=True)
        for connection in self._read_connections:
            connection.close()
        self._engine.dispose()

    def _close_one_batch(self, writer: Connection) -> None:
        batch: list[_Work[Any]] = []
        try:
            _wait_for_lock(writer)
            batch, woken = self._run_batch(writer)
            if batch:
                _commit(writer)
                self._succeed(batch, woken)
        except Exception as error:  # noqa: BLE001 - told to those who asked
            self._fail(batch, error)

    def on_commit(self, name: str, listener: Callable[[], None]) -> None:
        """Call the listener, in the event loop, after each commit in which `wake(connection, name)` was said."""
        loop = asyncio.get_running_loop()
        self._listeners.setdefault(name, []).append(lambda: _call_in(loop, listener))

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run the function in a transaction; its answer comes after the commit, its exception after the rollback.

        It runs in the event loop: nothing slow belongs into it. Busy; RuntimeError while another loop that runs writes.
        """
        if self._closing or len(self._waiting) >= QUEUE:
            raise Busy
        assert self._writer is not None, "not opened"
        loop, task = asyncio.get_running_loop(), self._writing
        if task is not None and task.get_loop() is not loop:
            if task.get_loop().is_running():
                raise RuntimeError("another event loop writes this database")
            task = None
        work: _Work[T] = _Work(function, loop.create_future())
        self._waiting.append(work)
        if task is None or task.done() or task.cancelling():  # one that was cancelled may never have begun
            self._writing = loop.create_task(self._write_waiting(self._writer), name="writer")
        return await work.future

    async def _write_waiting(self, writer: Connection) -> None:
        """Batch after batch until nobody waits. The pieces of the next one gather while a thread commits the last.

        A cancelled task goes on to its end all the same: what was taken is carried out while a loop is being ended too.
        """
        while self._waiting and self._goes_on():
            with contextlib.suppress(asyncio.CancelledError):
                for _ in range(GATHERING_TURNS):
                    await asyncio.sleep(0)
            if not self._goes_on():
                return
            batch: list[_Work[Any]] = []
            try:
                thread_has_it = self._under_way is not None and not self._under_way.done()  # for a loop that was ended
                if thread_has_it or not _begin(writer):
                    await self._in_thread(_wait_for_lock, writer)
                batch, woken = self._run_batch(writer) if self._goes_on() else ([], set())
                if batch:
                    await self._in_thread(_commit, writer)
                    self._succeed(batch, woken)
            except Exception as error:  # noqa: BLE001 - nobody in the batch was stored (full disk), and all are told
                self._fail(batch, error)

    def _goes_on(self) -> bool:
        """Not being closed, and no other task has taken this one's place."""
        return not self._closing and self._writing is asyncio.current_task()

    async def _in_thread(self, function: Callable[[Connection], None], writer: Connection) -> None:
        """Run the function in the thread and stay until it has ended: before that nobody else may use the connection."""
        self._under_way = self._committer.submit(function, writer)
        ended = asyncio.wrap_future(self._under_way)
        while not ended.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([ended])
        ended.result()

    def _run_batch(self, writer: Connection) -> tuple[list[_Work[Any]], set[str]]:
        """Run what waits; returns it with the names to wake. Nothing is returned when the database gave the transaction up."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        woken = writer.info[_WAKE] = set()
        try:
            for work in batch:
                _run_one(writer, work)
        except BaseException as error:  # noqa: BLE001 - told to all of them
            self._fail(batch, error)
            _roll_back(writer)
            return [], set()
        return batch, woken

    def _succeed(self, batch: list[_Work[Any]], woken: set[str]) -> None:
        self.commits += 1
        for name in woken:
            for listener in self._listeners.get(name, ()):
                listener()
        for work in batch:
            work.settle()

    def _fail(self, batch: list[_Work[Any]], error: BaseException) -> None:
        """Tell everybody in the batch; without one, everybody who waits."""
        if not batch:
            batch = list(self._waiting)
            self._waiting.clear()
        for work in batch:
            work.error = work.error or error
            work.settle()

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run the function on a read-only connection that sees everything committed so far."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, function)

    @contextlib.contextmanager
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
                raise RuntimeError("StopIteration") from error


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Call it soon, where its own error harms nobody else."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)


def _begin(writer: Connection) -> bool:
    """Begin to write; False while another process has the lock."""
    _roll_back(writer)  # what was begun for a loop that was ended: nobody was told that it is stored
    try:
        writer.connection.cursor().execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # in all their varieties
            raise
        return False
    return True


def _wait_for_lock(writer: Connection) -> None:
    """Begin to write as soon as the lock is free. Busy after WAIT_SECONDS."""
    end = time.monotonic() + WAIT_SECONDS
    while not _begin(writer):
        if time.monotonic() > end:
            raise Busy
        time.sleep(0.005)


def _commit(writer: Connection) -> None:
    """Put the transaction on disk, or take it back."""
    try:
        writer.connection.cursor().execute("COMMIT")
    except BaseException:
        _roll_back(writer)
        raise


def _roll_back(writer: Connection) -> None:
    if writer.connection.in_transaction:
        writer.connection.cursor().execute("ROLLBACK")


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


@contextlib.contextmanager
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
    """Run the alembic revisions of a folder up to the newest, under the database's write lock. Their files are named
    `<revision>_<what>.py`."""
    if _version(connection, version_table) == max(file.stem.partition("_")[0] for file in folder.glob("[0-9]*.py")):
        return
    import alembic.command  # here: half a second of processor time, which a start without news does not need
    import alembic.config

    configuration = alembic.config.Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    configuration.set_main_option("version_locations", str(folder))
    configuration.set_main_option("path_separator", "newline")
    configuration.attributes["connection"] = connection
    configuration.attributes["version_table"] = version_table
    # alembic commits by itself unless it finds itself inside somebody else's transaction
    with connection.begin(), _transaction(connection, "BEGIN IMMEDIATE"):
        alembic.command.upgrade(configuration, "head")


def _version(connection: Connection, version_table: str) -> str:
    """The revision that the database has; empty while it has none."""
    with connection.begin():
        if not sa.inspect(connection).has_table(version_table):
            return ""
        found: Any = sa.select(sa.literal_column("version_num")).select_from(sa.table(version_table))
        return str(connection.execute(found).scalar() or "")
