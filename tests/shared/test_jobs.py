"""Jobs: retries on the schedule, a visible end, leases, and an effect that is dropped when the lease is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.conftest import MovableClock
from tests.data.services import until
from tsunagi_shared import clock, jobs
from tsunagi_shared.database import Database
from tsunagi_shared.jobs import JITTER, Effect, Job, JobKind, Reject, Retry, Worker
from tsunagi_shared.service import PLUMBING_MIGRATIONS

table = jobs.jobs
effects = sa.Table("effects", sa.MetaData(), sa.Column("what", sa.Text))


@pytest.fixture
async def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A fresh database; the worker looks often."""
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.05)
    found = Database(tmp_path / "service.db")
    found.open(PLUMBING_MIGRATIONS)
    await found.write(effects.metadata.create_all)
    yield found
    found.close()


def put(what: str) -> Effect:
    """An effect that can be counted."""

    def effect(connection: Connection) -> None:
        connection.execute(effects.insert().values(what=what))

    return effect


def failed(connection: Connection, job: Job, code: str) -> None:
    """The visible end."""
    put(f"failed {job.key} {code}")(connection)


async def happened(db: Database) -> list[str]:
    """The effects so far."""
    return await db.read(lambda connection: list(connection.execute(sa.select(effects.c.what)).scalars()))


async def rows(db: Database) -> list[Any]:
    """The jobs as they stand."""
    return await db.read(lambda connection: list(connection.execute(sa.select(table).order_by(table.c.id)).all()))


async def add(db: Database, key: str = "a", payload: bytes = b"a form", **more: Any) -> None:
    """Ask for a job."""
    await db.write(lambda connection: jobs.add(connection, "work", key, payload, **more))


@asynccontextmanager
async def working(db: Database, handler: Callable[[Job], Awaitable[Effect]], **more: Any) -> AsyncIterator[Worker]:
    """A worker for the kind `work`."""
    worker = Worker(db, {"work": JobKind(handler, failed, **more)})
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


async def _is(condition: Awaitable[Any], value: Any) -> bool:
    return bool(await condition == value)


async def test_a_job_is_done_once_and_gone(db: Database) -> None:
    """Its effect and its removal are one transaction; asking twice while it waits is asking once."""

    async def handler(job: Job) -> Effect:
        assert (job.kind, job.payload, job.attempt) == ("work", b"a form", 1)
        return put(job.key)

    await add(db, "a")
    await add(db, "a", b"another form")
    async with working(db, handler):
        await add(db, "b")
        await until(lambda: _is(rows(db), []))
    assert await happened(db) == ["a", "b"]


async def test_retries_follow_the_schedule_with_jitter(db: Database, movable_clock: MovableClock) -> None:
    """Each delay is that of the schedule, more or less by the jitter; after the last one the job has failed."""
    delays = (1.0, 5.0, 30.0, 120.0)
    attempts: list[int] = []

    async def handler(job: Job) -> Effect:
        attempts.append(job.attempt)
        raise Retry("store-away")

    await add(db)
    shift = 0.0
    async with working(db, handler, delays=delays):
        for number, delay in enumerate(delays, start=1):
            await until(lambda number=number: _waits_after(db, number))  # type: ignore[misc]
            row = (await rows(db))[0]
            wait = (row.run_at - clock.now_us()) / 1e6
            assert delay * (1 - JITTER) - 2 < wait <= delay * (1 + JITTER)
            assert row.code == "store-away"
            assert row.payload == b"a form"
            shift += delay * (1 + JITTER) + 1
            movable_clock.forward(shift)
        await until(lambda: _is(happened(db), ["failed a store-away"]))
    assert attempts == [1, 2, 3, 4, 5]
    row = (await rows(db))[0]
    assert (row.state, row.code, row.payload) == ("failed", "store-away", b"")


async def _waits_after(db: Database, attempts: int) -> bool:
    found = await rows(db)
    return bool(found and found[0].state == "waiting" and found[0].attempts == attempts)


async def test_jitter_spreads_retries(db: Database) -> None:
    """Jobs that failed together do not all come again together."""

    async def handler(job: Job) -> Effect:
        raise Retry("store-away")

    for number in range(30):
        await add(db, str(number))
    async with working(db, handler, delays=(100.0,), concurrency=30):
        await until(lambda: _all_wait(db))
    waits = [(row.run_at - clock.now_us()) / 1e6 for row in await rows(db)]
    assert 100 * (1 - JITTER) - 5 < min(waits) < 95
    assert 100 * (1 + JITTER) >= max(waits) > 100
    assert max(waits) - min(waits) > 10


async def _all_wait(db: Database) -> bool:
    return all(row.state == "waiting" and row.attempts == 1 for row in await rows(db))


async def test_a_hopeless_job_ends_at_once_and_can_be_asked_for_again(db: Database) -> None:
    """Reject: state failed, the end written, the payload wiped; asking again starts anew with the new payload."""
    seen: list[tuple[int, bytes]] = []

    async def handler(job: Job) -> Effect:
        seen.append((job.attempt, job.payload))
        if len(seen) == 1:
            raise Reject("template-broken")
        return put(job.key)

    await add(db)
    async with working(db, handler):
        await until(lambda: _is(happened(db), ["failed a template-broken"]))
        row = (await rows(db))[0]
        assert (row.state, row.code, row.payload, row.token) == ("failed", "template-broken", b"", "")
        assert await db.read(jobs.counts) == {("work", "failed"): 1}
        await add(db, "a", b"mended")
        await until(lambda: _is(rows(db), []))
    assert seen == [(1, b"a form"), (1, b"mended")]
    assert await happened(db) == ["failed a template-broken", "a"]


async def test_an_unforeseen_fault_is_retried_and_logged_without_values(
    db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a handler did not foresee counts as a failed attempt; the log says where, and not what was in it."""

    async def handler(job: Job) -> Effect:
        if job.attempt == 1:
            raise ValueError("見本　太郎")
        return put(job.key)

    await add(db)
    async with working(db, handler, delays=(0.01,)):
        await until(lambda: _is(rows(db), []))
    output = "".join(capsys.readouterr())
    assert "ValueError" in output
    assert "太郎" not in output


async def test_an_effect_is_dropped_when_the_lease_was_lost(db: Database) -> None:
    """A worker that was too slow finds its job taken by another: only the other's effect counts."""
    slow, going = asyncio.Event(), asyncio.Event()

    async def first(job: Job) -> Effect:
        going.set()
        await slow.wait()
        return put("first")

    async def second(job: Job) -> Effect:
        assert job.attempt == 2
        return put("second")

    await add(db)
    async with working(db, first):
        await going.wait()
        await db.write(lambda connection: connection.execute(table.update().values(run_at=0)))  # the lease runs out
        async with working(db, second):
            await until(lambda: _is(happened(db), ["second"]))
        slow.set()
        await asyncio.sleep(0.1)
    assert await happened(db) == ["second"]
    assert await rows(db) == []


async def test_a_lease_is_renewed_while_the_work_goes_on(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow work keeps its job although it takes longer than a lease."""
    monkeypatch.setattr(jobs, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 0.1)
    starts: list[int] = []

    async def handler(job: Job) -> Effect:
        starts.append(job.attempt)
        await asyncio.sleep(1.2)
        return put(job.key)

    await add(db)
    async with working(db, handler), working(db, handler):
        await until(lambda: _is(rows(db), []))
    assert starts == [1]
    assert await happened(db) == ["a"]


async def test_a_stopped_worker_gives_its_jobs_back_unused(db: Database) -> None:
    """A restart in the middle of the work neither waits for the lease nor uses up an attempt."""
    going = asyncio.Event()

    async def endless(job: Job) -> Effect:
        going.set()
        await asyncio.Event().wait()
        raise AssertionError

    for _ in range(12):  # more often than the schedule has attempts
        going.clear()
        if not await rows(db):
            await add(db)
        async with working(db, endless):
            await going.wait()
        row = (await rows(db))[0]
        assert (row.state, row.token, row.attempts) == ("waiting", "", 0)
        assert row.run_at <= clock.now_us()


async def test_a_job_that_kills_its_worker_ends_visibly(db: Database) -> None:
    """A job whose lease ran out on every attempt is not tried for ever."""

    async def handler(job: Job) -> Effect:
        raise AssertionError("never run")

    await add(db)
    await db.write(
        lambda connection: connection.execute(table.update().values(state="running", attempts=3, run_at=0, token="x"))
    )
    async with working(db, handler, delays=(0.01, 0.01)):
        await until(lambda: _is(happened(db), ["failed a crashed-too-often"]))


async def test_an_effect_that_fails_leaves_the_job(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job goes only together with its effect; it is done again when the lease has run out."""
    monkeypatch.setattr(jobs, "LEASE_SECONDS", 0.2)
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 10)

    def impossible(connection: Connection) -> None:
        put("half")(connection)
        raise LookupError

    async def handler(job: Job) -> Effect:
        return impossible if job.attempt == 1 else put("whole")

    await add(db)
    async with working(db, handler):
        await until(lambda: _is(rows(db), []))
    assert await happened(db) == ["whole"]


async def test_no_more_at_once_than_allowed_and_no_idle_spinning(db: Database) -> None:
    """Concurrency is kept per kind; while all hands are full a waking commit does not make the worker spin."""
    most = now = 0
    release = asyncio.Event()

    async def handler(job: Job) -> Effect:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await release.wait()
        now -= 1
        return put(job.key)

    async with working(db, handler, concurrency=3):
        for number in range(8):
            await add(db, str(number))
        await asyncio.sleep(0.2)
        await add(db, "wakes")
        used = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - used < 0.25
        release.set()
        await until(lambda: _is(rows(db), []))
    assert most == 3
    assert len(await happened(db)) == 9


async def test_a_job_for_later_waits(db: Database, movable_clock: MovableClock) -> None:
    """`run_at` is kept: nothing happens before it."""

    async def handler(job: Job) -> Effect:
        return put(job.key)

    await add(db, run_at=clock.now_us() + 3600 * 1_000_000)
    async with working(db, handler):
        await asyncio.sleep(0.2)
        assert await happened(db) == []
        movable_clock.forward(3601)
        await until(lambda: _is(happened(db), ["a"]))
