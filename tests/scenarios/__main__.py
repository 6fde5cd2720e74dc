"""`make scenarios`: tells every story and writes var/scenarios/summary.json.

`python -m tests.scenarios kurume` tells that one alone; what the others left stays, and so does their summary.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from deploy.local.processes import ServerError
from deploy.local.visitor import VisitError
from tests.scenarios import ashiya, fussa, kamishihoro, kurume, standard
from tests.scenarios.story import Story, Told

FOLDER = Path("var/scenarios")
SUMMARY = FOLDER / "summary.json"
STORIES = {
    "fussa": fussa.tell,
    "kamishihoro": kamishihoro.tell,
    "ashiya": ashiya.tell,
    "kurume": kurume.tell,
    "standard": standard.tell,
}


def say(line: str) -> None:
    """Progress, as it happens."""
    print(line, flush=True)


async def tell(
    name: str, saved: Path, *, pdf: str, say: Callable[[str], None] = say, today: dt.date | None = None
) -> Told:
    """One story on a fresh stack of its own, as it is told today; nothing of it is left but what it saved."""
    with tempfile.TemporaryDirectory(prefix="tsunagi-story-") as place:
        async with Story(Path(place), saved, name, pdf=pdf, say=say, today=today) as story:
            await STORIES[name](story)
            await story.papers_are_proven()
            return story.told()


def _start(wanted: list[str]) -> dict[str, Told]:
    """Make room for what is told now; the summary of what is not told again."""
    if not wanted:
        shutil.rmtree(FOLDER, ignore_errors=True)
    for name in wanted:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not SUMMARY.exists():
        return {}
    return msgspec.json.decode(SUMMARY.read_bytes(), type=dict[str, Told])


def main(wanted: list[str]) -> int:
    """0 when every story held (of those named, where any is); 1 with the sentence of the first that did not."""
    unknown = sorted(set(wanted) - set(STORIES))
    if unknown:
        print(f"{'、'.join(unknown)} の物語はありません。あるのは {'、'.join(STORIES)} です。", file=sys.stderr)
        return 2
    begun = time.perf_counter()
    summary = _start(wanted)
    for name in wanted or STORIES:
        say(f"{name} の物語")
        try:
            summary[name] = asyncio.run(tell(name, FOLDER / name, pdf="eager"))
        except (VisitError, ServerError) as error:
            print(f"物語が途中で終わりました（{name}）。{error}", file=sys.stderr)
            return 1
    SUMMARY.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    steps = sum(len(told.steps) for told in summary.values())
    refusals = sum(len(told.refusals) for told in summary.values())
    print(
        f"すべての物語が成り立ちました（{steps}の段階、{refusals}の断り、{time.perf_counter() - begun:.0f}秒）。"
        f"まとめは {SUMMARY}、文書はその隣にあります。"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
