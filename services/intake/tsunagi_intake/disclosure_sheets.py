"""A form as it is disclosed to one of the people it is about: their own data shown, everybody else's cut out.

What a field holds by itself (a date, a choice, a telephone) is either theirs or （非開示）. What somebody wrote in words of
their own may be about several people: names of the others and what is withheld are cut however they are spelt, and the
line is marked, because only a member of staff can find the rest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec

from tsunagi_shared.forms.codes import Codes, fields_for
from tsunagi_shared.forms.fields import Field, Kind
from tsunagi_shared.forms.japanese import format_wareki
from tsunagi_shared.forms.referral import ClientKind, Referral
from tsunagi_shared.forms.withheld_text import WITHHELD as NOT_SHOWN
from tsunagi_shared.forms.withheld_text import Patterns, without

FREE = frozenset({Kind.LINE, Kind.TEXT})
# Of a form about somebody else: what says nothing of that person by itself
_OF_THE_CASE = frozenset({Kind.DATE, Kind.AGENCY, Kind.AGENCIES, Kind.REFERENCE})
# What is written by or about staff, and needs no second look
_OF_STAFF = frozenset(
    {"author", "recorder", "heard_by", "explained_by", "evidence", "contact_phone", "in_charge", "given_by"}
)
_OF_SUBJECT = ("protection", "protection_kind", "consent", "reception")
_OF_OTHERS = frozenset({"household_issues"})  # 世帯のほかの人や、世帯全体の課題


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One field. `check`: words of somebody's own, to be read and blacked out by hand before they are handed over."""

    label: str
    value: str
    check: bool = False


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a form under its heading."""

    heading: str
    lines: tuple[Line, ...]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """How the person stands to a form: `is_subject`, and in which lines of the household; what is cut from free text;
    `withheld`: fields of the subject, by name, that protection keeps from the reading agency."""

    is_subject: bool
    rows: frozenset[int] = frozenset()
    withheld: frozenset[str] = frozenset()
    cut: Patterns = ()


def parts_of(form: msgspec.Struct, codes: Codes, about: About) -> tuple[Part, ...]:
    """The form's parts in its order; what was left empty is left out."""
    found: list[tuple[str, list[Line]]] = [("", [])]
    for field in fields_for(type(form), codes):
        value = getattr(form, field.name)
        if field.section:
            found.append((field.section, []))
        if field.kind in (Kind.GROUP, Kind.ROWS):
            found += [(field.title, list(_nested(form, field, value, codes, about))), ("", [])]
        else:
            found[-1][1].extend(_lines(form, field, value, codes, about))
    return tuple(Part(heading=heading, lines=tuple(lines)) for heading, lines in found if lines)


def _nested(form: msgspec.Struct, field: Field, value: Any, codes: Codes, about: About) -> Iterator[Line]:
    if field.name == "household":
        yield from _household(field, value, codes, about)
    elif field.kind is Kind.ROWS:  # what agencies do, who was there: not of the household, as far as it can be told
        for row in value:
            for part in field.fields:
                yield from _lines(row, part, getattr(row, part.name), codes, about)
    elif (field.name == "person" or field.name in _OF_SUBJECT) and not about.is_subject:
        yield _not_shown(field)
    else:
        for part in field.fields:
            yield from _lines(form, part, getattr(value, part.name), codes, about)


def _household(field: Field, rows: list[Any], codes: Codes, about: About) -> Iterator[Line]:
    """The lines of the household that are this person's; of the others not even how many there are."""
    for position, row in enumerate(rows):
        if position in about.rows:
            for part in field.fields:
                yield from _plain(part, getattr(row, part.name), codes, about)
    if len(rows) > len(about.rows):
        yield Line(label="ほかの世帯員", value=NOT_SHOWN)


def _lines(form: msgspec.Struct, field: Field, value: Any, codes: Codes, about: About) -> Iterator[Line]:
    if field.kind is Kind.LOCAL:
        for own in field.fields:
            yield from _lines(form, own, value.get(own.name, ""), codes, about)
    elif value in ("", None) or value == []:
        return
    elif _is_of_another(form, field, about):
        yield _not_shown(field)
    else:
        yield from _plain(field, value, codes, about)


def _is_of_another(form: msgspec.Struct, field: Field, about: About) -> bool:
    """Whether what the field holds is somebody else's."""
    if field.name in _OF_OTHERS or (field.name in _OF_SUBJECT and not about.is_subject):
        return True
    if isinstance(form, Referral) and field.name in ("client_name", "client_phone", "client_relationship"):
        return form.client_kind not in (ClientKind.PERSON, ClientKind.AGENCY)
    return not about.is_subject and field.kind not in FREE | _OF_THE_CASE and field.name not in _OF_STAFF


def _plain(field: Field, value: Any, codes: Codes, about: About) -> Iterator[Line]:
    if value in ("", None) or value == []:
        return
    if field.name in about.withheld or (field.name == "person" and not about.is_subject):
        yield _not_shown(field)
        return
    if field.name == "person":  # an id, which tells nobody anything
        yield Line(label=field.title, value="開示する人")
        return
    text = written(field, value, codes)
    if field.kind in FREE:
        text = without(text, about.cut)
    yield Line(label=field.title, value=text, check=field.kind in FREE and not _needs_no_look(field))


def _needs_no_look(field: Field) -> bool:
    return field.name in _OF_STAFF or field.path.startswith("person.")


def _not_shown(field: Field) -> Line:
    return Line(label=field.title, value=NOT_SHOWN)


def written(field: Field, value: Any, codes: Codes) -> str:
    """A value as people read it."""
    if field.kind is Kind.DATE:
        return format_wareki(value) if isinstance(value, dt.date) else str(value)
    if field.kind is Kind.FLAG:
        return "はい" if value else "いいえ"
    if field.kind in (Kind.AGENCY, Kind.AGENCIES):
        return _named(value, codes.agencies)
    if field.choices:
        return _named(value, dict(field.choices))
    return "、".join(value) if isinstance(value, list) else str(value)


def _named(value: Any, names: Any) -> str:
    values = value if isinstance(value, list | tuple) else [value]
    return "、".join(names.get(str(one), str(one)) for one in values)
