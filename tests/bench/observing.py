"""When things ended, read off the rows and files that the services leave: nothing is asked of them while they are measured."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from deploy.local.stack import Stack
from tsunagi_shared.contracts.streams import SERVICES

LOOK_SECONDS = 0.02
REST_SECONDS = 2.0  # for so long nothing may be under way: an event on the hub stands in no table
_DUE_SECONDS = 60  # jobs that are put off for longer belong to nothing that is waited for
_UNDER_WAY = (
    "SELECT (SELECT count(*) FROM outbox) + "
    "(SELECT count(*) FROM jobs WHERE state IN ('waiting', 'running') AND run_at < CAST(? AS INTEGER))"
)


async def until(reached: Callable[[], bool], what: str, *, seconds: float = 60.0) -> None:
    """Return once it holds. TimeoutError with what did not."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come to an end")
        await asyncio.sleep(LOOK_SECONDS)


async def at_rest(stack: Stack, *, seconds: float = 300.0) -> None:
    """Return once no service has anything to send or to do. TimeoutError."""
    deadline = time.monotonic() + seconds
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < REST_SECONDS:
        await asyncio.sleep(REST_SECONDS / 10)
        if _is_busy(stack):
            quiet_since = time.monotonic()
        if time.monotonic() > deadline:
            raise TimeoutError("what was made ready did not come to an end")


def _is_busy(stack: Stack) -> bool:
    due = str(time.time_ns() // 1000 + _DUE_SECONDS * 1_000_000)
    return any(rows_of(stack, service, _UNDER_WAY, due)[0][0] for service in SERVICES)


def rows_of(stack: Stack, service: str, sql: str, *values: str) -> list[tuple[Any, ...]]:
    """What the query finds in the database of a service."""
    database = sqlite3.connect(f"file:{stack.folder_of(service) / service}.db?mode=ro", uri=True)
    try:
        return database.execute(sql, values).fetchall()
    finally:
        database.close()
