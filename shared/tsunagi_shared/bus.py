"""NATS behind one module: publish with confirmation, pull with a durable consumer, reconnect for ever.

Rights are per account (one account a contractor). nats-py shows a denied right as a time-out or as "no responders"; here it
becomes one sentence that names the subject and the account.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import nats
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServiceUnavailableError

from tsunagi_shared.contracts.envelope import CONTENT_TYPE
from tsunagi_shared.contracts.streams import Stream

API_PREFIX = "hub.API"  # where the hub's account exports its JetStream API to a contractor's account
FETCH_BATCH = 64
FETCH_SECONDS = 5.0  # a pull request dies with the server; the next one finds what is there
FETCH_REST_SECONDS = 0.5  # for what was there when the first of a batch came
PUBLISH_SECONDS = 5.0
_DELETE_FAILED = 10057  # the server's code; why stands in its description

log = structlog.get_logger("bus")

# Takes the messages of one batch; gives back those that are dealt with and may be acknowledged.
BatchHandler = Callable[[list[Msg]], Awaitable[list[Msg]]]


class BusUnavailable(Exception):
    """The bus cannot be reached now. Nothing is lost: the outbox keeps what was to be sent."""


class BusRefused(Exception):
    """The account lacks the right. One sentence: which account, which subject or stream."""


class Bus:
    """One connection of one service to the hub."""

    def __init__(self, account: str, url: str, seed_file: Path, ca_file: Path | None = None) -> None:
        self.account = account
        self._url = url
        self._seed_file = seed_file
        self._ca_file = ca_file
        self._client = Client()
        self._js: JetStreamContext | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._consumers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.problem = ""  # the last reason why the bus did not do its work; shown by /readyz

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    def start(self) -> None:
        """Connect in the background: a service starts, and takes forms, while the hub is away."""
        self._connecting = asyncio.create_task(self._connect(), name="bus-connect")

    async def stop(self) -> None:
        """Stop consuming and close the connection."""
        self._stopping = True
        tasks = [task for task in (self._connecting, *self._consumers) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not self._client.is_closed:
            with contextlib.suppress(Exception):
                await self._client.close()

    async def _connect(self) -> None:
        tls = ssl.create_default_context(cafile=str(self._ca_file)) if self._ca_file else None
        while True:
            try:
                await self._client.connect(
                    self._url,
                    nkeys_seed=str(self._seed_file),
                    tls=tls,
                    name=self.account,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=1,
                    connect_timeout=5,
                    ping_interval=20,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_connect,
                )
            except Exception as error:  # noqa: BLE001 - also a seed that is missing or none: told, and tried again
                reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
                self._say("bus-unreachable", f"ハブにつながりません（アカウント {self.account}: {reason}）。")
                await asyncio.sleep(1)
            else:
                self._js = self._client.jetstream(prefix=API_PREFIX, timeout=PUBLISH_SECONDS)
                await self._on_connect()
                return

    async def _on_connect(self) -> None:
        self.problem = ""
        log.info("bus-connected", account=self.account)

    async def _on_disconnect(self) -> None:
        if not self._stopping:
            self._say(
                "bus-disconnected", f"ハブとの接続が切れました（アカウント {self.account}）。つなぎ直しています。"
            )

    async def _on_error(self, error: Exception) -> None:
        if "authorization" in str(error).lower():
            self._say(
                "bus-refused",
                f"ハブがアカウント {self.account} の鍵を受け付けません。鍵のファイルとハブの登録を確かめてください。",
            )
        elif "permissions violation" in str(error).lower():
            self._say("bus-refused", f"アカウント {self.account} にこの操作の権限がありません（{error}）。")
        elif isinstance(error, OSError) and not self._client.is_connected:
            # the client itself tries for ever and tells of each failure here
            self._say("bus-unreachable", f"ハブにつながりません（アカウント {self.account}: {error}）。")

    def _say(self, event: str, sentence: str) -> None:
        if sentence != self.problem:
            self.problem = sentence
            log.warning(event, reason=sentence)

    async def publish(self, subject: str, payload: bytes, message_id: str) -> int:
        """Publish and wait until the hub has it on disk; its place on the stream. BusRefused, BusUnavailable."""
        if self._js is None or not self._client.is_connected:
            raise BusUnavailable(self.problem or f"ハブにまだつながっていません（アカウント {self.account}）。")
        try:
            confirmed = await self._js.publish(
                subject,
                payload,
                timeout=PUBLISH_SECONDS,
                headers={"Nats-Msg-Id": message_id, "Content-Type": CONTENT_TYPE},
            )
            return confirmed.seq
        except NoStreamResponseError:
            raise BusRefused(
                f"アカウント {self.account} は {subject} に発信する権限がないか、そのストリームがまだありません。"
            ) from None
        except (nats.errors.Error, APIError, OSError) as error:
            raise BusUnavailable(
                f"{subject} の発信をハブが確認しませんでした（アカウント {self.account}: {type(error).__name__}）。"
            ) from None

    async def erase(self, stream: str, seq: int) -> bool:
        """Take a message off a stream of this account's own and overwrite it there; False when it was gone already.

        BusRefused, BusUnavailable.
        """
        if self._js is None or not self._client.is_connected:
            raise BusUnavailable(self.problem or f"ハブにまだつながっていません（アカウント {self.account}）。")
        try:
            await self._js.delete_msg(stream, seq)
        except NotFoundError:
            return False
        except (ServiceUnavailableError, nats.errors.NoRespondersError):
            raise BusRefused(f"アカウント {self.account} はストリーム {stream} から消す権限がありません。") from None
        except APIError as error:
            if error.err_code == _DELETE_FAILED and "no message found" in (error.description or ""):
                return False
            raise BusUnavailable(
                f"ストリーム {stream} から消せませんでした（アカウント {self.account}: {error.err_code}）。"
            ) from None
        except (nats.errors.Error, OSError) as error:
            raise BusUnavailable(
                f"ストリーム {stream} から消せませんでした（アカウント {self.account}: {type(error).__name__}）。"
            ) from None
        return True

    async def check_reading(self, stream: str) -> None:
        """Ask for this account's consumer on a stream. BusRefused when it has none, BusUnavailable when nobody answers."""
        if self._js is None:
            raise BusUnavailable(self.problem or f"ハブにまだつながっていません（アカウント {self.account}）。")
        try:
            await self._js.consumer_info(stream, self.account)
        except (APIError, ServiceUnavailableError, nats.errors.NoRespondersError):
            raise BusRefused(
                f"アカウント {self.account} はストリーム {stream} を読む権限がないか、読み手がまだ登録されていません。"
            ) from None
        except (nats.errors.Error, OSError) as error:
            raise BusUnavailable(
                f"ストリーム {stream} の確認に答えがありません（アカウント {self.account}: {type(error).__name__}）。"
            ) from None

    def consume(self, stream: Stream, handler: BatchHandler) -> None:
        """Hand every message of the stream to the handler, in batches, for ever; acknowledge what it gives back."""
        self._consumers.append(asyncio.create_task(self._consume(stream.name, handler), name=f"consume-{stream.name}"))

    async def _consume(self, stream: str, handler: BatchHandler) -> None:
        checked = False
        subscription: JetStreamContext.PullSubscription | None = None
        while True:
            try:
                if not checked:
                    await self.check_reading(stream)
                    checked = True
                    self.problem = ""
                if subscription is None:
                    assert self._js is not None
                    subscription = await self._js.pull_subscribe_bind(consumer=self.account, stream=stream)
                await self._consume_once(subscription, handler)
            except (BusRefused, BusUnavailable) as error:
                self._say("bus-cannot-read", str(error))
                await asyncio.sleep(1)
            except (nats.errors.Error, APIError, OSError) as error:
                log.warning("bus-fetch-failed", stream=stream, reason=type(error).__name__)
                checked, subscription = False, None
                await asyncio.sleep(1)
            except Exception as error:  # noqa: BLE001 - a database that fails stops the batch, not the consumer
                log.error("batch-stopped", stream=stream, reason=type(error).__name__)
                await asyncio.sleep(1)

    async def _consume_once(self, subscription: JetStreamContext.PullSubscription, handler: BatchHandler) -> None:
        """One, when it comes, and what waits behind it: a fetch of more than there is may sit on the last of a burst until its
        time is over."""
        try:
            messages = await subscription.fetch(1, timeout=FETCH_SECONDS)
        except (nats.errors.TimeoutError, TimeoutError):
            return
        if more := min(messages[-1].metadata.num_pending, FETCH_BATCH - 1):
            with contextlib.suppress(nats.errors.TimeoutError, TimeoutError):
                messages += await subscription.fetch(more, timeout=FETCH_REST_SECONDS)
        for message in await handler(messages):
            await message.ack()

    async def pending(self, stream: str) -> int:
        """Messages on the stream that this account has not dealt with."""
        if self._js is None:
            raise BusUnavailable(self.problem)
        info: api.ConsumerInfo = await self._js.consumer_info(stream, self.account)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)
