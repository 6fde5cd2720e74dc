"""Erasure of a case whose disposal was approved: what its forms said goes, everywhere; tombstones stay.

Each case goes in one transaction, from a job, so that a list of five hundred keeps nobody waiting and outlives a restart.
In it: forms and their earlier revisions, persons, consents, protections, grounds, allocations, drafts about it, search
keys, audiences, what is known of its documents, typed reasons (also why a 廃棄簿 with it was sent back), events that still
wait to be sent. The row of the case keeps its number; the time line its codes; a tombstone for each form its kind and number.
`intake.record.erased` tells documents.

Events that carried the forms are taken off the stream by their places there (`publications`), by a second job. An event
that was on its way meanwhile is taken off when its place becomes known.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
import sqlalchemy.dialects.sqlite as sqlite
from sqlalchemy import Connection

from tsunagi_intake import cases, disposals, retention
from tsunagi_intake.disposals import ERASE, ERASED, SKIPPED, EraseOrder
from tsunagi_intake.meeting_tables import agenda_items, community_issues, minutes_drafts
from tsunagi_intake.plan_tables import plans
from tsunagi_intake.resource_tables import follow_ups, matches, outreach_facts
from tsunagi_intake.tables import (
    allocations,
    audience,
    case_keys,
    case_lists,
    consents,
    deliveries,
    documents,
    drafts,
    grounds,
    persons,
    protections,
    publications,
    receipts,
    records,
    referrals,
    revisions,
    tombstones,
)
from tsunagi_intake.tables import cases as cases_table
from tsunagi_shared import audit, clock, jobs
from tsunagi_shared.accounts import Principal
from tsunagi_shared.bus import BusRefused, BusUnavailable
from tsunagi_shared.contracts.events import EVENTS, RECORD_ERASED, FormRecorded, RecordErased, ReferralSubmitted
from tsunagi_shared.contracts.streams import stream_of
from tsunagi_shared.database import Statement, insert_of
from tsunagi_shared.jobs import Effect, Job, JobKind, Retry
from tsunagi_shared.outbox import Sent, outbox
from tsunagi_shared.runtime import Runtime

UNPUBLISH = "unpublish"
RETENTION = "retention"  # why: the time for which it was kept is over
CARRY_FORMS = frozenset(row.type for row in EVENTS.values() if issubclass(row.data, FormRecorded | ReferralSubmitted))
FORMS_IN_AN_EVENT = 5_000
MESSAGES_IN_A_JOB = 200
DELAYS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, *(3600.0,) * 360)  # the stream forgets by itself after 14 days
_HOUR_US = 3_600_000_000
_NUMBERS = re.compile(r"[0-9A-Za-z-]+", re.ASCII)

_KEEP_PLACE = Statement(
    sqlite.insert(publications)
    .values({name: sa.bindparam(name) for name in ("seq", "form", "at")})
    .on_conflict_do_update(index_elements=["seq"], set_={"form": sa.bindparam("form"), "at": sa.bindparam("at")})
)
_OF_ANOTHER_STREAM = Statement(
    publications.delete().where(publications.c.seq > sa.bindparam("lowest"), publications.c.at < sa.bindparam("before"))
)
_ENTOMB = insert_of(tombstones)
_TOMBSTONE = Statement(sa.select(tombstones.c.form).where(tombstones.c.form == sa.bindparam("form")))


class _Aggregate(msgspec.Struct):
    aggregate: str


class _Messages(msgspec.Struct):
    """Places on the stream that are to be emptied."""

    seqs: list[int]


# what is published ----------------------------------------------------------------------------------------------------


def remember(connection: Connection, sent: list[Sent]) -> None:
    """Keep where the events that carry a form lie on the stream; what was erased meanwhile is taken off again.

    Places only grow: higher ones from long before belong to a stream that was made anew since, and are forgotten.
    """
    moment, late = clock.now_us(), []
    carrying = [event for event in sent if event.type in CARRY_FORMS]
    if not carrying:
        return
    _OF_ANOTHER_STREAM.run(connection, lowest=min(event.stream_seq for event in carrying), before=moment - _HOUR_US)
    for event in carrying:
        form = msgspec.json.decode(event.payload, type=_Aggregate).aggregate
        _KEEP_PLACE.run(connection, seq=event.stream_seq, form=form, at=moment)
        if _TOMBSTONE.first(connection, form=form) is not None:
            late.append(event.stream_seq)
    if late:
        _unpublish(connection, f"late/{late[0]}", late)


def _unpublish(connection: Connection, key: str, seqs: Sequence[int]) -> None:
    for start in range(0, len(seqs), MESSAGES_IN_A_JOB):
        some = list(seqs[start : start + MESSAGES_IN_A_JOB])
        jobs.add(connection, UNPUBLISH, f"{key}/{start}", msgspec.json.encode(_Messages(some)))


# the jobs -------------------------------------------------------------------------------------------------------------


def job_kinds(runtime: Runtime) -> dict[str, JobKind]:
    """The jobs of disposal, for the declaration of the service."""
    return {
        ERASE: JobKind(_eraser(runtime), _given_up, delays=DELAYS),
        UNPUBLISH: JobKind(_unpublisher(runtime), _given_up, delays=DELAYS),
    }


def _given_up(_: Connection, __: Job, ___: str) -> None:
    """The failed job itself is what people see (`jobs_failed` of /readyz)."""


def _eraser(runtime: Runtime) -> Any:
    async def erase(job: Job) -> Effect:
        order = msgspec.json.decode(job.payload, type=EraseOrder)
        # What waits in an outage may be much: it is looked through beside the writer
        waiting = await runtime.database.read(lambda connection: _waiting(connection, order.case))
        return lambda connection: carry_out(connection, runtime, order, waiting)

    return erase


def _unpublisher(runtime: Runtime) -> Any:
    async def unpublish(job: Job) -> Effect:
        seqs = msgspec.json.decode(job.payload, type=_Messages).seqs
        stream = stream_of(RECORD_ERASED).name
        try:
            for seq in seqs:
                await runtime.bus.erase(stream, seq)
        except BusUnavailable:
            raise Retry("bus-unavailable") from None
        except BusRefused:
            raise Retry("bus-refused") from None
        gone = publications.delete().where(publications.c.seq.in_(seqs))
        return lambda connection: _run(connection, gone)

    return unpublish


def _run(connection: Connection, statement: sa.Delete) -> None:
    connection.execute(statement)


def _waiting(connection: Connection, case: int) -> list[int]:
    """The events of the case's forms that have not left yet."""
    forms = set(_forms(connection, retention.groups_of(connection, [case])[case]))
    rows = connection.execute(sa.select(outbox.c.seq, outbox.c.payload).where(outbox.c.type.in_(CARRY_FORMS)))
    return [row.seq for row in rows if msgspec.json.decode(row.payload, type=_Aggregate).aggregate in forms]


def carry_out(connection: Connection, runtime: Runtime, order: EraseOrder, waiting: Collection[int] = ()) -> None:
    """Erase a case of an approved list, or pass it over when something stands against it by now. Twice is as once."""
    found = disposals.approved(connection, order)
    if found is None:
        return
    against = retention.stands_against(connection, runtime.profile, [order.case]).get(order.case)
    if against is not None:
        disposals.settle_item(connection, order, SKIPPED, against)
        return
    section = runtime.profile.municipality.responsible_section
    who = Principal(found.approved_by, found.approved_by_name, section, frozenset(), via="job")
    for case in retention.groups_of(connection, [order.case])[order.case]:
        erase_case(connection, runtime, case, who, RETENTION)
    connection.execute(outbox.delete().where(outbox.c.seq.in_(waiting), outbox.c.type.in_(CARRY_FORMS)))
    disposals.settle_item(connection, order, ERASED)


# the erasure ----------------------------------------------------------------------------------------------------------


def erase_case(connection: Connection, runtime: Runtime, case: int, who: Principal, code: str) -> None:
    """Take away all that the case's forms say, in the caller's transaction, and tell documents."""
    number = str(connection.execute(sa.select(cases_table.c.number).where(cases_table.c.seq == case)).scalar_one())
    forms = _entomb(connection, case, number, who, code)
    places = publications.c.form.in_(_of_forms((case,)))
    seqs = connection.execute(sa.select(publications.c.seq).where(places).order_by(publications.c.seq)).scalars().all()
    _unpublish(connection, f"case/{case}", seqs)
    _forget_drafts(connection, _names_of(connection, case, number))
    _empty(connection, case, number)
    connection.execute(
        cases_table.update().where(cases_table.c.seq == case).values(
            state=cases.ERASED, lead="", origin="", ended_code="", completed_on=None, kept_by="", previous=None,
            revision=cases_table.c.revision + 1,
        )
    )  # fmt: skip
    at = clock.now()
    for revision, start in enumerate(range(0, len(forms), FORMS_IN_AN_EVENT), 1):
        some = tuple(forms[start : start + FORMS_IN_AN_EVENT])
        event = RecordErased(forms=some, case_number=number, code=code, at=at)
        runtime.outbox.add(connection, RECORD_ERASED, event, aggregate=f"erasure/{number}", revision=revision)
    disposals.forget_reasons(connection, case)
    audit.record_erasure(connection, who, number, code)


def _entomb(connection: Connection, case: int, number: str, who: Principal, code: str) -> list[str]:
    """A tombstone for each form of the case; what they are known by (`<kind>/<id>`)."""
    there = sa.union_all(
        sa.select(sa.literal("referral").label("kind"), referrals.c.id, referrals.c.number).where(
            referrals.c.case == case
        ),
        sa.select(records.c.kind, records.c.id, records.c.number).where(records.c.case == case),
    )
    rows = connection.execute(there).all()
    told = {"case_number": number, "erased_at": clock.now_us(), "erased_by": who.user, "code": code}
    _ENTOMB.many(
        connection, [{"form": f"{row.kind}/{row.id}", "kind": row.kind, "number": row.number, **told} for row in rows]
    )
    return [f"{row.kind}/{row.id}" for row in rows]


def _forms(connection: Connection, group: Iterable[int]) -> Iterable[str]:
    return connection.execute(_of_forms(group)).scalars()


def _of_forms(group: Iterable[int]) -> sa.CompoundSelect[Any]:
    seqs = list(group)
    return sa.union_all(
        sa.select("referral/" + referrals.c.id).where(referrals.c.case.in_(seqs)),
        sa.select(records.c.kind + "/" + records.c.id).where(records.c.case.in_(seqs)),
    )


def _empty(connection: Connection, case: int, number: str) -> None:
    """Every row that says something of the case's people, or of who may see it."""
    for table in (revisions, audience):
        connection.execute(table.delete().where(table.c.form.in_(_of_forms((case,)))))
    for table in (
        persons, consents, protections, grounds, allocations, plans, minutes_drafts, matches, follow_ups,
        outreach_facts, case_keys, case_lists, records, referrals,
    ):  # fmt: skip
        connection.execute(table.delete().where(table.c.case == case))
    _forget_items(connection, case)
    for table in (documents, deliveries, receipts):
        connection.execute(table.delete().where(table.c.case_number == number))


def _forget_items(connection: Connection, case: int) -> None:
    """Of what sittings heard of the case, and of what they handed on, only numbers and codes are left."""
    heard = sa.select(agenda_items.c.id).where(agenda_items.c.case == case)
    of_case = sa.or_(community_issues.c.item.in_(heard), community_issues.c.case == case)
    nothing = {"item": "", "form": "", "case": None, "text": "", "answer": "", "project": ""}
    connection.execute(community_issues.update().where(of_case).values(**nothing))
    connection.execute(
        agenda_items.update().where(agenda_items.c.case == case).values(
            note="", papers="[]", state=sa.case((agenda_items.c.state == "open", "withdrawn"), else_=agenda_items.c.state)
        )
    )  # fmt: skip


def _names_of(connection: Connection, case: int, number: str) -> frozenset[str]:
    """By what a draft may name what it is about: numbers of the case and its referrals, ids of forms, consents, persons,
    agenda items, follow-ups, 地域課題 that came of it."""
    found = {number}
    for row in connection.execute(sa.select(referrals.c.id, referrals.c.number).where(referrals.c.case == case)):
        found |= {row.id, row.number}
    for table in (records, agenda_items, follow_ups):
        found |= set(connection.execute(sa.select(table.c.id).where(table.c.case == case)).scalars())
    items = sa.select(agenda_items.c.id).where(agenda_items.c.case == case)
    ours = sa.or_(community_issues.c.case == case, community_issues.c.item.in_(items))
    found |= set(connection.execute(sa.select(community_issues.c.id).where(ours)).scalars())
    return frozenset(found)


def _forget_drafts(connection: Connection, names: frozenset[str]) -> None:
    rows = connection.execute(sa.select(drafts.c.id, drafts.c.about, drafts.c.content)).all()
    wanted = [row.id for row in rows if _is_about(row.about, row.content, names)]
    connection.execute(drafts.delete().where(drafts.c.id.in_(wanted)))


def _is_about(about: str, content: bytes, names: frozenset[str]) -> bool:
    if names & set(_NUMBERS.findall(urllib.parse.unquote(about))):
        return True
    typed = msgspec.json.decode(content)
    return isinstance(typed, dict) and typed.get("case_number") in names
