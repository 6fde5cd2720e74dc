"""What intake hears of documents and deliveries: the same rows in whatever order, and however often, it is told."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.events import AT, DOCUMENT, FORM, SAMPLES, envelope_of
from tests.data.intake import Intake
from tests.data.referrals import referral
from tsunagi_intake import projections
from tsunagi_intake.cases import ERASED
from tsunagi_intake.handlers import HANDLERS
from tsunagi_intake.tables import cases, deliveries, documents, metadata, receipts
from tsunagi_shared.contracts import events
from tsunagi_shared.contracts.audience import View

Story = list[tuple[str, int, msgspec.Struct]]


def at(minute: int) -> dt.datetime:
    """So many minutes after the sample's moment."""
    return AT + dt.timedelta(minutes=minute)


def said(event_type: str, revision: int, **changes: Any) -> tuple[str, int, msgspec.Struct]:
    """The sample of an event with other values."""
    return event_type, revision, msgspec.structs.replace(SAMPLES[event_type], **changes)


# One document that went well and was read by two people in the same minute, one that failed, was asked for again, and
# whose PDF failed; deliveries that failed and were sent again; a receipt, and a misdelivery told twice.
MADE: Story = [
    said(events.DOCUMENT_CREATED, 1),
    said(events.FILE_ADDED, 2),
    said(events.DOCUMENT_OPENED, 3, opened_at=at(5), user="b", user_name="見本　乙"),
    said(events.DOCUMENT_OPENED, 4, opened_at=at(5), user="a", user_name="見本　甲"),
    said(events.DOCUMENT_OPENED, 5, opened_at=at(2), user="c", user_name="見本　丙"),
    said(events.DOCUMENT_OPENED, 6, opened_at=at(2), user="d", user_name="見本　丁"),
    said(events.DELIVERY_FAILED, 1, at=at(1)),
    said(events.DELIVERY_SENT, 2, at=at(2), attempt=9),
    said(events.DELIVERY_SENT, 1, delivery_id="inbox-1", channel="inbox"),
    said(events.DOCUMENT_ACKNOWLEDGED, 3, at=at(6)),
    said(events.DOCUMENT_ACKNOWLEDGED, 4, at=at(7), user_name="見本　乙"),
    said(events.DOCUMENT_MISDELIVERED, 1, agency="hardship-support", at=at(3)),
    said(events.DOCUMENT_MISDELIVERED, 2, agency="hardship-support", at=at(4), code="contract_ended"),
    said(events.DOCUMENT_FAILED, 1, document_id="other", kind="assessment_sheet", view=View.FULL),
    said(events.DOCUMENT_CREATED, 2, document_id="other", kind="assessment_sheet", view=View.FULL),
    said(events.DOCUMENT_FAILED, 3, document_id="other", kind="assessment_sheet", view=View.FULL, format="pdf", code="timeout"),
    said(events.DOCUMENT_CREATED, 1, document_id="bare", pdf_expected=False),
]  # fmt: skip
# The first is shared with a further agency, made again, and taken from the agency that had received it.
CHANGED: Story = [
    said(events.DOCUMENT_SHARED, 7, readers=("disability", "hardship-support", "sample-care")),
    said(events.DOCUMENT_CREATED, 8, version=2, readers=("disability", "hardship-support", "sample-care")),
    said(events.DOCUMENT_SUPERSEDED, 9),
    said(events.DOCUMENT_WITHDRAWN, 10, version=2, readers=("disability", "hardship-support")),
    said(events.DOCUMENT_WITHDRAWN, 3, document_id="other", agencies=("nobody",), readers=("disability",)),
    said(events.DOCUMENT_SHARED, 4, document_id="other", kind="assessment_sheet", view=View.FULL, readers=("disability", "x")),
]  # fmt: skip
STORY = MADE + CHANGED


def outcome(story: Story) -> list[list[Any]]:
    """Every row after the story was told in this order, straight to the handlers: not even the inbox helps."""
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        for event_type, revision, data in story:
            HANDLERS[event_type](connection, envelope_of(event_type, data, revision=revision), data)
        rows = [
            list(connection.execute(sa.select(table).order_by(*table.primary_key.columns)))
            for table in (documents, deliveries, receipts)
        ]
    engine.dispose()
    return rows


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_and_any_repetition_gives_the_same_rows(data: st.DataObject) -> None:
    """Shuffled, with any of the events told several times: what stands in the tables is the same."""
    repeated = data.draw(st.lists(st.sampled_from(range(len(STORY))), max_size=8))
    order = data.draw(st.permutations([*range(len(STORY)), *repeated]))
    assert outcome([STORY[number] for number in order]) == outcome(STORY)


def test_the_story_ends_as_it_happened() -> None:
    """Highest revision for states, first moment for receipts."""
    found, sent, received = outcome(STORY)
    states = {(row.id, row.version): (row.word_state, row.pdf_state, row.pdf_code, row.superseded) for row in found}
    assert states == {
        (DOCUMENT, 1): ("stored", "stored", "", 1),
        (DOCUMENT, 2): ("stored", "expected", "", 0),
        ("other", 1): ("stored", "failed", "timeout", 0),
        ("bare", 1): ("stored", "off", "", 0),
    }
    readers = {(row.id, row.version): (row.readers_revision, msgspec.json.decode(row.readers)) for row in found}
    assert readers == {
        (DOCUMENT, 1): (10, ["disability", "hardship-support"]),
        (DOCUMENT, 2): (10, ["disability", "hardship-support"]),
        ("other", 1): (4, ["disability", "x"]),
        ("bare", 1): (1, ["disability", "sample-care"]),
    }
    assert sorted(row.state for row in sent) == ["sent", "sent"]
    by_agency = {row.agency: row for row in received}
    assert by_agency["sample-care"].opened_by == "見本　丁"
    assert by_agency["sample-care"].acknowledged_by == "見本　介吾"
    assert by_agency["hardship-support"].misdelivered_code == "not_ours"


@pytest.mark.parametrize("event_type", [row.type for row in events.EVENTS.values() if "intake" in row.readers])
def test_an_event_alone_is_enough(event_type: str) -> None:
    """Each event can be the first that is heard of its document."""
    story = [(event_type, 1, SAMPLES[event_type])]
    assert outcome(story) == outcome(story * 2)
    assert sum(len(rows) for rows in outcome(story)) == 1


@pytest.mark.parametrize("event_type", [row.type for row in events.EVENTS.values() if "intake" in row.readers])
def test_of_an_erased_case_nothing_is_kept(event_type: str) -> None:
    """What comes late of its documents, their taking away too, leaves no row behind; that of another case does."""
    data: Any = SAMPLES[event_type]
    other = msgspec.structs.replace(data, case_number="C2026-99999")
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        kept = {"fiscal_year": 2026, "opened_at": 1, "retention_class": "five-years", "legal_hold": 0}
        connection.execute(cases.insert().values(number=data.case_number, state=ERASED, **kept))
        for told in (data, other):
            HANDLERS[event_type](connection, envelope_of(event_type, told, revision=1), told)
        left = [
            row.case_number for table in (documents, deliveries, receipts) for row in connection.execute(table.select())
        ]
    engine.dispose()
    assert left == ["C2026-99999"]


def lines_for(agency: str, view: View) -> dict[tuple[str, int], projections.DocumentLine]:
    """What a reader of the form sees of the whole story's documents."""
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        for event_type, revision, data in STORY:
            HANDLERS[event_type](connection, envelope_of(event_type, data, revision=revision), data)
        found = projections.documents_of(connection, {FORM: view}, agency)
    engine.dispose()
    return {(line.id, line.version): line for line in found}


def test_who_had_opened_what_stays_when_access_ends() -> None:
    """A full view shows everybody who did something with a document, those that lost access marked as such."""
    seen = lines_for("disability", View.FULL)
    assert set(seen) == {(DOCUMENT, 1), (DOCUMENT, 2), ("other", 1), ("bare", 1)}
    first = seen[DOCUMENT, 1]
    assert {(line.agency, line.ended, line.opened_by) for line in first.receipts} == {
        ("sample-care", True, "見本　丁"), ("hardship-support", False, ""),
    }  # fmt: skip
    assert first.misdelivered_to == ("hardship-support",)
    assert (first.superseded, seen[DOCUMENT, 2].superseded) == (True, False)
    assert first.page


def test_an_agency_that_lost_access_sees_what_it_had_and_no_address() -> None:
    """Its own receipts on the version it was given, nothing of versions and documents it never had."""
    seen = lines_for("sample-care", View.SUMMARY)
    assert set(seen) == {(DOCUMENT, 1), ("bare", 1)}
    assert (seen[DOCUMENT, 1].page, bool(seen["bare", 1].page)) == ("", True)
    assert {line.agency for line in seen[DOCUMENT, 1].receipts} == {"sample-care"}
    assert set(lines_for("sample-clinic", View.SUMMARY)) == set()


async def test_the_case_page_shows_what_became_of_the_documents(intake: Intake) -> None:
    """Through the inbox onto the page: files, failures with a button, who opened and who received; each reader its part."""
    clerk = intake.person("mado", "disability")
    receipt = (await clerk.submit(referral(), **{"Sec-Fetch-Site": "same-origin"})).json()
    (submitted,) = [event for event in await intake.events() if event.type == events.REFERRAL_SUBMITTED]
    data = msgspec.json.decode(submitted.data, type=events.ReferralSubmitted)
    here: dict[str, Any] = {"case_number": receipt["case_number"]}
    form = f"referral/{data.referral_id}"
    for event_type, revision, sample in MADE:
        more = {"form": form} if hasattr(sample, "form") else {}
        await intake.hears(event_type, msgspec.structs.replace(sample, **here, **more), revision)
    page = (await clerk.get(f"/cases/{receipt['case_number']}")).json()
    shown = {document["id"]: document for document in page["documents"]}
    assert {name: (row["word"], row["pdf"]) for name, row in shown.items()} == {
        DOCUMENT: ("stored", "stored"), "other": ("stored", "failed"), "bare": ("stored", "off"),
    }  # fmt: skip
    assert [line["agency"] for line in shown[DOCUMENT]["receipts"]] == ["hardship-support", "sample-care"]
    text = (await clerk.get(f"/cases/{receipt['case_number']}", page=True)).text
    for words in ("再作成", "見本　丁", "受け取りました", "担当ではない", "PDFを作成できませんでした", "誤送付"):
        assert words in text
    assert "太郎" not in text.partition("</title>")[0]
    care = (await intake.program("sample-care", "cases:read").get(f"/cases/{receipt['case_number']}")).json()
    assert {document["id"] for document in care["documents"]} == {DOCUMENT, "bare"}
    assert {line["agency"] for document in care["documents"] for line in document["receipts"]} == {"sample-care"}
    again = await clerk.post(f"/referrals/{receipt['referral_number']}/documents", {})
    assert (again.status_code, again.headers["location"]) == (303, f"/cases/{receipt['case_number']}?asked=1")
    assert (
        await clerk.post(f"/referrals/{receipt['referral_number']}/documents", {}, csrf="forged")
    ).status_code == 403
    published = [event for event in await intake.events() if event.type == events.REFERRAL_SUBMITTED]
    assert len(published) == 2
