"""E-mail: one mail for an agency, with a number and a link and nothing of a resident, by SMTP with retries for a day.

What is retried: no connection, 4xx answers, a failed sign-in (a person can put that right). What is not: a 5xx answer to the
sender, the recipients or the mail. The Message-ID belongs to the delivery, so that a mail sent again after a crash is known
as the same one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import email.policy
import smtplib
import ssl
import time
from collections import deque
from collections.abc import Sequence
from email.header import Header
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from functools import partial

import structlog
from sqlalchemy import Connection

from tsunagi_notify.deliveries import Channel, Deliveries, Delivery, State, delivery_id, find
from tsunagi_notify.directory import Directory
from tsunagi_notify.settings import NotifySettings, password
from tsunagi_shared import clock
from tsunagi_shared.database import Database
from tsunagi_shared.forms.japanese import format_wareki
from tsunagi_shared.forms.referral import Urgency
from tsunagi_shared.jobs import Effect, Job, JobKind, Reject, Retry

# Seconds before each further attempt, each varied by a fifth: about 24 hours in all (README, docs/delivery.md).
RETRY_DELAYS_SECONDS = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 28800)
IDLE_SECONDS = 10.0  # a connection unused for longer is closed: servers count them
NO_ADDRESS = "no-address"
SOME_REFUSED = "some-addresses-refused"
UNREACHABLE = "smtp-unreachable"
SIGN_IN_REFUSED = "smtp-sign-in-refused"
_OK = 250
_WIRE = email.policy.compat32.clone(linesep="\r\n")

log = structlog.get_logger("email")


def compose(delivery: Delivery, recipients: Sequence[str], directory: Directory, settings: NotifySettings) -> MIMEText:
    """The mail about a delivery: plain text, in polite Japanese, with the kind, the numbers, the date and the link."""
    page = delivery_id(delivery.document_id, delivery.version, delivery.agency, Channel.INBOX.value)
    link = f"{settings.public_url.rstrip('/')}/deliveries/{page}"
    case_number, title = _one_line(delivery.case_number), _one_line(delivery.title)
    enquiries = directory.enquiries
    phone = f"（電話 {enquiries.phone}）" if enquiries.phone else ""
    facts = [f"文書の種類：{title}"]
    if case_number:  # a notice of a sitting belongs to no case
        facts.append(f"ケース番号：{case_number}")
    facts.append(f"緊急度：{urgency_label(delivery.urgency)}")
    if delivery.reply_by_date is not None:
        facts.append(f"回答希望日：{format_wareki(delivery.reply_by_date)}")
    text = "\n".join(
        (
            f"{directory.name(delivery.agency)}　御中",
            "",
            "貴機関あての文書があります。",
            "",
            *facts,
            "",
            "次のページを開いてサインインすると、文書を見られます。",
            link,
            "文書を確かめたら、同じページの「受け取りました」を押してください。",
            "貴機関の担当でないときも、同じページから知らせてください。",
            "",
            "このメールに個人情報は書かれていません。",
            "このメールは自動で送っています。返信されても読むことができません。",
            "",
            f"問い合わせ先：{enquiries.name}{phone}",
            f"{directory.municipality}　つなぎ",
            "",
        )
    )
    urgent = "【至急】" if delivery.urgency == Urgency.URGENT else ""
    # The plain classes: the newer EmailMessage parses each header again and costs five times as much
    mail = MIMEText(text.replace("\n", "\r\n"), "plain", "utf-8", policy=_WIRE)
    about = f"ケース番号 {case_number}" if case_number else title
    subject = f"【つなぎ】{urgent}文書のお知らせ（{about}）"
    mail["Subject"] = Header(subject, "utf-8", header_name="Subject").encode()
    mail["From"] = formataddr((f"つなぎ（{directory.municipality}）", settings.smtp_from))
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(clock.now().astimezone(clock.JST))
    mail["Message-ID"] = f"<{delivery.id}@{_domain(settings)}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = "ja"
    return mail


def urgency_label(code: str) -> str:
    """The words of an urgency; a code from a newer form is shown as it is."""
    return dict(Urgency.choices()).get(code, _one_line(code))


def _one_line(text: str) -> str:
    """What comes from an event, without line ends or other control characters: it can start no header of its own."""
    return "".join(character if character.isprintable() else " " for character in text)


def _domain(settings: NotifySettings) -> str:
    return settings.smtp_from.rpartition("@")[2]


class Mailer:
    """Sends mails over a few kept connections, each used by one thread at a time. `problem` is the last trouble, or empty."""

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings
        self._password = password(settings)
        self._threads = concurrent.futures.ThreadPoolExecutor(settings.smtp_connections, thread_name_prefix="mail")
        self._idle: deque[tuple[smtplib.SMTP, float]] = deque()
        self.problem = ""

    async def send(self, mail: MIMEText, recipients: Sequence[str]) -> tuple[str, ...]:
        """Hand the mail to the server; gives back the addresses it refused while taking others. Retry, Reject.

        A stop of the service waits for the answer to a mail that is on its way: cut off in between, it would go twice.
        """
        content = mail.as_bytes()
        sending = asyncio.get_running_loop().run_in_executor(self._threads, self._send, content, tuple(recipients))
        try:
            refused = await _through_cancellation(sending)
        except (Retry, Reject) as error:
            self.problem = error.code
            raise
        self.problem = ""
        return refused

    async def stop(self) -> None:
        """End the threads and say goodbye on the connections."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._threads.shutdown()
        while self._idle:
            _close(self._idle.pop()[0])

    def _send(self, content: bytes, recipients: tuple[str, ...]) -> tuple[str, ...]:
        connection = self._begin()
        try:
            refused = self._offer(connection, recipients)
            _expect(connection.data(content))
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            connection.close()
            raise Retry(UNREACHABLE) from error
        except (Retry, Reject):
            _close(connection)
            raise
        self._idle.append((connection, time.monotonic()))
        return refused

    def _offer(self, connection: smtplib.SMTP, recipients: tuple[str, ...]) -> tuple[str, ...]:
        """Name the recipients. One that is taken is enough; when none is, a 4xx among the answers means: later."""
        answers = {address: connection.rcpt(address)[0] for address in recipients}
        refused = tuple(address for address, code in answers.items() if code not in (_OK, 251))
        if len(refused) < len(recipients):
            return refused
        temporary = [code for code in answers.values() if code < 500]
        if temporary:
            raise Retry(f"smtp-{temporary[0]}")
        raise Reject(f"smtp-{answers[recipients[0]]}")

    def _begin(self) -> smtplib.SMTP:
        """A connection on which the sender has been named: a kept one, or, where the server has closed it, a new one."""
        while self._idle:
            try:
                connection, used_at = self._idle.pop()
            except IndexError:  # another thread took it
                break
            if time.monotonic() - used_at > IDLE_SECONDS:
                _close(connection)
                continue
            try:
                self._name_sender(connection)
            except (smtplib.SMTPServerDisconnected, OSError):
                connection.close()
                continue
            return connection
        connection = self._connect()
        try:
            self._name_sender(connection)
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            connection.close()
            raise Retry(UNREACHABLE) from error
        return connection

    def _name_sender(self, connection: smtplib.SMTP) -> None:
        try:
            _expect(connection.mail(self._settings.smtp_from))
        except (Retry, Reject):
            _close(connection)
            raise

    def _connect(self) -> smtplib.SMTP:
        """Nothing that goes wrong here is about the mail, so all of it is tried again."""
        settings = self._settings
        connection: smtplib.SMTP | None = None
        try:
            connection = smtplib.SMTP(
                settings.smtp_host,
                settings.smtp_port,
                local_hostname=_domain(settings),  # else smtplib asks the name service on every connection
                timeout=settings.smtp_timeout_seconds,
            )
            if settings.smtp_starttls:
                ca_file = str(settings.smtp_ca_file) if settings.smtp_ca_file else None
                connection.starttls(context=ssl.create_default_context(cafile=ca_file))
            if settings.smtp_user:
                connection.login(settings.smtp_user, self._password)
            connection.ehlo_or_helo_if_needed()
        except (smtplib.SMTPException, OSError) as error:
            if connection is not None:
                connection.close()
            refused = isinstance(error, smtplib.SMTPAuthenticationError)
            log.warning("mail-server-away", reason=type(error).__name__)
            raise Retry(SIGN_IN_REFUSED if refused else UNREACHABLE) from error
        return connection


def _expect(answer: tuple[int, bytes]) -> None:
    """Retry on a 4xx answer (and on 421, the server going away), Reject on a 5xx; the server's words may name people."""
    code = answer[0]
    if code == _OK:
        return
    raise Reject(f"smtp-{code}") if code >= 500 else Retry(f"smtp-{code}" if code > 0 else UNREACHABLE)


def _close(connection: smtplib.SMTP) -> None:
    try:
        connection.quit()
    except (smtplib.SMTPException, OSError):
        connection.close()


async def _through_cancellation(sending: asyncio.Future[tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return await asyncio.shield(sending)
    except asyncio.CancelledError:
        return await sending


class EmailChannel:
    """Runs the e-mail jobs: what to send is read from the delivery's row, whom to from the directory at that moment."""

    def __init__(
        self, database: Database, deliveries: Deliveries, directory: Directory, settings: NotifySettings
    ) -> None:
        self._database = database
        self._deliveries = deliveries
        self._directory = directory
        self._settings = settings
        self.mailer = Mailer(settings)

    def job_kind(self) -> JobKind:
        """How the worker runs them."""
        return JobKind(
            handler=self._send,
            failed=self._failed,
            delays=RETRY_DELAYS_SECONDS,
            concurrency=self._settings.smtp_connections,
        )

    async def _send(self, job: Job) -> Effect:
        delivery = await self._database.read(partial(_find, job.key))
        if delivery is None or delivery.state != State.WAITING:
            return _nothing
        refusal = self._directory.refusal(delivery.agency, clock.today())
        if refusal:
            raise Reject(refusal)
        recipients = self._directory.addresses(delivery.agency, delivery.urgency, clock.today())
        if not recipients:
            raise Reject(NO_ADDRESS)
        mail = compose(delivery, recipients, self._directory, self._settings)
        refused = await self.mailer.send(mail, recipients)
        code = SOME_REFUSED if refused else ""
        return lambda connection: self._deliveries.sent(connection, delivery.id, job.attempt, code)

    def _failed(self, connection: Connection, job: Job, code: str) -> None:
        self._deliveries.failed(connection, job.key, job.attempt, code)


def _find(wanted: str, connection: Connection) -> Delivery | None:
    return find(connection, wanted)


def _nothing(_: Connection) -> None:
    return None
