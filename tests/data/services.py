"""Any of the three services in a temporary folder, with the profile of 福生市; hub and store are away unless named."""

from __future__ import annotations

import asyncio
import importlib
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from litestar import Litestar

from deploy.local.ports import free_ports
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.service import Service, build_runtime, create_app
from tsunagi_shared.settings import Settings

PROFILE = Path(__file__).parents[2] / "deploy" / "profiles" / "fussa"
PATIENCE_SECONDS = 15.0


def service_named(name: str) -> Service:
    """The declaration of a service."""
    service: Service = importlib.import_module(f"tsunagi_{name}.app").SERVICE
    return service


def settings_in(folder: Path, service: Service, **changes: Any) -> Settings:
    """Settings whose files lie in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "secret"
    if not secret.exists():
        secret.write_text(secrets.token_urlsafe(48))
    values: dict[str, Any] = {
        "profile": PROFILE,
        "database": folder / f"{service.name}.db",
        "accounts": folder / "accounts.db",
        "secret_file": secret,
        "nats_seed_file": folder / "no-seed",
        "nats_url": f"nats://127.0.0.1:{free_ports(1)[0]}",
        "public_url": f"http://{service.name}.test",
        "cookie_secure": False,
    }
    if service.name == "documents":
        values |= {"s3_access_key_file": secret, "s3_secret_key_file": secret, "pdf": "off"}
    if service.name == "notify":
        values |= {"smtp_host": "127.0.0.1", "smtp_from": "tsunagi@city.example.jp", "smtp_starttls": False}
    return service.settings(**{**values, **changes})


def runtime_in(folder: Path, name: str, **changes: Any) -> Runtime:
    """A service, opened and not started."""
    service = service_named(name)
    return build_runtime(service, settings_in(folder, service, **changes))


@contextmanager
def app_of(service: Service, runtime: Runtime) -> Iterator[Litestar]:
    """The application of a runtime. Those of ended tests are used again with the next runtime: building one takes a fifth of
    a second, and it knows its runtime by its state alone."""
    idle = _idle_apps.setdefault(service.name, [])
    app = idle.pop() if idle else create_app(service, runtime)
    app.state.runtime = runtime
    try:
        yield app
    finally:
        del app.state.runtime
        idle.append(app)


_idle_apps: dict[str, list[Litestar]] = {}


async def close(runtime: Runtime) -> None:
    """Let go of a service that was not started."""
    await runtime.parts.stop()
    runtime.database.close()
    runtime.accounts.close()


async def rows_of(runtime: Runtime, table: sa.Table) -> list[dict[str, Any]]:
    """Every row of a table, in the order of its key."""
    found = await runtime.database.read(
        lambda connection: connection.execute(sa.select(table).order_by(*table.primary_key.columns)).all()
    )
    return [dict(row._mapping) for row in found]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until the condition holds; AssertionError when it does not in time."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)
