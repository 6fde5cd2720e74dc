"""The bucket behind one module: files by key, in a bounded pool of threads, with time limits of seconds.

A key is `<kind>/<document id>/<version>/<start of the sha256>.<format>`: nobody's name is in it, and it is never given to
other bytes.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import hashlib
import io
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from tsunagi_documents.settings import DocumentsSettings, key_in

THREADS = 8
CONNECT_SECONDS = 3.0
READ_SECONDS = 15.0
KEY_DIGITS = 32  # of the sha256 in hexadecimal: two files of one version never share a key
SEEN_SECONDS = 2.0  # how long an answer about the bucket's health is good for
CONTENT_TYPES = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
}

Answer = TypeVar("Answer")


class BucketUnavailable(Exception):
    """The object store does not answer, or refuses. Nothing is said about the object. `code` is the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ObjectMissing(Exception):
    """The bucket answers and holds no object of this key."""


class ObjectDamaged(Exception):
    """What the bucket holds is not what was stored: another size or another hash."""


class Stored(msgspec.Struct, frozen=True):
    """A file as it was stored."""

    key: str
    sha256: str
    bytes: int


class Listed(msgspec.Struct, frozen=True):
    """An object that the bucket lists. `changed_at` is the store's own time (UTC)."""

    key: str
    bytes: int
    changed_at: dt.datetime


def key_of(kind: str, document_id: str, version: int, sha256: str, file_format: str) -> str:
    """Where a file goes."""
    return f"{kind}/{document_id}/{version}/{sha256[:KEY_DIGITS]}.{file_format}"


class Bucket:
    """The one bucket of documents. Every call may raise BucketUnavailable."""

    def __init__(self, settings: DocumentsSettings) -> None:
        """SettingsError when the key files cannot be read. Nothing is contacted yet."""
        self._name = settings.s3_bucket
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="bucket")
        self._pool = urllib3.PoolManager(
            maxsize=THREADS,
            block=True,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=False,  # the jobs table retries, where people can see it
            ca_certs=str(settings.s3_ca_file) if settings.s3_ca_file else None,
            cert_reqs="CERT_REQUIRED",
        )
        self._client = Minio(
            settings.s3_endpoint,
            access_key=key_in(settings.s3_access_key_file),
            secret_key=key_in(settings.s3_secret_key_file),
            secure=settings.s3_secure,
            region=settings.s3_region,  # fixed: the client would ask the server for it first
            http_client=self._pool,
        )
        self._seen_at = float("-inf")
        self._seen = ""

    def close(self) -> None:
        """Let what is under way end, and the connections go."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._pool.clear()

    async def store(self, kind: str, document_id: str, version: int, file_format: str, content: bytes) -> Stored:
        """Put a file, read it back and compare. ObjectDamaged when the bucket gives back something else."""
        digest = hashlib.sha256(content).hexdigest()
        stored = Stored(key_of(kind, document_id, version, digest, file_format), digest, len(content))
        await self.put(stored.key, content, CONTENT_TYPES[file_format])
        try:
            await self.fetch(stored)
        except ObjectMissing:
            raise ObjectDamaged from None
        return stored

    async def fetch(self, stored: Stored) -> bytes:
        """The file, whole and as it was stored. ObjectMissing, ObjectDamaged."""
        content = await self.get(stored.key, most_bytes=stored.bytes)
        if len(content) != stored.bytes or hashlib.sha256(content).hexdigest() != stored.sha256:
            raise ObjectDamaged
        return content

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store the bytes under the key."""
        await self._call(
            lambda: self._client.put_object(self._name, key, io.BytesIO(content), len(content), content_type)
        )

    async def get(self, key: str, *, most_bytes: int) -> bytes:
        """The object's bytes, at most one more than `most_bytes`. ObjectMissing."""
        return await self._call(lambda: self._read(key, most_bytes + 1))

    def _read(self, key: str, length: int) -> bytes:
        response = self._client.get_object(self._name, key)
        try:
            return response.read(length)
        finally:
            response.close()
            response.release_conn()

    async def stat(self, key: str) -> Listed:
        """Size and time of the object. ObjectMissing."""
        found = await self._call(lambda: self._client.stat_object(self._name, key))
        assert found.size is not None
        assert found.last_modified is not None
        return Listed(key, found.size, found.last_modified)

    async def list(self, prefix: str = "") -> list[Listed]:
        """Every object of the bucket whose key begins with `prefix`."""
        return await self._call(
            lambda: [
                Listed(found.object_name, found.size or 0, found.last_modified)
                for found in self._client.list_objects(self._name, prefix=prefix, recursive=True)
                if found.object_name and found.last_modified and not found.is_dir
            ]
        )

    async def remove(self, key: str) -> None:
        """Take an object away; one that is not there is no error."""
        await self._call(lambda: self._client.remove_object(self._name, key))

    async def problem(self) -> str:
        """Empty when the bucket answers, else one sentence. Asked at most once in two seconds."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._seen_at >= SEEN_SECONDS:
            self._seen_at = loop.time()
            self._seen = await self._ask()
        return self._seen

    async def _ask(self) -> str:
        try:
            there = await self._call(lambda: self._client.bucket_exists(self._name))
        except BucketUnavailable as error:
            return f"文書の保管先（S3）につながりません（{error.code}）。"
        return "" if there else f"文書の保管先（S3）にバケット {self._name} がありません。"

    async def _call(self, function: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _translated, function)


def _translated(function: Callable[[], Any]) -> Any:
    """The client's many errors as the two that matter here."""
    try:
        return function()
    except S3Error as error:
        if error.code in ("NoSuchKey", "NoSuchObject"):
            raise ObjectMissing from None
        raise BucketUnavailable(f"bucket-{error.code}") from None
    except (MinioException, urllib3.exceptions.HTTPError, OSError):
        raise BucketUnavailable("bucket-unreachable") from None
