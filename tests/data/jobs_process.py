"""One process of a service that works off jobs, for the crash test: `python -m tests.data.jobs_process <database>`."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_shared import jobs
from tsunagi_shared.database import Database
from tsunagi_shared.jobs import Effect, Job, JobKind, Reject, Worker

LEASE_SECONDS, RENEW_SECONDS, POLL_SECONDS = 1.0, 0.2, 0.05  # instead of the real ones, so that the test is short

# No unique column: an effect that happens twice is to be seen, not refused.
effects = sa.Table("effects", sa.MetaData(), sa.Column("key", sa.Text), sa.Column("process", sa.Integer))


async def _work(job: Job) -> Effect:
    await asyncio.sleep(random.uniform(0, 0.03))
    if job.key.startswith("hopeless"):
        raise Reject("hopeless")
    return lambda connection: _put(connection, job.key)


def _put(connection: Connection, key: str) -> None:
    connection.execute(effects.insert().values(key=key, process=os.getpid()))


def _failed(connection: Connection, job: Job, code: str) -> None:
    _put(connection, f"{job.key}: {code}")


async def _run(path: Path) -> None:
    jobs.LEASE_SECONDS, jobs.RENEW_SECONDS, jobs.POLL_SECONDS = LEASE_SECONDS, RENEW_SECONDS, POLL_SECONDS
    database = Database(path)
    database.open()
    Worker(database, {"work": JobKind(_work, _failed, delays=(0.05,) * 20, concurrency=4)}).start()
    sys.stdout.write("working\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
