"""A form that was handed in, as lines a reader understands: titles of its definition, words for codes, dates in 和暦."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tsunagi_shared import clock
from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.forms.codes import fields_for
from tsunagi_shared.forms.fields import Field, Kind
from tsunagi_shared.forms.japanese import format_wareki
from tsunagi_shared.forms.kinds import FORMS


class ShownField(msgspec.Struct, frozen=True):
    """One line: a heading that starts with it (or none), the field's title, and what stands in it."""

    section: str
    title: str
    value: str


def lines_of(profile: Profile, kind: str, form: Mapping[str, Any], people: Mapping[str, str]) -> tuple[ShownField, ...]:
    """What was filled in, in the order of the form; `people`: what persons are called, by id."""
    definition = FORMS[kind]
    fields = fields_for(definition.struct, profile.codes(definition.settings, clock.today()))
    return tuple(_lines(fields, form, profile, people, ""))


def _lines(
    fields: Iterable[Field], form: Mapping[str, Any], profile: Profile, people: Mapping[str, str], within: str
) -> Iterable[ShownField]:
    section = ""
    for field in fields:
        section = field.section or section  # the heading of a field that was left empty is that of the next
        value = form.get(field.name)
        if value in (None, "", [], {}, False) or field.name in _SAID_BY_ANOTHER:
            continue
        if field.kind in (Kind.GROUP, Kind.LOCAL):
            yield from _lines(field.fields, value, profile, people, f"{within}{field.title}：")
            continue
        yield ShownField(section, f"{within}{field.title}", _words(field, value, profile, people))
        section = ""


def _words(field: Field, value: Any, profile: Profile, people: Mapping[str, str]) -> str:
    if field.kind is Kind.ROWS:
        return "\n".join(
            "　".join(_words(part, row[part.name], profile, people) for part in field.fields if row.get(part.name))
            for row in value
        )
    if field.kind is Kind.DATE:
        return format_wareki(dt.date.fromisoformat(value))
    if field.kind is Kind.FLAG:
        return "はい"
    if field.name == "person":
        return people.get(value, "このケースの人")
    names: Mapping[str, str] = profile.agency_names if field.kind in _AGENCIES else dict(field.choices)
    if isinstance(value, list):
        return "、".join(names.get(code, code) for code in value)
    return str(names.get(value, value)) if names else str(value)


# What a plan chose among the 社会資源 stands there by its name as well
_SAID_BY_ANOTHER = frozenset({"resource_id"})
_AGENCIES = frozenset({Kind.AGENCY, Kind.AGENCIES})
