"""The settings of notify: what every service needs, and the mail server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from tsunagi_shared.settings import Settings, SettingsError

ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$"


class NotifySettings(Settings, frozen=True, kw_only=True):
    """Adds the mail server to the settings of every service."""

    smtp_host: Annotated[str, Meta(description="メールサーバーの名前", min_length=1)]
    smtp_from: Annotated[
        str, Meta(description="お知らせメールの差出人アドレス（返信を読まない専用のもの）", pattern=ADDRESS)
    ]
    smtp_port: Annotated[int, Meta(description="メールサーバーのポート", ge=1, le=65535)] = 587
    smtp_starttls: Annotated[
        bool, Meta(description="STARTTLSで暗号化する（既定）。同じ機械の試用サーバーでだけ false")
    ] = True
    smtp_ca_file: Annotated[
        Path | None, Meta(description="メールサーバーの証明書を確かめるCA。空なら機械に入っているもの")
    ] = None
    smtp_user: Annotated[str, Meta(description="メールサーバーへのサインイン名。要らなければ空")] = ""
    smtp_password_file: Annotated[Path | None, Meta(description="そのパスワードが入ったファイル")] = None
    smtp_timeout_seconds: Annotated[float, Meta(description="メールサーバーの答えを待つ秒数", gt=0, le=300)] = 10.0
    smtp_connections: Annotated[int, Meta(description="同時に使う接続の数", ge=1, le=32)] = 4


def check(settings: NotifySettings) -> None:
    """What the single fields cannot say. SettingsError with every mistake."""
    problems = []
    if bool(settings.smtp_user) != (settings.smtp_password_file is not None):
        problems.append("TSUNAGI_SMTP_USER と TSUNAGI_SMTP_PASSWORD_FILE は、両方を書くか、両方を空にしてください。")
    if settings.smtp_user and not settings.smtp_starttls:
        problems.append(
            "TSUNAGI_SMTP_STARTTLS: サインインするときは true にしてください（パスワードが平文で流れます）。"
        )
    if not settings.public_url.startswith(("https://", "http://")):
        problems.append("TSUNAGI_PUBLIC_URL: https:// か http:// で始めてください（メールのリンクになります）。")
    if problems:
        raise SettingsError(problems)


def password(settings: NotifySettings) -> str:
    """The mail server's password out of its file; empty when none is needed. SettingsError when it cannot be read."""
    if settings.smtp_password_file is None:
        return ""
    try:
        return settings.smtp_password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(
            [
                f"TSUNAGI_SMTP_PASSWORD_FILE: ファイルが読めません（{settings.smtp_password_file.name}: {error.strerror}）。"
            ]
        ) from None
