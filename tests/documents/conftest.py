"""A real object store for the tests of documents, one for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from deploy.local.servers import ObjectStore


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """SeaweedFS with the bucket of documents, stopped at the end."""
    server = ObjectStore(tmp_path_factory.mktemp("store"))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())
