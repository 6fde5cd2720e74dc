"""The engine that fills Word templates, in a process of its own that can be killed.

Templates are programs, also those a city uploads: a sandbox keeps them off the machine, and only a process with a time
and a memory limit keeps them from using it up. One worker lives long and renders one sheet at a time; when it dies or
takes too long it is replaced.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from tsunagi_documents.word.frames import HEADER_BYTES, Answer, Order, frame, size_of

Context = dict[str, Any]  # plain str, int, bool, list and dict only: what a template may see

START_SECONDS = 60.0  # the worker imports its libraries; on a loaded machine that takes a while
STOP_SECONDS = 3.0


class RenderFailed(Exception):
    """A sheet could not be made. `code`: template-error, missing-name, render-timeout or render-crashed.

    Carries no text of the template or the data: both may name a resident.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Engine:
    """Renders Word files in one worker process.

    `budget_seconds` is for one render, the wait for its turn and the worker's start not counted. `memory_bytes` is the
    worker's whole address space. The worker ends with this process, however that ends.
    """

    def __init__(self, *, budget_seconds: float = 20.0, memory_bytes: int = 1 << 30) -> None:
        self._budget_seconds = budget_seconds
        self._memory_bytes = memory_bytes
        self._turn = asyncio.Lock()
        self._worker: asyncio.subprocess.Process | None = None

    @property
    def worker_id(self) -> int | None:
        """The process id of the worker, None while there is none."""
        return None if self._worker is None else self._worker.pid

    async def start(self) -> None:
        """Start the worker and wait until it can render. RenderFailed('render-crashed') when it does not come up."""
        async with self._turn:
            await self._ready_worker()

    async def stop(self) -> None:
        """End the worker; a render under way is waited for."""
        async with self._turn:
            worker, self._worker = self._worker, None
            if worker is None:
                return
            assert worker.stdin is not None
            worker.stdin.close()  # its end of file: an idle worker leaves by itself
            try:
                await asyncio.wait_for(worker.wait(), STOP_SECONDS)
            except TimeoutError:
                await _kill(worker)

    async def render(self, template: bytes, context: Context, *, marks: tuple[str, ...] = (), title: str = "") -> bytes:
        """The filled Word file; same input, same bytes.

        `marks` (取扱注意, 支援会議限り …) stand at the top of every page whatever the template says; `title` becomes
        the file's title and must name nobody. RenderFailed on any failure; the next call works again.
        """
        order = Order(template=template, context=msgspec.json.encode(context), marks=marks, title=title)
        async with self._turn:
            worker = await self._ready_worker()
            try:
                answer = await asyncio.wait_for(_exchange(worker, frame(order)), self._budget_seconds)
            except TimeoutError:
                await self._discard(worker)
                raise RenderFailed("render-timeout") from None
            except (asyncio.IncompleteReadError, ConnectionError, ValueError, msgspec.MsgspecError):
                await self._discard(worker)
                raise RenderFailed("render-crashed") from None
            except BaseException:
                # Cancelled in the middle: what the worker still sends would be taken for the next answer.
                await self._discard(worker)
                raise
        if answer.code:
            raise RenderFailed(answer.code)
        return answer.word

    async def _ready_worker(self) -> asyncio.subprocess.Process:
        if self._worker is not None and self._worker.returncode is None:
            return self._worker
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tsunagi_documents.word.worker",
            str(self._memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback may hold what the form says
            env={"PYTHONPATH": ":".join(_import_path()), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
        )
        try:
            await asyncio.wait_for(_read_answer(worker), START_SECONDS)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            await _kill(worker)
            raise RenderFailed("render-crashed") from None
        except BaseException:
            await _kill(worker)
            raise
        self._worker = worker
        return worker

    async def _discard(self, worker: asyncio.subprocess.Process) -> None:
        self._worker = None
        await _kill(worker)


def _import_path() -> list[str]:
    """This process's import path: the worker gets it instead of the environment, which holds the service's secrets."""
    return [str(Path(entry).resolve()) for entry in sys.path]


async def _exchange(worker: asyncio.subprocess.Process, order: bytes) -> Answer:
    assert worker.stdin is not None
    worker.stdin.write(order)
    await worker.stdin.drain()
    return await _read_answer(worker)


async def _read_answer(worker: asyncio.subprocess.Process) -> Answer:
    assert worker.stdout is not None
    size = size_of(await worker.stdout.readexactly(HEADER_BYTES))
    return msgspec.msgpack.decode(await worker.stdout.readexactly(size), type=Answer)


async def _kill(worker: asyncio.subprocess.Process) -> None:
    """Kill the worker, take its exit status (no zombie) and close its pipes. Finishes even when cancelled."""
    if worker.returncode is None:
        worker.kill()
    assert worker.stdin is not None
    worker.stdin.close()
    await asyncio.shield(worker.wait())
