"""Random walks in 福生市, where the provider is the city's own: refusals leave no trace, states go along their arrows, and
nobody reads anything without a live basis. `make walks` goes on where these end."""

from __future__ import annotations

from pathlib import Path

from tests.journeys.random_cases import walk_all


def test_random_cases(tmp_path: Path) -> None:
    """800 steps, valid and invalid, by people of eleven posts; documents hears of them in order, and late and shuffled."""
    walk_all("fussa", tmp_path, 2)
