"""What a test looks at and changes on a running hub, as its administrator."""

from __future__ import annotations

import contextlib

import msgspec
from nats.js.errors import NotFoundError

from deploy.hub.keys import ADMIN
from deploy.hub.provision import consumer_configuration, signed_in
from deploy.local.servers import NatsServer
from tsunagi_shared.bus import Bus
from tsunagi_shared.contracts.envelope import Envelope, decode


def bus_of(hub: NatsServer, service: str) -> Bus:
    """The service's connection, not started."""
    return Bus(service, hub.url, hub.seed_file(service))


async def on_stream(hub: NatsServer, stream: str) -> list[bytes]:
    """What the stream holds, in its order."""
    async with signed_in(hub.url, hub.seed_file(ADMIN)) as admin:
        jetstream = admin.jetstream()
        state = (await jetstream.stream_info(stream)).state
        numbers = range(state.first_seq, state.last_seq + 1) if state.messages else range(0)
        found = []
        for number in numbers:
            with contextlib.suppress(NotFoundError):  # taken off by its owner
                found.append((await jetstream.get_msg(stream, seq=number)).data or b"")
        return found


async def events_on(hub: NatsServer, stream: str) -> list[Envelope]:
    """The events among it."""
    found = []
    for payload in await on_stream(hub, stream):
        try:
            found.append(decode(payload))
        except msgspec.MsgspecError:
            continue
    return found


async def publish_raw(hub: NatsServer, subject: str, payload: bytes) -> None:
    """Put anything at all on a stream."""
    async with signed_in(hub.url, hub.seed_file(ADMIN)) as admin:
        await admin.jetstream().publish(subject, payload)


async def redeliver_after(hub: NatsServer, stream: str, reader: str, seconds: float) -> None:
    """Have what is not acknowledged delivered again after a shorter time than the hub's own."""
    async with signed_in(hub.url, hub.seed_file(ADMIN)) as admin:
        configuration = consumer_configuration(reader)
        configuration.ack_wait = seconds
        await admin.jetstream().add_consumer(stream, configuration)
