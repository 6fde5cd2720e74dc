"""Slow work (rendering, storing, mailing, PDF) from the service's own table, with leases, retries and a visible end.

A handler does the slow part and returns an effect: a function of the connection that is run in the same transaction that
takes the job away. A worker that lost its lease in between finds its job gone, and its effect is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
import structlog
from sqlalchemy import Connection

from tsunagi_shared import clock
from tsunagi_shared.database import PLUMBING, Database, Statement, wake

WAKE = "jobs"
LEASE_SECONDS = 15.0  # a killed worker's jobs are taken again after this long
RENEW_SECONDS = 4.0
POLL_SECONDS = 1.0
JITTER = 0.2  # each delay varies by up to this share, so that a thousand retries do not come at once

jobs = sa.Table(
    "jobs",
    PLUMBING,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # waiting | running | failed
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("run_at", sa.BigInteger, nullable=False),  # running: when the lease ends
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("kind", "key", name="jobs_kind_key"),
    sa.Index("jobs_due", "kind", "state", "run_at"),
    sqlite_autoincrement=True,
)

_ADD = Statement(
    sa.dialects.sqlite.insert(jobs)
    .values(
        {
            name: sa.bindparam(name)
            for name in ("kind", "key", "payload", "state", "attempts", "run_at", "token", "code", "created_at")
        }
    )
    .on_conflict_do_update(
        index_elements=["kind", "key"],
        set_={
            "payload": sa.bindparam("payload"),
            "state": "waiting",
            "attempts": 0,
            "run_at": sa.bindparam("run_at"),
            "code": "",
        },
        where=jobs.c.state == "failed",
    )
)

log = structlog.get_logger("jobs")

Effect = Callable[[Connection], None]


class Job(msgspec.Struct, frozen=True):
    """One piece of slow work as its handler sees it. `attempt` counts from 1."""

    id: int
    kind: str
    key: str
    payload: bytes
    attempt: int


class Retry(Exception):
    """It did not work this time (the other side is away); it is tried again on the schedule. `code` is shown."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Reject(Exception):
    """It will never work; the job ends in the visible state `failed` with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class JobKind(msgspec.Struct, frozen=True):
    """How one kind of job is run. `failed` writes the visible end; `delays` are seconds before each further attempt."""

    handler: Callable[[Job], Awaitable[Effect]]
    failed: Callable[[Connection, Job, str], None]
    delays: tuple[float, ...] = (1, 5, 30, 120, 600, 1800, 3600)
    concurrency: int = 1


def add(connection: Connection, kind: str, key: str, payload: bytes = b"", *, run_at: int | None = None) -> None:
    """Ask for a job. One per kind and key: asking again while it waits or runs changes nothing; a failed one starts anew."""
    moment = clock.now_us()
    _ADD.run(
        connection,
        kind=kind,
        key=key,
        payload=payload,
        state="waiting",
        attempts=0,
        run_at=run_at or moment,
        token="",
        code="",
        created_at=moment,
    )
    wake(connection, WAKE)


class Worker:
    """Runs the jobs of one service; several processes on one table share the work by lease."""

    def __init__(self, database: Database, kinds: Mapping[str, JobKind]) -> None:
        self._database = database
        self._kinds = kinds
        self._token = uuid.uuid4().hex
        self._woken = asyncio.Event()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._counts = dict.fromkeys(kinds, 0)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, with what an earlier run left behind."""
        self._database.on_commit(WAKE, self._woken.set)
        self._tasks = [
            asyncio.create_task(self._run(), name="jobs"),
            asyncio.create_task(self._renew(), name="jobs-renew"),
        ]

    async def stop(self) -> None:
        """Stop taking jobs; what runs is cancelled and goes back to waiting at once, without having used up an attempt."""
        tasks = [*self._tasks, *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._tasks:
            await self._database.write(self._give_back)

    def _give_back(self, connection: Connection) -> None:
        connection.execute(
            jobs.update()
            .where(jobs.c.token == self._token, jobs.c.state == "running")
            .values(state="waiting", run_at=clock.now_us(), token="", attempts=jobs.c.attempts - 1)
        )

    async def _run(self) -> None:
        while True:
            self._woken.clear()  # also while all hands are full, or the wait below would never wait
            try:
                free = {kind: row.concurrency - self._counts[kind] for kind, row in self._kinds.items()}
                if any(room > 0 for room in free.values()):
                    due = await self._database.read(partial(self._any_due, free))
                    taken = await self._database.write(partial(self._claim, free)) if due else []
                    for job in taken:
                        self._counts[job.kind] += 1
                        self._running[job.id] = asyncio.create_task(self._do(job), name=f"job-{job.kind}")
            except Exception as error:  # noqa: BLE001 - a database that fails now is asked again
                log.error("jobs-not-taken", reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):  # wait_for of 3.11 swallows a stop that comes with a wake
                    await self._woken.wait()

    def _any_due(self, free: Mapping[str, int], connection: Connection) -> bool:
        wanted = [kind for kind, room in free.items() if room > 0]
        due = sa.select(jobs.c.id).where(
            jobs.c.kind.in_(wanted), jobs.c.state.in_(("waiting", "running")), jobs.c.run_at <= clock.now_us()
        )
        return connection.execute(due.limit(1)).first() is not None

    def _claim(self, free: Mapping[str, int], connection: Connection) -> list[Job]:
        moment = clock.now_us()
        taken: list[Job] = []
        for kind, room in free.items():
            if room <= 0:
                continue
            due = (
                sa.select(jobs.c.id)
                .where(jobs.c.kind == kind, jobs.c.state.in_(("waiting", "running")), jobs.c.run_at <= moment)
                .order_by(jobs.c.run_at, jobs.c.id)
                .limit(room)
            )
            rows = connection.execute(
                jobs.update()
                .where(jobs.c.id.in_(due))
                .values(
                    state="running",
                    attempts=jobs.c.attempts + 1,
                    run_at=moment + int(LEASE_SECONDS * 1e6),
                    token=self._token,
                )
                .returning(jobs.c.id, jobs.c.kind, jobs.c.key, jobs.c.payload, jobs.c.attempts)
            ).all()
            taken += [
                Job(row.id, row.kind, row.key, row.payload, row.attempts) for row in rows if row.id not in self._running
            ]
        return taken

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if self._running:
                with contextlib.suppress(
                    Exception
                ):  # a lease that cannot be renewed runs out, and the effect is dropped
                    await self._database.write(partial(self._extend, list(self._running)))

    def _extend(self, held: list[int], connection: Connection) -> None:
        connection.execute(
            jobs.update()
            .where(jobs.c.id.in_(held), jobs.c.token == self._token, jobs.c.state == "running")
            .values(run_at=clock.now_us() + int(LEASE_SECONDS * 1e6))
        )

    async def _do(self, job: Job) -> None:
        kind = self._kinds[job.kind]
        try:
            if job.attempt > len(kind.delays) + 1:
                raise Reject("crashed-too-often")
            effect = await kind.handler(job)
        except Retry as error:
            await self._end_attempt(job, error.code, again=job.attempt <= len(kind.delays))
        except Reject as error:
            await self._end_attempt(job, error.code, again=False)
        except Exception as error:  # noqa: BLE001 - an unforeseen fault is retried, then shown
            log.error("job-fault", kind=job.kind, reason=type(error).__name__, where=log_traceback(error))
            await self._end_attempt(job, "unexpected", again=job.attempt <= len(kind.delays))
        else:
            await self._settle(job, effect)
        finally:
            self._running.pop(job.id, None)
            self._counts[job.kind] -= 1
            self._woken.set()

    async def _settle(self, job: Job, effect: Effect) -> None:
        def finish(connection: Connection) -> None:
            if connection.execute(jobs.delete().where(*self._held(job))).rowcount:
                effect(connection)

        try:
            await self._database.write(finish)
        except Exception as error:  # noqa: BLE001 - the lease runs out and the job is done again
            log.error("job-not-settled", kind=job.kind, reason=type(error).__name__)

    async def _end_attempt(self, job: Job, code: str, *, again: bool) -> None:
        kind = self._kinds[job.kind]

        def record(connection: Connection) -> None:
            if again:
                delay = kind.delays[job.attempt - 1] * (1 + random.uniform(-JITTER, JITTER))  # noqa: S311 - not a secret
                values = {"state": "waiting", "run_at": clock.now_us() + int(delay * 1e6), "token": "", "code": code}
            else:
                values = {"state": "failed", "token": "", "code": code, "payload": b""}  # the payload may name people
            if connection.execute(jobs.update().where(*self._held(job)).values(values)).rowcount and not again:
                kind.failed(connection, job, code)

        log.warning("job-again" if again else "job-failed", kind=job.kind, attempt=job.attempt, code=code)
        with contextlib.suppress(Exception):  # not written: the lease runs out and the job is done again
            await self._database.write(record)

    def _held(self, job: Job) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            jobs.c.id == job.id,
            jobs.c.token == self._token,
            jobs.c.state == "running",
            jobs.c.attempts == job.attempt,
        )


def log_traceback(error: BaseException) -> str:
    """Where a fault happened, without the values that were in it (they may name people)."""
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(places[-6:])


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """How many jobs are in each (kind, state); those done are gone."""
    rows = connection.execute(sa.select(jobs.c.kind, jobs.c.state, sa.func.count()).group_by(jobs.c.kind, jobs.c.state))
    return {(kind, state): number for kind, state, number in rows}
