"""The figures of a 年度 as people and programs get them: counts with their definitions, and targets beside what came of them.

Numbers alone: no person, no case and no text of a form is in it. A count that could point to somebody is left out of it
(`value` None) and `masked` says how it is shown instead.
"""

from __future__ import annotations

import datetime as dt

import msgspec

NOT_COUNTED = "集計対象外"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One count. `id` stays the same from year to year; `definition` says what was counted, in one Japanese sentence."""

    id: str
    name: str
    definition: str
    value: int | None
    unit: str = "件"
    masked: str = ""

    @property
    def shown(self) -> str:
        """What stands in a table."""
        return self.masked if self.value is None else f"{self.value:,}"


class FigureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Figures that are read together. `breakdown`: by agency or area, where a small count could point to somebody."""

    id: str
    title: str
    breakdown: bool = False
    figures: tuple[Figure, ...]


class TargetFigure(msgspec.Struct, frozen=True, kw_only=True):
    """A target or an indicator of the profile. `actual` None: this product does not count it (集計対象外), or `masked` says how
    it is shown instead; `rate`: per cent, rounded down."""

    id: str
    name: str
    at_least: int
    unit: str
    baseline: str = ""
    actual: int | None = None
    rate: int | None = None
    definition: str = ""
    masked: str = ""

    @property
    def shown(self) -> str:
        """What stands in a table."""
        return self.masked or (NOT_COUNTED if self.actual is None else f"{self.actual:,}")


class YearReport(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one 年度 as they stood on `counted_on`; `masked`: small counts of agencies and areas are left out."""

    fiscal_year: int
    municipality: str
    counted_on: dt.date
    masked: bool = False
    groups: tuple[FigureGroup, ...]
    targets: tuple[TargetFigure, ...] = ()

    def value(self, figure_id: str) -> int | None:
        """The count of that id. KeyError when there is none."""
        return {figure.id: figure.value for group in self.groups for figure in group.figures}[figure_id]
