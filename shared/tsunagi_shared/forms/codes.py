"""What a form needs from outside itself: the day it is checked on, and what the municipality's profile offers and adds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from tsunagi_shared.forms.fields import Field, Kind, Table, extended, fields_of


class Codes(msgspec.Struct, frozen=True):
    """Today's Japanese date and the profile's tables (id → what people read). `Profile.codes` makes one for a form.

    `code_lists`: by list, the codes that add to a form's own choices or rename them. `limits`: by path, fewer entries of a
    list than the form itself takes. `local`: the fields the municipality adds to the form.
    """

    today: dt.date
    agencies: Mapping[str, str]
    lists: Mapping[str, str] = {}
    bodies: Mapping[str, str] = {}
    laws: Mapping[str, str] = {}
    code_lists: Mapping[str, Mapping[str, str]] = {}
    limits: Mapping[str, int] = {}
    local: tuple[Field, ...] = ()

    def table(self, table: Table) -> Mapping[str, str]:
        """The ids that an ENTRY of that table may hold, with their names."""
        return {Table.LISTS: self.lists, Table.BODIES: self.bodies, Table.LAWS: self.laws}[table]


def fields_for(struct_type: type[msgspec.Struct], codes: Codes) -> tuple[Field, ...]:
    """The fields of a form as this municipality asks them: its own fields, codes, tables and limits put in."""
    return tuple(_asked_here(field, codes) for field in fields_of(struct_type))


def _asked_here(field: Field, codes: Codes) -> Field:
    if field.kind is Kind.LOCAL:
        return msgspec.structs.replace(field, fields=codes.local)
    if field.table is not None:
        return msgspec.structs.replace(field, choices=tuple(codes.table(field.table).items()))
    if field.extended_by:
        added = codes.code_lists.get(field.extended_by, {})
        return msgspec.structs.replace(field, choices=extended(field, added))
    inner = tuple(_asked_here(part, codes) for part in field.fields)
    return msgspec.structs.replace(field, fields=inner, limit=limit_of(field, field.path, codes))


def limit_of(field: Field, path: str, codes: Codes) -> int | None:
    """How many entries, graphemes or how high a number the field takes here."""
    here = codes.limits.get(path)
    return field.limit if here is None or field.limit is None else min(field.limit, here)


def local_labels(form: msgspec.Struct, codes: Codes) -> dict[str, str]:
    """What the municipality calls what stands in a form and is not of the form itself: `local_labels` of its event.

    The title of each of its own fields by name (where the form holds any), the label of a choice as `<field>.<code>`, and
    of a code that it adds to a list or renames as `<list>.<code>`.
    """
    labels: dict[str, str] = {}
    for field in fields_of(type(form)):
        if field.kind is Kind.LOCAL and getattr(form, field.name):
            for own in codes.local:
                labels[own.name] = own.title
                labels |= {f"{own.name}.{code}": label for code, label in own.choices}
        elif field.extended_by:
            added = codes.code_lists.get(field.extended_by, {})
            labels |= {f"{field.extended_by}.{code}": label for code, label in added.items()}
    return labels
