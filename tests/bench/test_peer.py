"""The peer of the submission bench does the same work as intake: the same referral leaves the same rows in both."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.stack import PROFILES
from tests.bench.peer import create_app
from tests.data.intake import running_intake
from tests.data.referrals import referral, without_consent
from tsunagi_shared.accounts import Accounts

SECRET = b"bench-secret-bench-secret-bench-secret"
# Of no referral: what the migrations and the clockwork keep
OF_THE_SERVICE = {"facts", "alembic_intake", "alembic_plumbing", "sqlite_sequence"}
MADE_UP = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"  # ids
    r"|20\d\d-\d\d-\d\dT[\d:.]+Z"  # moments
    r"|00-[0-9a-f]{32}-[0-9a-f]{16}-\d\d"  # traces
    r"|\b\d{16}\b"  # moments as microseconds
    r"|key:[0-9a-f]{12}"  # the programs
)


def rows_in(path: Path) -> dict[str, list[str]]:
    """Every row of every table that holds any, with ids, moments and hashes made alike, sorted."""
    found: dict[str, list[str]] = {}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for name in set(names) - OF_THE_SERVICE:
            content = [_alike(dict(row)) for row in connection.execute(f'SELECT * FROM "{name}"')]
            found[name] = sorted(row for row in content if "watermark" not in row)
    return {name: content for name, content in found.items() if content}


def _alike(row: dict[str, Any]) -> str:
    texts = {
        name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value for name, value in row.items()
    }
    for name in texts.keys() & {"hash", "scope", "seq"}:
        texts[name] = type(texts[name]).__name__
    return MADE_UP.sub("…", json.dumps(texts, ensure_ascii=False, sort_keys=True))


@pytest.mark.parametrize("form", [referral(), without_consent()], ids=["with consent", "without consent"])
async def test_the_peer_writes_what_intake_writes(form: dict[str, Any], tmp_path: Path) -> None:
    """Numbers, case, persons, consent, audience, lists, keys, event, time line, audit, key and answer: all of it, in both."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    accounts = Accounts(theirs / "accounts.db", SECRET)
    key = accounts.add_key("見本システム", "disability", ("clerk",), ("referrals:write",))
    accounts.close()
    app = create_app(theirs, PROFILES / "fussa", SECRET)
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://peer.test") as client:
        headers = {"X-API-Key": key, "Idempotency-Key": "one"}
        answers = [await client.post("/referrals", json=form, headers=headers)]
    async with running_intake(tmp_path / "ours") as intake:
        answers.append(await intake.program("disability", "referrals:write").submit(form, "one"))
        ours = rows_in(intake.runtime.settings.database)
    assert [answer.status_code for answer in answers] == [201, 201]
    peer, own = (_alike({"answer": answer.text}) for answer in answers)
    assert peer == own
    assert rows_in(theirs / "peer.db") == ours
