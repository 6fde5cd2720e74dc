"""The servers that the embedded stack runs on this machine: the hub, the object store, a mail server that keeps all.

Each has a folder of its own for data, keys (made at the first start, 0600) and log. Started again with the same
folder it has the same data. All listen on the loopback address only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import msgspec
import urllib3
from minio import Minio
from minio.error import S3Error

from deploy.hub import keys
from deploy.hub.configuration import CONFIGURATION_FILE, HubSettings, write_hub
from deploy.hub.provision import provision, signed_in
from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.processes import ChildProcess, ServerError
from deploy.local.smtp_sink import REFUSAL_FILE

REPOSITORY = Path(__file__).resolve().parents[2]
REGION = "us-east-1"  # what an S3 client signs with; the store itself has no regions
DOCUMENTS_IDENTITY = "documents"
GREETING_SECONDS = 1.0


def program(name: str) -> str:
    """The path of a server's program, from the virtual environment or else PATH. ServerError when it is in neither."""
    own = Path(sysconfig.get_path("scripts")) / name
    found = str(own) if own.exists() else shutil.which(name)
    if found is None:
        raise ServerError(f"the program {name} is not installed: run make")
    return found


def _environment(home: Path) -> dict[str, str]:
    # nothing of the caller's settings may reach a server: credentials, proxies and WEED_* variables stay outside
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8"}


async def _greeting(port: int) -> bytes:
    """The first line a server says to whoever connects; empty while there is none."""
    try:
        async with asyncio.timeout(GREETING_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                return await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""


class NatsServer:
    """nats-server as the hub: accounts, streams and consumers of the table are there when `start` returns."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port if port is not None else free_ports(1)[0]
        self.url = f"nats://{LOOPBACK}:{self.port}"
        command = [program("nats-server"), "-c", str(self.folder / CONFIGURATION_FILE)]
        log_file = self.folder / "nats-server.log"
        self.process = ChildProcess("nats-server", command, log_file, environment=_environment(self.folder))

    def seed_file(self, user: str) -> Path:
        """The nkey seed of a service, or of `admin`; it is there after the first start."""
        return keys.seed_file(self.folder, user)

    async def start(self) -> None:
        """Returns when the hub answers and all streams are provisioned. ServerError when it does not come up."""
        write_hub(self.folder, HubSettings(listen=f"{LOOPBACK}:{self.port}"))
        await self.process.start(self._answers)
        try:
            async with signed_in(self.url, self.seed_file(keys.ADMIN)) as admin:
                await provision(admin)
        except BaseException:
            await self.stop()
            raise

    async def _answers(self) -> bool:
        return b'"jetstream":true' in await _greeting(self.port)

    async def stop(self) -> None:
        await self.process.stop()

    def kill(self) -> None:
        """Ends the server as a power cut would (SIGKILL)."""
        self.process.kill()


class StorePorts(msgspec.Struct, frozen=True):
    """The ports of the object store. Only `s3` is for others; the rest is how its parts talk to one another."""

    s3: int
    s3_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    filer: int
    filer_grpc: int
    admin: int
    admin_grpc: int

    @classmethod
    def free(cls) -> StorePorts:
        return cls(*free_ports(len(cls.__struct_fields__)))


class ObjectStore:
    """SeaweedFS, closed: one identity, for one bucket, and no other way in over HTTP; each write is flushed to disk."""

    def __init__(self, folder: Path, bucket: str = "documents", ports: StorePorts | None = None) -> None:
        self.folder = folder.resolve()
        self.bucket = bucket
        self.ports = ports if ports is not None else StorePorts.free()
        self.endpoint = f"{LOOPBACK}:{self.ports.s3}"
        self.url = f"http://{self.endpoint}"
        self.access_key_file = self.folder / "keys" / "access_key"
        self.secret_key_file = self.folder / "keys" / "secret_key"
        self._data = self.folder / "data"
        self._settings = self.folder / "settings"
        self.process = ChildProcess(
            "SeaweedFS", self._command(), self.folder / "seaweedfs.log", environment=_environment(self.folder)
        )

    def _weed(self) -> list[str]:
        # -config_dir holds security.toml; without -logtostderr it logs to the system's temporary folder
        return [program("weed"), f"-config_dir={self._settings}", "-logtostderr=true", "-alsologtostderr=false"]

    def _command(self) -> list[str]:
        ports = self.ports
        return [
            *self._weed(),
            "mini",
            f"-dir={self._data}",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",  # its default is every address of the machine
            *(f"-{part}.port={getattr(ports, part)}" for part in ("master", "volume", "filer", "s3", "admin")),
            *(
                f"-{part}.port.grpc={getattr(ports, part + '_grpc')}"
                for part in ("master", "volume", "filer", "s3", "admin")
            ),
            f"-filer.localSocket={self._socket('filer')}",
            f"-s3.localSocket={self._socket('s3')}",
            "-admin.ui=false",
            "-webdav=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            "-s3.autoCreateBucket=false",
            "-s3.allowDeleteBucketNotEmpty=false",
            "-master.telemetry=false",  # its default sends figures to the maker
            "-disableHttp",  # the filer's own port knows no identities
            f"-s3.config={self._settings / 's3.json'}",
            f"-bucket={self.bucket}",
        ]

    def _socket(self, part: str) -> str:
        # a socket's path may have 107 bytes, so it cannot lie in a folder of any length; its name is kept by port
        return f"/tmp/tsunagi-{part}-{self.ports.s3}.sock"  # noqa: S108 - the server makes it anew and it is removed

    def _write_settings(self) -> None:
        identity = {
            "name": DOCUMENTS_IDENTITY,
            "credentials": [{"accessKey": self._access_key(), "secretKey": self._secret_key()}],
            "actions": [f"{action}:{self.bucket}" for action in ("Read", "Write", "List")],
        }
        keys.write_private(self._settings / "s3.json", json.dumps({"identities": [identity]}))
        # with these keys the parts accept one another's requests only, and nobody adds an identity over gRPC
        parts = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
        security = self._settings / "security.toml"
        keys.kept_secret(security, lambda: "".join(f'[{part}]\nkey = "{secrets.token_hex(32)}"\n' for part in parts))

    def _access_key(self) -> str:
        return keys.kept_secret(self.access_key_file, lambda: secrets.token_hex(10))

    def _secret_key(self) -> str:
        return keys.kept_secret(self.secret_key_file, lambda: secrets.token_hex(32))

    async def start(self) -> None:
        """Returns when the bucket takes requests and its writes are flushed. ServerError when it does not come up."""
        for folder in (self.folder, self._data):
            keys.private_folder(folder)
        self._write_settings()
        client = self.client(timeout_seconds=2.0)
        try:
            await self.process.start(lambda: asyncio.to_thread(self._answers, client), timeout_seconds=60.0)
            await asyncio.to_thread(self._flush_writes)
        except BaseException:
            await self.stop()
            raise

    def client(self, timeout_seconds: float = 10.0) -> Minio:
        """A client signed in as the identity of documents, without retries."""
        pool = urllib3.PoolManager(timeout=timeout_seconds, retries=False)
        return Minio(
            self.endpoint,
            access_key=self._access_key(),
            secret_key=self._secret_key(),
            secure=False,
            region=REGION,
            http_client=pool,
        )

    def _answers(self, client: Minio) -> bool:
        try:
            return client.bucket_exists(self.bucket)
        except (OSError, urllib3.exceptions.HTTPError, S3Error):
            return False

    def _flush_writes(self) -> None:
        # without this the store never calls fsync, and a power cut takes what it had confirmed
        run = subprocess.run(
            [*self._weed(), "shell", f"-master={LOOPBACK}:{self.ports.master}.{self.ports.master_grpc}"],
            input=f"fs.configure -locationPrefix=/buckets/{self.bucket}/ -fsync -apply\n".encode(),
            capture_output=True,
            env=_environment(self.folder),
            timeout=30,
            check=False,
        )
        if run.returncode != 0 or b'"fsync":  true' not in run.stdout:
            raise ServerError(f"SeaweedFS did not take the setting that flushes writes: {run.stderr.decode()[-500:]}")

    async def stop(self) -> None:
        try:
            await self.process.stop()
        finally:
            self._remove_sockets()

    def kill(self) -> None:
        """Ends the server as a power cut would (SIGKILL)."""
        self.process.kill()
        self._remove_sockets()

    def _remove_sockets(self) -> None:
        # left in the system's temporary folder by a server that was killed
        for part in ("master", "volume", "filer", "s3", "admin"):
            port = getattr(self.ports, part + "_grpc")
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108 - the server's own names
        for part in ("filer", "s3"):
            Path(self._socket(part)).unlink(missing_ok=True)


class MailSink:
    """A mail server that sends nothing on: each mail it takes is a numbered .eml file in `mails`."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port if port is not None else free_ports(1)[0]
        self.url = f"smtp://{LOOPBACK}:{self.port}"
        self.mails_folder = self.folder / "mails"
        command = [sys.executable, "-m", "deploy.local.smtp_sink", "--port", str(self.port)]
        self.process = ChildProcess(
            "mail sink",
            [*command, "--folder", str(self.mails_folder)],
            self.folder / "mail-sink.log",
            environment=_environment(self.folder),
            working_folder=REPOSITORY,
        )

    async def start(self) -> None:
        """Returns when it greets. ServerError when it does not come up."""
        await self.process.start(self._answers)

    async def _answers(self) -> bool:
        return (await _greeting(self.port)).startswith(b"220")

    async def stop(self) -> None:
        await self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def mails(self) -> list[Path]:
        """The mails taken so far, in order."""
        return sorted(self.mails_folder.glob("*.eml"))

    def refuse(self, stage: str, answer: str) -> None:
        """From now on refuses with `answer` (such as `451 4.3.0 try later`) at `stage`: `rcpt` or `data`."""
        keys.write_private(self.mails_folder / REFUSAL_FILE, f"{stage} {answer}\n")

    def accept(self) -> None:
        """Takes mails again."""
        (self.mails_folder / REFUSAL_FILE).unlink(missing_ok=True)
