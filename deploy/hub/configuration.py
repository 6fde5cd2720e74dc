"""The nats-server configuration of the hub, derived from the table of streams.

Why an account per service and not permissions inside one account: a user that may publish anything can name any subject
as the reply subject, and the server then writes its answer there on the user's behalf. Across accounts such an answer
stays in the account of whoever asked.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from deploy.hub import keys
from tsunagi_shared.contracts.streams import SERVICES, STREAMS, streams_read_by

HUB_ACCOUNT = "HUB"
SYSTEM_ACCOUNT = "SYS"
API_PREFIX = "hub.API"  # a service calls `nc.jetstream(prefix=API_PREFIX)`; without it the server answers for itself
MAX_PAYLOAD_BYTES = 1024 * 1024
CONFIGURATION_FILE = "hub.conf"
STORE_KEY_FILE = "store_key.conf"


class HubSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs between two hubs. Sizes in bytes; paths may be relative to the hub's folder.

    `public_keys` names the keys of a service that keeps its seed to itself (several while one is being replaced); for
    a service that is not named here a seed is made under `keys/`.
    """

    listen: str = "127.0.0.1:4222"
    server_name: str = "tsunagi-hub"
    store_folder: str = "streams"
    max_file_store: int = 10 * 1024**3
    max_connections_per_service: int = 20
    tls_certificate: str = ""
    tls_key: str = ""
    public_keys: dict[str, tuple[str, ...]] = {}


class Right(msgspec.Struct, frozen=True):
    """A subject of the hub's account that a service may call, and the subject it calls it by."""

    subject: str
    called: str
    answers_many: bool = False


def rights_of(service: str) -> tuple[Right, ...]:
    """All a service may do on the hub: publish its own subjects; take a message off its own stream (erasure); pull, look
    at and acknowledge its own consumers."""
    rights = [Right(f"{service}.>", f"{service}.>")]
    for stream in STREAMS:
        if stream.owner == service and stream.may_erase:
            delete = f"STREAM.MSG.DELETE.{stream.name}"
            rights.append(Right(f"$JS.API.{delete}", f"{API_PREFIX}.{delete}"))
    for stream in streams_read_by(service):
        consumer = f"{stream.name}.{service}"
        # answers_many: a pull for more than one message is answered message by message
        next_message, info = f"CONSUMER.MSG.NEXT.{consumer}", f"CONSUMER.INFO.{consumer}"
        rights += [
            Right(f"$JS.API.{next_message}", f"{API_PREFIX}.{next_message}", answers_many=True),
            Right(f"$JS.API.{info}", f"{API_PREFIX}.{info}"),
            Right(f"$JS.ACK.{consumer}.>", f"$JS.ACK.{consumer}.>"),
        ]
    return tuple(rights)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _users(public_keys: tuple[str, ...]) -> str:
    return "users: [ " + ", ".join(f"{{ nkey: {_quoted(key)} }}" for key in public_keys) + " ]"


def _hub_account(admin_key: str) -> str:
    lines = [f"  {HUB_ACCOUNT} {{", "    jetstream: enabled", f"    {_users((admin_key,))}", "    exports: ["]
    for service in SERVICES:
        for right in rights_of(service):
            many = ', response_type: "Stream"' if right.answers_many else ""
            lines.append(f"      {{ service: {_quoted(right.subject)}{many}, accounts: [{_quoted(service)}] }}")
    return "\n".join([*lines, "    ]", "  }"])


def _service_account(service: str, public_keys: tuple[str, ...], connections: int) -> str:
    limits = f"max_connections: {connections}, max_subscriptions: 200, max_payload: {MAX_PAYLOAD_BYTES}"
    lines = [f"  {_quoted(service)} {{", f"    {_users(public_keys)}", f"    limits: {{ {limits} }}", "    imports: ["]
    for right in rights_of(service):
        renamed = "" if right.called == right.subject else f", to: {_quoted(right.called)}"
        source = f"account: {HUB_ACCOUNT}, subject: {_quoted(right.subject)}"
        lines.append(f"      {{ service: {{ {source} }}{renamed} }}")
    return "\n".join([*lines, "    ]", "  }"])


def hub_configuration(settings: HubSettings, folder: Path, public_keys: dict[str, tuple[str, ...]]) -> str:
    """The text of the configuration file. `public_keys` has the admin's key and those of every service.

    The key for encryption at rest is not in it: it is included from a file of its own.
    """
    tls = ""
    if settings.tls_certificate:
        certificate, key = folder / settings.tls_certificate, folder / settings.tls_key
        tls = f'tls {{ cert_file: {_quoted(str(certificate))}, key_file: {_quoted(str(key))}, min_version: "1.3" }}\n'
    accounts = [_hub_account(public_keys[keys.ADMIN][0])]
    accounts += [_service_account(name, public_keys[name], settings.max_connections_per_service) for name in SERVICES]
    return f"""\
# Written by deploy.hub from the table of streams; changes made here are overwritten.
server_name: {_quoted(settings.server_name)}
listen: {_quoted(settings.listen)}
max_payload: {MAX_PAYLOAD_BYTES}
{tls}jetstream {{
  store_dir: {_quoted(str(folder / settings.store_folder))}
  max_memory_store: {64 * 1024**2}
  max_file_store: {settings.max_file_store}
  sync_interval: always
  cipher: chachapoly
  include {_quoted("./" + STORE_KEY_FILE)}
}}
accounts {{
{chr(10).join(accounts)}
  {SYSTEM_ACCOUNT} {{ }}
}}
system_account: {SYSTEM_ACCOUNT}
"""


def write_hub(folder: Path, settings: HubSettings) -> Path:
    """Writes keys (once) and configuration (always) into the folder (0700) and gives the configuration's path.

    ValueError when `public_keys` names something that is no service.
    """
    unknown = sorted(set(settings.public_keys) - set(SERVICES))
    if unknown:
        raise ValueError(f"public_keys names no service of the table: {', '.join(unknown)}")
    folder = keys.private_folder(folder)
    public_keys = dict(settings.public_keys)
    for user in (keys.ADMIN, *SERVICES):
        if user not in public_keys:
            seed = keys.kept_secret(keys.seed_file(folder, user), keys.new_seed)
            public_keys[user] = (keys.public_key_of(seed),)
    # quoted, or the server would read a key of digits as a number
    keys.kept_secret(folder / STORE_KEY_FILE, lambda: f"key: {_quoted(keys.new_store_key())}")
    path = folder / CONFIGURATION_FILE
    keys.write_private(path, hub_configuration(settings, folder, public_keys))
    return path
