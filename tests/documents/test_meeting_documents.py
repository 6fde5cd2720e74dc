"""The documents that plans, meetings and requests draw: which, for whom, in which version, and who is asked to answer."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from docx import Document

from deploy.local.servers import ObjectStore
from tests.documents.running_service import (
    CONTRACTED,
    DESTINATION,
    ORIGIN,
    OUTSIDER,
    PROVIDER,
    RunningService,
    idle_service,
    receive,
    rows_of,
    running_service,
    until,
)
from tests.documents.sample_meetings import (
    MULTI_AGENCY,
    convened,
    decided,
    logged,
    minuted,
    minuted_in_support_meeting,
    proposed,
    requested,
)
from tsunagi_documents.kinds import (
    FORM_KINDS,
    Audience,
    Planned,
    document_id,
    documents_for,
    drawn_by,
)
from tsunagi_documents.objects import Stored
from tsunagi_documents.tables import access, documents, files, versions
from tsunagi_shared.contracts.audience import AudienceEntry, Basis, BasisKind, View
from tsunagi_shared.contracts.events import (
    DOCUMENT_CREATED,
    DOCUMENT_SUPERSEDED,
    PLAN_DECIDED,
    PLAN_PROPOSED,
    ConvenedMember,
)
from tsunagi_shared.forms.plan import PlanAllocation

PLAN = msgspec.structs.replace(
    MULTI_AGENCY,
    allocations=[PlanAllocation(agency=DESTINATION, part="見守り。"), PlanAllocation(agency=CONTRACTED, part="相談。")],
)


def entry(agency: str, kind: BasisKind, view: View = View.FULL, *members: str) -> AudienceEntry:
    """An entry of an audience."""
    return AudienceEntry(agency, Basis(kind, "sitting/1"), view, members)


WRITER, SECTION = entry(PROVIDER, BasisKind.ORIGIN), entry(ORIGIN, BasisKind.RESPONSIBLE_SECTION)
OWN_ROWS = tuple(entry(agency, BasisKind.CONSENT, View.OWN_ALLOCATION) for agency in (DESTINATION, CONTRACTED))
CALLED = tuple(entry(agency, BasisKind.SITTING, View.OWN_ITEM, "kaigo") for agency in (DESTINATION, CONTRACTED))


def drawn(form: str, *entries: AudienceEntry, **changes: Any) -> dict[tuple[str, str, str], list[str]]:
    """Who reads which document of a form: by kind, view and recipient."""
    plans = documents_for(form, Audience(entries=entries, **changes))
    return {
        (plan.row.kind, plan.row.view.value, plan.recipient): [one.agency for one in plan.entries] for plan in plans
    }


def test_a_plan_draws_one_paper_and_a_request_for_each_agency() -> None:
    """Each of those in its rows gets a document of its own; the others share the whole plan."""
    assert drawn("plan/1", WRITER, SECTION, *OWN_ROWS) == {
        ("plan", "full", ""): [PROVIDER, ORIGIN],
        ("support_request", "own_allocation", DESTINATION): [DESTINATION],
        ("support_request", "own_allocation", CONTRACTED): [CONTRACTED],
    }
    plans = documents_for("plan/1", Audience(entries=OWN_ROWS))
    assert [plan.id for plan in plans] == [
        document_id("plan/1", "support_request", View.OWN_ALLOCATION, agency) for agency in (DESTINATION, CONTRACTED)
    ]


def test_a_proposed_plan_asks_nobody_for_support_yet() -> None:
    """Both events draw the same plan; the requests come with the decision."""
    plans = documents_for("plan/1", Audience(entries=(WRITER, *OWN_ROWS)))

    def titles(event_type: str) -> list[str]:
        return [plan.row.title for plan in drawn_by(event_type, plans)]

    assert titles(PLAN_PROPOSED) == ["プラン（案）"]
    assert titles(PLAN_DECIDED) == ["プラン", "支援依頼書", "支援依頼書"]
    assert {plan.id for plan in drawn_by(PLAN_PROPOSED, plans)} == {plans[0].id}


def test_a_sitting_draws_a_notice_for_each_agency_and_one_to_file() -> None:
    """Also within a 支援会議; nothing is a summary."""
    wanted = {
        ("meeting_notice", "own_item", DESTINATION): [DESTINATION],
        ("meeting_notice", "own_item", CONTRACTED): [CONTRACTED],
        ("meeting_notice", "full", ""): [PROVIDER, ORIGIN],
    }
    assert drawn("meeting/1", WRITER, SECTION, *CALLED) == wanted
    assert drawn("meeting/1", WRITER, SECTION, *CALLED, support_meeting_only=True) == wanted


def test_minutes_are_whole_for_the_secretariat_and_own_items_for_the_others() -> None:
    """Nobody reads another agency's."""
    assert drawn("minutes/1", WRITER, SECTION, *CALLED) == {
        ("minutes", "full", ""): [PROVIDER, ORIGIN],
        ("minutes", "own_item", DESTINATION): [DESTINATION],
        ("minutes", "own_item", CONTRACTED): [CONTRACTED],
    }


def test_a_request_reaches_its_addressee_by_consent_or_law_and_a_log_nobody_by_consent() -> None:
    """The addressee reads the whole request; a log stays with those who know the whole case."""
    for kind in (BasisKind.CONSENT, BasisKind.LEGAL_DUTY):
        found = drawn("information_request/1", WRITER, entry(DESTINATION, kind))
        assert found == {("information_request", "full", ""): [PROVIDER, DESTINATION]}
    found = drawn("contact_log/1", WRITER, entry(DESTINATION, BasisKind.CONSENT))
    assert found == {("contact_log", "full", ""): [PROVIDER]}


def test_an_own_view_is_never_shared() -> None:
    """Two agencies in the same projection have a document each, and neither has the other's id."""
    found: tuple[Planned, ...] = documents_for("minutes/1", Audience(entries=CALLED))
    assert len({plan.id for plan in found}) == len(CALLED)
    assert all([one.agency for one in plan.entries] == [plan.recipient] for plan in found)


async def text_of(service: RunningService, identity: str, version: int) -> str:
    """The text of a version's Word file."""
    row = next(row for row in await service.rows(files) if (row["document_id"], row["version"]) == (identity, version))
    word = await service.runtime.parts.own.fetch(Stored(row["key"], row["sha256"], row["bytes"]))
    document = Document(io.BytesIO(word))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


async def test_the_decided_plan_takes_the_place_of_the_proposed_one(tmp_path: Path, store: ObjectStore) -> None:
    """One document, 案 as its first version; the requests come with the decision, each with its own rows and told to it alone."""
    async with running_service(tmp_path, store) as service:
        first = await service.stored(proposed(PLAN, audience=(WRITER, SECTION)))
        assert set(first) == {("plan", "full")}
        await service.receive(decided(PLAN, revision=3, audience_revision=3, audience=(WRITER, SECTION, *OWN_ROWS)))

        async def all_versions() -> bool:
            return len(await service.rows(versions)) == 4

        await until(all_versions)
        found = {(row["kind"], row["recipient"]): row for row in await service.rows(documents)}
        plan = found["plan", ""]
        assert (plan["id"], plan["title"], plan["version"]) == (first["plan", "full"], "プラン", 3)
        assert "プラン（兼利用申込書）（案）" in await text_of(service, plan["id"], 1)
        assert "（案）" not in await text_of(service, plan["id"], 3)
        request = found["support_request", DESTINATION]
        text = await text_of(service, request["id"], 3)
        assert "見守り。" in text
        assert "相談。" not in text
        told = {event.document_id: event.tell for event in await service.events(DOCUMENT_CREATED)}
        assert told[request["id"]] == (DESTINATION,)
        superseded = [event.document_id for event in await service.events(DOCUMENT_SUPERSEDED)]
        assert superseded == [plan["id"]]


async def test_an_older_proposal_that_comes_late_changes_nothing(tmp_path: Path, store: ObjectStore) -> None:
    """The decision came first: the proposal draws no version, opens nothing and closes nothing."""
    late = proposed(PLAN, audience=(WRITER, SECTION))
    newest = decided(PLAN, revision=3, audience_revision=3, audience=(WRITER, SECTION, *OWN_ROWS))
    async with idle_service(tmp_path / "a", store) as runtime:
        await receive(runtime, newest, at=1_700_000_000_000_002)
        before = [await rows_of(runtime, table) for table in (documents, access)]
        await receive(runtime, late, at=1_700_000_000_000_001)
        assert [await rows_of(runtime, table) for table in (documents, access)] == before


async def test_nothing_is_drawn_for_an_agency_that_the_form_does_not_name(tmp_path: Path, store: ObjectStore) -> None:
    """An audience may name more agencies than a plan has rows for, or a sitting has called."""
    stranger = entry(OUTSIDER, BasisKind.CONSENT, View.OWN_ALLOCATION)
    unknown = entry(OUTSIDER, BasisKind.SITTING, View.OWN_ITEM)
    called = ConvenedMember(agency=DESTINATION, agency_name="見本介護サービス事業所", name="見本 介子")
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, decided(PLAN, audience=(WRITER, *OWN_ROWS, stranger)))
        await receive(runtime, convened(form_id="m1", members=(called,), audience=(WRITER, CALLED[0], unknown)))
        found = await rows_of(runtime, documents)
    assert sorted(row["recipient"] for row in found if row["recipient"]) == sorted(
        [DESTINATION, DESTINATION, CONTRACTED]
    )


async def test_who_is_called_or_asked_is_told_by_when_to_answer(tmp_path: Path, store: ObjectStore) -> None:
    """The day of the notice and of the request; the copy to file and minutes ask nobody."""
    called = tuple(
        ConvenedMember(agency=agency, agency_name="見本の機関", name="見本 介子")
        for agency in (DESTINATION, CONTRACTED)
    )
    async with idle_service(tmp_path, store) as runtime:
        await receive(runtime, convened(form_id="m1", members=called, audience=(WRITER, *CALLED)))
        await receive(runtime, requested(form_id="i1", audience=(WRITER, entry(DESTINATION, BasisKind.CONSENT))))
        await receive(runtime, minuted(form_id="n1", audience=(WRITER, *CALLED)))
        await receive(runtime, logged(form_id="l1", audience=(WRITER,)))
        found = await rows_of(runtime, documents)
    by_when = {(row["kind"], row["recipient"]): row["reply_by"] for row in found}
    day = dt.date(2026, 12, 2).isoformat()
    assert by_when == {
        ("meeting_notice", DESTINATION): day,
        ("meeting_notice", CONTRACTED): day,
        ("meeting_notice", ""): None,
        ("information_request", ""): "2026-12-04",
        ("minutes", ""): None,
        ("minutes", DESTINATION): None,
        ("minutes", CONTRACTED): None,
        ("contact_log", ""): None,
    }


async def test_a_support_meeting_paper_opens_to_its_members_alone(tmp_path: Path, store: ObjectStore) -> None:
    """Marked 支援会議限り; not to the same agency's other staff, nor to anybody of another agency."""
    event = minuted_in_support_meeting(audience=(WRITER, CALLED[0]))
    async with running_service(tmp_path, store) as service:
        found = await service.stored(event)
        page = f"/documents/{found['minutes', 'own_item']}"
        answers = {}
        for user, agency in (("kaigo", DESTINATION), ("betsu", DESTINATION), ("soto", OUTSIDER)):
            headers = {**service.sign_in(user, agency), "Accept": "application/json"}
            answers[user] = (await service.client.get(page, headers=headers)).status_code
        assert answers == {"kaigo": 200, "betsu": 404, "soto": 404}
        marked = {row["support_meeting_only"] for row in await service.rows(documents)}
    assert marked == {1}


@pytest.mark.parametrize("event_type", sorted(FORM_KINDS))
def test_every_event_of_a_form_draws_something(event_type: str) -> None:
    """No event arrives for nothing."""
    everybody = tuple(entry(f"a{place}", kind, view) for place, kind in enumerate(BasisKind) for view in View)
    plans = documents_for(f"{FORM_KINDS[event_type]}/1", Audience(entries=everybody))
    assert drawn_by(event_type, plans)
