"""How long cases are kept, the hold, and 廃棄簿: made by one, approved by another, passed over where something is against it."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from tests.conftest import MovableClock
from tests.data.case_work import send
from tests.data.intake import Intake
from tests.intake.disposing import AFTERWARDS, CLOSED_ON, LAST_DAY, Archive, noon
from tests.intake.query_plans import steps_of
from tsunagi_intake import cases, records, retention, standing, tables
from tsunagi_intake.retention import Hold, kept_until, last_completed
from tsunagi_shared import audit
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile, RetentionClass, RetentionStart

COMPLETED = RetentionClass(id="five", name="5年", years=5, starts=RetentionStart.COMPLETED, source="見本")
YEAR_END = RetentionClass(id="ten", name="10年", years=10, starts=RetentionStart.FISCAL_YEAR_END, source="見本")
ONE = RetentionClass(id="one", name="1年", years=1, starts=RetentionStart.COMPLETED, source="見本")
FOR_GOOD = RetentionClass(id="permanent", name="永年", source="見本")


@pytest.fixture
def archive(intake: Intake, movable_clock: MovableClock) -> Archive:
    """The service on the day the cases of these tests end."""
    return Archive(intake, movable_clock)


@pytest.mark.parametrize(
    ("rule", "completed_on", "last"),
    [
        (COMPLETED, "2026-12-01", "2031-12-01"),
        (COMPLETED, "2024-02-29", "2029-02-28"),
        (YEAR_END, "2026-03-31", "2036-03-31"),
        (YEAR_END, "2026-04-01", "2037-03-31"),
        (FOR_GOOD, "2026-04-01", None),
    ],
)
def test_how_long_records_are_kept(rule: RetentionClass, completed_on: str, last: str | None) -> None:
    """Years after the day of completion, or after the end of its 年度; a class without years is kept for good."""
    found = kept_until(rule, dt.date.fromisoformat(completed_on))
    assert found == (dt.date.fromisoformat(last) if last else None)


@pytest.mark.parametrize("rule", [COMPLETED, YEAR_END, ONE])
def test_what_is_due_is_what_was_kept_long_enough(rule: RetentionClass) -> None:
    """On each day of nine years: the latest day of completion that is over is over, and the day after it is not."""
    today = dt.date(2024, 1, 1)
    while today < dt.date(2033, 1, 1):
        last = last_completed(rule, today)
        assert last is not None
        end, after = kept_until(rule, last), kept_until(rule, last + dt.timedelta(days=1))
        assert end is not None
        assert after is not None
        assert end < today <= after, today
        today += dt.timedelta(days=1)


async def test_a_case_is_due_the_day_after_its_time_is_over(archive: Archive) -> None:
    """Its end is kept on it and on its forms; until the last day it is not due, and a running case never is."""
    number = await archive.closed_case()
    await archive.desk.open()
    kept = {row["completed_on"] for row in await archive.rows(tables.records) if row["kind"] != "closure"}
    assert kept == {CLOSED_ON.isoformat()}
    ended, running = await archive.rows(tables.cases)
    assert (ended["completed_on"], running["completed_on"]) == (CLOSED_ON.isoformat(), None)
    archive.clock.to(noon(LAST_DAY))
    assert await archive.due() == []
    assert (await send(archive.now("shokan"), "/disposals")).json()["code"] == "nothing-due"
    archive.clock.to(noon(AFTERWARDS))
    assert await archive.due() == [number]


async def _update(archive: Archive, table: sa.Table, **values: Any) -> None:
    await archive.intake.runtime.database.write(lambda connection: connection.execute(table.update().values(values)))


@pytest.mark.parametrize("kept", ["permanent", "ten-years", "no-longer-known"])
async def test_the_longest_class_of_any_form_counts(archive: Archive, kept: str) -> None:
    """One form that is kept for good, for longer, or by a class that nobody knows keeps the whole case; the last is told."""
    await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    contacts = tables.records.update().where(tables.records.c.kind == "contact").values(retention_class=kept)
    await archive.intake.runtime.database.write(lambda connection: connection.execute(contacts))
    await archive.intake.runtime.database.write(lambda connection: cases.keep_by(connection, 1))
    page = (await archive.now("shokan").get("/disposals")).json()
    assert page["due"]["items"] == []
    assert page["unknown_classes"] == (["no-longer-known"] if kept == "no-longer-known" else [])
    archive.clock.to(noon(dt.date(2037, 4, 1)))
    assert bool(await archive.due()) is (kept == "ten-years")


async def test_a_form_of_a_longer_class_keeps_an_ended_case(archive: Archive) -> None:
    """What is handed in after the end counts from then on; another profile counts without anything being written anew."""
    number = await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    assert await archive.due() == [number]
    profile = archive.intake.runtime.profile
    longer = [msgspec.structs.replace(rule, years=(rule.years or 0) + 1) for rule in profile.retention.classes]
    changed = _with_classes(profile, longer)
    assert await archive.intake.runtime.database.read(lambda connection: retention.due(connection, changed)) == ()
    longest = msgspec.structs.replace(profile.retention, default="permanent", forms={})
    write = records.Write(
        principal=Principal("chosei", "見本", "welfare-desk", frozenset({"coordinator"})),
        profile=msgspec.structs.replace(profile, retention=longest), outbox=archive.intake.runtime.outbox,
    )  # fmt: skip

    def late(connection: Any) -> None:
        case = standing.case_row(connection, number=number)
        records.keep(connection, write, case, "consent_withdrawal", Hold(on=True, reason="見本"))

    await archive.intake.runtime.database.write(late)
    assert await archive.due() == []


def _with_classes(profile: Profile, classes: list[RetentionClass]) -> Profile:
    return msgspec.structs.replace(
        profile, retention=msgspec.structs.replace(profile.retention, classes=tuple(classes))
    )


async def test_what_is_due_is_looked_up(archive: Archive) -> None:
    """Neither the list nor a question for classes walks cases that are not due: one walk in the index for each set of classes."""
    await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    profile = archive.intake.runtime.profile

    def ask(connection: Any) -> None:
        assert len(retention.due(connection, profile, after=("2000-01-01", 1))) == 1
        assert retention.unknown_classes(connection, profile) == ()

    found = await archive.intake.runtime.database.read(lambda rows: steps_of(rows, lambda: ask(rows)))
    assert any("USING INDEX cases_kept (kept_by=? AND completed_on>? AND completed_on<?)" in plan for plan in found), (
        found
    )
    assert not [plan for plan in found if plan.startswith("SCAN cases") and "cases_kept" not in plan], found


async def test_a_joined_case_goes_with_its_head(archive: Archive) -> None:
    """A case that was joined to another is on no list of its own; its forms and its hold count for both."""
    await archive.closed_case()
    head = archive.desk.case_number
    archive.clock.to(noon(AFTERWARDS))
    await archive.intake.runtime.database.write(_joined)
    assert await archive.due() == [head]
    joined = next(row["number"] for row in await archive.rows(tables.cases) if row["joined_into"])
    page = (await archive.now("shokan").get("/disposals")).json()
    assert page["due"]["items"][0]["joined"] == [joined]
    assert (await _hold(archive, joined)).status_code == 201
    assert await archive.due() == []


def _joined(connection: Any) -> None:
    first = connection.execute(sa.select(tables.cases)).first()._mapping
    connection.execute(
        tables.cases.insert().values(
            {**first, "seq": 77, "number": "C2026-00077", "joined_into": first["seq"], "completed_on": None}
        )
    )


async def _hold(
    archive: Archive, number: str, *, on: bool = True, user: str = "shokan", reason: str = "審査請求"
) -> Any:
    return await send(archive.now(user), f"/cases/{number}/hold", {"on": on, "reason": reason})


async def test_a_hold_stops_disposal_until_it_is_lifted(archive: Archive) -> None:
    """The section sets and lifts it with a reason, which lies in the audit; time line and forms tell of it."""
    number = await archive.closed_case()
    answer = await _hold(archive, number)
    assert (answer.status_code, answer.json()["legal_hold"]) == (201, True)
    assert {row["legal_hold"] for row in await archive.rows(tables.records)} == {1}
    archive.clock.to(noon(AFTERWARDS))
    assert await archive.due() == []
    assert (await archive.now("shokan").get(f"/cases/{number}/hold")).json()["legal_hold"] is True
    assert (await _hold(archive, number, on=False, reason="裁決が確定した")).status_code == 201
    assert await archive.due() == [number]
    reasons = [row["reason"] for row in await archive.rows(audit.audit_reasons)]
    assert reasons == ["審査請求", "裁決が確定した"]
    kinds = [row["kind"] for row in await archive.rows(tables.timeline)]
    assert [kind for kind in kinds if kind.startswith("hold")] == ["hold_set", "hold_lifted"]


async def test_a_hold_is_the_sections_and_needs_a_reason(archive: Archive) -> None:
    """Others who see the case are refused with the rule's code, strangers learn nothing, and a page comes back as typed."""
    number = await archive.closed_case()
    for user, status, code in (
        ("chosei", 409, "role-missing"),
        ("yoso", 404, "not-found"),
        ("kansa", 403, "forbidden"),
    ):
        answer = await _hold(archive, number, user=user)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    for body in ({"on": True}, {"on": True, "reason": ""}, {"reason": "審査請求"}, {"on": True, "reason": "あ" * 201}):
        answer = await send(archive.now("shokan"), f"/cases/{number}/hold", body)
        assert answer.status_code == 422, body
    long = "審査請求" * 60
    page = await archive.now("shokan").post(f"/cases/{number}/hold", {"on": "true", "reason": long})
    assert page.status_code == 422
    assert long in page.text
    assert (await _hold(archive, "C2026-99999")).status_code == 404
    assert {row["legal_hold"] for row in await archive.rows(tables.cases)} == {0}
    refused = [
        row for row in await archive.rows(audit.audit) if row["action"] == "hold.set" and row["outcome"] == "refused"
    ]
    assert [row["basis"] for row in refused] == ["role-missing", "not-found", "not-found"]
    page = await archive.now("shokan").post(f"/cases/{number}/hold", {"on": "true", "reason": "審査請求"})
    assert (page.status_code, page.headers["location"]) == (303, f"/cases/{number}/hold")


async def test_another_person_approves(archive: Archive) -> None:
    """Whoever made the list may not approve it or send it back; who is not of the section may not even look."""
    await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    identity = await archive.proposed()
    for path, body in (("approval", {}), ("refusal", {"reason": "番号が違う"})):
        for user, code in (("shokan", "second-person-needed"), ("chosei", "role-missing"), ("kansa", "forbidden")):
            answer = await send(archive.now(user), f"/disposals/{identity}/{path}", body)
            assert answer.json()["code"] == code, (user, path)
    assert (await archive.now("chosei").get("/disposals")).json()["code"] == "role-missing"
    assert (await archive.now("mado").get(f"/disposals/{identity}")).json()["code"] == "role-missing"
    assert (await archive.now("kansa").get(f"/disposals/{identity}")).status_code == 200
    assert (await archive.list(identity))["state"] == "proposed"
    assert (await send(archive.now("kacho"), "/disposals/none/approval")).status_code == 404
    assert (await send(archive.now("chosei"), "/disposals")).json()["code"] == "role-missing"


async def test_what_is_on_a_list_is_on_no_other_until_it_is_sent_back(archive: Archive) -> None:
    """A refusal needs a reason, which stands on the list, and lets the case be due again; a decided list stays decided."""
    number = await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    identity = await archive.proposed()
    assert await archive.due() == []
    assert (await send(archive.now("kacho"), f"/disposals/{identity}/refusal", {})).status_code == 422
    page = await archive.now("kacho").post(f"/disposals/{identity}/refusal", {"reason": ""})
    assert page.status_code == 422
    answer = await send(archive.now("kacho"), f"/disposals/{identity}/refusal", {"reason": "台帳と照らすため"})
    assert (answer.status_code, answer.json()["state"]) == (201, "refused")
    found = await archive.list(identity)
    assert (found["state"], found["reason"], found["items"][0]["state"]) == ("refused", "台帳と照らすため", "refused")
    assert await archive.due() == [number]
    again = await send(archive.now("kacho"), f"/disposals/{identity}/approval")
    assert again.json()["code"] == "already-decided"
    await archive.approved(await archive.proposed())
    assert (await archive.list(identity))["reason"] == "", "what was typed goes with the case"


@pytest.mark.parametrize("cause", ["held", "not-due"])
async def test_what_changed_since_is_passed_over_and_told(archive: Archive, cause: str) -> None:
    """A hold, or another class, between list and approval: the case is told beforehand and kept, and nothing of it is gone."""
    number = await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    identity = await archive.proposed()
    if cause == "held":
        assert (await _hold(archive, number)).status_code == 201
    else:
        await _update(archive, tables.records, retention_class="ten-years")
    assert (await archive.list(identity))["items"][0]["stopped"] == cause
    found = await archive.approved(identity)
    assert [(item["state"], item["code"]) for item in found["items"]] == [("skipped", cause)]
    assert await archive.rows(tables.tombstones) == []
    assert (await archive.now("shokan").get(f"/cases/{number}")).status_code == 200


async def test_the_list_can_be_printed_and_saved_and_names_nobody(archive: Archive) -> None:
    """A row for each form with kind, number, days and class; the same after everything on it is gone."""
    number = await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    identity = await archive.proposed()
    tables_seen = []
    for _ in range(2):
        answer = await archive.now("shokan").get(f"/disposals/{identity}?format=csv")
        assert answer.headers["content-disposition"] == 'attachment; filename="disposal-D2031-001.csv"'
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        tables_seen.append([row[:8] for row in rows])
        page = await archive.now("shokan").get(f"/disposals/{identity}", page=True)
        assert page.status_code == 200
        for text in (answer.text, page.text):
            assert "太郎" not in text
        if len(tables_seen) == 1:
            await archive.approved(identity)
    assert tables_seen[0] == tables_seen[1]
    assert {row[1] for row in tables_seen[0][1:]} == {number}
    assert "支援経過記録" in {row[3] for row in tables_seen[0][1:]}
    assert {tuple(row[5:]) for row in tables_seen[0][1:]} == {("2026-12-01", "5年保存", "2031-12-01")}


async def test_pages_of_the_section(archive: Archive) -> None:
    """The list of what is due offers to make a 廃棄簿, and the 廃棄簿 offers approval to another person alone."""
    number = await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    page = await archive.now("shokan").get("/disposals", page=True)
    assert number in page.text
    assert "廃棄簿を作る" in page.text
    made = await archive.now("shokan").post("/disposals", {"_idempotency_key": "one"})
    assert made.status_code == 303
    again = await archive.now("shokan").post("/disposals", {"_idempotency_key": "one"})
    assert again.headers["location"] == made.headers["location"]
    address = made.headers["location"]
    assert "承認して廃棄する" not in (await archive.now("shokan").get(address, page=True)).text
    assert "承認して廃棄する" in (await archive.now("kacho").get(address, page=True)).text
    page = await archive.now("shokan").get("/disposals", page=True)
    assert "D2031-001" in page.text
    assert "廃棄簿を作る" not in page.text
    assert (await archive.now("kacho").post(f"{address}/approval", {})).status_code == 303


async def test_long_lists_go_page_by_page(archive: Archive) -> None:
    """What is due is read by keyset: each case once, those ended earliest first."""
    await archive.closed_case()
    await archive.intake.runtime.database.write(_many)
    archive.clock.to(noon(AFTERWARDS))
    seen, after = [], ""
    while True:
        page = (await archive.now("shokan").get(f"/disposals?limit=3&after={after}")).json()["due"]
        seen += [(line["completed_on"], line["number"]) for line in page["items"]]
        after = page["next"]
        if not after:
            break
    assert len(seen) == 8
    assert [day for day, _ in seen] == sorted(day for day, _ in seen)
    assert len({number for _, number in seen}) == 8


def _many(connection: Any) -> None:
    first = connection.execute(sa.select(tables.cases)).first()._mapping
    for step in range(7):
        day = (CLOSED_ON - dt.timedelta(days=step % 3)).isoformat()
        row = {**first, "seq": 50 + step, "number": f"C2026-{50 + step:05d}", "completed_on": day}
        connection.execute(tables.cases.insert().values(row))


def test_the_words_of_what_stands_against_disposal() -> None:
    """Every code that passes a case over is told in words."""
    from tsunagi_intake.disposal_pages import STOPPED

    assert set(STOPPED) == {retention.HELD, retention.NOT_DUE, retention.GONE}
