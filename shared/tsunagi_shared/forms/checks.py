"""Checks a form field by field from its definition, so that every error is told at once, and builds the Struct.

A checker per field is compiled once from `fields_of`; a message names the field and the way out and never the value.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, cast

import msgspec

from tsunagi_shared.forms import japanese
from tsunagi_shared.forms.fields import DateRange, Field, Kind, fields_of
from tsunagi_shared.forms.messages import message_of

T = TypeVar("T", bound=msgspec.Struct)

_MOST_UNKNOWN_FIELDS = 20  # told; the rest is the same mistake
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_LONGEST_LOCAL_VALUE = 1000  # graphemes


class FieldError(msgspec.Struct, frozen=True):
    """One thing to put right. `path` has dots and indexes (`household.2.birth_date`); empty for the form as a whole."""

    path: str
    code: str
    message: str


class Codes(msgspec.Struct, frozen=True):
    """What a check needs besides the form: today's Japanese date, and the profile's agencies (id → name)."""

    today: dt.date
    agencies: Mapping[str, str]


class Checked(msgspec.Struct, Generic[T], frozen=True):
    """The form, or why there is none: exactly one of the two is there."""

    form: T | None
    errors: tuple[FieldError, ...]


class _Wrong:
    """Stands for a value that has been refused."""


_WRONG = _Wrong()
_MISSING = _Wrong()


class _Place(msgspec.Struct):
    """Where the check is: the path and the spoken place of what surrounds a field, the errors so far."""

    codes: Codes
    errors: list[FieldError]
    path: str = ""
    spoken: str = ""

    def refuse(self, field: Field, code: str, suffix: str = "") -> _Wrong:
        message = message_of(code, field, f"{self.spoken}{field.title}")
        self.errors.append(FieldError(f"{self.path}{field.name}{suffix}", code, message))
        return _WRONG

    def inside(self, path: str, spoken: str) -> _Place:
        return _Place(self.codes, self.errors, f"{self.path}{path}.", f"{self.spoken}{spoken}：")


# Takes what was sent; gives what goes into the Struct, _MISSING for "left empty", _WRONG when it was refused.
_Check = Callable[[object, _Place], object]


def check(struct_type: type[T], raw: object, codes: Codes) -> Checked[T]:
    """The form out of decoded JSON, or every error in it, in the order of the form.

    Understands 和暦, full-width digits and hyphens; "" and null mean "left empty". Unknown fields are refused.
    """
    place = _Place(codes, [])
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
def _checker(struct_type: type[msgspec.Struct]) -> Callable[[dict[Any, Any], _Place], dict[str, object]]:
    """Checks an object against a Struct's fields; the result lacks what was left empty or refused."""
    plan = tuple((field.name, field, field.required, _check_of(field)) for field in fields_of(struct_type))
    names = frozenset(name for name, *_ in plan)
    contradictions = getattr(struct_type, "contradictions", None)

    def run(raw: dict[Any, Any], place: _Place) -> dict[str, object]:
        cleaned: dict[str, object] = {}
        wrong: list[str] = []
        before = len(place.errors)
        for name, field, required, check_value in plan:
            value = raw.get(name)
            if value is None:
                if required:
                    place.refuse(field, "required")
                    wrong.append(name)
                continue
            value = check_value(value, place)
            if value is _MISSING:
                if required:
                    place.refuse(field, "required")
                    wrong.append(name)
            elif value is _WRONG:
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


def _into_form_order(place: _Place, start: int, plan: tuple[tuple[str, Field, bool, _Check], ...]) -> None:
    """Contradictions are found last and told where their field stands."""
    order = {name: position for position, (name, *_) in enumerate(plan)}
    depth = len(place.path)
    mine = sorted(place.errors[start:], key=lambda error: order[error.path[depth:].split(".", 1)[0]])
    place.errors[start:] = mine


def _refuse_unknown(raw: dict[Any, Any], names: frozenset[str], place: _Place) -> None:
    unknown = [key for key in raw if key not in names]
    for key in unknown[:_MOST_UNKNOWN_FIELDS]:
        # A key that looks like no field name may hold anything, a resident's data too: it is not repeated.
        shown = key if isinstance(key, str) and _FIELD_NAME.fullmatch(key) else "?"
        message = "この様式にない項目が含まれています。項目名を確かめて、取り除いてください。"
        place.errors.append(FieldError(f"{place.path}{shown}", "unknown-field", message))


def _check_of(field: Field) -> _Check:
    return _MAKERS[field.kind](field)


def _one_line(field: Field) -> _Check:
    limit = cast(int, field.limit)

    def run(value: object, place: _Place) -> object:
        if type(value) is not str:
            return place.refuse(field, "wrong-type")
        if not value or value.isspace():
            return _MISSING
        if not value.isprintable():
            if "\n" in value or "\r" in value:
                return place.refuse(field, "line-break")
            if japanese.has_control_characters(value):
                return place.refuse(field, "control-character")
        if len(value) > limit and japanese.longer_than(value, limit):
            return place.refuse(field, "too-long")
        return value

    return run


def _several_lines(field: Field) -> _Check:
    limit = cast(int, field.limit)

    def run(value: object, place: _Place) -> object:
        if type(value) is not str:
            return place.refuse(field, "wrong-type")
        if not value or value.isspace():
            return _MISSING
        if not value.isprintable():
            value = japanese.unify_newlines(value)
            if japanese.has_control_characters(value):
                return place.refuse(field, "control-character")
        if len(value) > limit and japanese.longer_than(value, limit):
            return place.refuse(field, "too-long")
        return value

    return run


def _kana(field: Field) -> _Check:
    check_line = _one_line(field)

    def run(value: object, place: _Place) -> object:
        checked = check_line(value, place)
        if isinstance(checked, str) and not japanese.is_kana(checked):
            return place.refuse(field, "not-kana")
        return checked

    return run


def _read(field: Field, read: Callable[[str], object]) -> _Check:
    check_line = _one_line(field)

    def run(value: object, place: _Place) -> object:
        checked = check_line(value, place)
        if not isinstance(checked, str):
            return checked
        try:
            return read(checked)
        except japanese.ReadingError as error:
            return place.refuse(field, error.code)

    return run


def _date(field: Field) -> _Check:
    past, coming = field.dates is DateRange.UP_TO_TODAY, field.dates is DateRange.FROM_TODAY

    def run(value: object, place: _Place) -> object:
        if type(value) is not str:
            return place.refuse(field, "wrong-type")
        if not value or value.isspace():
            return _MISSING
        try:
            day = japanese.read_date(value)
        except japanese.ReadingError as error:
            return place.refuse(field, error.code)
        if past and day > place.codes.today:
            return place.refuse(field, "future-date")
        if coming and day < place.codes.today:
            return place.refuse(field, "past-date")
        return day

    return run


def _number(field: Field) -> _Check:
    lowest, highest = field.lowest, cast(int, field.limit)

    def run(value: object, place: _Place) -> object:
        if type(value) is str:
            folded = japanese.fold_digits(value.strip())
            if not folded:
                return _MISSING
            if not _WHOLE_NUMBER.fullmatch(folded):
                return place.refuse(field, "not-a-number")
            value = int(folded)
        if type(value) is not int:
            return place.refuse(field, "not-a-number")
        if not lowest <= value <= highest:
            return place.refuse(field, "out-of-range")
        return value

    return run


def _choice(field: Field) -> _Check:
    known = frozenset(code for code, _ in field.choices)

    def run(value: object, place: _Place) -> object:
        if not isinstance(value, str):
            return place.refuse(field, "wrong-type")
        if value in known:
            return value
        return place.refuse(field, "wrong-code") if value else _MISSING

    return run


def _agency(field: Field) -> _Check:
    def run(value: object, place: _Place) -> object:
        if not isinstance(value, str):
            return place.refuse(field, "wrong-type")
        if value in place.codes.agencies:
            return value
        return place.refuse(field, "wrong-code") if value else _MISSING

    return run


def _several(field: Field) -> _Check:
    """Codes of the field's own list or, for AGENCIES, of the profile. A code said twice counts once."""
    limit = cast(int, field.limit)
    own = frozenset(code for code, _ in field.choices)
    of_profile = field.kind is Kind.AGENCIES

    def run(value: object, place: _Place) -> object:
        if type(value) is not list:
            return place.refuse(field, "wrong-type")
        if not value:
            return _MISSING
        if len(value) > limit:
            return place.refuse(field, "too-many")
        known = place.codes.agencies if of_profile else own
        outcome: object = None
        for index, code in enumerate(value):
            if not isinstance(code, str):
                outcome = place.refuse(field, "wrong-type", f".{index}")
            elif code not in known:
                outcome = place.refuse(field, "wrong-code", f".{index}")
        return outcome or list(dict.fromkeys(value))

    return run


def _flag(field: Field) -> _Check:
    return lambda value, place: value if type(value) is bool else place.refuse(field, "wrong-type")


def _group(field: Field) -> _Check:
    check_struct = _checker(cast(type[msgspec.Struct], field.struct))

    def run(value: object, place: _Place) -> object:
        if type(value) is not dict:
            return place.refuse(field, "wrong-type")
        before = len(place.errors)
        cleaned = check_struct(value, place.inside(field.name, field.title))
        return cleaned if len(place.errors) == before else _WRONG

    return run


def _rows(field: Field) -> _Check:
    check_struct = _checker(cast(type[msgspec.Struct], field.struct))
    limit = cast(int, field.limit)

    def run(value: object, place: _Place) -> object:
        if type(value) is not list:
            return place.refuse(field, "wrong-type")
        if len(value) > limit:
            return place.refuse(field, "too-many")
        before = len(place.errors)
        cleaned = []
        for index, row in enumerate(value):
            if type(row) is dict:
                cleaned.append(
                    check_struct(row, place.inside(f"{field.name}.{index}", f"{field.title}（{index + 1}）"))
                )
            else:
                place.refuse(field, "wrong-type", f".{index}")
        return cleaned if len(place.errors) == before else _WRONG

    return run


def _local(field: Field) -> _Check:
    limit = cast(int, field.limit)

    def run(value: object, place: _Place) -> object:
        if type(value) is not dict:
            return place.refuse(field, "wrong-type")
        if len(value) > limit:
            return place.refuse(field, "too-many")
        outcome: object = None
        cleaned: dict[str, str] = {}
        for name, text in value.items():
            if not isinstance(name, str) or not _FIELD_NAME.fullmatch(name):
                outcome = place.refuse(field, "unknown-field", ".?")
            elif type(text) is not str:
                outcome = place.refuse(field, "wrong-type", f".{name}")
            elif japanese.has_control_characters(unified := japanese.unify_newlines(text)):
                outcome = place.refuse(field, "control-character", f".{name}")
            elif japanese.longer_than(unified, _LONGEST_LOCAL_VALUE):
                outcome = place.refuse(field, "too-long", f".{name}")
            else:
                cleaned[name] = unified
        return outcome or cleaned

    return run


_MAKERS: dict[Kind, Callable[[Field], _Check]] = {
    Kind.LINE: _one_line,
    Kind.TEXT: _several_lines,
    Kind.KANA: _kana,
    Kind.POSTAL_CODE: lambda field: _read(field, japanese.read_postal_code),
    Kind.PHONE: lambda field: _read(field, japanese.read_phone),
    Kind.DATE: _date,
    Kind.NUMBER: _number,
    Kind.CHOICE: _choice,
    Kind.CHOICES: _several,
    Kind.AGENCY: _agency,
    Kind.AGENCIES: _several,
    Kind.FLAG: _flag,
    Kind.GROUP: _group,
    Kind.ROWS: _rows,
    Kind.REFERENCE: lambda field: _read(field, japanese.fold_digits),
    Kind.LOCAL: _local,
}
