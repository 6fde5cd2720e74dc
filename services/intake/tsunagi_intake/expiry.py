"""The clockwork of intake: carries out what the passing of time changes, and says how far things are known.

Each minute the watermark; at the start, each hour and on each new day in Japan everything that is due. A few cases are
carried out at a time, so that people who wait go first; carried out again they change nothing. A case that could not be
carried out is shown by /readyz and tried again within the hour (its entries end by themselves with their `until`). A look
that cannot be finished holds the watermark back.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Sequence
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection

from tsunagi_intake import cases, changes, drafts, due, matches, numbering, publishing, timeline
from tsunagi_intake.due import Due
from tsunagi_intake.tables import allocations, consents, grounds, protections, publications
from tsunagi_intake.tables import cases as cases_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import clock
from tsunagi_shared.contracts.events import WATERMARK_PASSED, WatermarkPassed
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.database import delete_some
from tsunagi_shared.outbox import Outbox, outbox
from tsunagi_shared.runtime import Runtime

WATERMARK = "watermark"  # in `facts`: the last one's event
LOOK_SECONDS = 1.0
AGAIN_SECONDS = 30.0  # after a fault
SLICE_SECONDS = 0.02  # how long the writer is kept from others
PAUSE_SECONDS = 0.02
FEW_PLANS = 20  # in one transaction
CONTRACT_CHANGED = "contract_changed"  # reason of a change that no end of this case caused
_MINUTE_US, _HOUR_US = 60_000_000, 3_600_000_000
_DAY_US = 24 * _HOUR_US

log = structlog.get_logger("clockwork")


class Clockwork:
    """Runs beside the service from `start` to `stop`."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database
        self._profile = runtime.profile
        self._outbox = runtime.outbox
        self._task: asyncio.Task[None] | None = None
        self._failed = 0  # cases that could not be carried out
        self._fault = ""
        self._looked: tuple[int, object] | None = None  # the hour and the day of the last look
        self._minute = -1  # of the last watermark

    async def start(self) -> None:
        """Begin. What is due at the start does not keep the service from starting; when nothing is, all is known at once."""
        found = await self._database.read(lambda connection: due.find(connection, self._profile, clock.today()))
        if not found.cases:
            await self.tick()
        self._task = asyncio.create_task(self._run(), name="clockwork")

    async def stop(self) -> None:
        """Stop where it is; what is left is found again at the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def problem(self) -> str:
        """What is wrong, for /readyz; empty when nothing is."""
        if self._fault:
            return f"期限と契約の見直しが止まっています（{self._fault}）。"
        return f"期限と契約の見直しができないケースが{self._failed}件あります。" if self._failed else ""

    async def _run(self) -> None:
        while True:
            try:
                await self.tick()
                self._fault = ""
            except Exception as error:  # noqa: BLE001 - the clockwork outlives any fault; it is told, and tried again
                self._fault = type(error).__name__
                log.error("clockwork-waits", reason=self._fault)
                await asyncio.sleep(AGAIN_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    async def tick(self) -> None:
        """Do what the clock asks for now, if anything."""
        moment, day = clock.now_us(), clock.today()
        looked = (moment // _HOUR_US, day)
        if looked != self._looked:
            await self._carry_out_all()
            await self._begin_follow_ups()
            await self._forget()
            self._looked = looked
        if moment // _MINUTE_US != self._minute:
            await self._database.write(lambda connection: pass_watermark(connection, self._outbox))
            self._minute = moment // _MINUTE_US

    async def _carry_out_all(self) -> None:
        found = await self._database.read(lambda connection: due.find(connection, self._profile, clock.today()))
        waiting, failed = found.cases, 0
        while waiting:
            some = partial(carry_out, profile=self._profile, outbox_=self._outbox, waiting=waiting)
            done, faults = await self._database.write(some)
            failed += faults
            waiting = waiting[done:]
            await asyncio.sleep(PAUSE_SECONDS)
        self._failed = failed
        if found.is_new and not failed:  # what failed is found again
            await self._database.write(lambda connection: due.remember(connection, found.look))

    async def _begin_follow_ups(self) -> None:
        """Once, of the plans that were adopted before follow-ups were put down; adopted since, plans bring their own."""
        if await self._database.read(lambda connection: due.fact(connection, matches.BEGUN)):
            return
        waiting = await self._database.read(matches.waiting)
        for first in range(0, len(waiting), FEW_PLANS):
            some = waiting[first : first + FEW_PLANS]
            await self._database.write(partial(matches.begin_earlier, profile=self._profile, some=some))
            await asyncio.sleep(PAUSE_SECONDS)
        await self._database.write(matches.all_begun)

    async def _forget(self) -> None:
        for forget in (drafts.forget_old, forget_publications):
            while await self._database.write(forget):  # noqa: ASYNC110 - a pause: what people wait for goes first
                await asyncio.sleep(PAUSE_SECONDS)


def forget_publications(connection: Connection) -> int:
    """Take away some of the places on the stream that it has forgotten itself; how many. Call again until none."""
    kept_days = stream_of(WATERMARK_PASSED).kept_days
    return delete_some(connection, publications, publications.c.at < clock.now_us() - kept_days * _DAY_US)


def carry_out(connection: Connection, profile: Profile, outbox_: Outbox, waiting: Sequence[Due]) -> tuple[int, int]:
    """Carry out as many cases as SLICE_SECONDS allow, at least one: how many were taken, and how many of them failed.

    One that fails is taken back alone.
    """
    end = time.monotonic() + SLICE_SECONDS
    done = failed = 0
    cursor = connection.connection.cursor()
    for one in waiting:
        cursor.execute("SAVEPOINT one_case")
        try:
            _carry_out(connection, profile, outbox_, one)
        except Exception as error:  # noqa: BLE001 - one broken case must not keep the others open
            failed += 1
            log.error("case-not-carried-out", case=one.case, reason=type(error).__name__)
            cursor.execute("ROLLBACK TO one_case")
        cursor.execute("RELEASE one_case")
        done += 1
        if time.monotonic() > end:
            break
    cursor.close()
    return done, failed


def _carry_out(connection: Connection, profile: Profile, outbox_: Outbox, one: Due) -> None:
    """Mark and tell what ended, unless somebody prolonged it meanwhile, and work out the audience anew."""
    reason = CONTRACT_CHANGED
    for identity in one.consents:
        if _end_consent(connection, outbox_, identity):
            reason = _line(connection, one.case, Happening.CONSENT_EXPIRED, f"consent/{identity}")
    is_protection = one.has_begun
    for kind, table, ids, column in (
        (Happening.PROTECTION_ENDED, protections, one.protections, "lifted_at"),
        (Happening.ALLOCATION_ENDED, allocations, one.allocations, "ended_at"),
        (Happening.GROUND_ENDED, grounds, one.grounds, "ended_at"),
    ):
        for identity in ids:
            if _end(connection, table, identity, column):
                reason = _line(connection, one.case, kind, f"{table.name.removesuffix('s')}/{identity}")
                is_protection |= table is protections
    if is_protection:
        publishing.publish_protection(connection, one.case, profile, outbox_)
    changes.recompute(connection, profile, outbox_, one.case, reason=reason)
    if reason != CONTRACT_CHANGED:  # on contracts no state depends
        cases.settle(connection, one.case)


def _line(connection: Connection, case: int, kind: Happening, ref: str) -> str:
    timeline.add(connection, case, kind, ref)
    return kind.value


def _end_consent(connection: Connection, outbox_: Outbox, identity: str) -> bool:
    """Close a consent that ran out; False when it did not (any more)."""
    of_consent = sa.and_(
        consents.c.id == identity, consents.c.closed == 0, consents.c.until < clock.today().isoformat()
    )
    ended = connection.execute(
        consents.update().where(of_consent).values(closed=1, revision=consents.c.revision + 1)
    ).rowcount
    if not ended:
        return False
    row = connection.execute(
        sa.select(*consents.c, cases_table.c.number.label("case_number"))
        .join(cases_table, cases_table.c.seq == consents.c.case)
        .where(consents.c.id == identity)
    ).one()
    publishing.publish_consent_end(
        connection, outbox_, row, "expired", dt.date.fromisoformat(row.until) + dt.timedelta(days=1)
    )
    return True


def _end(connection: Connection, table: sa.Table, identity: str, column: str) -> bool:
    is_over = sa.and_(table.c.id == identity, table.c[column].is_(None), table.c.until < clock.today().isoformat())
    ended: int = connection.execute(table.update().where(is_over).values({column: clock.now_us()})).rowcount
    return bool(ended)


def pass_watermark(connection: Connection, outbox_: Outbox) -> bool:
    """Say that consents are known up to now, or up to the oldest event that still waits to be sent: not a moment further.

    False while the watermark before it waits itself: an outage leaves one of them, and not one a minute.
    """
    last = due.fact(connection, WATERMARK)
    if last and connection.execute(sa.select(1).where(outbox.c.id == last)).first():
        return False
    oldest = connection.execute(sa.select(outbox.c.created_at).order_by(outbox.c.seq).limit(1)).scalar()
    at = clock.moment_of(clock.now_us() if oldest is None else oldest)
    identity = outbox_.add(
        connection, WATERMARK_PASSED, WatermarkPassed(at=at), aggregate="watermark/intake",
        revision=numbering.following(connection, WATERMARK),
    )  # fmt: skip
    due.keep_fact(connection, WATERMARK, identity)
    return True
