"""Random walks in the national frame, where the provider needs consent and contractors are replaced on 1 April."""

from __future__ import annotations

from pathlib import Path

from tests.journeys.random_cases import walk_all


def test_random_cases_under_contracts(tmp_path: Path) -> None:
    """800 steps, over the end of a 年度: a contractor goes, another comes, one agency is left without."""
    walk_all("standard", tmp_path, 2)
