"""What 住所等の秘匿 keeps from an agency, wherever it stands: cut out of what is shown, and put back where a form that was
shown without it comes back unchanged.

An address, a telephone or a mail address of the case's referrals is found in any text in whatever spelling. A form other than
the referral may tell of a new one that no field holds, so that there whatever looks like one goes, as on the papers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from tsunagi_intake import cases, form_facts
from tsunagi_intake.tables import audience, protections, referrals
from tsunagi_shared.accounts import Principal
from tsunagi_shared.forms.fields import Field, Kind, fields_of
from tsunagi_shared.forms.kinds import FORMS
from tsunagi_shared.forms.protection import ProtectionField
from tsunagi_shared.forms.referral import Referral
from tsunagi_shared.forms.withheld_text import WITHHELD as NOT_SHOWN
from tsunagi_shared.forms.withheld_text import Patterns, address_patterns, like, phone_patterns, without

ADDRESS, PHONE = ProtectionField.ADDRESS.value, ProtectionField.PHONE.value
_HOME, _AT_HOME, _OWN = frozenset({"address", "postal_code"}), frozenset({"phone"}), frozenset({"mobile", "email"})
_SEARCHED = frozenset({Kind.LINE, Kind.TEXT, Kind.PHONE, Kind.POSTAL_CODE, Kind.LOCAL})
_OF_STAFF = frozenset({"contact_phone"})  # an office's own: not searched for what only looks like a way to somebody
_IDS = frozenset({"person"})
# Texts that are about where somebody lives
_ABOUT_THE_PLACE = {"assessment": frozenset({"housing", "community"})}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one form. `fields`: of 本人, by name; `texts`: left out whole; `members`: rows of the household whose note
    is; `patterns`: cut out of every text, `alike` too but where an office says how it is reached."""

    fields: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    members: frozenset[int] = frozenset()
    patterns: Patterns = ()
    alike: Patterns = ()


# what is kept ---------------------------------------------------------------------------------------------------------


def kept_from(connection: Connection, principal: Principal, form: str) -> tuple[str, ...]:
    """What is withheld of a form (`<kind>/<id>`) from the caller's agency, each `<person>:<field>`."""
    entries = cases.audience_of(connection, form)
    return next((entry.withheld for entry in entries if entry.agency == principal.agency), ())


def fields_kept(persons: Sequence[str], withheld: Iterable[str]) -> frozenset[str]:
    """The fields of 本人 in a referral that shows these persons. Its address and its telephone at home are those of the whole
    household; a token of somebody who is not on it may mean anybody."""
    found: frozenset[str] = frozenset()
    for person, _, field in (token.rpartition(":") for token in withheld):
        if field == ADDRESS:
            found |= _HOME
        elif field == PHONE:
            found |= _AT_HOME if person in persons[1:] else _AT_HOME | _OWN
    return found


def patterns_of(connection: Connection, group: Collection[int], withheld: Iterable[str]) -> Patterns:
    """Finds what `withheld` keeps from a reader, as the referrals of these cases hold it."""
    tokens = frozenset(withheld)
    if not tokens:
        return ()
    wanted = sa.select(referrals.c.persons, referrals.c.form).where(
        referrals.c.case.in_(group), referrals.c.form != b""
    )
    rows = [(msgspec.json.decode(row.persons, type=list[str]), row.form) for row in connection.execute(wanted)]
    everybody = {person for shown, _ in rows for person in shown}
    addresses: dict[tuple[str, str], None] = {}
    phones: dict[str, None] = {}
    for shown, form in rows:
        of_form = [token for token in tokens if (who := token.rpartition(":")[0]) in shown or who not in everybody]
        fields, said = fields_kept(shown, of_form), msgspec.json.decode(form, type=Referral)
        if "address" in fields:
            addresses[(said.person.address, said.person.postal_code)] = None
        if "phone" in fields:
            phones[said.person.phone] = None
        if "mobile" in fields:
            phones |= dict.fromkeys((said.person.mobile, said.reception.email))
    found = tuple(pattern for one in addresses for pattern in address_patterns(*one))
    return found + phone_patterns(*phones)


def of_case(connection: Connection, principal: Principal, case: int | None) -> Patterns:
    """Finds what is kept from the caller's agency in a case, in a text that belongs to the case as a whole."""
    tokens, patterns = _in_case(connection, principal, case)
    return patterns + like(fields_of_tokens(tokens))


def fields_of_tokens(withheld: Iterable[str]) -> frozenset[str]:
    """Which fields are withheld of anybody."""
    return frozenset(token.rpartition(":")[2] for token in withheld)


def of_form(connection: Connection, principal: Principal, form: str, case: int | None) -> Kept:
    """What is kept of a form (`<kind>/<id>`) of a case from the caller's agency."""
    kind, _, identity = form.partition("/")
    tokens, patterns = _in_case(connection, principal, case)
    if not tokens:
        return Kept()
    if kind != "referral":
        fields = fields_of_tokens(tokens)
        about = _ABOUT_THE_PLACE.get(kind, frozenset()) if ADDRESS in fields else frozenset()
        return Kept(texts=about, patterns=patterns, alike=like(fields))
    stored = sa.select(referrals.c.persons).where(referrals.c.id == identity)
    persons = msgspec.json.decode(connection.execute(stored).scalar_one(), type=list[str])
    own = kept_from(connection, principal, form)
    protected = {token.rpartition(":")[0] for token in own}
    members = frozenset(row for row, person in enumerate(persons[1:]) if person in protected)
    return Kept(fields=fields_kept(persons, own), members=members, patterns=patterns)


def _in_case(connection: Connection, principal: Principal, case: int | None) -> tuple[frozenset[str], Patterns]:
    """What is withheld from the caller's agency of any form of the case, or of one joined to it, and what finds it.

    From whom nothing of the case is open (any more), all is withheld that anybody's protection does not clear them for.
    """
    if case is None:
        return frozenset(), ()
    head = cases.head_of(connection, case)
    group = (head, *cases.joined_to(connection, head))
    live = sa.select(1).where(audience.c.case.in_(group), *cases.may_read(principal)).limit(1)
    if connection.execute(live).first() is None:
        tokens = _of_anybody(connection, group, principal.agency)
        return tokens, patterns_of(connection, group, tokens)
    wanted = sa.select(audience.c.withheld).where(
        audience.c.agency == principal.agency, audience.c.case.in_(group), audience.c.withheld != "[]"
    )
    rows = connection.execute(wanted.distinct()).scalars()
    tokens = frozenset(token for row in rows for token in msgspec.json.decode(row, type=list[str]))
    return tokens, patterns_of(connection, group, tokens)


# what is shown --------------------------------------------------------------------------------------------------------


def shown(kind: str, form: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """The same JSON of a form without what is kept."""
    return form if kept == Kept() else _shown(fields_of(FORMS[kind].struct), form, kept)


def shown_as_typed(content: Any, kept: Kept) -> Any:
    """The same of what was typed into a form and not checked yet, whatever its shape: out of every text of it."""
    if isinstance(content, dict):
        return {name: shown_as_typed(value, kept) for name, value in content.items()}
    if isinstance(content, list):
        return [shown_as_typed(value, kept) for value in content]
    return without(content, kept.patterns + kept.alike) if isinstance(content, str) else content


def _shown(fields: Iterable[Field], form: dict[str, Any], kept: Kept) -> dict[str, Any]:
    return form | {field.name: _value(field, form[field.name], kept) for field in fields if form.get(field.name)}


def _value(field: Field, value: Any, kept: Kept) -> Any:
    if field.kind is Kind.GROUP:
        return _shown(field.fields, value, kept)
    if field.kind is Kind.ROWS:
        rows = [_shown(field.fields, row, kept) for row in value]
        return [
            row | {"note": NOT_SHOWN} if place in kept.members and row.get("note") else row
            for place, row in enumerate(rows)
        ]
    if field.name in kept.fields or field.name in kept.texts:
        return NOT_SHOWN
    if field.kind not in _SEARCHED or field.name in _IDS:
        return value
    patterns = kept.patterns if field.name in _OF_STAFF else kept.patterns + kept.alike
    if field.kind is Kind.LOCAL:
        return {name: without(text, patterns) for name, text in value.items()}
    return without(value, patterns)


def put_back(
    connection: Connection, principal: Principal, form: str, case: int, before: msgspec.Struct, after: msgspec.Struct
) -> Any:
    """The corrected form (`after`) with what its writer's agency was not shown and therefore could not type again."""
    kept = of_form(connection, principal, form, case)
    if kept == Kept():
        return after
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    return msgspec.convert(_restored(old, shown(form.partition("/")[0], old, kept), new), type(after))


def put_back_as_typed(old: dict[str, Any], new: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """The same of what was typed and not checked yet: `new` in the place of `old`."""
    found: dict[str, Any] = _restored(old, shown_as_typed(old, kept), new)
    return found


def of_everybody(connection: Connection, case: int) -> Patterns:
    """Finds what is withheld from anybody in a case: for what leaves the case and must lead nobody to its people."""
    group = form_facts.group_of(connection, case)
    tokens = _of_anybody(connection, group)
    return patterns_of(connection, group, tokens) + like(fields_of_tokens(tokens))


def _of_anybody(connection: Connection, group: Collection[int], reader: str = "") -> frozenset[str]:
    """What is withheld of anybody in these cases by a protection that was not lifted; not from an agency (`reader`) that it
    clears."""
    rows = connection.execute(
        sa.select(protections.c.person, protections.c.fields, protections.c.cleared).where(
            protections.c.case.in_(group), protections.c.lifted_at.is_(None)
        )
    )
    return frozenset(
        f"{row.person}:{field}"
        for row in rows
        if reader not in msgspec.json.decode(row.cleared, type=list[str])
        for field in msgspec.json.decode(row.fields)
    )


def _restored(old: Any, cut: Any, new: Any) -> Any:
    """What was handed in as it was shown is as it was; so is what was not shown at all, where it comes back empty."""
    if isinstance(new, dict) and isinstance(old, dict):
        return {name: _restored(old.get(name), cut.get(name), value) for name, value in new.items()}
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return [_restored(*three) for three in zip(old, cut, new, strict=True)]
    return old if isinstance(new, str) and (new == cut or (cut == NOT_SHOWN and not new)) else new
