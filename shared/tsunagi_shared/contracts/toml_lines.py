"""On which line of a TOML text each table, key and array element stands (tomllib reads values, but forgets where)."""

from __future__ import annotations

import bisect
import re
import tomllib

Place = tuple[str | int, ...]  # ("agencies", 2, "operated_by", 0, "from")

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*\'''',
    re.DOTALL,
)
_BARE_VALUE = re.compile(r"[^,\]}\n#]*")


def line_index(text: str) -> dict[Place, int]:
    """The line (from 1) of every table, key and array element of a text that tomllib reads without error."""
    return _Scanner(text).scan()


def line_of(place: Place, lines: dict[Place, int]) -> int:
    """The line of the place, else of the nearest table around it; 1 for the whole file."""
    for length in range(len(place), 0, -1):
        if place[:length] in lines:
            return lines[place[:length]]
    return 1


class _Scanner:
    """Walks a valid TOML text once. Trusts tomllib to have refused what is not TOML."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line_starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self.lines: dict[Place, int] = {}
        self.last_of: dict[Place, int] = {}  # array of tables → index of its newest table

    def scan(self) -> dict[Place, int]:
        table: Place = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self._header("[[", "]]")
            elif self.text[self.at] == "[":
                table = self._header("[", "]")
            else:
                self._pair(table)
        return self.lines

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        assert found, "a pattern that may be empty"
        self.at = found.end()
        return self.at

    def _note(self, place: Place, at: int) -> None:
        self.lines.setdefault(place, bisect.bisect_right(self.line_starts, at))

    def _keys(self) -> list[str]:
        """A dotted key: its parts, unquoted. Stands behind it and the space after it."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            found = _KEY.match(self.text, self.at)
            assert found, "tomllib has read this key"
            self.at = found.end()
            part = found.group()
            parts.append(next(iter(tomllib.loads(f"{part} = 0"))) if part[0] in "\"'" else part)
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def _header(self, opening: str, closing: str) -> Place:
        start = self.at
        self.at += len(opening)
        place: Place = ()
        keys = self._keys()
        self.at += len(closing)
        for position, key in enumerate(keys):
            place = (*place, key)
            self._note(place, start)
            if opening == "[[" and position == len(keys) - 1:
                self.last_of[place] = self.last_of.get(place, -1) + 1
            if place in self.last_of:
                place = (*place, self.last_of[place])
                self._note(place, start)
        return place

    def _pair(self, table: Place) -> None:
        start = self.at
        place = table
        for key in self._keys():
            place = (*place, key)
            self._note(place, start)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(place)

    def _value(self, place: Place) -> None:
        opening = self.text[self.at]
        if opening in "\"'":
            self._skip(_STRING)
        elif opening == "[":
            self.at += 1
            self._entries(place, "]")
        elif opening == "{":
            self.at += 1
            self._entries(place, "}")
        else:
            self._skip(_BARE_VALUE)

    def _entries(self, place: Place, closing: str) -> None:
        index = 0
        self._skip(_BLANK)
        while self.text[self.at] != closing:
            if closing == "}":
                self._pair(place)
            else:
                self._note((*place, index), self.at)
                self._value((*place, index))
            index += 1
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self._skip(_BLANK)
        self.at += 1
