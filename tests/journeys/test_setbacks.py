"""What goes wrong on the way, what the case page says then, and how it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.data.referrals import referral, without_consent
from tests.journeys.line import Line, until

KILL_EVERY_SECONDS = 0.01
RENDER_WORKER = b"tsunagi_documents.word.worker"
LINE_TOLD = {"inbox": "sent", "email": "sent"}


def _render_workers(service: int) -> Iterator[int]:
    """The processes of a documents service that draw Word files."""
    for thread in Path(f"/proc/{service}/task").iterdir():
        with contextlib.suppress(OSError):
            for child in (thread / "children").read_text().split():
                if RENDER_WORKER in Path(f"/proc/{child}/cmdline").read_bytes():
                    yield int(child)


@contextlib.contextmanager
def render_workers_killed(line: Line) -> Iterator[None]:
    """As on a machine without memory: each worker is killed as soon as it is there."""
    service = line.stack.services["documents"].pid
    assert service is not None
    over = threading.Event()

    def kill() -> None:
        while not over.wait(KILL_EVERY_SECONDS):
            for worker in _render_workers(service):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


@pytest.fixture
def plain_line(started_backwards: tuple[Line, Any]) -> Line:
    """A line without PDFs."""
    return started_backwards[0]


def test_services_that_start_before_the_hub_do_their_work_when_it_is_there(
    started_backwards: tuple[Line, Any],
) -> None:
    """Notify, documents, intake, then hub and store: a referral of before that goes the whole way."""
    plain_line, receipt = started_backwards
    plain_line.made(receipt, 3, pdf=False)
    assert len(plain_line.notices_of(receipt, "kaigo")) == 1


def test_documents_that_could_not_be_made_are_made_again(plain_line: Line) -> None:
    """A render that crashes for good shows on the case page with 「再作成」; pressed, the documents are made and told."""
    with render_workers_killed(plain_line):
        receipt = plain_line.hand_in(without_consent())
        failed = plain_line.case_until(receipt, lambda found: [row["word"] for row in found] == ["failed", "failed"])
    assert {row["word_code"] for row in failed} == {"render-crashed"}
    case = f"/cases/{receipt['case_number']}"
    page = plain_line.visitor("mado").page("intake", case)
    assert page.count("作成できませんでした") == 2
    assert "文書を開く" not in page
    pressed = plain_line.visitor("mado").press("intake", case, "再作成")
    assert pressed.status_code == 303
    assert "文書の作り直しを頼みました" in plain_line.visitor("mado").page("intake", pressed.headers["location"])
    plain_line.made(receipt, 2, pdf=False)
    assert "再作成" not in plain_line.visitor("mado").page("intake", case)
    assert plain_line.mailed_about(receipt).count("social-welfare@example.jp") == 1


def test_documents_wait_for_the_object_store(plain_line: Line) -> None:
    """While the store is away a referral is taken and its documents are pending; when it is back they are made."""
    asyncio.run(plain_line.stack.store.stop())
    try:
        receipt = plain_line.hand_in(without_consent())
        pending = until(lambda: plain_line.documents_of(receipt, "kacho"), bool)
        assert {row["state"] for row in pending} == {"pending"}
        assert "文書は作成中か、まだありません" in plain_line.visitor("mado").page(
            "intake", f"/cases/{receipt['case_number']}"
        )
        assert plain_line.visitor("mado").answer("documents", "/readyz").status_code == 503
    finally:
        asyncio.run(plain_line.stack.store.start())
    plain_line.made(receipt, 2, pdf=False)


def test_mails_wait_for_the_mail_server(plain_line: Line) -> None:
    """Refused for a while, a mail is shown as waiting with the server's code; later it is sent, once."""
    plain_line.stack.mail.refuse("rcpt", "451 4.3.0 try later")
    try:
        receipt = plain_line.hand_in(without_consent())
        refused = {("email", "smtp-451")}
        until(
            lambda: {(row["channel"], row["code"]) for row in deliveries_of(plain_line, receipt, "waiting")},
            refused.__eq__,
        )
    finally:
        plain_line.stack.mail.accept()
    plain_line.made(receipt, 2, pdf=False)
    assert plain_line.mailed_about(receipt) == ["social-welfare@example.jp", *["welfare-desk@example.jp"] * 2]


def test_a_mail_that_is_refused_shows_on_the_case_page(plain_line: Line) -> None:
    """Refused for good: the case page says so, the inbox still tells; sent again by hand, the case page says that."""
    plain_line.stack.mail.refuse("rcpt", "550 5.1.1 no such mailbox")
    try:
        receipt = plain_line.hand_in(without_consent())
        plain_line.made(receipt, 2, pdf=False)
    finally:
        plain_line.stack.mail.accept()
    channels = [row["channels"] for document in plain_line.case(receipt)["documents"] for row in document["receipts"]]
    assert channels == [LINE_TOLD | {"email": "failed"}] * 3
    page = plain_line.visitor("mado").page("intake", f"/cases/{receipt['case_number']}")
    assert page.count("メール（届かず）") == 3
    failed = [row["id"] for row in deliveries_of(plain_line, receipt, "failed")]
    answer = plain_line.visitor("kanri").post("notify", "/deliveries/resend", {"deliveries": failed})
    assert answer.json() == {"resent": 3, "still_failed": 0}
    plain_line.case_until(
        receipt, lambda found: all(row["channels"] == LINE_TOLD for document in found for row in document["receipts"])
    )


def deliveries_of(line: Line, receipt: Any, state: str) -> list[Any]:
    """The deliveries of a receipt's case in a state, as those in charge see them."""
    items = line.visitor("kacho").json("notify", f"/deliveries?state={state}")["items"]
    return [row for row in items if row["case_number"] == receipt["case_number"]]


@pytest.mark.parametrize(
    ("code", "words"),
    [("not_ours", "担当ではない"), ("no_longer_in_charge", "担当が変わった"), ("contract_ended", "契約が終わった")],
)
def test_a_misdelivery_shows_on_the_case_page(plain_line: Line, code: str, words: str) -> None:
    """What an agency says is not its own shows on the case page, with who said it and why."""
    receipt = plain_line.hand_in(referral())
    [notice] = until(lambda: plain_line.notices_of(receipt, "jiritsu"), bool)
    answer = plain_line.visitor("jiritsu").post("notify", f"/deliveries/{notice['id']}/misdelivery", {"code": code})
    assert answer.status_code == 201

    def said(documents: list[Any]) -> bool:
        return any(row["misdelivered_code"] == code for document in documents for row in document["receipts"])

    plain_line.case_until(receipt, said)
    page = plain_line.visitor("mado").page("intake", f"/cases/{receipt['case_number']}")
    row = next(part for part in page.split("<tr>") if words in part)
    assert "生活困窮者自立相談支援機関" in row
    assert "見本　自立" in row
