"""Settings: one frozen Struct a service, read once from the environment. This module alone reads the environment.

A secret is named by a file (`…_FILE`), never by its value. An unknown `TSUNAGI_…` variable stops the start.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

PREFIX = "TSUNAGI_"
Kind = TypeVar("Kind", bound="Settings")


class SettingsError(Exception):
    """The environment does not fit; `problems` holds one plain sentence for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs. A field `nats_url` is read from `TSUNAGI_NATS_URL`."""

    profile: Annotated[Path, Meta(description="市町村プロファイルのフォルダー")]
    database: Annotated[Path, Meta(description="このサービスのデータベース（SQLite）のファイル")]
    accounts: Annotated[Path, Meta(description="職員アカウントのデータベース。同じ機械のサービスは同じファイルを指す")]
    secret_file: Annotated[
        Path,
        Meta(description="32文字以上の秘密が入ったファイル（APIキーの照合に使う）。同じaccountsを使うサービスで共通"),
    ]
    nats_seed_file: Annotated[Path, Meta(description="ハブの管理者から受け取ったNATSの鍵（nkey seed）のファイル")]
    nats_url: Annotated[str, Meta(description="ハブのアドレス")] = "nats://127.0.0.1:4222"
    nats_ca_file: Annotated[Path | None, Meta(description="ハブのTLS証明書を確かめるCA。tls:// のときだけ")] = None
    host: Annotated[str, Meta(description="待ち受けるアドレス。外へはリバースプロキシー（TLS）から")] = "127.0.0.1"
    port: Annotated[int, Meta(description="待ち受けるポート", ge=0, le=65535)] = 8080
    public_url: Annotated[str, Meta(description="職員のブラウザーから見たこのサービスのアドレス")] = (
        "http://127.0.0.1:8080"
    )
    intake_url: Annotated[str, Meta(description="受付の画面のアドレス（画面上部の案内に出す。空なら出さない）")] = ""
    documents_url: Annotated[str, Meta(description="文書の画面のアドレス（同上）")] = ""
    notify_url: Annotated[str, Meta(description="お知らせの画面のアドレス（同上）")] = ""
    cookie_secure: Annotated[
        bool, Meta(description="TLSの向こうで動かすときは true（既定）。TLSのない試用でだけ false")
    ] = True
    clock_file: Annotated[Path | None, Meta(description="試用だけ：時計をずらす秒数のファイル。本番では指定しない")] = (
        None
    )
    log_level: Annotated[str, Meta(description="ログの細かさ", pattern="^(debug|info|warning|error)$")] = "info"


def variable_of(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def _convert(raw: str, annotation: Any) -> Any:
    return msgspec.convert(raw, annotation, strict=False, dec_hook=lambda kind, value: kind(value))


def read(kind: type[Kind], environment: Mapping[str, str] | None = None) -> Kind:
    """The settings out of the environment. SettingsError with every mistake at once."""
    source = os.environ if environment is None else environment
    hints = typing.get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    problems: list[str] = []
    known = {variable_of(field.name) for field in msgspec.structs.fields(kind)}
    problems += [
        f"{name}: この設定はありません。綴りを確かめてください。"
        for name in sorted(source)
        if name.startswith(PREFIX) and name not in known
    ]
    for field in msgspec.structs.fields(kind):
        raw = source.get(variable_of(field.name), "")
        if raw == "":
            if field.required:
                problems.append(f"{variable_of(field.name)}: 必要な設定がありません。")
            continue
        try:
            values[field.name] = _convert(raw, hints[field.name])
        except (msgspec.ValidationError, ValueError) as error:
            problems.append(f"{variable_of(field.name)}: 値の形が違います（{error}）。")
    if problems:
        raise SettingsError(problems)
    return kind(**values)


def secret(path: Path) -> bytes:
    """The secret that stands in a file. SettingsError when it is missing or too short to keep anything safe."""
    try:
        value = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError([f"秘密のファイルが読めません（{path.name}: {error.strerror}）。"]) from None
    if len(value) < 32:
        raise SettingsError([f"秘密のファイルが短すぎます（{path.name}: 32文字以上にしてください）。"])
    return value
