"""JSON Schema of a form, from the same definition as its page and its checks."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from tsunagi_shared.forms.fields import Field, Kind, extended, fields_of
from tsunagi_shared.forms.japanese import CODE_POINTS_PER_GRAPHEME


def form_schema(
    struct_type: type[msgspec.Struct],
    local: tuple[Field, ...] | None = None,
    code_lists: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """JSON Schema 2020-12 of a form as the HTTP edge takes it: Japanese titles, labels of codes, no unknown fields.

    `local` are the fields the municipality adds, `code_lists` the codes it adds by list (`code` → label); None leaves open
    what they may be.
    """
    schema = msgspec.json.schema(struct_type)
    definitions = schema.get("$defs", {})
    for part in definitions.values():
        part.pop("description", None)  # a docstring, written for those who read the code
        if part.get("type") == "object" and "properties" in part:
            part["additionalProperties"] = False
    for field in _every(fields_of(struct_type)):
        if field.code_list is not None and field.code_list.__name__ in definitions:
            definitions[field.code_list.__name__]["oneOf"] = _labelled(field.choices)
    for field in fields_of(struct_type):
        own = definitions[struct_type.__name__]
        if field.kind is Kind.LOCAL and local is not None:
            _describe_local(own, field, local)
        elif field.extended_by and code_lists is not None:
            choices = _labelled(extended(field, code_lists.get(field.extended_by, {})))
            _describe_open(own["properties"][field.name], field, choices)
    # An address of its own lets the references stand when the schema is set into a larger document (OpenAPI)
    name = f"urn:tsunagi:form:{struct_type.__name__.lower()}"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": name, **schema}


def _describe_local(form: dict[str, Any], field: Field, local: tuple[Field, ...]) -> None:
    """What `local` may hold; a required field of the municipality makes `local` itself required."""
    described = form["properties"][field.name]
    described["properties"] = {own.name: _local_property(own) for own in local}
    described["additionalProperties"] = False
    if required := [own.name for own in local if own.required]:
        described["required"] = required
        described.pop("default", None)
        form["required"] = [*form.get("required", ()), field.name]


def _local_property(field: Field) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "string", "title": field.title}
    if field.help:
        described["description"] = field.help
    if field.choices:
        described["oneOf"] = _labelled(field.choices if field.required else (("", "選択しない"), *field.choices))
    elif field.limit is not None:
        described["maxLength"] = field.limit * CODE_POINTS_PER_GRAPHEME
    return described


def _describe_open(described: dict[str, Any], field: Field, choices: list[dict[str, str]]) -> None:
    if field.kind is Kind.CHOICES:
        described["items"] = {"type": "string", "oneOf": choices}
    else:
        described["oneOf"] = choices if field.required else [{"const": "", "title": "選択しない"}, *choices]


def _labelled(choices: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"const": code, "title": label} for code, label in choices]


def _every(fields: tuple[Field, ...]) -> typing.Iterator[Field]:
    for field in fields:
        yield field
        yield from _every(field.fields)
