"""Checks a form field by field from its definition, so that every error is told at once, and builds the Struct.

A checker per field is compiled once from `fields_of`; a message names the field and the way out and never the value.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Container
from typing import Any, Generic, TypeVar, cast

import msgspec

from tsunagi_shared.forms.codes import Codes
from tsunagi_shared.forms.fields import Field, Kind, fields_of
from tsunagi_shared.forms.values import MISSING, WRONG, Check, FieldError, Place, check_of

__all__ = ["Checked", "Codes", "FieldError", "check"]

T = TypeVar("T", bound=msgspec.Struct)

_MOST_UNKNOWN_FIELDS = 20  # told; the rest is the same mistake
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


class Checked(msgspec.Struct, Generic[T], frozen=True):
    """The form, or why there is none: exactly one of the two is there."""

    form: T | None
    errors: tuple[FieldError, ...]


def check(struct_type: type[T], raw: object, codes: Codes) -> Checked[T]:
    """The form out of decoded JSON, or every error in it, in the order of the form.

    Understands 和暦, full-width digits and hyphens; "" and null mean "left empty". Unknown fields are refused.
    """
    place = Place(codes, [])
    if type(raw) is not dict:
        return Checked(
            None, (FieldError("", "wrong-type", "様式の内容を読み取れません。項目名と値の組で送ってください。"),)
        )
    cleaned = _checker(struct_type)(raw, place)
    if place.errors:
        return Checked(None, tuple(place.errors))
    # The second wall. What gets past the checks and not past this is a mistake in this module: let it raise.
    return Checked(msgspec.convert(cleaned, struct_type), ())


@functools.cache
def _checker(struct_type: type[msgspec.Struct]) -> Callable[[dict[Any, Any], Place], dict[str, object]]:
    """Checks an object against a Struct's fields; the result lacks what was left empty or refused."""
    plan = tuple((field.name, field, field.required, _check_of(field)) for field in fields_of(struct_type))
    names = frozenset(name for name, *_ in plan)
    local = next((field.name for field in fields_of(struct_type) if field.kind is Kind.LOCAL), "")
    contradictions = getattr(struct_type, "contradictions", None)

    def run(raw: dict[Any, Any], place: Place) -> dict[str, object]:
        cleaned: dict[str, object] = {}
        wrong: list[str] = []
        before = len(place.errors)
        if local and place.codes.local and raw.get(local) is None:
            raw = {**raw, local: {}}  # the municipality may require something there
        for name, field, required, check_value in plan:
            value = raw.get(name)
            if value is None:
                if required:
                    place.refuse(field, "required")
                    wrong.append(name)
                continue
            value = check_value(value, place)
            if value is MISSING:
                if required:
                    place.refuse(field, "required")
                    wrong.append(name)
            elif value is WRONG:
                wrong.append(name)
            else:
                cleaned[name] = value
        if contradictions is not None:
            for name, code, message in contradictions(cleaned, wrong):
                place.errors.append(FieldError(f"{place.path}{name}", code, message))
        if len(place.errors) > before:
            _into_form_order(place, before, plan)
        if not names.issuperset(raw):
            _refuse_unknown(raw, names, place)
        return cleaned

    return run


def _into_form_order(place: Place, start: int, plan: tuple[tuple[str, Field, bool, Check], ...]) -> None:
    """Contradictions are found last and told where their field stands."""
    order = {name: position for position, (name, *_) in enumerate(plan)}
    depth = len(place.path)
    mine = sorted(place.errors[start:], key=lambda error: order[error.path[depth:].split(".", 1)[0]])
    place.errors[start:] = mine


def _refuse_unknown(raw: dict[Any, Any], names: Container[str], place: Place) -> None:
    unknown = [key for key in raw if key not in names]
    for key in unknown[:_MOST_UNKNOWN_FIELDS]:
        # A key that looks like no field name may hold anything, a resident's data too: it is not repeated.
        shown = key if isinstance(key, str) and _FIELD_NAME.fullmatch(key) else "?"
        message = "この様式にない項目が含まれています。項目名を確かめて、取り除いてください。"
        place.errors.append(FieldError(f"{place.path}{shown}", "unknown-field", message))


def _check_of(field: Field) -> Check:
    structure = _STRUCTURES.get(field.kind)
    return structure(field) if structure else check_of(field)


def _group(field: Field) -> Check:
    check_struct = _checker(cast(type[msgspec.Struct], field.struct))

    def run(value: object, place: Place) -> object:
        if type(value) is not dict:
            return place.refuse(field, "wrong-type")
        before = len(place.errors)
        cleaned = check_struct(value, place.inside(field.name, field.title))
        return cleaned if len(place.errors) == before else WRONG

    return run


def _rows(field: Field) -> Check:
    check_struct = _checker(cast(type[msgspec.Struct], field.struct))

    def run(value: object, place: Place) -> object:
        if type(value) is not list:
            return place.refuse(field, "wrong-type")
        here = place.limited(field)
        if len(value) > cast(int, here.limit):
            return place.refuse(here, "too-many")
        before = len(place.errors)
        cleaned = []
        for index, row in enumerate(value):
            if type(row) is dict:
                cleaned.append(
                    check_struct(row, place.inside(f"{field.name}.{index}", f"{field.title}（{index + 1}）"))
                )
            else:
                place.refuse(field, "wrong-type", f".{index}")
        return cleaned if len(place.errors) == before else WRONG

    return run


def _local(field: Field) -> Check:
    """The fields that the municipality added: its profile says which there are and what they take."""
    limit = cast(int, field.limit)

    def run(value: object, place: Place) -> object:
        if type(value) is not dict:
            return place.refuse(field, "wrong-type")
        if len(value) > limit:
            return place.refuse(field, "too-many")
        before = len(place.errors)
        inside = place.inside(field.name, "")
        cleaned: dict[str, object] = {}
        checks = _local_checks(place.codes.local)
        for name, (own, check_value) in checks.items():
            found = MISSING if (sent := value.get(name)) is None else check_value(sent, inside)
            if found is not MISSING:
                cleaned[name] = found
            elif own.required:
                inside.refuse(own, "required")
        if not checks.keys() >= value.keys():
            _refuse_unknown(value, checks, inside)
        return cleaned if len(place.errors) == before else WRONG

    return run


@functools.lru_cache(maxsize=64)
def _local_checks(local: tuple[Field, ...]) -> dict[str, tuple[Field, Check]]:
    return {field.name: (field, check_of(field)) for field in local}


_STRUCTURES: dict[Kind, Callable[[Field], Check]] = {
    Kind.GROUP: _group,
    Kind.ROWS: _rows,
    Kind.LOCAL: _local,
}
