"""What the rule on the audience needs to know of each form of a case, read from the tables at one stroke.

A case of a thousand forms costs a dozen queries: consents, protections, grounds, allocations and sittings belong to the case
and are shared by its forms.

- A person is known by the id of their first row in the case (`persons.same_as`).
- Whom a form once showed it shows for good: a line taken off a referral, a referral taken back, do not make anybody unknown,
  for then nothing would be hidden of them any more. A record is about whom it was about when it was written.
- A consent counts as long as the record it came with: one taken back brings no consent. Whom it excluded stays excluded.
- What closes reaches further than its row: a protection, and whom a consent excludes, holds for everybody in the case, and
  in the cases joined with it, who has the same kana and no other birth date. Rows that were not recognised as one person
  must not show what was to be withheld. Nothing that opens a form crosses from one joined case to another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import agenda, known_persons, plan_facts
from tsunagi_intake.agenda import HeardItem
from tsunagi_intake.audience import FormFacts, GroundFact, ProtectionFact, SittingFact
from tsunagi_intake.consents import ConsentFact, consented, later
from tsunagi_intake.known_persons import Line
from tsunagi_intake.tables import allocations, cases, consents, grounds, protections, records, referrals
from tsunagi_shared import clock
from tsunagi_shared.contracts.audience import BasisKind
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.database import Statement
from tsunagi_shared.forms.referral import ConsentStatus

_STATUS = {status.value: status for status in ConsentStatus}
ERASED = "erased"  # a case of which only its number is left
TAKEN_BACK = ("withdrawn", "misdirected")
_OF_A_SITTING = ("meeting", "minutes")  # may belong to no case
_NO_ITEM = HeardItem(closed=False, minimal=False)
# Kinds of records that belong to another record: nobody gets them on their own
PAPERS = (
    "withdrawal", "consent_withdrawal", "consent_extension", "closure", "plan_agreement", "municipal_decision",
    "support_answer",
)  # fmt: skip


class StoredForm(msgspec.Struct, frozen=True, kw_only=True):
    """A form of a case: what the rule needs, and what is stored of the audience it had (revision 0: it had none yet).

    `former`: those of its persons who stand on none of the lines any more that it speaks of; nobody finds the case by them.
    `other_ids`: by person, other ids that they were known by.
    """

    facts: FormFacts
    audience_revision: int
    support_meeting_only: bool
    persons: str  # JSON, as stored
    left_out: str  # JSON, as stored: destinations that get nothing, and why; empty where the form has none
    former: frozenset[str] = frozenset()
    other_ids: Mapping[str, tuple[str, ...]] = {}

    @property
    def identity(self) -> str:
        """The form's id without its kind."""
        return self.facts.form.partition("/")[2]


class CaseForms(msgspec.Struct, frozen=True, kw_only=True):
    """A case with its forms, referrals first, each in the order they came. `keys`: by person, the kana they are found by."""

    case: int
    number: str
    state: str
    fiscal_year: int
    origin: str  # the agency that wrote the first referral
    joined: bool  # into another case, which stands in its place
    forms: tuple[StoredForm, ...]
    keys: Mapping[str, frozenset[str]]


def _by(column: sa.Column[Any], *columns: sa.ColumnElement[Any]) -> Statement:
    return Statement(sa.select(*columns).where(column == sa.bindparam("wanted")))


_CASE = _by(cases.c.seq, cases.c.number, cases.c.state, cases.c.fiscal_year, cases.c.joined_into, cases.c.origin)
_JOINED = _by(cases.c.joined_into, cases.c.seq)
_CASE_OF_REFERRAL = _by(referrals.c.id, referrals.c.case)
_CASE_OF_RECORD = _by(records.c.id, records.c.case, records.c.kind, records.c.agency)
_REFERRALS = Statement(
    sa.select(
        referrals.c.id, referrals.c.agency, referrals.c.state, referrals.c.audience_revision,
        referrals.c.support_meeting_only, referrals.c.persons, referrals.c.withheld, referrals.c.form,
    )
    .where(referrals.c.case == sa.bindparam("wanted"))
    .order_by(referrals.c.seq)
)  # fmt: skip
_RECORDS = Statement(
    sa.select(
        records.c.id, records.c.kind, records.c.about, records.c.agency, records.c.state, records.c.audience_revision,
        records.c.support_meeting_only, records.c.persons,
    )
    .where(
        records.c.case == sa.bindparam("wanted"),
        *(records.c.kind != kind for kind in PAPERS),
        sa.func.length(records.c.form) > 0,
    )
    .order_by(records.c.seq)
)  # fmt: skip
_CONSENT = (
    "id", "person", "status", "given_on", "until", "agencies", "excluded", "covers_successor", "withdrawn_on",
    "withdrawn_agencies", "recorded_on",
)  # fmt: skip
_CONSENTS = Statement(
    sa.select(*(consents.c[name] for name in _CONSENT))
    .where(consents.c.case == sa.bindparam("wanted"))
    .order_by(consents.c.id)
)
_PROTECTIONS = Statement(
    sa.select(
        protections.c.id, protections.c.person, protections.c.fields, protections.c.cleared, protections.c.since,
        protections.c.until,
    )
    .where(protections.c.case == sa.bindparam("wanted"), protections.c.lifted_at.is_(None))
    .order_by(protections.c.id)
)  # fmt: skip
_GROUNDS = Statement(
    sa.select(grounds.c.id, grounds.c.agency, grounds.c.kind, grounds.c.law, grounds.c.until)
    .where(grounds.c.case == sa.bindparam("wanted"), grounds.c.ended_at.is_(None))
    .order_by(grounds.c.id)
)
_ALLOCATIONS = Statement(
    sa.select(allocations.c.agency, allocations.c.since, allocations.c.until)
    .where(allocations.c.case == sa.bindparam("wanted"), allocations.c.ended_at.is_(None))
    .order_by(allocations.c.id)
)


class _Destinations(msgspec.Struct):
    destinations: tuple[str, ...] = ()


_destinations = msgspec.json.Decoder(_Destinations)
_texts = msgspec.json.Decoder(tuple[str, ...])


def group_of(connection: Connection, case: int) -> tuple[int, ...]:
    """The case and all that were joined with it, directly or by way of others; the case itself first."""
    found, waiting = [case], [case]
    while waiting:
        seq = waiting.pop()
        row = _CASE.first(connection, wanted=seq)
        near = [joined for (joined,) in _rows(_JOINED, connection, seq)]
        if row is not None and row[3] is not None:
            near.append(row[3])
        fresh = [other for other in near if other not in found]
        found += fresh
        waiting += fresh
    return tuple(found)


def of_case(connection: Connection, profile: Profile, case: int, day: dt.date) -> CaseForms | None:
    """The case's forms with what the rule needs on that Japanese date; None for a case that was erased or is not there."""
    row = _CASE.first(connection, wanted=case)
    if row is None or row[1] == ERASED:
        return None
    number, state, fiscal_year, joined_into, origin = row
    taken = [found for found in _rows(_REFERRALS, connection, case) if found[7]]  # an erased form is empty
    written = _rows(_RECORDS, connection, case)
    lines = known_persons.lines_of(connection, case)
    same_as = {line.id: line.same_as for line in lines}
    shown = known_persons.shown_on(lines)
    standing = known_persons.shown_on(line for line in lines if not line.taken_off)
    destinations = {found[0]: _destinations.decode(found[7]).destinations for found in taken}
    void = {found[0] for found in taken if found[2] in TAKEN_BACK} | {row[0] for row in written if row[4] in TAKEN_BACK}
    counting = [found[0] for found in taken if found[0] not in void] or [found[0] for found in taken]
    allocated = _allocated(connection, case, day)
    shared: dict[str, Any] = {
        "consents": (
            *(_consent(found, same_as, void) for found in _rows(_CONSENTS, connection, case)),
            *_exclusions(connection, case, lines, same_as),
        ),
        "protections": _protections(connection, case, lines, same_as),
        "grounds": tuple(
            GroundFact(id=found[0], agency=found[1], kind=BasisKind(found[2]), law=found[3], until=_date(found[4]))
            for found in _rows(_GROUNDS, connection, case)
        ),
        "allocated": tuple(allocated),
        "allocated_until": {agency: until for agency, until in allocated.items() if until is not None},
        "wrote_of": _wrote_of((found[1], shown[found[0]]) for found in taken if found[0] in counting),
    }
    forms = [_referral(found, shown[found[0]], destinations[found[0]], shared) for found in taken]
    everybody = tuple(dict.fromkeys(person for referral in counting for person in standing[referral]))
    wanted = tuple(dict.fromkeys(agency for referral in counting for agency in destinations[referral]))
    origins = {f"referral/{found[0]}": found[1] for found in taken}
    origins |= {f"information_request/{found[0]}": found[3] for found in written if found[1] == "information_request"}
    minutes = agenda.heard(connection, case) if any(found[1] == "minutes" for found in written) else {}
    rows_of = plan_facts.own_rows(connection, case, day) if any(found[1] == "plan" for found in written) else {}
    for found in written:
        people = tuple(dict.fromkeys((*_canonical(_texts.decode(found[7]), same_as), *everybody)))
        own = {**shared, "own_rows": rows_of.get(found[0], {})}
        forms.append(_record(found, people, wanted, origins.get(found[2], ""), minutes, own))
    others = known_persons.other_ids(lines)
    forms = [_with_persons(form, standing.get(form.identity, everybody), others) for form in forms]
    return CaseForms(
        case=case,
        number=number,
        state=state,
        fiscal_year=fiscal_year,
        origin=origin or (taken[0][1] if taken else ""),
        joined=joined_into is not None,
        forms=_with_sittings(tuple(forms), agenda.sittings_of(connection, case)),
        keys=known_persons.keys_of(lines),
    )


def is_consented(found: CaseForms | None, day: dt.date) -> bool | None:
    """Whether the case's 本人 has a consent that is live on that day; None where no form of it shows anybody."""
    facts = next((form.facts for form in found.forms if form.facts.persons), None) if found else None
    return None if facts is None else consented(facts.consents, facts.persons[0], day)


def facts_of(connection: Connection, profile: Profile, form: str) -> FormFacts | None:
    """What the rule needs of one form (`<kind>/<id>`) today; None when there is no such form (any more)."""
    kind, _, identity = form.partition("/")
    row = (_CASE_OF_REFERRAL if kind == "referral" else _CASE_OF_RECORD).first(connection, wanted=identity)
    if row is None:
        return None
    if row[0] is None:  # a pledge, a notice, and minutes of what is about nobody belong to no case
        return FormFacts(
            form=form, kind=row[1], origin=row[2], persons=(), consents=(), protections=(), grounds=(),
            sittings=agenda.called_to(connection, form) if row[1] in _OF_A_SITTING else (),
        )  # fmt: skip
    found = of_case(connection, profile, row[0], clock.today())
    return next((stored.facts for stored in found.forms if stored.facts.form == form), None) if found else None


def _rows(statement: Statement, connection: Connection, wanted: int) -> list[tuple[Any, ...]]:
    cursor = statement.run(connection, wanted=wanted)
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    cursor.close()
    return rows


def _allocated(connection: Connection, case: int, day: dt.date) -> dict[str, dt.date | None]:
    """Who has a part in the case on that day, and until when; None: open."""
    found: dict[str, dt.date | None] = {}
    for agency, since, last in _rows(_ALLOCATIONS, connection, case):
        until = _date(last)
        if dt.date.fromisoformat(since) <= day and (until is None or day <= until):
            found[agency] = later(found[agency], until) if agency in found else until
    return found


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _with_persons(form: StoredForm, now: Iterable[str], others: Mapping[str, tuple[str, ...]]) -> StoredForm:
    """The form with what is known of its persons. `now`: who stands on the lines that it speaks of."""
    people = form.facts.persons
    known = {person: others[person] for person in people if person in others}
    return msgspec.structs.replace(form, former=frozenset(people).difference(now), other_ids=known)


def _canonical(ids: Iterable[str], same_as: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(same_as.get(person, person) for person in ids))


def _referral(
    row: tuple[Any, ...], shown: tuple[str, ...], destinations: tuple[str, ...], shared: Mapping[str, Any]
) -> StoredForm:
    identity, agency, state, revision, only, stored_persons, left_out, _ = row
    facts = FormFacts(
        form=f"referral/{identity}", kind="referral", origin=agency, destinations=destinations, persons=shown,
        withdrawn=state if state in TAKEN_BACK else "", **shared,
    )  # fmt: skip
    return StoredForm(
        facts=facts, audience_revision=revision, support_meeting_only=bool(only), persons=stored_persons,
        left_out=left_out,
    )  # fmt: skip


def _record(
    row: tuple[Any, ...],
    people: tuple[str, ...],
    destinations: tuple[str, ...],
    answers: str,
    minutes: Mapping[str, HeardItem],
    shared: Mapping[str, Any],
) -> StoredForm:
    identity, kind, about, agency, state, revision, only, stored_persons = row
    item = minutes.get(f"{kind}/{identity}", _NO_ITEM)
    asked = kind == "information_request"
    addressee, law = asked_of(about) if asked else ("", "")
    facts = FormFacts(
        form=f"{kind}/{identity}", kind=kind, origin=agency, destinations=destinations,
        persons=() if item.minimal else people, answers=answers, withdrawn=state if state in TAKEN_BACK else "",
        hearing=item.agencies, closed=item.closed, minimal=item.minimal, addressee=addressee, law=law,
        asked_until=dt.date.fromisoformat(about.rpartition("/")[2]) if asked else None, **shared,
    )  # fmt: skip
    return StoredForm(
        facts=facts, audience_revision=revision, support_meeting_only=bool(only), persons=stored_persons, left_out=""
    )


def asked_of(about: str) -> tuple[str, str]:
    """(agency, law) of a request for information, out of what it is about: `agency/<id>/<law or nothing>/<last day>`."""
    _, agency, law, _ = about.split("/")
    return agency, law


def _with_sittings(forms: tuple[StoredForm, ...], sittings: tuple[SittingFact, ...]) -> tuple[StoredForm, ...]:
    """The forms with those who hear them in a 支援会議."""
    if not sittings:
        return forms
    heard = {form.facts.form: tuple(fact for fact in sittings if form.facts.form in fact.forms) for form in forms}
    return tuple(
        msgspec.structs.replace(form, facts=msgspec.structs.replace(form.facts, sittings=heard[form.facts.form]))
        for form in forms
    )


def _consent(row: Any, same_as: Mapping[str, str], void: Collection[str]) -> ConsentFact:
    identity, person, status, given_on, until, named, excluded, successor, withdrawn_on, withdrawn, recorded_on = row
    return ConsentFact(
        id=identity,
        person=same_as.get(person, person),
        status=_STATUS[status],
        agencies=frozenset(_texts.decode(named)),
        given_on=_date(given_on),
        until=_date(until),
        covers_successor=bool(successor),
        excluded=frozenset(_texts.decode(excluded)),
        withdrawn_on=dt.date.min if identity in void else _date(withdrawn_on),
        withdrawn_agencies=frozenset(_texts.decode(withdrawn)),
        recorded_on=_date(recorded_on),
    )


def _wrote_of(written: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, frozenset[str]]:
    """By agency, whom its referrals show. `written`: (agency, whom it shows) of each."""
    found: dict[str, frozenset[str]] = {}
    for agency, shown in written:
        found[agency] = found.get(agency, frozenset()).union(shown)
    return found


def _protections(
    connection: Connection, case: int, lines: list[Line], same_as: Mapping[str, str]
) -> tuple[ProtectionFact, ...]:
    """The protections of the case and of those joined with it, for everybody who may be the person meant."""
    found: list[ProtectionFact] = []
    for other in group_of(connection, case):
        set_here = _rows(_PROTECTIONS, connection, other)
        if not set_here:
            continue
        theirs = lines if other == case else known_persons.lines_of(connection, other)
        for identity, person, fields, cleared, since, until in set_here:
            reached = known_persons.reached(lines, person, theirs)
            if other == case:
                reached.add(same_as.get(person, person))
            found += [
                ProtectionFact(
                    id=identity, person=one, fields=_texts.decode(fields), cleared=frozenset(_texts.decode(cleared)),
                    since=dt.date.fromisoformat(since), until=_date(until),
                )
                for one in sorted(reached)
            ]  # fmt: skip
    return tuple(found)


def _exclusions(
    connection: Connection, case: int, lines: list[Line], same_as: Mapping[str, str]
) -> Iterator[ConsentFact]:
    """Whom people of the case and of those joined with it excluded, as facts of everybody else who may be the person who
    said so. Each is a consent to nobody: it closes, and opens nothing."""
    for other in group_of(connection, case):
        said = [row for row in _rows(_CONSENTS, connection, other) if row[6] != "[]"]
        theirs = lines if other == case or not said else known_persons.lines_of(connection, other)
        for row in said:
            own = same_as.get(row[1], row[1]) if other == case else ""
            for person in sorted(known_persons.reached(lines, row[1], theirs) - {own}):
                fact = _consent(row, {}, ())
                yield msgspec.structs.replace(
                    fact, person=person, status=ConsentStatus.REFUSED, agencies=frozenset(),
                    withdrawn_agencies=frozenset(),
                )  # fmt: skip


def may_be(connection: Connection, case: int, person: str) -> Iterator[tuple[int, str]]:
    """Everybody in the case and in those joined with it who may be that person of the case, as (case, id); not themselves."""
    theirs = known_persons.lines_of(connection, case)
    own = next((line.same_as for line in theirs if line.id == person), person)
    for other in group_of(connection, case):
        lines = theirs if other == case else known_persons.lines_of(connection, other)
        for one in sorted(known_persons.reached(lines, person, theirs) - ({own} if other == case else set())):
            yield other, one
