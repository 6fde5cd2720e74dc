"""The clock of a trial: the services of a stack follow a file that says how far their time is moved from the real one."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from pathlib import Path

from tsunagi_shared import clock

FOLLOWED_SECONDS = 1.2  # the services look into the file once a second


class MovedClock:
    """Reads and moves the services' clock. It outlives a stop of the stack: the file stays.

    Only forward: sessions, leases and what is due are kept in moments, and would otherwise lie in the future. What a move
    ends is real: people who signed in more than 30 minutes before are signed out, keys expire, and a job that is running is
    done again after its lease. So move when the services are at rest, and sign in again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def seconds(self) -> int:
        """How far the clock is moved."""
        return int(self.path.read_text(encoding="ascii")) if self.path.exists() else 0

    def now(self) -> dt.datetime:
        """The services' time, in Japan. This process itself does not follow the file."""
        return (clock.now() + dt.timedelta(seconds=self.seconds)).astimezone(clock.JST)

    def today(self) -> dt.date:
        """The services' Japanese date."""
        return self.now().date()

    def begin(self, day: dt.date) -> None:
        """Let the services begin on another day than today, at this time of day; also an earlier one, since nothing is there
        yet. ValueError once the clock was moved."""
        if self.path.exists():
            raise ValueError("the clock of a stack begins once")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(str((day - self.today()).days * 86_400), encoding="ascii")

    async def forward(self, by: dt.timedelta) -> None:
        """Move on, and wait until every service has seen it. ValueError for a step back."""
        if by < dt.timedelta(0):
            raise ValueError("the clock of a stack only goes forward")
        written = self.path.with_suffix(".new")
        written.write_text(str(self.seconds + int(by.total_seconds())), encoding="ascii")
        os.replace(written, self.path)
        await asyncio.sleep(FOLLOWED_SECONDS)

    async def to(self, day: dt.date, time: dt.time = dt.time(9)) -> None:
        """Move on to that moment in Japan, and wait until every service has seen it. ValueError when it is past."""
        await self.forward(dt.datetime.combine(day, time, clock.JST) - self.now())
