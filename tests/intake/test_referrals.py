"""Taking a referral: all or nothing, once, with numbers that have no gaps, into the right case."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from tests.conftest import MovableClock
from tests.data.intake import Caller, Intake, running_intake
from tests.data.referrals import RARE_NAME, referral, without_consent
from tests.intake.profiles import CONTRACTED, with_ended_contract
from tsunagi_intake import tables
from tsunagi_intake.__main__ import republish
from tsunagi_shared import outbox
from tsunagi_shared.audit import audit
from tsunagi_shared.clock import JST
from tsunagi_shared.contracts.events import REFERRAL_SUBMITTED, ReferralSubmitted
from tsunagi_shared.database import Database
from tsunagi_shared.idempotency import forget_old, idempotency

EVERYTHING = (
    tables.referrals,
    tables.cases,
    tables.audience,
    tables.persons,
    tables.numbers,
    outbox.outbox,
    idempotency,
)


def window(intake: Intake) -> Caller:
    """The program of a window that may hand in and look."""
    return intake.program("disability", "referrals:write", "cases:read")


async def counts(intake: Intake) -> list[int]:
    """How many rows each table that a referral writes has."""
    return [len(await intake.rows(table)) for table in EVERYTHING]


async def submitted(intake: Intake, position: int = -1) -> ReferralSubmitted:
    """The data of an event that waits to be sent."""
    return msgspec.json.decode((await intake.events())[position].data, type=ReferralSubmitted)


async def test_a_receipt_says_who_is_told_and_who_is_not(intake: Intake) -> None:
    """Numbers, moment, audience and what was withheld; nothing about the person."""
    form = referral(destinations=["sample-care", "sample-nursery"])
    answer = await window(intake).submit(form)
    receipt = answer.json()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert set(receipt) == {
        "referral_number", "case_number", "received_at", "support_meeting_only", "audience", "withheld", "revision",
        "changes",
    }  # fmt: skip
    assert {entry["agency"] for entry in receipt["audience"]} == {
        "disability", "welfare-desk", "social-welfare", "sample-care",
    }  # fmt: skip
    assert [(row["agency"], row["code"]) for row in receipt["withheld"]] == [
        ("sample-nursery", "consent-does-not-name")
    ]
    assert "太郎" not in answer.text


async def test_the_event_carries_all_that_the_papers_print(intake: Intake) -> None:
    """One event draws its documents: names of agencies, the form as typed, retention, audience; to documents alone."""
    await window(intake).submit(referral())
    event = (await intake.events())[0]
    data = await submitted(intake)
    assert (event.type, event.revision, event.aggregate) == (REFERRAL_SUBMITTED, 1, f"referral/{data.referral_id}")
    assert event.source == "/132187/intake"
    assert data.destination_names == ("見本介護サービス事業所", "生活困窮者自立相談支援機関")
    assert data.consent_agency_names == data.destination_names
    assert data.submitted_by.agency_name == "福生市 障害福祉課"
    assert (data.provider, data.municipality_name) == ("welfare-desk", "福生市")
    assert data.form.person.birth_date == dt.date(1955, 4, 1)
    assert data.form.person.postal_code == "197-0000"
    assert len(data.persons) == 3
    assert data.retention.retention_class
    assert not data.retention.legal_hold


async def test_rare_characters_come_through_unchanged(intake: Intake) -> None:
    """髙 﨑 𠮷 and an ideographic variation sequence are stored and sent as they were typed, never normalised."""
    form = referral()
    form["person"]["name"] = RARE_NAME
    assert (await window(intake).submit(form)).status_code == 201
    row = (await intake.rows(tables.referrals))[0]
    assert json.loads(row["form"])["person"]["name"] == RARE_NAME
    assert (await submitted(intake)).form.person.name == RARE_NAME


async def test_every_record_carries_its_retention(intake: Intake) -> None:
    """retention_class, completed_on and legal_hold are on each case and referral from the first row on."""
    await window(intake).submit(referral())
    for table in (tables.cases, tables.referrals):
        (row,) = await intake.rows(table)
        assert (bool(row["retention_class"]), row["completed_on"], row["legal_hold"]) == (True, None, 0)


async def test_refusals_leave_nothing(intake: Intake) -> None:
    """A form with mistakes, an unknown case, a body of no JSON: no row in any table, and no number is used up."""
    caller = window(intake)
    before = await counts(intake)
    wrong: list[Any] = [referral(urgency="at once"), referral(case_number="C2026-99999"), [], "x"]
    for form in wrong:
        assert (await caller.submit(form)).status_code == 422
    assert await counts(intake) == before
    assert (await caller.submit(referral())).json()["referral_number"].endswith("-00001")


async def test_the_same_key_gives_the_same_answer(intake: Intake) -> None:
    """Once carried out, twice answered, byte for byte; another body is refused; another caller's key is another key."""
    caller = window(intake)
    first = await caller.submit(referral(), key="k1")
    again = await caller.submit(referral(), key="k1")
    assert (first.status_code, first.content) == (201, again.content)
    other = await caller.submit(referral(urgency="normal"), key="k1")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
    assert await intake.stored() == 1
    assert (await window(intake).submit(referral(), key="k1")).content != first.content
    assert (await caller.submit(referral(), key="k2")).status_code == 201
    assert await intake.stored() == 3
    assert (await caller.submit(referral(), key="k" * 201)).json()["code"] == "bad-idempotency-key"


async def test_a_refused_request_does_not_use_up_its_key(intake: Intake) -> None:
    """A mistake is put right and sent again under the same key."""
    caller = window(intake)
    assert (await caller.submit(referral(urgency="at once"), key="k1")).status_code == 422
    assert (await caller.submit(referral(), key="k1")).status_code == 201


async def test_keys_are_forgotten_after_seven_days(intake: Intake, movable_clock: MovableClock) -> None:
    """What is kept of a request for its key's sake is no form, and goes after a week."""
    await window(intake).submit(referral(), key="k1")
    (row,) = await intake.rows(idempotency)
    assert "太郎".encode() not in row["answer"]
    for days, left in ((6, 1), (8, 0)):
        movable_clock.forward(days * 86_400)
        await intake.runtime.database.write(forget_old)
        assert len(await intake.rows(idempotency)) == left


async def test_the_same_key_at_the_same_time_is_one_referral(intake: Intake) -> None:
    """A doubled request that overtakes itself: one row, one event, the same answer for all."""
    caller = window(intake)
    answers = await asyncio.gather(*(caller.submit(referral(), key="k1") for _ in range(12)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert (await intake.stored(), len(await intake.events())) == (1, 1)


async def test_numbers_have_no_gaps_under_load(intake: Intake) -> None:
    """Many at once, some refused in between: 1 to n, each once, for referrals and cases."""
    caller = window(intake)
    forms = [referral() if number % 5 else referral(case_number="C2026-99999") for number in range(60)]
    answers = await asyncio.gather(*(caller.submit(form) for form in forms))
    taken = [answer.json() for answer in answers if answer.status_code == 201]
    assert len(taken) == 48
    for field in ("referral_number", "case_number"):
        assert sorted(int(row[field].partition("-")[2]) for row in taken) == list(range(1, 49))


async def test_numbers_begin_anew_with_the_fiscal_year(intake: Intake, movable_clock: MovableClock) -> None:
    """年度 turns at midnight in Japan between 31 March and 1 April, not in UTC and not at New Year."""
    caller = window(intake)
    got = []
    for moment in (
        dt.datetime(2026, 12, 31, 23, 59, 30, tzinfo=JST),
        dt.datetime(2027, 1, 1, 0, 0, 30, tzinfo=JST),
        dt.datetime(2027, 3, 31, 23, 59, 30, tzinfo=JST),
        dt.datetime(2027, 4, 1, 0, 0, 30, tzinfo=JST),
        dt.datetime(2027, 4, 1, 9, 0, 30, tzinfo=JST),
    ):
        movable_clock.to(moment)
        receipt = (await caller.submit(without_consent())).json()
        got.append((receipt["referral_number"], receipt["case_number"]))
    assert got == [
        ("R2026-00001", "C2026-00001"),
        ("R2026-00002", "C2026-00002"),
        ("R2026-00003", "C2026-00003"),
        ("R2027-00001", "C2027-00001"),
        ("R2027-00002", "C2027-00002"),
    ]


async def test_into_a_case_of_ones_own(intake: Intake) -> None:
    """A number that the sender may read joins the case; full-width digits are understood; no further case is opened."""
    caller = window(intake)
    number = (await caller.submit(referral())).json()["case_number"]
    wide = number.translate({ord(digit): chr(ord(digit) + 0xFEE0) for digit in "0123456789"})
    for case_number in (number, wide):
        answer = await caller.submit(referral(case_number=case_number))
        assert (answer.status_code, answer.json()["case_number"]) == (201, number)
    assert len(await intake.rows(tables.cases)) == 1


async def test_into_somebody_elses_case(intake: Intake) -> None:
    """A case that exists and one that does not are refused with the same words, at the field."""
    number = (await window(intake).submit(without_consent())).json()["case_number"]
    other = intake.program("sample-nursery", "referrals:write")
    hidden = await other.submit(without_consent(case_number=number))
    missing = await other.submit(without_consent(case_number="C2026-09999"))
    assert hidden.status_code == 422
    assert [(error["path"], error["code"]) for error in hidden.json()["errors"]] == [("case_number", "case-not-found")]
    assert hidden.content == missing.content
    assert number not in hidden.text


async def test_an_agency_whose_contract_ended_is_let_in_nowhere(tmp_path: Path) -> None:
    """Neither handing in nor reading: its people's access ends with the contract."""
    profile = with_ended_contract(tmp_path / "profile")
    async with running_intake(tmp_path / "run", profile=profile) as intake:
        for caller in (intake.program(CONTRACTED, "referrals:write", "cases:read"), intake.program("abolished",
                       "referrals:write", "cases:read")):  # fmt: skip
            answers = [await caller.submit(referral()), await caller.get("/cases"), await caller.get("/referrals")]
            answers += [await caller.get("/cases/C2026-00001"), await caller.get("/referrals/R2026-00001")]
            assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "contract-ended")}
        assert await intake.stored() == 0


async def test_access_by_consent_ends_with_its_last_day(intake: Intake, movable_clock: MovableClock) -> None:
    """The destination finds the case while the consent lives, and the common 404 from the day after."""
    form = referral(destinations=["sample-care"])
    until = dt.datetime.now(JST).date() + dt.timedelta(days=10)
    form["consent"] |= {"agencies": ["sample-care"], "until": until.isoformat()}
    number = (await window(intake).submit(form)).json()["case_number"]
    care = intake.program("sample-care", "cases:read")
    for day, status in ((10, 200), (11, 404)):
        movable_clock.to(dt.datetime.combine(until + dt.timedelta(days=day - 10), dt.time(23, 59), JST))
        assert (await care.get(f"/cases/{number}")).status_code == status
        assert len((await care.get("/cases")).json()["items"]) == int(status == 200)


async def test_asking_for_documents_again_publishes_the_referral_again(intake: Intake) -> None:
    """The same content under the same aggregate and revision, as a new event; on record; only for who has the full view."""
    caller = window(intake)
    number = (await caller.submit(referral())).json()["referral_number"]
    first = await submitted(intake)
    path = f"/referrals/{number}/documents"
    answer = await caller.client.post(path, headers=caller.headers)
    assert answer.status_code == 202
    again = await submitted(intake)
    events = await intake.events()
    assert len(events) == 2
    assert (events[0].aggregate, events[0].revision) == (events[1].aggregate, events[1].revision)
    assert events[0].id != events[1].id
    assert set(again.audience) == set(first.audience)
    assert msgspec.structs.replace(again, audience=()) == msgspec.structs.replace(first, audience=())
    assert "document.remake" in [row["action"] for row in await intake.rows(audit)]
    for agency in ("sample-care", "sample-nursery"):
        other = intake.program(agency, "referrals:write")
        assert (await other.client.post(path, headers=other.headers)).status_code == 404
    assert len(await intake.events()) == 2


async def test_republishing_covers_an_outage(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], movable_clock: MovableClock
) -> None:
    """The command puts every referral received since a day into the outbox once more, beside the running service."""
    caller = window(intake)
    movable_clock.to(dt.datetime(2027, 5, 1, 12, 0, tzinfo=JST))
    await caller.submit(without_consent())
    movable_clock.to(dt.datetime(2027, 5, 2, 0, 30, tzinfo=JST))
    await caller.submit(without_consent())
    settings = intake.runtime.settings
    for name in ("profile", "database", "accounts", "secret_file", "nats_seed_file"):
        monkeypatch.setenv(f"TSUNAGI_{name.upper()}", str(getattr(settings, name)))
    assert republish(["--since", "令和9年5月2日"]) == 0
    assert "1件" in capsys.readouterr().out
    assert [event.revision for event in await intake.events()] == [1, 1, 1]
    assert republish(["--since", "the day before"]) == 1


async def test_nothing_of_the_person_is_logged_or_put_on_record(
    intake: Intake, capfd: pytest.CaptureFixture[str]
) -> None:
    """Refused and taken forms, wrong addresses and faults: logs and audit rows hold numbers and codes alone."""
    caller, clerk = window(intake), intake.person("mado", "disability")
    receipt = (await caller.submit(referral())).json()
    await caller.submit(referral(urgency="太郎"))
    await caller.submit(referral(case_number="見本太郎"))
    for path in ("/cases/見本太郎", "/referrals/見本太郎", "/cases?after=見本太郎", f"/cases/{receipt['case_number']}"):
        await caller.get(path)
        await clerk.get(path, page=True)
    await clerk.post("/referrals", [("person.name", "見本太郎")])
    await intake.runtime.database.write(lambda connection: connection.execute(sa.text("DROP TABLE persons")))
    assert (await caller.submit(referral())).status_code == 500
    output = "".join(capfd.readouterr())
    assert "fault" in output
    rows: list[dict[str, Any]] = await intake.rows(audit)
    assert {"referral.submit", "case.read", "referral.read"} <= {row["action"] for row in rows}
    assert {row["outcome"] for row in rows} == {"done", "refused"}
    for word in ("太郎", "みほん", "花子", "042-000-0001", "ひきこもり"):
        assert word not in output
        assert word not in str(rows)


async def test_a_fault_in_the_middle_stores_nothing(intake: Intake) -> None:
    """Whatever step fails, the others are undone, and the caller is told that nothing was saved."""
    before = await counts(intake)
    await intake.runtime.database.write(
        lambda connection: connection.execute(sa.text("ALTER TABLE audit RENAME COLUMN basis TO lost"))
    )
    answer = await window(intake).submit(referral(), key="k1")
    assert (answer.status_code, answer.json()["code"]) == (500, "fault")
    assert "何も保存していません" in answer.json()["title"]
    await intake.runtime.database.write(
        lambda connection: connection.execute(sa.text("ALTER TABLE audit RENAME COLUMN lost TO basis"))
    )
    assert await counts(intake) == before
    assert (await window(intake).submit(referral())).json()["referral_number"].endswith("-00001")


async def test_what_was_answered_outlives_a_restart(tmp_path: Path) -> None:
    """Every 201 is a case in the file, with its event waiting, when the service comes up again."""
    async with running_intake(tmp_path) as intake:
        numbers = [(await window(intake).submit(referral())).json()["case_number"] for _ in range(5)]
    db = Database(tmp_path / "intake.db")
    with db.connection() as connection:
        assert sorted(connection.execute(sa.select(tables.cases.c.number)).scalars()) == sorted(numbers)
        waiting = sa.select(sa.func.count()).where(outbox.outbox.c.type == REFERRAL_SUBMITTED)
        assert connection.execute(waiting).scalar_one() == 5
    db.close()
