"""What documents does with the events of intake: it keeps the newest of each thing that decides who may read, settles the
doors of the forms concerned, and asks for the documents to be made.

Every handler leaves the same rows in whatever order, and however often, the events come (docs/delivery.md).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_documents import closing, erasing
from tsunagi_documents.arrivals import content_of, keep_audience, keep_content, keep_document, told_by
from tsunagi_documents.closing import Doors, standing_of
from tsunagi_documents.kinds import FORM_KINDS, drawn_by
from tsunagi_documents.reading import WATERMARK
from tsunagi_documents.tables import (
    FAILED,
    PENDING,
    STORED,
    audience,
    documents,
    ended,
    facts,
    files,
    forms,
    protections,
    withdrawn,
)
from tsunagi_documents.versions import ask_for_pdf, ask_for_word
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.envelope import Envelope
from tsunagi_shared.contracts.events import (
    AUDIENCE_CHANGED,
    CONSENT_WITHDRAWN,
    PROTECTION_CHANGED,
    RECORD_ERASED,
    RECORD_WITHDRAWN,
    WATERMARK_PASSED,
    AudienceChanged,
    ConsentWithdrawn,
    FormRecorded,
    ProtectionChanged,
    RecordErased,
    RecordWithdrawn,
    ReferralSubmitted,
    WatermarkPassed,
)
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.database import Statement
from tsunagi_shared.inbox import Handler

INTAKE = Principal("intake", "受付サービス", "", frozenset(), "event")  # on whose word a case is erased here

_DOCUMENT = Statement(
    sa.select(documents.c.form_revision, documents.c.state, documents.c.version).where(
        documents.c.id == sa.bindparam("id")
    )
)
_AGAIN = Statement(
    documents.update().where(documents.c.id == sa.bindparam("document_id")).values(state=PENDING, code="")
)
_PDF_STATE = Statement(
    sa.select(files.c.state).where(
        files.c.document_id == sa.bindparam("document_id"),
        files.c.version == sa.bindparam("version"),
        files.c.format == "pdf",
    )
)
_KEEP_END = Statement(
    sa.dialects.sqlite.insert(ended)
    .values({column.name: sa.bindparam(column.name) for column in ended.columns})
    .on_conflict_do_update(
        index_elements=["basis_ref", "agency"],
        set_={name: sa.bindparam(name) for name in ("person", "case_number", "code", "at")},
        where=ended.c.at < sa.bindparam("at"),
    )
)
_CONCERNED = Statement(
    sa.select(forms.c.form)
    .where(forms.c.case_number == sa.bindparam("case_number"))
    .union(sa.select(audience.c.form).where(audience.c.basis_ref == sa.bindparam("basis_ref")))
)
_OF_CASE = Statement(sa.select(forms.c.form).where(forms.c.case_number == sa.bindparam("case_number")))
_KEEP_PROTECTION = Statement(
    sa.dialects.sqlite.insert(protections)
    .values({column.name: sa.bindparam(column.name) for column in protections.columns})
    .on_conflict_do_update(
        index_elements=["case_number"],
        set_={name: sa.bindparam(name) for name in ("revision", "withheld", "cleared")},
        where=protections.c.revision < sa.bindparam("revision"),
    )
)
_FACT = Statement(sa.select(facts.c.value).where(facts.c.name == sa.bindparam("name")))
_KEEP_FACT = Statement(
    sa.dialects.sqlite.insert(facts)
    .values(name=sa.bindparam("name"), value=sa.bindparam("value"))
    .on_conflict_do_update(index_elements=["name"], set_={"value": sa.bindparam("value")})
)
# Forms on which the end of another person's consent closed something until intake had said everything up to then
_WAITED = Statement(
    sa.select(forms.c.form)
    .distinct()
    .join(ended, ended.c.case_number == forms.c.case_number)
    .where(ended.c.at >= sa.bindparam("since"), ended.c.at < sa.bindparam("until"))
)


def handlers_for(profile: Profile, doors: Doors) -> dict[str, Handler]:
    """The handler of each event type that documents reads."""
    handling = Handling(profile, doors)
    return {
        **dict.fromkeys(FORM_KINDS, handling.form_came),
        AUDIENCE_CHANGED: handling.audience_changed,
        CONSENT_WITHDRAWN: handling.consent_withdrawn,
        PROTECTION_CHANGED: handling.protection_changed,
        RECORD_WITHDRAWN: handling.record_withdrawn,
        RECORD_ERASED: handling.record_erased,
        WATERMARK_PASSED: handling.watermark_passed,
    }


class Handling:
    """The handlers, with what they need beside the connection."""

    def __init__(self, profile: Profile, doors: Doors) -> None:
        self._profile = profile
        self._doors = doors

    def form_came(self, connection: Connection, event: Envelope, data: ReferralSubmitted | FormRecorded) -> None:
        """Plan the documents of a form for the newest audience there is, and ask for what is not made yet.

        The newest revision's content and the newest audience win. The same revision once more (intake publishes it again
        when somebody asks for 再作成, or when a projection is needed that was not) draws what is missing, starts anew what
        failed, and changes nothing else. One that is older than the audience draws only what it knows enough for.
        """
        content = content_of(event, data)
        form = content.told.form
        if closing.is_erased(connection, form):
            return
        is_newest = keep_content(connection, event, content)
        standing = standing_of(connection, form)
        assert standing is not None
        may_draw = drawn_by(event.type, standing.plans) if is_newest else []
        drawn = [plan for plan in may_draw if content.is_about(plan) and content.knows(plan)]
        for plan in drawn:
            keep_document(connection, plan, content)
        self._doors.settle(connection, form, closing.AUDIENCE_CHANGED, standing)
        for plan in drawn:
            _ask(connection, plan.id, event)

    def audience_changed(self, connection: Connection, event: Envelope, data: AudienceChanged) -> None:
        """Open and close what there is; what is to be drawn anew comes with the form's own event."""
        if closing.is_erased(connection, data.form):
            return
        keep_audience(connection, event, told_by(data))
        self._doors.settle(connection, data.form, closing.AUDIENCE_CHANGED)

    def consent_withdrawn(self, connection: Connection, event: Envelope, data: ConsentWithdrawn) -> None:
        """Close what rested on the consent. One that is not known yet is closed in advance."""
        basis_ref = f"consent/{data.consent_id}"
        for agency in data.agencies or ("",):
            _KEEP_END.run(
                connection,
                basis_ref=basis_ref,
                agency=agency,
                person=data.person,
                case_number=data.case_number,
                code=data.code,
                at=clock.microseconds_of(event.time),
            )
        concerned = _forms(_CONCERNED, connection, case_number=data.case_number, basis_ref=basis_ref)
        self._doors.settle_all(connection, concerned, closing.CONSENT_WITHDRAWN)

    def protection_changed(self, connection: Connection, _: Envelope, data: ProtectionChanged) -> None:
        """Close every document of the case that shows what is to be withheld now, to whoever is not cleared."""
        kept = _KEEP_PROTECTION.run(
            connection,
            case_number=data.case_number,
            revision=data.revision,
            withheld=_sorted(data.withheld),
            cleared=msgspec.json.encode(data.cleared, order="sorted").decode(),
        )
        if kept.rowcount:
            concerned = _forms(_OF_CASE, connection, case_number=data.case_number)
            self._doors.settle_all(connection, concerned, closing.PROTECTION)

    def record_withdrawn(self, connection: Connection, event: Envelope, data: RecordWithdrawn) -> None:
        """Leave what came of the form to those who keep it. Told twice, those alone whom both name."""
        if closing.is_erased(connection, data.form):
            return
        at = clock.microseconds_of(event.time)
        row = connection.execute(sa.select(withdrawn).where(withdrawn.c.form == data.form)).first()
        keep, code = set(data.keep), data.code
        if row is not None:
            keep &= set(msgspec.json.decode(row.keep, type=list[str]))
            at, code = max((row.at, row.code), (at, data.code))
        values = {"code": code, "keep": _sorted(keep), "at": at}
        connection.execute(
            sa.dialects.sqlite.insert(withdrawn)
            .values(form=data.form, **values)
            .on_conflict_do_update(index_elements=["form"], set_=values)
        )
        self._doors.settle(connection, data.form, closing.RECORD_WITHDRAWN)

    def record_erased(self, connection: Connection, event: Envelope, data: RecordErased) -> None:
        """Take away everything that was made of the forms, and keep it away."""
        at = clock.microseconds_of(event.time)
        for form in data.forms:
            erasing.erase(connection, self._profile, self._doors, form, data.code, at)
        if data.case_number:
            audit.record_erasure(connection, INTAKE, data.case_number, data.code)

    def watermark_passed(self, connection: Connection, _: Envelope, data: WatermarkPassed) -> None:
        """Consents are known up to then."""
        row = _FACT.first(connection, name=WATERMARK)
        before, at = row[0] if row else 0, clock.microseconds_of(data.at)
        if at <= before:
            return
        _KEEP_FACT.run(connection, name=WATERMARK, value=at)
        waited = _forms(_WAITED, connection, since=before, until=at)
        self._doors.settle_all(connection, waited, closing.AUDIENCE_CHANGED)


def _sorted(texts: Collection[str]) -> str:
    return msgspec.json.encode(sorted(texts)).decode()


def _forms(statement: Statement, connection: Connection, **parameters: Any) -> list[str]:
    cursor = statement.run(connection, **parameters)
    found = [str(row[0]) for row in cursor]
    cursor.close()
    return found


def _ask(connection: Connection, identity: str, event: Envelope) -> None:
    """Have the document made where this event is the one to make it from: new, or failed before."""
    row = _DOCUMENT.first(connection, id=identity)
    assert row is not None
    _, state, version = row
    if state == FAILED:
        _AGAIN.run(connection, document_id=identity)
    if state in (PENDING, FAILED):
        ask_for_word(connection, identity, version, event)
    elif state == STORED and _PDF_STATE.first(connection, document_id=identity, version=version) == (FAILED,):
        ask_for_pdf(connection, identity, version)
