"""Intake over HTTP: the page and JSON post to the same resource, with one definition and one check."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect

from tsunagi_intake import cases, pages, referrals
from tsunagi_intake.audience import Withheld
from tsunagi_shared import audit, clock, idempotency
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import TOKEN_FIELD, check_token, late, principal_of, roles, staff
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.profile import Role
from tsunagi_shared.forms.checks import Checked, Codes, FieldError, check
from tsunagi_shared.forms.fields import form_schema
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.outbox import EventTooLarge
from tsunagi_shared.problems import Refusal, not_found, problem_of, too_large
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.sign_in import posted_fields, sign_in_page
from tsunagi_shared.web.forms import (
    PostError,
    decode_urlencoded,
    posted_pairs,
    rows_wanted,
    typed_pairs,
    wants_page_again,
)

FORM_LIMIT_BYTES = 256 * 1024  # of the form as JSON; a page's post may take more for the same form
PAGE_LIMIT = 100
KEY_FIELD = "_idempotency_key"
_NUMBER_LIKE = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII)
URLENCODED = "application/x-www-form-urlencoded"

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_LIMIT, description="1ページの件数")]
After = Annotated[str, QueryParameter(pattern=r"^[0-9]{1,18}(-[0-9]{1,18})?$", description="前のページの next の値")]

_may_refer = roles("clerk", "promoter", "coordinator", "agency_staff", scope="referrals:write")
_reader = roles(*Role, scope="cases:read")
_may_remake = roles(*Role, scope="referrals:write")  # who has the full view; the route's own query decides


@get("/", guards=[staff], include_in_schema=False)
async def home(request: AnyRequest) -> Redirect:
    """The first page of the service is the list of cases."""
    return Redirect("/cases", status_code=303)


@get("/forms", summary="様式の一覧", guards=[staff])
async def forms() -> list[dict[str, str]]:
    """The forms this service takes."""
    return [
        {
            "kind": "referral",
            "title": "共通様式（つなぎシート）",
            "page": "/forms/referral",
            "schema": "/forms/referral/schema.json",
        }
    ]


@get("/forms/{kind:str}/schema.json", summary="様式の項目（JSON Schema）", guards=[staff])
async def schema(kind: FromPath[str]) -> Response[bytes]:
    """The form's JSON Schema."""
    if kind != "referral":
        raise not_found()
    return Response(msgspec.json.encode(form_schema(Referral)), media_type="application/schema+json")


@get("/forms/{kind:str}", summary="様式の入力画面", media_type=MediaType.HTML, guards=[_may_refer])
async def form_page(kind: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[str]:
    """The empty form."""
    if kind != "referral":
        raise not_found()
    return pages.form(runtime, principal_of(request), key=secrets.token_urlsafe(16))


@post("/referrals", summary="共通様式を提出する", guards=[late(_may_refer)], status_code=201, opt={"form": Referral})
async def submit(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Take a referral from the page or as JSON. 201 with the numbers; 422 with every error; 409, 413 by their codes."""
    body = await request.body()
    content_type = request.headers.get("content-type", "application/json")
    if content_type.startswith(URLENCODED):
        return await _submit_page(request, runtime, body)
    if not content_type.startswith("application/json"):
        raise HTTPException(status_code=415)
    principal: Principal | None = request.scope.get("user")
    if principal is None:
        raise NotAuthorizedException
    if len(body) > FORM_LIMIT_BYTES:
        raise too_large()
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refusal(
            400,
            "invalid-json",
            "JSONとして読み取れません。",
            "書き方（引用符、かっこ、文字コードUTF-8）を確かめてください。",
        ) from None
    checked = _check(raw, runtime)
    if checked.form is None:
        raise _invalid(await _with_case_error(runtime, principal, raw, checked.errors))
    receipt = await _take(runtime, principal, checked.form, request.headers.get("idempotency-key", ""), body)
    return Response(receipt, status_code=201, media_type=MediaType.JSON, headers={"Cache-Control": "no-store"})


def _check(raw: object, runtime: Runtime) -> Checked[Referral]:
    return check(Referral, raw, Codes(clock.today(), runtime.profile.agency_names))


async def _with_case_error(
    runtime: Runtime, principal: Principal, raw: object, errors: tuple[FieldError, ...]
) -> tuple[FieldError, ...]:
    """The errors of a form, and the one that only the database knows: all are told at once."""
    number = raw.get("case_number") if isinstance(raw, dict) else None
    if not isinstance(number, str) or not number or any(error.path == "case_number" for error in errors):
        return errors
    known = await runtime.database.read(lambda connection: cases.readable(connection, principal, number))
    return errors if known is not None else (*errors, referrals.UNKNOWN_CASE)


def _invalid(errors: tuple[FieldError, ...]) -> Refusal:
    return Refusal(
        422,
        "invalid-form",
        "入力に直すところがあります。何も保存していません。",
        "すべて直して、もう一度送ってください。",
        errors,
    )


def _check_contract(runtime: Runtime, principal: Principal) -> None:
    """Rule 8: the access of an agency's people ends with its contract. Refusal then."""
    known = principal.agency in runtime.profile.agencies_by_id
    if not known or not runtime.profile.contract_live(principal.agency, clock.today()):
        raise Refusal(
            403,
            "contract-ended",
            "あなたの機関は、いま市町村との契約の期間にありません。",
            "所管課に相談してください。",
        )


def _acting(request: AnyRequest, runtime: Runtime) -> Principal:
    """The caller of a route that reads or asks for something."""
    principal = principal_of(request)
    _check_contract(runtime, principal)
    return principal


async def _take(runtime: Runtime, principal: Principal, form: Referral, key: str, body: bytes) -> bytes:
    """Store a checked form; the encoded Receipt. Refusal with the reason when it cannot be taken."""
    _check_contract(runtime, principal)
    if len(key) > idempotency.KEY_LIMIT:
        raise Refusal(
            400,
            "bad-idempotency-key",
            "Idempotency-Key が長すぎます。",
            f"{idempotency.KEY_LIMIT}文字までにしてください。",
        )
    scope = idempotency.scope_of(principal.user, principal.agency, "POST /referrals", key) if key else b""
    submission = referrals.Submission(form, principal, scope, idempotency.hash_of(body) if key else b"")
    try:
        return await runtime.database.write(
            lambda connection: referrals.submit(connection, submission, runtime.profile, runtime.outbox)
        )
    except idempotency.KeyReused:
        raise Refusal(
            409, "idempotency-key-reused", "同じ Idempotency-Key で、違う内容が送られました。何も保存していません。",
            "新しい内容には新しいキーを付けてください。",
        ) from None  # fmt: skip
    except EventTooLarge:
        raise too_large() from None


async def _submit_page(request: AnyRequest, runtime: Runtime, body: bytes) -> Response[Any]:
    """The page's way in: whatever is wrong, the page comes back with everything that was typed."""
    try:
        fields = dict(posted_pairs(body))
        principal: Principal | None = request.scope.get("user")
        if principal is None:
            return sign_in_page(runtime, following="/referrals", typed=typed_pairs(body), status=401)
        key = fields.get(KEY_FIELD) or secrets.token_urlsafe(16)
        raw = decode_urlencoded(body, Referral)
        if wants_page_again(body):
            return pages.form(runtime, principal, key=key, raw=raw, rows=rows_wanted(body))
    except PostError:
        raise Refusal(
            400, "bad-request", "送られた内容を読み取れません。", "画面を開き直して、もう一度操作してください。"
        ) from None
    errors: tuple[FieldError, ...] = ()
    status = 422
    try:
        check_token(principal, fields.get(TOKEN_FIELD, ""))
        checked = _check(raw, runtime)
        errors = checked.errors and await _with_case_error(runtime, principal, raw, checked.errors)
        if len(msgspec.json.encode(raw)) > FORM_LIMIT_BYTES:
            raise too_large()
        if checked.form is not None:
            canonical = msgspec.json.encode(raw, order="sorted")  # a doubled post differs in nothing that counts
            receipt = msgspec.json.decode(
                await _take(runtime, principal, checked.form, key, canonical), type=referrals.Receipt
            )
            return Redirect(f"/referrals/{receipt.referral_number}", status_code=303)
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing that was typed may be lost
        problem = problem_of(error)
        status = problem.status
        if problem.code == "idempotency-key-reused":  # the person went back and changed it: a new form, handed in anew
            key = secrets.token_urlsafe(16)
        errors = problem.errors or (FieldError("", problem.code, f"{problem.title}{problem.detail}"),)
    return pages.form(runtime, principal, key=key, raw=raw, errors=errors, rows=rows_wanted(body), status=status)


@get("/referrals", summary="受け付けた共通様式の一覧", guards=[_reader])
async def referral_list(
    request: AnyRequest, runtime: NamedDependency[Runtime], after: After = "0", limit: Limit = 50
) -> Response[Any]:
    """The referrals the caller may see, newest first."""
    principal = _acting(request, runtime)
    case, _, seq = after.partition("-")
    found = await runtime.database.read(
        lambda connection: cases.list_referrals(connection, principal, (int(case), int(seq or 0)), limit)
    )
    return pages.answer(request, runtime, "referrals.html", found, after=after)


@get("/referrals/{number:str}", summary="受け付けた共通様式", guards=[_reader])
async def referral(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """One referral's receipt: its numbers, who is told, who is not and why. The form itself is in its documents."""
    principal = _acting(request, runtime)

    def find(connection: Any) -> pages.ReferralPage:
        row = cases.referral(connection, principal, number)
        full = View(row.view) is View.FULL
        found = cases.audience_of(connection, f"referral/{row.id}")
        return pages.ReferralPage(
            referral_number=row.number, case_number=row.case_number, received_at=clock.moment_of(row.submitted_at),
            agency=row.agency, user_name=row.user_name, urgency=row.urgency, consent_status=row.consent_status,
            support_meeting_only=bool(row.support_meeting_only),
            audience=found if full else tuple(entry for entry in found if entry.agency == principal.agency),
            withheld=tuple(msgspec.json.decode(row.withheld, type=list[Withheld])) if full else (),
        )  # fmt: skip

    return pages.answer(
        request, runtime, "referral.html", await _found(runtime, principal, number, "referral.read", find)
    )


def _on_record(number: str) -> str:
    """A number that was asked for in vain, as the audit may hold it: what looks like none may be a person's name."""
    return number if _NUMBER_LIKE.fullmatch(number) else "?"


async def _found(runtime: Runtime, principal: Principal, number: str, action: str, find: Any) -> Any:
    """Read something by its number, and put on record that it was read, or that it was refused."""
    try:
        page = await runtime.database.read(find)
    except Refusal as refusal:
        code = refusal.problem.code
        await runtime.database.write(
            lambda connection: audit.record(
                connection, principal, action, f"number/{_on_record(number)}", basis=code, refused=True
            )
        )
        raise
    await runtime.database.write(lambda connection: audit.record(connection, principal, action, f"number/{number}"))
    return page


@post(
    "/referrals/{number:str}/documents",
    summary="作成できなかった文書を作り直すよう頼む",
    guards=[_may_remake],
    status_code=202,
)
async def make_again(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Publish the referral again: documents makes what is missing or failed, and leaves the rest as it is."""
    principal = _acting(request, runtime)
    form = request.headers.get("content-type", "").startswith(URLENCODED)
    if form:
        check_token(principal, (await posted_fields(request)).get(TOKEN_FIELD, ""))

    def ask(connection: Any) -> str:
        row = cases.referral(connection, principal, number)
        if View(row.view) is not View.FULL:
            raise not_found()
        referrals.publish_again(connection, row.id, runtime.profile, runtime.outbox)
        audit.record(connection, principal, "document.remake", f"referral/{row.id}")
        return str(row.case_number)

    case_number = await runtime.database.write(ask)
    if form:
        return Redirect(f"/cases/{case_number}?asked=1", status_code=303)
    return Response({"case_number": case_number}, status_code=202)


@get("/cases", summary="ケースの一覧", guards=[_reader])
async def case_list(
    request: AnyRequest, runtime: NamedDependency[Runtime], after: After = "0", limit: Limit = 50
) -> Response[Any]:
    """The cases the caller may see, newest first."""
    principal = _acting(request, runtime)
    first = int(after.partition("-")[0])
    found = await runtime.database.read(lambda connection: cases.list_cases(connection, principal, first, limit))
    return pages.answer(request, runtime, "cases.html", found, after=after)


@get("/cases/{number:str}", summary="ケース", guards=[_reader])
async def case(number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """One case: its referrals, which documents exist, which failed, and who has received them."""
    principal = _acting(request, runtime)

    def find(connection: Any) -> pages.CasePage:
        seq = cases.readable(connection, principal, number)
        if seq is None:
            raise not_found()
        return pages.case_page(connection, principal, seq, number)

    page = await _found(runtime, principal, number, "case.read", find)
    return pages.answer(request, runtime, "case.html", page, asked=request.query_params.get("asked") == "1")


ROUTES = (home, forms, schema, form_page, submit, referral_list, referral, make_again, case_list, case)
