"""Reading a document's files: each reading checked anew, put on record, and marked 旧版 where a newer version is there."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy import Connection

from tsunagi_documents import pages, reading
from tsunagi_documents.announcing import Announcer
from tsunagi_documents.answers import NO_STORE, acting, page_of, reader, recorded, refuse, subject_of, user_name_of
from tsunagi_documents.objects import CONTENT_TYPES, Bucket, BucketUnavailable, ObjectDamaged, ObjectMissing, Stored
from tsunagi_documents.reading import DocumentView, Grant, Refused
from tsunagi_documents.superseded import marked
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import TOKEN_FIELD, check_token, principal_of
from tsunagi_shared.contracts.events import DocumentOpened
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.problems import Refusal, not_found, wants_page
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.web.forms import PostError, posted_pairs

STORED_HASH_HEADER = "X-Stored-SHA256"  # of the file as it was stored; 旧版 is served with a mark on top
_FORM = "application/x-www-form-urlencoded"

log = structlog.get_logger("documents")


class _Opening(msgspec.Struct, frozen=True):
    """One request for a file, by somebody who may read it."""

    grant: Grant
    document: DocumentView
    stored: Stored


class _Asked(msgspec.Struct, frozen=True):
    """Which file somebody wants, and the reason they typed for it (empty: none). `posted`: they were asked for one."""

    document_id: str
    version: int
    file_format: str
    reason: str = ""
    posted: bool = False

    @property
    def address(self) -> str:
        return pages.file_address(self.document_id, self.version, self.file_format)

    @property
    def subject(self) -> str:
        """As the audit trail names it."""
        file_format = self.file_format if self.file_format in CONTENT_TYPES else "?"
        return f"{subject_of(self.document_id)}/versions/{self.version}/{file_format}"


@get("/documents/{document_id:str}/versions/{version:int}/{file_format:str}", summary="文書のファイル", guards=[reader])
async def read_file(
    runtime: NamedDependency[Runtime],
    request: Request[Any, Any, Any],
    document_id: FromPath[str],
    version: FromPath[int],
    file_format: FromPath[str],
    reason: FromQuery[str] = "",
) -> Response[bytes]:
    """The file, docx or pdf, once its hash is checked and the reading is on record; an older version says 旧版.

    Where consents are not known well enough, a basis of consent opens it to a person who gives a `reason`, else 503.
    """
    return await _serve(runtime, request, _Asked(document_id, version, file_format, reason))


@post(
    "/documents/{document_id:str}/versions/{version:int}/{file_format:str}",
    summary="理由を示して、文書のファイルを開く",
    guards=[reader],
    status_code=200,
)
async def read_file_with_reason(
    runtime: NamedDependency[Runtime],
    request: Request[Any, Any, Any],
    document_id: FromPath[str],
    version: FromPath[int],
    file_format: FromPath[str],
) -> Response[bytes]:
    """The same for this one reading, with a reason typed on the page that the 503 shows, or as JSON `{"reason": …}`."""
    reason = await _typed(request)
    return await _serve(runtime, request, _Asked(document_id, version, file_format, reason, posted=True))


async def _typed(request: Request[Any, Any, Any]) -> str:
    body = await request.body()
    if request.headers.get("content-type", "").startswith(_FORM):
        try:
            pairs = dict(posted_pairs(body))
        except PostError:
            pairs = {}
        check_token(principal_of(request), pairs.get(TOKEN_FIELD, ""))
        return pairs.get("reason", "")
    try:
        sent = msgspec.json.decode(body, type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        sent = {}
    if set(sent) != {"reason"}:
        raise Refusal(400, "bad-request", "送られた内容を読み取れません。", "理由（reason）だけを送ってください。")
    return sent["reason"]


async def _serve(runtime: Runtime, request: Request[Any, Any, Any], asked: _Asked) -> Response[bytes]:
    principal = acting(request)
    if principal.via == "key":  # a reason is a person's, who signed in
        asked = msgspec.structs.replace(asked, reason="", posted=False)
    asked = msgspec.structs.replace(asked, reason=asked.reason.strip())
    mistake = pages.mistake_in(asked.reason)
    find = partial(_find, runtime, principal, asked)
    opening = await runtime.database.read(find)
    if isinstance(opening, Refused):
        await refuse(runtime, principal, "document.open", asked.subject, opening)
    if mistake or (opening.grant.stale and not asked.reason):
        mistake = mistake or (pages.NO_REASON if asked.posted else "")
        return await _ask_reason(runtime, request, principal, asked, opening, mistake)
    content = await _fetch(runtime, principal, asked, opening)
    if opening.document.version > asked.version:
        content = await asyncio.to_thread(marked, content, asked.file_format)

    def put_on_record(connection: Connection) -> Refused | None:
        # Asked again: the basis may have ended while the file was fetched, and what is on record must be true.
        again = find(connection)
        if not isinstance(again, Refused) and again.grant.stale and not asked.reason:
            again = Refused.CONSENT_UNKNOWN
        if isinstance(again, Refused):
            audit.record(connection, principal, "document.open", asked.subject, basis=again, refused=True)
            return again
        audit.record(
            connection,
            principal,
            "document.open",
            asked.subject,
            basis=again.grant.record,
            case=again.document.case_number,
            reason=asked.reason.strip(),
        )
        user_name = user_name_of(principal)
        if reading.open_first(connection, principal, asked.document_id, asked.version, asked.file_format, user_name):
            opened = _opened(principal, again.document, asked, user_name)
            Announcer(runtime.outbox, runtime.settings.public_url).opened(connection, opened)
        return None

    ended = await runtime.database.write(put_on_record)
    if ended is not None:
        raise recorded(_consent_unknown(opening.grant) if ended is Refused.CONSENT_UNKNOWN else not_found())
    headers = {
        **NO_STORE,
        "Content-Disposition": pages.content_disposition(opening.document, asked.file_format),
        STORED_HASH_HEADER: opening.stored.sha256,
    }
    return Response(content, media_type=CONTENT_TYPES[asked.file_format], headers=headers)


async def _ask_reason(
    runtime: Runtime,
    request: Request[Any, Any, Any],
    principal: Principal,
    asked: _Asked,
    opening: _Opening,
    mistake: str,
) -> Response[bytes]:
    """Consents are not known well enough: the page where a reason is typed, or the problem for a program."""
    case = opening.document.case_number
    await runtime.database.write(
        lambda connection: audit.record(
            connection,
            principal,
            "document.open",
            asked.subject,
            basis=Refused.CONSENT_UNKNOWN,
            case=case,
            refused=True,
        )
    )
    known = pages.known_words(opening.grant.known_at, clock.now_us())
    status = 422 if mistake else 503
    if wants_page(request):
        answer = page_of(
            runtime, "consent_unknown.html", principal, document=pages.document_line(opening.document), known=known,
            address=asked.address, reason=asked.reason, mistake=mistake, limit=audit.REASON_LIMIT,
        )  # fmt: skip
        answer.status_code = status
        return answer
    if mistake:
        error = FieldError("reason", "wrong-value", mistake)
        raise recorded(Refusal(422, "form-refused", "直すところがあります。", "理由を直してください。", (error,)))
    raise recorded(_consent_unknown(opening.grant))


def _consent_unknown(grant: Grant) -> Refusal:
    words = pages.consent_unknown_words(pages.known_words(grant.known_at, clock.now_us()))
    return Refusal(503, Refused.CONSENT_UNKNOWN.value, words, pages.CONSENT_UNKNOWN_WAY_OUT)


def _find(runtime: Runtime, principal: Principal, asked: _Asked, connection: Connection) -> _Opening | Refused:
    grant = reading.grant_for(connection, runtime.profile, principal, asked.document_id, clock.today())
    if isinstance(grant, Refused):
        return grant
    stored = reading.stored_file(connection, asked.document_id, asked.version, asked.file_format)
    if stored is None:
        return Refused.NO_SUCH_FILE
    return _Opening(grant, reading.document_view(connection, asked.document_id), stored)


async def _fetch(runtime: Runtime, principal: Principal, asked: _Asked, opening: _Opening) -> bytes:
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
            lambda connection: audit.record(
                connection,
                principal,
                "document.open",
                asked.subject,
                basis=code,
                case=opening.document.case_number,
                refused=True,
            )
        )
        raise recorded(
            Refusal(
                503,
                code,
                "保管されているファイルが、作ったときのものと違うため、開けません。",
                "システム管理者に、この画面の番号とともに知らせてください。",
            )
        ) from None


def _opened(principal: Principal, document: DocumentView, asked: _Asked, user_name: str) -> DocumentOpened:
    return DocumentOpened(
        document_id=document.id,
        version=asked.version,
        case_number=document.case_number,
        agency=principal.agency,
        user=principal.user,
        user_name=user_name,
        format=asked.file_format,
        opened_at=clock.now(),
    )


ROUTES = (read_file, read_file_with_reason)
