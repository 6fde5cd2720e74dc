"""What the engine and its worker say to each other: a length, then msgpack."""

from __future__ import annotations

import msgspec

HEADER_BYTES = 4
FRAME_BYTES = 256 << 20  # no order or answer is longer
TEMPLATE_WANTED = "template-wanted"  # the worker does not keep the template of this order: send it along


class Order(msgspec.Struct, frozen=True):
    """Fill the template with this sha256, which goes along only when the worker does not keep it. `context` is JSON: nothing
    but plain values reaches a template."""

    digest: bytes
    template: bytes
    context: bytes
    marks: tuple[str, ...]
    title: str


class Answer(msgspec.Struct, frozen=True):
    """The Word file, or the code of the failure. The first answer of a worker (no code, no file) says: ready."""

    code: str = ""
    word: bytes = b""


def frame(message: Order | Answer) -> bytes:
    """The message as it goes through the pipe. ValueError when it is too long."""
    body = msgspec.msgpack.encode(message)
    if len(body) > FRAME_BYTES:
        raise ValueError("frame too long")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def size_of(header: bytes) -> int:
    """The length of the body that follows the header. ValueError when no frame can be that long."""
    size = int.from_bytes(header, "big")
    if size > FRAME_BYTES:
        raise ValueError("frame too long")
    return size
