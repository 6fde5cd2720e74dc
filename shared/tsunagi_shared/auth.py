"""Who is calling, and may they: a middleware that finds the Principal, and the guards that routes name.

A session's unsafe request must come from this service's own pages (Origin or Sec-Fetch-Site), and a posted form carries the
session's token besides. Keys are not sent by browsers, so neither applies to them.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from tsunagi_shared import clock
from tsunagi_shared.accounts import Accounts, Principal
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.problems import Refusal, contract_ended

# Coroutines, though they wait for nothing: Litestar sends a plain guard through a thread, which costs more than the check
Guard = Callable[[ASGIConnection, BaseRouteHandler], Awaitable[None]]  # type: ignore[type-arg]
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
TOKEN_FIELD = "_csrf"  # noqa: S105 - the name of a form field


def cookie_name(secure: bool) -> str:
    """`__Host-` binds the cookie to the host and to TLS; a trial without TLS cannot have it."""
    return "__Host-tsunagi" if secure else "tsunagi"


class Identify(ASGIMiddleware):
    """Puts the Principal (or None) into the scope; decides nothing."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Look the caller up by key or by cookie; both are one short read of a local file."""
        runtime = scope["litestar_app"].state.runtime
        accounts: Accounts = runtime.accounts
        cookie = cookie_name(runtime.settings.cookie_secure)
        principal: Principal | None = None
        key = token = ""
        for name, value in scope["headers"]:
            if name == b"x-api-key":
                key = value.decode("latin-1")
            elif name == b"authorization" and value[:7].lower() == b"bearer ":
                key = value[7:].decode("latin-1")
            elif name == b"cookie":
                token = _cookie(value.decode("latin-1"), cookie) or token
        if key:
            principal = accounts.machine(key)
        elif token:
            principal = accounts.session(token)
        scope["user"] = principal
        scope["auth"] = token
        await next_app(scope, receive, send)


def check_contract(profile: Profile, principal: Principal) -> None:
    """Rule 8: the access of an agency's people and keys ends with its contract. Refusal then, before anything is looked for."""
    if not profile.acts_for(principal.agency, principal.contractor, clock.today()):
        raise contract_ended()


def _cookie(header: str, name: str) -> str:
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def is_own_request(connection: ASGIConnection) -> bool:  # type: ignore[type-arg]
    """Whether the browser says that a page of this very service sent the request."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = connection.headers.get("origin")
    return origin is not None and origin == connection.app.state.runtime.settings.public_url.rstrip("/")


def _check_caller(connection: ASGIConnection) -> Principal:  # type: ignore[type-arg]
    principal: Principal | None = connection.scope.get("user")
    if principal is None:
        raise NotAuthorizedException
    if (
        principal.via == "session"
        and connection.scope.get("method", "GET") not in SAFE
        and not is_own_request(connection)
    ):
        raise PermissionDeniedException
    return principal


async def staff(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Guard: anyone with an account or a key; what they may see is decided by the route's own query."""
    _check_caller(connection)


async def person(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Guard: a named person who signed in, never a machine."""
    if _check_caller(connection).via != "session":
        raise PermissionDeniedException


def roles(*allowed: str, scope: str = "") -> Guard:
    """Guard: a person with one of the roles, or a key with the scope."""

    async def guard(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        principal = _check_caller(connection)
        permitted = scope in principal.scopes if principal.via == "key" else not principal.roles.isdisjoint(allowed)
        if not permitted:
            raise PermissionDeniedException

    return guard


def late(guard: Guard) -> Guard:
    """Guard: as `guard`, but lets a posted page through after its session ended, so that its route can ask to sign in and
    give everything typed back. The route must treat a missing principal as refused. Another site's page is not let through:
    what it sent would come back as if the person had typed it."""

    async def admit(connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        form = connection.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        if not (form and connection.scope.get("user") is None and is_own_request(connection)):
            await guard(connection, handler)

    return admit


def principal_of(request: Request) -> Principal:  # type: ignore[type-arg]
    """The caller of a guarded route."""
    principal: Principal | None = request.scope.get("user")
    if principal is None:
        raise NotAuthorizedException
    return principal


def check_token(principal: Principal, token: str) -> None:
    """A posted page must carry its session's token. Refusal when it does not."""
    if principal.via == "session" and not hmac.compare_digest(principal.csrf.encode(), token.encode()):
        raise Refusal(
            403, "page-expired", "画面の有効期限が切れています。", "画面を開き直して、もう一度操作してください。"
        )
