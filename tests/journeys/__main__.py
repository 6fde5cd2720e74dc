"""`make walks`: more than 10,000 random steps in each municipality's rules and tables. The suite walks the first few walks."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.journeys.random_cases import STAFF, STEPS, walk_all

WALKS = 26


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


for name in STAFF:
    with tempfile.TemporaryDirectory() as folder:
        _say(f"{name}：{WALKS}回、それぞれ{STEPS}手の無作為な歩みを始めます。")
        accepted = walk_all(name, Path(folder), WALKS)
        _say(f"{name}：{WALKS * STEPS}手のうち{accepted}手が受け入れられ、規則に反する状態は1つもありませんでした。")
