"""The embedded servers are closed, durable, and gone when they should be. All real, on the loopback address."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import signal
import smtplib
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import nats
import pytest
from minio import Minio
from minio.error import S3Error
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError

from deploy.hub.configuration import API_PREFIX, HubSettings, write_hub
from deploy.hub.keys import ADMIN, new_seed, public_key_of, write_private
from deploy.hub.provision import provision, signed_in
from deploy.local.ports import LOWEST, TRIES, free_ports
from deploy.local.processes import ChildProcess, ServerError
from deploy.local.servers import REPOSITORY, MailSink, NatsServer, ObjectStore
from tsunagi_shared.contracts.streams import SERVICES, STREAMS

PATIENCE_SECONDS = 10.0


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One hub for the tests that do not stop it."""
    server = NatsServer(tmp_path_factory.mktemp("hub"))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """One object store for the tests that do not stop it."""
    server = ObjectStore(tmp_path_factory.mktemp("store"), bucket="papers")
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@contextlib.asynccontextmanager
async def service(hub: NatsServer, name: str) -> AsyncIterator[tuple[Client, JetStreamContext]]:
    """A connection as the service has it."""
    async with signed_in(hub.url, hub.seed_file(name)) as connection:
        yield connection, connection.jetstream(prefix=API_PREFIX, timeout=2.0)


async def stored(hub: NatsServer) -> dict[str, int]:
    """How many messages each stream holds."""
    async with signed_in(hub.url, hub.seed_file(ADMIN)) as admin:
        jetstream = admin.jetstream()
        return {stream.name: (await jetstream.stream_info(stream.name)).state.messages for stream in STREAMS}


def wait_until(holds: Callable[[], bool]) -> None:
    """Returns when it holds; fails the test when it does not within the patience."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether a process of that number runs (one that waits to be collected does not)."""
    try:
        state = re.search(r"^State:\s+(\w)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except FileNotFoundError:
        return False
    return state is not None and state[1] not in "ZX"


async def test_each_service_publishes_its_own_events_once(hub: NatsServer) -> None:
    """A service's event reaches its stream; the same message id again is a duplicate and not stored."""
    before = await stored(hub)
    for name in SERVICES:
        async with service(hub, name) as (_, jetstream):
            headers = {"Nats-Msg-Id": f"own-{name}"}
            first = await jetstream.publish(f"{name}.sample.made.v1", b"{}", headers=headers)
            again = await jetstream.publish(f"{name}.sample.made.v1", b"{}", headers=headers)
            assert (first.stream, bool(first.duplicate), bool(again.duplicate)) == (name.upper(), False, True)
    assert await stored(hub) == {stream: count + 1 for stream, count in before.items()}


async def test_each_reader_pulls_and_acknowledges_its_streams(hub: NatsServer) -> None:
    """Every row of the table of streams can be read by its readers, many messages at once, and be acknowledged."""
    for stream in STREAMS:
        async with service(hub, stream.owner) as (_, jetstream):
            for number in range(3):
                await jetstream.publish(f"{stream.owner}.sample.read.v1", str(number).encode())
        for reader in stream.readers:
            async with service(hub, reader) as (_, jetstream):
                consumer = await jetstream.pull_subscribe_bind(reader, stream.name)
                messages: list[Msg] = []
                while len(messages) < 3 or messages[-1].data != b"2":
                    messages += await consumer.fetch(10, timeout=2)
                for message in messages:
                    await message.ack_sync(timeout=2)
                information = await jetstream.consumer_info(stream.name, reader)
                assert (information.num_pending, information.num_ack_pending) == (0, 0)
                assert information.config.ack_wait == 30
                assert information.config.max_ack_pending == 1000


@pytest.mark.parametrize(("name", "owner"), [(name, owner) for name in SERVICES for owner in SERVICES if name != owner])
async def test_publishing_for_another_service_is_refused(hub: NatsServer, name: str, owner: str) -> None:
    """A service cannot publish on another's subject; it learns so at once and nothing is stored."""
    before = await stored(hub)
    async with service(hub, name) as (_, jetstream):
        with pytest.raises(NoStreamResponseError):
            await jetstream.publish(f"{owner}.sample.made.v1", b"{}")
    assert await stored(hub) == before


async def test_notify_cannot_read_what_intake_publishes(hub: NatsServer) -> None:
    """notify gets neither intake's consumer, nor a message by pulling as documents, nor a copy by listening."""
    async with service(hub, "intake") as (_, jetstream):
        await jetstream.publish("intake.sample.secret.v1", b"{}")
    async with service(hub, "notify") as (connection, jetstream):
        for consumer in ("documents", "notify"):
            with pytest.raises(APIError):
                await jetstream.consumer_info("INTAKE", consumer)
            for prefix in (API_PREFIX, "$JS.API"):
                with pytest.raises(NoRespondersError):
                    await connection.request(f"{prefix}.CONSUMER.MSG.NEXT.INTAKE.{consumer}", b"1", timeout=2)
        for call in ("STREAM.MSG.GET.INTAKE", "STREAM.INFO.INTAKE", "CONSUMER.CREATE.INTAKE", "DIRECT.GET.INTAKE"):
            with pytest.raises(NoRespondersError):
                await connection.request(f"{API_PREFIX}.{call}", b'{"seq":1}', timeout=2)
        heard = await connection.subscribe(">")
        await connection.flush()
        async with service(hub, "intake") as (_, intake):
            await intake.publish("intake.sample.secret.v1", b"{}")
        await connection.flush()
        assert heard.pending_msgs == 0


async def test_naming_another_subject_for_the_answer_writes_nothing(hub: NatsServer) -> None:
    """An answer of the hub asked for under another service's subject lands in no stream."""
    before = await stored(hub)
    async with service(hub, "documents") as (connection, jetstream):
        await jetstream.publish("documents.sample.made.v1", b"{}")
        pull = f"{API_PREFIX}.CONSUMER.MSG.NEXT.INTAKE.documents"
        await connection.publish("documents.sample.made.v1", b"{}", reply="notify.sample.forged.v1")
        await connection.publish(pull, b"1", reply="notify.sample.forged.v1")
        await connection.publish(f"{API_PREFIX}.CONSUMER.INFO.INTAKE.documents", b"", reply="intake.sample.forged.v1")
        await connection.flush()
        await asyncio.sleep(0.3)
    assert await stored(hub) == {**before, "DOCUMENTS": before["DOCUMENTS"] + 2}


async def test_a_wrong_seed_is_refused(hub: NatsServer, tmp_path: Path) -> None:
    """Whoever is not in the hub's configuration does not get in, nor does anyone without a key."""
    write_private(tmp_path / "stranger.nk", new_seed())
    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await signed_in(hub.url, tmp_path / "stranger.nk").__aenter__()
    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await signed_in(hub.url, None).__aenter__()


async def test_a_killed_hub_keeps_every_event_it_confirmed(tmp_path: Path) -> None:
    """After SIGKILL and a new start on the same folder the events are there, and not in clear on the disk."""
    server = NatsServer(tmp_path / "hub")
    await server.start()
    try:
        async with service(server, "intake") as (_, jetstream):
            for number in range(20):
                headers = {"Nats-Msg-Id": str(number)}
                await jetstream.publish("intake.sample.made.v1", b"legible words", headers=headers)
        server.kill()
        assert b"legible words" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        await server.start()
        async with service(server, "intake") as (_, jetstream):
            again = await jetstream.publish("intake.sample.made.v1", b"x", headers={"Nats-Msg-Id": "19"})
        assert again.duplicate
        assert (await stored(server))["INTAKE"] == 20
    finally:
        await server.stop()


async def test_provisioning_again_changes_nothing(hub: NatsServer) -> None:
    """Streams and consumers can be brought up to date on a hub that is in use."""
    before = await stored(hub)
    async with signed_in(hub.url, hub.seed_file(ADMIN)) as admin:
        await provision(admin)
    assert await stored(hub) == before


def test_secrets_are_for_their_owner_only(hub: NatsServer, store: ObjectStore) -> None:
    """Seeds, keys and settings with secrets are 0600, and none of them is on a command line."""
    secret_files = [*(hub.folder / "keys").iterdir(), hub.folder / "store_key.conf", store.secret_key_file]
    secret_files += [*(store.folder / "settings").iterdir()]
    assert len(secret_files) == 8
    for path in secret_files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for server in (hub, store):
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
        for secret in [path.read_text().strip() for path in secret_files]:
            assert secret not in " ".join(server.process.command)
            assert secret.encode() not in Path(f"/proc/{server.process.pid}/environ").read_bytes()


def test_a_service_may_bring_its_own_key(tmp_path: Path) -> None:
    """For a service whose public key is given the hub makes no seed; a name that is no service is refused."""
    key = public_key_of(new_seed())
    text = write_hub(tmp_path, HubSettings(public_keys={"notify": (key,)})).read_text()
    assert key in text
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["admin.nk", "documents.nk", "intake.nk"]
    with pytest.raises(ValueError, match="nobody"):
        write_hub(tmp_path, HubSettings(public_keys={"nobody": (key,)}))


def test_nobody_reads_or_writes_objects_without_the_identity(store: ObjectStore) -> None:
    """Anonymous requests and wrong keys are refused; the ports inside the store serve no data over HTTP."""
    store.client().put_object(store.bucket, "a/paper", io.BytesIO(b"words"), 5)
    ports = store.ports
    with httpx.Client(timeout=5.0) as web:
        assert web.get(f"{store.url}/{store.bucket}/a/paper").status_code == 403
        assert web.put(f"{store.url}/{store.bucket}/b", content=b"x").status_code == 403
        for path in ("/", "/buckets/papers/a/paper", "/buckets/papers?recursive=true"):
            assert web.get(f"http://127.0.0.1:{ports.filer}{path}").status_code == 404
        assert web.delete(f"http://127.0.0.1:{ports.filer}/buckets/papers?recursive=true").status_code == 404
        assert web.get(f"http://127.0.0.1:{ports.admin}/").status_code == 404
        assert web.get(f"http://127.0.0.1:{ports.volume}/1,0100000000").status_code == 401
    stranger = Minio(store.endpoint, access_key="stranger", secret_key="x" * 20, secure=False, region="us-east-1")
    with pytest.raises(S3Error):
        stranger.list_objects(store.bucket).__next__()


def test_the_identity_reaches_its_bucket_only(store: ObjectStore) -> None:
    """It cannot make, fill, read or remove any bucket but use its own."""
    client = store.client()
    attempts: list[Callable[[], object]] = [
        lambda: client.make_bucket("elsewhere"),
        lambda: client.put_object("elsewhere", "a", io.BytesIO(b"x"), 1),
        lambda: list(client.list_objects("elsewhere")),
        lambda: client.remove_bucket(store.bucket),
    ]
    for attempt in attempts:
        with pytest.raises(S3Error) as refused:
            attempt()
        assert refused.value.code in ("AccessDenied", "NoSuchBucket")
    assert [bucket.name for bucket in client.list_buckets()] == [store.bucket]


async def test_the_store_listens_on_the_loopback_address_only(store: ObjectStore) -> None:
    """No port of the store can be reached from another machine."""
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    for port in (getattr(store.ports, name) for name in store.ports.__struct_fields__):
        addresses = re.findall(rf" ([0-9A-F]+):{port:04X} [0-9A-F]+:0000 0A ", listening)
        assert set(addresses) <= {"0100007F"}


async def test_a_killed_store_keeps_what_it_confirmed(tmp_path: Path) -> None:
    """After SIGKILL and a new start on other ports the object is there; nothing of the server stays in /tmp."""
    before = {path.name for path in Path("/tmp").glob("*.sock")}
    first = ObjectStore(tmp_path / "store")
    await first.start()
    first.client().put_object(first.bucket, "a", io.BytesIO(b"words"), 5)
    first.kill()
    second = ObjectStore(tmp_path / "store")
    await second.start()
    try:
        answer = second.client().get_object(second.bucket, "a")
        assert answer.read() == b"words"
        answer.close()
        answer.release_conn()
    finally:
        await second.stop()
    ours = {f"{port}" for ports in (first.ports, second.ports) for port in (ports.s3, ports.s3_grpc, ports.filer_grpc)}
    left = {path.name for path in Path("/tmp").glob("*.sock")} - before
    assert not [name for name in left if any(port in name for port in ours)]


async def test_the_mail_sink_keeps_mails_and_refuses_when_told(tmp_path: Path) -> None:
    """A taken mail is a numbered file with its recipients; a refusal is passed on and leaves no file."""
    sink = MailSink(tmp_path / "mail")
    await sink.start()

    def send(subject: str) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "tsunagi@example.jp", "madoguchi@example.jp", subject
        mail.set_content("お知らせ")
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
            client.send_message(mail)

    try:
        await asyncio.to_thread(send, "first")
        sink.refuse("data", "451 4.3.0 try later")
        with pytest.raises(smtplib.SMTPDataError, match=r"4\.3\.0") as later:
            await asyncio.to_thread(send, "second")
        assert later.value.smtp_code == 451
        sink.refuse("rcpt", "550 5.1.1 no such user")
        with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"5\.1\.1"):
            await asyncio.to_thread(send, "third")
        sink.accept()
        await sink.stop()
        await sink.start()
        await asyncio.to_thread(send, "fourth")
        assert [path.name for path in sink.mails()] == ["000001.eml", "000002.eml"]
        assert b"X-Envelope-To: madoguchi@example.jp" in sink.mails()[0].read_bytes()
        assert b"fourth" in sink.mails()[1].read_bytes()
    finally:
        await sink.stop()


async def test_a_server_that_cannot_start_says_why_and_is_gone(tmp_path: Path) -> None:
    """The error names the server and quotes its log; no process is left."""
    taken = MailSink(tmp_path / "first")
    await taken.start()
    try:
        second = NatsServer(tmp_path / "second", port=taken.port)
        with pytest.raises(ServerError, match=r"nats-server ended while starting.*(?s:.*)address already in use"):
            await second.start()
        assert not second.process.running
    finally:
        await taken.stop()


async def test_a_process_that_will_not_end_is_killed_with_its_group(tmp_path: Path) -> None:
    """A program that ignores SIGTERM, and its own child, are gone after the grace."""
    script = "trap '' TERM; sleep 600 & echo $! > child; wait"
    child = tmp_path / "child"
    process = ChildProcess(
        "stubborn", ["/bin/sh", "-c", script], tmp_path / "log", working_folder=tmp_path, grace_seconds=0.3
    )

    async def ready() -> bool:
        return child.exists() and child.read_text().endswith("\n")

    await process.start(ready)
    pid, grandchild = process.pid, int(child.read_text())
    assert pid is not None
    assert runs(grandchild)
    await process.stop()
    assert not runs(pid)
    wait_until(lambda: not runs(grandchild))


def test_no_server_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    """When the stack itself is killed, its servers end."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from deploy.local.servers import MailSink, NatsServer\n"
        "async def main():\n"
        "    folder = pathlib.Path(sys.argv[1])\n"
        "    servers = NatsServer(folder / 'hub'), MailSink(folder / 'mail')\n"
        "    for server in servers:\n"
        "        await server.start()\n"
        "    print(*(server.process.pid for server in servers), flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE
    ) as stack:
        assert stack.stdout is not None
        pids = [int(word) for word in stack.stdout.readline().split()]
        assert len(pids) == 2
        assert all(runs(pid) for pid in pids)
        stack.send_signal(signal.SIGKILL)
        stack.wait(timeout=5)
    for pid in pids:
        wait_until(lambda pid=pid: not runs(pid))  # type: ignore[misc]


def test_free_ports_are_different_and_free() -> None:
    """Ports are handed out once, outside the range that the system gives to outgoing connections."""
    ports = free_ports(30)
    assert len(set(ports)) == 30
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(ports) < max(lowest_outgoing, 32_768)


def test_a_port_is_given_to_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls that hit upon the same port before a server listens get different ones, in another process too."""
    first = free_ports(1)[0]
    numbers = iter([first - LOWEST, *range(TRIES)])
    monkeypatch.setattr("deploy.local.ports.secrets.randbelow", lambda _: next(numbers))
    assert free_ports(1)[0] != first
    there = f"from deploy.local import ports; print(ports._claim({first}))"
    said = subprocess.run([sys.executable, "-c", there], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert said.stdout == "False\n"
