"""The audit becomes a chain: each row's hash covers the one before; the case and a typed reason can be told."""

import hashlib

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# As tsunagi_shared.audit had them when this was written
COLUMNS = [
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
]


def upgrade() -> None:
    op.rename_table("audit", "audit_before")
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("agency", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("case_number", sa.Text, nullable=False),
        sa.Column("repeats", sa.Integer, nullable=False),
        sa.Column("reason_digest", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit_reasons",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    _chain(op.get_bind())
    op.drop_table("audit_before")
    op.create_index("audit_subject", "audit", ["subject"])
    op.create_index("audit_case", "audit", ["case_number", "seq"])
    op.create_index("audit_at", "audit", ["at"])
    op.create_index("audit_user", "audit", ["user", "seq"])
    op.create_index("audit_agency", "audit", ["agency", "seq"])
    op.create_index("audit_outcome", "audit", ["outcome", "seq"])
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit"
            " BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
        )


def _chain(connection: sa.Connection) -> None:
    """Rows from before get their hashes in the order they were written, numbered without gaps."""
    previous = b""
    rows = connection.execute(sa.text("SELECT * FROM audit_before ORDER BY seq")).mappings()
    table = sa.table("audit", *(sa.column(name) for name in ("seq", *COLUMNS, "hash")))
    for seq, row in enumerate(rows, 1):
        values = {**row, "case_number": "", "repeats": 0, "reason_digest": b""}
        content = (previous, seq, *(values[name] for name in COLUMNS))
        previous = hashlib.sha256(msgspec.msgpack.encode(content)).digest()
        connection.execute(table.insert(), {**{name: values[name] for name in COLUMNS}, "seq": seq, "hash": previous})
