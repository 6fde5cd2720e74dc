"""Free ports on the loopback address."""

from __future__ import annotations

import secrets
import socket
from collections import deque
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST, HIGHEST = 18_000, 32_767
TRIES = 2_000
HELD = 200  # more than are given out while servers start; so many descriptors are held open at most
_claims: deque[socket.socket] = deque()


def _first_outgoing_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return HIGHEST + 1


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _claim(port: int) -> bool:
    """Whether nobody else was given the port lately, here or in another process. Until a server listens on it, a name in the
    kernel's own (abstract) space of sockets stands for it; that ends with this process at the latest."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0tsunagi-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    if len(_claims) > HELD:
        _claims.popleft().close()
    return True


def free_ports(count: int) -> tuple[int, ...]:
    """That many different ports on which nothing listens now, and which no other call was given lately. OSError when so many
    cannot be found.

    Taken from below the range the system gives to outgoing connections: a port from that range could be gone again
    before the server that is to have it has started.
    """
    highest = min(HIGHEST, _first_outgoing_port() - 1)
    if highest - LOWEST < TRIES:
        highest = HIGHEST
    found: dict[int, None] = {}
    for _ in range(TRIES):
        if len(found) == count:
            break
        port = LOWEST + secrets.randbelow(highest - LOWEST + 1)
        if port not in found and _claim(port) and _is_free(port):
            found[port] = None
    if len(found) < count:
        raise OSError(f"no {count} free ports between {LOWEST} and {highest} on {LOOPBACK}")
    return tuple(found)
