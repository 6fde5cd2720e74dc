"""Two processes share the jobs of one table while one after the other is killed: each effect happens once, none is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from tests.data.jobs_process import effects
from tsunagi_shared import jobs
from tsunagi_shared.database import Database
from tsunagi_shared.service import PLUMBING_MIGRATIONS

JOBS = 400
KILLS = 6
PATIENCE_SECONDS = 20.0


class Workers:
    """Two processes, of which the test kills one now and then."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "tests.data.jobs_process", str(path)]
        self._command = command
        self.running = [self._start(), self._start()]
        for process in self.running:
            self._wait(process)

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stdout.readline() == b"working\n"

    def kill_one(self) -> None:
        """SIGKILL, and another in its place."""
        victim = self.running.pop(random.randrange(2))
        self._end(victim)
        self.running.append(self._start())

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def stop(self) -> None:
        for process in self.running:
            self._end(process)


def test_every_effect_happens_exactly_once(tmp_path: Path) -> None:
    """Whatever moment a process is killed at, each job's effect is there once in the end, also the end that is a failure."""
    db = Database(tmp_path / "service.db")
    db.open(PLUMBING_MIGRATIONS)
    wanted = [f"job-{number}" for number in range(JOBS)]
    with db.connection() as connection:
        effects.metadata.create_all(connection)
    workers = Workers(db.path)
    try:
        with db.connection() as connection:
            for key in [*wanted, "hopeless-1"]:
                jobs.add(connection, "work", key, b"a form")
        for _ in range(KILLS):
            time.sleep(random.uniform(0.05, 0.5))
            workers.kill_one()
        end = time.monotonic() + PATIENCE_SECONDS
        while left := _left(db):
            assert time.monotonic() < end, f"{left} jobs are left"
            time.sleep(0.05)
    finally:
        workers.stop()
    with db.connection() as connection:
        happened = connection.execute(sa.select(effects.c.key, effects.c.process)).all()
        failed = connection.execute(sa.select(jobs.jobs)).all()
    db.close()
    assert Counter(row.key for row in happened) == Counter([*wanted, "hopeless-1: hopeless"])
    assert len({row.process for row in happened}) > 1
    assert [(row.key, row.state, row.code, row.payload) for row in failed] == [
        ("hopeless-1", "failed", "hopeless", b"")
    ]


def _left(db: Database) -> int:
    with db.connection() as connection:
        return int(
            connection.execute(
                sa.select(sa.func.count()).select_from(jobs.jobs).where(jobs.jobs.c.state != "failed")
            ).scalar_one()
        )
