"""Which documents a form draws, for whom, and by which id."""

from __future__ import annotations

import msgspec
import pytest

from tests.documents.running_service import CONSENT_ENTRY, DESTINATION, ORIGIN, ORIGIN_ENTRY, PROVIDER, PROVIDER_ENTRY
from tsunagi_documents.kinds import (
    CONSENT_EVIDENCE,
    FORM_KINDS,
    KINDS,
    Audience,
    DocumentKind,
    Planned,
    document_id,
    documents_for,
    row_of,
)
from tsunagi_documents.versions import packaged_templates
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import CONSENT_GIVEN, EVENTS, REFERRAL_SUBMITTED

FORM = "referral/1"
USUAL = (ORIGIN_ENTRY, PROVIDER_ENTRY, CONSENT_ENTRY)


def planned(form: str = FORM, *entries: AudienceEntry, **changes: object) -> dict[tuple[str, str], list[str]]:
    """Who reads what: the agencies by kind and view."""
    audience = Audience(entries=entries or USUAL, **{"provider": PROVIDER, **changes})  # type: ignore[arg-type]
    found: dict[tuple[str, str], list[str]] = {}
    for plan in documents_for(form, audience):
        found.setdefault((plan.row.kind, plan.row.view.value), []).extend(entry.agency for entry in plan.entries)
    return found


def test_a_referral_draws_sheet_summary_and_draft() -> None:
    """Written out from the table of the design."""
    assert planned() == {
        ("referral_sheet", "full"): [ORIGIN, PROVIDER],
        ("referral_sheet", "summary"): [DESTINATION],
        ("assessment_sheet", "full"): [PROVIDER],
    }


def test_a_provider_that_wrote_the_form_gets_the_draft_as_well() -> None:
    """On whatever basis it reads."""
    assert planned(FORM, ORIGIN_ENTRY, provider=ORIGIN)["assessment_sheet", "full"] == [ORIGIN]


@pytest.mark.parametrize("changes", [{"support_meeting_only": True}, {"summaries": False}])
def test_no_summary_where_none_may_be(changes: dict[str, object]) -> None:
    """A 支援会議限り form leaves its circle in no shape; a municipality may want none at all."""
    assert ("referral_sheet", "summary") not in planned(FORM, *USUAL, **changes)


def test_what_nobody_may_read_is_not_made() -> None:
    """No entries, no documents; nor for a kind of form that has no paper, nor for a view that the basis does not carry."""
    assert documents_for(FORM, Audience(entries=())) == ()
    assert planned("contact/1") == {}
    odd = msgspec.structs.replace(CONSENT_ENTRY, view=View.FULL)
    assert planned(FORM, odd) == {}


def test_each_projection_is_a_document_of_its_own() -> None:
    """The order in which persons or fields are named does not matter; the mark 支援会議限り does."""
    entries = (
        ORIGIN_ENTRY,
        msgspec.structs.replace(PROVIDER_ENTRY, hidden=("b", "a"), withheld=("p:phone", "p:address")),
        msgspec.structs.replace(PROVIDER_ENTRY, agency="x", hidden=("a", "b"), withheld=("p:address", "p:phone")),
    )
    sheets = documents_for("reply/1", Audience(entries=entries))
    assert [[entry.agency for entry in plan.entries] for plan in sheets] == [[ORIGIN], [PROVIDER, "x"]]
    assert (sheets[1].hidden, sheets[1].withheld) == (("a", "b"), ("p:address", "p:phone"))
    marked = documents_for("reply/1", Audience(entries=entries, support_meeting_only=True))
    assert len({plan.id for plan in (*sheets, *marked)}) == 4


def test_a_scan_is_for_those_from_whom_nothing_is_kept() -> None:
    """It cannot be cut; it is one paper for all of them, marked or not."""
    entries = (
        ORIGIN_ENTRY,
        msgspec.structs.replace(PROVIDER_ENTRY, withheld=("p:address",)),
        msgspec.structs.replace(PROVIDER_ENTRY, agency="x", hidden=("p",)),
    )

    def scan(*, only: bool) -> Planned:
        plans = documents_for("consent/1", Audience(entries=entries, support_meeting_only=only))
        return next(plan for plan in plans if plan.row.kind == CONSENT_EVIDENCE)

    assert [entry.agency for entry in scan(only=False).entries] == [ORIGIN]
    assert scan(only=False).id == scan(only=True).id == document_id("consent/1", CONSENT_EVIDENCE, View.FULL)


def test_the_id_is_fixed_for_good() -> None:
    """Another id for the same document would draw second copies of everything there is."""
    assert document_id(FORM, "referral_sheet", View.FULL) == "140d5c15-71fc-5339-be56-2c8b232c376d"


@pytest.mark.parametrize("row", KINDS, ids=lambda row: f"{row.kind}-{row.view}-{row.event_type}")
def test_every_row_is_drawn_from_an_event_by_a_template(row: DocumentKind) -> None:
    """The event is one that documents reads, the row is found by it, and its template is in the package."""
    assert "documents" in EVENTS[row.event_type].readers
    assert row.event_type in FORM_KINDS
    assert row_of(row.event_type, row.kind, row.view) is row
    assert row.attached or set(row.template_names) <= set(packaged_templates())


def test_unknown_rows_are_told() -> None:
    """What an event does not draw has no row."""
    with pytest.raises(LookupError):
        row_of(CONSENT_GIVEN, "referral_sheet", View.FULL)
    with pytest.raises(LookupError):
        row_of(REFERRAL_SUBMITTED, "referral_sheet", View.MINIMAL)


def test_legal_duty_and_emergency_read_in_full() -> None:
    """Bases other than consent open the full paper."""
    entry = AudienceEntry("x", Basis(BasisKind.LEGAL_DUTY, "ground/1", "law"), View.FULL)
    emergency = AudienceEntry("y", Basis(BasisKind.EMERGENCY, "ground/2"), View.FULL)
    assert planned("assessment/1", entry, emergency) == {("assessment_sheet", "full"): ["x", "y"]}
