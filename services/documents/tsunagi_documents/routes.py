"""The HTTP side of documents: the list, a document's page, and its files."""

from __future__ import annotations

import re
import uuid
from functools import partial
from typing import Any, NoReturn

import msgspec
import structlog
from litestar import MediaType, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from sqlalchemy import Connection

from tsunagi_documents import pages, reading
from tsunagi_documents.objects import CONTENT_TYPES, Bucket, BucketUnavailable, ObjectDamaged, ObjectMissing, Stored
from tsunagi_documents.reading import DocumentView, Grant, ListQuery, Refused
from tsunagi_documents.tables import STORED
from tsunagi_documents.versions import next_revision
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import principal_of, staff
from tsunagi_shared.contracts.events import DOCUMENT_OPENED, DocumentOpened
from tsunagi_shared.problems import Refusal, not_found, wants_page
from tsunagi_shared.runtime import Runtime

READ_SCOPE = "documents:read"
ACTING_USER_HEADER = "X-Acting-User"
WATCHING_ROLES = frozenset({"coordinator", "responsible_section"})
NO_STORE = {"Cache-Control": "no-store"}
DEFAULT_LIMIT = 50
_ACTING_USER = re.compile(r"[!-~]{1,64}")  # an id: ASCII without spaces

log = structlog.get_logger("documents")


async def reader(connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Guard: anyone who signed in, or a key with the scope; what may be read is decided by the basis."""
    await staff(connection, handler)
    principal: Principal = connection.scope["user"]
    if principal.via == "key" and READ_SCOPE not in principal.scopes:
        raise PermissionDeniedException


def acting(request: Request[Any, Any, Any]) -> Principal:
    """Who reads. A key names the person it reads for, who goes on record as claimed. Refusal(400) when it does not."""
    principal = principal_of(request)
    if principal.via != "key":
        return principal
    claimed = request.headers.get(ACTING_USER_HEADER, "")
    if not _ACTING_USER.fullmatch(claimed):
        raise Refusal(
            400,
            "acting-user-missing",
            "APIキーで文書を読むときは、だれが読むのかを示してください。",
            f"見出し {ACTING_USER_HEADER} に、読む職員のID（半角英数字・記号で64文字まで）を入れてください。",
        )
    return msgspec.structs.replace(principal, user=f"{principal.user}/{claimed}")


def _user_name(principal: Principal) -> str:
    """The name on record; a key's is marked as its claim."""
    if principal.via != "key":
        return principal.name
    return f"{principal.user.partition('/')[2]}（{principal.name}による申告）"


@get("/", summary="文書の一覧へ", guards=[reader], status_code=303, include_in_schema=False)
async def home() -> Redirect:
    """The list is the first page."""
    return Redirect("/documents", status_code=303)


@get("/documents", summary="読むことのできる文書の一覧", guards=[reader])
async def list_documents(
    runtime: NamedDependency[Runtime],
    request: Request[Any, Any, Any],
    after: FromQuery[str] = "",
    limit: FromQuery[int] = DEFAULT_LIMIT,
    case: FromQuery[str] = "",
) -> Response[Any]:
    """The documents that the caller's agency may read today, the newest first; `case` is a case number."""
    principal = principal_of(request)
    query = _query(after, limit, case)
    found, more = await runtime.database.read(
        lambda connection: reading.readable(connection, runtime.profile, principal, query, clock.today())
    )
    listed = pages.document_list(found, more=more)
    if not wants_page(request):
        return Response(listed, headers=NO_STORE)
    return _page(
        runtime,
        "documents.html",
        principal,
        documents=listed.items,
        case=case,
        first_address="/documents" if after else "",
        next_address=pages.next_address(query, listed.next),
    )


def _query(after: str, limit: int, case: str) -> ListQuery:
    try:
        place = pages.place_in(after)
    except ValueError:
        raise Refusal(
            400, "bad-request", "続きの位置（after）が正しくありません。", "一覧を開き直してください。"
        ) from None
    if not 1 <= limit <= reading.LIST_LIMIT:
        raise Refusal(
            400, "bad-request", "件数（limit）が正しくありません。", f"1から{reading.LIST_LIMIT}までにしてください。"
        )
    return ListQuery(limit=limit, after=place, case=case)


@get("/documents/{document_id:str}", summary="文書", guards=[reader])
async def show_document(
    runtime: NamedDependency[Runtime], request: Request[Any, Any, Any], document_id: FromPath[str]
) -> Response[Any]:
    """What the document is, its files, and why the caller may read it."""
    principal = acting(request)
    watching = not principal.roles.isdisjoint(WATCHING_ROLES)
    subject = _subject(document_id)

    def look(connection: Connection) -> pages.DocumentPage | Refused:
        grant = reading.grant_for(connection, runtime.profile, principal, document_id, clock.today())
        if isinstance(grant, Refused):
            audit.record(connection, principal, "document.show", subject, basis=grant, refused=True)
            return grant
        audit.record(connection, principal, "document.show", subject, basis=grant.record)
        return pages.document_page(
            reading.document_view(connection, document_id),
            grant,
            reading.openings_of(connection, document_id) if watching else None,
            reading.unreached_agencies(connection, document_id) if watching else None,
        )

    found = await runtime.database.write(look)
    if isinstance(found, Refused):
        raise not_found()
    if not wants_page(request):
        return Response(found, headers=NO_STORE)
    return _page(runtime, "document.html", principal, page=found, pdf_off=not _makes_pdf(runtime))


@get("/documents/{document_id:str}/current", summary="文書のいまの版を開く", guards=[reader], status_code=303)
async def open_current(
    runtime: NamedDependency[Runtime], request: Request[Any, Any, Any], document_id: FromPath[str]
) -> Redirect:
    """On to the PDF when it is there, else to the document's page."""
    principal = acting(request)

    def find(connection: Connection) -> DocumentView | Refused:
        grant = reading.grant_for(connection, runtime.profile, principal, document_id, clock.today())
        return grant if isinstance(grant, Refused) else reading.document_view(connection, document_id)

    found = await runtime.database.read(find)
    if isinstance(found, Refused):
        await _refuse(runtime, principal, "document.show", _subject(document_id), found)
    pdf = found.file("pdf")
    ready = pdf is not None and pdf.state == STORED
    address = pages.file_address(found.id, found.version, "pdf") if ready else f"/documents/{found.id}"
    return Redirect(address, status_code=303, headers=NO_STORE)


class _Opening(msgspec.Struct, frozen=True):
    """One request for a file, by somebody who may read it."""

    grant: Grant
    document: DocumentView
    stored: Stored


@get("/documents/{document_id:str}/versions/{version:int}/{file_format:str}", summary="文書のファイル", guards=[reader])
async def read_file(
    runtime: NamedDependency[Runtime],
    request: Request[Any, Any, Any],
    document_id: FromPath[str],
    version: FromPath[int],
    file_format: FromPath[str],
) -> Response[bytes]:
    """The file, docx or pdf, once its hash is checked and the reading is on record."""
    principal = acting(request)
    subject = f"{_subject(document_id)}/versions/{version}/{file_format if file_format in CONTENT_TYPES else '?'}"
    find = partial(_find, runtime, principal, document_id, version, file_format)
    opening = await runtime.database.read(find)
    if isinstance(opening, Refused):
        await _refuse(runtime, principal, "document.open", subject, opening)
    content = await _fetch(runtime, principal, subject, opening)

    def put_on_record(connection: Connection) -> Refused | None:
        # Asked again: the basis may have ended while the file was fetched, and what is on record must be true.
        again = find(connection)
        if isinstance(again, Refused):
            audit.record(connection, principal, "document.open", subject, basis=again, refused=True)
            return again
        audit.record(connection, principal, "document.open", subject, basis=again.grant.record)
        if reading.open_first(connection, principal, document_id, version, file_format, _user_name(principal)):
            _tell_opened(runtime, connection, principal, again.document, version, file_format)
        return None

    if await runtime.database.write(put_on_record) is not None:
        raise not_found()
    headers = {**NO_STORE, "Content-Disposition": pages.content_disposition(opening.document, file_format)}
    return Response(content, media_type=CONTENT_TYPES[file_format], headers=headers)


def _find(
    runtime: Runtime,
    principal: Principal,
    document_id: str,
    version: int,
    file_format: str,
    connection: Connection,
) -> _Opening | Refused:
    grant = reading.grant_for(connection, runtime.profile, principal, document_id, clock.today())
    if isinstance(grant, Refused):
        return grant
    stored = reading.stored_file(connection, document_id, version, file_format)
    if stored is None:
        return Refused.NO_SUCH_FILE
    return _Opening(grant, reading.document_view(connection, document_id), stored)


async def _fetch(runtime: Runtime, principal: Principal, subject: str, opening: _Opening) -> bytes:
    bucket: Bucket = runtime.parts.own
    try:
        return await bucket.fetch(opening.stored)
    except BucketUnavailable as error:
        log.warning("bucket-unavailable", code=error.code)
        raise Refusal(
            503,
            "store-unavailable",
            "文書の保管先につながらないため、いまは開けません。",
            "少し待って、もう一度開いてください。続くときは、システム管理者に知らせてください。",
        ) from None
    except (ObjectDamaged, ObjectMissing) as error:
        code = "file-damaged"
        log.error(code, document=opening.document.id, key=opening.stored.key, reason=type(error).__name__)
        await runtime.database.write(
            lambda connection: audit.record(connection, principal, "document.open", subject, basis=code, refused=True)
        )
        raise Refusal(
            503,
            code,
            "保管されているファイルが、作ったときのものと違うため、開けません。",
            "システム管理者に、この画面の番号とともに知らせてください。",
        ) from None


def _tell_opened(
    runtime: Runtime,
    connection: Connection,
    principal: Principal,
    document: DocumentView,
    version: int,
    file_format: str,
) -> None:
    opened = DocumentOpened(
        document_id=document.id,
        version=version,
        case_number=document.case_number,
        agency=principal.agency,
        user=principal.user,
        user_name=_user_name(principal),
        format=file_format,
        opened_at=clock.now(),
    )
    runtime.outbox.add(
        connection,
        DOCUMENT_OPENED,
        opened,
        aggregate=f"document/{document.id}",
        revision=next_revision(connection, document.id),
    )


async def _refuse(runtime: Runtime, principal: Principal, action: str, subject: str, why: Refused) -> NoReturn:
    await runtime.database.write(
        lambda connection: audit.record(connection, principal, action, subject, basis=why, refused=True)
    )
    raise not_found()


def _subject(document_id: str) -> str:
    """What the audit trail names; an address that cannot be a document's is not repeated there."""
    try:
        return f"document/{uuid.UUID(document_id)}"
    except ValueError:
        return "document/?"


def _makes_pdf(runtime: Runtime) -> bool:
    return "pdf" in runtime.parts.jobs


def _page(runtime: Runtime, template: str, principal: Principal, **context: Any) -> Response[bytes]:
    words = {
        "views": pages.VIEWS,
        "formats": pages.FORMATS,
        "urgency_words": pages.urgency_words,
        "state_words": pages.state_words,
        "reason_words": pages.reason_words,
        "unknown_agency_words": pages.UNKNOWN_AGENCY_WORDS,
    }
    body = runtime.pages.render(template, principal=principal, **words, **context)
    return Response(body.encode(), media_type=MediaType.HTML, headers=NO_STORE)


ROUTES = (home, list_documents, show_document, open_current, read_file)
