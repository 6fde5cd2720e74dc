"""A posted page into the JSON shape of its form, and back onto the page with everything that was typed."""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tsunagi_shared.forms.checks import FieldError
from tsunagi_shared.forms.fields import Field, Kind, fields_of, with_local

MOST_POSTED_FIELDS = 2000
ADD_ROW = "_add"  # the button that asks for one more row; its value is the path of the rows
AGAIN = "_again"  # asks for the page again as typed, without handing it in
_ROWS = "_rows."  # how many rows the page showed
_GROUPS = frozenset({Kind.GROUP, Kind.LOCAL})
_LISTS = frozenset({Kind.CHOICES, Kind.AGENCIES, Kind.ENTRIES})


class PostError(ValueError):
    """The body is no urlencoded form, or has more fields than any page of ours."""


def posted_pairs(body: bytes) -> list[tuple[str, str]]:
    """(name, value) of a posted page in its order. PostError."""
    try:
        return urllib.parse.parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_POSTED_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise PostError("not an urlencoded form") from error


def typed_pairs(body: bytes) -> list[tuple[str, str]]:
    """What a person typed, to be carried along in hidden fields; the page's own fields (`_…`) stay behind. PostError."""
    return [(name, value) for name, value in posted_pairs(body) if not name.startswith("_")]


def wants_page_again(body: bytes) -> bool:
    """Whether the post asks for one more row or for the page as typed, and hands nothing in. PostError."""
    return any(name in (ADD_ROW, AGAIN) for name, _ in posted_pairs(body))


def rows_wanted(body: bytes) -> dict[str, int]:
    """How many rows the page should show by path of the rows: as many as it did, and one more where asked. PostError."""
    wanted: dict[str, int] = {}
    pairs = posted_pairs(body)
    for name, value in pairs:
        if name.startswith(_ROWS) and value.isascii() and value.isdigit() and len(value) < 4:
            wanted[name[len(_ROWS) :]] = int(value)
    for name, value in pairs:
        if name == ADD_ROW and value:
            wanted[value] = wanted.get(value, 1) + 1
    return wanted


def decode_urlencoded(body: bytes, struct_type: type[msgspec.Struct], local: tuple[Field, ...] = ()) -> dict[str, Any]:
    """A posted page in the shape that its JSON would have, ready for `checks.check`. PostError.

    Names are `person.name`, `household.0.name`, `destinations` (once per choice). What was left empty is dropped, and so
    are rows with nothing in them; groups are always there, so that their gaps are told field by field. Names that start
    with `_` belong to the page. A name the form does not know is kept, for the check to refuse. `local` are the fields that
    the municipality adds to the form.
    """
    table = _leaves(struct_type, local)
    raw = _empty_groups(fields_of(struct_type))
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    for name, value in posted_pairs(body):
        if name.startswith("_") or not value:
            continue
        place = _place_of(name)
        field = table.get(place.pattern)
        if field is None:
            raw.setdefault(name, value)
            continue
        holder = raw if place.rows is None else rows.setdefault(place.rows, {}).setdefault(place.row, {})
        *groups, leaf = place.within
        for group in groups:
            holder = holder.setdefault(group, {})
        _put(holder, leaf, field, value)
    for path, by_index in rows.items():
        *groups, leaf = path.split(".")
        holder = raw
        for group in groups:
            holder = holder[group]
        holder[leaf] = [by_index[index] for index in sorted(by_index)]
    return raw


def _put(holder: dict[str, Any], leaf: str, field: Field, value: str) -> None:
    if field.kind in _LISTS:
        holder.setdefault(leaf, []).append(value)
    elif field.kind is Kind.FLAG:
        holder[leaf] = value != "false"
    else:
        holder[leaf] = value


class _Place(msgspec.Struct, frozen=True):
    """A posted name taken apart: `household.0.name` is row 0 of `household`, within it `name`, as pattern `household.*.name`."""

    pattern: str
    rows: str | None
    row: int
    within: tuple[str, ...]


def _place_of(name: str) -> _Place:
    parts = name.split(".")
    for position, part in enumerate(parts):
        if part.isascii() and part.isdigit() and len(part) < 4:
            before, after = parts[:position], parts[position + 1 :]
            return _Place(".".join((*before, "*", *after)), ".".join(before), int(part), tuple(after))
    return _Place(name, None, 0, tuple(parts))


@functools.lru_cache(maxsize=256)
def _leaves(struct_type: type[msgspec.Struct], local: tuple[Field, ...]) -> dict[str, Field]:
    """Every field that a page can post, by pattern."""
    return dict(_walk(with_local(fields_of(struct_type), local), ""))


def _walk(fields: Iterable[Field], prefix: str) -> Iterable[tuple[str, Field]]:
    for field in fields:
        if field.kind in _GROUPS:
            yield from _walk(field.fields, f"{prefix}{field.name}.")
        elif field.kind is Kind.ROWS:
            yield from _walk(field.fields, f"{prefix}{field.name}.*.")
        else:
            yield f"{prefix}{field.name}", field


def _empty_groups(fields: Iterable[Field]) -> dict[str, Any]:
    return {field.name: _empty_groups(field.fields) for field in fields if field.kind is Kind.GROUP}


class SummaryLine(msgspec.Struct, frozen=True):
    """One line of the error summary: the message, and the id of the input it leads to (empty: the whole form)."""

    message: str
    anchor: str


class FormValues(msgspec.Struct, frozen=True):
    """What a page shows in its inputs, and what it says about them. Paths are absolute (`household.0.name`)."""

    typed: dict[str, tuple[str, ...]]
    rows: dict[str, int]
    messages: dict[str, tuple[str, ...]]
    summary: tuple[SummaryLine, ...]

    def text(self, path: str) -> str:
        """What was typed into an input."""
        return next(iter(self.typed.get(path, ())), "")

    def chosen(self, path: str, code: str, default: object = None) -> bool:
        """Whether an option is chosen; an untouched field shows its default."""
        if path in self.typed:
            return code in self.typed[path]
        return code == (default or "")

    def row_count(self, path: str, most: int) -> int:
        """How many rows to show: at least one."""
        return min(max(self.rows.get(path, 1), 1), most)

    def errors(self, path: str) -> tuple[str, ...]:
        """The messages under an input."""
        return self.messages.get(path, ())


def form_values(
    struct_type: type[msgspec.Struct],
    raw: object = None,
    errors: Sequence[FieldError] = (),
    rows: Mapping[str, int] | None = None,
    local: tuple[Field, ...] = (),
) -> FormValues:
    """The values for a page out of the JSON shape, however wrong it is, with the errors of its check.

    `rows` asks for a number of rows by path (`rows_wanted`); what was typed is shown in any case. `local` are the
    fields that the municipality adds to the form.
    """
    typed: dict[str, tuple[str, ...]] = {}
    counts = dict(rows or {})
    _flatten(with_local(fields_of(struct_type), local), raw, "", typed, counts)
    table = _leaves(struct_type, local)
    messages: dict[str, tuple[str, ...]] = {}
    summary = []
    for error in errors:
        path = _input_path(error.path, table)
        if path:
            messages[path] = (*messages.get(path, ()), error.message)
        summary.append(SummaryLine(error.message, anchor(path) if path else ""))
    return FormValues(typed, counts, messages, tuple(summary))


def anchor(path: str) -> str:
    """The id of the input (or the group of inputs) at a path."""
    return "field-" + path.replace(".", "-")


def _input_path(path: str, table: Mapping[str, Field]) -> str:
    """The path of the input an error belongs to: `destinations.0` is told at `destinations`. Empty when there is none."""
    parts = path.split(".")
    for end in (len(parts), len(parts) - 1):
        shown = ".".join(parts[:end])
        if shown and _place_of(shown).pattern in table:
            return shown
    return parts[0] if any(name.startswith(f"{parts[0]}.") for name in table) else ""


def _flatten(
    fields: Iterable[Field], raw: object, prefix: str, typed: dict[str, tuple[str, ...]], counts: dict[str, int]
) -> None:
    if not isinstance(raw, dict):
        return
    for field in fields:
        value, path = raw.get(field.name), f"{prefix}{field.name}"
        if value is None:
            continue
        if field.kind in _GROUPS:
            _flatten(field.fields, value, f"{path}.", typed, counts)
        elif field.kind is Kind.ROWS and isinstance(value, list):
            counts[path] = max(counts.get(path, 1), len(value))
            for index, row in enumerate(value):
                _flatten(field.fields, row, f"{path}.{index}.", typed, counts)
        elif isinstance(value, list):
            typed[path] = tuple(part for part in value if isinstance(part, str))
        elif isinstance(value, bool):
            typed[path] = ("true",) if value else ()
        elif isinstance(value, (str, int)):
            typed[path] = (str(value),)
