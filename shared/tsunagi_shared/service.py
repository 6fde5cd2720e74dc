"""Runs any of the services from one declaration: settings, migrations, database, bus, outbox, jobs, health, pages, signals."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from litestar import Litestar, MediaType, Request, Response, Router, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler, Scope

from tsunagi_shared import audit, audit_pages, clock, idempotency, inbox, operations, sign_in
from tsunagi_shared.accounts import Accounts
from tsunagi_shared.auth import Identify
from tsunagi_shared.bus import Bus
from tsunagi_shared.contracts.envelope import source_of
from tsunagi_shared.contracts.profile import load_profile
from tsunagi_shared.contracts.streams import streams_read_by
from tsunagi_shared.database import Database
from tsunagi_shared.jobs import Worker
from tsunagi_shared.outbox import Outbox, Relay
from tsunagi_shared.problems import answer, problem_of, wants_page
from tsunagi_shared.refusals import Refusals
from tsunagi_shared.runtime import Parts, Runtime
from tsunagi_shared.settings import Settings, secret
from tsunagi_shared.web.pages import Pages

BODY_LIMIT = 1024 * 1024
CLEAN_SECONDS = 3600
GC_THRESHOLDS = (50_000, 20, 50)  # new objects before a young, a middle, a full collection
CLEAN_PAUSE_SECONDS = 0.05
PLUMBING_MIGRATIONS = (Path(__file__).parent / "migrations" / "plumbing", "alembic_plumbing")

log = structlog.get_logger("service")


@dataclass(frozen=True)
class Service:
    """The declaration of one service. `folder` is its package: `migrations/versions` and `html` lie there."""

    name: str
    title: str
    folder: Path
    settings: type[Settings]
    routes: Sequence[ControllerRouterHandler]
    parts: Callable[[Runtime], Parts]
    shows_audit: bool = False  # GET /audit


def build_runtime(service: Service, settings: Settings) -> Runtime:
    """Everything the service consists of, opened but not started. ProfileError, SettingsError."""
    clock.follow(settings.clock_file)
    profile = load_profile(settings.profile)
    navigation = [("受付", settings.intake_url), ("文書", settings.documents_url), ("お知らせ", settings.notify_url)]
    database = Database(settings.database)
    runtime = Runtime(
        name=service.name,
        settings=settings,
        profile=profile,
        database=database,
        accounts=Accounts(settings.accounts, secret(settings.secret_file), profile.contractor_on),
        refusals=Refusals(database),
        bus=Bus(service.name, settings.nats_url, settings.nats_seed_file, settings.nats_ca_file),
        outbox=Outbox(source_of(profile.municipality.code, service.name), profile.version),
        pages=Pages(
            service.folder / "html",
            title=service.title,
            navigation=[(label, url) for label, url in navigation if url],
            municipality=profile.municipality.name,
            agency_names=profile.agency_names,
        ),
    )
    runtime.database.open(PLUMBING_MIGRATIONS, (service.folder / "migrations" / "versions", f"alembic_{service.name}"))
    runtime.parts = service.parts(runtime)
    return runtime


@asynccontextmanager
async def running(runtime: Runtime) -> AsyncIterator[None]:
    """Start the parts in an order in which none needs a later one, and stop them in reverse."""
    reader = inbox.Inbox(runtime.database, runtime.profile.municipality.code, runtime.parts.handlers)
    relay = Relay(runtime.database, runtime.bus, runtime.parts.published)
    worker = Worker(runtime.database, runtime.parts.jobs)
    await runtime.parts.start()
    runtime.bus.start()
    relay.start()
    worker.start()
    for stream in streams_read_by(runtime.name):
        runtime.bus.consume(stream, partial(reader.take, stream))
    cleaning = asyncio.create_task(_clean(runtime), name="clean")
    try:
        yield
    finally:
        cleaning.cancel()
        await runtime.refusals.flush()
        await worker.stop()
        await runtime.bus.stop()
        await relay.stop()
        await runtime.parts.stop()
        runtime.database.close()
        runtime.accounts.close()


async def _clean(runtime: Runtime) -> None:
    """Once an hour, forget what is past its time."""
    while True:
        try:
            for forget in (inbox.forget_old, idempotency.forget_old):
                while await runtime.database.write(forget):  # noqa: ASYNC110 - a pause: what people wait for goes first
                    await asyncio.sleep(CLEAN_PAUSE_SECONDS)
            await runtime.refusals.flush()
            end = await runtime.database.read(audit.head)
            log.info("audit-head", seq=end.seq, hash=end.hash)  # outside the database: a tail cut off shows
        except Exception as error:  # noqa: BLE001 - what could not be forgotten now is forgotten in an hour
            log.error("not-cleaned", reason=type(error).__name__)
        await asyncio.sleep(CLEAN_SECONDS)


def create_app(service: Service, runtime: Runtime) -> Litestar:
    """The HTTP side. Every route names its guard or is marked public (tests/architecture).

    The application knows its runtime by `app.state.runtime` alone: what is built here is the same for every runtime.
    """
    style, icon = runtime.pages.style, runtime.pages.icon

    @get("/style.css", media_type=MediaType.CSS, opt={"public": True}, include_in_schema=False)
    async def stylesheet() -> Response[bytes]:
        """The one style sheet; nothing is loaded from another host."""
        return Response(style, media_type=MediaType.CSS, headers={"Cache-Control": "max-age=3600"})

    @get("/favicon.ico", media_type="image/svg+xml", opt={"public": True}, include_in_schema=False)
    async def pictogram() -> Response[bytes]:
        """The picture on a browser's tab: browsers ask for it under this name, on PDFs too. It is an SVG."""
        return Response(icon, media_type="image/svg+xml", headers={"Cache-Control": "max-age=3600"})

    return Litestar(
        route_handlers=[
            *service.routes,
            *operations.ROUTES,
            *sign_in.ROUTES,
            *(audit_pages.ROUTES if service.shows_audit else ()),
            stylesheet,
            pictogram,
        ],
        lifespan=[_lifespan],
        state=State({"runtime": runtime}),
        dependencies={"runtime": Provide(_runtime, sync_to_thread=False)},
        middleware=[Identify()],
        exception_handlers={Exception: _on_error},
        after_exception=[_after_exception],
        before_send=[_harden],
        request_max_body_size=BODY_LIMIT,
        openapi_config=OpenAPIConfig(
            title=f"つなぎ {service.title}",
            version="1",
            render_plugins=[],
            openapi_router=Router("/schema-unused", route_handlers=[], guards=[_closed], include_in_schema=False),
        ),
        logging_config=None,
    )


@asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncIterator[None]:
    async with running(app.state.runtime):
        yield


def _runtime(state: State) -> Runtime:
    runtime: Runtime = state.runtime
    return runtime


async def _after_exception(error: Exception, scope: Scope) -> None:
    await scope["litestar_app"].state.runtime.refusals.after_exception(error, scope)


async def _closed(_: Any, __: Any) -> None:
    """Guard of the addresses that the framework adds for its own description: ours is /openapi.json, these are not there."""
    raise NotFoundException


def _on_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """One answer for each fault; a page that needs a sign-in leads there."""
    if isinstance(error, NotAuthorizedException) and wants_page(request) and request.method == "GET":
        return Redirect("/sign-in", query_params={"next": _path_and_query(request)}, status_code=303)
    return answer(request, request.app.state.runtime.pages, problem_of(error))


def _path_and_query(request: Request[Any, Any, Any]) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return request.scope["path"] + (f"?{query}" if query else "")


_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
)


async def _harden(message: Any, scope: Any) -> None:
    """Closed defaults on every answer (nothing sniffed, framed, referred or loaded from elsewhere), and a count of answers
    by route template: never by path or query, which hold numbers and search words."""
    if message["type"] == "http.response.start":
        message["headers"] = [*message["headers"], *_HEADERS]
        requests = scope["litestar_app"].state.runtime.requests
        key = (str(scope.get("path_template", "")), message["status"])
        requests[key] = requests.get(key, 0) + 1


def configure_logging(level: str) -> None:
    """One JSON line an event on standard error: names and codes, never bodies, paths or values."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.ERROR, handlers=[logging.NullHandler()])


def serve(service: Service, settings: Settings) -> None:
    """Run until SIGTERM or Ctrl-C. One worker: one writer a database."""
    configure_logging(settings.log_level)
    runtime = build_runtime(service, settings)
    app = create_app(service, runtime)
    # What is there now stays: a full collection that walks it again stops everybody for 40 ms (p99 of POST /referrals)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    log.info("starting", service=service.name, port=settings.port)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=10,
        limit_concurrency=512,
        proxy_headers=False,
        h11_max_incomplete_event_size=65536,
    )
