"""Word sheets: the service's own render call, killable worker included, beside docxtpl that reads its file each time.

The peer renders in this process, in the same sandbox and with the same escaping. Before anything is timed, every XML part of
both is compared. Memory is the peak of a process that renders the largest table, libraries and all.
"""

from __future__ import annotations

import asyncio
import io
import resource
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from docx import Document
from docxtpl import DocxTemplate
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from lxml import etree

from tsunagi_documents.engine import Engine

RUNS = 5
ROWS = (10, 100, 1_000, 10_000)
AT_ONCE = (1, 8, 64)
FIELDS = 60
COLUMNS = ("number", "name", "agency", "note", "date")
SHEET, TABLE = "sheet.docx", "table.docx"
_PROPERTIES = "docProps/core.xml"  # the engine sets them, whatever the template says


def sheet_template() -> bytes:
    """Three pages of A4, 60 fields in ruled tables, two lists of rows, header and footer: as a city writes it in Word."""
    document: Any = Document()
    document.sections[0].header.paragraphs[0].text = "{{ field1 }}"
    document.sections[0].footer.paragraphs[0].text = "文書番号　{{ field2 }}"
    for page in range(3):
        if page:
            document.add_page_break()
        document.add_heading(f"様式その{page + 1}", 1)
        grid = document.add_table(10, 4, style="Table Grid")
        for line, row in enumerate(grid.rows):
            for side in range(2):
                number = page * 20 + line * 2 + side + 1
                row.cells[side * 2].text = f"項目{number}"
                row.cells[side * 2 + 1].text = f"{{{{ field{number} }}}}"
        document.add_paragraph("{%p if field3 %}")
        document.add_paragraph("記　{{ field4 }}")
        document.add_paragraph("{%p endif %}")
        if page:
            _rows(document)
    return _saved(document)


def table_template() -> bytes:
    """One table that grows."""
    document = Document()
    document.add_heading("{{ title }}", 1)
    _rows(document)
    return _saved(document)


def _rows(document: Any) -> None:
    texts = (
        ("番号", "氏名", "機関", "内容", "日付"),
        ("{%tr for row in rows %}",),
        tuple(f"{{{{ row.{name} }}}}" for name in COLUMNS),
        ("{%tr endfor %}",),
    )
    grid = document.add_table(0, len(COLUMNS), style="Table Grid")
    for line in texts:
        cells = grid.add_row().cells
        for cell, text in zip(cells, line, strict=False):
            cell.text = text


def _saved(document: Any) -> bytes:
    saved = io.BytesIO()
    document.save(saved)
    return saved.getvalue()


def row(number: int) -> dict[str, Any]:
    """One row of made-up data."""
    return {
        "number": number,
        "name": f"見本 太郎{number}",
        "agency": "見本相談支援センター",
        "note": "本人の話を聞き、<次回>の日程を決めた。\n家族にも連絡した。",
        "date": f"令和8年11月{number % 28 + 1}日",
    }


def sheet_data() -> dict[str, Any]:
    """Sixty fields, some of them long and over several lines."""
    fields = {f"field{number}": f"見本の内容{number} & <{number}>" for number in range(1, FIELDS + 1)}
    fields |= {f"field{number}": "長い内容です。\n" * 3 + "終わり" for number in range(5, FIELDS, 12)}
    return {**fields, "rows": [row(number) for number in range(6)]}


def table_data(rows: int) -> dict[str, Any]:
    """A table of that many rows."""
    return {"title": "支援経過", "rows": [row(number) for number in range(rows)]}


def by_docxtpl(path: Path, context: dict[str, Any]) -> bytes:
    """The peer: file read, patched, compiled, rendered and saved, as its documentation shows it."""
    environment = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
    document = DocxTemplate(path)
    document.render(context, environment)
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def parts_of(word: bytes) -> dict[str, bytes]:
    """The XML parts in canonical form, without the properties."""
    with zipfile.ZipFile(io.BytesIO(word)) as packed:
        return {
            name: etree.tostring(etree.fromstring(packed.read(name)), method="c14n")
            for name in packed.namelist()
            if name.endswith((".xml", ".rels")) and name != _PROPERTIES
        }


def peak_of_docxtpl(path: str, rows: str) -> None:
    """In a process of its own: the peak of one render, printed in kB."""
    by_docxtpl(Path(path), table_data(int(rows)))
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def _peak_of_worker(engine: Engine) -> int:
    status = Path(f"/proc/{engine.worker_id}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


async def _milliseconds(render: Callable[[], Awaitable[object]], times: int) -> float:
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        await render()
        found.append((time.perf_counter() - begun) * 1000)
    return statistics.median(found)


async def _beside(engine: Engine, path: Path, context: dict[str, Any], times: tuple[int, int]) -> dict[str, Any]:
    """Five alternating runs; each run's figure is the median of its renders, the result the median of the runs."""
    template = path.read_bytes()

    async def ours() -> bytes:
        return await engine.render(template, context)

    async def theirs() -> bytes:
        return by_docxtpl(path, context)

    equal = parts_of(await ours()) == parts_of(await theirs())
    runs = [(await _milliseconds(ours, times[0]), await _milliseconds(theirs, times[1])) for _ in range(RUNS)]
    docx_ms, docxtpl_ms = (statistics.median(run[side] for run in runs) for side in (0, 1))
    return {
        "docx_ms": round(docx_ms, 3),
        "docxtpl_ms": round(docxtpl_ms, 2),
        "times_faster": round(docxtpl_ms / docx_ms, 1),
        "outputs_equal": equal,
        "runs": [[round(value, 3) for value in run] for run in runs],
    }


async def _at_once(engine: Engine, template: bytes, context: dict[str, Any], count: int) -> float:
    """Documents a second with that many asked for at the same time."""
    found = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        for _ in range(max(1, 256 // count)):
            await asyncio.gather(*(engine.render(template, context) for _ in range(count)))
        found.append(max(1, 256 // count) * count / (time.perf_counter() - begun))
    return round(statistics.median(found))


async def measure_sheets(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The sheet of three pages, tables of 10 to 10,000 rows, many requests at once, and memory."""
    (folder / SHEET).write_bytes(sheet_template())
    (folder / TABLE).write_bytes(table_template())
    engine = Engine(budget_seconds=60)
    await engine.start()
    result: dict[str, Any] = {"fields": FIELDS}
    try:
        result |= await _beside(engine, folder / SHEET, sheet_data(), (200, 10))
        say(f"  3ページ60項目　{result['docx_ms']} ms（docxtpl {result['docxtpl_ms']} ms）")
        result["rows"] = {}
        for rows in ROWS:
            times = (max(1, 2_000 // rows), max(1, 200 // rows))
            found = await _beside(engine, folder / TABLE, table_data(rows), times)
            result["rows"][str(rows)] = found
            say(f"  表 {rows}行　{found['docx_ms']} ms（docxtpl {found['docxtpl_ms']} ms）")
        result["memory"] = await _memory(folder / TABLE)
        say(f"  1万行のときのメモリ　{result['memory']['worker_kb']} kB（docxtpl {result['memory']['docxtpl_kb']} kB）")
        template, context = (folder / SHEET).read_bytes(), sheet_data()
        result["per_second_at_once"] = {
            str(count): await _at_once(engine, template, context, count) for count in AT_ONCE
        }
        say(f"  同時に頼まれたとき、1秒あたり　{result['per_second_at_once']}")
    finally:
        await engine.stop()
    result["outputs_equal"] = all(each["outputs_equal"] for each in (result, *result["rows"].values()))
    return result


async def _memory(path: Path) -> dict[str, int]:
    """The peaks of two fresh processes that render the largest table once."""
    engine = Engine(budget_seconds=60)
    await engine.start()
    try:
        await engine.render(path.read_bytes(), table_data(ROWS[-1]))
        worker = _peak_of_worker(engine)
    finally:
        await engine.stop()
    script = f"from tests.bench.sheets import peak_of_docxtpl; peak_of_docxtpl({str(path)!r}, '{ROWS[-1]}')"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {"worker_kb": worker, "docxtpl_kb": int(answer.stdout)}
