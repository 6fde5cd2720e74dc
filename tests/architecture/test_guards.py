"""Every route of every service names its guard, or is one of the few that are public; asked without credentials, it shuts."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from tests.data.services import close, runtime_in, service_named
from tsunagi_shared.contracts.streams import SERVICES
from tsunagi_shared.service import create_app

# Whoever reaches the port may ask these. No other route answers without knowing who asks.
PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/style.css"),
    ("GET", "/favicon.ico"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
}
# notify's first page leads on to the inbox, which asks who is there; it tells nothing itself.
ALSO_PUBLIC = {"notify": {("GET", "/")}}


def routes(app: Litestar) -> list[tuple[str, str, HTTPRouteHandler]]:
    """(method, path, handler) of everything the service answers."""
    return [
        (str(method), route.path_format, handler)
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods
        if method not in ("OPTIONS", "HEAD")
    ]


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_names_its_guard(service: str, tmp_path: Path) -> None:
    """A route without a guard is one of the public ones, and says so itself."""
    runtime = runtime_in(tmp_path, service)
    try:
        found = routes(create_app(service_named(service), runtime))
        allowed = PUBLIC | ALSO_PUBLIC.get(service, set())
        assert len(found) > len(allowed)
        public = {(method, path) for method, path, handler in found if handler.opt.get("public") is True}
        assert public == allowed
        unguarded = {(method, path) for method, path, handler in found if not handler.resolve_guards()}
        assert unguarded == allowed
    finally:
        await close(runtime)


@pytest.mark.parametrize("service", SERVICES)
async def test_no_guarded_route_answers_a_stranger(service: str, tmp_path: Path) -> None:
    """Asked for real, with no, forged and foreign credentials: 401 (or the way to the sign-in page), and never a fault."""
    runtime = runtime_in(tmp_path, service)
    app = create_app(service_named(service), runtime)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
            for method, path, _ in routes(app):
                if (method, path) in PUBLIC | ALSO_PUBLIC.get(service, set()):
                    continue
                address = re.sub(r"\{[^}]*(id|uuid)[^}]*\}", "01972f3c-0000-7000-8000-000000000001", path)
                address = re.sub(r"\{[^}]+\}", "1", address)
                for headers in ({}, {"X-API-Key": "a.b"}, {"Cookie": "tsunagi=forged"}):
                    answer = await client.request(method, address, headers={"Accept": "application/json", **headers})
                    # the framework's own addresses for its description are closed to everybody
                    assert answer.status_code == (404 if path.startswith("/schema-unused") else 401), (method, path)
                    form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html", **headers}
                    answer = await client.request(method, address, headers=form)
                    assert answer.status_code in (303, 401, 403, 404), (method, path)
                    if answer.status_code == 303:
                        assert answer.headers["location"].startswith("/sign-in?next=")
    finally:
        await close(runtime)
