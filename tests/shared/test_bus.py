"""The bus says in one sentence what it may not do, survives the hub, and gives back what was not dealt with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from deploy.hub.keys import new_seed
from deploy.local.ports import free_ports
from deploy.local.servers import NatsServer
from tests.data.events import payload_of
from tests.data.hub import bus_of, on_stream, redeliver_after
from tests.data.services import until
from tsunagi_shared import bus as bus_module
from tsunagi_shared.bus import Bus, BusRefused, BusUnavailable
from tsunagi_shared.contracts.envelope import uuid7
from tsunagi_shared.contracts.events import DELIVERY_SENT, EVENTS
from tsunagi_shared.contracts.streams import SERVICES, STREAMS, stream_of


@asynccontextmanager
async def started(bus: Bus) -> AsyncIterator[Bus]:
    """Connected, and closed at the end."""
    bus.start()
    try:
        await until(lambda: _is(bus.connected, bus))
        yield bus
    finally:
        await bus.stop()


async def _is(_: object, bus: Bus) -> bool:
    return bus.connected


@pytest.mark.parametrize("service", SERVICES)
async def test_publishing_on_another_subject_is_refused_by_name(hub: NatsServer, service: str) -> None:
    """One sentence names the subject and the account, and nothing reaches the stream."""
    async with started(bus_of(hub, service)) as bus:
        for row in EVENTS.values():
            if row.publisher == service:
                continue
            before = await on_stream(hub, row.stream)
            with pytest.raises(BusRefused) as refused:
                await bus.publish(row.type, b"{}", uuid7(0))
            sentence = str(refused.value)
            assert row.type in sentence
            assert f"アカウント {service} " in sentence
            assert sentence.count("。") == 1
            assert await on_stream(hub, row.stream) == before


@pytest.mark.parametrize("service", SERVICES)
async def test_reading_another_stream_is_refused_by_name(hub: NatsServer, service: str) -> None:
    """One sentence names the stream and the account; a service's own streams are read."""
    async with started(bus_of(hub, service)) as bus:
        for stream in STREAMS:
            if service in stream.readers:
                await bus.check_reading(stream.name)
                continue
            with pytest.raises(BusRefused) as refused:
                await bus.check_reading(stream.name)
            sentence = str(refused.value)
            assert stream.name in sentence
            assert f"アカウント {service} " in sentence
            assert sentence.count("。") == 1


async def test_consuming_without_the_right_is_shown(hub: NatsServer) -> None:
    """notify that tries to read intake's stream gets nothing, and its problem says why."""
    taken: list[Msg] = []

    async def take(messages: list[Msg]) -> list[Msg]:
        taken.extend(messages)
        return messages

    async with started(bus_of(hub, "intake")) as intake, started(bus_of(hub, "notify")) as bus:
        await intake.publish("intake.referral.submitted.v1", b"{}", uuid7(0))
        bus.consume(stream_of("intake.referral.submitted.v1"), take)
        await until(lambda: _has(bus, "INTAKE"))
        assert "notify" in bus.problem
        assert taken == []


async def _has(bus: Bus, word: str) -> bool:
    return word in bus.problem


async def test_a_hub_that_is_away_is_named(tmp_path: Path) -> None:
    """Before the hub is there, publishing and reading say so, and so does the problem that /readyz shows."""
    seed = tmp_path / "seed"
    seed.write_text(new_seed())
    bus = Bus("notify", f"nats://127.0.0.1:{free_ports(1)[0]}", seed)
    bus.start()
    try:
        with pytest.raises(BusUnavailable, match="notify"):
            await bus.publish(DELIVERY_SENT, b"{}", uuid7(0))
        with pytest.raises(BusUnavailable, match="notify"):
            await bus.check_reading("DOCUMENTS")
        with pytest.raises(BusUnavailable):
            await bus.pending("DOCUMENTS")
        await until(lambda: _has(bus, "つながりません"))
    finally:
        await bus.stop()


async def test_a_key_that_the_hub_does_not_know_is_named(hub: NatsServer, tmp_path: Path) -> None:
    """A wrong seed is told as such, with the account, and not as a hub that is away."""
    seed = tmp_path / "seed"
    seed.write_text(new_seed())
    bus = Bus("intake", hub.url, seed)
    bus.start()
    try:
        await until(lambda: _has(bus, "鍵を受け付けません"))
        assert "intake" in bus.problem
        assert not bus.connected
    finally:
        await bus.stop()


async def test_a_missing_seed_does_not_stop_the_service(tmp_path: Path) -> None:
    """Without its key file the service still takes forms: the bus says what is missing, and goes on trying."""
    bus = Bus("intake", f"nats://127.0.0.1:{free_ports(1)[0]}", tmp_path / "no-seed")
    bus.start()
    try:
        await until(lambda: _has(bus, "intake"))
        assert not bus.connected
    finally:
        await bus.stop()


async def test_consuming_goes_on_after_the_hub_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was published before, during and after comes to the handler; what it keeps back comes again."""
    monkeypatch.setattr(bus_module, "PUBLISH_SECONDS", 0.5)
    monkeypatch.setattr(bus_module, "FETCH_SECONDS", 1.0)
    hub = NatsServer(tmp_path / "hub")
    await hub.start()
    got: list[str] = []
    refused: set[str] = set()

    async def take(messages: list[Msg]) -> list[Msg]:
        done = []
        for message in messages:
            name = message.data.decode()
            got.append(name)
            if name == "b" and name not in refused:
                refused.add(name)  # dealt with at its second coming only
            else:
                done.append(message)
        return done

    async def has(*names: str) -> bool:
        return set(names) <= set(got)

    try:
        async with started(bus_of(hub, "intake")) as reader, started(bus_of(hub, "notify")) as writer:
            reader.consume(STREAMS[2], take)
            await writer.publish(DELIVERY_SENT, b"a", uuid7(1))
            await until(lambda: has("a"))
            await until(lambda: _nothing_pending(reader))
            hub.kill()
            with pytest.raises(BusUnavailable):
                await writer.publish(DELIVERY_SENT, b"lost", uuid7(2))
            await hub.start()
            await redeliver_after(hub, "NOTIFY", "intake", 1)
            await until(lambda: _is(writer.connected, writer))
            for name in ("b", "c"):
                await writer.publish(DELIVERY_SENT, name.encode(), uuid7(3))
            await until(lambda: has("a", "b", "c"))
            await until(lambda: _again(got))
            assert got.count("c") == 1  # "a" may come once more: its acknowledgement can be lost with the hub
            await until(lambda: _nothing_pending(reader))
    finally:
        await hub.stop()


async def _again(got: list[str]) -> bool:
    return got.count("b") == 2


async def _nothing_pending(bus: Bus) -> bool:
    await asyncio.sleep(0.05)
    return await bus.pending("NOTIFY") == 0


def test_sample_payloads_fit_the_hub() -> None:
    """Every sample of an event is far below what the hub takes."""
    assert max(len(payload_of(event_type)) for event_type in EVENTS) < 64 * 1024
