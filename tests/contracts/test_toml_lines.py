"""Where in a TOML text each table, key and element stands."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tsunagi_shared.contracts.toml_lines import Place, line_index

ROOT = Path(__file__).parents[2]
PROFILES = [ROOT / "tests/data/profile_small/profile.toml", *sorted(ROOT.glob("deploy/profiles/*/*.toml"))]


TRICKY = '''\
# [not.a.table]
top = """
[[agencies]]  # inside a text
x = 1 """
quote = 'a # b'
"a key" . b = { x = 1, "y=z" = [1, 2], n = { deep = "}" } }
dates = [2026-04-01,
  # a comment with ] and "
  2026-04-02, [
    "a, ]", \'\'\'
[[agencies]]\'\'\',
  ],
]

[[agencies]] # first
id = "a"
[agencies.more]
k = 1
[[agencies.rows]]
r = 1
[[agencies.rows]]
r = 2
[[agencies]]
id = "b"
  [[agencies.rows]]
  r = 3
'''


def line_with(text: str, wanted: str, nth: int = 1) -> int:
    return [number for number, line in enumerate(text.splitlines(), 1) if wanted in line][nth - 1]


def places(value: object, place: Place = ()) -> list[Place]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, part in entries for found in ((*place, key), *places(part, (*place, key)))]


@pytest.mark.parametrize(
    "text", [TRICKY, *(path.read_text("utf-8") for path in PROFILES)], ids=lambda text: f"{len(text)} characters"
)
def test_every_key_of_a_toml_text_has_its_line(text: str) -> None:
    """Whatever tomllib reads has a line, and that line shows the key, also among texts, comments and nested arrays."""
    lines, shown = line_index(text), text.splitlines()
    found = places(tomllib.loads(text))
    assert set(found) <= set(lines)
    for place in found:
        if isinstance(place[-1], str):
            assert place[-1] in shown[lines[place] - 1]


def test_lines_of_nested_tables_are_exact() -> None:
    """Rows of the second table are not taken for those of the first; array elements have their own lines."""
    lines = line_index(TRICKY)
    assert lines["agencies", 0, "rows", 1, "r"] == line_with(TRICKY, "r = 2")
    assert lines["agencies", 1, "rows", 0] == line_with(TRICKY, "[[agencies.rows]]", 3)
    assert lines["dates", 1] == line_with(TRICKY, "2026-04-02")
    assert lines["dates", 2, 1] == lines["dates", 2, 0] == line_with(TRICKY, '"a, ]"')
    assert lines["a key", "b", "n", "deep"] == line_with(TRICKY, "deep")
