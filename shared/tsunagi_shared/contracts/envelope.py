"""CloudEvents 1.0 in structured JSON, with the extensions of this suite."""

from __future__ import annotations

import datetime as dt
import os
import threading

import msgspec

CONTENT_TYPE = "application/cloudevents+json"
FORM_VERSION = 2  # the newest version of the forms this build understands; a newer event waits as needs-upgrade


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every event carries around its data. `type` is also the subject; `aggregate` is `<noun>/<id>`.

    Everything is written out, because CloudEvents wants its attributes on the wire; the outbox leaves none empty.
    """

    id: str
    source: str
    type: str
    time: dt.datetime
    aggregate: str
    revision: int
    data: msgspec.Raw
    traceparent: str = ""
    profileversion: str = ""
    formversion: int = FORM_VERSION
    specversion: str = "1.0"
    datacontenttype: str = "application/json"


def new_traceparent() -> str:
    """The start of a trace (W3C Trace Context), where nobody handed one on."""
    noise = os.urandom(24).hex()
    return f"00-{noise[:32]}-{noise[32:]}-01"


def encode(envelope: Envelope) -> bytes:
    """The envelope as the bytes that go on the bus."""
    return msgspec.json.encode(envelope)


_decoder = msgspec.json.Decoder(Envelope)


def decode(payload: bytes) -> Envelope:
    """The envelope out of bus bytes; unknown fields are ignored. msgspec.ValidationError/DecodeError when it is none."""
    envelope = _decoder.decode(payload)
    if envelope.specversion != "1.0":
        raise msgspec.ValidationError(f"CloudEvents version {envelope.specversion!r} is not 1.0")
    return envelope


def source_of(municipality_code: str, service: str) -> str:
    """`/<団体コード6桁>/<service>`: which deployment an event comes from."""
    return f"/{municipality_code}/{service}"


class _Uuid7:
    """UUIDv7 (RFC 9562) that never runs backwards inside one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self, microseconds: int) -> str:
        # 48 bits of milliseconds, then 12 bits of the rest of the millisecond: sorted as made
        stamp = (microseconds // 1000) << 12 | (microseconds % 1000) * 4096 // 1000
        with self._lock:
            stamp = self._last = max(stamp, self._last + 1)
        noise = int.from_bytes(os.urandom(8), "big") >> 2
        text = f"{(stamp >> 12) << 16 | 0x7000 | stamp & 0xFFF:016x}{0x8000000000000000 | noise:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


uuid7 = _Uuid7()
