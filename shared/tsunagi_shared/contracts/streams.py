"""The streams, who owns each and who reads it. Hub accounts, start-up checks, tests and docs all derive from this table."""

from __future__ import annotations

import msgspec

SERVICES = ("intake", "documents", "notify")

DAY_SECONDS = 86_400


class Stream(msgspec.Struct, frozen=True):
    """One JetStream stream: only `owner` publishes its subjects, only `readers` have a durable consumer on it."""

    name: str
    owner: str
    readers: tuple[str, ...]
    kept_days: int
    may_erase: bool = False  # the owner may take single messages off it: those that carry residents' data

    @property
    def subjects(self) -> str:
        return f"{self.owner}.>"


# notify never reads INTAKE: those events carry residents' data (docs/personal-data.md).
STREAMS: tuple[Stream, ...] = (
    Stream("INTAKE", owner="intake", readers=("documents",), kept_days=14, may_erase=True),
    Stream("DOCUMENTS", owner="documents", readers=("intake", "notify"), kept_days=30),
    Stream("NOTIFY", owner="notify", readers=("intake",), kept_days=30),
)


def stream_of(event_type: str) -> Stream:
    """The stream an event type belongs to. LookupError when no stream carries it."""
    owner = event_type.split(".", 1)[0]
    for stream in STREAMS:
        if stream.owner == owner:
            return stream
    raise LookupError(f"no stream carries {event_type}")


def streams_read_by(service: str) -> tuple[Stream, ...]:
    """The streams on which the service has a durable consumer (named as the service)."""
    return tuple(stream for stream in STREAMS if service in stream.readers)
