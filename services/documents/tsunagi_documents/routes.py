"""The HTTP side of documents: the list and a document's page; its files are in `file_routes`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from sqlalchemy import Connection

from tsunagi_documents import file_routes, pages, reading
from tsunagi_documents.answers import NO_STORE, acting, makes_pdf, page_of, reader, recorded, refuse, subject_of
from tsunagi_documents.reading import DocumentView, ListQuery, Refused
from tsunagi_documents.tables import STORED
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import principal_of
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.problems import Refusal, not_found, wants_page
from tsunagi_shared.runtime import Runtime

WATCHING_ROLES = frozenset({"coordinator", "responsible_section"})
DEFAULT_LIMIT = 50


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

    def look(connection: Connection) -> tuple[list[DocumentView], bool, int]:
        found, more = reading.readable(connection, runtime.profile, principal, query, clock.today())
        return found, more, reading.consents_known_at(connection)

    found, more, known_at = await runtime.database.read(look)
    listed = pages.document_list(found, more=more)
    if not wants_page(request):
        return Response(listed, headers=NO_STORE)
    return page_of(
        runtime,
        "documents.html",
        principal,
        documents=listed.items,
        case=case,
        first_address="/documents" if after else "",
        next_address=pages.next_address(query, listed.next),
        known=pages.known_words(known_at, clock.now_us()),
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


def watches(principal: Principal, profile: Profile, document: DocumentView) -> bool:
    """Whether one who may read the document is told who opened it, or another projection of the paper, and who cannot be
    reached: whoever watches over the case, for the responsible section or the provider, and reads the whole paper."""
    watching = (profile.municipality.responsible_section, profile.roles.multi_agency_provider)
    return (
        document.view == View.FULL.value
        and principal.agency in watching
        and not principal.roles.isdisjoint(WATCHING_ROLES)
    )


@get("/documents/{document_id:str}", summary="文書", guards=[reader])
async def show_document(
    runtime: NamedDependency[Runtime], request: Request[Any, Any, Any], document_id: FromPath[str]
) -> Response[Any]:
    """What the document is, its files, and why the caller may read it."""
    principal = acting(request)
    subject = subject_of(document_id)

    def look(connection: Connection) -> pages.DocumentPage | Refused:
        grant = reading.grant_for(connection, runtime.profile, principal, document_id, clock.today())
        if isinstance(grant, Refused):
            audit.record(connection, principal, "document.show", subject, basis=grant, refused=True)
            return grant
        document = reading.document_view(connection, document_id)
        watching = watches(principal, runtime.profile, document)
        audit.record(connection, principal, "document.show", subject, basis=grant.record, case=document.case_number)
        return pages.document_page(
            document,
            grant,
            reading.openings_of(connection, document_id) if watching else None,
            reading.unreached_agencies(connection, document_id) if watching else None,
        )

    found = await runtime.database.write(look)
    if isinstance(found, Refused):
        raise recorded(not_found())
    if not wants_page(request):
        return Response(found, headers=NO_STORE)
    known = pages.known_words(clock.microseconds_of(found.consents_known_at), clock.now_us())
    return page_of(runtime, "document.html", principal, page=found, known=known, pdf_off=not makes_pdf(runtime))


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
        await refuse(runtime, principal, "document.show", subject_of(document_id), found)
    pdf = found.file("pdf")
    ready = pdf is not None and pdf.state == STORED
    address = pages.file_address(found.id, found.version, "pdf") if ready else f"/documents/{found.id}"
    return Redirect(address, status_code=303, headers=NO_STORE)


ROUTES = (home, list_documents, show_document, open_current, *file_routes.ROUTES)
