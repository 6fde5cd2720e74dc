"""Each service as its contractor gets it: built into wheels, installed where no sibling is, and started alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import sysconfig
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.processes import ChildProcess
from deploy.local.servers import REPOSITORY
from tsunagi_shared.contracts.streams import SERVICES

MEMBERS = ("shared", *(f"services/{name}" for name in SERVICES))
PROFILE = REPOSITORY / "deploy" / "profiles" / "fussa"
THIRD_PARTY = sysconfig.get_path("purelib")


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """What a command prints; AssertionError with everything it said when it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the four wheels, built without a network and without leaving anything in the source tree."""
    folder = tmp_path_factory.mktemp("wheels")
    members = [str(REPOSITORY / member) for member in MEMBERS]
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-build-isolation",
        "--no-deps", "--wheel-dir", folder, *members,
    )  # fmt: skip
    assert len(list(folder.glob("*.whl"))) == len(MEMBERS)
    return folder


def installed_alone(name: str, wheels: Path, folder: Path) -> Path:
    """A fresh virtual environment with the shared library, this one service and the packages of others.

    Those are looked up in this environment's own folder: a path file gives the folder and does not follow the path files in
    it, so that what is installed here as editable (every sibling) is out of reach.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    wanted = [next(wheels.glob(f"tsunagi_{part}-*.whl")) for part in ("shared", name)]
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check", "--no-index",
        "--no-deps", *wanted,
    )  # fmt: skip
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (packages / "third-party.pth").write_text(THIRD_PARTY + "\n", encoding="utf-8")
    return folder / "bin"


def settings_for(name: str, folder: Path, port: int) -> dict[str, str]:
    """The settings of a service whose hub, bucket and mail server are all away."""
    away = free_ports(1)[0]
    for file in ("secret", "seed", "access_key", "secret_key"):
        (folder / file).write_text("s" * 40, encoding="ascii")
    settings: dict[str, object] = {
        "PROFILE": PROFILE,
        "DATABASE": folder / f"{name}.db",
        "ACCOUNTS": folder / "accounts.db",
        "SECRET_FILE": folder / "secret",
        "NATS_SEED_FILE": folder / "seed",
        "NATS_URL": f"nats://{LOOPBACK}:{away}",
        "PORT": port,
        "PUBLIC_URL": f"http://{LOOPBACK}:{port}",
        "COOKIE_SECURE": "false",
    }
    if name == "documents":
        settings |= {
            "S3_ENDPOINT": f"{LOOPBACK}:{away}",
            "S3_SECURE": "false",
            "S3_ACCESS_KEY_FILE": folder / "access_key",
            "S3_SECRET_KEY_FILE": folder / "secret_key",
        }
    if name == "notify":
        settings |= {"SMTP_HOST": LOOPBACK, "SMTP_PORT": away, "SMTP_FROM": "tsunagi@example.jp"}
    return {f"TSUNAGI_{key}": str(value) for key, value in settings.items()}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_from_its_wheel_beside_no_sibling(name: str, wheels: Path, tmp_path: Path) -> None:
    """Installed alone, a service knows its settings, migrates its database, and serves its pages with the hub away."""
    programs = installed_alone(name, wheels, tmp_path / "venv")
    for sibling in set(SERVICES) - {name}:
        code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('tsunagi_{sibling}') is not None)"
        run(programs / "python", "-c", code)
    own = run(programs / "python", "-c", f"import tsunagi_{name}; print(tsunagi_{name}.__file__)")
    assert own.startswith(str(tmp_path)), "it is the installed package that runs, not the source tree"
    assert "TSUNAGI_NATS_SEED_FILE" in run(programs / f"tsunagi-{name}", "settings", environment={})

    folder = tmp_path / "data"
    folder.mkdir()
    port = free_ports(1)[0]
    service = ChildProcess(
        f"tsunagi-{name}",
        [str(programs / f"tsunagi-{name}"), "serve"],
        folder / "service.log",
        environment=settings_for(name, folder, port),
        working_folder=folder,
    )
    asyncio.run(_look_at(service, f"http://{LOOPBACK}:{port}"))


async def _look_at(service: ChildProcess, url: str) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=5.0, base_url=url) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/healthz")).status_code == 200
            except httpx.TransportError:
                return False

        await service.start(answers)
        try:
            style = await client.get("/style.css")
            assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
            for page in ("/sign-in", "/docs"):
                answer = await client.get(page)
                assert answer.status_code == 200, page
                assert "<html" in answer.text
            ready = (await client.get("/readyz")).json()
            assert ready["database"] is True
            assert ready["bus"] is False
            assert ready["bus_problem"]
        finally:
            await service.stop()
    assert not service.running
