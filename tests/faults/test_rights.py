"""A service that reaches for what is another's is refused, and one sentence says why, naming account and subject or stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from deploy.hub.keys import new_seed, write_private
from deploy.local.processes import ChildProcess
from deploy.local.stack import Stack
from tests.data.referrals import referral
from tests.faults.line import ORIGIN, Windows, rows, stream_sizes
from tsunagi_shared.bus import Bus, BusRefused
from tsunagi_shared.contracts.events import EVENTS, REFERRAL_SUBMITTED, WATERMARK_PASSED
from tsunagi_shared.contracts.streams import SERVICES, STREAMS

PATIENCE_SECONDS = 30.0
FIRST_EVENT_OF = {
    service: next(row.type for row in EVENTS.values() if row.publisher == service) for service in SERVICES
}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for it. TimeoutError."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():
            await asyncio.sleep(0.05)


class Misconfigured(Stack):
    """A stack whose intake may be given a key that is not its own. Only what a test starts of it runs."""

    key_of_intake: Path | None = None

    def environment_of(self, service: str) -> dict[str, str]:
        """As ever, but for the key."""
        environment = super().environment_of(service)
        if service == "intake" and self.key_of_intake is not None:
            environment["TSUNAGI_NATS_SEED_FILE"] = str(self.key_of_intake)
        return environment

    async def answers(self) -> bool:
        """Whether intake answers, whatever it says of the hub."""
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
            try:
                return (await client.get(f"{self.url_of('intake')}/healthz")).status_code == 200
            except httpx.TransportError:
                return False

    async def readiness(self) -> tuple[int, bool, str]:
        """Status, whether the hub is reached, and the sentence, as /readyz tells them."""
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            answer = await client.get(f"{self.url_of('intake')}/readyz")
        body = answer.json()
        return answer.status_code, bool(body["bus"]), str(body["bus_problem"])

    def log(self) -> str:
        """What intake wrote."""
        return (self.folder_of("intake") / "service.log").read_text(encoding="utf-8")


@contextlib.asynccontextmanager
async def intake_with_key(folder: Path, key: str) -> AsyncIterator[tuple[Misconfigured, ChildProcess]]:
    """A hub and an intake that was given the seed of the service named, or a seed that nobody knows."""
    stack = Misconfigured(folder)
    write_private(stack.secret_file, "s" * 64)
    strange = folder / "strange.nk"
    write_private(strange, new_seed())
    stack.key_of_intake = stack.nats.seed_file(key) if key in SERVICES else strange
    intake = stack._service("intake")
    await stack.nats.start()
    try:
        await intake.start(stack.answers)
        yield stack, intake
    finally:
        await intake.stop()
        await stack.nats.stop()


async def test_a_key_the_hub_does_not_know_is_told_in_one_sentence(tmp_path: Path) -> None:
    """The service works on; /readyz and the log name the account whose key was refused."""
    async with intake_with_key(tmp_path, "nobody") as (stack, _):
        sentence = "ハブがアカウント intake の鍵を受け付けません。鍵のファイルとハブの登録を確かめてください。"

        async def told() -> bool:
            return await stack.readiness() == (200, False, sentence)

        await until(told)
        assert sentence in stack.log()


async def test_a_service_with_anothers_key_is_refused_and_loses_nothing(tmp_path: Path) -> None:
    """Intake as notify: it may neither publish nor read as intake. What it took waits, and leaves once the key is right."""
    async with intake_with_key(tmp_path, "notify") as (stack, intake):
        reading = "アカウント intake はストリーム DOCUMENTS を読む権限がないか、読み手がまだ登録されていません。"
        # The clockwork's event is the oldest that waits: the referral's stands behind it, in order
        publishing = f"アカウント intake は {WATERMARK_PASSED} に発信する権限がないか、そのストリームがまだありません。"
        accounts = stack.accounts()
        key = accounts.add_key("窓口システム", ORIGIN, ("clerk",), ("referrals:write",))
        accounts.close()
        async with Windows(stack.url_of("intake"), key) as windows:
            await windows.submit(referral(), "one")

        async def told() -> bool:
            log = stack.log()
            return reading in log and publishing in log

        await until(told)
        status, connected, sentence = await stack.readiness()
        assert (status, connected) == (200, True)
        assert sentence.startswith("アカウント intake はストリーム ")
        waiting = [row["type"] for row in rows(stack, "intake", "SELECT type FROM outbox ORDER BY seq")]
        assert waiting == [WATERMARK_PASSED, REFERRAL_SUBMITTED]
        assert await stream_sizes(stack) == {"INTAKE": 0, "DOCUMENTS": 0, "NOTIFY": 0}

        await intake.stop()
        stack.key_of_intake = None
        with_own_key = stack._service("intake")
        await with_own_key.start(stack.answers)
        try:

            async def gone() -> bool:
                return not rows(stack, "intake", "SELECT id FROM outbox")

            await until(gone)
            assert await stream_sizes(stack) == {"INTAKE": 1, "DOCUMENTS": 0, "NOTIFY": 0}
            assert (await stack.readiness())[2] == ""
        finally:
            await with_own_key.stop()


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Stack]:
    """A stack of which the hub alone runs."""
    stack = Stack(tmp_path)
    await stack.nats.start()
    yield stack
    await stack.nats.stop()


async def test_every_right_that_the_table_does_not_give_is_refused(hub: Stack) -> None:
    """Each service publishes its own subjects alone and reads the streams of its row alone; notify never reads INTAKE."""
    for service in SERVICES:
        bus = Bus(service, hub.nats.url, hub.nats.seed_file(service))
        bus.start()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not bus.connected:
                    await asyncio.sleep(0.02)
            for other in SERVICES:
                event_type = FIRST_EVENT_OF[other]
                if other == service:
                    await bus.publish(event_type, b"{}", f"{service}-1")
                    continue
                with pytest.raises(BusRefused) as refused:
                    await bus.publish(event_type, b"{}", f"{service}-1")
                assert_one_sentence(str(refused.value), service, event_type)
            for stream in STREAMS:
                if service in stream.readers:
                    await bus.check_reading(stream.name)
                    continue
                with pytest.raises(BusRefused) as refused:
                    await bus.check_reading(stream.name)
                assert_one_sentence(str(refused.value), service, stream.name)
        finally:
            await bus.stop()
    assert await stream_sizes(hub) == {"INTAKE": 1, "DOCUMENTS": 1, "NOTIFY": 1}, "only each owner's own came through"


async def test_only_intake_takes_messages_off_and_only_its_own(hub: Stack) -> None:
    """Erasure reaches the stream that carries residents' data, by its owner alone; a message gone already is no fault."""
    for service in SERVICES:
        bus = Bus(service, hub.nats.url, hub.nats.seed_file(service))
        bus.start()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not bus.connected:
                    await asyncio.sleep(0.02)
            assert await bus.publish(FIRST_EVENT_OF[service], b"{}", f"{service}-1") == 1
            for stream in STREAMS:
                if service == stream.owner == "intake":
                    assert [await bus.erase(stream.name, 1), await bus.erase(stream.name, 1)] == [True, False]
                    continue
                with pytest.raises(BusRefused) as refused:
                    await bus.erase(stream.name, 1)
                assert_one_sentence(str(refused.value), service, stream.name)
        finally:
            await bus.stop()
    assert await stream_sizes(hub) == {"INTAKE": 0, "DOCUMENTS": 1, "NOTIFY": 1}


def assert_one_sentence(text: str, account: str, what: str) -> None:
    """One Japanese sentence with both names in it."""
    assert text.count("。") == 1
    assert text.endswith("。")
    assert f"アカウント {account} " in text
    assert what in text
