"""`python -m deploy.hub write FOLDER [SETTINGS.toml]` and `python -m deploy.hub provision FOLDER URL`.

`write` puts keys and configuration into the folder and has nats-server check it; SETTINGS.toml holds the fields of
HubSettings. `provision` makes the streams and consumers on the running hub, as the admin of that folder.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import ssl
import subprocess
import sys
import sysconfig
from pathlib import Path

import msgspec
from nats.errors import Error as NatsError

from deploy.hub import keys
from deploy.hub.configuration import CONFIGURATION_FILE, HubSettings, write_hub
from deploy.hub.provision import provision, signed_in
from tsunagi_shared.contracts.streams import SERVICES, STREAMS


def _write(folder: Path, settings_file: Path | None) -> None:
    settings = HubSettings()
    if settings_file is not None:
        settings = msgspec.toml.decode(settings_file.read_bytes(), type=HubSettings)
    earlier = folder / CONFIGURATION_FILE
    before = earlier.read_text(encoding="utf-8") if earlier.exists() else None
    configuration = write_hub(folder, settings)
    program = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if program is not None:
        try:
            subprocess.run([program, "-c", str(configuration), "-t"], check=True, capture_output=True)
        except subprocess.CalledProcessError:
            if before is not None:  # the hub's next start still finds what it ran with
                keys.write_private(configuration, before)
            raise
    print(f"設定を書き出しました：{configuration}")
    for service in SERVICES:
        if service not in settings.public_keys:
            print(f"{service} を運用する事業者に安全な方法で渡してください：{keys.seed_file(folder, service)}")


async def _provision(folder: Path, url: str, authority: Path | None) -> None:
    tls = ssl.create_default_context(cafile=authority) if url.startswith(("tls://", "wss://")) else None
    async with signed_in(url, keys.seed_file(folder, keys.ADMIN), tls) as admin:
        await provision(admin)
    for stream in STREAMS:
        print(f"{stream.name}：保存 {stream.kept_days}日、読み手 {'・'.join(stream.readers)}")


def main() -> int:
    """Runs the command that was asked for; 1 with one sentence when it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m deploy.hub", description="NATS のハブを用意します。")
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="鍵と nats-server の設定を書き出します")
    write.add_argument("folder", type=Path)
    write.add_argument("settings", type=Path, nargs="?")
    make = commands.add_parser("provision", help="動いているハブにストリームと読み手を作ります")
    make.add_argument("folder", type=Path)
    make.add_argument("url")
    make.add_argument("--authority", type=Path, help="ハブの証明書を発行した認証局の証明書（PEM）")
    chosen = parser.parse_args()
    try:
        if chosen.command == "write":
            _write(chosen.folder, chosen.settings)
        else:
            asyncio.run(_provision(chosen.folder, chosen.url, chosen.authority))
    except subprocess.CalledProcessError as failure:
        print(f"nats-server が設定を受け付けません：{failure.stderr.decode(errors='replace').strip()}", file=sys.stderr)
        return 1
    except (OSError, ValueError, NatsError) as failure:  # msgspec's errors are ValueErrors
        print(f"できませんでした：{failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
