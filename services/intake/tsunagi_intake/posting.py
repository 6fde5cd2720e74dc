"""How a form comes in, from a page or as JSON: one definition, one check, one transaction.

As JSON every mistake is told at once as a problem. From a page whatever is wrong (a mistake, a rule, a page that is out of
date, an ended session, a fault) brings the page back with everything that was typed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.params import QueryParameter
from litestar.response import Redirect
from sqlalchemy import Connection

from tsunagi_intake import drafts, standing
from tsunagi_intake.form_pages import KEY_FIELD, Place, form_page_for
from tsunagi_intake.records import Receipt, Write
from tsunagi_intake.standing import Stale
from tsunagi_shared import audit, clock, idempotency
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import TOKEN_FIELD, check_contract, check_token, late, principal_of, roles
from tsunagi_shared.forms.checks import Checked, FieldError, check
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.outbox import EventTooLarge
from tsunagi_shared.problems import Refusal, problem_of, too_large
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
DEEPEST = 20  # containers within each other in a body; no form has more than four
URLENCODED = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store"}

AnyRequest = Request[Any, Any, Any]
Revision = Annotated[int, QueryParameter(ge=1, description="どの版を見て書いたか")]
# More mistakes than the form alone shows, as only the database knows them
MoreErrors = Callable[[Connection, Principal, object], tuple[FieldError, ...]]

may_refer = roles("clerk", "promoter", "coordinator", "agency_staff", scope="referrals:write")
# Who may do what is decided by the rules; here everybody is let through who has to do with cases
may_write = roles(
    "clerk", "promoter", "coordinator", "chair", "agency_staff", "responsible_section", scope="cases:write"
)

late_write = late(may_write)  # for what a page posts: its route asks to sign in and gives back what was typed

_NUMBER_LIKE = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII)


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way in: which form, what it is about, what is done with it, and where a page goes on to.

    `action`, `subject`: as the audit calls a refused decision and what it was about; `then` is given the encoded answer;
    `status`: of an answer in JSON.
    """

    action: str
    subject: str = ""
    carry_out: Callable[..., bytes]  # of (connection, write, form), or (connection, write) where there is no form
    then: Callable[[bytes], str]
    kind: str = ""
    place: Place = Place()
    revision: int | None = None
    status: int = 201
    more_errors: MoreErrors | None = None


def to_case(answer: bytes) -> str:
    """A page goes on to the case of a receipt."""
    return f"/cases/{msgspec.json.decode(answer, type=Receipt).case_number}"


def number_on_record(number: str) -> str:
    """A number that was asked for in vain, as the audit may hold it: what looks like none may be a person's name."""
    return number if _NUMBER_LIKE.fullmatch(number) else "?"


def acting(request: AnyRequest, runtime: Runtime) -> Principal:
    """The caller of a route that reads or asks for something. Refusal when the contract has ended."""
    principal = principal_of(request)
    check_contract(runtime.profile, principal)
    return principal


async def take(request: AnyRequest, runtime: Runtime, way: Way) -> Response[Any]:
    """Take a form. JSON: the answer with `way.status`, 400, 409, 413, 415, 422 by their codes; a page: on to `way.then`, or
    the page again."""
    body = await request.body()
    content_type = request.headers.get("content-type", "application/json")
    if content_type.startswith(URLENCODED):
        return await _take_page(request, runtime, way, body)
    principal = _caller_in_json(request, content_type)
    raw = _decoded(body)
    checked = _check(raw, runtime, way)
    if checked.form is None:
        raise Refusal(
            422,
            "invalid-form",
            "入力に直すところがあります。何も保存していません。",
            "すべて直して、もう一度送ってください。",
            await _all_errors(runtime, principal, way, raw, checked.errors),
        )
    key = request.headers.get("idempotency-key", "")
    answer = await _carry_out(request, runtime, principal, way, key, body, checked.form)
    return Response(answer, status_code=way.status, media_type=MediaType.JSON, headers=NO_STORE)


async def act(request: AnyRequest, runtime: Runtime, way: Way, *, key: str = "") -> Response[Any]:
    """Do something whose form, if any, was read already; a page posts its token and key beside it.

    `key`: in the place of the page's. Refusal `idempotency-key-reused` for a page that was changed after it went through.
    """
    content_type = request.headers.get("content-type", "application/json")
    if not content_type.startswith(URLENCODED):
        principal = _caller_in_json(request, content_type)
        key = request.headers.get("idempotency-key", "")
        answer = await _carry_out(request, runtime, principal, way, key, await request.body())
        return Response(answer, status_code=way.status, media_type=MediaType.JSON, headers=NO_STORE)
    principal = principal_of(request)
    fields = await posted_fields(request)
    check_token(principal, fields.get(TOKEN_FIELD, ""))
    # A doubled post differs in nothing that was typed; somebody who went back and typed something else sent another one
    try:
        typed = msgspec.json.encode(typed_pairs(await request.body()))
    except PostError:
        raise _unreadable_page() from None
    answer = await _carry_out(request, runtime, principal, way, key or fields.get(KEY_FIELD, ""), typed)
    return Redirect(way.then(answer), status_code=303)


def _unreadable_page() -> Refusal:
    return Refusal(400, "bad-request", "送られた内容を読み取れません。", "画面を開き直して、もう一度操作してください。")


def _caller_in_json(request: AnyRequest, content_type: str) -> Principal:
    if not content_type.startswith("application/json"):
        raise HTTPException(status_code=415)
    principal: Principal | None = request.scope.get("user")
    if principal is None:
        raise NotAuthorizedException
    return principal


def _decoded(body: bytes) -> object:
    return decoded(body, object, "書き方（引用符、かっこ、文字コードUTF-8）を確かめてください。")


def decoded(body: bytes, wanted: Any, way_out: str) -> Any:
    """JSON that was posted, as it came. Refusal 413; 400 for what cannot be read, or is nested deeper than any form."""
    if len(body) > FORM_LIMIT_BYTES:
        raise too_large()
    unreadable = Refusal(400, "invalid-json", "JSONとして読み取れません。", way_out)
    try:
        found = msgspec.json.decode(body, type=wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise unreadable from None
    if _too_deep(found, DEEPEST):
        raise unreadable
    return found


def _too_deep(value: object, left: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    return left == 0 or any(_too_deep(one, left - 1) for one in (value.values() if isinstance(value, dict) else value))


def _check(raw: object, runtime: Runtime, way: Way) -> Checked[Any]:
    definition = FORMS[way.kind]
    return check(definition.struct, raw, runtime.profile.codes(definition.settings, clock.today()))


async def _all_errors(
    runtime: Runtime, principal: Principal, way: Way, raw: object, errors: tuple[FieldError, ...]
) -> tuple[FieldError, ...]:
    """The errors of a form, and those that only the database knows: all are told at once."""
    more = way.more_errors
    if more is None:
        return errors
    found = await runtime.database.read(lambda connection: more(connection, principal, raw))
    told = {error.path for error in errors}
    return (*errors, *(error for error in found if error.path not in told))


async def _carry_out(
    request: AnyRequest, runtime: Runtime, principal: Principal, way: Way, key: str, body: bytes, *form: Any, draft: str = ""
) -> bytes:  # fmt: skip
    """Write what was checked; the encoded answer. A refusal is put on record with its code, in a transaction of its own."""
    check_contract(runtime.profile, principal)
    if len(key) > idempotency.KEY_LIMIT:
        raise Refusal(
            400,
            "bad-idempotency-key",
            "Idempotency-Key が長すぎます。",
            f"{idempotency.KEY_LIMIT}文字までにしてください。",
        )
    route = f"{request.method} {request.scope['path']}"
    write = Write(
        principal=principal, profile=runtime.profile, outbox=runtime.outbox, revision=way.revision,
        scope=idempotency.scope_of(principal.user, principal.agency, route, key) if key else b"",
        body_hash=idempotency.hash_of(body) if key else b"",
    )  # fmt: skip

    def carry_out(connection: Connection) -> bytes:
        answer = way.carry_out(connection, write, *form)
        if draft:
            drafts.discard(connection, principal, draft)
        return answer

    try:
        return await runtime.database.write(carry_out)
    except idempotency.KeyReused:
        raise _key_reused(request) from None
    except EventTooLarge:
        raise too_large() from None
    except Refusal as refusal:
        if refusal.problem.status != 422:  # a mistake in the form is no decision
            await put_on_record(runtime, principal, way.action, way.subject, refusal)
        raise


def _key_reused(request: AnyRequest) -> Refusal:
    if request.headers.get("content-type", "").startswith(URLENCODED):
        title = "この画面は、すでに一度送られています。内容が違うため、いまの内容は保存していません。"
        way_out = "前に送った内容を確かめて、必要なら、もう一度送ってください。"
    else:
        title = "同じ Idempotency-Key で、違う内容が送られました。何も保存していません。"
        way_out = "新しい内容には新しいキーを付けてください。"
    return Refusal(409, "idempotency-key-reused", title, way_out)


async def put_on_record(runtime: Runtime, principal: Principal, action: str, number: str, refusal: Refusal) -> None:
    """Put a refused decision into the audit, in a transaction of its own."""
    await _note(runtime, principal, action, number, refusal.problem.code, refused=True)
    refusal.recorded = True


async def _note(
    runtime: Runtime, principal: Principal, action: str, number: str, basis: str = "", *, refused: bool = False
) -> None:
    def note(connection: Connection) -> None:
        case = standing.case_number_of(connection, number)
        subject = f"number/{number_on_record(number)}"
        audit.record(connection, principal, action, subject, basis=basis, refused=refused, case=case)

    await runtime.database.write(note)


async def look_up(
    request: AnyRequest, runtime: Runtime, number: str, action: str, find: Callable[[Connection, Principal], Any]
) -> Any:
    """Read something by its number, and put on record that it was read, or that it was refused."""
    principal = acting(request, runtime)
    try:
        page = await runtime.database.read(lambda connection: find(connection, principal))
    except Refusal as refusal:
        await put_on_record(runtime, principal, action, number, refusal)
        raise
    await _note(runtime, principal, action, number)
    return page


async def _take_page(request: AnyRequest, runtime: Runtime, way: Way, body: bytes) -> Response[Any]:
    """The page's way in: whatever is wrong, the page comes back with everything that was typed."""
    definition = FORMS[way.kind]
    try:
        fields = dict(posted_pairs(body))
        principal: Principal | None = request.scope.get("user")
        if principal is None:
            return sign_in_page(runtime, following=_address(request), typed=typed_pairs(body), status=401)
        local = runtime.profile.codes(definition.settings, clock.today()).local
        raw = decode_urlencoded(body, definition.struct, local)
        wanted, again = rows_wanted(body), wants_page_again(body)
    except PostError:
        raise _unreadable_page() from None
    key, draft = fields.get(KEY_FIELD) or secrets.token_urlsafe(16), fields.get(drafts.FIELD, "")
    errors: tuple[FieldError, ...] = ()
    status, revision = 200, way.revision
    if not again:
        try:
            check_token(principal, fields.get(TOKEN_FIELD, ""))
            answer = await _from_page(request, runtime, principal, way, key, raw, draft)
            return Redirect(way.then(answer), status_code=303)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing that was typed may be lost
            problem = problem_of(error)
            status = problem.status
            if isinstance(error, Refusal):
                await runtime.refusals.after_exception(error, request.scope)
            if problem.code == "idempotency-key-reused":  # the person went back and changed it: handed in anew
                key = secrets.token_urlsafe(16)
            if isinstance(error, Stale):  # told what changed, they may hand it in on what there is now
                revision = error.revision
            errors = problem.errors or (FieldError("", problem.code, f"{problem.title}{problem.detail}"),)
    return await form_page_for(
        runtime, principal, way.kind, way.place, key=key, raw=raw, errors=errors, rows=wanted, revision=revision,
        draft=draft, status=status,
    )  # fmt: skip


async def _from_page(
    request: AnyRequest, runtime: Runtime, principal: Principal, way: Way, key: str, raw: dict[str, Any], draft: str
) -> bytes:
    checked = _check(raw, runtime, way)
    # A doubled post differs in nothing that counts
    canonical = msgspec.json.encode(raw, order="sorted")
    if len(canonical) > FORM_LIMIT_BYTES:
        raise too_large()
    if checked.form is None:
        errors = await _all_errors(runtime, principal, way, raw, checked.errors)
        raise Refusal(422, "invalid-form", "入力に直すところがあります。", "直して、もう一度送ってください。", errors)
    return await _carry_out(request, runtime, principal, way, key, canonical, checked.form, draft=draft)


def _address(request: AnyRequest) -> str:
    query = request.scope["query_string"].decode("ascii", "replace")
    return f"{request.scope['path']}?{query}" if query else str(request.scope["path"])
