"""What documents does with the events of intake: rows for the documents, for who may read them, and jobs to make them."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_documents.kinds import Planned, document_id, documents_for
from tsunagi_documents.tables import (
    ALL_STAFF,
    FAILED,
    LIVE,
    PENDING,
    STORED,
    UNKNOWN_AGENCY,
    access,
    documents,
    files,
    forms,
)
from tsunagi_documents.versions import ask_for_pdf, ask_for_word
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import AudienceEntry
from tsunagi_shared.contracts.envelope import Envelope
from tsunagi_shared.contracts.events import REFERRAL_SUBMITTED, ReferralSubmitted
from tsunagi_shared.database import Statement, insert_of
from tsunagi_shared.inbox import Handler

_CONTENT = (
    "form",
    "form_revision",
    "kind",
    "view",
    "title",
    "number",
    "case_number",
    "recipient",
    "hidden",
    "withheld",
    "persons",
    "version",
    "support_meeting_only",
    "urgency",
    "reply_by",
    "received_at",
    "retention_class",
    "completed_on",
    "legal_hold",
)

_FORM = Statement(
    sa.select(forms.c.revision, forms.c.audience_revision, forms.c.audience_form_revision).where(
        forms.c.form == sa.bindparam("form")
    )
)
_KEEP_FORM = Statement(
    sa.dialects.sqlite.insert(forms)
    .values({column.name: sa.bindparam(column.name) for column in forms.columns})
    .on_conflict_do_update(
        index_elements=["form"],
        set_={name: sa.bindparam(name) for name in ("revision", "audience_revision", "audience_form_revision")},
    )
)
_DOCUMENT = Statement(
    sa.select(documents.c.form_revision, documents.c.state, documents.c.version, documents.c.planned).where(
        documents.c.id == sa.bindparam("id")
    )
)
_INSERT_DOCUMENT = insert_of(documents)
_NEW_CONTENT = Statement(
    documents.update()
    .where(documents.c.id == sa.bindparam("document_id"))
    .values({name: sa.bindparam(name) for name in (*_CONTENT, "state", "code")})
)
_OF_FORM = sa.select(documents.c.id).where(documents.c.form == sa.bindparam("of_form")).scalar_subquery()
_CLOSE_FORM = Statement(access.delete().where(access.c.document_id.in_(_OF_FORM)))
_UNPLAN_FORM = Statement(documents.update().where(documents.c.form == sa.bindparam("of_form")).values(planned=0))
_PLAN = Statement(documents.update().where(documents.c.id == sa.bindparam("document_id")).values(planned=1))
_AGAIN = Statement(
    documents.update().where(documents.c.id == sa.bindparam("document_id")).values(state=PENDING, code="")
)
_INSERT_ACCESS = insert_of(access)
_PDF_STATE = Statement(
    sa.select(files.c.state).where(
        files.c.document_id == sa.bindparam("document_id"),
        files.c.version == sa.bindparam("version"),
        files.c.format == "pdf",
    )
)


def handlers_for(agencies: Collection[str]) -> dict[str, Handler]:
    """The handler of each event type. `agencies`: the ids that this service's profile knows."""
    return {REFERRAL_SUBMITTED: partial(referral_submitted, agencies)}


def referral_submitted(
    agencies: Collection[str], connection: Connection, event: Envelope, data: ReferralSubmitted
) -> None:
    """Plan the documents of a form, in one transaction.

    The newest revision's content and the newest audience win, in whatever order they come. The same revision once more
    (intake publishes it again when somebody asks for 再作成) starts anew what failed, and changes nothing else.
    """
    form = f"referral/{data.referral_id}"
    audience_is_newer = _keep_newest(connection, form, data)
    planned = [(_id_of(form, plan), plan) for plan in documents_for(data)]
    for identity, plan in planned:
        _keep_content(connection, identity, _content(form, plan, data))
    if audience_is_newer:
        _CLOSE_FORM.run(connection, of_form=form)
        _UNPLAN_FORM.run(connection, of_form=form)
        for identity, plan in planned:
            _PLAN.run(connection, document_id=identity)
            for entry in plan.entries:
                _open(connection, identity, entry, data, known=entry.agency in agencies)
    for identity, _ in planned:
        _ask(connection, identity, event, data)


def _id_of(form: str, plan: Planned) -> str:
    return document_id(form, plan.kind, plan.view, plan.recipient, plan.hidden, plan.withheld)


def _keep_newest(connection: Connection, form: str, data: ReferralSubmitted) -> bool:
    """Remember the highest revisions of the form; True when this event brings its newest audience."""
    revision, audience_revision, came_with = _FORM.first(connection, form=form) or (0, 0, 0)
    newer = (data.audience_revision, data.revision) > (audience_revision, came_with)
    if newer or data.revision > revision:
        _KEEP_FORM.run(
            connection,
            form=form,
            revision=max(revision, data.revision),
            audience_revision=data.audience_revision if newer else audience_revision,
            audience_form_revision=data.revision if newer else came_with,
        )
    return newer


def _content(form: str, plan: Planned, data: ReferralSubmitted) -> dict[str, Any]:
    """The columns of a document that come from the form's revision."""
    return {
        "form": form,
        "form_revision": data.revision,
        "kind": plan.kind,
        "view": plan.view.value,
        "title": plan.title,
        "number": data.referral_number,
        "case_number": data.case_number,
        "recipient": plan.recipient,
        "hidden": _json(plan.hidden),
        "withheld": _json(plan.withheld),
        "persons": _json(data.persons),
        "version": data.revision,  # by the form and not by the order of arrival: a replay gives the same versions
        "support_meeting_only": int(data.support_meeting_only),
        "urgency": data.form.urgency.value,
        "reply_by": data.form.reply_by.isoformat() if data.form.reply_by else None,
        "received_at": clock.microseconds_of(data.received_at),
        "retention_class": data.retention.retention_class,
        "completed_on": data.retention.completed_on.isoformat() if data.retention.completed_on else None,
        "legal_hold": int(data.retention.legal_hold),
    }


def _json(values: tuple[str, ...]) -> str:
    return msgspec.json.encode(sorted(values)).decode()


def _keep_content(connection: Connection, identity: str, content: dict[str, Any]) -> None:
    row = _DOCUMENT.first(connection, id=identity)
    if row is None:
        _INSERT_DOCUMENT.run(
            connection, id=identity, planned=0, state=PENDING, code="", revision=0, chain_key=None, **content
        )
    elif row[0] < content["form_revision"]:
        _NEW_CONTENT.run(connection, document_id=identity, state=PENDING, code="", **content)


def _open(connection: Connection, identity: str, entry: AudienceEntry, data: ReferralSubmitted, *, known: bool) -> None:
    """Let an agency read. One that the profile does not know gets a row that people see and nobody can use."""
    for member in entry.members or (ALL_STAFF,):
        _INSERT_ACCESS.run(
            connection,
            document_id=identity,
            agency=entry.agency,
            member=member,
            basis_kind=entry.basis.kind.value,
            basis_ref=entry.basis.ref,
            view=entry.view.value,
            until=entry.until.isoformat() if entry.until else None,
            revision=data.audience_revision,
            state=LIVE if known else FAILED,
            code="" if known else UNKNOWN_AGENCY,
            received_at=clock.microseconds_of(data.received_at),
        )


def _ask(connection: Connection, identity: str, event: Envelope, data: ReferralSubmitted) -> None:
    """Have the document made where this event is the one to make it from: new, or failed before."""
    row = _DOCUMENT.first(connection, id=identity)
    assert row is not None
    form_revision, state, version, is_planned = row
    if form_revision != data.revision or not is_planned:
        return
    if state == FAILED:
        _AGAIN.run(connection, document_id=identity)
    if state in (PENDING, FAILED):
        ask_for_word(connection, identity, version, event)
    elif state == STORED and _PDF_STATE.first(connection, document_id=identity, version=version) == (FAILED,):
        ask_for_pdf(connection, identity, version)
