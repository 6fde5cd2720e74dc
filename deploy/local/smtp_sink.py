"""A mail server that keeps what it is given: `python -m deploy.local.smtp_sink --port N --folder DIR`.

Each mail becomes `000001.eml` and so on, whole or not at all. While the folder holds a file `refuse`, mails are
refused: its one line is the stage (`rcpt` or `data`) and the answer, for instance `data 451 4.3.0 try later`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

REFUSAL_FILE = "refuse"
LARGEST_MAIL_BYTES = 10 * 1024**2


class KeepEveryMail:
    """What the server does at each step of a mail."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._last = max((int(path.stem) for path in folder.glob("*.eml")), default=0)

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes a recipient, or answers as the refusal says."""
        refusal = self._refusal("rcpt")
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Keeps the mail, or answers as the refusal says and keeps nothing."""
        refusal = self._refusal("data")
        if refusal is not None:
            return refusal
        content = envelope.original_content or b""
        recipients = ", ".join(envelope.rcpt_tos)
        name = self._keep(f"X-Envelope-To: {recipients}\r\n".encode() + content)
        return f"250 OK kept as {name}"

    def _refusal(self, stage: str) -> str | None:
        try:
            wanted, _, answer = (self._folder / REFUSAL_FILE).read_text(encoding="utf-8").strip().partition(" ")
        except FileNotFoundError:
            return None
        return answer if wanted == stage else None

    def _keep(self, mail: bytes) -> str:
        self._last += 1
        path = self._folder / f"{self._last:06d}.eml"
        temporary = path.with_suffix(".part")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(mail)
        temporary.replace(path)
        return path.name


async def serve(port: int, folder: Path) -> None:
    """Serves on the loopback address until SIGTERM or SIGINT."""
    keeper = KeepEveryMail(folder)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def connection() -> asyncio.Protocol:
        protocol: asyncio.Protocol = SMTP(
            keeper, hostname="localhost", data_size_limit=LARGEST_MAIL_BYTES, enable_SMTPUTF8=True, loop=loop
        )
        return protocol

    server = await loop.create_server(connection, "127.0.0.1", port)
    await ended.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Keeps every mail it is given as a file.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.port, chosen.folder))


if __name__ == "__main__":
    main()
