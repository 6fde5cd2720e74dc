"""Each table of tests/data/inventory lists what a city's source names, and where its profile says so; every line must hold.

A line: `item` what the source says, `source` its tag and line (the head of the profile explains the tags), `where` a path
into the profile, and the value there: `is` (equal) or `has` (among the values there). Paths walk TOML keys: `a.b`;
`a[key=value]` the rows with that value, `a[key~value]` those whose list holds it; `a["key with.dots"]`; a final `.count`: how
many. Where a selection leaves several rows, the value is the list of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deploy.local.stack import PROFILES
from tsunagi_shared.contracts.profile import Profile, load_profile

TABLES = Path(__file__).parents[1] / "data" / "inventory"
TAGS = {"fussa": "F", "kamishihoro": "K", "standard": "S", "ashiya": "A", "kurume": "U"}
LEAST = {"fussa": 150, "kamishihoro": 75, "standard": 90, "ashiya": 215, "kurume": 95}  # lines of a table
_STEP = re.compile(r'\["(?P<quoted>[^"]+)"\]|\[(?P<key>[a-z_]+)(?P<how>[=~])(?P<value>[^\]]+)\]|\.?(?P<name>[a-z_]+)')

Value = str | int | bool | list[str | int | list[str]]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item of a source. Exactly one of `equal` (written `is`) and `has`."""

    item: str
    source: str
    where: str
    equal: Value | None = msgspec.field(name="is", default=None)
    has: Value | None = None


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lines of one city."""

    items: tuple[Line, ...]


def lines_of(city: str) -> tuple[Line, ...]:
    """The table of a city."""
    return msgspec.toml.decode((TABLES / f"{city}.toml").read_bytes(), type=Table).items


def found_at(profile: Profile, where: str) -> object:
    """The value at the path, as TOML has it, a date as text. ValueError for a path that leads nowhere."""
    here: list[object] = [msgspec.json.decode(msgspec.json.encode(profile))]
    selected = False  # by the last step
    position = 0
    while position < len(where):
        step = _STEP.match(where, position)
        if step is None:
            raise ValueError(f"no path from {where[position:]!r}")
        position = step.end()
        if step["name"] == "count" and position == len(where):
            return len(here) if selected else len(_rows(here[0]))
        selected = bool(step["key"])
        here = list(_selected(here, step) if selected else _inside(here, step["quoted"] or step["name"]))
    if not here:
        raise ValueError("nothing is selected")
    return here[0] if len(here) == 1 else here


def _selected(here: list[object], step: re.Match[str]) -> Iterator[object]:
    for row in (row for value in here for row in _rows(value)):
        held = row.get(step["key"]) if isinstance(row, dict) else None
        among = held if step["how"] == "~" else [held]
        if isinstance(among, list) and step["value"] in map(_written, among):
            yield row


def _written(value: object) -> str:
    """As TOML writes it, without quotation marks."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _rows(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return list(value)


def _inside(here: list[object], name: str) -> Iterator[object]:
    for row in (row for value in here for row in (value if isinstance(value, list) else [value])):
        if not isinstance(row, dict) or name not in row:
            raise ValueError(f"no {name!r} there")
        yield row[name]


def holds(line: Line, profile: Profile) -> bool:
    """Whether the profile says what the line does."""
    try:
        found = found_at(profile, line.where)
    except ValueError:
        return False
    if line.has is not None:
        return isinstance(found, list) and line.has in found
    return found == line.equal and type(found) is type(line.equal)


@pytest.mark.parametrize("city", sorted(TAGS))
def test_every_item_of_the_source_is_in_the_profile(city: str) -> None:
    """Row by row: the value stands where the table says, as the source has it."""
    profile = load_profile(PROFILES / city)
    wrong = [f"{line.source} {line.item}: {line.where}" for line in lines_of(city) if not holds(line, profile)]
    assert wrong == []


@pytest.mark.parametrize("city", sorted(TAGS))
def test_lines_say_where_they_come_from(city: str) -> None:
    """A line names its source by tag and line, has one value, and stands once; a table that shrank is noticed."""
    lines = lines_of(city)
    assert len(lines) >= LEAST[city]
    own = re.compile(rf"(?:{TAGS[city]}:\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*|W\d+)")
    for line in lines:
        assert own.fullmatch(line.source), line.item
        assert (line.equal is None) != (line.has is None), line.item
    assert len({(line.where, str(line.equal), str(line.has)) for line in lines}) == len(lines)


def test_every_profile_has_a_table() -> None:
    """A sixth city brings its own list of what its source names."""
    assert {path.parent.name for path in PROFILES.glob("*/profile.toml")} == set(TAGS)
    assert {path.stem for path in TABLES.glob("*.toml")} == set(TAGS)


@pytest.mark.parametrize(
    "line",
    [
        Line(item="value", source="U:173", where="targets[id=plans-participation].at_least", equal=25),
        Line(item="row", source="U:173", where="targets[id=nothing].at_least", equal=24),
        Line(item="key", source="U:173", where="targets[id=plans-participation].most", equal=24),
        Line(item="number", source="U:29", where="agencies[law_items~1イ].count", equal=10),
        Line(item="member", source="U:187", where="bodies[id=layered-support].participants", has="nobody"),
        Line(item="path", source="U:137", where="joint_sittings", equal=1),
        Line(item="grammar", source="U:137", where="bodies[", equal=1),
    ],
    ids=lambda line: line.item,
)
def test_a_line_that_does_not_hold_is_told(line: Line) -> None:
    """A wrong value, row, key, number or member, and a path that leads nowhere, all fail."""
    assert not holds(line, load_profile(PROFILES / "kurume"))
