"""Minutes as they are typed, requests for information, logs of contacts, and the calendar, over HTTP."""

from __future__ import annotations

import secrets
import urllib.parse
from typing import Annotated, Any

import msgspec
from litestar import HttpMethod, Response, get, post, route
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect
from sqlalchemy import Connection

from tsunagi_intake import calendar_feed, information, minutes_typed, pages, posting, records
from tsunagi_intake.calendar_feed import CalendarToken, Holder
from tsunagi_intake.form_pages import KEY_FIELD, form_page_for
from tsunagi_intake.form_places import Place
from tsunagi_intake.posting import AnyRequest, Way, late_write
from tsunagi_intake.standing import Stale
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import TOKEN_FIELD, check_token, person, principal_of
from tsunagi_shared.contracts.profile import FormKind
from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.contact import ContactLogIssue
from tsunagi_shared.forms.information import InformationAnswer, InformationRequest
from tsunagi_shared.forms.minutes import Minutes
from tsunagi_shared.problems import Refusal, not_found, problem_of, too_large, wants_page
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.sign_in import sign_in_page
from tsunagi_shared.web.forms import (
    PostError,
    decode_urlencoded,
    posted_pairs,
    rows_wanted,
    typed_pairs,
    wants_page_again,
)

TypedRevision = Annotated[int, QueryParameter(ge=0, description="どの版を見て書いたか（書き始めは0）")]
Token = Annotated[str, QueryParameter(max_length=100, description="予定表を読むための合言葉")]


# minutes ---------------------------------------------------------------------------------------------------------------


@get("/meetings/{identity:str}/items/{item:str}/minutes", summary="書きかけの会議録", guards=[posting.may_write])
async def typed_minutes(
    identity: FromPath[str], item: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """The minutes of an item as they are typed, with what closing would still refuse."""

    def find(connection: Connection, principal: Principal) -> minutes_typed.Typed:
        return minutes_typed.typed(connection, principal, runtime.profile, identity, item)

    found = await posting.look_up(request, runtime, identity, "minutes.typed", find)
    if not wants_page(request):
        return Response(msgspec.json.encode(found), media_type="application/json", headers=pages.NO_STORE)
    place = Place(meeting=identity, item=item)
    shown = found.errors if "check" in request.query_params else ()
    return await form_page_for(
        runtime, principal_of(request), "minutes", place, raw=found.content, errors=shown, revision=found.revision
    )


@route(
    "/meetings/{identity:str}/items/{item:str}/minutes", http_method=[HttpMethod.PUT, HttpMethod.POST],
    summary="会議録を書く", guards=[late_write], status_code=200,
)  # fmt: skip
async def type_minutes(
    identity: FromPath[str], item: FromPath[str], revision: TypedRevision, request: AnyRequest,
    runtime: NamedDependency[Runtime],
) -> Response[Any]:  # fmt: skip
    """Keep what was typed, unchecked. As JSON the body is the form as far as it goes; the answer is a receipt that tells what
    is wrong yet, and repeats nothing of it."""
    body = await request.body()
    if request.headers.get("content-type", "").startswith(posting.URLENCODED):
        return await _type_page(request, runtime, identity, item, revision, body)
    content = posting.decoded(body, dict[str, Any], "様式の項目名と値の組で送ってください。")
    return await posting.act(request, runtime, _way(identity, item, revision, content))


def _way(identity: str, item: str, revision: int, content: dict[str, Any]) -> Way:
    return Way(
        action="minutes.type", subject=identity, revision=revision, status=200,
        then=lambda _: f"/meetings/{identity}/items/{item}/minutes?saved=1",
        carry_out=lambda connection, write: minutes_typed.keep_typed(connection, write, identity, item, content),
    )  # fmt: skip


async def _type_page(
    request: AnyRequest, runtime: Runtime, identity: str, item: str, revision: int, body: bytes
) -> Response[Any]:
    """The page's way in: whatever is wrong, it comes back with everything that was typed."""
    address = f"/meetings/{urllib.parse.quote(identity)}/items/{urllib.parse.quote(item)}/minutes"
    try:
        fields = dict(posted_pairs(body))
        principal: Principal | None = request.scope.get("user")
        if principal is None:
            return sign_in_page(runtime, following=address, typed=typed_pairs(body), status=401)
        local = runtime.profile.codes(FormKind.MEETING, clock.today()).local
        raw = decode_urlencoded(body, Minutes, local)
        wanted, again = rows_wanted(body), wants_page_again(body)
    except PostError:
        raise HTTPException(status_code=400) from None
    key = fields.get(KEY_FIELD) or secrets.token_urlsafe(16)
    errors: tuple[FieldError, ...] = ()
    status, made_on = 200, revision
    if not again:
        try:
            check_token(principal, fields.get(TOKEN_FIELD, ""))
            if len(msgspec.json.encode(raw)) > posting.FORM_LIMIT_BYTES:
                raise too_large()
            return await _save_page(request, runtime, _way(identity, item, revision, raw))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing that was typed may be lost
            problem = problem_of(error)
            status, key = (
                problem.status,
                secrets.token_urlsafe(16),
            )  # the next post is another one, whatever becomes of it
            if isinstance(error, Refusal):
                await runtime.refusals.after_exception(error, request.scope)
            if isinstance(error, Stale):  # told what changed, they may save on what there is now
                made_on = error.revision
            errors = problem.errors or (FieldError("", problem.code, f"{problem.title}{problem.detail}"),)
    return await form_page_for(
        runtime, principal, "minutes", Place(meeting=identity, item=item), key=key, raw=raw, errors=errors, rows=wanted,
        revision=made_on, status=status,
    )  # fmt: skip


async def _save_page(request: AnyRequest, runtime: Runtime, way: Way) -> Response[Any]:
    """Save what the page posted. Who went back and typed on, on what they saw before, is told as anybody else is whose page
    is out of date: Stale."""
    try:
        return await posting.act(request, runtime, way)
    except Refusal as refusal:
        if refusal.problem.code != "idempotency-key-reused":
            raise
        return await posting.act(request, runtime, way, key=secrets.token_urlsafe(16))


# information and logs --------------------------------------------------------------------------------------------------


@post(
    "/cases/{number:str}/information-requests", summary="情報提供を依頼する", guards=[late_write], status_code=201,
    opt={"form": InformationRequest},
)  # fmt: skip
async def request_information(
    number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Ask one agency for information about the case."""
    way = Way(
        action="information.request", subject=number, kind="information_request", place=Place(case=number),
        then=posting.to_case,
        carry_out=lambda connection, write, form: information.request(connection, write, number, form),
    )  # fmt: skip
    return await posting.take(request, runtime, way)


@post(
    "/information-requests/{identity:str}/answer", summary="情報提供依頼に回答する", guards=[late_write], status_code=201,
    opt={"form": InformationAnswer},
)  # fmt: skip
async def answer_information(
    identity: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """The agency that was asked answers; the answer comes back to the case."""
    way = Way(
        action="information.answer", subject=identity, kind="information_answer", place=Place(request=identity),
        then=posting.to_case,
        carry_out=lambda connection, write, form: information.answer(connection, write, identity, form),
    )  # fmt: skip
    return await posting.take(request, runtime, way)


@post(
    "/cases/{number:str}/contact-logs", summary="支援経過記録を発行する", guards=[late_write], status_code=201,
    opt={"form": ContactLogIssue},
)  # fmt: skip
async def issue_contact_log(
    number: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]
) -> Response[Any]:
    """Put the contacts of a period on paper."""
    way = Way(
        action="contact_log.submit", subject=number, kind="contact_log", place=Place(case=number), then=posting.to_case,
        carry_out=lambda connection, write, form: records.submit(connection, write, "contact_log", number, form),
    )  # fmt: skip
    return await posting.take(request, runtime, way)


# the calendar ----------------------------------------------------------------------------------------------------------


async def _holder(runtime: Runtime, token: str) -> Holder | None:
    """Whose calendar the token opens, as long as their agency's contract and their account go on."""
    found = await runtime.database.read(lambda connection: calendar_feed.holder_of(connection, token))
    if found is None or not runtime.profile.acts_for(found.agency, found.contractor, clock.today()):
        return None
    posts = {post.agency for post in runtime.accounts.posts(found.user)}
    disabled = any(user == found.user and off for user, _, _, off in runtime.accounts.users())
    return found if found.agency in posts and not disabled else None


async def with_token(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: who shows a token that opens a calendar. Nobody else, signed in or not."""
    token = connection.query_params.get("token", "")
    if not token or await _holder(connection.app.state.runtime, token) is None:
        raise NotAuthorizedException


@get("/meetings.ics", summary="会議の予定表", guards=[with_token], media_type="text/calendar")
async def calendar(runtime: NamedDependency[Runtime], token: Token = "") -> Response[str]:
    """The sittings of whom the token belongs to: times, bodies and place, no case and no name."""
    holder = await _holder(runtime, token)
    if holder is None:
        raise not_found()
    text = await runtime.database.read(
        lambda connection: calendar_feed.calendar_of(connection, runtime.profile, holder)
    )
    return Response(text, media_type="text/calendar; charset=utf-8", headers=pages.NO_STORE)


@post("/calendar-token", summary="予定表の合言葉を作る", guards=[person], status_code=201)
async def calendar_token(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """A new token for the caller; the one before no longer opens anything. It is told once: an Idempotency-Key counts for
    nothing here, and the same request again makes another one."""
    return await _renew(request, runtime, revoke=False)


@post("/calendar-token/revocation", summary="予定表の合言葉を取り消す", guards=[person], status_code=201)
async def revoke_calendar_token(request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """No calendar program reads the caller's sittings any more."""
    return await _renew(request, runtime, revoke=True)


async def _renew(request: AnyRequest, runtime: Runtime, *, revoke: bool) -> Response[Any]:
    kept: list[bytes] = []

    def carry_out(connection: Connection, write: records.Write) -> bytes:
        kept.append(calendar_feed.renew(connection, write, revoke=revoke))
        return kept[-1]

    way = Way(action="calendar.renew", then=lambda _: "/meetings", carry_out=carry_out)
    done = await posting.act(request, runtime, way)
    if not isinstance(done, Redirect):
        return done
    token = msgspec.json.decode(kept[-1], type=CalendarToken)
    address = f"{runtime.settings.public_url.rstrip('/')}{token.path}" if token.token else ""
    return pages.answer(request, runtime, "calendar_token.html", token, address=address)


ROUTES = (
    typed_minutes, type_minutes, request_information, answer_information, issue_contact_log, calendar, calendar_token,
    revoke_calendar_token,
)  # fmt: skip
