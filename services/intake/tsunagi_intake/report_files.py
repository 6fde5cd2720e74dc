"""The figures of a 年度 as files: CSV that a spreadsheet opens, and a workbook with real numbers and dates.

Names come from the profile, so that none of them may be taken for a formula.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from tsunagi_shared import clock
from tsunagi_shared.audit_pages import safe_cell
from tsunagi_shared.contracts.report import YearReport

COLUMNS = ("年度", "区分", "項目", "項目ID", "数", "単位", "目標", "達成率（％）", "定義", "集計日")
TARGETS = "目標・指標"
_HEAD = PatternFill("solid", fgColor="E8F1FE")
_WRAP = Alignment(vertical="top", wrap_text=True)

Cell = str | int | dt.date | None


def as_csv(report: YearReport) -> bytes:
    """UTF-8 with its mark, one row a figure and then one a target."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in _rows(report):
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else _plain(cell) for cell in row])
    return text.getvalue().encode("utf-8-sig")


def _plain(cell: int | dt.date | None) -> str:
    return "" if cell is None else str(cell)


def _rows(report: YearReport) -> Iterator[tuple[Cell, ...]]:
    year, day = report.fiscal_year, report.counted_on
    for group in report.groups:
        for figure in group.figures:
            value: Cell = figure.masked if figure.value is None else figure.value
            yield year, group.title, figure.name, figure.id, value, figure.unit, None, None, figure.definition, day
    for target in report.targets:
        actual: Cell = target.shown if target.actual is None else target.actual
        rate, says = target.rate, target.definition
        yield year, TARGETS, target.name, target.id, actual, target.unit, target.at_least, rate, says, day


def as_workbook(report: YearReport) -> bytes:
    """The same as .xlsx: figures, definitions, targets, each on a sheet that prints on A4 under its repeated header."""
    book = Workbook()
    book.properties.creator = ""
    book.properties.created = book.properties.modified = clock.now().replace(tzinfo=None)
    figures = book.active
    assert isinstance(figures, Worksheet)
    figures.title = "実績"
    title = f"{report.municipality}　{report.fiscal_year}年度　重層的支援体制整備事業　実績"
    every = [(group.title, figure) for group in report.groups for figure in group.figures]
    _sheet(
        figures, title, report.counted_on, ("区分", "項目", "数", "単位"), (38, 62, 12, 8),
        [(group, figure.name, figure.masked if figure.value is None else figure.value, figure.unit) for group, figure in every],
    )  # fmt: skip
    definitions = [(group, figure.name, figure.definition, figure.id) for group, figure in every]
    _sheet(
        book.create_sheet("定義"), f"{title}　定義", report.counted_on, ("区分", "項目", "定義", "項目ID"), (28, 40, 60, 30),
        definitions,
    )  # fmt: skip
    _sheet(
        book.create_sheet(TARGETS), f"{title}　{TARGETS}", report.counted_on,
        ("目標・指標", "目標", "実績", "達成率（％）", "単位", "もとの値", "数え方"), (42, 11, 12, 11, 9, 20, 42),
        [
            (target.name, target.at_least, target.shown if target.actual is None else target.actual, target.rate, target.unit,
             target.baseline, target.definition)
            for target in report.targets
        ],
    )  # fmt: skip
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _sheet(
    sheet: Worksheet, title: str, counted_on: dt.date, columns: Sequence[str], widths: Sequence[int],
    rows: Sequence[Sequence[Cell]],
) -> None:  # fmt: skip
    """Title, the day of counting as a date, a header that stays, and the rows."""
    _put(sheet, 1, 1, title).font = Font(bold=True, size=14)
    _put(sheet, 2, 1, "集計日")
    day = _put(sheet, 2, 2, counted_on)
    day.number_format, day.alignment = "yyyy/mm/dd", Alignment(horizontal="left")
    for column, (name, width) in enumerate(zip(columns, widths, strict=True), 1):
        head = _put(sheet, 4, column, name)
        head.font, head.fill, head.alignment = Font(bold=True), _HEAD, _WRAP
        sheet.column_dimensions[head.column_letter].width = width
    for line, row in enumerate(rows, 5):
        for column, value in enumerate(row, 1):
            cell = _put(sheet, line, column, value)
            cell.alignment = _WRAP
            if isinstance(value, int):
                cell.number_format = "#,##0"
    sheet.freeze_panes = "A5"
    sheet.print_title_rows = "4:4"
    sheet.page_setup.paperSize = 9  # A4
    sheet.page_setup.orientation = "landscape"
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    if sheet.oddFooter is not None:
        sheet.oddFooter.center.text = "&P / &N"


def _put(sheet: Worksheet, line: int, column: int, value: Cell) -> Any:
    """A cell whose text is never a formula, also when somebody edits it."""
    cell = sheet.cell(line, column)
    if isinstance(value, str):
        cell.value = value
        cell.data_type = "s"
        cell.quotePrefix = value[:1] in ("=", "+", "-", "@")
    else:
        cell.value = value
    return cell
