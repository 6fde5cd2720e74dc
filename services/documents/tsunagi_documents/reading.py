"""Who may read what, decided anew at each read: the acting agency needs a live basis and a live contract.

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

from tsunagi_documents.objects import Stored
from tsunagi_documents.tables import ALL_STAFF, FAILED, LIVE, STORED, access, documents, files, openings, versions
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.audience import BasisKind
from tsunagi_shared.contracts.profile import Profile

LIST_LIMIT = 100


class Refused(enum.StrEnum):
    """Why somebody may not read; for the audit trail alone."""

    UNKNOWN_DOCUMENT = "unknown-document"
    NO_LIVE_BASIS = "no-live-basis"
    CONTRACT_ENDED = "contract-ended"
    POST_WITHOUT_CASES = "post-without-cases"
    NO_SUCH_FILE = "no-such-file"


class Grant(msgspec.Struct, frozen=True):
    """The basis on which a person reads a document, and until when (a Japanese date, inclusive; None: open)."""

    kind: BasisKind
    ref: str
    until: dt.date | None

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


class DocumentView(msgspec.Struct, frozen=True):
    """A document as one who may read it sees it, with the files of its current version. Times in UTC microseconds."""

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

    def file(self, file_format: str) -> FileView | None:
        """The file of that format, in whatever state."""
        return next((file for file in self.files if file.format == file_format), None)


class Opening(msgspec.Struct, frozen=True):
    """Who opened a version first, and when."""

    version: int
    agency: str
    user_name: str
    opened_at: int


class ListQuery(msgspec.Struct, frozen=True):
    """What a list asks for. `after`: the (received_at, id) of the last one seen."""

    limit: int
    after: tuple[int, str] | None = None
    case: str = ""


def live_contract(profile: Profile, agency: str, day: dt.date) -> bool:
    """Whether the agency's people may act for it; an agency that the profile does not know has none."""
    return agency in profile.agency_names and profile.contract_live(agency, day)


def _usable(principal: Principal, day: dt.date) -> tuple[sa.ColumnElement[bool], ...]:
    """An access row of the person's agency that holds on that day. A key is nobody's member: what it says is a claim."""
    return (
        access.c.agency == principal.agency,
        access.c.member.in_((ALL_STAFF, principal.user)),
        access.c.state == LIVE,
        sa.or_(access.c.until.is_(None), access.c.until >= day.isoformat()),
    )


def grant_for(
    connection: Connection, profile: Profile, principal: Principal, document_id: str, day: dt.date
) -> Grant | Refused:
    """The basis with the latest end on which the person may read, or why there is none."""
    if not live_contract(profile, principal.agency, day):
        return Refused.CONTRACT_ENDED
    if not principal.reads_cases:
        return Refused.POST_WITHOUT_CASES
    row = connection.execute(
        sa.select(access.c.basis_kind, access.c.basis_ref, access.c.until)
        .where(access.c.document_id == document_id, *_usable(principal, day))
        .order_by(access.c.until.is_(None).desc(), access.c.until.desc(), access.c.basis_kind)
        .limit(1)
    ).first()
    if row is not None:
        return Grant(BasisKind(row.basis_kind), row.basis_ref, _date(row.until))
    known = connection.execute(sa.select(documents.c.id).where(documents.c.id == document_id)).first()
    return Refused.NO_LIVE_BASIS if known else Refused.UNKNOWN_DOCUMENT


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
    return _view_of(row, tuple(_file_view(file) for file in found))


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
    if not live_contract(profile, principal.agency, day) or not principal.reads_cases:
        return [], False
    mine = _of_case(principal, query.case, day) if query.case else _of_agency(principal, day)
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
    """Who has opened the document, the newest first."""
    rows = connection.execute(
        sa.select(openings).where(openings.c.document_id == document_id).order_by(openings.c.opened_at.desc())
    )
    return [Opening(row.version, row.agency, row.user_name, row.opened_at) for row in rows]


def unreached_agencies(connection: Connection, document_id: str) -> list[tuple[str, str]]:
    """(agency, code) of those in the audience that cannot be given access here."""
    rows = connection.execute(
        sa.select(access.c.agency, access.c.code)
        .distinct()
        .where(access.c.document_id == document_id, access.c.state == FAILED)
        .order_by(access.c.agency)
    )
    return [(row.agency, row.code) for row in rows]


def agencies_that_read(
    connection: Connection, profile: Profile, document_id: str, day: dt.date
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The agencies that may read today, and those of them to be told: on another basis than having written the form.
    Both in the order of their ids."""
    rows = connection.execute(
        sa.select(access.c.agency, access.c.basis_kind)
        .where(
            access.c.document_id == document_id,
            access.c.state == LIVE,
            sa.or_(access.c.until.is_(None), access.c.until >= day.isoformat()),
        )
        .order_by(access.c.agency)
    )
    live = [row for row in rows if live_contract(profile, row.agency, day)]
    told = [row.agency for row in live if row.basis_kind != BasisKind.ORIGIN.value]
    return tuple(dict.fromkeys(row.agency for row in live)), tuple(dict.fromkeys(told))


_SEEN = sa.select(documents, versions.c.made_at).outerjoin(
    versions, sa.and_(versions.c.document_id == documents.c.id, versions.c.version == documents.c.version)
)


def _view_of(row: Any, its_files: tuple[FileView, ...]) -> DocumentView:
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
    )


def _file_view(row: Any) -> FileView:
    return FileView(row.format, row.state, row.code, Stored(row.key, row.sha256, row.bytes), row.made_at)


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
