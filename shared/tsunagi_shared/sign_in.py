"""Signing in and out, and choosing the post one acts under. One sign-in serves every service of the host."""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import Any

from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.response import Redirect

from tsunagi_shared.accounts import AccountError, SignInRefused
from tsunagi_shared.auth import TOKEN_FIELD, check_token, cookie_name, is_own_request, person, principal_of
from tsunagi_shared.problems import Refusal
from tsunagi_shared.runtime import Runtime

TYPED = "typed."  # fields of a page whose session ended while it was being filled in
BODY_LIMIT = 1024 * 1024


def local_address(wanted: str) -> str:
    """A path of this service to go on to; anything else becomes `/` (no open redirect)."""
    safe = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if safe and wanted.isprintable() else "/"


async def posted_fields(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The fields of a small posted page, the last of each name."""
    body = await request.body()
    try:
        pairs = urllib.parse.parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=2000, strict_parsing=bool(body)
        )
    except ValueError:
        raise Refusal(
            400, "bad-request", "送られた内容を読み取れません。", "画面を開き直して、もう一度操作してください。"
        ) from None
    return dict(pairs)


def sign_in_page(
    runtime: Runtime,
    *,
    following: str,
    problem: str = "",
    typed: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[bytes]:
    """The page to sign in on; `typed` is carried along in hidden fields and comes back after it."""
    body = runtime.pages.render("sign_in.html", principal=None, next=following, problem=problem, typed=typed or [])
    return Response(body.encode(), status_code=status, media_type=MediaType.HTML, headers={"Cache-Control": "no-store"})


def _session_cookie(runtime: Runtime, token: str) -> Cookie:
    secure = runtime.settings.cookie_secure
    return Cookie(
        key=cookie_name(secure),
        value=token,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
        max_age=None if token else 0,
    )


@get("/sign-in", media_type=MediaType.HTML, summary="サインインの画面", opt={"public": True})
async def show(runtime: NamedDependency[Runtime], request: Request[Any, Any, Any]) -> Response[bytes]:
    """The sign-in page."""
    return sign_in_page(runtime, following=local_address(request.query_params.get("next", "/")))


@post("/sign-in", summary="サインインする", opt={"public": True}, status_code=303, request_max_body_size=BODY_LIMIT)
async def enter(runtime: NamedDependency[Runtime], request: Request[Any, Any, Any]) -> Response[Any]:
    """Check the password, open a new session (never adopt a sent one), and go on where the person was."""
    if not is_own_request(request):
        raise Refusal(403, "forbidden", "この画面からはサインインできません。", "画面を開き直してください。")
    fields = await posted_fields(request)
    following = local_address(fields.get("next", "/"))
    typed = [(name[len(TYPED) :], value) for name, value in await _pairs(request) if name.startswith(TYPED)]
    try:
        token = await asyncio.to_thread(runtime.accounts.sign_in, fields.get("user", ""), fields.get("password", ""))
    except SignInRefused:
        problem = (
            "IDかパスワードが違うか、アカウントが使えない状態です。10回続けて間違えると15分間サインインできません。"
        )
        return sign_in_page(runtime, following=following, problem=problem, typed=typed, status=401)
    if typed:
        # The typed fields go straight back to the page they came from; they are never stored or put into an address.
        principal = runtime.accounts.session(token)
        page = runtime.pages.render("typed_again.html", principal=principal, action=following, typed=typed)
        return Response(
            page.encode(),
            status_code=200,
            media_type=MediaType.HTML,
            cookies=[_session_cookie(runtime, token)],
            headers={"Cache-Control": "no-store"},
        )
    return Redirect(following, status_code=303, cookies=[_session_cookie(runtime, token)])


async def _pairs(request: Request[Any, Any, Any]) -> list[tuple[str, str]]:
    return urllib.parse.parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=2000)


@post("/sign-out", summary="サインアウトする", guards=[person], status_code=303)
async def leave(runtime: NamedDependency[Runtime], request: Request[Any, Any, Any]) -> Response[Any]:
    """End this session; `everywhere=1` ends all sessions of the account."""
    principal = principal_of(request)
    fields = await posted_fields(request)
    check_token(principal, fields.get(TOKEN_FIELD, ""))
    if fields.get("everywhere") == "1":
        runtime.accounts.sign_out_everywhere(principal.user)
    runtime.accounts.sign_out(str(request.auth))
    return Redirect("/sign-in", status_code=303, cookies=[_session_cookie(runtime, "")])


@get("/posts", media_type=MediaType.HTML, summary="役職を選ぶ画面", guards=[person])
async def choose(runtime: NamedDependency[Runtime], request: Request[Any, Any, Any]) -> Response[bytes]:
    """The posts of a person who has several; one is acted under at a time."""
    principal = principal_of(request)
    names = runtime.profile.agency_names
    posts = [(post.agency, names.get(post.agency, post.agency)) for post in runtime.accounts.posts(principal.user)]
    body = runtime.pages.render("posts.html", principal=principal, posts=posts)
    return Response(body.encode(), media_type=MediaType.HTML)


@post("/posts", summary="役職を切り替える", guards=[person], status_code=303)
async def act(runtime: NamedDependency[Runtime], request: Request[Any, Any, Any]) -> Response[Any]:
    """Go on under another post, in a new session."""
    fields = await posted_fields(request)
    check_token(principal_of(request), fields.get(TOKEN_FIELD, ""))
    try:
        token = runtime.accounts.act_for(str(request.auth), fields.get("agency", ""))
    except AccountError as error:
        raise Refusal(403, "forbidden", str(error), "システム管理者に相談してください。") from None
    return Redirect("/", status_code=303, cookies=[_session_cookie(runtime, token)])


ROUTES = (show, enter, leave, choose, act)
