"""`make walks`: more than 10,000 random steps in each municipality's rules and tables, and 300 over HTTP on the embedded
stack. The suite walks the first few of each."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.journeys import random_http
from tests.journeys.random_cases import STAFF, STEPS, walk_all

WALKS = 26
HTTP_STEPS, HTTP_LOOKS = 300, 10


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


for name in STAFF:
    with tempfile.TemporaryDirectory() as folder:
        _say(f"{name}：{WALKS}回、それぞれ{STEPS}手の無作為な歩みを始めます。")
        accepted = walk_all(name, Path(folder), WALKS)
        _say(f"{name}：{WALKS * STEPS}手のうち{accepted}手が受け入れられ、規則に反する状態は1つもありませんでした。")
with tempfile.TemporaryDirectory() as folder:
    _say(f"動いている3つのサービスに、HTTPで{HTTP_STEPS}手を試します。")
    accepted = asyncio.run(random_http.walk(Path(folder) / "stack", steps=HTTP_STEPS, looks=HTTP_LOOKS))
    _say(f"{HTTP_STEPS}手のうち{accepted}手が受け入れられ、開いてはならないものは1つも開きませんでした。")
