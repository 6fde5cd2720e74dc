"""The settings of documents: those of every service, the bucket, and how PDFs are made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from tsunagi_shared.settings import Settings, SettingsError

WORK_FOLDER = "documents-work"


class DocumentsSettings(Settings, frozen=True, kw_only=True):
    """What documents needs on top."""

    s3_access_key_file: Annotated[Path, Meta(description="保管先（S3）のアクセスキーが入ったファイル")]
    s3_secret_key_file: Annotated[Path, Meta(description="保管先（S3）のシークレットキーが入ったファイル")]
    s3_endpoint: Annotated[str, Meta(description="保管先（S3）の ホスト:ポート")] = "127.0.0.1:8333"
    s3_bucket: Annotated[str, Meta(description="文書を入れるバケット。このサービスだけが使う")] = "documents"
    s3_region: Annotated[str, Meta(description="S3のリージョン")] = "us-east-1"
    s3_secure: Annotated[bool, Meta(description="保管先へTLSでつなぐ（既定）。同じ機械の中だけなら false でもよい")] = (
        True
    )
    s3_ca_file: Annotated[
        Path | None, Meta(description="保管先のTLS証明書を確かめるCA。空なら機械に入っているもの")
    ] = None
    pdf: Annotated[
        Literal["eager", "off"], Meta(description="eager: Wordができたらすぐ作る（既定）。off: PDFを作らない")
    ] = "eager"
    soffice: Annotated[str, Meta(description="LibreOfficeのプログラム")] = "soffice"
    work_folder: Annotated[
        Path | None,
        Meta(description="PDFを作る間だけ使うフォルダー（0700）。空ならデータベースの隣"),
    ] = None

    @property
    def private_folder(self) -> Path:
        """Where the converter works."""
        return self.work_folder or self.database.parent / WORK_FOLDER


def key_in(path: Path) -> str:
    """A key of the bucket out of its file. SettingsError when it cannot be read or is empty."""
    try:
        value = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError([f"保管先（S3）の鍵のファイルが読めません（{path.name}）。"]) from None
    if not value:
        raise SettingsError([f"保管先（S3）の鍵のファイルが空です（{path.name}）。"])
    return value
