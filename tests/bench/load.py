"""A small HTTP/1.1 client that costs little, so that what is measured is the server: fixed requests, kept connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec


class Load(msgspec.Struct, frozen=True):
    """One run: how many answers a second, and how long single ones took (ms)."""

    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    answers: int


def quantile(times: Sequence[float], share: float) -> float:
    """The value below which that share of the (unsorted) times lies."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def loads_of(times: Sequence[float], seconds: float) -> Load:
    """The figures of a run out of its single times in seconds."""
    p50, p95, p99 = (round(quantile(times, share) * 1000, 2) for share in (0.5, 0.95, 0.99))
    return Load(round(len(times) / seconds, 1), p50, p95, p99, len(times))


def request(path: str, host: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST of JSON as bytes."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> int:
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return int(head[9:12])


async def measure(port: int, make: Callable[[int], bytes], *, connections: int, seconds: float) -> Load:
    """Send `make(n)` from that many connections for that long. RuntimeError when an answer is not 201."""
    times: list[float] = []
    numbers = iter(range(10**9))
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (begun := time.perf_counter()) < end:
            status = await _one(reader, writer, make(next(numbers)))
            if status != 201:
                raise RuntimeError(f"the server answered {status}")
            times.append(time.perf_counter() - begun)
        writer.close()
        await writer.wait_closed()

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(client())
    return loads_of(times, time.perf_counter() - begun)
