"""The figures of a 年度 as stories read them, and 実績報告 issued of them."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.scenarios.story import Story
from tsunagi_shared.contracts.report import YearReport

REPORT = "annual_report"


async def of_year(story: Story, user: str, year: int) -> YearReport:
    """The figures as that person sees them."""
    page = (await (await story.who(user)).get("intake", f"/reports/{year}")).made()
    return msgspec.convert(page["report"], type=YearReport)


def targets(report: YearReport) -> dict[str, tuple[int | None, int]]:
    """By target, what was counted (None: 集計対象外) and what the city set itself."""
    return {one.id: (one.actual, one.at_least) for one in report.targets}


async def issued(story: Story, user: str, year: int, saved_as: str) -> tuple[dict[str, Any], str]:
    """Issue the 実績報告; the document as the section gets it, and what it says."""
    visitor = await story.who(user)
    receipt = (await visitor.post("intake", f"/reports/{year}/issue", {})).made()
    found = await story.gets(user, REPORT, "full", number=receipt["number"])
    return found, await story.opens(user, found, saved_as)
