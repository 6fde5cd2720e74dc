"""Who may read which document of a form: derived from the newest audience, from what closes by itself, and from the documents
there are. One function writes it (`Doors.settle`), so that any order of events gives the same rows.

Four things close a document whatever the audience says, and none of them is undone by an older audience that comes late:
a consent that ended, a protection of the case that the paper does not keep, a form taken back, a form erased.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_documents.announcing import Announcer
from tsunagi_documents.kinds import Audience, Planned, documents_for
from tsunagi_documents.reading import WATERMARK, readers_of, rests_on_consent
from tsunagi_documents.tables import (
    ALL_STAFF,
    FAILED,
    LIVE,
    STORED,
    UNKNOWN_AGENCY,
    AccessRow,
    DocumentRow,
    FormRow,
    access,
    audience,
    documents,
    ended,
    erased,
    facts,
    forms,
    protections,
    versions,
    withdrawn,
)
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.database import Statement, insert_of
from tsunagi_shared.runtime import Runtime

AUDIENCE_CHANGED, CONSENT_WITHDRAWN, PROTECTION, RECORD_WITHDRAWN = (
    "audience_changed", "consent_withdrawn", "protection", "record_withdrawn",
)  # fmt: skip
REPLACED = "replaced"  # the code of a consent that a newer one took the place of

_FORM = Statement(sa.select(forms).where(forms.c.form == sa.bindparam("form")))
_ENTRIES = Statement(
    sa.select(audience).where(audience.c.form == sa.bindparam("form")).order_by(*audience.primary_key.columns)
)
_IS_ERASED = Statement(sa.select(erased.c.form).where(erased.c.form == sa.bindparam("form")))
_KEEP = Statement(sa.select(withdrawn.c.keep).where(withdrawn.c.form == sa.bindparam("form")))
_PROTECTED = Statement(
    sa.select(protections.c.withheld, protections.c.cleared).where(
        protections.c.case_number == sa.bindparam("case_number")
    )
)
_ENDED = Statement(
    sa.select(ended.c.basis_ref, ended.c.agency, ended.c.person, ended.c.code, ended.c.at).where(
        sa.or_(
            ended.c.basis_ref.in_(sa.select(audience.c.basis_ref).where(audience.c.form == sa.bindparam("form"))),
            ended.c.case_number == sa.bindparam("case_number"),
        )
    )
)
_FACT = Statement(sa.select(facts.c.value).where(facts.c.name == sa.bindparam("name")))
_DOCUMENTS = Statement(sa.select(documents).where(documents.c.form == sa.bindparam("form")))
_ACCESS = Statement(
    sa.select(access).where(
        access.c.document_id.in_(sa.select(documents.c.id).where(documents.c.form == sa.bindparam("form")))
    )
)
_CLOSE = Statement(access.delete().where(access.c.document_id == sa.bindparam("of_document")))
_OPEN = insert_of(access)
_PLAN = Statement(
    documents.update()
    .where(documents.c.id == sa.bindparam("of_document"))
    .values({name: sa.bindparam(name) for name in ("planned", "case_number", "persons")})
)
_STORED_VERSION = Statement(
    sa.select(sa.func.max(versions.c.version)).where(versions.c.document_id == sa.bindparam("of_document"))
)


class Standing(msgspec.Struct, frozen=True):
    """A form as documents knows it now, and the documents that its newest audience asks for."""

    facts: FormRow
    plans: tuple[Planned, ...]


class _Ended(msgspec.Struct, frozen=True):
    basis_ref: str
    agency: str
    person: str
    code: str
    at: int

    def concerns(self, agency: str) -> bool:
        return self.agency in ("", agency)


class _Closings(msgspec.Struct, frozen=True):
    """What closes documents of one form by itself. `keep`: None while the form was not taken back."""

    ended: tuple[_Ended, ...]
    watermark: int
    withheld: tuple[str, ...]
    cleared: dict[str, tuple[str, ...]]
    keep: tuple[str, ...] | None

    def close(self, entry: AudienceEntry, plan: Planned, form: FormRow, persons: tuple[str, ...]) -> bool:
        """Whether the entry opens nothing of this document."""
        if self.keep is not None and entry.agency not in self.keep:
            return True
        return self._ended(entry, plan, form.audience_at, persons) or self._unprotected(entry, plan, persons)

    def _ended(self, entry: AudienceEntry, plan: Planned, audience_at: int, persons: tuple[str, ...]) -> bool:
        """The consent that the entry rests on ended, or one that it may rest on without naming it.

        An audience that intake published later knows of it: what is in it was given anew. Where the entry does not name the
        consent, intake may say nothing more about it (another consent holds), so that it is closed until intake has said
        everything up to then: by the audience or by the watermark.
        """
        for end in self.ended:
            if end.at < audience_at or not end.concerns(entry.agency):
                continue
            # Who wrote a 同意書 reads it on the basis of that form, which bears the name of the consent
            if entry.basis.kind is BasisKind.CONSENT and end.basis_ref == entry.basis.ref:
                return True
            unsaid = end.at >= self.watermark and end.code != REPLACED
            if unsaid and end.person in _consenting(entry, persons) and end.person not in plan.hidden:
                return True
        return False

    def _unprotected(self, entry: AudienceEntry, plan: Planned, persons: tuple[str, ...]) -> bool:
        """The paper shows what protection keeps from this agency. A form whose persons are not known may show anybody."""
        return any(
            field not in plan.withheld
            and entry.agency not in self.cleared.get(field, ())
            and (not persons or field.rpartition(":")[0] in persons)
            for field in self.withheld
        )


def _consenting(entry: AudienceEntry, persons: tuple[str, ...]) -> tuple[str, ...]:
    """The persons by whose consents, which it does not name, an entry sees what it sees: of one on the subject's consent the
    others of the household, of a provider that needs consent everybody."""
    if entry.basis.kind is BasisKind.CONSENT:
        return persons[1:]
    return persons if rests_on_consent(entry.basis.kind, entry.basis.ref) else ()


def is_erased(connection: Connection, form: str) -> bool:
    """Whether nothing of the form may be made any more."""
    return _IS_ERASED.first(connection, form=form) is not None


def standing_of(connection: Connection, form: str) -> Standing | None:
    """The form with its newest audience; None when nothing of it has come, or it is erased."""
    row = _FORM.first(connection, form=form)
    if row is None:
        return None
    known = FormRow(*row)
    newest = Audience(
        entries=tuple(_entry_of(entry) for entry in _all(_ENTRIES, connection, form=form)),
        support_meeting_only=bool(known.support_meeting_only),
        provider=known.provider,
        summaries=bool(known.summaries),
    )
    return Standing(known, documents_for(form, newest))


def _all(statement: Statement, connection: Connection, **parameters: Any) -> list[Any]:
    cursor = statement.run(connection, **parameters)
    rows: list[Any] = cursor.fetchall()
    cursor.close()
    return rows


def _texts(encoded: str) -> tuple[str, ...]:
    return msgspec.json.decode(encoded, type=tuple[str, ...]) if encoded != "[]" else ()


def _entry_of(row: Any) -> AudienceEntry:
    _, agency, basis_kind, basis_ref, view, law, members, until, hidden, withheld = row
    return AudienceEntry(
        agency,
        Basis(BasisKind(basis_kind), basis_ref, law),
        View(view),
        _texts(members),
        dt.date.fromisoformat(until) if until else None,
        _texts(hidden),
        _texts(withheld),
    )


def _closings_of(connection: Connection, form: str, case_number: str) -> _Closings:
    kept = _KEEP.first(connection, form=form)
    protected = _PROTECTED.first(connection, case_number=case_number) if case_number else None
    watermark = _FACT.first(connection, name=WATERMARK)
    return _Closings(
        ended=tuple(_Ended(*row) for row in _all(_ENDED, connection, form=form, case_number=case_number)),
        watermark=watermark[0] if watermark else 0,
        withheld=_texts(protected[0]) if protected else (),
        cleared=msgspec.json.decode(protected[1], type=dict[str, tuple[str, ...]]) if protected else {},
        keep=_texts(kept[0]) if kept else None,
    )


class Doors:
    """Opens and closes documents, and tells the agencies that gained or lost them."""

    def __init__(self, profile: Profile, announcer: Announcer) -> None:
        self._profile = profile
        self.announcer = announcer

    def settle(self, connection: Connection, form: str, code: str, standing: Standing | None = None) -> None:
        """Bring the access rows of a form's documents to what holds now; nothing is written when they hold already.

        `code` goes into `documents.document.withdrawn` for agencies that are cut. `standing`: where the caller has it.
        """
        standing = standing or standing_of(connection, form)
        if standing is None:
            return
        there = {row[0]: DocumentRow(*row) for row in _all(_DOCUMENTS, connection, form=form)}
        if not there:
            return
        wanted = self._wanted(connection, standing, there)
        present: dict[str, list[AccessRow]] = {}
        for row in _all(_ACCESS, connection, form=form):
            present.setdefault(row[0], []).append(AccessRow(*row))
        case_number, persons = standing.facts.case_number, standing.facts.persons
        for identity, document in there.items():
            planned, rows = identity in wanted, wanted.get(identity, [])
            if (document.planned, document.case_number, document.persons) != (planned, case_number, persons):
                _PLAN.run(
                    connection, of_document=identity, planned=int(planned), case_number=case_number, persons=persons
                )
            before = present.get(identity, [])
            if sorted(before) != rows:
                self._replace(connection, document._replace(case_number=case_number), before, rows, code)

    def settle_all(self, connection: Connection, of_forms: Iterable[str], code: str) -> None:
        """`settle` for each of the forms."""
        for form in of_forms:
            self.settle(connection, form, code)

    def _wanted(
        self, connection: Connection, standing: Standing, there: dict[str, DocumentRow]
    ) -> dict[str, list[AccessRow]]:
        """The access rows of each document that the newest audience asks for and that is there, of the newest form."""
        closings = _closings_of(connection, standing.facts.form, standing.facts.case_number)
        persons = _texts(standing.facts.persons)
        wanted: dict[str, list[AccessRow]] = {}
        for plan in standing.plans:
            document = there.get(plan.id)
            if document is None or (not plan.row.attached and document.form_revision != standing.facts.revision):
                continue
            rows = [
                self._row(document, entry, member, standing.facts.audience_revision)
                for entry in plan.entries
                if not closings.close(entry, plan, standing.facts, persons)
                for member in entry.members or (ALL_STAFF,)
            ]
            wanted[plan.id] = sorted(rows)
        return wanted

    def _row(self, document: DocumentRow, entry: AudienceEntry, member: str, revision: int) -> AccessRow:
        known = entry.agency in self._profile.agency_names
        return AccessRow(
            document_id=document.id,
            agency=entry.agency,
            member=member,
            basis_kind=entry.basis.kind.value,
            basis_ref=entry.basis.ref,
            view=entry.view.value,
            until=entry.until.isoformat() if entry.until else None,
            revision=revision,
            state=LIVE if known else FAILED,
            code="" if known else UNKNOWN_AGENCY,
            received_at=document.received_at,
        )

    def _replace(
        self, connection: Connection, document: DocumentRow, before: list[AccessRow], after: list[AccessRow], code: str
    ) -> None:
        today = clock.today().isoformat()
        _CLOSE.run(connection, of_document=document.id)
        _OPEN.many(connection, [row._asdict() for row in after])
        cut = _agencies(before) - _agencies(after)
        gained = _agencies(after, today) - _agencies(before, today)
        if cut:
            self._tell_cut(connection, document, cut, code)
        if gained and document.state == STORED:
            readers = readers_of(connection, self._profile, document.id, clock.today())
            if gained & set(readers.may_read):
                self.announcer.shared(connection, document, document.version, gained, readers)

    def _tell_cut(self, connection: Connection, document: DocumentRow, cut: set[str], code: str) -> None:
        """Only of what is stored: nobody could read, or was told of, what was never made."""
        row = _STORED_VERSION.first(connection, of_document=document.id)
        if row is not None and row[0] is not None:
            readers = readers_of(connection, self._profile, document.id, clock.today())
            self.announcer.withdrawn(connection, document, int(row[0]), cut, readers, code)


def _agencies(rows: Iterable[AccessRow], live_on: str = "") -> set[str]:
    """The agencies of access rows that may be used, on that day or on any."""
    return {
        row.agency for row in rows if row.state == LIVE and (not live_on or row.until is None or row.until >= live_on)
    }


def doors_of(runtime: Runtime) -> Doors:
    """The doors of a service."""
    return Doors(runtime.profile, Announcer(runtime.outbox, runtime.settings.public_url))
