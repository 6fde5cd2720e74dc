"""What an event brings of a form, and keeping the newest of it: content and audience each by their own revision."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_documents.kinds import FORM_KINDS, Planned
from tsunagi_documents.tables import PENDING, FormRow, aliases, audience, documents, forms
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import AudienceEntry
from tsunagi_shared.contracts.envelope import Envelope
from tsunagi_shared.contracts.events import (
    AudienceChanged,
    FormRecorded,
    InformationRequested,
    MeetingConvened,
    PlanRecorded,
    ReferralSubmitted,
    Retention,
)
from tsunagi_shared.database import Statement, insert_of

_CONTENT = (
    "form_revision",
    "title",
    "number",
    "persons",
    "version",
    "urgency",
    "reply_by",
    "received_at",
    "retention_class",
    "completed_on",
    "legal_hold",
)

_FORM = Statement(sa.select(forms).where(forms.c.form == sa.bindparam("form")))
_KEEP_FORM = Statement(
    sa.dialects.sqlite.insert(forms)
    .values({column.name: sa.bindparam(column.name) for column in forms.columns})
    .on_conflict_do_update(
        index_elements=["form"],
        set_={column.name: sa.bindparam(column.name) for column in forms.columns if column.name != "form"},
    )
)
_CLEAR_AUDIENCE = Statement(audience.delete().where(audience.c.form == sa.bindparam("of_form")))
_KEEP_ENTRY = Statement(
    sa.dialects.sqlite.insert(audience)
    .values({column.name: sa.bindparam(column.name) for column in audience.columns})
    .on_conflict_do_nothing()  # intake names an agency once; an event that does not must not stop all that follow
)
_ALIASES = Statement(sa.select(aliases.c.other).where(aliases.c.person == sa.bindparam("person")))
_KEEP_ALIAS = Statement(
    sa.dialects.sqlite.insert(aliases)
    .values({column.name: sa.bindparam(column.name) for column in aliases.columns})
    .on_conflict_do_nothing()
)
_FORM_REVISION = Statement(sa.select(documents.c.form_revision).where(documents.c.id == sa.bindparam("id")))
_INSERT_DOCUMENT = insert_of(documents)
_NEW_CONTENT = Statement(
    documents.update()
    .where(documents.c.id == sa.bindparam("document_id"))
    .values({name: sa.bindparam(name) for name in (*_CONTENT, "state", "code")})
)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says of who may get what comes of a form."""

    form: str
    case_number: str
    revision: int  # of the audience
    form_revision: int  # that it came with; 0 when it came alone
    entries: tuple[AudienceEntry, ...]
    persons: tuple[str, ...]
    support_meeting_only: bool
    provider: str
    other_ids: Mapping[str, tuple[str, ...]] = {}


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What every form brings along for the rows of its documents. `recipients`: the agencies that an own_* view of it can be
    about (None: whoever is in the audience)."""

    told: Told
    number: str
    received_at: dt.datetime
    retention: Retention
    summaries: bool = True
    urgency: str = "normal"
    reply_by: dt.date | None = None
    recipients: frozenset[str] | None = None

    def is_about(self, plan: Planned) -> bool:
        """Whether there is anything in the form for the agency that the document is for."""
        return not plan.recipient or self.recipients is None or plan.recipient in self.recipients

    def knows(self, plan: Planned) -> bool:
        """Whether it knows everybody of whom the projection keeps something back. An earlier publication of the form may not,
        and would have to keep back everybody; the one that came with that audience does."""
        kept = {*plan.hidden, *(token.rpartition(":")[0] for token in plan.withheld)}
        return kept <= set(self.told.persons)


def told_by(data: AudienceChanged) -> Told:
    """An audience that came alone."""
    return Told(
        form=data.form,
        case_number=data.case_number,
        revision=data.audience_revision,
        form_revision=0,
        entries=data.entries,
        persons=data.persons,
        support_meeting_only=data.support_meeting_only,
        provider=data.provider,
        other_ids=data.other_ids,
    )


def content_of(event: Envelope, data: ReferralSubmitted | FormRecorded) -> Content:
    """A form's own event."""
    identity = data.referral_id if isinstance(data, ReferralSubmitted) else data.form_id
    told = Told(
        form=f"{FORM_KINDS[event.type]}/{identity}",
        case_number=data.case_number,
        revision=data.audience_revision,
        form_revision=data.revision,
        entries=data.audience,
        persons=data.persons,
        support_meeting_only=data.support_meeting_only,
        provider=data.provider,
        other_ids=data.other_ids,
    )
    if not isinstance(data, ReferralSubmitted):
        return Content(
            told=told,
            number=data.number,
            received_at=data.received_at,
            retention=data.retention,
            reply_by=_reply_by(data),
            recipients=_recipients(data),
        )
    return Content(
        told=told,
        number=data.referral_number,
        received_at=data.received_at,
        retention=data.retention,
        summaries=data.summary_to_destinations,
        urgency=data.form.urgency.value,
        reply_by=data.form.reply_by,
    )


def _reply_by(data: FormRecorded) -> dt.date | None:
    if isinstance(data, MeetingConvened):
        return data.reply_by
    return data.form.due_on if isinstance(data, InformationRequested) else None


def _recipients(data: FormRecorded) -> frozenset[str] | None:
    if isinstance(data, PlanRecorded):
        return frozenset(row.agency for row in data.form.allocations)
    return frozenset(member.agency for member in data.members) if isinstance(data, MeetingConvened) else None


def keep_audience(connection: Connection, event: Envelope, told: Told) -> None:
    """Keep the audience if it is the newest so far, by its own revision and then by that of the form it came with."""
    _keep(connection, event, told, None)


def keep_content(connection: Connection, event: Envelope, content: Content) -> bool:
    """Keep the highest revision of the form and the newest audience; True when the content is of the highest revision."""
    return _keep(connection, event, content.told, content)


def _keep_aliases(connection: Connection, other_ids: Mapping[str, tuple[str, ...]]) -> None:
    """Who is known by several ids is one person for good: a later event that parts them does not open what was cut."""
    for person, others in other_ids.items():
        one = {person, *others}
        for identity in tuple(one):
            cursor = _ALIASES.run(connection, person=identity)
            one.update(str(row[0]) for row in cursor)
            cursor.close()
        pairs = [{"person": first, "other": other} for first in sorted(one) for other in sorted(one) if first != other]
        _KEEP_ALIAS.many(connection, pairs)


def _keep(connection: Connection, event: Envelope, told: Told, content: Content | None) -> bool:
    _keep_aliases(connection, told.other_ids)
    at = clock.microseconds_of(event.time)
    row = _FORM.first(connection, form=told.form)
    known = FormRow(*row) if row else FormRow(told.form, 0, -1, 0, 0, 0, "", "[]", 0, "", 1)
    values = known._asdict()
    if (told.revision, told.form_revision) > (known.audience_revision, known.audience_form_revision):
        values |= {
            "audience_revision": told.revision,
            "audience_form_revision": told.form_revision,
            "case_number": told.case_number,
            "persons": msgspec.json.encode(told.persons).decode(),
            "support_meeting_only": int(told.support_meeting_only),
            "provider": told.provider,
        }
        _CLEAR_AUDIENCE.run(connection, of_form=told.form)
        _KEEP_ENTRY.many(connection, [_entry(told.form, entry) for entry in told.entries])
    if told.revision > known.audience_revision:
        values["audience_at"] = at
    elif told.revision == known.audience_revision:  # said again: it was still so at that time
        values["audience_at"] = max(at, known.audience_at)
    if content is not None and (told.form_revision, at) >= (known.revision, known.content_at):
        values |= {"revision": told.form_revision, "content_at": at, "summaries": int(content.summaries)}
    if row is None or values != known._asdict():
        _KEEP_FORM.run(connection, **values)
    return content is not None and told.form_revision >= known.revision


def _entry(form: str, entry: AudienceEntry) -> dict[str, Any]:
    return {
        "form": form,
        "agency": entry.agency,
        "basis_kind": entry.basis.kind.value,
        "basis_ref": entry.basis.ref,
        "view": entry.view.value,
        "law": entry.basis.law,
        "members": _json(entry.members),
        "until": entry.until.isoformat() if entry.until else None,
        "hidden": _json(entry.hidden),
        "withheld": _json(entry.withheld),
    }


def _json(values: tuple[str, ...]) -> str:
    return msgspec.json.encode(sorted(values)).decode()


def keep_document(connection: Connection, plan: Planned, content: Content) -> None:
    """The row of a document, of the newest revision of its form."""
    revision, retention = content.told.form_revision, content.retention
    values = {
        "form_revision": revision,
        "title": plan.row.title,
        "number": content.number,
        "persons": msgspec.json.encode(content.told.persons).decode(),
        "version": revision,  # by the form and not by the order of arrival: a replay gives the same versions
        "urgency": content.urgency,
        "reply_by": content.reply_by.isoformat() if content.reply_by and plan.row.asks else None,
        "received_at": clock.microseconds_of(content.received_at),
        "retention_class": retention.retention_class,
        "completed_on": retention.completed_on.isoformat() if retention.completed_on else None,
        "legal_hold": int(retention.legal_hold),
    }
    row = _FORM_REVISION.first(connection, id=plan.id)
    if row is None:
        _INSERT_DOCUMENT.run(
            connection,
            id=plan.id,
            form=content.told.form,
            kind=plan.row.kind,
            view=plan.row.view.value,
            case_number=content.told.case_number,
            recipient=plan.recipient,
            hidden=_json(plan.hidden),
            withheld=_json(plan.withheld),
            support_meeting_only=int(plan.support_meeting_only),
            planned=0,
            state=PENDING,
            code="",
            revision=0,
            chain_key=None,
            **values,
        )
    elif row[0] < revision:
        _NEW_CONTENT.run(connection, document_id=plan.id, state=PENDING, code="", **values)
