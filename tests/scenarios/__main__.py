"""`make scenarios`: tells every story and writes var/scenarios/summary.json."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from deploy.local.processes import ServerError
from deploy.local.visitor import VisitError
from tests.scenarios import fussa, standard
from tests.scenarios.story import Story, Told

FOLDER = Path("var/scenarios")
STORIES = {"fussa": fussa.tell, "standard": standard.tell}


def say(line: str) -> None:
    """Progress, as it happens."""
    print(line, flush=True)


async def tell(name: str, saved: Path, *, pdf: str, say: Callable[[str], None] = say) -> Told:
    """One story on a fresh stack of its own; nothing of it is left but what it saved."""
    with tempfile.TemporaryDirectory(prefix="tsunagi-story-") as place:
        async with Story(Path(place), saved, name, pdf=pdf, say=say) as story:
            await STORIES[name](story)
            return story.told()


def main() -> int:
    """0 when every story held; 1 with the sentence of the first that did not."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    begun = time.perf_counter()
    summary: dict[str, Told] = {}
    for name in STORIES:
        say(f"{name} の物語")
        try:
            summary[name] = asyncio.run(tell(name, FOLDER / name, pdf="eager"))
        except (VisitError, ServerError) as error:
            print(f"物語が途中で終わりました（{name}）。{error}", file=sys.stderr)
            return 1
    (FOLDER / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    steps = sum(len(told.steps) for told in summary.values())
    refusals = sum(len(told.refusals) for told in summary.values())
    print(
        f"すべての物語が成り立ちました（{steps}の段階、{refusals}の断り、{time.perf_counter() - begun:.0f}秒）。"
        f"まとめは {FOLDER}/summary.json、文書はその隣にあります。"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
