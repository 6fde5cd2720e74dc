"""What the documentation tells people to type works as it stands, on the real servers; what it names is there."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack
from tsunagi_documents.__main__ import main as documents_main
from tsunagi_intake.__main__ import main as intake_main
from tsunagi_notify.__main__ import main as notify_main
from tsunagi_shared import clock
from tsunagi_shared.contracts.streams import SERVICES

REPOSITORY = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60.0
MAIN: dict[str, Callable[[], int | None]] = {
    "intake": intake_main,
    "documents": documents_main,
    "notify": notify_main,
}

# The agency and scopes each README makes its own key with.
KEYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "intake": ("disability", ("referrals:write", "cases:read", "metrics")),
    "documents": ("sample-care", ("documents:read", "metrics")),
    "notify": ("sample-care", ("inbox:read", "deliveries:read", "deliveries:resend", "metrics")),
}


def readme_of(service: str) -> str:
    return (REPOSITORY / "services" / service / "README.md").read_text(encoding="utf-8")


def curl_script(text: str) -> str:
    """The ```sh blocks, one after another, as one script that stops at the first line that fails."""
    blocks: list[str] = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "\n".join(["set -euo pipefail", *blocks])


def command_lines(service: str) -> list[list[str]]:
    """What follows the service's command on each line of its own, in order, without comment and redirection."""
    lines = re.findall(rf"^(?:    )?tsunagi-{service}\b(.*)$", readme_of(service), re.MULTILINE)
    return [shlex.split(line.partition(" > ")[0], comments=True) for line in lines]


def documentation() -> list[Path]:
    """Every page that developers and operators read."""
    pages = [*REPOSITORY.glob("README*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    return sorted([*pages, *REPOSITORY.glob("services/*/README.md")])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The services on real servers, without PDFs."""
    running = Stack(tmp_path_factory.mktemp("stack"), pdf="off")
    asyncio.run(running.start())
    yield running
    asyncio.run(running.stop())


def key_for(stack: Stack, service: str) -> str:
    agency, scopes = KEYS[service]
    accounts = stack.accounts()
    try:
        return accounts.add_key("見本システム", agency, (), scopes)
    finally:
        accounts.close()


def run_readme(stack: Stack, service: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "URL": stack.url_of(service), "KEY": key_for(stack, service)}
    environment |= {"HOME": str(folder), "LANG": "C.UTF-8"}
    return subprocess.run(
        ["bash", "-c", curl_script(readme_of(service))],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@asynccontextmanager
async def caller(stack: Stack, service: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"X-API-Key": key_for(stack, service)}
    async with httpx.AsyncClient(base_url=stack.url_of(service), headers=headers, trust_env=False) as client:
        yield client


async def until(client: httpx.AsyncClient, path: str, reached: Callable[[list[Any]], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not reached((await client.get(path)).raise_for_status().json()["items"]):
        assert time.monotonic() < deadline, f"{path} did not get there"
        await asyncio.sleep(0.1)


def test_each_readme_shows_lines_to_try() -> None:
    """Every service's README has curl lines for the service's own address, and each of them tells when it fails."""
    for service in SERVICES:
        calls = re.findall(r"\bcurl (?:[^\n]*\\\n)*[^\n]*", curl_script(readme_of(service)))
        assert len(calls) >= 3, service
        assert [call for call in calls if '"$URL/' not in call or not re.search(r" (-fsS|--fail) ", call)] == []


async def test_the_curl_lines_of_every_readme_succeed(stack: Stack, tmp_path: Path) -> None:
    """In the order in which a case goes: intake takes a form, then documents has a document, then notify a notice."""
    for service in SERVICES:
        folder = tmp_path / service
        folder.mkdir()
        run = await asyncio.to_thread(run_readme, stack, service, folder)
        assert run.returncode == 0, f"{service}: {run.stdout}\n{run.stderr}"
        if service == "intake":  # what it set off is there before the next README is tried
            async with caller(stack, "documents") as client:
                await until(client, "/documents", lambda items: bool(items) and items[0]["state"] == "stored")
            async with caller(stack, "notify") as client:
                await until(client, "/inbox", bool)


@pytest.fixture
def own_clock() -> Iterator[None]:
    """A command follows the clock file of its settings; the tests after it do not."""
    yield
    clock.follow(None)


def run_command(service: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """The service's command as the shell would call it; its status."""
    monkeypatch.setattr(sys, "argv", [f"tsunagi-{service}", *arguments])
    try:
        return int(MAIN[service]() or 0)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize("service", SERVICES)
def test_the_commands_of_every_readme_do_their_work(
    stack: Stack, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the running service, in the order of the page; accounts are kept apart so that pages may share names."""
    environment = {**stack.environment_of(service), "TSUNAGI_ACCOUNTS": str(tmp_path / "accounts.db")}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    lines = command_lines(service)
    tried = 0
    for arguments in lines:
        if arguments in ([], ["serve"]):  # that is how the stack runs it
            continue
        wanted = ["backup", str(tmp_path / "copies")] if arguments[0] == "backup" else arguments
        status = run_command(service, wanted, monkeypatch)
        assert (status, capsys.readouterr().err) == (0, ""), arguments
        tried += 1
    assert tried >= 3
    assert ["serve"] in lines or [] in lines


def test_make_targets_named_in_the_documentation_exist() -> None:
    """`make something` in any page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        (path.name, target)
        for path in documentation()
        for target in re.findall(r"(?:`|^ *|\$ )make ([a-z]+)\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {(name, target) for name, target in named if target not in targets} == set()


def test_paths_named_in_the_documentation_exist() -> None:
    """A path in back quotes that begins with a folder of the repository leads somewhere, or the page has it made."""
    missing = []
    for page in documentation():
        text = page.read_text(encoding="utf-8")
        made = tuple(re.findall(r"^mkdir -p (\S+)$", text, re.MULTILINE))  # what the page's reader makes
        for path in re.findall(r"`((?:deploy|docs|services|shared|tests)/[\w./-]*)`", text):
            if not (REPOSITORY / path).exists() and not (made and path.startswith(made)):
                missing.append(f"{page.relative_to(REPOSITORY)}: {path}")
    assert missing == []
