"""What happened since a day is said again, for outages longer than the stream keeps events (`tsunagi-intake republish`).

Every case in which something happened since then is published as it stands: who may see each form, its content where
anybody may, what is protected, and what was erased. Who has heard it before changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, changes, form_facts, publishing
from tsunagi_intake.audience import Audience
from tsunagi_intake.erasure import FORMS_IN_AN_EVENT
from tsunagi_intake.meeting_tables import meetings
from tsunagi_intake.tables import protections, records, referrals, timeline, tombstones
from tsunagi_shared import clock
from tsunagi_shared.contracts.events import RECORD_ERASED, RecordErased
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.outbox import Outbox
from tsunagi_shared.runtime import Runtime

CASES_AT_ONCE = 20  # in one transaction: the running service writes in between


def republish_since(runtime: Runtime, since: dt.date) -> tuple[int, int]:
    """Put everything that happened since that Japanese date into the outbox again: how many cases, how many forms."""
    profile, outbox, start = runtime.profile, runtime.outbox, clock.midnight_us(since)
    with runtime.database.connection() as connection:
        wanted = _touched(connection, start)
        forms = _without_case(connection, start, profile, outbox) + _erased(connection, start, outbox)
    for place in range(0, len(wanted), CASES_AT_ONCE):
        with runtime.database.connection() as connection:
            forms += sum(
                publish_case(connection, profile, outbox, case) for case in wanted[place : place + CASES_AT_ONCE]
            )
    return len(wanted), forms


def _touched(connection: Connection, start: int) -> Sequence[int]:
    """The cases with a form, or anything else on their time line, since then."""
    parts = [
        sa.select(table.c.case).where(at >= start, table.c.case.is_not(None))
        for table, at in (
            (referrals, referrals.c.submitted_at),
            (records, records.c.submitted_at),
            (timeline, timeline.c.at),
        )
    ]
    return sorted(connection.execute(sa.union(*parts)).scalars())


def publish_case(connection: Connection, profile: Profile, outbox: Outbox, case: int) -> int:
    """Publish a case as it stands: what is protected first, then its forms; how many those are."""
    found = form_facts.of_case(connection, profile, case, clock.today())
    if found is None:
        return 0
    is_protected = sa.select(1).where(protections.c.case.in_(form_facts.group_of(connection, case))).limit(1)
    if connection.execute(is_protected).first():
        publishing.publish_protection(connection, case, profile, outbox)
    told = [form for form in found.forms if form.facts.kind not in changes.WITHOUT_DOCUMENTS]
    for form in told:
        if cases.audience_of(connection, form.facts.form):
            publishing.publish_form(connection, form.facts.form, profile, outbox)  # brings its audience with it
        else:
            nobody = Audience((), (), form.support_meeting_only)
            changes.publish_audience(connection, profile, outbox, found.number, form, nobody, form.audience_revision)
    return len(told)


def _without_case(connection: Connection, start: int, profile: Profile, outbox: Outbox) -> int:
    """Pledges, notices of sittings, and minutes of what was about nobody."""
    convened = sa.select(meetings.c.id).where(meetings.c.convened_at >= start)
    wanted = sa.select(records.c.kind, records.c.id).where(
        records.c.case.is_(None), sa.or_(records.c.submitted_at >= start, records.c.id.in_(convened))
    )
    found = connection.execute(wanted.order_by(records.c.seq)).all()
    for row in found:
        publishing.publish_form(connection, f"{row.kind}/{row.id}", profile, outbox)
    return len(found)


def _erased(connection: Connection, start: int, outbox: Outbox) -> int:
    """What was erased is said again, case by case: nothing else is left of it."""
    wanted = sa.select(tombstones).where(tombstones.c.erased_at >= start).order_by(tombstones.c.form)
    by_case: dict[tuple[str, str], list[Any]] = {}
    for row in connection.execute(wanted):
        by_case.setdefault((row.case_number, row.code), []).append(row)
    for (number, code), rows in by_case.items():
        at = clock.moment_of(rows[0].erased_at)
        for revision, start_at in enumerate(range(0, len(rows), FORMS_IN_AN_EVENT), 1):
            forms = tuple(row.form for row in rows[start_at : start_at + FORMS_IN_AN_EVENT])
            event = RecordErased(forms=forms, case_number=number, code=code, at=at)
            outbox.add(connection, RECORD_ERASED, event, aggregate=f"erasure/{number}", revision=revision)
    return sum(len(rows) for rows in by_case.values())
