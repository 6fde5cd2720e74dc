"""Who did what, when, on what basis: every write, every read of a document, every refusal, in the transaction it belongs to.

Rows name people who work here and numbers of records, never what a form says. Each row's hash covers the row before it, so
that a row changed, taken out or slipped in shows (`verify`); triggers refuse UPDATE and DELETE to begin with. What nobody can
see from inside is a tail cut off: the newest hash is logged each hour, to be kept elsewhere (docs/operations.md).

A reason that somebody typed lies beside the chain with a salt; the row holds its salted digest. So it can be erased with its
case, and the chain still holds: a reason that is gone without the erasure of its case on record is a fault.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.database import PLUMBING, Statement

REASON_LIMIT = 200  # characters of a typed reason
VERIFY_BATCH = 5_000
SALT_BYTES = 16
ERASED = "case.erase"  # the action by which a case was erased, and with it the reasons typed about it

audit = sa.Table(
    "audit",
    PLUMBING,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("via", sa.Text, nullable=False),  # session | key | command | job (on what a person approved) | event
    sa.Column("action", sa.Text, nullable=False),  # referral.submit, document.open, …
    sa.Column("subject", sa.Text, nullable=False),  # referral/<id>, document/<id>/versions/1
    sa.Column("outcome", sa.Text, nullable=False),  # done | refused
    sa.Column("basis", sa.Text, nullable=False),  # the audience's basis, or the code of the refusal
    sa.Column("case_number", sa.Text, nullable=False),  # where it is known
    sa.Column("repeats", sa.Integer, nullable=False),  # refusals alike within a minute that this row stands for; else 0
    sa.Column("reason_digest", sa.LargeBinary, nullable=False),  # empty: no reason was typed
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Index("audit_subject", "subject"),
    sa.Index("audit_case", "case_number", "seq"),
    sa.Index("audit_at", "at"),
    sa.Index("audit_user", "user", "seq"),
    sa.Index("audit_agency", "agency", "seq"),
    sa.Index("audit_outcome", "outcome", "seq"),
    sqlite_autoincrement=True,
)

# What staff typed as their reason. It may say something of a resident: docs/personal-data.md.
audit_reasons = sa.Table(
    "audit_reasons",
    PLUMBING,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

_CHAINED = (
    "at",
    "user",
    "agency",
    "via",
    "action",
    "subject",
    "outcome",
    "basis",
    "case_number",
    "repeats",
    "reason_digest",
)
_HEAD = Statement(sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1))
_RECORD = Statement(audit.insert().values({name: sa.bindparam(name) for name in ("seq", *_CHAINED, "hash")}))
_REASON = Statement(audit_reasons.insert().values({name: sa.bindparam(name) for name in ("seq", "salt", "reason")}))


class Head(msgspec.Struct, frozen=True):
    """The newest row of the chain: its number and hash in hexadecimal (both empty when there is no row)."""

    seq: int
    hash: str


class Verdict(msgspec.Struct, frozen=True):
    """What `verify` found: how many rows hold, and the first that does not (None: all hold)."""

    rows: int
    head: Head
    broken_at: int | None


def chain_hash(previous: bytes, seq: int, values: tuple[object, ...]) -> bytes:
    """SHA-256 over the hash before, the row's number and its columns in the order of `_CHAINED`."""
    return hashlib.sha256(msgspec.msgpack.encode((previous, seq, *values))).digest()


def record(
    connection: Connection,
    principal: Principal,
    action: str,
    subject: str,
    *,
    basis: str = "",
    refused: bool = False,
    case: str = "",
    reason: str = "",
    repeats: int = 0,
) -> None:
    """Put one line on record, in the caller's transaction. `reason`: what the person typed, cut at REASON_LIMIT."""
    seq, previous = _HEAD.first(connection) or (0, b"")
    seq += 1
    digest = b""
    if reason:
        salt, reason = secrets.token_bytes(SALT_BYTES), reason[:REASON_LIMIT]
        digest = hashlib.sha256(salt + reason.encode()).digest()
        _REASON.run(connection, seq=seq, salt=salt, reason=reason)
    values = (
        clock.now_us(), principal.user, principal.agency, principal.via, action, subject,
        "refused" if refused else "done", basis, case, repeats, digest,
    )  # fmt: skip
    _RECORD.run(connection, seq=seq, hash=chain_hash(previous, seq, values), **dict(zip(_CHAINED, values, strict=True)))


def head(connection: Connection) -> Head:
    """The end of the chain, to be written down elsewhere."""
    row = _HEAD.first(connection)
    return Head(0, "") if row is None else Head(row[0], row[1].hex())


def verify(connection: Connection) -> Verdict:
    """Walk the whole chain. A row that was changed, taken out or slipped in breaks it there; so does a reason that was changed,
    or taken away while its case was not erased."""
    previous, expected, held = b"", 1, Head(0, "")
    for row in _rows(connection):
        values = tuple(getattr(row, name) for name in _CHAINED)
        sound = row.seq == expected and chain_hash(previous, row.seq, values) == row.hash
        if not sound or not _reason_fits(connection, row):
            return Verdict(expected - 1, held, min(row.seq, expected))
        previous, expected, held = row.hash, expected + 1, Head(row.seq, row.hash.hex())
    highest = connection.execute(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")).scalar() or 0
    return Verdict(expected - 1, held, expected if highest >= expected else None)


def _rows(connection: Connection) -> Iterator[sa.Row[tuple[object, ...]]]:
    after = 0
    wanted = (
        sa.select(audit, audit_reasons.c.salt, audit_reasons.c.reason)
        .outerjoin(audit_reasons, audit_reasons.c.seq == audit.c.seq)
        .order_by(audit.c.seq)
        .limit(VERIFY_BATCH)
    )
    while rows := connection.execute(wanted.where(audit.c.seq > after)).all():
        yield from rows
        after = rows[-1].seq


def _reason_fits(connection: Connection, row: sa.Row[Any]) -> bool:
    """A reason that is there must be the one that was typed; one that is not there was erased with its case later on."""
    if row.reason is not None:
        return bool(hashlib.sha256(row.salt + row.reason.encode()).digest() == row.reason_digest)
    if not row.reason_digest:
        return True
    erased = sa.select(1).where(
        audit.c.case_number == row.case_number,
        audit.c.seq > row.seq,
        audit.c.action == ERASED,
        audit.c.case_number != "",
    )
    return connection.execute(erased.limit(1)).first() is not None


def record_erasure(connection: Connection, principal: Principal, case: str, basis: str) -> None:
    """Put on record that a case is erased, and take away what staff typed as their reasons about it. Again: as once, but for
    what was typed since."""
    of_case = sa.select(audit.c.seq).where(audit.c.case_number == case, audit.c.case_number != "")
    gone = connection.execute(audit_reasons.delete().where(audit_reasons.c.seq.in_(of_case))).rowcount
    if gone or connection.execute(of_case.where(audit.c.action == ERASED).limit(1)).first() is None:
        record(connection, principal, ERASED, f"case/{case}", basis=basis, case=case)


def is_on_record(connection: Connection, case: str) -> bool:
    """Whether something is on record about a case of that number: what somebody typed may be anything, a name too."""
    return connection.execute(sa.select(1).where(audit.c.case_number == case).limit(1)).first() is not None


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What an auditor asks for; empty means any. `first`, `last`: Japanese days, inclusive. `before`: keyset, newest first."""

    case: str = ""
    user: str = ""
    agency: str = ""
    action: str = ""
    outcome: str = ""
    first: dt.date | None = None
    last: dt.date | None = None
    before: int = 0
    limit: int = 100


class AuditLine(msgspec.Struct, frozen=True):
    """One row as the auditor sees it."""

    seq: int
    at: dt.datetime
    user: str
    agency: str
    via: str
    action: str
    subject: str
    outcome: str
    basis: str
    case_number: str
    repeats: int
    reason: str


def find(connection: Connection, query: Query) -> list[AuditLine]:
    """At most `limit` rows, the newest first."""
    wanted = (
        sa.select(audit, audit_reasons.c.reason)
        .outerjoin(audit_reasons, audit_reasons.c.seq == audit.c.seq)
        .where(*_conditions(query))
        .order_by(audit.c.seq.desc())
        .limit(query.limit)
    )
    return [
        AuditLine(
            row.seq, clock.moment_of(row.at), row.user, row.agency, row.via, row.action, row.subject, row.outcome, row.basis,
            row.case_number, row.repeats, row.reason or "",
        )
        for row in connection.execute(wanted)
    ]  # fmt: skip


def _conditions(query: Query) -> Iterator[sa.ColumnElement[bool]]:
    for name, wanted in (("case_number", query.case), ("user", query.user), ("agency", query.agency)):
        if wanted:
            yield audit.c[name] == wanted
    if query.action:
        yield audit.c.action.startswith(query.action, autoescape=True)
    if query.outcome:
        yield audit.c.outcome == query.outcome
    if query.first:
        yield audit.c.at >= clock.midnight_us(query.first)
    if query.last:
        yield audit.c.at < clock.midnight_us(query.last + dt.timedelta(days=1))
    if query.before:
        yield audit.c.seq < query.before
