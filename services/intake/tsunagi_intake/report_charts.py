"""Bars for the page of a 年度: drawn as SVG with attributes alone, since the page allows neither scripts nor inline styles.

A chart stands beside the table with the same numbers and says so to those who hear the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec
from markupsafe import Markup

WIDTH, ROW, LABEL, VALUE = 960, 34, 380, 170  # in units of the drawing
BAR, SOLID, PALE, LINE, TEXT = 18, "#0017c1", "#c5d7fb", "#1a1a1a", "#1a1a1a"
LONGEST = 23  # characters of a name beside its bar


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar. `goal`: a mark up to which it should reach; `words`: what stands at its end; `value` None: no bar."""

    name: str
    value: int | None
    words: str
    goal: int | None = None


def bars(title: str, rows: Sequence[Bar], *, by_goal: bool = False) -> Markup:
    """The chart as inline SVG; nothing without rows. `by_goal`: each bar by its own goal, all goals at the same place."""
    if not rows:
        return Markup("")
    height = ROW * len(rows) + 8
    drawing = ElementTree.Element(
        "svg",
        {"viewBox": f"0 0 {WIDTH} {height}", "width": "100%", "role": "img", "aria-label": f"{title}の図（数は表にあります）"},
    )  # fmt: skip
    room = WIDTH - LABEL - VALUE
    longest = max((max(row.value or 0, row.goal or 0) for row in rows), default=0) or 1
    for place, row in enumerate(rows):
        most = max(row.goal or 1, row.value or 0) if by_goal else longest
        middle = ROW * place + ROW // 2 + 4
        _text(drawing, LABEL - 12, middle, _short(row.name), anchor="end")
        length = round(room * (row.value or 0) / most)
        _rectangle(drawing, LABEL, middle - BAR // 2, room, PALE if row.goal else "#f2f2f2")
        if length:
            _rectangle(drawing, LABEL, middle - BAR // 2, length, SOLID)
        if row.goal:
            mark = LABEL + round(room * min(row.goal / most, 1))
            for stroke, width in (("#ffffff", "7"), (LINE, "3")):  # seen on the bar as well as beside it
                ElementTree.SubElement(
                    drawing, "line",
                    {"x1": str(mark), "x2": str(mark), "y1": str(middle - 13), "y2": str(middle + 13), "stroke": stroke,
                     "stroke-width": width},
                )  # fmt: skip
        _text(drawing, LABEL + room + 12, middle, row.words)
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))  # noqa: S704 - written by the library, which escapes it


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _rectangle(drawing: ElementTree.Element, left: int, top: int, width: int, fill: str) -> None:
    place = {"x": str(left), "y": str(top), "width": str(width), "height": str(BAR), "fill": fill}
    ElementTree.SubElement(drawing, "rect", place)


def _text(drawing: ElementTree.Element, left: int, middle: int, words: str, anchor: str = "start") -> None:
    place = {"x": str(left), "y": str(middle + 5), "font-size": "15", "fill": TEXT, "text-anchor": anchor}
    ElementTree.SubElement(drawing, "text", place).text = words
