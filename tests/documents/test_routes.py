"""The pages and the API of documents, as a browser and a program see them."""

from __future__ import annotations

import asyncio
import os
import re
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import sqlalchemy as sa
import uvicorn

from deploy.local.ports import free_ports
from deploy.local.servers import REPOSITORY, ObjectStore
from tests.documents.running_service import (
    CONSENT_ENTRY,
    CONTRACTED,
    DESTINATION,
    ORIGIN,
    PROVIDER,
    RunningService,
    receive,
    referral,
    running_service,
    settings_in,
    until,
)
from tests.documents.sample_referrals import SHORT_FORM
from tsunagi_documents.app import SERVICE
from tsunagi_documents.pages import content_disposition
from tsunagi_documents.reading import DocumentView
from tsunagi_documents.tables import documents, files
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.service import build_runtime, create_app

SUMMARY, SHEET = ("referral_sheet", "summary"), ("referral_sheet", "full")
PAGE = {"Accept": "text/html"}
MOMENT_US = 1_700_000_000_000_000


async def page_of(service: RunningService, path: str, headers: dict[str, str]) -> str:
    """A page as a browser gets it."""
    answer = await service.client.get(path, headers={**headers, **PAGE})
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_the_page_says_what_it_is_and_why_one_may_read_it(tmp_path: Path, store: ObjectStore) -> None:
    """Title, numbers, marks, the Word link and the basis in Japanese; nothing of what the form says."""
    async with running_service(tmp_path, store) as service:
        ids = await service.stored(referral())
        page = await page_of(service, f"/documents/{ids[SUMMARY]}", service.sign_in("hana", DESTINATION))
        listed = await page_of(service, "/documents", service.sign_in("jiro", DESTINATION))
    for words in ("取扱注意", "R8-00012", "C8-00034", "概要", "令和8年11月30日", "同意しているため", "Wordを開く"):
        assert words in page
    assert "だれが開いたか" not in page
    assert f'href="/documents/{ids[SUMMARY]}"' in listed
    for text in (page, listed):
        for secret in (SHORT_FORM.person.name, SHORT_FORM.chief_complaint, SHORT_FORM.person.phone):
            assert secret not in text


async def test_a_paper_closed_to_the_support_meeting_says_so(tmp_path: Path, store: ObjectStore) -> None:
    """支援会議限り stands on the page and in the list."""
    async with running_service(tmp_path, store) as service:
        ids = await service.stored(referral(support_meeting_only=True))
        headers = service.sign_in("ken", PROVIDER, "coordinator")
        assert SUMMARY not in ids
        assert "支援会議限り" in await page_of(service, f"/documents/{ids[SHEET]}", headers)
        assert "支援会議限り" in await page_of(service, "/documents", headers)


async def test_those_who_watch_over_the_case_see_who_opened_it(tmp_path: Path, store: ObjectStore) -> None:
    """Coordinator and responsible section see the openings and the agencies that cannot be reached; others do not."""
    stranger = msgspec.structs.replace(CONSENT_ENTRY, agency="nobody-knows", view=referral().audience[0].view)
    sitting = msgspec.structs.replace(stranger, basis=msgspec.structs.replace(stranger.basis, kind="sitting"))
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral(sitting)))[SHEET]
        reader = service.sign_in("mado", ORIGIN, "clerk")
        await service.client.get(f"/documents/{identity}/versions/1/docx", headers=reader)
        watching = await page_of(service, f"/documents/{identity}", service.sign_in("ken", PROVIDER, "coordinator"))
        assert "見本 mado" in watching
        assert "nobody-knows" in watching
        assert "見本 mado" not in (await page_of(service, f"/documents/{identity}", reader)).split("<main")[1]
        answer = (await service.client.get(f"/documents/{identity}", headers=reader)).json()
    assert answer["openings"] is None
    assert answer["basis"]["kind"] == "origin"


async def test_who_does_not_watch_over_the_case_sees_no_openings(tmp_path: Path, store: ObjectStore) -> None:
    """A coordinator of an agency that has the summary, or of another that has the whole paper, is told of nobody; nor is the
    provider on a summary, nor somebody of it without the role."""
    whole = AudienceEntry(CONTRACTED, Basis(BasisKind.SITTING, "sitting/1"), View.FULL)
    async with running_service(tmp_path, store) as service:
        ids = await service.stored(referral(whole, msgspec.structs.replace(CONSENT_ENTRY, agency=PROVIDER)))
        reader = service.sign_in("ken", PROVIDER, "coordinator")
        await service.client.get(f"/documents/{ids[SHEET]}/versions/1/docx", headers=reader)
        for user, agency, role, which in (
            ("hana", DESTINATION, "coordinator", SUMMARY),
            ("sho", DESTINATION, "responsible_section", SUMMARY),
            ("rei", CONTRACTED, "coordinator", SHEET),
            ("aki", PROVIDER, "coordinator", SUMMARY),
            ("jun", PROVIDER, "agency_staff", SHEET),
        ):
            headers = service.sign_in(user, agency, role)
            answer = (await service.client.get(f"/documents/{ids[which]}", headers=headers)).json()
            assert (answer["openings"], answer["unreached"]) == (None, None), user
            assert "見本 ken" not in (await page_of(service, f"/documents/{ids[which]}", headers)).split("<main")[1]
        watching = (await service.client.get(f"/documents/{ids[SHEET]}", headers=reader)).json()
    assert [opening["user_name"] for opening in watching["openings"]] == ["見本 ken"]


async def test_a_document_that_is_not_there_yet_or_failed_says_so(tmp_path: Path, store: ObjectStore) -> None:
    """作成中 and 作成できませんでした are said in words, with the way out, and /current leads to that page."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral()))[SUMMARY]
        headers = service.sign_in("hana", DESTINATION)
        for state, words in (("pending", "文書を作成しています"), ("failed", "文書を作成できませんでした")):
            await service.runtime.database.write(
                lambda connection, state=state: connection.execute(  # type: ignore[misc]
                    sa.update(documents).values(state=state, code="template-error" if state == "failed" else "")
                )
            )
            await service.runtime.database.write(lambda connection: connection.execute(sa.delete(files)))
            assert words in await page_of(service, f"/documents/{identity}", headers)
            current = await service.client.get(f"/documents/{identity}/current", headers=headers)
            assert current.headers["location"] == f"/documents/{identity}"
            missing = await service.client.get(f"/documents/{identity}/versions/1/docx", headers=headers)
            assert missing.status_code == 404


async def test_a_file_is_served_closed_and_named_by_number_and_kind(tmp_path: Path, store: ObjectStore) -> None:
    """no-store, nosniff, the type of the file, and a name without a resident's."""
    async with running_service(tmp_path, store) as service:
        identity = (await service.stored(referral()))[SUMMARY]
        answer = await service.client.get(
            f"/documents/{identity}/versions/1/docx", headers=service.sign_in("hana", DESTINATION)
        )
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"].startswith("application/vnd.openxmlformats-officedocument")
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="R8-00012_referral_sheet.docx"; ')
    assert urllib.parse.unquote(disposition.split("''")[1]) == "R8-00012_共通様式概要版.docx"


def test_a_file_name_cannot_break_out_of_its_header() -> None:
    """A numbering with Japanese, quotes or a line break gives a plain name beside the encoded one; a PDF is shown inline."""
    view = DocumentView(
        id="d",
        kind="referral_sheet",
        title="共通様式（つなぎシート）",
        view="full",
        number='福生受"\r\n第12号/',
        case_number="C",
        state="stored",
        code="",
        version=1,
        support_meeting_only=False,
        urgency="normal",
        reply_by=None,
        received_at=0,
        made_at=None,
    )
    header = content_disposition(view, "pdf")
    assert header.isascii()
    assert "\r" not in header
    assert header.count('"') == 2
    assert header.startswith("inline; ")
    assert urllib.parse.unquote(header.split("''")[1]) == "福生受___第12号__共通様式.pdf"


async def test_the_list_goes_on_where_it_stopped(tmp_path: Path, store: ObjectStore) -> None:
    """Keyset pages: every document once, the newest first, also where one may be read on two bases or came at one moment."""
    twice = (
        msgspec.structs.replace(CONSENT_ENTRY, basis=msgspec.structs.replace(CONSENT_ENTRY.basis, ref="consent/2")),
    )
    async with running_service(tmp_path, store) as service:
        first = referral(*twice)
        for number in range(7):
            await service.receive(
                msgspec.structs.replace(
                    first,
                    referral_id=f"form-{number}",
                    case_number=f"C8-{number // 2}",
                    received_at=first.received_at.replace(minute=number // 3),
                )
            )
        headers = service.sign_in("hana", DESTINATION)
        seen: list[tuple[str, str]] = []
        following: str | None = ""
        while following is not None:
            answer = await service.client.get("/documents", params={"limit": 3, "after": following}, headers=headers)
            body = answer.json()
            seen += [(item["received_at"], item["id"]) for item in body["items"]]
            following = body["next"] or None
        assert len(seen) == len(set(seen)) == 7
        assert seen == sorted(seen, reverse=True)
        case = (await service.client.get("/documents", params={"case": "C8-1"}, headers=headers)).json()["items"]
        assert {item["case_number"] for item in case} == {"C8-1"}
        assert len(case) == 2
        page = await page_of(service, "/documents?limit=3", headers)
        assert re.search(r'href="/documents\?limit=3&amp;after=[^"]+"', page)
        for wrong in ({"after": "nonsense"}, {"limit": "many"}):
            assert (await service.client.get("/documents", params=wrong, headers=headers)).status_code == 400
        home = await service.client.get("/", headers={**headers, **PAGE})
        assert (home.status_code, home.headers["location"]) == (303, "/documents")


@asynccontextmanager
async def listening(folder: Path, store: ObjectStore) -> AsyncIterator[tuple[str, Runtime]]:
    """The service on a port of its own, as it runs for real."""
    port = free_ports(1)[0]
    runtime = build_runtime(SERVICE, settings_in(folder, store, port=port))
    server = uvicorn.Server(
        uvicorn.Config(create_app(SERVICE, runtime), port=port, log_config=None, access_log=False, lifespan="on")
    )
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    try:
        yield f"http://127.0.0.1:{port}", runtime
    finally:
        server.should_exit = True
        await serving


async def test_the_lines_of_the_readme_run(tmp_path: Path, store: ObjectStore) -> None:
    """Every curl line that the README shows a contractor works as it stands there."""
    text = (REPOSITORY / "services" / "documents" / "README.md").read_text(encoding="utf-8")
    scripts = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(scripts) == 1
    async with listening(tmp_path, store) as (url, runtime):
        await receive(runtime, referral())
        service = RunningService(runtime, None)  # type: ignore[arg-type]
        await until(service.all_made)
        key = runtime.accounts.add_key("見本システム", DESTINATION, (), ("documents:read",))
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-eu",
            "-c",
            scripts[0],
            env={"PATH": os.environ["PATH"], "URL": url, "KEY": key, "LC_ALL": "C.UTF-8"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        assert '"ready":true' in output.decode()
        assert len(await service.recorded("document.open")) == 1
