"""A form is a msgspec Struct; this module walks it into fields that pages, checks, schemas and sheets share."""

from __future__ import annotations

import enum
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from tsunagi_shared.forms.japanese import CODE_POINTS_PER_GRAPHEME

_LONGEST_CODE = 64  # of the profile: ids have 40 characters at most


class Kind(enum.StrEnum):
    """How a field is asked and checked."""

    LINE = "line"
    TEXT = "text"  # several lines
    KANA = "kana"
    POSTAL_CODE = "postal_code"
    PHONE = "phone"
    DATE = "date"
    TIME = "time"  # of the day
    NUMBER = "number"
    CHOICE = "choice"
    CHOICES = "choices"
    AGENCY = "agency"  # one id out of the profile's agencies
    AGENCIES = "agencies"
    ENTRY = "entry"  # one id out of another table of the profile, e.g. a meeting body
    ENTRIES = "entries"
    FLAG = "flag"
    GROUP = "group"  # a nested Struct
    ROWS = "rows"  # a list of Structs
    REFERENCE = "reference"  # a number of this system, e.g. a case number
    LOCAL = "local"  # the city's own fields, by name


class DateRange(enum.StrEnum):
    """Which days a DATE field takes, seen from the day the form is checked."""

    ANY = "any"
    UP_TO_TODAY = "up_to_today"  # what has happened: a birth, a consultation, a consent
    FROM_TODAY = "from_today"  # what is still to come: a reply


class Table(enum.StrEnum):
    """Out of which table of the profile the ids of an ENTRY or ENTRIES come; named as in `codes.Codes`."""

    LISTS = "lists"  # 別紙: agencies that a consent names together
    BODIES = "bodies"  # meeting bodies
    LAWS = "laws"  # legal bases


class CodeList(enum.StrEnum):
    """A list of codes with the words people read: `NORMAL = "normal", "通常"`. The code travels, the label is shown."""

    label: str

    def __new__(cls, code: str, label: str) -> CodeList:
        """The member of a code; `label` is what people see."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.label = label
        return member

    @classmethod
    def choices(cls) -> tuple[tuple[str, str], ...]:
        """Every (code, label), in the order of definition."""
        return tuple((member.value, member.label) for member in cls)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a form. `path` uses dots; inside ROWS the fields' paths are relative to a row."""

    name: str
    path: str
    kind: Kind
    title: str
    help: str = ""
    required: bool = False
    limit: int | None = None  # graphemes of text, entries of a list, or the highest number
    choices: tuple[tuple[str, str], ...] = ()  # (code, label)
    default: Any = None
    fields: tuple[Field, ...] = ()  # of a GROUP or of one row of ROWS; of LOCAL once the profile is known
    lowest: int = 0  # of a NUMBER
    dates: DateRange = DateRange.ANY  # of a DATE
    section: str = ""  # a heading that starts with this field
    struct: type[msgspec.Struct] | None = None  # behind a GROUP or a row of ROWS
    code_list: type[CodeList] | None = None  # behind `choices`
    extended_by: str = ""  # the code list of the profile that adds to `choices`
    table: Table | None = None  # of an ENTRY or ENTRIES


class _Asked(msgspec.Struct, frozen=True):
    """What a Meta carries for this module under `extra["asked"]`."""

    kind: Kind
    limit: int | None = None
    lowest: int = 0
    dates: DateRange = DateRange.ANY
    section: str = ""
    code_list: type[CodeList] | None = None
    extended_by: str = ""
    table: Table | None = None


def _plain(title: str, help: str, asked: _Asked) -> msgspec.Meta:  # noqa: A002 - the form's own word
    return msgspec.Meta(title=title, description=help or None, extra={"asked": asked})


def _longest(title: str, help: str, asked: _Asked, limit: int) -> msgspec.Meta:  # noqa: A002
    return msgspec.Meta(title=title, description=help or None, extra={"asked": asked}, max_length=limit)


def _text(kind: Kind, title: str, help: str, limit: int, section: str) -> msgspec.Meta:  # noqa: A002
    return _longest(title, help, _Asked(kind, limit, section=section), limit * CODE_POINTS_PER_GRAPHEME)


def line(title: str, help: str = "", *, limit: int = 200, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str` of one line of at most `limit` graphemes."""
    return _text(Kind.LINE, title, help, limit, section)


def text(title: str, help: str = "", *, limit: int = 1000, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str` of several lines of at most `limit` graphemes."""
    return _text(Kind.TEXT, title, help, limit, section)


def kana(title: str, help: str = "", *, limit: int = 100, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str` of furigana."""
    return _text(Kind.KANA, title, help, limit, section)


def postal_code(title: str, help: str = "", *, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str` that is stored as 197-0000, or empty."""
    return _text(Kind.POSTAL_CODE, title, help, 8, section)


def phone(title: str, help: str = "", *, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str` that is stored in ASCII with the hyphens as written, or empty."""
    return _text(Kind.PHONE, title, help, 40, section)


def reference(title: str, help: str = "", *, limit: int = 40, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str`: a number this system gave out, e.g. a case number."""
    return _text(Kind.REFERENCE, title, help, limit, section)


def date(
    title: str,
    help: str = "",  # noqa: A002
    *,
    dates: DateRange = DateRange.ANY,
    section: str = "",
) -> msgspec.Meta:
    """A `date` (or None): a Japanese calendar day inside `dates`."""
    return _plain(title, help, _Asked(Kind.DATE, dates=dates, section=section))


def time(title: str, help: str = "", *, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str`: a time of the day, stored as 13:30, or empty."""
    return _text(Kind.TIME, title, help, 20, section)


def number(title: str, help: str = "", *, limit: int, lowest: int = 0, section: str = "") -> msgspec.Meta:  # noqa: A002
    """An `int` from `lowest` to `limit`; for an optional one, annotate `Annotated[int, number(…)] | None`."""
    asked = _Asked(Kind.NUMBER, limit, lowest, section=section)
    return msgspec.Meta(title=title, description=help or None, extra={"asked": asked}, ge=lowest, le=limit)


def choice(title: str, help: str = "", *, section: str = "") -> msgspec.Meta:  # noqa: A002
    """One member of the CodeList that the annotation names (or None)."""
    return _plain(title, help, _Asked(Kind.CHOICE, section=section))


def choices(title: str, help: str = "", *, limit: int = 60, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A list of members of one CodeList."""
    return _longest(title, help, _Asked(Kind.CHOICES, limit, section=section), limit)


def open_choice(
    title: str,
    help: str = "",  # noqa: A002
    *,
    codes: type[CodeList],
    extended_by: str,
    section: str = "",
) -> msgspec.Meta:
    """A `str`: a code of `codes`, or of the profile's code list `extended_by`, which may also rename codes."""
    asked = _Asked(Kind.CHOICE, section=section, code_list=codes, extended_by=extended_by)
    return _longest(title, help, asked, _LONGEST_CODE)


def open_choices(
    title: str,
    help: str = "",  # noqa: A002
    *,
    codes: type[CodeList],
    extended_by: str,
    limit: int = 60,
    section: str = "",
) -> msgspec.Meta:
    """A `list[str]` of codes of `codes` or of the profile's code list `extended_by`."""
    asked = _Asked(Kind.CHOICES, limit, section=section, code_list=codes, extended_by=extended_by)
    return _longest(title, help, asked, limit)


def agency(title: str, help: str = "", *, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str`: the id of an agency of the profile."""
    return _text(Kind.AGENCY, title, help, 64, section)


def agencies(title: str, help: str = "", *, limit: int = 60, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `list[str]` of ids of agencies of the profile."""
    return _longest(title, help, _Asked(Kind.AGENCIES, limit, section=section), limit)


def agency_lists(title: str, help: str = "", *, limit: int = 20, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `list[str]` of ids of agency lists (別紙) of the profile."""
    return _longest(title, help, _Asked(Kind.ENTRIES, limit, section=section, table=Table.LISTS), limit)


def body(title: str, help: str = "", *, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str`: the id of a meeting body of the profile."""
    return _longest(title, help, _Asked(Kind.ENTRY, section=section, table=Table.BODIES), _LONGEST_CODE)


def bodies(title: str, help: str = "", *, limit: int, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `list[str]` of ids of meeting bodies of the profile."""
    return _longest(title, help, _Asked(Kind.ENTRIES, limit, section=section, table=Table.BODIES), limit)


def law(title: str, help: str = "", *, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `str`: the id of a legal basis of the profile."""
    return _longest(title, help, _Asked(Kind.ENTRY, section=section, table=Table.LAWS), _LONGEST_CODE)


def flag(title: str, help: str = "", *, section: str = "") -> msgspec.Meta:  # noqa: A002
    """A `bool`."""
    return _plain(title, help, _Asked(Kind.FLAG, section=section))


def group(title: str, help: str = "") -> msgspec.Meta:  # noqa: A002
    """A nested Struct; it is a section of its own."""
    return _plain(title, help, _Asked(Kind.GROUP))


def rows(title: str, help: str = "", *, limit: int) -> msgspec.Meta:  # noqa: A002
    """A list of Structs of at most `limit` rows; it is a section of its own."""
    return _longest(title, help, _Asked(Kind.ROWS, limit), limit)


def local(title: str, help: str = "", *, limit: int = 40) -> msgspec.Meta:  # noqa: A002
    """A `dict[str, str]`: the fields a city added in its profile, by name; at most `limit` of them."""
    return _longest(title, help, _Asked(Kind.LOCAL, limit), limit)


@functools.cache
def fields_of(struct_type: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The fields of a form in the order of its definition. TypeError when one lacks a Meta of this module."""
    return _walk(struct_type, "")


def _walk(struct_type: type[msgspec.Struct], prefix: str) -> tuple[Field, ...]:
    return tuple(_field(struct_type, info, prefix) for info in msgspec.structs.fields(struct_type))


def _field(struct_type: type[msgspec.Struct], info: msgspec.structs.FieldInfo, prefix: str) -> Field:
    meta = _meta_of(info.type)
    asked = (meta.extra or {}).get("asked") if meta else None
    if meta is None or not isinstance(asked, _Asked):
        raise TypeError(f"{struct_type.__name__}.{info.name} carries no Meta of tsunagi_shared.forms.fields")
    inner = _innermost(info.type)
    struct = inner if isinstance(inner, type) and issubclass(inner, msgspec.Struct) else None
    path = prefix + info.name
    nested: tuple[Field, ...] = ()
    if struct is not None:
        nested = _walk(struct, "" if asked.kind is Kind.ROWS else f"{path}.")
    own = inner if isinstance(inner, type) and issubclass(inner, CodeList) else asked.code_list
    return Field(
        name=info.name,
        path=path,
        kind=asked.kind,
        title=meta.title or info.name,
        help=meta.description or "",
        required=info.required,
        limit=asked.limit,
        choices=own.choices() if own else (),
        default=None if info.default is msgspec.NODEFAULT else info.default,
        fields=nested,
        lowest=asked.lowest,
        dates=asked.dates,
        section=asked.section,
        struct=struct,
        code_list=own,
        extended_by=asked.extended_by,
        table=asked.table,
    )


def _meta_of(annotation: Any) -> msgspec.Meta | None:
    """The Meta on an annotation, or on a member of its union (msgspec takes ge and le on the `int` alone)."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next((meta for part in typing.get_args(annotation) if (meta := _meta_of(part))), None)
    return next((part for part in getattr(annotation, "__metadata__", ()) if isinstance(part, msgspec.Meta)), None)


def _innermost(annotation: Any) -> Any:
    """`list[X]`, `X | None` and `Annotated[X, …]` give X; a dict gives dict."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _innermost(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return _innermost(next(part for part in typing.get_args(annotation) if part is not type(None)))
    if origin is list:
        return _innermost(typing.get_args(annotation)[0])
    return origin or annotation


def with_local(fields: tuple[Field, ...], local: tuple[Field, ...]) -> tuple[Field, ...]:
    """The fields of a form with the municipality's own fields inside its LOCAL field."""
    return tuple(
        msgspec.structs.replace(field, fields=local) if field.kind is Kind.LOCAL else field for field in fields
    )


def extended(field: Field, added: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The (code, label) of a field whose list the profile extends: renamed where they stand, the new ones behind."""
    own = {code for code, _ in field.choices}
    renamed = tuple((code, added.get(code, label)) for code, label in field.choices)
    return renamed + tuple((code, label) for code, label in added.items() if code not in own)
