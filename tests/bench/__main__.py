"""`make bench`: prints what it measures and writes var/bench/flow.json."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.flow import measure_flows
from tests.bench.growth import measure_growth
from tests.bench.submissions import measure_submissions
from tests.bench.withdrawal import measure_withdrawals

RESULT = Path("var/bench/flow.json")


def say(line: str) -> None:
    """Progress, as it happens."""
    print(line, flush=True)


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


async def main() -> None:
    """Submissions beside their peer, then whole flows without and with PDF."""
    result: dict[str, Any] = {"machine": {"cores": os.cpu_count(), "python": platform.python_version()}}
    with tempfile.TemporaryDirectory(prefix="tsunagi-bench-") as place:
        folder = Path(place)
        result["calibration"] = calibration(folder)
        say("受付の速さを、1件ずつ確定する同じ処理と比べています。")
        for name in ("submissions", "off", "eager", "withdrawals", "growth"):
            (folder / name).mkdir()
        result["submissions"] = await measure_submissions(folder / "submissions", say)
        say("提出から、Wordの保管とメールの受け渡しまでを測っています。")
        result["flow"] = {"pdf_off": await measure_flows(folder / "off", "off", say)}
        result["flow"]["pdf_on"] = await measure_flows(folder / "eager", "eager", say)
        say("同意の撤回から、文書が閉じるまでを測っています。")
        result["withdrawals"] = await measure_withdrawals(folder / "withdrawals", say)
        say("一覧・検索・ケース画面を、件数を増やしながら測っています（2分ほどかかります）。")
        result["growth"] = await measure_growth(folder / "growth", say)
        result["calibration_after"] = calibration(folder)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    found = result["submissions"]
    say(
        f"終わりました。受付は毎秒{found['intake']['per_second']:.0f}件（p99 {found['intake']['p99_ms']}ミリ秒）、"
        f"1件ずつ確定する処理の{found['ratio']}倍です。結果は {RESULT} にあります。"
    )


if __name__ == "__main__":
    asyncio.run(main())
