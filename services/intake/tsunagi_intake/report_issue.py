"""実績報告 is issued: the figures of a 年度 as they stand are kept, and the paper is drawn from them.

There is one a 年度; issued once more it becomes the next revision, and what it said before is kept. What is issued stays as
it is when the cases it counted are erased.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import records, report_events, report_masking, reports
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.report_events import KIND
from tsunagi_intake.tables import documents
from tsunagi_intake.tables import records as table
from tsunagi_shared import audit, clock
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.profile import FormKind
from tsunagi_shared.contracts.report import YearReport


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """The 実績報告 that was issued last. `page`: its paper at the documents service; empty while it is being drawn."""

    number: str
    revision: int
    at: dt.datetime
    user_name: str
    page: str


def issue(connection: Connection, write: Write, report: YearReport) -> bytes:
    """Keep the report and have its paper drawn; the encoded Receipt. Small counts are masked on it. Refusal, KeyReused."""
    return records.once(
        connection, write, lambda: _issue(connection, write, report_masking.masked(report, write.profile))
    )


def _issue(connection: Connection, write: Write, report: YearReport) -> Receipt:
    principal, profile, moment = write.principal, write.profile, clock.now_us()
    reports.check_issuer(principal, profile)
    earlier = _row(connection, report.fiscal_year)
    values: dict[str, Any] = {
        "revision": 1 if earlier is None else earlier.revision + 1,
        "audience_revision": 1 if earlier is None else earlier.audience_revision + 1,
        "submitted_at": moment, "user": principal.user, "user_name": principal.name, "agency": principal.agency,
        "form": msgspec.json.encode(report), "completed_on": clock.today().isoformat(),
    }  # fmt: skip
    if earlier is None:
        identity, number = uuid7(moment), f"実績{report.fiscal_year}"
        connection.execute(
            table.insert().values(
                id=identity, kind=KIND, number=number, case=None, about=_about(report.fiscal_year), support_meeting_only=0,
                persons="[]", state="live", retention_class=profile.retention_class_for(FormKind.REPORT).id, legal_hold=0,
                **values,
            )
        )  # fmt: skip
    else:
        identity, number = earlier.id, earlier.number
        records.keep_revision(connection, f"{KIND}/{identity}", earlier)
        connection.execute(table.update().where(table.c.id == identity).values(values))
    report_events.publish(connection, identity, profile, write.outbox)
    audit.record(connection, principal, "report.issue", f"{KIND}/{identity}", basis="responsible_section")
    return Receipt(
        kind=KIND, id=identity, number=number, case_number="", revision=values["revision"],
        received_at=clock.moment_of(moment), code="issued",
    )  # fmt: skip


def issued(connection: Connection, fiscal_year: int) -> Issued | None:
    """The 実績報告 of the 年度; None while none was issued."""
    row = _row(connection, fiscal_year)
    if row is None:
        return None
    page = connection.execute(
        sa.select(documents.c.page)
        .where(documents.c.form == f"{KIND}/{row.id}", documents.c.superseded == 0, documents.c.page.is_not(None))
        .order_by(documents.c.version.desc())
        .limit(1)
    ).scalar()
    return Issued(
        number=row.number, revision=row.revision, at=clock.moment_of(row.submitted_at), user_name=row.user_name,
        page=page or "",
    )  # fmt: skip


def _row(connection: Connection, fiscal_year: int) -> Any:
    wanted = table.c.case.is_(None), table.c.kind == KIND, table.c.about == _about(fiscal_year)
    return connection.execute(sa.select(table).where(*wanted)).first()


def _about(fiscal_year: int) -> str:
    return f"year/{fiscal_year}"
