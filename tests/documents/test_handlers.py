"""What an event of intake leaves behind: the same rows in whatever order and however often it comes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from deploy.local.servers import ObjectStore
from tests.documents.running_service import (
    CONSENT_ENTRY,
    CONTRACTED,
    DESTINATION,
    ORIGIN_ENTRY,
    PROVIDER,
    PROVIDER_ENTRY,
    idle_service,
    receive,
    referral,
    rows_of,
)
from tsunagi_documents.tables import access, documents, forms
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import AudienceChanged, ReferralSubmitted
from tsunagi_shared.forms.referral import Urgency
from tsunagi_shared.jobs import jobs

CONTRACTED_ENTRY = AudienceEntry(CONTRACTED, Basis(BasisKind.CONSENT, "consent/2"), View.SUMMARY, members=("b", "a"))


PUBLISHED_AT = 1_700_000_000_000_000


def history() -> list[ReferralSubmitted]:
    """A form as it went: submitted, shared with one agency more, corrected, and shared with nobody but its writers."""
    first = referral()
    corrected = msgspec.structs.replace(first.form, urgency=Urgency.URGENT)
    return [
        first,
        referral(CONTRACTED_ENTRY, audience_revision=2),
        referral(CONTRACTED_ENTRY, form=corrected, revision=2, audience_revision=2),
        referral(form=corrected, revision=2, audience_revision=3, audience=(ORIGIN_ENTRY, PROVIDER_ENTRY)),
    ]


async def rows_after(folder: Path, store: ObjectStore, events: list[ReferralSubmitted]) -> list[Any]:
    """What the tables hold after these events: of the documents, those that somebody is to have."""
    async with idle_service(folder, store) as runtime:
        for event in events:
            await receive(runtime, event, at=PUBLISHED_AT + 10 * event.audience_revision + event.revision)
        planned = [row for row in await rows_of(runtime, documents) if row["planned"]]
        wanted = {f"{row['id']}/{row['version']}" for row in planned}
        # a job for what nobody may read any more finds that out by itself, and does nothing
        asked = sorted(row["key"] for row in await rows_of(runtime, jobs) if row["key"] in wanted)
        return [await rows_of(runtime, forms), planned, await rows_of(runtime, access), asked]


async def test_a_shuffled_and_duplicated_replay_gives_the_same_rows(tmp_path: Path, store: ObjectStore) -> None:
    """The newest content and the newest audience win, in whatever order and however often the events come."""
    in_order = await rows_after(tmp_path / "in-order", store, history())
    shuffle = random.Random(20261123)
    for number in range(12):
        events = history() + shuffle.choices(history(), k=3)
        shuffle.shuffle(events)
        assert await rows_after(tmp_path / str(number), store, events) == in_order


async def test_the_newest_audience_closes_what_nobody_may_read_any_more(tmp_path: Path, store: ObjectStore) -> None:
    """A summary that nobody is to read keeps its row and loses its readers."""
    async with idle_service(tmp_path, store) as runtime:
        for event in history():
            await receive(runtime, event)
        found, entries = await rows_of(runtime, documents), await rows_of(runtime, access)
    assert {(row["kind"], row["view"]): row["planned"] for row in found} == {
        ("referral_sheet", "full"): 1,
        ("assessment_sheet", "full"): 1,
        ("referral_sheet", "summary"): 0,
    }
    assert {row["agency"] for row in entries} == {"social-welfare", "welfare-desk"}
    assert {row["urgency"] for row in found} == {"urgent"}
    assert {row["version"] for row in found} == {2}


async def test_a_referral_plans_its_documents_with_all_that_later_rules_need(
    tmp_path: Path, store: ObjectStore
) -> None:
    """Sheets for writers and provider, a summary for the destination, a draft for the provider; retention beside them."""
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, referral(persons=("person/1",)))
        found = await rows_of(runtime, documents)
        entries = await rows_of(runtime, access)
        asked = await rows_of(runtime, jobs)
    readers = {
        (row["kind"], row["view"]): {entry["agency"] for entry in entries if entry["document_id"] == row["id"]}
        for row in found
    }
    assert readers == {
        ("referral_sheet", "full"): {"social-welfare", "welfare-desk"},
        ("referral_sheet", "summary"): {"sample-care"},
        ("assessment_sheet", "full"): {"welfare-desk"},
    }
    for row in found:
        assert (row["state"], row["version"], row["retention_class"]) == ("pending", 1, "five-years")
        assert (row["completed_on"], row["legal_hold"], row["persons"]) == (None, 0, '["person/1"]')
    assert {row["key"] for row in asked} == {f"{row['id']}/1" for row in found}


async def test_members_get_a_row_each(tmp_path: Path, store: ObjectStore) -> None:
    """An entry for named members opens the document to them and not to all staff."""
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, referral(CONTRACTED_ENTRY))
        entries = await rows_of(runtime, access)
    assert {row["member"] for row in entries if row["agency"] == CONTRACTED} == {"a", "b"}
    assert {row["member"] for row in entries if row["agency"] == DESTINATION} == {""}


async def test_an_agency_that_the_profile_does_not_know_is_a_visible_failure(
    tmp_path: Path, store: ObjectStore
) -> None:
    """The document is made for the others; the unknown agency's row says failed and why."""
    stranger = msgspec.structs.replace(CONSENT_ENTRY, agency="nobody-knows")
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, referral(stranger))
        entries = await rows_of(runtime, access)
        found = await rows_of(runtime, documents)
    states = {row["agency"]: (row["state"], row["code"]) for row in entries}
    assert states["nobody-knows"] == ("failed", "unknown-agency")
    assert states[DESTINATION] == ("live", "")
    assert len(found) == 3


@pytest.mark.parametrize("state", ["pending", "stored"])
async def test_the_same_revision_once_more_changes_nothing_that_did_not_fail(
    tmp_path: Path, store: ObjectStore, state: str
) -> None:
    """Asking for 再作成 leaves what is made, or being made, alone."""
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, referral())
        await runtime.database.write(lambda connection: connection.execute(sa.update(documents).values(state=state)))
        if state == "stored":
            await runtime.database.write(lambda connection: connection.execute(sa.delete(jobs)))
        before = [await rows_of(runtime, table) for table in (documents, access, jobs)]
        await receive(runtime, referral())
        assert [await rows_of(runtime, table) for table in (documents, access, jobs)] == before


async def test_a_projection_is_drawn_by_a_publication_that_knows_everybody_in_it(
    tmp_path: Path, store: ObjectStore
) -> None:
    """An earlier one that comes after a newer audience would have to hide everybody: it leaves the paper to the newer one."""
    hiding = msgspec.structs.replace(CONSENT_ENTRY, hidden=("person/2",))
    newer = referral(
        audience=(ORIGIN_ENTRY, PROVIDER_ENTRY, hiding), persons=("person/1", "person/2"), audience_revision=2
    )
    told = AudienceChanged(
        form=f"referral/{newer.referral_id}", case_number=newer.case_number, audience_revision=2, entries=newer.audience,
        persons=newer.persons, provider=PROVIDER,
    )  # fmt: skip
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, told)
        await receive(runtime, referral(persons=("person/1",)))
        first = {(row["view"], row["hidden"]) for row in await rows_of(runtime, documents)}
        await receive(runtime, newer)
        then = {(row["view"], row["hidden"]) for row in await rows_of(runtime, documents)}
        asked = {row["key"] for row in await rows_of(runtime, jobs)}
        assert asked == {f"{row['id']}/1" for row in await rows_of(runtime, documents)}
    assert first == {("full", "[]")}
    assert then == {("full", "[]"), ("summary", '["person/2"]')}


async def test_the_same_message_twice_is_handled_once(tmp_path: Path, store: ObjectStore) -> None:
    """A redelivered message does not even start anew what failed."""
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, referral(), event_id="one-and-the-same")
        await runtime.database.write(lambda connection: connection.execute(sa.update(documents).values(state="failed")))
        await receive(runtime, referral(), event_id="one-and-the-same")
        assert {row["state"] for row in await rows_of(runtime, documents)} == {"failed"}
