"""The HTTP side of evidence: a scan of a signed consent is handed in from the page of its consent form."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NoReturn

import structlog
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException
from litestar.params import FromPath
from litestar.response import Redirect
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartParser,
    MultipartPart,
    parse_options_header,
)

from tsunagi_documents import evidence
from tsunagi_documents.answers import NO_STORE, recorded, signed_in, subject_of
from tsunagi_documents.evidence import Added, ConsentForm, NotThere
from tsunagi_documents.evidence_rewriting import (
    ANNOTATED,
    ENCRYPTED,
    MOST_BYTES,
    MOST_PAGES,
    TOO_HEAVY,
    TOO_MANY_PAGES,
    UNREADABLE,
    WRONG_TYPE,
    ScanRefused,
)
from tsunagi_documents.objects import Bucket, BucketUnavailable, ObjectDamaged
from tsunagi_documents.reading import Refused
from tsunagi_shared import audit
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import TOKEN_FIELD, check_token, principal_of
from tsunagi_shared.problems import Refusal, not_found, wants_page
from tsunagi_shared.runtime import Runtime

FILE_FIELD = "scan"
FRAME_BYTES = 16 * 1024  # the other fields and the boundaries around the file
MOST_PARTS = 4

# code → what is wrong, and the way out
_WORDS: Mapping[str, tuple[str, str]] = {
    WRONG_TYPE: (
        "この形式のファイルは受け取れません。",
        "PDF、PNG、JPEGのいずれかで、もう一度送ってください。ファイルの名前ではなく、中身の形式で確かめています。",
    ),
    UNREADABLE: (
        "ファイルが壊れているか、読み取れない部分があります。",
        "もう一度スキャンして、PDF、PNG、JPEGのいずれかで送ってください。",
    ),
    ENCRYPTED: (
        "パスワードなどで保護されたPDFは受け取れません。",
        "保護を外して保存し直すか、印刷したものをスキャンして送ってください。",
    ),
    TOO_MANY_PAGES: (
        f"ページが多すぎます（{MOST_PAGES}ページまで）。",
        "同意書のページだけにするか、分けて送ってください。",
    ),
    TOO_HEAVY: (
        "画像が大きすぎるか、処理しきれない内容です。",
        "300dpiくらいでスキャンし直して、送ってください。",
    ),
    ANNOTATED: (
        "書込み、スタンプ、入力欄、電子署名などが付いたPDFは受け取れません。残さずに保管することができないためです。",
        "印刷したものをスキャンするか、画像（PNG、JPEG）にして送ってください。",
    ),
    "scan-missing": ("ファイルが選ばれていません。", "スキャンしたファイルを選んで、もう一度送ってください。"),
    "scan-too-large": (
        f"ファイルが大きすぎます（{MOST_BYTES // (1024 * 1024)} MBまで）。",
        "300dpiくらいでスキャンし直すか、分けて送ってください。",
    ),
    NotThere.PARTS_KEPT_BACK: (
        "この同意書には、あなたの機関に非開示の項目があるため、原本の写しは付けられません。",
        "同意書の全体を見ることのできる機関（多機関協働事業者、所管課など）に頼んでください。",
    ),
}

log = structlog.get_logger("documents")


@post(
    "/documents/{document_id:str}/evidence",
    summary="署名された同意書の写し（スキャン）を付ける",
    guards=[signed_in],
    status_code=201,
    request_max_body_size=MOST_BYTES + FRAME_BYTES,
)
async def add_evidence(
    runtime: NamedDependency[Runtime], request: Request[Any, Any, Any], document_id: FromPath[str]
) -> Response[Any]:
    """Take a PDF, PNG or JPEG (`scan` of a multipart form, at most 10 MiB), rewrite it page by page, and keep it beside the
    consent form with that document id. 201 with the document that it is; a page is led there."""
    principal = principal_of(request)
    consent_form = await _consent_form(runtime, principal, document_id)
    content = await _uploaded(request, principal)
    try:
        scan = await evidence.rewrite(content)
    except ScanRefused as refused:
        raise _refusal(422, refused.code) from None
    bucket: Bucket = runtime.parts.own
    try:
        outcome = await evidence.add(runtime, bucket, principal, consent_form, content, scan)
    except (BucketUnavailable, ObjectDamaged) as error:
        log.warning("evidence-not-stored", code=getattr(error, "code", "read-back-differs"))
        raise Refusal(
            503,
            "store-unavailable",
            "文書の保管先につながらないため、いまは受け取れません。何も保存していません。",
            "少し待って、もう一度送ってください。続くときは、システム管理者に知らせてください。",
        ) from None
    if not isinstance(outcome, Added):
        await _refuse(runtime, principal, document_id, outcome)
    address = f"/documents/{outcome.document_id}"
    if wants_page(request):
        return Redirect(address, status_code=303, headers=NO_STORE)
    return Response(outcome, status_code=200 if outcome.again else 201, headers={**NO_STORE, "Location": address})


async def _consent_form(runtime: Runtime, principal: Principal, document_id: str) -> ConsentForm:
    found = await runtime.database.read(
        lambda connection: evidence.may_add(connection, runtime, principal, document_id)
    )
    if not isinstance(found, ConsentForm):
        await _refuse(runtime, principal, document_id, found)
    return found


async def _refuse(runtime: Runtime, principal: Principal, document_id: str, why: Refused | NotThere) -> NoReturn:
    """Put on record why; to the caller what does not exist and what is not theirs are the same."""
    subject = subject_of(document_id)
    await runtime.database.write(
        lambda connection: audit.record(connection, principal, evidence.ACTION, subject, basis=why, refused=True)
    )
    raise recorded(_refusal(403, why) if why is NotThere.PARTS_KEPT_BACK else not_found())


def _refusal(status: int, code: str) -> Refusal:
    return Refusal(status, code, *_WORDS[code])


async def _uploaded(request: Request[Any, Any, Any], principal: Principal) -> bytes:
    """The file of the posted form, kept in memory alone: a temporary file would be one more place where it rests."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        raise Refusal(415, "unsupported-media-type", *_WORDS["scan-missing"])
    try:
        body = await request.body()
    except ClientException as error:
        raise (_refusal(413, "scan-too-large") if error.status_code == 413 else error) from None
    parts = _parts_of(body, boundary)
    token = parts.get(TOKEN_FIELD)
    check_token(principal, token.raw.decode("ascii", "replace") if token is not None else "")
    scan = parts.get(FILE_FIELD)
    content = scan.raw if scan is not None else b""
    if not content:
        raise _refusal(422, "scan-missing")
    if len(content) > MOST_BYTES:
        raise _refusal(413, "scan-too-large")
    return content


def _parts_of(body: bytes, boundary: str) -> dict[str, MultipartPart]:
    limit = MOST_BYTES + FRAME_BYTES
    parser = MultipartParser(
        io.BytesIO(body),
        boundary,
        len(body),
        part_limit=MOST_PARTS,
        spool_limit=limit,
        memory_limit=limit,
        disk_limit=0,
    )
    try:
        return {part.name: part for part in parser}
    except MultipartError:
        raise Refusal(400, "bad-request", "送られた内容を読み取れません。", "もう一度送ってください。") from None


ROUTES = (add_evidence,)
