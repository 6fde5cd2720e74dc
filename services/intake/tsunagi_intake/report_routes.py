"""The figures of a 年度 over HTTP: page, JSON, CSV, workbook; and issuing them as 実績報告."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from sqlalchemy import Connection

from tsunagi_intake import pages, posting, report_files, report_issue, report_masking, reports
from tsunagi_intake.posting import NO_STORE, AnyRequest, Way, acting, look_up, may_write
from tsunagi_intake.report_charts import Bar, bars
from tsunagi_intake.report_issue import Issued
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.auth import roles, staff
from tsunagi_shared.contracts.profile import Role
from tsunagi_shared.contracts.report import FigureGroup, TargetFigure, YearReport
from tsunagi_shared.forms.plan import PlanKind
from tsunagi_shared.problems import Refusal, not_found
from tsunagi_shared.runtime import Runtime

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FIRST_YEAR, LAST_YEAR = 2000, 2199
CHARTED = ("sittings", "items", "referrals", "referrals_by_field", "cases")

_ADDRESS = re.compile(r"(\d{4})(\.csv|\.xlsx)?", re.ASCII)
_reader = roles(*Role, scope="cases:read")  # who reads figures is decided below; a refusal is on record


class ReportPage(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a 年度. `may_issue`: the reader may issue them; `issued`: what was issued last."""

    report: YearReport
    may_issue: bool
    issued: Issued | None


@get("/reports", summary="今年度の実績", guards=[staff])
async def this_year() -> Redirect:
    """On to the figures of the running 年度."""
    return Redirect(f"/reports/{clock.fiscal_year(clock.today())}", status_code=303)


@get("/reports/{year:str}", summary="年度の実績（2026、2026.csv、2026.xlsx）", guards=[_reader])
async def year_report(year: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """The figures of a 年度 against its targets, each with its definition; small counts as they are to the section alone."""
    fiscal_year, ending = _asked(year)

    def find(connection: Connection, principal: Principal) -> ReportPage:
        reports.check_reader(principal, runtime.profile)
        own = reports.is_of_section(principal, runtime.profile)
        report = reports.of_year(connection, runtime.profile, fiscal_year)
        return ReportPage(
            report=report if own else report_masking.masked(report, runtime.profile), may_issue=own,
            issued=report_issue.issued(connection, fiscal_year),
        )  # fmt: skip

    page = await look_up(request, runtime, str(fiscal_year), "report.read", find)
    if ending:
        return await _file(page.report, ending)
    before, after = reports.years_around(clock.today(), fiscal_year)
    return pages.answer(
        request, runtime, "report.html", page, before=before, after=after, key=secrets.token_urlsafe(16),
        plan_chart=_of_plans(page.report), target_chart=_of_targets(page.report.targets),
        charts={group.id: _of_group(group) for group in page.report.groups if group.id in CHARTED},
    )  # fmt: skip


def _asked(year: str) -> tuple[int, str]:
    """The 年度, and the ending of the file that was asked for. Refusal 404 for what is no year."""
    found = _ADDRESS.fullmatch(year)
    if found is None or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise not_found()
    return int(found[1]), found[2] or ""


async def _file(report: YearReport, ending: str) -> Response[Any]:
    headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="report-{report.fiscal_year}{ending}"'}
    if ending == ".csv":
        return Response(report_files.as_csv(report), media_type="text/csv; charset=utf-8", headers=headers)
    # a workbook takes some hundredths of a second to write: not in the event loop
    content = await asyncio.to_thread(report_files.as_workbook, report)
    return Response(content, media_type=XLSX, headers=headers)


def _of_group(group: FigureGroup) -> Any:
    rows = [Bar(name=one.name, value=one.value, words=f"{one.shown}{one.unit}") for one in group.figures]
    return bars(group.title, rows)


def _of_plans(report: YearReport) -> Any:
    """What took effect, first plans and replans, and what was confirmed before there was consent; kind by kind."""
    found = {figure.id: figure for group in report.groups for figure in group.figures}
    rows = []
    for kind in PlanKind:
        for name, title in (("first", "初回"), ("replans", "再プラン"), ("provisional", "同意前の確認")):
            figure = found[f"plans.{kind.value}.{name}"]
            rows.append(Bar(name=f"{kind.label}　{title}", value=figure.value, words=f"{figure.shown}{figure.unit}"))
    return bars("プラン", rows)


def _of_targets(targets: tuple[TargetFigure, ...]) -> Any:
    rows = [
        Bar(
            name=one.name,
            value=one.actual,
            goal=one.at_least,
            words=f"{one.actual:,}／{one.at_least:,}（{one.rate}％）",
        )
        for one in targets
        if one.actual is not None and one.rate is not None
    ]
    return bars("目標と実績", rows, by_goal=True)


@post("/reports/{year:str}/issue", summary="実績報告を発行する", guards=[may_write], status_code=201)
async def issue(year: FromPath[str], request: AnyRequest, runtime: NamedDependency[Runtime]) -> Response[Any]:
    """Have 実績報告 drawn from the figures as they stand, for the section and the provider; once more: its next version."""
    fiscal_year, ending = _asked(year)
    if ending or fiscal_year > clock.fiscal_year(clock.today()):
        raise not_found()
    principal = acting(request, runtime)
    try:
        reports.check_issuer(principal, runtime.profile)
    except Refusal as refusal:
        await posting.put_on_record(runtime, principal, "report.issue", str(fiscal_year), refusal)
        raise
    # counted beside the writer, which must not wait for it
    report = await runtime.database.read(lambda connection: reports.of_year(connection, runtime.profile, fiscal_year))
    way = Way(
        action="report.issue", subject=str(fiscal_year), then=lambda _: f"/reports/{fiscal_year}",
        carry_out=lambda connection, write: report_issue.issue(connection, write, report),
    )  # fmt: skip
    return await posting.act(request, runtime, way)


ROUTES = (this_year, year_report, issue)
