"""A record as its reader may see it: assessment, contact, evaluation, reply, 同意書, pledge, with its earlier revisions.

What is withheld from the reader's agency is cut out of the texts too, however it is written.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, persons, publishing, records, report_events, rules, standing, withholding
from tsunagi_intake.rules import Action
from tsunagi_intake.tables import audience, revisions
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import AudienceEntry, BasisKind, View
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.problems import not_found


class RevisionLine(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier revision: when and by whom the record was first written."""

    revision: int
    submitted_at: dt.datetime
    user_name: str
    agency: str


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """One record. `form`: what was typed, None where the reader has no full view (their document shows their part)."""

    kind: str
    id: str
    number: str
    case_number: str
    about: str
    revision: int
    state: str
    received_at: dt.datetime
    user_name: str
    agency: str
    view: View
    basis: BasisKind
    support_meeting_only: bool
    may_correct: bool
    form: dict[str, Any] | None = None
    people: dict[str, str] = {}  # what those are called whom the reader sees on it, by id
    revisions: tuple[RevisionLine, ...] = ()


def page_of(connection: Connection, principal: Principal, profile: Profile, kind: str, record_id: str) -> RecordPage:
    """The record for this reader; the common 404 for whoever has no entry on it."""
    if kind == report_events.KIND:  # figures, not a record of anybody: they have a page of their own
        raise not_found()
    row = records.row_of(connection, kind, record_id)
    case = standing.case_row(connection, seq=row.case) if row.case is not None else None
    entry = _entry(connection, principal, profile, row)
    if entry is None:
        raise not_found()
    may_correct = False
    if case is not None and kind in (*records.CORRECTABLE, "consent"):
        here = standing.on_record(connection, principal, profile, row, case)
        actor = rules.actor_of(principal, profile, clock.today())
        may_correct = rules.permitted(Action.CORRECT, actor, here) is None
    full = entry.view is View.FULL and (not entry.hidden or row.agency == principal.agency)
    form = None
    if full:
        kept = withholding.of_form(connection, principal, f"{kind}/{record_id}", row.case)
        form = withholding.shown(kind, msgspec.json.decode(row.form), kept)
    return RecordPage(
        kind=kind, id=record_id, number=row.number, case_number=case.number if case else "", about=row.about,
        revision=row.revision, state=row.state, received_at=clock.moment_of(row.submitted_at), user_name=row.user_name,
        agency=row.agency, view=entry.view, basis=entry.basis.kind, support_meeting_only=bool(row.support_meeting_only),
        may_correct=may_correct, form=form, people=_people(connection, row, entry) if full else {},
        revisions=_revisions(connection, f"{kind}/{record_id}"),
    )  # fmt: skip


def _people(connection: Connection, row: Any, entry: AudienceEntry) -> dict[str, str]:
    shown = [person for person in msgspec.json.decode(row.persons, type=list[str]) if person not in entry.hidden]
    return persons.names_of(connection, row.case, shown)


def _entry(connection: Connection, principal: Principal, profile: Profile, row: Any) -> AudienceEntry | None:
    """The reader's entry on the record, live today."""
    if row.case is None:
        entries = publishing.entries_of(connection, row, profile)
        return next((entry for entry in entries if entry.agency == principal.agency and principal.reads_cases), None)
    form = f"{row.kind}/{row.id}"
    mine = sa.select(1).where(audience.c.form == form, *cases.may_read(principal)).limit(1)
    if connection.execute(mine).first() is None:
        return None
    return next(entry for entry in cases.audience_of(connection, form) if entry.agency == principal.agency)


def _revisions(connection: Connection, form: str) -> tuple[RevisionLine, ...]:
    rows = connection.execute(sa.select(revisions).where(revisions.c.form == form).order_by(revisions.c.revision))
    return tuple(
        RevisionLine(
            revision=row.revision, submitted_at=clock.moment_of(row.submitted_at), user_name=row.user_name, agency=row.agency
        )
        for row in rows
    )  # fmt: skip
