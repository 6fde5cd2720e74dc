"""A child process that is waited for, ends with its whole group, and never outlives the one that started it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

TAIL_LINES = 25
LOG_LIMIT_BYTES = 10 * 1024**2
POLL_SECONDS = 0.02
# The child asks the kernel to be signalled when its parent ends, then becomes the program. A parent that ended before
# the child could ask is noticed by its number. Run in a fresh interpreter: code between fork and exec in a process
# with threads may hang.
_LAUNCH = """\
import ctypes, os, sys
parent, number = int(sys.argv[1]), int(sys.argv[2])
ctypes.CDLL(None).prctl(1, number)
if os.getppid() != parent:
    sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


class ServerError(RuntimeError):
    """A process did not become ready, or ended by itself. The message names it and ends with the tail of its log."""


class ChildProcess:
    """One program with a log file. `start` and `stop` may be repeated; the object belongs to no event loop.

    Start it from a thread that lives as long as the child should (the main thread): the kernel counts the end of the
    starting thread as the end of the parent.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_file: Path,
        *,
        environment: Mapping[str, str] | None = None,
        working_folder: Path | None = None,
        when_parent_dies: signal.Signals = signal.SIGKILL,
        grace_seconds: float = 10.0,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.log_file = log_file
        self._environment = environment
        self._working_folder = working_folder
        self._when_parent_dies = when_parent_dies
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The process id, or None when it does not run."""
        return self._process.pid if self._process is not None and self._exit() is None else None

    @property
    def running(self) -> bool:
        return self.pid is not None

    async def start(self, ready: Callable[[], Awaitable[bool]], timeout_seconds: float = 30.0) -> None:
        """Starts the program and returns when `ready` says so. ServerError, and no process left, when it never does."""
        self._spawn()
        deadline = time.monotonic() + timeout_seconds
        try:
            while not await ready():
                if not self.running:
                    raise ServerError(f"{self.name} ended while starting{self._exit_text()}{self.log_tail()}")
                if time.monotonic() > deadline:
                    raise ServerError(f"{self.name} was not ready within {timeout_seconds:g} s{self.log_tail()}")
                await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            self.kill()
            raise

    def _spawn(self) -> None:
        if self._process is not None:
            raise ServerError(f"{self.name} was started already")
        self.log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_LIMIT_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".old.log"))
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), str(int(self._when_parent_dies))]
        with self.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [*launch, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if self._environment is None else dict(self._environment),
                cwd=self._working_folder,
                start_new_session=True,  # Ctrl-C reaches the parent only, which then stops its children in order
            )

    async def stop(self) -> None:
        """Asks the group to end, waits, and kills what is left after the grace. Returns when nothing is left."""
        if self._process is None:
            return
        deadline = time.monotonic() + self._grace_seconds
        try:
            self._signal_group(signal.SIGTERM)
            while self.running and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells of a process end
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends the group at once (SIGKILL) and waits for it."""
        if self._process is None:
            return
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _exit(self) -> os.waitid_result | None:
        """How the program ended, or None. It is not collected here: until it is, its group's number stays its own."""
        if self._process is None:
            return None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def _exit_text(self) -> str:
        end = self._exit()
        if end is None:
            return ""
        return f" with code {end.si_status}" if end.si_code == os.CLD_EXITED else f" by signal {end.si_status}"

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def log_tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines since the last start, ready to end a message."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            tail = log.read().decode("utf-8", errors="replace").splitlines()[-lines:]
        return f"; the end of {self.log_file.name}:\n  " + "\n  ".join(tail) if tail else "; it wrote no log"
