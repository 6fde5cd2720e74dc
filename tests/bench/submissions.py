"""Durable submissions a second: intake beside the same handler with an ORM session and one commit a request."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.processes import ChildProcess
from deploy.local.servers import NatsServer
from deploy.local.stack import REPOSITORY
from tests.bench.load import Load, measure, request
from tests.data.referrals import referral
from tsunagi_shared.accounts import Accounts

CONNECTIONS = 32
RUNS = 5
SECONDS = 4.0
SECRET = b"bench-secret-bench-secret-bench-secret"
PROFILE = REPOSITORY / "deploy" / "profiles" / "fussa"


async def _listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def _key(path: Path) -> str:
    accounts = Accounts(path, SECRET)
    key = accounts.add_key("bench", "disability", ("clerk",), ("referrals:write",))
    accounts.close()
    return key


def _process(name: str, command: list[str], folder: Path, settings: dict[str, Any]) -> ChildProcess:
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    environment |= {"PYTHONPATH": str(REPOSITORY)} | {f"TSUNAGI_{key}": str(value) for key, value in settings.items()}
    return ChildProcess(name, command, folder / "log", environment=environment, working_folder=folder)


async def measure_submissions(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Five alternating runs of each, c = 32, client on the same machine; medians and the ratio."""
    (folder / "secret").write_bytes(SECRET)
    hub = NatsServer(folder / "hub")
    ours, peer = folder / "ours", folder / "peer"
    ours.mkdir()
    peer.mkdir()
    port, peer_port = free_ports(2)
    keys = {port: _key(ours / "accounts.db"), peer_port: _key(peer / "accounts.db")}
    settings = {
        "PROFILE": PROFILE, "DATABASE": ours / "intake.db", "ACCOUNTS": ours / "accounts.db", "SECRET_FILE": folder / "secret",
        "NATS_URL": hub.url, "NATS_SEED_FILE": hub.seed_file("intake"), "PORT": port, "LOG_LEVEL": "error",
    }  # fmt: skip
    intake = _process("intake", [sys.executable, "-m", "tsunagi_intake"], ours, settings)
    command = [
        sys.executable,
        "-m",
        "tests.bench.peer",
        str(peer),
        str(PROFILE),
        str(folder / "secret"),
        str(peer_port),
    ]
    other = _process("peer", command, peer, {})
    body = msgspec.json.encode(referral())

    def make(port: int, run: int) -> Callable[[int], bytes]:
        headers = {"X-Api-Key": keys[port]}
        return lambda n: request("/referrals", LOOPBACK, body, headers | {"Idempotency-Key": f"{run}-{n}"})

    found: dict[int, list[Load]] = {port: [], peer_port: []}
    await hub.start()
    try:
        await asyncio.gather(intake.start(lambda: _listening(port)), other.start(lambda: _listening(peer_port)))
        for run in range(-1, RUNS):  # the first of each warms up and does not count
            for which in (port, peer_port):
                seconds = SECONDS if run >= 0 else 1.0
                load = await measure(which, make(which, run), connections=CONNECTIONS, seconds=seconds)
                if run >= 0:
                    found[which].append(load)
                    name = "intake" if which == port else "ORM, one commit each"
                    say(f"  {name}: {load.per_second:.0f}/s, p99 {load.p99_ms} ms")
    finally:
        await asyncio.gather(intake.stop(), other.stop())
        await hub.stop()
    return _compare(found[port], found[peer_port])


def _compare(ours: list[Load], peer: list[Load]) -> dict[str, Any]:
    def medians(loads: list[Load]) -> dict[str, float]:
        return {
            "per_second": statistics.median(load.per_second for load in loads),
            "p50_ms": statistics.median(load.p50_ms for load in loads),
            "p99_ms": statistics.median(load.p99_ms for load in loads),
        }

    mine, other = medians(ours), medians(peer)
    return {
        "connections": CONNECTIONS,
        "runs": RUNS,
        "intake": mine,
        "orm_one_commit_each": other,
        "ratio": round(mine["per_second"] / other["per_second"], 2),
    }
