"""Makes the streams and the durable consumers of the table on a hub. Run again, it brings them up to date."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from nats.aio.client import Client
from nats.errors import NoServersError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from tsunagi_shared.contracts.streams import DAY_SECONDS, STREAMS, Stream

DUPLICATE_WINDOW_SECONDS = 600
ACK_WAIT_SECONDS = 30
MAX_ACK_PENDING = 1000


def stream_configuration(stream: Stream) -> StreamConfig:
    """On disk, kept for the days of the table; an event published twice within ten minutes is stored once."""
    return StreamConfig(
        name=stream.name,
        subjects=[stream.subjects],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=stream.kept_days * DAY_SECONDS,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
    )


def consumer_configuration(reader: str) -> ConsumerConfig:
    """A pull consumer named as its reader. It delivers until acknowledged: giving up is for the service to decide."""
    return ConsumerConfig(
        name=reader,
        durable_name=reader,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_SECONDS,
        max_deliver=-1,
        max_ack_pending=MAX_ACK_PENDING,
    )


@contextlib.asynccontextmanager
async def signed_in(url: str, seed_file: Path | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    """A connection for one task that does not try again: OSError or nats.errors.Error says why there is none."""
    errors: list[Exception] = []

    async def remember(error: Exception) -> None:
        errors.append(error)

    connection = Client()
    try:
        await connection.connect(
            url,
            nkeys_seed=None if seed_file is None else str(seed_file),
            tls=tls,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            error_cb=remember,
        )
        yield connection
    except NoServersError as error:
        raise (errors[-1] if errors else error) from None
    finally:
        await connection.close()  # also when there never was a connection: its socket may be open


async def _make_stream(hub: JetStreamContext, stream: Stream) -> None:
    wanted = stream_configuration(stream)
    try:
        await hub.stream_info(stream.name)
    except NotFoundError:
        await hub.add_stream(wanted)
    else:
        await hub.update_stream(wanted)


async def provision(connection: Client) -> None:
    """Makes or updates every stream and consumer of the table; `connection` is signed in as the hub's admin.

    nats.js.errors.APIError when the hub refuses a change (such as another storage type).
    """
    hub = connection.jetstream()
    for stream in STREAMS:
        await _make_stream(hub, stream)
        for reader in stream.readers:
            await hub.add_consumer(stream.name, consumer_configuration(reader))
