"""`make scenarios`: both stories are told to their end, without PDFs, and their summary says what they showed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.scenarios.__main__ import STORIES, tell
from tests.scenarios.story import FRAME
from tsunagi_intake.rulebook import REFUSALS

LEAST_STEPS = {"fussa": 9, "standard": 5}
# Each refusal that a story must meet, by profile
MET = {
    "fussa": {
        "invalid-form", "not-found", "not-asked-to-reply", "already-answered", "not-allocated", "full-view-needed",
        "changed-meanwhile", "not-writer", "record-withdrawn", "forbidden", "consent-unknown",
    },
    "standard": {"not-found", "contract-ended"},
}  # fmt: skip
# (kind, view) of documents that a reader took away in it
OPENED = {
    "fussa": {("referral_sheet", "summary")},
    "standard": {("referral_sheet", "full"), ("referral_sheet", "summary")},
}


@pytest.mark.parametrize("name", STORIES)
async def test_the_story_is_told_to_its_end(name: str, tmp_path: Path) -> None:
    """Every step and refusal of it holds; the files that it names are there, each refusal belongs to a rule, and the summary
    is {steps, refusals: [{rule, code}], documents: [{kind, view, files}]}."""
    said: list[str] = []
    told = await tell(name, tmp_path / name, pdf="off", say=said.append)
    assert len(told.steps) == len(said) >= LEAST_STEPS[name]
    assert {refused.code for refused in told.refusals} >= MET[name]
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
