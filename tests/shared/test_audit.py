"""The record of who did what: a chain in which every change shows, and refusals that nobody had to remember to write."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.data.intake import Intake, running_intake
from tests.data.referrals import referral
from tests.data.services import until
from tsunagi_shared import audit, refusals
from tsunagi_shared.accounts import Principal
from tsunagi_shared.audit_pages import safe_cell
from tsunagi_shared.database import Database
from tsunagi_shared.service import PLUMBING_MIGRATIONS

SOMEBODY = Principal("mado", "見本　窓子", "disability", frozenset({"clerk"}))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A database with the plumbing's tables."""
    database = Database(tmp_path / "x.db")
    database.open(PLUMBING_MIGRATIONS)
    with database.connection() as found:
        yield found
    database.close()


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    """The service."""
    async with running_intake(tmp_path) as found:
        yield found


def ten_rows(connection: Connection) -> None:
    """Rows of which the third has a typed reason."""
    for number in range(1, 11):
        reason = "本人から電話があった" if number == 3 else ""
        audit.record(connection, SOMEBODY, "case.read", f"case/{number}", case=f"C2026-0000{number}", reason=reason)


def test_a_sound_chain_is_found_sound(connection: Connection) -> None:
    """Every row holds, and the head is the newest row's hash."""
    assert audit.verify(connection) == audit.Verdict(0, audit.Head(0, ""), None)
    ten_rows(connection)
    verdict = audit.verify(connection)
    assert (verdict.rows, verdict.broken_at) == (10, None)
    assert verdict.head == audit.head(connection)
    assert verdict.head.seq == 10


@pytest.mark.parametrize(
    "verb", ["UPDATE audit SET user = 'x' WHERE seq = 4", "DELETE FROM audit WHERE seq = 4", "DELETE FROM audit"]
)
def test_the_record_is_only_added_to(connection: Connection, verb: str) -> None:
    """The database itself refuses to change or delete a row."""
    ten_rows(connection)
    with pytest.raises(sa.exc.IntegrityError, match="only added to"):
        connection.execute(sa.text(verb))


@pytest.mark.parametrize(
    ("change", "broken_at"),
    [
        ("UPDATE audit SET user = 'x' WHERE seq = 4", 4),
        ("UPDATE audit SET basis = 'x' WHERE seq = 10", 10),
        ("UPDATE audit SET hash = x'00' WHERE seq = 7", 7),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 10", 10),
        ("UPDATE audit SET seq = 11 WHERE seq = 4", 4),
        ("UPDATE audit_reasons SET reason = '別の理由' WHERE seq = 3", 3),
    ],
)
def test_a_tampered_chain_breaks_at_the_row(connection: Connection, change: str, broken_at: int) -> None:
    """A row changed, taken out or moved by somebody who got past the triggers is named."""
    ten_rows(connection)
    for trigger in ("audit_no_update", "audit_no_delete"):
        connection.execute(sa.text(f"DROP TRIGGER {trigger}"))
    connection.execute(sa.text(change))
    assert audit.verify(connection).broken_at == broken_at


def test_a_row_of_ones_own_does_not_fit(connection: Connection) -> None:
    """A row put in without the chain's hash breaks it, even with a free number."""
    ten_rows(connection)
    connection.execute(
        audit.audit.insert().values(
            seq=11, at=1, user="x", agency="y", via="session", action="case.read", subject="case/1", outcome="done", basis="",
            case_number="", repeats=0, reason_digest=b"", hash=b"\0" * 32,
        )
    )  # fmt: skip
    assert audit.verify(connection).broken_at == 11


def test_a_typed_reason_can_be_erased(connection: Connection) -> None:
    """It lies beside the chain: without it the chain still holds, and what it said cannot be guessed from the row."""
    ten_rows(connection)
    assert audit.find(connection, audit.Query(case="C2026-00003"))[0].reason == "本人から電話があった"
    audit.record_erasure(connection, SOMEBODY, "C2026-00003", "retention")
    assert audit.verify(connection).broken_at is None
    erasure, read = audit.find(connection, audit.Query(case="C2026-00003"))
    assert (erasure.action, read.reason) == ("case.erase", "")


def test_a_reason_taken_away_by_hand_is_a_fault(connection: Connection) -> None:
    """Without the erasure of its case, or with one from before it was typed, the chain breaks at its row."""
    ten_rows(connection)
    audit.record_erasure(connection, SOMEBODY, "C2026-00004", "retention")
    audit.record(connection, SOMEBODY, "hold.set", "case/4", case="C2026-00004", reason="あとから書いた理由")
    assert audit.verify(connection).broken_at is None
    connection.execute(audit.audit_reasons.delete().where(audit.audit_reasons.c.seq == 12))
    assert audit.verify(connection).broken_at == 12
    connection.execute(audit.audit_reasons.delete().where(audit.audit_reasons.c.seq == 3))
    assert audit.verify(connection).broken_at == 3


def test_questions_are_answered_from_indexes(connection: Connection) -> None:
    """By case, person, agency and outcome no question walks through the whole record."""
    ten_rows(connection)
    for column in ("case_number", "user", "agency", "outcome", "subject"):
        plan = connection.execute(
            sa.text(f'EXPLAIN QUERY PLAN SELECT * FROM audit WHERE "{column}" = :x ORDER BY seq DESC LIMIT 100'),
            {"x": "y"},
        ).all()
        assert all("SCAN" not in row.detail for row in plan), plan


async def test_refusals_of_guards_are_on_record(intake: Intake) -> None:
    """Who is turned away is on record with the route's template and the code; the same again is counted, not written."""
    auditor = intake.person("kansa", "social-welfare", "auditor")
    for _ in range(5):
        assert (await auditor.get("/metrics")).status_code == 403
    await intake.runtime.refusals.flush()

    async def counted() -> bool:  # the service's own round at its start may come in between: then it is two lines more
        rows = [row for row in await intake.rows(audit.audit) if row["action"] == "request"]
        assert {(row["user"], row["subject"], row["basis"]) for row in rows} == {("kansa", "GET /metrics", "forbidden")}
        assert len(rows) in (2, 3, 4)
        return sum(row["repeats"] or 1 for row in rows) == 5

    await until(counted)


async def test_counting_refusals_is_bounded(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller with many different refusals makes rows, not memory."""
    monkeypatch.setattr(refusals, "MOST_COUNTED", 3)
    auditor = intake.person("kansa", "social-welfare", "auditor")
    for path in ("/forms/referral", "/metrics", "/cases?after=x", "/referrals?after=x", "/cases?limit=0"):
        await auditor.get(path)
        await auditor.get(path)
    assert len(intake.runtime.refusals._seen) <= 3
    rows = [row for row in await intake.rows(audit.audit) if row["action"] == "request"]
    assert sum(1 + (row["repeats"] - 1 if row["repeats"] else 0) for row in rows) >= 5


async def test_the_auditor_reads_and_nobody_else(intake: Intake) -> None:
    """GET /audit is for the auditor and the responsible section; that it was read is on record itself."""
    clerk = intake.person("mado", "disability", "clerk")
    assert (await clerk.submit(referral(), **{"Sec-Fetch-Site": "same-origin"})).status_code == 201
    for role in ("clerk", "coordinator", "chair", "administrator"):
        assert (await intake.person(f"u-{role}", "disability", role).get("/audit")).status_code == 403
    for role in ("auditor", "responsible_section"):
        answer = await intake.person(f"u-{role}", "social-welfare", role).get("/audit?action=referral")
        assert answer.status_code == 200
        assert [line["action"] for line in answer.json()["items"]] == ["referral.submit"]
    rows = await intake.rows(audit.audit)
    assert [row["user"] for row in rows if row["action"] == "audit.read"] == ["u-auditor", "u-responsible_section"]
    page = await intake.signed_in("u-auditor").get("/audit?outcome=refused&since=令和8年4月1日", page=True)
    assert page.status_code == 200
    assert "断られた" in page.text
    wrong = await intake.signed_in("u-auditor").get("/audit?since=いつか&until=2026-13-01")
    assert [error["path"] for error in wrong.json()["errors"]] == ["since", "until"]


async def test_what_is_typed_into_the_search_does_not_stay(intake: Intake) -> None:
    """The record of reading it holds the number of a case that is on record, and nothing else that somebody may type there."""
    number = (
        await intake.person("mado", "disability", "clerk").submit(referral(), **{"Sec-Fetch-Site": "same-origin"})
    ).json()["case_number"]
    auditor = intake.person("kansa", "social-welfare", "auditor")
    for typed in ("見本　太郎", "mihon-taro", "C2026-99999", number):
        assert (await auditor.get(f"/audit?case={typed}")).status_code == 200
    read = [row for row in await intake.rows(audit.audit) if row["action"] == "audit.read"]
    assert [row["case_number"] for row in read] == ["", "", "", number]
    assert not any("太郎" in str(row) or "taro" in str(row) for row in read)


async def test_the_record_as_csv(intake: Intake) -> None:
    """Everything that matches in one file, over more than one batch, and no cell is a formula."""

    def many(connection: Connection) -> None:
        for number in range(2100):
            audit.record(connection, SOMEBODY, "=HYPERLINK()", f"case/{number}", case="C2026-00001")

    await intake.runtime.database.write(many)
    answer = await intake.person("kansa", "social-welfare", "auditor").get("/audit?format=csv&case=C2026-00001")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 1 + 2100 + 1  # heading, rows, and the reading itself
    assert {row[5] for row in rows[2:]} == {"'=HYPERLINK()"}
    assert [safe_cell(text) for text in ("-1", "@x", "+1", "a=1", "")] == ["'-1", "'@x", "'+1", "a=1", ""]
