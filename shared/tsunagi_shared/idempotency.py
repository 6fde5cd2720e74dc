"""`Idempotency-Key`: the same request sent twice is carried out once, and both get the same answer.

Scope: who calls, on which route, under which key. Kept for seven days. The answer holds numbers, never the form; of the
body only a hash is kept.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_shared import clock
from tsunagi_shared.database import PLUMBING, Statement, delete_some

KEPT_DAYS = 7
KEY_LIMIT = 200

idempotency = sa.Table(
    "idempotency",
    PLUMBING,
    sa.Column("scope", sa.LargeBinary, primary_key=True),
    sa.Column("body_hash", sa.LargeBinary, nullable=False),
    sa.Column("answer", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
)

_FIND = Statement(
    sa.select(idempotency.c.body_hash, idempotency.c.answer).where(idempotency.c.scope == sa.bindparam("scope"))
)
_KEEP = Statement(
    idempotency.insert().values({name: sa.bindparam(name) for name in ("scope", "body_hash", "answer", "created_at")})
)


class KeyReused(Exception):
    """The key came before with another body."""


def scope_of(user: str, agency: str, route: str, key: str) -> bytes:
    """What a key is unique within, as the short hash by which it is found; the key itself is not kept."""
    return hashlib.sha256("\x1f".join((user, agency, route, key)).encode()).digest()[:16]


def hash_of(body: bytes) -> bytes:
    """The hash by which a repeated body is known."""
    return hashlib.sha256(body).digest()


def earlier_answer(connection: Connection, scope: bytes, body_hash: bytes) -> bytes | None:
    """The answer given before under this key, or None. KeyReused when the body was another."""
    row = _FIND.first(connection, scope=scope)
    if row is None:
        return None
    if row[0] != body_hash:
        raise KeyReused
    return bytes(row[1])


def keep(connection: Connection, scope: bytes, body_hash: bytes, answer: bytes) -> None:
    """Remember the answer in the transaction that made it true."""
    _KEEP.run(connection, scope=scope, body_hash=body_hash, answer=answer, created_at=clock.now_us())


def forget_old(connection: Connection) -> int:
    """Take away some of the keys older than seven days; how many. Call again until none."""
    late = idempotency.c.created_at < clock.now_us() - KEPT_DAYS * 86_400_000_000
    return delete_some(connection, idempotency, late)
