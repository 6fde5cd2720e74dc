"""How SQLite finds what is asked: the steps of its plan for every statement of a piece of code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection


def steps_of(connection: Connection, ask: Callable[[], object]) -> list[str]:
    """The steps (EXPLAIN QUERY PLAN) of all statements that `ask` sends over the connection."""
    statements: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        statements.append((call[2], call[3]))

    sa.event.listen(connection, "before_cursor_execute", note)
    try:
        ask()
    finally:
        sa.event.remove(connection, "before_cursor_execute", note)
    cursor = connection.connection.cursor()
    return [
        str(row[3])
        for text, values in statements
        for row in cursor.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
    ]
