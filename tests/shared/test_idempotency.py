"""Idempotency keys: unique within a caller and a route, and nothing of a form is kept for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.conftest import MovableClock
from tsunagi_shared import idempotency
from tsunagi_shared.database import Database, migrate
from tsunagi_shared.idempotency import KeyReused, earlier_answer, hash_of, keep, scope_of
from tsunagi_shared.service import PLUMBING_MIGRATIONS


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A connection inside a transaction."""
    db = Database(tmp_path / "service.db")
    with db._engine.connect() as opened:
        migrate(opened, *PLUMBING_MIGRATIONS)
        yield opened
    db.close()


def test_scopes_do_not_run_into_one_another() -> None:
    """Another caller, agency, route or key is another scope, however the parts are cut."""
    parts = [
        ("a", "b", "c", "d"),
        ("ab", "", "c", "d"),
        ("a", "bc", "", "d"),
        ("a", "b", "c", "D"),
        ("", "a", "b", "c"),
    ]
    assert len({scope_of(*part) for part in parts}) == len(parts)


def test_the_first_answer_stands(connection: Connection) -> None:
    """The same body gets it again, another body is refused, another scope knows nothing of it."""
    body = hash_of(b"form")
    assert earlier_answer(connection, b"s", body) is None
    keep(connection, b"s", body, b"answer")
    assert earlier_answer(connection, b"s", body) == b"answer"
    assert earlier_answer(connection, b"t", body) is None
    with pytest.raises(KeyReused):
        earlier_answer(connection, b"s", hash_of(b"another form"))


def test_only_a_hash_of_the_body_is_kept(connection: Connection) -> None:
    """The row holds scope, hash, answer and moment, and no form."""
    keep(connection, b"s", hash_of("見本　太郎".encode()), b"R2026-00001")
    row = connection.execute(sa.select(idempotency.idempotency)).one()
    assert len(row.body_hash) == 32
    assert "太郎".encode() not in b"".join(value for value in row if isinstance(value, bytes))


def test_keys_go_after_seven_days(connection: Connection, movable_clock: MovableClock) -> None:
    """Not before, and then all of them."""
    keep(connection, b"s", b"h", b"a")
    for seconds, found in ((7 * 86_400 - 60, b"a"), (7 * 86_400 + 60, None)):
        movable_clock.forward(seconds)
        idempotency.forget_old(connection)
        assert earlier_answer(connection, b"s", b"h") == found
