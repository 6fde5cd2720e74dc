"""docs/delivery.md says what the code does: its schedules are the code's, and the tests it names are there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deploy.hub.provision import ACK_WAIT_SECONDS, DUPLICATE_WINDOW_SECONDS
from deploy.local.servers import REPOSITORY
from tsunagi_documents.versions import DELAYS
from tsunagi_notify.channels.email import RETRY_DELAYS_SECONDS
from tsunagi_shared.contracts.streams import STREAMS
from tsunagi_shared.idempotency import KEPT_DAYS
from tsunagi_shared.inbox import DEAD_LETTER_DAYS
from tsunagi_shared.jobs import JITTER, LEASE_SECONDS
from tsunagi_shared.outbox import AGAIN_SECONDS

PAGE = (REPOSITORY / "docs" / "delivery.md").read_text(encoding="utf-8")


def in_words(delays: Sequence[float]) -> str:
    """Delays as the page writes them: seconds, minutes and hours, the unit after the last of its kind."""
    units = [("h", 3600, 3600), ("min", 60, 60), ("s", 1, 0)]
    written: list[tuple[str, str]] = []
    for delay in delays:
        unit, size, _ = next(row for row in units if delay >= row[2])
        written.append((f"{delay / size:g}", unit))
    words = [
        number if following == unit else f"{number} {unit}"
        for (number, unit), following in zip(written, [unit for _, unit in written[1:]] + [""], strict=True)
    ]
    return ", ".join(words)


def test_every_test_named_is_there() -> None:
    """No sentence leans on a file that does not exist."""
    named = set(re.findall(r"`(tests/[\w/.]+)`", PAGE))
    assert named
    assert not [name for name in named if not (REPOSITORY / name).exists()]


def test_the_schedules_are_those_of_the_code() -> None:
    """Whoever reads how late something may be reads the numbers that run."""
    assert f"{', '.join(f'{delay:g}' for delay in AGAIN_SECONDS[:-1])}, then every {AGAIN_SECONDS[-1]:g} s" in PAGE
    hourly = DELAYS.index(3600.0)
    assert set(DELAYS[hourly:]) == {3600.0}
    assert f"bucket away: {in_words(DELAYS[:hourly])}, then hourly" in PAGE
    assert f"no connection or 4xx: {in_words(RETRY_DELAYS_SECONDS)}, about a day" in PAGE
    assert f"gets them again after {ACK_WAIT_SECONDS} s" in PAGE
    assert f"job is taken again after {LEASE_SECONDS:g} s" in PAGE
    assert f"drops a repeated id for {DUPLICATE_WINDOW_SECONDS // 60} min" in PAGE
    assert f"(kept {KEPT_DAYS} days)" in PAGE
    assert f"dead letters for {DEAD_LETTER_DAYS} days" in PAGE
    assert JITTER == 0.2
    assert "varies by up to a fifth" in PAGE
    assert {stream.name: stream.kept_days for stream in STREAMS} == {"INTAKE": 14, "DOCUMENTS": 30, "NOTIFY": 30}
    assert "(INTAKE 14, others 30)" in PAGE
