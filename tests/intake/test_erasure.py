"""Erasure: of an approved case nothing is left that says anything of its people, in the database, the outbox and the stream."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from deploy.local.servers import NatsServer
from tests.conftest import MovableClock
from tests.data.case_work import send
from tests.data.hub import events_on
from tests.data.intake import Intake, running_intake
from tests.data.referrals import referral
from tests.data.services import until
from tests.intake.disposing import AFTERWARDS, Archive, noon
from tsunagi_intake import erasure, tables
from tsunagi_intake.disposals import EraseOrder
from tsunagi_shared import audit, clock, jobs
from tsunagi_shared.contracts.envelope import Envelope
from tsunagi_shared.contracts.events import RECORD_ERASED, REFERRAL_SUBMITTED, RecordErased
from tsunagi_shared.outbox import Sent, outbox

# What the sample forms say: of each of their free texts a piece, and everything by which somebody is found
SAID = (
    "太郎", "花子", "一郎", "みほん", "1955-04-01", "1958-05-05", "042-000-0001", "0420000001", "見本町0-0-0", "197-0000",
    "十年ほど", "自分が倒れた", "ひきこもりの相談", "平日の午前", "かかりつけ", "一時間ほど", "みんなで考えて",
    "同居する子ども", "手紙を置いて", "支援措置の申し出", "週二回の訪問", "引き続き関わる", "審査請求が出た", "下書きの中身",
)  # fmt: skip


@pytest.fixture
def archive(intake: Intake, movable_clock: MovableClock) -> Archive:
    """The service on the day the cases of these tests end."""
    return Archive(intake, movable_clock)


def said(content: bytes) -> set[str]:
    """Which of the words are in it, as text or escaped."""
    found = {word for word in SAID if word.encode() in content}
    return found | {word for word in SAID if msgspec.json.encode(word)[1:-1] in content}


def said_in(path: Path) -> dict[str, set[str]]:
    """By table and column, which of the words the database holds."""
    found: dict[str, set[str]] = {}
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            for row in cursor:
                for column, value in zip(cursor.description, row, strict=True):
                    content = value if isinstance(value, bytes) else str(value).encode()
                    if words := said(content):
                        found.setdefault(f"{table}.{column[0]}", set()).update(words)
    return found


async def _full_case(archive: Archive) -> str:
    """A case that says something in every place there is, closed: corrected, drafted about, held and let go."""
    number = await archive.closed_case()
    form = (await archive.rows(tables.referrals))[0]["form"]
    await archive.intake.runtime.database.write(
        lambda connection: connection.execute(
            tables.revisions.insert().values(
                form="referral/" + connection.execute(sa.select(tables.referrals.c.id)).scalar_one(), revision=1,
                submitted_at=1, user="mado", user_name="窓口", agency="disability", content=form,
            )
        )
    )  # fmt: skip
    await archive.intake.runtime.database.write(partial(_draft, number))
    for on in (True, False):
        body = {"on": on, "reason": "審査請求が出た"}
        assert (await send(archive.now("shokan"), f"/cases/{number}/hold", body)).status_code == 201
    return number


def _draft(number: str, connection: sa.Connection) -> None:
    """One that is about the case by its address, and one in which its number was typed."""
    for identity, about, content in (
        ("one", f"case={number}", {"content": "下書きの中身"}),
        ("two", "", {"case_number": number, "consultation": "下書きの中身"}),
    ):
        connection.execute(
            tables.drafts.insert().values(
                id=identity, user="mado", agency="disability", kind="contact", about=about,
                content=msgspec.json.encode(content), saved_at=clock.now_us() + 10**15,
            )
        )  # fmt: skip


async def test_nothing_is_left_but_the_tombstones(archive: Archive) -> None:
    """Every table that held something of the people holds nothing; numbers, kinds, days and codes stay, and the audit holds."""
    number = await _full_case(archive)
    path = archive.intake.runtime.settings.database
    before = said_in(path)
    assert {
        "referrals.form", "records.form", "revisions.content", "persons.search_key", "protections.reason", "grounds.reason",
        "allocations.part", "drafts.content", "audit_reasons.reason", "outbox.payload", "case_keys.search_key",
    } <= set(before)  # fmt: skip
    forms = {f"referral/{row['id']}" for row in await archive.rows(tables.referrals)}
    forms |= {f"{row['kind']}/{row['id']}" for row in await archive.rows(tables.records)}
    archive.clock.to(noon(AFTERWARDS))
    await archive.approved(await archive.proposed())
    assert said_in(path) == {}
    stones = await archive.rows(tables.tombstones)
    assert {row["form"] for row in stones} == forms
    assert {(row["case_number"], row["erased_by"], row["code"]) for row in stones} == {(number, "kacho", "retention")}
    (case,) = await archive.rows(tables.cases)
    assert (case["number"], case["state"], case["completed_on"], case["lead"]) == (number, "erased", None, "")
    for table in (tables.audience, tables.case_lists, tables.case_keys, tables.consents, tables.persons, tables.drafts):
        assert await archive.rows(table) == [], table.name
    verdict = await archive.intake.runtime.database.read(audit.verify)
    assert verdict.broken_at is None


async def test_documents_are_told_once_and_nobody_finds_the_case_again(archive: Archive) -> None:
    """One event names every form; the case answers as one that never was, and what waits to be sent says nothing of it."""
    number = await _full_case(archive)
    number_of_referral = archive.desk.referral_number
    archive.clock.to(noon(AFTERWARDS))
    await archive.approved(await archive.proposed())
    told = [event for event in await archive.intake.events() if event.type == RECORD_ERASED]
    assert [(event.aggregate, event.revision) for event in told] == [(f"erasure/{number}", 1)]
    data = msgspec.json.decode(told[0].data, type=RecordErased)
    assert set(data.forms) == {row["form"] for row in await archive.rows(tables.tombstones)}
    assert not {event.type for event in await archive.intake.events()} & erasure.CARRY_FORMS
    for user in ("shokan", "chosei", "mado"):
        caller = archive.now(user)
        for path in (f"/cases/{number}", f"/referrals/{number_of_referral}", f"/cases/{number}/disclosure?person=x"):
            assert (await caller.get(path)).status_code == 404, (user, path)
        assert (await caller.get("/cases")).json()["items"] == []
    assert await archive.due() == []
    erased = [row for row in await archive.rows(audit.audit) if row["action"] == "case.erase"]
    assert [(row["user"], row["via"], row["case_number"], row["basis"]) for row in erased] == [
        ("kacho", "job", number, "retention")
    ]


async def test_other_cases_and_drafts_stay_as_they_are(archive: Archive) -> None:
    """A case that is still open, its audience, its lists and what is drafted about it are not touched."""
    await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    archive.desk.mado = archive.now("mado")
    other = (await archive.desk.open()).case_number
    saved = await send(archive.now("mado"), f"/drafts?kind=contact&case={other}", {"content": "まだ途中"})
    assert saved.status_code in (200, 201), saved.text
    kept = (tables.referrals, tables.persons, tables.audience, tables.case_lists, tables.case_keys, tables.drafts)

    async def of_other() -> list[list[dict[str, Any]]]:
        return [[row for row in await archive.rows(table) if row.get("case", 2) == 2] for table in kept]

    before = await of_other()
    await archive.approved(await archive.proposed())
    assert await of_other() == before
    assert all(before)


async def test_carried_out_twice_changes_nothing(archive: Archive) -> None:
    """A job that ran and is run again (its process was killed before it could say so) finds nothing to do."""
    await archive.closed_case()
    archive.clock.to(noon(AFTERWARDS))
    identity = await archive.proposed()
    await archive.approved(identity)
    before = [await archive.rows(table) for table in (tables.cases, tables.tombstones, outbox, audit.audit)]
    order = EraseOrder(identity, 1)
    runtime = archive.intake.runtime
    await runtime.database.write(lambda connection: erasure.carry_out(connection, runtime, order))
    assert [await archive.rows(table) for table in (tables.cases, tables.tombstones, outbox, audit.audit)] == before


async def test_an_event_that_was_on_its_way_is_taken_off_the_stream(archive: Archive) -> None:
    """When the place of an erased form's event becomes known after the erasure, its removal is asked for."""
    await archive.closed_case()
    (sent,) = [row for row in await archive.rows(outbox) if row["type"] == REFERRAL_SUBMITTED][:1]
    archive.clock.to(noon(AFTERWARDS))
    await archive.approved(await archive.proposed())
    runtime = archive.intake.runtime
    await runtime.database.write(
        lambda connection: erasure.remember(connection, [Sent(sent["type"], sent["payload"], 41)])
    )
    (job,) = [row for row in await archive.rows(jobs.jobs) if row["kind"] == erasure.UNPUBLISH]
    assert msgspec.json.decode(job["payload"]) == {"seqs": [41]}


async def test_places_on_a_stream_that_was_made_anew_are_forgotten(archive: Archive) -> None:
    """Higher places from long before belong to another stream: nothing may be taken off there in their name."""
    await archive.desk.open()
    (row,) = [row for row in await archive.rows(outbox) if row["type"] == REFERRAL_SUBMITTED]
    runtime = archive.intake.runtime

    async def sent(*places: int) -> None:
        events = [Sent(row["type"], row["payload"], place) for place in places]
        await runtime.database.write(lambda connection: erasure.remember(connection, events))

    await sent(5000, 5002)
    archive.clock.to(noon(dt.date(2026, 12, 2)))
    await sent(5003, 5004)
    await sent(5003)
    assert [found["seq"] for found in await archive.rows(tables.publications)] == [5000, 5002, 5003, 5004]
    archive.clock.to(noon(dt.date(2026, 12, 3)))
    await sent(3)
    assert [found["seq"] for found in await archive.rows(tables.publications)] == [3]


@pytest.fixture
async def with_hub(tmp_path: Path, hub: NatsServer, movable_clock: MovableClock) -> AsyncIterator[Archive]:
    """The service with the hub there."""
    connected = {"nats_url": hub.url, "nats_seed_file": hub.seed_file("intake")}
    async with running_intake(tmp_path, **connected) as intake:
        yield Archive(intake, movable_clock)


async def test_the_stream_keeps_nothing_of_it(with_hub: Archive, hub: NatsServer) -> None:
    """The events that carried the forms are taken off the stream; those of another case, and codes and ids, stay."""
    archive = with_hub
    others = {event.id for event in await events_on(hub, "INTAKE")}

    async def own() -> list[Envelope]:
        return [event for event in await events_on(hub, "INTAKE") if event.id not in others]

    async def sent() -> bool:
        return not await archive.rows(outbox)

    number = await archive.closed_case()
    other = (await archive.desk.open(person={**referral()["person"], "name": "見本　次郎"})).case_number
    # As after `republish`: the time of the case is over, and its events lie on the stream all the same
    long_ago = tables.cases.update().where(tables.cases.c.number == number).values(completed_on="2020-01-01")
    await archive.intake.runtime.database.write(lambda connection: connection.execute(long_ago))
    await until(sent)
    carrying = [event for event in await own() if event.type in erasure.CARRY_FORMS]
    assert {row["form"] for row in await archive.rows(tables.publications)} == {event.aggregate for event in carrying}
    assert {word for event in carrying for word in said(bytes(event.data))} >= {"太郎", "十年ほど"}
    await archive.approved(await archive.proposed())

    async def gone() -> bool:
        rows = await archive.rows(jobs.jobs)
        return await sent() and not [row for row in rows if row["kind"] == erasure.UNPUBLISH]

    await until(gone)
    left = await own()
    of_case = [event for event in left if number in bytes(event.data).decode()]
    assert RECORD_ERASED in {event.type for event in of_case}
    assert not {event.type for event in of_case} & erasure.CARRY_FORMS
    assert {word for event in of_case for word in said(bytes(event.data))} == set()
    assert [event for event in left if event.type == REFERRAL_SUBMITTED and other in bytes(event.data).decode()]
    forms = {row["form"] for row in await archive.rows(tables.tombstones)}
    assert forms.isdisjoint(row["form"] for row in await archive.rows(tables.publications))
