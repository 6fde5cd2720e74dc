"""Refusals that no route put on record itself: by a guard, by a check of the form, by a rule. Each goes to the audit with
the caller, the route's template (never its path or query) and the code.

The same refusal of the same caller within a minute is counted and written as one more row, so that nobody with a key can
fill the disk. The count lives in memory: a kill loses how often, never whether.
"""

from __future__ import annotations

import time
from typing import Any, cast

import structlog
from litestar.exceptions import HTTPException
from litestar.types import Scope
from sqlalchemy import Connection

from tsunagi_shared import audit
from tsunagi_shared.accounts import Principal
from tsunagi_shared.database import Busy, Database
from tsunagi_shared.problems import Refusal, code_of

WINDOW_SECONDS = 60.0
MOST_COUNTED = 1_000  # callers × routes × codes at once; beyond that the oldest are written out

Key = tuple[Principal, str, str]

log = structlog.get_logger("refusals")


class Refusals:
    """Puts refusals of one service on record."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[Key, tuple[float, int]] = {}  # since when, and how many more

    async def after_exception(self, error: Exception, scope: Scope) -> None:
        """Litestar's hook: it runs before the answer is sent, so that a refusal that was answered is on record."""
        principal = cast(Principal | None, scope.get("user"))
        request = cast(dict[str, Any], scope)
        template = request.get("path_template")
        if principal is None or not template or not isinstance(error, (Refusal, HTTPException)):
            return
        code = code_of(error)
        if code is None or (isinstance(error, Refusal) and error.recorded):
            return
        try:
            await self._note((principal, f"{request['method']} {template}", code))
        except Busy:  # the refusal stands all the same
            log.warning("refusal-not-recorded", code=code)

    async def _note(self, key: Key) -> None:
        moment = time.monotonic()
        since, more = self._seen.get(key, (None, 0))
        if since is not None and moment - since < WINDOW_SECONDS:
            self._seen[key] = (since, more + 1)
            return
        ended = self._take_ended(moment)
        self._seen[key] = (moment, 0)
        await self._database.write(lambda connection: _write(connection, [*ended, (key, 0)]))

    def _take_ended(self, moment: float) -> list[tuple[Key, int]]:
        """Those whose minute is over, with how often they came again; all of them when there are too many."""
        every = len(self._seen) >= MOST_COUNTED
        over = [key for key, (since, _) in self._seen.items() if every or moment - since >= WINDOW_SECONDS]
        taken = [(key, self._seen.pop(key)[1]) for key in over]
        return [(key, more) for key, more in taken if more]

    async def flush(self) -> None:
        """Write what was only counted; at the service's stop and once an hour."""
        rest = [(key, more) for key, (_, more) in self._seen.items() if more]
        self._seen.clear()
        if rest:
            await self._database.write(lambda connection: _write(connection, rest))


def _write(connection: Connection, refusals: list[tuple[Key, int]]) -> None:
    for (principal, route, code), more in refusals:
        audit.record(connection, principal, "request", route, basis=code, refused=True, repeats=more)
