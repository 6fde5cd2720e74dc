"""What 実績報告書 shows: the figures of a 年度 group by group, targets beside what came of them, and the definitions."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tsunagi_documents.engine import Context
from tsunagi_documents.sheets_heading import heading
from tsunagi_documents.sheets_withholding import Cut
from tsunagi_documents.sheets_wording import day, fiscal_year
from tsunagi_shared.contracts.events import ReportIssued
from tsunagi_shared.contracts.report import FigureGroup, TargetFigure

NONE = "―"
AS_ABOVE = "同上"


def annual_report_context(event: ReportIssued, cut: Cut, support_meeting_only: bool) -> Context:
    """実績報告書: numbers alone, so that there is nothing a projection could take out.

    A definition that several figures share stands at the first of them.
    """
    report = event.form
    first = dt.date(report.fiscal_year, 4, 1)
    return {
        **heading(event, support_meeting_only),
        "year_name": fiscal_year(first),
        "period": f"{day(first)}から{day(dt.date(report.fiscal_year + 1, 3, 31))}まで",
        "counted_on": day(report.counted_on),
        "masked": report.masked,
        "targets": [_target(target) for target in report.targets],
        "groups": [_group(group) for group in report.groups],
    }


def _target(target: TargetFigure) -> dict[str, Any]:
    return {
        "name": target.name,
        "at_least": f"{target.at_least:,}\n{target.unit}",
        "actual": target.shown,
        "rate": NONE if target.rate is None else f"{target.rate}％",
        "note": target.definition
        if not target.baseline
        else f"{target.definition}\nもとの値：{target.baseline}".strip(),
    }


def _group(group: FigureGroup) -> dict[str, Any]:
    before, figures = "", []
    for figure in group.figures:
        shown = figure.shown if figure.value is None else f"{figure.shown}{figure.unit}"
        says = AS_ABOVE if figure.definition == before else figure.definition
        figures.append({"name": figure.name, "shown": shown, "definition": says})
        before = figure.definition
    return {"title": group.title, "figures": figures}
