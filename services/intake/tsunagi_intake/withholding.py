"""What 住所等の秘匿 keeps from an agency, wherever it stands in a form: cut out of what is shown, and put back where a form
that was shown without it comes back unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases
from tsunagi_intake.tables import persons, referrals
from tsunagi_shared.accounts import Principal
from tsunagi_shared.forms.protection import ProtectionField
from tsunagi_shared.forms.referral import Referral

NOT_SHOWN = "（非開示）"
SHORTEST = 4  # characters: less says nothing about where somebody is, and stands in many words

# Of a referral, where 本人 is found by each: (group, fields)
_PLACES = {
    ProtectionField.ADDRESS.value: (("person", ("postal_code", "address")),),
    ProtectionField.PHONE.value: (("person", ("phone", "mobile")), ("reception", ("email",))),
}


def kept_from(connection: Connection, principal: Principal, form: str) -> tuple[str, ...]:
    """What is withheld of a form (`<kind>/<id>`) from the caller's agency, each `<person>:<field>`."""
    entries = cases.audience_of(connection, form)
    return next((entry.withheld for entry in entries if entry.agency == principal.agency), ())


def literals(connection: Connection, case: int | None, withheld: Iterable[str]) -> tuple[str, ...]:
    """The texts that `withheld` keeps from a reader, as the case's referrals hold them, longest first."""
    wanted: dict[str, set[str]] = {}
    for kept in withheld:
        person, _, field = kept.rpartition(":")
        wanted.setdefault(person, set()).add(field)
    if not wanted:
        return ()
    rows = connection.execute(
        sa.select(persons.c.same_as, referrals.c.form)
        .join(referrals, referrals.c.id == persons.c.referral)
        .where(persons.c.case == case, persons.c.position == 0, persons.c.same_as.in_(wanted))
    )
    found: set[str] = set()
    for row in rows:
        form = msgspec.json.decode(row.form, type=Referral)
        if ProtectionField.ADDRESS.value in wanted[row.same_as]:
            found |= {form.person.address, form.person.postal_code}
        if ProtectionField.PHONE.value in wanted[row.same_as]:
            phones = {form.person.phone, form.person.mobile}
            found |= {*phones, *(phone.replace("-", "") for phone in phones), form.reception.email}
    return tuple(sorted((text for text in found if len(text) >= SHORTEST), key=len, reverse=True))


def without(form: Any, texts: tuple[str, ...]) -> Any:
    """The same JSON with these texts cut out of every string."""
    if not texts:
        return form
    if isinstance(form, dict):
        return {name: without(value, texts) for name, value in form.items()}
    if isinstance(form, list):
        return [without(value, texts) for value in form]
    if isinstance(form, str):
        for text in texts:
            form = form.replace(text, NOT_SHOWN)
    return form


def _fields_kept(connection: Connection, form: str, withheld: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Where in a referral 本人 is found by what is withheld."""
    stored = sa.select(referrals.c.persons).where(referrals.c.id == form.partition("/")[2])
    subject = msgspec.json.decode(connection.execute(stored).scalar_one(), type=list[str])[0]
    fields = [field for field in _PLACES if f"{subject}:{field}" in withheld]
    return [place for field in fields for place in _PLACES[field]]


def put_back(
    connection: Connection, principal: Principal, form: str, case: int, before: msgspec.Struct, after: msgspec.Struct
) -> Any:
    """The corrected form (`after`) with what its writer's agency was not shown and therefore could not type again."""
    withheld = kept_from(connection, principal, form)
    if not withheld:
        return after
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    if form.startswith("referral/"):
        for group, names in _fields_kept(connection, form, withheld):
            new[group] |= {name: old[group][name] for name in names if not new[group][name]}
    restored = _restored(old, new, literals(connection, case, withheld))
    return msgspec.convert(restored, type(after))


def _restored(old: Any, new: Any, texts: tuple[str, ...]) -> Any:
    if isinstance(new, dict) and isinstance(old, dict):
        return {name: _restored(old.get(name), value, texts) for name, value in new.items()}
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return [_restored(one, other, texts) for one, other in zip(old, new, strict=True)]
    return old if isinstance(old, str) and isinstance(new, str) and new == without(old, texts) else new
