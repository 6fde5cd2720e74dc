"""The whole line on one machine: hub, object store, mail sink and the three services, each as a contractor would run it."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import sys
from pathlib import Path

import httpx
import msgspec

from deploy.hub.keys import private_folder, write_private
from deploy.local.moved_clock import MovedClock
from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.processes import ChildProcess
from deploy.local.servers import MailSink, NatsServer, ObjectStore, StorePorts
from tsunagi_shared.accounts import Accounts, Post
from tsunagi_shared.contracts.profile import Profile, load_profile
from tsunagi_shared.contracts.streams import SERVICES
from tsunagi_shared.settings import secret

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILES = REPOSITORY / "deploy" / "profiles"
PORTS_FILE = "ports.json"
SETTINGS_FILE = "settings.env"
SAMPLE_FILE = "sample_users.toml"
READY_SECONDS = 60.0


class UnknownProfileError(RuntimeError):
    """There is no such profile; the text names those there are."""


class Ports(msgspec.Struct, frozen=True):
    """Every port of a stack; kept in its folder, so that addresses stay from one start to the next."""

    nats: int
    mail: int
    intake: int
    documents: int
    notify: int
    store: StorePorts

    @classmethod
    def free(cls) -> Ports:
        nats, mail, intake, documents, notify = free_ports(5)
        return cls(nats, mail, intake, documents, notify, StorePorts.free())


class Stack:
    """Started in any folder; data, keys and settings stay there. Nothing listens beyond the loopback address.

    `clock` moves the time of the three services together; the hub, the store and the mail sink keep the real one.
    """

    def __init__(self, folder: Path, *, profile: str = "fussa", pdf: str = "eager", ports: Ports | None = None) -> None:
        self.folder = private_folder(folder.resolve())
        self.profile = profile_folder(profile)
        self.clock = MovedClock(self.folder / "clock")
        self.pdf = pdf
        self.ports = ports or self._kept_ports()
        self.nats = NatsServer(self.folder / "hub", self.ports.nats)
        self.store = ObjectStore(self.folder / "objects", ports=self.ports.store)
        self.mail = MailSink(self.folder / "mail", self.ports.mail)
        self.services = {name: self._service(name) for name in SERVICES}

    def _kept_ports(self) -> Ports:
        kept = self.folder / PORTS_FILE
        if kept.exists():
            return msgspec.json.decode(kept.read_bytes(), type=Ports)
        ports = Ports.free()
        kept.write_bytes(msgspec.json.encode(ports))
        return ports

    def port_of(self, service: str) -> int:
        """The port of a service."""
        return int(getattr(self.ports, service))

    def url_of(self, service: str) -> str:
        """The address of a service."""
        return f"http://{LOOPBACK}:{self.port_of(service)}"

    def folder_of(self, service: str) -> Path:
        """Where a service keeps its database and reads its settings."""
        return self.folder / service

    @property
    def secret_file(self) -> Path:
        return self.folder / "secret"

    @property
    def accounts_file(self) -> Path:
        return self.folder / "accounts.db"

    def environment_of(self, service: str) -> dict[str, str]:
        """The settings of a service, and nothing of the caller's environment but what programs need to run."""
        own = self.folder_of(service)
        settings = {
            "PROFILE": self.profile,
            "DATABASE": own / f"{service}.db",
            "ACCOUNTS": self.accounts_file,
            "SECRET_FILE": self.secret_file,
            "NATS_URL": self.nats.url,
            "NATS_SEED_FILE": self.nats.seed_file(service),
            "HOST": LOOPBACK,
            "PORT": self.port_of(service),
            "PUBLIC_URL": self.url_of(service),
            "COOKIE_SECURE": "false",
            "CLOCK_FILE": self.clock.path,
            "LOG_LEVEL": "warning",
            **{f"{name.upper()}_URL": self.url_of(name) for name in SERVICES},
        }
        if service == "documents":
            settings |= {
                "S3_ENDPOINT": self.store.endpoint,
                "S3_BUCKET": self.store.bucket,
                "S3_ACCESS_KEY_FILE": self.store.access_key_file,
                "S3_SECRET_KEY_FILE": self.store.secret_key_file,
                "S3_SECURE": "false",
                "PDF": self.pdf,
            }
        if service == "notify":
            settings |= {
                "SMTP_HOST": LOOPBACK,
                "SMTP_PORT": self.ports.mail,
                "SMTP_STARTTLS": "false",
                "SMTP_FROM": "tsunagi@example.jp",
            }
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
        return kept | {f"TSUNAGI_{name}": str(value) for name, value in settings.items()}

    def _service(self, name: str) -> ChildProcess:
        command = [sys.executable, "-m", f"tsunagi_{name}", "serve"]
        own = private_folder(self.folder_of(name))
        return ChildProcess(
            f"tsunagi-{name}", command, own / "service.log", environment=self.environment_of(name), working_folder=own,
            grace_seconds=15.0,
        )  # fmt: skip

    async def start(self) -> None:
        """Everything up and ready, or nothing left running. The services start in any order, and so beside the hub."""
        if not self.secret_file.exists():
            write_private(self.secret_file, secrets.token_hex(32))
        try:
            await asyncio.gather(self.nats.start(), self.store.start(), self.mail.start())
            await asyncio.gather(*(self.start_service(name) for name in SERVICES))
        except BaseException:
            await self.stop()
            raise

    async def start_service(self, name: str) -> None:
        """Start one service and wait until it is ready and reaches the hub. Its settings lie beside its database, for
        commands at the shell."""
        settings = {key: value for key, value in self.environment_of(name).items() if key.startswith("TSUNAGI_")}
        lines = [f"export {key}={shlex.quote(value)}" for key, value in settings.items()]
        write_private(self.folder_of(name) / SETTINGS_FILE, "\n".join(lines) + "\n")
        await self.services[name].start(lambda: self._ready(name), timeout_seconds=READY_SECONDS)

    async def _ready(self, name: str) -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
            try:
                answer = await client.get(f"{self.url_of(name)}/readyz")
            except httpx.TransportError:
                return False
        return answer.status_code == 200 and bool(answer.json()["bus"]) and not answer.json()["bus_problem"]

    async def stop(self) -> None:
        """Services first, then what they stand on. Returns when no process is left."""
        await asyncio.gather(*(process.stop() for process in self.services.values()))
        await asyncio.gather(self.nats.stop(), self.store.stop(), self.mail.stop())

    def accounts(self) -> Accounts:
        """The accounts that the three services share."""
        return Accounts(self.accounts_file, secret(self.secret_file), self.load_profile().contractor_on)

    def load_profile(self) -> Profile:
        """The profile the services run with. ProfileError."""
        return load_profile(self.profile)


def profile_folder(name: str) -> Path:
    """The folder of a profile that is here. UnknownProfileError."""
    known = sorted(path.name for path in PROFILES.iterdir() if path.is_dir())
    if name not in known:
        raise UnknownProfileError(f"プロファイル {name} はありません。あるのは {'、'.join(known)} です。")
    return PROFILES / name


class SampleUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An invented member of staff for trials. `contractor`: who took them on, where it is not the one of the day they are
    made."""

    user: str
    name: str
    agency: str
    roles: tuple[str, ...]
    contractor: str = ""


class SampleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """sample_users.toml of a profile's folder."""

    users: tuple[SampleUser, ...]


def sample_users(profile: Path) -> tuple[SampleUser, ...]:
    """The sample staff of the profile in a folder; none where it names none."""
    path = profile / SAMPLE_FILE
    return msgspec.toml.decode(path.read_bytes(), type=SampleFile).users if path.exists() else ()


SAMPLE_USERS = sample_users(PROFILES / "fussa")


def add_sample_users(accounts: Accounts, wanted: tuple[SampleUser, ...] = SAMPLE_USERS) -> dict[str, str]:
    """The sample accounts with passwords made up now, by user id; those that exist keep theirs and are left out."""
    existing = {user for user, *_ in accounts.users()}
    return {
        sample.user: accounts.add_user(sample.user, sample.name, [Post(sample.agency, sample.roles, sample.contractor)])
        for sample in wanted
        if sample.user not in existing
    }
