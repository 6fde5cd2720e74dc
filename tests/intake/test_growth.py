"""What is under way is found along an index: ended plans, done follow-ups and other agencies' entries are not read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from tests.data.intake import Intake
from tests.intake.query_plans import steps_of
from tsunagi_intake import follow_ups, outreach_cases, report_counts, resources, year_calendar
from tsunagi_intake.report_counts import Year
from tsunagi_shared import clock
from tsunagi_shared.accounts import Principal

READER = Principal("mado", "見本　窓子", "disability", frozenset({"coordinator"}))


@pytest.mark.parametrize(
    ("asked", "indexes"),
    [
        ("calendar", ("plans_state (state=?)", "audience USING PRIMARY KEY (agency=? AND case=? AND form=?)")),
        ("follow_ups", ("follow_ups_done (done_on=?)", "audience USING PRIMARY KEY (agency=? AND case=? AND form=?)")),
        ("next_follow_ups", ("follow_ups_done (done_on=? AND due_on>?)",)),
        ("outreach", ("outreach_facts USING INDEX ix_outreach_facts_case", "ix_outreach_facts_case (case=?)")),
        ("plan_counts", ("plans_effective", "plans_confirmed_on", "plans_suspended_on", "plans_ended_on")),
        ("matches", ("ix_matches_resource (resource=?)",)),
    ],
)
async def test_what_is_under_way_is_found_along_an_index(intake: Intake, asked: str, indexes: tuple[str, ...]) -> None:
    """Each question uses its indexes, and reads no table of cases, plans, records or entries from end to end."""
    profile = intake.runtime.profile
    questions: dict[str, Callable[[Connection], object]] = {
        "calendar": lambda found: year_calendar.calendar_of(found, READER, profile, clock.fiscal_year(clock.today())),
        "follow_ups": lambda found: follow_ups.list_of(found, READER, profile, "", 50),
        "next_follow_ups": lambda found: follow_ups.list_of(found, READER, profile, "2026-04-01.x", 50),
        "outreach": lambda found: outreach_cases.list_of(found, READER, "", 50),
        "plan_counts": lambda found: report_counts.plan_counts(found, Year(2026)),
        "matches": lambda found: resources.page_of(found, READER, profile, profile.resources[0].id),
    }

    steps = await intake.runtime.database.read(lambda found: steps_of(found, lambda: questions[asked](found)))
    for index in indexes:
        assert any(index in step for step in steps), steps
    scanned = {step.split()[1] for step in steps if step.startswith("SCAN") and "INDEX" not in step}
    assert not scanned & {"cases", "plans", "records", "audience", "follow_ups", "outreach_facts", "matches"}, steps
    assert not any(step.startswith("SEARCH audience") and step.endswith("(agency=?)") for step in steps), steps
