"""`make bench`: prints what it measures and writes var/bench/.

`python -m tests.bench sitting growth` measures these parts alone; what the file has of the others stays. The parts about the
making of documents have a file of their own, var/bench/documents.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.flow import measure_flows
from tests.bench.growth import measure_growth
from tests.bench.million import measure_million
from tests.bench.rush import measure_rush
from tests.bench.sheets import measure_sheets
from tests.bench.sitting import measure_sittings
from tests.bench.submissions import measure_submissions
from tests.bench.withdrawal import measure_withdrawals

RESULT = Path("var/bench/flow.json")
DOCUMENTS = Path("var/bench/documents.json")
Say = Callable[[str], None]


class Part(NamedTuple):
    """What is measured, as people are told, and how: in a folder of its own."""

    title: str
    measure: Callable[[Path, Say], Awaitable[dict[str, Any]]]
    result: Path = RESULT


def say(line: str) -> None:
    """Progress, as it happens."""
    print(line, flush=True)


async def _flows(folder: Path, say: Say) -> dict[str, Any]:
    """Whole flows without and with PDF."""
    found = {}
    for name, pdf in (("pdf_off", "off"), ("pdf_on", "eager")):
        (folder / pdf).mkdir()
        found[name] = await measure_flows(folder / pdf, pdf, say)
    return found


PARTS = {
    "sheets": Part("Wordの様式を1枚作る速さ（docxtplと比べます。1分ほど）", measure_sheets, DOCUMENTS),
    "submissions": Part("受付の速さ（1件ずつ確定する同じ処理と比べます）", measure_submissions),
    "flow": Part("提出から、Wordの保管とメールの受け渡しまで", _flows),
    "rush": Part("毎秒20件の提出を10秒間、Word・受信箱・メールまで（1分ほど）", measure_rush),
    "withdrawals": Part("同意の撤回から、文書が閉じるまで", measure_withdrawals),
    "sitting": Part("議題30件・25人の会議の招集から、通知の保管とメールの受け渡しまで（2分ほど）", measure_sittings),
    "growth": Part("件数を増やしたときの、一覧・検索・ケース画面（2分ほど）", measure_growth),
    "million": Part("100万件のケースとお知らせがあるときの、一覧・検索・受信箱など（5分ほど）", measure_million),
}


def calibration(folder: Path) -> dict[str, float]:
    """What the machine gives today: an fsync and a fixed piece of Python, so that runs can be compared."""
    with (folder / "fsync").open("wb") as file:
        begun = time.perf_counter()
        for _ in range(200):
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
        fsync_ms = (time.perf_counter() - begun) * 5
    begun = time.perf_counter()
    sum(number * number for number in range(2_000_000))
    return {"fsync_ms": round(fsync_ms, 3), "python_ms": round((time.perf_counter() - begun) * 1000, 1)}


async def _measured(part: Part) -> dict[str, Any]:
    """The figures of a part, with what the machine gave before and after."""
    say(f"測っています：{part.title}")
    with tempfile.TemporaryDirectory(prefix="tsunagi-bench-") as place:
        folder = Path(place) / "run"
        folder.mkdir()
        before = calibration(Path(place))
        found = await part.measure(folder, say)
        return {**found, "calibration": {"before": before, "after": calibration(Path(place))}}


async def measure_all(wanted: list[str]) -> dict[str, Any]:
    """What each part found, added to what its file has of the parts that were not measured."""
    result: dict[str, Any] = {}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        file = PARTS[name].result
        earlier = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        result[name] = await _measured(PARTS[name])
        if file == RESULT:
            kept = {known: earlier[known] for known in PARTS if known in earlier} | {name: result[name]}
        else:
            kept = earlier | result[name]
        machine = {"cores": os.cpu_count(), "python": platform.python_version()}
        kept = {"machine": machine} | {known: found for known, found in kept.items() if known != "machine"}
        file.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")  # kept, should the next part fail
    return result


def _wanted(arguments: list[str]) -> list[str]:
    """The parts that were named, in the order of the table; all where none was. Ends the process for a name there is not."""
    listed = "\n".join(f"  {name:<12} {part.title}" for name, part in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=f"速さを測り、{RESULT}（文書の部分は {DOCUMENTS}）に書きます。測らなかった部分の結果は残ります。",
        epilog=f"測る部分：\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="部分", help="測る部分の名前（なければ、すべて）")
    named = set(parser.parse_args(arguments).parts)
    unknown = sorted(named - set(PARTS))
    if unknown:
        parser.error(f"{'、'.join(unknown)} という部分はありません。あるのは {'、'.join(PARTS)} です。")
    return [name for name in PARTS if not named or name in named]


def main(arguments: list[str]) -> None:
    """Measure, and say where the figures are."""
    wanted = _wanted(arguments)
    result = asyncio.run(measure_all(wanted))
    files = dict.fromkeys(str(PARTS[name].result) for name in wanted)
    ending = f"結果は {'、'.join(files)} にあります。"
    if "submissions" in wanted:
        found = result["submissions"]
        ending = (
            f"受付は毎秒{found['intake']['per_second']:.0f}件（p99 {found['intake']['p99_ms']}ミリ秒）、"
            f"1件ずつ確定する処理の{found['ratio']}倍です。{ending}"
        )
    say(f"終わりました。{ending}")


if __name__ == "__main__":
    main(sys.argv[1:])
