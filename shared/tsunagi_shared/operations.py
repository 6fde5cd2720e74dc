"""What the people who run a service look at: alive, ready, metrics, and the description of its API. No resident's data."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from tsunagi_shared import jobs, outbox
from tsunagi_shared.auth import roles
from tsunagi_shared.forms.schema import form_schema
from tsunagi_shared.inbox import dead_letters
from tsunagi_shared.runtime import Runtime


@get("/healthz", media_type=MediaType.TEXT, summary="動いているか", opt={"public": True})
async def healthz() -> str:
    """The process answers."""
    return "ok\n"


class Readiness(msgspec.Struct, frozen=True):
    """What works now. `ready` is False only when the service cannot do its own part; the bus being away is survived."""

    ready: bool
    database: bool
    bus: bool
    bus_problem: str
    outbox_age_seconds: float
    dead_letters: int
    jobs_failed: int
    parts: dict[str, str]
    notes: dict[str, str]  # trouble that is survived, such as a mail server that is away


@get("/readyz", summary="仕事ができるか", opt={"public": True})
async def readyz(runtime: NamedDependency[Runtime]) -> Response[Readiness]:
    """Database written and read; the bus, the outbox, dead letters and the service's own parts are told beside it."""
    figures = await runtime.database.read(_figures)
    parts = {name: await check() for name, check in runtime.parts.checks.items()}
    ready = all(not problem for problem in parts.values())
    body = Readiness(
        ready=ready, database=True, bus=runtime.bus.connected, bus_problem=runtime.bus.problem,
        outbox_age_seconds=round(figures.outbox_age, 1), dead_letters=figures.dead_letters, jobs_failed=figures.failed,
        parts=parts, notes={name: tell() for name, tell in runtime.parts.notes.items()},
    )  # fmt: skip
    return Response(body, status_code=200 if ready else 503)


class _Figures(msgspec.Struct, frozen=True):
    outbox_age: float
    dead_letters: int
    jobs: dict[tuple[str, str], int]

    @property
    def failed(self) -> int:
        return sum(number for (_, state), number in self.jobs.items() if state == "failed")


def _figures(connection: Connection) -> _Figures:
    letters = connection.execute(sa.select(sa.func.count()).select_from(dead_letters)).scalar_one()
    return _Figures(outbox.oldest_age_seconds(connection), letters, jobs.counts(connection))


class _Metrics(Collector):
    def __init__(self, runtime: Runtime, figures: _Figures) -> None:
        self._runtime = runtime
        self._figures = figures

    def collect(self) -> list[Metric]:
        requests = CounterMetricFamily(
            "tsunagi_http_requests", "Requests by route template and status", labels=["route", "status"]
        )
        for (route, status), number in self._runtime.requests.items():
            requests.add_metric([route, str(status)], number)
        waiting = GaugeMetricFamily("tsunagi_jobs", "Jobs by kind and state", labels=["kind", "state"])
        for (kind, state), number in self._figures.jobs.items():
            waiting.add_metric([kind, state], number)
        return [
            requests,
            waiting,
            GaugeMetricFamily(
                "tsunagi_outbox_age_seconds", "Age of the oldest unsent event", value=self._figures.outbox_age
            ),
            GaugeMetricFamily(
                "tsunagi_dead_letters", "Events that could not be handled", value=self._figures.dead_letters
            ),
            GaugeMetricFamily(
                "tsunagi_bus_connected", "1 when the hub is reached", value=float(self._runtime.bus.connected)
            ),
            CounterMetricFamily("tsunagi_commits", "Commits of the writer", value=self._runtime.database.commits),
        ]


@get("/metrics", media_type=MediaType.TEXT, summary="監視用の数値", guards=[roles("administrator", scope="metrics")])
async def metrics(runtime: NamedDependency[Runtime]) -> bytes:
    """Prometheus text; for an administrator or a key with the scope `metrics`."""
    registry = CollectorRegistry()
    registry.register(_Metrics(runtime, await runtime.database.read(_figures)))
    return generate_latest(registry)


def _description(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The OpenAPI description; a route that checks a form itself (opt `form`) gets that form's schema as its body."""
    schema: dict[str, Any] = request.app.openapi_schema.to_schema()
    for route in request.app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler) and "form" in handler.opt:
                content = {"schema": form_schema(handler.opt["form"])}
                operation = schema["paths"][route.path_format]["post"]
                operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return schema


@get("/openapi.json", summary="APIの説明（OpenAPI）", opt={"public": True}, include_in_schema=False)
async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The OpenAPI 3.1 description of this service."""
    return Response(msgspec.json.encode(_description(request)), media_type="application/json")


@get("/docs", media_type=MediaType.HTML, summary="APIの説明", opt={"public": True}, include_in_schema=False)
async def docs(request: Request[Any, Any, Any], runtime: NamedDependency[Runtime]) -> str:
    """The same as a page, served from here alone."""
    return runtime.pages.render("docs.html", principal=request.scope.get("user"), description=_description(request))


ROUTES = (healthz, readyz, metrics, openapi, docs)
