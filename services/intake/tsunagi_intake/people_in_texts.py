"""Finds the people of a case in texts where they must not stand: what its referrals call them, where they live, how they are
reached. What a text tells in words of its own no program can find.
"""

from __future__ import annotations

import re

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, form_facts, persons
from tsunagi_intake.tables import persons as persons_table
from tsunagi_intake.tables import records, referrals
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.forms.withheld_text import Patterns, address_patterns, name_patterns, phone_patterns

_SPACES = re.compile(r"[\s・]+")
_A_FEW_KANA = re.compile("[ぁ-ゖァ-ヺー]{1,3}")  # of one word alone: a part of many others


def hidden_from(connection: Connection, agency: str, form: str, case: int) -> Patterns:
    """Finds the names of those whom the agency's entry on a record (`<kind>/<id>`) hides, as they are written now or were
    before a correction; of somebody hidden who is not known any more, everybody's but the subject's."""
    entry = next((entry for entry in cases.audience_of(connection, form) if entry.agency == agency), None)
    if entry is None or not entry.hidden:
        return ()
    stored = sa.select(records.c.persons).where(records.c.id == form.partition("/")[2])
    on_form = msgspec.json.decode(connection.execute(stored).scalar_one(), type=list[str])
    named = _names(connection, case)
    hidden, shown = list(persons.once_called(connection, case)), list[str]()
    everybody = any(person not in named for person in entry.hidden)
    for person, names in named.items():
        hides = person in entry.hidden or (everybody and person not in on_form[:1])
        (hidden if hides else shown).extend(names)
    return name_patterns(hidden, shown)


def _names(connection: Connection, case: int) -> dict[str, set[str]]:
    """By person of the case, names and furigana as its referrals have them; what they are to 本人 where no name was given."""
    rows = connection.execute(
        sa.select(persons_table.c.same_as, persons_table.c.position, referrals.c.form)
        .join(referrals, referrals.c.id == persons_table.c.referral)
        .where(persons_table.c.case == case, persons_table.c.taken_off == 0, referrals.c.form != b"")
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        person = persons.shown_by(msgspec.json.decode(row.form, type=Referral))[row.position]
        found.setdefault(row.same_as, set()).update(filter(None, (person.called, person.kana)))
    return found


def anybody(connection: Connection, case: int) -> Patterns:
    """Finds whoever stands on a referral of the case, or of one joined with it: name or furigana in full, address, telephone,
    mail address. A given name alone, or a place without a number, may mean anybody."""
    group = form_facts.group_of(connection, case)
    wanted = sa.select(referrals.c.form).where(referrals.c.case.in_(group), referrals.c.form != b"")
    forms = [msgspec.json.decode(form, type=Referral) for form in connection.execute(wanted).scalars()]
    names = {name for form in forms for one in persons.shown_by(form) for name in (one.name, one.kana) if name}
    names.update(name for one in group for name in persons.once_called(connection, one))
    found: dict[str, Patterns] = {name: _in_full(name) for name in sorted(names)}
    for form in forms:
        said = form.person
        if any(letter.isdigit() for letter in said.address):
            found[said.address] = address_patterns(said.address, said.postal_code)
        for number in (said.phone, said.mobile, form.reception.email):
            found[number] = phone_patterns(number)
    return tuple(pattern for patterns in found.values() for pattern in patterns)


def _in_full(name: str) -> Patterns:
    parts = _SPACES.split(name.strip())
    if len(parts) == 1:
        return () if _A_FEW_KANA.fullmatch(parts[0]) else name_patterns(parts, ())
    return name_patterns((name,), parts[-1:])  # not the given name alone
