"""What a running service consists of: routes, handlers and jobs are given this, and nothing is global."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tsunagi_shared.accounts import Accounts
from tsunagi_shared.bus import Bus
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.database import Database
from tsunagi_shared.inbox import Handler
from tsunagi_shared.jobs import JobKind
from tsunagi_shared.outbox import Outbox, Published, keep_nothing
from tsunagi_shared.refusals import Refusals
from tsunagi_shared.settings import Settings
from tsunagi_shared.web.pages import Pages


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Parts:
    """What one service adds to the shared frame."""

    handlers: Mapping[str, Handler] = field(default_factory=dict)  # event type → function of (connection, event, data)
    jobs: Mapping[str, JobKind] = field(default_factory=dict)
    published: Published = keep_nothing  # what to remember of an event that has left
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    checks: Mapping[str, Callable[[], Awaitable[str]]] = field(default_factory=dict)  # name → "" or what is wrong
    notes: Mapping[str, Callable[[], str]] = field(default_factory=dict)  # the same, told by /readyz without counting
    own: Any = None  # the service's own resources, for its routes


@dataclass
class Runtime:
    """One running service."""

    name: str
    settings: Settings
    profile: Profile
    database: Database
    refusals: Refusals
    accounts: Accounts
    bus: Bus
    outbox: Outbox
    pages: Pages
    requests: dict[tuple[str, int], int] = field(default_factory=dict)
    parts: Parts = field(default_factory=Parts)
