"""The engine that fills Word templates, in processes of its own that can be killed.

Templates are programs, also those a city uploads: a sandbox keeps them off the machine, and only a process with a time
and a memory limit keeps them from using it up. A worker lives long and renders one sheet at a time; when it dies or takes too
long it is replaced. A second one starts when the first is held up, so that one bad template does not keep the others waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import socket
import sys
from pathlib import Path
from typing import Any, cast

import msgspec

from tsunagi_documents.word.frames import HEADER_BYTES, TEMPLATE_WANTED, Answer, Order, frame, size_of

Context = dict[str, Any]  # plain str, int, bool, list and dict only: what a template may see

WORKERS = 2
PATIENCE_SECONDS = 0.5  # a render waits that long for a busy worker before another one is started: a start takes longer
START_SECONDS = 60.0  # the worker imports its libraries; on a loaded machine that takes a while
STOP_SECONDS = 3.0
KNOWN_DIGESTS = 32


class RenderFailed(Exception):
    """A sheet could not be made. `code`: template-error, missing-name, render-timeout or render-crashed.

    Carries no text of the template or the data: both may name a resident.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Engine:
    """Renders Word files in up to two worker processes.

    `budget_seconds` is for one render, the wait for its turn and the worker's start not counted. `memory_bytes` is a
    worker's whole address space. The workers end with this process, however that ends.
    """

    def __init__(self, *, budget_seconds: float = 20.0, memory_bytes: int = 1 << 30) -> None:
        self._budget_seconds = budget_seconds
        self._seats = tuple(_Seat(memory_bytes) for _ in range(WORKERS))
        self._idle: asyncio.LifoQueue[_Seat] = asyncio.LifoQueue()
        self._idle.put_nowait(self._seats[0])
        self._spare = list(self._seats[1:])

    @property
    def worker_id(self) -> int | None:
        """The process id of the worker, None while there is none."""
        return next((seat.worker.process.pid for seat in self._seats if seat.worker is not None), None)

    async def start(self) -> None:
        """Start a worker and wait until it can render. RenderFailed('render-crashed') when it does not come up."""
        seat = await self._take()
        try:
            await seat.ready_worker()
        finally:
            self._idle.put_nowait(seat)

    async def stop(self) -> None:
        """End the workers; renders under way are waited for."""
        started = [await self._idle.get() for _ in range(WORKERS - len(self._spare))]
        for seat in started:
            worker, seat.worker = seat.worker, None
            if worker is not None:
                await worker.end()
            self._idle.put_nowait(seat)

    async def render(self, template: bytes, context: Context, *, marks: tuple[str, ...] = (), title: str = "") -> bytes:
        """The filled Word file; same input, same bytes.

        `marks` (取扱注意, 支援会議限り …) stand at the top of every page whatever the template says; `title` becomes
        the file's title and must name nobody. RenderFailed on any failure; the next call works again.
        """
        order = Order(_digest(template), b"", msgspec.json.encode(context), marks, title)
        seat = await self._take()
        try:
            answer = await self._exchange(seat, order, template)
        finally:
            self._idle.put_nowait(seat)
        if answer.code:
            raise RenderFailed(answer.code)
        return answer.word

    async def _take(self) -> _Seat:
        """A seat that is free; a new one when all are taken for long."""
        if self._spare and self._idle.empty():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    return await self._idle.get()
            if self._spare:
                return self._spare.pop()
        return await self._idle.get()

    async def _exchange(self, seat: _Seat, order: Order, template: bytes) -> Answer:
        worker = await seat.ready_worker()
        try:
            async with asyncio.timeout(self._budget_seconds):
                answer = await worker.exchange(frame(order))
                if answer.code == TEMPLATE_WANTED:
                    answer = await worker.exchange(frame(msgspec.structs.replace(order, template=template)))
                return answer
        except TimeoutError:
            await seat.discard()
            raise RenderFailed("render-timeout") from None
        except (ConnectionError, ValueError, msgspec.MsgspecError):
            await seat.discard()
            raise RenderFailed("render-crashed") from None
        except BaseException:
            # Cancelled in the middle: what the worker still sends would be taken for the next answer.
            await seat.discard()
            raise


class _Seat:
    """Room for one worker, with one in it from the first render on."""

    def __init__(self, memory_bytes: int) -> None:
        self.worker: _Worker | None = None
        self._memory_bytes = memory_bytes

    async def ready_worker(self) -> _Worker:
        if self.worker is not None and not self.worker.lost:
            return self.worker
        if self.worker is not None:
            await self.discard()
        worker = await _start(self._memory_bytes)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.next_answer()
        except (TimeoutError, ConnectionError):
            await worker.kill()
            raise RenderFailed("render-crashed") from None
        except BaseException:
            await worker.kill()
            raise
        self.worker = worker
        return worker

    async def discard(self) -> None:
        worker, self.worker = self.worker, None
        if worker is not None:
            await worker.kill()


class _Worker(asyncio.Protocol):
    """This process's end of the socket: one order, then one answer. A stream reader would take twice as long."""

    process: asyncio.subprocess.Process

    def __init__(self) -> None:
        self.lost = False
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._arrived: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._wake()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def exchange(self, order: bytes) -> Answer:
        """Send an order and wait for its answer. ConnectionError when the worker is gone."""
        self._transport.write(order)
        return await self.next_answer()

    async def next_answer(self) -> Answer:
        """ConnectionError when the worker is gone; ValueError when what it says makes no sense."""
        size = size_of(await self._read(HEADER_BYTES))
        return msgspec.msgpack.decode(await self._read(size), type=Answer)

    async def _read(self, size: int) -> bytes:
        while len(self._received) < size:
            if self.lost:
                raise ConnectionError("worker gone")
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        content = bytes(memoryview(self._received)[:size])
        del self._received[:size]
        return content

    def close(self) -> None:
        """Close this end."""
        self._transport.close()

    async def end(self) -> None:
        """Close the socket: an idle worker leaves by itself."""
        self.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Kill the worker, take its exit status (no zombie) and close the socket. Finishes even when cancelled."""
        if self.process.returncode is None:
            self.process.kill()
        self._transport.abort()
        await asyncio.shield(self.process.wait())


async def _start(memory_bytes: int) -> _Worker:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        _, worker = await asyncio.get_running_loop().create_connection(_Worker, sock=ours)
        arguments = ("-m", "tsunagi_documents.word.worker", str(memory_bytes), str(theirs.fileno()))
        try:
            worker.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,  # a traceback may hold what the form says
                pass_fds=(theirs.fileno(),),
                env={"PYTHONPATH": ":".join(_import_path()), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
            )
        except BaseException:
            worker.close()
            raise
    return worker


@functools.lru_cache(KNOWN_DIGESTS)
def _digest(template: bytes) -> bytes:
    """Its sha256, worked out once: the service hands over the same object each time."""
    return hashlib.sha256(template).digest()


def _import_path() -> list[str]:
    """This process's import path: the worker gets it instead of the environment, which holds the service's secrets."""
    return [str(Path(entry).resolve()) for entry in sys.path]
