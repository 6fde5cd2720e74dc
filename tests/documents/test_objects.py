"""The bucket: what is stored comes back whole or not at all, and a store that is away is told apart from a lost file."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from deploy.local.ports import free_ports
from deploy.local.servers import ObjectStore
from tests.documents.running_service import settings_in
from tsunagi_documents.objects import Bucket, BucketUnavailable, ObjectDamaged, ObjectMissing, Stored, key_of
from tsunagi_shared.settings import SettingsError

CONTENT = b"a file of ours"


@pytest.fixture
async def bucket(tmp_path: Path, store: ObjectStore) -> AsyncIterator[Bucket]:
    """The bucket of documents, closed after the test."""
    bucket = Bucket(settings_in(tmp_path, store))
    yield bucket
    bucket.close()


async def test_a_stored_file_comes_back_as_it_was(bucket: Bucket) -> None:
    """Stored under kind, id, version and hash; read back with its size and hash checked."""
    identity = str(uuid.uuid4())
    stored = await bucket.store("referral_sheet", identity, 3, "docx", CONTENT)
    assert stored.key == f"referral_sheet/{identity}/3/{hashlib.sha256(CONTENT).hexdigest()[:32]}.docx"
    assert await bucket.fetch(stored) == CONTENT
    assert (await bucket.stat(stored.key)).bytes == len(CONTENT)
    assert stored.key in {listed.key for listed in await bucket.list()}


async def test_other_bytes_never_share_a_key() -> None:
    """The key of a version holds the start of the file's hash."""
    keys = {key_of("k", "d", 1, hashlib.sha256(bytes([number])).hexdigest(), "pdf") for number in range(200)}
    assert len(keys) == 200


@pytest.mark.parametrize("other", [b"b file of ours", b"a file", b"a file of ours and more" * 1000])
async def test_a_changed_object_is_found_out(bucket: Bucket, other: bytes) -> None:
    """Other bytes, fewer or more: nothing of it is given out."""
    stored = await bucket.store("referral_sheet", str(uuid.uuid4()), 1, "docx", CONTENT)
    await bucket.put(stored.key, other, "application/octet-stream")
    with pytest.raises(ObjectDamaged):
        await bucket.fetch(stored)


async def test_a_lost_object_is_told_apart_from_a_store_that_is_away(
    bucket: Bucket, tmp_path: Path, store: ObjectStore
) -> None:
    """The first is a fault to look after, the second is waited for; the wait is a matter of seconds."""
    missing = Stored("referral_sheet/none/1/0.docx", "0" * 64, 1)
    with pytest.raises(ObjectMissing):
        await bucket.fetch(missing)
    with pytest.raises(ObjectMissing):
        await bucket.stat(missing.key)
    away = Bucket(settings_in(tmp_path / "away", store, s3_endpoint=f"127.0.0.1:{free_ports(1)[0]}"))
    begun = time.monotonic()
    with pytest.raises(BucketUnavailable) as caught:
        await away.fetch(missing)
    assert caught.value.code == "bucket-unreachable"
    assert time.monotonic() - begun < 5
    assert "つながりません" in await away.problem()
    away.close()


async def test_health_says_what_is_wrong(bucket: Bucket, tmp_path: Path, store: ObjectStore) -> None:
    """Nothing when all is well; a sentence when the keys are not those of the bucket."""
    assert await bucket.problem() == ""
    wrong = tmp_path / "wrong-key"
    wrong.write_text("x" * 40)
    settings = msgspec.structs.replace(settings_in(tmp_path, store), s3_secret_key_file=wrong)
    refused = Bucket(settings)
    assert "S3" in await refused.problem()
    refused.close()


def test_a_missing_key_file_stops_the_start(tmp_path: Path, store: ObjectStore) -> None:
    """The sentence names the file and no secret."""
    settings = msgspec.structs.replace(settings_in(tmp_path, store), s3_access_key_file=tmp_path / "nothing")
    with pytest.raises(SettingsError, match="nothing"):
        Bucket(settings)
