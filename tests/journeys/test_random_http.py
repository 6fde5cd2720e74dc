"""A random walk over HTTP on the embedded stack; `make walks` goes three hundred steps."""

from __future__ import annotations

from pathlib import Path

from tests.journeys import random_http


async def test_random_walk_over_http(tmp_path: Path) -> None:
    """100 steps, valid and invalid: what comes of each is what the rules say, and twice all that everybody can open."""
    await random_http.walk(tmp_path / "stack", steps=100, looks=2)
