"""`make scenarios`: every story is told to their end, without PDFs, and its summary says what it showed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from tests.scenarios.__main__ import STORIES, tell
from tests.scenarios.story import FRAME, day_told, next_year
from tsunagi_documents.kinds import KINDS
from tsunagi_intake.rulebook import REFUSALS

LEAST_STEPS = {"fussa": 22, "kamishihoro": 14, "ashiya": 16, "kurume": 13, "standard": 13}
TOLD_LATER = {"standard": dt.date(2029, 6, 10)}  # as though it were told then
LEAST_REFUSALS = 5  # with different codes
# Each refusal that a story must meet, by profile
MET = {
    "fussa": {
        "invalid-form", "not-found", "not-asked-to-reply", "already-answered", "not-allocated", "full-view-needed",
        "changed-meanwhile", "not-writer", "record-withdrawn", "forbidden", "consent-unknown", "gate-consent-missing",
        "gate-body-role", "gate-body-cases", "gate-not-told", "gate-agency-unnamed", "not-body-office", "not-convened",
        "already-closed", "sitting-cancelled", "not-plan-owner", "plan-consent-missing", "person-agreement-required",
        "municipal-decision-required", "meeting-decision-required", "not-asked-to-support", "information-without-basis",
        "not-addressee", "case-ended",
    },
    "kamishihoro": {
        "invalid-form", "not-found", "not-asked-to-reply", "joint-not-used", "gate-consent-missing", "not-body-office",
        "not-resource-keeper", "not-plan-owner", "meeting-decision-required", "municipal-decision-required", "role-missing",
        "forbidden", "follow-up-done", "issue-step", "not-section", "gate-body-cases", "gate-body-role",
    },
    "ashiya": {
        "not-found", "gate-consent-missing", "sitting-cancelled", "not-body-office", "joint-not-used", "gate-body-role",
        "invalid-form", "case-ended", "role-missing", "issue-no-path", "issue-not-handing", "issue-step", "already-answered",
        "not-resource-keeper", "not-plan-owner", "plan-already-open", "gate-body-cases", "meeting-decision-required",
        "not-section",
    },
    "kurume": {
        "not-plan-owner", "not-body-office", "municipal-decision-required", "already-closed", "not-found", "not-section",
        "contract-ended", "role-missing",
    },
    "standard": {
        "not-found", "contract-ended", "meeting-decision-required", "replan-of-nothing", "gate-consent-missing",
        "gate-minimal-purpose", "gate-minimal-present", "case-ended",
    },
}  # fmt: skip
# (kind, view) of documents that a reader took away in it
OPENED = {
    "fussa": {
        ("referral_sheet", "summary"), ("meeting_notice", "own_item"), ("meeting_notice", "full"), ("minutes", "own_item"),
        ("minutes", "full"), ("plan", "full"), ("support_request", "own_allocation"), ("evaluation_sheet", "full"),
        ("information_request", "full"), ("contact_log", "full"), ("referral_sheet", "full"), ("assessment_sheet", "full"),
        ("assessment_sheet", "summary"), ("referral_reply", "full"), ("consent_form", "full"), ("pledge", "full"),
    },
    "kamishihoro": {
        ("referral_sheet", "full"), ("referral_sheet", "summary"), ("meeting_notice", "own_item"), ("minutes", "full"),
        ("minutes", "own_item"), ("plan", "full"), ("annual_report", "full"),
    },
    "ashiya": {
        ("referral_sheet", "summary"), ("minutes", "full"), ("minutes", "own_item"), ("plan", "full"),
        ("support_request", "own_allocation"), ("annual_report", "full"),
    },
    "kurume": {
        ("plan", "full"), ("support_request", "own_allocation"), ("meeting_notice", "own_item"), ("minutes", "own_item"),
        ("referral_sheet", "summary"), ("annual_report", "full"),
    },
    "standard": {
        ("referral_sheet", "full"), ("referral_sheet", "summary"), ("plan", "full"), ("minutes", "full"),
        ("minutes", "own_item"), ("support_request", "own_allocation"),
    },
}  # fmt: skip


def test_every_document_is_taken_away_in_some_story() -> None:
    """Each kind and view that documents draws is among what a story must leave in its folder."""
    assert set().union(*OPENED.values()) == {(row.kind, row.view.value) for row in KINDS if not row.attached}


@pytest.mark.parametrize(
    ("today", "begins"),
    [("2026-04-01", "2026-04-01"), ("2027-03-31", "2027-03-31"), ("2027-04-01", "2026-04-01"), ("2028-02-29", "2027-02-28"),
     ("2032-12-31", "2026-12-31")],
)  # fmt: skip
def test_a_story_is_told_of_the_year_of_its_profile(today: str, begins: str) -> None:
    """Also when that year is over; what turns with the 年度 lies ahead of it."""
    assert day_told(dt.date.fromisoformat(today)) == dt.date.fromisoformat(begins)
    assert next_year(dt.date.fromisoformat(begins)) == dt.date(2027, 4, 1)


@pytest.mark.parametrize("name", STORIES)
async def test_the_story_is_told_to_its_end(name: str, tmp_path: Path) -> None:
    """Every step and refusal of it holds; the files that it names are there, each refusal belongs to a rule, and the summary
    is {steps, refusals: [{rule, code}], documents: [{kind, view, files}]}."""
    said: list[str] = []
    told = await tell(name, tmp_path / name, pdf="off", say=said.append, today=TOLD_LATER.get(name))
    assert len(told.steps) == len(said) >= LEAST_STEPS[name]
    met = {refused.code for refused in told.refusals}
    assert met >= MET[name]
    assert len(met) >= LEAST_REFUSALS
    for refused in told.refusals:
        rule = REFUSALS[refused.code].rule if refused.code in REFUSALS else FRAME[refused.code]
        assert refused.rule == rule != ""
    assert {(drawn.kind, drawn.view) for drawn in told.documents} >= OPENED[name]
    named = sorted(file for drawn in told.documents for file in drawn.files)
    assert named == sorted(path.name for path in (tmp_path / name).iterdir())
    assert all(path.read_bytes()[:2] == b"PK" for path in (tmp_path / name).iterdir())
    summary = msgspec.json.decode(msgspec.json.encode(told))
    assert set(summary) == {"steps", "refusals", "documents"}
    assert {frozenset(row) for row in summary["refusals"]} == {frozenset({"rule", "code"})}
    assert {frozenset(row) for row in summary["documents"]} == {frozenset({"kind", "view", "files"})}
