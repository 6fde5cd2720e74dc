"""When things ended, read off the rows and files that the services leave: nothing is asked of them while they are measured."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from deploy.local.stack import Stack

LOOK_SECONDS = 0.02


async def until(reached: Callable[[], bool], what: str, *, seconds: float = 60.0) -> None:
    """Return once it holds. TimeoutError with what did not."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come to an end")
        await asyncio.sleep(LOOK_SECONDS)


def rows_of(stack: Stack, service: str, sql: str, *values: str) -> list[tuple[Any, ...]]:
    """What the query finds in the database of a service."""
    database = sqlite3.connect(f"file:{stack.folder_of(service) / service}.db?mode=ro", uri=True)
    try:
        return database.execute(sql, values).fetchall()
    finally:
        database.close()
