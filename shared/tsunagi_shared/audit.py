"""Who did what, when, on what basis: every write, every read of a document, every refusal, in the transaction it belongs to.

Rows name people who work here and numbers of records, never what a form says.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.database import PLUMBING, Statement

audit = sa.Table(
    "audit",
    PLUMBING,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("agency", sa.Text, nullable=False),
    sa.Column("via", sa.Text, nullable=False),  # session | key
    sa.Column("action", sa.Text, nullable=False),  # referral.submit, document.open, …
    sa.Column("subject", sa.Text, nullable=False),  # referral/<id>, document/<id>/versions/1
    sa.Column("outcome", sa.Text, nullable=False),  # done | refused
    sa.Column("basis", sa.Text, nullable=False),  # the audience's basis, or the code of the refusal
    sa.Index("audit_subject", "subject"),
    sqlite_autoincrement=True,
)

_RECORD = Statement(
    audit.insert().values(
        {name: sa.bindparam(name) for name in ("at", "user", "agency", "via", "action", "subject", "outcome", "basis")}
    )
)


def record(
    connection: Connection, principal: Principal, action: str, subject: str, *, basis: str = "", refused: bool = False
) -> None:
    """Put one line on record, in the caller's transaction."""
    _RECORD.run(
        connection,
        at=clock.now_us(),
        user=principal.user,
        agency=principal.agency,
        via=principal.via,
        action=action,
        subject=subject,
        outcome="refused" if refused else "done",
        basis=basis,
    )
