"""Reads a TOML file into a Struct and finds every mistake at once, each with its place and line, in Japanese.

A broken value is replaced by a blank one and reading goes on, so that checks across tables still run; what they then
say about a place that is already reported is dropped.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import inspect

from tsunagi_shared.contracts.toml_lines import Place, line_index, line_of

Table = TypeVar("Table", bound=msgspec.Struct)


class Problem(msgspec.Struct, frozen=True, order=True):
    """One mistake in a file. `line` counts from 1 (0: the file as a whole); `path` is dotted, indexes from 0."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file} {self.line}行目" if self.line else self.file
        return f"{where} {self.path}：{self.message}" if self.path else f"{where}：{self.message}"


class TomlFile:
    """One file under reading. `report` may be called by further checks; `problems` is what was found so far."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.problems: list[Problem] = []
        self._reported: set[Place] = set()
        self._lines: dict[Place, int] = {}
        try:
            self.content = path.read_bytes()
        except OSError:
            self.content = b""
            self._whole(0, "ファイルがないか、読めません。置き場所と読み取りの許可を確かめてください。")

    def read(self, table: type[Table]) -> Table | None:
        """The file as that Struct, blank where it is broken; None when it is not TOML at all."""
        if self.problems:
            return None
        try:
            text = self.content.decode("utf-8-sig")  # some editors put a byte order mark in front
        except UnicodeDecodeError as error:
            line = self.content.count(b"\n", 0, error.start) + 1
            self._whole(line, "文字コードがUTF-8ではありません。UTF-8で保存してください。")
            return None
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self._whole(_line_in(error, text), f"TOMLの書き方に誤りがあります（{error}）。")
            return None
        self._lines = line_index(text.replace("\r\n", "\n"))
        value = self._read(inspect.type_info(table), data, ())
        assert isinstance(value, table)
        return value

    def report(self, place: Place, message: str, after: Iterable[Place] = ()) -> None:
        """Adds a mistake, unless the place or a table around it is reported already.

        `after`: places the finding rests on; where one of them is broken, the finding may be false and is left out.
        """
        if any(place[:length] in self._reported for length in range(len(place) + 1)):
            return
        if any(broken[: len(ground)] == ground for ground in after for broken in self._reported):
            return
        self._reported.add(place)
        path = ".".join(str(part) for part in place)
        self.problems.append(Problem(self.name, line_of(place, self._lines), path, message))

    def sorted_problems(self) -> tuple[Problem, ...]:
        """What was found, by line."""
        return tuple(sorted(self.problems))

    def _whole(self, line: int, message: str) -> None:
        self.problems.append(Problem(self.name, line, "", message))

    def _read(self, kind: inspect.Type, value: object, place: Place) -> object:
        inner = kind.type if isinstance(kind, inspect.Metadata) else kind
        if isinstance(
            inner, inspect.UnionType
        ):  # only `X | None`: TOML has no null, so a value that stands here is an X
            inner = next(part for part in inner.types if not isinstance(part, inspect.NoneType))
            return self._read(inner, value, place)
        if isinstance(inner, inspect.StructType) and isinstance(value, dict):
            return self._struct(inner, value, place)
        if isinstance(inner, inspect.VarTupleType) and isinstance(value, list):
            return tuple(self._read(inner.item_type, entry, (*place, n)) for n, entry in enumerate(value))
        if isinstance(inner, inspect.DictType) and isinstance(value, dict):
            return self._mapping(inner, value, place)
        if isinstance(inner, inspect.EnumType) and isinstance(value, str):
            codes = {str(code.value): code for code in inner.cls}
            if value in codes:
                return codes[value]
        elif _fits(inner, value):
            return value
        controls = isinstance(value, str) and _CONTROL.search(value)
        self.report(place, "使えない制御文字があります。" if controls else _wanted(kind))
        # a text of the wrong form still stands for itself: an id like that is found where it is named
        return value if isinstance(inner, inspect.StrType) and isinstance(value, str) else _blank(inner)

    def _struct(self, kind: inspect.StructType, data: dict[str, object], place: Place) -> object:
        values: dict[str, object] = {}
        known = {field.encode_name: field for field in kind.fields}
        for key, value in data.items():
            if field := known.get(key):
                values[field.name] = self._read(field.type, value, (*place, key))
            else:
                self.report((*place, key), _unknown(key, known))
        for field in kind.fields:
            if field.required and field.name not in values:
                self.report((*place, field.encode_name), f"「{field.encode_name}」がありません。必ず書いてください。")
                values[field.name] = _blank(field.type)
        return kind.cls(**values)

    def _mapping(self, kind: inspect.DictType, data: dict[str, object], place: Place) -> dict[object, object]:
        found: dict[object, object] = {}
        names = [str(code.value) for code in kind.key_type.cls] if isinstance(kind.key_type, inspect.EnumType) else None
        for key, value in data.items():
            if names is not None and key not in names:
                self.report((*place, key), _unknown(key, names))
                continue
            name = kind.key_type.cls(key) if isinstance(kind.key_type, inspect.EnumType) else key
            found[name] = self._read(kind.value_type, value, (*place, key))
        return found


def _line_in(error: tomllib.TOMLDecodeError, text: str) -> int:
    found = re.search(r"line (\d+)", str(error))
    return int(found.group(1)) if found else text.count("\n") + 1


def _fits(kind: inspect.Type, value: object) -> bool:
    if isinstance(kind, inspect.StrType):
        longest = kind.max_length is None or (isinstance(value, str) and len(value) <= kind.max_length)
        return (
            isinstance(value, str)
            and (len(value.strip()) >= (kind.min_length or 0))
            and longest
            and not _CONTROL.search(value)
            and (kind.pattern is None or re.search(kind.pattern, value) is not None)
        )
    if isinstance(kind, inspect.BoolType):
        return isinstance(value, bool)
    if isinstance(kind, inspect.IntType):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and (kind.ge is None or value >= kind.ge) and (kind.le is None or value <= kind.le)  # type: ignore[operator]
    if isinstance(kind, inspect.DateType):
        return type(value) is dt.date  # a TOML date-time is a date to isinstance
    return False


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")

_WANTED: dict[type[inspect.Type], str] = {
    inspect.StrType: "文字",
    inspect.BoolType: "true か false",
    inspect.IntType: "整数",
    inspect.DateType: "2026-04-01 のような日付（引用符なし）",
    inspect.StructType: "表（テーブル）",
    inspect.VarTupleType: "並び（[ ] で囲んだもの、又は [[ ]] の表）",
    inspect.DictType: "表（テーブル）",
}


def _wanted(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata) and kind.extra and "ja" in kind.extra:
        return f"{kind.extra['ja']}で書いてください。"
    inner = kind.type if isinstance(kind, inspect.Metadata) else kind
    if isinstance(inner, inspect.EnumType):
        codes = "、".join(f"{code.value}（{getattr(code, 'label', code.name)}）" for code in inner.cls)
        return f"次のどれか一つを書いてください：{codes}"
    return f"{_WANTED[type(inner)]}で書いてください。"


def _unknown(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    hint = f"「{near[0]}」の誤りではありませんか。" if near else f"使えるのは {'、'.join(known)} です。"
    return f"「{key}」という項目はありません。{hint}"


def _blank(kind: inspect.Type) -> object:
    """A harmless value of the type, in place of one that is missing or broken."""
    if isinstance(kind, inspect.Metadata):
        return _blank(kind.type)
    if isinstance(kind, inspect.StructType):
        return kind.cls(**{field.name: _blank(field.type) for field in kind.fields if field.required})
    if isinstance(kind, inspect.EnumType):
        return next(iter(kind.cls))
    return _BLANK[type(kind)]


_BLANK: dict[type[inspect.Type], object] = {
    inspect.StrType: "",
    inspect.BoolType: False,
    inspect.IntType: 1,
    inspect.DateType: dt.date.min,
    inspect.VarTupleType: (),
    inspect.DictType: {},
}
