"""The compiled form of a template says what docxtpl says, part by part."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.documents import test_sheets_meetings, test_sheets_records, test_sheets_report
from tests.documents.sample_referrals import LONG_FORM, submitted
from tests.documents.word_corpus import CASES
from tests.documents.word_made_up import CONTEXTS, templates
from tests.documents.word_parts import assert_same
from tsunagi_documents.kinds import ANNUAL_REPORT, ASSESSMENT_DRAFT, ASSESSMENT_SHEET, REFERRAL_SHEET, row_of
from tsunagi_documents.sheets import sheet_context, template_name
from tsunagi_documents.word.draw import FOLDER, SHEETS
from tsunagi_documents.word.render import Sheet
from tsunagi_shared.contracts.audience import View
from tsunagi_shared.contracts.events import EVENTS


def packaged() -> dict[str, tuple[str, Any]]:
    """Every packaged sheet with the samples of its tests, short and long: template, values."""
    found: dict[str, tuple[str, Any]] = {}
    for name, (kind, event, view, recipient, _) in test_sheets_meetings.SHEETS.items():
        sample = event()
        event_type = next(known for known, each in EVENTS.items() if each.data is type(sample))
        template = template_name(row_of(event_type, kind, view), sample)
        found[name] = (template, sheet_context(sample, kind, view, (), (), False, recipient))
    for name, (kind, recorded, _) in test_sheets_records.EVENTS.items():
        found[name] = (kind, sheet_context(recorded(), kind, View.FULL, (), (), False))
    for name, form in (("referral", None), ("referral, long", LONG_FORM)):
        referral = submitted(form) if form else submitted()
        for view in (View.FULL, View.SUMMARY):
            found[f"{name}, {view.value}"] = (
                REFERRAL_SHEET,
                sheet_context(referral, REFERRAL_SHEET, view, (), (), False),
            )
        draft = sheet_context(referral, ASSESSMENT_SHEET, View.FULL, (), (), False)
        found[f"{name}, draft"] = (ASSESSMENT_DRAFT, draft)
    for name, report in (("report", test_sheets_report.ISSUED), ("report, long", test_sheets_report.long())):
        found[name] = (ANNUAL_REPORT, sheet_context(report, ANNUAL_REPORT, View.FULL, (), (), False))
    return found


PACKAGED = packaged()


@functools.cache
def template_of(name: str) -> bytes:
    """A packaged template."""
    return (FOLDER / f"{name}.docx").read_bytes()


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_sheet_is_compiled_and_says_the_same(name: str) -> None:
    """Whatever the form says, short or long: each XML part equals docxtpl's, and docxtpl is not needed."""
    template, context = PACKAGED[name]
    assert_same(template_of(template), context, fast=True)


def test_every_packaged_template_was_compared() -> None:
    """None is left out above."""
    assert {template for template, _ in PACKAGED.values()} == {name.removesuffix(".docx") for name in SHEETS}


@pytest.mark.parametrize("name", CASES)
def test_templates_of_many_kinds_say_the_same(name: str) -> None:
    """Loops, conditions, merges, filters, headers, footnotes, odd XML: compiled with the same result, or left to docxtpl."""
    case = CASES[name]
    assert_same(case.template(), case.context(), fast=case.fast)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(template=templates(), context=CONTEXTS)
def test_made_up_templates_say_the_same(template: bytes, context: dict[str, Any]) -> None:
    """Tags in each other, cut over runs, and data full of markup, braces, breaks and control characters."""
    assert_same(template, context)


def test_made_up_templates_are_mostly_compiled() -> None:
    """The comparison above compares something: few of the templates are left to docxtpl from the start."""
    made: list[bool] = []

    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(template=templates())
    def look(template: bytes) -> None:
        made.append(Sheet(template).compiled(marked=False) is not None)

    look()
    assert sum(made) > len(made) * 0.6
