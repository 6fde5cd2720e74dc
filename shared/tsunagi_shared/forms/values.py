"""Checks one value of a form, by the kind of its field. A value that is refused is told at its place and never repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import cast

import msgspec

from tsunagi_shared.forms import japanese
from tsunagi_shared.forms.codes import Codes, limit_of
from tsunagi_shared.forms.fields import DateRange, Field, Kind
from tsunagi_shared.forms.messages import message_of

_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class FieldError(msgspec.Struct, frozen=True):
    """One thing to put right. `path` has dots and indexes (`household.2.birth_date`); empty for the form as a whole."""

    path: str
    code: str
    message: str


class Wrong:
    """Stands for a value that has been refused, or that is not there."""


WRONG = Wrong()
MISSING = Wrong()


class Place(msgspec.Struct):
    """Where the check is: the path and the spoken place of what surrounds a field, the errors so far."""

    codes: Codes
    errors: list[FieldError]
    path: str = ""
    spoken: str = ""

    def refuse(self, field: Field, code: str, suffix: str = "") -> Wrong:
        """Adds the error of a field; WRONG, to be returned."""
        message = message_of(code, field, f"{self.spoken}{field.title}")
        self.errors.append(FieldError(f"{self.path}{field.name}{suffix}", code, message))
        return WRONG

    def inside(self, path: str, spoken: str) -> Place:
        """The place of the fields inside a group, a row or the city's own fields; `spoken` may be empty."""
        return Place(
            self.codes, self.errors, f"{self.path}{path}.", f"{self.spoken}{spoken}：" if spoken else self.spoken
        )

    def limited(self, field: Field) -> Field:
        """The field with the limit that the profile sets for it."""
        if not self.codes.limits:
            return field
        limit = limit_of(field, f"{self.path}{field.name}", self.codes)
        return field if limit == field.limit else msgspec.structs.replace(field, limit=limit)


# Takes what was sent; gives what goes into the Struct, MISSING for "left empty", WRONG when it was refused.
Check = Callable[[object, Place], object]


def check_of(field: Field) -> Check:
    """The check of a field that holds a single value or a list of codes. KeyError for the other kinds."""
    return _MAKERS[field.kind](field)


def _one_line(field: Field) -> Check:
    limit = cast(int, field.limit)

    def run(value: object, place: Place) -> object:
        if type(value) is not str:
            return place.refuse(field, "wrong-type")
        if not value or value.isspace():
            return MISSING
        if not value.isprintable():
            if "\n" in value or "\r" in value:
                return place.refuse(field, "line-break")
            if japanese.has_control_characters(value):
                return place.refuse(field, "control-character")
        if len(value) > limit and japanese.longer_than(value, limit):
            return place.refuse(field, "too-long")
        return value

    return run


def _several_lines(field: Field) -> Check:
    limit = cast(int, field.limit)

    def run(value: object, place: Place) -> object:
        if type(value) is not str:
            return place.refuse(field, "wrong-type")
        if not value or value.isspace():
            return MISSING
        if not value.isprintable():
            value = japanese.unify_newlines(value)
            if japanese.has_control_characters(value):
                return place.refuse(field, "control-character")
        if len(value) > limit and japanese.longer_than(value, limit):
            return place.refuse(field, "too-long")
        return value

    return run


def _kana(field: Field) -> Check:
    check_line = _one_line(field)

    def run(value: object, place: Place) -> object:
        checked = check_line(value, place)
        if isinstance(checked, str) and not japanese.is_kana(checked):
            return place.refuse(field, "not-kana")
        return checked

    return run


def _read(field: Field, read: Callable[[str], object]) -> Check:
    check_line = _one_line(field)

    def run(value: object, place: Place) -> object:
        checked = check_line(value, place)
        if not isinstance(checked, str):
            return checked
        try:
            return read(checked)
        except japanese.ReadingError as error:
            return place.refuse(field, error.code)

    return run


def _date(field: Field) -> Check:
    past, coming = field.dates is DateRange.UP_TO_TODAY, field.dates is DateRange.FROM_TODAY

    def run(value: object, place: Place) -> object:
        if type(value) is not str:
            return place.refuse(field, "wrong-type")
        if not value or value.isspace():
            return MISSING
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


def _number(field: Field) -> Check:
    lowest, highest = field.lowest, cast(int, field.limit)

    def run(value: object, place: Place) -> object:
        if type(value) is str:
            folded = japanese.fold_digits(value.strip())
            if not folded:
                return MISSING
            if not _WHOLE_NUMBER.fullmatch(folded):
                return place.refuse(field, "not-a-number")
            value = int(folded)
        if type(value) is not int:
            return place.refuse(field, "not-a-number")
        if not lowest <= value <= highest:
            return place.refuse(field, "out-of-range")
        return value

    return run


def _known(field: Field) -> Callable[[Codes], Collection[str]]:
    """The codes that the field takes: its own, those of the profile, or both."""
    table, extended_by = field.table, field.extended_by
    if table is not None:
        return lambda codes: codes.table(table)
    if field.kind in (Kind.AGENCY, Kind.AGENCIES):
        return lambda codes: codes.agencies
    own = frozenset(code for code, _ in field.choices)
    if extended_by:
        return lambda codes: own.union(codes.code_lists.get(extended_by, ()))
    return lambda codes: own


def _one_of(field: Field) -> Check:
    known_in = _known(field)

    def run(value: object, place: Place) -> object:
        if not isinstance(value, str):
            return place.refuse(field, "wrong-type")
        if value in known_in(place.codes):
            return value
        return place.refuse(field, "wrong-code") if value else MISSING

    return run


def _several(field: Field) -> Check:
    """Codes of the field's own list or of the profile. A code said twice counts once."""
    known_in = _known(field)

    def run(value: object, place: Place) -> object:
        if type(value) is not list:
            return place.refuse(field, "wrong-type")
        if not value:
            return MISSING
        here = place.limited(field)
        if len(value) > cast(int, here.limit):
            return place.refuse(here, "too-many")
        known = known_in(place.codes)
        outcome: object = None
        for index, code in enumerate(value):
            if not isinstance(code, str):
                outcome = place.refuse(field, "wrong-type", f".{index}")
            elif code not in known:
                outcome = place.refuse(field, "wrong-code", f".{index}")
        return outcome or list(dict.fromkeys(value))

    return run


def _flag(field: Field) -> Check:
    return lambda value, place: value if type(value) is bool else place.refuse(field, "wrong-type")


_MAKERS: dict[Kind, Callable[[Field], Check]] = {
    Kind.LINE: _one_line,
    Kind.TEXT: _several_lines,
    Kind.KANA: _kana,
    Kind.POSTAL_CODE: lambda field: _read(field, japanese.read_postal_code),
    Kind.PHONE: lambda field: _read(field, japanese.read_phone),
    Kind.DATE: _date,
    Kind.TIME: lambda field: _read(field, japanese.read_time),
    Kind.NUMBER: _number,
    Kind.CHOICE: _one_of,
    Kind.CHOICES: _several,
    Kind.AGENCY: _one_of,
    Kind.AGENCIES: _several,
    Kind.ENTRY: _one_of,
    Kind.ENTRIES: _several,
    Kind.FLAG: _flag,
    Kind.REFERENCE: lambda field: _read(field, japanese.fold_digits),
}
