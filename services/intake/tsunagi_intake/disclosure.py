"""保有個人情報の開示: everything held on one person of a case, put together for the responsible section, on record.

It is a draft for a decision, not the decision: whoever hands it over reads the marked lines, blacks out what is not to be
disclosed (個人情報保護法78条), and decides. What protection keeps from the section stays kept from it here as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import (
    case_sections,
    cases,
    openings,
    people,
    retention,
    standing,
    timeline,
    withholding,
)
from tsunagi_intake.case_sections import ProtectionLine
from tsunagi_intake.disclosure_sheets import About, Part, parts_of
from tsunagi_intake.openings import Opening
from tsunagi_intake.people import ConsentLine
from tsunagi_intake.rules import Action
from tsunagi_intake.tables import cases as cases_table
from tsunagi_intake.tables import consents, records, referrals, revisions
from tsunagi_intake.tables import persons as persons_table
from tsunagi_intake.timeline import Happening
from tsunagi_shared import audit, clock
from tsunagi_shared.accounts import Principal
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.forms.withheld_text import Patterns, address_patterns, like, name_patterns, phone_patterns
from tsunagi_shared.problems import not_found

_OF_A_CONSENT = frozenset({"consent_withdrawal", "consent_extension"})


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """One form as it is disclosed. `earlier`: a revision that a correction replaced."""

    kind: str
    title: str
    number: str
    case_number: str
    revision: int
    earlier: bool
    state: str
    received_at: dt.datetime
    agency: str
    user_name: str
    parts: tuple[Part, ...]


class Disclosure(msgspec.Struct, frozen=True, kw_only=True):
    """Everything held on one person. `some_withheld`: fields under 住所等の秘匿 that the section may not see are not in it."""

    case_number: str
    joined: tuple[str, ...]
    person: str
    name: str
    made_at: dt.datetime
    made_by: str
    some_withheld: bool
    sheets: tuple[Sheet, ...]
    consents: tuple[ConsentLine, ...]
    protections: tuple[ProtectionLine, ...]
    given: tuple[Opening, ...]


class _Person(msgspec.Struct, frozen=True):
    """The person: by which ids the case and those joined to it know them, and what they and the others are called."""

    ids: frozenset[str]
    name: str
    own: tuple[str, ...]
    others: tuple[str, ...]


class _Reader(msgspec.Struct, frozen=True):
    """Who reads, and what is cut from every free text."""

    principal: Principal
    profile: Profile
    person: _Person
    group: tuple[int, ...]
    cut: Patterns  # of a referral
    cut_of_records: Patterns


def disclosure_of(
    connection: Connection, principal: Principal, profile: Profile, number: str, person: str
) -> Disclosure:
    """Everything held on the person. Refusal for others than the responsible section; the common 404 for an unknown person."""
    case = retention.case_for(connection, principal, profile, number, Action.DISCLOSE)
    head = cases.head_of(connection, case.seq)
    group = (head, *cases.joined_to(connection, head))
    found = _person_of(connection, group, person)
    kept = _withheld(connection, principal, group)
    some_withheld = any(token.rpartition(":")[0] in found.ids for token in kept)
    cut = name_patterns(found.others, found.own) + _ways_to_others(connection, group, found.ids)
    cut += withholding.patterns_of(connection, group, kept)
    alike = like(withholding.fields_of_tokens(kept))
    reader = _Reader(principal, profile, found, group, cut, cut + alike)
    sheets = (*_referral_sheets(connection, reader), *_record_sheets(connection, reader))
    lines = [line for line in people.people_of(connection, principal, group).lines if line.id in found.ids]
    return Disclosure(
        case_number=number, joined=tuple(retention.numbers_of(connection, group[1:]).values()), person=person, name=found.name,
        made_at=clock.now(), made_by=principal.name, some_withheld=some_withheld,
        sheets=tuple(sorted(sheets, key=lambda sheet: (sheet.received_at, sheet.number, -sheet.revision))),
        consents=tuple(consent for line in lines for consent in line.consents),
        protections=tuple(
            line
            for line in case_sections.protections_of(connection, group, "", reader.cut_of_records)
            if line.person in found.ids
        ),
        given=_given(connection, principal, number, group, found.ids),
    )  # fmt: skip


def put_on_record(connection: Connection, principal: Principal, number: str, person: str) -> None:
    """That it was put together, for whom and by whom."""
    case = standing.case_row(connection, number=number)
    timeline.add(connection, case.seq, Happening.DISCLOSED, "", principal=principal, state=case.state)
    audit.record(connection, principal, "disclosure.make", f"person/{person}", basis="responsible_section", case=number)


def _person_of(connection: Connection, group: Collection[int], person: str) -> _Person:
    """Whom an id means, over the cases of the group: the same kana and birth date are the same person."""
    rows = connection.execute(sa.select(persons_table).where(persons_table.c.case.in_(group))).all()
    meant = {row.same_as for row in rows if person in (row.id, row.same_as)}
    if not meant:
        raise not_found()
    known = {(row.search_key, row.birth_date) for row in rows if row.same_as in meant}
    known = {key for key in known if all(key)}
    ids = frozenset(row.same_as for row in rows if row.same_as in meant or (row.search_key, row.birth_date) in known)
    own: list[str] = []
    others: list[str] = []
    for form, shown in _referrals(connection, group):
        called = [(form.person.name, form.person.kana), *((row.name, row.kana) for row in form.household)]
        for names, one in zip(called, shown, strict=False):
            (own if one in ids else others).extend(filter(None, names))
        if form.client_name:
            others.append(form.client_name)
    return _Person(ids, own[0] if own else "", tuple(own), tuple(name for name in others if name not in own))


def _referrals(connection: Connection, group: Collection[int]) -> Iterator[tuple[Referral, list[str]]]:
    """The referrals of the group with the ids of those they show, in the order of each form."""
    wanted = sa.select(referrals.c.form, referrals.c.persons).where(referrals.c.case.in_(group))
    for row in connection.execute(wanted.order_by(referrals.c.seq)):
        yield msgspec.json.decode(row.form, type=Referral), msgspec.json.decode(row.persons)


def _withheld(connection: Connection, principal: Principal, group: Collection[int]) -> frozenset[str]:
    """What protection keeps from the reading agency, as `<person>:<field>`."""
    wanted = sa.select(referrals.c.id).where(referrals.c.case.in_(group))
    return frozenset(
        token
        for identity in connection.execute(wanted).scalars().all()
        for token in withholding.kept_from(connection, principal, f"referral/{identity}")
    )


def _ways_to_others(connection: Connection, group: Collection[int], ids: Collection[str]) -> Patterns:
    """Finds where the subject of a referral can be reached, where that is somebody else."""
    found: Patterns = ()
    for form, shown in _referrals(connection, group):
        if shown and shown[0] not in ids:
            person = form.person
            found += address_patterns(person.address, person.postal_code)
            found += phone_patterns(person.phone, person.mobile, form.reception.email)
    return found


# the forms ------------------------------------------------------------------------------------------------------------


def _referral_sheets(connection: Connection, reader: _Reader) -> Iterator[Sheet]:
    rows = connection.execute(
        sa.select(*referrals.c, cases_table.c.number.label("case_number"))
        .join(cases_table, cases_table.c.seq == referrals.c.case)
        .where(referrals.c.case.in_(reader.group))
    ).all()
    for row in rows:
        shown = msgspec.json.decode(row.persons)
        places = [place for place, one in enumerate(shown) if one in reader.person.ids]
        if places:
            kept = withholding.kept_from(connection, reader.principal, f"referral/{row.id}")
            about = About(
                is_subject=0 in places, rows=frozenset(place - 1 for place in places if place),
                withheld=withholding.fields_kept(shown, kept), cut=reader.cut,
            )  # fmt: skip
            yield from _sheets(connection, reader, "referral", row, about)


def _record_sheets(connection: Connection, reader: _Reader) -> Iterator[Sheet]:
    """The records of the case; of those that belong to a consent, the person's own."""
    own_consents = set(
        connection.execute(sa.select(consents.c.id).where(consents.c.person.in_(reader.person.ids))).scalars()
    )
    rows = connection.execute(
        sa.select(*records.c, cases_table.c.number.label("case_number"))
        .join(cases_table, cases_table.c.seq == records.c.case)
        .where(records.c.case.in_(reader.group))
    ).all()
    for row in rows:
        consent = row.id if row.kind == "consent" else row.about.partition("/")[2] if row.kind in _OF_A_CONSENT else ""
        if consent and consent not in own_consents:
            continue
        subject = next(iter(msgspec.json.decode(row.persons)), "")
        is_subject = bool(consent) or not subject or subject in reader.person.ids
        about = About(is_subject=is_subject, cut=reader.cut_of_records)
        yield from _sheets(connection, reader, row.kind, row, about)


def _sheets(connection: Connection, reader: _Reader, kind: str, row: Any, about: About) -> Iterator[Sheet]:
    """A form as it stands, and each earlier revision of it. Who stood in which line of the household is known of the
    newest alone."""
    earlier = connection.execute(
        sa.select(revisions).where(revisions.c.form == f"{kind}/{row.id}").order_by(revisions.c.revision)
    ).all()
    if row.form:
        yield _sheet(reader, kind, row, row.form, row, about, earlier=False)
    as_it_was = msgspec.structs.replace(about, rows=frozenset())
    for one in earlier:
        yield _sheet(reader, kind, row, one.content, one, as_it_was, earlier=True)


def _sheet(reader: _Reader, kind: str, row: Any, content: bytes, by: Any, about: About, *, earlier: bool) -> Sheet:
    definition = FORMS[kind]
    codes = reader.profile.codes(definition.settings, clock.today())
    return Sheet(
        kind=kind, title=definition.title, number=row.number, case_number=row.case_number, revision=by.revision,
        earlier=earlier, state=row.state, received_at=clock.moment_of(by.submitted_at), agency=by.agency,
        user_name=by.user_name, parts=parts_of(msgspec.json.decode(content, type=definition.struct), codes, about),
    )  # fmt: skip


def _given(
    connection: Connection, principal: Principal, number: str, group: tuple[int, ...], ids: frozenset[str]
) -> tuple[Opening, ...]:
    """Who was given a document of a form that shows the person, and who opened it."""
    showing = set()
    for table, kind in ((referrals, sa.literal("referral")), (records, records.c.kind)):
        wanted = sa.select((kind + "/" + table.c.id).label("form"), table.c.persons)
        for row in connection.execute(wanted.where(table.c.case.in_(group))):
            if not ids.isdisjoint(msgspec.json.decode(row.persons)):
                showing.add(row.form)
    found = openings.openings_of(connection, principal, number, group).items
    return tuple(line for line in found if line.form in showing)
