"""Who may read what, decided anew at each read: the acting agency needs a live basis and a live contract, and nobody may have
cut it by hand. A basis of consent holds while consents are known well enough (rule `stale-is-closed`).

Unknown and forbidden give the same answer to the caller; the audit trail keeps them apart.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite
from sqlalchemy import Connection

from tsunagi_documents.blocked import BLOCKED, BLOCKED_ACCESS
from tsunagi_documents.objects import Stored
from tsunagi_documents.tables import (
    ALL_STAFF,
    FAILED,
    LIVE,
    STORED,
    access,
    blocks,
    documents,
    facts,
    files,
    forms,
    openings,
    versions,
)
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import BasisKind, of_role
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.database import Statement

LIST_LIMIT = 100
WATERMARK = "watermark"  # the fact that says up to when consents are known
HOUR_US = 3_600_000_000
EXEMPT = "exempt"  # what intake names as the basis of a provider that needs no consent


class Refused(enum.StrEnum):
    """Why somebody may not read; for the audit trail alone."""

    UNKNOWN_DOCUMENT = "unknown-document"
    BLOCKED = "blocked"
    NO_LIVE_BASIS = "no-live-basis"
    CONTRACT_ENDED = "contract-ended"
    POST_WITHOUT_CASES = "post-without-cases"
    NO_SUCH_FILE = "no-such-file"
    CONSENT_UNKNOWN = "consent-unknown"


class Grant(msgspec.Struct, frozen=True):
    """The basis on which a person reads a document, and until when (a Japanese date, inclusive; None: open).

    `known_at`: the moment up to which its consents are known (UTC microseconds). `stale`: that is too long ago for a basis
    that rests on consent, so that files open with a typed reason alone.
    """

    kind: BasisKind
    ref: str
    until: dt.date | None
    known_at: int = 0
    stale: bool = False

    @property
    def record(self) -> str:
        """As the audit trail writes it."""
        return f"{self.kind.value}:{self.ref}" if self.ref else self.kind.value


class FileView(msgspec.Struct, frozen=True):
    """One format of a version. `state`: pending, stored or failed (then `code` says why)."""

    format: str
    state: str
    code: str
    stored: Stored
    made_at: int | None


class OlderVersion(msgspec.Struct, frozen=True):
    """A version that a newer one took the place of: 旧版."""

    version: int
    made_at: int
    formats: tuple[str, ...]


class DocumentView(msgspec.Struct, frozen=True):
    """A document as one who may read it sees it, with the files of its current version. Times in UTC microseconds.

    `older`: the formats that are stored of each version before, the newest first.
    """

    id: str
    kind: str
    title: str
    view: str
    number: str
    case_number: str
    state: str
    code: str
    version: int
    support_meeting_only: bool
    urgency: str
    reply_by: dt.date | None
    received_at: int
    made_at: int | None
    files: tuple[FileView, ...] = ()
    older: tuple[OlderVersion, ...] = ()

    def file(self, file_format: str) -> FileView | None:
        """The file of that format, in whatever state."""
        return next((file for file in self.files if file.format == file_format), None)


class Opening(msgspec.Struct, frozen=True):
    """Who opened a version first, and when. `closed`: that agency may not read it any more. `view` and `document_id`: of which
    document, for other projections of the same paper are told of as well."""

    version: int
    agency: str
    user_name: str
    opened_at: int
    document_id: str = ""
    view: str = ""
    closed: bool = False


class Readers(msgspec.Struct, frozen=True):
    """The agencies that may read a document today, and those of them to be told of it (on another basis than having written
    the form), in the order of their ids."""

    may_read: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


class ListQuery(msgspec.Struct, frozen=True):
    """What a list asks for. `after`: the (received_at, id) of the last one seen."""

    limit: int
    after: tuple[int, str] | None = None
    case: str = ""


def live_contract(profile: Profile, agency: str, day: dt.date) -> bool:
    """Whether somebody may act for the agency, so that it can be given anything; one that the profile does not know has none.
    Whether this person may is `Profile.acts_for`."""
    return agency in profile.agency_names and profile.contract_live(agency, day)


def _usable(principal: Principal, day: dt.date) -> tuple[sa.ColumnElement[bool], ...]:
    """An access row of the person's agency that holds on that day, for all staff or for this person by name or role."""
    return (
        access.c.agency == principal.agency,
        access.c.member.in_(_member_names(principal)),
        access.c.state == LIVE,
        sa.or_(access.c.until.is_(None), access.c.until >= day.isoformat()),
    )


def _member_names(principal: Principal) -> tuple[str, ...]:
    """As whom the person reads. A key is nobody's member: what it says is a claim. A post without cases reads only what is
    open to its role by name."""
    own = (ALL_STAFF, principal.user) if principal.reads_cases else ()
    return own if principal.via == "key" else (*own, *(of_role(role) for role in sorted(principal.roles)))


def grant_for(
    connection: Connection, profile: Profile, principal: Principal, document_id: str, day: dt.date
) -> Grant | Refused:
    """The basis with the latest end on which the person may read, or why there is none."""
    if not profile.acts_for(principal.agency, principal.contractor, day):
        return Refused.CONTRACT_ENDED
    found = connection.execute(
        sa.select(access.c.basis_kind, access.c.basis_ref, access.c.until, forms.c.audience_at)
        .join(documents, documents.c.id == access.c.document_id)
        .join(forms, forms.c.form == documents.c.form)
        .where(access.c.document_id == document_id, *_usable(principal, day), ~BLOCKED)
        .order_by(access.c.until.is_(None).desc(), access.c.until.desc(), access.c.basis_kind)
    ).all()
    if found:
        grants = [_grant(row, profile, consents_known_at(connection)) for row in found]
        return next((grant for grant in grants if not grant.stale), grants[0])
    if not principal.reads_cases:
        return Refused.POST_WITHOUT_CASES
    row = connection.execute(sa.select(BLOCKED).select_from(documents).where(documents.c.id == document_id)).first()
    if row is None:
        return Refused.UNKNOWN_DOCUMENT
    return Refused.BLOCKED if row[0] else Refused.NO_LIVE_BASIS


def consents_known_at(connection: Connection) -> int:
    """The moment up to which intake has told of everything (its watermark), in UTC microseconds; 0 when it never said."""
    return connection.execute(sa.select(facts.c.value).where(facts.c.name == WATERMARK)).scalar() or 0


def _grant(row: Any, profile: Profile, watermark: int) -> Grant:
    """What an audience says is as good as a watermark of the moment it was published, for the form that it is about."""
    known_at = max(watermark, row.audience_at)
    too_old = clock.now_us() - known_at > profile.consent.max_age_hours * HOUR_US
    kind = BasisKind(row.basis_kind)
    return Grant(kind, row.basis_ref, _date(row.until), known_at, too_old and rests_on_consent(kind, row.basis_ref))


def rests_on_consent(kind: BasisKind, ref: str) -> bool:
    """Whether a basis holds only as long as people agree: that of an agency they named, and of a provider that needs it."""
    return kind is BasisKind.CONSENT or (kind is BasisKind.PROVIDER and ref != EXEMPT)


def document_view(connection: Connection, document_id: str) -> DocumentView:
    """The document with its files. LookupError when there is none. Ask `grant_for` first."""
    row = connection.execute(_SEEN.where(documents.c.id == document_id)).first()
    if row is None:
        raise LookupError(document_id)
    found = connection.execute(
        sa.select(files)
        .where(files.c.document_id == document_id, files.c.version == row.version)
        .order_by(files.c.format)
    )
    return _view_of(row, tuple(_file_view(file) for file in found), _older_than(connection, document_id, row.version))


def _older_than(connection: Connection, document_id: str, version: int) -> tuple[OlderVersion, ...]:
    found = connection.execute(
        sa.select(files.c.version, files.c.format, versions.c.made_at)
        .join(versions, sa.and_(versions.c.document_id == files.c.document_id, versions.c.version == files.c.version))
        .where(files.c.document_id == document_id, files.c.version < version, files.c.state == STORED)
        .order_by(files.c.version.desc(), files.c.format.desc())
    ).all()
    by_version: dict[int, list[Any]] = {}
    for row in found:
        by_version.setdefault(row.version, []).append(row)
    return tuple(
        OlderVersion(of, rows[0].made_at, tuple(row.format for row in rows)) for of, rows in by_version.items()
    )


def stored_file(connection: Connection, document_id: str, version: int, file_format: str) -> Stored | None:
    """Where a file lies, None when it is not there (yet). Ask `grant_for` first."""
    row = connection.execute(
        sa.select(files.c.key, files.c.sha256, files.c.bytes).where(
            files.c.document_id == document_id,
            files.c.version == version,
            files.c.format == file_format,
            files.c.state == STORED,
        )
    ).first()
    return Stored(row.key, row.sha256, row.bytes) if row is not None else None


def readable(
    connection: Connection, profile: Profile, principal: Principal, query: ListQuery, day: dt.date
) -> tuple[list[DocumentView], bool]:
    """The documents that the person may read, the newest first, and whether more follow."""
    if not profile.acts_for(principal.agency, principal.contractor, day):
        return [], False
    mine = _of_case(principal, query.case, day) if query.case else _of_agency(principal, day)
    if connection.execute(sa.select(blocks.c.ref).limit(1)).first() is not None:
        mine = mine.where(~BLOCKED) if query.case else mine.where(~BLOCKED_ACCESS)
    moment, identity = mine.selected_columns
    if query.after is not None:
        place = sa.tuple_(moment, identity)
        mine = mine.where(place < sa.tuple_(sa.literal(query.after[0]), sa.literal(query.after[1])))
    page = mine.order_by(moment.desc(), identity.desc()).limit(query.limit + 1).subquery("page")
    rows = connection.execute(
        _SEEN.join(page, page.c.id == documents.c.id).order_by(page.c.received_at.desc(), page.c.id.desc())
    ).all()
    return [_view_of(row, ()) for row in rows[: query.limit]], len(rows) > query.limit


def _of_agency(principal: Principal, day: dt.date) -> sa.Select[tuple[int, str]]:
    """One index, read in its order: the time does not grow with what others have. Several bases give one line."""
    return sa.select(access.c.received_at, access.c.document_id.label("id")).distinct().where(*_usable(principal, day))


def _of_case(principal: Principal, case_number: str, day: dt.date) -> sa.Select[tuple[int, str]]:
    """From the case's few documents, not from all that the agency may read."""
    may_read = sa.exists().where(access.c.document_id == documents.c.id, *_usable(principal, day))
    return sa.select(documents.c.received_at, documents.c.id).where(documents.c.case_number == case_number, may_read)


def open_first(
    connection: Connection, principal: Principal, document_id: str, version: int, file_format: str, user_name: str
) -> bool:
    """Remember that the person opened this version; True when it is the first time, for the agency acted for."""
    return bool(
        connection.execute(
            sa.dialects.sqlite.insert(openings)
            .values(
                document_id=document_id,
                version=version,
                agency=principal.agency,
                user=principal.user,
                user_name=user_name,
                format=file_format,
                opened_at=clock.now_us(),
            )
            .on_conflict_do_nothing()
        ).rowcount
    )


def openings_of(connection: Connection, document_id: str) -> list[Opening]:
    """Who has opened the document, or another projection of the same paper (also one that is closed now), the newest first."""
    this = documents.alias("this")
    may_read = sa.exists().where(
        access.c.document_id == openings.c.document_id, access.c.agency == openings.c.agency, access.c.state == LIVE
    )
    rows = connection.execute(
        sa.select(openings, documents.c.view, may_read.label("may_read"))
        .join(documents, documents.c.id == openings.c.document_id)
        .join(this, sa.and_(this.c.form == documents.c.form, this.c.kind == documents.c.kind))
        .where(this.c.id == document_id)
        .order_by(openings.c.opened_at.desc())
    )
    return [
        Opening(
            row.version, row.agency, row.user_name, row.opened_at, row.document_id, row.view, closed=not row.may_read
        )
        for row in rows
    ]


def unreached_agencies(connection: Connection, document_id: str) -> list[tuple[str, str]]:
    """(agency, code) of those in the audience that cannot be given access here."""
    rows = connection.execute(
        sa.select(access.c.agency, access.c.code)
        .distinct()
        .where(access.c.document_id == document_id, access.c.state == FAILED)
        .order_by(access.c.agency)
    )
    return [(row.agency, row.code) for row in rows]


def readers_of(connection: Connection, profile: Profile, document_id: str, day: dt.date) -> Readers:
    """Who may read the document on that day."""
    cursor = _READERS.run(connection, document_id=document_id, day=day.isoformat())
    live = [(agency, basis) for agency, basis in cursor if live_contract(profile, agency, day)]
    cursor.close()
    told = [agency for agency, basis in live if basis != BasisKind.ORIGIN.value]
    return Readers(tuple(dict.fromkeys(agency for agency, _ in live)), tuple(dict.fromkeys(told)))


_READERS = Statement(
    sa.select(access.c.agency, access.c.basis_kind)
    .where(
        access.c.document_id == sa.bindparam("document_id"),
        access.c.state == LIVE,
        sa.or_(access.c.until.is_(None), access.c.until >= sa.bindparam("day")),
        ~BLOCKED_ACCESS,
    )
    .order_by(access.c.agency)
)
_SEEN = sa.select(documents, versions.c.made_at).outerjoin(
    versions, sa.and_(versions.c.document_id == documents.c.id, versions.c.version == documents.c.version)
)


def _view_of(row: Any, its_files: tuple[FileView, ...], older: tuple[OlderVersion, ...] = ()) -> DocumentView:
    return DocumentView(
        id=row.id,
        kind=row.kind,
        title=row.title,
        view=row.view,
        number=row.number,
        case_number=row.case_number,
        state=row.state,
        code=row.code,
        version=row.version,
        support_meeting_only=bool(row.support_meeting_only),
        urgency=row.urgency,
        reply_by=_date(row.reply_by),
        received_at=row.received_at,
        made_at=row.made_at,
        files=its_files,
        older=older,
    )


def _file_view(row: Any) -> FileView:
    return FileView(row.format, row.state, row.code, Stored(row.key, row.sha256, row.bytes), row.made_at)


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
