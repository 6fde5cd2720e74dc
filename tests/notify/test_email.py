"""E-mail through a real SMTP server: what is in it, what is tried again, and what ends visibly."""

from __future__ import annotations

import asyncio
import email.policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.notify.notify_service import (
    URL,
    MailServer,
    Running,
    build,
    close,
    created,
    events_of,
    mail_states,
    rows_of,
    settings_in,
    started,
    tell,
    until,
)
from tsunagi_notify import settings
from tsunagi_notify.channels.email import RETRY_DELAYS_SECONDS
from tsunagi_notify.deliveries import delivery_id
from tsunagi_shared.contracts.events import DELIVERY_FAILED, DELIVERY_SENT
from tsunagi_shared.jobs import jobs
from tsunagi_shared.runtime import Runtime
from tsunagi_shared.settings import SettingsError

ONE = ("sample-care",)


def _read(content: bytes) -> EmailMessage:
    message = BytesParser(policy=email.policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    return message


async def _sent(runtime: Runtime, count: int = 1) -> bool:
    return [state for state, _ in await mail_states(runtime)] == ["sent"] * count


async def _waits_again(runtime: Runtime) -> bool:
    wanted = sa.select(jobs.c.code).where(jobs.c.state == "waiting", jobs.c.attempts == 1)
    return bool(await runtime.database.read(lambda connection: connection.execute(wanted).scalars().all()))


async def _failed(runtime: Runtime) -> bool:
    return [state for state, _ in await mail_states(runtime)] == ["failed"]


async def test_mail_says_what_is_there_and_where(tmp_path: Path, mail_server: MailServer) -> None:
    """A plain-text mail with the kind, the numbers, the date in 和暦, the link and whom to ask; sent is an event."""
    runtime = build(tmp_path, smtp_port=mail_server.port)
    async with started(runtime):
        await tell(runtime, created(tell=ONE, urgency="urgent"))
        await until(partial(_sent, runtime))
        ((recipients, content),) = mail_server.mails
        mail = _read(content)
        text = mail.get_content()
        page = delivery_id("document-1", 1, "sample-care", "inbox")
        (row,) = [row for row in await rows_of(runtime) if row["channel"] == "email"]
        assert recipients == ["sample-care@example.jp"]
        assert mail["Subject"] == "【つなぎ】【至急】文書のお知らせ（ケース番号 C2026-00012）"
        assert str(mail["From"]).endswith("<tsunagi@city.example.jp>")
        assert mail["Message-ID"] == f"<{row['id']}@city.example.jp>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Date"].datetime.utcoffset() is not None
        assert not mail.is_multipart()
        assert mail.get_content_type() == "text/plain"
        for words in (
            "見本介護サービス事業所",
            "共通様式（つなぎシート）概要版",
            "C2026-00012",
            "至急",
            "令和8年4月20日",
            f"{URL}/deliveries/{page}",
            "042-000-0001",
            "このメールに個人情報は書かれていません。",
        ):
            assert words in text
        told = [(data["channel"], data["attempt"]) for event, data in await events_of(runtime)]
        assert told == [("inbox", 1), ("email", 1)]
        assert (row["attempts"], row["revision"]) == (1, 1)


async def test_a_mail_about_no_case_names_what_it_is(tmp_path: Path, mail_server: MailServer) -> None:
    """A notice of a sitting belongs to no case: subject and text say which paper it is, and leave no empty number."""
    runtime = build(tmp_path, smtp_port=mail_server.port)
    async with started(runtime):
        await tell(runtime, created(tell=ONE, case_number="", title="招集通知", kind="meeting_notice"))
        await until(partial(_sent, runtime))
        mail = _read(mail_server.mails[0][1])
        assert mail["Subject"] == "【つなぎ】文書のお知らせ（招集通知）"
        assert "文書の種類：招集通知" in mail.get_content()
        assert "ケース番号" not in mail.get_content()


async def test_urgent_mail_goes_to_the_urgent_addresses(tmp_path: Path, mail_server: MailServer) -> None:
    """An urgent notice takes the agency's urgent addresses, any other the usual ones."""
    runtime = build(tmp_path, smtp_port=mail_server.port)
    async with started(runtime):
        await tell(runtime, created("a", tell=("welfare-council",), urgency="urgent"))
        await tell(runtime, created("b", tell=("welfare-council",)))
        await until(partial(_sent, runtime, 2))
        assert sorted(recipients for recipients, _ in mail_server.mails) == [
            ["welfare-council-urgent@example.jp"],
            ["welfare-council@example.jp"],
        ]


async def test_event_cannot_start_a_header_of_its_own(tmp_path: Path, mail_server: MailServer) -> None:
    """Line ends in a number or a title become spaces."""
    runtime = build(tmp_path, smtp_port=mail_server.port)
    async with started(runtime):
        await tell(runtime, created(tell=ONE, case_number="C1\r\nBcc: x@example.jp", title="題名\r\n\r\n本文"))
        await until(partial(_sent, runtime))
        ((recipients, content),) = mail_server.mails
        mail = _read(content)
        assert mail["Bcc"] is None
        assert "C1  Bcc: x@example.jp" in mail["Subject"]
        assert recipients == ["sample-care@example.jp"]
        assert "文書の種類：題名    本文" in mail.get_content()


async def test_temporary_refusal_is_tried_again(tmp_path: Path, mail_server: MailServer) -> None:
    """After a 4xx answer the mail waits, and goes through under the same Message-ID, once."""
    mail_server.data_answers = ["451 4.3.0 try later"]
    runtime = build(tmp_path, smtp_port=mail_server.port)
    async with started(runtime):
        await tell(runtime, created(tell=ONE))
        await until(partial(_waits_again, runtime))
        assert await mail_states(runtime) == [("waiting", "")]
        await until(partial(_sent, runtime))
        assert len(mail_server.mails) == 1
        sent = [data for event, data in await events_of(runtime) if event.type == DELIVERY_SENT]
        assert [(data["channel"], data["attempt"]) for data in sent] == [("inbox", 1), ("email", 2)]


async def test_mail_server_away_is_tried_again(tmp_path: Path, mail_server: MailServer) -> None:
    """While nobody listens the mail waits and the overview says so; the inbox has it all the same."""
    await mail_server.stop()
    runtime = build(tmp_path, smtp_port=mail_server.port)
    async with started(runtime) as running:
        section = running.person("section", "social-welfare", "responsible_section")
        await tell(runtime, created(tell=ONE))
        await until(partial(_waits_again, runtime))
        view = (await section.get("/deliveries?state=waiting")).json()
        assert view["mail_problem"] == "メールサーバーにつながりません。"
        assert [(told["code"], told["attempts"]) for told in view["items"]] == [("smtp-unreachable", 1)]
        assert (await running.client.get("/readyz")).status_code == 200
        await mail_server.start()
        await until(partial(_sent, runtime), 20)


async def test_permanent_refusal_ends_visibly(tmp_path: Path, mail_server: MailServer) -> None:
    """A 5xx answer is not tried again: the row is failed with its code, and an event says so."""
    mail_server.rcpt_answers = {"sample-care@example.jp": "550 5.1.1 unknown"}
    runtime = build(tmp_path, smtp_port=mail_server.port)
    async with started(runtime) as running:
        await tell(runtime, created(tell=ONE))
        await until(partial(_failed, runtime))
        assert await mail_states(runtime) == [("failed", "smtp-550")]
        failed = [data for event, data in await events_of(runtime) if event.type == DELIVERY_FAILED]
        assert [(data["channel"], data["code"], data["attempt"]) for data in failed] == [("email", "smtp-550", 1)]
        section = running.person("section", "social-welfare", "responsible_section")
        page = await section.get("/deliveries?state=failed", page=True)
        assert "メールサーバーが受け付けませんでした（550）" in page.text


async def test_one_address_of_several_is_enough(tmp_path: Path, mail_server: MailServer) -> None:
    """An agency with two addresses is told when one takes the mail; that the other did not is shown."""
    profile = tmp_path / "profile"
    profile.mkdir()
    original = settings_in(tmp_path).profile
    (profile / "profile.toml").write_bytes((original / "profile.toml").read_bytes())
    (profile / "contacts.toml").write_text(
        '[[contacts]]\nagency = "sample-care"\nemail = ["one@example.jp", "two@example.jp"]\n'
    )
    mail_server.rcpt_answers = {"one@example.jp": "550 5.1.1 unknown"}
    runtime = build(tmp_path, smtp_port=mail_server.port, profile=profile)
    async with started(runtime):
        await tell(runtime, created(tell=ONE))
        await until(partial(_sent, runtime))
        assert await mail_states(runtime) == [("sent", "some-addresses-refused")]
        assert [recipients for recipients, _ in mail_server.mails] == [["two@example.jp"]]


async def test_connections_are_kept_and_renewed(tmp_path: Path, mail_server: MailServer) -> None:
    """Mails that follow one another share a connection; one that the server has closed meanwhile costs no attempt."""
    runtime = build(tmp_path, smtp_port=mail_server.port, smtp_connections=1)
    async with started(runtime):
        for number in range(3):
            await tell(runtime, created(f"document-{number}", tell=ONE))
        await until(partial(_sent, runtime, 3))
        assert mail_server.connections == 1
        (kept, _) = runtime.parts.own.mailer._idle[0]
        kept.sock.shutdown(2)
        await tell(runtime, created("document-9", tell=ONE))
        await until(partial(_sent, runtime, 4))
        assert mail_server.connections == 2
        assert {row["attempts"] for row in await rows_of(runtime)} == {1}


async def test_stop_waits_for_a_mail_on_its_way(tmp_path: Path, mail_server: MailServer) -> None:
    """A service that is stopped while the server takes a mail records it as sent: the next start sends nothing again."""
    mail_server.data_delay_seconds = 0.5
    runtime = build(tmp_path, smtp_port=mail_server.port)
    async with started(runtime):
        await tell(runtime, created(tell=ONE))
        await until(lambda: mail_server.connections)
        await asyncio.sleep(0.1)
    again = build(tmp_path, smtp_port=mail_server.port)
    try:
        assert await mail_states(again) == [("sent", "")]
        assert len(mail_server.mails) == 1
    finally:
        close(again)


async def _resend_everything(running: Running) -> dict[str, int]:
    section = running.person("section", "social-welfare", "responsible_section")
    body = {"since": "2026-04-06T00:00:00+09:00", "until": "2026-04-07T00:00:00+09:00"}
    answer = await section.post("/deliveries/resend", body)
    assert answer.status_code == 200
    figures: dict[str, int] = answer.json()
    return figures


async def test_failed_mails_are_sent_again_on_demand(tmp_path: Path, mail_server: MailServer) -> None:
    """Resending a range starts failed mails anew, leaves what was sent, and says what still cannot be told."""
    mail_server.rcpt_answers = {"sample-care@example.jp": "550 5.1.1 unknown"}
    runtime = build(tmp_path, smtp_port=mail_server.port)
    async with started(runtime) as running:
        await tell(runtime, created(tell=("sample-care", "nobody-knows")))
        await until(partial(_failed, runtime))
        mail_server.rcpt_answers = {}
        assert await _resend_everything(running) == {"resent": 1, "still_failed": 1}
        await until(partial(_sent, runtime))
        assert len(mail_server.mails) == 1
        mails = [event for event, data in await events_of(runtime) if data["channel"] == "email"]
        assert [(event.type, event.revision) for event in mails] == [(DELIVERY_FAILED, 1), (DELIVERY_SENT, 2)]


def test_retries_go_on_for_about_a_day() -> None:
    """The published schedule adds up to 24 hours, and no step is shorter than the one before."""
    assert 23.5 * 3600 < sum(RETRY_DELAYS_SECONDS) < 24.5 * 3600
    assert list(RETRY_DELAYS_SECONDS) == sorted(RETRY_DELAYS_SECONDS)


def test_half_a_sign_in_is_a_settings_error(tmp_path: Path) -> None:
    """A user without a password file, or without encryption, stops the start and says everything at once."""
    with pytest.raises(SettingsError) as refused:
        settings.check(settings_in(tmp_path, smtp_user="tsunagi", public_url="notify"))
    assert len(refused.value.problems) == 3
