"""What every route of documents needs: who reads, what the audit trail names, and how pages and refusals are answered."""

from __future__ import annotations

import re
import uuid
from typing import Any, NoReturn

import msgspec
from litestar import MediaType, Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from tsunagi_documents import pages
from tsunagi_documents.reading import Refused
from tsunagi_shared import audit
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import check_contract, person, principal_of, staff
from tsunagi_shared.problems import Refusal, not_found
from tsunagi_shared.runtime import Runtime

READ_SCOPE = "documents:read"
ACTING_USER_HEADER = "X-Acting-User"
NO_STORE = {"Cache-Control": "no-store"}
_ACTING_USER = re.compile(r"[!-~]{1,64}")  # an id: ASCII without spaces


async def reader(connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Guard: anyone who signed in, or a key with the scope; what may be read is decided by the basis."""
    await staff(connection, handler)
    principal: Principal = connection.scope["user"]
    check_contract(connection.app.state.runtime.profile, principal)
    if principal.via == "key" and READ_SCOPE not in principal.scopes:
        raise PermissionDeniedException


async def signed_in(connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Guard: a named person who signed in."""
    await person(connection, handler)
    check_contract(connection.app.state.runtime.profile, connection.scope["user"])


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


def user_name_of(principal: Principal) -> str:
    """The name on record; a key's is marked as its claim."""
    if principal.via != "key":
        return principal.name
    return f"{principal.user.partition('/')[2]}（{principal.name}による申告）"


def recorded(refusal: Refusal) -> Refusal:
    """One that the caller has put on record already."""
    refusal.recorded = True
    return refusal


async def refuse(runtime: Runtime, principal: Principal, action: str, subject: str, why: Refused) -> NoReturn:
    await runtime.database.write(
        lambda connection: audit.record(connection, principal, action, subject, basis=why, refused=True)
    )
    raise recorded(not_found())


def subject_of(document_id: str) -> str:
    """What the audit trail names; an address that cannot be a document's is not repeated there."""
    try:
        return f"document/{uuid.UUID(document_id)}"
    except ValueError:
        return "document/?"


def makes_pdf(runtime: Runtime) -> bool:
    return "pdf" in runtime.parts.jobs


def page_of(runtime: Runtime, template: str, principal: Principal, **context: Any) -> Response[bytes]:
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
