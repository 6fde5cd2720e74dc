"""Which counts of a 年度 are not shown outside the responsible section: small ones, and what would give them away.

Whoever reads a breakdown also reads its total, so that a small count alone in it could be worked out. A hidden count always
leaves at least two possibilities by what stands in its own breakdown and in those of the same forms beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from tsunagi_shared.contracts.profile import Profile
from tsunagi_shared.contracts.report import Figure, FigureGroup, YearReport

FEW = 2  # counts up to here are masked where they stand for an agency or an area
MASKED, HELD_BACK = "3未満", "非表示"
MASKING = "3未満の数は、所管課のほかには「3未満」と示す。差引きで分かるときは、ほかの数も「非表示」とする。"
GONE = "いまはない機関"  # in place of a field or an area
BY_AGENCY, BY_FIELD, BY_AREA, BY_PROVIDER = (
    "referrals_by_agency", "referrals_by_field", "referrals_by_area", "plans_by_provider",
)  # fmt: skip


def masked(report: YearReport, profile: Profile) -> YearReport:
    """The report as it is shown outside the responsible section."""
    groups = {group.id: group for group in report.groups}
    for group in report.groups:
        if group.breakdown:
            groups[group.id] = _with(group, mask(group.figures))
    if BY_PROVIDER in groups:  # the total of each kind stands beside it
        found = next(group for group in report.groups if group.id == BY_PROVIDER)
        groups[BY_PROVIDER] = _by_parts(found, {one.id: one.id.rpartition(".")[2] for one in found.figures}, set())
    if BY_AGENCY in groups:
        found = next(group for group in report.groups if group.id == BY_AGENCY)
        fields = {one.id: _field_of(one.id, profile) for one in found.figures}
        closed = {one.id.partition(".")[2] for one in groups[BY_FIELD].figures if one.value is None}
        groups[BY_AGENCY] = _by_parts(found, fields, closed)
        if any(one.value is None for name in (BY_AGENCY, BY_AREA) for one in groups[name].figures):
            groups[BY_AREA] = _with(groups[BY_AREA], _held_back(groups[BY_AREA].figures))
    return msgspec.structs.replace(report, groups=tuple(groups[group.id] for group in report.groups), masked=True)


def mask(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """Figures whose total is known, with the small ones left out; of the others, from the smallest on, so many that none of
    the small ones can be worked out; all of them where that is not enough."""
    few = [one for one in figures if one.value is not None and 0 < one.value <= FEW]
    more = sorted((one for one in figures if one.value is not None and one.value > FEW), key=lambda one: one.value or 0)
    small, held = sum(one.value or 0 for one in few), 0
    while few and not _is_open(len(few), held, small + sum(one.value or 0 for one in more[:held])):
        if held == len(more):
            return _held_back(figures)
        held += 1
    hidden = dict.fromkeys((one.id for one in few), MASKED) | dict.fromkeys((one.id for one in more[:held]), HELD_BACK)
    return tuple(_hidden(one, hidden[one.id]) if one.id in hidden else one for one in figures)


def _is_open(few: int, held: int, total: int) -> bool:
    """Whether each of `few` counts of 1 or 2 may be either, when they and `held` counts above 2 make that total."""
    if held:
        return total >= few + 1 + (FEW + 1) * held
    return few < total < FEW * few


def _by_parts(group: FigureGroup, part_of: dict[str, str], closed: set[str]) -> FigureGroup:
    """A breakdown whose parts have known totals of their own, each masked by itself; nothing of the parts in `closed`."""
    parts = defaultdict[str, list[Figure]](list)
    for one in group.figures:
        parts[part_of[one.id]].append(one)
    shown = {
        one.id: one
        for part, figures in parts.items()
        for one in (_held_back(figures) if part in closed else mask(figures))
    }
    return _with(group, tuple(shown[one.id] for one in group.figures))


def _field_of(identity: str, profile: Profile) -> str:
    agency = identity.partition(".")[2]
    return profile.agency(agency).field if agency in profile.agencies_by_id else GONE


def _held_back(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    return tuple(_hidden(one, HELD_BACK) for one in figures)


def _hidden(figure: Figure, words: str) -> Figure:
    return msgspec.structs.replace(figure, value=None, masked=words)


def _with(group: FigureGroup, figures: tuple[Figure, ...]) -> FigureGroup:
    return msgspec.structs.replace(group, figures=figures)
