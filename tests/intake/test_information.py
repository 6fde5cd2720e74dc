"""情報提供依頼: on which laws, and for how long its addressee reads it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.conftest import MovableClock
from tests.data.case_work import DESTINATION, send
from tests.data.forms import sample
from tests.data.intake import Intake
from tests.intake.sittings import Table
from tsunagi_intake.tables import audience
from tsunagi_shared import clock

NURSERY = "sample-nursery"


@pytest.fixture
async def table(intake: Intake) -> Table:
    """A case without a consent."""
    return await Table(intake).open()


async def asked(table: Table, days: int = 10, **changes: Any) -> Any:
    """The answer to a request that is due in so many days."""
    due = (clock.today() + dt.timedelta(days=days)).isoformat()
    form = {name: value for name, value in sample("information_request", due_on=due, **changes).items() if value}
    return await table.desk.send(table.coordinator, "information-requests", form)


async def entry_of(table: Table, agency: str) -> dict[str, Any]:
    rows = await table.intake.rows(audience)
    return next(row for row in rows if row["agency"] == agency and row["form"].startswith("information_request/"))


async def test_only_a_law_that_allows_it_opens_anything(table: Table) -> None:
    """A duty of secrecy, or the name of a programme, is no basis to ask for something or to tell somebody; nor is it offered."""
    profile = table.intake.runtime.profile
    allowed = {row.id for row in profile.legal_basis if row.allows_provision}
    assert "provision-by-municipality" in allowed
    assert not {row.id for row in profile.legal_basis if row.id.endswith("secrecy") or row.id == "project"} & allowed
    for row in profile.legal_basis:
        found = await asked(table, agency=NURSERY, law=row.id)
        ground = await table.desk.send(table.coordinator, "grounds", sample("ground", agency=NURSERY, law=row.id))
        if row.id in allowed:
            assert (found.status_code, ground.status_code) == (201, 201), row.id
            continue
        for answer in (found, ground):
            assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "law"), row.id
    page = await table.coordinator.get(f"/forms/information_request?case={table.case}", page=True)
    assert 'value="project"' not in page.text
    assert 'value="provision-by-municipality"' in page.text


@pytest.mark.parametrize("basis", ["law", "consent"])
async def test_the_addressee_reads_a_request_until_some_time_after_it_was_due(
    table: Table, movable_clock: MovableClock, basis: str
) -> None:
    """30 days after the answer was due the request is closed to its addressee, whatever opened it."""
    addressee, user = (NURSERY, "yoso") if basis == "law" else (DESTINATION, "kaigo")
    if basis == "consent":
        await table.consent(DESTINATION)
    law = sample("information_request")["law"] if basis == "law" else ""
    made = await asked(table, agency=addressee, law=law)
    assert made.status_code == 201, made.text
    entry = await entry_of(table, addressee)
    assert (entry["until"], entry["view"]) == ((clock.today() + dt.timedelta(days=40)).isoformat(), "full")
    path = f"/records/information_request/{made.json()['id']}"
    movable_clock.forward(40 * 86_400)
    assert (await table.intake.signed_in(user).get(path)).status_code == 200
    movable_clock.forward(41 * 86_400)
    assert (await table.intake.signed_in(user).get(path)).status_code == 404
    late = await send(
        table.intake.signed_in(user), f"/information-requests/{made.json()['id']}/answer", sample("information_answer")
    )
    assert late.status_code == 404
    assert (await table.intake.signed_in("chosei").get(path)).status_code == 200


async def test_no_answer_is_due_so_late_that_a_request_never_closes(table: Table) -> None:
    """However far ahead an answer is due, the request closes within about a year."""
    made = await asked(table, days=8_000, agency=NURSERY)
    assert made.status_code == 201, made.text
    last = (clock.today() + dt.timedelta(days=395)).isoformat()
    assert (await entry_of(table, NURSERY))["until"] == last
